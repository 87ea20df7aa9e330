import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import spectrafit as sf
from spectrafit import cli
from spectrafit.cli.tuning import tune
from spectrafit.inference.toys.options import ToyOptions
from spectrafit.interop.pyhf import fit_workspace
from tests.events.ntuples import native
from tests.test_bad_input import write_tree

HEAVY = ("numba", "numpy", "uproot", "awkward", "boost_histogram", "iminuit", "matplotlib", "scipy", "rich.console")
VERBS = {c.name or c.callback.__name__: c.callback for c in cli.app.registered_commands}


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spectrafit", *words], capture_output=True, text=True, cwd=cwd, timeout=120, check=False
    )


@pytest.mark.parametrize(
    "statement", ["import spectrafit", "import spectrafit.cli", "import spectrafit; dir(spectrafit)"]
)
def test_importing_loads_no_room(statement: str) -> None:
    code = f"{statement}\nimport sys\nprint(*[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("", "rich.console") if "cli" in statement else not done.stdout.strip()


def test_help_lists_every_command_and_loads_no_room() -> None:
    done = run("--help")
    assert done.returncode == 0
    for name in VERBS:
        assert name in done.stdout
    code = (
        "import sys\nfrom spectrafit.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit: pass\n"
        f"bad = [m for m in {HEAVY[:-1]} if m in sys.modules]\nassert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


@pytest.mark.parametrize("name", [n for n in VERBS if n in sf.__all__])
def test_flags_and_the_verb_agree(name: str) -> None:
    """A command offers nothing its verb of the same name, or load, does not take, but for where output goes."""
    verb = inspect.signature(getattr(sf, name)).parameters
    steps = [sf.load]
    if name in (
        "fit",
        "limit",
        "contour",
        "sensitivity",
        "breakdown",
        "coverage",
        "export",
        "inject",
        "hypotest",
        "significance",
        "referee",
    ):
        steps += [sf.build, sf.assemble, sf.upper_limit, sf.report, ToyOptions]
    # A workspace has a measurement and a patch.
    steps += [fit_workspace]
    # What makes fake data is one keyword of assemble, `data`, and these are its values.
    assert "data" in inspect.signature(sf.assemble).parameters
    steps += [sf.Asimov, sf.Toy, sf.Simulated]
    if name == "reweight":
        steps = [sf.reweight_files]
    known = {*verb, *(p for step in steps for p in inspect.signature(step).parameters)}
    renamed = {"set_": "overrides", "samples": "sample_set", "files": "path", "output": None, "json": None}
    renamed |= {
        "asimov": "values",
        "toy": "seed",
        "throw_nuisances": "thrown",
        "data_from": "samples",
        "paths": "results",
        # The range of a parameter is given to the verb as its values.
        "range_": "x",
        "force": None,
        "resume": None,
    }
    for flag in inspect.signature(VERBS[name]).parameters:
        target = renamed.get(flag, flag)
        # A flag that may be repeated has the singular's name.
        assert target is None or {target, f"{target}s"} & known, (
            f"spectrafit {name} --{flag}: sf.{name} takes no {target}"
        )


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = run("fit", "nowhere.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip() == "error: nowhere.toml: no such file"
    assert "Traceback" in run("fit", "nowhere.toml", "--debug", cwd=tmp_path).stderr


def test_a_misspelled_option_is_exit_code_2(tmp_path: Path) -> None:
    done = run("fit", "x.toml", "--exekutor", "threads", cwd=tmp_path)
    assert done.returncode == 2
    assert "--executor" in done.stderr


def test_the_version_is_told() -> None:
    done = run("--version")
    assert done.stdout.strip() == f"spectrafit {sf.__version__}"


def test_every_public_name_resolves() -> None:
    for name in sf.__all__:
        assert getattr(sf, name) is not None
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = sf.nothing_like_it


def test_many_files_are_reweighted_from_the_shell(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name, code in (("a", 14), ("b", 12)):
        columns = native(20)
        columns["pdg"][:] = code
        write_tree(tmp_path / f"{name}.root", columns)

    def told(*words: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as left:
            cli.main(["reweight", *words])
        assert (left.value.code or 0) == code
        return "".join(capfd.readouterr())

    out, every = tmp_path / "friends", str(tmp_path / "*.root")
    values = ("--value", "1e-9", "--value", "magnetic_moment=1e-9,charge_radius=4e-33")
    words = told(every, "-o", str(out), *values, "--executor", "serial")
    assert "20 of PDG code 12, which has no coupling" in " ".join(words.split())
    assert f"friends are in {out}" in words
    assert "weight 2: weight_magnetic_moment_1em09_charge_radius_4em33" in words
    record = json.loads(told(every, "-o", str(out), "--json", "--value", "2e-9"))
    assert record["branches"] == ["weight", "coefficient_1"]
    assert [row["entries"] for row in record["files"]] == [20, 20]
    # One file with one value: a line, as it has always been.
    one = told(str(tmp_path / "a.root"), "-o", str(tmp_path / "f.root"))
    assert one.startswith(str(tmp_path / "f.root"))
    assert "20 entries, 20 of them nu-e events; mean weight" in one
    for wrong, message in (
        (("--value", "big"), "'big' is no number"),
        (("--value", "nan"), "needs a finite number"),
        (("--value", "1e-9,charge_radius=1e-33"), "a number without a name stands alone"),
        (("--coupling", "charge_radius", "--coupling", "millicharge"), "of which coupling"),
        (("--on-bad", "keep"), "use 'error' or 'drop'"),
    ):
        assert message in told(every, "-o", str(out), *wrong, code=2)


def test_physics_alone_is_two_commands(tmp_path: Path) -> None:
    table = run("xsec", "--e-nu", "2", "--mu", "1e-9").stdout
    assert "114.8 MeV" in table  # where both cross sections are equal: physics.md, section 3
    drawn = run("xsec", "--mu", "1e-9", "--mu", "1e-10", "-o", "why.png", cwd=tmp_path)
    assert (tmp_path / "why.png").stat().st_size > 10_000, drawn.stderr
    assert "minimal Dirac" in run("moment", "1e-10", "2e-10", "3e-10").stdout
    refused = run("xsec", "--flavour", "nummu")
    assert refused.returncode == 2
    assert "did you mean 'numu'" in refused.stderr


def test_the_page_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spectrafit.report.tuning.serve", None)
    with pytest.raises(sf.ConfigError, match=r"pip install 'spectrafit-numm\[tune\]'"):
        tune(tmp_path / "fit.toml")
