"""Events that a response smears several times: what their draws do to variances.

Draws of one event are not independent. A change is summed over the draws of an event in a cell before it is squared, so
that the noise is that of the events; and one event is in several cells, whose noise covaries. `Moves` keeps both: it
holds, by pairs of cells, minus the covariances of changes that sum to 0 over all cells. A shift's do, for draws leave
one cell for another. A change of weight is booked as one from "nowhere".

The variance of the nominal sums is kept as the mean of what each draw alone would give, K times the sum of the squared
weights of K draws. A fit takes bins as independent. With the square of an event's weight in each cell it would forget
that the bins of an event covary, and give the yield of a sample of n events less than its error of 1 / sqrt(n). With
the mean over draws the variance of a sum over any bins is exact if they hold all of an event, else too large (Jensen's
inequality), and it adds up when bins are merged. Entries are those of the first draw: each event counts once.

Letters: N draws of a block, F cells, M monomials of the couplings, Q products of two monomials.

In the kernel draw i is in cell c and adds w to monomial m and v to monomial n.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import types

from spectrafit.arraytypes import Floats, Integers, Places
from spectrafit.config import Sample
from spectrafit.contiguous import Contiguous
from spectrafit.events.schema import DRAW, ENTRY
from spectrafit.jit import loop
from spectrafit.templates.cells import EffectCells
from spectrafit.templates.effects import Block, Effect, Gathered
from spectrafit.templates.migration import MoveTable

__all__ = ["OVERLAP", "OverlapEffect", "add_draws", "add_noise", "whole_events"]

OVERLAP = "Draws$"
"""Key of the exact variances of the nominal sums, among the effects of a sample whose events have several draws."""

_IN1, _IN2 = (Contiguous(types.float64, n, readonly=True) for n in (1, 2))
_CELLS = Contiguous(types.int32, readonly=True)
_PLACES = Contiguous(types.int64, 2, readonly=True)
_ENTRIES = Contiguous(types.int64, readonly=True)


class OverlapEffect(Effect):
    """No systematic: the variances of the nominal sums with all covariances between cells."""

    def __init__(self) -> None:
        self.systematic, self.key, self.where = None, OVERLAP, "draws of a response"

    def reads(self, sample: Sample) -> tuple[str, ...]:
        """Return the columns that say which event a draw is of, and which draw of it."""
        return (ENTRY, DRAW)

    def add(self, block: Block, found: Gathered | None) -> Gathered:
        """Add the draws of a block."""
        if found is None:
            quiet = block.no_noise(0)
            table = MoveTable(block.grid.size, block.products.shape[1])
            found = Gathered(sums=block.zeros(0), noise=quiet, half=quiet, moves=[table])
        for cells in block.cells:
            add_noise(found.moves[0], block, cells, block.weight)
        return found

    def cells(self, found: Gathered, scale: float) -> EffectCells:
        """Return the variances; the sums are 0."""
        sums = np.zeros((1, found.sums.shape[2], found.sums.shape[0]))
        return EffectCells.of_moves(sums, (found.moves[0].scaled(scale),))


def add_noise(table: MoveTable, block: Block, cells: Places, changes: Floats, factor: float = 1.0) -> None:
    """Add the noise of changes, (N,), of what each draw adds to its cell; `factor` multiplies all changes."""
    nowhere = np.full(cells.size, -1, np.int32)
    table.add_events(nowhere, cells, np.ascontiguousarray(changes), block.products, block.entries, factor)


def whole_events(entries: Integers, most: int) -> Sequence[slice]:
    """Return slices of at most `most` draws, more only for one event of more; one slice for no draws.

    `entries`, (N,), say which event each draw is of, and do not fall.
    """
    slices, start = [], 0
    while start < entries.size:
        stop = min(start + most, entries.size)
        if stop < entries.size:
            stop = int(np.searchsorted(entries, entries[stop]))
            if stop <= start:
                stop = int(np.searchsorted(entries, entries[start], side="right"))
        slices.append(slice(start, stop))
        start = stop
    return slices or [slice(0, 0)]


@loop(
    *(
        types.void(_CELLS, weights, _IN2, _PLACES, _ENTRIES, types.float64, Contiguous(types.float64, 2))
        for weights in (_IN1, Contiguous(types.float32, readonly=True))
    )
)
def add_draws(cells: Any, weight: Any, coefficients: Any, places: Any, draw: Any, draws: Any, table: Any) -> None:
    """Add the nominal weights of draws, their variances and the entries, as `fill.add_events` does for events.

    Parameters
    ----------
    cells, weight, coefficients, places, table
        As for `fill.add_events`.
    draw : (N,) int64
        Which draw of its event each is.
    draws : float
        K, how many draws an event has.
    """
    count, last = coefficients.shape[0], table.shape[1] - 1
    for i in range(cells.size):
        c = cells[i]
        if c >= 0:
            for m in range(count):
                w = np.float64(weight[i]) * coefficients[m, i]
                table[c, m] += w
                table[c, count + places[m, m]] += draws * w * w
                for n in range(m + 1, count):
                    v = np.float64(weight[i]) * coefficients[n, i]
                    table[c, count + places[m, n]] += 2.0 * draws * w * v
            if draw[i] == 0:
                table[c, last] += 1.0
