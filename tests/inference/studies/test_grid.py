import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.bins import Bins, Shared
from spectrafit.inference.studies.density import running, with_prediction
from spectrafit.inference.studies.grid import Grid, GridRegion, equal_statistics, equal_width, on_grid
from tests.inference.studies.test_optimise import X, Y, toy, two_regions

COARSE_X, COARSE_Y = X[[0, 3, 9, 20, -1]], Y[[0, 2, 7, -1]]


def dense(bins):
    """Covariance of all derivatives of all bins, (K, B, K, B), the samples summed."""
    count = len(bins.parameters)
    result = np.zeros((count, bins.size, count, bins.size))
    for k in range(count):
        result[k, range(bins.size), k, range(bins.size)] = bins.noise[k].sum(axis=0)
    for (j, k), (a, b), value in zip(bins.shared.parameters, bins.shared.bins, bins.shared.values, strict=True):
        result[j, a, k, b] += value
        result[k, b, j, a] += value
    return result


def test_merged_cells_are_what_filling_coarse_cells_gives():
    """What moves within a merged cell is no noise: the same events filled into the coarse cells say so."""
    merged, filled = toy(7).merged(((COARSE_X, COARSE_Y),)), toy(7, x=COARSE_X, y=COARSE_Y)
    for name in ("expected", "variance", "entries", "derivative", "noise"):
        np.testing.assert_allclose(getattr(merged.bins, name), getattr(filled.bins, name), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dense(merged.bins), dense(filled.bins), rtol=1e-9, atol=1e-9)
    assert len(merged.bins.shared.values) == len(filled.bins.shared.values)
    for fine, coarse in zip(merged.regions[0].edges, (COARSE_X, COARSE_Y), strict=True):
        np.testing.assert_array_equal(fine, coarse)


def test_noise_of_merged_cells_is_the_sum_over_their_covariances():
    grid = two_regions()
    rng = np.random.default_rng(2)
    pairs = [(j, k, a, b) for j in range(4) for k in range(j, 4) for a, b in rng.integers(0, 17, (20, 2)) if j != k]
    columns = np.array(pairs).T
    bins = grid.bins
    shared = Shared(
        parameters=columns[:2].T, samples=columns[0] % 2, bins=columns[2:].T, values=rng.normal(size=len(pairs))
    )
    bins = Bins(**{n: getattr(bins, n) for n in bins.__dataclass_fields__} | {"shared": shared})
    labels = rng.integers(-1, 5, bins.size)
    fold = (labels == np.arange(5)[:, None]).astype(float)
    wanted = np.einsum("ca,jakb,db->jckd", fold, dense(bins), fold)
    np.testing.assert_allclose(dense(bins.merged(labels, 5)), wanted, atol=1e-9)


def test_regions_are_numbered_one_after_the_other():
    grid = two_regions()
    edges = (tuple(axis[[0, 2, -1]] for axis in grid.regions[0].edges), (grid.regions[1].edges[0][[0, 3, -1]],))
    labels, count = grid.labels(edges)
    assert count == 6
    np.testing.assert_array_equal(labels, [0, 0, 1, 0, 0, 1, 2, 2, 3, 2, 2, 3, 4, 4, 4, 5, 5])
    assert grid.starts == (0, 12)
    assert grid.merged(edges).bins.expected.sum() == pytest.approx(grid.bins.expected.sum())


def test_windows_are_sums_over_neighbours():
    values = np.random.default_rng(1).uniform(size=(2, 6, 4))
    wanted = [
        [[row[max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3].sum() for j in range(4)] for i in range(6)]
        for row in values
    ]
    np.testing.assert_allclose(running(values, 2), wanted)


def test_prediction_of_empty_cells_is_near_the_true_density():
    few, many = with_prediction(toy(4)), toy(0, 500_000, 40_000)
    truth = many.bins.entries[1] / 100
    found = few.bins.predicted[1]
    assert found.sum() == pytest.approx(few.bins.entries[1].sum())
    empty = few.bins.entries[1] == 0
    # Of 540 cells a half are empty; together they hold what they should, which counting says is none.
    assert empty.sum() > 200
    assert found[empty].sum() == pytest.approx(truth[empty].sum(), rel=0.15)
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.5 * np.sqrt(np.mean((few.bins.entries[1] - truth) ** 2))
    # Merged, predictions add up like events, and the guard of a coarse bin is small.
    coarse = few.merged(((COARSE_X, COARSE_Y),)).bins
    assert coarse.predicted.sum() == pytest.approx(few.bins.predicted.sum())
    assert (few.bins.guard() < toy(4).bins.guard() + 1e-12).all()


def test_usual_binnings():
    grid = toy(1)
    x, y = equal_width(grid, [(7, 5)])[0]
    assert x.size <= 8
    np.testing.assert_allclose(y, np.linspace(0, 0.01, 6), atol=1e-12)
    x, y = equal_statistics(grid, [(4, 3)])[0]
    cells = grid.bins.expected.sum(axis=0).reshape(len(X) - 1, len(Y) - 1)
    shares = np.diff(np.r_[0, np.cumsum(cells.sum(axis=1))][np.searchsorted(X, x)]) / cells.sum()
    widest = cells.sum(axis=1).max() / cells.sum()
    np.testing.assert_allclose(shares, 0.25, atol=widest)
    assert y.size == 4
    assert [edges.tolist() for edges in equal_width(grid, [(1, 1)])[0]] == [[0.1, 5.0], [0.0, 0.01]]
    with pytest.raises(ConfigError, match="29 bins: the fine grid has 27 cells"):
        equal_width(grid, [(29, 2)])


def test_hand_made_edges_are_moved_onto_the_grid_or_refused():
    grid = toy(1)
    ((x, y),) = on_grid(grid, [([0.1, 0.36, 5.2], [0, 0.0031, 0.01])])
    assert x.tolist() == [0.1, 0.35, 5.0]
    assert y.tolist() == [0.0, 0.003, 0.01]
    with pytest.raises(ConfigError, match=r"region 'toy', x: no edge at 0.36 in the fine grid; the nearest is 0.35"):
        grid.merged((([0.1, 0.36, 5.0], Y),))
    with pytest.raises(ConfigError, match="two or more increasing"):
        on_grid(grid, [([0.1, 0.36, 0.34, 5.0], Y)])
    # What lies outside the first and the last edge is in no bin.
    cut = grid.merged((([0.2, 2.0], [0.0, 0.005]),)).bins.entries.sum(axis=1)
    cells = grid.bins.entries.reshape(2, X.size - 1, Y.size - 1)[:, 2 : X.tolist().index(2.0), :10]
    np.testing.assert_array_equal(cut, cells.sum(axis=(1, 2)))
    with pytest.raises(ConfigError, match="one list per axis of each region"):
        grid.merged(((X,),))


def test_shapes_are_checked():
    grid = toy(1)
    with pytest.raises(ValueError, match="cells of the regions for"):
        Grid(regions=(GridRegion(name="r", observables=("x",), edges=(X,)),), bins=grid.bins)
    with pytest.raises(ValueError, match="increasing numbers"):
        GridRegion(name="r", observables=("x",), edges=([1.0, 1.0],))
    with pytest.raises(ValueError, match="belongs in Bins"):
        Shared(parameters=[[1, 1]], samples=[0], bins=[[2, 2]], values=[1.0])
    with pytest.raises(ValueError, match="expected has shape"):
        Bins(**{n: getattr(grid.bins, n) for n in grid.bins.__dataclass_fields__} | {"expected": np.zeros((1, 3))})
    with pytest.raises(ValueError, match="read-only"):
        grid.bins.expected[0, 0] = 1.0
