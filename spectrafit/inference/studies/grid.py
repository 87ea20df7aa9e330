"""A fine grid over one or several regions. Merging its bins makes coarser binnings.

A binning is written as edges: per region and axis an increasing array whose values are edges of the grid. Cells outside
the first and the last edge are in no bin. Cells are numbered in C order, region after region.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Floats, Integers
from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.bins import Bins

__all__ = [
    "Edges",
    "Grid",
    "GridRegion",
    "equal_statistics",
    "equal_width",
    "on_grid",
    "same_cells",
]

# Per region and axis the edges of a binning.
Edges = tuple[tuple[Floats, ...], ...]

# Edges are the same where they differ by less than this share of the axis's narrowest cell.
_SAME = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GridRegion:
    """The axes of one region.

    Attributes
    ----------
    name : str
    observables : tuple of str
        What each axis shows.
    edges : tuple of arrays
        Increasing edges of the cells along each axis.
    """

    name: str
    observables: tuple[str, ...]
    edges: tuple[Floats, ...]

    def __post_init__(self) -> None:
        """Make the edges read-only, and check that they increase."""
        if len(self.edges) != len(self.observables):
            raise ValueError(f"region {self.name!r}: {len(self.edges)} axes for {len(self.observables)} observables")
        locked = []
        for observable, edges in zip(self.observables, self.edges, strict=True):
            array = np.array(edges, dtype=np.float64)
            if array.ndim != 1 or array.size < 2 or not (np.diff(array) > 0).all():
                raise ValueError(f"region {self.name!r}, {observable}: edges need two or more increasing numbers")
            array.flags.writeable = False
            locked.append(array)
        object.__setattr__(self, "edges", tuple(locked))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of cells along each axis."""
        return tuple(edges.size - 1 for edges in self.edges)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Regions with what a fit knows of each of their cells.

    Attributes
    ----------
    regions : tuple of GridRegion
    bins : Bins
        Of all cells, region after region in C order.
    """

    regions: tuple[GridRegion, ...]
    bins: Bins

    def __post_init__(self) -> None:
        """Check that there is one bin for each cell."""
        cells = sum(int(np.prod(region.shape)) for region in self.regions)
        if cells != self.bins.size:
            raise ValueError(f"{cells} cells of the regions for {self.bins.size} bins")

    @property
    def edges(self) -> Edges:
        """The finest binning there is."""
        return tuple(region.edges for region in self.regions)

    @property
    def starts(self) -> tuple[int, ...]:
        """Number of each region's first cell."""
        sizes = [int(np.prod(region.shape)) for region in self.regions]
        return tuple(int(start) for start in np.concatenate([[0], np.cumsum(sizes[:-1], dtype=int)]))

    def positions(self, edges: Edges) -> tuple[tuple[Integers, ...], ...]:
        """Return where `edges` stand among the grid's.

        Raises
        ------
        ConfigError
            An edge that the grid does not have, edges that do not increase, other regions or axes.
        """
        if [len(axes) for axes in edges] != [len(region.edges) for region in self.regions]:
            raise ConfigError(
                f"binning: edges for {[len(axes) for axes in edges]} axes; needs"
                f" {[len(region.edges) for region in self.regions]}, one list per axis of each region"
            )
        return tuple(
            tuple(
                _positions(f"region {region.name!r}, {observable}", np.asarray(wanted, np.float64), fine)
                for wanted, fine, observable in zip(axes, region.edges, region.observables, strict=True)
            )
            for axes, region in zip(edges, self.regions, strict=True)
        )

    def labels(self, edges: Edges) -> tuple[Integers, int]:
        """Return the bin number of every cell in the binning `edges`, -1 for none, and how many bins there are."""
        result, start = [], 0
        for axes, region in zip(self.positions(edges), self.regions, strict=True):
            shape = tuple(places.size - 1 for places in axes)
            numbers = [np.full(size, -1, np.int64) for size in region.shape]
            for row, places in zip(numbers, axes, strict=True):
                row[places[0] : places[-1]] = np.repeat(np.arange(places.size - 1), np.diff(places))
            every = np.meshgrid(*numbers, indexing="ij")
            inside = np.all([row >= 0 for row in every], axis=0)
            within = np.ravel_multi_index([np.maximum(row, 0) for row in every], shape)
            result.append(np.where(inside, start + within, -1).ravel())
            start += int(np.prod(shape))
        return np.concatenate(result).astype(np.int64), start

    def merged(self, edges: Edges) -> Grid:
        """Return the grid with the bins of `edges` as its cells."""
        labels, count = self.labels(edges)
        positions = self.positions(edges)
        regions = tuple(
            dataclasses.replace(
                region, edges=tuple(edges[kept] for edges, kept in zip(region.edges, places, strict=True))
            )
            for region, places in zip(self.regions, positions, strict=True)
        )
        return Grid(regions=regions, bins=self.bins.merged(labels, count))


def _positions(where: str, wanted: Floats, fine: Floats) -> Integers:
    """Return the places of edges in those of an axis."""
    close = _SAME * np.diff(fine).min()
    places = np.clip(np.searchsorted(fine, wanted - close), 0, fine.size - 1)
    absent = np.abs(fine[places] - wanted) > close
    if absent.any():
        value = wanted[absent][0]
        near = fine[np.argmin(np.abs(fine - value))]
        raise ConfigError(f"{where}: no edge at {value:g} in the fine grid; the nearest is {near:g}")
    if wanted.size < 2 or not (np.diff(places) > 0).all():
        raise ConfigError(f"{where}: edges {wanted.tolist()}: needs two or more increasing numbers")
    found: Integers = places.astype(np.int64)
    return found


def same_cells(first: Grid, second: Grid) -> None:
    """Refuse two grids that are not the same cells filled with different events.

    Their parameters may differ: universes have principal components of their own in each half of the simulation.

    Raises
    ------
    ConfigError
        The message names the difference.
    """
    if [region.name for region in first.regions] != [region.name for region in second.regions]:
        raise ConfigError("grids: different regions; a training and a judging grid need the same cells")
    for one, other in zip(first.regions, second.regions, strict=True):
        if one.shape != other.shape or not all(
            np.array_equal(mine, theirs) for mine, theirs in zip(one.edges, other.edges, strict=True)
        ):
            raise ConfigError(f"grids: different edges in region {one.name!r}; need the same cells")


def on_grid(grid: Grid, edges: Sequence[Sequence[npt.ArrayLike]]) -> Edges:
    """Return a hand-made binning with each edge moved to the nearest edge of the grid.

    Raises
    ------
    ConfigError
        Two edges would become one, or regions or axes are not the grid's.
    """
    moved = []
    for region, axes in zip(grid.regions, edges, strict=True):
        places = []
        for fine, wanted in zip(region.edges, axes, strict=True):
            values = np.asarray(wanted, np.float64)
            places.append(fine[np.abs(fine[:, None] - values).argmin(axis=0)])
        moved.append(tuple(places))
    result = tuple(moved)
    grid.positions(result)
    return result


def equal_width(grid: Grid, bins: Sequence[Sequence[int]]) -> Edges:
    """Return bins as equally wide as the grid allows: `bins` holds their number, at least 1, per region and axis."""
    return tuple(
        tuple(
            fine[_thinned(region, observable, fine, np.linspace(fine[0], fine[-1], bins + 1)[1:-1])]
            for fine, observable, bins in zip(region.edges, region.observables, numbers, strict=True)
        )
        for region, numbers in zip(grid.regions, bins, strict=True)
    )


def equal_statistics(grid: Grid, bins: Sequence[Sequence[int]]) -> Edges:
    """Return bins whose expectations, summed over the region's other axes, are as equal as the grid allows.

    `bins` holds their number, at least 1, per region and axis.
    """
    total = grid.bins.expected.sum(axis=0)
    result = []
    for region, start, numbers in zip(grid.regions, grid.starts, bins, strict=True):
        cells = total[start : start + int(np.prod(region.shape))].reshape(region.shape)
        axes = []
        for axis, number in enumerate(numbers):
            others = tuple(index for index in range(cells.ndim) if index != axis)
            below = np.concatenate([[0.0], np.cumsum(np.maximum(cells.sum(axis=others), 0.0))])
            wanted = np.linspace(0.0, below[-1], number + 1)[1:-1]
            axes.append(region.edges[axis][_thinned(region, region.observables[axis], below, wanted)])
        result.append(tuple(axes))
    return tuple(result)


def _thinned(region: GridRegion, observable: str, values: Floats, wanted: Floats) -> Integers:
    """Return the places of the first and last of `values` and of those nearest to `wanted`, each place once."""
    last = values.size - 1
    if wanted.size >= last:
        raise ConfigError(
            f"region {region.name!r}, {observable}: {wanted.size + 1} bins: the fine grid has {last} cells there"
        )
    inner = 1 + np.abs(values[1:-1, None] - wanted).argmin(axis=0) if wanted.size else np.zeros(0, np.int64)
    places: Integers = np.unique(np.concatenate([[0], inner, [last]])).astype(np.int64)
    return places
