"""Filled arrays in, `Templates` out: the immutable histograms everything after the fill is arithmetic on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import boost_histogram as bh
import numpy as np
from numpy.typing import NDArray

from spectrafit.config import Analysis
from spectrafit.errors import DAMAGE, ConfigError, DataError, nearest
from spectrafit.templates import archive
from spectrafit.templates.regions import RegionBins

__all__ = ["NOMINAL", "RegionBins", "Templates", "Variation"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Variation:
    """What one template variation stands for: `parameter` at `sigma` standard deviations.

    Attributes
    ----------
    parameter : str
        Name of the nuisance parameter; empty for the nominal.
    sigma : float
        Where the parameter stands, in prior standard deviations.
    group : str
        Group for impacts.
    samples : tuple of str
        Samples it acts on; the counts of all others equal the nominal ones.
    interpolation : {"code4p", "code4", "spline", "linear"}
        How to go between the variations of one parameter. Principal components are "linear": exact for any value.
    """

    parameter: str
    sigma: float
    group: str = ""
    samples: tuple[str, ...] = ()
    interpolation: str = "code4p"


NOMINAL = Variation(parameter="", sigma=0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Templates:
    """Histograms of every sample, variation and power of kappa, in all regions.

    Letters: S samples, V variations, P powers of kappa above 0, B bins of all R regions flattened (without flow).

    Attributes
    ----------
    samples, roles, titles : tuple of str, length S
        Names, "signal" or "background", printed titles.
    regions : tuple of RegionBins
        The regions, in the order of their bins in B.
    powers : int
        P.
    variations : tuple of Variation, length V
        Variation 0 is the nominal.
    counts : (S, V, 1+P, B) array
        Expected events at the analysis exposure; entry p multiplies kappa^p.
    squares : (S, 1+2P, B) array
        Entry k is the sum over events and p + q = k of w_p w_q, so that Var(kappa) = sum_k kappa^k squares_k.
    entries : (S, B) array of int
        Simulated events per bin, unweighted.
    residual : (1+2P, B) array
        Variance (a polynomial in kappa) of universes and covariances that no parameter carries.
    data : (B,) array or None
        Observed events, from samples with role "data".
    flow : (S, 1+P, R) array
        Weight of events that pass a region's cut and lie outside its axes (NaN included).
    inventories : tuple of mapping
        Per sample what was read: sample, stands_for (another name if it is a shifted ntuple set), role, pot, scale,
        entries, files (path, size, uuid, entries), skipped (file, reason), dropped (an `events.schema.DropReport`).
    pruned : tuple of mapping
        What was pruned: parameter, sample, region, what ("shape" or "norm"), size.
    components : mapping
        Per systematic that became principal components: directions there were, kept, fraction of variance kept.
    configuration : mapping
        What of the analysis shaped these templates, as plain values; compared when they are used with an analysis.
    digest : str
        Digest of configuration, input identities and version.
    provenance : mapping
        Versions, executor, seconds per stage: nothing that changes the numbers.
    """

    samples: tuple[str, ...]
    roles: tuple[str, ...]
    titles: tuple[str, ...]
    regions: tuple[RegionBins, ...]
    powers: int
    variations: tuple[Variation, ...]
    counts: Floats
    squares: Floats
    entries: NDArray[np.int64]
    residual: Floats
    flow: Floats
    data: Floats | None = None
    inventories: tuple[Mapping[str, Any], ...] = ()
    pruned: tuple[Mapping[str, Any], ...] = ()
    components: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    configuration: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the shapes against each other and make every array read-only."""
        s, v, p = len(self.samples), len(self.variations), self.powers
        b = sum(region.size for region in self.regions)
        if not self.variations or self.variations[0] != NOMINAL:
            raise ValueError("variation 0 must be the nominal")
        shapes = {
            "counts": (s, v, 1 + p, b),
            "squares": (s, 1 + 2 * p, b),
            "entries": (s, b),
            "residual": (1 + 2 * p, b),
            "flow": (s, 1 + p, len(self.regions)),
            "data": (b,),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array is None:
                continue
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, needs {shape}")
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @property
    def bins(self) -> int:
        """B, the number of bins of all regions."""
        return int(self.squares.shape[-1])

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the nuisance parameters the variations belong to, in order of first appearance."""
        return tuple(dict.fromkeys(v.parameter for v in self.variations if v.parameter))

    def sample(self, name: str) -> int:
        """Return the position of sample `name` in the first dimension (S)."""
        return _position("sample", name, self.samples)

    def region(self, name: str) -> RegionBins:
        """Return the region called `name`."""
        return self.regions[_position("region", name, tuple(r.name for r in self.regions))]

    def variance(self, kappa: float = 0.0) -> Floats:
        """Return the variance of the simulated prediction, (B,), at `kappa`: all samples, with the residual."""
        powers = np.float64(kappa) ** np.arange(1 + 2 * self.powers)
        result: Floats = powers @ (self.squares.sum(axis=0) + self.residual)
        return result

    def histogram(self, sample: str | None, region: str, power: int = 0, variation: int = 0) -> bh.Histogram[Any]:
        """Return one template as a boost-histogram (without flow), in events per kappa^power.

        Parameters
        ----------
        sample : str or None
            Name of the sample; None sums all.
        region : str
            Name of the region.
        power : int
            Power of kappa the template multiplies.
        variation : int
            Index in `variations`.

        Returns
        -------
        bh.Histogram
            With Weight storage, variances included, for the nominal of the lowest and the highest power. Of variations,
            and of powers between, no variance of their own is kept: those have Double storage.
        """
        if not 0 <= power <= self.powers:
            raise ConfigError(f"power {power}: these templates have powers 0 to {self.powers} of kappa")
        if not 0 <= variation < len(self.variations):
            raise ConfigError(f"variation {variation}: these templates have {len(self.variations)}")
        rows = slice(None) if sample is None else slice(self.sample(sample), self.sample(sample) + 1)
        found = self.region(region)
        values = self.counts[rows, variation, power, found.bins].sum(axis=0).reshape(found.shape)
        # squares[2 p] is the sum of w_p w_p alone only at the ends of the polynomial.
        weighted = variation == 0 and power in (0, self.powers)
        storage: Any = bh.storage.Weight() if weighted else bh.storage.Double()
        histogram: bh.Histogram[Any] = bh.Histogram(*found.axes, storage=storage)
        view: Any = histogram.view()
        if not weighted:
            view[...] = values
            return histogram
        view["value"] = values
        view["variance"] = self.squares[rows, 2 * power, found.bins].sum(axis=0).reshape(found.shape)
        return histogram

    def projection(self, region: str, axis: str) -> Templates:
        """Return the templates of `region` alone, summed over every axis but the one of observable `axis`.

        The residual variance, uncorrelated between bins, is summed as such. Events outside the summed axes stay in
        `flow`.
        """
        found = self.region(region)
        keep = _position(f"axis of region {region!r}", axis, found.observables)
        others = tuple(i - len(found.shape) for i in range(len(found.shape)) if i != keep)

        def project(array: Any) -> Any:
            part = array[..., found.bins]
            return part.reshape(part.shape[:-1] + found.shape).sum(axis=others)

        index = [r.name for r in self.regions].index(region)
        return replace(
            self,
            regions=(
                RegionBins(
                    name=region,
                    axes=(found.axes[keep],),
                    observables=(found.observables[keep],),
                    labels=(found.labels[keep],),
                    start=0,
                ),
            ),
            counts=project(self.counts),
            squares=project(self.squares),
            entries=project(self.entries),
            residual=project(self.residual),
            flow=self.flow[..., index : index + 1],
            data=None if self.data is None else project(self.data),
        )

    def __add__(self, other: Templates) -> Templates:
        """Return the sum of two parts of one exposure: same samples, regions and variations, other events.

        Parts whose universes or covariances already became principal components are refused: each part has its own
        components, and component k of one is not component k of the other.
        """
        if not isinstance(other, Templates):
            return NotImplemented
        for name in ("samples", "roles", "powers", "variations"):
            if getattr(self, name) != getattr(other, name):
                raise ConfigError(f"templates with different {name} cannot be added: build them from one analysis")
        if len(self.regions) != len(other.regions) or not all(
            a.same(b) for a, b in zip(self.regions, other.regions, strict=True)
        ):
            raise ConfigError("templates with different regions or edges cannot be added: build them from one analysis")
        if self.components or other.components:
            names = ", ".join([*self.components, *other.components])
            raise ConfigError(
                f"templates whose {names} became principal components cannot be added: build them together"
            )
        data = self.data if other.data is None else other.data if self.data is None else self.data + other.data
        return replace(
            self,
            counts=self.counts + other.counts,
            squares=self.squares + other.squares,
            entries=self.entries + other.entries,
            residual=self.residual + other.residual,
            flow=self.flow + other.flow,
            data=data,
            inventories=self.inventories + other.inventories,
            pruned=self.pruned + other.pruned,
            digest=f"{self.digest}+{other.digest}",
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything to `path` (.npz), whole or not at all, and return it. Errors as in `archive.write`."""
        arrays = {f.name: value for f in fields(self) if isinstance(value := getattr(self, f.name), np.ndarray)}
        return archive.write(Path(path), _plain(self), arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, analysis: Analysis | None = None) -> Templates:
        """Read templates written by `save`.

        Parameters
        ----------
        path : str or path
            The .npz file.
        analysis : Analysis, optional
            Refuse templates that were made with anything else than this one needs, naming the first differing key.

        Raises
        ------
        DataError
            The file is missing, damaged, or no templates file.
        ConfigError
            The templates belong to another analysis.
        """
        plain, arrays = archive.read(Path(path))
        if analysis is not None:
            key = archive.differing_key(plain.get("configuration", {}), archive.configuration(analysis))
            if key:
                raise ConfigError(f"{path}: made with another analysis: {key}; build the templates again")
        try:
            plain["regions"] = tuple(RegionBins.from_plain(region) for region in plain["regions"])
            plain["variations"] = tuple(Variation(**{**v, "samples": tuple(v["samples"])}) for v in plain["variations"])
            for name in ("samples", "roles", "titles", "inventories", "pruned"):
                plain[name] = tuple(plain[name])
            return cls(**plain, **arrays)
        except DAMAGE as error:
            raise DataError(f"{path}: damaged, or not a templates file ({error}); build it again") from error

    def __str__(self) -> str:
        """Say in one line what is inside."""
        return (
            f"{len(self.samples)} samples, {len(self.regions)} regions, {self.bins} bins, kappa^0 to {self.powers},"
            f" {len(self.variations)} variations, {len(self.parameters)} parameters, {self.entries.sum()} entries"
        )


def _position(kind: str, name: str, known: Sequence[str]) -> int:
    if name not in known:
        raise ConfigError(f"no {kind} {name!r} in these templates, found {', '.join(known)}{nearest(name, known)}")
    return list(known).index(name)


def _plain(templates: Templates) -> dict[str, Any]:
    plain = {f.name: getattr(templates, f.name) for f in fields(templates)}
    plain["regions"] = [region.plain() for region in templates.regions]
    plain["variations"] = [asdict(variation) for variation in templates.variations]
    return {name: value for name, value in plain.items() if value is not None and not isinstance(value, np.ndarray)}
