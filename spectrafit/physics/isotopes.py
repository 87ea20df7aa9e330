"""Natural isotopes of the elements, and what a formula's worth of atoms holds.

A nucleus is lighter than its atom by its electrons: ``M = m_atom u - Z m_e``; A times 0.9315 GeV would be 0.1 per cent
off. `elements` has abundances and masses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from spectrafit.physics.constants import ATOMIC_MASS, M_E, N_A
from spectrafit.physics.elements import ELEMENTS

__all__ = [
    "Isotope",
    "atoms_per_gram",
    "electrons_per_gram",
    "formula",
    "molar_mass",
    "natural_isotopes",
    "per_atom",
]


@dataclass(frozen=True, slots=True)
class Isotope:
    """A nucleus: protons `z`, nucleons `a`, fraction of the element's atoms, mass of the nucleus (GeV)."""

    z: int
    a: int
    abundance: float
    mass: float

    @property
    def n(self) -> int:
        """Neutrons."""
        return self.a - self.z


def _element(symbol: str) -> tuple[int, tuple[tuple[int, float, float], ...]]:
    if symbol not in ELEMENTS:
        raise ValueError(
            f"element {symbol!r}: not among the {len(ELEMENTS)} that have natural isotopes, such as H, Ar and Xe"
        )
    return ELEMENTS[symbol]


def natural_isotopes(symbol: str) -> tuple[Isotope, ...]:
    """Return the natural isotopes of an element.

    Raises
    ------
    ValueError
        If the element has no natural isotopes.
    """
    protons, listed = _element(symbol)
    return tuple(
        Isotope(protons, nucleons, percent * 0.01, mass * ATOMIC_MASS - protons * M_E)
        for nucleons, percent, mass in listed
    )


def per_atom(nuclei: str | Sequence[Isotope], function: Callable[[Isotope], Any]) -> Any:
    """Return the mean over an element's isotopes of what `function` gives for one of them, weighed by abundance.

    With a cross section this is the one per atom. The mean mass number instead would be wrong, in a weak charge and
    most of all near the end point.

    Parameters
    ----------
    nuclei : symbol of an element, or isotopes with abundances of your own (an enriched detector).
    function : takes an `Isotope`, returns numbers or arrays.
    """
    chosen = natural_isotopes(nuclei) if isinstance(nuclei, str) else nuclei
    return sum(isotope.abundance * function(isotope) for isotope in chosen)


def formula(compound: str) -> dict[str, int]:
    """Return the atoms of a compound by symbol: "CsI" is one Cs and one I, "C3F8" three C and eight F.

    Raises
    ------
    ValueError
        If it is not a formula, or has an element without natural isotopes.
    """
    parts = re.findall(r"([A-Z][a-z]?)(\d*)", compound)
    if not parts or "".join(symbol + count for symbol, count in parts) != compound:
        raise ValueError(f"formula {compound!r}: needed symbols with counts, such as Xe, CsI or C3F8")
    atoms: dict[str, int] = {}
    for symbol, count in parts:
        _element(symbol)
        atoms[symbol] = atoms.get(symbol, 0) + int(count or 1)
    return atoms


def molar_mass(compound: str) -> float:
    """Return the mass of a mole of a compound with natural isotopes, g."""
    total = 0.0
    for symbol, count in formula(compound).items():
        total += count * sum(0.01 * percent * mass for _, percent, mass in _element(symbol)[1])
    return total


def atoms_per_gram(compound: str) -> dict[str, float]:
    """Return the atoms in a gram of a compound by symbol: N_A over the molar mass, times the count."""
    grams = molar_mass(compound)
    return {symbol: count * N_A / grams for symbol, count in formula(compound).items()}


def electrons_per_gram(compound: str) -> float:
    """Return the electrons in a gram of a compound."""
    return sum(number * _element(symbol)[0] for symbol, number in atoms_per_gram(compound).items())
