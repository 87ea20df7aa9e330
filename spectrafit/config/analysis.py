"""The keys of `fits/*.toml` as frozen structs: regions, counts, data, and `Analysis` as a whole."""

from __future__ import annotations

import html
import itertools
import math
from typing import Literal

from msgspec import UNSET, UnsetType, field
from msgspec.structs import replace

from spectrafit.config.couplings import Coupling, settle, table_of_interest
from spectrafit.config.numbers import Events, Finite, Natural, Positive, Pot, Share
from spectrafit.config.options import FitOptions, LimitOptions, Prune
from spectrafit.config.patterns import chosen
from spectrafit.config.quantities import quantity
from spectrafit.config.samples import Keys, Sample, SampleSet
from spectrafit.config.systematics import ShiftedSample, Systematic
from spectrafit.config.tables import DataFile, TableSample
from spectrafit.errors import ConfigError, nearest
from spectrafit.physics.couplings import FittedCoupling

__all__ = [
    "Analysis",
    "Axis",
    "CountsSample",
    "Normalise",
    "Region",
]


class Axis(Keys, frozen=True, kw_only=True):
    """One axis of a region: an observable and its bin edges.

    Give either `edges`, or `bins` and `range`.

    Attributes
    ----------
    observable
        What is binned: t, theta, t_theta2, e_theta2 (each with `_reco` for the reconstructed one), e_nu, a column, or
        an expression of them. Shifts move every column it is made of. Example: ``observable = "t_theta2_reco"``
    edges : GeV, rad, or the observable's own unit
        Edges of the bins, increasing. Example: ``edges = [0.3, 0.5, 0.8, 1.2, 2.0, 5.0]``
    bins : bins
        How many bins of equal width `range` is cut into. Example: ``bins = 6``
    range : GeV, rad, or the observable's own unit
        Lowest and highest edge. Example: ``range = [0.0, 0.003]``
    log
        `true`: bins of equal ratio in place of equal width. Example: ``log = true``
    unit
        The unit of edges and range, where it is not GeV, rad or GeV rad^2. Example: ``unit = "keV"``
    label
        What figures show. Example: ``label = "shower energy (GeV)"``
    scale
        How figures draw the axis; the fit does not know it. `log`; `broken`, in which wide bins are drawn narrower;
        `even`, in which all bins are equally wide; or `linear`. Empty: what the edges need. Example: ``scale = "log"``
    """

    observable: str
    edges: tuple[Finite, ...] = ()
    bins: Natural = 0
    range: tuple[Finite, ...] = ()
    log: bool = False
    unit: str = ""
    label: str = ""
    scale: Literal["", "linear", "log", "broken", "even"] = ""
    # Filled by `load`: the `unit` of the file, once edges and range are in that of the observable.
    written_in: str = ""

    def __post_init__(self) -> None:
        """Refuse edges that do not increase and axes given twice or not at all."""
        if bool(self.edges) == bool(self.bins):
            raise ValueError(f"axis {self.observable!r}: give either edges, or bins and range")
        if self.bins and (self.bins < 1 or len(self.range) != 2):
            raise ValueError(f"axis {self.observable!r}: bins >= 1 needs range = [low, high]")
        values = self.edges or self.range
        if len(values) < 2 or not all(math.isfinite(value) for value in values):
            raise ValueError(f"axis {self.observable!r}: needs at least two finite edges, found {values}")
        for low, high in itertools.pairwise(values):
            if not low < high:
                raise ValueError(f"axis {self.observable!r}: edges must increase, found {low} before {high}")
        if self.scale == "log" and values[0] <= 0:
            raise ValueError(f'axis {self.observable!r}: scale = "log" needs a lower edge > 0, found {values[0]}')
        if self.log and values[0] <= 0:
            raise ValueError(f"axis {self.observable!r}: a logarithmic axis needs a lower edge > 0, found {values[0]}")


class Region(Keys, frozen=True, kw_only=True):
    """One histogram of any number of axes. Regions of one analysis share no event.

    Attributes
    ----------
    name
        What results, figures and other keys call the region. Example: ``name = "nd"``
    axes
        The axes, `[[regions.axes]]` or a list of tables.
        Example: ``axes = [{ observable = "t_reco", edges = [0.3, 1.0, 5.0] }]``
    cut
        Which events enter, in observables and columns. Example: ``cut = "t_theta2_reco < 0.003 && score > 0.5"``
    samples
        The samples that enter, by names or globs. Example: ``samples = ["elastic", "nc_*"]``
    partition
        A CSV file that numbers every bin of the axes' grid, from 1, and 0 for none; bins of one number are one bin of
        the fit, wherever they lie. Example: ``partition = "bins.csv"``
    fit
        `false`: the region is shown and not fitted, as a validation region or a sideband is. Example: ``fit = false``
    """

    name: str
    axes: tuple[Axis, ...]
    cut: str = ""
    samples: tuple[str, ...] = ("*",)
    partition: str = ""
    fit: bool = True


class CountsSample(Keys, frozen=True, kw_only=True):
    """A sample known only as expected events per bin, at the exposure of the analysis.

    Attributes
    ----------
    name
        As of a sample. Example: ``name = "rock"``
    counts : events
        For each region a number per bin, in C order (the last axis runs fastest).
        Example: ``counts = { nd = [2.4, 0.9] }``
    errors : events
        Standard deviations of these numbers, in the same order. Example: ``errors = { nd = [0.3, 0.2] }``
    role
        Always "background". Example: ``role = "background"``
    title
        What legends and tables show. Example: ``title = "rock muons"``
    """

    name: str
    counts: dict[str, tuple[Events, ...]]
    errors: dict[str, tuple[Events, ...]] = field(default_factory=dict)
    role: Literal["background"] = "background"
    title: str = ""


class Normalise(Keys, frozen=True, kw_only=True):
    """Scale samples together so that their Standard Model expectation in a region's bins is a given number.

    Attributes
    ----------
    samples
        The samples that are scaled by one factor, by names or globs. Example: ``samples = ["numu", "nue"]``
    region
        The region whose bins are added up. Example: ``region = "window"``
    expected : events
        The sum they are scaled to. Example: ``expected = 23.78``
    """

    samples: tuple[str, ...]
    region: str
    expected: Positive


class Analysis(Keys, frozen=True, kw_only=True):
    """The content of `fits/*.toml`, with its sample sets loaded.

    Attributes
    ----------
    samples
        The sample set, or a list of sets whose events add up, relative to this file. If two sets have a sample of one
        name, all samples are called set/sample, and a name or glob without a slash means those of every set.
        Example: ``samples = ["beam.toml", "cosmic.toml"]``
    regions
        The histograms, `[[regions]]`.
        Example: ``regions = [{ name = "nd", axes = [{ observable = "t_reco", edges = [0.3, 5.0] }] }]``
    pot : POT
        Exposure to expect events at: one number, or a table with one for each sample set, by the name of its file.
        Example: ``pot = { beam = 3.62e20, cosmic = 1e20 }``
    exposure
        In place of `pot`: the same number with a unit, where protons are not what is counted. The exposure of the
        samples is in this unit, too. Example: ``exposure = "1.16 t yr"``
    title
        What results and figures show. Example: ``title = "My detector, neutrino mode"``
    experiment
        The line of `spectrafit chart` that the result joins, with published limits of that name.
        Example: ``experiment = "LSND"``
    coupling
        The fitted coupling, a name or a table; without it, the magnetic moment. Example: ``coupling = "charge_radius"``
    couplings
        In place of `coupling`: several, `[[couplings]]`.
        Example: ``couplings = [{ name = "charge_radius" }, { name = "weak_mixing_angle" }]``
    sin2_theta_w : no unit
        The weak mixing angle of the expectation; without the key, what each sample was generated with.
        Example: ``sin2_theta_w = 0.23863``
    sm_xsec
        The Standard Model cross section: "tree", "effective" (couplings with radiative corrections) or "bks" (Bahcall,
        Kamionkowski and Sirlin). Example: ``sm_xsec = "bks"``
    systematics
        The uncertainties, `[[systematics]]`.
        Example: ``systematics = [{ kind = "norm", name = "flux", sigma = 0.09 }]``
    prune
        Effects too small to keep. Example: ``prune = { shape = 0.001 }``
    counts
        Samples known as numbers per bin, `[[counts]]`.
        Example: ``counts = [{ name = "rock", counts = { nd = [2.4] } }]``
    tables
        Samples known as spectra in files or as numbers, `[[tables]]`.
        Example: ``tables = [{ name = "xe", file = "b.csv", columns = { x = 1, value = 2 }, per = "t yr keV" }]``
    normalise
        Expectations that are known, `[[normalise]]`.
        Example: ``normalise = [{ samples = ["numu"], region = "nd", expected = 23.78 }]``
    data : events
        Observed counts by region: a number per bin in C order, or a table that names a file of bins or of events, as in
        `{ file = "events.txt", columns = { event = 1 }, unit = "keV" }`. Or the name of a file that `spectrafit inject`
        wrote.
        Samples of role "data" are added. Fitted with `--unblind` alone.
        Example: ``data = { nd = [25] }``
    injected
        What made `data`, if they are not measured; `spectrafit inject` writes it. Example: ``injected = "toy 7"``
    fit
        Options of the likelihood. Example: ``fit = { zero_bins = "floor" }``
    limit
        Options of the limit. Example: ``limit = { level = 0.95, method = "cls" }``
    include
        An analysis, or a list, that this one is laid over. Example: ``include = "fit.toml"``
    without
        Systematics of the file or of an included one that are left out, by names or globs.
        Example: ``without = ["flux*"]``
    """

    samples: str | tuple[str, ...] = ()
    regions: tuple[Region, ...]
    pot: Pot | dict[str, Pot]
    exposure: str | dict[str, str] = ""
    title: str = ""
    experiment: str = ""
    coupling: str | Coupling | UnsetType = UNSET
    couplings: tuple[Coupling, ...] = ()
    sin2_theta_w: Share | None = None
    sm_xsec: Literal["tree", "effective", "bks"] = "tree"
    systematics: tuple[Systematic, ...] = ()
    prune: Prune = field(default_factory=Prune)
    counts: tuple[CountsSample, ...] = ()
    tables: tuple[TableSample, ...] = ()
    normalise: tuple[Normalise, ...] = ()
    data: dict[str, tuple[Events, ...] | DataFile] = field(default_factory=dict)
    injected: str = ""
    fit: FitOptions = field(default_factory=FitOptions)
    limit: LimitOptions = field(default_factory=LimitOptions)
    include: str | tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    # Filled by `load`, never by the file.
    sample_sets: tuple[SampleSet, ...] = ()
    path: str = ""

    @property
    def fitted_couplings(self) -> tuple[FittedCoupling, ...]:
        """The couplings in the order of the file, fitted and held ones. ConfigError if they do not go together."""
        return settle(self.coupling, self.couplings, self.path)[0]

    @property
    def interest(self) -> str:
        """The name of the parameter that the limit is for. ConfigError as for `fitted_couplings`."""
        settled, place = settle(self.coupling, self.couplings, self.path)
        return settled[place].parameter

    def with_interest(self, parameter: str) -> Analysis:
        """Return the same analysis with the limit for another of its fitted couplings, named by its parameter.

        Raises
        ------
        ConfigError
            No fitted coupling has that parameter.
        """
        settled = self.fitted_couplings
        names = [coupling.parameter for coupling in settled if coupling.carriers]
        if parameter not in names:
            raise ConfigError(
                f"{self.path}: no fitted coupling has the parameter {parameter!r}{nearest(parameter, names)} (there"
                f" are: {', '.join(names)})"
            )
        if parameter == self.interest:
            return self
        tables = tuple(
            replace(table, interest=coupling.parameter == parameter)
            for table, coupling in zip(self.couplings, settled, strict=True)
        )
        return replace(self, couplings=tables)

    @property
    def coupling_options(self) -> Coupling:
        """The table of the coupling of interest. ConfigError as for `fitted_couplings`."""
        return table_of_interest(self.coupling, self.couplings, self.path)

    @property
    def stand_ins(self) -> frozenset[str]:
        """The shifted samples of `sample` systematics."""
        return frozenset(
            name
            for systematic in self.systematics
            if isinstance(systematic, ShiftedSample)
            for name in (*systematic.up.values(), *systematic.down.values())
        )

    @property
    def nominal(self) -> tuple[tuple[SampleSet, Sample], ...]:
        """The samples that make the expectation and the data: all but the shifted stand-ins of `sample` systematics."""
        shifted = self.stand_ins
        used = [pattern for region in self.regions for pattern in region.samples]
        return tuple(
            (sample_set, sample)
            for sample_set in self.sample_sets
            for sample in sample_set.samples
            if sample.name not in shifted and chosen(tuple(used), (sample.name,))
        )

    def sample(self, name: str) -> tuple[SampleSet, Sample]:
        """Return the sample called `name` and its set; KeyError if there is none."""
        for sample_set in self.sample_sets:
            for sample in sample_set.samples:
                if sample.name == name:
                    return sample_set, sample
        raise KeyError(name)

    def exposure_of(self, sample_set: SampleSet) -> float:
        """Return the exposure of the analysis for the samples of one set: POT, or the number before `exposure_unit`."""
        return self.pot[sample_set.name] if isinstance(self.pot, dict) else self.pot

    def exposure_unit(self, sample_set: str = "") -> str:
        """Return the unit of the exposure, for one set by its name or for all: "POT", or what `exposure` says."""
        said = self.exposure.get(sample_set, "") if isinstance(self.exposure, dict) else self.exposure
        return (quantity(said, "exposure").unit if said else "") or "POT"

    @property
    def exposures(self) -> dict[str, tuple[float, str]]:
        """The exposure and its unit by the name of the sample set, or under "" where one is for all."""
        pots = self.pot if isinstance(self.pot, dict) else {"": self.pot}
        return {name: (pot, self.exposure_unit(name)) for name, pot in pots.items()}

    def __repr__(self) -> str:
        """Return a few lines: coupling, exposure, samples, regions and systematics."""
        listed = [table.name for table in self.couplings] or ["magnetic_moment"]
        short = self.coupling.name if isinstance(self.coupling, Coupling) else self.coupling
        couplings = [short] if isinstance(short, str) else listed
        exposures = [f"{name} {pot:.6g} {unit}".strip() for name, (pot, unit) in self.exposures.items()]
        samples = [sample.name for _, sample in self.nominal] + [sample.name for sample in self.counts]
        samples += dict.fromkeys(table.name for table in self.tables)
        regions = [f"{region.name} ({' x '.join(axis.observable for axis in region.axes)})" for region in self.regions]
        lines = (
            f"Analysis {self.path}{': ' if self.title else ''}{self.title}",
            f"  coupling: {', '.join(couplings)}; statistic {self.fit.statistic}, limit by {self.limit.method}",
            f"  exposure: {', '.join(exposures)}",
            f"  samples: {', '.join(samples)}",
            f"  regions: {', '.join(regions)}",
            f"  systematics: {', '.join(systematic.name for systematic in self.systematics) or 'none'}",
        )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
