"""Antineutrinos of a reactor at all energies: fission products below and above 2 MeV, and neutron capture on 238U.

Below 2 MeV the fission products have the spectra that Vogel and Engel calculated (PRD 39, 3378 (1989), table II [M]),
straight lines between the energies of the table. From 2 to 8 MeV they have `reactor_spectrum`; both join with a step of
some per cent. Above 8 MeV, where 1 in 3000 antineutrinos lies, there are none. A neutron captured by 238U makes 239U
and 239Np, which give an antineutrino each: allowed shapes of their main branches [M].

Energies in GeV, spectra per GeV and fission; scalars and numpy arrays.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from spectrafit.physics.beta_decay import allowed_spectrum
from spectrafit.physics.reactor import FISSION_FRACTIONS, reactor_spectrum

__all__ = ["CAPTURES_PER_FISSION", "REACTOR_KNOTS", "capture_spectrum", "reactor_spectrum_full"]

CAPTURES_PER_FISSION: Final = 0.6
"""Neutron captures on 238U per fission in a power reactor, of two antineutrinos each (TEXONO [M])."""

_KNOTS = (0.0, 0.007813, 0.01563, 0.0312, 0.0625, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
_LOW: Final = {
    "U235": (0.0, 0.024, 0.092, 0.35, 0.61, 1.98, 2.16, 2.66, 2.66, 2.41, 1.69, 1.26),
    "Pu239": (0.0, 0.14, 0.56, 2.13, 0.64, 1.99, 2.08, 2.63, 2.58, 2.32, 1.48, 1.08),
    "U238": (0.0, 0.089, 0.35, 1.32, 0.65, 2.02, 2.18, 2.91, 2.96, 2.75, 1.97, 1.50),
    "Pu241": (0.0, 0.20, 0.79, 3.00, 0.59, 1.85, 2.14, 2.82, 2.90, 2.63, 1.75, 1.32),
}
# End point (MeV) and share of the main branches of 239U (daughter of charge 93) and 239Np (94).
_BRANCHES = (
    (93, ((1.188, 0.75), (1.263, 0.19), (0.44, 0.06))),
    (94, ((0.437, 0.45), (0.330, 0.39), (0.392, 0.10), (0.713, 0.06))),
)

REACTOR_KNOTS: Final[tuple[float, ...]] = tuple(
    sorted({1e-3 * energy for energy in (*_KNOTS, 8.0, *(end for _, listed in _BRANCHES for end, _ in listed))})
)
"""Energies, GeV, between which the spectrum is smooth; the last is the end of it."""


@functools.cache
def _areas() -> tuple[tuple[int, float, float], ...]:
    """Return charge, end point and share over integral of every branch."""
    points, weights = np.polynomial.legendre.leggauss(64)
    found = []
    for charge, listed in _BRANCHES:
        for end, share in listed:
            # E = end (1 - root^2), smooth where the electron's momentum is 0.
            root = 0.5 * (1.0 + points)
            values = allowed_spectrum(end * (1.0 - root * root), end, -charge) * 2.0 * end * root
            found.append((charge, end, share / float(np.sum(0.5 * weights * values))))
    return tuple(found)


def capture_spectrum(e_nu: Any) -> Any:
    """Return the antineutrinos per GeV and neutron capture on 238U, two in all; `e_nu` in GeV, 0 outside its range."""
    energy = np.multiply(1e3, e_nu)
    total = 0.0 * energy
    for charge, end, factor in _areas():
        inside = (energy > 0.0) & (energy < end)
        safe = inside * energy + ~inside * (0.5 * end)
        total = total + inside * factor * allowed_spectrum(safe, end, -charge)
    return 1e3 * total


def reactor_spectrum_full(
    e_nu: Any, fractions: Mapping[str, float] = FISSION_FRACTIONS, captures: float = CAPTURES_PER_FISSION
) -> Any:
    """Return the antineutrinos per GeV and fission at any energy.

    Parameters
    ----------
    e_nu : array_like of float
        Antineutrino energy, GeV; 0 outside 0 to 8 MeV.
    fractions : fission fraction of each isotope; for a spectrum per fission they add up to 1.
    captures : float
        Neutron captures on 238U per fission.

    Raises
    ------
    ValueError
        As `reactor_spectrum` does.
    """
    energy = np.multiply(1e3, e_nu)
    high = reactor_spectrum(1e-3 * np.minimum(np.maximum(energy, 2.0), 8.0), fractions)
    low = 1e3 * sum(share * _straight(energy, _LOW[name]) for name, share in fractions.items())
    below = energy < 2.0
    products = (below * low + ~below * high) * ((energy >= 0.0) & (energy <= 8.0))
    return products + captures * capture_spectrum(e_nu)


def _straight(energy: Any, heights: tuple[float, ...]) -> Any:
    """Return the straight lines between heights at the knots, constant outside; jagged arrays keep their shape."""
    found = heights[0] + 0.0 * energy
    for (left, right), (begin, end) in zip(itertools.pairwise(_KNOTS), itertools.pairwise(heights), strict=True):
        within = np.minimum(np.maximum(energy, left), right) - left
        found = found + within * ((end - begin) / (right - left))
    return found
