"""The measured and derived numbers that the cross sections need, in GeV, cm and units of mu_B.

Energies are in GeV, cross sections in cm^2 (natural GeV^-2 times (hbar c)^2), magnetic moments in Bohr magnetons,
charge radii in cm^2, charges in units of the proton's. Couplings and sin^2 theta_W are arguments of every function
that needs them; what stands here are the defaults. "[M]" marks a literature number that was not re-read in its source.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = [
    "ALPHA",
    "ATOMIC_MASS",
    "BOHR_MAGNETON",
    "CHARGE_RADIUS_COEFFICIENT",
    "G_F",
    "HBAR",
    "HBARC",
    "HBARC2",
    "LEPTON_MASSES",
    "MILLICHARGE_COEFFICIENT",
    "M_E",
    "M_MU",
    "M_PI",
    "M_TAU",
    "M_W",
    "M_Z",
    "N_A",
    "OSCILLATION_COEFFICIENT",
    "SIGMA_MAGNETIC",
    "SIGMA_SM",
    "SIN2_THETA_W",
    "SIN2_THETA_W_MZ",
    "SOLAR_MATTER_COEFFICIENT",
]

M_E: Final = 0.51099895069e-3
"""Electron mass, GeV (CODATA 2022)."""
M_MU: Final = 0.1056583755
"""Muon mass, GeV (CODATA 2022)."""
M_TAU: Final = 1.77693
"""Tau mass, GeV (PDG 2024 [M])."""
M_PI: Final = 0.13957039
"""Charged pion mass, GeV (PDG [M])."""
ATOMIC_MASS: Final = 0.93149410372
"""Atomic mass unit u, GeV (CODATA 2022)."""
M_W: Final = 80.3692
"""W mass, GeV (PDG 2024 [M])."""
M_Z: Final = 91.1880
"""Z mass, GeV (PDG 2024 [M])."""
LEPTON_MASSES: Final = {"e": M_E, "mu": M_MU, "tau": M_TAU}
"""Charged lepton masses, GeV."""

ALPHA: Final = 7.2973525643e-3
"""Fine-structure constant at zero momentum transfer (CODATA 2022)."""
G_F: Final = 1.1663788e-5
"""Fermi constant, GeV^-2 (PDG 2022 and later [M]; CODATA 2022 is 9e-8 lower, relatively)."""
HBAR: Final = 6.62607015e-34 / (2.0 * math.pi) / 1.602176634e-19
"""hbar, eV s: exact, from the defining constants of the SI."""
HBARC: Final = 6.62607015e-34 * 299792458.0 / (2.0 * math.pi) / 1.602176634e-19 * 1e-9 * 1e2
"""hbar c, GeV cm: exact, from the defining constants of the SI."""
HBARC2: Final = HBARC * HBARC
"""(hbar c)^2, GeV^2 cm^2: turns a natural cross section in GeV^-2 into cm^2."""
BOHR_MAGNETON: Final = 5.7883817982e-5
"""mu_B, eV/T (CODATA 2022): for moments in fields; in cross sections it is e/(2 m_e), with alpha and m_e."""
N_A: Final = 6.02214076e23
"""Avogadro's number, exact; electron densities of the Sun are quoted in N_A per cm^3."""

SIN2_THETA_W: Final = 0.23863
"""sin^2 theta_W in MSbar at Q^2 = 0 (PDG [M]): the default of every tree-level cross section."""
SIN2_THETA_W_MZ: Final = 0.23129
"""sin^2 theta_W in MSbar at M_Z (PDG [M]): used inside the Bahcall-Kamionkowski-Sirlin cross section only."""

SIGMA_SM: Final = G_F * G_F * M_E * HBARC2 / (2.0 * math.pi)
"""G_F^2 m_e (hbar c)^2 / (2 pi), cm^2/GeV: goes with (g_V +- g_A)^2; four times it with g_L, g_R."""
SIGMA_MAGNETIC: Final = math.pi * ALPHA * ALPHA * HBARC2 / (M_E * M_E)
"""pi alpha^2 (hbar c)^2 / m_e^2, cm^2: the magnetic cross section per mu_B^2 (note, equation 34)."""
CHARGE_RADIUS_COEFFICIENT: Final = math.sqrt(2.0) * math.pi * ALPHA / (3.0 * G_F) / HBARC2
"""K in g_V -> g_V + K <r^2>, cm^-2: the one-photon amplitude, not the scheme-dependent 2/3 m_W^2 sin^2 theta_W."""
MILLICHARGE_COEFFICIENT: Final = math.sqrt(2.0) * math.pi * ALPHA / (G_F * M_E)
"""k in g_V -> g_V - k q / T, GeV: the millicharge q in units of the proton's charge, T in GeV."""
OSCILLATION_COEFFICIENT: Final = 1e-18 * 1e5 / HBARC
"""Phase Delta m^2 L / E per eV^2 km / GeV, rad; equations 16 and 17 of the note use half of it (L / 2E)."""
SOLAR_MATTER_COEFFICIENT: Final = 2.0 * math.sqrt(2.0) * G_F * N_A * HBARC**3 * 1e-3 * 1e18
"""A = 2 sqrt(2) G_F n_e E per (N_A cm^-3) and MeV, eV^2."""
