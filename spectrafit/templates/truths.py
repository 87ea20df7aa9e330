"""True against reconstructed values of the signal, along axes and in whole regions, and what follows from them.

Letters: n bins of an axis, r bins of a residual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError
from spectrafit.templates.regions import RegionBins

__all__ = ["AxisTruth", "RegionTruth", "Truths"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AxisTruth:
    """True against reconstructed values along one axis, of all signal samples at the analysis exposure.

    Attributes
    ----------
    observable, truth : str
    label : str
        Of the reconstructed observable.
    edges : (n+1,) array
    migration : (n+2, n+2) array
        Events by true and reconstructed bin, flow included, of those that pass the region's cut.
    residual_edges : (r+1,) array
        Edges of reconstructed minus true value.
    residuals : (n, r) array
        Events by true bin and residual.
    generated, selected : (n,) arrays
        Events in each true bin: all of the files, and those in any bin of the region.
    """

    observable: str
    truth: str
    label: str
    edges: Floats
    migration: Floats
    residual_edges: Floats
    residuals: Floats
    generated: Floats
    selected: Floats

    def quantile(self, share: float) -> Floats:
        """Return the residual below which a share of the events of each true bin lies, (n,); NaN without events."""
        below = np.cumsum(self.residuals, axis=1)
        result = np.full(len(below), np.nan)
        for number, row in enumerate(below):
            if row[-1] > 0:
                result[number] = np.interp(share * row[-1], np.append(0.0, row), self.residual_edges)
        return result

    @property
    def bias(self) -> Floats:
        """Median of reconstructed minus true value in each true bin, (n,)."""
        return self.quantile(0.5)

    @property
    def resolution(self) -> Floats:
        """Half of the width that holds the central 68.3 % of residuals in each true bin, (n,)."""
        result: Floats = (self.quantile(0.8413) - self.quantile(0.1587)) / 2.0
        return result

    @property
    def efficiency(self) -> Floats:
        """Share of the files' events of each true bin that is in a bin of the region, (n,)."""
        return _ratio(self.selected, self.generated)

    @property
    def purity(self) -> Floats:
        """Share of the events reconstructed in a bin that are truly there, (n,)."""
        return _ratio(np.diag(self.migration), self.migration.sum(axis=0))[1:-1]

    @property
    def stability(self) -> Floats:
        """Share of the events truly in a bin, and past the cut, that are reconstructed there, (n,)."""
        return _ratio(np.diag(self.migration), self.migration.sum(axis=1))[1:-1]

    def widths(self, centres: Floats, multiple: float) -> Floats:
        """Return a least width of a bin at each place, a multiple of the resolution there."""
        middle = 0.5 * (self.edges[1:] + self.edges[:-1])
        known = np.isfinite(self.resolution)
        if not known.any():
            raise ConfigError(f"no signal event has a true {self.truth!r} within the axis: its resolution is not known")
        found: Floats = multiple * np.interp(centres, middle[known], self.resolution[known])
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionTruth:
    """True against reconstructed bins of one region.

    Attributes
    ----------
    region : RegionBins
    axes : tuple of AxisTruth
        Of the axes whose truth is known.
    same, reconstructed, true : (bins,) arrays, or None
        Events both truly and reconstructed in each bin, reconstructed there, truly there and past the cut; None where
        an axis has no truth.
    """

    region: RegionBins
    axes: tuple[AxisTruth, ...]
    same: Floats | None
    reconstructed: Floats | None
    true: Floats | None

    @property
    def purity(self) -> Floats | None:
        """Share of the events reconstructed in a bin that are truly there."""
        if self.same is None or self.reconstructed is None:
            return None
        return _ratio(self.same, self.reconstructed)

    @property
    def stability(self) -> Floats | None:
        """Share of the events truly in a bin, and past the cut, that are reconstructed there."""
        if self.same is None or self.true is None:
            return None
        return _ratio(self.same, self.true)


@dataclass(frozen=True, kw_only=True, eq=False)
class Truths:
    """True against reconstructed quantities of an analysis, region by region.

    Attributes
    ----------
    regions : tuple of RegionTruth
    samples : tuple of str
        The signal samples that were read.
    notes : tuple of str
        What could not be looked at, and why.
    """

    regions: tuple[RegionTruth, ...]
    samples: tuple[str, ...]
    notes: tuple[str, ...]

    def axis(self, region: str, name: str) -> AxisTruth:
        """Return one axis.

        Raises
        ------
        ConfigError
            There is no such axis, or its truth is not known.
        """
        for one in self.regions:
            for found in one.axes:
                if (one.region.name, found.observable) == (region, name):
                    return found
        why = "; ".join(self.notes)
        raise ConfigError(f"region {region!r}: the truth of {name!r} is not known{': ' + why if why else ''}")


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return part of whole, NaN where there is nothing."""
    result: Floats = np.divide(part, whole, out=np.full(part.size, np.nan), where=whole > 0)
    return result
