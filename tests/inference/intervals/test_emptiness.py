import dataclasses
import json

import numpy as np
import pyhf
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from spectrafit.errors import DataError
from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.intervals.emptiness import Compared
from spectrafit.inference.intervals.limits import upper_limit
from spectrafit.inference.intervals.profile_limit import profiled
from spectrafit.inference.intervals.scan import Scan
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Parameter, Span
from spectrafit.interop.pyhf import read_workspace
from tests.inference.models import counting, spectrum

STATISTICS = ("poisson", "dembinski-abdelmotteleb", "neyman-pearson", "gaussian")


def small(statistic="poisson"):
    """Some tens of events in a few bins, as in the shipped analysis, and two nuisances."""
    return spectrum(bins=6, shapes=0, mc=0.0, scale=0.15, signal=60.0, statistic=statistic)


def test_every_limit_below_the_expected_band_is_told():
    model = small()
    mean = Likelihood(model).predict().mean
    band = Compared(Scan(model, 0.0), "two", cls=False)
    edge = band.band(-2.0, 0.9)
    # Feldman and Cousins' table X: 0.40 errors of a bounded normal mean, where the data are 2 errors low.
    assert edge == pytest.approx(0.40 * band.reference.error, rel=0.05)
    rng = np.random.default_rng(7)
    limits, empty, told = [], [], []
    for _ in range(2000):
        found = profiled(Scan(model, 0.0, rng.poisson(mean)), 0.9, "one", cls=False, expected=False, points=False)
        limits.append(found.kappa)
        empty.append(found.empty)
        told.append(bool(found.beside))
    limits, empty, told = map(np.array, (limits, empty, told))
    assert np.all(told[limits < edge])
    assert not np.any(told[limits > 1.4 * edge])
    # Few others: of normal estimators Phi(0.4 - 1.28) = 19 % lie below the edge, 10 % are empty.
    assert np.sum(told[limits >= edge]) < 0.03 * told.size
    assert 0.15 < told.mean() < 0.25
    assert np.all(limits[empty] == 0.0)
    # No accidental tiny limit, and coverage of 90 % intervals at kappa = 0, where only an empty interval misses.
    assert 0.03 < empty.mean() < 0.13
    assert np.sum(limits[~empty] < 1e-3 * edge) <= 4
    assert not empty[~told].any()


def test_emptiness_is_where_a_normal_estimator_puts_it():
    # chi-square with one bin: best kappa is n - b, of error sqrt(b), so the interval is empty below -1.2816 errors.
    model = counting(400.0, 400.0, 0.0, statistic="gaussian")
    z = norm.ppf(0.9)
    for deficit in (0.5, 1.0, 1.28, 1.2815, 1.2816, 1.29, 2.0, 6.0, 60.0 / 20):
        limit = upper_limit(model, data=[400.0 - 20.0 * deficit])
        assert limit.empty == (deficit > z)
        assert limit.kappa == pytest.approx(max(20.0 * (z - deficit), 0.0), abs=2e-4)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("n", [0.0, 3.0, 8.0, 10.0])
def test_all_statistics_know_an_empty_interval(statistic, n):
    model = counting(n, 23.78, 0.05, statistic=statistic)
    limit = upper_limit(model)
    assert limit.empty
    assert limit.kappa == limit.value == 0.0
    assert "EMPTY INTERVAL" in str(limit)
    for options in ({"sides": "two"}, {"method": "cls"}):
        other = upper_limit(model, **options)
        assert not other.empty
        # Where the data are below the 1 % quantile too, the other method is told beside these limits as well.
        rare = limit.standing.significance < norm.ppf(0.01)
        assert list(other.beside) == (["feldman-cousins" if "method" in options else "cls"] if rare else [])
        # Below the median limit of about 1.3 to 1.7 errors of 5 events, and no accident.
        assert 0.3 < other.kappa < 9.0
        key = "cls" if "method" in options else "feldman-cousins"
        assert limit.beside[key] == pytest.approx(other.kappa, rel=1e-6)


def test_no_event_over_three_is_empty_and_names_what_to_use():
    # P(0 | 3) is below 10 % for every kappa. CLs and Feldman-Cousins of this textbook case: 1.953 and 0.95 events.
    limit = upper_limit(counting(0.0, 3.0, 0.0))
    assert limit.empty
    assert "use cls or feldman-cousins, which do not give an empty interval: cls gives 1.953" in limit.notes[0]
    assert limit.beside["feldman-cousins"] == pytest.approx(0.95, abs=0.01)
    assert any("asymptotic formula does not hold here: about 3 expected events" in note for note in limit.notes)
    record = limit.summary()
    assert record["empty"] is True
    assert record["beside"] == limit.beside


@pytest.mark.parametrize("b", [2.0, 3.0, 23.78, 500.0])
def test_rounding_makes_no_limit_of_an_empty_bin(b):
    limit = upper_limit(counting(0.0, b, 0.0), expected=False)
    # sqrt(b) errors below the boundary: q = 2 kappa, q_A = kappa^2 / b.
    assert limit.empty == (np.sqrt(b) > norm.ppf(0.9))
    deep = upper_limit(counting(0.0, b, 0.0), method="cls", expected=False)
    assert np.isfinite(deep.kappa)
    assert deep.kappa > 0.5


def test_a_small_limit_is_told_and_an_ordinary_one_is_not():
    low = upper_limit(counting(19.0, 23.78, 0.05))
    assert not low.empty
    assert 0 < low.kappa < low.beside["cls"]
    assert "not because the measurement is that sensitive" in low.notes[0]
    assert upper_limit(counting(25.0, 23.78, 0.05)).notes == ()


@pytest.mark.parametrize("sides", ["one", "two"])
def test_the_score_runs_straight_into_the_boundary(sides):
    scan = Scan(counting(14.0, 23.78, 0.05), 0.0)
    tested = Compared(scan, sides, cls=False)
    # The limit of the formula is half the slope of 2NLL at the boundary times the Asimov data's error.
    slope = scan.problem.gradient(scan.at(0.0).values)[scan.index]
    assert tested.score(0.0) == pytest.approx(0.5 * slope * tested.reference.error, rel=1e-3)
    places = np.linspace(0.0, 6.0, 60) * tested.near
    scores = np.array([tested.score(k) for k in places])
    assert np.all(np.diff(scores) > 0)
    assert np.ptp(np.diff(scores)) < 0.05 * np.mean(np.diff(scores))


def workspace_like(n, *, upper, lower=0.0):
    """One bin with a bounded signal strength, as a HistFactory workspace has it."""
    return Model(
        parameters=(
            Parameter(name="mu", kind="interest", initial=1.0, constraint="free", lower=lower, upper=upper),
            Parameter(name="a"),
        ),
        components=(
            Component(sample="s", nominal=[10.0], factors=(Factor(parameter="mu"),)),
            Component(sample="b", nominal=[50.0], factors=(Factor(parameter="a", kind="code4", values=(0.8, 1.2)),)),
        ),
        regions=(Span(name="SR", start=0, stop=1),),
        data=[n],
        poi="mu",
        floor=np.zeros(1),
        asimov=False,
    )


@pytest.mark.parametrize("lower", [-5.0, 0.0, 0.5])
def test_bounds_of_the_parameter_of_interest_do_not_cap_a_limit(lower):
    wide = upper_limit(workspace_like(65.0, upper=100.0), level=0.95, method="cls")
    narrow = upper_limit(workspace_like(65.0, upper=3.0, lower=lower), level=0.95, method="cls")
    # pyhf's upper_limit of this workspace.
    assert wide.kappa == pytest.approx(3.7064, abs=2e-4)
    assert wide.notes == ()
    assert narrow.kappa == pytest.approx(wide.kappa, rel=1e-6)
    np.testing.assert_allclose(narrow.expected.kappas, [1.3422, 1.8100, 2.5433, 3.5463, 4.7252], atol=5e-4)
    assert "the limit lies beyond the bound of mu, 3" in narrow.notes[0]


def test_an_empty_interval_of_a_bounded_signal_strength():
    limit = upper_limit(workspace_like(20.0, upper=10.0))
    assert limit.best_kappa == 0.0
    assert limit.empty
    assert limit.beside["cls"] == pytest.approx(upper_limit(workspace_like(20.0, upper=10.0), method="cls").kappa)


def test_a_limit_far_beyond_the_bound_is_pyhfs(tmp_path):
    # pyhf's simple model of uncorrelated background with its signal divided by 20.
    def modifier(kind, name, data=None):
        return {"name": name, "type": kind, "data": data}

    signal = {"name": "s", "data": [0.6, 0.55], "modifiers": [modifier("normfactor", "mu")]}
    background = {"name": "b", "data": [50.0, 52.0], "modifiers": [modifier("shapesys", "u", [3.0, 7.0])]}
    channels = [{"name": "c", "samples": [signal, background]}]
    theirs = pyhf.Model({"channels": channels}, poi_name="mu", validate=False)
    data = [51.0, 48.0, *theirs.config.auxdata]
    bounds = [(0, 100), *theirs.config.suggested_bounds()[1:]]
    assert theirs.config.par_order[0] == "mu"

    def cls(mu):
        return float(pyhf.infer.hypotest(mu, data, theirs, test_stat="qtilde", par_bounds=bounds)) - 0.05

    path = tmp_path / "w.json"
    workspace = {
        "channels": channels,
        "observations": [{"name": "c", "data": [51.0, 48.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    path.write_text(json.dumps(workspace))
    limit = upper_limit(read_workspace(path), level=0.95, method="cls")
    assert limit.kappa == pytest.approx(brentq(cls, 10.0, 40.0, xtol=1e-3), rel=1e-3)
    assert limit.kappa == pytest.approx(20.231, rel=1e-3)
    np.testing.assert_allclose([limit.expected.kappas[i] for i in (0, 4)], [11.198, 41.016], rtol=1e-3)
    assert "beyond the bound of mu, 10" in limit.notes[0]


def test_no_limit_where_kappa_is_degenerate():
    model = Model(
        parameters=(
            Parameter(name="kappa", kind="interest", constraint="free"),
            Parameter(name="flux", initial=1.0, constraint="free"),
        ),
        components=(
            Component(sample="s", nominal=[78.6], factors=(Factor(parameter="flux"),)),
            Component(
                sample="s",
                monomial=(("kappa", 1),),
                nominal=[8.2],
                factors=(Factor(parameter="kappa"), Factor(parameter="flux")),
            ),
        ),
        regions=(Span(name="r", start=0, stop=1),),
        data=[78.6],
    )
    result = fit(model)
    assert not result.valid
    assert "kappa, flux are degenerate" in result.message
    with pytest.raises(DataError, match="2NLL does not change with kappa and flux"):
        upper_limit(model)


def test_notes_say_few_events():
    few = upper_limit(counting(0.0, 0.016, 0.1), simulation=False)
    assert "use feldman-cousins, cls-toys or bayes" in few.notes[-1]
    # Exact limits without events: 2.30. The formula gives much less, which is why it is told.
    assert few.kappa < 2.0
    exact = upper_limit(counting(0.0, 0.016, 0.0), method="bayes", expected=False)
    assert exact.kappa == pytest.approx(-np.log(0.1), rel=1e-5)
    assert exact.notes == ()
    # Events in bins without sensitivity do not help.
    aside = Model(
        parameters=(Parameter(name="kappa", kind="interest", constraint="free"),),
        components=(
            Component(sample="b", nominal=[0.5, 1000.0]),
            Component(sample="s", monomial=(("kappa", 1),), nominal=[1.0, 0.0], factors=(Factor(parameter="kappa"),)),
        ),
        regions=(Span(name="r", start=0, stop=2),),
        data=[0.0, 1000.0],
    )
    assert "asymptotic formula does not hold" in upper_limit(aside, method="cls").notes[0]
    assert upper_limit(dataclasses.replace(aside, data=np.array([30.0, 1000.0])), method="cls").notes == ()


def test_cls_from_toys_says_why_data_far_too_low_have_no_limit():
    with pytest.raises(DataError, match="none of 300 toys of kappa = 0 is as low as the data"):
        upper_limit(spectrum(bins=3, shapes=0, mc=0.0), method="cls-toys", toys=300, data=[0.0, 0.0, 0.0])
