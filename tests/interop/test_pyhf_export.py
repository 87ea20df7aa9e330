import dataclasses
import math

import numpy as np
import pytest

import spectrafit as sf
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span, Variance
from spectrafit.interop.export import reference, to_workspace, write_workspace
from spectrafit.interop.pyhf import read_workspace

pyhf = pytest.importorskip("pyhf")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:pyhf"),
]


def model(*, powers=1, mc=0.0, gaussian=False):
    """Two regions; samples with log-normal and free normalisations, code 4p and principal-component morphs."""
    x = (np.arange(6) + 0.5) / 6
    shapes = {
        0: 90.0 * np.exp(-1.5 * x) + 8.0,
        1: 25.0 * np.exp(-5.0 * x) - 2.0 * (powers - 1),
        2: 9.0 * np.exp(-8.0 * x),
    }
    parameters = [
        Parameter(name="kappa", kind="interest", constraint="free"),
        Parameter(name="flux"),
        Parameter(name="scale"),
        Parameter(name="genie[0]"),
        Parameter(name="nc", initial=1.0, constraint="free", lower=0.0),
    ]
    if gaussian:
        parameters.append(Parameter(name="efficiency"))
    flux = Factor(parameter="flux", kind="exponential", values=(math.log(1.08),))
    components, variances = [], []
    for start, name in ((0, "near"), (6, "side")):
        wave = 0.06 * np.sin(5.0 * x + start)
        for p in range(1 + powers) if name == "near" else (0,):
            nominal = shapes[p] * (1.0 if name == "near" else 3.0)
            morphs = (
                Morph(parameter="scale", templates=np.array([nominal * (1 - 0.8 * wave), nominal * (1 + wave)])),
                Morph(parameter="genie[0]", kind="linear", templates=np.array([nominal - 0.5 * x, nominal + 0.5 * x])),
            )
            factors = (Factor(parameter="kappa", values=(float(p),)),) if p else ()
            if mc:
                variances.append(Variance(first=len(components), second=len(components), values=mc * np.abs(nominal)))
            components.append(
                Component(
                    sample="nue",
                    monomial=(("kappa", p),) * bool(p),
                    start=start,
                    nominal=nominal,
                    factors=(*factors, flux),
                    morphs=morphs,
                )
            )
        background = np.array([9.0, 7.0, 5.0, 4.0, 3.0, 0.0]) * (1.0 if name == "near" else 20.0)
        if mc:
            variances.append(Variance(first=len(components), second=len(components), values=mc * background))
        factors = (Factor(parameter="nc"),)
        if gaussian:
            factors += (Factor(parameter="efficiency", kind="linear", values=(0.2,)),)
        components.append(Component(sample="nc", start=start, nominal=background, factors=factors))
    result = Model(
        parameters=tuple(parameters),
        components=tuple(components),
        regions=(Span(name="near", start=0, stop=6), Span(name="side", start=6, stop=12)),
        data=np.zeros(12),
        variances=tuple(variances),
    )
    values = result.initial
    values[0] = 0.7
    return result.with_data(np.random.default_rng(11).poisson(Likelihood(result).predict(values).mean))


def referee(workspace, **options):
    spec = pyhf.Workspace(workspace)
    found = spec.model(**options)
    return found, spec.data(found)


def twice_nll(found, data, values):
    return float(np.ravel(pyhf.infer.mle.twice_nll(np.asarray(values), data, found))[0])


@pytest.mark.parametrize("powers", [1, 2])
@pytest.mark.parametrize("gaussian", [False, True])
def test_pyhf_has_the_same_likelihood(powers, gaussian):
    given = model(powers=powers, gaussian=gaussian)
    workspace, kappa, notes = to_workspace(given, kappa=1.3)
    assert kappa == 1.3
    assert len(notes) == (1 if powers == 2 else 0)
    found, data = referee(workspace)
    names = found.config.par_names
    rng = np.random.default_rng(5)
    differences = []
    for _ in range(20):
        values = given.initial + rng.normal(size=len(given.names)) * [0.5, 1.5, 1.5, 1.5, 0.2, 1.5][: len(given.names)]
        named = dict(zip(given.names, values, strict=True))
        if powers == 1:
            named["signal_strength"] = named.pop("kappa") / kappa
        else:
            values[0] = kappa
            named |= {"signal_strength_1": 1.0, "signal_strength_2": 1.0}
        differences.append(twice_nll(found, data, [named[n] for n in names]) - Likelihood(given).two_nll(values))
    # Inside one sigma a code 4 normsys follows an exponential of 8 % to 1e-12.
    np.testing.assert_allclose(differences, differences[0], atol=1e-8)
    assert found.config.suggested_fixed().count(True) == (2 if powers == 2 else 0)


@pytest.mark.parametrize("mc", [0.0, 0.02])
def test_pyhf_fits_the_same_answer(mc):
    given = model(mc=mc)
    best = fit(given)
    workspace, kappa, _ = to_workspace(given)
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-3))
    found, data = referee(workspace)
    values, nll = pyhf.infer.mle.fit(data, found, return_uncertainties=True, return_fitted_val=True)
    named = dict(zip(found.config.par_names, np.asarray(values), strict=True))
    value, error = named["signal_strength"] * kappa
    assert value == pytest.approx(best.kappa, abs=(2e-2 if mc else 1e-3) * best.kappa_error)
    assert error == pytest.approx(best.kappa_error, rel=2e-2 if mc else 2e-3)
    for name in given.names[1:]:
        assert named[name][0] == pytest.approx(best.value(name), abs=3e-2 * best.error(name))
    # Up to the constants of the Poisson and Gaussian terms.
    begun = twice_nll(found, data, found.config.suggested_init())
    here = dict(zip(given.names, given.initial, strict=True)) | {"kappa": kappa}
    gammas = Likelihood(dataclasses.replace(given, variances=())).two_nll([here[n] for n in given.names])
    assert begun - float(nll) == pytest.approx(gammas - best.two_nll, abs=2e-2 if mc else 1e-4)


def test_pyhf_fits_the_published_counting_experiment(walk):
    analysis = sf.load(walk.folder / "fits" / "nova_counting.toml")
    given = sf.assemble(analysis, sf.build(analysis, executor="serial"), unblind=True)
    best = fit(given)
    workspace, kappa, notes = to_workspace(given)
    assert notes == ()
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-3))
    found, data = referee(workspace)
    values = pyhf.infer.mle.fit(data, found, return_uncertainties=True)
    value, error = dict(zip(found.config.par_names, np.asarray(values), strict=True))["signal_strength"] * kappa
    assert value == pytest.approx(best.kappa, abs=1e-3 * best.kappa_error)
    # pyhf's HESSE differentiates numerically, through its limits.
    assert error == pytest.approx(best.kappa_error, rel=1e-2)
    assert twice_nll(found, data, found.config.suggested_init()) - twice_nll(
        found, data, [{"signal_strength": best.kappa / kappa}.get(n, 0.0) for n in found.config.par_names]
    ) == pytest.approx(Likelihood(given).two_nll([kappa, 0.0]) - Likelihood(given).two_nll([best.kappa, 0.0]), abs=1e-9)


@pytest.mark.parametrize("name", ["workspace.json", "workspace.json.gz"])
def test_what_is_written_is_read_back(name, tmp_path):
    given = model(mc=0.02)
    export = write_workspace(given, tmp_path / "deep" / name, kappa=0.9)
    assert export.kappa == 0.9
    assert "MC statistics" in str(export)
    again = read_workspace(export.path)
    mean = Likelihood(given).predict([0.9, *given.initial[1:]]).mean
    np.testing.assert_allclose(Likelihood(again).predict().mean, mean)
    assert again.poi == "signal_strength"
    best = fit(given)
    assert fit(again).kappa * 0.9 == pytest.approx(best.kappa, abs=1e-2 * best.kappa_error)
    assert write_workspace(given, tmp_path / name, kappa=0.9).path.read_bytes() == export.path.read_bytes()


def test_dropped_bins_are_left_out():
    given = model()
    used = np.ones(12, dtype=bool)
    used[[0, 7]] = False
    workspace, _, _ = to_workspace(dataclasses.replace(given, used=used))
    assert [len(s["data"]) for c in workspace["channels"] for s in c["samples"]] == [5] * 5
    assert workspace["observations"][1]["data"] == given.data[[6, 8, 9, 10, 11]].tolist()
    used[:6] = False
    workspace, _, _ = to_workspace(dataclasses.replace(given, used=used))
    assert [c["name"] for c in workspace["channels"]] == ["side"]


def test_reference_is_one_statistical_error():
    given = model()
    background, signal = (sum(c.nominal.sum() for c in given.components if c.power == p) for p in (0, 1))
    assert reference(given) == pytest.approx(math.sqrt(background) / signal, rel=0.4)
    background = dataclasses.replace(model(), components=model().components[-2:])
    assert reference(background) == 0.0
    workspace, kappa, _ = to_workspace(background)
    assert kappa == 0.0
    assert workspace["measurements"][0]["config"]["poi"] == ""


def test_no_bin_runs_out_of_events_within_the_bounds():
    given = model()
    workspace, kappa, _ = to_workspace(given)
    (low, high), *_ = workspace["measurements"][0]["config"]["parameters"][0]["bounds"]
    assert low < 0 < high
    assert np.all(Likelihood(given).predict([low * kappa, *given.initial[1:]]).mean > 0)


def test_approximations_are_noted():
    given = model(gaussian=True)
    nominal = given.components[0].nominal
    spline = Morph(
        parameter="scale",
        kind="spline",
        sigmas=(-2.0, -0.5, 3.0),
        templates=np.array([nominal * 0.9, nominal * 0.98, nominal * 1.2]),
    )
    bend = Morph(parameter="genie[0]", kind="code4", templates=np.array([nominal * 0.9, nominal * 1.2]))
    linear = Factor(parameter="efficiency", kind="linear", values=(0.1,))
    component = dataclasses.replace(given.components[0], morphs=(spline, bend), factors=(linear,))
    changed = dataclasses.replace(given, components=(component, *given.components[1:]))
    workspace, _, notes = to_workspace(changed, kappa=1.0)
    assert [n.split(":")[0] for n in notes] == ["efficiency", "scale", "genie[0]"]
    found, _ = referee(workspace)
    for name, sigma in (("scale", 1.0), ("scale", -1.0), ("genie[0]", 1.0), ("efficiency", -1.0)):
        values = given.initial
        values[given.index(name)] = sigma
        named = dict(zip(given.names, values, strict=True)) | {"signal_strength": 0.0}
        expected = found.expected_actualdata([named[n] for n in found.config.par_names])
        np.testing.assert_allclose(expected, Likelihood(changed).predict(values).mean, rtol=1e-10)


def _changed(**changes):
    return lambda given: dataclasses.replace(given, **changes)


def _with_factor(factor):
    def change(given):
        first = dataclasses.replace(given.components[0], factors=(factor,))
        return dataclasses.replace(given, components=(first, *given.components[1:]))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_changed(statistic="neyman-pearson"), "HistFactory is Poisson"),
        (_changed(correlations=(("flux", "scale", 0.5),)), "'flux' and 'scale' are correlated"),
        (
            _with_factor(Factor(parameter="nc", kind="exponential", values=(0.1,))),
            "'nc' is free and acts as exponential",
        ),
        (_with_factor(Factor(parameter="flux")), "no factor power of 1 for 'flux'"),
        (_with_factor(Factor(parameter="flux", kind="linear", values=(1.5,))), "no factor linear of 1.5 for 'flux'"),
    ],
)
def test_what_histfactory_cannot_say_is_refused(change, said):
    with pytest.raises(ConfigError, match=said):
        to_workspace(change(model()))


def test_more_refusals(tmp_path):
    given = model()
    wide = dataclasses.replace(given.parameters[1], width=2.0)
    with pytest.raises(ConfigError, match="'flux' has a gaussian constraint around 0 of width 2"):
        to_workspace(dataclasses.replace(given, parameters=(given.parameters[0], wide, *given.parameters[2:])))
    with pytest.raises(ConfigError, match=r"kappa = 0\.0 makes no signal"):
        to_workspace(given, kappa=0.0)
    export = write_workspace(model(mc=0.02), tmp_path / "w.json")
    with pytest.raises(ConfigError, match="read from a workspace"):
        to_workspace(read_workspace(export.path))
    with pytest.raises(DataError, match="cannot be written"):
        write_workspace(given, tmp_path / "w.json" / "below.json")
