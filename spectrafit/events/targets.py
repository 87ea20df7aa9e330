"""What neutrinos scatter on: the electrons and nuclei of a sample set's target, and how electrons are bound."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.config import Sample, SampleSet
from spectrafit.errors import ConfigError
from spectrafit.physics.atoms import SHELLS
from spectrafit.physics.constants import ATOMIC_MASS, M_E
from spectrafit.physics.elements import ELEMENTS
from spectrafit.physics.form_factors import Helm, KleinNystrand
from spectrafit.physics.isotopes import atoms_per_gram, natural_isotopes

__all__ = [
    "Nucleus",
    "atoms_of",
    "electrons_of",
    "form_factor_of",
    "masses_of",
    "nuclei_of",
    "nucleus_code",
    "numbers_of",
    "process_of",
    "refuse_nuclei",
    "steps_of",
]

# The binding energy of hydrogen, keV, which the table of shells does not have.
_HYDROGEN = ((0.0136, 1),)
_FREE = np.array([[0.0, 1.0]])


@dataclass(frozen=True, slots=True)
class Nucleus:
    """A nucleus of a target: `z` protons, `a` nucleons, mass (GeV), and how many there are."""

    z: int
    a: int
    mass: float
    number: float

    @property
    def code(self) -> int:
        """Its PDG code, 100ZZZAAA0."""
        return int(nucleus_code(self.z, self.a))


def nucleus_code(z: Any, a: Any) -> Any:
    """Return the PDG code 100ZZZAAA0 of nuclei by protons and nucleons, numbers or arrays."""
    return 1_000_000_000 + 10_000 * z + 10 * a


def numbers_of(codes: Integers) -> tuple[Integers, Integers]:
    """Return protons and nucleons of nuclei by their PDG codes."""
    return (codes // 10_000) % 1000, (codes // 10) % 1000


def atoms_of(sample_set: SampleSet) -> dict[str, float]:
    """Return the atoms of a target by element.

    Raises
    ------
    ConfigError
        There is no [target], its material cannot be read, or its fractions do not add up to 1.
    """
    target = sample_set.target
    where = f"{sample_set.path}: $.target.material"
    if target is None:
        raise ConfigError(f"{sample_set.path}: needs [target] with material and mass")
    mixture = {target.material: 1.0} if isinstance(target.material, str) else target.material
    whole = sum(mixture.values())
    if not 0.98 <= whole <= 1.02:
        raise ConfigError(f"{where}: the fractions by mass add up to {whole:g}; they must make 1, to 2 %")
    atoms: dict[str, float] = defaultdict(float)
    for formula, fraction in mixture.items():
        try:
            listed = atoms_per_gram(formula)
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from None
        for symbol, number in listed.items():
            atoms[symbol] += 1e3 * target.kilograms * fraction * number
    return dict(atoms)


def electrons_of(sample_set: SampleSet) -> float:
    """Return the electrons of a sample set's [detector], or else of its [target].

    Raises
    ------
    ConfigError
        It has neither, or `atoms_of` raises one.
    """
    if sample_set.detector is not None:
        return sample_set.detector.electrons
    if sample_set.target is None:
        raise ConfigError(
            f"{sample_set.path}: needs [target] with material and mass, or [detector] with electrons and their origin"
        )
    return sum(number * ELEMENTS[symbol][0] for symbol, number in atoms_of(sample_set).items())


def steps_of(sample_set: SampleSet) -> Floats:
    """Return from which T (GeV) on which share of the electrons scatters, (s, 2).

    Raises
    ------
    ConfigError
        An element has no binding energies, or a table of shells has not the electrons of its element.
    """
    target = sample_set.target
    if target is None or target.binding == "free":
        return _FREE
    shells: dict[str, Any] = {"H": _HYDROGEN, **SHELLS}
    if not isinstance(target.binding, str):
        shells |= target.binding
    electrons: dict[float, float] = defaultdict(float)
    for symbol, number in atoms_of(sample_set).items():
        if symbol not in shells:
            raise ConfigError(
                f"{sample_set.path}: $.target.binding: no binding energies of {symbol} (there are:"
                f" {', '.join(shells)}); give its shells, as in binding = {{ {symbol} = [[keV, electrons], ...] }}"
            )
        listed = sum(count for _, count in shells[symbol])
        if listed != ELEMENTS[symbol][0]:
            raise ConfigError(
                f"{sample_set.path}: $.target.binding: the shells of {symbol} have {listed:g} electrons, and the atom"
                f" has {ELEMENTS[symbol][0]}"
            )
        for energy, count in shells[symbol]:
            electrons[1e-6 * energy] += number * count
    energies = sorted(electrons)
    shares = np.cumsum([electrons[energy] for energy in energies])
    return np.stack([energies, shares / shares[-1]], axis=1)


def nuclei_of(sample_set: SampleSet) -> tuple[Nucleus, ...]:
    """Return the nuclei of a target. Raises ConfigError as `atoms_of`."""
    return tuple(
        Nucleus(isotope.z, isotope.a, isotope.mass, number * isotope.abundance)
        for symbol, number in atoms_of(sample_set).items()
        for isotope in natural_isotopes(symbol)
    )


def process_of(branches: Collection[str], preset: str) -> Literal["electron", "nucleus"]:
    """Return the process of a file that no sample set describes: recoils of nuclei name them in a branch `nucleus`."""
    return "nucleus" if preset == "native" and "nucleus" in branches else "electron"


def refuse_nuclei(sample: Sample, branches: Collection[str], where: str) -> None:
    """Refuse a signal sample whose file says what nuclei neutrinos scattered on, and that takes them for electrons."""
    taken = sample.process == "electron" and sample.role == "signal" and "nucleus" not in sample.columns
    if taken and process_of(branches, sample.preset) == "nucleus":
        raise ConfigError(
            f'{where}: has a branch "nucleus": say process = "nucleus" in sample {sample.name!r} if neutrinos scatter'
            ' on whole nuclei there; else columns.nucleus = "nucleus" says that the branch is something else'
        )


def masses_of(z: Integers, a: Integers) -> Floats:
    """Return the masses of nuclei, GeV, (N,); an isotope that is not in the table has A atomic mass units."""
    known = {
        (charge, nucleons): mass * ATOMIC_MASS - charge * M_E
        for charge, listed in ELEMENTS.values()
        for nucleons, _, mass in listed
    }
    pairs = 1000 * z + a
    result: Floats = a * ATOMIC_MASS - z * M_E
    for pair in np.unique(pairs).tolist():
        if pair and divmod(pair, 1000) in known:
            result[pairs == pair] = known[divmod(pair, 1000)]
    return result


def form_factor_of(name: str, nucleus: Nucleus) -> Any:
    """Return the form factor of a nucleus, a function of Q^2 in GeV^2; None for a point."""
    kinds: dict[str, Any] = {"helm": Helm, "klein-nystrand": KleinNystrand}
    return kinds[name](nucleus.a) if name in kinds else None
