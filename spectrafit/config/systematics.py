"""The keys of `[[systematics]]` as frozen structs, one class for each `kind`.

The effect of each kind on the templates is in `spectrafit.templates.systematics`.
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import field
from msgspec.structs import force_setattr

from spectrafit.config.numbers import Correlation1, Finite, PriorWidth, Relative, Share, ShareKept, ShiftScale, Sigma
from spectrafit.config.patterns import matches
from spectrafit.config.samples import Keys

__all__ = [
    "Covariance",
    "FluxUncertainty",
    "Norm",
    "Shift",
    "ShiftedSample",
    "Systematic",
    "Universes",
    "Weight",
]


Part = Literal["both", "shape", "norm"]


class _Effect(Keys, frozen=True, kw_only=True):
    """The keys of every systematic: its parameter's name and where it acts.

    Attributes
    ----------
    kind
        Which kind of systematic the table is: norm, weight, shift, universes, sample, covariance or flux.
        Example: ``kind = "norm"``
    name
        The name of the parameter. Systematics of one name share one parameter. Example: ``name = "energy_scale"``
    samples
        The samples that change, by names or globs. Example: ``samples = ["nc_*"]``
    regions
        The regions in which they change, by names or globs. Example: ``regions = ["nd"]``
    powers
        "all", or "sm" to leave the templates of the coupling alone. Example: ``powers = "sm"``
    shape
        Which part of the change is kept: "both", "shape" (without the change of each sample's total) or "norm" (only
        that change). A table says it for samples, by names or globs; other samples keep both.
        Example: ``shape = { "nc_*" = "norm" }``
    group
        A group for impacts and breakdowns. Example: ``group = "flux"``
    prior_width : standard deviations of the systematic
        Width of the parameter's prior. Example: ``prior_width = 2.0``
    per_set
        `true`: each sample set has a parameter of its own, called set/name; without the key one parameter moves the
        samples of all sets. Example: ``per_set = true``
    """

    name: str
    samples: tuple[str, ...] = ("*",)
    regions: tuple[str, ...] = ("*",)
    powers: Literal["all", "sm"] = "all"
    shape: Part | dict[str, Part] = "both"
    group: str = ""
    prior_width: PriorWidth = 1.0
    per_set: bool = False

    def part_of(self, sample: str) -> Part:
        """Return which part of the change of a sample is kept; of several globs that match it the first counts."""
        if isinstance(self.shape, str):
            return self.shape
        if sample in self.shape:
            return self.shape[sample]
        return next((part for glob, part in self.shape.items() if matches(sample, glob)), "both")

    @property
    def reads(self) -> tuple[str, ...]:
        """The files that the systematic needs beside the ntuples, as the TOML names them."""
        return ()


class Norm(_Effect, frozen=True, kw_only=True, tag="norm", tag_field="kind"):
    """A normalisation: events are multiplied by a factor, with or without a constraint.

    With theta the parameter, the factor is (1 + sigma)^theta (`log-normal`) or 1 + sigma theta (`gaussian`).

    Attributes
    ----------
    sigma : fraction
        The uncertainty of the normalisation; needed unless `free`. Example: ``sigma = 0.40``
    constraint
        "log-normal" or "gaussian". Example: ``constraint = "gaussian"``
    free
        `true`: a normalisation without a constraint. Example: ``free = true``
    """

    sigma: Sigma = 0.0
    constraint: Literal["log-normal", "gaussian"] = "log-normal"
    free: bool = False

    def __post_init__(self) -> None:
        """Refuse a width that is not positive unless the normalisation is free, and refuse shape = "shape"."""
        if self.shape == "shape" or (isinstance(self.shape, dict) and "shape" in self.shape.values()):
            raise ValueError(f"norm {self.name!r}: a normalisation has no shape; leave out shape = 'shape'")
        if not self.free and not 0 < self.sigma < math.inf:
            raise ValueError(f"norm {self.name!r}: needs sigma > 0, or free = true; found sigma = {self.sigma}")
        if self.free and self.prior_width != 1.0:
            raise ValueError(f"norm {self.name!r}: a free normalisation has no prior; leave out prior_width")


class Weight(_Effect, frozen=True, kw_only=True, tag="weight", tag_field="kind"):
    """Weight branches for a set of shifts in sigma.

    Sigmas on one side only are mirrored, T(-s) = 2 T(0) - T(+s).

    Attributes
    ----------
    sigmas : standard deviations
        The shifts that the weights are for. Example: ``sigmas = [-2, -1, 1, 2]``
    weights
        A branch or expression for each of the sigmas. Example: ``weights = ["w_m1", "w_p1"]``
    array
        In place of `weights`: a branch with a list per event, an entry for each of the sigmas; in a flat CAF the fourth
        knob is `rec.mc.nu.wgt.univ[3]`. Example: ``array = "rec.mc.nu.wgt.univ[3]"``
    ratio
        `true`: ratios to the nominal weight; `false`: weights in its place. Example: ``ratio = false``
    interpolation
        Between the sigmas: "code4p" (HistFactory's, and linear beyond), "code4" (exponential beyond) or "spline".
        Without the key, "code4p" for sigmas of -1 and +1, "spline" for others.
        Example: ``interpolation = "spline"``
    smooth
        Takes out the simulation's noise of the change: `false`, `true` (353QH twice) or "auto" (on the finest grid that
        the noise allows). Example: ``smooth = "auto"``
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

    Attributes
    ----------
    column
        The column that moves. Example: ``column = "theta_reco"``
    scale : fraction
        The relative shift of one standard deviation. Example: ``scale = 0.03``
    offset : GeV, rad, or the column's own unit
        The absolute shift of one standard deviation. Example: ``offset = 0.005``
    smear : fraction
        In place of a shift: relative width of an extra Gaussian at +1 sigma; the other side is mirrored.
        Example: ``smear = 0.05``
    interpolation
        Between the sigmas: "code4p" (HistFactory's, and linear beyond), "code4" (exponential beyond) or "spline".
        Example: ``interpolation = "spline"``
    smooth
        Takes out the simulation's noise of the change: `false`, `true` (353QH twice) or "auto" (on the finest grid that
        the noise allows). Example: ``smooth = "auto"``
    """

    column: str = "t_reco"
    scale: ShiftScale = 0.0
    offset: Finite = 0.0
    smear: Relative = 0.0
    interpolation: Literal["code4p", "code4", "spline"] = "code4p"
    smooth: bool | Literal["auto"] = False

    def __post_init__(self) -> None:
        """Refuse a systematic without a shift, or with two."""
        if bool(self.scale or self.offset) == bool(self.smear):
            raise ValueError(
                f"shift {self.name!r}: give either scale and offset, or smear; two effects are two systematics"
            )


class Universes(_Effect, frozen=True, kw_only=True, tag="universes", tag_field="kind"):
    """Multisim weights: U weights per event, which become principal components.

    Attributes
    ----------
    branch
        A branch with a list of U weights per event. Example: ``branch = "ppfx_weights"``
    branches
        In place of `branch`: a branch for each universe. Example: ``branches = ["u0", "u1", "u2"]``
    ratio
        `true`: ratios to the nominal weight; `false`: weights in its place. Example: ``ratio = false``
    variance : fraction
        Share of the variance that parameters carry; the rest is a variance of each bin. Example: ``variance = 0.999``
    knobs
        A CSV file with a line of names and U lines of numbers: the value of each knob in each universe, in its standard
        deviations. With it the result has the pull of each knob; without it, that of each universe.
        Example: ``knobs = "knobs.csv"``
    """

    branch: str = ""
    branches: tuple[str, ...] = ()
    ratio: bool = True
    variance: ShareKept = 0.999
    knobs: str = ""

    def __post_init__(self) -> None:
        """Refuse none or both of branch and branches."""
        if bool(self.branch) == bool(self.branches):
            raise ValueError(f"universes {self.name!r}: give either branch or branches")

    @property
    def reads(self) -> tuple[str, ...]:
        """The file of the knobs, if one is named."""
        return (self.knobs,) if self.knobs else ()


class ShiftedSample(_Effect, frozen=True, kw_only=True, tag="sample", tag_field="kind"):
    """Other ntuples at +-1 sigma: which sample stands for which.

    Attributes
    ----------
    up
        For each sample the sample that stands for it at +1 sigma. Example: ``up = { elastic = "elastic_up" }``
    down
        The same at -1 sigma; without the key, `up` is mirrored. Example: ``down = { elastic = "elastic_down" }``
    interpolation
        Between the sigmas: "code4p" (HistFactory's, and linear beyond), "code4" (exponential beyond) or "spline".
        Example: ``interpolation = "spline"``
    smooth
        Takes out the simulation's noise of the change: `false`, `true` (353QH twice) or "auto" (on the finest grid that
        the noise allows). Example: ``smooth = "auto"``
    """

    up: dict[str, str] = field(default_factory=dict)
    down: dict[str, str] = field(default_factory=dict)
    interpolation: Literal["code4p", "code4", "spline"] = "code4p"
    smooth: bool | Literal["auto"] = False


class Covariance(_Effect, frozen=True, kw_only=True, tag="covariance", tag_field="kind"):
    """A covariance over the bins of its regions from a file.

    Rows and columns are the bins in C order (the last axis runs fastest), region after region as the analysis lists
    them.

    Attributes
    ----------
    file
        A `.csv` or `.npy` file, or `file.root:name` of a TH2. Example: ``file = "detector.csv"``
    fractional
        `true`: relative to the expected events; `false`: in events^2 of the systematic's samples together.
        Example: ``fractional = false``
    variance : fraction
        Share of the variance that parameters carry; the rest is a variance of each bin. Example: ``variance = 0.999``
    """

    file: str
    fractional: bool = True
    variance: ShareKept = 0.999

    @property
    def reads(self) -> tuple[str, ...]:
        """The file of the matrix."""
        return (self.file,)


class FluxUncertainty(_Effect, frozen=True, kw_only=True, tag="flux", tag_field="kind"):
    """The flux tables' fractional uncertainties, one weight per energy bin and flavour; made principal components.

    Attributes
    ----------
    correlation : no unit
        Correlation between any two energy bins of one flavour. Example: ``correlation = 0.5``
    flavours : no unit
        Correlation between flavours. Example: ``flavours = 0.0``
    covariance
        In place of the two: a file with the full matrix (`.csv`, `.npy` or `file.root:name` of a TH2).
        Example: ``covariance = "flux.csv"``
    variance : fraction
        Share of the variance that parameters carry; the rest is a variance of each bin. Example: ``variance = 0.999``
    """

    correlation: Share = 1.0
    flavours: Correlation1 = 1.0
    covariance: str = ""
    variance: ShareKept = 0.999

    @property
    def reads(self) -> tuple[str, ...]:
        """The file of the full matrix, if one is named."""
        return (self.covariance,) if self.covariance else ()


Systematic = Norm | Weight | Shift | Universes | ShiftedSample | Covariance | FluxUncertainty
