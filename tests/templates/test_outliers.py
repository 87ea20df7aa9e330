"""One weight that outweighs a bin is told with its bin and entry; ordinary weights are not."""

from pathlib import Path

import numpy as np
import pytest
import uproot

from spectrafit.config import load
from spectrafit.events.schema import DropReport
from spectrafit.templates.build import build
from spectrafit.templates.outliers import outweighed
from spectrafit.templates.plan import survey

SAMPLES = '[[samples]]\nname = "nc"\nrole = "background"\nfiles = "nc.root"\npot = 1e20\n'
FIT = """
samples = "set.toml"
pot = 1e20
[[regions]]
name = "nd"
axes = [{ observable = "t_reco", edges = [0.0, 1.0, 2.0, 3.0] }]
"""


def notes(folder: Path, weight: np.ndarray, t_reco: np.ndarray) -> list[str]:
    with uproot.recreate(folder / "nc.root") as file:
        file.mktree("events", {"weight": "float64", "t_reco": "float64", "theta_reco": "float64"})
        file["events"].extend({"weight": weight, "t_reco": t_reco, "theta_reco": np.full(weight.size, 0.01)})
    (folder / "set.toml").write_text(SAMPLES)
    (folder / "fit.toml").write_text(FIT)
    analysis = load(folder / "fit.toml")
    templates = build(analysis)
    (inventory,), (source,), cells = templates.inventories, survey(analysis), templates.cells
    report = DropReport.from_plain(inventory["dropped"])
    found = outweighed(cells.samples[0], source.plan, report, cells.regions, cells.layout)
    assert [note for note in inventory["notes"] if "sum of squares" in note] == found
    return inventory["notes"]


@pytest.fixture
def events():
    rng = np.random.default_rng(3)
    return rng.uniform(0.5, 1.5, 20_000), np.repeat([0.5, 1.5, 2.5], [19_900, 60, 40])


def test_ordinary_weights_say_nothing(tmp_path, events):
    assert not [note for note in notes(tmp_path, *events) if "sum of squares" in note]


def test_the_bin_of_an_outlier_is_named(tmp_path, events):
    weight, t_reco = events
    # Not enough to outweigh the sample of 20 000, but its own bin of 40.
    weight[-1] = 110.0
    (note,) = [note for note in notes(tmp_path, weight, t_reco) if "sum of squares" in note]
    assert "one of 40 events" in note
    assert "bin 2 of region 'nd'" in note
    assert "entry 19999, 110" in note


def test_few_entries_say_nothing(tmp_path, events):
    weight, _ = events
    weight[-1] = 110.0
    t_reco = np.repeat([0.5, 1.5, 2.5], [19_900, 95, 5])
    assert not [note for note in notes(tmp_path, weight, t_reco) if "sum of squares" in note]
