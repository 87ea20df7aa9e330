"""A packed model, counts and a start in, the minimum of 2NLL out: damped Newton with Fisher scoring (numba kernels).

Each step solves H s = -g on the parameters that are free and not pressed against a limit. H is J^T W J plus the
constraints, which is positive wherever it is not singular; W is the expected curvature 2 / (m + V) for the first steps,
which reaches a bin's counts in one step from either side, and the observed one near the minimum. A step is halved until
2NLL falls. Far from quadratic functions, where this stalls, the exact Hessian takes over, shifted until it is positive.
The fit ends when the estimated distance to the minimum, EDM = g^T H^-1 g / 2, is below the tolerance.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from spectrafit.inference.likelihood import evaluate, evaluate_gradient, fill_hessian, fill_information
from spectrafit.inference.yields import FAST, add_gradient

__all__ = ["CONVERGED", "STALLED", "TOO_LONG", "minimise"]

CONVERGED, TOO_LONG, STALLED = 0, 1, 2
_SCORING = 2  # steps with the expected curvature


@njit(cache=True, nogil=True, fastmath=FAST)
def _solve(matrix: Any, lower: Any, right: Any, step: Any, live: Any, shift: float) -> Any:
    """Solve (matrix + shift diag) step = -right on the `live` rows by Cholesky; return whether it was positive."""
    n = right.size
    for i in range(n):
        if not live[i]:
            continue
        for j in range(i + 1):
            if not live[j]:
                continue
            total = matrix[i, j] if i != j else matrix[i, i] * (1.0 + shift)
            for k in range(j):
                if live[k]:
                    total -= lower[i, k] * lower[j, k]
            if i == j:
                if not total > 1e-13 * abs(matrix[i, i]):
                    return False
                lower[i, i] = math.sqrt(total)
            else:
                lower[i, j] = total / lower[j, j]
    for i in range(n):
        step[i] = 0.0
        if live[i]:
            total = -right[i]
            for k in range(i):
                if live[k]:
                    total -= lower[i, k] * step[k]
            step[i] = total / lower[i, i]
    for i in range(n - 1, -1, -1):
        if live[i]:
            total = step[i]
            for k in range(i + 1, n):
                if live[k]:
                    total -= lower[k, i] * step[k]
            step[i] = total / lower[i, i]
    return True


@njit(cache=True, nogil=True)
def _direction(a: Any, w: Any, live: Any) -> float:
    """Fill `w.step` from `w.hessian`, made positive by a growing multiple of its diagonal; return the EDM."""
    shift = 0.0
    for k in range(live.size):
        if live[k] and not w.hessian[k, k] > 0.0:
            # Nothing is known about this parameter here: leave it for a later step.
            live[k] = w.hessian[k, k] < 0.0
            w.hessian[k, k] = abs(w.hessian[k, k])
    while not _solve(w.hessian, w.lower, w.gradient, w.step, live, shift):
        shift = max(4.0 * shift, 1e-6)
        if shift > 1e12:
            return math.nan
    edm = 0.0
    for k in range(live.size):
        if live[k]:
            edm -= 0.5 * w.gradient[k] * w.step[k]
    return edm


@njit(cache=True, nogil=True)
def minimise(
    a: Any, d: Any, theta: Any, free: Any, tolerance: float, most: int, w: Any
) -> tuple[float, float, int, int]:
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
        Steps at most.
    w : Work

    Returns
    -------
    2NLL, EDM, number of evaluations, CONVERGED or TOO_LONG or STALLED
    """
    n = theta.size
    live = np.empty(n, np.bool_)
    for k in range(n):
        theta[k] = min(max(theta[k], a.lower[k]), a.upper[k])
    value = evaluate(a, d, theta, w, True)
    calls = 1
    edm = math.inf
    exact = False
    for iteration in range(most):
        add_gradient(a, theta, w)
        if exact:
            _exact(a, d, theta, w)
            calls += 2 * n
        else:
            fill_information(a, d, theta, w)
        for k in range(n):
            down, up = w.gradient[k] > 0.0, w.gradient[k] < 0.0
            live[k] = free[k] and not ((theta[k] <= a.lower[k] and down) or (theta[k] >= a.upper[k] and up))
        edm = _direction(a, w, live)
        if not math.isfinite(edm) or not math.isfinite(value):
            return value, edm, calls, STALLED
        if edm < tolerance:
            return value, edm, calls, CONVERGED
        slope, length = -2.0 * edm, 1.0
        found = math.inf
        for _ in range(30):
            for k in range(n):
                moved = theta[k] + length * w.step[k] if live[k] else theta[k]
                w.trial[k] = min(max(moved, a.lower[k]), a.upper[k])
            found = evaluate(a, d, w.trial, w, iteration + 1 < _SCORING)
            calls += 1
            # The last term forgives rounding next to the minimum.
            if found <= value + 1e-4 * length * slope + 1e-13 * abs(value):
                break
            # Minimum of the parabola through what is known, within a factor 10.
            bend = found - value - length * slope
            guess = -0.5 * slope * length * length / bend if bend > 0.0 and math.isfinite(bend) else 0.1 * length
            length = min(max(guess, 0.1 * length), 0.5 * length)
        if not found <= value + 1e-13 * abs(value):
            if exact:
                evaluate(a, d, theta, w, False)
                return value, edm, calls, STALLED
            exact = True
            value = evaluate(a, d, theta, w, False)
            continue
        if iteration > 8 and value - found < 0.5 * edm:
            # Converging slowly: the neglected second derivatives of the yields matter here.
            exact = True
        value = found
        theta[:] = w.trial
    return value, edm, calls, TOO_LONG


@njit(cache=True, nogil=True)
def _exact(a: Any, d: Any, theta: Any, w: Any) -> None:
    """Replace `w.hessian` by the observed one, keeping `w.gradient`."""
    fill_information(a, d, theta, w)
    for k in range(theta.size):
        curvature = w.hessian[k, k]
        w.step[k] = 1e-4 * (math.sqrt(2.0 / curvature) if curvature > 0.0 else max(abs(theta[k]), 1.0))
    w.trial[:] = w.step
    fill_hessian(a, d, theta, w.trial, w)
    evaluate_gradient(a, d, theta, w)
