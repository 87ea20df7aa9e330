"""2NLL of a model at one point, its gradient, Fisher information and Hessian: the bins' terms plus the constraints."""

from __future__ import annotations

from typing import Any

from numba import types

from spectrafit.inference.kernels.bin_terms import fill_bins, saturated
from spectrafit.inference.kernels.fields import FLOATS, MODEL, OBSERVED, WORK
from spectrafit.inference.kernels.yields import add_gradient, fill_jacobian, fill_yields
from spectrafit.jit import inlined, kernel

__all__ = ["evaluate", "evaluate_gradient", "fill_hessian", "fill_information"]


@inlined
def _constrain(a: Any, d: Any, theta: Any, gradient: Any) -> Any:
    """Return the constraint terms and fill their gradient."""
    total = 0.0
    centre, precision = d.centre, a.precision
    for k in range(theta.size):
        x = theta[k] - centre[k]
        total += precision[k] * x * x
        gradient[k] = 2.0 * precision[k] * x
    for i in range(a.correlated.size):
        pull = 0.0
        for j in range(a.correlated.size):
            pull += a.inverse[i, j] * (theta[a.correlated[j]] - centre[a.correlated[j]])
        k = a.correlated[i]
        total += pull * (theta[k] - centre[k])
        gradient[k] += 2.0 * pull
    for i in range(a.auxiliary.size):
        k, scale = a.auxiliary[i], a.auxiliary_scale[i]
        total += saturated(centre[k], max(scale * theta[k], 1e-300))
        gradient[k] += 2.0 * (scale - centre[k] / max(theta[k], 1e-300))
    return total


@kernel(types.float64(MODEL, OBSERVED, FLOATS, WORK), entry=True)
def evaluate(a: Any, d: Any, theta: Any, w: Any) -> Any:
    """Return 2NLL; leaves the yields and the derivatives by bins in `w`, the constraints' gradient in `w.gradient`."""
    fill_yields(a, theta, w)
    bins = fill_bins(a, d, w)
    constraints = _constrain(a, d, theta, w.gradient)
    w.parts[0], w.parts[1] = bins, constraints
    return bins + constraints


@kernel(types.float64(MODEL, OBSERVED, FLOATS, WORK), entry=True)
def evaluate_gradient(a: Any, d: Any, theta: Any, w: Any) -> Any:
    """Return 2NLL and leave its whole gradient in `w.gradient`."""
    value = evaluate(a, d, theta, w)
    add_gradient(a, theta, w)
    return value


@kernel(types.void(MODEL, OBSERVED, FLOATS, WORK), entry=True, fastmath=True)
def fill_information(a: Any, d: Any, theta: Any, w: Any) -> None:
    """Fill `w.hessian` with J^T W J plus the constraints' curvature, after `evaluate`; W is the one chosen there.

    With W at the counts, and after `add_gradient`, the second derivatives of the morphs are added: of what J^T W J
    leaves out, they are what makes fits with asymmetric shifts slow.
    """
    fill_jacobian(a, theta, w)
    n_parameters, n_bins = theta.size, a.used.size
    scaled, hessian, jacobian, curvature = w.scaled, w.hessian, w.jacobian, w.curvature
    for j in range(n_parameters):
        # Bins the parameter does not move add nothing.
        first, last, row = a.reach_from[j], a.reach_to[j], jacobian[j]
        if a.statistic == 3:
            first, last = 0, n_bins
            for b in range(n_bins):
                total = 0.0
                for e in range(n_bins):
                    total += a.weight[b, e] * row[e]
                scaled[b] = 2.0 * total
        else:
            for b in range(first, last):
                scaled[b] = curvature[b] * row[b]
        here, n = scaled[first:last], last - first
        k = 0
        # Four rows at once: each value of `here` is loaded once for all of them.
        while k + 3 <= j:
            one, two = jacobian[k, first:last], jacobian[k + 1, first:last]
            three, four = jacobian[k + 2, first:last], jacobian[k + 3, first:last]
            s1 = s2 = s3 = s4 = 0.0
            for b in range(n):
                x = here[b]
                s1 += x * one[b]
                s2 += x * two[b]
                s3 += x * three[b]
                s4 += x * four[b]
            hessian[j, k], hessian[j, k + 1], hessian[j, k + 2], hessian[j, k + 3] = s1, s2, s3, s4
            k += 4
        while k <= j:
            other, total = jacobian[k, first:last], 0.0
            for b in range(n):
                total += here[b] * other[b]
            hessian[j, k] = total
            k += 1
        for i in range(j):
            hessian[i, j] = hessian[j, i]
        hessian[j, j] += 2.0 * a.precision[j]
        if not w.scoring[0]:
            hessian[j, j] += w.second[j]
    for i in range(a.correlated.size):
        for j in range(a.correlated.size):
            hessian[a.correlated[i], a.correlated[j]] += 2.0 * a.inverse[i, j]
    for i in range(a.auxiliary.size):
        k = a.auxiliary[i]
        hessian[k, k] += 2.0 * max(d.centre[k], 1e-300) / max(theta[k], 1e-300) ** 2


@kernel(types.void(MODEL, OBSERVED, FLOATS, FLOATS, WORK), entry=True)
def fill_hessian(a: Any, d: Any, theta: Any, step: Any, w: Any) -> None:
    """Fill `w.hessian` with the observed Hessian: central differences of the gradient, steps `step` (K,)."""
    n = theta.size
    other, lower, gradient = w.other, w.lower, w.gradient
    for k in range(n):
        for j in range(n):
            lower[k, j] = 0.0
            other[j] = theta[j]
        for side in range(2):
            width = step[k] * (1 - 2 * side)
            other[k] = theta[k] + width
            evaluate_gradient(a, d, other, w)
            for j in range(n):
                lower[k, j] += 0.5 * gradient[j] / width
    for k in range(n):
        for j in range(n):
            w.hessian[k, j] = 0.5 * (lower[k, j] + lower[j, k])
