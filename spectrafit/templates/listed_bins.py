"""Bins as files list them, by their ends: edges of bins that follow each other, and grids of bins of several axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.errors import DataError

__all__ = ["SAME", "grid_of", "joined"]

SAME = 1e-6
"""Edges that differ by less than this part of a bin are the same: files give them with few digits."""


def joined(low: Floats, high: Floats, where: str) -> Floats:
    """Return the edges, (n + 1,), of n bins that follow each other. Raises DataError if a gap lies between two."""
    gaps = np.flatnonzero(np.abs(high[:-1] - low[1:]) > SAME * np.abs(high - low)[1:])
    if gaps.size:
        at = int(gaps[0])
        raise DataError(f"{where}: a bin ends at {high[at]:g} and the next begins at {low[at + 1]:g}; bins must join")
    return np.append(low, high[-1:])


def grid_of(
    bins: Sequence[tuple[Floats, Floats]], names: Sequence[str], where: str
) -> tuple[tuple[Floats, ...], tuple[Integers, ...]]:
    """Return the grid that a list of cells forms, in whatever order the list has them.

    Parameters
    ----------
    bins : sequence of pairs of arrays
        Along each axis the low and high ends of every cell, each (n,).
    names : sequence of str
        Of the axes, for messages.
    where : str
        For messages.

    Returns
    -------
    places : tuple of arrays
        Edges along each axis.
    cells : tuple of int arrays
        Of every cell of the list its number along each axis, each (n,).

    Raises
    ------
    DataError
        The bins of an axis overlap or leave a gap, a cell is listed twice, or a cell of the grid is not listed.
    """
    places: list[Floats] = []
    cells: list[Integers] = []
    for name, (low, high) in zip(names, bins, strict=True):
        ends, number = np.unique(np.stack([low, high], axis=1), axis=0, return_inverse=True)
        places.append(joined(ends[:, 0], ends[:, 1], f"{where}: {name!r}"))
        cells.append(number.reshape(-1).astype(np.int64))
    shape = tuple(len(place) - 1 for place in places)
    count = np.bincount(np.ravel_multi_index(tuple(cells), shape), minlength=int(np.prod(shape)))
    if np.any(count != 1):
        at = np.unravel_index(int(np.argmax(count != 1)), shape)
        cell = ", ".join(
            f"{name} from {place[step]:g} to {place[step + 1]:g}"
            for name, place, step in zip(names, places, at, strict=True)
        )
        listed = "is missing" if count[np.ravel_multi_index(at, shape)] == 0 else "is listed more than once"
        raise DataError(
            f"{where}: the bins form no grid of {' x '.join(map(str, shape))}: the cell with {cell} {listed}; give"
            " every cell once"
        )
    return tuple(places), tuple(cells)
