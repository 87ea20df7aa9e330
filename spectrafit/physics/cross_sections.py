"""Elastic neutrino-electron cross sections, total in cm^2 and per electron energy in cm^2/GeV.

`pdg` is a PDG code (12, 14, 16 and their negatives), `e_nu` and `t` are the neutrino's energy and the electron's
kinetic energy (GeV), `mu` a magnetic moment in Bohr magnetons. Every function is a float64 numba ufunc:
scalars, numpy arrays and jagged awkward arrays alike.

Outside ``0 < t <= t_max(e_nu)`` a cross section is 0, because nothing scatters there. Nonsense has no cross section:
a negative, infinite or NaN energy, a NaN coupling, an unknown PDG code give NaN.

At tree level, with ``left = g_V + g_A`` and ``right = g_V - g_A`` (twice g_L and g_R; swapped for antineutrinos)::

    dsigma/dT = G_F^2 m/(2 pi) [left^2 + right^2 (1 - T/E)^2 - left right m T/E^2]         (note, equation 28)
    dsigma/dT = pi alpha^2/m^2 (mu/mu_B)^2 (1/T - 1/E)                                     (note, equation 34; Vogel &
    Engel 1989)
"""

from __future__ import annotations

import math

from spectrafit.physics.compiled import scalar, ufunc
from spectrafit.physics.constants import M_E, SIGMA_MAGNETIC, SIGMA_SM
from spectrafit.physics.kinematics import LARGEST, end_point, inside

__all__ = [
    "dsigma_dt",
    "dsigma_dt_magnetic",
    "dsigma_dt_sm",
    "g_a",
    "g_v",
    "sigma",
    "sigma_magnetic",
    "sigma_sm",
    "t_equal",
    "t_equal_low",
    "t_from_cumulative",
    "t_from_cumulative_magnetic",
]


@scalar
def known(pdg: int) -> bool:
    """Tell whether `pdg` is one of the six neutrinos."""
    return abs(pdg) == 12 or abs(pdg) == 14 or abs(pdg) == 16


@scalar
def chiral(pdg: int, sin2_theta_w: float) -> tuple[float, float]:
    """Return (g_V + g_A, g_V - g_A) at tree level; an antineutrino, with the other sign of g_A, has them swapped."""
    right = 2.0 * sin2_theta_w
    left = right + (1.0 if abs(pdg) == 12 else -1.0)
    return (left, right) if pdg > 0 else (right, left)


@scalar
def shape(left: float, right: float, e_nu: float, t: float) -> float:
    """Return E^2 times the curly bracket of note equation 28, without a division."""
    rest = e_nu - t
    return left * left * e_nu * e_nu + right * right * rest * rest - left * right * M_E * t


@scalar
def _integral(left: float, right: float, e_nu: float, t1: float, t2: float) -> float:
    # The difference T2 - T1 stands in front of every term: no cancellation between close thresholds.
    one = 1.0 - t1 / e_nu
    other = 1.0 - t2 / e_nu
    mean = (one * one + one * other + other * other) / 3.0
    return (t2 - t1) * (left * left + right * right * mean - left * right * M_E * (t1 + t2) / (2.0 * e_nu * e_nu))


@scalar
def _between(left: float, right: float, e_nu: float, t1: float, t2: float) -> float:
    if not (0.0 <= e_nu < LARGEST and t1 >= 0.0 and t2 >= 0.0):
        return math.nan
    high = min(t2, end_point(e_nu))
    return SIGMA_SM * _integral(left, right, e_nu, t1, high) if high > t1 else 0.0


@ufunc("float64(int64, float64)")
def g_v(pdg: int, sin2_theta_w: float) -> float:
    """Return the tree-level vector coupling, 2 sin^2 theta_W + 1/2 (nu_e, anti-nu_e) or - 1/2 (the other flavours)."""
    if not known(pdg):
        return math.nan
    return 2.0 * sin2_theta_w + (0.5 if abs(pdg) == 12 else -0.5)


@ufunc("float64(int64)")
def g_a(pdg: int) -> float:
    """Return the tree-level axial coupling, +1/2 (nu_e), -1/2 (nu_mu, nu_tau), the opposite for antineutrinos."""
    if not known(pdg):
        return math.nan
    sign = 0.5 if pdg > 0 else -0.5
    return sign if abs(pdg) == 12 else -sign


@ufunc("float64(int64, float64, float64, float64)")
def dsigma_dt_sm(pdg: int, e_nu: float, t: float, sin2_theta_w: float) -> float:
    """Return the Standard Model tree-level dsigma/dT, cm^2/GeV (note, equation 28), exact in the electron's mass.

    Parameters
    ----------
    pdg : array_like of int
        PDG code of the neutrino; any other particle gives NaN.
    e_nu, t : array_like of float
        Neutrino energy and electron kinetic energy, GeV; 0 outside ``0 < t <= t_max(e_nu)``.
    sin2_theta_w : array_like of float
        sin^2 theta_W, for example `constants.SIN2_THETA_W`.
    """
    if not known(pdg) or not 0.0 <= e_nu < LARGEST or t != t:
        return math.nan
    if not inside(e_nu, t):
        return 0.0
    left, right = chiral(pdg, sin2_theta_w)
    return SIGMA_SM * shape(left, right, e_nu, t) / (e_nu * e_nu)


@ufunc("float64(float64, float64, float64, float64)")
def dsigma_dt(gv: float, ga: float, e_nu: float, t: float) -> float:
    """Return dsigma/dT for given vector and axial couplings (`ga` with the neutrino's own sign), cm^2/GeV.

    Parameters
    ----------
    gv, ga : array_like of float
        Couplings; they may depend on `t`, as a millicharge makes them do.
    e_nu, t : array_like of float
        Neutrino energy and electron kinetic energy, GeV; 0 outside ``0 < t <= t_max(e_nu)``.
    """
    if not 0.0 <= e_nu < LARGEST or t != t:
        return math.nan
    if not inside(e_nu, t):
        return 0.0
    return SIGMA_SM * shape(gv + ga, gv - ga, e_nu, t) / (e_nu * e_nu)


@ufunc("float64(float64, float64, float64)")
def dsigma_dt_magnetic(e_nu: float, t: float, mu: float) -> float:
    """Return the magnetic-moment dsigma/dT, cm^2/GeV (note, equation 34); it adds to the weak one without interference.

    Parameters
    ----------
    e_nu, t : array_like of float
        Neutrino energy and electron kinetic energy, GeV; 0 outside ``0 < t <= t_max(e_nu)``.
    mu : array_like of float
        Effective magnetic moment, mu_B; its square enters, the same for all flavours, neutrinos and antineutrinos.
    """
    if not 0.0 <= e_nu < LARGEST or t != t:
        return math.nan
    if not inside(e_nu, t):
        return 0.0
    return SIGMA_MAGNETIC * mu * mu * (e_nu - t) / (e_nu * t)


@ufunc("float64(int64, float64, float64, float64, float64)")
def sigma_sm(pdg: int, e_nu: float, t1: float, t2: float, sin2_theta_w: float) -> float:
    """Return the Standard Model cross section for ``t1 < t < t2``, cm^2, in closed form.

    Parameters
    ----------
    pdg : array_like of int
        PDG code of the neutrino; any other particle gives NaN.
    e_nu, t1, t2 : array_like of float
        Neutrino energy and thresholds, GeV. `t2` is cut at ``t_max(e_nu)``, so ``t1 = 0, t2 = inf`` is the total; 0
        if nothing is left; a negative threshold gives NaN.
    sin2_theta_w : array_like of float
        sin^2 theta_W.
    """
    if not known(pdg):
        return math.nan
    left, right = chiral(pdg, sin2_theta_w)
    return _between(left, right, e_nu, t1, t2)


@ufunc("float64(float64, float64, float64, float64, float64)")
def sigma(gv: float, ga: float, e_nu: float, t1: float, t2: float) -> float:
    """Return the cross section for ``t1 < t < t2`` with constant couplings, cm^2.

    As `sigma_sm`, for given `gv` and `ga` (the latter with the neutrino's own sign).
    """
    return _between(gv + ga, gv - ga, e_nu, t1, t2)


@ufunc("float64(float64, float64, float64, float64)")
def sigma_magnetic(e_nu: float, t1: float, t2: float, mu: float) -> float:
    """Return the magnetic-moment cross section for ``t1 < t < t2``, cm^2: sigma_0 mu^2 [ln(T2/T1) - (T2 - T1)/E].

    Parameters
    ----------
    e_nu, t1, t2 : array_like of float
        Neutrino energy and thresholds, GeV. `t2` is cut at ``t_max(e_nu)``; 0 if nothing is left; infinite for ``t1 =
        0``, where the cross section diverges logarithmically; a negative threshold gives NaN.
    mu : array_like of float
        Effective magnetic moment, mu_B.
    """
    if not (0.0 <= e_nu < LARGEST and t1 >= 0.0 and t2 >= 0.0):
        return math.nan
    high = min(t2, end_point(e_nu))
    if not high > t1:
        return 0.0
    if t1 == 0.0:
        return math.inf
    width = high - t1
    return SIGMA_MAGNETIC * mu * mu * (math.log1p(width / t1) - width / e_nu)


@ufunc("float64(int64, float64, float64)")
def t_equal_low(pdg: int, mu: float, sin2_theta_w: float) -> float:
    """Return the electron energy below which the magnetic cross section wins, in the limit T << E, GeV.

    That is pi^2 alpha^2 mu^2/[G_F^2 m^3 (g_V^2 + g_A^2)], independent of the neutrino's energy. Note equation 38 has
    it without ``g_V^2 + g_A^2``, which for nu_mu is four times too low.
    """
    if not known(pdg):
        return math.nan
    left, right = chiral(pdg, sin2_theta_w)
    return SIGMA_MAGNETIC / SIGMA_SM * mu * mu / (left * left + right * right)


@ufunc("float64(int64, float64, float64, float64)")
def t_equal(pdg: int, e_nu: float, mu: float, sin2_theta_w: float) -> float:
    """Return the electron energy at which magnetic and Standard Model cross sections are equal, exactly, GeV.

    NaN if they are equal nowhere in ``0 < t <= t_max(e_nu)``: the magnetic one is larger everywhere, or `mu` is 0.
    """
    if not known(pdg) or not 0.0 < e_nu < LARGEST or mu == 0.0:
        return math.nan
    left, right = chiral(pdg, sin2_theta_w)
    strength = SIGMA_MAGNETIC / SIGMA_SM * mu * mu * e_nu
    low, high = 0.0, end_point(e_nu)
    if high * shape(left, right, e_nu, high) < strength * (e_nu - high):
        return math.nan
    for _ in range(2000):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if middle * shape(left, right, e_nu, middle) < strength * (e_nu - middle):
            low = middle
        else:
            high = middle
    return high


@ufunc("float64(int64, float64, float64, float64)")
def t_from_cumulative(pdg: int, e_nu: float, u: float, sin2_theta_w: float) -> float:
    """Return the `t` below which the fraction `u` of the Standard Model cross section lies, GeV.

    It is the inverse of the closed cumulative: with uniform `u` it draws exact events. The cubic is monotone and is
    solved to machine precision.

    Parameters
    ----------
    pdg : array_like of int
        PDG code of the neutrino; any other particle gives NaN.
    e_nu : array_like of float
        Neutrino energy, GeV, positive.
    u : array_like of float
        Fraction, between 0 (gives 0) and 1 (gives ``t_max``); outside NaN.
    sin2_theta_w : array_like of float
        sin^2 theta_W.

    Notes
    -----
    In y = T/E the cumulative is y (a - b y + c y^2).
    """
    if not known(pdg) or not (0.0 < e_nu < LARGEST and 0.0 <= u <= 1.0):
        return math.nan
    left, right = chiral(pdg, sin2_theta_w)
    top = 2.0 * e_nu / (2.0 * e_nu + M_E)
    a = left * left + right * right
    b = right * right + 0.5 * left * right * M_E / e_nu
    c = right * right / 3.0
    target = u * top * (a + top * (c * top - b))
    low, high, y = 0.0, top, u * top
    for _ in range(100):
        excess = y * (a + y * (c * y - b)) - target
        if excess > 0.0:
            high = y
        else:
            low = y
        slope = a + y * (3.0 * c * y - 2.0 * b)
        new = y - excess / slope
        if not low <= new <= high:
            new = 0.5 * (low + high)
        # Quadratic convergence: after so small a step the next would be below rounding.
        done = abs(new - y) <= 1e-9 * y
        y = new
        if done:
            break
    return y * e_nu


@ufunc("float64(float64, float64, float64)")
def t_from_cumulative_magnetic(e_nu: float, u: float, t_threshold: float) -> float:
    """Return the `t` below which the fraction `u` of the magnetic cross section above a threshold lies, GeV.

    Parameters
    ----------
    e_nu : array_like of float
        Neutrino energy, GeV, positive.
    u : array_like of float
        Fraction, between 0 (gives `t_threshold`) and 1 (gives ``t_max``); outside NaN.
    t_threshold : array_like of float
        Lower end, GeV, positive (the total diverges); NaN where it is not below ``t_max(e_nu)``: there is nothing to
        draw from.

    Notes
    -----
    In v = ln(T/T1) the cumulative is v - (T1/E)(e^v - 1): concave, with slope 1 - T/E.
    """
    top = end_point(e_nu)
    if not (0.0 < e_nu < LARGEST and 0.0 <= u <= 1.0 and 0.0 < t_threshold < top):
        return math.nan
    start = t_threshold / e_nu
    end = math.log(top / t_threshold)
    target = u * (end - start * math.expm1(end))
    low, high, v = 0.0, end, u * end
    for _ in range(100):
        grown = math.expm1(v)
        excess = v - start * grown - target
        if excess > 0.0:
            high = v
        else:
            low = v
        new = v - excess / (1.0 - start * (grown + 1.0))
        if not low <= new <= high:
            new = 0.5 * (low + high)
        done = abs(new - v) <= 1e-9 * v
        v = new
        if done:
            break
    return min(t_threshold * math.exp(v), top)
