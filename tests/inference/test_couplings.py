"""Models of two couplings: the prediction, the variance and the gradient of products, and any of them of interest."""

import dataclasses
import pickle

import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.contours import contour
from spectrafit.inference.fitting.fit import fit, profile
from spectrafit.inference.intervals.limits import methods, upper_limit
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Parameter, Span

X = (np.arange(12) + 0.5) / 12
SM, MU, CHARGE, SQUARE, BOTH = 90.0 * np.exp(-X), 12.0 * np.exp(-5.0 * X), 30.0 * X, 4.0 * X**2, 2.0 * np.exp(-2.0 * X)


def two_couplings():
    mu, charge = Factor(parameter="mu"), Factor(parameter="charge")
    flux = Factor(parameter="flux", kind="linear", values=(0.05,))
    parts = {
        (): (SM, ()),
        (("mu", 1),): (MU, (mu,)),
        (("charge", 1),): (CHARGE, (charge,)),
        (("charge", 2),): (SQUARE, (Factor(parameter="charge", values=(2.0,)),)),
        (("mu", 1), ("charge", 1)): (BOTH, (mu, charge)),
    }
    return Model(
        parameters=(
            Parameter(name="mu", kind="interest", constraint="free"),
            Parameter(name="charge", constraint="free"),
            Parameter(name="flux"),
        ),
        components=tuple(
            Component(sample="s", monomial=monomial, nominal=nominal, factors=(*factors, flux))
            for monomial, (nominal, factors) in parts.items()
        ),
        regions=(Span(name="r", start=0, stop=12),),
        data=SM,
        poi="mu",
        couplings={"mu": "magnetic_moment", "charge": "charge_radius"},
        residual=np.array([0.3 * SM, 0.2 * MU, 0.1 * SM]),
        residual_monomials=((), (("mu", 2),), (("mu", 1), ("charge", 2))),
    )


def test_products_of_couplings_predict_and_vary():
    model = two_couplings()
    mu, charge, flux = 1.3, -0.4, 0.7
    at = Likelihood(model).predict([mu, charge, flux])
    mean = (SM + mu * MU + charge * CHARGE + charge**2 * SQUARE + mu * charge * BOTH) * (1.0 + 0.05 * flux)
    np.testing.assert_allclose(at.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(at.variance, 0.3 * SM + mu**2 * 0.2 * MU + mu * charge**2 * 0.1 * SM, rtol=1e-12)


def test_the_gradient_of_products_is_that_of_differences():
    likelihood, point = Likelihood(two_couplings()), np.array([1.3, -0.4, 0.7])
    for k in range(3):
        h = np.zeros(3)
        h[k] = 1e-5
        slope = (likelihood.two_nll(point + h) - likelihood.two_nll(point - h)) / 2e-5
        assert likelihood.gradient(point)[k] == pytest.approx(slope, rel=1e-6, abs=1e-6)


def test_any_coupling_can_be_of_interest():
    model = two_couplings()
    truth = np.array([1.0, 0.3, 0.0])
    model = model.with_data(Likelihood(model).predict(truth).mean)
    other = model.with_interest("charge")
    assert (model.coupling, other.coupling) == ("magnetic_moment", "charge_radius")
    assert fit(model).two_nll == pytest.approx(fit(other).two_nll, abs=1e-9)
    np.testing.assert_allclose(fit(other).values, truth, atol=1e-4)
    found = upper_limit(other, sides="two")
    assert found.boundary.startswith("none")
    assert found.lower_kappa < 0.3 < found.kappa
    assert upper_limit(model).unit != found.unit
    assert "cls" in methods(model)
    assert "cls" not in methods(other)
    # The ends of the interval are where the profile has risen by 2.71.
    curve = profile(other, grid=[found.lower_kappa, found.kappa])
    np.testing.assert_allclose(curve.delta_2nll, 2.7055, rtol=1e-3)
    assert contour(model, "mu", "charge", points=3).delta_2nll.min() == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(ConfigError, match="'flux' has a constraint"):
        model.with_interest("flux")


def test_models_are_light_and_refuse_what_does_not_fit():
    model = two_couplings()
    before = len(pickle.dumps(model))
    Likelihood(model).two_nll()
    assert len(pickle.dumps(model)) == before
    assert Likelihood(model).arrays is Likelihood(model).arrays
    assert len(repr(model)) < 400
    with pytest.raises(ConfigError, match="3 rows of residual variance, 2 monomials"):
        dataclasses.replace(model, residual_monomials=((), (("mu", 1),)))
    with pytest.raises(ConfigError, match="no parameter 'kappa'"):
        dataclasses.replace(model, couplings={"kappa": "magnetic_moment"})
