"""Precession of a neutrino's spin in a transverse magnetic field, in vacuum and in matter.

A moment turns left-handed neutrinos to right-handed ones: sterile for Dirac neutrinos, and for Majorana neutrinos the
antineutrino of another flavour, because there only transition moments exist. In matter both states have different
potentials, which suppresses the turn unless a mass splitting cancels them (resonance). Fields in T, lengths in m,
potentials in eV, moments in mu_B, energies in GeV, densities in N_A per cm^3; scalars, numpy and awkward arrays alike.

A moving or polarised medium precesses the spin as well, without a field (Studenikin [M]); there is no formula for it
here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spectrafit.physics.constants import BOHR_MAGNETON, G_F, HBARC, N_A, SOLAR_MATTER_COEFFICIENT
from spectrafit.physics.domain import positive
from spectrafit.physics.flavours import flavour

__all__ = [
    "matter_potential",
    "spin_flavour_adiabaticity",
    "spin_flavour_resonance_density",
    "spin_flip_potential",
    "spin_precession_phase",
    "spin_precession_probability",
    "spin_precession_probability_matter",
]

_HBARC_EV_M = HBARC * 1e9 * 1e-2
_POTENTIAL = math.sqrt(2.0) * G_F * N_A * HBARC**3 * 1e9
"""sqrt(2) G_F per N_A/cm^3, eV."""


def spin_precession_phase(mu: Any, field: Any, length: Any, magneton: float = BOHR_MAGNETON) -> Any:
    """Return the phase mu B L, rad: 293.34 for 1 mu_B, 1 T and 1 m.

    Parameters
    ----------
    mu : array_like of float
        Magnetic moment, mu_B.
    field : array_like of float
        Magnetic field across the direction of flight, T.
    length : array_like of float
        Path, m.
    magneton : Bohr magneton, eV/T.
    """
    return mu * magneton * field * length / _HBARC_EV_M


def spin_precession_probability(mu: Any, field: Any, length: Any, magneton: float = BOHR_MAGNETON) -> Any:
    """Return the probability that the spin has turned in vacuum, sin^2(mu B L), for degenerate masses.

    Not of half the phase: the levels are 2 mu B apart. Fujikawa and Shrock, PRL 45, 963 (1980) [M]; arguments as
    `spin_precession_phase`.
    """
    sine = np.sin(spin_precession_phase(mu, field, length, magneton))
    return sine * sine


def spin_precession_probability_matter(
    mu: Any,
    field: Any,
    length: Any,
    e_nu: Any,
    dm2: Any,
    cos2_theta: Any,
    potential: Any,
    magneton: float = BOHR_MAGNETON,
) -> Any:
    """Return the probability that the spin has turned in constant matter and field.

    (2 mu B)^2/W^2 sin^2(W L/2) with W^2 = (2 mu B)^2 + D^2 and D = V - dm2 cos(2 theta)/(2E): Lim and Marciano, PRD 37,
    1368 (1988); Akhmedov, PLB 213, 64 (1988) [M].

    Parameters
    ----------
    mu, field, length, magneton : as `spin_precession_phase`.
    e_nu : array_like of float
        Neutrino energy, GeV, positive.
    dm2, cos2_theta : array_like of float
        Mass splitting, eV^2, and cosine of twice the mixing angle; ``dm2 = 0`` without change of flavour.
    potential : array_like of float
        Difference of the potentials, eV (`spin_flip_potential`).
    """
    turn = 2.0 * (mu * magneton * field)
    with np.errstate(all="ignore"):
        detuning = potential - np.divide(dm2 * cos2_theta, 2e9 * positive(e_nu))
        split = np.hypot(turn, detuning)
        # Without field and detuning nothing turns: 0, not 0/0.
        amplitude = turn / np.maximum(split, np.nextafter(0.0, 1.0)) * np.sin(split * length / (2.0 * _HBARC_EV_M))
        return amplitude * amplitude


def matter_potential(pdg: int | str, n_e: Any, n_n: Any) -> Any:
    """Return the potential of an active neutrino in neutral unpolarised matter at rest, eV.

    sqrt(2) G_F (n_e - n_n/2) for nu_e, -sqrt(2) G_F n_n/2 for nu_mu and nu_tau, the opposite for antineutrinos.

    Parameters
    ----------
    pdg : PDG code or name of the flavour.
    n_e, n_n : array_like of float
        Electrons and neutrons, N_A per cm^3.
    """
    code = flavour(pdg)
    active = (n_e if abs(code) == 12 else 0.0) - 0.5 * n_n
    return (_POTENTIAL if code > 0 else -_POTENTIAL) * active


def spin_flip_potential(before: int | str, after: int | str | None, n_e: Any, n_n: Any) -> Any:
    """Return the difference of potentials V that a turned spin sees, eV.

    Parameters
    ----------
    before : PDG code or name of the neutrino that arrives.
    after : PDG code or name of the (anti)neutrino it becomes; None for the sterile right-handed state of a Dirac one.
    n_e, n_n : array_like of float
        Electrons and neutrons, N_A per cm^3.

    Raises
    ------
    ValueError
        If before and after have the same helicity, or are particle and antiparticle of one flavour: no moment joins
        them.
    """
    potential = matter_potential(before, n_e, n_n)
    if after is None:
        return potential
    first, second = flavour(before), flavour(after)
    if first * second > 0:
        raise ValueError(f"spin flip from {before!r} to {after!r}: needed a neutrino and an antineutrino, or None")
    if first == -second:
        raise ValueError(f"spin flip from {before!r} to {after!r}: a Majorana neutrino has no diagonal moment")
    return potential - matter_potential(after, n_e, n_n)


def spin_flavour_resonance_density(dm2: Any, cos2_theta: Any, e_nu: Any) -> Any:
    """Return the density at which spin-flavour precession resonates, dm2 cos(2 theta)/(2 sqrt(2) G_F E), N_A per cm^3.

    It is the combination in `spin_flip_potential`, n_e - n_n for nu_e to anti-nu_mu.

    Parameters
    ----------
    dm2, cos2_theta, e_nu : array_like of float
        Mass splitting, eV^2, cosine of twice the mixing angle, neutrino energy, GeV, positive.
    """
    return dm2 * cos2_theta / (SOLAR_MATTER_COEFFICIENT * (positive(e_nu) * 1e3))


def spin_flavour_adiabaticity(mu: Any, field: Any, gradient: Any, magneton: float = BOHR_MAGNETON) -> Any:
    """Return (2 mu B)^2/|dD/dr| at a resonance; well above 1 the spin turns completely.

    Parameters
    ----------
    mu, field, magneton : as `spin_precession_phase`.
    gradient : array_like of float
        Change of D along the path, eV/m.
    """
    turn = 2.0 * (mu * magneton * field)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(turn * turn, np.abs(gradient) * _HBARC_EV_M)
