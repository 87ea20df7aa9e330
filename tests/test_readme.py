"""The README holds what it says: its TOML is understood, its commands exist, its analysis gives its number."""

import re
import shlex
import shutil
import sys
import tomllib
import types
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import uproot

import spectrafit as sf
from spectrafit import cli
from spectrafit.config import Systematic

PROJECT = Path(__file__).parents[1]
TEXT = (PROJECT / "README.md").read_text(encoding="utf-8")
FITS = (PROJECT / "fits/README.md").read_text(encoding="utf-8")


def blocks(language, text=TEXT):
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


@pytest.fixture
def own(tmp_path):
    samples, analysis = blocks("toml")
    (tmp_path / "beam.toml").write_text(samples)
    (tmp_path / "fit.toml").write_text(analysis)
    for folder, name, shipped in (
        ("ntuples", "elastic.root", "elastic_numu.root"),
        ("backgrounds", "nc_0.root", "nc_carbon.root"),
    ):
        (tmp_path / folder).mkdir()
        shutil.copy(PROJECT / "samples/nuwro" / shipped, tmp_path / folder / name)
    return tmp_path / "fit.toml"


def test_an_own_analysis_gives_the_limit_it_says(own):
    analysis = sf.load(own)
    model = sf.assemble(analysis, sf.build(analysis))
    (said,) = re.findall(r"give (\d\.\d+e-\d+) mu_B", TEXT)
    assert sf.upper_limit(model, level=0.90).value == pytest.approx(float(said), rel=0.005)


def test_the_binnings_shown_are_made(own, monkeypatch, capsys):
    monkeypatch.chdir(own.parent)
    lines = [
        line for block in blocks("sh") for line in block.splitlines() if line.startswith("spectrafit binning fit.toml")
    ]
    assert len(lines) == 2
    for line in lines:
        with pytest.raises(SystemExit) as stop:
            cli.main(shlex.split(line)[1:])
        assert stop.value.code == 0
    said = capsys.readouterr().out
    assert said.count("best partition") >= 2
    edges = [axis["edges"] for axis in tomllib.loads(Path("best.toml").read_text())["axes"]]
    assert (len(edges[0]) - 1) * (len(edges[1]) - 1) <= 12
    assert Path("binning.png").exists()
    assert np.loadtxt("bins.csv", delimiter=",").shape == (15, 18)


def test_an_example_of_every_systematic_is_fitted(own):
    examples, *_ = blocks("toml", FITS[FITS.index("## Systematics: an example of each kind") :])
    kinds = {member.__struct_config__.tag for member in get_args(Systematic)}
    assert set(re.findall(r'^kind = "(\w+)"', examples, re.MULTILINE)) == kinds
    (named,) = re.findall(r"Systematics are of the kinds (.*?)\. ", TEXT, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", named)) == kinds
    folder, rng = own.parent, np.random.default_rng(4)
    samples, fit = (folder / "beam.toml").read_text(), own.read_text()
    up = samples[samples.index("[[samples]]") : samples.rindex("[[samples]]")].replace('"elastic"', '"elastic_up"')
    flux = "".join(f'{f} = "{PROJECT}/samples/flux/nova_2017/FHC_{f}.dat"\n' for f in ("numu", "nue"))
    (folder / "beam.toml").write_text(samples.replace("[response]", f"[flux]\n{flux}\n[response]", 1) + up)
    for name in ("ntuples/elastic.root", "backgrounds/nc_0.root"):
        with uproot.open(folder / name) as file:
            (tree,) = file.keys(cycle=False, filter_classname="TTree")
            columns = file[tree].arrays(library="np")
        size = len(next(iter(columns.values())))
        columns |= {f"w_{s}{n}": rng.normal(1, 0.05, size) for s in "mp" for n in (1, 2)}
        columns |= {"knobs": rng.normal(1, 0.05, (size, 2)), "ppfx_weights": rng.normal(1, 0.05, (size, 30))}
        with uproot.recreate(folder / name) as file:
            file.mktree(tree, {n: (v.dtype, v.shape[1:]) for n, v in columns.items()})
            file[tree].extend(columns)
    np.savetxt(folder / "detector.csv", 1e-4 * np.eye(30), delimiter=",")
    own.write_text(fit[: fit.index("[[systematics]]")] + examples + '\n[fit]\nzero_bins = "floor"\n')
    analysis = sf.load(own)
    templates = sf.build(analysis)
    best = sf.fit(sf.assemble(analysis, templates))
    assert best.valid
    assert set(templates.components) == {"ppfx", "detector", "flux"}
    said = re.findall(r'^name = "(\w+)"', examples, re.MULTILINE)
    found = {name.partition("[")[0] for name in best.names} | {
        p["parameter"].partition("[")[0] for p in templates.pruned
    }
    assert set(said) <= found


def test_the_script_for_a_cluster_fills_the_templates(own, monkeypatch, tmp_path):
    distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")

    class Batch(distributed.LocalCluster):
        """A batch system that is this process: jobs come one by one."""

        def __init__(self, **_):
            super().__init__(n_workers=0, threads_per_worker=1, processes=False, dashboard_address=None)

        def scale(self, jobs):
            super().scale(min(jobs, 2))

    _, script = blocks("python")
    monkeypatch.setitem(sys.modules, "dask_jobqueue", types.SimpleNamespace(SLURMCluster=Batch))
    monkeypatch.chdir(tmp_path)
    exec(script.replace("fits/nova_nd_fhc.toml", str(own)), {"__name__": "__main__"})
    analysis = sf.load(own)
    found = sf.Templates.load("templates.npz", analysis=analysis)
    np.testing.assert_array_equal(found.counts, sf.build(analysis).counts)


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Copies of samples/ and fits/, with the ntuples of the neutrino-mode recipe made beside them."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("samples", "fits"):
        shutil.copytree(PROJECT / name, folder / name)
    sf.generate(sf.load_samples(folder / "samples/nova_nd_fhc.toml"))
    return folder


def rows(title):
    """Return the cells of the table of fits/README.md whose head starts with `title`, by their first column."""
    lines = FITS[FITS.index(f"| {title} |") :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells}


@pytest.mark.parametrize("column", range(3), ids=["70 %", "90 %", "97 %"])
def test_limits_of_the_counting_analysis_are_those_of_the_table(generated, column):
    purity = (0.70, 0.90, 0.97)[column]
    settings = (f"normalise.0.expected={23.78 * purity}", f"counts.0.counts.window=[{23.78 * (1 - purity)}]")
    analysis = sf.load(generated / "fits/nova_counting.toml", overrides=settings)
    model = sf.assemble(analysis, sf.build(analysis), unblind=True)
    table = {re.match(r"`([\w-]+)`", head)[1]: cells for head, cells in rows("method, limit in 10^-9 mu_B").items()}
    assert set(table) == {"profile", "feldman-cousins", "cls", "bayes", "bayes-mu"}
    for method, cells in table.items():
        sides = "one" if method == "profile" else None
        found = sf.upper_limit(model, level=0.90, method=method, sides=sides, expected=False)
        assert 1e9 * found.value == pytest.approx(float(cells[column]), abs=0.025), method


def test_our_generator_and_nuwro_give_the_limits_said(generated):
    (said,) = re.findall(r"NuWro's events\) \| (\S+), (\S+) mu_B", TEXT)
    values = []
    for name in ("nova_nd_fhc", "nova_nd_nuwro"):
        analysis = sf.load(generated / f"fits/{name}.toml")
        values.append(sf.upper_limit(sf.assemble(analysis, sf.build(analysis)), level=0.90).value)
    assert values == pytest.approx([float(value) for value in said], rel=0.005)
    assert values[0] == pytest.approx(values[1], rel=0.10)


def test_both_beam_modes_together_give_the_limit_said(generated):
    sf.generate(sf.load_samples(generated / "samples/nova_nd_rhc.toml"))
    (said,) = re.findall(r"in one fit: (\S+) mu_B", TEXT)
    analysis = sf.load(generated / "fits/nova_nd_joint.toml")
    assert sf.upper_limit(sf.assemble(analysis, sf.build(analysis)), level=0.90).value == pytest.approx(
        float(said), rel=0.005
    )


def test_the_scans_shown_run(generated, monkeypatch, capsys):
    section = TEXT[TEXT.index("## What could we see if") : TEXT.index("`spectrafit binning`")]
    monkeypatch.chdir(generated)
    monkeypatch.setenv("COLUMNS", "200")
    sf.build(sf.load("fits/nova_nd_fhc.toml")).save("built.npz")
    for line in re.findall(r"^spectrafit (.*)", section, re.MULTILINE):
        words = shlex.split(line)
        # Another response is filled anew; all else is answered from one build.
        templates = [] if "samples:" in line else ["--templates", "built.npz"]
        cli.app([*words, *templates], standalone_mode=False)
        said = capsys.readouterr().out
        if words[0] == "scan":
            assert f"from {'2 passes' if 'samples:' in line else 'no pass'} over the events" in said
        for name in re.findall(r"-o (\S+)", line):
            assert Path(name).stat().st_size > 100


def test_every_command_shown_exists():
    known = {command.name or command.callback.__name__ for command in cli.app.registered_commands}
    known |= {group.name for group in cli.app.registered_groups}
    shown = set(re.findall(r"^spectrafit +([a-z]+)", "\n".join(blocks("sh")), re.MULTILINE))
    shown |= set(re.findall(r"`spectrafit ([a-z]+)[ `]", TEXT))
    assert shown <= known
    assert {"generate", "inspect", "fit", "limit", "reweight"} <= shown


def test_the_script_is_the_one_shipped():
    script, _ = blocks("python")
    lines = [re.sub(r"\s*#.*", "", line) for line in script.splitlines()]
    shipped = (PROJECT / "fits/nova_nd_fhc.py").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line] == [line for line in shipped if line and not line.startswith('"""')]


def test_every_file_it_names_is_there():
    for name in re.findall(r"\]\((\.?[\w/.-]+)\)", TEXT) + re.findall(
        r"`((?:samples|fits|scripts|tests)/[\w./-]*)`", TEXT
    ):
        assert (PROJECT / name).exists(), name
