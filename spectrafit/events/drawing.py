"""Exact draws of neutrino and recoil energy from a tabulated spectrum, by inverting its cumulatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types

from spectrafit.contiguous import Contiguous
from spectrafit.jit import KERNEL, loop
from spectrafit.physics.constants import M_E
from spectrafit.random import uniforms

__all__ = ["draw", "fill_total"]


# For the loops below; nobody calls them from Python.
_NESTED = {**KERNEL, "no_cpython_wrapper": True}


@njit(**_NESTED)
def _expand(e: float, p: Any) -> Any:
    """Return the coefficients of T^-2 ... T^2 of dsigma/dT over SIGMA_SM, with g_V -> g_V + s/T in note equation 28.

    With m for m_e / e^2.
    """
    if p[7] > 0.0:
        # A nucleus: 1 - T/T_max of the weak cross section, and a quarter of T_max/T for what goes as 1/T.
        top = 2.0 * e * e / (2.0 * e + p[6])
        return 0.0, 0.25 * p[7] * top, p[7], -p[7] / top, 0.0
    left, right, s, dipole = p[0], p[1], p[2], p[3]
    m = M_E / (e * e)
    return (
        2.0 * s * s,
        2.0 * s * (left + right) - s * s * (2.0 / e + m) + dipole,
        left * left + right * right - 4.0 * right * s / e + s * s / (e * e) - s * (left + right) * m - dipole / e,
        -2.0 * right * right / e + 2.0 * right * s / (e * e) - left * right * m,
        right * right / (e * e),
    )


@njit(**_NESTED)
def _integral(c: Any, low: float, t: float) -> Any:
    value = (t - low) * (c[2] + 0.5 * c[3] * (t + low) + c[4] / 3.0 * (t * t + t * low + low * low))
    if c[0] != 0.0:
        value += c[0] * (t - low) / (t * low)
    if c[1] != 0.0:
        value += c[1] * math.log1p((t - low) / low)
    return value


@njit(**_NESTED)
def _reach(e: float, p: Any) -> Any:
    return min(p[5], 2.0 * e * e / (2.0 * e + p[6]))


@njit(**_NESTED)
def _segment(steps: Any, k: int, low: float, high: float) -> Any:
    """Return where step k begins and ends between `low` and `high`; the two are equal where it has no part there."""
    begin = min(max(low, steps[k, 0]), high)
    end = min(high, steps[k + 1, 0]) if k + 1 < len(steps) else high
    return begin, max(begin, end)


@njit(**_NESTED)
def _stepped(c: Any, steps: Any, low: float, high: float) -> Any:
    """Return the integral of the polynomial times the share of the electrons."""
    value = 0.0
    for step in range(len(steps)):
        begin, end = _segment(steps, step, low, high)
        if end > begin:
            value += steps[step, 1] * _integral(c, begin, end)
    return value


@loop(types.void(types.float64[::1], types.float64[::1], types.float64[:, ::1], types.float64[::1]))
def fill_total(e_nu: Any, p: Any, steps: Any, out: Any) -> None:
    """Fill the cross section over SIGMA_SM at each neutrino energy (GeV, (N,)) into `out`.

    `p` is a row of `Spectrum.parameters`, `steps` as there.
    """
    for event in range(e_nu.size):
        energy = e_nu[event]
        high = _reach(energy, p) if energy > 0.0 else 0.0
        out[event] = _stepped(_expand(energy, p), steps, p[4], high) if high > p[4] else 0.0


@njit(**_NESTED)
def _solve_t(e: float, u: float, p: Any, steps: Any) -> Any:
    """Return the T below which the fraction u of the cross section lies: Newton's method kept inside a bracket.

    c are the coefficients of `_expand`.
    """
    c = _expand(e, p)
    low, high = p[4], _reach(e, p)
    target = u * _stepped(c, steps, low, high)
    # The step in which the target lies, and what is left of the target there.
    begin, end, share = low, high, steps[0, 1]
    for step in range(len(steps)):
        first, last = _segment(steps, step, low, high)
        if not last > first:
            continue
        begin, end, share = first, last, steps[step, 1]
        part = share * _integral(c, begin, end)
        if target <= part:
            break
        target -= part
    target /= share
    start, low, high = begin, begin, end
    t = low + u * (high - low)
    for _ in range(200):
        excess = _integral(c, start, t) - target
        if excess > 0.0:
            high = t
        else:
            low = t
        slope = c[2] + t * (c[3] + t * c[4])
        if start > 0.0:
            slope += (c[1] + c[0] / t) / t
        new = t - excess / slope
        if not low <= new <= high:
            new = 0.5 * (low + high)
        if abs(new - t) <= 2.0**-50 * t:
            return new
        t = new
    return t


@loop(
    types.void(
        Contiguous(types.uint64),
        types.int64,
        types.float64[::1],
        types.float64[:, ::1],
        types.int64[::1],
        types.float64[:, ::1],
        types.float64[:, ::1],
        types.float64[::1],
        types.float64[::1],
        types.int64[::1],
    )
)
def draw(
    key: Any,
    first: int,
    cumulative: Any,
    panels: Any,
    rows: Any,
    parameters: Any,
    steps: Any,
    e_nu: Any,
    t: Any,
    row: Any,
) -> None:
    """Draw the events `first`, ... of the stream `key` into `e_nu` and `t` (GeV) and `row`, (N,) each.

    Uniform u picks a panel and the place x in it, uniform v the recoil. The other arguments are those of `Spectrum`.
    """
    for event in range(e_nu.size):
        u, v, _, _ = uniforms(key, first + event, 0)
        panel = np.searchsorted(cumulative, u, side="right") - 1
        low, width = panels[panel, 0], panels[panel, 1]
        p0, p1, p2 = panels[panel, 2], panels[panel, 3], panels[panel, 4]
        part = (u - cumulative[panel]) / (cumulative[panel + 1] - cumulative[panel])
        target = part * (p0 + p1 / 2.0 + p2 / 3.0)
        bottom, top, x = 0.0, 1.0, part
        for _ in range(100):
            excess = x * (p0 + x * (p1 / 2.0 + x * p2 / 3.0)) - target
            if excess > 0.0:
                top = x
            else:
                bottom = x
            new = x - excess / (p0 + x * (p1 + x * p2))
            if not bottom <= new <= top:
                new = 0.5 * (bottom + top)
            done = abs(new - x) <= 2.0**-48
            x = new
            if done:
                break
        e_nu[event] = low + width * x
        row[event] = rows[panel]
        t[event] = _solve_t(e_nu[event], v, parameters[rows[panel]], steps)
