import math

import boost_histogram as bh
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrafit.physics.couplings import Monomials
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


def powers_of(powers):
    return Monomials(parameters=("kappa",), exponents=tuple((p,) for p in range(1 + powers)))


def places_of(powers):
    return fill.places_of(powers_of(powers))


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
    made = fill.EventSums.zeros(int(np.prod([a.extent for a in histogram_axes])), powers_of(powers))
    fill.add_events(cells, weight, coefficients, places_of(powers), made.table)
    sums, squares = made.sums, made.squares

    counted = bh.Histogram(*histogram_axes, storage=bh.storage.Int64()).fill(*columns)
    np.testing.assert_array_equal(made.entries, counted.values(flow=True).ravel())
    for p in range(1 + powers):
        expected = bh.Histogram(*histogram_axes, storage=bh.storage.Weight())
        expected.fill(*columns, weight=weight * coefficients[p])  # float32 * float64 is double
        # The same additions in the same order: the same bits.
        np.testing.assert_array_equal(sums[p], expected.values(flow=True).ravel())
        if powers == 0:
            np.testing.assert_array_equal(squares[0], expected.variances(flow=True).ravel())


@pytest.mark.parametrize("powers", [0, 1, 2, 3])
def test_squares_are_the_variance_at_any_kappa(powers):
    rng = np.random.default_rng(powers)
    axis = bh.axis.Regular(5, 0, 1)
    x, weight, coefficients = rng.random(4000), rng.random(4000), rng.normal(0, 1, (1 + powers, 4000))
    made = fill.EventSums.zeros(7, powers_of(powers))
    fill.add_events(cells_of([axis], [x]), weight, coefficients, places_of(powers), made.table)
    for kappa in (-1.3, 0.0, 0.2, 4.0):
        total = weight * (kappa ** np.arange(1 + powers) @ coefficients)
        expected = bh.Histogram(axis, storage=bh.storage.Weight()).fill(x, weight=total)
        np.testing.assert_allclose(
            kappa ** np.arange(1 + 2 * powers) @ made.squares, expected.variances(flow=True), rtol=1e-10
        )


def test_one_variance_per_power_would_be_wrong():
    # Trap: Var = sum kappa^(p+q) w_p w_q, not the sum of each power's own variance.
    rng = np.random.default_rng(7)
    weight, coefficients = np.ones(100_000), np.stack([np.ones(100_000), rng.exponential(1.0, 100_000)])
    sums = np.zeros((1, 6))
    fill.add_events(np.zeros(100_000, np.int32), weight, coefficients, places_of(1), sums)
    kappa = 0.05
    true = np.sum((coefficients[0] + kappa * coefficients[1]) ** 2)
    assert sums[0, 2] + kappa * sums[0, 3] + kappa**2 * sums[0, 4] == pytest.approx(true, rel=1e-12)
    assert sums[0, 2] + kappa**2 * sums[0, 4] < 0.95 * true


@pytest.mark.parametrize("powers", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("relative", [True, False])
def test_variations_and_their_noise_are_a_fill_each(powers, dtype, relative):
    rng = np.random.default_rng(3)
    size, universes, size_of_flux = 3000, 7, 4
    axis = bh.axis.Variable([0, 0.1, 0.5, 1.0])
    x = rng.normal(0.5, 0.5, size)
    cells = cells_of([axis], [x])
    cut = rng.random(size) < 0.3
    cells[cut] = -1
    weight, coefficients = rng.random(size), rng.normal(0, 1, (1 + powers, size))
    base = weight if relative else rng.integers(0, 2, size).astype(float)
    ratios = rng.random((size, universes)).astype(dtype)
    bins = rng.integers(-1, size_of_flux, size).astype(np.int32)
    products = fill.products_of(coefficients, places_of(powers))
    # How the noise goes with kappa says every product at once.
    kappas = rng.normal(0, 1, 3)
    at_kappa = [k ** np.arange(1 + powers) @ coefficients for k in kappas]

    def filled(values, keep=~cut):
        histogram = bh.Histogram(axis, storage=bh.storage.Double())
        return histogram.fill(x[keep], weight=values[keep]).values(flow=True)

    def same_noise(noise, changes, keep=~cut, rtol=1e-11):
        for kappa, coefficient in zip(kappas, at_kappa, strict=True):
            expected = sum(filled((change * coefficient) ** 2, keep) for change in changes)
            found = noise @ kappa ** np.arange(1 + 2 * powers)
            np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(noise).max())

    counts = np.zeros((5, 2, 1 + powers))
    fill.add_counts(cells, weight, coefficients, 1, counts)
    table, columns, noise, half = fill.weight_sums(5, universes, 1 + powers, 1 + 2 * powers, pair=True)
    as_rows = np.ascontiguousarray(ratios.T, np.float64)
    fill.add_weights(cells, weight, base, coefficients, products, as_rows, 2, 5, table)
    rows, mean = np.zeros((5, 1 + powers, universes)), np.zeros((5, 1, 1 + 2 * powers))
    fill.add_universes(cells, weight, base, coefficients, products, ratios, rows, mean)
    flux, squares = np.zeros((5, size_of_flux, 1 + powers)), np.zeros((5, size_of_flux, 1 + 2 * powers))
    fill.add_flux_bins(cells, bins, weight, coefficients, products, flux, squares)
    for p in range(1 + powers):
        w = base * coefficients[p]
        np.testing.assert_allclose(counts[:, 1, p], filled(weight * coefficients[p]), rtol=1e-12, atol=1e-12)
        for u in range(universes):
            expected = filled(w * ratios[:, u])
            np.testing.assert_allclose(columns[:, u, p], expected, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(rows[:, p, u], expected, rtol=1e-12, atol=1e-12)
        for j in range(size_of_flux):
            expected = filled(weight * coefficients[p], ~cut & (bins == j))
            np.testing.assert_allclose(flux[:, j, p], expected, rtol=1e-12, atol=1e-12)
    assert np.all(counts[:, 0] == 0)
    changes = [base * ratios[:, u].astype(float) - weight for u in range(universes)]
    for u, change in enumerate(changes):
        same_noise(noise[:, u], [change])
    same_noise(half[:, 0], [(changes[5] - changes[2]) / 2])
    same_noise(mean[:, 0], changes, rtol=1e-5 if dtype == np.float32 else 1e-11)
    for j in range(size_of_flux):
        same_noise(squares[:, j], [weight], ~cut & (bins == j))


def test_several_couplings_have_their_products():
    # kappa_1 of a dipole; kappa_2, kappa_2^2 of a vector: 1, k1, k2, k2^2.
    monomials = Monomials(parameters=("a", "b"), exponents=((0, 0), (1, 0), (0, 1), (0, 2)))
    rng = np.random.default_rng(5)
    weight, coefficients = rng.random(500), rng.normal(0, 1, (4, 500))
    made = fill.EventSums.zeros(1, monomials)
    fill.add_events(np.zeros(500, np.int32), weight, coefficients, fill.places_of(monomials), made.table)
    products = fill.products_of(coefficients, fill.places_of(monomials))
    for a, b in rng.normal(0, 1, (5, 2)):
        at = np.array([a**i * b**j for i, j in monomials.exponents]) @ coefficients
        over = np.array([a**i * b**j for i, j in monomials.products])
        np.testing.assert_allclose(over @ made.squares[:, 0], np.sum((weight * at) ** 2), rtol=1e-11)
        np.testing.assert_allclose(products @ over, at**2, rtol=1e-9, atol=1e-9)


def test_the_overflow_of_int_conversion_is_not_met():
    # Values far outside go to flow before anything is turned into an integer.
    for axis in (bh.axis.Regular(3, 0, 1), bh.axis.Variable([0, 0.3, 1])):
        cells = cells_of([axis], [np.array([1e300, -1e300, np.finfo(float).max, -np.finfo(float).max])])
        assert cells.tolist() == [len(axis) + 1, 0, len(axis) + 1, 0]
