import dataclasses

import boost_histogram as bh
import msgspec
import numpy as np
import pytest

from spectrafit import config
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.assemble import as_fitted, assemble
from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.likelihood import Likelihood
from spectrafit.physics.couplings import Monomials
from spectrafit.templates.regions import RegionBins
from spectrafit.templates.templates import Templates
from spectrafit.templates.variations import NOMINAL, Variation


def analysis(**changes):
    fields = {
        "samples": "s.toml",
        "pot": 1e20,
        "regions": (
            config.Region(name="a", axes=(config.Axis(observable="t_reco", edges=(0.0, 1.0, 2.0, 3.0)),)),
            config.Region(name="b", axes=(config.Axis(observable="t_reco", edges=(3.0, 4.0, 5.0)),)),
        ),
        "path": "fits/test.toml",
    }
    return config.Analysis(**{**fields, **changes})


def region(name, edges, start):
    return RegionBins(name=name, axes=(bh.axis.Variable(edges),), observables=("t_reco",), labels=("T",), start=start)


def templates(powers=1, **changes):
    """Two samples (signal with powers of kappa, background) in regions of 3 and 2 bins; one knob, one component."""
    rng = np.random.default_rng(1)
    variations = (
        NOMINAL,
        Variation(parameter="knob", sigma=-1.0, group="detector", samples=("signal", "background")),
        Variation(parameter="knob", sigma=1.0, group="detector", samples=("signal", "background")),
        Variation(parameter="flux[0]", sigma=-1.0, group="flux", samples=("signal",), interpolation="linear"),
        Variation(parameter="flux[0]", sigma=1.0, group="flux", samples=("signal",), interpolation="linear"),
    )
    nominal = np.zeros((2, 1 + powers, 5))
    nominal[0, 0] = [20.0, 12.0, 6.0, 9.0, 4.0]
    nominal[0, 1] = [8.0, 3.0, 1.0, 0.5, 0.2]
    if powers == 2:
        nominal[0, 1] = [-4.0, 0.001, 1.0, 0.5, 0.2]
        nominal[0, 2] = [2.0, 1.0, 0.5, 0.2, 0.1]
    nominal[1, 0] = [30.0, 20.0, 15.0, 10.0, 8.0]
    counts = np.repeat(nominal[:, None], 5, axis=1)
    knob = 0.1 * rng.normal(size=5)
    counts[:, 1] *= 1.0 - knob
    counts[:, 2] *= 1.0 + 1.1 * knob
    counts[0, 3] *= 0.95
    counts[0, 4] *= 1.05
    squares = np.zeros((2, 1 + 2 * powers, 5))
    squares[:, 0] = 0.02 * nominal[:, 0]
    squares[0, 1] = 0.03 * np.abs(nominal[0, 1])
    squares[0, 2] = 0.02 * np.abs(nominal[0, -1])
    if powers == 2:
        squares[0, 3:] = 0.01
    fields = {
        "samples": ("signal", "background"),
        "roles": ("signal", "background"),
        "titles": ("nu-e", "other"),
        "regions": (region("a", [0.0, 1.0, 2.0, 3.0], 0), region("b", [3.0, 4.0, 5.0], 3)),
        "monomials": Monomials(parameters=("kappa",), exponents=tuple((p,) for p in range(1 + powers))),
        "variations": variations,
        "counts": counts,
        "squares": squares,
        "entries": np.full((2, 5), 1000),
        "residual": np.zeros((1 + 2 * powers, 5)),
        "flow": np.zeros((2, 1 + powers, 2)),
    }
    return Templates(**{**fields, **changes})


def norms():
    return (
        config.Norm(name="n_bg", sigma=0.2, samples=("background",), group="norm"),
        config.Norm(name="n_sm", sigma=0.1, samples=("signal",), powers="sm", constraint="gaussian"),
        config.Norm(name="n_free", free=True, samples=("background",), regions=("b",)),
    )


def test_prediction_is_what_the_analysis_says():
    made, model = templates(), assemble(analysis(systematics=norms()), templates())
    assert model.names == ("kappa", "n_bg", "n_sm", "n_free", "knob", "flux[0]")
    assert {p.name: p.group for p in model.parameters} == {
        "kappa": "",
        "n_bg": "norm",
        "n_sm": "",
        "n_free": "",
        "knob": "detector",
        "flux[0]": "flux",
    }
    kappa, n_bg, n_sm, n_free, knob, flux = values = np.array([1.7, 0.6, -0.8, 1.3, 1.0, -2.0])
    signal, background = made.counts[:, 2]  # the knob at +1
    nominal = made.counts[:, 0]
    change = flux * 0.05 * nominal[0]
    free = np.where(np.arange(5) < 3, 1.0, n_free)
    expected = (signal[0] + change[0]) * (1 + 0.1 * n_sm) + kappa * (signal[1] + change[1])
    expected = expected + background[0] * 1.2**n_bg * free
    np.testing.assert_allclose(Likelihood(model).predict(values).mean, expected, rtol=1e-12)
    assert knob == 1.0


def test_variance_follows_kappa():
    made = templates()
    model = assemble(analysis(), made)
    for kappa in (0.0, 0.8, -0.5):
        values = model.initial
        values[0] = kappa
        np.testing.assert_allclose(Likelihood(model).predict(values).variance, made.variance(kappa), rtol=1e-12)
    assert assemble(analysis(fit=config.FitOptions(mc_statistics="none")), made).variances == ()


def test_interference_that_cancels_keeps_its_variance():
    made = templates(powers=2)
    model = assemble(analysis(coupling="charge_radius"), made)
    for kappa in (0.0, 0.7, -0.7):
        values = model.initial
        values[0] = kappa
        np.testing.assert_allclose(Likelihood(model).predict(values).variance, made.variance(kappa), rtol=1e-12)
    # Bin 1's interference all but cancels: a change of it must not blow the variance up.
    values = model.initial
    values[:] = [0.7, 2.0, 2.0]
    assert Likelihood(model).predict(values).variance[1] < 3 * made.variance(0.7)[1]


def test_residual_variance_stays():
    residual = np.array([[0.5, 0.1, 0.0, 0.0, 0.2], [0.1, 0.0, 0.0, 0.0, 0.0], [0.0, 0.3, 0.0, 0.0, 0.0]])
    made = templates(residual=residual)
    model = assemble(analysis(fit=config.FitOptions(mc_statistics="none")), made)
    values = model.initial
    values[0] = 2.0
    np.testing.assert_allclose(Likelihood(model).predict(values).variance, [0.7, 1.3, 0.0, 0.0, 0.2])


def test_residual_variance_grows_with_what_is_normalised():
    residual = np.array([[0.5, 0.1, 0.0, 0.0, 0.2], [0.1, 0.0, 0.0, 0.0, 0.0], [0.0, 0.3, 0.0, 0.0, 0.0]])
    everything = config.Normalise(samples=("signal", "background"), region="b", expected=3.0 * (9.0 + 4.0 + 10.0 + 8.0))
    options = {"fit": config.FitOptions(mc_statistics="none"), "normalise": (everything,)}
    model = assemble(analysis(**options), templates(residual=residual))
    values = model.initial
    values[0] = 2.0
    np.testing.assert_allclose(Likelihood(model).predict(values).variance, 9.0 * np.array([0.7, 1.3, 0.0, 0.0, 0.2]))
    made = as_fitted(analysis(**options), templates(residual=residual))
    np.testing.assert_allclose(made.residual, 9.0 * residual)


def test_data_of_other_bins_than_the_templates_have_are_refused():
    # As many bins, and other edges: of templates that were rebinned, or of edges that --set gave.
    first, second = analysis().regions
    other = msgspec.structs.replace(first, axes=(config.Axis(observable="t_reco", edges=(0.0, 1.0, 2.5, 3.0)),))
    moved = analysis(data={"a": (1.0, 2.0, 3.0)}, regions=(other, second))
    with pytest.raises(ConfigError, match="are for the bins of the TOML, but the templates have other edges"):
        assemble(moved, templates(data=np.ones(5)), unblind=True)
    assert assemble(moved, templates(data=np.ones(5))).asimov


def test_asimov_unless_unblinded():
    observed = np.array([60.0, 30.0, 20.0, 15.0, 14.0])
    made = templates(data=observed)
    blind = assemble(analysis(), made)
    assert blind.asimov
    np.testing.assert_allclose(blind.data, made.counts[:, 0, 0].sum(axis=0))
    assert fit(blind).kappa == pytest.approx(0.0, abs=1e-6)
    real = assemble(analysis(data={"a": (1.0, 2.0, 3.0)}), made, unblind=True)
    assert not real.asimov
    np.testing.assert_allclose(real.data - observed, [1, 2, 3, 0, 0])
    given = assemble(analysis(), made, data=[1.0, 2.0, 3.0, 4.0, 5.0])
    np.testing.assert_allclose(given.data, [1, 2, 3, 4, 5])


def with_extra(made):
    """The same templates with a third sample, known by its counts only, as `tabulate` makes it."""
    counts, squares = np.zeros((1, *made.counts.shape[1:])), np.zeros((1, *made.squares.shape[1:]))
    counts[0, :, 0] = [0.0, 0.0, 0.0, 2.0, 4.0]
    squares[0, 0] = [0.0, 0.0, 0.0, 0.25, 1.0]
    return dataclasses.replace(
        made,
        samples=(*made.samples, "extra"),
        roles=(*made.roles, "background"),
        titles=(*made.titles, "More"),
        counts=np.concatenate([made.counts, counts]),
        squares=np.concatenate([made.squares, squares]),
        entries=np.concatenate([made.entries, np.zeros((1, 5), int)]),
        flow=np.concatenate([made.flow, np.zeros((1, *made.flow.shape[1:]))]),
        tabulated=("extra",),
    )


def test_counts_and_normalise():
    counts = config.CountsSample(name="extra", counts={"b": (2.0, 4.0)}, errors={"b": (0.5, 1.0)}, title="More")
    rule = config.Normalise(samples=("signal", "extra"), region="b", expected=38.0)
    made = templates()
    model = assemble(analysis(counts=(counts,), normalise=(rule,)), with_extra(made))
    scale = 38.0 / (9.0 + 4.0 + 2.0 + 4.0)
    expected = scale * (made.counts[0, 0, 0] + [0, 0, 0, 2.0, 4.0]) + made.counts[1, 0, 0]
    np.testing.assert_allclose(model.data, expected)
    variance = scale**2 * (made.squares[0, 0] + [0, 0, 0, 0.25, 1.0]) + made.squares[1, 0]
    np.testing.assert_allclose(Likelihood(model).predict().variance, variance)
    assert model.titles["extra"] == "More"


def test_norm_alone_is_one_bin_a_region():
    made = templates()
    whole = assemble(analysis(systematics=norms()), made)
    model = assemble(
        analysis(systematics=norms(), fit=config.FitOptions(terms="norm")), made, data=[60, 30, 20, 15, 14]
    )
    assert model.n_bins == 2
    np.testing.assert_allclose(model.data, [110.0, 29.0])
    values = np.array([1.7, 0.6, -0.8, 1.3, 0.4, -2.0])
    np.testing.assert_allclose(
        Likelihood(model).predict(values).mean,
        np.add.reduceat(Likelihood(whole).predict(values).mean, [0, 3]),
        rtol=1e-12,
    )


def test_shape_alone_ignores_each_regions_total():
    made = templates()
    options = config.FitOptions(terms="shape", mc_statistics="none")
    results = []
    for scale in (1.0, 2.0):
        data = np.array([60.0, 30.0, 20.0, 15.0, 14.0]) * [1, 1, 1, scale, scale]
        model = assemble(analysis(fit=options), made, data=data)
        assert model.names[-2:] == ("norm[a]", "norm[b]")
        # Counts of region b are as likely with double statistics only if its norm is free.
        results.append(fit(model, fixed={"kappa": 0.5, "knob": 0.0, "flux[0]": 0.0}))
    assert results[1].value("norm[a]") == pytest.approx(results[0].value("norm[a]"), rel=1e-6)
    assert results[1].value("norm[b]") == pytest.approx(2.0 * results[0].value("norm[b]"), rel=1e-6)


def test_empty_bins_are_ruled():
    made = templates()
    counts = np.array(made.counts)
    counts[:, :, :, 4] = 0.0
    empty = dataclasses.replace(made, counts=counts)
    with pytest.raises(DataError, match=r"1 of 5 bins expect no events at kappa = 0: b\[1\] \(0\); merge bins"):
        assemble(analysis(), empty)
    dropped = assemble(analysis(fit=config.FitOptions(zero_bins="drop")), empty)
    assert dropped.zero_bins == ("b[1]",)
    assert list(dropped.used) == [True, True, True, True, False]
    floor = assemble(analysis(fit=config.FitOptions(zero_bins="floor", floor=1e-3)), empty)
    assert floor.data[4] == pytest.approx(1e-3)
    assert fit(floor).valid


def test_correlations_reach_the_likelihood():
    options = config.FitOptions(correlations=(config.Correlation(parameters=("knob", "flux[0]"), value=0.5),))
    model = assemble(analysis(fit=options), templates())
    assert model.correlations == (("knob", "flux[0]", 0.5),)
    assert fit(model).correlation[1, 2] == pytest.approx(0.5, abs=0.1)


def test_several_sigmas_make_a_spline():
    made = templates()
    variations = (
        NOMINAL,
        *(Variation(parameter="k", sigma=s, samples=("signal",), interpolation="spline") for s in (-2, -1, 1, 2)),
    )
    counts = np.repeat(made.counts[:, :1], 5, axis=1)
    for v, s in enumerate((-2, -1, 1, 2), 1):
        counts[0, v] *= 1 + 0.1 * s + 0.02 * s * s
    model = assemble(analysis(), dataclasses.replace(made, variations=variations, counts=counts))
    for v, s in enumerate((-2, -1, 1, 2), 1):
        np.testing.assert_allclose(Likelihood(model).predict([0.0, s]).mean, counts[:, v, 0].sum(axis=0), rtol=1e-12)


def test_a_wider_prior_constrains_less():
    wide = {"n_bg": 2.0, "knob": 0.5}
    made = templates()
    narrow = tuple(dataclasses.replace(v, width=wide.get(v.parameter, 1.0)) for v in made.variations)
    widened = tuple(msgspec.structs.replace(n, prior_width=wide.get(n.name, 1.0)) if not n.free else n for n in norms())
    plain = Likelihood(assemble(analysis(systematics=norms()), made))
    other = Likelihood(assemble(analysis(systematics=widened), dataclasses.replace(made, variations=narrow)))
    values = np.array([1.7, 0.6, -0.8, 1.3, 1.0, -2.0])
    # The expectation is the same; the priors are (theta / width)^2.
    difference = 0.6**2 * (1.0 / 2.0**2 - 1.0) + 1.0**2 * (1.0 / 0.5**2 - 1.0)
    assert other.two_nll(values) - plain.two_nll(values) == pytest.approx(difference, rel=1e-9)
    clash = (*widened, config.Norm(name="knob", sigma=0.1, prior_width=3.0))
    with pytest.raises(ConfigError, match=r"'knob' is one parameter of two systematics whose prior_width is 3 and 0.5"):
        assemble(analysis(systematics=clash), dataclasses.replace(made, variations=narrow))


@pytest.mark.parametrize(
    ("changes", "options", "error", "message"),
    [
        ({"data": {"c": (1.0,)}}, {"unblind": True}, ConfigError, "no region 'c'"),
        ({"data": {"a": (1.0,)}}, {"unblind": True}, ConfigError, "1 values for region 'a', which has 3 bins"),
        ({"data": {"a": (1.0, 2.0, 3.0)}}, {"unblind": True}, DataError, "no data for region b"),
        (
            {"normalise": (config.Normalise(samples=("signl",), region="a", expected=1.0),)},
            {},
            ConfigError,
            "no sample 'signl'; did you mean 'signal'",
        ),
        (
            {"normalise": (config.Normalise(samples=("signal",), region="x", expected=1.0),)},
            {},
            ConfigError,
            "no region 'x'",
        ),
        ({}, {"data": [1.0, 2.0]}, ConfigError, "data has 2 bins"),
    ],
)
def test_mistakes(changes, options, error, message):
    with pytest.raises(error, match=message):
        assemble(analysis(**changes), templates(), **options)
