"""One factor for each sample in each bin, against a minimisation over all of them, and against iminuit's."""

import dataclasses

import numpy as np
import pytest
from iminuit import Minuit, cost
from scipy.optimize import minimize

import spectrafit as sf
from spectrafit.errors import ConfigError
from spectrafit.inference.kernels.barlow_beeston import PER_SAMPLE
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span, Variance
from spectrafit.inference.toys.options import ToyOptions

BINS = 6
KINDS = ("barlow-beeston", "barlow-beeston-lite")


def made(seed=1, *, events=(40.0, 12.0, 3.0), entries=(200, 20, 5), mc="barlow-beeston", residual=True, counts=None):
    """Three samples: a signal whose yields and variances depend on kappa, and two backgrounds of weighted events."""
    rng = np.random.default_rng(seed)
    parameters = (
        Parameter(name="kappa", kind="interest", constraint="free"),
        Parameter(name="rate", width=1.0),
        Parameter(name="shape", width=1.0),
    )
    components, variances = [], []
    for s, (total, simulated) in enumerate(zip(events, entries, strict=True)):
        entries_here = rng.poisson(simulated / BINS, BINS) + 1
        nominal = total / simulated * entries_here * rng.uniform(0.7, 1.3, BINS)
        variance = nominal**2 / entries_here * rng.uniform(1.0, 1.5, BINS)
        up = nominal * (1 + 0.2 * rng.normal(size=BINS))
        morphs = (Morph(parameter="shape", kind="linear", templates=np.array([2 * nominal - up, up])),)
        factors = (Factor(parameter="rate", kind="exponential", values=(0.3,)),) if s else ()
        first = len(components)
        components.append(
            Component(sample=f"s{s}", monomial=(), start=0, nominal=nominal, factors=factors, morphs=morphs)
        )
        variances.append(Variance(first=first, second=first, values=variance))
        if s == 0:
            # kappa times the same events, weighed anew.
            weight = rng.uniform(0.1, 0.4, BINS)
            components.append(
                Component(
                    sample="s0",
                    monomial=(("kappa", 1),),
                    start=0,
                    nominal=nominal * weight,
                    factors=(Factor(parameter="kappa", values=(1.0,)),),
                )
            )
            variances.append(Variance(first=0, second=1, values=2 * variance * weight))
            variances.append(Variance(first=1, second=1, values=variance * weight**2 * 1.1))
    return Model(
        parameters=parameters,
        components=tuple(components),
        regions=(Span(name="r", start=0, stop=BINS),),
        data=rng.poisson(sum(events) / BINS, BINS) if counts is None else counts,
        asimov=False,
        variances=tuple(variances),
        mc_statistics=mc,
        residual=np.full((1, BINS), 0.7) if residual else np.zeros((0, 0)),
        residual_monomials=((),) if residual else (),
    )


def parts(model, values):
    """Yields and variances by sample, (3, B), from the definitions."""
    kappa, rate, shape = values
    yields, variances = np.zeros((3, BINS)), np.zeros((3, BINS))
    per_component = []
    for c in model.components:
        y = c.nominal.copy()
        for morph in c.morphs:
            y += shape * (morph.templates[1] - c.nominal)
        for factor in c.factors:
            y *= np.exp(0.3 * rate) if factor.parameter == "rate" else kappa
        per_component.append(y)
        yields[int(c.sample[1])] += y
    for v in model.variances:
        first, second = model.components[v.first], model.components[v.second]
        scale = per_component[v.first] / first.nominal * per_component[v.second] / second.nominal
        variances[int(first.sample[1])] += v.values * scale
    return yields, variances


def by_hand(model, values, residual=0.7):
    """2NLL at its minimum over a gamma of every sample in every bin and the Gaussian part, found by scipy."""
    yields, variances = parts(model, values)
    total = values[1] ** 2 + values[2] ** 2
    for b in range(BINS):
        y, n = yields[:, b], model.data[b]
        a = y**2 / variances[:, b]

        def two_nll(x, y=y, n=n, a=a):
            """Return 2NLL and its slopes, of the logarithms of gamma and of delta / sqrt(R)."""
            gamma = np.exp(x[:-1])
            t = max(gamma @ y + x[-1] * np.sqrt(residual), 1e-12)
            u = 1 - n / t
            value = 2 * (t - n + (n * np.log(n / t) if n else 0.0)) + 2 * (a * (gamma - 1 - x[:-1])).sum() + x[-1] ** 2
            return value, np.r_[2 * gamma * (y * u + a) - 2 * a, 2 * np.sqrt(residual) * u + 2 * x[-1]]

        total += minimize(two_nll, np.zeros(4), jac=True, method="BFGS", options={"gtol": 1e-9}).fun
    return total


@pytest.mark.parametrize("seed", [1, 2])
def test_the_minimum_over_all_factors(seed):
    model = made(seed)
    likelihood = Likelihood(model)
    assert likelihood.arrays.statistic == PER_SAMPLE
    rng = np.random.default_rng(seed)
    for _ in range(4):
        values = np.array([rng.uniform(-0.5, 2.0), *rng.normal(size=2)])
        assert likelihood.two_nll(values) == pytest.approx(by_hand(model, values), abs=1e-8)


@pytest.mark.parametrize("counts", [None, np.zeros(BINS), np.full(BINS, 40.0)])
def test_gradient_and_hessian(counts):
    likelihood = Likelihood(made(3, counts=counts))
    for values in ([0.0, 0.0, 0.0], [0.7, -0.4, 0.5], [2.0, 1.0, -0.6]):
        point, step = np.array(values), 1e-5
        numeric = [
            (likelihood.two_nll(point + e) - likelihood.two_nll(point - e)) / (2 * step) for e in step * np.eye(3)
        ]
        np.testing.assert_allclose(likelihood.gradient(point), numeric, rtol=1e-6, atol=1e-6)
        rows = [(likelihood.gradient(point + e) - likelihood.gradient(point - e)) / (2e-4) for e in 1e-4 * np.eye(3)]
        np.testing.assert_allclose(likelihood.hessian(point), rows, rtol=1e-4, atol=1e-4)


def test_the_fit_is_minuits():
    model = made(4)
    best = sf.fit(model)
    assert best.valid
    likelihood = Likelihood(model)
    minuit = Minuit(lambda *x: likelihood.two_nll(x), 0.0, 0.0, 0.0)
    minuit.errordef, minuit.tol = 1.0, 1e-5
    minuit.migrad()
    assert best.two_nll == pytest.approx(minuit.fval, abs=1e-5)
    assert best.kappa == pytest.approx(minuit.values[0], abs=2e-3)
    assert best.kappa_error == pytest.approx(minuit.errors[0], rel=0.02)


def test_many_simulated_events_make_it_lite():
    full, lite = (made(5, entries=(2e5, 2e5, 2e5), mc=mc) for mc in ("barlow-beeston", "barlow-beeston-lite"))
    for values in ([0.0, 0.0, 0.0], [1.0, 0.5, -0.5]):
        assert Likelihood(full).two_nll(values) == pytest.approx(Likelihood(lite).two_nll(values), abs=1e-4)


def single(counts, data, mc):
    """One sample of unweighted simulation, its yield free."""
    return Model(
        parameters=(Parameter(name="kappa", kind="interest", initial=1.0, constraint="free"),),
        components=(
            Component(sample="one", start=0, nominal=counts.astype(float), factors=(Factor(parameter="kappa"),)),
        ),
        regions=(Span(name="r", start=0, stop=BINS),),
        data=data,
        asimov=False,
        variances=(Variance(first=0, second=0, values=counts.astype(float)),),
        mc_statistics=mc,
    )


def test_with_one_sample_it_is_iminuits_for_poisson_simulation():
    """iminuit's "da" has one Poisson factor for each bin, its "jsc" a Gaussian one: with one sample they are ours."""
    rng = np.random.default_rng(6)
    data, counts = rng.poisson(30.0, BINS), rng.poisson(15.0, BINS)
    for mc, method in (("barlow-beeston", "da"), ("barlow-beeston-lite", "jsc")):
        template = cost.Template(data, np.arange(BINS + 1.0), [counts], method=method)
        ours = Likelihood(single(counts, data, mc))
        for total in (60.0, 180.0, 250.0):
            assert ours.two_nll([total / counts.sum()]) == pytest.approx(template(total), rel=1e-8)


def test_limits_toys_and_impacts_use_it():
    model = made(7, entries=(200, 20, 8))
    best = sf.fit(model)
    limits = [sf.upper_limit(made(7, entries=(200, 20, 8), mc=mc), method="profile").kappa for mc in KINDS]
    assert limits[0] != limits[1]
    assert limits[0] == pytest.approx(limits[1], rel=0.3)
    sizes = {impact.name: impact.size for impact in sf.impacts(model, best)}
    assert set(sizes) == {"rate", "shape", "MC statistics", "data statistics"}
    assert all(0.0 < size < best.kappa_error for size in sizes.values())
    toys = sf.upper_limit(model, method="cls-toys", toys=ToyOptions(toys=100, seed=3))
    assert toys.kappa == pytest.approx(sf.upper_limit(model, method="cls").kappa, rel=0.3)


def test_only_with_poisson_counts():
    model = made(1)
    with pytest.raises(ConfigError, match="needs statistic = 'poisson'"):
        dataclasses.replace(model, statistic="gaussian")
