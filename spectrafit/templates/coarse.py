"""`smooth = "auto"`: chooses the coarse grid on which the relative change of a sample by one systematic is taken.

All bins in a coarse cell get the relative change of that cell. Coarse cells are made of neighbouring bins, merged along
one axis or several, so that each has about the same expectation of the sample along each axis. A finer grid keeps more
of the shape and more noise. In units of the prior's precision, which is 1 for a unit Gaussian,

    noise = sum_b E_b^2 (N_G / E_G^2) / v_b,      information = sum_b E_b^2 (D_G / E_G)^2 / v_b - noise,

where bin b lies in cell G, E is the sample's expectation, D its change, N the noise of the change (events that move
within a cell make no noise), and v_b the variance of a count: the expectation of all samples plus its simulation's
variance. For every sample and region the grid with the largest information minus a price times the noise is taken. The
price is raised until the noise of all samples together is at most `SHARE`. So samples of many events keep fine grids,
and a change that is pure noise is taken as a change of the total.

Letters: B bins, G coarse cells.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.templates.cells import Cells
from spectrafit.templates.effects import Effect
from spectrafit.templates.noise import ChangeNoise, noise_of_change
from spectrafit.templates.regions import RegionBins

__all__ = ["SHARE", "Coarse", "coarse_grids", "shifts_at", "spread_out"]

SHARE = 0.05
"""Most information that noise may pretend to, as a share of the precision of the prior of one sigma."""

_PRICES = (0.0, *2.0 ** np.arange(0.0, 31.0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Coarse:
    """A grid of coarse cells for one sample in one region.

    Attributes
    ----------
    sample, region : str
    edges : tuple of tuples of float
        The edges of the coarse cells along each axis.
    labels : (n,) array of int
        The coarse cell of each of the region's bins.
    information, noise : float
        Information on the parameter from the change on this grid, noise subtracted, and the noise; 1 is the precision
        of the prior.
    """

    sample: str
    region: str
    edges: tuple[tuple[float, ...], ...]
    labels: Integers
    information: float
    noise: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of coarse cells along each axis."""
        return tuple(len(edges) - 1 for edges in self.edges)


def coarse_grids(cells: Cells, effect: Effect) -> dict[tuple[int, int], Coarse]:
    """Return the grids of one systematic, by the positions of the sample in the expectation and of the region."""
    expected = cells.nominal[:, 0]
    squares = np.stack([cells.inner_squares(sample.squares)[0] for sample in cells.expected])
    v = np.maximum((expected + squares).sum(axis=0), 0.0)
    inverse = np.divide(1.0, v, out=np.zeros_like(v), where=v > 0)
    shifts = effect.shifts(cells)
    up, down = (shifts_at(shifts, side, cells) for side in (1.0, -1.0))
    choices: dict[tuple[int, int], list[Coarse]] = {}
    for at, sample in enumerate(cells.expected):
        found = noise_of_change(cells, effect, at)
        if found is None:
            continue
        change = (up[at, 0] - down[at, 0]) / 2.0
        for place, region in enumerate(cells.regions):
            part = slice(region.start, region.stop)
            if change[part].any():
                choices[at, place] = list(
                    _candidates(
                        sample.name, region, expected[at, part], change[part], found.part(region.bins), inverse[part]
                    )
                )
    chosen: dict[tuple[int, int], Coarse] = {}
    for price in _PRICES:
        # The first of equals is the finest.
        chosen = {
            key: max(grids, key=lambda grid: grid.information - price * grid.noise) for key, grids in choices.items()
        }
        if sum(grid.noise for grid in chosen.values()) <= SHARE:
            break
    return chosen


def shifts_at(shifts: dict[float, Floats], side: float, cells: Cells) -> Floats:
    """Return the template one sigma up or down, scaled from the nearest sigma; mirrored if that side is missing."""
    here = [sigma for sigma in shifts if sigma * side > 0]
    if here:
        sigma = min(here, key=abs)
        return cells.nominal + (shifts[sigma] - cells.nominal) / abs(sigma)
    return 2 * cells.nominal - shifts_at(shifts, -side, cells)


def _candidates(
    sample: str, region: RegionBins, expected: Floats, change: Floats, noise: ChangeNoise, inverse: Floats
) -> Iterator[Coarse]:
    """Yield the grids of a region, finest first: along each axis all bins, half, a quarter, ... of them, and one."""
    weight = expected**2 * inverse
    axes = [_levels(expected.reshape(region.shape), axis) for axis in range(len(region.shape))]
    combined = sorted(itertools.product(*axes), key=lambda kept: -np.prod([places.size - 1 for places in kept]))
    for kept in combined:
        shape = tuple(places.size - 1 for places in kept)
        numbers = [np.repeat(np.arange(places.size - 1), np.diff(places)) for places in kept]
        labels = np.ravel_multi_index(np.meshgrid(*numbers, indexing="ij"), shape).ravel()
        count = int(np.prod(shape))
        events, moved = np.bincount(labels, expected, count), np.bincount(labels, change, count)
        scale = np.divide(np.bincount(labels, weight, count), events**2, out=np.zeros(count), where=events > 0)
        false = float(noise.merged(labels, count) @ scale)
        yield Coarse(
            sample=sample,
            region=region.name,
            edges=tuple(
                tuple(float(edge) for edge in np.asarray(axis.edges)[places])
                for axis, places in zip(region.axes, kept, strict=True)
            ),
            labels=labels,
            information=float(moved**2 @ scale) - false,
            noise=false,
        )


def _levels(expected: Floats, axis: int) -> list[Integers]:
    """Return places of kept edges along an axis, finest first, at equal parts of the expectation."""
    size = expected.shape[axis]
    others = tuple(index for index in range(expected.ndim) if index != axis)
    below = np.concatenate([[0.0], np.cumsum(np.maximum(expected.sum(axis=others), 0.0))])
    if not below[-1] > 0:
        below = np.arange(size + 1.0)
    levels, cells = [np.arange(size + 1)], size
    while cells > 1:
        cells = (cells + 1) // 2
        wanted = np.linspace(0.0, below[-1], cells + 1)[1:-1]
        inner = np.abs(below[:, None] - wanted).argmin(axis=0)
        levels.append(np.unique(np.concatenate([[0], inner, [size]])))
    return levels


def spread_out(grid: Coarse, shifted: Floats, nominal: Floats) -> Floats:
    """Return shifted templates of a region, (M, n), in which every bin has the relative change of its coarse cell."""
    count = int(grid.labels.max()) + 1
    result = nominal.copy()
    for after, before, row in zip(shifted, nominal, result, strict=True):
        events = np.bincount(grid.labels, before, count)
        change = np.bincount(grid.labels, after - before, count)
        row += before * np.divide(change, events, out=np.zeros(count), where=events != 0)[grid.labels]
    return result
