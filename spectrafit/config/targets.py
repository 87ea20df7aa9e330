"""The keys of a target: how many electrons and nuclei neutrinos meet."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from spectrafit.config.numbers import Positive

__all__ = ["Detector", "Target"]

_Shell = tuple[Annotated[float, Meta(ge=0.0, le=1e6)], Annotated[float, Meta(gt=0.0, le=200.0)]]


class Detector(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The target: electrons in the fiducial volume, and where that number comes from."""

    electrons: Annotated[float, Meta(gt=0.0, le=1e60)]
    origin: str


class Target(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The target by its material and mass.

    Attributes
    ----------
    material : str or dict of str to float
        A formula, "Xe" or "C9H12"; or a mixture, formulas and their fractions by mass. Isotopes are the natural ones.
    mass : float
        Fiducial mass, kg.
    binding : "free", "stepping", or dict of str to list of (keV, electrons)
        "free": every electron scatters. "stepping": a shell's electrons scatter once T reaches their binding energy, by
        the table of C, O, Na, Cl, Ar, Ge, I, Xe and Cs, and for H. A table gives shells of elements of your own.
    form_factor : "helm", "klein-nystrand" or "point"
        Of the nuclei, for coherent scattering.
    origin : str
        Where the numbers come from.
    """

    material: str | dict[str, Positive]
    mass: Annotated[float, Meta(gt=0.0, le=1e20)]
    binding: Literal["free", "stepping"] | dict[str, tuple[_Shell, ...]] = "free"
    form_factor: Literal["helm", "klein-nystrand", "point"] = "helm"
    origin: str = ""
