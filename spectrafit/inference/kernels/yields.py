"""The yields of every component and bin, the prediction and its variance, and their derivatives by the parameters."""

from __future__ import annotations

from typing import Any

from numba import types

from spectrafit.inference.kernels.fields import FLOATS, MODEL, WORK
from spectrafit.inference.kernels.morphing import basis_value, code4_value, factor_value
from spectrafit.jit import inlined, kernel

__all__ = ["add_gradient", "fill_jacobian", "fill_yields"]


@kernel(types.void(MODEL, FLOATS, WORK), fastmath=True)
def fill_yields(a: Any, theta: Any, w: Any) -> None:
    """Fill the yields of every component, and mean, shared mean and variance of every bin."""
    for i in range(a.basis_kind.size):
        value, slope, second = basis_value(a.basis_kind[i], theta[a.basis_parameter[i]], a.tables, a.basis_table[i])
        w.basis[i] = value
        w.basis_slope[i] = slope
        w.basis_second[i] = second
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
            phi = w.basis[a.term_basis[t]]
            if phi != 0.0:
                vector = a.vectors[a.term_place[t] : a.term_place[t] + n]
                for i in range(n):
                    bracket[i] += phi * vector[i]
        if a.code4_at[c + 1] > a.code4_at[c] or a.bin_factor_at[c + 1] > a.bin_factor_at[c]:
            _fill_shape(a, theta, w, c)
            shape = w.shape[p : p + n]
            for i in range(n):
                yields[i] = product * shape[i] * bracket[i]
        else:
            for i in range(n):
                yields[i] = product * bracket[i]
        for i in range(n):
            mean[i] += yields[i]
        if a.shared[c]:
            shared = shares[s : s + n]
            for i in range(n):
                shared[i] += yields[i]
    _fill_variance(a, theta, w)


@inlined
def _fill_shape(a: Any, theta: Any, w: Any, c: int) -> None:
    """Fill the per-bin factors of one component: multiplicative morphs and gammas."""
    n, p = a.size[c], a.place[c]
    for i in range(n):
        w.shape[p + i] = 1.0
    for m in range(a.code4_at[c], a.code4_at[c + 1]):
        x = theta[a.code4_parameter[m]]
        for i in range(n):
            w.shape[p + i] *= code4_value(x, a.code4_values, a.code4_place[m] + 8 * i)[0]
    for g in range(a.bin_factor_at[c], a.bin_factor_at[c + 1]):
        for i in range(n):
            k = a.bin_factors[a.bin_factor_place[g] + i]
            if k >= 0:
                w.shape[p + i] *= theta[k]


@inlined
def _monomial(a: Any, theta: Any, q: int, without: int) -> Any:
    """Return the q-th monomial of the couplings, without one of its factors."""
    value = 1.0
    for i in range(a.monomial_at[q], a.monomial_at[q + 1]):
        if i != without:
            value *= theta[a.monomial_parameter[i]] ** a.monomial_power[i]
    return value


@inlined
def _fill_variance(a: Any, theta: Any, w: Any) -> None:
    """Fill the variance of the simulation; a sum that comes out negative counts as 0."""
    variances, kind, width, shared = w.variance, a.gamma_kind, a.gamma_width, w.shared
    for b in range(variances.size):
        variances[b] = 0.0
    for v in range(a.pair_first.size):
        first, second = a.pair_first[v], a.pair_second[v]
        n, s, p, q, r = a.size[first], a.start[first], a.place[first], a.place[second], a.pair_place[v]
        variance, pairs = variances[s : s + n], a.pairs[r : r + n]
        one, other = w.yields[p : p + n], w.yields[q : q + n]
        for i in range(n):
            variance[i] += pairs[i] * one[i] * other[i]
    for q in range(a.residual.shape[0]):
        value, residual = _monomial(a, theta, q, -1), a.residual[q]
        for b in range(variances.size):
            variances[b] += value * residual[b]
    for b in range(variances.size):
        if kind[b] == 1:
            variances[b] += (width[b] * shared[b]) ** 2
        variances[b] = max(variances[b], 0.0)


@inlined
def _rest(values: Any, first: int, last: int, f: int) -> Any:
    """Return the product of factors first .. last - 1 without factor f."""
    product = 1.0
    for g in range(first, last):
        if g != f:
            product *= values[g]
    return product


@kernel(types.void(MODEL, FLOATS, WORK), fastmath=True)
def add_gradient(a: Any, theta: Any, w: Any) -> None:
    """Add the bins' part to `w.gradient`, after `evaluate`."""
    gradient = w.gradient
    for c in range(a.start.size):
        n, p, s = a.size[c], a.place[c], a.start[c]
        adjoint, by_mean, by_shared = w.adjoint[p : p + n], w.by_mean[s : s + n], w.by_shared[s : s + n]
        if a.shared[c]:
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
    for q in range(a.residual.shape[0]):
        first, last = a.monomial_at[q], a.monomial_at[q + 1]
        if last > first:
            slope = 0.0
            by_variance, residual = w.by_variance, a.residual[q]
            for b in range(residual.size):
                slope += by_variance[b] * residual[b]
            for i in range(first, last):
                k, power = a.monomial_parameter[i], a.monomial_power[i]
                gradient[k] += slope * power * theta[k] ** (power - 1) * _monomial(a, theta, q, i)
    _add_components(a, theta, w)


@inlined
def _others(a: Any, theta: Any, w: Any, c: int, g: int, i: int) -> Any:
    """Return the yield of bin i of a component without its gamma g, which is 0."""
    value = w.product[c] * w.bracket[a.place[c] + i]
    for m in range(a.code4_at[c], a.code4_at[c + 1]):
        value *= code4_value(theta[a.code4_parameter[m]], a.code4_values, a.code4_place[m] + 8 * i)[0]
    for h in range(a.bin_factor_at[c], a.bin_factor_at[c + 1]):
        k = a.bin_factors[a.bin_factor_place[h] + i]
        if h != g and k >= 0:
            value *= theta[k]
    return value


@inlined
def _add_components(a: Any, theta: Any, w: Any) -> None:
    """Add the components' parts to the gradient; their adjoints are used up."""
    gradient, second = w.gradient, w.second
    for k in range(second.size):
        second[k] = 0.0
    for c in range(a.start.size):
        n, p = a.size[c], a.place[c]
        adjoint, bracket, yields = w.adjoint[p : p + n], w.bracket[p : p + n], w.yields[p : p + n]
        for m in range(a.code4_at[c], a.code4_at[c + 1]):
            k, total = a.code4_parameter[m], 0.0
            for i in range(n):
                value, slope = code4_value(theta[k], a.code4_values, a.code4_place[m] + 8 * i)
                total += adjoint[i] * yields[i] * slope / value
            gradient[k] += total
        for g in range(a.bin_factor_at[c], a.bin_factor_at[c + 1]):
            for i in range(n):
                k = a.bin_factors[a.bin_factor_place[g] + i]
                if k >= 0:
                    rest = yields[i] / theta[k] if theta[k] != 0.0 else _others(a, theta, w, c, g, i)
                    gradient[k] += adjoint[i] * rest
        if a.code4_at[c + 1] > a.code4_at[c] or a.bin_factor_at[c + 1] > a.bin_factor_at[c]:
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
            gradient[a.basis_parameter[basis]] += w.product[c] * w.basis_slope[basis] * total
            second[a.basis_parameter[basis]] += w.product[c] * w.basis_second[basis] * total


@kernel(types.void(MODEL, FLOATS, WORK), fastmath=True)
def fill_jacobian(a: Any, theta: Any, w: Any) -> None:
    """Fill `w.jacobian` with the derivatives of the predictions by the parameters, after `fill_bins`.

    The bins' gammas stay where they are: dt = dm + (gamma - 1) dshared.
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
            weight[i] = gamma[i] if a.shared[c] else 1.0
        for m in range(a.code4_at[c], a.code4_at[c + 1]):
            k = a.code4_parameter[m]
            for i in range(n):
                value, slope = code4_value(theta[k], a.code4_values, a.code4_place[m] + 8 * i)
                jacobian[k, s + i] += weight[i] * yields[i] * slope / value
        for g in range(a.bin_factor_at[c], a.bin_factor_at[c + 1]):
            for i in range(n):
                k = a.bin_factors[a.bin_factor_place[g] + i]
                if k >= 0:
                    rest = yields[i] / theta[k] if theta[k] != 0.0 else _others(a, theta, w, c, g, i)
                    jacobian[k, s + i] += weight[i] * rest
        if a.code4_at[c + 1] > a.code4_at[c] or a.bin_factor_at[c + 1] > a.bin_factor_at[c]:
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
            slope = w.product[c] * w.basis_slope[basis]
            row = jacobian[a.basis_parameter[basis], s : s + n]
            if slope != 0.0:
                for i in range(n):
                    row[i] += slope * weight[i] * vector[i]
