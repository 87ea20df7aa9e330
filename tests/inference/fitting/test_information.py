import numpy as np
import pytest
from scipy.stats import poisson

from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.bins import Bins, Shared, guard_of
from spectrafit.inference.fitting.information import ALARM, constraints, covariance, information

TOTAL, SCALE_X, SCALE_Y, SHIFT = 150.0, 0.8, 0.02, 0.03


def quantiles(scale, bins):
    """Edges of equal expectation of an exponential distribution; the last bin has no end."""
    return np.r_[-scale * np.log1p(-np.linspace(0, 1, bins + 1)[:-1]), np.inf]


def shifted_events(seed, simulated, edges_x, edges_y):
    """Exponential events in x and y, x scaled by 3 %: what moves is kept by pairs of bins."""
    rng = np.random.default_rng(seed)
    x, y, w = rng.exponential(SCALE_X, simulated), rng.exponential(SCALE_Y, simulated), TOTAL / simulated
    rows, columns = len(edges_x) - 1, len(edges_y) - 1
    size = rows * columns
    column = np.digitize(y, edges_y) - 1
    at, up, down = ((np.digitize(x * f, edges_x) - 1) * columns + column for f in (1, 1 + SHIFT, 1 - SHIFT))
    n, plus, minus = (np.bincount(c, minlength=size) * w for c in (at, up, down))
    moved = up != down
    keys, counts = np.unique(np.sort([down[moved], up[moved]], axis=0), axis=1, return_counts=True)
    zeros = np.zeros(len(counts), int)
    noise = (np.bincount(up[moved], minlength=size) + np.bincount(down[moved], minlength=size)) * w**2 / 4
    return Bins(
        parameters=("scale",),
        prior=[1.0],
        samples=("events",),
        background=[False],
        expected=[n],
        variance=[n * w],
        entries=[n / w],
        derivative=[[(plus - minus) / 2]],
        noise=[[noise]],
        shared=Shared(
            parameters=np.column_stack([zeros, zeros]), samples=zeros, bins=keys.T, values=-counts * w**2 / 4
        ),
    )


def true_information(edges_x, edges_y, simulated):
    """The same with all probabilities known, and the simulation's variance as a simulation of that size has it."""

    def below(edges):
        return np.where(np.isinf(edges), 1.0, -np.expm1(-np.where(np.isinf(edges), 0.0, edges) / SCALE_X))

    slope = (np.diff(below(edges_x / (1 + SHIFT))) - np.diff(below(edges_x / (1 - SHIFT)))) / 2
    columns = len(edges_y) - 1
    return (slope**2 / np.diff(below(edges_x))).sum() * TOTAL / (1 + TOTAL / simulated) * np.ones(columns).mean()


@pytest.mark.parametrize("simulated", [300, 1000, 10_000])
@pytest.mark.parametrize("shape", [(5, 3), (10, 6), (30, 20), (58, 44)])
def test_noise_subtracted_leaves_the_true_information(shape, simulated):
    edges_x, edges_y = quantiles(SCALE_X, shape[0]), quantiles(SCALE_Y, shape[1])
    truth = true_information(edges_x, edges_y, simulated)
    found = [information(shifted_events([i, simulated], simulated, edges_x, edges_y)) for i in range(60)]
    naive = np.array([f.data[0, 0] for f in found])
    corrected = np.array([(f.data - f.noise)[0, 0] for f in found])
    error = corrected.std(ddof=1) / np.sqrt(corrected.size)
    assert corrected.mean() == pytest.approx(truth, abs=3.5 * error)
    # The naive information has the noise on top, up to two hundred times the truth.
    assert naive.mean() - truth == pytest.approx(np.mean([f.noise[0, 0] for f in found]), abs=3.5 * error)
    if shape == (58, 44):
        assert naive.mean() > 100 * truth
    # The error stated is right, and too large, never too small, where few events carry the noise.
    claimed = np.sqrt(np.mean([f.spread[0] ** 2 for f in found]))
    assert 0.8 < claimed / corrected.std(ddof=1) < 3.0


def linear(slopes, mean, noise=0.0, variance=0.0, prior=(0.0, 1.0)):
    """Bins of one sample with given derivatives and no shared noise."""
    mean = np.asarray(mean, float)
    return Bins(
        parameters=("kappa", "nuisance")[: len(slopes)],
        prior=prior[: len(slopes)],
        samples=("all",),
        background=[False],
        expected=[mean],
        variance=[mean * 0 + variance],
        entries=[mean * 0 + 10],
        derivative=np.asarray(slopes, float)[:, None],
        noise=(np.zeros(mean.size) + np.asarray(noise, float))[..., None, :] * np.ones((len(slopes), 1, 1)),
    )


def test_without_noise_it_is_the_information_of_the_likelihood():
    """Against second derivatives of a Poisson likelihood with a factor per bin, taken by differences."""
    slopes, mean, variance = np.array([[1.0, 3.0, 2.0], [4.0, 1.0, -2.0]]), np.array([20.0, 15.0, 30.0]), 2.5
    found = information(linear(slopes, mean, variance=variance))

    def nll(theta):
        gamma = theta[2:]
        y = (mean + theta[:2] @ slopes) * gamma
        return (y - mean * np.log(y)).sum() + theta[1] ** 2 / 2 + ((gamma - 1) ** 2 * mean**2 / (2 * variance)).sum()

    point, step = np.r_[0, 0, 1, 1, 1], 1e-3 * np.eye(5)
    hessian = np.array(
        [
            [(nll(point + a + b) - nll(point + a - b) - nll(point - a + b) + nll(point - a - b)) / 4e-6 for a in step]
            for b in step
        ]
    )
    wanted = np.linalg.inv(hessian)[:2, :2]
    np.testing.assert_allclose(found.covariance(), wanted, rtol=1e-4)
    assert found.error() == pytest.approx(np.sqrt(wanted[0, 0]), rel=1e-4)
    assert found.error() == found.error(corrected=False)
    assert found.error("nuisance") == pytest.approx(np.sqrt(wanted[1, 1]), rel=1e-4)
    with pytest.raises(ConfigError, match="did you mean 'kappa'"):
        found.error("kapa")


def test_information_that_is_not_positive_is_told_and_no_nan():
    slopes = np.array([[3.0, 4.0], [1.0, -1.0]])
    bins = linear(slopes, [10.0, 10.0], noise=[[0.0, 0.0], [5.0, 5.0]])
    found = information(bins)
    assert found.negative == ("nuisance",)
    # Noise was all there was of the nuisance: the prior alone is left.
    assert found.error("nuisance") == pytest.approx(1.0, abs=0.05)
    assert np.isfinite(found.error())
    (alarm,) = constraints(bins)
    assert alarm.alarm
    assert alarm.noise > ALARM
    assert alarm.naive < alarm.corrected <= 1.0 + 1e-9
    assert alarm.samples == {"all": 1.0}
    assert alarm.summary()["alarm"] is True
    # Nothing but noise of kappa itself, and no prior: not known at all.
    nothing = information(linear(slopes[:1], [10.0, 10.0], noise=[[90.0, 90.0]]))
    assert nothing.error() == np.inf
    assert nothing.negative == ("kappa",)
    assert nothing.error(corrected=False) == pytest.approx(np.sqrt(10) / 5)


def test_nothing_expected_is_nothing_known():
    found = information(linear([[0.0, 0.0]], [0.0, 0.0]))
    assert found.error() == np.inf
    with_empty = information(linear([[3.0, 0.0], [1.0, 0.0]], [10.0, 0.0]))
    assert with_empty.error() == information(linear([[3.0], [1.0]], [10.0])).error()


def test_covariances_in_one_go_are_those_one_by_one():
    rng = np.random.default_rng(4)
    roots = rng.normal(size=(6, 3, 5))
    data = roots @ np.swapaxes(roots, 1, 2) - np.eye(3) * rng.uniform(0, 4, (6, 1, 1))
    prior, scale = np.array([0.0, 1.0, 0.5]), np.full(3, 3.0)
    together = covariance(data, prior, scale)
    for one, matrix in zip(together, data, strict=True):
        np.testing.assert_allclose(one, covariance(matrix, prior, scale), rtol=1e-9)
        if np.linalg.eigvalsh(matrix)[0] > 0:
            np.testing.assert_allclose(one, np.linalg.inv(matrix + np.diag(prior)), rtol=1e-9)


@pytest.mark.parametrize("events", [0.03, 0.3, 1, 3, 10, 30])
@pytest.mark.parametrize("others", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("weight", [0.02, 0.1, 0.5])
def test_few_events_do_not_profit(events, others, weight):
    """The mean over Poisson numbers of events of one over the guarded variance is one over the true variance."""
    n = np.arange(200)
    chances, unit = poisson.pmf(n, events), weight + weight**2
    v = others + n * unit
    truth = 1 / (others + events * unit)
    for predicted, least in ((events, 0.89), (1e3, 0.95 if events >= 3 else 0.0)):
        guarded = v + guard_of(np.array([[unit]]), (n * unit)[None], v, np.full((1, n.size), predicted))
        assert least * truth < chances @ (1 / guarded) < 1.01 * truth
    assert chances @ (1 / v) > truth


def test_constraints_name_samples_and_bins_that_carry_the_noise():
    edges_x, edges_y = quantiles(SCALE_X, 30), quantiles(SCALE_Y, 20)
    few, many = (shifted_events(3, n, edges_x, edges_y) for n in (300, 1_000_000))
    both = Bins(
        parameters=("scale",),
        prior=[1.0],
        samples=("few", "many"),
        background=[True, False],
        **{n: np.concatenate([getattr(few, n), getattr(many, n)]) for n in ("expected", "variance", "entries")},
        **{n: np.concatenate([getattr(few, n), getattr(many, n)], axis=1) for n in ("derivative", "noise")},
    )
    (found,) = constraints(both)
    assert found.alarm
    assert list(found.samples) == ["few", "many"]
    assert found.samples["few"] > 0.95
    assert sum(found.samples.values()) == pytest.approx(1.0)
    shares = [share for _, share in found.bins]
    assert shares == sorted(shares, reverse=True)
    # With the derivatives of the large sample alone there is nothing to be alarmed about.
    (alone,) = constraints(both.only(["many"]))
    assert not alone.alarm
    assert list(alone.samples) == ["many"]
