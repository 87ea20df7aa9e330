"""The compiled inner loops of a build: they number events in bins and add up weights per bin.

A region's bins are numbered in C order with boost-histogram's flow bins: on each axis 0 is underflow, 1 to n are the
bins, and n+1 is overflow, which also takes NaN. The number of an event's cell is found once; every weight is then added
under that number. An event with a negative cell fails the cut and is added nowhere. Sums run in the order of the
events, so equal input gives equal bits.

Letters: N events, F cells of all regions with flow, M monomials of the couplings, Q products of two monomials,
V variations, U universes, J flux bins. `coefficients`, (M, N), multiply an event's weight; `places`, (M, M), says which
of the Q products the monomials m and n make. Noise is the variance that the simulation gives to a change: the sum over
events of the squared change of the event's contribution to a cell.

All kernels are serial and release the GIL; each is compiled when it is first called.

In the kernels i is an event, c its cell, m and n are monomials, q is a product of two, v a variation, u a universe, and
j a flux bin. w and v are what the event adds to monomials m and n, b is its weight before ratios, x its value on an
axis, and z = (x - low) / (high - low).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boost_histogram as bh
import numpy as np
from numba import types

from spectrafit.arraytypes import Floats, Integers, Places, Values
from spectrafit.contiguous import Contiguous
from spectrafit.jit import loop
from spectrafit.physics.couplings import Monomials

__all__ = [
    "AxisIndex",
    "EventSums",
    "add_counts",
    "add_events",
    "add_flux_bins",
    "add_universes",
    "add_weights",
    "axis_index",
    "number",
    "places_of",
    "products_of",
    "weight_sums",
]

# Lookup-table cells per axis: 4096 int32 fit the first-level cache with room for the columns.
_TABLE = 4096
# Input arrays may be read-only (a memory-mapped cache); output arrays are always the caller's own.
_IN1, _IN2 = (Contiguous(types.float64, n, readonly=True) for n in (1, 2))
# Branches are single precision as often as not; all arithmetic is double.
_REALS = (_IN1, Contiguous(types.float32, readonly=True))
_IN2_SINGLE = Contiguous(types.float32, 2, readonly=True)
_CELLS, _OUT_CELLS = Contiguous(types.int32, readonly=True), Contiguous(types.int32)
_PLACES = Contiguous(types.int64, 2, readonly=True)
_OUT1, _OUT2, _OUT3 = (Contiguous(types.float64, n) for n in (1, 2, 3))


@dataclass(frozen=True, kw_only=True, eq=False)
class AxisIndex:
    """The edges of one axis as a kernel takes them to number values.

    Attributes
    ----------
    bins : int
        Number of bins, n.
    lowest : float
        Lower edge of the axis.
    width : float
        Upper minus lower edge.
    edges : (n+1,) array
        The edges; empty for a regular axis.
    table : (4096,) array of int32
        Place (1 for the first bin) in which each of 4096 equal slices of the axis begins, or an earlier one; empty for
        a regular axis.
    """

    bins: int
    lowest: float
    width: float
    edges: Floats
    table: Places


@dataclass(frozen=True, kw_only=True, eq=False)
class EventSums:
    """The sums of `add_events`, under names.

    Attributes
    ----------
    table : (F, M+Q+1) array
        One row per cell, so that an event writes to one place in memory.
    monomials : int
        M.
    """

    table: Floats
    monomials: int

    @classmethod
    def zeros(cls, cells: int, monomials: Monomials) -> EventSums:
        """Return sums of no events in F cells."""
        count = len(monomials)
        return cls(table=np.zeros((cells, count + len(monomials.products) + 1)), monomials=count)

    @property
    def sums(self) -> Floats:
        """(M, F): sum of weights of each monomial."""
        return self.table[:, : self.monomials].T

    @property
    def squares(self) -> Floats:
        """(Q, F): sum of products of two weights, by the product of their monomials."""
        return self.table[:, self.monomials : -1].T

    @property
    def entries(self) -> Integers:
        """(F,): number of events."""
        return self.table[:, -1].astype(np.int64)


def places_of(monomials: Monomials) -> Integers:
    """Return which product two monomials make, (M, M), as the kernels take it."""
    return np.ascontiguousarray(monomials.places, np.int64)


def axis_index(axis: bh.axis.Axis) -> AxisIndex:
    """Prepare an axis for `number`: arithmetic for a regular one, a lookup table for a variable one."""
    edges = np.ascontiguousarray(axis.edges, np.float64)
    lowest, width = float(edges[0]), float(edges[-1] - edges[0])
    if isinstance(axis, bh.axis.Regular):
        return AxisIndex(bins=len(axis), lowest=lowest, width=width, edges=np.empty(0), table=np.empty(0, np.int32))
    # Rounding may put a value into the next slice. One slice back is always at or before its bin, and the kernel counts
    # up from there.
    begin = lowest + (np.arange(_TABLE) - 1) * (width / _TABLE)
    table = np.clip(np.searchsorted(edges, begin, side="right"), 1, len(edges) - 1).astype(np.int32)
    return AxisIndex(bins=len(axis), lowest=lowest, width=width, edges=edges, table=table)


def number(axis: AxisIndex, values: Values, stride: int, cells: Places) -> None:
    """Add ``stride * (bin + 1)`` of each value, (N,), to `cells`, (N,), in place; bin is -1 below the axis, n above."""
    values = np.ascontiguousarray(values, np.float32 if values.dtype == np.float32 else np.float64)
    if axis.edges.size:
        _number_variable(values, axis.edges, axis.table, axis.lowest, _TABLE / axis.width, stride, cells)
    else:
        _number_regular(values, axis.lowest, axis.width, axis.bins, stride, cells)


@loop(*(types.void(x, types.float64, types.float64, types.int64, types.int64, _OUT_CELLS) for x in _REALS))
def _number_regular(values: Any, lowest: Any, width: Any, bins: Any, stride: Any, cells: Any) -> None:
    for i in range(values.size):
        # The same three roundings as boost-histogram's regular axis: difference, quotient, product.
        z = (np.float64(values[i]) - lowest) / width
        place = bins + 1  # overflow, +inf and NaN
        if z < 1.0:
            place = np.int64(z * bins) + 1 if z >= 0.0 else 0
        cells[i] += stride * place


@loop(*(types.void(x, _IN1, _CELLS, types.float64, types.float64, types.int64, _OUT_CELLS) for x in _REALS))
def _number_variable(values: Any, edges: Any, table: Any, lowest: Any, scale: Any, stride: Any, cells: Any) -> None:
    bins = edges.size - 1
    highest = edges[bins]
    one = np.uint64(1)
    for i in range(values.size):
        x = np.float64(values[i])
        place = np.uint64(bins + 1)  # overflow, +inf and NaN
        if x < lowest:
            place = np.uint64(0)
        elif x < highest:
            # Unsigned, so that nothing is spent on indices counted from the end.
            place = np.uint64(table[np.uint64(np.int64(min((x - lowest) * scale, _TABLE - 1.0)))])
            while x >= edges[place]:
                place += one
        cells[i] += stride * np.int64(place)


@loop(*(types.void(_CELLS, x, _IN2, _PLACES, _OUT2) for x in _REALS))
def add_events(cells: Any, weight: Any, coefficients: Any, places: Any, table: Any) -> None:
    """Add the nominal weights, their squares by products of monomials, and the entries.

    Parameters
    ----------
    cells : (N,) int32
    weight : (N,) float64 or float32
        Event weights.
    coefficients : (M, N) float64
    places : (M, M) int64
    table : (F, M+Q+1) float64
        `EventSums.table`, changed in place.
    """
    count = coefficients.shape[0]
    if count == 1:
        for i in range(cells.size):
            c = cells[i]
            if c >= 0:
                w = np.float64(weight[i]) * coefficients[0, i]
                table[c, 0] += w
                table[c, 1] += w * w
                table[c, 2] += 1.0
    elif count == 2:
        for i in range(cells.size):
            c = cells[i]
            if c >= 0:
                w = np.float64(weight[i]) * coefficients[0, i]
                v = np.float64(weight[i]) * coefficients[1, i]
                table[c, 0] += w
                table[c, 1] += v
                table[c, 2] += w * w
                table[c, 3] += 2.0 * w * v
                table[c, 4] += v * v
                table[c, 5] += 1.0
    else:
        last = table.shape[1] - 1
        for i in range(cells.size):
            c = cells[i]
            if c >= 0:
                for m in range(count):
                    w = np.float64(weight[i]) * coefficients[m, i]
                    table[c, m] += w
                    table[c, count + places[m, m]] += w * w
                    for n in range(m + 1, count):
                        v = np.float64(weight[i]) * coefficients[n, i]
                        table[c, count + places[m, n]] += 2.0 * w * v
                table[c, last] += 1.0


def products_of(coefficients: Floats, places: Integers) -> Floats:
    """Return the products of each event's coefficients, (N, Q): times w^2, what an event adds to the squares."""
    result = np.zeros((coefficients.shape[1], int(places.max()) + 1))
    _products(coefficients, places, result)
    return result


@loop(types.void(_IN2, _PLACES, _OUT2))
def _products(coefficients: Any, places: Any, result: Any) -> None:
    count = coefficients.shape[0]
    for m in range(count):
        for n in range(count):
            q = places[m, n]
            for i in range(coefficients.shape[1]):
                result[i, q] += coefficients[m, i] * coefficients[n, i]


@loop(types.void(_CELLS, _IN1, _IN2, types.int64, _OUT3))
def add_counts(cells: Any, weight: Any, coefficients: Any, row: Any, sums: Any) -> None:
    """Add the weights of every monomial, without squares, to one row of `sums`, (F, R, M): one shifted set of cells."""
    if coefficients.shape[0] == 2:
        for i in range(cells.size):
            c = cells[i]
            if c >= 0:
                w, v = weight[i] * coefficients[0, i], weight[i] * coefficients[1, i]
                sums[c, row, 0] += w
                sums[c, row, 1] += v
        return
    for i in range(cells.size):
        c = cells[i]
        if c >= 0:
            for m in range(coefficients.shape[0]):
                sums[c, row, m] += weight[i] * coefficients[m, i]


def weight_sums(cells: int, variations: int, monomials: int, products: int, *, pair: bool) -> tuple[Floats, ...]:
    """Return the table that `add_weights` fills, and its parts under their names.

    Returns
    -------
    table, sums, noise, half : (F, V M + V Q + Q), (F, V, M), (F, V, Q) and (F, 1, Q) arrays
        One row per cell, so that an event writes to one place in memory. The others are views of the table; without a
        pair, `half` is (F, 0, Q).
    """
    ends = np.cumsum([variations * monomials, variations * products, products * pair])
    table = np.zeros((cells, int(ends[-1])))
    sums, noise, half = np.split(table, ends[:-1], axis=1)
    return (
        table,
        sums.reshape(cells, variations, monomials),
        noise.reshape(cells, variations, products),
        half.reshape(cells, int(pair), products),
    )


@loop(types.void(_CELLS, _IN1, _IN1, _IN2, _IN2, _IN2, types.int64, types.int64, _OUT2))
def add_weights(
    cells: Any, weight: Any, base: Any, coefficients: Any, products: Any, ratios: Any, down: Any, up: Any, table: Any
) -> None:
    """Add weight variations, and the noise of each and of half the difference of a pair.

    Parameters
    ----------
    cells : (N,) int32
    weight, base : (N,) float64
        The nominal weights, and the weights that `ratios` multiply: the nominal ones, or 1 for absolute weights.
    coefficients, products : (M, N) and (N, Q) float64
    ratios : (V, N) float64
    down, up : int
        Which variations are the pair; negative for none.
    table : (F, V M + V Q + Q) float64
        As `weight_sums` has it; changed in place.
    """
    rows, count, last = ratios.shape[0], coefficients.shape[0], products.shape[1]
    if rows == 2 and count == 2 and last == 1 and up >= 0:
        # The usual case is spelt out: all that an event brings stays in registers.
        for i in range(cells.size):
            c = cells[i]
            if c >= 0:
                w, b, product, one, other = weight[i], base[i], products[i, 0], ratios[0, i], ratios[1, i]
                b_0, b_1 = b * coefficients[0, i], b * coefficients[1, i]
                first, second, between = b * one - w, b * other - w, 0.5 * b * (one - other)
                table[c, 0] += b_0 * one
                table[c, 1] += b_1 * one
                table[c, 2] += b_0 * other
                table[c, 3] += b_1 * other
                table[c, 4] += first * first * product
                table[c, 5] += second * second * product
                table[c, 6] += between * between * product
        return
    for i in range(cells.size):
        c = cells[i]
        if c < 0:
            continue
        w, b = weight[i], base[i]
        for v in range(rows):
            change = b * ratios[v, i] - w
            for m in range(count):
                table[c, v * count + m] += b * coefficients[m, i] * ratios[v, i]
            for q in range(last):
                table[c, rows * count + v * last + q] += change * change * products[i, q]
        if up >= 0:
            change = 0.5 * b * (ratios[up, i] - ratios[down, i])
            for q in range(last):
                table[c, rows * (count + last) + q] += change * change * products[i, q]


# Only sums within one event are reordered by this: the compiler then takes several universes at once.
@loop(
    *(types.void(_CELLS, _IN1, _IN1, _IN2, _IN2, x, _OUT3, _OUT3) for x in (_IN2, _IN2_SINGLE)),
    fastmath={"reassoc", "nsz"},
)
def add_universes(
    cells: Any, weight: Any, base: Any, coefficients: Any, products: Any, ratios: Any, sums: Any, noise: Any
) -> None:
    """Add universes kept as one row per event, and their noise summed over universes.

    `ratios` is (N, U) float32 or float64, `sums` (F, M, U), `noise` (F, 1, Q); the rest as in `add_weights`.
    """
    universes = ratios.shape[1]
    for i in range(cells.size):
        c = cells[i]
        if c < 0:
            continue
        b, given = base[i], ratios[i]
        # In the precision of the ratios: noise need not be known better.
        nominal, square = ratios.dtype.type(weight[i] / b if b != 0.0 else 0.0), ratios.dtype.type(0.0)
        for u in range(universes):
            change = given[u] - nominal
            square += change * change
        moved = np.float64(square) * b * b if b != 0.0 else universes * weight[i] * weight[i]
        for q in range(products.shape[1]):
            noise[c, 0, q] += moved * products[i, q]
        for m in range(coefficients.shape[0]):
            w, into = b * coefficients[m, i], sums[c, m]
            for u in range(universes):
                into[u] += w * given[u]


@loop(types.void(_CELLS, _CELLS, _IN1, _IN2, _IN2, _OUT3, _OUT3))
def add_flux_bins(
    cells: Any, bins: Any, weight: Any, coefficients: Any, products: Any, sums: Any, squares: Any
) -> None:
    """Add the weights and their squares by flux bin too.

    `bins` is (N,), negative for none; `sums` (F, J, M) and `squares` (F, J, Q) are changed in place.
    """
    if coefficients.shape[0] == 2 and products.shape[1] == 1:
        for i in range(cells.size):
            c = cells[i]
            j = bins[i]
            if c >= 0 and j >= 0:
                w = weight[i]
                sums[c, j, 0] += w * coefficients[0, i]
                sums[c, j, 1] += w * coefficients[1, i]
                squares[c, j, 0] += w * w * products[i, 0]
        return
    for i in range(cells.size):
        c = cells[i]
        j = bins[i]
        if c >= 0 and j >= 0:
            for m in range(coefficients.shape[0]):
                sums[c, j, m] += weight[i] * coefficients[m, i]
            for q in range(products.shape[1]):
                squares[c, j, q] += weight[i] * weight[i] * products[i, q]
