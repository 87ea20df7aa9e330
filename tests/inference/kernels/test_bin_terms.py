"""2NLL bin by bin against iminuit's cost functions and a numeric minimum, and the kernels around it against numpy."""

import math

import numpy as np
import pytest
from iminuit import cost
from numba import types
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from spectrafit.inference.kernels import shapes
from spectrafit.inference.kernels.averages import fill_means, fill_weights
from spectrafit.inference.kernels.bin_terms import fill_bins
from spectrafit.inference.kernels.evaluate import evaluate, evaluate_gradient
from spectrafit.inference.kernels.fields import FLOATS, MODEL, WORK, workspace
from spectrafit.inference.kernels.yields import fill_yields
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Model, Morph, Parameter, Span
from spectrafit.jit import Kernel, kernel
from tests.inference.models import KAPPA, counting, spectrum

N, MU, V = np.array([0.0, 3.0, 12.0, 70.0]), np.array([1.5, 2.0, 15.0, 66.0]), np.array([0.3, 0.5, 4.0, 9.0])


@kernel(types.void(MODEL, FLOATS, WORK), entry=True)
def yields_of(a, theta, w):
    fill_yields(a, theta, w)


def bins(statistic, counts, mean, variance):
    """Fill the bins of a model whose prediction is put in by hand, and return its value and scratch space."""
    model = Model(
        parameters=(KAPPA,),
        components=(Component(sample="s", nominal=mean),),
        regions=(Span(name="r", start=0, stop=len(mean)),),
        data=counts,
        statistic=statistic,
    )
    likelihood = Likelihood(model)
    work = workspace(likelihood.arrays)
    work.mean[:], work.variance[:] = mean, variance
    return fill_bins(likelihood.arrays, likelihood.observed(), work), work


def test_without_an_error_of_the_simulation_it_is_iminuit_s_poisson_chi2():
    value, _ = bins("poisson", N, MU, np.zeros(4))
    assert value == pytest.approx(cost.poisson_chi2(N, MU), rel=1e-13)


def test_a_small_error_of_the_simulation_is_iminuit_s_template_chi2():
    value, _ = bins("dembinski-abdelmotteleb", N, MU, V)
    assert value == pytest.approx(cost.template_chi2_da(N, MU, V), rel=1e-12)


def test_poisson_is_the_minimum_over_the_true_prediction():
    def profiled(n, m, v):
        def whole(t):
            return 2.0 * (t - n + (n * math.log(n / t) if n else 0.0)) + (t - m) ** 2 / v

        return minimize_scalar(whole, bounds=(1e-9, m + 10 * v + 10), method="bounded", options={"xatol": 1e-9}).fun

    value, work = bins("poisson", N, MU, V)
    assert value == pytest.approx(sum(map(profiled, N, MU, V)), rel=1e-8)
    assert work.fitted.shape == N.shape


@pytest.mark.parametrize("statistic", ["poisson", "dembinski-abdelmotteleb", "neyman-pearson"])
def test_derivatives_are_slopes(statistic):
    _, work = bins(statistic, N, MU, V)
    by_mean, by_variance = work.by_mean.copy(), work.by_variance.copy()
    for b in range(N.size):
        step = np.eye(N.size)[b] * 1e-5
        up, down = (bins(statistic, N, MU + side * step, V)[0] for side in (1, -1))
        assert by_mean[b] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-6)
        up, down = (bins(statistic, N, MU, V + side * step)[0] for side in (1, -1))
        assert by_variance[b] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-6)


def test_a_point_is_the_bins_and_the_pulls():
    model = spectrum(bins=5, shapes=1, mc=0.0)
    likelihood = Likelihood(model)
    arrays, work = likelihood.arrays, workspace(likelihood.arrays)
    theta = np.random.default_rng(2).normal(0.2, 0.3, len(model.parameters))
    yields_of(arrays, theta, work)
    mean = work.mean.copy()
    assert mean.sum() == pytest.approx(sum(part.sum() for part in likelihood.predict(theta).components))
    pulls = sum(t**2 for p, t in zip(model.parameters, theta, strict=True) if p.constraint == "gaussian")
    value = evaluate(arrays, likelihood.observed(), theta, work)
    assert value == pytest.approx(cost.poisson_chi2(model.data, mean) + pulls, rel=1e-12)
    evaluate_gradient(arrays, likelihood.observed(), theta, work)
    gradient = work.gradient.copy()
    for k, step in enumerate(1e-5 * np.eye(theta.size)):
        up, down = (evaluate(arrays, likelihood.observed(), theta + side * step, work) for side in (1, -1))
        assert gradient[k] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-5)


def test_shapes_few_models_have_multiply_bins():
    nominal = np.array([20.0, 12.0])
    morph = Morph(parameter="c", kind="code4", templates=np.array([nominal * 0.9, nominal * 1.2]))
    factor = Parameter(name="g", initial=1.0, centre=1.0, width=0.1)
    model = Model(
        parameters=(KAPPA, Parameter(name="c"), factor),
        components=(Component(sample="s", nominal=nominal, morphs=(morph,), bin_factors=(("g", ""),)),),
        regions=(Span(name="r", start=0, stop=2),),
        data=nominal,
    )
    # code4 goes exponentially beyond one sigma.
    mean = Likelihood(model).predict([0.0, 2.0, 1.5]).mean
    np.testing.assert_allclose(mean, nominal * 1.2**2 * [1.5, 1.0], rtol=1e-12)
    assert isinstance(shapes.fill_shape, Kernel)
    assert shapes.fill_shape.optional


def test_averages_over_nuisances_are_likelihoods_and_means_at_their_values():
    model = counting(25.0, 20.0, 0.1)
    likelihood = Likelihood(model)
    arrays, observed, work = likelihood.arrays, likelihood.observed(), workspace(likelihood.arrays)
    at, mode = model.names.index("b"), np.array([3.0, 0.0])
    z, which = norm.ppf((np.arange(5) + 0.5) / 5)[:, None], np.array([at])
    logs, means = np.empty(5), np.empty(5)
    least = likelihood.two_nll(mode)
    fill_weights(arrays, observed, mode, float(least), np.array([[0.5]]), which, z, logs, work)
    points = [np.where(np.arange(2) == at, 0.5 * shift, mode) for shift in z[:, 0]]
    wanted = [
        0.5 * (least - likelihood.two_nll(point)) + 0.5 * shift**2 for point, shift in zip(points, z[:, 0], strict=True)
    ]
    np.testing.assert_allclose(logs, wanted, atol=1e-10)
    fill_means(arrays, observed, mode, z, which, False, 0, means, work)
    np.testing.assert_allclose(means, 20.0 * (1.0 + 0.1 * z[:, 0]) + 3.0, rtol=1e-12)
