"""The keys of `[[systematics]]` as frozen structs, one class for each `kind`.

The effect of each kind on the templates is in `spectrafit.templates.systematics`.
"""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import field
from msgspec.structs import force_setattr

from spectrafit.config.numbers import Correlation1, Finite, PriorWidth, Relative, Share, ShareKept, ShiftScale, Sigma
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

    `samples` and `regions` are names or globs. `powers` is "all", or "sm" to leave the coupling's templates alone.
    `shape = "shape"` takes out the change of each sample's total, `"norm"` keeps nothing else. A table says it for
    samples, by names or globs: `shape = { "nc_*" = "norm" }`; other samples keep both. `group` is for impacts.
    `prior_width` is the width of the parameter's prior, in units of the systematic's own standard deviation.
    """

    name: str
    samples: tuple[str, ...] = ("*",)
    regions: tuple[str, ...] = ("*",)
    powers: Literal["all", "sm"] = "all"
    shape: Part | dict[str, Part] = "both"
    group: str = ""
    prior_width: PriorWidth = 1.0

    def part_of(self, sample: str) -> Part:
        """Return which part of the change of a sample is kept; of several globs that match it the first counts."""
        if isinstance(self.shape, str):
            return self.shape
        if sample in self.shape:
            return self.shape[sample]
        return next((part for glob, part in self.shape.items() if fnmatchcase(sample, glob)), "both")

    @property
    def reads(self) -> tuple[str, ...]:
        """The files that the systematic needs beside the ntuples, as the TOML names them."""
        return ()


class Norm(_Effect, frozen=True, kw_only=True, tag="norm", tag_field="kind"):
    """A normalisation: `sigma` is the fractional uncertainty; `free = true` has no constraint.

    With theta the parameter, events are multiplied by (1 + sigma)^theta (`log-normal`) or 1 + sigma theta (`gaussian`).
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
        """Refuse a systematic without a shift, or with two."""
        if bool(self.scale or self.offset) == bool(self.smear):
            raise ValueError(
                f"shift {self.name!r}: give either scale and offset, or smear; two effects are two systematics"
            )


class Universes(_Effect, frozen=True, kw_only=True, tag="universes", tag_field="kind"):
    """Multisim weights: one `branch` with U weights per event, or U `branches`; becomes principal components.

    `knobs` names a CSV file with a line of names and U lines of numbers: the value of each knob in each universe, in
    its standard deviations. With it the result gives back the pull of each knob; without it, that of each universe.
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

    @property
    def reads(self) -> tuple[str, ...]:
        """The file of the matrix."""
        return (self.file,)


class FluxUncertainty(_Effect, frozen=True, kw_only=True, tag="flux", tag_field="kind"):
    """The flux tables' fractional uncertainties, one weight per energy bin and flavour; made principal components.

    `correlation` is the correlation between any two energy bins of one flavour, `flavours` between flavours;
    `covariance` names a file with the full matrix instead.
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
