import dataclasses

import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.toys.goodness import goodness_from_toys, rethrown, simulation_error
from tests.inference.models import spectrum


def test_goodness_from_toys_is_the_asymptotic_one_where_that_holds():
    model = spectrum(mc=0.0, scale=5.0)
    data = np.random.default_rng(1).poisson(model.data)
    best = fit(model, data=data)
    found = goodness_from_toys(model, best, toys=800, data=data)
    assert found.toys == 800
    assert found.p_value == pytest.approx(best.goodness.p_value, abs=0.06)
    assert "800 toys" in str(found)
    far = data + 100 * (np.arange(20) % 2)
    assert goodness_from_toys(model, fit(model, data=far), toys=300, data=far).p_value < 0.01


def test_simulations_thrown_anew_have_the_variance_they_claim():
    model = spectrum(bins=6, shapes=1, mc=0.5)
    kappa = model.initial
    kappa[0] = 2.0
    means = np.array([Likelihood(rethrown(model, i)).predict(kappa).mean for i in range(600)])
    at = Likelihood(model).predict(kappa)
    np.testing.assert_allclose(means.mean(axis=0), at.mean, rtol=0.02)
    np.testing.assert_allclose(means.var(axis=0), at.variance, rtol=0.25)
    assert np.array_equal(Likelihood(rethrown(model, 3)).predict().mean, Likelihood(rethrown(model, 3)).predict().mean)


def test_the_limits_spread_falls_with_the_simulations_size():
    model = dataclasses.replace(spectrum(bins=10, shapes=1, mc=1.0), couplings={"kappa": "magnetic_moment"})
    small = dataclasses.replace(
        model, variances=tuple(dataclasses.replace(v, values=v.values / 100) for v in model.variances)
    )
    (value, kappa), (_, less) = simulation_error(model), simulation_error(small)
    assert 0 < value < 1e-9
    assert less == pytest.approx(kappa / 10, rel=0.5)
    with pytest.raises(ConfigError, match="no MC statistics to throw"):
        rethrown(dataclasses.replace(model, variances=()), 0)
