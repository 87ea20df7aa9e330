"""Yields of a result: the same numbers as text, rows and LaTeX, in words that LaTeX takes."""

import json

import pytest

from spectrafit.errors import DataError
from spectrafit.inference.fitting.impacts import impacts
from spectrafit.report.binned_layout import RegionContents
from spectrafit.report.record import record
from spectrafit.report.saved_results import read_result
from spectrafit.report.yields import bin_rows, yield_rows, yields_latex, yields_of


@pytest.fixture(scope="module")
def found(case):
    moves = impacts(case.model, case.best)
    return record(case.analysis, case.templates, case.model, case.best, case.limit, case.profile, moves)


def test_rows_add_up(found):
    rows = list(yield_rows(found))
    samples = [row for row in rows if row["sample"] not in ("total", "data")]
    total = next(row for row in rows if row["sample"] == "total")
    for when in ("before", "after"):
        assert sum(row[when] for row in samples) == pytest.approx(total[when])
    assert total["after_error"] > 0
    bins = list(bin_rows(found))
    assert sum(row["before"] for row in bins if row["sample"] == "total") == pytest.approx(total["before"])
    edges = found["regions"][0]["axes"][1]["edges"]
    assert (bins[0]["bin"], bins[0]["t_theta2_reco_low"], bins[0]["t_theta2_reco_high"]) == (0, edges[0], edges[1])
    assert set(found["regions"][0]) == set(RegionContents.__struct_fields__)


def test_the_table_and_latex_have_a_row_for_each(found):
    table = yields_of(found)
    count = len(list(yield_rows(found)))
    assert len(table.rows) == count
    said = yields_latex({**found, "regions": [{**found["regions"][0], "name": r"a_b & 50 % {x} \ ~"}]})
    lines = said.splitlines()
    assert lines[0] == r"\begin{tabular}{llrr}"
    assert lines[-1] == r"\end{tabular}"
    body = [line for line in lines if "&" in line]
    assert len(body) == count + 1
    assert body[1].startswith(r"a\_b \& 50 \% \{x\} \textbackslash{} \textasciitilde{} & ")
    assert all(line.replace(r"\&", "").count("&") == 3 for line in body)
    assert r"\pm" in body[1]


def test_what_is_no_result_is_refused(tmp_path, found):
    with pytest.raises(DataError, match="No such file"):
        read_result(tmp_path)
    (tmp_path / "result.json").write_text("{")
    with pytest.raises(DataError, match="is no JSON"):
        read_result(tmp_path)
    (tmp_path / "result.json").write_text('{"title": "older"}')
    with pytest.raises(DataError, match="found none"):
        read_result(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps(found))
    assert read_result(tmp_path) == found
