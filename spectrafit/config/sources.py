"""The keys of a source of neutrinos: a table, lines, or one of the built-in sources."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from spectrafit.config.keys import Keys
from spectrafit.config.numbers import NotNegative, Positive
from spectrafit.config.quantities import quantity
from spectrafit.errors import ConfigError

__all__ = ["FluxUnit", "Lines", "PionDecay", "Reactor", "Solar", "Source", "Table", "flux_unit"]

EnergyUnit = Literal["GeV", "MeV", "keV", "eV"]
ENERGIES = {"GeV": 1.0, "MeV": 1e-3, "keV": 1e-6, "eV": 1e-9}
"""What one of each unit of energy is in GeV."""


class FluxUnit(Struct, frozen=True, kw_only=True):
    """The meaning of the numbers of a flux.

    Attributes
    ----------
    factor : float
        Neutrinos per m^2 and 10^6 units of exposure that a number of 1 stands for, in its bin or energy width.
    width : float
        The energy, GeV, that a density is for: 1, or 0 for numbers per bin.
    exposure : "POT", "s" or "fb^-1"
        What the flux is per unit of.
    """

    factor: float
    width: float
    exposure: str


def flux_unit(text: str) -> FluxUnit:
    """Read a unit such as "/ m^2 / 10^6 POT", "1/cm^2/s/MeV" or "3/m^2/150 fb^-1".

    Raises
    ------
    ValueError
        The text is no unit, or not one over an area and an exposure, perhaps over an energy.
    """
    # An inverse femtobarn counts collisions here; it is no inverse area of the flux.
    plain = text.replace("fb^-1", "POT")
    try:
        found = quantity(plain, "unit")
    except ConfigError as error:
        raise ValueError(f"{error}") from None
    powers = dict(zip(("GeV", "kg", "s", "m", "POT", "rad"), found.powers, strict=True))
    exposures = [base for base in ("POT", "s") if powers[base]]
    others = powers["kg"] or powers["rad"] or powers["m"] != -2 or powers["GeV"] not in (0, -1)
    if others or len(exposures) != 1 or powers[exposures[0]] != -1 or not found.value > 0.0:
        raise ValueError(
            f"unit {text!r}: is no unit of a flux; write 1/AREA/EXPOSURE for numbers per bin, or"
            ' 1/AREA/EXPOSURE/ENERGY, as in "1/m^2/10^6 POT", "1/cm^2/s/MeV" or "1/m^2/150 fb^-1"'
        )
    return FluxUnit(
        factor=found.value * found.size * 1e6,
        width=1.0 if powers["GeV"] else 0.0,
        exposure="fb^-1" if plain != text else exposures[0],
    )


class _SourceKeys(Keys, frozen=True, kw_only=True, tag_field="kind"):
    """Base of every source.

    Attributes
    ----------
    kind
        "table", "lines", "pion decay at rest", "solar" or "reactor". Example: ``kind = "solar"``
    """


class Table(_SourceKeys, frozen=True, kw_only=True, tag="table"):
    """A flux table in a file.

    Attributes
    ----------
    file
        A text table, or `file.root:name` of a TH1. Example: ``file = "flux.root:flux_numu"``
    unit
        What the numbers are: 1/AREA/EXPOSURE in a bin, or 1/AREA/EXPOSURE/ENERGY. Without the key NOvA's "1/m^2/10^6
        POT" for text with bins, the same per GeV for a TH1, and "1/cm^2/POT/GeV" for layouts with points.
        Example: ``unit = "1/cm^2/s/MeV"``
    energy
        Unit of the table's energies: "GeV", "MeV", "keV" or "eV". Example: ``energy = "MeV"``
    layout
        "bins": low, high, neutrinos, and perhaps a fractional uncertainty. "points": energy and flux, with straight
        lines between. "globes" and "darknews": energy and the flux of nu_e, nu_mu, nu_tau and their antineutrinos, of
        which the flavour's is taken; a point stands for the bin around it. Example: ``layout = "globes"``
    scale : no unit
        Multiplies all numbers. Example: ``scale = 0.5``
    """

    file: str
    unit: str = ""
    energy: EnergyUnit = "GeV"
    layout: Literal["bins", "points", "globes", "darknews"] = "bins"
    scale: Positive = 1.0

    def __post_init__(self) -> None:
        """Refuse a unit that cannot be read."""
        if self.unit:
            flux_unit(self.unit)


class Lines(_SourceKeys, frozen=True, kw_only=True, tag="lines"):
    """Neutrinos of single energies.

    Attributes
    ----------
    lines : `energy` and `unit`
        The energy of each line, and its neutrinos. Example: ``lines = [[0.747, 81.6], [0.427, 9.0]]``
    unit
        What the intensities are: 1/AREA/EXPOSURE. Example: ``unit = "10^10/cm^2/s"``
    energy
        Unit of the energies: "GeV", "MeV" (without the key), "keV" or "eV". Example: ``energy = "keV"``
    scale : no unit
        Multiplies all intensities. Example: ``scale = 0.5``
    """

    lines: tuple[tuple[NotNegative, ...], ...]
    unit: str
    energy: EnergyUnit = "MeV"
    scale: Positive = 1.0

    def __post_init__(self) -> None:
        """Refuse a unit that cannot be read or that is per energy, and a source without neutrinos."""
        if flux_unit(self.unit).width:
            raise ValueError(f"unit {self.unit!r}: a line has no width; leave out the energy")
        if not all(len(line) == 2 and line[0] > 0.0 for line in self.lines):
            raise ValueError("lines: give [energy, intensity] of each line, with energies above 0")
        if not sum(line[1] for line in self.lines) > 0.0:
            raise ValueError("lines: no neutrinos; an intensity must be above 0")


class PionDecay(_SourceKeys, frozen=True, kw_only=True, tag="pion decay at rest"):
    """Positive pions that stop and decay: nu_mu of 29.79 MeV, and nu_e and anti-nu_mu with Michel's spectra; per POT.

    Attributes
    ----------
    distance : m
        From the target. Example: ``distance = 30.0``
    per_proton : neutrinos per proton
        Neutrinos of each of the three flavours. Example: ``per_proton = 0.085``
    """

    distance: Annotated[float, Meta(gt=0.0, le=1e9)]
    per_proton: Positive = 0.085


class Solar(_SourceKeys, frozen=True, kw_only=True, tag="solar"):
    """The Sun's neutrinos at 1 au by day: nu_e that survive, nu_mu and nu_tau that the others have become; per second.

    Attributes
    ----------
    composition
        The B16 standard solar model of high, "GS98", or low metallicity, "AGSS09met".
        Example: ``composition = "AGSS09met"``
    components
        Which of pp, pep, hep, 7Be, 8B, 13N, 15O and 17F; without the key, all. Example: ``components = ["pp", "7Be"]``
    fluxes : cm^-2 s^-1
        Fluxes of components in place of the model's. Example: ``fluxes = { 7Be = 4.8e9 }``
    """

    composition: Literal["GS98", "AGSS09met"] = "GS98"
    components: tuple[Literal["pp", "pep", "hep", "7Be", "8B", "13N", "15O", "17F"], ...] = ()
    fluxes: dict[str, NotNegative] = field(default_factory=dict)


class Reactor(_SourceKeys, frozen=True, kw_only=True, tag="reactor"):
    """Anti-nu_e of a reactor core: Huber and Mueller above 2 MeV, Vogel and Engel's table and 238U capture below.

    Attributes
    ----------
    power : GW
        Thermal power. Example: ``power = 3.0``
    distance : m
        From the core. Example: ``distance = 13.9``
    fractions : no unit
        Fissions of U235, U238, Pu239 and Pu241; without the key, the mean of a power reactor.
        Example: ``fractions = { U235 = 1.0 }``
    captures : captures per fission
        Neutron captures on 238U, of two anti-nu_e each. Example: ``captures = 0.6``
    """

    power: Positive
    distance: Annotated[float, Meta(gt=0.0, le=1e9)]
    fractions: dict[Literal["U235", "U238", "Pu239", "Pu241"], NotNegative] = field(default_factory=dict)
    captures: NotNegative = 0.6


Source = Table | Lines | PionDecay | Solar | Reactor
"""One source of neutrinos of one flavour."""
