"""Antineutrinos from a reactor: fissions per second, total flux, and the Huber-Mueller spectrum above 2 MeV.

Fission fractions are given by isotope, "U235", "U238", "Pu239" and "Pu241"; one that is left out is 0. The fit of the
spectrum holds from 2 to 8 MeV and is not extrapolated. Below 2 MeV, where 70 per cent of the antineutrinos and most of
the sensitivity to a magnetic moment lie, a tabulated spectrum is needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from spectrafit.physics.domain import positive

__all__ = [
    "ENERGY_PER_FISSION_MEV",
    "FISSION_FRACTIONS",
    "HUBER_MUELLER",
    "NU_PER_FISSION",
    "energy_per_fission_mev",
    "fission_rate",
    "reactor_flux",
    "reactor_spectrum",
]

FISSION_FRACTIONS: Final = {"U235": 0.564, "U238": 0.076, "Pu239": 0.304, "Pu241": 0.056}
"""Fission fractions of a power reactor, mean over a cycle (Daya Bay [M])."""

ENERGY_PER_FISSION_MEV: Final = {"U235": 202.36, "U238": 205.99, "Pu239": 211.12, "Pu241": 214.26}
"""Energy released per fission, MeV: Ma et al., PRC 88, 014605 (2013) [M], +- 0.26, 0.52, 0.34, 0.33."""

NU_PER_FISSION: Final = 7.2
"""Antineutrinos per fission: some 6 of fission products, 1.2 of neutron capture on 238U (TEXONO [M])."""

HUBER_MUELLER: Final[dict[str, tuple[float, ...]]] = {
    "U235": (4.367, -4.577, 2.100, -0.5294, 0.06186, -0.002777),
    "U238": (0.4833, 0.1927, -0.1283, -0.006762, 0.002233, -0.0001536),
    "Pu239": (4.757, -5.392, 2.563, -0.6596, 0.07820, -0.003536),
    "Pu241": (2.990, -2.882, 1.278, -0.3343, 0.03905, -0.001754),
}
"""By isotope: a_0 to a_5 of ln(dN/dE) = sum a_j E^j, E in MeV, antineutrinos per MeV and fission.

Huber, PRC 84, 024617 (2011) for 235U, 239Pu and 241Pu; Mueller et al., PRC 83, 054615 (2011) for 238U. Mueller's own
set for 235U differs from Huber's: the two do not mix.
"""

_LOWEST, _HIGHEST = 2.0, 8.0
_ELECTRON_VOLT = 1.602176634e-19


def _isotopes(fractions: Mapping[str, float]) -> Mapping[str, float]:
    for name, fraction in fractions.items():
        if name not in ENERGY_PER_FISSION_MEV:
            raise ValueError(f"fission fraction of {name!r}: needed one of {', '.join(ENERGY_PER_FISSION_MEV)}")
        if not 0.0 <= fraction < math.inf:
            raise ValueError(f"fission fraction of {name}: {fraction}; needed a number that is not negative")
    if not sum(fractions.values()) > 0.0:
        raise ValueError("fission fractions: all are 0; needed one that is not")
    return fractions


def energy_per_fission_mev(
    fractions: Mapping[str, float] = FISSION_FRACTIONS, energies_mev: Mapping[str, float] = ENERGY_PER_FISSION_MEV
) -> float:
    """Return the mean energy released per fission, MeV: sum f_i E_i / sum f_i.

    Parameters
    ----------
    fractions : fission fraction of each isotope; they need not add up to 1.
    energies_mev : energy per fission of each isotope, MeV.

    Raises
    ------
    ValueError
        For an unknown isotope, a negative fraction, or if all are 0.
    """
    chosen = _isotopes(fractions)
    return sum(f * energies_mev[name] for name, f in chosen.items()) / sum(chosen.values())


def fission_rate(
    power_gw: Any,
    fractions: Mapping[str, float] = FISSION_FRACTIONS,
    energies_mev: Mapping[str, float] = ENERGY_PER_FISSION_MEV,
) -> Any:
    """Return the fissions per second of a core with a thermal power in GW (array_like); the rest as above."""
    return power_gw * (1e9 / (energy_per_fission_mev(fractions, energies_mev) * 1e6 * _ELECTRON_VOLT))


def reactor_flux(
    power_gw: Any,
    distance_m: Any,
    nu_per_fission: Any = NU_PER_FISSION,
    fractions: Mapping[str, float] = FISSION_FRACTIONS,
    energies_mev: Mapping[str, float] = ENERGY_PER_FISSION_MEV,
) -> Any:
    """Return the flux of antineutrinos, cm^-2 s^-1; for several cores add the fluxes.

    Parameters
    ----------
    power_gw : array_like of float
        Thermal power, GW.
    distance_m : array_like of float
        Distance from the core, m; not positive gives NaN.
    nu_per_fission : array_like of float
        Antineutrinos per fission; the integral of a spectrum for the flux above a threshold.
    fractions, energies_mev : as `energy_per_fission_mev`.
    """
    rate = fission_rate(power_gw, fractions, energies_mev)
    return nu_per_fission * rate / (4.0 * math.pi * (100.0 * positive(distance_m)) ** 2)


def reactor_spectrum(
    e_nu: Any,
    fractions: Mapping[str, float] = FISSION_FRACTIONS,
    coefficients: Mapping[str, Sequence[float]] = HUBER_MUELLER,
) -> Any:
    """Return the antineutrinos per GeV and fission, sum f_i exp(sum a_ij E^j); NaN outside 2 to 8 MeV.

    Parameters
    ----------
    e_nu : array_like of float
        Antineutrino energy, GeV; scalars, numpy and awkward arrays.
    fractions : fission fraction of each isotope; for a spectrum per fission they add up to 1.
    coefficients : a_0, a_1, ... of each isotope, for E in MeV.

    Raises
    ------
    ValueError
        For an unknown isotope, a negative fraction, or if all are 0.
    """
    energy = np.multiply(1e3, e_nu)
    # Inclusive at both ends, whichever way the energy was rounded into GeV. Where the fit does not hold, 0/0 is NaN.
    slack = 4.0 * 2.0**-52
    valid = (energy >= _LOWEST * (1.0 - slack)) & (energy <= _HIGHEST * (1.0 + slack))
    with np.errstate(invalid="ignore", divide="ignore"):
        energy = energy * (np.multiply(1.0, valid) / valid)
    total = 0.0
    for name, fraction in _isotopes(fractions).items():
        exponent = 0.0
        for coefficient in reversed(coefficients[name]):
            exponent = exponent * energy + coefficient
        total = total + fraction * np.exp(exponent)
    return 1e3 * total
