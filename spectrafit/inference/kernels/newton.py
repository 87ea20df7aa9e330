"""Finds the minimum of 2NLL with a damped Newton method and Fisher scoring (numba kernels).

Each step solves H s = -g on the parameters that are free and not pressed against a limit. H is J^T W J plus the
constraints (Gauss and Newton's matrix), which is positive wherever it is not singular. For the first steps W is the
expected curvature 2 / (m + V): this is Fisher scoring, and it reaches a bin's counts in one step from above or below.
Afterwards W is the curvature at the counts. A step is shortened until 2NLL falls by a part of what its slope promises
(L. Armijo, Pac. J. Math. 16 (1966) 1). Where this stalls, the exact Hessian takes over. A multiple of its diagonal is
added until it is positive, as in the method of Levenberg and Marquardt (J. SIAM 11 (1963) 431). The fit ends when the
estimated distance to the minimum, EDM = g^T H^-1 g / 2, is below the tolerance.

A shift whose +1 and -1 sigma templates change the prediction the same way gives 2NLL two minima, one on either side of
0. From the minimum found, the other side of each such parameter (`Arrays.folded`) is tried with one step. The fit
descends there too if the step promises a low enough 2NLL and stays on that side. If the data determine the parameter
well, the two minima are closer together, and the other one is looked for within the parameter's error. A kappa that
enters squared has two minima for the same reason: its prediction is a parabola with two kappas for each value. Of
18 000 toy fits of the shipped analyses 4 missed a deeper minimum, which starts on both sides of every such parameter
find.

`a` holds the model's arrays, `d` what was measured, `w` scratch space. k and j are parameters, n is their number, i a
place in a list of parameters.
"""

from __future__ import annotations

import math
from typing import Any

from numba import types

from spectrafit.inference.kernels.cholesky import factorise, solve
from spectrafit.inference.kernels.evaluate import evaluate, fill_hessian, fill_information
from spectrafit.inference.kernels.fields import FLAGS, FLOATS, MODEL, OBSERVED, WORK
from spectrafit.inference.kernels.yields import add_gradient
from spectrafit.jit import inlined, kernel

__all__ = ["CONVERGED", "STALLED", "TOO_LONG", "descend", "error_of", "minimise", "promise"]

CONVERGED, TOO_LONG, STALLED = 0, 1, 2
_SCORING = 2  # steps with the expected curvature
_ACROSS = 0.6  # how far on the other side of 0 a second minimum is looked for
_TIGHT = 0.3  # parameters with a smaller error are also looked at nearer to 0, at these parts of the error:
_NEARER = (0.25, 1.0)
_MARGIN = 0.2  # how far the promised 2NLL of a second minimum may be off

# 2NLL, EDM, evaluations, how it ended.
_FOUND = types.Tuple((types.float64, types.float64, types.int64, types.int64))


@kernel(types.float64(WORK, FLAGS))
def _direction(w: Any, live: Any) -> Any:
    """Fill `w.step` from `w.hessian`, made positive by a growing multiple of its diagonal; return the EDM."""
    order, size = w.order, 0
    for k in range(live.size):
        w.step[k] = 0.0
        if live[k] and not w.hessian[k, k] > 0.0:
            # Nothing is known about this parameter here: leave it for a later step.
            live[k] = w.hessian[k, k] < 0.0
            w.hessian[k, k] = abs(w.hessian[k, k])
        if live[k]:
            order[size] = k
            size += 1
    # Levenberg and Marquardt: the diagonal grows until the matrix is positive, so that the step goes downhill.
    shift = 0.0
    while not factorise(w.hessian, order, size, w.lower, shift):
        shift = max(4.0 * shift, 1e-6)
        if shift > 1e12:
            return math.nan
    for i in range(size):
        w.kept[i] = -w.gradient[order[i]]
    solve(w.lower, size, w.kept)
    edm = 0.0
    for i in range(size):
        w.step[order[i]] = w.kept[i]
        edm -= 0.5 * w.gradient[order[i]] * w.kept[i]
    return edm


@kernel(_FOUND(MODEL, OBSERVED, FLOATS, FLAGS, types.float64, types.int64, WORK), entry=True)
def descend(a: Any, d: Any, theta: Any, free: Any, tolerance: float, most: int, w: Any) -> Any:
    """Move `theta` downhill to a minimum, which need not be the deepest; arguments and results as for `minimise`."""
    n = theta.size
    live = w.live
    for k in range(n):
        w.trial[k] = min(max(theta[k], a.lower[k]), a.upper[k])
    value, edm, slope, length = math.inf, math.inf, 0.0, 0.0
    steps, shorter, exact = 0, 0, False
    for calls in range(1, most + 1):
        w.scoring[0] = steps < _SCORING
        found = evaluate(a, d, w.trial, w)
        # Armijo's rule: 2NLL must fall by at least 1e-4 of what its slope promises. The last term allows for rounding.
        if not found <= value + 1e-4 * length * slope + 1e-13 * abs(value):
            shorter += 1
            if shorter <= 20:
                # Minimum of the parabola through what is known, within a factor 10.
                bend = found - value - length * slope
                guess = -0.5 * slope * length * length / bend if bend > 0.0 and math.isfinite(bend) else 0.0
                length = min(max(guess, 0.1 * length), 0.5 * length)
                _move(a, theta, w, live, length)
                continue
            if exact:
                return value, edm, calls, STALLED
            # Try again from here with the exact Hessian.
            exact, value = True, math.inf
            for k in range(n):
                w.trial[k] = theta[k]
            continue
        if not math.isfinite(found):
            return found, edm, calls, STALLED
        # Slow convergence means that the second derivatives left out of J^T W J matter. The exact Hessian costs as much
        # as n steps, so it is tried late.
        exact = exact or (steps > 8 + n // 4 and value - found < 0.5 * edm)
        value, length, shorter, steps = found, 1.0, 0, steps + 1
        for k in range(n):
            theta[k] = w.trial[k]
        add_gradient(a, theta, w)
        fill_information(a, d, theta, w)
        if _straight(a, free, w):
            # Bins without counts are straight where the expected curvature is not: without it nothing would move.
            w.scoring[0] = True
            evaluate(a, d, theta, w)
            add_gradient(a, theta, w)
            fill_information(a, d, theta, w)
        if exact:
            _exact(a, d, theta, w)
        for k in range(n):
            down, up = w.gradient[k] > 0.0, w.gradient[k] < 0.0
            live[k] = free[k] and not ((theta[k] <= a.lower[k] and down) or (theta[k] >= a.upper[k] and up))
            limit = a.lower[k] if down else a.upper[k]
            if live[k] and w.hessian[k, k] == 0.0 and (down or up) and math.isfinite(limit):
                # 2NLL is straight here (all that moves is a bin without counts): the step ends at the limit.
                w.hessian[k, k] = abs(w.gradient[k] / (limit - theta[k]))
        edm = _direction(w, live)
        if not math.isfinite(edm):
            return value, edm, calls, STALLED
        if edm < tolerance:
            return value, edm, calls, CONVERGED
        slope = -2.0 * edm
        _move(a, theta, w, live, length)
    return value, edm, most, TOO_LONG


@kernel(types.float64(MODEL, OBSERVED, FLOATS, FLAGS, WORK), optional=True)
def promise(a: Any, d: Any, theta: Any, free: Any, w: Any) -> Any:
    """Return the 2NLL that one step from `theta` would reach if 2NLL were quadratic."""
    w.scoring[0] = True
    value = evaluate(a, d, theta, w)
    add_gradient(a, theta, w)
    fill_information(a, d, theta, w)
    live = w.live
    for k in range(free.size):
        live[k] = free[k]
    return value - _direction(w, live)


@kernel(_FOUND(MODEL, OBSERVED, FLOATS, FLAGS, types.float64, types.int64, WORK), entry=True)
def minimise(a: Any, d: Any, theta: Any, free: Any, tolerance: float, most: int, w: Any) -> Any:
    """Move `theta` to the minimum of 2NLL.

    Parameters
    ----------
    a : Arrays
    d : Observed
    theta : (K,) array
        The start; the minimum on return.
    free : (K,) bool array
        Parameters to move.
    tolerance : float
        EDM, in 2NLL, at which to stop.
    most : int
        Evaluations at most.
    w : Work

    Returns
    -------
    2NLL, EDM, number of evaluations, CONVERGED or TOO_LONG or STALLED
    """
    value, edm, calls, status = descend(a, d, theta, free, tolerance, most, w)
    squared = a.poi >= 0 and math.isfinite(a.mirror) and free[a.poi]
    if status != CONVERGED or (a.folded.size == 0 and not squared):
        return value, edm, calls, status
    other, width = w.across, w.width
    for i in range(a.folded.size):
        curvature = w.hessian[a.folded[i], a.folded[i]]
        width[i] = math.sqrt(2.0 / curvature) if curvature > 0.0 else math.inf
    for _ in range(2):
        better = False
        # Starts: kappa mirrored at the vertex of its parabola; per folded parameter the other side of 0, then 0 itself
        # if the minimum is far out, then points nearer to 0 if its error is small.
        for i in range(-1, 4 * a.folded.size):
            k = a.poi if i < 0 else a.folded[i // 4]
            if (i < 0 and not squared) or not free[k] or (i >= 0 and i % 4 == 1 and abs(theta[k]) < 2.0 * _ACROSS):
                continue
            if i >= 0 and i % 4 > 1 and width[i // 4] > _TIGHT:
                continue
            for j in range(theta.size):
                other[j] = theta[j]
            if i < 0:
                other[k] = a.mirror - theta[k]
            elif i % 4 == 1:
                other[k] = 0.0
            else:
                away = _ACROSS if i % 4 == 0 else width[i // 4] * _NEARER[i % 4 - 2]
                other[k] = -math.copysign(max(abs(theta[k]), away), theta[k])
            calls += 1
            promised = promise(a, d, other, free, w)
            # A step back across 0 leads to the minimum that is known already: no descent.
            if not promised < value + _MARGIN or (i >= 0 and other[k] * (other[k] + w.step[k]) < 0.0):
                continue
            found, distance, more, ended = descend(a, d, other, free, tolerance, most, w)
            calls += more
            if ended == CONVERGED and found < value - tolerance:
                better = better or found < value - 1e-4
                value, edm = found, distance
                for j in range(theta.size):
                    theta[j] = other[j]
        if not better:
            break
    return value, edm, calls, status


@inlined
def _move(a: Any, theta: Any, w: Any, live: Any, length: float) -> None:
    """Fill `w.trial` with the point a part of the step away, inside the limits."""
    for k in range(theta.size):
        moved = theta[k] + length * w.step[k] if live[k] else theta[k]
        w.trial[k] = min(max(moved, a.lower[k]), a.upper[k])


@inlined
def _straight(a: Any, free: Any, w: Any) -> bool:
    """Whether 2NLL falls along a straight line of a free parameter that has no limit there."""
    found = False
    for k in range(free.size):
        slope = w.gradient[k]
        limit = a.lower[k] if slope > 0.0 else a.upper[k]
        found = found or (free[k] and w.hessian[k, k] == 0.0 and slope != 0.0 and not math.isfinite(limit))
    return found


@inlined
def _exact(a: Any, d: Any, theta: Any, w: Any) -> None:
    """Replace the information in `w.hessian` by the observed Hessian; keep the gradient."""
    for k in range(theta.size):
        curvature = w.hessian[k, k]
        w.kept[k] = w.gradient[k]
        w.step[k] = 1e-4 * (math.sqrt(2.0 / curvature) if curvature > 0.0 else max(abs(theta[k]), 1.0))
    fill_hessian(a, d, theta, w.step, w)
    for k in range(theta.size):
        w.gradient[k] = w.kept[k]


@kernel(types.float64(MODEL, OBSERVED, FLOATS, FLAGS, types.int64, WORK))
def error_of(a: Any, d: Any, theta: Any, free: Any, k: int, w: Any) -> Any:
    """Return the error of parameter k at a minimum, from the Hessian of the last steps; NaN if it is not positive."""
    w.scoring[0] = False
    evaluate(a, d, theta, w)
    add_gradient(a, theta, w)
    fill_information(a, d, theta, w)
    order, size = w.order, 0
    for j in range(free.size):
        if free[j]:
            w.kept[size] = 1.0 if j == k else 0.0
            order[size] = j
            size += 1
    if not factorise(w.hessian, order, size, w.lower, 0.0):
        return math.nan
    solve(w.lower, size, w.kept)
    for i in range(size):
        if order[i] == k:
            return math.sqrt(2.0 * w.kept[i])
    return math.nan
