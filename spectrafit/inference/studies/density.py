"""How many simulated events a smooth density expects in each cell of a grid: a prediction for cells that are empty.

The density in a cell is the mean density of the smallest window around the cell that holds enough events
(D. O. Loftsgaarden and C. P. Quesenberry, Ann. Math. Stat. 36 (1965) 1049, with boxes in place of balls).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.inference.studies.grid import Grid

__all__ = ["running", "with_prediction"]


def running(values: Floats, reach: int) -> Floats:
    """Return sums over the window of `reach` cells to either side, along every axis but the first, up to the ends."""
    result = values
    for axis in range(1, values.ndim):
        size = values.shape[axis]
        shape = list(result.shape)
        shape[axis] = 1
        below = np.concatenate([np.zeros(shape), np.cumsum(result, axis=axis)], axis=axis)
        places = np.arange(size)
        high, low = np.minimum(places + reach + 1, size), np.maximum(places - reach, 0)
        result = np.take(below, high, axis=axis) - np.take(below, low, axis=axis)
    return result


def with_prediction(grid: Grid, events: float = 10.0) -> Grid:
    """Return the grid with `Bins.predicted` filled from windows of at least so many events of a sample.

    The predictions of a sample and region add up to its events there.
    """
    predicted = np.zeros_like(grid.bins.entries)
    for region, start in zip(grid.regions, grid.starts, strict=True):
        size = int(np.prod(region.shape))
        entries = grid.bins.entries[:, start : start + size].reshape(-1, *region.shape)
        volume = np.ones((1, *region.shape))
        for axis, edges in enumerate(region.edges):
            shape = np.ones(volume.ndim, int)
            shape[axis + 1] = -1
            volume = volume * np.diff(edges).reshape(shape)
        density = np.zeros_like(entries)
        wanting = np.ones(entries.shape, np.bool_)
        for reach in range(max(region.shape)):
            inside = running(entries, reach)
            density = np.where(wanting, inside / running(volume, reach), density)
            wanting &= inside < events - 1e-6
            if not wanting.any():
                break
        found = np.maximum(density, 0.0) * volume
        axes = tuple(range(1, found.ndim))
        total = found.sum(axis=axes, keepdims=True)
        found *= np.divide(entries.sum(axis=axes, keepdims=True), total, out=np.zeros_like(total), where=total > 0)
        predicted[:, start : start + size] = found.reshape(-1, size)
    return dataclasses.replace(grid, bins=dataclasses.replace(grid.bins, predicted=predicted))
