"""The keys of `fits/*.toml` as frozen structs: regions, couplings, systematics, data, fit and limit options."""

from __future__ import annotations

import itertools
import math
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import UNSET, UnsetType, field
from msgspec.structs import force_setattr

from spectrafit.config.couplings import Coupling, settle, table_of_interest
from spectrafit.config.numbers import (
    Correlation1,
    Events,
    Finite,
    Level,
    Natural,
    Positive,
    Pot,
    Relative,
    Seed,
    Share,
    ShareKept,
    ShiftScale,
    Sigma,
    Toys,
)
from spectrafit.config.samples import Keys, Sample, SampleSet
from spectrafit.physics.couplings import FittedCoupling

__all__ = [
    "Analysis",
    "Axis",
    "Correlation",
    "CountsSample",
    "Covariance",
    "FitOptions",
    "FluxUncertainty",
    "LimitOptions",
    "Norm",
    "Normalise",
    "Prune",
    "Region",
    "Shift",
    "ShiftedSample",
    "Systematic",
    "Universes",
    "Weight",
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
    """One N-dimensional histogram: its axes, a `cut`, and the samples it takes.

    Regions of one analysis share no event.
    """

    name: str
    axes: tuple[Axis, ...]
    cut: str = ""
    samples: tuple[str, ...] = ("*",)


class _Effect(Keys, frozen=True, kw_only=True):
    """What every systematic says: its parameter's name and where it acts.

    `samples` and `regions` are names or globs. `powers` is "all", or "sm" to leave the coupling's templates alone.
    `shape = "shape"` takes out the change of each sample's total, `"norm"` keeps nothing else. `group` is for impacts.
    """

    name: str
    samples: tuple[str, ...] = ("*",)
    regions: tuple[str, ...] = ("*",)
    powers: Literal["all", "sm"] = "all"
    shape: Literal["both", "shape", "norm"] = "both"
    group: str = ""


class Norm(_Effect, frozen=True, kw_only=True, tag="norm", tag_field="kind"):
    """A normalisation: `sigma` is the fractional uncertainty; `free = true` has no constraint.

    With theta the parameter, events are multiplied by (1 + sigma)^theta (`log-normal`) or 1 + sigma theta (`gaussian`).
    """

    sigma: Sigma = 0.0
    constraint: Literal["log-normal", "gaussian"] = "log-normal"
    free: bool = False

    def __post_init__(self) -> None:
        """Refuse a width that is not positive, unless the normalisation is free; and the shape of what has none."""
        if self.shape == "shape":
            raise ValueError(f"norm {self.name!r}: changes totals alone, so shape = 'shape' would leave nothing of it")
        if not self.free and not 0 < self.sigma < math.inf:
            raise ValueError(f"norm {self.name!r}: needs sigma > 0, or free = true; found sigma = {self.sigma}")


class Weight(_Effect, frozen=True, kw_only=True, tag="weight", tag_field="kind"):
    """Weight branches for a set of shifts in sigma.

    `weights` are expressions, one per element of `sigmas`: the `ratio` to the nominal weight, or absolute weights.
    A jagged knob array is taken by `array`: one expression of a branch with an entry per element of `sigmas`, in a
    flat CAF ``rec.mc.nu.wgt.univ[3]`` for the fourth knob. Sigmas on one side only are mirrored,
    T(-s) = 2 T(0) - T(+s). Without `interpolation` it is "code4p" between -1 and +1, "spline" for other sigmas.
    """

    sigmas: tuple[Finite, ...] = (-1.0, 1.0)
    weights: tuple[str, ...] = ()
    array: str = ""
    ratio: bool = True
    interpolation: Literal["code4p", "code4", "spline"] | None = None
    smooth: bool | Literal["auto"] = False

    def __post_init__(self) -> None:
        """Refuse anything but one weight per shift, or one array; settle the interpolation."""
        if bool(self.weights) == bool(self.array):
            raise ValueError(f"weight {self.name!r}: give either weights or array")
        if self.weights and len(self.weights) != len(self.sigmas):
            raise ValueError(
                f"weight {self.name!r}: {len(self.weights)} weights for {len(self.sigmas)} sigmas {list(self.sigmas)}"
            )
        if len(set(self.sigmas)) != len(self.sigmas) or 0.0 in self.sigmas:
            raise ValueError(f"weight {self.name!r}: sigmas must differ and not be 0, found {list(self.sigmas)}")
        if not self.sigmas or not all(0.01 <= abs(sigma) <= 100.0 for sigma in self.sigmas):
            raise ValueError(f"weight {self.name!r}: needs sigmas of 0.01 to 100 in size, found {list(self.sigmas)}")
        unit = {abs(sigma) for sigma in self.sigmas} == {1.0}
        if self.interpolation is None:
            force_setattr(self, "interpolation", "code4p" if unit else "spline")
        elif not unit and self.interpolation != "spline":
            raise ValueError(
                f"weight {self.name!r}: {self.interpolation} goes through sigmas -1 and +1, found {list(self.sigmas)};"
                " take interpolation = 'spline', or none"
            )


class Shift(_Effect, frozen=True, kw_only=True, tag="shift", tag_field="kind"):
    """A reconstructed column shifted by one sigma: x -> x (1 + scale) + offset; observables and cuts follow.

    `smear` is the relative width of an extra Gaussian added for +1 sigma (one-sided, mirrored).
    """

    column: str = "t_reco"
    scale: ShiftScale = 0.0
    offset: Finite = 0.0
    smear: Relative = 0.0
    interpolation: Literal["code4p", "code4", "spline"] = "code4p"
    smooth: bool | Literal["auto"] = False

    def __post_init__(self) -> None:
        """Refuse a shift that is none, or two in one."""
        if bool(self.scale or self.offset) == bool(self.smear):
            raise ValueError(
                f"shift {self.name!r}: give either scale and offset, or smear; two effects are two systematics"
            )


class Universes(_Effect, frozen=True, kw_only=True, tag="universes", tag_field="kind"):
    """Multisim weights: one `branch` with U weights per event, or U `branches`; becomes principal components."""

    branch: str = ""
    branches: tuple[str, ...] = ()
    ratio: bool = True
    variance: ShareKept = 0.999

    def __post_init__(self) -> None:
        """Refuse none or both of branch and branches."""
        if bool(self.branch) == bool(self.branches):
            raise ValueError(f"universes {self.name!r}: give either branch or branches")


class ShiftedSample(_Effect, frozen=True, kw_only=True, tag="sample", tag_field="kind"):
    """A systematically shifted ntuple set: which sample stands for which, at `+1` (and `-1`) sigma."""

    up: dict[str, str] = field(default_factory=dict)
    down: dict[str, str] = field(default_factory=dict)
    interpolation: Literal["code4p", "code4", "spline"] = "code4p"
    smooth: bool | Literal["auto"] = False


class Covariance(_Effect, frozen=True, kw_only=True, tag="covariance", tag_field="kind"):
    """A covariance over the bins of its regions from a file: `.csv`, `.npy` or `file.root:name` of a TH2.

    Rows and columns are the bins in C order (the last axis runs fastest), region after region as the analysis lists
    them. `fractional` is relative to the expected events; otherwise they are in events^2 of its samples together.
    """

    file: str
    fractional: bool = True
    variance: ShareKept = 0.999


class FluxUncertainty(_Effect, frozen=True, kw_only=True, tag="flux", tag_field="kind"):
    """The flux tables' fractional uncertainties, one weight per energy bin and flavour; made principal components.

    `correlation` is the correlation between any two energy bins of one flavour, `flavours` between flavours;
    `covariance` names a file with the full matrix instead.
    """

    correlation: Share = 1.0
    flavours: Correlation1 = 1.0
    covariance: str = ""
    variance: ShareKept = 0.999


Systematic = Norm | Weight | Shift | Universes | ShiftedSample | Covariance | FluxUncertainty


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
    """Effects too small to keep, per sample and region; 0 keeps all, and what is pruned is listed in the result.

    Left out are relative changes of a sample's total in a region smaller than `norm`, and of its bins at the nominal
    total smaller than `shape`, at every sigma.
    """

    norm: Share = 0.0
    shape: Share = 0.0


class FitOptions(Keys, frozen=True, kw_only=True):
    """How the likelihood is made and fitted.

    `gaussian` is a chi-square with the fixed covariance of the nominal expectation, Poisson and simulation; a further
    covariance is a systematic of kind `covariance`, which comes to the same. `minos` is for kappa.
    """

    terms: Literal["shape+norm", "shape", "norm"] = "shape+norm"
    statistic: Literal["poisson", "dembinski-abdelmotteleb", "gaussian", "neyman-pearson"] = "poisson"
    mc_statistics: Literal["barlow-beeston-lite", "none"] = "barlow-beeston-lite"
    zero_bins: Literal["error", "drop", "floor"] = "error"
    floor: Positive = 1e-6
    minos: bool = False
    correlations: tuple[Correlation, ...] = ()


class LimitOptions(Keys, frozen=True, kw_only=True):
    """How the limit is drawn from the likelihood; without `sides` it has those of its method, one for "profile"."""

    level: Level = 0.90
    method: Literal["profile", "feldman-cousins", "cls", "cls-toys", "bayes", "bayes-mu"] = "profile"
    sides: Literal["one", "two"] | None = None
    ensemble: Literal["profiled", "prior"] = "profiled"
    toys: Toys = 2000
    seed: Seed = 1


class Analysis(Keys, frozen=True, kw_only=True):
    """Everything `fits/*.toml` says, with its sample sets loaded.

    `pot` is the exposure of the expectation, one number or one per sample set (keyed by the stem of its TOML).
    `coupling` is the fitted coupling, a name or a table; without it, the magnetic moment. `couplings` lists several
    instead. `sin2_theta_w` and `sm_xsec` say the Standard Model cross section of the expectation; without
    `sin2_theta_w` it is the value each sample was generated with. `sample_sets` and `path` are filled by `load`, never
    by the file.
    """

    samples: str | tuple[str, ...]
    regions: tuple[Region, ...]
    pot: Pot | dict[str, Pot]
    title: str = ""
    coupling: str | Coupling | UnsetType = UNSET
    couplings: tuple[Coupling, ...] = ()
    sin2_theta_w: Share | None = None
    sm_xsec: Literal["tree", "effective", "bks"] = "tree"
    systematics: tuple[Systematic, ...] = ()
    prune: Prune = field(default_factory=Prune)
    counts: tuple[CountsSample, ...] = ()
    normalise: tuple[Normalise, ...] = ()
    data: dict[str, tuple[Events, ...]] = field(default_factory=dict)
    fit: FitOptions = field(default_factory=FitOptions)
    limit: LimitOptions = field(default_factory=LimitOptions)
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

    @property
    def coupling_options(self) -> Coupling:
        """The table of the coupling of interest. ConfigError as for `fitted_couplings`."""
        return table_of_interest(self.coupling, self.couplings, self.path)

    @property
    def nominal(self) -> tuple[tuple[SampleSet, Sample], ...]:
        """The samples that make the expectation and the data: all but the shifted stand-ins of `sample` systematics."""
        shifted = {
            name
            for systematic in self.systematics
            if isinstance(systematic, ShiftedSample)
            for name in (*systematic.up.values(), *systematic.down.values())
        }
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
