"""The keys of a target: how many electrons and nuclei neutrinos meet."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from spectrafit.config.keys import Keys
from spectrafit.config.numbers import NotNegative, Positive
from spectrafit.config.quantities import converted
from spectrafit.errors import ConfigError

__all__ = ["Detector", "Target"]


class Detector(Keys, frozen=True, kw_only=True):
    """The target of recipes: electrons in the fiducial volume, and where that number comes from.

    Attributes
    ----------
    electrons : electrons
        Electrons in the fiducial volume. Example: ``electrons = 1.740e31``
    origin
        A few words on where the number comes from. Example: ``origin = "52.8 t of the 2017 composition"``
    """

    electrons: Annotated[float, Meta(gt=0.0, le=1e60)]
    origin: str


class Target(Keys, frozen=True, kw_only=True):
    """The target by its material and mass.

    Attributes
    ----------
    material : fractions by mass
        A formula, "Xe" or "C9H12"; or a mixture, formulas with their fractions by mass. Isotopes are the natural ones.
        Example: ``material = { C9H12 = 0.9985, C15H11NO = 0.0015 }``
    mass : kg
        Fiducial mass, or a text with a unit of its own. Example: ``mass = "4.37 t"``
    binding : keV and electrons
        "free": every electron scatters. "stepping": the electrons of a shell scatter once T reaches their binding
        energy; there are shells of H, C, O, Na, Cl, Ar, Ge, I, Xe and Cs. A table gives an element's shells instead.
        Example: ``binding = "stepping"``
    form_factor
        Of the nuclei, for coherent scattering: "helm", "klein-nystrand" or "point". Example: ``form_factor = "helm"``
    origin
        A few words on where the numbers come from. Example: ``origin = "fiducial mass of the first science run"``
    """

    material: str | dict[str, Positive]
    mass: Annotated[float, Meta(gt=0.0, le=1e20)] | str
    binding: Literal["free", "stepping"] | dict[str, tuple[tuple[NotNegative, ...], ...]] = "free"
    form_factor: Literal["helm", "klein-nystrand", "point"] = "helm"
    origin: str = ""

    @property
    def kilograms(self) -> float:
        """The fiducial mass, kg."""
        return converted(self.mass, "kg", "target: mass")

    def __post_init__(self) -> None:
        """Refuse a mass that is none, and shells that are no pairs."""
        try:
            good = 0.0 < self.kilograms <= 1e20
        except ConfigError as error:
            raise ValueError(f"{error}") from None
        if not good:
            raise ValueError(f"target: mass = {self.mass!r}; give a mass above 0")
        listed = {} if isinstance(self.binding, str) else self.binding
        for symbol, shells in listed.items():
            if not shells or not all(len(shell) == 2 and shell[1] > 0.0 for shell in shells):
                raise ValueError(f"target: binding of {symbol}: give [keV, electrons] of each shell")
