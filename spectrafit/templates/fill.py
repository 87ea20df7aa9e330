"""Columns, bin edges and weights in; bin indices and sums per bin out: the compiled inner loops of the whole build.

A region's bins are numbered in C order with boost-histogram's flow bins: on each axis 0 is underflow, 1 to n are the
bins, n+1 is overflow, which also takes NaN. The number of an event's cell is found once; every weight is then added
under it. A negative cell (an event that fails the cut) is added nowhere. Sums run in the order of the events, so equal
input gives equal bits. Letters: N events, F cells of all regions with flow, P powers of kappa above 0, V variations,
U universes, J flux bins.

All kernels are serial and release the GIL; their signatures are eager, so that nothing is compiled twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boost_histogram as bh
import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from spectrafit.random import normal

__all__ = [
    "AxisIndex",
    "add_columns",
    "add_counts",
    "add_events",
    "add_flux_bins",
    "add_universes",
    "axis_index",
    "columns_of",
    "number",
    "standard_normals",
]

Floats = NDArray[np.float64]
Cells = NDArray[np.int32]

# Lookup-table cells per axis: 4096 int32 fit the first-level cache with room for the columns.
_TABLE = 4096
# Input arrays may be read-only (a memory-mapped cache); what is written to is always the caller's own.
_IN1, _IN2 = (types.Array(types.float64, n, "C", readonly=True) for n in (1, 2))
# Branches are single precision as often as not; all arithmetic is double.
_REALS = (_IN1, types.Array(types.float32, 1, "C", readonly=True))
_IN2_SINGLE = types.Array(types.float32, 2, "C", readonly=True)
_CELLS, _OUT_CELLS = types.Array(types.int32, 1, "C", readonly=True), types.int32[::1]
_OUT1, _OUT2, _OUT3 = (types.Array(types.float64, n, "C") for n in (1, 2, 3))
_FLAGS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@dataclass(frozen=True, kw_only=True, eq=False)
class AxisIndex:
    """What a kernel needs to number values on one axis.

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
    table: Cells


def axis_index(axis: bh.axis.Axis) -> AxisIndex:
    """Prepare an axis for `number`: arithmetic for a regular one, a lookup table for a variable one."""
    edges = np.ascontiguousarray(axis.edges, np.float64)
    lowest, width = float(edges[0]), float(edges[-1] - edges[0])
    if isinstance(axis, bh.axis.Regular):
        return AxisIndex(bins=len(axis), lowest=lowest, width=width, edges=np.empty(0), table=np.empty(0, np.int32))
    # The slice of a value is rounded: one slice back is always at or before its bin, from where the kernel counts up.
    begin = lowest + (np.arange(_TABLE) - 1) * (width / _TABLE)
    table = np.clip(np.searchsorted(edges, begin, side="right"), 1, len(edges) - 1).astype(np.int32)
    return AxisIndex(bins=len(axis), lowest=lowest, width=width, edges=edges, table=table)


def number(axis: AxisIndex, values: NDArray[Any], stride: int, cells: Cells) -> None:
    """Add ``stride * (bin + 1)`` of each value, (N,), to `cells`, (N,), in place; bin is -1 below the axis, n above."""
    values = np.ascontiguousarray(values, np.float32 if values.dtype == np.float32 else np.float64)
    if axis.edges.size:
        _number_variable(values, axis.edges, axis.table, axis.lowest, _TABLE / axis.width, stride, cells)
    else:
        _number_regular(values, axis.lowest, axis.width, axis.bins, stride, cells)


@njit([types.void(x, types.float64, types.float64, types.int64, types.int64, _OUT_CELLS) for x in _REALS], **_FLAGS)
def _number_regular(values: Any, lowest: Any, width: Any, bins: Any, stride: Any, cells: Any) -> None:
    for i in range(values.size):
        # The same three roundings as boost-histogram's regular axis: difference, quotient, product.
        z = (np.float64(values[i]) - lowest) / width
        place = bins + 1  # overflow, +inf and NaN
        if z < 1.0:
            place = np.int64(z * bins) + 1 if z >= 0.0 else 0
        cells[i] += stride * place


@njit([types.void(x, _IN1, _CELLS, types.float64, types.float64, types.int64, _OUT_CELLS) for x in _REALS], **_FLAGS)
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


def columns_of(powers: int) -> int:
    """Return the columns of the sums `add_events` fills: 1+P weights, 1+2P squares, one count of entries."""
    return 3 + 3 * powers


@njit([types.void(_CELLS, x, _IN2, _OUT2) for x in _REALS], **_FLAGS)
def add_events(cells: Any, weight: Any, powers: Any, sums: Any) -> None:
    """Add the nominal weights, their squares as a polynomial in kappa, and the entries.

    Parameters
    ----------
    cells : (N,) int32
    weight : (N,) float64 or float32
        Event weights.
    powers : (1+P, N) float64
        Coefficient of each power of kappa relative to the weight.
    sums : (F, 3+3P) float64
        Changed in place. Per cell: sum of w_p for p = 0..P; sum over p + q = k of w_p w_q for k = 0..2P; entries.
    """
    count = powers.shape[0]
    if count == 1:
        for i in range(cells.size):
            c = cells[i]
            if c >= 0:
                w = np.float64(weight[i]) * powers[0, i]
                sums[c, 0] += w
                sums[c, 1] += w * w
                sums[c, 2] += 1.0
    elif count == 2:
        for i in range(cells.size):
            c = cells[i]
            if c >= 0:
                w = np.float64(weight[i]) * powers[0, i]
                v = np.float64(weight[i]) * powers[1, i]
                sums[c, 0] += w
                sums[c, 1] += v
                sums[c, 2] += w * w
                sums[c, 3] += 2.0 * w * v
                sums[c, 4] += v * v
                sums[c, 5] += 1.0
    else:
        last = sums.shape[1] - 1
        for i in range(cells.size):
            c = cells[i]
            if c >= 0:
                for p in range(count):
                    w = np.float64(weight[i]) * powers[p, i]
                    sums[c, p] += w
                    sums[c, count + 2 * p] += w * w
                    for q in range(p + 1, count):
                        sums[c, count + p + q] += 2.0 * w * (np.float64(weight[i]) * powers[q, i])
                sums[c, last] += 1.0


@njit(types.void(_CELLS, _IN1, _IN2, _OUT2), **_FLAGS)
def add_counts(cells: Any, weight: Any, powers: Any, sums: Any) -> None:
    """Add the weights of every power alone to `sums`, (1+P, F): one shifted set of cells."""
    for p in range(powers.shape[0]):
        for i in range(cells.size):
            c = cells[i]
            if c >= 0:
                sums[p, c] += weight[i] * powers[p, i]


@njit(types.void(_CELLS, _IN1, _IN2, _IN2, _OUT3), **_FLAGS)
def add_columns(cells: Any, weight: Any, powers: Any, ratios: Any, sums: Any) -> None:
    """Add weight variations kept as one column each: `ratios` is (V, N), `sums` (V, 1+P, F)."""
    for v in range(ratios.shape[0]):
        for p in range(powers.shape[0]):
            for i in range(cells.size):
                c = cells[i]
                if c >= 0:
                    sums[v, p, c] += weight[i] * powers[p, i] * ratios[v, i]


def _add_universes(cells: Any, weight: Any, powers: Any, ratios: Any, sums: Any) -> None:
    """Add universes kept as one row per event: `ratios` is (N, U) float32 or float64, `sums` (F, 1+P, U)."""
    for i in range(cells.size):
        c = cells[i]
        if c >= 0:
            for p in range(powers.shape[0]):
                w = weight[i] * powers[p, i]
                for u in range(ratios.shape[1]):
                    sums[c, p, u] += w * ratios[i, u]


add_universes = njit(
    [
        types.void(_CELLS, _IN1, _IN2, _IN2, _OUT3),
        types.void(_CELLS, _IN1, _IN2, _IN2_SINGLE, _OUT3),
    ],
    **_FLAGS,
)(_add_universes)


@njit(types.void(_CELLS, _CELLS, _IN1, _IN2, _OUT3), **_FLAGS)
def add_flux_bins(cells: Any, bins: Any, weight: Any, powers: Any, sums: Any) -> None:
    """Add the weights by flux bin too: `bins` is (N,), negative for none, `sums` (J, 1+P, F)."""
    for i in range(cells.size):
        c = cells[i]
        j = bins[i]
        if c >= 0 and j >= 0:
            for p in range(powers.shape[0]):
                sums[j, p, c] += weight[i] * powers[p, i]


def standard_normals(key: NDArray[np.uint64], entries: NDArray[np.int64]) -> Floats:
    """Return one standard normal per entry, (N,): the first of the stream `key` at index `entries`."""
    draws = np.empty(entries.size)
    _standard_normals(key, np.ascontiguousarray(entries, np.int64), draws)
    return draws


@njit(types.void(types.uint64[::1], types.Array(types.int64, 1, "C", readonly=True), _OUT1), **_FLAGS)
def _standard_normals(key: Any, entries: Any, draws: Any) -> None:
    for i in range(entries.size):
        draws[i] = normal(key, entries[i], 0)
