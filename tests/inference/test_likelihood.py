import dataclasses

import numpy as np
import pyhf
import pytest
from iminuit import cost
from scipy.optimize import minimize_scalar

from spectrafit.errors import ConfigError
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span, Variance
from tests.inference.models import KAPPA, counting, spectrum

STATISTICS = ["poisson", "dembinski-abdelmotteleb", "neyman-pearson", "gaussian"]


def point(model, seed=0):
    return np.random.default_rng(seed).normal(0.3, 0.7, len(model.parameters))


def numeric_gradient(model, values, data):
    steps = 1e-5 * np.eye(len(values))
    return np.array(
        [
            (Likelihood(model).two_nll(values + h, data=data) - Likelihood(model).two_nll(values - h, data=data)) / 2e-5
            for h in steps
        ]
    )


def everything(statistic="poisson"):
    """A model with every kind of effect and constraint at once."""
    nominal = np.array([20.0, 12.0, 30.0, 8.0])
    spline = Morph(
        parameter="s",
        kind="spline",
        sigmas=(-2.0, -1.0, 1.0, 2.0),
        templates=nominal * np.array([[0.8, 0.9, 1.1, 1.3]]).T,
    )
    bend = Morph(parameter="c", kind="code4", templates=np.array([nominal * 0.9, nominal * 1.2]))
    change = np.array([1.0, 2.0, 0.0, 1.0])
    linear = Morph(parameter="l", kind="linear", templates=np.array([nominal - change, nominal + change]))
    return Model(
        parameters=(
            KAPPA,
            *(Parameter(name=n) for n in "scln"),
            Parameter(name="free", initial=1.0, constraint="free"),
            Parameter(name="tau", initial=1.0, constraint="poisson", centre=40.0, width=40.0),
            Parameter(name="g", initial=1.0, centre=1.0, width=0.1),
        ),
        components=(
            Component(
                sample="one",
                nominal=nominal,
                factors=(Factor(parameter="n", kind="code4", values=(0.9, 1.2)), Factor(parameter="free")),
                morphs=(spline, bend, linear),
                bin_factors=(("tau", "", "g", ""),),
            ),
            Component(
                sample="one", monomial=(("kappa", 1),), nominal=nominal / 5, factors=(Factor(parameter="kappa"),)
            ),
            Component(
                sample="one",
                monomial=(("kappa", 2),),
                nominal=nominal / 20,
                factors=(
                    Factor(parameter="kappa", values=(2.0,)),
                    Factor(parameter="n", kind="exponential", values=(0.1,)),
                ),
            ),
        ),
        regions=(Span(name="r", start=0, stop=4),),
        data=nominal + 3,
        variances=(
            Variance(first=0, second=0, values=[2.0, 1.0, 3.0, 0.5]),
            Variance(first=0, second=1, values=[0.2, 0.1, 0.3, 0.05]),
            Variance(first=0, second=2, values=[0.2, 0.1, 0.3, 0.05]),
            Variance(first=2, second=2, values=[0.02, 0.01, 0.03, 0.05]),
        ),
        residual_monomials=((), (("kappa", 1),), (("kappa", 2),)),
        residual=np.array([[0.3, 0, 0.1, 0], [0.1, 0, 0, 0], [0.05, 0.02, 0, 0]]),
        correlations=(("s", "c", 0.4), ("c", "l", -0.3)),
        statistic=statistic,
    )


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("make", [everything, lambda statistic: spectrum(statistic=statistic)])
def test_gradient_is_that_of_finite_differences(make, statistic):
    model = make(statistic=statistic)
    data = np.random.default_rng(1).poisson(model.data)
    for seed in range(3):
        values = point(model, seed)
        values[np.array([p.initial == 1.0 for p in model.parameters])] += 0.8
        np.testing.assert_allclose(
            Likelihood(model).gradient(values, data=data), numeric_gradient(model, values, data), rtol=2e-6, atol=2e-6
        )


def test_gradient_where_kappa_is_zero():
    model = everything()
    values = model.initial
    np.testing.assert_allclose(
        Likelihood(model).gradient(values), numeric_gradient(model, values, model.data), rtol=1e-6, atol=1e-6
    )


def test_poisson_is_iminuits():
    model = dataclasses.replace(spectrum(mc=0.0), parameters=spectrum(mc=0.0).parameters)
    data = np.random.default_rng(2).poisson(model.data)
    values = point(model)
    mean = Likelihood(model).predict(values).mean
    expected = cost.poisson_chi2(data, mean) + np.sum(values[1:] ** 2)
    assert Likelihood(model).two_nll(values, data=data) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("statistic", "oracle"),
    [("poisson", cost.template_chi2_jsc), ("dembinski-abdelmotteleb", cost.template_chi2_da)],
)
def test_finite_simulation_is_iminuits(statistic, oracle):
    model = spectrum(statistic=statistic, mc=0.3)
    data = np.random.default_rng(3).poisson(model.data)
    values = point(model)
    at = Likelihood(model).predict(values)
    expected = oracle(data, at.mean, at.variance) + np.sum(values[1:] ** 2)
    assert Likelihood(model).two_nll(values, data=data) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("n", [0.0, 1.0, 7.0])
@pytest.mark.parametrize("m", [-2.0, 0.3, 5.0])
def test_barlow_beeston_is_the_minimum_over_the_true_prediction(n, m):
    variance = 0.8
    model = dataclasses.replace(
        counting(n, 1.0, 0.0), variances=(Variance(first=0, second=0, values=[variance]),), floor=np.array([1e-3])
    )

    def term(t):
        return 2 * (t - n + (n * np.log(n / t) if n else 0.0)) + (t - m) ** 2 / variance

    found = minimize_scalar(term, bounds=(1e-12, 30.0), method="bounded", options={"xatol": 1e-12})
    assert Likelihood(model).two_nll([m - 1.0]) == pytest.approx(found.fun, rel=1e-8, abs=1e-8)
    assert Likelihood(model).predict([m - 1.0]).fitted[0] == pytest.approx(found.x, abs=1e-5)


def test_neyman_pearson_is_the_papers():
    model = spectrum(statistic="neyman-pearson", mc=0.1)
    data = np.random.default_rng(4).poisson(model.data * 0.05)
    at = Likelihood(model).predict()
    n, m = data, at.mean
    share = np.where(n > 0, 3.0 / (1.0 / np.maximum(n, 1) + 2.0 / m), m / 2.0)
    assert (n == 0).any()
    expected = np.sum((n - m) ** 2 / (share + at.variance))
    assert Likelihood(model).two_nll(data=data) == pytest.approx(expected, rel=1e-12)


def test_gaussian_uses_the_whole_covariance():
    plain = spectrum(statistic="gaussian", mc=0.1)
    extra = 4.0 * np.exp(-np.abs(np.subtract.outer(np.arange(20), np.arange(20))) / 5.0)
    model = dataclasses.replace(plain, covariance=extra)
    data = np.random.default_rng(5).poisson(model.data)
    nominal, values = Likelihood(model).predict(), point(model)
    difference = data - Likelihood(model).predict(values).mean
    covariance = np.diag(nominal.mean + nominal.variance) + extra
    expected = difference @ np.linalg.solve(covariance, difference) + np.sum(values[1:] ** 2)
    assert Likelihood(model).two_nll(values, data=data) == pytest.approx(expected, rel=1e-10)


def test_correlated_and_poisson_constraints():
    model = everything()
    values = model.initial + np.array([0.0, 0.5, -0.4, 0.9, 0.2, 0.0, 0.1, 0.15])
    rho = np.array([[1.0, 0.4, 0.0], [0.4, 1.0, -0.3], [0.0, -0.3, 1.0]])
    expected = values[1:4] @ np.linalg.solve(rho, values[1:4]) + values[4] ** 2
    expected += cost.poisson_chi2(np.array([40.0]), np.array([44.0])) + (0.15 / 0.1) ** 2
    at = Likelihood(model).predict(values)
    bins = cost.template_chi2_jsc(model.data, at.mean, at.variance)
    assert Likelihood(model).two_nll(values) == pytest.approx(bins + expected, rel=1e-12)


def test_impossible_correlations_are_refused():
    model = everything()
    with pytest.raises(ConfigError, match="not positive definite"):
        Likelihood(dataclasses.replace(model, correlations=(("s", "c", 0.9), ("c", "l", 0.9), ("s", "l", -0.9))))
    with pytest.raises(ConfigError, match="needs two different constrained"):
        Likelihood(dataclasses.replace(model, correlations=(("s", "free", 0.5),)))


def test_variance_is_that_of_the_reweighted_events():
    rng = np.random.default_rng(6)
    w0, w1 = rng.uniform(0.5, 1.5, 400), rng.gamma(2.0, 0.3, 400)
    model = Model(
        parameters=(KAPPA, Parameter(name="norm"), Parameter(name="shape"), Parameter(name="ratio")),
        components=(
            Component(
                sample="s",
                nominal=[w0.sum()],
                factors=(Factor(parameter="norm", kind="linear", values=(0.2,)),),
                morphs=(Morph(parameter="shape", kind="linear", templates=w0.sum() * np.array([[0.9], [1.1]])),),
            ),
            Component(
                sample="s",
                monomial=(("kappa", 1),),
                nominal=[w1.sum()],
                factors=(Factor(parameter="kappa"), Factor(parameter="norm", kind="linear", values=(0.2,))),
                morphs=(Morph(parameter="shape", kind="linear", templates=w1.sum() * np.array([[0.7], [1.3]])),),
            ),
        ),
        regions=(Span(name="r", start=0, stop=1),),
        data=[400.0],
        variances=(
            Variance(first=0, second=0, values=[np.sum(w0**2)]),
            Variance(first=0, second=1, values=[2.0 * np.sum(w0 * w1)]),
            Variance(first=1, second=1, values=[np.sum(w1**2)]),
        ),
    )
    for kappa, norm, shape in ((0.0, 0.0, 0.0), (-0.4, 0.0, 0.0), (2.0, 1.5, -0.8)):
        weights = (1 + 0.2 * norm) * (w0 * (1 + 0.1 * shape) + kappa * w1 * (1 + 0.3 * shape))
        at = Likelihood(model).predict([kappa, norm, shape, 0.0])
        assert at.mean[0] == pytest.approx(weights.sum(), rel=1e-12)
        assert at.variance[0] == pytest.approx(np.sum(weights**2), rel=1e-12)


def test_a_negative_prediction_is_a_wall_not_a_cliff():
    model = counting(0.0, 5.0, 0.0)
    kappas = np.linspace(-5.2, -4.8, 401)
    values = np.array([Likelihood(model).two_nll([k]) for k in kappas])
    assert np.all(np.isfinite(values))
    assert kappas[np.argmin(values)] == pytest.approx(-5.0, abs=0.01)
    assert np.all(np.diff(values, 2) > -1e-6)
    for kappa in (-5.1, -4.9999, -4.9):
        numeric = numeric_gradient(model, np.array([kappa]), model.data)
        np.testing.assert_allclose(Likelihood(model).gradient([kappa]), numeric, rtol=1e-4)


def test_dropped_bins_do_not_count():
    model = spectrum()
    used = np.arange(20) != 7
    data = np.random.default_rng(7).poisson(model.data).astype(float)
    without = Likelihood(dataclasses.replace(model, used=used)).two_nll(data=data)
    data[7] = 1e6
    assert Likelihood(dataclasses.replace(model, used=used)).two_nll(data=data) == without


def test_information_is_the_mean_hessian():
    model = spectrum(mc=0.0)
    rng = np.random.default_rng(8)
    values = np.array([0.5, 0.2, -0.3, 0.1, 0.4, -0.2])
    mean = Likelihood(model).predict(values).mean
    sampled = np.mean([Likelihood(model).hessian(values, data=rng.poisson(mean)) for _ in range(400)], axis=0)
    expected = Likelihood(model).information(values)
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(sampled / np.outer(scale, scale), expected / np.outer(scale, scale), atol=0.02)


def test_hessian_is_that_of_the_gradient():
    model = spectrum(mc=0.3)
    data = np.random.default_rng(9).poisson(model.data)
    values = point(model)
    steps = 1e-4 * np.eye(len(values))
    numeric = np.array(
        [
            (Likelihood(model).gradient(values + h, data=data) - Likelihood(model).gradient(values - h, data=data))
            / 2e-4
            for h in steps
        ]
    )
    np.testing.assert_allclose(Likelihood(model).hessian(values, data=data), numeric, rtol=1e-5, atol=1e-4)


def test_histfactory_model_is_pyhfs():
    spec = {
        "channels": [
            {
                "name": "c",
                "samples": [
                    {
                        "name": "signal",
                        "data": [4.0, 9.0, 2.0],
                        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
                    },
                    {
                        "name": "background",
                        "data": [40.0, 22.0, 11.0],
                        "modifiers": [
                            {"name": "n", "type": "normsys", "data": {"lo": 0.9, "hi": 1.15}},
                            {
                                "name": "h",
                                "type": "histosys",
                                "data": {"lo_data": [38.0, 23.0, 10.0], "hi_data": [43.0, 20.0, 12.5]},
                            },
                        ],
                    },
                ],
            }
        ]
    }
    theirs = pyhf.Model(spec, poi_name="mu", validate=False)
    histosys = Morph(parameter="h", templates=np.array([[38.0, 23.0, 10.0], [43.0, 20.0, 12.5]]))
    ours = Model(
        parameters=(
            Parameter(name="mu", kind="interest", constraint="free", initial=1.0),
            Parameter(name="n"),
            Parameter(name="h"),
        ),
        components=(
            Component(sample="signal", nominal=[4.0, 9.0, 2.0], factors=(Factor(parameter="mu"),)),
            Component(
                sample="background",
                nominal=[40.0, 22.0, 11.0],
                factors=(Factor(parameter="n", kind="code4", values=(0.9, 1.15)),),
                morphs=(histosys,),
            ),
        ),
        regions=(Span(name="c", start=0, stop=3),),
        data=[47.0, 29.0, 13.0],
        poi="mu",
    )
    data = [*ours.data, *theirs.config.auxdata]
    order = [theirs.config.par_map[name]["slice"].start for name in ours.names]
    rng = np.random.default_rng(10)
    differences = []
    for _ in range(20):
        values = rng.normal(0.5, 1.2, 3)
        placed = np.empty(3)
        placed[order] = values
        differences.append(Likelihood(ours).two_nll(values) + 2.0 * float(theirs.logpdf(placed, data)[0]))
    assert np.ptp(differences) < 1e-9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": [1.0, 2.0]}, "data has 2 bins, the regions have 1"),
        ({"data": [-1.0]}, "not negative"),
        ({"parameters": (KAPPA,)}, "no parameter 'b'"),
        ({"parameters": (KAPPA, KAPPA, Parameter(name="b"))}, "'kappa' is declared twice"),
        ({"poi": "kapa"}, "did you mean 'kappa'"),
    ],
)
def test_models_that_do_not_fit_together(changes, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(counting(), **changes)
