"""The pieces of the enumeration of counts, each against numpy and scipy; the intervals are in test_one_bin.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, poisson

from spectrafit.inference.intervals.one_bin import PROBABILITIES, SIGMAS, enumerated, last_crossings, possible, sequence
from spectrafit.inference.intervals.scan import Scan
from tests.inference.models import counting, spectrum


def test_the_quantiles_are_those_of_a_normal():
    np.testing.assert_allclose(PROBABILITIES, norm.cdf(SIGMAS), rtol=1e-14)


@pytest.mark.parametrize("dimensions", [1, 3, 8])
def test_the_sequence_averages_like_normals(dimensions):
    points = sequence(4096, dimensions)
    assert points.shape == (4096, dimensions)
    np.testing.assert_allclose(points.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose(np.cov(points.T), np.eye(dimensions), atol=0.06)


@given(st.floats(0.5, 9.0), st.floats(0.02, 0.4))
def test_a_normal_tail_is_crossed_where_its_inverse_says(centre, alpha):
    grid = np.linspace(0.0, 20.0, 81)
    p = norm.sf(grid, loc=centre)[None]
    found = last_crossings(grid, p, alpha)[0]
    assert found == pytest.approx(norm.isf(alpha, loc=centre), abs=1e-6)


def test_one_bin_without_random_nuisances_can_be_enumerated():
    assert possible(counting(sigma=0.0), "profiled", mc=True)
    assert possible(counting(), "prior", mc=True)
    assert not possible(counting(), "profiled", mc=True)
    assert not possible(spectrum(bins=3), "prior", mc=True)


def test_cls_of_a_count_is_a_ratio_of_poisson_tails():
    n, b = 7, 4.0
    scan = Scan(counting(float(n), b, 0.0), 0.0)
    found = enumerated(scan, 0.9, "profiled", 20.0, mc=False, cls=True, expected=False)
    ratio = poisson.cdf(n, b + found.kappa) / poisson.cdf(n, b)
    assert ratio == pytest.approx(0.1, abs=2e-4)
