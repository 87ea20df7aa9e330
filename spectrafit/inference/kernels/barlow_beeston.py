"""Statistic "poisson" with a factor for every sample in every bin, for the error of the simulation (Barlow-Beeston).

A bin expects t = sum_s gamma_s y_s + delta. Sample s with yield y_s and variance V_s of its simulation counts as
a_s = y_s^2 / V_s simulated events, (sum w)^2 / sum w^2, a Poisson count of which gamma_s a_s were expected. delta is a
Gaussian of variance R: of what principal components leave over, and of interference that cancels. At the minimum over
all of them, with u = 1 - n / t,

    gamma_s = 1 / (1 + w_s u),   w_s = V_s / y_s,   delta = -R u,
    2NLL = 2 [t - n + n ln(n / t)] + R u^2 + 2 sum_s a_s [gamma_s - 1 - ln gamma_s],

and u is the one root of sum_s y_s / (1 + w_s u) - R u = n / (1 - u) between -1 / max w_s and 1 (R. Barlow and
C. Beeston, Comput. Phys. Commun. 77 (1993) 219; the effective counts as in H. Dembinski and A. Abdelmotteleb, EPJC 82
(2022) 1043).
For many simulated events this is Barlow-Beeston-lite.

y_s and V_s follow the parameters, kappa included: the signal's effective count is that of its events as they are
weighed at this kappa. A sample that counts less than a quarter of an event, which happens where interference cancels,
is part of delta. In toys that throw the simulation, all of a bin that does not depend on a coupling comes out higher or
lower together, by a Gaussian of the bin's variance, as in Barlow-Beeston-lite.

`a` holds the model's arrays, `d` what was measured, `w` scratch space. c is a component of the model, i one of its
bins, b a bin of the prediction, v a pair of components whose yields y, at places p and q, make the variance v of a bin.
"""

from __future__ import annotations

import math
from typing import Any

from numba import types

from spectrafit.contiguous import view
from spectrafit.inference.kernels.bin_terms import WALL, exact_bin, saturated
from spectrafit.inference.kernels.fields import MODEL, OBSERVED, WORK
from spectrafit.jit import inlined, kernel

__all__ = ["PER_SAMPLE", "fill_adjoints", "fill_per_sample", "fill_weights"]

PER_SAMPLE = 4
"""Value of `Arrays.statistic` for these terms."""

# Effective count of a sample below which its error is Gaussian.
_FEWEST = 0.25


@inlined
def _excess(x: float) -> float:
    """Return ln(1 + x) - x / (1 + x), which is gamma - 1 - ln gamma."""
    if abs(x) < 1e-3:
        return x * x * (0.5 + x * (-2.0 / 3.0 + x * (0.75 - 0.8 * x)))
    return math.log1p(x) - x / (1.0 + x)


@kernel(types.float64(WORK, types.int64, types.float64, types.float64, types.float64))
def _expected(w: Any, b: int, rest: float, left: float, u: float) -> Any:
    """Return the t of bin b at u, and put its derivative into `w.parts[0]`."""
    means, variances = w.sample_mean, w.sample_variance
    total, slope = rest - left * u, -left
    for s in range(means.shape[0]):
        y, v = means[s, b], variances[s, b]
        if v > 0.0 and y > 0.0 and y * y > _FEWEST * v:
            share = 1.0 / (1.0 + v / y * u)
            total += y * share
            slope -= v * share * share
    w.parts[0] = slope
    return total


@kernel(types.float64(WORK, types.int64, types.float64, types.float64, types.float64, types.float64))
def _root(w: Any, b: int, n: float, rest: float, left: float, heaviest: float) -> Any:
    """Return u of bin b: Newton's method for t (1 - u) = n within a bracket that is halved where a step leaves it."""
    if n <= 0.0 and _expected(w, b, rest, left, 1.0) >= 0.0:
        return 1.0
    # Without counts u is now where t is 0: no true prediction is negative.
    low, high, u = -1.0 / heaviest if heaviest > 0.0 else -(n + abs(rest) + 1.0) / left - 1.0, 1.0, 0.0
    for _ in range(200):
        t = _expected(w, b, rest, left, u)
        value = t * (1.0 - u) - n if n > 0.0 else t
        slope = w.parts[0] * (1.0 - u) - t if n > 0.0 else w.parts[0]
        if value > 0.0:
            low = u
        else:
            high = u
        step = -value / slope if slope != 0.0 else 0.0
        following = u + step
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - u) <= 1e-15 * (1.0 + abs(u)):
            break
        u = following
    return u


@kernel(types.float64(MODEL, OBSERVED, WORK), optional=True)
def fill_per_sample(a: Any, d: Any, w: Any) -> Any:
    """Return 2NLL of all bins, and fill its derivatives by the yields and variances of the samples.

    They are left in `w.sample_mean` and `w.sample_variance`, (S, B); the derivatives of the predictions by the yields
    in `w.sample_gamma`.
    """
    total, expected = 0.0, w.scoring[0]
    means, variances, gammas = w.sample_mean, w.sample_variance, w.sample_gamma
    samples, bins = means.shape[0], means.shape[1]
    for s in range(samples):
        for b in range(bins):
            means[s, b] = variances[s, b] = 0.0
    for c in range(a.start.size):
        s, first, p = a.sample[c], a.start[c], a.place[c]
        for i in range(a.size[c]):
            means[s, first + i] += w.yields[p + i] * (d.gamma_centre[first + i] if a.shared[c] else 1.0)
    for v in range(a.pair_first.size):
        one, other, at = a.pair_first[v], a.pair_second[v], a.pair_place[v]
        s, first, p, q = a.sample[one], a.start[one], a.place[one], a.place[other]
        for i in range(a.size[one]):
            variances[s, first + i] += a.pairs[at + i] * w.yields[p + i] * w.yields[q + i]
    for b in range(bins):
        w.by_mean[b] = w.by_shared[b] = w.by_variance[b] = w.curvature[b] = 0.0
        n, centre = d.counts[b], d.gamma_centre[b]
        w.gamma[b], w.fitted[b] = centre, w.mean[b]
        rest, left, heaviest = 0.0, w.variance[b], 0.0
        for s in range(samples):
            y, v = means[s, b], variances[s, b]
            if v > 0.0 and y > 0.0 and y * y > _FEWEST * v:
                left -= v
                heaviest = max(heaviest, v / y)
            else:
                rest += y
        # What rounding leaves of a difference is nothing.
        left = left if left > 1e-9 * w.variance[b] else 0.0
        if not a.used[b]:
            for s in range(samples):
                means[s, b] = variances[s, b] = gammas[s, b] = 0.0
            continue
        if left <= 0.0 and heaviest <= 0.0:
            value, slope, second = exact_bin(n, rest, a.floor[b], expected)
            total += value
            w.by_mean[b], w.curvature[b], w.fitted[b] = slope, second, max(rest, max(a.floor[b], WALL))
            for s in range(samples):
                means[s, b], variances[s, b], gammas[s, b] = slope, 0.0, 1.0
            continue
        u = _root(w, b, n, rest, left, heaviest)
        t = n / (1.0 - u) if n > 0.0 else max(_expected(w, b, rest, left, u), 0.0)
        total += saturated(n, t) + left * u * u
        spread = left
        for s in range(samples):
            y, v = means[s, b], variances[s, b]
            if v > 0.0 and y > 0.0 and y * y > _FEWEST * v:
                weight = v / y
                gamma, excess = 1.0 / (1.0 + weight * u), _excess(weight * u)
                total += 2.0 * y / weight * excess
                means[s, b] = 2.0 * u * gamma + 4.0 * excess / weight
                variances[s, b] = -2.0 * excess / (weight * weight)
                gammas[s, b] = gamma
                spread += v * gamma * gamma
            else:
                means[s, b], variances[s, b], gammas[s, b] = 2.0 * u, -u * u, 1.0
        w.by_mean[b], w.by_variance[b], w.fitted[b] = 2.0 * u, -u * u, t
        if expected:
            w.curvature[b] = 2.0 / (t + spread)
        else:
            w.curvature[b] = 2.0 * n / (t * t + n * spread) if n > 0.0 else 0.0
    return total


@kernel(types.void(MODEL, WORK), optional=True)
def fill_adjoints(a: Any, w: Any) -> None:
    """Fill `w.adjoint`, the derivatives of 2NLL by the components' yields, after `fill_per_sample`."""
    for c in range(a.start.size):
        s, first, p = a.sample[c], a.start[c], a.place[c]
        for i in range(a.size[c]):
            w.adjoint[p + i] = w.sample_mean[s, first + i] * (w.gamma[first + i] if a.shared[c] else 1.0)
    for v in range(a.pair_first.size):
        one, other, at = a.pair_first[v], a.pair_second[v], a.pair_place[v]
        s, first, p, q = a.sample[one], a.start[one], a.place[one], a.place[other]
        for i in range(a.size[one]):
            slope = w.sample_variance[s, first + i] * a.pairs[at + i]
            # One after the other: the two may be the same component.
            w.adjoint[p + i] += slope * w.yields[q + i]
            w.adjoint[q + i] += slope * w.yields[p + i]


@kernel(types.void(MODEL, types.int64, WORK), optional=True)
def fill_weights(a: Any, c: int, w: Any) -> None:
    """Fill component c's part of `w.adjoint` with the derivatives of the predictions by its yields."""
    s, first, p = a.sample[c], a.start[c], a.place[c]
    weight, gamma = view(w.adjoint, p, a.size[c]), w.sample_gamma
    for i in range(a.size[c]):
        weight[i] = gamma[s, first + i] * (w.gamma[first + i] if a.shared[c] else 1.0)
