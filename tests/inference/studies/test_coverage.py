import numpy as np
import pytest
from scipy.stats import beta

from spectrafit.errors import ConfigError
from spectrafit.inference.studies.coverage import coverage
from spectrafit.inference.toys.options import ToyOptions
from tests.inference.models import counting, spectrum


def test_intervals_cover():
    model = spectrum(bins=6, shapes=1, mc=0.02, scale=3.0)
    found = coverage(
        model, [0.0, 0.4, 1.5], methods=["profile", "feldman-cousins", "cls"], experiments=300, toys=99, sides="two"
    )
    assert found.methods == ("profile (two)", "feldman-cousins (two)", "cls (one)")
    assert found.failed == 0
    # 300 experiments: one standard deviation is 1.7 %.
    np.testing.assert_allclose(found.fraction[:, 1], 0.90, atol=0.055)
    np.testing.assert_allclose(found.fraction[:, 0], 0.90, atol=0.055)
    assert np.all(found.fraction[:, 2] > 0.88)
    assert found.fraction[0, 2] > 0.95


def test_a_bayesian_limit_flat_in_kappa_covers_at_least():
    # Flat in the signal of a Poisson count with known background: coverage above the credibility (a known property).
    found = coverage(counting(5.0, 3.0, 0.0), [0.5, 3.0], methods=["bayes"], experiments=200)
    assert np.all(found.fraction > 0.87)


def test_counting_coverage_is_the_sum_of_poisson_probabilities():
    from scipy.stats import poisson

    from spectrafit.inference.intervals.limits import upper_limit

    kappa, b = 4.0, 3.0
    n = np.arange(0, 30)
    limits = np.array([upper_limit(counting(float(k), b, 0.0), method="cls", expected=False).kappa for k in n])
    expected = poisson.pmf(n, kappa + b)[limits >= kappa].sum()
    found = coverage(counting(b, b, 0.0), [kappa], methods=["cls"], experiments=1000)
    assert found.fraction[0, 0] == pytest.approx(expected, abs=0.03)


def test_the_same_for_any_workers_and_thrown_nuisances():
    model = spectrum(bins=4, shapes=1)
    options = {"methods": ["profile"], "experiments": 60, "truth": "thrown"}
    serial = coverage(model, [1.0], **options)
    threads = coverage(model, [1.0], **options, toys=ToyOptions(toys=199, executor="threads", workers=2))
    assert np.array_equal(serial.accepted, threads.accepted)
    shifted = coverage(model, [1.0], **{**options, "truth": {"norm": 2.0}})
    assert "norm" in shifted.truth
    assert "thrown" in serial.truth


def test_bands_are_clopper_and_pearsons():
    found = coverage(counting(), [0.0, 5.0], methods=["profile"], experiments=50)
    low, high = found.band
    for k, n, lo, hi in zip(found.accepted.ravel(), found.experiments.ravel(), low.ravel(), high.ravel(), strict=True):
        assert lo == pytest.approx(beta.ppf(0.1587, k, n - k + 1) if k else 0.0)
        assert hi == pytest.approx(beta.ppf(0.8413, k + 1, n - k) if k < n else 1.0)
    assert "coverage of 90 % intervals" in str(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["profiles"]}, "no method 'profiles'.*did you mean 'profile'"),
        ({"toys": 200}, "needs .1 - level. .toys . 1. to be whole"),
        ({"truth": {"x": 1.0}}, "no parameter 'x'"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(ConfigError, match=message):
        coverage(counting(), **options)
