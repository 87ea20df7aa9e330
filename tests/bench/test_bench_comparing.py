"""Answers beside those of others: published intervals, and minima of other fitters."""

import json

import pytest

from spectrafit.bench.comparing import FELDMAN_COUSINS, counting, peers
from spectrafit.bench.workspaces import make
from spectrafit.inference.intervals.limits import upper_limit


@pytest.mark.parametrize(("case", "upper"), list(FELDMAN_COUSINS.items()))
def test_intervals_are_those_of_the_published_table(case, upper):
    limit = upper_limit(counting(*case), level=0.90, method="feldman-cousins", expected=False)
    # The table was made on a grid of mu in steps of 0.005, and its ends are rounded to 0.01.
    assert limit.kappa == pytest.approx(upper, abs=0.011)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_workspaces_of_a_folder_are_compared(tmp_path, monkeypatch):
    pytest.importorskip("pyhf")
    monkeypatch.setattr("spectrafit.bench.comparing._MADE", ())
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "mine.json").write_text(json.dumps(make(3, 1)))
    rows = peers(workspaces=[tmp_path], quick=True)
    (row,) = [row for row in rows if row["case"] == "mine.json" and row["peer"] == "pyhf"]
    assert abs(row["theirs"]) < 1e-2
    assert [row["peer"] for row in rows].count("Feldman and Cousins 1998") == 2
