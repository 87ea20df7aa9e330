"""The Standard Model cross section beyond tree level, in cm^2/GeV.

Two options beside the tree: constant effective couplings, and the one-loop electroweak and QED corrections of Bahcall,
Kamionkowski and Sirlin, PRD 51, 6146 (1995), appendices A and B ("BKS"). Both are of the weak part alone: no O(alpha)
correction of the magnetic cross section is known. The BKS spectrum is that of the electron's energy, photons
integrated over; a calorimeter that sums electron and photon sees another one (Tomalak & Hill, PRD 101, 033006).

Domain and nonsense as in `cross_sections`: 0 outside ``0 < t <= t_max(e_nu)``, NaN for nonsense.

z = T/E and y = 1 - z; a, b and c are what left^2, right^2 and -left right are multiplied with.
"""

from __future__ import annotations

import math
from typing import Any, Final, Literal

import numpy as np

from spectrafit.physics.compiled import scalar, ufunc
from spectrafit.physics.constants import ALPHA, M_E, SIGMA_SM, SIN2_THETA_W, SIN2_THETA_W_MZ
from spectrafit.physics.cross_sections import dsigma_dt, dsigma_dt_sm, g_a, g_v, known
from spectrafit.physics.kinematics import LARGEST, inside

__all__ = [
    "EFFECTIVE",
    "bks_f_minus",
    "bks_f_mixed",
    "bks_f_plus",
    "dsigma_dt_bks",
    "dsigma_dt_bks_weak",
    "dsigma_dt_effective",
    "dsigma_dt_expected",
    "effective",
]

EFFECTIVE: Final = {"pdg": (-0.0398, -0.5064), "hill-tomalak": (-0.03993, -0.50620)}
"""(g_V, g_A) of nu_mu e: PDG review [M]; c_L, c_R of Hill & Tomalak, arXiv:1911.03493 [M], over 2 sqrt(2) G_F."""

RHO_BKS: Final = 1.0126


def effective(pdg: Any, source: Literal["pdg", "hill-tomalak"] = "pdg") -> tuple[Any, Any]:
    """Return the constant effective couplings (g_V, g_A) of a flavour; g_A has the neutrino's own sign.

    Parameters
    ----------
    pdg : array_like of int
        PDG code; nu_e has the charged current besides, +1 to both. Unknown codes give NaN.
    source : {"pdg", "hill-tomalak"}
        Which entry of `EFFECTIVE`.
    """
    gv, ga = EFFECTIVE[source]
    return g_v(pdg, 0.0) + (gv + 0.5), g_a(pdg) + np.sign(pdg) * (ga + 0.5)


def dsigma_dt_effective(pdg: Any, e_nu: Any, t: Any, source: Literal["pdg", "hill-tomalak"] = "pdg") -> Any:
    """Return dsigma/dT with constant effective couplings, cm^2/GeV; arguments as `cross_sections.dsigma_dt_sm`."""
    return dsigma_dt(*effective(pdg, source), e_nu, t)


def dsigma_dt_expected(
    pdg: Any,
    e_nu: Any,
    t: Any,
    sm: Literal["tree", "effective", "bks"] = "tree",
    sin2_theta_w: float | None = None,
) -> Any:
    """Return the Standard Model dsigma/dT of one of the three options, cm^2/GeV.

    Parameters
    ----------
    pdg, e_nu, t : as `cross_sections.dsigma_dt_sm`.
    sm : the option.
    sin2_theta_w : sin^2 theta_W in MSbar at Q^2 = 0. "effective" moves its g_V, "bks" its value at M_Z by the distance
        from the default, where they have their own.
    """
    shift = 0.0 if sin2_theta_w is None else sin2_theta_w - SIN2_THETA_W
    if sm == "tree":
        return dsigma_dt_sm(pdg, e_nu, t, SIN2_THETA_W + shift)
    if sm == "effective":
        gv, ga = effective(pdg)
        return dsigma_dt(gv + 2.0 * shift, ga, e_nu, t)
    if sm == "bks":
        return dsigma_dt_bks(pdg, e_nu, t, SIN2_THETA_W_MZ + shift)
    raise ValueError(f"sm: {sm!r}; needed 'tree', 'effective' or 'bks'")


@scalar
def _dilogarithm(x: float) -> float:
    """Return Li2(x) for 0 <= x <= 1 to machine precision, by its Bernoulli series in -ln(1 - x).

    With u = -ln(1 - x), of 1 - x in the place of x above 1/2, and v = u^2.
    """
    if x >= 1.0:
        return math.pi**2 / 6.0
    reflected = x > 0.5
    u = -math.log(x) if reflected else -math.log1p(-x)
    v = u * u
    # B_2k/(2k+1)! of k = 9 ... 1; the next term is below 1e-18 for u <= ln 2.
    series = 4.518980029619918e-16
    series = series * v - 1.9939295860721076e-14
    series = series * v + 8.921691020456452e-13
    series = series * v - 4.0647616451442256e-11
    series = series * v + 1.8978869988971e-9
    series = series * v - 1.0 / 10886400.0
    series = series * v + 1.0 / 211680.0
    series = series * v - 1.0 / 3600.0
    series = series * v + 1.0 / 36.0
    value = u * (1.0 - 0.25 * u + v * series)
    return math.pi**2 / 6.0 + u * math.log1p(-x) - value if reflected else value


@scalar
def _excess(w: float) -> float:
    """Return atanh(w)/w - 1 for 0 < w < 1, by its series where the difference would cancel.

    With v = w^2, the sum of v^n / (2n + 1).
    """
    if w > 0.5:
        return 0.5 * (math.log1p(w) - math.log1p(-w)) / w - 1.0
    v = w * w
    total, power = 0.0, 1.0
    for index in range(1, 40):
        power *= v
        term = power / (2.0 * index + 1.0)
        total += term
        if term <= 1e-17 * total:
            break
    return total


@scalar
def _logs(e_nu: float, t: float) -> tuple[float, float, float, float, float]:
    """Return beta, f0, ln z, ln(1 - z) and ln(1 - z - m/(E_e + l)) of BKS appendix B."""
    momentum = math.sqrt(t * (t + 2.0 * M_E))
    energy = t + M_E
    # (E_e/l) ln((E_e + l)/m) = atanh(beta)/beta; its own form where beta is too close to 1 for that.
    beta = momentum / energy
    f0 = _excess(beta) if beta < 0.5 else math.log((energy + momentum) / M_E) / beta - 1.0
    rest = max(2.0 * e_nu * (e_nu - t) - M_E * t, 0.0)
    # 1 - z - m/(E_e + l) = T (E - E_min)/(E E_min): what vanishes at T_max is one subtraction.
    edge = 2.0 * t * rest / (e_nu * (t + momentum) * (2.0 * e_nu - t + momentum))
    # Its logarithm diverges, integrably, at T_max itself, which the floor stands for.
    return beta, f0, math.log(t / e_nu), math.log((e_nu - t) / e_nu), math.log(max(edge, 1e-20))


@scalar
def _f_minus(e_nu: float, t: float, logs: tuple[float, float, float, float, float]) -> float:
    z = t / e_nu
    beta, f0, lz, l1, edge = logs
    return (
        f0 * (2.0 * edge - l1 - 0.5 * lz - 5.0 / 12.0)
        + 0.5 * (_dilogarithm(beta) - _dilogarithm(z))
        - 0.5 * l1 * l1
        - (11.0 / 12.0 + 0.5 * z) * l1
        + z * (lz + 0.5 * math.log(2.0 * e_nu / M_E))
        - (31.0 / 18.0 + lz / 12.0) * beta
        - 11.0 / 12.0 * z
        + z * z / 24.0
    )


@scalar
def _f_plus(e_nu: float, t: float, logs: tuple[float, float, float, float, float]) -> float:
    z = t / e_nu
    y = (e_nu - t) / e_nu
    beta, f0, lz, l1, edge = logs
    # L(x) = -Li2(x) in the paper's notation.
    dilogarithm = _dilogarithm(y)
    return (
        f0 * (y * y * (2.0 * edge - l1 - 0.5 * lz - 2.0 / 3.0) - 0.5 * (z * z * lz + y))
        - 0.5 * y * y * (l1 * l1 + beta * (-dilogarithm - lz * l1))
        + l1 * (0.5 * z * z * lz + y * (2.0 * z - 0.5) / 3.0)
        + 0.5 * z * z * dilogarithm
        - z * (1.0 - 2.0 * z) * lz / 3.0
        - z * y / 6.0
        - beta / 12.0 * (lz + y * (115.0 - 109.0 * z) / 6.0)
    )


@scalar
def _f_mixed(logs: tuple[float, float, float, float, float]) -> float:
    _, f0, _, _, edge = logs
    return 2.0 * f0 * edge


@scalar
def bks_couplings(pdg: int, t: float, sin2_theta_w_mz: float) -> tuple[float, float, float]:
    """Return the running left and right couplings in the convention of `chiral`, and their slope in sin^2 theta_W."""
    w2 = t / (t + 2.0 * M_E)
    # I(T) with x = 1/w: x atanh(1/x) - 1 is small for slow electrons, where 3 - x^2 is large.
    current = (1.0 / 3.0 + (3.0 - 1.0 / w2) * _excess(math.sqrt(w2))) / 6.0
    electron = abs(pdg) == 12
    kappa = 0.9791 + 0.0097 * current if electron else 0.9970 - 0.00037 * current
    slope = 2.0 * RHO_BKS * kappa
    right = slope * sin2_theta_w_mz
    # BKS have the opposite overall sign: g_L(nu_e) = rho (1/2 - kappa s^2) - 1.
    left = right - RHO_BKS + (2.0 if electron else 0.0)
    return (left, right, slope) if pdg > 0 else (right, left, slope)


@scalar
def bks_factors(e_nu: float, t: float) -> tuple[float, float, float]:
    """Return what multiplies left^2, right^2 and -left right: 1, (1-z)^2 and m T/E^2 with their QED corrections."""
    y = (e_nu - t) / e_nu
    tail, logs = ALPHA / math.pi, _logs(e_nu, t)
    return (
        1.0 + tail * _f_minus(e_nu, t, logs),
        y * y + tail * _f_plus(e_nu, t, logs),
        M_E * t / (e_nu * e_nu) * (1.0 + tail * _f_mixed(logs)),
    )


@ufunc("float64(int64, float64, float64, float64)")
def dsigma_dt_bks(pdg: int, e_nu: float, t: float, sin2_theta_w_mz: float) -> float:
    """Return the one-loop Standard Model dsigma/dT of Bahcall, Kamionkowski and Sirlin, cm^2/GeV.

    At the very end of the spectrum the fixed-order logarithm makes it negative, relatively within 1e-12 of ``t_max``;
    there it is 0.

    Parameters
    ----------
    pdg : array_like of int
        PDG code of the neutrino; any other particle gives NaN.
    e_nu, t : array_like of float
        Neutrino energy and electron kinetic energy, GeV; 0 outside ``0 < t <= t_max(e_nu)``.
    sin2_theta_w_mz : array_like of float
        sin^2 theta_W in MSbar at M_Z, `constants.SIN2_THETA_W_MZ`: the running down to Q^2 is part of the formula.
    """
    if not known(pdg) or not 0.0 <= e_nu < LARGEST or t != t:
        return math.nan
    if not inside(e_nu, t):
        return 0.0
    left, right, _ = bks_couplings(pdg, t, sin2_theta_w_mz)
    a, b, c = bks_factors(e_nu, t)
    bracket = left * left * a + right * right * b - left * right * c
    return 0.0 if bracket < 0.0 else SIGMA_SM * bracket


@ufunc("float64(int64, float64, float64, float64)")
def dsigma_dt_bks_weak(pdg: int, e_nu: float, t: float, sin2_theta_w_mz: float) -> float:
    """Return `dsigma_dt_bks` without its QED part (f_-, f_+ and f_+- are 0), cm^2/GeV: the running couplings alone."""
    if not known(pdg) or not 0.0 <= e_nu < LARGEST or t != t:
        return math.nan
    if not inside(e_nu, t):
        return 0.0
    left, right, _ = bks_couplings(pdg, t, sin2_theta_w_mz)
    y = (e_nu - t) / e_nu
    return SIGMA_SM * (left * left + right * right * y * y - left * right * M_E * t / (e_nu * e_nu))


@ufunc("float64(float64, float64)")
def bks_f_minus(e_nu: float, t: float) -> float:
    """Return f_- of BKS, the QED correction of the left-left term in units of alpha/pi; NaN outside the domain."""
    return _f_minus(e_nu, t, _logs(e_nu, t)) if inside(e_nu, t) else math.nan


@ufunc("float64(float64, float64)")
def bks_f_plus(e_nu: float, t: float) -> float:
    """Return (1 - z)^2 f_+ of BKS, the QED correction of the right-right term in alpha/pi; NaN outside the domain."""
    return _f_plus(e_nu, t, _logs(e_nu, t)) if inside(e_nu, t) else math.nan


@ufunc("float64(float64, float64)")
def bks_f_mixed(e_nu: float, t: float) -> float:
    """Return f_+- of BKS, the QED correction of the left-right term in units of alpha/pi; NaN outside the domain."""
    return _f_mixed(_logs(e_nu, t)) if inside(e_nu, t) else math.nan
