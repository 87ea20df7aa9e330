"""Neutrinos from positive pions and muons that decay at rest, with the exact spectra.

A stopped pi+ gives a nu_mu of one energy at once (lifetime 26 ns), then its mu+ (2.2 us) gives nu_e and anti-nu_mu with
Michel's spectra, in x = 2E/m_mu and with the electron's mass neglected: the end point is m_mu/2 = 52.829 MeV, 1.2 keV
above the true one. Negative pions are captured, so there are almost no anti-nu_e (1e-4 to 1e-3 of these [M]).

Energies in GeV, spectra per GeV and normalised to one neutrino; scalars, numpy and awkward arrays alike. Outside ``0
<= E <= m_mu/2`` a spectrum is 0; NaN stays NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spectrafit.physics.constants import M_MU, M_PI
from spectrafit.physics.domain import positive

__all__ = [
    "pion_decay_flux",
    "pion_decay_fraction_above_nue",
    "pion_decay_fraction_above_numubar",
    "pion_decay_line_numu",
    "pion_decay_nue",
    "pion_decay_numubar",
]


def pion_decay_line_numu(m_pi: Any = M_PI, m_mu: Any = M_MU) -> Any:
    """Return the energy of the nu_mu of a pion at rest, (m_pi^2 - m_mu^2)/(2 m_pi), GeV: 29.792 MeV."""
    return (m_pi - m_mu) * (m_pi + m_mu) / (2.0 * m_pi)


def _fractions(e_nu: Any, m_mu: Any) -> tuple[Any, Any]:
    """Return x between 0 and 1 and 1 - x, which keeps its digits at the end point."""
    energy = np.minimum(np.maximum(e_nu, 0.0), 0.5 * m_mu)
    return 2.0 * energy / m_mu, (m_mu - 2.0 * energy) / m_mu


def pion_decay_nue(e_nu: Any, m_mu: Any = M_MU) -> Any:
    """Return the spectrum of nu_e, (2/m_mu) 12 x^2 (1 - x), 1/GeV; its mean is 0.3 m_mu, 31.70 MeV.

    Parameters
    ----------
    e_nu : array_like of float
        Neutrino energy, GeV.
    m_mu : array_like of float
        Mass of the muon, GeV.
    """
    x, rest = _fractions(e_nu, m_mu)
    return 24.0 / m_mu * x * x * rest


def pion_decay_numubar(e_nu: Any, m_mu: Any = M_MU) -> Any:
    """Return the spectrum of anti-nu_mu, (2/m_mu) 2 x^2 (3 - 2x), 1/GeV; its mean is 0.35 m_mu, 36.98 MeV.

    It ends with a step. Arguments as `pion_decay_nue`.
    """
    x, rest = _fractions(e_nu, m_mu)
    # The end point itself is inside, whichever way it was rounded; at NaN the factor before is NaN.
    return 4.0 / m_mu * x * x * (1.0 + 2.0 * rest) * (np.multiply(2.0, e_nu) <= m_mu * (1.0 + 4.0 * 2.0**-52))


def pion_decay_fraction_above_nue(e_nu: Any, m_mu: Any = M_MU) -> Any:
    """Return the fraction of nu_e above an energy, 1 - (4 x^3 - 3 x^4); arguments as `pion_decay_nue`."""
    x, rest = _fractions(e_nu, m_mu)
    return np.minimum(rest * rest * (1.0 + x * (2.0 + 3.0 * x)), 1.0)


def pion_decay_fraction_above_numubar(e_nu: Any, m_mu: Any = M_MU) -> Any:
    """Return the fraction of anti-nu_mu above an energy, 1 - (2 x^3 - x^4); arguments as `pion_decay_nue`."""
    x, rest = _fractions(e_nu, m_mu)
    return np.minimum(rest * (1.0 + x * (1.0 + x * rest)), 1.0)


def pion_decay_flux(protons: Any, distance_m: Any, per_proton: Any = 0.085) -> Any:
    """Return the neutrinos per cm^2 of each of the three flavours, r N_p/(4 pi L^2).

    Parameters
    ----------
    protons : array_like of float
        Protons on target; per second they give a flux per second.
    distance_m : array_like of float
        Distance from the target, m; not positive gives NaN.
    per_proton : array_like of float
        Neutrinos of each flavour per proton, 0.08 to 0.09 at the SNS [M].
    """
    return per_proton * protons / (4.0 * math.pi * (100.0 * positive(distance_m)) ** 2)
