"""The command `binning`, in this process: from ntuples once, then from its saved grid alone."""

import csv
import json
import shutil
import tomllib

import matplotlib.image
import numpy as np
import pytest

import spectrafit as sf
from spectrafit.cli import main
from tests.inference.simulated import ANALYSIS, NORM, SCALED, simulate

X, Y = [0.2, 0.5, 0.8, 1.2, 2.0, 4.0], [0.0, 0.3, 0.8, 1.5, 4.0]
TEXT = ANALYSIS.format(x=X, y=Y) + SCALED + NORM
EDGES = "t_reco=0.2,0.8,4.0; score=0,0.8,4"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the grid was filled from ntuples and everything written that there is to write."""
    place = tmp_path_factory.mktemp("binning")
    simulate(place, 1, 2_000, signal=5_000)
    (place / "fit.toml").write_text(TEXT)
    options = f"--fine 3 --save {place}/grid.npz --report {place}/report --least-width t_reco=0.5 --optimise"
    options += f" --most-bins 12 --round-to t_reco=0.2 -o {place}/best.toml --partition {place}/bins.csv"
    ends(["binning", str(place / "fit.toml"), "--edges", EDGES, *options.split()], 0)
    return place


def ends(words, code):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == code


def test_the_report_has_everything(folder):
    report = folder / "report"
    with (report / "binnings.csv").open() as stream:
        rows = {row["binning"]: row for row in csv.DictReader(stream)}
    assert list(rows) == ["as it is", "equal width", "equal statistics", "edges 1", "optimum", "best partition"]
    said = json.loads((report / "binnings.json").read_text())
    for row in said["binnings"]:
        assert float(rows[row["name"]]["limit_guarded"]) == pytest.approx(row["guarded_limit"])
    assert int(rows["optimum"]["bins"]) <= 12
    page = (report / "index.html").read_text()
    assert page.count("<img") == len(list((report / "figures").glob("*.png")))
    for name in ("binnings", "nd_optimum", "nd_partition", "nd_t_reco_migration", "nd_information", "nd_simulated"):
        picture = matplotlib.image.imread(report / "figures" / f"{name}.png")
        assert picture[..., :3].std() > 0.05
    assert (report / "optimum.toml").read_text() == (folder / "best.toml").read_text()
    edges = tomllib.loads((folder / "best.toml").read_text())["axes"][0]["edges"]
    np.testing.assert_allclose(np.array(edges[1:-1]) * 5, np.round(np.array(edges[1:-1]) * 5), atol=1e-9)


def test_what_was_found_is_pasted_and_run(folder, capsys):
    place = folder / "pasted"
    place.mkdir()
    for name in ("samples.toml", "signal.root", "background.root", "numu.dat", "bins.csv"):
        shutil.copy(folder / name, place)
    lines = (folder / "best.toml").read_text()
    head, _, rest = TEXT.partition("axes = ")
    (place / "best.toml").write_text(head + lines + rest.partition("\n")[2])
    with (folder / "report/binnings.csv").open() as stream:
        rows = {row["binning"]: row for row in csv.DictReader(stream)}
    analysis = sf.load(place / "best.toml")
    limit = sf.limit(sf.assemble(analysis, sf.build(analysis)), simulation=False)
    assert limit.expected.median == pytest.approx(float(rows["optimum"]["limit"]), rel=1e-5)
    # The partition belongs to the axes of the grid.
    grid = json.loads((folder / "report/binnings.json").read_text())["grid"]
    axes = ",\n".join(
        json.dumps(axis).replace('": ', '" = ').replace('"observable"', "observable") for axis in grid[0]["axes"]
    )
    axes = axes.replace('"edges"', "edges")
    parted = head + f'axes = [\n{axes}\n]\npartition = "bins.csv"' + rest.partition("]\n")[2].join(["\n", ""])
    (place / "parted.toml").write_text(parted)
    analysis = sf.load(place / "parted.toml")
    limit = sf.limit(sf.assemble(analysis, sf.build(analysis)), simulation=False)
    assert limit.expected.median == pytest.approx(float(rows["best partition"]["limit"]), rel=1e-5)


def test_the_saved_grid_needs_no_ntuples(folder, tmp_path, capsys):
    for name in ("samples.toml", "numu.dat", "fit.toml"):
        shutil.copy(folder / name, tmp_path)
    words = ["binning", str(tmp_path / "fit.toml"), "--templates", str(folder / "grid.npz")]
    outputs = ["--csv", str(tmp_path / "b.csv"), "--figure", str(tmp_path / "b.png")]
    ends([*words, "--json", "--edges", EDGES, *outputs], 0)
    said = capsys.readouterr()
    found = json.loads(said.out)
    before = json.loads((folder / "report/binnings.json").read_text())
    assert [row["guarded_limit"] for row in found["binnings"][:4]] == pytest.approx(
        [row["guarded_limit"] for row in before["binnings"][:4]], rel=1e-9
    )
    assert "filled from the ntuples" not in said.err
    assert (tmp_path / "b.csv").read_text().startswith("binning,bins,limit")
    # Edges that the grid does not have are another matter.
    ends([*words, "--edges", "t_reco=0.2,0.77,4"], 2)
    assert "no edge at 0.77 in the fine grid; the nearest is 0.8" in capsys.readouterr().err
    for option in (["--fine", "2"], ["--range", "t_reco=0.1:4"]):
        ends([*words, *option], 2)
        assert "a grid already" in capsys.readouterr().err


def test_mistakes_are_told_before_the_work(folder, capsys):
    words = ["binning", str(folder / "fit.toml")]
    for options, message in (
        (["-o", "x.toml"], "add --optimise"),
        (["--edges", "t_rec=0.2,1"], "no axis 't_rec'; did you mean"),
        (["--edges", "t_reco=0.2"], "two or more numbers that increase"),
        (["--edges", "t_reco=0.2,one"], "'one' is no finite number"),
        (["--edges", "0.2,1"], "needs OBSERVABLE=..."),
        (["--round-to", "t_reco=0"], "needs a positive number"),
        (["--range", "t_reco=0.1"], "needs OBSERVABLE=LOW:HIGH"),
        (["--range", "t_reco=0.3:9"], "needs to hold the analysis' own, 0.2 to 4"),
        (["--figure", "x.pngg"], "did you mean 'png'"),
        (["--save", "x.zip"], "templates are kept as .npz"),
        (["--optimise", "-o", str(folder / "fit.toml")], "fit.toml"),
    ):
        ends([*words, *options], 2)
        assert message in capsys.readouterr().err
