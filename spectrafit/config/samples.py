"""The keys of a sample set, `samples/*.toml`: which files, which branch is which quantity, role and exposure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field

from spectrafit.config.keys import Keys
from spectrafit.config.numbers import Finite, Natural, NotNegative, Positive, Pot, Seed, Share
from spectrafit.config.responses import Response
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


class Column(Keys, frozen=True, kw_only=True):
    """Where a quantity comes from: a `branch` or an `expression`, and its unit.

    Attributes
    ----------
    branch
        A branch of the tree, or of a friend as `friend.branch`. Example: ``branch = "shw_T"``
    expression
        An expression of branches and columns in ROOT's spelling, in place of a branch; `m_e` is the electron's mass in
        GeV. Example: ``expression = "mc_E - m_e"``
    unit
        The unit that the branch or expression has. Energies: "GeV", "MeV", "keV". Angles: "rad", "mrad", "deg", and
        "cos" for a branch that holds the angle's cosine. "1" is a number without a unit. Without the key energies are
        in GeV and angles in rad. Example: ``unit = "MeV"``
    """

    branch: str = ""
    expression: str = ""
    unit: Unit | None = None


class PotSource(Keys, frozen=True, kw_only=True):
    """Where a sample's protons on target come from, one of three ways.

    A `histogram` kept in the files; a `branch`; or, for a generator's file, the POT equivalent
    entries / (flux x cross section x targets).

    Attributes
    ----------
    histogram
        A histogram in every file, whose sum is the file's POT. Example: ``histogram = "TotalPOT"``
    branch
        A branch with the POT of each entry; its sum over the entries is the file's POT. Example: ``branch = "pot"``
    tree
        The tree of that branch; without the key, the sample's own tree. Example: ``tree = "meta"``
    flux : neutrinos / m^2 / 10^6 POT
        Integral of the generator's flux over the energy, in this unit or in `unit`. Example: ``flux = 118.4842``
    unit
        What `flux` is in, 1/AREA/EXPOSURE; without the key NOvA's unit. Example: ``unit = "1/m^2/10^6 POT"``
    cross_section : cm^2 per target
        Flux-averaged cross section of everything the generator made. Example: ``cross_section = 6.4961e-39``
    targets : electrons or nucleons
        Targets in the fiducial volume, of the kind that the cross section is for. Example: ``targets = 2.836e31``
    entries : events
        Events the generator made, where the files hold a selected part of them. 0: as many as the files hold.
        Example: ``entries = 160_000``
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


class Recipe(Keys, frozen=True, kw_only=True):
    """How `spectrafit generate` makes a sample: scattering of one flavour, on the set's flux and detector or target.

    Attributes
    ----------
    flavour
        One of the flavours of the set's `[flux]`. Example: ``flavour = "numu"``
    events : events
        Events made; events that the response puts below its threshold are not written. Example: ``events = 600_000``
    coupling
        A coupling that is switched on. Example: ``coupling = "magnetic_moment"``
    kappa : units of kappa
        The value of that coupling; 1 is the coupling's scale (fits/README.md). Example: ``kappa = 1.0``
    couplings : units of kappa
        Several couplings and their values, in place of the two keys above; they act together, as in a fit of several.
        Example: ``couplings = { magnetic_moment = 3.0, charge_radius = 5.0 }``
    t_min : GeV, or `unit`
        Smallest true T made; needed by a coupling whose cross section diverges at T = 0, and by scattering on nuclei.
        Example: ``t_min = 0.1``
    t_max : GeV, or `unit`
        Largest true T made; without the key, no limit. Example: ``t_max = 2.0``
    unit
        Unit of the two: "GeV", "MeV", "keV" or "eV". Example: ``unit = "keV"``
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
    files
        As in a sample, in the same order. Example: ``files = "weights_*.root"``
    tree
        The tree in these files. Example: ``tree = "weights"``
    name
        What its branches are called by, as in `name.branch`; without the key, the tree's name.
        Example: ``name = "flux"``
    match
        A branch that both trees have, and that must be equal in every entry. Example: ``match = "event"``
    """

    files: str | tuple[str, ...]
    tree: str = ""
    name: str = ""
    match: str = ""


class Sample(Keys, frozen=True, kw_only=True):
    """One kind of events: which files, which branch or expression is which quantity in which unit, role and exposure.

    Attributes
    ----------
    name
        What analyses, tables and results call the sample. Example: ``name = "elastic"``
    role
        "signal" is reweighted to the couplings, "background" is not, "data" is counted. Example: ``role = "signal"``
    title
        What legends and tables show; without the key, the name. Example: ``title = "nu_mu e"``
    files
        Paths, globs, `file.root:tree`, or URLs (https, s3, and root://server//path with the extra `remote`), one or a
        list, relative to the sample set's file; `$VAR` and `~` are replaced.
        Example: ``files = ["run1/*.root", "root://server//store/run2.root"]``
    tree
        The tree to read; without the key, the tree of the preset. Example: ``tree = "ana/nue"``
    preset
        The layout of the ntuple: native, gst, flattree, nuwro or flatcaf; `spectrafit inspect` says which.
        Example: ``preset = "gst"``
    shower
        The particle of the final state that is taken for the electron, where that is not the electron: "pi0", "photon",
        "electron", "electromagnetic", or a condition on the particles. Of those that fit, the particle of highest
        energy gives `t` and `theta`. Example: ``shower = "pi0"``
    process
        What neutrinos scatter on: "electron", or "nucleus" for coherent scattering on whole nuclei, with T the energy
        of the recoil and a column `nucleus`, its PDG code. Example: ``process = "nucleus"``
    columns : GeV, rad, or the column's own unit
        Where `pdg`, `e_nu`, `t`, `theta`, `t_reco`, `theta_reco`, `weight` and columns of any name come from: a branch,
        a number, or a table. They are laid over the preset's.
        Example: ``columns = { e_nu = "mc_enu", weight = 0.02, t_reco = { branch = "shw_T", unit = "MeV" } }``
    friends
        Trees aligned with the sample's, `[[samples.friends]]`. Example: ``friends = [{ files = "w.root" }]``
    selection
        A cut on branches and columns in ROOT's spelling; other entries are not read.
        Example: ``selection = "score > 0.5"``
    pot : POT
        Protons on target of all files together: a number, or a table that says where they stand. Without the key, what
        the preset finds in the files. Example: ``pot = 2.5e21``
    response
        `true` smears true columns with the set's `[response]`; a table is a response of the sample's own.
        Example: ``response = true``
    sin2_theta_w : no unit
        The weak mixing angle these events were generated with; without the key, the set's.
        Example: ``sin2_theta_w = 0.23116``
    on_bad
        What to do with entries that the kinematics forbid: "error", or "drop" them. Both count them.
        Example: ``on_bad = "drop"``
    generate
        The recipe by which `spectrafit generate` makes the files.
        Example: ``generate = { flavour = "numu", events = 600_000 }``
    injected
        Of role "data": what made the events, if they are not measured; `spectrafit inject` writes it.
        Example: ``injected = "toy 7 of kappa=2"``
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

    Attributes
    ----------
    samples
        The samples, `[[samples]]`. Example: ``samples = [{ name = "elastic", role = "signal", files = "nue.root" }]``
    title
        What tables show for the set. Example: ``title = "My detector"``
    sin2_theta_w : no unit
        The weak mixing angle the events were generated with; a wrong value gives wrong weights.
        Example: ``sin2_theta_w = 0.23116``
    seed : no unit
        Of `spectrafit generate`: the same seed gives the same events. Example: ``seed = 20240122``
    detector
        The target of recipes as a number of electrons.
        Example: ``detector = { electrons = 1.740e31, origin = "52.8 t" }``
    target
        The target by its material and mass, in place of `detector`; scattering on nuclei needs it. Beside `detector` it
        gives the nuclei and the binding, not the number of electrons.
        Example: ``target = { material = "Xe", mass = 4370 }``
    flux
        The flux table of each flavour: lines of low and high edge (GeV), neutrinos / m^2 / 10^6 POT in the bin, and its
        fractional uncertainty; or `file.root:name` of a histogram of neutrinos / m^2 / 10^6 POT / GeV. In place of a
        table a source, or a list of tables and sources that add up.
        Example: ``flux = { numu = "flux/numu.dat", nue = { kind = "solar" } }``
    flux_unit
        Unit of the numbers in tables that say none: 1/AREA/EXPOSURE per bin, or 1/AREA/EXPOSURE/ENERGY; without the
        key NOvA's, as above. Example: ``flux_unit = "1/cm^2/s/MeV"``
    response
        The response of samples with `response = true`, and of recipes.
        Example: ``response = { energy_constant = 0.1 }``
    include
        A sample set, or a list, that this one is laid over. Example: ``include = "nova_nd_fhc.toml"``
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
    # Filled by `load_samples`, never by the file.
    path: str = ""

    def __post_init__(self) -> None:
        """Refuse a unit that cannot be read."""
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
