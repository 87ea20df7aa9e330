"""Events that a shift moves between cells: how much weight went from which cell to which.

A shifted template differs from the nominal one only by events that change cells. The noise of that difference is the
sum of their squared weights, in the cell they leave and in the cell they enter. Kept by pairs of cells, the noise of
any coarser binning follows exactly: a move within one merged bin is no move.

Where an event moves in parts, as the draws of a response do, it may touch more than two cells. Kept by pairs of cells
are then minus the covariances of its changes, which sum to 0 over all cells and "nowhere"; everything else is the same.

Letters: N events, F cells, M monomials, Q products of two monomials, n pairs of cells between which events moved.

In the kernels event i moves weight w from cell to cell, or changes cells c at places k and j of a list; q is a
product of two monomials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types

from spectrafit.arraytypes import Floats, Integers, Places
from spectrafit.contiguous import Contiguous
from spectrafit.jit import inlined, loop

__all__ = ["MoveTable", "Moves"]

_IN1, _IN2 = (Contiguous(types.float64, n, readonly=True) for n in (1, 2))
_CELLS = Contiguous(types.int32, readonly=True)
_PLACES, _SUMS = Contiguous(types.int64, readonly=True), Contiguous(types.float64, 2, readonly=True)
# Pairs of cells for which a table is always made.
_DENSE = 1 << 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Moves:
    """Squared weights that moved between cells.

    Attributes
    ----------
    cells : int
        F. The number F itself stands for "nowhere": events that fail the cut.
    first, second : (n,) arrays of int64
        The two cells of each pair, `first` < `second`, in increasing order; the direction does not matter.
    squares : (Q, n) array
        Sum over the events that moved of the products of their weights; of events that move in parts minus the
        covariance of the two cells, which may be negative.
    """

    cells: int
    first: Integers
    second: Integers
    squares: Floats

    @property
    def noise(self) -> Floats:
        """(Q, F): the variance that the moves give to each cell; a move counts in both of its cells."""
        result = np.zeros((len(self.squares), self.cells + 1))
        for row, squares in zip(result, self.squares, strict=True):
            row += np.bincount(self.first, squares, self.cells + 1) + np.bincount(self.second, squares, self.cells + 1)
        return result[:, :-1]

    def scaled(self, factor: float) -> Moves:
        """Return the moves of events whose weights are multiplied by `factor`."""
        return Moves(cells=self.cells, first=self.first, second=self.second, squares=self.squares * factor**2)

    def merged(self, target: Integers, cells: int) -> Moves:
        """Return the moves between merged cells: old cell c, and nowhere, become `target[c]`, (F+1,), of `cells`."""
        size = (cells + 1) ** 2
        if size > _DENSE + 8 * self.first.size:
            first, second = target[self.first], target[self.second]
            return _collected(cells, np.minimum(first, second), np.maximum(first, second), self.squares)
        sums, found = np.zeros((len(self.squares), size)), np.zeros(size, np.bool_)
        _merge(self.first, self.second, self.squares, target, cells, sums, found)
        keys = np.flatnonzero(found)
        return Moves(cells=cells, first=keys // (cells + 1), second=keys % (cells + 1), squares=sums[:, keys])

    @classmethod
    def together(cls, parts: Sequence[Moves]) -> Moves:
        """Return the moves of several sets of events, added up in their order."""
        first, second = (np.concatenate([getattr(part, name) for part in parts]) for name in ("first", "second"))
        return _collected(parts[0].cells, first, second, np.concatenate([part.squares for part in parts], axis=1))


def _collected(cells: int, first: Integers, second: Integers, squares: Floats) -> Moves:
    """Add up the squares of each pair of cells."""
    moved = first != second
    codes = first[moved] * (cells + 1) + second[moved]
    size = (cells + 1) ** 2
    # A table of all pairs is quicker than sorting, as long as it is not much larger than what is sorted.
    if size <= _DENSE + 8 * codes.size:
        keys = np.flatnonzero(np.bincount(codes, minlength=size))
        sums = np.stack([np.bincount(codes, row, size)[keys] for row in squares[:, moved]])
    else:
        keys, where = np.unique(codes, return_inverse=True)
        sums = np.stack([np.bincount(where, row, keys.size) for row in squares[:, moved]])
    squares = np.asarray(sums, np.float64)
    return Moves(cells=cells, first=keys // (cells + 1), second=keys % (cells + 1), squares=squares)


@loop(
    types.void(_PLACES, _PLACES, _SUMS, _PLACES, types.int64, Contiguous(types.float64, 2), Contiguous(types.boolean))
)
def _merge(first: Any, second: Any, squares: Any, target: Any, cells: Any, sums: Any, found: Any) -> None:
    """Add the squares of pairs, (Q, n), to those of all pairs of merged cells, (Q, (F+1)^2), and mark which there are.

    Pair i becomes one of cells c and k.
    """
    for q in range(squares.shape[0]):
        for i in range(first.size):
            c, k = target[first[i]], target[second[i]]
            if c != k:
                at = min(c, k) * (cells + 1) + max(c, k)
                found[at] = True
                sums[q, at] += squares[q, i]


class MoveTable:
    """A hash table that adds up moves while events are filled.

    Parameters
    ----------
    cells, products : int
        F and Q.
    """

    def __init__(self, cells: int, products: int, slots: int = 1 << 12) -> None:
        self._cells, self._used = cells, 0
        self._keys = np.full(slots, -1, np.int64)
        self._squares = np.zeros((slots, products))

    def add(self, before: Places, after: Places, weight: Floats, products: Floats, factor: float = 1.0) -> None:
        """Add the events whose cell `after`, (N,), is another than `before`, with `factor` times their weight."""
        at = 0
        while True:
            at, self._used = _add_moves(
                before,
                after,
                weight,
                products,
                factor,
                self._cells,
                at,
                self._keys,
                self._squares,
                self._used,
            )
            if at == before.size:
                return
            self._grow()

    def add_events(
        self,
        before: Places,
        after: Places,
        changes: Floats,
        products: Floats,
        entries: Integers,
        factor: float = 1.0,
    ) -> None:
        """Add events that move in parts: neighbouring elements of equal `entries`, (N,), are one event.

        `factor` times `changes`, (N,), is taken from the cell `before` and added to the cell `after`.
        """
        at = 0
        most = 2 * int(np.diff(np.flatnonzero(np.r_[True, np.diff(entries) != 0, True])).max(initial=0))
        places, sizes = np.empty(most, np.int64), np.empty(most)
        while True:
            at, self._used = _add_parts(
                before,
                after,
                changes,
                products,
                entries,
                factor,
                self._cells,
                at,
                self._keys,
                self._squares,
                self._used,
                places,
                sizes,
            )
            if at == before.size:
                return
            self._grow()

    def _grow(self) -> None:
        full = self._keys >= 0
        keys, squares = self._keys[full], self._squares[full]
        self._keys = np.full(4 * self._keys.size, -1, np.int64)
        self._squares = np.zeros((self._keys.size, *squares.shape[1:]))
        slots = np.empty(keys.size, np.int64)
        _place(keys, self._keys, slots)
        self._squares[slots] = squares

    def moves(self) -> Moves:
        """Return the moves that were added up."""
        full = np.flatnonzero(self._keys >= 0)
        order = full[np.argsort(self._keys[full])]
        keys = self._keys[order]
        return Moves(
            cells=self._cells,
            first=keys // (self._cells + 1),
            second=keys % (self._cells + 1),
            squares=np.ascontiguousarray(self._squares[order].T),
        )


@inlined
def _slot(key: Any, keys: Any) -> Any:
    """Return where `key` is, or the empty slot where it belongs."""
    mask = np.uint64(keys.size - 1)
    at = ((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
    while keys[at] >= 0 and keys[at] != key:
        at = (at + np.uint64(1)) & mask
    return at


@loop(types.void(*[Contiguous(types.int64)] * 3))
def _place(wanted: Any, keys: Any, slots: Any) -> None:
    """Put keys that are not there into empty slots, and fill `slots` with the slots of all."""
    for k in range(wanted.size):
        at = _slot(wanted[k], keys)
        keys[at] = wanted[k]
        slots[k] = at


@loop(
    types.UniTuple(types.int64, 2)(
        _CELLS,
        _CELLS,
        _IN1,
        _IN2,
        types.float64,
        types.int64,
        types.int64,
        Contiguous(types.int64),
        Contiguous(types.float64, 2),
        types.int64,
    )
)
def _add_moves(
    before: Any,
    after: Any,
    weight: Any,
    products: Any,
    factor: Any,
    cells: Any,
    start: Any,
    keys: Any,
    squares: Any,
    used: Any,
) -> Any:
    """Add moves from event `start` on; return where the table is half full, or N, and how many pairs it holds."""
    for i in range(start, before.size):
        if before[i] == after[i]:
            continue
        left = np.int64(before[i]) if before[i] >= 0 else cells
        entered = np.int64(after[i]) if after[i] >= 0 else cells
        key = min(left, entered) * (cells + 1) + max(left, entered)
        at = _slot(key, keys)
        if keys[at] < 0:
            if 2 * used >= keys.size:
                return i, used
            keys[at] = key
            used += 1
        w = factor * weight[i]
        for q in range(products.shape[1]):
            squares[at, q] += w * w * products[i, q]
    return before.size, used


@loop(
    types.UniTuple(types.int64, 2)(
        _CELLS,
        _CELLS,
        _IN1,
        _IN2,
        Contiguous(types.int64, readonly=True),
        types.float64,
        types.int64,
        types.int64,
        Contiguous(types.int64),
        Contiguous(types.float64, 2),
        types.int64,
        Contiguous(types.int64),
        Contiguous(types.float64),
    )
)
def _add_parts(
    before: Any,
    after: Any,
    changes: Any,
    products: Any,
    entries: Any,
    factor: Any,
    cells: Any,
    start: Any,
    keys: Any,
    squares: Any,
    used: Any,
    places: Any,
    sizes: Any,
) -> Any:
    """Add events in parts from element `start` on, the first of an event; as `_add_moves` otherwise.

    `places` and `sizes` are scratch space: the cells that an event touches, and its change in each.
    """
    i = start
    while i < before.size:
        stop, count = i, 0
        while stop < before.size and entries[stop] == entries[i]:
            if before[stop] != after[stop]:
                for side in range(2):
                    here = before[stop] if side == 0 else after[stop]
                    c = np.int64(here) if here >= 0 else cells
                    k = 0
                    while k < count and places[k] != c:
                        k += 1
                    if k == count:
                        places[k], sizes[k] = c, 0.0
                        count += 1
                    sizes[k] += factor * changes[stop] if side == 1 else -factor * changes[stop]
            stop += 1
        if 2 * (used + count * (count - 1) // 2) >= keys.size:
            return i, used
        for k in range(count):
            for j in range(k):
                change = -sizes[k] * sizes[j]
                if change != 0.0:
                    key = min(places[k], places[j]) * (cells + 1) + max(places[k], places[j])
                    at = _slot(key, keys)
                    if keys[at] < 0:
                        keys[at] = key
                        used += 1
                    for q in range(products.shape[1]):
                        squares[at, q] += change * products[i, q]
        i = stop
    return before.size, used
