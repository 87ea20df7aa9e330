"""The commands scan, sensitivity and breakdown in the process: what they print, write and refuse."""

import csv
import json
from pathlib import Path

import pytest

import spectrafit as sf
from spectrafit import cli
from spectrafit.errors import ConfigError
from tests.events.ntuples import native
from tests.inference.conftest import FIT, SAMPLES
from tests.test_bad_input import write_tree


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("commands")
    write_tree(place / "numu.root", native(1000))
    write_tree(place / "nc.root", native(500))
    (place / "set.toml").write_text(SAMPLES)
    (place / "fit.toml").write_text(FIT)
    sf.build(sf.load(place / "fit.toml")).save(place / "built.npz")
    return place


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(folder)

    def run(*words: str) -> str:
        cli.app([*words, "--templates", "built.npz", "--executor", "serial"], standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_a_scan_prints_a_table_and_writes_files(run, folder: Path) -> None:
    said = run("scan", "fit.toml", "--over", "pot=1e20,2e20", "--without", "sc*", "-o", "s.csv", "-o", "s.json")
    assert "from no pass over the events" in said
    with (folder / "s.csv").open(newline="") as file:
        medians = [float(row["median"]) for row in csv.DictReader(file)]
    for pot, median in zip((1e20, 2e20), medians, strict=True):
        less = sf.load("fit.toml", overrides=[f"pot={pot}"], without=["sc*"])
        found = sf.limit(sf.assemble(less, sf.build(less)))
        assert median == pytest.approx(found.expected.median, rel=1e-6)
        assert f"{median:.4g}" in said
    points = json.loads((folder / "s.json").read_text())["points"]
    assert [point["median"] for point in points] == medians


def test_sensitivity_is_the_scan_of_exposure_and_priors(run) -> None:
    short = run("sensitivity", "fit.toml", "--exposure", "1", "--exposure", "3", "--systematics", "1")
    long = run("scan", "fit.toml", "--over", "exposure=1,3", "--over", "priors=1")
    assert short.splitlines()[:-1] == long.splitlines()[:-1]


def test_a_breakdown_prints_groups_and_writes_them(run, folder: Path) -> None:
    said = run("breakdown", "fit.toml", "--group", "rates=flux,nc", "--factor", "4", "-o", "b.json")
    assert "4 times the simulation of sample nc would gain" in said
    found = json.loads((folder / "b.json").read_text())
    assert {name: sorted(of) for name, of in found["groups"].items()} == {
        "rates": ["flux", "nc"],
        "others": ["scale"],
        "simulation's statistics": [],
    }
    assert "beam" in run("breakdown", "fit.toml", "--group", "group")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("scan", "fit.toml", "--over", "pot=1e20,2e20", "-o", "s.txt"), "is no format of a study"),
        (("scan", "fit.toml", "--over", "pott=1e20,2e20"), "did you mean 'pot'"),
        (("scan", "fit.toml", "--over", "pot"), "needs KEY=VALUES"),
        (("breakdown", "fit.toml", "--group", "x"), "needs NAME=GLOB"),
        (("breakdown", "fit.toml", "--without", "flx"), "did you mean 'flux'"),
    ],
)
def test_a_mistake_is_refused_before_the_work(run, words: tuple[str, ...], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        run(*words)


def test_nothing_half_written_is_left_when_it_is_stopped(run, folder: Path, monkeypatch) -> None:
    from spectrafit.inference.studies import points

    calls = []

    class Stopped(BaseException):
        """Ctrl-C, as the command line hears it."""

    def stopped(*args: object, **options: object) -> None:
        calls.append(args)
        raise Stopped

    (folder / "kept.csv").write_text("earlier\n")
    monkeypatch.setattr(points, "bare_limit", stopped)
    before = sorted(p.name for p in folder.iterdir())
    with pytest.raises(Stopped):
        run("scan", "fit.toml", "--over", "pot=1e20,2e20", "-o", "kept.csv", "-o", "new.json")
    assert len(calls) == 1
    assert sorted(p.name for p in folder.iterdir()) == before
    assert (folder / "kept.csv").read_text() == "earlier\n"
