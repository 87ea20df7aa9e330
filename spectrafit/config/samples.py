"""The keys of a sample set, `samples/*.toml`: which files, which branch is which quantity, role and exposure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from spectrafit.config.numbers import Finite, Natural, NotNegative, Positive, Pot, Relative, Seed, Share, ShareKept
from spectrafit.config.sources import ENERGIES, EnergyUnit, Source, flux_unit
from spectrafit.config.targets import Detector, Target

__all__ = [
    "Column",
    "Detector",
    "Flavour",
    "Flux",
    "Friend",
    "Keys",
    "PotSource",
    "Recipe",
    "Response",
    "Role",
    "Sample",
    "SampleSet",
    "Target",
    "Unit",
]

Unit = Literal["GeV", "MeV", "keV", "rad", "mrad", "deg", "cos", "1"]
Role = Literal["signal", "background", "data"]
Flavour = Literal["nue", "nuebar", "numu", "numubar", "nutau", "nutaubar"]
Flux = str | Source | tuple[str | Source, ...]
"""The flux of one flavour: the name of a table, a source, or several of them that add up."""


class Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table of a TOML file: immutable, with named keys only; unknown keys are refused."""


class Column(Keys, frozen=True, kw_only=True):
    """Where a quantity comes from: a `branch`, or an `expression` in ROOT's spelling; in GeV or rad unless `unit`."""

    branch: str = ""
    expression: str = ""
    unit: Unit | None = None


class PotSource(Keys, frozen=True, kw_only=True):
    """Where a sample's protons on target come from, one of three ways.

    A `histogram` kept in the files (its sum); a `branch` (its sum over the entries of `tree`); or, for a generator's
    file, the POT equivalent entries / (flux x cross section x targets):

    Attributes
    ----------
    flux : float
        Integral of the generator's flux, in `unit`.
    unit : str
        Unit of `flux`: 1/AREA/EXPOSURE, by default NOvA's, neutrinos / m^2 / 10^6 POT.
    cross_section : float
        Flux-averaged cross section of everything the generator made, cm^2 per target.
    targets : float
        Targets (electrons, nucleons) in the fiducial volume.
    entries : int
        Events the generator made, when the files hold a selected part of them; 0 = as many as the files hold.
    """

    histogram: str = ""
    branch: str = ""
    tree: str = ""
    flux: NotNegative = 0.0
    unit: str = "1/m^2/10^6 POT"
    cross_section: NotNegative = 0.0
    targets: Annotated[float, Meta(ge=0.0, le=1e60)] = 0.0
    entries: Natural = 0

    def __post_init__(self) -> None:
        """Refuse a table with none or more than one of the three ways."""
        generated = [self.flux > 0, self.cross_section > 0, self.targets > 0]
        ways = [bool(self.histogram), bool(self.branch), any(generated)]
        if sum(ways) != 1 or (any(generated) and not all(generated)):
            raise ValueError("pot: give one of histogram, branch, or flux with cross_section and targets")
        if flux_unit(self.unit).width:
            raise ValueError(f"pot: unit {self.unit!r}: the flux is an integral; leave out the energy")
        rate = self.neutrinos * self.cross_section * 1e-4 * self.targets
        if any(generated) and not 1e-60 < rate < 1e60:
            raise ValueError(
                f"pot: flux x cross_section x targets makes {rate:.3g} events in 10^6 POT; look at their units"
            )

    @property
    def neutrinos(self) -> float:
        """The integral of the generator's flux, neutrinos / m^2 / 10^6 POT (or 10^6 s)."""
        return self.flux * flux_unit(self.unit).factor


class Response(Keys, frozen=True, kw_only=True):
    """Parametric detector response, applied to true (t, theta); see `spectrafit.events.response` for the formulas.

    Attributes
    ----------
    unit : "GeV", "MeV", "keV" or "eV"
        Unit of T in all formulas of the response, of its thresholds and widths, and of the energies in its tables.
    quenching : str
        "lindhard", or a table of (T, factor) of a nuclear recoil; in all that follows T is electron-equivalent.
    lindhard_k : float
        Lindhard's k; 0 = 0.133 Z^(2/3) A^(-1/2) of each nucleus.
    energy_stochastic, energy_constant, energy_noise : float
        sigma(T)/T = a / sqrt(T / unit) + b + c / (T / unit).
    energy_resolution : str
        A table of (T, sigma/T) in place of the formula.
    energy_matrix : str
        In place of both, ``file.root:name`` of a TH2: true T along x, reconstructed T along y. Columns count as shapes.
    energy_scale : float
        Reconstructed over true energy, mean.
    angle_constant, angle_stochastic : float
        Core width per projection, rad: c0 + c1 / (T / unit).
    angle_tail_fraction, angle_tail_scale : float
        A fraction of the events has its width multiplied by the scale: the non-Gaussian tail.
    threshold : float
        Lowest reconstructed T kept.
    efficiency : float
        Plateau of the selection efficiency.
    efficiency_turn_on, efficiency_width : float
        The efficiency is plateau / (1 + exp(-(T - turn_on) / width)), T true; width 0 = flat.
    efficiency_table : str
        A table of (T, efficiency), or ``file.root:name`` of a TH1, that multiplies it; 0 outside the table.
    efficiency_of : "true" or "reconstructed"
        The T in the table of efficiencies.
    seed : int
        Key of the counter-based random numbers: entry i of a sample is smeared the same way everywhere.
    draws : int
        How often each entry of a truth-only ntuple is smeared while it is read, with that part of its weight each time.
        Takes the noise of migration out of few events. Generated files are smeared once.
    """

    unit: EnergyUnit = "GeV"
    quenching: str = ""
    lindhard_k: NotNegative = 0.0
    energy_stochastic: Relative = 0.0
    energy_constant: Relative = 0.0
    energy_noise: NotNegative = 0.0
    energy_resolution: str = ""
    energy_matrix: str = ""
    energy_scale: Annotated[float, Meta(gt=0.0, le=1000.0)] = 1.0
    angle_constant: Relative = 0.0
    angle_stochastic: Relative = 0.0
    angle_tail_fraction: Share = 0.0
    angle_tail_scale: Relative = 1.0
    threshold: NotNegative = 0.0
    efficiency: ShareKept = 1.0
    efficiency_turn_on: Finite = 0.0
    efficiency_width: NotNegative = 0.0
    efficiency_table: str = ""
    efficiency_of: Literal["true", "reconstructed"] = "true"
    seed: Seed = 0
    draws: Annotated[int, Meta(ge=1, le=1000)] = 1

    @property
    def tables(self) -> tuple[str, ...]:
        """The files it names."""
        quenching = "" if self.quenching == "lindhard" else self.quenching
        named = (quenching, self.energy_resolution, self.energy_matrix, self.efficiency_table)
        return tuple(name for name in named if name)


class Recipe(Keys, frozen=True, kw_only=True):
    """How `spectrafit generate` makes a sample: scattering of one flavour, on the set's flux and detector or target.

    Attributes
    ----------
    flavour : str
        One of the flavours of the set's `flux`.
    events : int
        Events made; those the response puts below its threshold are not written.
    coupling, kappa : str, float
        Coupling switched on, and its value in the units the fit uses (1 = the coupling's scale).
    couplings : dict of str to float
        Several couplings and their values instead; they act together, as in a fit of several.
    t_min, t_max : float
        Smallest and largest true T made, in `unit`. A coupling whose cross section diverges at T = 0 needs `t_min`, and
        so does scattering on nuclei. Without `t_max` there is no upper limit.
    unit : "GeV", "MeV", "keV" or "eV"
        Of `t_min` and `t_max`.
    """

    flavour: Flavour
    events: Annotated[int, Meta(ge=1, le=10**10)]
    coupling: str = ""
    kappa: Finite = 0.0
    couplings: dict[str, Finite] = field(default_factory=dict)
    t_min: NotNegative = 0.0
    t_max: Positive | None = None
    unit: EnergyUnit = "GeV"

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest true T, GeV; the largest may be infinite."""
        gev = ENERGIES[self.unit]
        return self.t_min * gev, math.inf if self.t_max is None else self.t_max * gev

    def __post_init__(self) -> None:
        """Refuse one coupling beside several, and an empty range."""
        if self.t_max is not None and not self.t_min < self.t_max:
            raise ValueError(f"generate: t_min = {self.t_min:g} is not below t_max = {self.t_max:g}")
        if self.couplings and (self.coupling or self.kappa):
            raise ValueError("generate: coupling and kappa are for one coupling; list all of them in couplings")

    @property
    def values(self) -> dict[str, float]:
        """Every coupling that is switched on, and its kappa."""
        return self.couplings or ({self.coupling: self.kappa} if self.coupling else {})


class Friend(Keys, frozen=True, kw_only=True):
    """A tree aligned entry by entry with the sample's: same number of files, entry counts checked per file.

    Attributes
    ----------
    files, tree : str
        As in a sample.
    name : str
        What its branches are called by, as in ``name.branch``; by default the tree's name.
    match : str
        A branch that both trees have, and that must be equal in every entry.
    """

    files: str | tuple[str, ...]
    tree: str = ""
    name: str = ""
    match: str = ""


class Sample(Keys, frozen=True, kw_only=True):
    """One kind of events: which files, which branch or expression is which quantity in which unit, role and exposure.

    `columns` maps canonical names (`pdg`, `e_nu`, `t`, `theta`, `t_reco`, `theta_reco`, `weight`) and any name of your
    own to a branch name, a number or a `Column`; it is laid over the preset's. `selection` is a cut on branches and
    columns. Files are paths, globs, `file.root:tree`, or URLs, relative to the sample set's TOML; `$VAR` is taken from
    the environment.

    `shower` says which particle of a generator's final state is taken for the electron, where that is not the electron:
    "pi0", "photon", "electron", or a condition on the branches that list the final state. Of the particles that fit,
    the particle of highest energy gives `t` and `theta`.

    `process` is what neutrinos scatter on: "electron", or "nucleus" for coherent scattering on whole nuclei, with `t`
    the recoil energy of the nucleus and a column `nucleus`, its PDG code.

    `injected` says of role "data" what made the events, if they are not measured; `spectrafit inject` writes it.
    """

    name: str
    role: Role
    title: str = ""
    files: str | tuple[str, ...] = ()
    tree: str = ""
    preset: str = "native"
    shower: str = ""
    process: Literal["electron", "nucleus"] = "electron"
    columns: dict[str, str | Finite | Column] = field(default_factory=dict)
    friends: tuple[Friend, ...] = ()
    selection: str = ""
    pot: Pot | PotSource | None = None
    response: Response | bool | None = None
    sin2_theta_w: Share | None = None
    on_bad: Literal["error", "drop"] = "error"
    generate: Recipe | None = None
    injected: str = ""


class SampleSet(Keys, frozen=True, kw_only=True):
    """The content of `samples/*.toml`: the samples, and the flux, detector and response for recipes and true ntuples.

    `sin2_theta_w` is the value the events were generated with; `flux` maps a flavour to a table file, a source, or a
    list of them that add up; `flux_unit` is the unit of tables that say none, 1/AREA/EXPOSURE per bin or
    1/AREA/EXPOSURE/ENERGY; `include` names files that this one is laid over. `[target]` gives electrons and nuclei by
    material and mass, `[detector]` in its place the number of electrons alone.
    """

    samples: tuple[Sample, ...]
    title: str = ""
    sin2_theta_w: Share = 0.23863
    seed: Seed = 1
    detector: Detector | None = None
    target: Target | None = None
    flux: dict[Flavour, Flux] = field(default_factory=dict)
    flux_unit: str = ""
    response: Response | None = None
    include: str | tuple[str, ...] = ()
    path: str = ""

    def __post_init__(self) -> None:
        """Refuse two targets, and a unit that cannot be read."""
        if self.detector is not None and self.target is not None:
            raise ValueError("[detector] and [target] both give the electrons; leave out one of them")
        if self.flux_unit:
            flux_unit(self.flux_unit)

    @property
    def name(self) -> str:
        """The stem of the TOML this set was loaded from."""
        return Path(self.path).stem

    @property
    def folder(self) -> Path:
        """The folder relative file names start from."""
        return Path(self.path).parent
