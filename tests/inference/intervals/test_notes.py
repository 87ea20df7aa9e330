"""How many events decide about kappa: one over the squared skewness of the best kappa, here against numpy and toys."""

import numpy as np
import pytest

from spectrafit.inference.intervals.notes import ENOUGH, beyond_bound, effective_events, few_events
from spectrafit.inference.intervals.scan import Scan
from tests.inference.models import counting, spectrum


@pytest.mark.parametrize(("b", "kappa"), [(3.0, 0.0), (3.0, 5.0), (200.0, 10.0)])
def test_in_one_bin_it_is_the_expected_count(b, kappa):
    assert effective_events(Scan(counting(b, b, 0.0), 0.0), kappa) == pytest.approx(b + kappa, rel=1e-3)


def test_in_many_bins_it_is_the_skewness_of_a_weighted_sum_of_poisson_counts():
    model = spectrum(bins=6, shapes=0, mc=0.0, scale=0.05)
    scan = Scan(model, 0.0)
    found = effective_events(scan, 1.0)
    held = scan.at(1.0).values
    values = np.array([held, held])
    values[1, scan.index] += 1e-3
    from spectrafit.inference.likelihood import Likelihood

    mean, moved = (Likelihood(model).predict(v).mean for v in values)
    weights = (moved - mean) / 1e-3 / mean
    sums = np.random.default_rng(5).poisson(mean, (400_000, mean.size)) @ weights
    skewness = np.mean((sums - sums.mean()) ** 3) / sums.std() ** 3
    assert found == pytest.approx(1.0 / skewness**2, rel=0.05)


def test_the_note_appears_below_the_threshold_alone():
    few, many = (Scan(counting(n, n, 0.0), 0.0) for n in (ENOUGH - 1, ENOUGH + 1))
    (note,) = few_events(few, 0.0)
    assert "use feldman-cousins, cls-toys or bayes" in note
    assert few_events(many, 0.0) == ()


def test_a_limit_beyond_the_model_s_bound_is_told():
    scan = Scan(counting(), 0.0)
    scan.bound = 10.0
    assert beyond_bound(scan, 9.0) == ()
    assert "beyond the bound of kappa, 10" in beyond_bound(scan, 11.0)[0]
