"""The keys of `fits/*.toml` as frozen structs: regions, counts, data, options of fits and limits, and `Analysis`."""

from __future__ import annotations

import html
import itertools
import math
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import UNSET, UnsetType, field
from msgspec.structs import replace

from spectrafit.config.couplings import Coupling, settle, table_of_interest
from spectrafit.config.numbers import (
    Correlation1,
    Events,
    Finite,
    Level,
    Natural,
    Positive,
    Pot,
    Seed,
    Share,
    Toys,
)
from spectrafit.config.samples import Keys, Sample, SampleSet
from spectrafit.config.systematics import ShiftedSample, Systematic
from spectrafit.errors import ConfigError, nearest
from spectrafit.physics.couplings import FittedCoupling

__all__ = [
    "Analysis",
    "Axis",
    "Correlation",
    "CountsSample",
    "FitOptions",
    "LimitOptions",
    "Method",
    "Normalise",
    "Prune",
    "Region",
    "chosen",
]


def chosen(patterns: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the `names` that match any of the `patterns` (shell globs), in the order of `names`.

    A name matches itself, whatever characters are in it.
    """
    return tuple(n for n in names if any(n == p or fnmatchcase(n, p) for p in patterns))


class Axis(Keys, frozen=True, kw_only=True):
    """One axis of a region: an observable and its bin edges.

    The observable is a name (`t_reco`, `t_theta2_reco`, ...), a column, or any expression of both; shift systematics
    move every column it is made of. Give either `edges` (strictly increasing), or `bins` and `range`, with `log = true`
    for logarithmic spacing.
    """

    observable: str
    edges: tuple[Finite, ...] = ()
    bins: Natural = 0
    range: tuple[Finite, ...] = ()
    log: bool = False
    label: str = ""

    def __post_init__(self) -> None:
        """Refuse edges that do not increase and axes given twice or not at all."""
        if bool(self.edges) == bool(self.bins):
            raise ValueError(f"axis {self.observable!r}: give either edges, or bins and range")
        if self.bins and (self.bins < 1 or len(self.range) != 2):
            raise ValueError(f"axis {self.observable!r}: bins >= 1 needs range = [low, high]")
        values = self.edges or self.range
        if len(values) < 2 or not all(math.isfinite(v) for v in values):
            raise ValueError(f"axis {self.observable!r}: needs at least two finite edges, found {values}")
        for low, high in itertools.pairwise(values):
            if not low < high:
                raise ValueError(f"axis {self.observable!r}: edges must increase, found {low} before {high}")
        if self.log and values[0] <= 0:
            raise ValueError(f"axis {self.observable!r}: a logarithmic axis needs a lower edge > 0, found {values[0]}")


class Region(Keys, frozen=True, kw_only=True):
    """One histogram of any number of axes: its axes, a `cut`, and the samples it takes.

    Regions of one analysis share no event. With `fit = false` a region is shown and not fitted, as a validation region
    or a sideband is: the result has its prediction after the fit, with its band and chi^2. `partition` names a file
    (.csv) that numbers every bin of the axes' grid, from 1 and 0 for none; bins of one number are one bin of the fit,
    wherever they lie.
    """

    name: str
    axes: tuple[Axis, ...]
    cut: str = ""
    samples: tuple[str, ...] = ("*",)
    partition: str = ""
    fit: bool = True


class CountsSample(Keys, frozen=True, kw_only=True):
    """A sample known only as expected events: `counts` per region, a number per bin in C order, at the analysis POT."""

    name: str
    counts: dict[str, tuple[Events, ...]]
    errors: dict[str, tuple[Events, ...]] = field(default_factory=dict)
    role: Literal["background"] = "background"
    title: str = ""


class Normalise(Keys, frozen=True, kw_only=True):
    """Scale samples together so that their Standard Model expectation in a region's bins is `expected` events."""

    samples: tuple[str, ...]
    region: str
    expected: Positive


class Correlation(Keys, frozen=True, kw_only=True):
    """Prior correlation between two constrained parameters."""

    parameters: tuple[str, ...]
    value: Correlation1


class Prune(Keys, frozen=True, kw_only=True):
    """Effects too small to keep, per sample and region; 0 keeps all. The result lists every pruned effect.

    An effect is pruned if, at every sigma, it changes a sample's total in a region by less than the share `norm`, and
    its bins at the nominal total by less than the share `shape`. The two parts are pruned separately.
    """

    norm: Share = 0.0
    shape: Share = 0.0


class FitOptions(Keys, frozen=True, kw_only=True):
    """How the likelihood is made and fitted.

    `gaussian` is a chi-square with the fixed covariance of the nominal expectation, Poisson and simulation. To add a
    further covariance, use a systematic of kind `covariance`; the chi-square is the same. `minos` is for kappa.
    """

    terms: Literal["shape+norm", "shape", "norm"] = "shape+norm"
    statistic: Literal["poisson", "dembinski-abdelmotteleb", "gaussian", "neyman-pearson"] = "poisson"
    mc_statistics: Literal["barlow-beeston-lite", "barlow-beeston", "none"] = "barlow-beeston-lite"
    zero_bins: Literal["error", "drop", "floor"] = "error"
    floor: Positive = 1e-6
    minos: bool = False
    correlations: tuple[Correlation, ...] = ()


Method = Literal["profile", "feldman-cousins", "cls", "cls-toys", "bayes", "bayes-mu"]
"""Methods for a limit; `spectrafit.inference.intervals.limits.METHODS` has a row for each (a test compares them)."""


class LimitOptions(Keys, frozen=True, kw_only=True):
    """How the limit is drawn from the likelihood; without `sides` it has those of its method, one for "profile"."""

    level: Level = 0.90
    method: Method = "profile"
    sides: Literal["one", "two"] | None = None
    ensemble: Literal["profiled", "prior"] = "profiled"
    toys: Toys = 2000
    seed: Seed = 1


class Analysis(Keys, frozen=True, kw_only=True):
    """The content of `fits/*.toml`, with its sample sets loaded.

    `experiment` is the name under which `spectrafit chart` shows the result, beside published limits of that name.
    `pot` is the exposure of the expectation, one number or one per sample set (keyed by the stem of its TOML).
    `coupling` is the fitted coupling, a name or a table; without it, the magnetic moment. `couplings` lists several
    instead. `sin2_theta_w` and `sm_xsec` say the Standard Model cross section of the expectation; without
    `sin2_theta_w` it is the value each sample was generated with. `data` are counts by region, or the name of a file
    that `spectrafit inject` wrote. `injected` says what made them, if they are not measured. `include` names files that
    this one is laid over, `without` systematics (names or globs) that are left out. `sample_sets` and `path` are filled
    by `load`, never by the file.
    """

    samples: str | tuple[str, ...]
    regions: tuple[Region, ...]
    pot: Pot | dict[str, Pot]
    title: str = ""
    experiment: str = ""
    coupling: str | Coupling | UnsetType = UNSET
    couplings: tuple[Coupling, ...] = ()
    sin2_theta_w: Share | None = None
    sm_xsec: Literal["tree", "effective", "bks"] = "tree"
    systematics: tuple[Systematic, ...] = ()
    prune: Prune = field(default_factory=Prune)
    counts: tuple[CountsSample, ...] = ()
    normalise: tuple[Normalise, ...] = ()
    data: dict[str, tuple[Events, ...]] = field(default_factory=dict)
    injected: str = ""
    fit: FitOptions = field(default_factory=FitOptions)
    limit: LimitOptions = field(default_factory=LimitOptions)
    include: str | tuple[str, ...] = ()
    without: tuple[str, ...] = ()
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

    def exposure(self, sample_set: SampleSet) -> float:
        """Return the analysis POT for the samples of one set."""
        return self.pot[sample_set.name] if isinstance(self.pot, dict) else self.pot

    def __repr__(self) -> str:
        """Return a few lines: coupling, exposure, samples, regions and systematics."""
        listed = [table.name for table in self.couplings] or ["magnetic_moment"]
        short = self.coupling.name if isinstance(self.coupling, Coupling) else self.coupling
        couplings = [short] if isinstance(short, str) else listed
        pots = self.pot if isinstance(self.pot, dict) else {"": self.pot}
        samples = [sample.name for _, sample in self.nominal] + [sample.name for sample in self.counts]
        regions = [f"{region.name} ({' x '.join(axis.observable for axis in region.axes)})" for region in self.regions]
        lines = (
            f"Analysis {self.path}{': ' if self.title else ''}{self.title}",
            f"  coupling: {', '.join(couplings)}; statistic {self.fit.statistic}, limit by {self.limit.method}",
            f"  exposure: {', '.join(f'{name} {pot:.6g} POT'.strip() for name, pot in pots.items())}",
            f"  samples: {', '.join(samples)}",
            f"  regions: {', '.join(regions)}",
            f"  systematics: {', '.join(systematic.name for systematic in self.systematics) or 'none'}",
        )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
