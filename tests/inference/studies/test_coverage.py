import numpy as np
import pytest
from scipy.stats import beta

from spectrafit.errors import ConfigError
from spectrafit.inference.intervals.acceptance import Question
from spectrafit.inference.intervals.limits import METHODS
from spectrafit.inference.intervals.scan import Scan
from spectrafit.inference.model import Component, Factor, Model, Span, Variance
from spectrafit.inference.studies.coverage import coverage
from spectrafit.inference.toys.options import ToyOptions
from tests.inference.models import KAPPA, counting, spectrum


def test_intervals_cover():
    model = spectrum(bins=6, shapes=1, mc=0.02, scale=3.0)
    found = coverage(
        model, [0.0, 0.4, 1.5], methods=["profile", "feldman-cousins", "cls"], experiments=300, toys=99, sides="two"
    )
    assert found.methods == ("profile (two)", "feldman-cousins (two)", "cls (one)")
    assert found.failed == 0
    # 300 experiments: one standard deviation is 1.7 %.
    np.testing.assert_allclose(found.fraction[:, 1], 0.90, atol=0.055)
    np.testing.assert_allclose(found.fraction[:, 0], 0.90, atol=0.055)
    assert np.all(found.fraction[:, 2] > 0.88)
    assert found.fraction[0, 2] > 0.95


def test_a_bayesian_limit_flat_in_kappa_covers_at_least():
    # Flat in the signal of a Poisson count with known background: coverage above the credibility (a known property).
    found = coverage(counting(5.0, 3.0, 0.0), [0.5, 3.0], methods=["bayes"], experiments=200)
    assert np.all(found.fraction > 0.87)


def test_counting_coverage_is_the_sum_of_poisson_probabilities():
    from scipy.stats import poisson

    from spectrafit.inference.intervals.limits import upper_limit

    kappa, b = 4.0, 3.0
    n = np.arange(0, 30)
    limits = np.array([upper_limit(counting(float(k), b, 0.0), method="cls", expected=False).kappa for k in n])
    expected = poisson.pmf(n, kappa + b)[limits >= kappa].sum()
    found = coverage(counting(b, b, 0.0), [kappa], methods=["cls"], experiments=1000)
    assert found.fraction[0, 0] == pytest.approx(expected, abs=0.03)


def test_the_same_for_any_workers_and_thrown_nuisances():
    model = spectrum(bins=4, shapes=1)
    options = {"methods": ["profile"], "experiments": 60, "truth": "thrown"}
    serial = coverage(model, [1.0], **options)
    threads = coverage(model, [1.0], **options, toys=ToyOptions(toys=199, executor="threads", workers=2))
    assert np.array_equal(serial.accepted, threads.accepted)
    shifted = coverage(model, [1.0], **{**options, "truth": {"norm": 2.0}})
    assert "norm" in shifted.truth
    assert "thrown" in serial.truth


def test_bands_are_clopper_and_pearsons():
    found = coverage(counting(), [0.0, 5.0], methods=["profile"], experiments=50)
    low, high = found.band
    for k, n, lo, hi in zip(found.accepted.ravel(), found.experiments.ravel(), low.ravel(), high.ravel(), strict=True):
        assert lo == pytest.approx(beta.ppf(0.1587, k, n - k + 1) if k else 0.0)
        assert hi == pytest.approx(beta.ppf(0.8413, k + 1, n - k) if k < n else 1.0)
    assert "coverage of 90 % intervals" in str(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["profiles"]}, "no method 'profiles'.*did you mean 'profile'"),
        ({"toys": 200}, "needs .1 - level. .toys . 1. to be whole"),
        ({"truth": {"x": 1.0}}, "no parameter 'x'"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(ConfigError, match=message):
        coverage(counting(), **options)


# 400 background events in 12 bins, made of 10 simulated ones in each, under a signal of many events.
SHAPE = np.exp(-4.0 * (np.arange(12) + 0.5) / 12)
BACKGROUND, MODERN, MOMENT = np.full(12, 400.0 / 12), 4.0 * SHAPE, 50.0 * SHAPE / SHAPE.sum()


def few_events(treatment, events=None):
    """Return the model of the mean, or of a simulation that had so many background events in each bin."""
    had = np.full(12, 10.0) if events is None else events
    background = BACKGROUND * had / 10.0
    factor = (Factor(parameter="kappa"),)
    return Model(
        parameters=(KAPPA,),
        components=(
            Component(sample="background", nominal=background),
            Component(sample="signal", nominal=MODERN),
            Component(sample="signal", monomial=(("kappa", 1),), nominal=MOMENT, factors=factor),
        ),
        regions=(Span(name="nd", start=0, stop=12),),
        data=background + MODERN,
        couplings={"kappa": "magnetic_moment"},
        mc_statistics=treatment,
        variances=(
            Variance(first=0, second=0, values=had * (BACKGROUND / 10.0) ** 2),
            Variance(first=1, second=1, values=1e-4 * MODERN),
            Variance(first=2, second=2, values=1e-4 * MOMENT),
        ),
    )


def test_few_events_of_a_background_cover_too_little_with_a_factor_for_all_samples():
    options = {"methods": ["profile"], "sides": "two", "experiments": 400}
    shares = {
        (treatment, simulation): coverage(few_events(treatment), [0.0], simulation=simulation, **options).fraction[0, 0]
        for treatment in ("barlow-beeston-lite", "barlow-beeston")
        for simulation in ("thrown", "samples")
    }
    # 400 experiments: one standard deviation is 1.5 %. A simulation thrown as the lite factors say hides what it costs.
    assert shares["barlow-beeston-lite", "thrown"] > 0.87
    assert shares["barlow-beeston-lite", "samples"] < 0.86
    assert shares["barlow-beeston", "samples"] == pytest.approx(0.90, abs=0.04)
    # The same with numpy's random numbers: simulated events by bin, models made of them, one experiment each.
    rng, held = np.random.default_rng(8), 0
    for _ in range(400):
        scan = Scan(
            few_events("barlow-beeston-lite", rng.poisson(10.0, 12).astype(float)),
            0.0,
            rng.poisson(BACKGROUND + MODERN).astype(float),
        )
        question = Question(scan=scan, kappa=0.0, level=0.9, sides="two", toys=ToyOptions())
        held += METHODS["profile"].acceptance(question)[0]
    assert shares["barlow-beeston-lite", "samples"] == pytest.approx(held / 400, abs=0.08)


def test_a_simulation_by_samples_says_so_and_needs_one():
    found = coverage(few_events("barlow-beeston"), [1.0], methods=["profile"], simulation="samples", experiments=5)
    assert found.simulation == "thrown anew, each sample by its number of events"
    with pytest.raises(ConfigError, match="no MC statistics to throw"):
        coverage(counting(), simulation="samples", methods=["profile"], experiments=5)
