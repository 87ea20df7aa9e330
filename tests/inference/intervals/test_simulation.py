import dataclasses

import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.inference.intervals.profile_limit import profiled
from spectrafit.inference.intervals.scan import Scan
from spectrafit.inference.intervals.simulation import simulation_error
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.toys.simulations import Simulations
from tests.inference.models import spectrum


def test_simulations_thrown_anew_have_the_variance_they_claim():
    model = spectrum(bins=6, shapes=1, mc=0.5)
    kappa = model.initial
    kappa[0] = 2.0
    simulations = Simulations(model)
    means = np.array([Likelihood(simulations.thrown(i)).predict(kappa).mean for i in range(600)])
    at = Likelihood(model).predict(kappa)
    np.testing.assert_allclose(means.mean(axis=0), at.mean, rtol=0.02)
    np.testing.assert_allclose(means.var(axis=0), at.variance, rtol=0.25)
    assert np.array_equal(
        Likelihood(simulations.thrown(3)).predict().mean, Likelihood(simulations.thrown(3)).predict().mean
    )


def limit_of(model, data, sides):
    return profiled(Scan(model, 0.0, data), 0.9, sides, cls=False, expected=False).kappa


@pytest.mark.parametrize("sides", ["one", "two"])
def test_the_error_is_the_spread_of_limits_computed_anew(sides):
    model = dataclasses.replace(spectrum(bins=10, shapes=1, mc=0.4), couplings={"kappa": "magnetic_moment"})
    scan = Scan(model, 0.0)
    limit = profiled(scan, 0.9, sides, cls=False, expected=False).kappa
    simulations = Simulations(model)
    others = [limit_of(simulations.thrown(i), model.data, sides) for i in range(120)]
    # 120 limits know their spread to 7 %; the rest is what the linear formula leaves out.
    assert simulation_error(scan, limit, sides=sides) == pytest.approx(np.std(others, ddof=1), rel=0.2)


def test_the_error_falls_with_the_simulations_size():
    model = spectrum(bins=10, shapes=1, mc=0.4)
    small = dataclasses.replace(
        model, variances=tuple(dataclasses.replace(v, values=v.values / 1e4) for v in model.variances)
    )
    large, less = (simulation_error(Scan(m, 0.0), 2.0, sides="one") for m in (model, small))
    assert less == pytest.approx(large / 100, rel=0.3)
    with pytest.raises(ConfigError, match="no MC statistics to throw"):
        Simulations(dataclasses.replace(model, variances=()))
