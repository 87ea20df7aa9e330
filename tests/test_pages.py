"""Every shell line of README.md, samples/README.md and fits/README.md runs, in its order, on a copy of the project.

The recipes of the copy make few events, and toys are few, so that the lines are cheap; what they print is tested
elsewhere.
"""

import itertools
import re
import runpy
import shlex
import shutil
import tomllib
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import spectrafit as sf
from spectrafit import cli

PROJECT = Path(__file__).parents[1]
PAGES = ("README.md", "samples/README.md", "fits/README.md")
# Lines that are no command of ours, or that other tests run: the demo in test_shipped and scripts/release, scripts/ in
# test_scripts, lines of a batch system in tests/machines.
OTHERS = {"pip", "cd", "scripts/demo", "scripts/test", "sbatch"}
# What is added to a line to make it cheap.
CHEAP = {
    "coverage": ["--experiments", "10", "--toys", "39"],
    "fit": ["--no-figures"],
    "limit": ["--set", "limit.toys=100"],
}


def lines(page: str) -> list[str]:
    """Return the shell lines of a page; those of a job's script are a file, not lines to type."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^( *)```sh\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [
        line.strip()
        for _, block in blocks
        if not block.lstrip().startswith("#!")
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]


def run_elsewhere(line: str) -> bool:
    """Tell whether test_readme runs the line: the scans of one section, and the binnings of an analysis of its own."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## What could we see if") : text.index("`spectrafit binning`")]
    return line in section or line.startswith(("spectrafit binning fit.toml", "spectrafit demo"))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Copies of samples/ and fits/ whose recipes make a fortieth of the events; fits/NAME.toml has two couplings."""
    folder = tmp_path_factory.mktemp("pages")
    for name in ("samples", "fits"):
        shutil.copytree(PROJECT / name, folder / name)
    for path in (folder / "samples").glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(
            re.sub(r"events = ([\d_]+)", lambda m: f"events = {max(int(m[1].replace('_', '')) // 40, 500)}", text)
        )
    page = (PROJECT / "fits/README.md").read_text(encoding="utf-8")
    couplings = next(block for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if '"nuebar"]' in block)
    fit = (folder / "fits/nova_nd_fhc.toml").read_text(encoding="utf-8")
    assert 'coupling = "magnetic_moment"\n' in fit
    (folder / "fits/NAME.toml").write_text(fit.replace('coupling = "magnetic_moment"\n', "") + couplings)
    assert len(tomllib.loads((folder / "fits/NAME.toml").read_text())["couplings"]) == 2
    sf.generate(sf.load_samples(folder / "samples/nova_nd_fhc.toml"))
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_every_line_runs(project, monkeypatch, capsys, page):
    monkeypatch.chdir(project)
    monkeypatch.setenv("COLUMNS", "200")
    for line in lines(page):
        words = shlex.split(line, comments=True)
        assert words[0] == "spectrafit" or words[0] in OTHERS, f"{page}: who runs {line!r}?"
        if words[0] != "spectrafit" or run_elsewhere(line) or "$(" in line:
            continue
        workspace = words[1] in ("fit", "limit") and words[2].endswith(".json")
        with pytest.raises(SystemExit) as left:
            cli.main([*words[1:], *([] if workspace else CHEAP.get(words[1], []))])
        said = capsys.readouterr()
        assert not left.value.code, f"{page}: {line}\n{said.err}"
        for name in [after for word, after in itertools.pairwise(words) if word == "-o"]:
            assert Path(name).exists(), f"{page}: {line}"


@pytest.mark.parametrize("name", ["first_analysis", "sensitivity_and_binning"])
def test_the_notebooks_run_as_scripts(project, monkeypatch, capsys, name):
    text = (PROJECT / f"fits/{name}.py").read_text(encoding="utf-8")
    assert text.startswith("# %% [markdown]\n# # ")
    monkeypatch.chdir(project)
    made = runpy.run_path(f"fits/{name}.py")
    try:
        assert made["figure"].axes[0].lines
        assert "NOT VALID" not in capsys.readouterr().out
    finally:
        plt.close("all")


def test_the_package_to_install_is_the_project():
    name = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    (first, *_) = lines("README.md")
    assert shlex.split(first, comments=True) == ["pip", "install", name]
