import dataclasses
import itertools
import json

import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.bins import Bins, Shared
from spectrafit.inference.fitting.information import information
from spectrafit.inference.studies.density import with_prediction
from spectrafit.inference.studies.grid import Grid, GridRegion, equal_statistics
from spectrafit.inference.studies.judgement import judge
from spectrafit.inference.studies.merging import blocks
from spectrafit.inference.studies.optimise import Rules, optimise
from spectrafit.inference.studies.partition import best_partition

X = np.round(np.concatenate([np.linspace(0.1, 1.0, 19), np.linspace(1.2, 2.0, 5), [2.5, 3.0, 4.0, 5.0]]), 6)
Y = np.round(np.linspace(0.0, 0.01, 21), 6)
PARAMETERS = ("kappa", "signal", "background", "scale")
LOGS = np.log(X[-1] / X[0])


def toy(seed, signal=5000, background=400, x=X, y=Y):
    """Grid of a forward signal that kappa changes by 1 / x, and a background without direction; x is known to 3 %."""
    rng = np.random.default_rng(seed)
    size = (len(x) - 1) * (len(y) - 1)
    events = (
        (rng.exponential(1.2, signal) + 0.08, rng.exponential(0.0006, signal), 75.0 / signal),
        (rng.exponential(0.9, background) + 0.08, rng.uniform(0, 0.0102, background), 100.0 / background),
    )
    expected, variance, entries = (np.zeros((2, size)) for _ in range(3))
    derivative, noise = (np.zeros((4, 2, size)) for _ in range(2))
    shared = []
    for s, (t, q, weight) in enumerate(events):

        def cell(t, q=q):
            inside = (t >= x[0]) & (t < x[-1]) & (q < y[-1])
            return np.where(inside, (np.digitize(t, x) - 1) * (len(y) - 1) + np.digitize(q, y) - 1, size)

        def add(cells, values):
            return np.bincount(cells, values, size + 1)[:size]

        at, up, down = cell(t), cell(1.03 * t), cell(0.97 * t)
        w = np.full(t.size, weight)
        expected[s], variance[s], entries[s] = add(at, w), add(at, w**2), add(at, np.ones(t.size))
        slopes = {1: 0.09 * w, 0: 0.12 * w / t} if s == 0 else {2: 0.3 * w}
        for k, slope in slopes.items():
            derivative[k, s], noise[k, s] = add(at, slope), add(at, slope**2)
        if s == 0:
            both = add(at, slopes[0] * slopes[1])
            shared += [(0, 1, s, b, b, value) for b, value in enumerate(both) if value]
        derivative[3, s] = (add(up, w) - add(down, w)) / 2
        moved = up != down
        noise[3, s] = add(up[moved], w[moved] ** 2 / 4) + add(down[moved], w[moved] ** 2 / 4)
        pairs = np.sort([up[moved], down[moved]], axis=0)
        pairs, counts = np.unique(pairs[:, pairs[1] < size], axis=1, return_counts=True)
        shared += [(3, 3, s, a, b, -n * weight**2 / 4) for (a, b), n in zip(pairs.T, counts, strict=True)]
    columns = np.array(shared).T
    whole = columns[:5].astype(int)
    bins = Bins(
        parameters=PARAMETERS,
        prior=[0, 1, 1, 1],
        samples=("signal", "background"),
        background=[False, True],
        expected=expected,
        variance=variance,
        entries=entries,
        derivative=derivative,
        noise=noise,
        shared=Shared(parameters=whole[:2].T, samples=whole[2], bins=whole[3:5].T, values=columns[5]),
    )
    return Grid(regions=(GridRegion(name="toy", observables=("x", "y"), edges=(x, y)),), bins=bins)


@pytest.fixture(scope="module")
def truth():
    """A hundred times the simulation."""
    return toy(0, 500_000, 40_000)


def test_the_binning_is_as_good_as_it_claimed(truth):
    pulls = []
    for seed in range(1, 6):
        found = optimise(with_prediction(toy([seed, 0])), with_prediction(toy([seed, 1])), starts=1)
        known = truth.merged(found.edges).bins
        # With a hundred times the simulation, and with as little of it but no luck.
        more = information(known).error()
        same = information(dataclasses.replace(known, variance=known.variance * 100)).error()
        assert more < found.judging.guarded + 3 * found.judging.uncertainty
        pulls.append((same - found.judging.guarded) / found.judging.uncertainty)
        best = information(truth.bins).error()
        assert same < 1.12 * best, "nor did the binning give away what can be known"
    assert np.abs(pulls).max() < 3.5
    assert abs(np.mean(pulls)) < 3 / np.sqrt(len(pulls))


def one_axis(signal, background, weight=0.2, nuisance=True):
    """Cells along one axis: a signal known to any precision, and `background` events of a given weight."""
    signal, background = np.asarray(signal, float), np.asarray(background, float)
    cells = signal.size
    zero = np.zeros(cells)
    bins = Bins(
        parameters=("kappa", "background"),
        prior=[0, 1],
        samples=("signal", "background"),
        background=[False, True],
        expected=[signal, background * weight],
        variance=[signal * 1e-6, background * weight**2],
        entries=[signal * 1e6, background],
        derivative=[[signal, zero], [zero, 0.3 * background * weight * nuisance]],
        noise=np.zeros((2, 2, cells)),
    )
    axis = np.arange(cells + 1.0)
    return Grid(regions=(GridRegion(name="line", observables=("x",), edges=(axis,)),), bins=bins)


def test_a_cell_without_background_by_chance_is_not_cut_out():
    lucky = one_axis(np.full(9, 0.5), [3, 2, 4, 3, 0, 3, 2, 4, 3], weight=1.0)
    # As the fit would have it, the empty cell on its own is best of all.
    alone, whole = ((np.array([0.0, 4, 5, 9]),),), ((np.array([0.0, 9]),),)
    assert judge(lucky.merged(alone).bins).naive < 0.9 * judge(lucky.merged(whole).bins).naive
    (edges,) = optimise(lucky, lucky).edges[0]
    assert not {4.0, 5.0} <= set(edges)


def all_binnings(grid):
    axes = [(r, a, e) for r, region in enumerate(grid.regions) for a, e in enumerate(region.edges)]
    choices = [
        [
            np.r_[e[0], [x for x, keep in zip(e[1:-1], kept, strict=True) if keep], e[-1]]
            for kept in np.ndindex(*[2] * (e.size - 2))
        ]
        for _, _, e in axes
    ]
    for pick in itertools.product(*choices):
        yield tuple(
            tuple(edges for (at, _, _), edges in zip(axes, pick, strict=True) if at == r)
            for r in range(len(grid.regions))
        )


def two_regions(seed=3):
    """A plane of 4 x 3 cells and a line of 5, from the toy's events."""
    plane = toy(seed, x=np.array([0.1, 0.3, 0.6, 1.2, 5.0]), y=np.array([0, 0.001, 0.003, 0.01]))
    line = toy(seed + 1, x=np.array([0.1, 0.2, 0.4, 0.9, 2.0, 5.0]), y=np.array([0, 0.01]))
    a, b = plane.bins, line.bins
    shared = [np.concatenate([getattr(a.shared, n), getattr(b.shared, n)]) for n in ("parameters", "samples", "values")]
    bins = dataclasses.replace(
        a,
        **{
            n: np.concatenate([getattr(a, n), getattr(b, n)], axis=-1)
            for n in ("expected", "variance", "entries", "predicted")
        },
        **{n: np.concatenate([getattr(a, n), getattr(b, n)], axis=-1) for n in ("derivative", "noise", "residual")},
        shared=Shared(
            parameters=shared[0],
            samples=shared[1],
            values=shared[2],
            bins=np.concatenate([a.shared.bins, b.shared.bins + a.size]),
        ),
    )
    region = GridRegion(name="line", observables=("x",), edges=line.regions[0].edges[:1])
    return Grid(regions=(plane.regions[0], region), bins=bins)


def test_one_in_all_binnings_of_two_regions_is_found():
    grid = two_regions()
    rules = Rules(entries=0, background_entries=0, bins=12)
    found = optimise(grid, grid, rules=rules, starts=10)

    def score(edges):
        bins = grid.merged(edges).bins
        return information(bins, guarded=True).error() * (1 + rules.price * bins.size) if bins.size <= 12 else np.inf

    best = min(score(edges) for edges in all_binnings(grid))
    assert score(found.edges) == pytest.approx(best, rel=2e-3)
    assert found.training.bins <= 12


@pytest.mark.parametrize("region", [0, 1])
def test_what_an_edge_costs_is_what_merging_costs(region):
    grid = two_regions()
    plain = blocks(grid, entries=0, background_entries=0, relative_error=np.inf)

    def total(edges):
        found = information(grid.merged(edges).bins, guarded=True)
        return found.data - found.noise

    assert sum(block.information()[0] for block in plain) == pytest.approx(total(grid.edges), rel=1e-9, abs=1e-9)
    for axis, edges in enumerate(grid.regions[region].edges):
        changes = plain[region].candidates(axis)
        assert len(changes) == edges.size - 2
        for edge, change in enumerate(changes, start=1):
            fewer = [list(axes) for axes in grid.edges]
            fewer[region][axis] = np.delete(edges, edge)
            difference = total(tuple(map(tuple, fewer))) - total(grid.edges)
            np.testing.assert_allclose(change, difference, rtol=1e-8, atol=1e-8)


def test_rules_are_kept():
    training, judging = toy(11), toy(12)
    steps, widths = ((0.25, 0.001),), ((0.3 * (X[:-1] + X[1:]) / 2 + 0.1, None),)
    rules = Rules(
        bins=15, entries=40, background_entries=8, relative_error=0.3, negligible=0, steps=steps, widths=widths
    )
    found = optimise(training, judging, rules=rules, starts=1)
    assert found.training.bins <= 15
    assert found.training.entries >= 40
    assert found.training.background_entries >= 8
    assert found.training.relative_error <= 0.3
    assert found.exempt == 0
    summary = json.loads(json.dumps(found.summary()))
    assert summary["edges"] == [[edges.tolist() for edges in found.edges[0]]]
    assert summary["judging"]["guarded"] == found.judging.guarded
    x, y = found.edges[0]
    for edges, step in ((x, 0.25), (y, 0.001)):
        np.testing.assert_allclose(np.round(edges[1:-1] / step), edges[1:-1] / step, atol=1e-9)
    assert (np.diff(x) >= 0.3 * (x[:-1] + x[1:]) / 2 + 0.1 - 1e-9).all()
    with pytest.raises(ConfigError, match="no binning of the grid"):
        optimise(training, judging, rules=Rules(background_entries=1e6))
    with pytest.raises(ConfigError, match="did you mean 'kappa'"):
        optimise(training, judging, parameter="kapa")
    with pytest.raises(ConfigError, match="least widths of shape"):
        optimise(training, judging, rules=Rules(widths=(([1.0], None),)))
    with pytest.raises(ConfigError, match="different edges in region 'toy'"):
        optimise(training, toy(12, y=Y[:-1]))


def test_better_than_equal_statistics_on_other_events(truth):
    found = optimise(toy(21), toy(22), rules=Rules(bins=20), starts=1)
    usual = equal_statistics(truth, [(5, 4)])
    assert judge(truth.merged(found.edges).bins).naive < judge(truth.merged(usual).bins).naive


def test_the_best_partition_of_all_is_found():
    rng = np.random.default_rng(5)
    grid = one_axis(rng.uniform(0.2, 2, 6), rng.integers(20, 200, 6), nuisance=False)

    def error(labels):
        return information(grid.bins.merged(labels, 3), guarded=True).error()

    best = min(error(np.array(labels)) for labels in itertools.product(range(3), repeat=6) if len(set(labels)) == 3)
    found = best_partition(grid, grid, 3)
    assert found.training.guarded == pytest.approx(best, rel=1e-12)
    assert error(found.labels) == pytest.approx(best, rel=1e-12)


def test_a_partition_knows_more_than_edges_and_is_judged_on_other_events(truth):
    training, judging = toy(31), toy(32)
    found = best_partition(training, judging, 15)
    assert set(found.labels) <= set(range(-1, 15))
    assert found.training.bins == 15
    assert found.training.background_entries >= 5
    usual = equal_statistics(truth, [(5, 3)])
    known = judge(truth.bins.merged(found.labels, 15)).naive
    assert known < judge(truth.merged(usual).bins).naive
    assert abs(known - found.judging.guarded) < 3.5 * found.judging.uncertainty
    with pytest.raises(ConfigError, match="do not fill 100 bins"):
        best_partition(training, judging, 100)
    with pytest.raises(ConfigError, match="did you mean 'kappa'"):
        best_partition(training, judging, 3, parameter="kapa")
