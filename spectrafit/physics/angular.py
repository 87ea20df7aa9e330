"""Cross sections per cos(theta), theta^2 and T theta^2 of the electron.

The exact forms are dsigma/dT times a Jacobian, written without differences of large numbers. `theta` in rad, `e_nu`,
`t` in GeV, `pdg` a PDG code, `mu` in mu_B. Electrons go forwards: beyond pi/2, as outside ``0 < t <= t_max(e_nu)``, a
cross section is 0; negative angles and other nonsense give NaN. All are float64 numba ufuncs.

T theta^2 does not determine T (two branches meet at `t_at_max_t_theta2`, where dsigma/d(T theta^2) is infinite), so the
exact form is asked for at T. The small-angle forms of the note (equations 32, 33, 36, 37, with its misprints mended)
are here to be compared with, not for events: near T theta^2 = 2m they are wrong by tens of per cent.
"""

from __future__ import annotations

import math

from spectrafit.physics.compiled import scalar, ufunc
from spectrafit.physics.constants import M_E, SIGMA_MAGNETIC, SIGMA_SM
from spectrafit.physics.cross_sections import chiral, known, shape
from spectrafit.physics.kinematics import LARGEST, inside, t_theta2_slope

__all__ = [
    "dsigma_dcos_theta_magnetic",
    "dsigma_dcos_theta_sm",
    "dsigma_dt_theta2_magnetic",
    "dsigma_dt_theta2_magnetic_small_angle",
    "dsigma_dt_theta2_sm",
    "dsigma_dt_theta2_sm_small_angle",
    "dsigma_dtheta2_magnetic",
    "dsigma_dtheta2_magnetic_small_angle",
    "dsigma_dtheta2_sm",
    "dsigma_dtheta2_sm_small_angle",
]


@scalar
def _sensible(e_nu: float, theta: float) -> bool:
    return 0.0 <= e_nu < LARGEST and 0.0 <= theta <= math.pi


@scalar
def _sm(pdg: int, e_nu: float, theta: float, sin2_theta_w: float) -> float:
    """Return dsigma/dcos(theta); 0 beyond pi/2.

    With c = cos(theta), s = sin(theta), D = m (2E + m) + E^2 s^2 and y = 1 - T/E.
    """
    c = math.cos(theta)
    if c <= 0.0 or e_nu == 0.0:
        return 0.0
    s = math.sin(theta)
    left, right = chiral(pdg, sin2_theta_w)
    d = M_E * (2.0 * e_nu + M_E) + (e_nu * s) ** 2
    # 1 - T/E and m T/E^2 at this angle, free of the difference E - T.
    y = (M_E * M_E + e_nu * (e_nu + 2.0 * M_E) * s * s) / d
    mixed = 2.0 * (M_E * c) ** 2 / d
    jacobian = 4.0 * M_E * c * (e_nu * (e_nu + M_E) / d) ** 2
    return SIGMA_SM * (left * left + right * right * y * y - left * right * mixed) * jacobian


@scalar
def _magnetic(e_nu: float, theta: float, mu: float) -> float:
    """Return dsigma/dcos(theta); 0 beyond pi/2.

    With c = cos(theta), s = sin(theta) and D = m (2E + m) + E^2 s^2.
    """
    c = math.cos(theta)
    if c <= 0.0 or e_nu == 0.0:
        return 0.0
    s = math.sin(theta)
    d = M_E * (2.0 * e_nu + M_E) + (e_nu * s) ** 2
    # (1/T - 1/E) |dT/dcos|, with one power of D and of E^2 c cancelled by hand.
    return (
        SIGMA_MAGNETIC * mu * mu * 2.0 * (M_E * M_E + e_nu * (e_nu + 2.0 * M_E) * s * s) / c * ((e_nu + M_E) / d) ** 2
    )


@scalar
def _per_theta2(theta: float) -> float:
    """Return |dcos(theta)/d(theta^2)| = sin(theta)/(2 theta)."""
    return 0.5 * math.sin(theta) / theta if theta > 0.0 else 0.5


@ufunc("float64(int64, float64, float64, float64)")
def dsigma_dcos_theta_sm(pdg: int, e_nu: float, theta: float, sin2_theta_w: float) -> float:
    """Return the tree-level Standard Model dsigma/dcos(theta) at angle `theta`, cm^2 (note, equation 31: exact)."""
    if not (known(pdg) and _sensible(e_nu, theta)):
        return math.nan
    return _sm(pdg, e_nu, theta, sin2_theta_w)


@ufunc("float64(float64, float64, float64)")
def dsigma_dcos_theta_magnetic(e_nu: float, theta: float, mu: float) -> float:
    """Return the magnetic dsigma/dcos(theta) at angle `theta`, cm^2 (note, equation 35: exact)."""
    if not _sensible(e_nu, theta):
        return math.nan
    return _magnetic(e_nu, theta, mu)


@ufunc("float64(int64, float64, float64, float64)")
def dsigma_dtheta2_sm(pdg: int, e_nu: float, theta: float, sin2_theta_w: float) -> float:
    """Return the tree-level Standard Model dsigma/d(theta^2) at angle `theta`, cm^2/rad^2, exactly."""
    if not (known(pdg) and _sensible(e_nu, theta)):
        return math.nan
    return _sm(pdg, e_nu, theta, sin2_theta_w) * _per_theta2(theta)


@ufunc("float64(float64, float64, float64)")
def dsigma_dtheta2_magnetic(e_nu: float, theta: float, mu: float) -> float:
    """Return the magnetic dsigma/d(theta^2) at angle `theta`, cm^2/rad^2, exactly."""
    if not _sensible(e_nu, theta):
        return math.nan
    return _magnetic(e_nu, theta, mu) * _per_theta2(theta)


@ufunc("float64(int64, float64, float64, float64)")
def dsigma_dt_theta2_sm(pdg: int, e_nu: float, t: float, sin2_theta_w: float) -> float:
    """Return the tree-level Standard Model dsigma/d(T theta^2) of the branch through `t`, cm^2/(GeV rad^2), exactly."""
    if not known(pdg) or not 0.0 <= e_nu < LARGEST or t != t:
        return math.nan
    if not inside(e_nu, t):
        return 0.0
    left, right = chiral(pdg, sin2_theta_w)
    return SIGMA_SM * shape(left, right, e_nu, t) / (e_nu * e_nu) / abs(t_theta2_slope(e_nu, t))


@ufunc("float64(float64, float64, float64)")
def dsigma_dt_theta2_magnetic(e_nu: float, t: float, mu: float) -> float:
    """Return the magnetic dsigma/d(T theta^2) of the branch through `t`, cm^2/(GeV rad^2), exactly."""
    if not 0.0 <= e_nu < LARGEST or t != t:
        return math.nan
    if not inside(e_nu, t):
        return 0.0
    return SIGMA_MAGNETIC * mu * mu * (e_nu - t) / (e_nu * t) / abs(t_theta2_slope(e_nu, t))


@ufunc("float64(int64, float64, float64, float64)")
def dsigma_dtheta2_sm_small_angle(pdg: int, e_nu: float, theta: float, sin2_theta_w: float) -> float:
    """Return the small-angle Standard Model dsigma/d(theta^2), cm^2/rad^2 (note, equation 32 with g_A^2 - g_V^2).

    With a = theta^2 + 2 m/E and y = theta^2/a.
    """
    if not (known(pdg) and _sensible(e_nu, theta)):
        return math.nan
    if theta > 0.5 * math.pi or e_nu == 0.0:
        return 0.0
    left, right = chiral(pdg, sin2_theta_w)
    a = theta * theta + 2.0 * M_E / e_nu
    y = theta * theta / a
    mixed = 2.0 * M_E * M_E / (e_nu * e_nu * a)
    return SIGMA_SM * 2.0 * M_E / (a * a) * (left * left + right * right * y * y - left * right * mixed)


@ufunc("float64(float64, float64, float64)")
def dsigma_dtheta2_magnetic_small_angle(e_nu: float, theta: float, mu: float) -> float:
    """Return the small-angle magnetic dsigma/d(theta^2), cm^2/rad^2 (note, equation 36, its denominator squared).

    With a = theta^2 + 2 m/E.
    """
    if not _sensible(e_nu, theta):
        return math.nan
    if theta > 0.5 * math.pi or e_nu == 0.0:
        return 0.0
    a = theta * theta + 2.0 * M_E / e_nu
    return SIGMA_MAGNETIC * mu * mu * theta * theta / (a * a)


@ufunc("float64(int64, float64, float64, float64)")
def dsigma_dt_theta2_sm_small_angle(pdg: int, e_nu: float, t_theta2: float, sin2_theta_w: float) -> float:
    """Return the small-angle Standard Model dsigma/d(T theta^2) at `t_theta2`, cm^2/(GeV rad^2) (note, equation 33).

    0 from 2m on, where y = T theta^2/(2m) is 1. The error grows as (E - T)/T: at T = 0.3 GeV -1.7 % for E = 2 GeV,
    -7.7 % for E = 10 GeV.
    """
    if not known(pdg) or not 0.0 <= e_nu < LARGEST or not t_theta2 >= 0.0:
        return math.nan
    left, right = chiral(pdg, sin2_theta_w)
    y = t_theta2 / (2.0 * M_E)
    if y >= 1.0 or e_nu == 0.0:
        return 0.0
    bracket = left * left + right * right * y * y - left * right * M_E / e_nu * (1.0 - y)
    return SIGMA_SM * e_nu / (2.0 * M_E) * bracket


@ufunc("float64(float64, float64, float64)")
def dsigma_dt_theta2_magnetic_small_angle(e_nu: float, t_theta2: float, mu: float) -> float:
    """Return the small-angle magnetic dsigma/d(T theta^2) at `t_theta2`, cm^2/(GeV rad^2) (note, equation 37).

    0 from 2m on; does not depend on the neutrino's energy. At T = 0.3 GeV -3.1 % for E = 2 GeV, -14 % for E = 10 GeV.
    """
    if not 0.0 <= e_nu < LARGEST or not t_theta2 >= 0.0:
        return math.nan
    rest = 1.0 - t_theta2 / (2.0 * M_E)
    if rest <= 0.0 or e_nu == 0.0:
        return 0.0
    return SIGMA_MAGNETIC * mu * mu * t_theta2 / (4.0 * M_E * M_E * rest)
