"""The joint confidence regions of two parameters: 2NLL above its minimum on a grid, all others refitted.

A region may be far from an ellipse. It is thin where the two parameters have nearly the same effect. The grid therefore
grows until the 95 % region lies inside. Steps become finer where 2NLL is low, so that a thin region is not drawn from a
few points.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Flags, Floats
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.fitting.covariance import covariance, degenerate
from spectrafit.inference.fitting.fit import sweep
from spectrafit.inference.fitting.minimum import Minimum, Problem
from spectrafit.inference.model import Model
from spectrafit.inference.results import Contour
from spectrafit.progress import bar
from spectrafit.stages import stage

__all__ = ["contour"]

# The rise of 2NLL around the joint 95 % region of two parameters, -2 ln 0.05: the widest region that is drawn.
_RISE = -2.0 * math.log(0.05)
# How often the grid may grow, and by what part of its length each time.
_GROWTHS, _PART = 8, 0.25
# Points of higher 2NLL lie in no region, even if the valley passes half a step beside them.
_FAR = 25.0
# Wanted steps of the grid per error that a parameter has when the other one is known, and into how many parts a step
# may be cut at most.
_STEPS, _FINEST = 3.0, 6


@stage("found the regions")
def contour(
    model: Model,
    first: str,
    second: str,
    *,
    x: npt.ArrayLike | None = None,
    y: npt.ArrayLike | None = None,
    points: int = 31,
    data: npt.ArrayLike | None = None,
) -> Contour:
    """Return 2NLL above its minimum on a grid of two parameters, all others refitted.

    Parameters
    ----------
    model : Model
    first, second : str
    x, y : array_like, optional
        Grids, in increasing order; a given grid is not changed. By default `points` values within 3 errors of the best
        fit, and more where the 95 % region leaves the grid. If neither grid is given, steps become finer where the
        region is thin: 2NLL is then fitted in and around the region, and interpolated far outside.
    points : int
        On a side, at least 3.
    data : (B,) array_like, optional
        Counts; by default the model's.

    Raises
    ------
    ConfigError
        A name is no parameter, both names are the same, a parameter is fixed, or `points` is below 3.
    DataError
        One of the two is degenerate with other parameters: the region has no end.
    """
    first_place, second_place = model.index(first), model.index(second)
    if first_place == second_place:
        raise ConfigError(f"contour: {first!r} against itself; name two different parameters")
    if points < 3:
        raise ConfigError(f"contour: {points} points on a side are too few to show a region; take at least 3")
    problem = Problem(model, data)
    for name, place in ((first, first_place), (second, second_place)):
        if not problem.free[place]:
            raise ConfigError(f"contour: {name!r} is fixed in this model; take a parameter that is fitted")
    best = problem.minimum(model.initial)
    hessian = problem.hessian(best.values)
    matrix, positive = covariance(hessian, problem.free)
    valley = degenerate(problem, best, hessian, problem.free, matrix, positive)
    if first in valley or second in valley:
        raise DataError(
            f"no contour: 2NLL does not change with {' and '.join(valley)} together, so their region has no end; fix"
            " one of them, or give it a constraint"
        )
    errors = np.sqrt(np.diag(matrix))
    grids = [
        _inside(problem, place, best.values[place] + np.linspace(-3.0, 3.0, points) * errors[place])
        if given is None
        else np.asarray(given, dtype=np.float64)
        for place, given in ((first_place, x), (second_place, y))
    ]
    surface = _Surface(problem, best, (first_place, second_place))
    surface.fill(grids[0], grids[1])
    for _ in range(_GROWTHS):
        grown = surface.grown(grow=(x is None, y is None))
        if grown is None:
            break
        surface.fill(*grown)
    if x is None and y is None:
        alone = math.sqrt(
            max(
                1.0
                - matrix[first_place, second_place] ** 2
                / (matrix[first_place, first_place] * matrix[second_place, second_place]),
                0.0,
            )
        )
        step = 6.0 / (points - 1)
        surface.refine(min(max(math.ceil(_STEPS * step / max(alone, 1e-3)), 2), _FINEST))
    return Contour(
        parameters=(first, second),
        x=surface.x,
        y=surface.y,
        delta_2nll=surface.delta,
        best=(float(best.values[first_place]), float(best.values[second_place])),
        valid=surface.valid,
    )


def _inside(problem: Problem, parameter: int, grid: Floats) -> Floats:
    """Return a grid between the limits of a parameter."""
    lower, upper = problem.arrays.lower[parameter], problem.arrays.upper[parameter]
    if grid[0] >= lower and grid[-1] <= upper:
        return grid
    return np.linspace(max(grid[0], lower), min(grid[-1], upper), len(grid))


class _Surface:
    """2NLL above its minimum on a grid, with the minima it came from as starts for finer ones."""

    def __init__(self, problem: Problem, best: Minimum, places: tuple[int, int]) -> None:
        self.problem, self.best, self.places = problem, best, places
        self.free = problem.held(*places)
        self.x = self.y = np.zeros(0)
        self.delta = np.zeros((0, 0))
        self.valid: Flags = np.zeros((0, 0), np.bool_)
        self.values = np.zeros((0, 0, len(best.values)))

    def fill(self, x: Floats, y: Floats) -> None:
        """Fit on a whole grid, column by column, each from the best fit's side outwards."""
        first, second = self.places
        known = {(at, other): (row, column) for row, at in enumerate(self.x) for column, other in enumerate(self.y)}
        before = self.delta, self.valid, self.values
        delta, valid = np.empty((len(x), len(y))), np.empty((len(x), len(y)), np.bool_)
        values = np.empty((*delta.shape, len(self.best.values)))
        with bar(len(x), doing="fitting", unit="columns of the plane") as advance:
            for row, at in enumerate(x):
                new = [column for column, other in enumerate(y) if (at, other) not in known]
                start = self.best.values.copy()
                start[first] = at
                minima = sweep(self.problem, start, float(self.best.values[second]), second, y[new], self.free)
                for column, found in zip(new, minima, strict=True):
                    delta[row, column] = found.two_nll - self.best.two_nll
                    valid[row, column], values[row, column] = found.converged, found.values
                for column in set(range(len(y))).difference(new):
                    place = known[at, y[column]]
                    delta[row, column], valid[row, column], values[row, column] = (part[place] for part in before)
                advance(1)
        self.x, self.y, self.delta, self.valid, self.values = x, y, delta, valid, values

    def grown(self, *, grow: tuple[bool, bool]) -> tuple[Floats, Floats] | None:
        """Return longer grids on the sides where the 95 % region reaches the edge, None if there are none."""
        grids = [self.x, self.y]
        edges = ((self.delta[0], self.delta[-1]), (self.delta[:, 0], self.delta[:, -1]))
        longer = False
        for axis, (low, high) in enumerate(edges):
            grid, place = grids[axis], self.places[axis]
            if not grow[axis]:
                continue
            steps = (grid[1] - grid[0]) * np.arange(1, 1 + max(int(_PART * len(grid)), 1))
            lower, upper = self.problem.arrays.lower[place], self.problem.arrays.upper[place]
            before = (grid[0] - steps)[::-1] if low.min() < _RISE else steps[:0]
            after = grid[-1] + steps if high.min() < _RISE else steps[:0]
            grids[axis] = np.concatenate([before[before >= lower], grid, after[after <= upper]])
            longer |= len(grids[axis]) > len(grid)
        return (grids[0], grids[1]) if longer else None

    def refine(self, times: int) -> None:
        """Cut every step into `times`, and fit again where 2NLL is low; far outside it is interpolated."""
        first, second = self.places
        low = self.delta < _FAR
        near = low[:-1, :-1] | low[1:, :-1] | low[:-1, 1:] | low[1:, 1:]
        fine = [
            np.interp(np.arange(times * (len(grid) - 1) + 1) / times, np.arange(len(grid)), grid)
            for grid in (self.x, self.y)
        ]
        # Linear interpolation in both directions: a row of weights for each point of the finer grids.
        weights = [
            np.array([np.interp(line, grid, unit) for unit in np.eye(len(grid))]).T
            for line, grid in zip(fine, (self.x, self.y), strict=True)
        ]
        delta = weights[0] @ self.delta @ weights[1].T
        valid = np.ones(delta.shape, np.bool_)
        starts = np.einsum("rx,xyk,cy->rck", weights[0], self.values, weights[1], optimize=True)
        # A point belongs to the cells around it: one inside a cell, two or four on its edges.
        touched = np.zeros(delta.shape, np.bool_)
        for row, column in np.argwhere(near):
            touched[row * times : (row + 1) * times + 1, column * times : (column + 1) * times + 1] = True
        points = np.argwhere(touched)
        with bar(len(points), doing="fitting", unit="points near the regions") as advance:
            for row, column in points:
                start = starts[row, column]
                start[first], start[second] = fine[0][row], fine[1][column]
                found = self.problem.minimum(start, self.free)
                delta[row, column] = found.two_nll - self.best.two_nll
                valid[row, column] = found.converged
                advance(1)
        self.x, self.y, self.delta, self.valid = fine[0], fine[1], delta, valid
