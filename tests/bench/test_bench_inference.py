"""Fits, toys and limits per second, each answer checked before it is timed."""

import numpy as np
import pytest
from iminuit import Minuit, cost

from spectrafit.inference import likelihood
from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.fitting.minimum import Problem
from spectrafit.inference.intervals.limits import upper_limit
from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span, Variance
from spectrafit.inference.toys import ensemble as toys

SIZES = {"100 x 10": (100, 10), "700 x 30": (700, 30)}


def model_of(bins, shapes, samples=4):
    """`samples` backgrounds with `shapes` morphs each, a signal, MC statistics in every bin."""
    x = (np.arange(bins) + 0.5) / bins
    parameters = (
        Parameter(name="kappa", kind="interest", constraint="free"),
        *(Parameter(name=f"shape{k}") for k in range(shapes)),
    )
    components, variances = [], []
    for s in range(samples + 1):
        power = int(s == samples)
        nominal = 30 * np.exp(-8 * x) + 1 if power else 200 * np.exp(-(s + 1) * x) + 20
        waves = [0.03 * np.sin(3 * (k + 1) * x + s) for k in range(shapes)]
        morphs = tuple(
            Morph(parameter=f"shape{k}", templates=np.array([nominal * (1 - w), nominal * (1 + 1.1 * w)]))
            for k, w in enumerate(waves)
        )
        factors = (Factor(parameter="kappa"),) if power else ()
        components.append(
            Component(
                sample=f"s{s}",
                monomial=(("kappa", power),) * bool(power),
                nominal=nominal,
                factors=factors,
                morphs=morphs,
            )
        )
        variances.append(Variance(first=s, second=s, values=0.05 * nominal))
    total = sum(c.nominal for c in components[:-1])
    return Model(
        parameters=parameters,
        components=tuple(components),
        regions=(Span(name="r", start=0, stop=bins),),
        data=total,
        variances=tuple(variances),
    )


@pytest.fixture(scope="module", params=SIZES, ids=SIZES)
def model(request):
    return model_of(*SIZES[request.param])


@pytest.fixture
def data(model):
    return np.random.default_rng(1).poisson(model.data).astype(float)


def test_two_nll_and_gradient(benchmark, model, data):
    problem = Problem(model, data)
    values = np.full(len(model.names), 0.3)
    at = likelihood.predict(model, values)
    expected = cost.template_chi2_jsc(data, at.mean, at.variance) + np.sum(values[1:] ** 2)
    assert problem.value(values) == pytest.approx(expected, rel=1e-10)
    benchmark(problem.gradient, values)


def test_two_nll_by_numpy_and_iminuit(benchmark, model, data):
    values = np.full(len(model.names), 0.3)
    shifts = [np.array([(m.templates[1] - m.templates[0]) / 2 for m in c.morphs]) for c in model.components]
    evens = [np.array([m.templates.sum(axis=0) / 2 - c.nominal for m in c.morphs]) for c in model.components]

    def value():
        shape = values[1:]
        even = np.where(abs(shape) < 1, shape**2 * (15 - 10 * shape**2 + 3 * shape**4) / 8, abs(shape))
        yields = [
            (values[0] if c.power else 1.0) * (c.nominal + shape @ odd + even @ both)
            for c, odd, both in zip(model.components, shifts, evens, strict=True)
        ]
        variance = sum(
            v.values * (y / c.nominal) ** 2 for v, y, c in zip(model.variances, yields, model.components, strict=True)
        )
        return cost.template_chi2_jsc(data, sum(yields), variance) + np.sum(shape**2)

    assert value() == pytest.approx(likelihood.statistic(model, values, data=data), rel=1e-10)
    benchmark(value)


def test_newton_fit(benchmark, model, data):
    problem = Problem(model, data)
    expected = problem.migrad(model.initial, problem.free)
    found = benchmark(problem.newton, model.initial, problem.free, 1e-7)
    assert found.two_nll == pytest.approx(expected.two_nll, abs=1e-3)


def test_whole_fit(benchmark, model, data):
    found = benchmark(fit, model, data=data)
    assert found.valid


def test_minuit_with_our_gradient(benchmark, model, data):
    problem = Problem(model, data)
    best = fit(model, data=data)

    def minimise():
        engine = Minuit(problem.value, model.initial, grad=problem.gradient, name=model.names)
        engine.strategy = 1
        return engine.migrad()

    engine = benchmark.pedantic(minimise, rounds=3)
    assert engine.fval == pytest.approx(best.two_nll, abs=0.01)


def test_toys_with_two_fits(benchmark):
    model = model_of(*SIZES["100 x 10"])
    of = toys.ensemble(model, model.initial)
    rows, ledger = benchmark.pedantic(toys.run, (of, [0.0]), {"toys": 500}, rounds=3, warmup_rounds=1)
    assert (len(rows), ledger.failed) == (500, 0)


def test_feldman_cousins(benchmark):
    model = model_of(20, 3)
    limit = benchmark.pedantic(upper_limit, (model,), {"method": "feldman-cousins", "toys": 500}, rounds=2)
    assert limit.kappa_error > 0
