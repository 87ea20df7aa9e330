import numpy as np
import pytest
from scipy.special import gammaincc, gammainccinv
from scipy.stats import norm

from spectrafit.errors import DataError
from spectrafit.inference.intervals.bayes import credible, posterior_limit
from spectrafit.inference.intervals.limits import upper_limit
from spectrafit.inference.intervals.posterior import Density
from spectrafit.inference.intervals.scan import Scan
from tests.inference.models import counting


def exact(n, b, level):
    """Return the upper limit of a signal over a known background with a flat prior: a Gamma quantile."""
    return gammainccinv(n + 1.0, (1.0 - level) * gammaincc(n + 1.0, b)) - b


@pytest.mark.parametrize("b", [1e-3, 1.0, 3.0, 500.0])
@pytest.mark.parametrize("n", [0, 1, 3, 10, 100, 150, 200, 300, 1000, 10_000])
def test_limits_are_gamma_quantiles(n, b):
    scan = Scan(counting(float(n), b, 0.0), 0.0)
    for level in (0.6, 0.9, 0.95, 0.999, 1.0 - 1e-6, 1.0 - 1e-13):
        found = credible(scan, level, root=False, draws=64, seed=1, expected=False)
        assert found.kappa == pytest.approx(exact(n, b, level), rel=3e-6, abs=3e-6)
        assert abs(found.kappa - exact(n, b, level)) < max(5.0 * found.error, 3e-6 * found.kappa, 3e-6)
        assert posterior_limit(scan, level, root=False) == pytest.approx(found.kappa, rel=1e-9)


@pytest.mark.parametrize(("n", "b"), [(0, 1.0), (3, 1.0), (150, 1.0), (2000, 1.0), (25, 23.78)])
def test_a_prior_flat_in_the_root(n, b):
    mu = np.linspace(0.0, np.sqrt(3.0 * n + 60.0), 400_001)
    log = n * np.log(b + mu**2) - mu**2
    area = np.cumsum(np.exp(log - log.max()))
    expected = mu[np.searchsorted(area, 0.9 * area[-1])] ** 2
    found = credible(Scan(counting(float(n), b, 0.0), 0.0), 0.9, root=True, draws=64, seed=1, expected=False)
    assert found.kappa == pytest.approx(expected, rel=1e-4)


def test_expected_limits_do_not_depend_on_a_strong_excess():
    strong = upper_limit(counting(400.0, 10.0, 0.1), method="bayes", toys=256)
    assert strong.kappa == pytest.approx(exact(400, 10.0, 0.9), abs=1.5)
    assert strong.kappa_error < 0.05 * strong.kappa
    # Toys of kappa = 0 are where the data of an experiment without signal are, the nuisance where the data pulled it.
    low2, low1, median, high1, high2 = strong.expected.kappas
    assert 2.0 < low2 < low1 < median < high1 < high2 < 40.0


def test_a_density_that_is_narrow_somewhere():
    # Two normals, one of them much narrower than the range.
    def logarithm(x):
        return np.array([np.logaddexp(norm.logpdf(x, 2.0, 0.2), norm.logpdf(x, 6.0, 1.0))])

    found = Density(logarithm, 0.0, 15.0, tail=0.1)
    for level in (0.1, 0.25, 0.5, 0.75, 0.9, 0.999):
        x = found.quantiles(level)[0]
        below = 0.5 * (norm.cdf(x, 2.0, 0.2) + norm.cdf(x, 6.0, 1.0))
        assert below == pytest.approx(level, abs=max(1e-5, 2.0 * found.residual))
    x = np.linspace(4.0, 9.0, 11)
    np.testing.assert_allclose(found.value(x)[:, 0], 0.5 * norm.pdf(x, 6.0, 1.0), rtol=1e-3)


def test_a_density_that_is_not_a_number_is_refused():
    with pytest.raises(DataError, match="not a number"):
        Density(lambda x: np.array([np.nan]), 0.0, 1.0, tail=0.1)
