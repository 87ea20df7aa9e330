"""How probable a thrown experiment is under another truth: what lets toys of one truth stand for toys of another.

A thrown experiment is its counts and its auxiliary measurements, each drawn independently: its density is a product of
Poisson and normal ones. Where nuisances are thrown from their constraints ("prior") the density is that of the counts
if the thrown nuisances are given, which are as probable under every truth. What all truths have in common is left out.

`a` holds the model's arrays, `d` what was measured, `w` scratch space. Toy i has counts in bins b and auxiliary
measurements of parameters k and j.
"""

from __future__ import annotations

import math
from typing import Any

from numba import types

from spectrafit.contiguous import Contiguous
from spectrafit.inference.kernels.fields import FLOATS, MATRIX, MODEL, OBSERVED, TRUTH, WORK
from spectrafit.inference.kernels.throw import throw
from spectrafit.jit import inlined, kernel

__all__ = ["fill_log_densities", "throw_rows"]

_KEY = Contiguous(types.uint64)
_ROWS = (types.int64, MATRIX, MATRIX, MATRIX)


@kernel(types.void(MODEL, TRUTH, _KEY, *_ROWS, OBSERVED, WORK), entry=True)
def throw_rows(
    a: Any, truth: Any, key: Any, first: int, counts: Any, centres: Any, gammas: Any, d: Any, w: Any
) -> None:
    """Fill the rows of `counts` (N, B), `centres` (N, K) and `gammas` (N, B) with toys `first` on."""
    for i in range(counts.shape[0]):
        throw(a, truth, key, first + i, d, w)
        for b in range(d.counts.size):
            counts[i, b], gammas[i, b] = d.counts[b], d.gamma_centre[b]
        for k in range(d.centre.size):
            centres[i, k] = d.centre[k]


@inlined
def _poisson(count: float, mean: float, logarithm: float) -> float:
    """Return the log of a Poisson probability but for the factorial; 0 events are sure where none is expected."""
    if mean > 0.0:
        return count * logarithm - mean
    return 0.0 if count == 0.0 else -math.inf


@inlined
def _of_parameters(a: Any, truth: Any, centres: Any, i: int, w: Any) -> float:
    """Return the log density of the auxiliary measurements of the parameters."""
    total, deviations = 0.0, w.kept
    for k in range(truth.theta.size):
        deviations[k] = 0.0
        if truth.root[k, k] > 0.0:
            rest = centres[i, k] - truth.theta[k]
            for j in range(k):
                rest -= truth.root[k, j] * deviations[j]
            deviations[k] = rest / truth.root[k, k]
            total -= 0.5 * deviations[k] * deviations[k]
    for j in range(a.auxiliary.size):
        k = a.auxiliary[j]
        mean = max(truth.theta[k] * a.auxiliary_scale[j], 0.0)
        total += _poisson(centres[i, k], mean, math.log(max(mean, 1e-300)))
    return total


@kernel(types.void(MODEL, TRUTH, TRUTH, _KEY, *_ROWS, FLOATS, OBSERVED, WORK), entry=True)
def fill_log_densities(
    a: Any,
    source: Any,
    truth: Any,
    key: Any,
    first: int,
    counts: Any,
    centres: Any,
    gammas: Any,
    values: Any,
    d: Any,
    w: Any,
) -> None:
    """Fill `values` (N,) with the log densities under `truth` of toys `first` on, thrown from `source` into the rows.

    `d` and `w` are scratch space.
    """
    n_bins, mean, logarithm = a.used.size, w.scaled, w.fitted
    for b in range(n_bins):
        mean[b] = max(truth.fitted[b], 0.0)
        logarithm[b] = math.log(max(mean[b], 1e-300))
    for i in range(values.size):
        if truth.prior:
            # The same nuisances with another kappa; `throw` leaves what is expected then in `w.scaled`.
            throw(a, truth, key, first + i, d, w)
            for b in range(n_bins):
                logarithm[b] = math.log(max(mean[b], 1e-300))
        total = 0.0 if truth.prior else _of_parameters(a, truth, centres, i, w)
        for b in range(n_bins):
            if a.used[b]:
                total += _poisson(counts[i, b], mean[b], logarithm[b])
            if truth.prior or not truth.mc:
                continue
            if a.gamma_kind[b] == 2:
                events = truth.gamma[b] * a.gamma_width[b]
                total += _poisson(gammas[i, b], events, math.log(max(events, 1e-300)))
            elif (source.spread[b] > 0.0) != (truth.spread[b] > 0.0):
                # One of them throws a number that the other cannot.
                total = -math.inf
            elif truth.spread[b] > 0.0:
                deviation = (gammas[i, b] - truth.gamma[b]) / truth.spread[b]
                total -= 0.5 * deviation * deviation + math.log(truth.spread[b])
        values[i] = total
