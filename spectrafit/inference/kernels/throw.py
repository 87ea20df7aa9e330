"""Thrown experiments and the fits to them: counts and auxiliary measurements from counter-based random numbers.

Each toy has a stream of random numbers. Bin b uses draws b (its count) and B + K + b (its gamma's measurement) of the
stream, and parameter k uses draw B + k. A toy is therefore the same whatever else is thrown.

`a` holds the model's arrays, `d` what was measured, `w` scratch space. b is a bin, j and k are parameters, i is a toy
or a place in a list of parameters; j = -2 and -1 are the fit that is free and the one at the boundary.
"""

from __future__ import annotations

import math
from typing import Any

from numba import types

from spectrafit.contiguous import Contiguous
from spectrafit.inference.kernels.fields import FLAGS, FLOATS, INTEGERS, MATRIX, MODEL, OBSERVED, TRUTH, WORK
from spectrafit.inference.kernels.newton import CONVERGED, error_of, minimise
from spectrafit.inference.kernels.yields import fill_yields
from spectrafit.jit import inlined, kernel
from spectrafit.random import normal, poisson

__all__ = ["BEST", "BOUND", "ENOUGH", "ERROR", "KAPPA", "TESTED", "fit_toys", "throw"]

# A row holds the fits of one toy: unbounded best kappa, its error, 2NLL there, 2NLL at the boundary if the best kappa
# is below the boundary (else NaN), then 2NLL at each tested kappa.
KAPPA, ERROR, BEST, BOUND, TESTED = range(5)
ENOUGH = 1e-6  # EDM at which a fit that ended otherwise counts as converged
_TOLERANCE = 1e-7  # EDM of toy fits
_CALLS = 400

_KEY = Contiguous(types.uint64)


@inlined
def _correlated(a: Any, root: Any, key: Any, index: int, k: int) -> Any:
    """Return parameter k's deviation from its constraint."""
    first = a.used.size
    total = 0.0
    for j in range(k + 1):
        if root[k, j] != 0.0:
            total += root[k, j] * normal(key, index, first + j)
    return total


@kernel(types.void(MODEL, TRUTH, _KEY, types.int64, OBSERVED, WORK), entry=True)
def throw(a: Any, truth: Any, key: Any, index: int, d: Any, w: Any) -> None:
    """Fill `d` with toy `index`, and `w.scaled` with what its bins expect."""
    # "prior" varies the truth and keeps the auxiliary measurements; "profiled" throws them around a fixed truth.
    n_bins, n_parameters = a.used.size, a.initial.size
    after = n_bins + n_parameters
    theta = w.other
    for k in range(n_parameters):
        theta[k] = truth.theta[k]
        if truth.root[k, k] > 0.0:
            shift = _correlated(a, truth.root, key, index, k)
            if truth.prior:
                theta[k] = min(max(truth.centre[k] + shift, a.lower[k]), a.upper[k])
            d.centre[k] = truth.centre[k] if truth.prior else truth.theta[k] + shift
        else:
            d.centre[k] = truth.centre[k]
    for i in range(a.auxiliary.size):
        k = a.auxiliary[i]
        if truth.prior:
            shift = math.sqrt(truth.centre[k]) * normal(key, index, n_bins + k)
            theta[k] = max((truth.centre[k] + shift) / a.auxiliary_scale[i], a.lower[k])
        else:
            d.centre[k] = poisson(key, index, n_bins + k, max(truth.theta[k] * a.auxiliary_scale[i], 0.0))
    if truth.prior:
        fill_yields(a, theta, w)
    for b in range(n_bins):
        expected = truth.fitted[b]
        d.gamma_centre[b] = truth.gamma_centre[b]
        if truth.prior:
            expected = w.mean[b]
            if truth.mc and a.gamma_kind[b] == 2:
                width = a.gamma_width[b]
                expected += normal(key, index, after + b) / math.sqrt(max(width, 1e-300)) * w.shared[b]
            elif truth.mc and w.variance[b] > 0.0:
                expected += normal(key, index, after + b) * math.sqrt(w.variance[b])
        elif truth.mc and a.gamma_kind[b] == 2:
            d.gamma_centre[b] = poisson(key, index, after + b, truth.gamma[b] * a.gamma_width[b])
        elif truth.mc and truth.spread[b] > 0.0:
            d.gamma_centre[b] = truth.gamma[b] + truth.spread[b] * normal(key, index, after + b)
        w.scaled[b] = max(expected, 0.0)
        d.counts[b] = poisson(key, index, b, w.scaled[b]) if a.used[b] else 0.0


@inlined
def _minimum(a: Any, d: Any, theta: Any, free: Any, w: Any) -> Any:
    """Return 2NLL where the fit ended, and 1 if the fit did not converge."""
    value, edm, _, status = minimise(a, d, theta, free, _TOLERANCE, _CALLS, w)
    return value, 0 if status == CONVERGED or edm < ENOUGH else 1


@inlined
def _fit(a: Any, d: Any, begin: Any, kappas: Any, lower: float, row: Any, free: Any, w: Any) -> Any:
    """Fill `row` with the fits of one experiment; return how many were made and how many failed."""
    poi, theta, start = a.poi, w.toy, w.start
    for k in range(theta.size):
        theta[k] = begin[k]
        start[k] = begin[k]
    row[KAPPA] = row[ERROR] = row[BOUND] = math.nan
    fits, bad = 0, 0
    # The unbounded fit, the one at the boundary, the tested values.
    for j in range(-2, kappas.size if poi >= 0 else -1):
        if j == -1 and not theta[poi] < lower:
            continue
        if j >= -1:
            for k in range(theta.size):
                start[k] = theta[k]
            start[poi] = lower if j < 0 else kappas[j]
            free[poi] = False
        value, failed = _minimum(a, d, theta if j == -2 else start, free, w)
        fits += 1
        bad += failed
        row[BEST if j == -2 else BOUND if j == -1 else TESTED + j] = value
        if j == -2 and poi >= 0:
            row[KAPPA], row[ERROR] = theta[poi], error_of(a, d, theta, free, poi, w)
    if poi >= 0:
        free[poi] = True
    return fits, bad


@kernel(
    types.int64(MODEL, TRUTH, _KEY, types.int64, FLOATS, types.float64, MATRIX, INTEGERS, FLAGS, OBSERVED, WORK),
    entry=True,
)
def fit_toys(
    a: Any, truth: Any, key: Any, first: int, kappas: Any, lower: float, rows: Any, bad: Any, free: Any, d: Any, w: Any
) -> Any:
    """Throw and fit toys `first` on: fill a row of `rows` and the number of failed fits in `bad`; return all fits."""
    total = 0
    for i in range(rows.shape[0]):
        throw(a, truth, key, first + i, d, w)
        fits, bad[i] = _fit(a, d, truth.theta, kappas, lower, rows[i], free, w)
        total += fits
    return total
