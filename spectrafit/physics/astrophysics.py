"""A magnetic moment between the stars: radiative decay of neutrinos, and plasmons that decay to neutrinos.

A heavier neutrino decays to a lighter one and a photon, far too slowly for moments that are allowed to be seen. A
plasmon in a dense star is heavy enough to decay to a neutrino and an antineutrino; a moment opens that channel wider,
so cores of red giants and white dwarfs cool faster, which gives the strictest bounds (`bounds`). Both hold for Dirac
and Majorana neutrinos. The note's section 2.3.4 is about the other effect, the turn of a neutrino's helicity:
precession of the spin is in `spin_precession`; in a supernova and in the early universe scattering on charged
particles turns it, and the bounds of their models are in `bounds`.

Masses, frequencies and wave numbers in eV, moments in mu_B, densities per cm^3, rates per second; scalars, numpy and
awkward arrays alike. A negative or NaN mass, density or energy gives NaN; a decay that cannot happen has rate 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spectrafit.physics.constants import ALPHA, G_F, HBAR, HBARC, M_E, N_A, SIN2_THETA_W
from spectrafit.physics.domain import not_negative, positive

__all__ = [
    "plasma_frequency_degenerate",
    "plasma_frequency_nonrelativistic",
    "plasmon_coupling2",
    "plasmon_decay_rate_magnetic",
    "plasmon_decay_rate_sm",
    "plasmon_ratio_magnetic_sm",
    "radiative_decay_rate",
    "radiative_lifetime",
]

_M_E = M_E * 1e9
_G_F = G_F * 1e-18
_PER_CM3 = (HBARC * 1e9) ** 3
"""(hbar c)^3, eV^3 cm^3: a density per cm^3 to eV^3."""
_MU_B2 = math.pi * ALPHA / (_M_E * _M_E)
"""mu_B^2 = e^2/(4 m_e^2), eV^-2."""


def _moment2(mu: Any, eps: Any) -> Any:
    magnetic, electric = np.abs(mu), np.abs(eps)
    return magnetic * magnetic + electric * electric


def radiative_decay_rate(mu: Any, eps: Any, m_i: Any, m_j: Any) -> Any:
    """Return the rate of nu_i -> nu_j gamma, 1/s: (|mu|^2 + |eps|^2)/(8 pi) ((m_i^2 - m_j^2)/m_i)^3.

    Raffelt, Phys. Rept. 320, 319 (1999) [M]: 5.307/s (mu/mu_B)^2 (m_i/eV)^3 for a massless nu_j.

    Parameters
    ----------
    mu, eps : array_like of float or complex
        Magnetic and electric transition moments, mu_B.
    m_i, m_j : array_like of float
        Masses before and after, eV; ``m_i <= m_j`` gives 0.
    """
    with np.errstate(all="ignore"):
        before, after = not_negative(m_i), not_negative(m_j)
        # The difference of squares in factors keeps its digits for masses close to each other.
        gap = np.maximum(before - after, 0.0) * (before + after) / np.maximum(before, np.nextafter(0.0, 1.0))
        return _moment2(mu, eps) * (_MU_B2 / (8.0 * math.pi * HBAR)) * gap**3


def radiative_lifetime(mu: Any, eps: Any, m_i: Any, m_j: Any) -> Any:
    """Return the lifetime against nu_i -> nu_j gamma, s; infinite where it cannot decay.

    Arguments as `radiative_decay_rate`.
    """
    with np.errstate(divide="ignore"):
        return np.divide(1.0, radiative_decay_rate(mu, eps, m_i, m_j))


def plasma_frequency_nonrelativistic(n_e: Any) -> Any:
    """Return the plasma frequency sqrt(4 pi alpha n_e/m_e), eV, of electrons that are slow.

    Parameters
    ----------
    n_e : array_like of float
        Electrons per cm^3.
    """
    with np.errstate(invalid="ignore"):
        return np.sqrt(4.0 * math.pi * ALPHA * _PER_CM3 / _M_E * n_e)


def plasma_frequency_degenerate(rho: Any, y_e: Any) -> Any:
    """Return the plasma frequency sqrt(4 pi alpha n_e/E_F), eV, of cold degenerate electrons, relativistic or not.

    Braaten and Segel, PRD 48, 1478 (1993) [M]. The core of a red giant at its tip, 2e5 to 1e6 g/cm^3, has 9 to 18 keV.

    Parameters
    ----------
    rho : array_like of float
        Density, g/cm^3.
    y_e : array_like of float
        Electrons per nucleon, 0.5 for helium and carbon.
    """
    density = N_A * _PER_CM3 * rho * y_e
    with np.errstate(invalid="ignore"):
        momentum = np.cbrt(3.0 * math.pi**2 * density)
        return np.sqrt(4.0 * math.pi * ALPHA * density / np.hypot(_M_E, momentum))


def _virtuality(omega: Any, k: Any) -> Any:
    """Return omega^2 - k^2 where a plasmon is time-like, else 0."""
    return np.maximum((omega - not_negative(k)) * (omega + k), 0.0)


def plasmon_decay_rate_magnetic(mu: Any, omega: Any, k: Any) -> Any:
    """Return the rate of a plasmon's decay by magnetic moments, 1/s: mu^2/(24 pi) (omega^2 - k^2)^2/omega.

    For one polarisation with residue 1. A transverse plasmon has ``omega^2 - k^2`` near the square of the plasma
    frequency. Sutherland et al., PRD 13, 2700 (1976) [M].

    Parameters
    ----------
    mu : array_like of float
        Root of the sum over all pairs of |mu_ij|^2 + |eps_ij|^2, mu_B; for Majorana neutrinos each unordered pair once
        [M].
    omega, k : array_like of float
        Energy and wave number of the plasmon, eV; 0 unless ``omega > k``.
    """
    with np.errstate(all="ignore"):
        square = _virtuality(omega, k)
        rate = (
            _MU_B2 / (24.0 * math.pi * HBAR) * square * square / np.maximum(not_negative(omega), np.nextafter(0.0, 1.0))
        )
        return _moment2(mu, 0.0) * rate


def plasmon_coupling2(sin2_theta_w: Any = SIN2_THETA_W) -> Any:
    """Return the squared vector couplings of the electron, summed over flavours, that drive the weak plasmon decay."""
    electron, other = 0.5 + 2.0 * sin2_theta_w, 0.5 - 2.0 * sin2_theta_w
    return electron * electron + 2.0 * other * other


def plasmon_decay_rate_sm(coupling2: Any, omega: Any, k: Any) -> Any:
    """Return the rate of a plasmon's weak decay, 1/s: C_V^2 G_F^2/(48 pi^2 alpha) (omega^2 - k^2)^3/omega.

    Adams, Ruderman and Woo, Phys. Rev. 129, 1383 (1963) [M].

    Parameters
    ----------
    coupling2 : array_like of float
        C_V^2 summed over flavours (`plasmon_coupling2`).
    omega, k : as `plasmon_decay_rate_magnetic`.
    """
    with np.errstate(all="ignore"):
        square = _virtuality(omega, k)
        scale = _G_F * _G_F / (48.0 * math.pi**2 * ALPHA * HBAR)
        return coupling2 * scale * square**3 / np.maximum(not_negative(omega), np.nextafter(0.0, 1.0))


def plasmon_ratio_magnetic_sm(mu: Any, coupling2: Any, virtuality: Any) -> Any:
    """Return magnetic over weak decay rate, 2 pi^2 alpha^2 mu^2/(m_e^2 G_F^2 C_V^2 K^2).

    0.32 for mu = 1e-12 mu_B and a plasma frequency of 10 keV (Raffelt and Weiss, A&A 264, 536 (1992) [M]).

    Parameters
    ----------
    mu, coupling2 : as the rates.
    virtuality : array_like of float
        K^2 = omega^2 - k^2, eV^2, positive; else NaN.
    """
    scale = 2.0 * math.pi**2 * ALPHA * ALPHA / (_M_E * _M_E * _G_F * _G_F)
    with np.errstate(all="ignore"):
        return scale * _moment2(mu, 0.0) / (coupling2 * positive(virtuality))
