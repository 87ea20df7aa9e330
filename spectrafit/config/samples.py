"""The keys of a sample set, `samples/*.toml`: which files, which branch is which quantity, role and exposure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from spectrafit.config.numbers import Finite, Natural, NotNegative, Pot, Relative, Seed, Share, ShareKept

__all__ = [
    "Column",
    "Detector",
    "Flavour",
    "Friend",
    "Keys",
    "PotSource",
    "Recipe",
    "Response",
    "Role",
    "Sample",
    "SampleSet",
    "Unit",
]

Unit = Literal["GeV", "MeV", "keV", "rad", "mrad", "deg", "cos", "1"]
Role = Literal["signal", "background", "data"]
Flavour = Literal["nue", "nuebar", "numu", "numubar", "nutau", "nutaubar"]


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
        Integral of the generator's flux, neutrinos / m^2 / 10^6 POT.
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
    cross_section: NotNegative = 0.0
    targets: Annotated[float, Meta(ge=0.0, le=1e60)] = 0.0
    entries: Natural = 0

    def __post_init__(self) -> None:
        """Refuse a table with none or more than one of the three ways."""
        generated = [self.flux > 0, self.cross_section > 0, self.targets > 0]
        ways = [bool(self.histogram), bool(self.branch), any(generated)]
        if sum(ways) != 1 or (any(generated) and not all(generated)):
            raise ValueError("pot: give one of histogram, branch, or flux with cross_section and targets")
        rate = self.flux * self.cross_section * 1e-4 * self.targets
        if any(generated) and not 1e-60 < rate < 1e60:
            raise ValueError(
                f"pot: flux x cross_section x targets makes {rate:.3g} events in 10^6 POT; look at their units"
            )


class Response(Keys, frozen=True, kw_only=True):
    """Parametric detector response, applied to true (t, theta); see `spectrafit.events.response` for the formulas.

    Attributes
    ----------
    energy_stochastic, energy_constant : float
        sigma(T)/T = a / sqrt(T / GeV) + b.
    energy_scale : float
        Reconstructed over true energy, mean.
    angle_constant, angle_stochastic : float
        Core width per projection, rad: c0 + c1 / (T / GeV).
    angle_tail_fraction, angle_tail_scale : float
        A fraction of the events has its width multiplied by the scale: the non-Gaussian tail.
    threshold : float
        Lowest reconstructed T kept, GeV.
    efficiency : float
        Plateau of the selection efficiency.
    efficiency_turn_on, efficiency_width : float
        The efficiency is plateau / (1 + exp(-(T - turn_on) / width)), T true, GeV; width 0 = flat.
    seed : int
        Key of the counter-based random numbers: entry i of a sample is smeared the same way everywhere.
    draws : int
        How often each entry of a truth-only ntuple is smeared while it is read, with that part of its weight each time.
        Takes the noise of migration out of few events. Generated files are smeared once.
    """

    energy_stochastic: Relative = 0.0
    energy_constant: Relative = 0.0
    energy_scale: Annotated[float, Meta(gt=0.0, le=1000.0)] = 1.0
    angle_constant: Relative = 0.0
    angle_stochastic: Relative = 0.0
    angle_tail_fraction: Share = 0.0
    angle_tail_scale: Relative = 1.0
    threshold: NotNegative = 0.0
    efficiency: ShareKept = 1.0
    efficiency_turn_on: Finite = 0.0
    efficiency_width: NotNegative = 0.0
    seed: Seed = 0
    draws: Annotated[int, Meta(ge=1, le=1000)] = 1


class Recipe(Keys, frozen=True, kw_only=True):
    """How `spectrafit generate` makes a sample: nu-e elastic events of one flavour, on the set's flux and detector.

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
    t_min : float
        Smallest true T made, GeV; needed by a coupling whose cross section diverges at T = 0.
    """

    flavour: Flavour
    events: Annotated[int, Meta(ge=1, le=10**10)]
    coupling: str = ""
    kappa: Finite = 0.0
    couplings: dict[str, Finite] = field(default_factory=dict)
    t_min: NotNegative = 0.0

    def __post_init__(self) -> None:
        """Refuse one coupling beside several."""
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

    `injected` says of role "data" what made the events, if they are not measured; `spectrafit inject` writes it.
    """

    name: str
    role: Role
    title: str = ""
    files: str | tuple[str, ...] = ()
    tree: str = ""
    preset: str = "native"
    shower: str = ""
    columns: dict[str, str | Finite | Column] = field(default_factory=dict)
    friends: tuple[Friend, ...] = ()
    selection: str = ""
    pot: Pot | PotSource | None = None
    response: Response | bool | None = None
    sin2_theta_w: Share | None = None
    on_bad: Literal["error", "drop"] = "error"
    generate: Recipe | None = None
    injected: str = ""


class Detector(Keys, frozen=True, kw_only=True):
    """The target: electrons in the fiducial volume, and where that number comes from."""

    electrons: Annotated[float, Meta(gt=0.0, le=1e60)]
    origin: str


class SampleSet(Keys, frozen=True, kw_only=True):
    """The content of `samples/*.toml`: the samples, and the flux, detector and response for recipes and true ntuples.

    `sin2_theta_w` is the value the events were generated with; `flux` maps a flavour to a table file; `include` names
    files that this one is laid over.
    """

    samples: tuple[Sample, ...]
    title: str = ""
    sin2_theta_w: Share = 0.23863
    seed: Seed = 1
    detector: Detector | None = None
    flux: dict[Flavour, str] = field(default_factory=dict)
    response: Response | None = None
    include: str | tuple[str, ...] = ()
    path: str = ""

    @property
    def name(self) -> str:
        """The stem of the TOML this set was loaded from."""
        return Path(self.path).stem

    @property
    def folder(self) -> Path:
        """The folder relative file names start from."""
        return Path(self.path).parent
