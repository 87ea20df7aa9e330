"""2NLL bin by bin, with its derivatives by the prediction and by the variance of the simulation.

What to use when:

poisson                   the default: exact for counts; the simulation's error is profiled in each bin.
dembinski-abdelmotteleb   the simulation has few events per bin.
neyman-pearson            comparison with chi-square fits of counts; approximate for few events.
gaussian                  many events per bin and a given covariance, fixed at the nominal expectation.

2NLL is relative to the saturated model (Baker and Cousins, NIM 221, 437), so that its minimum is a goodness of fit:

    poisson                   2 [t - n + n ln(n / t)] + (t - m)^2 / V, at its minimum over t
    dembinski-abdelmotteleb   the same with V as the variance of a Poisson count, t = beta m (EPJC 82, 1043)
    neyman-pearson            (n - m)^2 / (3 / (1/n + 2/m) + V), m/2 + V for n = 0 (Ji et al., NIM A 961, 163677)
    gaussian                  (n - m)^T W (n - m), W fixed: inverse of the covariance of the nominal prediction

with n the counts, m the prediction and V the variance of the simulation in the bin. In "poisson" the minimum over the
true prediction t (Barlow-Beeston-lite; Conway, PHYSTAT 2011) is the root of t^2 + (V - m) t - n V = 0, so that

    2NLL = 2 [t - n + n ln(n / t)] + V u^2,   d/dm = 2 u,   d/dV = -u^2,   u = 1 - n / t = (m - t) / V.

This stays finite for m < 0 if V > 0. With V = 0, 2NLL continues below the bin's floor as a parabola that is as steep as
for one event at the floor: a negative number of events is impossible, not merely unlikely. With a floor of 0 the
Poisson term stays as it is, as in pyhf: a bin without counts keeps 2NLL = 2 m below 0, and other bins end at 0.

`a` holds the model's arrays, `d` what was measured, `w` scratch space. b and e are bins.

A variance V is v in code.
"""

from __future__ import annotations

import math
from typing import Any

from numba import types

from spectrafit.inference.kernels.fields import MODEL, OBSERVED, WORK
from spectrafit.jit import inlined, kernel

__all__ = ["WALL", "exact_bin", "fill_bins", "fill_gaussian", "fill_others", "fill_with_gammas", "saturated"]

# Limits of a bin's gamma, pyhf's.
_LEAST, _MOST = 1e-10, 10.0
_BINS = types.float64(MODEL, OBSERVED, WORK)
# If the floor is 0, the prediction of a bin with counts ends here: 2NLL is then large, but not infinite.
WALL = 1e-60


@inlined
def saturated(n: float, t: float) -> float:
    """Return 2 [t - n + n ln(n / t)]."""
    return 2.0 * (t - n + n * math.log(n / t)) if n > 0.0 else 2.0 * t


@inlined
def _barlow_beeston(n: float, m: float, v: float, expected: bool) -> tuple[float, float, float, float, float]:
    """Return 2NLL, its derivatives by m and v, its curvature in m, and t."""
    root = math.sqrt((m - v) * (m - v) + 4.0 * n * v)
    # The larger root, without cancellation when m < v.
    t = 0.5 * (m - v + root) if m >= v else (2.0 * n * v / (root + v - m) if n > 0.0 else 0.0)
    if t <= 0.0:
        u = m / v
        return v * u * u, 2.0 * u, -u * u, 2.0 / v, 0.0
    u = 1.0 - n / t
    curvature = 2.0 / (t + v) if expected else 2.0 * n / (t * root)
    return saturated(n, t) + v * u * u, 2.0 * u, -u * u, curvature, t


@inlined
def _dembinski(n: float, m: float, v: float, expected: bool) -> tuple[float, float, float, float, float]:
    """Return 2NLL, its derivatives by m and v, its curvature in m, and t.

    With k = m^2 / V simulated events, beta = (n + k) / (m + k).
    """
    k = m * m / v
    beta = (n + k) / (m + k)
    t = beta * m
    by_k = 2.0 * (beta - 1.0 - math.log(beta))
    value = saturated(n, t) + k * by_k
    curvature = 2.0 / (t + v) if expected or n == 0.0 else 2.0 * n / (m * m) * k / (n + k)
    return value, 2.0 * (beta - n / m) + by_k * 2.0 * m / v, -by_k * k / v, curvature, t


@inlined
def _neyman_pearson(n: float, m: float, v: float) -> tuple[float, float, float, float, float]:
    """Return 2NLL, its derivatives by m and v, its curvature in m, and m.

    With x = (n - m) / (share + v), 2NLL = x (n - m).
    """
    share = 3.0 * n * m / (m + 2.0 * n) if n > 0.0 else 0.5 * m
    slope = 6.0 * n * n / ((m + 2.0 * n) * (m + 2.0 * n)) if n > 0.0 else 0.5
    total = share + v
    x = (n - m) / total
    return x * (n - m), -2.0 * x - x * x * slope, -x * x, 2.0 / total, m


@inlined
def _below(n: float, m: float, floor: float, value: float, by_mean: float) -> Any:
    """Return 2NLL, its derivative and its curvature below the floor: a parabola as steep as one event there."""
    curvature, below = 2.0 * max(n, 1.0) / (floor * floor), m - floor
    return value + below * (by_mean + 0.5 * curvature * below), by_mean + curvature * below, curvature


@inlined
def exact_bin(n: float, m: float, floor: float, expected: bool) -> Any:
    """Return 2NLL of a Poisson bin without an error of the simulation, its derivative and its curvature."""
    if n == 0.0 and floor <= 0.0:
        return 2.0 * m, 2.0, 2.0 / m if expected and m > 1e-6 else 0.0
    floor = max(floor, WALL)
    inside = max(m, floor)
    value, by_mean = saturated(n, inside), 2.0 * (1.0 - n / inside)
    if m < floor:
        return _below(n, m, floor, value, by_mean)
    return value, by_mean, 2.0 / inside if expected else 2.0 * n / (inside * inside)


@kernel(_BINS)
def _fill_poisson(a: Any, d: Any, w: Any) -> Any:
    """Fill the bins of "poisson" that have no gamma of their own."""
    total, expected = 0.0, w.scoring[0]
    used, kinds, floors = a.used, a.gamma_kind, a.floor
    counts, centres, mean, shared, variance = d.counts, d.gamma_centre, w.mean, w.shared, w.variance
    by_mean, by_shared, by_variance, curvature = w.by_mean, w.by_shared, w.by_variance, w.curvature
    gamma, fitted = w.gamma, w.fitted
    for b in range(used.size):
        if used[b] and kinds[b] == 0:
            # Toys throw where the simulation came out: the centre of the bin's gamma.
            n, centre = counts[b], centres[b]
            m, v = mean[b] + (centre - 1.0) * shared[b], variance[b]
            if v > 0.0:
                value, slope, by_v, second, t = _barlow_beeston(n, m, v, expected)
            else:
                value, slope, second = exact_bin(n, m, floors[b], expected)
                by_v, t = 0.0, max(m, max(floors[b], WALL)) if n > 0.0 or floors[b] > 0.0 else m
            by_mean[b], by_variance[b], curvature[b], fitted[b] = slope, by_v, second, t
            by_shared[b], gamma[b] = slope * (centre - 1.0), centre
            total += value
    return total


@kernel(_BINS, optional=True)
def fill_others(a: Any, d: Any, w: Any) -> Any:
    """Fill the bins of "dembinski-abdelmotteleb" and "neyman-pearson" that have no gamma of their own."""
    total, expected, statistic = 0.0, w.scoring[0], a.statistic
    used, counts = a.used, d.counts
    for b in range(used.size):
        if used[b] and a.gamma_kind[b] == 0:
            n, v, centre = counts[b], w.variance[b], d.gamma_centre[b]
            m, floor = w.mean[b] + (centre - 1.0) * w.shared[b], max(a.floor[b], WALL)
            inside = max(m, floor)
            by_v, t = 0.0, m
            if n == 0.0 and a.floor[b] <= 0.0:
                value, slope, second = exact_bin(n, m, 0.0, expected)
            else:
                t = inside
                if statistic == 2:
                    value, slope, by_v, second, t = _neyman_pearson(n, inside, v)
                elif v > 1e-12 * inside * inside:
                    value, slope, by_v, second, t = _dembinski(n, inside, v, expected)
                else:
                    value, slope, second = exact_bin(n, inside, floor, expected)
                if m < floor:
                    value, slope, second = _below(n, m, floor, value, slope)
            w.by_mean[b], w.by_variance[b], w.curvature[b], w.fitted[b] = slope, by_v, second, t
            w.by_shared[b], w.gamma[b] = slope * (centre - 1.0), centre
            total += value
    return total


@inlined
def _gaussian_gamma(n: float, m: float, shared: float, width: float, centre: float) -> float:
    """Return the gamma that minimises 2NLL of t = m + (gamma - 1) shared plus ((gamma - centre) / width)^2.

    v = (width shared)^2 is the variance that gamma gives to t.
    """
    start, v = m + (centre - 1.0) * shared, (width * shared) ** 2
    if n == 0.0 or v == 0.0:
        return centre - width * width * shared
    root = math.sqrt((start - v) * (start - v) + 4.0 * n * v)
    t = 0.5 * (start - v + root) if start >= v else 2.0 * n * v / (root + v - start)
    return centre - width * width * shared * (1.0 - n / t)


@inlined
def _poisson_gamma(n: float, m: float, shared: float, width: float, counts: float) -> float:
    """Return the gamma that minimises 2NLL of t = m + (gamma - 1) shared with auxiliary `counts`, gamma width expected.

    It is the root of (shared + width) gamma t - n shared gamma - counts t = 0 at which gamma and t are positive. Of the
    two roots it is always the same one, whatever the signs of `shared` and m - shared. Without such a root gamma is
    where t is largest.

    With s = `shared` this is a gamma^2 + b gamma + c = 0.
    """
    s, rest = shared, m - shared
    if n == 0.0 or s == 0.0:
        return counts / (s + width) if s + width > 0.0 else _MOST
    if s < 0.0 and rest <= 0.0:
        return _LEAST
    a = (s + width) * s
    b = (s + width) * rest - (n + counts) * s
    c = -counts * rest
    root = math.sqrt(max(b * b - 4.0 * a * c, 0.0))
    return (root - b) / (2.0 * a) if b <= 0.0 else -2.0 * c / (b + root)


@kernel(_BINS, optional=True)
def fill_with_gammas(a: Any, d: Any, w: Any) -> Any:
    """Fill the bins that have a gamma of their own (HistFactory), at the gamma's minimum."""
    total, expected = 0.0, w.scoring[0]
    for b in range(a.used.size):
        kind = a.gamma_kind[b]
        if a.used[b] and kind > 0:
            n, m, shared, width, centre = d.counts[b], w.mean[b], w.shared[b], a.gamma_width[b], d.gamma_centre[b]
            if kind == 1:
                gamma = _gaussian_gamma(n, m, shared, width, centre)
            else:
                gamma = _poisson_gamma(n, m, shared, width, centre)
            gamma = min(max(gamma, _LEAST), _MOST)
            value, slope, plain = exact_bin(n, m + (gamma - 1.0) * shared, a.floor[b], expected)
            if kind == 1:
                value += ((gamma - centre) / width) ** 2
                spread = (width * shared) ** 2
            else:
                value += saturated(centre, width * gamma)
                spread = (shared * gamma) ** 2 / max(centre, 1e-300)
            w.by_mean[b], w.by_shared[b], w.by_variance[b] = slope, slope * (gamma - 1.0), 0.0
            w.curvature[b] = plain / (1.0 + 0.5 * plain * spread)
            w.gamma[b], w.fitted[b] = gamma, m + (gamma - 1.0) * shared
            total += value
    return total


@kernel(_BINS, entry=True)
def fill_bins(a: Any, d: Any, w: Any) -> Any:
    """Return the 2NLL of all bins, and fill its derivatives by mean, shared mean and variance.

    `w.scoring` asks for the curvature expected at n = prediction, instead of the one at the counts.
    """
    if a.statistic == 3:
        return fill_gaussian(a, d, w)
    gammas = 0
    for b in range(a.used.size):
        if not a.used[b]:
            w.by_mean[b] = w.by_shared[b] = w.by_variance[b] = w.curvature[b] = 0.0
            w.gamma[b], w.fitted[b] = 1.0, w.mean[b]
        gammas += a.gamma_kind[b]
    total = _fill_poisson(a, d, w) if a.statistic == 0 else fill_others(a, d, w)
    return total + (fill_with_gammas(a, d, w) if gammas > 0 else 0.0)


@kernel(_BINS, optional=True, fastmath=True)
def fill_gaussian(a: Any, d: Any, w: Any) -> Any:
    """Return the chi-square with fixed covariance and fill its derivatives."""
    total, fitted, gamma, counts = 0.0, w.fitted, w.gamma, d.counts
    for b in range(a.used.size):
        gamma[b] = d.gamma_centre[b] if a.gamma_kind[b] == 0 else 1.0
        fitted[b] = w.mean[b] + (gamma[b] - 1.0) * w.shared[b]
    for b in range(a.used.size):
        pull, weight = 0.0, a.weight[b]
        for e in range(counts.size):
            pull += weight[e] * (counts[e] - fitted[e])
        w.by_mean[b], w.by_variance[b] = -2.0 * pull, 0.0
        w.by_shared[b] = w.by_mean[b] * (gamma[b] - 1.0)
        w.curvature[b] = 2.0 * weight[b]
        total += pull * (counts[b] - fitted[b])
    return total
