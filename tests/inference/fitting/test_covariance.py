import dataclasses

import numpy as np
import pytest

from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.model import Component, Factor, Model, Parameter, Span


def product(signal, background, data, *, second):
    """A signal scaled by mu and by a second parameter, beside a background of uncertain size."""
    parameters = {
        "free": Parameter(name="k", initial=1.0, constraint="free", lower=0.0, upper=10.0),
        "constrained": Parameter(name="k"),
    }
    factors = {"free": Factor(parameter="k"), "constrained": Factor(parameter="k", kind="linear", values=(0.1,))}
    return Model(
        parameters=(
            Parameter(name="mu", initial=1.0, constraint="free", lower=0.0, upper=10.0, kind="interest"),
            parameters[second],
            Parameter(name="e"),
        ),
        components=(
            Component(sample="s", nominal=signal, factors=(Factor(parameter="mu"), factors[second])),
            Component(sample="b", nominal=background, factors=(Factor(parameter="e", kind="linear", values=(0.1,)),)),
        ),
        regions=(Span(name="r", start=0, stop=len(signal)),),
        data=data,
        poi="mu",
        floor=np.zeros(len(signal)),
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_product_of_free_factors_is_degenerate_however_rounding_falls(seed):
    rng = np.random.default_rng(seed)
    signal, background = rng.uniform(1, 50, 3), rng.uniform(10, 500, 3)
    model = product(signal, background, rng.poisson(1.3 * signal + background), second="free")
    result = fit(model)
    assert not result.valid
    # Without an excess mu ends at 0, and k has no effect.
    assert result.at_limit or "mu, k are degenerate; fix one of them" in result.message


@pytest.mark.parametrize("seed", range(20))
def test_two_factors_without_limits_are_degenerate_however_far_a_fit_from_there_would_go(seed):
    # Rounding may claim an error so large that a fit from there ends in another minimum, which seems to have risen.
    rng = np.random.default_rng(seed)
    signal, background = rng.uniform(1, 50, 4), rng.uniform(10, 500, 4)
    model = product(signal, background, rng.poisson(1.3 * signal + background), second="free")
    parameters = tuple(dataclasses.replace(p, lower=-np.inf, upper=np.inf) for p in model.parameters)
    result = fit(dataclasses.replace(model, parameters=parameters))
    assert not result.valid
    assert "mu, k are degenerate" in result.message


@pytest.mark.parametrize("events", [1e3, 1e6, 1e9, 1e11])
def test_a_prior_that_dwarfs_the_counts_is_not_degenerate(events):
    model = product(np.array([events]), np.array([0.0]), [events], second="constrained")
    result = fit(model, fixed={"e": 0.0})
    assert result.valid, result.message
    # mu (1 + k / 10) is known to 1 / sqrt(events), k to 1.
    assert result.error("mu") == pytest.approx(np.sqrt(0.01 + 1 / events), rel=1e-3)
