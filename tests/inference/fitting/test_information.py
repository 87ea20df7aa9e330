import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.bins import Bins, Shared
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
    claimed = np.sqrt(np.mean([f.spread[0] ** 2 for f in found]))
    print(shape, simulated, "truth %.4f naive %.3f corrected %.3f +- %.3f spread %.3f claimed %.3f" % (truth, naive.mean(), corrected.mean(), corrected.std() / 60**.5, corrected.std(ddof=1), claimed))
