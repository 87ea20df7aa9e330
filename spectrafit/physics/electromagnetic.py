"""The vector coupling and the cross sections of neutrinos with a charge radius, an anapole moment or a millicharge.

The vertex gamma_mu (q + Q^2 <r^2>/6) of a left-handed neutrino (note, equation 4; one-photon exchange with an electron)
shifts g_V, by the same amount for neutrino and antineutrino when <r^2> and q are the neutrino's, and so interferes with
the weak amplitude. A flavour-changing one leads to another final state and adds without interference.

`r2` in cm^2, `q` in units of the proton's charge, `e_nu` and `t` in GeV, `pdg` a PDG code; all arguments may be
scalars, numpy or awkward arrays. Domain and nonsense as in `cross_sections`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from spectrafit.physics.compiled import scalar, ufunc
from spectrafit.physics.constants import (
    CHARGE_RADIUS_COEFFICIENT,
    G_F,
    HBARC2,
    LEPTON_MASSES,
    M_W,
    MILLICHARGE_COEFFICIENT,
    SIGMA_MAGNETIC,
    SIGMA_SM,
)
from spectrafit.physics.cross_sections import chiral, dsigma_dt, g_a, g_v, known, shape, sigma_magnetic, sigma_sm
from spectrafit.physics.kinematics import LARGEST, inside

__all__ = [
    "charge_radius_note",
    "charge_radius_sm",
    "delta_gv_charge_radius",
    "delta_gv_millicharge",
    "dsigma_dt_charge_radius",
    "dsigma_dt_millicharge",
    "effective_charge_radius",
    "ratio_magnetic_sm",
    "ratio_magnetic_sm_between",
]

Lepton = Literal["e", "mu", "tau"]


def _logarithm(lepton: Lepton) -> float:
    if lepton not in LEPTON_MASSES:
        raise ValueError(f"lepton {lepton!r}: needed one of {', '.join(LEPTON_MASSES)}")
    return 3.0 - 2.0 * math.log(LEPTON_MASSES[lepton] ** 2 / M_W**2)


def charge_radius_sm(lepton: Lepton) -> float:
    """Return the Standard Model charge radius of the neutrino of a lepton ("e", "mu", "tau"), cm^2.

    -G_F/(2 sqrt(2) pi^2) [3 - 2 ln(m_l^2/m_W^2)], in the sign convention of `delta_gv_charge_radius`, which reproduces
    the running of g_V. It is part of the radiative corrections already: do not add it to "effective" or "bks".
    """
    return -G_F / (2.0 * math.sqrt(2.0) * math.pi**2) * _logarithm(lepton) * HBARC2


def charge_radius_note(lepton: Lepton) -> float:
    """Return note equation 13, cm^2, as printed: to be used in g_V it needs a factor -2 (see `charge_radius_sm`)."""
    return G_F / (4.0 * math.sqrt(2.0) * math.pi**2) * _logarithm(lepton) * HBARC2


def effective_charge_radius(r2: Any, anapole: Any) -> Any:
    """Return the combination <r^2> - 6 a that an ultra-relativistic left-handed neutrino shows, cm^2."""
    return r2 - 6.0 * anapole


def delta_gv_charge_radius(r2: Any) -> Any:
    """Return the shift of g_V by a charge radius, sqrt(2) pi alpha/(3 G_F) <r^2>.

    Note equation 14 has 2/3 m_W^2 sin^2 theta_W for the coefficient, equal only at tree level and scheme dependent.
    """
    return CHARGE_RADIUS_COEFFICIENT * r2


@ufunc("float64(float64, float64)")
def delta_gv_millicharge(t: float, q: float) -> float:
    """Return the shift of g_V by a charge `q` at electron energy `t`, -sqrt(2) pi alpha q/(G_F m T); NaN for t <= 0."""
    if not t > 0.0:
        return math.nan
    return -MILLICHARGE_COEFFICIENT * q / t


def dsigma_dt_charge_radius(
    pdg: Any, e_nu: Any, t: Any, r2: Any, sin2_theta_w: Any, *, transitions: Iterable[Any] = ()
) -> Any:
    """Return the tree-level dsigma/dT with a charge radius, cm^2/GeV.

    Parameters
    ----------
    pdg, e_nu, t, sin2_theta_w : as `cross_sections.dsigma_dt_sm`.
    r2 : flavour-diagonal charge radius of the neutrino, cm^2; both signs are physical.
    transitions : sizes |<r^2_ll'>| of flavour-changing charge radii to the other flavours, cm^2, if any.
    """
    total = dsigma_dt(g_v(pdg, sin2_theta_w) + delta_gv_charge_radius(r2), g_a(pdg), e_nu, t)
    for size in transitions:
        total = total + dsigma_dt(delta_gv_charge_radius(size), 0.0, e_nu, t)
    return total


@scalar
def _charged(gv: float, ga: float, e_nu: float, t: float, q: float) -> float:
    if not inside(e_nu, t):
        return 0.0
    shifted = gv - MILLICHARGE_COEFFICIENT * q / t
    return SIGMA_SM * shape(shifted + ga, shifted - ga, e_nu, t) / (e_nu * e_nu)


@ufunc("float64(float64, float64, float64, float64, float64)")
def _dsigma_dt_charged(gv: float, ga: float, e_nu: float, t: float, q: float) -> float:
    if not 0.0 <= e_nu < LARGEST or t != t:
        return math.nan
    return _charged(gv, ga, e_nu, t, q)


def dsigma_dt_millicharge(
    pdg: Any, e_nu: Any, t: Any, q: Any, sin2_theta_w: Any, *, transitions: Iterable[Any] = ()
) -> Any:
    """Return the tree-level dsigma/dT with a neutrino charge, cm^2/GeV; at small T it is 2 pi alpha^2 q^2/(m T^2).

    Parameters
    ----------
    pdg, e_nu, t, sin2_theta_w : as `cross_sections.dsigma_dt_sm`.
    q : flavour-diagonal charge of the neutrino in units of the proton's; both signs are physical.
    transitions : sizes |q_ll'| of flavour-changing charges to the other flavours, if any.
    """
    total = _dsigma_dt_charged(g_v(pdg, sin2_theta_w), g_a(pdg), e_nu, t, q)
    for size in transitions:
        total = total + _dsigma_dt_charged(0.0, 0.0, e_nu, t, size)
    return total


@ufunc("float64(int64, float64, float64, float64, float64)")
def ratio_magnetic_sm(pdg: int, e_nu: float, t: float, mu: float, sin2_theta_w: float) -> float:
    """Return magnetic over tree-level Standard Model dsigma/dT; NaN outside ``0 < t <= t_max(e_nu)``: both are 0."""
    if not (known(pdg) and inside(e_nu, t)):
        return math.nan
    left, right = chiral(pdg, sin2_theta_w)
    return SIGMA_MAGNETIC / SIGMA_SM * mu * mu * e_nu * (e_nu - t) / (t * shape(left, right, e_nu, t))


def ratio_magnetic_sm_between(pdg: Any, e_nu: Any, t1: Any, t2: Any, mu: Any, sin2_theta_w: Any) -> Any:
    """Return magnetic over tree-level Standard Model cross section for ``t1 < t < t2``; NaN where nothing is left."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return sigma_magnetic(e_nu, t1, t2, mu) / sigma_sm(pdg, e_nu, t1, t2, sin2_theta_w)
