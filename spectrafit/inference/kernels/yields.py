"""The yields of every component and bin, the prediction and its variance, and their derivatives by the parameters.

The prediction is that of HistFactory (Cranmer et al., CERN-OPEN-2012-016), with the formula of
`spectrafit.inference.model`. The simulation's error follows Barlow and Beeston (Comput. Phys. Commun. 77 (1993) 219)
with one factor per bin for all samples, as J. S. Conway proposed (arXiv:1103.0354). These kernels fill the variance of
the simulation in each bin; `spectrafit.inference.kernels.bin_terms` profiles the factor.

The gradient is taken backwards, from 2NLL to the bins and from the bins to the parameters: `w.adjoint` holds the
derivative of 2NLL by each yield, and every parameter then costs one sum over its component's bins.

Letters. `a` holds the model's arrays, `d` what was measured, `w` scratch space. Component c has n bins i; its yields
start at place p, its bins at bin s of the prediction: bin b = s + i expects y = prod_f factor_f(x) shape_i (nominal_i +
sum_t basis_t(x) vector_ti) with x = theta_k, the value of parameter k. f and g are factors, t is an additive term. v is
a pair of components, u the pair of a derivative.
"""

from __future__ import annotations

from typing import Any

from numba import types

from spectrafit.contiguous import row, view
from spectrafit.inference.kernels.barlow_beeston import PER_SAMPLE, fill_adjoints, fill_weights
from spectrafit.inference.kernels.fields import FLOATS, MODEL, WORK
from spectrafit.inference.kernels.morphing import code4_factor, code4p_value, factor_value, spline_value
from spectrafit.inference.kernels.shapes import (
    add_residual_gradient,
    add_residual_variance,
    add_shape_gradient,
    add_shape_jacobian,
    fill_shape,
)
from spectrafit.jit import inlined, kernel

__all__ = ["add_gradient", "fill_jacobian", "fill_yields"]

_HERE = types.void(MODEL, FLOATS, WORK)


@kernel(_HERE)
def _fill_functions(a: Any, theta: Any, w: Any) -> None:
    """Fill the scalar functions of additive morphs and the whole-component factors, with their derivatives."""
    for i in range(a.basis_kind.size):
        kind, x = a.basis_kind[i], theta[a.basis_parameter[i]]
        value, slope, second = x, 1.0, 0.0
        if kind == 1:
            value, slope, second = code4p_value(x)
        elif kind == 2:
            value, slope, second = spline_value(x, a.tables, a.basis_table[i])
        w.basis[i], w.basis_slope[i], w.basis_second[i] = value, slope, second
    for f in range(a.factor_kind.size):
        kind, x = a.factor_kind[f], theta[a.factor_parameter[f]]
        if kind == 3:
            value, slope = code4_factor(x, a.factor_values, 8 * f)
        else:
            value, slope = factor_value(kind, x, a.factor_values[8 * f])
        w.factor[f], w.factor_slope[f] = value, slope


@kernel(_HERE, fastmath=True)
def fill_yields(a: Any, theta: Any, w: Any) -> None:
    """Fill the yields of every component, and mean, shared mean and variance of every bin."""
    _fill_functions(a, theta, w)
    means, shares, places, starts, sizes = w.mean, w.shared, a.place, a.start, a.size
    for b in range(means.size):
        means[b] = shares[b] = 0.0
    # Each component: y = product of its factors x factors per bin x (nominal + additive morphs), added to its bins.
    for c in range(starts.size):
        product = 1.0
        for f in range(a.factor_at[c], a.factor_at[c + 1]):
            product *= w.factor[f]
        w.product[c] = product
        n, p, s = sizes[c], places[c], starts[c]
        bracket, nominal = view(w.bracket, p, n), view(a.nominal, p, n)
        for i in range(n):
            bracket[i] = nominal[i]
        for t in range(a.term_at[c], a.term_at[c + 1]):
            value = w.basis[a.term_basis[t]]
            if value != 0.0:
                vector = view(a.vectors, a.term_place[t], n)
                for i in range(n):
                    bracket[i] += value * vector[i]
        if a.code4_at[c + 1] > a.code4_at[c] or a.bin_factor_at[c + 1] > a.bin_factor_at[c]:
            fill_shape(a, theta, w, c)
        shape, yields, mean, shared = view(w.shape, p, n), view(w.yields, p, n), view(means, s, n), view(shares, s, n)
        for i in range(n):
            yields[i] = product * shape[i] * bracket[i]
            mean[i] += yields[i]
        if a.shared[c]:
            for i in range(n):
                shared[i] += yields[i]
    # The simulation's variance follows the yields: if a nuisance doubles a yield, the weights of its events double too.
    variances, kind, width = w.variance, a.gamma_kind, a.gamma_width
    for b in range(variances.size):
        variances[b] = 0.0
    for v in range(a.pair_first.size):
        one, other = a.pair_first[v], a.pair_second[v]
        n = sizes[one]
        variance, pairs = view(variances, starts[one], n), view(a.pairs, a.pair_place[v], n)
        first, second = view(w.yields, places[one], n), view(w.yields, places[other], n)
        for i in range(n):
            variance[i] += pairs[i] * first[i] * second[i]
    if a.residual.shape[0] > 0:
        add_residual_variance(a, theta, w)
    for b in range(variances.size):
        total = variances[b]
        if kind[b] == 1:
            spread = width[b] * shares[b]
            total += spread * spread
        # Interference may make the sum negative far from the nominal point: then it counts as 0.
        variances[b] = max(total, 0.0)


@inlined
def _rest(values: Any, first: int, last: int, f: int) -> Any:
    """Return the product of factors first .. last - 1 without factor f."""
    product = 1.0
    for g in range(first, last):
        if g != f:
            product *= values[g]
    return product


@kernel(_HERE, fastmath=True)
def add_gradient(a: Any, theta: Any, w: Any) -> None:
    """Add the bins' part to `w.gradient`, after `evaluate`, and fill `w.second`."""
    gradient, second, places, starts, sizes = w.gradient, w.second, a.place, a.start, a.size
    for k in range(second.size):
        second[k] = 0.0
    if a.statistic == PER_SAMPLE:
        fill_adjoints(a, w)
    else:
        for c in range(starts.size):
            n, s, on = sizes[c], starts[c], 1.0 if a.shared[c] else 0.0
            adjoint, by_mean, by_shared = view(w.adjoint, places[c], n), view(w.by_mean, s, n), view(w.by_shared, s, n)
            for i in range(n):
                adjoint[i] = by_mean[i] + on * by_shared[i]
        for v in range(2 * a.pair_first.size):
            # V contains y_first y_second, so each pair adds to the derivative by either of its yields.
            u = v // 2
            to, other = (a.pair_second[u], a.pair_first[u]) if v % 2 else (a.pair_first[u], a.pair_second[u])
            n = sizes[to]
            by_variance, pairs = view(w.by_variance, starts[to], n), view(a.pairs, a.pair_place[u], n)
            adjoint, yields = view(w.adjoint, places[to], n), view(w.yields, places[other], n)
            for i in range(n):
                adjoint[i] += by_variance[i] * pairs[i] * yields[i]
    if a.residual.shape[0] > 0:
        add_residual_gradient(a, theta, w)
    for c in range(starts.size):
        n, p, product = sizes[c], places[c], w.product[c]
        if a.code4_at[c + 1] > a.code4_at[c] or a.bin_factor_at[c + 1] > a.bin_factor_at[c]:
            add_shape_gradient(a, theta, w, c)
        adjoint, bracket, shape = view(w.adjoint, p, n), view(w.bracket, p, n), view(w.shape, p, n)
        total = 0.0
        for i in range(n):
            adjoint[i] *= shape[i]
            total += adjoint[i] * bracket[i]
        first, last, factor = a.factor_at[c], a.factor_at[c + 1], w.factor
        for f in range(first, last):
            # Without factor f: a division, unless a factor is 0 (as kappa is at the Standard Model).
            rest = product / factor[f] if product != 0.0 else _rest(factor, first, last, f)
            gradient[a.factor_parameter[f]] += w.factor_slope[f] * rest * total
        for t in range(a.term_at[c], a.term_at[c + 1]):
            vector = view(a.vectors, a.term_place[t], n)
            total = 0.0
            for i in range(n):
                total += adjoint[i] * vector[i]
            basis = a.term_basis[t]
            k = a.basis_parameter[basis]
            gradient[k] += product * w.basis_slope[basis] * total
            second[k] += product * w.basis_second[basis] * total


@kernel(_HERE, fastmath=True)
def fill_jacobian(a: Any, theta: Any, w: Any) -> None:
    """Fill `w.jacobian` with the derivatives of the predictions by the parameters, after `fill_bins`.

    The bins' gammas stay where they are: dt = dm + (gamma - 1) dshared.
    """
    jacobian = w.jacobian
    for k in range(theta.size):
        whole = row(jacobian, k, 0, w.mean.size)
        for b in range(whole.size):
            whole[b] = 0.0
    for c in range(a.start.size):
        n, p, s, product = a.size[c], a.place[c], a.start[c], w.product[c]
        on = 1.0 if a.shared[c] else 0.0
        weight, shape, gamma = view(w.adjoint, p, n), view(w.shape, p, n), view(w.gamma, s, n)
        if a.statistic == PER_SAMPLE:
            fill_weights(a, c, w)
        else:
            for i in range(n):
                weight[i] = 1.0 + on * (gamma[i] - 1.0)
        if a.code4_at[c + 1] > a.code4_at[c] or a.bin_factor_at[c + 1] > a.bin_factor_at[c]:
            add_shape_jacobian(a, theta, w, c)
            for i in range(n):
                weight[i] *= shape[i]
        first, last, factor = a.factor_at[c], a.factor_at[c + 1], w.factor
        begin = a.term_at[c]
        # A factor moves the whole bracket, an additive morph its own vector of bins.
        for x in range(last - first + a.term_at[c + 1] - begin):
            if x < last - first:
                f = first + x
                slope = w.factor_slope[f] * (product / factor[f] if product != 0.0 else _rest(factor, first, last, f))
                k, vector = a.factor_parameter[f], view(w.bracket, p, n)
            else:
                t = begin + x - (last - first)
                basis = a.term_basis[t]
                slope = product * w.basis_slope[basis]
                k, vector = a.basis_parameter[basis], view(a.vectors, a.term_place[t], n)
            if slope != 0.0:
                moved = row(jacobian, k, s, n)
                for i in range(n):
                    moved[i] += slope * weight[i] * vector[i]
