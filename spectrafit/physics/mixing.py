"""The PMNS matrix, the phases of oscillation and the mass states of solar neutrinos.

Angles in rad, mass splittings in eV^2, energies in GeV, baselines in km, electron densities in N_A per cm^3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spectrafit.arraytypes import Complexes, Floats
from spectrafit.physics.constants import OSCILLATION_COEFFICIENT, SOLAR_MATTER_COEFFICIENT

__all__ = [
    "ORDERINGS",
    "Mixing",
    "masses",
    "oscillation_phase",
    "pmns",
    "solar_cos2_theta12",
    "solar_potential",
    "solar_probabilities",
    "solar_survival",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixing:
    """Three-neutrino mixing in the PDG's parametrisation.

    Attributes
    ----------
    sin2_12, sin2_13, sin2_23 : sin^2 of the mixing angles, between 0 and 1.
    delta : Dirac phase, rad.
    alpha21, alpha31 : Majorana phases, rad: ``U -> U diag(1, e^{i alpha21/2}, e^{i alpha31/2})``.
    dm21, dm31 : m_2^2 - m_1^2 and m_3^2 - m_1^2, eV^2; `dm31` is negative for inverted ordering.

    Raises
    ------
    ValueError
        If a sin^2 is not between 0 and 1 or a number is not finite.
    """

    sin2_12: float
    sin2_13: float
    sin2_23: float
    delta: float
    dm21: float
    dm31: float
    alpha21: float = 0.0
    alpha31: float = 0.0

    def __post_init__(self) -> None:
        for name in ("sin2_12", "sin2_13", "sin2_23"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: {getattr(self, name)}; needed a sin^2, between 0 and 1")
        for name in ("delta", "dm21", "dm31", "alpha21", "alpha31"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name}: {getattr(self, name)}; needed a finite number")


ORDERINGS: Final = {
    "normal": Mixing(
        sin2_12=0.307, sin2_13=0.0219, sin2_23=0.558, delta=1.19 * math.pi, dm21=7.53e-5, dm31=2.455e-3 + 7.53e-5
    ),
    "inverted": Mixing(
        sin2_12=0.307, sin2_13=0.0219, sin2_23=0.553, delta=1.19 * math.pi, dm21=7.53e-5, dm31=-2.529e-3 + 7.53e-5
    ),
}
"""Best values of the PDG 2024 listings [M] for the two orderings; they quote Delta m^2_32, 2.455e-3 and -2.529e-3."""


def pmns(mixing: Mixing) -> Complexes:
    """Return the PMNS matrix, shape (3, 3): rows e, mu, tau, columns the mass states 1, 2, 3.

    u is the matrix without the Majorana phases.
    """
    s12, s13, s23 = (math.sqrt(square) for square in (mixing.sin2_12, mixing.sin2_13, mixing.sin2_23))
    c12, c13, c23 = (math.sqrt(1.0 - square) for square in (mixing.sin2_12, mixing.sin2_13, mixing.sin2_23))
    phase = complex(math.cos(mixing.delta), math.sin(mixing.delta))
    u = np.array(
        [
            [c12 * c13, s12 * c13, s13 * phase.conjugate()],
            [-s12 * c23 - c12 * s23 * s13 * phase, c12 * c23 - s12 * s23 * s13 * phase, s23 * c13],
            [s12 * s23 - c12 * c23 * s13 * phase, -c12 * s23 - s12 * c23 * s13 * phase, c23 * c13],
        ]
    )
    majorana = np.exp(0.5j * np.array([0.0, mixing.alpha21, mixing.alpha31]))
    result: Complexes = u * majorana
    return result


def masses(mixing: Mixing, lightest: float) -> Floats:
    """Return the three masses, eV, shape (3,), for a mass `lightest` (eV, not negative) of the lightest state."""
    if not 0.0 <= lightest < math.inf:
        raise ValueError(f"lightest: {lightest} eV; needed a mass, not negative")
    squares = np.array([0.0, mixing.dm21, mixing.dm31])
    result: Floats = np.sqrt(squares - squares.min() + lightest**2)
    return result


def oscillation_phase(dm2: Any, baseline: Any, e_nu: Any) -> Any:
    """Return the phase Delta m^2 L/(2E), rad, for `dm2` in eV^2, `baseline` in km, `e_nu` in GeV (array_like)."""
    return 0.5 * OSCILLATION_COEFFICIENT * dm2 * baseline / e_nu


def solar_potential(e_nu: Any, density: Any) -> Any:
    """Return A = 2 sqrt(2) G_F n_e E, eV^2, for `e_nu` in GeV and an electron `density` in N_A per cm^3."""
    return SOLAR_MATTER_COEFFICIENT * density * (e_nu * 1e3)


def solar_cos2_theta12(mixing: Mixing, e_nu: Any, density: Any) -> Any:
    """Return cos(2 theta_12) in matter where the solar neutrino is made; arguments as `solar_potential`."""
    ratio = solar_potential(e_nu, density) * ((1.0 - mixing.sin2_13) / mixing.dm21)
    # cos 2theta - x and sin^2 2theta from sin^2 theta: no angle is ever computed.
    shifted = (1.0 - 2.0 * mixing.sin2_12) - ratio
    sine2 = 4.0 * mixing.sin2_12 * (1.0 - mixing.sin2_12)
    return shifted / np.sqrt(shifted * shifted + sine2)


def solar_probabilities(mixing: Mixing, e_nu: Any, density: Any) -> tuple[Any, Any, Any]:
    """Return the probabilities that a solar nu_e reaches the Earth as mass state 1, 2 and 3.

    Adiabatic conversion from one production density, incoherent mass states, `theta_13` as in vacuum; arguments as
    `solar_potential`.
    """
    cosine = solar_cos2_theta12(mixing, e_nu, density)
    c13 = 1.0 - mixing.sin2_13
    return c13 * (0.5 + 0.5 * cosine), c13 * (0.5 - 0.5 * cosine), mixing.sin2_13 + 0.0 * cosine


def solar_survival(mixing: Mixing, e_nu: Any, density: Any) -> Any:
    """Return the probability that a solar nu_e is detected as nu_e; arguments as `solar_potential`."""
    p1, p2, _ = solar_probabilities(mixing, e_nu, density)
    c13 = 1.0 - mixing.sin2_13
    return c13 * ((1.0 - mixing.sin2_12) * p1 + mixing.sin2_12 * p2) + mixing.sin2_13**2
