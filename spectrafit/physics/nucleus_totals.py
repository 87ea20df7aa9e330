"""Cross sections of neutrinos on nuclei between two recoil energies, in closed form or with a form factor.

A point nucleus has closed integrals. With a form factor the integral is done in the momentum transfer, by
Gauss-Legendre quadrature in steps small against the oscillations of any nucleus, to some 1e-13. Momentum transfers
above 12 GeV, where no nucleus stays whole, are left out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spectrafit.physics.compiled import ufunc
from spectrafit.physics.constants import SIGMA_MAGNETIC
from spectrafit.physics.kinematics import LARGEST
from spectrafit.physics.nucleus import WEAK, FormFactors, at_recoil, end_point_nucleus, weak_charge

__all__ = ["sigma_nucleus_magnetic", "sigma_nucleus_sm", "t_from_cumulative_nucleus"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
# 0.04 GeV is 0.2/fm: a phase of 2 for a radius of 10 fm.
_STEP = 0.04
_LARGEST_Q = 12.0


@ufunc("float64(float64, float64, float64, float64, float64)")
def _weak(e_nu: float, t1: float, t2: float, charge: float, mass: float) -> float:
    if not (0.0 <= e_nu < LARGEST and 0.0 < mass < LARGEST and t1 >= 0.0 and t2 >= 0.0):
        return math.nan
    top = end_point_nucleus(e_nu, mass)
    high = min(t2, top)
    if not high > t1:
        return 0.0 * charge
    return WEAK * mass * charge * charge * (high - t1) * ((top - t1) + (top - high)) / (2.0 * top)


@ufunc("float64(float64, float64, float64, float64, float64)")
def _magnetic(e_nu: float, t1: float, t2: float, moment: float, mass: float) -> float:
    if not (0.0 <= e_nu < LARGEST and 0.0 < mass < LARGEST and t1 >= 0.0 and t2 >= 0.0):
        return math.nan
    high = min(t2, end_point_nucleus(e_nu, mass))
    if not high > t1 or moment == 0.0:
        return 0.0
    if t1 == 0.0:
        return math.inf
    width = high - t1
    bracket = math.log1p(width / t1) - width / e_nu * (1.0 - (high + t1) / (8.0 * e_nu))
    return SIGMA_MAGNETIC * moment * moment * bracket


def _momenta(t1: float, t2: float, mass: float) -> tuple[Any, Any]:
    """Return nodes in Q (GeV) and weights for an integral over dQ between two recoils."""
    low, high = math.sqrt(2.0 * mass * t1), min(math.sqrt(2.0 * mass * t2), _LARGEST_Q)
    if not high > low:
        return np.empty(0), np.empty(0)
    steps = 1 + math.ceil((high - low) / _STEP)
    edges = np.linspace(low, high, steps + 1)
    if low > 0.0 and edges[1] > 2.0 * low:
        # 1/Q varies by large factors below the first step: steps of at most a factor two.
        edges = np.concatenate([np.geomspace(low, edges[1], 2 + math.ceil(math.log2(edges[1] / low))), edges[2:]])
    half = 0.5 * np.diff(edges)[:, None]
    middle = 0.5 * (edges[1:] + edges[:-1])[:, None]
    return (middle + half * _NODES).ravel(), (half * _WEIGHTS).ravel()


def _top(e_nu: float, mass: float) -> float:
    # The compiled end point would be compiled once more to be called from here.
    return 2.0 * e_nu * e_nu / (mass + 2.0 * e_nu)


def _folded(e_nu: float, t1: float, t2: float, mass: float, point: float, integrand: Any) -> float:
    """Return the integral over t = q^2/(2 M), dt = q dq/M."""
    # What is 0, infinite or NaN for a point nucleus is so with a form factor.
    if point == 0.0 or not math.isfinite(point):
        return point
    q, weights = _momenta(t1, min(t2, _top(e_nu, mass)), mass)
    t = q * q / (2.0 * mass)
    # dT = Q dQ/M
    return float(np.sum(weights * integrand(t) * q) / mass)


def sigma_nucleus_sm(
    e_nu: Any,
    t1: Any,
    t2: Any,
    z: Any,
    n: Any,
    mass: Any,
    sin2_theta_w: Any,
    form_factor: FormFactors = None,
) -> Any:
    """Return the Standard Model cross section on a nucleus for ``t1 < t < t2``, cm^2.

    Without a form factor G_F^2 M Q_W^2/(4 pi) (T_max - T1)^2/(2 T_max), for `t2` at the end point.

    Parameters
    ----------
    e_nu, t1, t2 : array_like of float
        Neutrino energy and thresholds, GeV. `t2` is cut at the end point, so ``t1 = 0, t2 = inf`` is the total; 0 if
        nothing is left; a negative threshold gives NaN.
    z, n, mass, sin2_theta_w, form_factor : as `nucleus.dsigma_dt_nucleus_sm`; with a form factor no awkward arrays.
    """
    if form_factor is None:
        return _weak(e_nu, t1, t2, weak_charge(z, n, sin2_theta_w), mass)
    # A weak charge of 1: with two form factors the cross section is not 0 because the weak charge is.
    point = _weak(e_nu, t1, t2, 1.0, mass)

    def one(e_nu: float, t1: float, t2: float, z: float, n: float, mass: float, s2w: float, point: float) -> float:
        top = _top(e_nu, mass)

        def integrand(t: Any) -> Any:
            neutron, proton = at_recoil(form_factor, t, mass)
            charge = weak_charge(z * proton, n * neutron, s2w)
            return WEAK * mass * charge * charge * np.maximum(1.0 - t / top, 0.0)

        return _folded(e_nu, t1, t2, mass, point, integrand)

    return np.vectorize(one, otypes=[np.float64])(e_nu, t1, t2, z, n, mass, sin2_theta_w, point)[()]


def sigma_nucleus_magnetic(
    e_nu: Any, t1: Any, t2: Any, mu: Any, z: Any, mass: Any, form_factor: FormFactors = None
) -> Any:
    """Return the magnetic-moment cross section on a nucleus for ``t1 < t < t2``, cm^2.

    Without a form factor sigma_0 Z^2 mu^2 [ln(T2/T1) - (T2 - T1)/E + (T2^2 - T1^2)/(8 E^2)].

    Parameters
    ----------
    e_nu, t1, t2 : array_like of float
        Neutrino energy and thresholds, GeV. `t2` is cut at the end point; 0 if nothing is left; infinite for ``t1 =
        0``, where the cross section diverges logarithmically; a negative threshold gives NaN.
    mu, z, mass, form_factor : as `nucleus.dsigma_dt_nucleus_magnetic`; with a form factor no awkward arrays.
    """
    point = _magnetic(e_nu, t1, t2, z * mu, mass)
    if form_factor is None:
        return point

    def one(e_nu: float, t1: float, t2: float, mu: float, z: float, mass: float, point: float) -> float:
        def integrand(t: Any) -> Any:
            moment = z * mu * (1.0 - 0.5 * t / e_nu) * at_recoil(form_factor, t, mass)[1]
            return SIGMA_MAGNETIC * moment * moment / t

        return _folded(e_nu, t1, t2, mass, point, integrand)

    return np.vectorize(one, otypes=[np.float64])(e_nu, t1, t2, mu, z, mass, point)[()]


@ufunc("float64(float64, float64, float64, float64)")
def t_from_cumulative_nucleus(e_nu: float, u: float, t_threshold: float, mass: float) -> float:
    """Return the recoil below which the fraction `u` of the weak cross section on a point nucleus lies, GeV.

    With uniform `u` it draws exact events: T_max - (T_max - T1) sqrt(1 - u). A form factor goes into the weight.

    Parameters
    ----------
    e_nu : array_like of float
        Neutrino energy, GeV, positive.
    u : array_like of float
        Fraction, between 0 (gives `t_threshold`) and 1 (gives the end point); outside NaN.
    t_threshold : array_like of float
        Lower end, GeV, not negative; NaN where it is not below the end point.
    mass : array_like of float
        Mass of the nucleus, GeV.
    """
    if not (0.0 < e_nu < LARGEST and 0.0 < mass < LARGEST and 0.0 <= u <= 1.0 and t_threshold >= 0.0):
        return math.nan
    width = end_point_nucleus(e_nu, mass) - t_threshold
    if not width > 0.0:
        return math.nan
    # 1 - sqrt(1 - u) without its cancellation at small u.
    return t_threshold + width * (u / (1.0 + math.sqrt(1.0 - u)))
