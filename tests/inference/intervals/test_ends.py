import numpy as np
import pytest
from scipy.stats import norm

from spectrafit.inference.intervals.ends import line, through

TARGET = float(norm.ppf(0.10))


@pytest.mark.parametrize("last", [True, False])
def test_a_plateau_of_p_below_alpha_does_not_move_the_crossing(last):
    # The normal score of p falls by 0.25 per unit of kappa through the target at 7, then stays 0.45 below it: what a
    # second minimum of a coupling that enters both linearly and squared does.
    kappas = np.linspace(-2.0, 25.0, 30)
    score = np.maximum(TARGET - 0.25 * (kappas - 7.0), TARGET - 0.45)
    p = norm.cdf(score)
    edge = int(np.flatnonzero(p > 0.10)[-1])
    if not last:
        kappas, p, edge = -kappas[::-1], p[::-1], len(p) - 1 - edge
    found, error = line(kappas, p, np.full(30, 0.01), TARGET, edge, last=last)
    assert found == pytest.approx(7.0 if last else -7.0, abs=0.2)
    assert error < 1.0


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("end", [4.9, 5.0, 5.17])
def test_the_parabola_is_where_p_of_a_normal_is_alpha(last, end):
    # Two-sided p of a measurement of width 1 is alpha 1.645 away from it.
    z = norm.ppf(0.95)
    measured = end - z if last else end + z
    kappas = np.array([4.8, 5.0, 5.2])
    p = 2.0 * norm.sf(np.abs(kappas - measured))
    found, slopes, steps = through(kappas, p, TARGET, last=last)
    assert found == pytest.approx(end, abs=2e-3)
    assert steps == 0.0
    for j in range(3):
        up, down = (through(kappas, p + sign * 1e-6 * (np.arange(3) == j), TARGET, last=last)[0] for sign in (1, -1))
        assert slopes[j] == pytest.approx((up - down) / 2e-6, rel=1e-3, abs=1e-4)


def test_steps_of_discrete_counts_count_as_an_error():
    kappas = np.array([4.8, 5.0, 5.2])
    # All of the fall in one step.
    found, _, steps = through(kappas, np.array([0.13, 0.128, 0.07]), TARGET, last=True)
    assert 4.8 < found < 5.3
    assert steps > 0.01
    # No fall at all.
    found, slopes, steps = through(kappas, np.array([0.10, 0.09, 0.11]), TARGET, last=True)
    assert (found, steps) == (5.0, np.inf)
    assert not slopes.any()
