import dataclasses

import pytest

from spectrafit.inference.standing import Standing
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.headline import beside, headline, scientific
from spectrafit.report.tables import limits_table, result_table

MOMENT = "magnetic_moment"
LOW = Standing(null=0.0, significance=-2.71, p_value=0.9966, interval=None, reported=None, level=0.9)
HIGH = Standing(null=0.0, significance=2.6, p_value=0.0047, interval=(0.3, 1.6), reported=(5.5e-10, 1.26e-9), level=0.9)


def test_a_limit_without_deficit_or_excess_stands_alone(case):
    quiet = Standing(null=0.0, significance=0.4, p_value=0.34, interval=None, reported=None, level=0.9)
    assert beside(case.limit, MOMENT) == []
    assert beside(dataclasses.replace(case.limit, standing=quiet), MOMENT) == []


def test_a_deficit_names_the_limits_to_quote_and_the_expected_one(case):
    limit = dataclasses.replace(case.limit, beside={"cls": 6.1e-10, "feldman-cousins": 4.4e-10}, standing=LOW)
    (said,) = beside(limit, MOMENT)
    assert said == (
        "A deficit made this limit small: the data lie 2.7 sigma below kappa = 0. Quote instead (here without toys) "
        "cls: mu_nu < 6.1e-10 mu_B; feldman-cousins: mu_nu < 4.4e-10 mu_B. Expected without a signal: 7.46e-10 mu_B."
    )
    rows = dict(result_table(case.best, dataclasses.replace(limit, asimov=False)).rows)
    assert rows["  beside it"] == said
    assert rows["data against no signal"] == str(LOW)
    assert limits_table([limit]).rows[0][4].endswith(" !")
    (empty,) = beside(dataclasses.replace(limit, empty=True), MOMENT)
    assert empty.startswith("A deficit made this limit empty")


def test_an_excess_has_its_significance_and_interval(case):
    (said,) = beside(dataclasses.replace(case.limit, standing=HIGH), MOMENT)
    assert said == (
        "Excess of 2.6 sigma above kappa = 0 (p = 0.0047): the two-sided 90 % interval is 5.5e-10 to 1.26e-09 mu_B."
    )


def test_the_headline_is_the_limit_or_the_interval(case):
    coupling = COUPLINGS[MOMENT]
    assert headline(coupling, case.limit) == ("<i>μ</i><sub>ν</sub> &lt; 7.46 × 10<sup>−10</sup> <i>μ</i><sub>B</sub>")
    two = dataclasses.replace(case.limit, lower_kappa=0.25, sides="two")
    assert headline(coupling, two, "mu_e").startswith("5.00 × 10<sup>−10</sup> &lt; <i>μ</i><sub>ν</sub> (mu_e) &lt; ")
    assert "empty interval" in headline(coupling, dataclasses.replace(case.limit, empty=True, value=0.0))


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.5, "0.5"), (1.26e-9, "1.26 × 10<sup>−9</sup>"), (float("nan"), "nan")]
)
def test_numbers_of_a_headline(value, text):
    assert scientific(value) == text
