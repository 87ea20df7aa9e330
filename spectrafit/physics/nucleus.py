"""Coherent scattering of neutrinos on nuclei: weak, by magnetic moment, charge radius and millicharge.

Below some 50 MeV a neutrino scatters off a nucleus as a whole. The weak rate grows with the square of the weak charge,
nearly with that of the number of neutrons, and its recoils have eV to tens of keV. A magnetic moment adds, without
interference, a term with the square of the nuclear charge and 1/T; charge radius and millicharge enter through the
protons and interfere with the weak amplitude. This is the note's empty section 2.3.3.

`e_nu` is the neutrino's energy, `t` the kinetic energy of the nucleus, `mass` the mass of the nucleus without its
electrons (`isotopes`), all in GeV; `z` and `n` are its protons and neutrons, `mu` is in mu_B, `r2` in cm^2, `q` in
units of the proton's charge. Scalars, numpy and awkward arrays alike. The formulas are exact in energy and mass for a
nucleus of spin 0; flavours do not differ at tree level, nor do neutrinos and antineutrinos. Outside ``0 < t <=
t_max_nucleus`` a cross section is 0; nonsense (a negative energy, a mass that is not positive, NaN) gives NaN. With
the weak charge ``Q_W = N - (1 - 4 sin^2 theta_W) Z``, positive for heavy nuclei::

    dsigma/dT = G_F^2 M/(4 pi) Q_W^2 F^2 [1 - T/E - M T/(2 E^2)]       (weak; Freedman, PRD 9, 1389 (1974) [M])
    dsigma/dT = pi alpha^2/m_e^2 Z^2 F^2 (mu/mu_B)^2 (1/T) (1 - T/(2E))^2       (Vogel & Engel, PRD 39, 3378 (1989) [M])

The first bracket is 1 - T/T_max: a spin-0 target cannot turn the helicity. The electron's mass in the second comes from
mu_B; the term T/(4 E^2) in it is what spin 0 adds to the electron's 1/T - 1/E.

`form_factor` is a callable of Q^2 = 2 M T in GeV^2 (`form_factors.Helm(a)`), a pair of them for neutrons and protons,
or None for a point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from spectrafit.physics.compiled import scalar, ufunc
from spectrafit.physics.constants import ALPHA, CHARGE_RADIUS_COEFFICIENT, G_F, HBARC2, SIGMA_MAGNETIC
from spectrafit.physics.domain import positive
from spectrafit.physics.kinematics import LARGEST

__all__ = [
    "EFFECTIVE_GVN",
    "EFFECTIVE_GVP",
    "dsigma_dt_nucleus",
    "dsigma_dt_nucleus_charge_radius",
    "dsigma_dt_nucleus_magnetic",
    "dsigma_dt_nucleus_millicharge",
    "dsigma_dt_nucleus_sm",
    "e_nu_min_nucleus",
    "q2_nucleus",
    "t_equal_low_nucleus",
    "t_max_nucleus",
    "weak_charge",
    "weak_charge_effective",
    "weak_charge_millicharge",
]

FormFactor = Callable[[Any], Any]
FormFactors = FormFactor | tuple[FormFactor, FormFactor] | None

WEAK = G_F * G_F * HBARC2 / (4.0 * math.pi)
"""G_F^2 (hbar c)^2/(4 pi), cm^2/GeV^2."""
_MILLICHARGE = 2.0 * math.sqrt(2.0) * math.pi * ALPHA / G_F
_ROUNDING = 1.0 + 8.0 * 2.0**-52


@scalar
def end_point_nucleus(e_nu: float, mass: float) -> float:
    """Return 2 E^2/(M + 2E)."""
    return 2.0 * e_nu * e_nu / (mass + 2.0 * e_nu)


@scalar
def _inside(e_nu: float, t: float, mass: float) -> bool:
    return e_nu > 0.0 and t > 0.0 and t * (mass + 2.0 * e_nu) <= 2.0 * e_nu * e_nu * _ROUNDING


@ufunc("float64(float64, float64)")
def t_max_nucleus(e_nu: float, mass: float) -> float:
    """Return the largest recoil energy, 2 E^2/(M + 2E), GeV.

    Parameters
    ----------
    e_nu : array_like of float
        Neutrino energy, GeV; negative or NaN gives NaN.
    mass : array_like of float
        Mass of the nucleus, GeV; not positive gives NaN.
    """
    if not (0.0 <= e_nu < LARGEST and 0.0 < mass < LARGEST):
        return math.nan
    return end_point_nucleus(e_nu, mass)


@ufunc("float64(float64, float64)")
def e_nu_min_nucleus(t: float, mass: float) -> float:
    """Return the smallest neutrino energy that can give a recoil `t`, [T + sqrt(T(T + 2M))]/2, GeV; NaN for t < 0."""
    if not (0.0 <= t < LARGEST and 0.0 < mass < LARGEST):
        return math.nan
    return 0.5 * (t + math.sqrt(t * (t + 2.0 * mass)))


@ufunc("float64(float64, float64)")
def q2_nucleus(t: float, mass: float) -> float:
    """Return the momentum transfer squared of a recoil `t` (GeV), 2 M T, GeV^2; NaN for t < 0."""
    if not (0.0 <= t < LARGEST and 0.0 < mass < LARGEST):
        return math.nan
    return 2.0 * mass * t


def weak_charge(z: Any, n: Any, sin2_theta_w: Any) -> Any:
    """Return the weak charge at tree level, N - (1 - 4 sin^2 theta_W) Z, the same for all flavours."""
    return n - (1.0 - 4.0 * sin2_theta_w) * z


EFFECTIVE_GVP: Final = {"nue": 0.0382, "numu": 0.0300}
"""Vector coupling of the proton with radiative corrections, by flavour: Atzori Corona et al. 2023 [M]."""
EFFECTIVE_GVN: Final = -0.5117
"""Vector coupling of the neutron with radiative corrections, all flavours, same source [M]."""


def weak_charge_effective(z: Any, n: Any, gvp: Any, gvn: Any = EFFECTIVE_GVN) -> Any:
    """Return the weak charge from the couplings of proton and neutron, -2 (Z g_V^p + N g_V^n).

    At tree level they are 1/2 - 2 sin^2 theta_W and -1/2. `EFFECTIVE_GVP` holds the Standard Model charge radius: do
    not add that once more. Alone on top of the tree level it would be wrong by some per cent, because boxes, the same
    for all flavours, cancel most of it.

    Parameters
    ----------
    z, n : array_like of float
        Protons and neutrons.
    gvp, gvn : array_like of float
        Vector couplings, for example ``EFFECTIVE_GVP["numu"]``.
    """
    return -2.0 * (z * gvp + n * gvn)


@ufunc("float64(float64, float64, float64, float64, float64)")
def _dsigma_dt(e_nu: float, t: float, constant: float, over_t: float, mass: float) -> float:
    if not (0.0 <= e_nu < LARGEST and 0.0 < mass < LARGEST) or t != t:
        return math.nan
    if not _inside(e_nu, t, mass):
        return 0.0
    charge = constant + over_t / t
    bracket = max(2.0 * e_nu * (e_nu - t) - mass * t, 0.0) / (2.0 * e_nu * e_nu)
    return WEAK * mass * charge * charge * bracket


@ufunc("float64(float64, float64, float64, float64)")
def _magnetic(e_nu: float, t: float, moment: float, mass: float) -> float:
    if not (0.0 <= e_nu < LARGEST and 0.0 < mass < LARGEST) or t != t:
        return math.nan
    if not _inside(e_nu, t, mass):
        return 0.0
    rest = 1.0 - 0.5 * t / e_nu
    return SIGMA_MAGNETIC * moment * moment * rest * rest / t


def at_recoil(form_factor: FormFactors, t: Any, mass: Any) -> tuple[Any, Any]:
    """Return the form factors of neutrons and protons at the recoil `t`; (1, 1) for None."""
    if form_factor is None:
        return 1.0, 1.0
    q2 = q2_nucleus(t, mass)
    if isinstance(form_factor, tuple):
        return form_factor[0](q2), form_factor[1](q2)
    value = form_factor(q2)
    return value, value


def _amplitude(z: Any, n: Any, sin2_theta_w: Any, neutron: Any, proton: Any) -> Any:
    if neutron is proton:
        return weak_charge(z, n, sin2_theta_w) * neutron
    return weak_charge(z * proton, n * neutron, sin2_theta_w)


def dsigma_dt_nucleus(e_nu: Any, t: Any, charge: Any, mass: Any) -> Any:
    """Return dsigma/dT for a given weak charge times form factor, cm^2/GeV; `charge` may depend on `t`.

    Parameters
    ----------
    e_nu, t : array_like of float
        Neutrino energy and recoil energy, GeV; 0 outside ``0 < t <= t_max_nucleus(e_nu, mass)``.
    charge : array_like of float
        Effective weak charge, form factor included.
    mass : array_like of float
        Mass of the nucleus, GeV.
    """
    return _dsigma_dt(e_nu, t, charge, 0.0, mass)


def dsigma_dt_nucleus_sm(
    e_nu: Any, t: Any, z: Any, n: Any, mass: Any, sin2_theta_w: Any, form_factor: FormFactors = None
) -> Any:
    """Return the Standard Model tree-level dsigma/dT on a nucleus, cm^2/GeV.

    Parameters
    ----------
    e_nu, t : array_like of float
        Neutrino energy and recoil energy, GeV; 0 outside ``0 < t <= t_max_nucleus(e_nu, mass)``.
    z, n : array_like of float
        Protons and neutrons.
    mass : array_like of float
        Mass of the nucleus, GeV.
    sin2_theta_w : array_like of float
        sin^2 theta_W.
    form_factor : callable, pair of callables (neutrons, protons) or None
        F of Q^2 in GeV^2; None is 1.
    """
    charge = _amplitude(z, n, sin2_theta_w, *at_recoil(form_factor, t, mass))
    return _dsigma_dt(e_nu, t, charge, 0.0, mass)


def dsigma_dt_nucleus_charge_radius(
    e_nu: Any,
    t: Any,
    z: Any,
    n: Any,
    mass: Any,
    r2: Any,
    sin2_theta_w: Any,
    form_factor: FormFactors = None,
    *,
    transitions: Iterable[Any] = (),
) -> Any:
    """Return the tree-level dsigma/dT with a charge radius, cm^2/GeV: Q_W -> Q_W + 2 Z K <r^2>.

    The charge of the nucleus has the opposite sign of the electron's, so the shift has the opposite sign of g_V's.

    Parameters
    ----------
    e_nu, t, z, n, mass, sin2_theta_w, form_factor : as `dsigma_dt_nucleus_sm`.
    r2 : flavour-diagonal charge radius of the neutrino (also for antineutrinos), cm^2; both signs are physical.
    transitions : sizes |<r^2_ll'>| of flavour-changing charge radii, cm^2; they add without interference.
    """
    neutron, proton = at_recoil(form_factor, t, mass)
    unit = 2.0 * CHARGE_RADIUS_COEFFICIENT * z * proton
    total = _dsigma_dt(e_nu, t, _amplitude(z, n, sin2_theta_w, neutron, proton) + unit * r2, 0.0, mass)
    for size in transitions:
        total = total + _dsigma_dt(e_nu, t, unit * size, 0.0, mass)
    return total


def weak_charge_millicharge(t: Any, z: Any, mass: Any, q: Any) -> Any:
    """Return the shift of the weak charge by a millicharge, -2 sqrt(2) pi alpha Z q/(G_F M T), before form factors.

    NaN for a recoil or a mass that is not positive.
    """
    return -_MILLICHARGE * z * q / positive(np.multiply(mass, t))


def dsigma_dt_nucleus_millicharge(
    e_nu: Any,
    t: Any,
    z: Any,
    n: Any,
    mass: Any,
    q: Any,
    sin2_theta_w: Any,
    form_factor: FormFactors = None,
    *,
    transitions: Iterable[Any] = (),
) -> Any:
    """Return the tree-level dsigma/dT with a neutrino charge, cm^2/GeV; alone 2 pi alpha^2 Z^2 q^2 F^2/(M T^2).

    Parameters
    ----------
    e_nu, t, z, n, mass, sin2_theta_w, form_factor : as `dsigma_dt_nucleus_sm`.
    q : flavour-diagonal charge of the neutrino (also for antineutrinos), in units of the proton's.
    transitions : sizes |q_ll'| of flavour-changing charges; they add without interference.
    """
    neutron, proton = at_recoil(form_factor, t, mass)
    unit = -_MILLICHARGE * z * proton / mass
    total = _dsigma_dt(e_nu, t, _amplitude(z, n, sin2_theta_w, neutron, proton), unit * q, mass)
    for size in transitions:
        total = total + _dsigma_dt(e_nu, t, 0.0, unit * size, mass)
    return total


def dsigma_dt_nucleus_magnetic(e_nu: Any, t: Any, mu: Any, z: Any, mass: Any, form_factor: FormFactors = None) -> Any:
    """Return the magnetic-moment dsigma/dT on a nucleus, cm^2/GeV; it adds to the weak one without interference.

    It does not vanish at the end point. The magnetisation of a nucleus with spin is left out: small as T/M.

    Parameters
    ----------
    e_nu, t, z, mass, form_factor : as `dsigma_dt_nucleus_sm`; of a pair of form factors the protons' counts.
    mu : array_like of float
        Effective magnetic moment, mu_B; its square enters, the same for all flavours, neutrinos and antineutrinos.
    """
    return _magnetic(e_nu, t, z * at_recoil(form_factor, t, mass)[1] * mu, mass)


def t_equal_low_nucleus(z: Any, n: Any, mass: Any, mu: Any, sin2_theta_w: Any) -> Any:
    """Return the recoil below which the magnetic cross section wins, in the limit T << E, GeV.

    4 pi^2 alpha^2 Z^2 mu^2/(m_e^2 G_F^2 M Q_W^2): some eV for 1e-10 mu_B, below what quenching leaves visible.
    """
    moment = z * mu / weak_charge(z, n, sin2_theta_w)
    return SIGMA_MAGNETIC / (WEAK * mass) * moment * moment
