"""The information that is left when edges of a grid are removed, for every edge of an axis at once.

Every cell keeps a column of sums. The sums of merged cells add up, and the information is a sum over cells. Removing
one edge therefore changes the information of two slices only, and all edges of an axis are tried in one go.

Letters: K parameters, P pairs of them, S samples, R rows of sums, d axes of a region, n covariances between two cells,
c slices along an axis.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from spectrafit.arraytypes import Flags, Floats, Integers
from spectrafit.inference.fitting.bins import guard_of
from spectrafit.inference.studies.grid import Grid

__all__ = ["Block", "Layout", "blocks"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """What the rows of a block's sums are, and what a bin must hold.

    Attributes
    ----------
    parameters, samples : int
        K and S.
    pairs : (P, 2) array of int
        Pairs of parameters whose derivatives' noise is kept; the first K are each parameter with itself. Rows: K
        derivatives, P covariances of their noise, S sums of expectation and simulation's variance, S predictions of
        simulated events, then the total variance, simulated events, simulated events of backgrounds, expectation, the
        simulation's variance.
    units : (S,) array
        What one more event of a sample adds to the variance of a bin, see `Bins.guard`.
    entries, background_entries, relative_error : float
        The least number of simulated events and of those of backgrounds, the greatest relative error of the simulation.
    """

    parameters: int
    samples: int
    pairs: Integers
    units: Floats
    entries: float
    background_entries: float
    relative_error: float

    @property
    def facts(self) -> int:
        """The row of the total variance, the first that is neither of parameters nor of samples."""
        return self.parameters + len(self.pairs) + 2 * self.samples

    def inverse(self, sums: Floats) -> tuple[Floats, Floats]:
        """Return 1 / v of every cell, guarded against empty bins, and how far it fulfils the rules, from 0 to 1."""
        total, entries, background, expected, variance = sums[self.facts :]
        own, predicted = np.split(sums[self.facts - 2 * self.samples : self.facts], 2)
        guard = guard_of(self.units.reshape(-1, *[1] * total.ndim), own, total, predicted)
        inverse = np.divide(1.0, total + guard, out=np.zeros_like(total), where=total + guard > 0)
        fulfilled = np.ones_like(total)
        if self.entries > 0:
            fulfilled *= np.minimum(entries / self.entries, 1.0)
        if self.background_entries > 0:
            fulfilled *= np.minimum(background / self.background_entries, 1.0)
        if np.isfinite(self.relative_error):
            allowed = (self.relative_error * expected) ** 2
            fulfilled *= np.divide(allowed, variance, out=np.ones_like(total), where=variance > allowed)
        return inverse, fulfilled


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """The cells of one region, at any stage of merging.

    Attributes
    ----------
    layout : Layout
    sums : (R, cells along each axis) array
    pairs : (n,) array of int
        Which of the layout's pairs of parameters a covariance between two cells belongs to.
    places : (n, 2, d) array of int
        Where the two cells are along each axis; never the same.
    values : (n,) array
        Covariances, of all samples.
    """

    layout: Layout
    sums: Floats
    pairs: Integers
    places: Integers
    values: Floats

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of cells along each axis."""
        return self.sums.shape[1:]

    def merged(self, positions: Sequence[Integers]) -> Block:
        """Return the block with only the edges at `positions`, one array per axis, the first and the last included."""
        sums, places = self.sums, self.places.copy()
        for axis, edges in enumerate(positions):
            if edges.size <= sums.shape[axis + 1]:
                sums = np.add.reduceat(sums, edges[:-1], axis=axis + 1)
                places[..., axis] = np.repeat(np.arange(edges.size - 1), np.diff(edges))[self.places[..., axis]]
        if sums is self.sums:
            return self
        inside = (places[:, 0] == places[:, 1]).all(axis=1)
        self._add(sums, inside, places[:, 0])
        keep = ~inside
        pairs, values = self.pairs[keep], self.values[keep]
        return dataclasses.replace(self, sums=sums, pairs=pairs, places=places[keep], values=values)

    def collected(self) -> Block:
        """Return the block with one covariance for each pair of parameters and cells; merging leaves several."""
        size = int(np.prod(self.shape))
        first, second = (np.ravel_multi_index(tuple(self.places[:, column].T), self.shape) for column in (0, 1))
        _, where, inverse = np.unique(
            (self.pairs * size + first) * size + second, return_index=True, return_inverse=True
        )
        values = np.bincount(inverse.reshape(-1), self.values, where.size).astype(np.float64)
        return dataclasses.replace(self, pairs=self.pairs[where], places=self.places[where], values=values)

    def information(self) -> tuple[Floats, Floats]:
        """Return the information of the data, (K, K), with the noise subtracted, and the noise of its diagonal, (K,).

        A cell that does not fulfil the rules counts as far as it fulfils them.
        """
        inverse, fulfilled = self.layout.inverse(self.sums)
        weights, count = inverse * fulfilled, self.layout.parameters
        noise = self.sums[count : 2 * count].reshape(count, -1) @ weights.ravel()
        return self._slices(self.sums, weights, 0).sum(axis=0), noise

    def candidates(self, axis: int) -> Floats:
        """Return by how much the information of the data changes when an inner edge of `axis` goes, (c - 1, K, K)."""
        inverse, fulfilled = self.layout.inverse(self.sums)
        now = self._slices(self.sums, inverse * fulfilled, axis)
        moved = np.moveaxis(self.sums, axis + 1, 1)
        sums = np.moveaxis(moved[:, :-1] + moved[:, 1:], 1, axis + 1)
        # Events that move between two slices make no noise once the slices are merged.
        apart = np.abs(self.places[:, 0] - self.places[:, 1])
        self._add(sums, (apart.sum(axis=1) == 1) & (apart[:, axis] == 1), self.places.min(axis=1))
        inverse, fulfilled = self.layout.inverse(sums)
        return self._slices(sums, inverse * fulfilled, axis) - now[:-1] - now[1:]

    def _add(self, sums: Floats, chosen: Flags, cells: Integers) -> None:
        """Add covariances of two cells that have become one, `cells`, to the noise there."""
        pairs = self.pairs[chosen]
        values = self.values[chosen] * np.where(pairs < self.layout.parameters, 2.0, 1.0)
        np.add.at(sums, (self.layout.parameters + pairs, *cells[chosen].T), values)

    def _slices(self, sums: Floats, weights: Floats, axis: int) -> Floats:
        """Return the information of each slice along `axis`, (c, K, K), for weights 1 / v of the cells."""
        count, slices = self.layout.parameters, sums.shape[axis + 1]
        weights = np.moveaxis(weights, axis, 0).reshape(slices, 1, -1)
        rows = np.moveaxis(sums[: count + len(self.layout.pairs)], axis + 1, 0).reshape(slices, -1, weights.shape[2])
        slopes = rows[:, :count]
        result: Floats = (slopes * weights) @ np.swapaxes(slopes, 1, 2)
        noise = (rows[:, count:] @ np.swapaxes(weights, 1, 2))[..., 0]
        first, second = self.layout.pairs.T
        result[:, first, second] -= noise
        result[:, second[count:], first[count:]] -= noise[:, count:]
        return result


def blocks(grid: Grid, *, entries: float, background_entries: float, relative_error: float) -> tuple[Block, ...]:
    """Return one block per region of a grid, with all its cells; the keywords are those of `Layout`.

    Covariances between regions are left out: their cells are never merged.
    """
    bins = grid.bins
    count, unit = len(bins.parameters), bins.weights()
    pairs, which, cells, values = _over_samples(grid)
    layout = Layout(
        parameters=count,
        samples=len(bins.samples),
        pairs=pairs,
        units=unit + unit**2,
        entries=entries,
        background_entries=background_entries if bins.background.any() else 0.0,
        relative_error=relative_error,
    )
    noise = np.zeros((len(pairs), bins.size))
    noise[:count] = bins.noise.sum(axis=1)
    same = cells[:, 0] == cells[:, 1]
    np.add.at(noise, (which[same], cells[same, 0]), values[same])
    sums = np.concatenate(
        [
            bins.derivative.sum(axis=1),
            noise,
            bins.expected + bins.variance,
            np.asarray(bins.predicted),
            [
                bins.total(),
                bins.entries.sum(axis=0),
                bins.entries[bins.background].sum(axis=0),
                bins.expected.sum(axis=0),
                bins.variance.sum(axis=0),
            ],
        ]
    )
    result = []
    for region, start in zip(grid.regions, grid.starts, strict=True):
        size = int(np.prod(region.shape))
        here = ~same & ((cells >= start) & (cells < start + size)).all(axis=1)
        result.append(
            Block(
                layout=layout,
                sums=sums[:, start : start + size].reshape(-1, *region.shape),
                pairs=which[here],
                places=np.stack(np.unravel_index(cells[here] - start, region.shape), axis=-1).astype(np.int64),
                values=values[here],
            )
        )
    return tuple(result)


def _over_samples(grid: Grid) -> tuple[Integers, Integers, Integers, Floats]:
    """Return pairs of parameters, and the shared covariances summed over samples: which pair, (n, 2) cells, values."""
    shared, size, count = grid.bins.shared, grid.bins.size, len(grid.bins.parameters)
    order = np.argsort(shared.parameters, axis=1, kind="stable")
    parameters = np.take_along_axis(shared.parameters, order, axis=1)
    cells = np.take_along_axis(shared.bins, order, axis=1)
    own = parameters[:, 0] == parameters[:, 1]
    cells = np.where(own[:, None], np.sort(cells, axis=1), cells)
    numbers = parameters[:, 0] * count + parameters[:, 1]
    others = np.unique(numbers[~own])
    pairs = np.concatenate([np.repeat(np.arange(count), 2).reshape(-1, 2), np.stack(np.divmod(others, count), axis=1)])
    which = np.where(own, parameters[:, 0], count + np.searchsorted(others, numbers))
    keys, where = np.unique((which * size + cells[:, 0]) * size + cells[:, 1], return_inverse=True)
    values = np.bincount(where.reshape(-1), shared.values, keys.size).astype(np.float64)
    places = np.stack([keys // size % size, keys % size], axis=1)
    return pairs.astype(np.int64), keys // size**2, places, values
