"""Merging of bins: which cells of a finer binning become one cell of a coarser one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import boost_histogram as bh
import numpy as np

from spectrafit.arraytypes import Floats, Integers, Values
from spectrafit.errors import ConfigError, nearest
from spectrafit.templates.regions import CellLayout, RegionBins

__all__ = ["Edges", "Merge", "merged_regions"]

Edges = Mapping[str, Mapping[str, Sequence[float]] | Sequence[Sequence[float] | None]]
"""New edges by region: by observable, or one list per axis with None for an unchanged axis."""

# Two edges are the same if they differ by less than this share of the axis: regular axes calculate theirs.
_SAME = 1e-10


@dataclass(frozen=True, kw_only=True, eq=False)
class Merge:
    """A map from the F cells of one binning to those of a coarser one.

    Attributes
    ----------
    regions : tuple of RegionBins
        The coarser regions.
    target : (F+1,) array of int
        New cell of each old one; the last element is for "nowhere".
    size : int
        Number of new cells.
    """

    regions: tuple[RegionBins, ...]
    target: Integers
    size: int

    @classmethod
    def between(cls, old: Sequence[RegionBins], new: Sequence[RegionBins]) -> Merge:
        """Return the merge that turns the bins of `old` into those of `new`.

        Bins of an axis that lie outside its new edges become underflow or overflow.

        Raises
        ------
        ConfigError
            A new edge is no edge of the old axis, or the regions have other names or axes.
        """
        targets = []
        layout = CellLayout.of(new)
        for fine, coarse, first in zip(old, new, layout.firsts, strict=True):
            if (fine.name, len(fine.axes)) != (coarse.name, len(coarse.axes)):
                raise ConfigError(f"region {fine.name!r} with {len(fine.axes)} axes cannot become {coarse.name!r}")
            numbers = np.full(fine.extents, first, np.int64)
            for position, (finer, coarser) in enumerate(zip(fine.axes, coarse.axes, strict=True)):
                where = f"region {fine.name!r}, axis {fine.observables[position]!r}"
                places = _places(np.asarray(finer.edges), np.asarray(coarser.edges), where)
                stride = int(np.prod(coarse.extents[position + 1 :]))
                numbers += stride * places.reshape(
                    [-1 if direction == position else 1 for direction in range(len(fine.axes))]
                )
            targets.append(numbers.ravel())
        return cls(regions=tuple(new), target=np.concatenate([*targets, [layout.size]]), size=layout.size)

    @classmethod
    def of_partition(
        cls, regions: Sequence[RegionBins], labels: Integers, parted: Sequence[bool] | None = None
    ) -> Merge:
        """Return the merge of each region's bins into one row of bins by their labels.

        Flow and bins without a label become flow of the row.

        Parameters
        ----------
        regions : sequence of RegionBins
        labels : (B,) array of int
            The bin of every bin of the regions, -1 for none. Those of one region are numbered anew, in their order.
        parted : sequence of bool, optional
            Which regions are partitioned; the others stay as they are. By default all are.

        Raises
        ------
        ConfigError
            A region of which no bin has a label.
        """
        new: list[RegionBins] = []
        numbers = []
        for at, region in enumerate(regions):
            start = new[-1].stop if new else 0
            if parted is not None and not parted[at]:
                new.append(replace(region, start=start))
                numbers.append(np.arange(int(np.prod(region.extents))))
                continue
            mine = labels[region.bins]
            used = np.unique(mine[mine >= 0])
            if not used.size:
                raise ConfigError(f"region {region.name!r}: no bin of the partition has an event in it")
            places = np.where(mine >= 0, np.searchsorted(used, mine) + 1, 0)
            new.append(region.partitioned(places.astype(np.int64), start))
            # What lies outside goes to the end of the row, but for one cell: no cell may be made of none.
            inside = np.full(region.extents, used.size + 1, np.int64)
            inside.flat[0] = 0
            inside[(slice(1, -1),) * len(region.extents)] = places.reshape(region.shape)
            numbers.append(inside.ravel())
        layout = CellLayout.of(new)
        targets = [first + found for first, found in zip(layout.firsts, numbers, strict=True)]
        return cls(regions=tuple(new), target=np.concatenate([*targets, [layout.size]]), size=layout.size)

    @cached_property
    def _order(self) -> tuple[Integers, Integers]:
        """Old cells in the order of their new ones, and where each new cell begins among them."""
        order = np.argsort(self.target[:-1], kind="stable")
        return order, np.searchsorted(self.target[order], np.arange(self.size))

    @property
    def changes(self) -> bool:
        """Whether any cell is merged."""
        return not np.array_equal(self.target, np.arange(self.size + 1))

    def sums(self, array: Values) -> Values:
        """Return an array, (..., F), added up over the cells that become one."""
        if not self.changes:
            return array
        order, starts = self._order
        result: Values = np.add.reduceat(np.take(array, order, axis=-1), starts, axis=-1)
        return result


def _places(fine: Floats, coarse: Floats, where: str) -> Integers:
    """Return for each cell of a fine axis, flow included, its cell on the coarse axis."""
    tolerance = _SAME * (fine[-1] - fine[0])
    for edge in coarse:
        if np.abs(fine - edge).min() > tolerance:
            listed = ", ".join(f"{value:.10g}" for value in fine)
            raise ConfigError(f"{where}: {edge:.10g} is no edge of the present bins; choose among {listed}")
    below = np.concatenate([[-np.inf], fine])
    places: Integers = np.searchsorted(coarse - tolerance, below, side="right").astype(np.int64)
    return places


def merged_regions(regions: Sequence[RegionBins], edges: Edges) -> tuple[RegionBins, ...]:
    """Return regions with other edges; axes that are not named stay as they are.

    Raises
    ------
    ConfigError
        There is no such region or observable, or fewer than two edges.
    """
    names = [region.name for region in regions]
    for name in edges:
        if name not in names:
            raise ConfigError(f"no region {name!r} to rebin{nearest(name, names)} (there are: {', '.join(names)})")
    result: list[RegionBins] = []
    for region in regions:
        if edges.get(region.name) and region.partition is not None:
            raise ConfigError(
                f"region {region.name!r}: its bins are those of a partition, which has no edges to change; take cells"
                " filled without it, or change the partition"
            )
        wanted = _by_axis(region, edges.get(region.name, {}))
        axes = tuple(
            axis if asked is None else _axis(axis, asked, f"region {region.name!r}, axis {observable!r}")
            for axis, asked, observable in zip(region.axes, wanted, region.observables, strict=True)
        )
        result.append(replace(region, axes=axes, start=result[-1].stop if result else 0))
    return tuple(result)


def _by_axis(region: RegionBins, asked: Any) -> list[Sequence[float] | None]:
    if not isinstance(asked, Mapping):
        if len(asked) != len(region.axes):
            raise ConfigError(f"region {region.name!r}: edges for {len(asked)} axes, but it has {len(region.axes)}")
        return list(asked)
    for name in asked:
        if name not in region.observables:
            near = nearest(name, region.observables)
            listed = ", ".join(region.observables)
            raise ConfigError(f"region {region.name!r}: no axis {name!r} to rebin{near} (there are: {listed})")
    return [asked.get(name) for name in region.observables]


def _axis(axis: bh.axis.Axis, asked: Sequence[float], where: str) -> bh.axis.Axis:
    edges, wanted = np.asarray(axis.edges), np.asarray(asked, np.float64)
    if wanted.ndim != 1 or wanted.size < 2 or np.any(np.diff(wanted) <= 0):
        raise ConfigError(f"{where}: needs two or more increasing edges, found {list(asked)}")
    if wanted.size == edges.size and np.allclose(wanted, edges, rtol=0, atol=_SAME * (edges[-1] - edges[0])):
        return axis
    # The present edges are taken, not the digits of the request: events were sorted by the present edges.
    near = edges[np.abs(edges[:, None] - wanted).argmin(axis=0)]
    same = np.abs(near - wanted) <= _SAME * (edges[-1] - edges[0])
    return bh.axis.Variable(np.where(same, near, wanted))
