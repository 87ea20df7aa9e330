import dataclasses

import numpy as np
import pytest
from iminuit import Minuit, cost
from scipy.stats import chi2

from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.contours import contour
from spectrafit.inference.fitting.fit import fit, profile
from spectrafit.inference.fitting.impacts import impacts
from spectrafit.inference.fitting.minimum import Problem
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span
from tests.inference.models import KAPPA, counting, spectrum


def independent(model, data, **fixed):
    """Minuit's own fit, with numerical gradient, of a prediction written here and iminuit's Poisson cost."""
    background, wanted = (c.nominal for c in model.components)
    waves = [[(m.templates[1] / c.nominal - 1.0) for m in c.morphs] for c in model.components]

    def polynomial(a):
        return np.where(abs(a) < 1, a * a * (15 - 10 * a * a + 3 * a**4) / 8, abs(a))

    def morphed(nominal, shapes, wave):
        total = nominal.copy()
        for a, w in zip(shapes, wave, strict=True):
            up, down = nominal * w, -0.9 * nominal * w
            total += 0.5 * a * (up - down) + 0.5 * polynomial(a) * (up + down)
        return total

    def value(x):
        kappa, norm, flux, *shapes = x
        mean = 1.08**flux * (
            (1 + 0.05 * norm) * morphed(background, shapes, waves[0]) + kappa * morphed(wanted, shapes, waves[1])
        )
        return cost.poisson_chi2(data, mean) + np.sum(np.square(x[1:]))

    minuit = Minuit(value, np.zeros(len(model.names)), name=model.names)
    minuit.errordef, minuit.strategy, minuit.tol = Minuit.LEAST_SQUARES, 2, 1e-4
    for name, at in fixed.items():
        minuit.values[name] = at
        minuit.fixed[name] = True
    minuit.migrad()
    return minuit


def independent_errors(minuit):
    """Errors from central differences of Minuit's function: HESSE's own steps leave up to 1 %, by processor."""
    at, step = np.array(minuit.values), 2e-3
    moves = step * np.eye(at.size)
    curvature = np.array(
        [
            [
                sum(s * t * minuit.fcn(at + s * a + t * b) for s in (1, -1) for t in (1, -1)) / (4 * step**2)
                for b in moves
            ]
            for a in moves
        ]
    )
    return np.sqrt(np.diag(2.0 * np.linalg.inv(curvature)))


def exponential_kinds(model):
    """1.08**flux, as `independent` has it: exp(0.08 flux) has another constant."""
    components = tuple(
        dataclasses.replace(
            c,
            factors=tuple(
                dataclasses.replace(f, values=(np.log(1.08),)) if f.kind == "exponential" else f for f in c.factors
            ),
        )
        for c in model.components
    )
    return dataclasses.replace(model, components=components)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_fit_is_iminuits(seed):
    model = exponential_kinds(spectrum(mc=0.0))
    data = model.data if seed is None else np.random.default_rng(seed).poisson(model.data).astype(float)
    theirs = independent(model, data)
    ours = fit(model, data=data)
    assert ours.valid, ours.message
    assert ours.two_nll == pytest.approx(theirs.fval, abs=1e-5)
    np.testing.assert_allclose(ours.values, np.array(theirs.values), atol=2e-3)
    np.testing.assert_allclose(ours.errors, independent_errors(theirs), rtol=1e-4)


def test_minos_is_iminuits_and_the_profiles():
    model = exponential_kinds(spectrum(mc=0.0))
    data = np.random.default_rng(3).poisson(model.data).astype(float)
    theirs = independent(model, data)
    theirs.minos("kappa")
    low, high = fit(model, data=data, minos=["kappa"]).minos["kappa"]
    assert (low, high) == pytest.approx((theirs.merrors["kappa"].lower, theirs.merrors["kappa"].upper), rel=2e-3)
    curve = profile(model, data=data)
    assert curve.valid.all()
    assert np.subtract(curve.crossing(1.0), curve.best) == pytest.approx((low, high), rel=2e-3)
    assert str(curve).startswith("profile of kappa: 61 points")


def test_profile_is_the_conditional_minimum():
    model = exponential_kinds(spectrum(mc=0.0))
    data = np.random.default_rng(4).poisson(model.data).astype(float)
    best = independent(model, data).fval
    grid = [-0.5, 0.0, 1.5]
    expected = [independent(model, data, kappa=k).fval - best for k in grid]
    np.testing.assert_allclose(profile(model, grid=grid, data=data).delta_2nll, expected, atol=2e-5)


def test_contour_holds_the_profile():
    model = spectrum()
    found = contour(model, "kappa", "norm", points=21)
    assert found.valid.all()
    assert found.delta_2nll.shape == (21, 21)
    along = profile(model, grid=found.x)
    # The least value of each column of the contour is near the profile in the other parameter.
    inside = along.delta_2nll < 6
    np.testing.assert_allclose(found.delta_2nll.min(axis=1)[inside], along.delta_2nll[inside], atol=0.1)
    assert np.all(found.delta_2nll.min(axis=1) > along.delta_2nll - 1e-6)


def test_fixed_parameters_stay():
    model = spectrum()
    result = fit(model, fixed={"norm": 0.7, "kappa": 0.5})
    assert (result.value("norm"), result.error("norm"), result.value("kappa")) == (0.7, 0.0, 0.5)
    assert result.fixed == ("kappa", "norm")
    with pytest.raises(ConfigError, match="did you mean 'norm'"):
        fit(model, fixed={"nrm": 0.0})


def test_degenerate_parameters_are_not_valid():
    model = counting()
    twice = dataclasses.replace(
        model,
        parameters=(KAPPA, Parameter(name="b", constraint="free"), Parameter(name="extra", constraint="free")),
    )
    result = fit(twice)
    assert not result.valid
    assert "not positive definite" in result.message
    assert "fix one of them, or give it a constraint" in result.message
    assert str(result).startswith("INVALID")


def test_a_parameter_at_its_limit_is_not_valid():
    model = counting(10.0, 23.78)
    bounded = dataclasses.replace(model, parameters=(dataclasses.replace(KAPPA, lower=0.0), *model.parameters[1:]))
    result = fit(bounded)
    assert not result.valid
    assert result.at_limit == ("kappa",)
    assert "kappa ended at a limit" in result.message
    assert fit(model).kappa == pytest.approx(-13.78, abs=1e-6)
    assert fit(model).valid


def test_where_events_run_out_the_fit_says_so():
    result = fit(counting(0.0, 5.0, 0.0))
    assert not result.valid
    assert "the prediction is not positive in window[0]" in result.message


def test_goodness_of_fit():
    model = spectrum(mc=0.0)
    data = np.random.default_rng(5).poisson(model.data).astype(float)
    result = fit(model, data=data)
    assert result.goodness.ndof == 19
    assert result.goodness.p_value == pytest.approx(chi2.sf(result.two_nll, 19), rel=1e-9)
    assert fit(model).goodness.p_value == pytest.approx(1.0)


def test_components_of_a_covariance_are_that_covariance_in_the_gaussian_chi_square():
    rng = np.random.default_rng(6)
    background, signal = rng.uniform(50, 200, 8), rng.uniform(1, 20, 8)
    extra = 40.0 * np.exp(-np.abs(np.subtract.outer(np.arange(8), np.arange(8))) / 3.0)
    sizes, vectors = np.linalg.eigh(extra)
    shifts = (vectors * np.sqrt(sizes)).T
    morphs = tuple(
        Morph(parameter=f"pc{k}", kind="linear", templates=np.array([background - x, background + x]))
        for k, x in enumerate(shifts)
    )
    data = background + 1.5 * signal + rng.normal(size=8) * 10
    model = Model(
        parameters=(KAPPA, *(Parameter(name=f"pc{k}") for k in range(8))),
        components=(
            Component(sample="b", nominal=background, morphs=morphs),
            Component(sample="s", monomial=(("kappa", 1),), nominal=signal, factors=(Factor(parameter="kappa"),)),
        ),
        regions=(Span(name="r", start=0, stop=8),),
        data=data,
        statistic="gaussian",
    )
    # Generalised least squares with the two covariances added.
    weight = np.linalg.inv(np.diag(background) + extra)
    error = 1 / np.sqrt(signal @ weight @ signal)
    kappa = error**2 * (signal @ weight @ (data - background))
    rest = data - background - kappa * signal
    result = fit(model)
    assert result.kappa == pytest.approx(kappa, rel=1e-7)
    assert result.kappa_error == pytest.approx(error, rel=1e-6)
    assert result.two_nll == pytest.approx(rest @ weight @ rest, rel=1e-8)


def test_asimov_fit_returns_the_truth():
    result = fit(spectrum())
    assert result.asimov
    assert result.two_nll == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(result.values, 0.0, atol=1e-5)


def test_impacts_add_up():
    model = spectrum(mc=0.5)
    data = np.random.default_rng(6).poisson(model.data)
    result = fit(model, data=data)
    found = {impact.name: impact for impact in impacts(model, result, data=data)}
    sizes = [i.size for i in found.values() if not i.group]
    assert sizes == sorted(sizes, reverse=True)
    assert {n for n, i in found.items() if i.group} == {"norm", "flux", "detector", "MC statistics", "data statistics"}
    # To first order an impact is the covariance over the nuisance's error.
    k = model.index("shape0")
    expected = result.covariance[0, k] / result.errors[k]
    assert found["shape0"].up == pytest.approx(expected, rel=0.1)
    # With one group for all nuisances, what is left is the data's own part.
    one = dataclasses.replace(
        model,
        parameters=tuple(dataclasses.replace(p, group="all" if p.name != "kappa" else "") for p in model.parameters),
    )
    groups = {i.name: i.size for i in impacts(one, result, data=data) if i.group}
    alone = fit(dataclasses.replace(one, variances=()), data=data, fixed={n: result.value(n) for n in model.names[1:]})
    assert groups["data statistics"] == pytest.approx(alone.kappa_error, rel=0.05)
    held = fit(one, data=data, fixed={n: result.value(n) for n in model.names[1:]})
    assert np.hypot(held.kappa_error, groups["all"]) == pytest.approx(result.kappa_error, rel=0.02)


def test_shape_and_norm_make_the_whole():
    # chi2(shape + norm) = multinomial chi2 + Poisson chi2 of the totals, at any one point.
    model = spectrum(mc=0.0)
    data = np.random.default_rng(7).poisson(model.data)
    values = np.array([0.7, 0.3, -0.2, 0.4, 0.1, -0.6])
    mean = Likelihood(model).predict(values).mean
    shape = cost.multinomial_chi2(data, mean * data.sum() / mean.sum())
    norm = cost.poisson_chi2(np.array([data.sum()]), np.array([mean.sum()]))
    whole = Likelihood(model).two_nll(values, data=data) - np.sum(values[1:] ** 2)
    assert whole == pytest.approx(shape + norm, rel=1e-10)
    # The shape term alone is what a free normalisation leaves.
    free = dataclasses.replace(
        model,
        parameters=(*model.parameters, Parameter(name="free", initial=1.0, constraint="free")),
        components=tuple(
            dataclasses.replace(c, factors=(*c.factors, Factor(parameter="free"))) for c in model.components
        ),
    )
    problem = Problem(free, data)
    only = np.zeros(7, bool)
    only[-1] = True
    least = problem.minimum(np.append(values, 1.0), only).two_nll
    assert least - np.sum(values[1:] ** 2) == pytest.approx(shape, rel=1e-9)


def test_injected_kappa_comes_back_without_bias():
    model = spectrum(mc=0.02)
    truth = model.initial
    truth[0] = 1.5
    rng = np.random.default_rng(8)
    pulls = []
    for _ in range(500):
        values = np.append(1.5, rng.normal(size=len(truth) - 1))
        # Auxiliary measurements fluctuate around true nuisances of 0.
        thrown = dataclasses.replace(
            model,
            parameters=tuple(
                p if k == 0 else dataclasses.replace(p, centre=values[k]) for k, p in enumerate(model.parameters)
            ),
        )
        at = Likelihood(model).predict(truth)
        counts = rng.poisson(np.maximum(rng.normal(at.mean, np.sqrt(at.variance)), 0.0))
        result = fit(thrown, data=counts)
        assert result.valid, result.message
        pulls.append((result.kappa - 1.5) / result.kappa_error)
    assert np.mean(pulls) == pytest.approx(0.0, abs=0.15)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.1)


def test_minuit_does_what_newton_cannot(monkeypatch):
    from spectrafit.inference.fitting import minimum

    model = spectrum()
    data = np.random.default_rng(9).poisson(model.data)
    expected = fit(model, data=data)
    monkeypatch.setattr(minimum, "_NEWTON_CALLS", 2)
    problem = Problem(model, data)
    found = problem.minimum(model.initial)
    assert (found.by, found.converged) == ("Minuit", True)
    assert found.two_nll == pytest.approx(expected.two_nll, abs=1e-4)


def test_starting_far_away_ends_at_the_same_minimum():
    model = spectrum()
    data = np.random.default_rng(10).poisson(model.data)
    best = fit(model, data=data)
    for seed in range(5):
        start = np.random.default_rng(seed).normal(0.0, 3.0, len(model.names))
        far = fit(model, data=data, start=start)
        assert far.valid, far.message
        assert far.two_nll == pytest.approx(best.two_nll, abs=1e-6)


def test_result_prints_itself():
    result = fit(spectrum(), minos=["kappa"])
    lines = str(result).splitlines()
    assert lines[0].startswith("valid fit of Asimov data: 2NLL = 0.0000")
    assert lines[2].lstrip().startswith("kappa")
    assert "MINOS" in lines[2]
    assert "pull +0.00, constrained to" in lines[3]
    correlation = result.correlation
    np.testing.assert_allclose(np.diag(correlation), 1.0)
    assert np.all(np.abs(correlation) <= 1.0 + 1e-12)


def test_components_of_another_length_are_refused():
    with pytest.raises(ConfigError, match="2 bins, but morphs or bin factors of lengths"):
        Component(sample="s", nominal=[1.0, 2.0], bin_factors=(("a",),))
