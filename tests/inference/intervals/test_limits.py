import dataclasses
import inspect
import pickle

import numpy as np
import pyhf
import pytest

from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.intervals import asymptotic, construction
from spectrafit.inference.intervals.limits import METHODS, bare_limit, methods, upper_limit
from spectrafit.inference.intervals.scan import Scan, crossing
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.toys import ensemble as toys
from spectrafit.physics.couplings import COUPLINGS
from tests.inference.models import counting, spectrum


def pyhf_workspace(n, b, sigma):
    sample = {
        "name": "b",
        "data": [b],
        "modifiers": [{"name": "n", "type": "normsys", "data": {"lo": 1 / sigma, "hi": sigma}}],
    }
    signal = {"name": "s", "data": [1.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    model = pyhf.Model({"channels": [{"name": "c", "samples": [signal, sample]}]}, poi_name="mu", validate=False)
    return model, [n, *model.config.auxdata]


@pytest.mark.parametrize("n", [18.0, 25.0, 40.0])
def test_asymptotic_cls_is_pyhfs(n):
    theirs, data = pyhf_workspace(n, 23.78, 1.109)
    limit = upper_limit(counting(n, kind="exponential", sigma=0.109), method="cls", level=0.95)
    # ln(1.109) in ours, as code4's exponential (the polynomial between +-1 differs by 1e-4).
    ours = counting(n, kind="exponential", sigma=np.log(1.109))
    limit = upper_limit(ours, method="cls", level=0.95)
    observed, expected = pyhf.infer.hypotest(
        limit.kappa, data, theirs, test_stat="qtilde", return_expected_set=True, par_bounds=[[0, 100], [-8, 8]]
    )
    assert float(observed) == pytest.approx(0.05, abs=5e-4)
    middle = pyhf.infer.hypotest(
        limit.expected.kappas[2], data, theirs, test_stat="qtilde", return_expected=True, par_bounds=[[0, 100], [-8, 8]]
    )[1]
    assert float(middle) == pytest.approx(0.05, abs=5e-4)
    assert len(expected) == 5


def test_asymptotic_distributions_are_those_of_a_normal_with_a_boundary():
    rng = np.random.default_rng(1)
    kappa = 0.8
    hats = rng.normal(kappa, 1.0, 400_000)
    to_best = (hats - kappa) ** 2
    two = np.where(hats < 0, kappa**2 - 2 * kappa * hats, to_best)
    one = np.where(hats > kappa, 0.0, two)
    for value in (0.1, 0.5, 1.5, 4.0):
        assert asymptotic.two_sided(value, kappa**2) == pytest.approx(np.mean(two >= value), abs=0.003)
        assert asymptotic.one_sided(value, kappa**2) == pytest.approx(np.mean(one >= value), abs=0.003)
    null = rng.normal(0.0, 1.0, 400_000)
    statistic = np.where(null < 0, kappa**2 - 2 * kappa * null, (null - kappa) ** 2) * (null <= kappa)
    expected = np.mean(one >= 1.5) / np.mean(statistic >= 1.5)
    assert asymptotic.cls(1.5, kappa**2) == pytest.approx(expected, abs=0.005)


def test_bands_are_the_limits_of_fluctuated_data():
    # A Gaussian chi-square: kappa_hat is n - b exactly, so the band at z is the limit of n = b + z sigma.
    for sides in ("one", "two"):
        model = counting(400.0, 400.0, 0.0, statistic="gaussian")
        bands = upper_limit(model, level=0.95, sides=sides).expected.kappas
        for z, band in zip((-2, -1, 0, 1, 2), bands, strict=True):
            data = [400.0 + 20.0 * z]
            assert band == pytest.approx(upper_limit(model, level=0.95, sides=sides, data=data).kappa, abs=1e-3)


def test_a_bare_limit_is_the_limit_without_the_scan():
    model = counting(23.0)
    for method in ("profile", "cls"):
        whole, bare = upper_limit(model, method=method, level=0.95), bare_limit(model, method=method, level=0.95)
        assert whole.points["kappa"].size > 10
        assert not bare.points["kappa"].size
        assert (bare.kappa, bare.expected.kappas) == (whole.kappa, whole.expected.kappas)
    assert len(inspect.signature(upper_limit).parameters) <= 8


def test_reported_unit_is_the_root():
    model = dataclasses.replace(counting(), couplings={"kappa": "magnetic_moment"})
    limit = upper_limit(model)
    assert limit.unit == "mu_B"
    assert limit.value == pytest.approx(1e-9 * np.sqrt(limit.kappa))
    assert limit.expected.values[2] == pytest.approx(COUPLINGS["magnetic_moment"].reported(limit.expected.kappas[2]))


def test_error_follows_into_the_reported_unit():
    model = dataclasses.replace(counting(), couplings={"kappa": "magnetic_moment"})
    limit = upper_limit(model, method="feldman-cousins", toys=300, expected=False)
    assert limit.error == pytest.approx(0.5 * limit.value / limit.kappa * limit.kappa_error, rel=0.05)
    assert f"+- {limit.error:.1g}" in str(limit)


def test_both_signs_of_a_coupling():
    model = dataclasses.replace(counting(400.0, 400.0, 0.0), couplings={"kappa": "charge_radius"})
    limit = upper_limit(model, sides="two")
    assert limit.boundary == "none: both signs of kappa are physical"
    # Delta 2NLL = 2.71 on both sides of the Poisson likelihood.
    for end in (limit.kappa, limit.lower_kappa):
        mean = 400.0 + end
        assert 2 * (mean - 400 + 400 * np.log(400 / mean)) == pytest.approx(2.7055, abs=1e-3)
    assert limit.lower_kappa < 0 < limit.kappa
    with pytest.raises(ConfigError, match="bayes-mu needs a coupling with kappa >= 0"):
        upper_limit(model, method="bayes-mu")
    # What is offered as all methods are those that are not refused.
    assert methods(counting()) == tuple(METHODS)
    assert methods(dataclasses.replace(model, couplings={"kappa": "magnetic_moment"})) == tuple(METHODS)
    assert methods(model) == ("profile", "feldman-cousins", "bayes")


def test_an_excess_has_two_ends():
    limit = upper_limit(counting(60.0), sides="two")
    assert limit.lower_kappa > 0
    assert "interval's upper end" in str(limit)


def test_a_deep_deficit_excludes_everything_and_says_so():
    limit = upper_limit(counting(8.0))
    assert limit.kappa == 0.0
    assert "use cls or feldman-cousins" in limit.notes[0]
    assert upper_limit(counting(8.0), method="cls").kappa > 1.0


def test_every_method_says_what_it_did():
    model = dataclasses.replace(spectrum(bins=6, shapes=1), couplings={"kappa": "magnetic_moment"})
    limits = {m: upper_limit(model, method=m, toys=300) for m in METHODS}
    for method, limit in limits.items():
        text = str(limit)
        assert method in text
        assert limit.sides == ("two" if method == "feldman-cousins" else "one")
        assert limit.statistic in text
        assert "kappa >= 0" in limit.boundary
        low2, low1, median, high1, high2 = limit.expected.values
        assert low2 <= low1 < median < high1 < high2
        # Asimov data: the limit is itself the median, within toys and asymptotics.
        assert limit.value == pytest.approx(median, rel=0.15)
        assert "points" not in limit.summary()
    assert limits["feldman-cousins"].ledger.fits > 0
    assert limits["bayes-mu"].value < limits["bayes"].value


def test_toys_agree_with_asymptotics_where_they_hold():
    # Large counts, no MC statistics: Feldman-Cousins is the two-sided bounded profile, CLs the asymptotic CLs.
    model = spectrum(bins=8, shapes=1, mc=0.0, scale=50.0)
    data = np.random.default_rng(2).poisson(model.data)
    for toy, plain, sides in (("feldman-cousins", "profile", "two"), ("cls-toys", "cls", None)):
        ours = upper_limit(model, method=toy, toys=3000, data=data)
        theirs = upper_limit(model, method=plain, sides=sides, data=data)
        assert ours.kappa == pytest.approx(theirs.kappa, abs=4 * ours.kappa_error)
        assert ours.kappa_error < 0.05 * ours.kappa
        np.testing.assert_allclose(ours.expected.kappas[1:], theirs.expected.kappas[1:], rtol=0.12)


def test_bayes_marginalises():
    # One bin, two Gaussian nuisances that add up: the same as one of their quadratic sum.
    from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span
    from tests.inference.models import KAPPA

    morphs = tuple(
        Morph(parameter=n, kind="linear", templates=np.array([[50.0 - s], [50.0 + s]]))
        for n, s in (("a", 3.0), ("b", 4.0))
    )
    two = Model(
        parameters=(KAPPA, Parameter(name="a"), Parameter(name="b")),
        components=(
            Component(sample="b", nominal=[50.0], morphs=morphs),
            Component(sample="s", monomial=(("kappa", 1),), nominal=[1.0], factors=(Factor(parameter="kappa"),)),
        ),
        regions=(Span(name="r", start=0, stop=1),),
        data=[55.0],
    )
    one = counting(55.0, 50.0, 0.1)
    for method in ("bayes", "bayes-mu"):
        a, b = (upper_limit(m, method=method, expected=False) for m in (one, two))
        assert a.kappa == pytest.approx(b.kappa, abs=max(5e-3, 5 * b.kappa_error))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "feldman"}, "no method 'feldman'.*did you mean 'feldman-cousins'"),
        ({"level": 90}, "needs 0.5 < level < 1"),
        ({"method": "cls", "sides": "two"}, "cls is one-sided"),
        ({"method": "feldman-cousins", "sides": "one"}, "feldman-cousins is two-sided"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(ConfigError, match=message):
        upper_limit(counting(), **options)


def test_no_limit_when_toys_fail(monkeypatch):
    monkeypatch.setattr(construction, "MOST_FAILED", -1.0)
    with pytest.raises(DataError, match=r"no limit: 0\.0 % of the toy fits failed"):
        upper_limit(counting(), method="feldman-cousins", toys=100)


def test_no_parameter_of_interest_no_limit():
    model = dataclasses.replace(counting(), poi="")
    with pytest.raises(ConfigError, match="no parameter of interest"):
        upper_limit(model)


def test_asimov_of_the_data_is_free_of_fluctuations():
    model = spectrum(mc=0.3)
    data = np.random.default_rng(3).poisson(model.data)
    scan = Scan(model, 0.0, data)
    reference = scan.asimov()
    assert reference.best.two_nll == pytest.approx(0.0, abs=1e-9)
    assert reference.kappa == pytest.approx(0.0, abs=1e-5)
    np.testing.assert_allclose(reference.best.values, scan.at(0.0).values, atol=1e-5)


def test_crossing():
    assert crossing(lambda x: np.cos(x), 0.0, 3.0) == pytest.approx(np.pi / 2, abs=1e-6)
    assert crossing(lambda x: 1.0 if x < 0.3 else -1e-9, 0.0, 1.0) == pytest.approx(0.3, abs=1e-5)


def test_models_travel():
    model = spectrum()
    digest = Likelihood(model).digest
    fit(model)
    again = pickle.loads(pickle.dumps(model))
    assert Likelihood(again).digest == digest
    assert fit(again).two_nll == fit(model).two_nll


def test_columns_of_toys_are_what_they_say():
    model = spectrum(mc=0.0)
    truth = model.initial
    truth[0] = 2.0
    of = toys.ensemble(model, truth)
    rows, ledger = toys.run(of, [0.0, 2.0], toys=400)
    assert ledger.fits >= 1200
    assert ledger.failed == 0
    expected = fit(model, data=Likelihood(model).predict(truth).mean)
    assert np.std(rows[:, toys.KAPPA]) == pytest.approx(expected.kappa_error, rel=0.1)
    assert np.mean(rows[:, toys.KAPPA]) == pytest.approx(2.0, abs=0.2)
    assert np.median(rows[:, toys.ERROR]) == pytest.approx(expected.kappa_error, rel=0.05)
    assert np.all(rows[:, toys.TESTED :] >= rows[:, toys.BEST, None] - 1e-6)
    below = rows[:, toys.KAPPA] < 0
    assert np.array_equal(np.isfinite(rows[:, toys.BOUND]), below)
    np.testing.assert_allclose(rows[below, toys.BOUND], rows[below, toys.TESTED], atol=1e-6)


def test_a_squared_coupling_has_two_minima():
    # T0 + kappa T1 + kappa^2 T2 in one bin: two kappas give the counts exactly.
    from spectrafit.inference.model import Component, Factor, Model, Span
    from tests.inference.models import KAPPA

    model = Model(
        parameters=(KAPPA,),
        components=(
            Component(sample="s", nominal=[400.0, 300.0]),
            Component(
                sample="s", monomial=(("kappa", 1),), nominal=[-40.0, -31.0], factors=(Factor(parameter="kappa"),)
            ),
            Component(
                sample="s",
                monomial=(("kappa", 2),),
                nominal=[10.0, 8.0],
                factors=(Factor(parameter="kappa", values=(2.0,)),),
            ),
        ),
        regions=(Span(name="r", start=0, stop=2),),
        data=[430.0, 325.0],
        couplings={"kappa": "charge_radius"},
    )
    kappas = np.linspace(-4.0, 8.0, 2401)
    means = np.array([[400 - 40 * k + 10 * k * k, 300 - 31 * k + 8 * k * k] for k in kappas])
    curve = 2 * np.sum(means - model.data + model.data * np.log(model.data / means), axis=1)
    deepest, left = np.argmin(curve), np.argmin(curve[kappas < 2])
    result = fit(model)
    assert result.two_nll == pytest.approx(curve[deepest], abs=1e-3)
    assert result.kappa == pytest.approx(kappas[deepest], abs=0.01)
    limit = upper_limit(model, sides="two")
    other = left if deepest != left else np.argmin(np.where(kappas > 2, curve, np.inf))
    assert f"second minimum at kappa = {kappas[other]:.2f}"[:-1] in limit.notes[0]
    inside = np.flatnonzero(np.diff(np.sign(curve - curve[deepest] - 2.7055)))
    ends = kappas[inside]
    near = ends[np.argsort(np.abs(ends - kappas[deepest]))[:2]]
    assert sorted(near) == pytest.approx([limit.lower_kappa, limit.kappa], abs=0.01)
    with pytest.raises(ConfigError, match="both signs of 'charge_radius' are physical"):
        upper_limit(model, method="cls")


def test_feldman_and_cousins_of_almost_no_expected_event():
    # Without background the limit of no event is at most where P(0) = e^-s is 0.1; toys' auxiliary measurements split
    # the ties of the toys without an event, which is why it may be lower.
    model = spectrum(bins=2, shapes=0, mc=1e-7, scale=1e-5)
    limit = upper_limit(model, data=[0.0, 0.0], method="feldman-cousins", toys=500, expected=False)
    assert limit.ledger.disagreed == 0
    assert limit.ledger.checked > 0
    events = limit.kappa * float(np.sum(model.components[1].nominal))
    assert 1.2 < events < 2.6


@pytest.mark.parametrize("method", METHODS)
def test_a_simulation_that_knows_no_rate_gives_no_limit(method):
    # Its error grows with kappa as the expectation does, so that 2NLL does not rise beyond some kappa.
    model = spectrum(bins=2, shapes=0, mc=1e-4, scale=1e-5)
    with pytest.raises(DataError, match=r"no limit: .* the data say next to nothing about kappa"):
        upper_limit(model, data=[0.0, 0.0], method=method, toys=20)
