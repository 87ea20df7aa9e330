"""How a parameter changes factors and templates: interpolation between variations, with its derivatives.

Additive morphs are written as sums of scalar functions of the parameter times fixed vectors of bins, so that one dot
product per vector gives values and gradients: linear needs one function; code4p two, theta S + a(theta) A with
S = (up - down) / 2, A = (up + down) / 16 (differences to the nominal) and

    a(theta) = theta^2 (15 - 10 theta^2 + 3 theta^4)   inside +-1,   8 |theta|   outside,

which is HistFactory's code 4p (polynomial of degree 6, value and two derivatives continuous with the linear outside); a
natural cubic spline one cardinal function per sigma. Multiplicative code4 is HistFactory's code 4 (ROOT's
FlexibleInterpVar): up^theta and down^-theta outside +-1, the polynomial of degree 6 with the same value and first two
derivatives between (Cranmer et al., CERN-OPEN-2012-016).

n knots x are h apart; spline i in interval j has its coefficients from place q on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from spectrafit.arraytypes import Floats
from spectrafit.inference.kernels.fields import FLOATS
from spectrafit.jit import inlined, kernel

__all__ = [
    "BASIS",
    "FACTOR",
    "cardinal_splines",
    "code4_coefficients",
    "code4_factor",
    "code4_value",
    "code4p_value",
    "factor_value",
    "spline_value",
]

FACTOR = {"power": 0, "exponential": 1, "linear": 2, "code4": 3}
BASIS = {"linear": 0, "code4p": 1, "spline": 2}

_POWERS = np.arange(1, 7)
_SIGNS = (-1.0) ** _POWERS
_MATCH = np.array(
    [
        np.ones(6),
        _SIGNS,
        _POWERS,
        -_POWERS * _SIGNS,
        _POWERS * (_POWERS - 1),
        _POWERS * (_POWERS - 1) * _SIGNS,
    ]
)


def code4_coefficients(up: npt.ArrayLike, down: npt.ArrayLike) -> Floats:
    """Return (..., 8): the polynomial's a_1 .. a_6, then ln(up) and ln(down).

    Parameters
    ----------
    up, down : array_like
        Ratios to the nominal at +1 and -1 sigma, all positive.
    """
    hi, lo = np.asarray(up, dtype=np.float64), np.asarray(down, dtype=np.float64)
    log_hi, log_lo = np.log(hi), np.log(lo)
    right = np.stack(
        [hi - 1.0, lo - 1.0, hi * log_hi, -lo * log_lo, hi * log_hi**2, lo * log_lo**2],
        axis=-1,
    )
    polynomial = np.linalg.solve(_MATCH, right[..., None])[..., 0]
    return np.concatenate([polynomial, log_hi[..., None], log_lo[..., None]], axis=-1)


def cardinal_splines(knots: npt.ArrayLike) -> Floats:
    """Return the natural cubic splines that are 1 at one knot and 0 at the others.

    Parameters
    ----------
    knots : (k,) array_like
        Increasing.

    Returns
    -------
    (k, k - 1, 4) array
        [i, j]: coefficients of 1, x, x^2, x^3 with x = theta - knots[j], of spline i in the interval j.
    """
    x = np.asarray(knots, dtype=np.float64)
    h = np.diff(x)
    n = len(x)
    values = np.eye(n)
    # Second derivatives at the knots: tridiagonal system, zero at both ends.
    matrix = np.eye(n)
    right = np.zeros((n, n))
    for j in range(1, n - 1):
        matrix[j, j - 1 : j + 2] = h[j - 1], 2.0 * (h[j - 1] + h[j]), h[j]
        right[j] = 6.0 * ((values[j + 1] - values[j]) / h[j] - (values[j] - values[j - 1]) / h[j - 1])
    second = np.linalg.solve(matrix, right)
    result = np.empty((n, n - 1, 4))
    for j in range(n - 1):
        result[:, j, 0] = values[j]
        result[:, j, 1] = (values[j + 1] - values[j]) / h[j] - h[j] * (2.0 * second[j] + second[j + 1]) / 6.0
        result[:, j, 2] = second[j] / 2.0
        result[:, j, 3] = (second[j + 1] - second[j]) / (6.0 * h[j])
    return result


@inlined
def code4_value(theta: float, c: Any, at: int) -> tuple[float, float]:
    """Return code 4's factor and derivative from its 8 coefficients, c[at : at + 8]."""
    if theta >= 1.0:
        value = math.exp(theta * c[at + 6])
        return value, value * c[at + 6]
    if theta <= -1.0:
        value = math.exp(-theta * c[at + 7])
        return value, -value * c[at + 7]
    value, slope = 0.0, 0.0
    for i in range(5, -1, -1):
        slope = slope * theta + (i + 1) * c[at + i]
        value = (value + c[at + i]) * theta
    return 1.0 + value, slope


@kernel(types.UniTuple(types.float64, 2)(types.float64, FLOATS, types.int64), optional=True)
def code4_factor(theta: float, c: Any, at: int) -> Any:
    """Return the value and derivative of a code4 normalisation from its 8 coefficients, c[at : at + 8]."""
    return code4_value(theta, c, at)


@inlined
def factor_value(kind: int, theta: float, v: float) -> Any:
    """Return the value and derivative of a whole-component factor of another kind."""
    if kind == 1:
        value = math.exp(v * theta)
        return value, v * value
    if kind == 2:
        return 1.0 + v * theta, v
    if v == 1.0:
        return theta, 1.0
    if v == 2.0:
        return theta * theta, 2.0 * theta
    return theta**v, v * theta ** (v - 1.0)


@inlined
def code4p_value(theta: float) -> Any:
    """Return the value and two derivatives of a(theta)."""
    if abs(theta) >= 1.0:
        side = math.copysign(8.0, theta)
        return side * theta, side, 0.0
    square = theta * theta
    value = square * (15.0 + square * (-10.0 + 3.0 * square))
    slope = theta * (30.0 + square * (-40.0 + 18.0 * square))
    return value, slope, 30.0 + square * (-120.0 + 90.0 * square)


@kernel(types.UniTuple(types.float64, 3)(types.float64, FLOATS, types.int64), optional=True)
def spline_value(theta: float, c: Any, at: int) -> Any:
    """Return the value and two derivatives of a cardinal spline.

    `c[at:]` holds the number of knots k, the knots, then 4 coefficients for each interval.
    """
    n = int(c[at])
    first, last = c[at + 1], c[at + n]
    inside = min(max(theta, first), last)
    j = 0
    while j < n - 2 and inside >= c[at + 2 + j]:
        j += 1
    x = inside - c[at + 1 + j]
    q = at + 1 + n + 4 * j
    slope = c[q + 1] + x * (2.0 * c[q + 2] + 3.0 * c[q + 3] * x)
    value = c[q] + x * (c[q + 1] + x * (c[q + 2] + c[q + 3] * x))
    second = 2.0 * c[q + 2] + 6.0 * c[q + 3] * x if inside == theta else 0.0
    return value + slope * (theta - inside), slope, second
