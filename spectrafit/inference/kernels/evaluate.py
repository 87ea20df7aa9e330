"""2NLL of a model at one point, its gradient, Fisher information and Hessian: the bins' terms plus the constraints.

`a` holds the model's arrays, `d` what was measured, `w` scratch space. b and e are bins, j and k parameters, i a place
in a list of parameters, n how many bins or parameters there are, and x a deviation or a value.
"""

from __future__ import annotations

from typing import Any

from numba import types

from spectrafit.contiguous import row, view
from spectrafit.inference.kernels.barlow_beeston import PER_SAMPLE, fill_per_sample
from spectrafit.inference.kernels.bin_terms import fill_bins, saturated
from spectrafit.inference.kernels.fields import FLOATS, MODEL, OBSERVED, WORK
from spectrafit.inference.kernels.yields import add_gradient, fill_jacobian, fill_yields
from spectrafit.jit import kernel

__all__ = [
    "bend_otherwise",
    "constrain_otherwise",
    "evaluate",
    "evaluate_gradient",
    "fill_hessian",
    "fill_information",
    "scale_by_matrix",
]


@kernel(types.float64(MODEL, OBSERVED, FLOATS, WORK), optional=True)
def constrain_otherwise(a: Any, d: Any, theta: Any, w: Any) -> Any:
    """Return the terms of correlated and of Poisson constraints, and add their gradient."""
    total, centre, gradient = 0.0, d.centre, w.gradient
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


@kernel(types.void(MODEL, OBSERVED, FLOATS, WORK), optional=True)
def bend_otherwise(a: Any, d: Any, theta: Any, w: Any) -> None:
    """Add the curvature of correlated and of Poisson constraints to the information."""
    for i in range(a.correlated.size):
        for j in range(a.correlated.size):
            w.hessian[a.correlated[i], a.correlated[j]] += 2.0 * a.inverse[i, j]
    for i in range(a.auxiliary.size):
        k = a.auxiliary[i]
        w.hessian[k, k] += 2.0 * max(d.centre[k], 1e-300) / max(theta[k], 1e-300) ** 2


@kernel(types.float64(MODEL, OBSERVED, FLOATS, WORK), entry=True)
def evaluate(a: Any, d: Any, theta: Any, w: Any) -> Any:
    """Return 2NLL; leaves the yields and the derivatives by bins in `w`, the constraints' gradient in `w.gradient`."""
    fill_yields(a, theta, w)
    bins = fill_per_sample(a, d, w) if a.statistic == PER_SAMPLE else fill_bins(a, d, w)
    constraints, centre, precision, gradient = 0.0, d.centre, a.precision, w.gradient
    for k in range(theta.size):
        x = theta[k] - centre[k]
        constraints += precision[k] * x * x
        gradient[k] = 2.0 * precision[k] * x
    if a.correlated.size + a.auxiliary.size > 0:
        constraints += constrain_otherwise(a, d, theta, w)
    w.parts[0], w.parts[1] = bins, constraints
    return bins + constraints


@kernel(types.float64(MODEL, OBSERVED, FLOATS, WORK), entry=True)
def evaluate_gradient(a: Any, d: Any, theta: Any, w: Any) -> Any:
    """Return 2NLL and leave its whole gradient in `w.gradient`."""
    value = evaluate(a, d, theta, w)
    add_gradient(a, theta, w)
    return value


@kernel(types.void(MODEL, WORK, types.int64), optional=True, fastmath=True)
def scale_by_matrix(a: Any, w: Any, j: int) -> None:
    """Fill `w.scaled` with row j of the Jacobian times the weight matrix of statistic "gaussian"."""
    n, scaled = a.used.size, w.scaled
    values = row(w.jacobian, j, 0, n)
    for b in range(n):
        weight, total = row(a.weight, b, 0, n), 0.0
        for e in range(n):
            total += weight[e] * values[e]
        scaled[b] = 2.0 * total


@kernel(types.void(MODEL, OBSERVED, FLOATS, WORK), entry=True, fastmath=True)
def fill_information(a: Any, d: Any, theta: Any, w: Any) -> None:
    """Fill `w.hessian` with J^T W J plus the constraints' curvature, after `evaluate`; `w.scoring` chose W there.

    J^T W J leaves out the second derivatives of the prediction. Those of the morphs are added if W is the curvature at
    the counts, after `add_gradient`: without them fits with asymmetric shifts are slow.
    """
    fill_jacobian(a, theta, w)
    hessian, jacobian = w.hessian, w.jacobian
    for j in range(theta.size):
        # Bins the parameter does not move add nothing.
        first, n = a.reach_from[j], a.reach_to[j] - a.reach_from[j]
        if a.statistic == 3:
            first, n = 0, a.used.size
            scale_by_matrix(a, w, j)
        else:
            scaled, curvature, moved = view(w.scaled, first, n), view(w.curvature, first, n), row(jacobian, j, first, n)
            for b in range(n):
                scaled[b] = curvature[b] * moved[b]
        here, last = view(w.scaled, first, n), theta.size - 1
        # Four rows at once: each value of `here` is loaded once for all of them. Rows beyond j are written over later.
        for k in range(0, j + 1, 4):
            one, two = row(jacobian, k, first, n), row(jacobian, min(k + 1, last), first, n)
            three, four = row(jacobian, min(k + 2, last), first, n), row(jacobian, min(k + 3, last), first, n)
            s1 = s2 = s3 = s4 = 0.0
            for b in range(n):
                x = here[b]
                s1 += x * one[b]
                s2 += x * two[b]
                s3 += x * three[b]
                s4 += x * four[b]
            hessian[j, min(k + 3, last)] = s4
            hessian[j, min(k + 2, last)] = s3
            hessian[j, min(k + 1, last)] = s2
            hessian[j, k] = s1
        for i in range(j):
            hessian[i, j] = hessian[j, i]
        hessian[j, j] += 2.0 * a.precision[j]
        if not w.scoring[0]:
            hessian[j, j] += w.second[j]
    if a.correlated.size + a.auxiliary.size > 0:
        bend_otherwise(a, d, theta, w)


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
