import math

import boost_histogram as bh
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrafit.templates import fill

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


@st.composite
def axes(draw):
    if draw(st.booleans()):
        low = draw(st.floats(-1e3, 1e3))
        return bh.axis.Regular(draw(st.integers(1, 60)), low, low + draw(st.floats(1e-6, 1e4)))
    kind = draw(st.sampled_from(["any", "logarithmic", "crowded"]))
    if kind == "logarithmic":
        return bh.axis.Variable(np.geomspace(draw(st.floats(1e-9, 1e-2)), draw(st.floats(1, 1e4)), 40))
    if kind == "crowded":
        low = draw(st.floats(-10, 10))
        return bh.axis.Variable([low, np.nextafter(low, 99), low + 1e-9, low + 2e-9, low + 1.0, low + 1e3])
    edges = sorted(draw(st.sets(numbers, min_size=2, max_size=40)))
    return bh.axis.Variable(edges)


def values_on(axis, rng, size):
    """Everything an axis can meet: the inside, each edge and its neighbours, both sides, infinities, NaN."""
    edges = np.asarray(axis.edges)
    width = edges[-1] - edges[0]
    pool = np.concatenate(
        [
            edges,
            np.nextafter(edges, -np.inf),
            np.nextafter(edges, np.inf),
            rng.uniform(edges[0] - width, edges[-1] + width, 200),
            rng.uniform(edges[0], edges[-1], 200),
            [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e308, -1e308],
        ]
    )
    return rng.choice(pool, size)


def cells_of(histogram_axes, columns):
    cells = np.zeros(len(columns[0]), np.int32)
    strides = [int(np.prod([a.extent for a in histogram_axes[i + 1 :]])) for i in range(len(histogram_axes))]
    for axis, values, stride in zip(histogram_axes, columns, strides, strict=True):
        fill.number(fill.axis_index(axis), values, stride, cells)
    return cells


@settings(max_examples=300, deadline=None)
@given(st.lists(axes(), min_size=1, max_size=3), st.integers(0, 2), st.sampled_from("fd"), st.integers(0, 2**32))
def test_bins_flow_and_nan_are_boost_histograms(histogram_axes, powers, precision, seed):
    rng = np.random.default_rng(seed)
    size = 800
    with np.errstate(over="ignore"):
        columns = [values_on(axis, rng, size).astype(precision) for axis in histogram_axes]
    weight = rng.normal(1, 1, size).astype(precision)
    coefficients = rng.normal(0, 1, (1 + powers, size))
    cells = cells_of(histogram_axes, columns)
    sums = np.zeros((int(np.prod([a.extent for a in histogram_axes])), fill.columns_of(powers)))
    fill.add_events(cells, weight, coefficients, sums)

    counted = bh.Histogram(*histogram_axes, storage=bh.storage.Int64()).fill(*columns)
    np.testing.assert_array_equal(sums[:, -1], counted.values(flow=True).ravel())
    for p in range(1 + powers):
        expected = bh.Histogram(*histogram_axes, storage=bh.storage.Weight())
        expected.fill(*columns, weight=weight * coefficients[p])  # float32 * float64 is double
        # The same additions in the same order: the same bits.
        np.testing.assert_array_equal(sums[:, p], expected.values(flow=True).ravel())
        if powers == 0:
            np.testing.assert_array_equal(sums[:, 1], expected.variances(flow=True).ravel())


@pytest.mark.parametrize("powers", [0, 1, 2, 3])
def test_squares_are_the_variance_at_any_kappa(powers):
    rng = np.random.default_rng(powers)
    axis = bh.axis.Regular(5, 0, 1)
    x, weight, coefficients = rng.random(4000), rng.random(4000), rng.normal(0, 1, (1 + powers, 4000))
    sums = np.zeros((7, fill.columns_of(powers)))
    fill.add_events(cells_of([axis], [x]), weight, coefficients, sums)
    for kappa in (-1.3, 0.0, 0.2, 4.0):
        total = weight * (kappa ** np.arange(1 + powers) @ coefficients)
        expected = bh.Histogram(axis, storage=bh.storage.Weight()).fill(x, weight=total)
        np.testing.assert_allclose(
            sums[:, 1 + powers : -1] @ kappa ** np.arange(1 + 2 * powers), expected.variances(flow=True), rtol=1e-10
        )


def test_one_variance_per_power_would_be_wrong():
    # Trap: Var = sum kappa^(p+q) w_p w_q, not the sum of each power's own variance.
    rng = np.random.default_rng(7)
    weight, coefficients = np.ones(100_000), np.stack([np.ones(100_000), rng.exponential(1.0, 100_000)])
    sums = np.zeros((1, 6))
    fill.add_events(np.zeros(100_000, np.int32), weight, coefficients, sums)
    kappa = 0.05
    true = np.sum((coefficients[0] + kappa * coefficients[1]) ** 2)
    assert sums[0, 2] + kappa * sums[0, 3] + kappa**2 * sums[0, 4] == pytest.approx(true, rel=1e-12)
    assert sums[0, 2] + kappa**2 * sums[0, 4] < 0.95 * true


@pytest.mark.parametrize("powers", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_variations_are_a_fill_each(powers, dtype):
    rng = np.random.default_rng(3)
    size, universes, size_of_flux = 3000, 7, 4
    axis = bh.axis.Variable([0, 0.1, 0.5, 1.0])
    x = rng.normal(0.5, 0.5, size)
    cells = cells_of([axis], [x])
    cut = rng.random(size) < 0.3
    cells[cut] = -1
    weight, coefficients = rng.random(size), rng.normal(0, 1, (1 + powers, size))
    ratios = rng.random((size, universes)).astype(dtype)
    bins = rng.integers(-1, size_of_flux, size).astype(np.int32)

    def filled(values, keep=~cut):
        histogram = bh.Histogram(axis, storage=bh.storage.Double())
        return histogram.fill(x[keep], weight=values[keep]).values(flow=True)

    counts = np.zeros((1 + powers, 5))
    fill.add_counts(cells, weight, coefficients, counts)
    columns = np.zeros((universes, 1 + powers, 5))
    fill.add_columns(cells, weight, coefficients, np.ascontiguousarray(ratios.T, np.float64), columns)
    rows = np.zeros((5, 1 + powers, universes))
    fill.add_universes(cells, weight, coefficients, ratios, rows)
    flux = np.zeros((size_of_flux, 1 + powers, 5))
    fill.add_flux_bins(cells, bins, weight, coefficients, flux)
    for p in range(1 + powers):
        w = weight * coefficients[p]
        np.testing.assert_allclose(counts[p], filled(w), rtol=1e-12, atol=1e-12)
        for u in range(universes):
            expected = filled(w * ratios[:, u])
            np.testing.assert_allclose(columns[u, p], expected, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(rows[:, p, u], expected, rtol=1e-12, atol=1e-12)
        for j in range(size_of_flux):
            np.testing.assert_allclose(flux[j, p], filled(w, ~cut & (bins == j)), rtol=1e-12, atol=1e-12)


def test_the_overflow_of_int_conversion_is_not_met():
    # Values far outside go to flow before anything is turned into an integer.
    for axis in (bh.axis.Regular(3, 0, 1), bh.axis.Variable([0, 0.3, 1])):
        cells = cells_of([axis], [np.array([1e300, -1e300, np.finfo(float).max, -np.finfo(float).max])])
        assert cells.tolist() == [len(axis) + 1, 0, len(axis) + 1, 0]
