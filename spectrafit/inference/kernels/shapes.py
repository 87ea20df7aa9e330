"""Rare parts of models: multiplicative morphs, parameters of single bins, and the residual of principal components.

These kernels are compiled for the models that need them (`likelihood.prepare`).

`a` holds the model's arrays, `d` what was measured, `w` scratch space. c is a component of n bins i; its yields start
at place p, its bins at bin s of the prediction. m is a multiplicative morph that takes x = theta_k, g and h are factors
of single bins, k is a parameter, b a bin, q a monomial with factors i.
"""

from __future__ import annotations

from typing import Any

from numba import types

from spectrafit.contiguous import view
from spectrafit.inference.kernels.fields import FLOATS, MODEL, WORK
from spectrafit.inference.kernels.morphing import code4_value
from spectrafit.jit import inlined, kernel

__all__ = [
    "add_residual_gradient",
    "add_residual_variance",
    "add_shape_gradient",
    "add_shape_jacobian",
    "fill_shape",
]

_COMPONENT = types.void(MODEL, FLOATS, WORK, types.int64)


@kernel(_COMPONENT, optional=True)
def fill_shape(a: Any, theta: Any, w: Any, c: int) -> None:
    """Fill the per-bin factors of one component: multiplicative morphs and parameters of single bins."""
    n = a.size[c]
    shape = view(w.shape, a.place[c], n)
    for i in range(n):
        shape[i] = 1.0
    for m in range(a.code4_at[c], a.code4_at[c + 1]):
        x = theta[a.code4_parameter[m]]
        for i in range(n):
            shape[i] *= code4_value(x, a.code4_values, a.code4_place[m] + 8 * i)[0]
    for g in range(a.bin_factor_at[c], a.bin_factor_at[c + 1]):
        for i in range(n):
            k = a.bin_factors[a.bin_factor_place[g] + i]
            if k >= 0:
                shape[i] *= theta[k]


@inlined
def _others(a: Any, theta: Any, w: Any, c: int, g: int, i: int) -> Any:
    """Return the yield of bin i of a component without its bin factor g, which is 0."""
    value = w.product[c] * w.bracket[a.place[c] + i]
    for m in range(a.code4_at[c], a.code4_at[c + 1]):
        value *= code4_value(theta[a.code4_parameter[m]], a.code4_values, a.code4_place[m] + 8 * i)[0]
    for h in range(a.bin_factor_at[c], a.bin_factor_at[c + 1]):
        k = a.bin_factors[a.bin_factor_place[h] + i]
        if h != g and k >= 0:
            value *= theta[k]
    return value


@inlined
def _slopes(a: Any, theta: Any, w: Any, c: int, to_jacobian: bool) -> None:
    """Add the derivatives by the parameters of `fill_shape` to the gradient or to the Jacobian."""
    n, p, s = a.size[c], a.place[c], a.start[c]
    weight, yields = view(w.adjoint, p, n), view(w.yields, p, n)
    for m in range(a.code4_at[c], a.code4_at[c + 1]):
        k = a.code4_parameter[m]
        for i in range(n):
            value, slope = code4_value(theta[k], a.code4_values, a.code4_place[m] + 8 * i)
            change = weight[i] * yields[i] * slope / value
            if to_jacobian:
                w.jacobian[k, s + i] += change
            else:
                w.gradient[k] += change
    for g in range(a.bin_factor_at[c], a.bin_factor_at[c + 1]):
        for i in range(n):
            k = a.bin_factors[a.bin_factor_place[g] + i]
            if k >= 0:
                rest = yields[i] / theta[k] if theta[k] != 0.0 else _others(a, theta, w, c, g, i)
                if to_jacobian:
                    w.jacobian[k, s + i] += weight[i] * rest
                else:
                    w.gradient[k] += weight[i] * rest


@kernel(_COMPONENT, optional=True)
def add_shape_gradient(a: Any, theta: Any, w: Any, c: int) -> None:
    """Add one component's derivatives to the gradient."""
    _slopes(a, theta, w, c, False)


@kernel(_COMPONENT, optional=True)
def add_shape_jacobian(a: Any, theta: Any, w: Any, c: int) -> None:
    """Add one component's derivatives to the Jacobian."""
    _slopes(a, theta, w, c, True)


@inlined
def _monomial(a: Any, theta: Any, q: int, without: int) -> Any:
    """Return the q-th monomial of the couplings, without one of its factors."""
    value = 1.0
    for i in range(a.monomial_at[q], a.monomial_at[q + 1]):
        if i != without:
            value *= theta[a.monomial_parameter[i]] ** a.monomial_power[i]
    return value


@kernel(types.void(MODEL, FLOATS, WORK), optional=True, fastmath=True)
def add_residual_variance(a: Any, theta: Any, w: Any) -> None:
    """Add the variance that follows monomials of the couplings."""
    variances = w.variance
    for q in range(a.residual.shape[0]):
        value, residual = _monomial(a, theta, q, -1), a.residual[q]
        for b in range(variances.size):
            variances[b] += value * residual[b]


@kernel(types.void(MODEL, FLOATS, WORK), optional=True, fastmath=True)
def add_residual_gradient(a: Any, theta: Any, w: Any) -> None:
    """Add the part of the variance of `add_residual_variance` to the gradient."""
    gradient, by_variance = w.gradient, w.by_variance
    for q in range(a.residual.shape[0]):
        residual, slope = a.residual[q], 0.0
        for b in range(by_variance.size):
            slope += by_variance[b] * residual[b]
        for i in range(a.monomial_at[q], a.monomial_at[q + 1]):
            k, power = a.monomial_parameter[i], a.monomial_power[i]
            gradient[k] += slope * power * theta[k] ** (power - 1) * _monomial(a, theta, q, i)
