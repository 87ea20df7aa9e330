"""The steps from a fine grid to a binning: taking edges away one by one, and refining what is left.

Refining takes the best edges of one axis after the other, all at once (`segments`), and moves, adds and removes single
edges.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Flags, Floats, Integers
from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.information import covariance
from spectrafit.inference.studies.grid import Edges, Grid
from spectrafit.inference.studies.merging import Block, blocks
from spectrafit.inference.studies.rules import Rules
from spectrafit.inference.studies.segments import best_edges

__all__ = ["COARSE", "Found", "Search"]

Positions = tuple[tuple[Integers, ...], ...]

# Bins along the axes of the coarse binnings from which the search begins, too: the first has 6 and 3, and so on.
COARSE = (6, 3, 12)
# Most bins along an axis that are tried all at once.
_MOST = 30


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """A binning that was tried: places of its edges among the round ones, error of kappa, whether the rules hold."""

    positions: Positions
    error: float
    score: float
    bins: int
    exempt: int
    allowed: bool


class Search:
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

    @property
    def most(self) -> float:
        """Most bins of all regions together."""
        return self._rules.bins or np.inf

    def limited(self, bins: int) -> Search:
        """Return the same search for at most so many bins."""
        other = copy.copy(self)
        other._rules = dataclasses.replace(self._rules, bins=max(bins, 1))
        return other

    def edges(self, found: Found) -> Edges:
        """Return the edges of a binning found."""
        return tuple(
            tuple(fine[kept[places]] for fine, kept, places in zip(region.edges, round_, axes, strict=True))
            for region, round_, axes in zip(self._grid.regions, self._round, found.positions, strict=True)
        )

    def greedy(self) -> Iterator[Found]:
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

    def refined(self, best: Found, rounds: int) -> Found:
        """Move, remove and add single edges as long as that pays."""
        for _ in range(rounds):
            start = best
            for region, block in enumerate(self._fine):
                for axis in range(len(block.shape)):
                    best = self._along(self._together(best, region, axis), region, axis)
            if best.score > start.score * (1.0 - 1e-6) or not best.allowed:
                break
        return best

    def coarse(self, number: int) -> Found:
        """Return a binning with few bins of equal expectation along each axis; it need not be allowed."""
        positions = []
        for block in self._fine:
            expected = block.sums[-2]
            axes = []
            for axis, size in enumerate(block.shape):
                others = tuple(other for other in range(len(block.shape)) if other != axis)
                below = np.cumsum(np.maximum(expected.sum(axis=others), 0.0))
                bins = COARSE[(number + axis) % len(COARSE)]
                inner = np.searchsorted(below, below[-1] * np.arange(1, bins) / bins) + 1
                axes.append(np.unique(np.concatenate([[0], inner[inner < size], [size]])))
            positions.append(axes)
        state = [block.merged(axes) for block, axes in zip(self._fine, positions, strict=True)]
        found = self._evaluated(positions, state)
        return found if found.allowed else dataclasses.replace(found, score=np.inf)

    def _together(self, best: Found, region: int, axis: int) -> Found:
        """Try the best edges of one axis for every number of bins, in the direction of the best binning so far."""
        positions, state, along = self._merged_across(best, region, axis)
        matrix = self._covariance(state)[1][self._k]
        if not np.isfinite(matrix[self._k]):
            return best
        direction = np.where(np.isfinite(matrix), matrix / matrix[self._k], 0.0)
        needed = self._rules.negligible * sum(float(share.sum()) for share in self._shares(state, direction))
        others = int(np.prod(along.shape)) // along.shape[axis]
        most = along.shape[axis]
        if self._rules.bins:
            rest = sum(int(np.prod(block.shape)) for block in state) - int(np.prod(state[region].shape))
            most = (self._rules.bins - rest) // others
        whole = [np.arange(bins + 1) for bins in along.shape]
        tried = best_edges(along, axis, direction, self._wide[region][axis], most=min(most, _MOST), needed=needed)
        for places in tried:
            positions[region][axis] = whole[axis] = places
            state[region] = along.merged(whole)
            found = self._evaluated(positions, state, best.score)
            if found.allowed:
                best = found
        return best

    def _along(self, best: Found, region: int, axis: int) -> Found:
        """Try the neighbours of the edges along one axis."""
        positions, state, along = self._merged_across(best, region, axis)
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

    def _merged_across(self, best: Found, region: int, axis: int) -> tuple[list[list[Integers]], list[Block], Block]:
        """Return a binning's positions and blocks, and the region's block with all cells along one axis."""
        positions = [list(axes) for axes in best.positions]
        state = [block.merged(axes) for block, axes in zip(self._fine, positions, strict=True)]
        across = [
            np.arange(bins + 1) if direction == axis else positions[region][direction]
            for direction, bins in enumerate(self._fine[region].shape)
        ]
        return positions, state, self._fine[region].merged(across).collected()

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
    ) -> Found:
        """Return how good a binning is; a binning is not allowed if its score is not `below` that of another."""
        error, matrix = self._covariance(state)
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
        return Found(
            positions=tuple(tuple(axes) for axes in positions),
            error=error,
            score=score,
            bins=bins,
            exempt=exempt,
            allowed=allowed,
        )

    def _covariance(self, state: Sequence[Block]) -> tuple[float, Floats]:
        """Return the error of the parameter of interest, and the covariance of all parameters."""
        data, noise = self._total(state)
        scale = np.maximum(np.diag(data) + noise, 0.0) + np.diag(self._prior)
        matrix = covariance(data, self._prior, np.where(scale > 0, scale, 1.0))
        return float(np.sqrt(matrix[self._k, self._k])), matrix

    def _shares(self, state: Sequence[Block], direction: Floats) -> list[Floats]:
        """Return the information of every bin along a direction of the parameters, block by block."""
        shares = []
        for block in state:
            total = block.sums[block.layout.facts]
            slope = np.tensordot(direction, block.sums[: block.layout.parameters], 1)
            shares.append(np.divide(slope**2, total, out=np.zeros_like(total), where=total > 0).ravel())
        return shares

    def _failing(self, state: Sequence[Block], direction: Floats) -> tuple[int, int]:
        """Return how many bins break the rules: those with negligible information on kappa, and the others."""
        share = np.concatenate(self._shares(state, direction))
        fails = np.concatenate([(block.layout.inverse(block.sums)[1] < 1.0).ravel() for block in state])
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
