"""The covariance of fitted parameters, and the parameters that are degenerate."""

from __future__ import annotations

import numpy as np

from spectrafit.arraytypes import Flags, Floats
from spectrafit.inference.fitting.minimum import Minimum, Problem
from spectrafit.inference.kernels.cholesky import inverse

__all__ = ["covariance", "degenerate", "rises"]

# A Hessian made of differences may be singular where the variance of a parameter is this many times the variance that
# the parameter has when all others are known.
_INFLATED = 1e4
# A message about a direction along which 2NLL does not change names the parameters with at least this share in it.
_SHARE = 0.3
# The first look for a valley is this many of the errors away that a parameter has when all others are known.
_FEW = 10.0
# A suspicious error is checked by minimising 2NLL again at these parts of the error from the minimum.
_NEARER = (1.0, 0.1, 0.01)


def covariance(hessian: Floats, moving: Flags) -> tuple[Floats, bool]:
    """Return the (K, K) covariance of the `moving` parameters, 0 elsewhere, and whether it is positive definite.

    Where the Hessian of 2NLL is not positive, its eigenvalues are replaced by their sizes, and False says so.
    """
    result = np.zeros_like(hessian)
    order, lower, column = np.empty(len(moving), np.int64), np.empty_like(hessian), np.empty(len(moving))
    if inverse(np.ascontiguousarray(hessian), moving, order, lower, column, result):
        return 2.0 * result, True
    result[:] = 0.0
    part, scale = _scaled(hessian, moving)
    eigenvalues, vectors = np.linalg.eigh(part)
    sizes = np.maximum(np.abs(eigenvalues), 1e-12)
    result[np.ix_(moving, moving)] = 2.0 * (vectors / sizes) @ vectors.T / np.outer(scale, scale)
    return result, False


def _scaled(hessian: Floats, moving: Flags) -> tuple[Floats, Floats]:
    """Return the part of the `moving` parameters with a diagonal of 1 where it is positive, and the scale taken out."""
    part = hessian[np.ix_(moving, moving)]
    scale = np.sqrt(np.where(np.diag(part) > 0, np.diag(part), 1.0))
    return part / np.outer(scale, scale), scale


def degenerate(
    problem: Problem, best: Minimum, hessian: Floats, moving: Flags, matrix: Floats, positive: bool
) -> tuple[str, ...]:
    """Return the names of `moving` parameters that can change together without changing 2NLL; empty if none can.

    Along such a valley rounding may make the Hessian positive and the errors of any size. Where an error is much larger
    than the error with all other parameters known, 2NLL is therefore minimised again one error away: in a valley it has
    not risen. `covariance` returns `matrix` and `positive`.
    """
    errors, places = np.sqrt(np.diag(matrix)), np.flatnonzero(moving)
    if positive:
        inflation = 0.5 * np.diag(matrix) * np.diag(hessian)
        worst = int(np.argmax(np.where(moving, inflation, 0.0))) if places.size else 0
        if not places.size or inflation[worst] < _INFLATED or rises(problem, best, moving, worst, errors[worst]):
            return ()
    _, vectors = np.linalg.eigh(_scaled(hessian, moving)[0])
    return tuple(
        problem.model.names[place] for place, entry in zip(places, vectors[:, 0], strict=True) if abs(entry) > _SHARE
    )


def rises(problem: Problem, best: Minimum, moving: Flags, parameter: int, error: float) -> bool:
    """Return whether 2NLL rises about as far as the error of a parameter says, with all others refitted.

    The first look is a few of the errors away that the parameter has when all others are known. Then 2NLL is minimised
    one error away, or at the parameter's limit if that is nearer. An error made of rounding may be so large that no fit
    converges there, or that the fit ends in another minimum; then nearer points are tried.
    """
    value = best.values[parameter]
    below, above = value - problem.arrays.lower[parameter], problem.arrays.upper[parameter] - value
    free = moving.copy()
    free[parameter] = False
    risen = True
    alone = float(problem.likelihood.lone_errors(best.values, work=problem.work)[parameter])
    for first, distance in ((True, min(_FEW * alone, error)), *((False, nearer * error) for nearer in _NEARER)):
        step = min(distance, max(below, above)) * (1.0 if above >= below else -1.0)
        start = best.values.copy()
        start[parameter] += step
        found = problem.newton(start, free)
        risen = bool(found.two_nll - best.two_nll > max(0.1 * (step / error) ** 2, 1e-8))
        if not risen or (found.converged and not first):
            break
    return risen
