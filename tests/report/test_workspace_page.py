"""The folder of a fitted workspace: its page, its numbers and its figures."""

import json

import numpy as np
import pytest

from spectrafit.bench.workspaces import make
from spectrafit.cli import main
from spectrafit.interop.bounded import fit_within
from spectrafit.interop.pyhf import read_workspace
from spectrafit.report.figures.channels import channel, factors, profile, ranking, shapes
from spectrafit.report.workspace_page import write_workspace_result


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (folder / "w.json").write_text(json.dumps(make(6, 2)))
    with pytest.raises(SystemExit) as left:
        main(["fit", str(folder / "w.json"), "-o", str(folder / "result")])
    assert not left.value.code
    return folder


def test_numbers_of_the_folder_are_those_of_the_fit(written):
    found = json.loads((written / "result" / "result.json").read_text())
    model = read_workspace(written / "w.json", profiled=False)
    best = fit_within(model).best
    assert found["best_fit"]["value"] == pytest.approx(best.value("mu"), abs=1e-6)
    assert found["fit"]["valid"] is True
    # Factors of bins have errors and impacts as other nuisances have.
    rows = {row["name"]: row for row in found["nuisances"]}
    gamma = rows["staterror_spectrum[2]"]
    assert gamma["error"] == pytest.approx(best.error("staterror_spectrum[2]"), rel=1e-4)
    assert gamma["impact_up"] != 0.0
    (channel_,) = found["channels"]
    assert channel_["data"] == make(6, 2)["observations"][0]["data"]
    assert channel_["before"] == pytest.approx(
        np.sum([s["data"] for s in make(6, 2)["channels"][0]["samples"]], axis=0)
    )
    # A fit of counts with free and nearly free rates gives about as many events as were seen.
    after = np.sum(list(channel_["samples"].values()))
    assert after == pytest.approx(sum(channel_["data"]), rel=0.03)


def test_the_page_has_figures_of_channels_factors_shapes_and_impacts(written):
    text = (written / "result" / "index.html").read_text()
    assert "staterror_spectrum[2]" in text
    names = {path.stem for path in (written / "result" / "figures").iterdir()}
    assert names == {"channel_spectrum", "profile", "ranking", "factors", "shape_shape0", "shape_shape1"}
    for verb in (channel, factors, profile, ranking, shapes, write_workspace_result):
        assert verb.__doc__


def test_without_figures_there_are_none_and_inputs_stay(written):
    with pytest.raises(SystemExit) as left:
        main(["fit", str(written / "w.json"), "-o", str(written / "bare"), "--no-figures", "--json"])
    assert not left.value.code
    assert not (written / "bare" / "figures").exists()
    assert json.loads((written / "w.json").read_text()) == make(6, 2)
