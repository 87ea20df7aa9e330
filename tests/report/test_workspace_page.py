"""The folder of a fitted workspace: its page, its numbers and its figures."""

import json

import jsonschema
import numpy as np
import pytest

from spectrafit.bench.workspaces import make
from spectrafit.cli import main
from spectrafit.config import LimitOptions
from spectrafit.errors import ConfigError
from spectrafit.interop.bounded import fit_within
from spectrafit.interop.pyhf import read_workspace
from spectrafit.report.comparing import compare
from spectrafit.report.figures import channels
from spectrafit.report.layout import result_schema
from spectrafit.report.saved_results import read_result
from spectrafit.report.status import status
from spectrafit.report.workspace_figures import interest_of
from spectrafit.report.workspace_page import write_workspace_result
from spectrafit.report.workspace_record import Source
from spectrafit.report.yields import bin_rows, yield_rows

EDGES = [0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0]


def run(*words):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return left.value.code or 0


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    spec = make(6, 2)
    setting = {"name": "spectrum.axis[0] T [GeV]", "inits": EDGES}
    spec["measurements"][0]["config"]["parameters"].append(setting)
    (folder / "w.json").write_text(json.dumps(spec))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert run("fit", "w.json") == 0
    return folder


@pytest.fixture(scope="module")
def found(written):
    return read_result(written / "results" / "w")


def test_a_fit_writes_to_a_folder_of_its_name_in_the_layout_of_every_result(found):
    jsonschema.validate(found, result_schema())
    assert found["coupling"]["parameter"] == "mu"
    assert found["limit"]["parameter"] == "mu"


def test_numbers_of_the_folder_are_those_of_the_fit(written, found):
    model = read_workspace(written / "w.json", profiled=False)
    best = fit_within(model).best
    assert found["best_fit"]["kappa"] == pytest.approx(best.value("mu"), abs=1e-5)
    assert found["fit"]["valid"] is True
    # Factors of bins have errors and impacts as other nuisances have.
    rows = {row["name"]: row for row in found["nuisances"]}
    gamma = rows["staterror_spectrum[2]"]
    assert gamma["error"] == pytest.approx(best.error("staterror_spectrum[2]"), rel=1e-3)
    assert gamma["impact_up"] != 0.0


def test_channels_have_their_events_before_and_after_the_fit(found):
    (channel,) = found["regions"]
    spec = make(6, 2)
    assert channel["data"] == spec["observations"][0]["data"]
    samples = spec["channels"][0]["samples"]
    assert channel["before"][-1]["events"] == pytest.approx(np.sum([s["data"] for s in samples], axis=0))
    # A fit of counts with free and nearly free rates gives about as many events as were seen.
    assert channel["after"][-1]["sum"] == pytest.approx(sum(channel["data"]), rel=0.03)
    # Before the fit a bin's error is that of its staterror and of the shapes, in quadrature: from the templates.
    shapes = [[s["modifiers"][place]["data"] for s in samples] for place in (0, 1)]
    shifts = [sum(np.subtract(one["hi_data"], one["lo_data"]) for one in shape) / 2.0 for shape in shapes]
    noise = sum(np.square(s["modifiers"][2]["data"]) for s in samples)
    # The parameter of interest has no prior, and stays where it is.
    expected = noise + sum(np.square(shift) for shift in shifts)
    assert np.square(channel["before"][-1]["error"]) == pytest.approx(expected, rel=0.05)


def test_the_edges_that_the_workspace_keeps_are_those_of_the_axis(found):
    (axis,) = found["regions"][0]["axes"]
    assert axis["edges"] == EDGES
    assert axis["label"] == "T [GeV]"
    rows = [row for row in bin_rows(found) if row["sample"] == "total"]
    assert [row["T_low"] for row in rows] == EDGES[:-1]


def test_the_page_has_figures_of_channels_factors_shapes_and_impacts(written):
    folder = written / "results" / "w"
    text = (folder / "index.html").read_text()
    assert "staterror_spectrum[2]" in text
    names = {path.stem for path in (folder / "figures").glob("*.png")}
    shapes = {"shape_shape0", "shape_shape1"}
    assert names == {"channel_spectrum", "profile", "nuisances", "correlations", "factors"} | shapes


def test_a_second_run_with_the_same_inputs_keeps_the_figures(written, monkeypatch):
    monkeypatch.chdir(written)
    picture = written / "results" / "w" / "figures" / "channel_spectrum.png"
    before = picture.read_bytes()
    monkeypatch.setattr(channels, "channel", None)
    assert run("fit", "w.json") == 0
    assert picture.read_bytes() == before


def test_status_yields_and_compare_read_the_result(written, found, monkeypatch, capsys):
    monkeypatch.chdir(written)
    (known,) = status(written / "results" / "w")
    assert known["symbol"] == "mu"
    assert known["kind"] == "unblinded"
    assert known["limit"] == found["limit"]["value"]
    assert known["newer"] == known["missing"] == []
    assert {row["sample"] for row in yield_rows(found)} == {"signal", "first", "second", "third", "total", "data"}
    # Fake data go to a folder of their own, and are not written over a result of the observations.
    assert run("fit", "w.json", "--asimov", "mu=2", "--no-figures") == 0
    fake = read_result(written / "results" / "w-fake")
    assert fake["best_fit"]["kappa"] == pytest.approx(2.0, abs=1e-3)
    assert fake["data"]["fake"]["values"] == {"mu": 2.0}
    numbers = dict(compare([written / "results" / "w", written / "results" / "w-fake"]).numbers())
    assert numbers["data"] == ["unblinded", "fake"]
    capsys.readouterr()
    assert run("fit", "w.json", "--toy", 3, "-o", "results/w") == 2
    assert "holds an unblinded result" in capsys.readouterr().err


def test_without_figures_there_are_none_and_inputs_stay(written):
    given = (written / "w.json").read_bytes()
    assert run("fit", written / "w.json", "-o", written / "bare", "--no-figures", "--json") == 0
    assert not list((written / "bare").glob("figures/*"))
    assert (written / "w.json").read_bytes() == given


def test_without_a_parameter_of_interest_there_is_a_fit_and_no_result(tmp_path, monkeypatch, capsys):
    spec = make(4, 1)
    spec["measurements"][0]["config"]["poi"] = ""
    (tmp_path / "w.json").write_text(json.dumps(spec))
    monkeypatch.chdir(tmp_path)
    assert run("fit", "w.json") == 0
    assert "choose one with --interest" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()
    assert run("fit", "w.json", "-o", "there") == 2


def test_a_result_is_of_content_and_choices(tmp_path):
    spec = make(4, 1)
    spec["measurements"].append({"name": "other", "config": spec["measurements"][0]["config"]})
    (tmp_path / "w.json").write_text(json.dumps(spec))
    (tmp_path / "same.json").write_text(json.dumps(spec, indent=2))
    one, same = (Source.of(tmp_path / name, "mu", LimitOptions()) for name in ("w.json", "same.json"))
    assert one.digest == same.digest
    other = Source.of(tmp_path / "w.json", "mu", LimitOptions(), measurement="other")
    stricter = Source.of(tmp_path / "w.json", "mu", LimitOptions(level=0.95))
    assert len({one.digest, other.digest, stricter.digest}) == 3
    assert (one.title, other.title) == ("w.json, bench", "w.json, other")


def test_a_result_is_not_written_over_its_workspace(tmp_path):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(make(4, 1)))
    model = read_workspace(path, profiled=False)
    assert interest_of(model).symbol == "mu"
    assert interest_of(model).reported(2.5) == 2.5
    found = fit_within(model)
    with pytest.raises(ConfigError, match=r"result\.json"):
        write_workspace_result(tmp_path, Source.of(path, "mu", LimitOptions()), model, found, None)
    assert run("fit", path, "-o", tmp_path) == 2
    assert json.loads(path.read_text()) == make(4, 1)
