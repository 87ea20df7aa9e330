import dataclasses
import math

import pytest
from scipy.stats import norm, poisson

from spectrafit.inference.intervals.limits import upper_limit
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.standing import Standing
from tests.inference.models import counting, spectrum


@pytest.mark.parametrize("n", [450.0, 405.0, 400.0])
def test_an_excess_has_the_significance_of_the_textbook(n):
    # One bin without nuisances: q0 = 2 (n ln(n/b) - (n - b)), Cowan et al., equation 97.
    found = upper_limit(counting(n, 400.0, 0.0), expected=False).standing
    root = math.sqrt(2 * (n * math.log(n / 400.0) - (n - 400.0)))
    assert found.significance == pytest.approx(root, abs=1e-6)
    assert found.p_value == pytest.approx(norm.sf(root), rel=1e-5)
    # Poisson's own tail, of half of P(n) as of a continuous variable.
    exact = poisson.sf(n, 400.0) + 0.5 * poisson.pmf(n, 400.0)
    assert found.p_value == pytest.approx(exact, rel=0.05)
    assert (found.interval is not None) == (norm.sf(root) < 0.1)


def test_the_interval_of_an_excess_is_the_two_sided_limit():
    model = counting(450.0, 400.0, 0.05)
    one, two = upper_limit(model, expected=False), upper_limit(model, sides="two", expected=False)
    assert one.standing.interval == pytest.approx((two.lower_kappa, two.kappa))
    assert one.standing.interval == one.standing.reported
    assert one.summary()["standing"]["interval"] == one.standing.interval
    assert "two-sided 90 % interval of kappa" in str(one)
    assert one.beside == {}


def test_a_deficit_is_counted_in_errors_of_the_expectation():
    # chi-square with one bin: best kappa is n - b, of error sqrt(b).
    found = upper_limit(counting(400.0, 400.0, 0.0, statistic="gaussian"), data=[350.0], expected=False).standing
    assert found.significance == pytest.approx(-2.5, abs=1e-3)
    assert found.lower_tail == pytest.approx(norm.cdf(-2.5), rel=0.02)
    assert "2.50 sigma below kappa = 0; without a signal 0.62 % of experiments" in str(found)


@pytest.mark.parametrize("options", [{"sides": "two"}, {"method": "cls"}, {"method": "bayes"}])
def test_a_deficit_below_one_percent_is_told_beside_a_limit_of_any_method(options):
    def limit(deficit):
        model = counting(400.0, 400.0, 0.0, statistic="gaussian")
        return upper_limit(model, data=[400.0 - 20.0 * deficit], expected=False, **options)

    rare, common = limit(2.4), limit(2.2)
    assert norm.cdf(-2.4) < 0.01 < norm.cdf(-2.2)
    assert common.beside == {}
    assert not any("fluctuate low" in note for note in common.notes)
    assert "2.4 errors below the boundary" in rare.notes[0]
    assert "(told below 1 %)" in rare.notes[0]
    # A method is not its own remedy: the two-sided limit is Feldman and Cousins' without toys.
    own = {"cls": "cls", "bayes": ""}.get(options.get("method", ""), "feldman-cousins")
    assert set(rare.beside) == {"cls", "feldman-cousins"} - {own}
    # CLs of a normal estimator 2.4 errors below: p(kappa) / p(0) = 0.1.
    if "cls" in rare.beside:
        kappa = rare.beside["cls"] / 20.0
        assert norm.sf(kappa + 2.4) / norm.sf(2.4) == pytest.approx(0.1, rel=1e-3)


def test_a_limit_below_its_own_band_is_told():
    limit = upper_limit(counting(14.0, 23.78, 0.05), method="bayes")
    assert limit.kappa < limit.expected.kappas[0]
    assert limit.standing.significance > -2.33
    assert "97.7 % of such limits are above" in limit.notes[0]
    assert set(limit.beside) == {"cls", "feldman-cousins"}


def test_asimov_data_and_small_fluctuations_are_told_nothing():
    limit = upper_limit(counting(23.78, 23.78, 0.05), expected=False)
    assert limit.standing.significance == pytest.approx(0.0, abs=1e-3)
    assert limit.standing.interval is None
    assert limit.notes == ()


def test_without_a_boundary_the_probability_is_two_sided():
    model = spectrum(bins=4, shapes=0, mc=0.0, scale=0.15, signal=60.0)
    model = dataclasses.replace(model, couplings={model.poi: "charge_radius"})
    mean = Likelihood(model).predict().mean
    for factor in (1.3, 0.7):
        found = upper_limit(model, data=factor * mean, sides="two", expected=False).standing
        assert math.copysign(1.0, found.significance) == math.copysign(1.0, factor - 1.0)
        assert found.p_value == pytest.approx(2 * norm.sf(abs(found.significance)), rel=1e-9)
        assert (found.interval is not None) == (found.p_value < 0.1)
        # An interval without a boundary ends where the signed root is 1.645.
        if found.interval is not None:
            assert not found.interval[0] <= 0.0 <= found.interval[1]
    assert Standing(
        null=0.0, significance=-2.0, p_value=0.05, interval=None, reported=None, level=0.9
    ).lower_tail == pytest.approx(norm.cdf(-2.0))
