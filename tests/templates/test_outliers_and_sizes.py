"""Bins in which one event outweighs all others, against weights whose right answer is known."""

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

import spectrafit as sf
from spectrafit.errors import ConfigError, DataError
from spectrafit.templates import effects
from spectrafit.templates.effects import refuse_large
from spectrafit.templates.plan import survey
from tests.events.ntuples import native

SET = """
[[samples]]
name = "sig"
role = "signal"
files = "sig.root"
pot = 1e20
"""
FIT = """
samples = "set.toml"
pot = 1e20
[[regions]]
name = "nd"
axes = [{ observable = "mine", edges = [0.0, 1.0, 2.0] }]
[[systematics]]
kind = "weight"
name = "knob"
weights = ["down", "up"]
"""


UNIVERSES = """
[[systematics]]
kind = "universes"
name = "ppfx"
branch = "univ"
[[systematics]]
kind = "universes"
name = "genie"
branches = ["up", "down"]
"""


def notes(folder: Path, **changed: np.ndarray) -> list[str]:
    count = 1000
    columns = native(count, seed=1)
    columns |= {"mine": np.where(np.arange(count) < 30, 0.5, 1.5), "weight": np.full(count, 100.0)}
    # Thirty light events have the first bin for themselves, so that no event outweighs the whole sample.
    columns["weight"][:30] = 0.01
    columns |= {"up": np.full(count, 1.1), "down": np.full(count, 0.9)}
    for name, values in changed.items():
        columns[name][: len(values)] = values
    with uproot.recreate(folder / "sig.root") as file:
        file["events"] = columns
    (folder / "set.toml").write_text(SET)
    (folder / "fit.toml").write_text(FIT)
    return list(sf.build(sf.load(folder / "fit.toml")).inventories[0]["notes"])


def test_weights_of_one_size_are_not_told(tmp_path: Path) -> None:
    assert notes(tmp_path) == []


def test_an_event_that_outweighs_its_bin_alone_is_told_with_the_bin(tmp_path: Path) -> None:
    (said,) = notes(tmp_path, weight=np.array([5.0]))
    assert "'weight' in bin 0 of region 'nd'" in said


def test_a_changed_weight_that_outweighs_its_bin_names_its_entry(tmp_path: Path) -> None:
    (said,) = notes(tmp_path, up=np.array([1.1, 15.0]))
    assert "'up' in bin 0 of region 'nd'" in said
    assert "sig.root:events entry 1, 15" in said


def test_sums_of_too_many_universes_are_refused_before_they_are_made() -> None:
    refuse_large((200, 2, 20_000), "here")
    with pytest.raises(ConfigError, match=r"here: the sums of 10000000 universes .* take 32 GB"):
        refuse_large((200, 2, 10_000_000), "here")


@pytest.mark.parametrize("lists", ["arrays", "lists"])
def test_universes_are_counted_before_events_are_read(
    lists: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes(tmp_path)
    univ = np.ones((1000, 5), np.float32)
    with uproot.recreate(tmp_path / "sig.root") as file:
        every = native(1000, seed=1) | {"mine": np.ones(1000), "up": np.ones(1000), "down": np.ones(1000)}
        file["events"] = every | {"univ": univ if lists == "arrays" else ak.from_regular(ak.Array(univ))}
    (tmp_path / "fit.toml").write_text(FIT + UNIVERSES)
    analysis = sf.load(tmp_path / "fit.toml")
    # 4 cells with flow, 2 monomials, 5 + 2 universes.
    survey(analysis)
    monkeypatch.setattr(effects, "_MOST_BYTES", 8 * 4 * 2 * 7 - 1)
    with pytest.raises(ConfigError, match=r"'genie'.*: the sums of 7 universes in 4 cells"):
        survey(analysis)
    monkeypatch.setattr(effects, "_MOST_BYTES", 8 * 4 * 2 * 5 - 1)
    with pytest.raises(ConfigError, match=r"'ppfx'.*: the sums of 5 universes in 4 cells"):
        survey(analysis)


def test_background_among_the_signal_that_an_axis_cannot_place_is_refused(tmp_path: Path) -> None:
    notes(tmp_path)
    columns = native(1000, seed=1) | {"mine": np.ones(1000), "up": np.ones(1000), "down": np.ones(1000)}
    columns["pdg"][:3], columns["t"][:3] = 0, np.nan
    with uproot.recreate(tmp_path / "sig.root") as file:
        file["events"] = columns
    (tmp_path / "fit.toml").write_text(FIT.replace('"mine"', '"t"'))
    with pytest.raises(DataError, match="t is not a number for 3 of 1000 events of 'sig', and an axis is made of it"):
        sf.build(sf.load(tmp_path / "fit.toml"))
    # NaN passes no cut, so a cut says that they are not wanted.
    (tmp_path / "set.toml").write_text(SET + 'selection = "t > 0"')
    assert sf.build(sf.load(tmp_path / "fit.toml")).entries.sum() < 1000
