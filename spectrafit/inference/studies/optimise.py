"""Finds bin edges with a small expected error of kappa, all systematics included, and does not fit the noise.

The edges of a fine grid are removed one by one, each time the edge whose loss costs least. The best binning on the way
is then refined by moving, adding and removing single edges. Four things keep the search from fitting the noise of the
simulation. The noise of derivatives is subtracted. Empty bins count as if they held the events that a smooth density
expects there (`Bins.guard`). A bin with too few events does not count in full. The result is judged on an independent
half of the simulation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Flags, Floats, Integers
from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.fitting.information import covariance
from spectrafit.inference.studies.grid import Edges, Grid, same_cells
from spectrafit.inference.studies.judgement import Judgement, judge
from spectrafit.inference.studies.merging import Block, blocks

__all__ = ["Optimum", "Rules", "optimise"]

Positions = tuple[tuple[Integers, ...], ...]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rules:
    """What a binning must fulfil.

    Attributes
    ----------
    bins : int or None
        Most bins of all regions together.
    entries, background_entries : float
        Least simulated events in a bin, and least simulated events of backgrounds, among the events with which edges
        are chosen. If these are half of the simulation, the whole simulation has twice as many.
    relative_error : float
        Greatest error of a bin's expectation from the simulation, as a share of the expectation.
    negligible : float
        Bins with a smaller share of the information on kappa, such as corners of the plane, may hold fewer events.
    widths : tuple of tuple of (array or None), or None
        Per region and axis the least width of a bin at the centre of each cell of the grid: for a resolution sigma(x)
        and bins of two standard deviations, 2 sigma(centres). None for no least width.
    steps : tuple of tuple of (float or None), or None
        Per region and axis: inner edges are multiples of this step. None for any edge of the grid.
    price : float
        Share by which each bin must lower the error of kappa to be worth having.
    """

    bins: int | None = None
    entries: float = 10.0
    background_entries: float = 5.0
    relative_error: float = np.inf
    negligible: float = 1e-3
    widths: Sequence[Sequence[npt.ArrayLike | None]] | None = None
    steps: Sequence[Sequence[float | None]] | None = None
    price: float = 1e-4


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Optimum:
    """The binning found.

    Attributes
    ----------
    edges : tuple of tuple of arrays
        Per region and axis.
    training : Judgement
        On the events with which the edges were chosen: too optimistic.
    judging : Judgement
        On the independent events.
    trail : tuple of (int, float)
        Bins and error of kappa while edges were removed, from the finest to the coarsest binning. The error is that of
        the search: guarded, and a bin that breaks a rule counts in part.
    exempt : int
        Bins that hold too few events and hardly any information on kappa, see `Rules.negligible`.
    """

    edges: Edges
    training: Judgement
    judging: Judgement
    trail: tuple[tuple[int, float], ...]
    exempt: int

    def summary(self) -> dict[str, Any]:
        """Return what a result file keeps, as plain numbers."""
        return {
            "edges": [[edges.tolist() for edges in axes] for axes in self.edges],
            "training": self.training.summary(),
            "judging": self.judging.summary(),
            "trail": [list(point) for point in self.trail],
            "exempt": self.exempt,
        }


def optimise(
    training: Grid,
    judging: Grid,
    *,
    rules: Rules | None = None,
    parameter: str = "kappa",
    starts: int = 3,
    rounds: int = 20,
) -> Optimum:
    """Return the binning with the smallest expected profiled error of one parameter.

    Parameters
    ----------
    training, judging : Grid
        The same cells filled with two independent halves of the simulation, each at the full exposure. Without
        `with_prediction` of the module `density`, every empty bin is taken to have missed a whole event of each sample.
    rules : Rules, optional
        Without them, the defaults of `Rules`.
    parameter : str
        Whose error to make small.
    starts : int
        How many of the best binnings on the way down to refine.
    rounds : int
        Most rounds of refinement; each tries to move, remove and add every edge.

    Raises
    ------
    ConfigError
        The grids have different cells, the parameter is unknown, or no binning of the grid fulfils the rules.
    """
    rules = rules or Rules()
    if parameter not in training.bins.parameters:
        raise ConfigError(f"optimise: no parameter {parameter!r}{nearest(parameter, training.bins.parameters)}")
    same_cells(training, judging)
    search = _Search(training, rules, parameter)
    trail = list(search.greedy())
    allowed = [found for found in trail if found.allowed]
    if not allowed:
        raise ConfigError(
            f"optimise: no binning of the grid with at most {rules.bins or 'any number of'} bins has"
            f" {rules.entries:g} simulated events, {rules.background_entries:g} of them backgrounds, a relative error"
            f" below {rules.relative_error:g} and the least widths in every bin that matters; ask for less, or simulate"
            " more"
        )
    allowed.sort(key=lambda found: found.score)
    best = min((search.refined(start, rounds) for start in allowed[:starts]), key=lambda found: found.score)
    edges = search.edges(best)
    return Optimum(
        edges=edges,
        training=judge(training.merged(edges).bins, parameter),
        judging=judge(judging.merged(edges).bins, parameter),
        trail=tuple((found.bins, found.error) for found in trail),
        exempt=best.exempt,
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """A binning that was tried: places of its edges among the round ones, error of kappa, whether the rules hold."""

    positions: Positions
    error: float
    score: float
    bins: int
    exempt: int
    allowed: bool


class _Search:
    """The way from a fine grid to a binning."""

    def __init__(self, grid: Grid, rules: Rules, parameter: str) -> None:
        self._grid, self._rules = grid, rules
        self._prior = np.asarray(grid.bins.precision)
        self._k = grid.bins.parameters.index(parameter)
        fine = blocks(
            grid,
            entries=rules.entries,
            background_entries=rules.background_entries,
            relative_error=rules.relative_error,
        )
        self._round = tuple(
            tuple(_round(edges, _of(rules.steps, place, axis)) for axis, edges in enumerate(region.edges))
            for place, region in enumerate(grid.regions)
        )
        self._wide = tuple(
            tuple(
                _wide(edges, places, _of(rules.widths, place, axis))
                for axis, (edges, places) in enumerate(zip(region.edges, self._round[place], strict=True))
            )
            for place, region in enumerate(grid.regions)
        )
        # From here on, positions count the round edges of the grid.
        self._fine = tuple(block.merged(places) for block, places in zip(fine, self._round, strict=True))

    def edges(self, found: _Found) -> Edges:
        """Return the edges of a binning found."""
        return tuple(
            tuple(fine[kept[places]] for fine, kept, places in zip(region.edges, round_, axes, strict=True))
            for region, round_, axes in zip(self._grid.regions, self._round, found.positions, strict=True)
        )

    def greedy(self) -> Iterator[_Found]:
        """Take away edges one by one until one bin per region is left; yield every binning on the way."""
        positions = [[np.arange(bins + 1) for bins in block.shape] for block in self._fine]
        state = list(self._fine)
        while True:
            yield self._evaluated(positions, state)
            tried = list(self._tried(positions, state))
            if not tried:
                return
            region, axis, edge = min(tried, key=lambda one: one[:2])[2]
            keep = [np.arange(bins + 1) for bins in state[region].shape]
            keep[axis] = np.delete(keep[axis], edge)
            state[region] = state[region].merged(keep)
            positions[region][axis] = np.delete(positions[region][axis], edge)

    def _tried(
        self, positions: list[list[Integers]], state: list[Block]
    ) -> Iterator[tuple[bool, float, tuple[int, int, int]]]:
        """Yield for every edge whether its bins are wide enough without it, the error without it, and which it is."""
        data, noise = self._total(state)
        scale = np.maximum(np.diag(data) + noise, 0.0) + np.diag(self._prior)
        scale = np.where(scale > 0, scale, 1.0)
        for place, block in enumerate(state):
            for axis, count in enumerate(block.shape):
                if count == 1:
                    continue
                matrices = covariance(data + block.candidates(axis), self._prior, scale)
                errors = np.sqrt(matrices[:, self._k, self._k])
                places = positions[place][axis]
                narrow = ~self._wide[place][axis][places[:-1], places[1:]]
                for edge in range(1, count):
                    # Edges of bins that are too narrow go first.
                    yield not (narrow[edge - 1] or narrow[edge]), float(errors[edge - 1]), (place, axis, edge)

    def refined(self, best: _Found, rounds: int) -> _Found:
        """Move, remove and add single edges as long as that pays."""
        for _ in range(rounds):
            start = best
            for region, block in enumerate(self._fine):
                for axis in range(len(block.shape)):
                    best = self._along(best, region, axis)
            if best.score > start.score * (1.0 - 1e-6):
                break
        return best

    def _along(self, best: _Found, region: int, axis: int) -> _Found:
        """Try the neighbours of the edges along one axis; all else is merged beforehand."""
        positions = [list(axes) for axes in best.positions]
        state = [block.merged(axes) for block, axes in zip(self._fine, positions, strict=True)]
        across = [
            np.arange(bins + 1) if direction == axis else positions[region][direction]
            for direction, bins in enumerate(self._fine[region].shape)
        ]
        along = self._fine[region].merged(across).collected()
        whole = [np.arange(bins + 1) for bins in along.shape]
        for places in self._neighbours(positions[region][axis]):
            if not self._wide[region][axis][places[:-1], places[1:]].all():
                continue
            positions[region][axis] = whole[axis] = places
            state[region] = along.merged(whole)
            found = self._evaluated(positions, state, best.score)
            if found.allowed:
                best = found
        return best

    def _neighbours(self, places: Integers) -> Iterator[Integers]:
        """Yield the edges of an axis with one edge removed, moved up to its neighbours, or added."""
        ends, inner = places[[0, -1]], places[1:-1]
        for at, place in enumerate(inner):
            others = np.concatenate([ends, np.delete(inner, at)])
            yield np.sort(others)
            for new in range(places[at] + 1, places[at + 2]):
                if new != place:
                    yield np.sort(np.append(others, new))
        for new in np.setdiff1d(np.arange(places[0], places[-1]), places):
            yield np.sort(np.append(places, new))

    def _total(self, state: Sequence[Block]) -> tuple[Floats, Floats]:
        parts = [block.information() for block in state]
        return np.asarray(sum(data for data, _ in parts)), np.asarray(sum(noise for _, noise in parts))

    def _evaluated(
        self, positions: Sequence[Sequence[Integers]], state: Sequence[Block], below: float = np.inf
    ) -> _Found:
        """Return how good a binning is; a binning is not allowed if its score is not `below` that of another."""
        data, noise = self._total(state)
        scale = np.maximum(np.diag(data) + noise, 0.0) + np.diag(self._prior)
        matrix = covariance(data, self._prior, np.where(scale > 0, scale, 1.0))
        error = float(np.sqrt(matrix[self._k, self._k]))
        bins = sum(int(np.prod(block.shape)) for block in state)
        score = error * (1.0 + self._rules.price * bins)
        exempt, allowed = 0, score < below and bins <= (self._rules.bins or bins)
        if allowed:
            exempt, failing = self._failing(state, np.where(np.isfinite(matrix[self._k]), matrix[self._k], 0.0))
            allowed = not failing and all(
                self._wide[place][axis][places[:-1], places[1:]].all()
                for place, axes in enumerate(positions)
                for axis, places in enumerate(axes)
            )
        return _Found(
            positions=tuple(tuple(axes) for axes in positions),
            error=error,
            score=score,
            bins=bins,
            exempt=exempt,
            allowed=allowed,
        )

    def _failing(self, state: Sequence[Block], direction: Floats) -> tuple[int, int]:
        """Return how many bins break the rules: those with negligible information on kappa, and the others."""
        shares, broken = [], []
        for block in state:
            total = block.sums[block.layout.facts]
            slope = np.tensordot(direction, block.sums[: block.layout.parameters], 1)
            shares.append(np.divide(slope**2, total, out=np.zeros_like(total), where=total > 0).ravel())
            broken.append((block.layout.inverse(block.sums)[1] < 1.0).ravel())
        share, fails = np.concatenate(shares), np.concatenate(broken)
        weighty = share > self._rules.negligible * share.sum()
        return int((fails & ~weighty).sum()), int((fails & weighty).sum())


def _of(values: Sequence[Sequence[Any]] | None, region: int, axis: int) -> Any:
    return None if values is None else values[region][axis]


def _round(edges: Floats, step: float | None) -> Integers:
    """Return the places of edges that are multiples of `step`, and of the two ends."""
    places = np.arange(edges.size)
    if step is None:
        return places
    multiples = edges / step
    keep = np.abs(multiples - np.round(multiples)) < 1e-6
    keep[[0, -1]] = True
    return places[keep]


def _wide(edges: Floats, places: Integers, least: npt.ArrayLike | None) -> Flags:
    """Return whether a bin from one of the edges at `places` to another is wide enough, a square matrix."""
    kept = edges[places]
    if least is None:
        return np.ones((kept.size, kept.size), np.bool_)
    needed = np.asarray(least, np.float64)
    if needed.shape != (edges.size - 1,):
        raise ConfigError(
            f"optimise: least widths of shape {needed.shape}: needs one for each of {edges.size - 1} cells"
        )
    centres = (edges[:-1] + edges[1:]) / 2
    middle, width = (kept[:, None] + kept) / 2, kept - kept[:, None]
    allowed: Flags = width >= np.interp(middle, centres, needed) * (1.0 - 1e-9)
    return allowed
