"""Rows against the nouns they were made from; the terminal's rendering read back as text."""

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from spectrafit.inference.fitting.impacts import impacts
from spectrafit.inference.results import Impact, Ledger
from spectrafit.report import tables
from spectrafit.report.expectation import expectation


def printed(table: tables.Table) -> str:
    stream = io.StringIO()
    Console(file=stream, width=200).print(table)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.23456, None, "1.235"),
        (0.12345, 0.0321, "0.123 ± 0.032"),
        (745.2, 48.7, "745 ± 49"),
        (12.0, 0.0, "12"),
        (float("nan"), 1.0, "nan"),
        (1.5e-12, 2e-13, "1.5e-12 ± 2e-13"),
    ],
)
def test_quantity_shows_two_digits_of_the_error(value, error, text):
    assert tables.quantity(value, error) == text


def test_result_says_what_the_limit_means(case):
    rows = dict(tables.result_table(case.best, case.limit).rows)
    assert rows["limit"] == "7.457e-10 mu_B at 90 % CL"
    assert rows["statistic"] == case.limit.statistic
    assert rows["boundary"] == case.limit.boundary
    assert rows["best fit kappa"] == "0.00 ± 0.42 (1e-9 mu_B)²"
    assert rows["expected at kappa = 0"].startswith("7.46e-10 mu_B")
    assert rows["fit"].startswith("valid")


def test_result_of_a_bad_fit_and_of_toys(case):
    best = dataclasses.replace(case.best, valid=False, message="EDM 3 above 0.002; start elsewhere")
    limit = dataclasses.replace(case.limit, ledger=Ledger(fits=10, failed=1), notes=("two intervals",), error=2e-12)
    rows = dict(tables.result_table(best, limit).rows)
    assert rows["fit"].startswith("NOT VALID: EDM 3 above 0.002; start elsewhere")
    assert rows["note"] == "two intervals"
    assert "1 failed" in rows["toys"]
    assert "± 2e-12" in rows["limit"]


def test_a_limit_says_how_far_another_simulation_would_move_it(case):
    limit = dataclasses.replace(case.limit, error=2e-12, simulation_error=3e-11)
    rows = dict(tables.result_table(case.best, limit).rows)
    assert rows["limit"] == "7.457e-10 ± 2e-12 ± 3e-11 (simulation) mu_B at 90 % CL"


def test_limits_stand_side_by_side_with_their_errors(case):
    interval = dataclasses.replace(
        case.limit, method="feldman-cousins", sides="two", lower_kappa=0.1, error=1.2e-11, expected=None
    )
    table = tables.limits_table([case.limit, interval])
    assert table.title == "Limits in 1e-10 mu_B"
    assert table.rows[0] == ("profile", "one", "90 %", "0.556", "7.457", "7.46", "5.60 to 9.10")
    assert table.rows[1] == ("feldman-cousins", "two", "90 %", "0.1 to 0.556", "7.457 ± 0.120", "", "")


def test_kappa_of_limits_is_in_the_unit_that_its_error_asks_for(case):
    small = dataclasses.replace(case.limit, kappa=0.00189, best_error=0.0012)
    table = tables.limits_table([small], "magnetic_moment")
    assert table.title.endswith(", kappa in (1e-11 mu_B)²")
    assert table.rows[0][3] == "18.9"
    assert tables.limits_table([case.limit], "magnetic_moment").title.endswith(", kappa in (1e-9 mu_B)²")


def test_beside_an_empty_interval_the_expectation_keeps_its_digits(case):
    table = tables.limits_table([dataclasses.replace(case.limit, value=0.0, kappa=0.0, empty=True)])
    assert table.title == "Limits in 1e-10 mu_B"
    assert table.rows[0] == ("profile", "one", "90 %", "0", "empty", "7.46", "5.60 to 9.10")


def test_nuisances_have_every_parameter_but_kappa_and_their_impacts(case):
    moves = impacts(case.model, case.best)
    rows = tables.nuisance_rows(case.model, case.best, moves)
    assert [row["name"] for row in rows] == list(case.model.names[1:])
    by_name = {impact.name: impact for impact in moves}
    for row in rows:
        assert row["impact_up"] == by_name[row["name"]].up
        assert row["pull"] == 0.0
    names = [row[0] for row in tables.nuisance_table(case.model, case.best, moves).rows]
    assert names == [impact.name for impact in moves if not impact.group]


def test_budget_ends_with_the_whole(case):
    moves = (Impact(name="flux", size=0.3), Impact(name="beam", size=0.21, group=True))
    table = tables.budget_table(case.best, moves)
    assert table.rows == (("beam", "0.21", "50 %"), ("all", "0.42", "100 %"))


def test_yields_add_up(case):
    expected = expectation(case.model, case.best, kappa=case.limit.kappa)
    table = tables.yields_table(expected, case.model, "at the limit")
    rows = dict(table.rows)
    assert [float(rows[name]) for name in ("nu_mu e elastic", "nu_e e elastic", "nu_e CC", "NC pi0")] == [
        420,
        55,
        160,
        110,
    ]
    assert float(rows["Standard Model"]) == pytest.approx(745.0)
    assert float(rows["at the limit"]) == pytest.approx(54 * case.limit.kappa, abs=0.05)
    simulation = np.sqrt(case.templates.squares[:, 0].sum())
    assert rows["  statistics of the simulation"] == f"± {simulation:.1f}"
    assert "data" not in rows


def test_data_are_shown_only_when_they_were_fitted(case):
    model = case.model.with_data(np.full(case.model.n_bins, 7.0))
    expected = expectation(model, case.best, kappa=0.1)
    assert dict(tables.yields_table(expected, model, "x").rows)["data"] == "770"


def test_sources_count_what_was_left_out(case):
    table = tables.sources_table(case.templates)
    assert table.rows[0] == ("numu_e", "1", "10000", "900", "98", "2", "3", "3.62e+21", "0.1", "0")
    stand_in = dict(case.templates.inventories[0]) | {"sample": "numu_up", "stands_for": "numu_e", "pot": None}
    shifted = dataclasses.replace(case.templates, inventories=(stand_in,))
    assert tables.sources_table(shifted).rows[0][0] == "numu_up (for numu_e)"


def test_the_terminal_shows_brackets_and_every_row(case):
    table = tables.Table(title="a [bold] title", columns=("name", ">n"), rows=(("x[0]", "1"), ("y", "20")), rules=(1,))
    text = printed(table)
    assert "a [bold]" in text
    assert "x[0]" in text
    assert "20" in text
    assert "7.457e-10 mu_B" in printed(tables.result_table(case.best, case.limit))
