"""Packed arrays and parameters in, yields per component and bin and their derivatives out (numba kernels)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from spectrafit.inference.kernels.handles import bind_work
from spectrafit.inference.kernels.morphing import INNER, basis_value, code4_bin, factor_value
from spectrafit.inference.packing import Arrays

__all__ = ["FAST", "Buffers", "Work", "add_gradient", "fill_jacobian", "fill_yields", "workspace"]

Floats = npt.NDArray[np.float64]
# Sums may be reordered (SIMD), everything else keeps IEEE rules: NaN and infinity must stay visible.
FAST = {"reassoc", "contract", "nsz"}


class Buffers(NamedTuple):
    """Arrays the kernels write into; see `Arrays` for the letters."""

    scoring: npt.NDArray[np.bool_]  # (1,) whether `curvature` is the expected one
    parts: Floats  # (2,) 2NLL of the bins, of the constraints
    phi: Floats  # scalar functions of additive morphs and their derivatives
    slope: Floats
    bend: Floats
    factor: Floats  # (F,) values of whole-component factors and their derivatives
    factor_slope: Floats
    product: Floats  # (C,)
    bracket: Floats  # (L,) nominal + additive morphs
    shape: Floats  # (L,) product of per-bin factors
    yields: Floats  # (L,)
    adjoint: Floats  # (L,)
    mean: Floats  # (B,)
    shared: Floats  # part of the mean the local gammas multiply
    variance: Floats
    by_mean: Floats  # derivatives of 2NLL
    by_shared: Floats
    by_variance: Floats
    curvature: Floats  # second derivative by the mean
    gamma: Floats  # local gamma at its minimum
    fitted: Floats  # prediction there
    jacobian: Floats  # (K, B)
    scaled: Floats  # (B,)
    hessian: Floats  # (K, K)
    lower: Floats  # (K, K) Cholesky factor
    gradient: Floats  # (K,)
    bending: Floats  # (K,) second derivatives of the morphs, weighted as in the gradient
    kept: Floats
    step: Floats
    trial: Floats
    other: Floats


class Work(Buffers):
    """Scratch space: the arrays for Python, and their `handle` for the kernels."""

    handle: Any


def workspace(a: Arrays) -> Work:
    """Return scratch space for a model."""
    k, c, n, b = a.initial.size, a.start.size, a.nominal.size, a.used.size
    functions = a.basis_kind.size
    work = Work(
        scoring=np.zeros(1, np.bool_),
        parts=np.zeros(2),
        phi=np.zeros(functions),
        slope=np.zeros(functions),
        bend=np.zeros(functions),
        factor=np.zeros(a.factor_kind.size),
        factor_slope=np.zeros(a.factor_kind.size),
        product=np.zeros(c),
        bracket=np.zeros(n),
        shape=np.ones(n),
        yields=np.zeros(n),
        adjoint=np.zeros(n),
        mean=np.zeros(b),
        shared=np.zeros(b),
        variance=np.zeros(b),
        by_mean=np.zeros(b),
        by_shared=np.zeros(b),
        by_variance=np.zeros(b),
        curvature=np.zeros(b),
        gamma=np.ones(b),
        fitted=np.zeros(b),
        jacobian=np.zeros((k, b)),
        scaled=np.zeros(b),
        hessian=np.zeros((k, k)),
        lower=np.zeros((k, k)),
        gradient=np.zeros(k),
        bending=np.zeros(k),
        kept=np.zeros(k),
        step=np.zeros(k),
        trial=np.zeros(k),
        other=np.zeros(k),
    )
    work.handle = bind_work(Buffers(*work))
    return work


@njit(**INNER, fastmath=FAST)
def fill_yields(a: Any, theta: Any, w: Any) -> None:
    """Fill the yields of every component, and mean, shared mean and variance of every bin."""
    for i in range(a.basis_kind.size):
        value, slope, bend = basis_value(a.basis_kind[i], theta[a.basis_parameter[i]], a.tables, a.basis_table[i])
        w.phi[i] = value
        w.slope[i] = slope
        w.bend[i] = bend
    for f in range(a.factor_kind.size):
        value, slope = factor_value(a.factor_kind[f], theta[a.factor_parameter[f]], a.factor_values, 8 * f)
        w.factor[f] = value
        w.factor_slope[f] = slope
    # Loops run over slices taken before them: numba cannot know that a field of a handle stays where it is.
    means, shares = w.mean, w.shared
    for b in range(means.size):
        means[b] = shares[b] = 0.0
    for c in range(a.start.size):
        product = 1.0
        for f in range(a.factor_at[c], a.factor_at[c + 1]):
            product *= w.factor[f]
        w.product[c] = product
        n, p, s = a.size[c], a.place[c], a.start[c]
        bracket, yields, mean = w.bracket[p : p + n], w.yields[p : p + n], means[s : s + n]
        nominal = a.nominal[p : p + n]
        for i in range(n):
            bracket[i] = nominal[i]
        for t in range(a.term_at[c], a.term_at[c + 1]):
            phi = w.phi[a.term_basis[t]]
            if phi != 0.0:
                vector = a.vectors[a.term_place[t] : a.term_place[t] + n]
                for i in range(n):
                    bracket[i] += phi * vector[i]
        if a.bend_at[c + 1] > a.bend_at[c] or a.gamma_at[c + 1] > a.gamma_at[c]:
            _fill_shape(a, theta, w, c)
            shape = w.shape[p : p + n]
            for i in range(n):
                yields[i] = product * shape[i] * bracket[i]
        else:
            for i in range(n):
                yields[i] = product * bracket[i]
        for i in range(n):
            mean[i] += yields[i]
        if a.local[c]:
            shared = shares[s : s + n]
            for i in range(n):
                shared[i] += yields[i]
    _fill_variance(a, theta, w)


@njit(**INNER)
def _fill_shape(a: Any, theta: Any, w: Any, c: int) -> None:
    """Fill the per-bin factors of one component: multiplicative morphs and gammas."""
    n, p = a.size[c], a.place[c]
    for i in range(n):
        w.shape[p + i] = 1.0
    for m in range(a.bend_at[c], a.bend_at[c + 1]):
        x = theta[a.bend_parameter[m]]
        for i in range(n):
            w.shape[p + i] *= code4_bin(x, a.bends, a.bend_place[m] + 8 * i)[0]
    for g in range(a.gamma_at[c], a.gamma_at[c + 1]):
        for i in range(n):
            k = a.gammas[a.gamma_place[g] + i]
            if k >= 0:
                w.shape[p + i] *= theta[k]


@njit(**INNER, fastmath=FAST)
def _fill_variance(a: Any, theta: Any, w: Any) -> None:
    """Fill the variance of the simulation; a sum that comes out negative counts as 0."""
    variances, kind, width, shared = w.variance, a.local_kind, a.local_width, w.shared
    for b in range(variances.size):
        variances[b] = 0.0
    for v in range(a.pair_first.size):
        first, second = a.pair_first[v], a.pair_second[v]
        n, s, p, q, r = a.size[first], a.start[first], a.place[first], a.place[second], a.pair_place[v]
        variance, pairs = variances[s : s + n], a.pairs[r : r + n]
        one, other = w.yields[p : p + n], w.yields[q : q + n]
        for i in range(n):
            variance[i] += pairs[i] * one[i] * other[i]
    kappa = theta[a.poi] if a.poi >= 0 else 0.0
    power = 1.0
    for k in range(a.residual.shape[0]):
        residual = a.residual[k]
        for b in range(variances.size):
            variances[b] += power * residual[b]
        power *= kappa
    for b in range(variances.size):
        if kind[b] == 1:
            variances[b] += (width[b] * shared[b]) ** 2
        variances[b] = max(variances[b], 0.0)


@njit(**INNER)
def _rest(values: Any, first: int, last: int, f: int) -> Any:
    """Return the product of factors first .. last - 1 without factor f."""
    product = 1.0
    for g in range(first, last):
        if g != f:
            product *= values[g]
    return product


@njit(**INNER, fastmath=FAST)
def add_gradient(a: Any, theta: Any, w: Any) -> None:
    """Add the bins' part to `w.gradient`, after `evaluate`."""
    gradient = w.gradient
    for c in range(a.start.size):
        n, p, s = a.size[c], a.place[c], a.start[c]
        adjoint, by_mean, by_shared = w.adjoint[p : p + n], w.by_mean[s : s + n], w.by_shared[s : s + n]
        if a.local[c]:
            for i in range(n):
                adjoint[i] = by_mean[i] + by_shared[i]
        else:
            for i in range(n):
                adjoint[i] = by_mean[i]
    for v in range(a.pair_first.size):
        first, second = a.pair_first[v], a.pair_second[v]
        n, s, p, q, r = a.size[first], a.start[first], a.place[first], a.place[second], a.pair_place[v]
        by_variance, pairs = w.by_variance[s : s + n], a.pairs[r : r + n]
        one, other = w.yields[p : p + n], w.yields[q : q + n]
        to_one, to_other = w.adjoint[p : p + n], w.adjoint[q : q + n]
        for i in range(n):
            to_one[i] += by_variance[i] * pairs[i] * other[i]
        for i in range(n):
            to_other[i] += by_variance[i] * pairs[i] * one[i]
    if a.poi >= 0:
        power = 1.0
        for k in range(1, a.residual.shape[0]):
            slope = 0.0
            by_variance, residual = w.by_variance, a.residual[k]
            for b in range(residual.size):
                slope += by_variance[b] * residual[b]
            gradient[a.poi] += k * power * slope
            power *= theta[a.poi]
    _add_components(a, theta, w)


@njit(**INNER)
def _others(a: Any, theta: Any, w: Any, c: int, g: int, i: int) -> Any:
    """Return the yield of bin i of a component without its gamma g, which is 0."""
    value = w.product[c] * w.bracket[a.place[c] + i]
    for m in range(a.bend_at[c], a.bend_at[c + 1]):
        value *= code4_bin(theta[a.bend_parameter[m]], a.bends, a.bend_place[m] + 8 * i)[0]
    for h in range(a.gamma_at[c], a.gamma_at[c + 1]):
        k = a.gammas[a.gamma_place[h] + i]
        if h != g and k >= 0:
            value *= theta[k]
    return value


@njit(**INNER, fastmath=FAST)
def _add_components(a: Any, theta: Any, w: Any) -> None:
    """Add the components' parts to the gradient; their adjoints are used up."""
    gradient, bending = w.gradient, w.bending
    for k in range(bending.size):
        bending[k] = 0.0
    for c in range(a.start.size):
        n, p = a.size[c], a.place[c]
        adjoint, bracket, yields = w.adjoint[p : p + n], w.bracket[p : p + n], w.yields[p : p + n]
        for m in range(a.bend_at[c], a.bend_at[c + 1]):
            k, total = a.bend_parameter[m], 0.0
            for i in range(n):
                value, slope = code4_bin(theta[k], a.bends, a.bend_place[m] + 8 * i)
                total += adjoint[i] * yields[i] * slope / value
            gradient[k] += total
        for g in range(a.gamma_at[c], a.gamma_at[c + 1]):
            for i in range(n):
                k = a.gammas[a.gamma_place[g] + i]
                if k >= 0:
                    rest = yields[i] / theta[k] if theta[k] != 0.0 else _others(a, theta, w, c, g, i)
                    gradient[k] += adjoint[i] * rest
        if a.bend_at[c + 1] > a.bend_at[c] or a.gamma_at[c + 1] > a.gamma_at[c]:
            shape = w.shape[p : p + n]
            for i in range(n):
                adjoint[i] *= shape[i]
        if a.factor_at[c + 1] > a.factor_at[c]:
            total = 0.0
            for i in range(n):
                total += adjoint[i] * bracket[i]
            first, last = a.factor_at[c], a.factor_at[c + 1]
            factor, by_parameter = w.factor, w.factor_slope
            for f in range(first, last):
                rest = w.product[c] / factor[f] if w.product[c] != 0.0 else _rest(factor, first, last, f)
                gradient[a.factor_parameter[f]] += by_parameter[f] * rest * total
        for t in range(a.term_at[c], a.term_at[c + 1]):
            vector = a.vectors[a.term_place[t] : a.term_place[t] + n]
            total = 0.0
            for i in range(n):
                total += adjoint[i] * vector[i]
            basis = a.term_basis[t]
            gradient[a.basis_parameter[basis]] += w.product[c] * w.slope[basis] * total
            bending[a.basis_parameter[basis]] += w.product[c] * w.bend[basis] * total


@njit(**INNER, fastmath=FAST)
def fill_jacobian(a: Any, theta: Any, w: Any) -> None:
    """Fill `w.jacobian` with the derivatives of the predictions by the parameters, after `fill_bins`.

    Local gammas stay where they are: dt = dm + (gamma - 1) dshared.
    """
    jacobian, lead = w.jacobian, w.adjoint
    for k in range(theta.size):
        row = jacobian[k]
        for b in range(row.size):
            row[b] = 0.0
    for c in range(a.start.size):
        n, p, s = a.size[c], a.place[c], a.start[c]
        bracket, yields = w.bracket[p : p + n], w.yields[p : p + n]
        weight = lead[p : p + n]
        gamma = w.gamma[s : s + n]
        for i in range(n):
            weight[i] = gamma[i] if a.local[c] else 1.0
        for m in range(a.bend_at[c], a.bend_at[c + 1]):
            k = a.bend_parameter[m]
            for i in range(n):
                value, slope = code4_bin(theta[k], a.bends, a.bend_place[m] + 8 * i)
                jacobian[k, s + i] += weight[i] * yields[i] * slope / value
        for g in range(a.gamma_at[c], a.gamma_at[c + 1]):
            for i in range(n):
                k = a.gammas[a.gamma_place[g] + i]
                if k >= 0:
                    rest = yields[i] / theta[k] if theta[k] != 0.0 else _others(a, theta, w, c, g, i)
                    jacobian[k, s + i] += weight[i] * rest
        if a.bend_at[c + 1] > a.bend_at[c] or a.gamma_at[c + 1] > a.gamma_at[c]:
            shape = w.shape[p : p + n]
            for i in range(n):
                weight[i] *= shape[i]
        first, last = a.factor_at[c], a.factor_at[c + 1]
        factor, by_parameter = w.factor, w.factor_slope
        for f in range(first, last):
            slope = by_parameter[f] * (
                w.product[c] / factor[f] if w.product[c] != 0.0 else _rest(factor, first, last, f)
            )
            row = jacobian[a.factor_parameter[f], s : s + n]
            for i in range(n):
                row[i] += slope * weight[i] * bracket[i]
        for t in range(a.term_at[c], a.term_at[c + 1]):
            vector = a.vectors[a.term_place[t] : a.term_place[t] + n]
            basis = a.term_basis[t]
            slope = w.product[c] * w.slope[basis]
            row = jacobian[a.basis_parameter[basis], s : s + n]
            if slope != 0.0:
                for i in range(n):
                    row[i] += slope * weight[i] * vector[i]
