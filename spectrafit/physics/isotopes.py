"""Natural isotopes of the elements that detectors are made of, and what a formula's worth of atoms holds.

Abundances and atomic masses are those of IUPAC/CIAAW and AME2020 as the package periodictable 2.1.0 lists them. A
nucleus is lighter than its atom by its electrons: ``M = m_atom u - Z m_e``; A times 0.9315 GeV would be 0.1 per cent
off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from spectrafit.physics.constants import ATOMIC_MASS, M_E, N_A

__all__ = [
    "ELEMENTS",
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


# Protons; then mass number, abundance in per cent, mass of the atom in u.
ELEMENTS: Final[dict[str, tuple[int, tuple[tuple[int, float, float], ...]]]] = {
    "H": (1, ((1, 99.9855, 1.0078250319), (2, 0.0145, 2.01410177784))),
    "C": (6, ((12, 98.94, 12.0), (13, 1.06, 13.00335483534))),
    "N": (7, ((14, 99.6337, 14.00307400425), (15, 0.3663, 15.0001088983))),
    "O": (8, ((16, 99.75715, 15.9949146193), (17, 0.03835, 16.999131756), (18, 0.2045, 17.9991596121))),
    "F": (9, ((19, 100.0, 18.9984031621),)),
    "Na": (11, ((23, 100.0, 22.989769282),)),
    "Si": (14, ((28, 92.2545, 27.9769265344), (29, 4.672, 28.9764946643), (30, 3.0735, 29.973770137))),
    "Cl": (17, ((35, 75.8, 34.96885269), (37, 24.2, 36.96590257))),
    "Ar": (18, ((36, 0.33361, 35.967545106), (38, 0.06289, 37.9627321), (40, 99.6035, 39.962383122))),
    "Ge": (
        32,
        (
            (70, 20.52, 69.9242485),
            (72, 27.45, 71.92207582),
            (73, 7.76, 72.92345895),
            (74, 36.52, 73.921177761),
            (76, 7.75, 75.921402725),
        ),
    ),
    "I": (53, ((127, 100.0, 126.904473),)),
    "Xe": (
        54,
        (
            (124, 0.095, 123.9058852),
            (126, 0.089, 125.904297422),
            (128, 1.91, 127.903530753),
            (129, 26.401, 128.904780857),
            (130, 4.071, 129.903509347),
            (131, 21.232, 130.905084128),
            (132, 26.909, 131.904155083),
            (134, 10.436, 133.90539303),
            (136, 8.857, 135.907214474),
        ),
    ),
    "Cs": (55, ((133, 100.0, 132.905451959),)),
}
"""By symbol: protons, and per isotope (mass number, abundance in per cent, mass of the atom in u)."""


def _element(symbol: str) -> tuple[int, tuple[tuple[int, float, float], ...]]:
    if symbol not in ELEMENTS:
        raise ValueError(f"element {symbol!r}: needed one of {', '.join(ELEMENTS)}")
    return ELEMENTS[symbol]


def natural_isotopes(symbol: str) -> tuple[Isotope, ...]:
    """Return the natural isotopes of an element.

    Raises
    ------
    ValueError
        If the table has no such element; the message lists the elements it has.
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
        If it is not a formula or has an element the table lacks.
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
