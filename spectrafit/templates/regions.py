"""Regions: their axes, the place of their bins among all bins, and the number of the cell each event falls into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import boost_histogram as bh
import numpy as np

from spectrafit import config
from spectrafit.arraytypes import Floats, Integers, Places
from spectrafit.errors import ConfigError
from spectrafit.events import expressions
from spectrafit.templates.fill import AxisIndex, axis_index, number
from spectrafit.templates.observables import Quantities, needs, observable

__all__ = ["CellLayout", "Grid", "Partition", "RegionBins", "axis", "lay_out"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Partition:
    """The grid whose bins were added up to those of a region, whatever their place.

    Attributes
    ----------
    axes : tuple of bh.axis.Regular or bh.axis.Variable
        The axes of the grid.
    observables, labels : tuple of str
        As of a region.
    numbers : (n,) array of int
        The bin of every bin of the grid, from 1; 0 for none.
    """

    axes: tuple[bh.axis.Axis, ...]
    observables: tuple[str, ...]
    labels: tuple[str, ...]
    numbers: Integers

    @property
    def shape(self) -> tuple[int, ...]:
        """Bins of the grid along each axis."""
        return tuple(len(axis) for axis in self.axes)


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionBins:
    """One region: a grid of bins with any number of axes, and its place among the flattened bins of all regions.

    Attributes
    ----------
    name : str
        The region's name.
    axes : tuple of bh.axis.Regular or bh.axis.Variable
        One axis per observable, in C order.
    observables, labels : tuple of str
        Name or expression, and printed label (with unit), of the observable on each axis.
    start : int
        First of this region's bins in the last dimension (B) of `Templates.counts`.
    partition : Partition or None
        The grid behind bins that are no rectangles; the one axis then counts the bins.
    """

    name: str
    axes: tuple[bh.axis.Axis, ...]
    observables: tuple[str, ...]
    labels: tuple[str, ...]
    start: int
    partition: Partition | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Bins per axis, without flow."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def extents(self) -> tuple[int, ...]:
        """Cells per axis: its bins, underflow and overflow."""
        return tuple(len(axis) + 2 for axis in self.axes)

    @property
    def size(self) -> int:
        """Bins of the region, without flow."""
        return int(np.prod(self.shape))

    @property
    def stop(self) -> int:
        """One past the last of this region's bins in B."""
        return self.start + self.size

    @property
    def bins(self) -> slice:
        """Bins of the region, as a slice of B."""
        return slice(self.start, self.stop)

    def same(self, other: RegionBins) -> bool:
        """Whether two regions have the same name, observables, edges and place."""
        return (
            (self.name, self.observables, self.start) == (other.name, other.observables, other.start)
            and len(self.axes) == len(other.axes)
            and all(mine == theirs for mine, theirs in zip(self.axes, other.axes, strict=True))
            and self.plain().get("partition") == other.plain().get("partition")
        )

    def partitioned(self, numbers: Integers, start: int) -> RegionBins:
        """Return the region with its bins added up by `numbers`, from 1 and 0 for none, as one row of bins."""
        count = int(numbers.max())
        return RegionBins(
            name=self.name,
            axes=(bh.axis.Regular(count, 0.5, count + 0.5),),
            observables=("bin",),
            labels=("bin of the partition",),
            start=start,
            partition=Partition(axes=self.axes, observables=self.observables, labels=self.labels, numbers=numbers),
        )

    def plain(self) -> dict[str, Any]:
        """Return the region as values JSON can hold."""
        found = {
            "name": self.name,
            "axes": _plain_axes(self.axes),
            "observables": self.observables,
            "labels": self.labels,
            "start": self.start,
        }
        if self.partition is not None:
            found["partition"] = {
                "axes": _plain_axes(self.partition.axes),
                "observables": self.partition.observables,
                "labels": self.partition.labels,
                "numbers": self.partition.numbers.tolist(),
            }
        return found

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> RegionBins:
        """Return the region `plain` was made from."""
        said = plain.get("partition")
        partition = None
        if said is not None:
            partition = Partition(
                axes=_axes_of(said["axes"]),
                observables=tuple(said["observables"]),
                labels=tuple(said["labels"]),
                numbers=np.array(said["numbers"], np.int64),
            )
        return cls(
            name=plain["name"],
            axes=_axes_of(plain["axes"]),
            observables=tuple(plain["observables"]),
            labels=tuple(plain["labels"]),
            start=plain["start"],
            partition=partition,
        )


def _plain_axes(axes: Sequence[bh.axis.Axis]) -> list[dict[str, Any]]:
    return [
        {"bins": len(axis), "range": [float(axis.edges[0]), float(axis.edges[-1])]}
        if isinstance(axis, bh.axis.Regular)
        else {"edges": axis.edges.tolist()}
        for axis in axes
    ]


def _axes_of(plain: Sequence[Mapping[str, Any]]) -> tuple[bh.axis.Axis, ...]:
    return tuple(
        bh.axis.Variable(axis["edges"]) if "edges" in axis else bh.axis.Regular(axis["bins"], *axis["range"])
        for axis in plain
    )


def axis(options: config.Axis) -> bh.axis.Axis:
    """Return the boost-histogram axis of `options`: regular for bins and range, variable for edges or log spacing.

    An axis of bins and range is variable too where a regular one would put a value on an edge into the bin below:
    boost-histogram's three roundings put 29 on an axis of 100 bins from 0 to 100 into the bin of 28. Edges are then the
    decimals meant, low + i (high - low) / bins with one rounding, so that a value equal to an edge is in the bin above.

    Raises
    ------
    ConfigError
        Edges in a unit of their own, which `config.load` would have brought to that of the observable.
    """
    if options.unit:
        raise ConfigError(f"axis {options.observable!r}: unit is a key of files; give edges in the observable's")
    if options.edges:
        return bh.axis.Variable(options.edges)
    low, high = options.range
    if options.log:
        # The ends are set exactly: geomspace may round them.
        return bh.axis.Variable([low, *np.geomspace(low, high, options.bins + 1)[1:-1], high])
    regular = bh.axis.Regular(options.bins, low, high)
    numbered: Any = regular.index
    edges = _decimals(options.bins, low, high)
    if edges is None or np.array_equal(numbered(edges[:-1]), np.arange(options.bins)):
        return regular
    return bh.axis.Variable(edges)


def _decimals(bins: int, low: float, high: float) -> Floats | None:
    """Return the edges of equal bins between two decimals, each rounded once; None for ends of too many digits."""
    first, last = Decimal(repr(float(low))), Decimal(repr(float(high)))
    digits = max(-int(first.as_tuple().exponent), -int(last.as_tuple().exponent), 0)
    if digits > 15:
        return None
    start, stop = (int(end.scaleb(digits)) for end in (first, last))
    below = bins * 10**digits
    if max(abs(start), abs(stop)) * bins > 2**53 or below > 2**53:
        return None
    # Whole numbers that doubles hold exactly: only the quotient is rounded.
    steps = np.arange(bins + 1, dtype=np.int64)
    edges: Floats = (start * bins + steps * (stop - start)) / below
    return edges


def lay_out(regions: Sequence[config.Region]) -> tuple[RegionBins, ...]:
    """Return the bins of all regions, one after the other."""
    result: list[RegionBins] = []
    for region in regions:
        result.append(
            RegionBins(
                name=region.name,
                axes=tuple(axis(options) for options in region.axes),
                observables=tuple(options.observable for options in region.axes),
                labels=tuple(options.label or observable(options.observable).label for options in region.axes),
                start=result[-1].stop if result else 0,
            )
        )
    return tuple(result)


@dataclass(frozen=True, kw_only=True, eq=False)
class CellLayout:
    """How the cells of all regions are numbered: region after region, each in C order with its flow.

    Attributes
    ----------
    size : int
        F, the number of cells.
    firsts : tuple of int, length R
        First cell of each region.
    inner : (B,) array of int
        Cell of each bin.
    outer : tuple of arrays of int, length R
        Cells outside the axes of each region.
    """

    size: int
    firsts: tuple[int, ...]
    inner: Integers
    outer: tuple[Integers, ...]

    @classmethod
    def of(cls, regions: Sequence[RegionBins]) -> CellLayout:
        """Return the layout of `regions`."""
        firsts, inner, outer, first = [], [], [], 0
        for region in regions:
            size = int(np.prod(region.extents))
            numbered = np.arange(first, first + size).reshape(region.extents)
            within = np.zeros(region.extents, np.bool_)
            within[(slice(1, -1),) * len(region.extents)] = True
            firsts.append(first)
            inner.append(numbered[within])
            outer.append(numbered[~within])
            first += size
        return cls(size=first, firsts=tuple(firsts), inner=np.concatenate(inner), outer=tuple(outer))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Numbering:
    """How the events of one region are numbered: `first` is its first cell, `strides` are those of its axes."""

    name: str
    observables: tuple[str, ...]
    indices: tuple[AxisIndex, ...]
    strides: tuple[int, ...]
    first: int
    cut: expressions.Expression | None

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns the axes and the cut are made of."""
        return needs([*self.observables, *(self.cut.variables if self.cut else ())])

    def cells(self, events: Quantities, count: int) -> Places:
        """Return the cell of each event, (N,), negative where the cut fails."""
        cells = np.full(count, self.first, np.int32)
        for text, index, stride in zip(self.observables, self.indices, self.strides, strict=True):
            number(index, self._one_each(events.value(text), count, f"axis {text!r}"), stride, cells)
        if self.cut is not None:
            passed = self.cut(events)
            if np.ndim(passed):
                passed = self._one_each(passed, count, f"cut {self.cut.text!r}")
            # NaN passes no cut.
            np.putmask(cells, ~((passed != 0) & (passed == passed)), -1)
        return cells

    def _one_each(self, values: Any, count: int, what: str) -> Any:
        if isinstance(values, np.ndarray) and values.shape == (count,):
            return values
        if np.ndim(values) == 0:
            return np.full(count, values, np.float64)
        raise ConfigError(
            f"region {self.name!r}: {what} has more than one value per event; reduce jagged columns with Sum$, Max$,"
            " Min$ or [i]"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """The cells of all regions, and how to number the events of one sample.

    Attributes
    ----------
    layout : CellLayout
    numberings : tuple
        The regions that take events of the sample.
    """

    layout: CellLayout
    numberings: tuple[_Numbering, ...]

    @classmethod
    def of(cls, regions: Sequence[config.Region], sample: str) -> Grid:
        """Return the grid of `regions`, filled by the events of `sample`."""
        laid_out = lay_out(regions)
        layout = CellLayout.of(laid_out)
        numberings = tuple(
            _Numbering(
                name=region.name,
                observables=bins.observables,
                indices=tuple(axis_index(axis) for axis in bins.axes),
                strides=tuple(int(np.prod(bins.extents[index + 1 :])) for index in range(len(bins.extents))),
                first=first,
                cut=expressions.compile(region.cut) if region.cut else None,
            )
            for region, bins, first in zip(regions, laid_out, layout.firsts, strict=True)
            if config.chosen(region.samples, (sample,))
        )
        return cls(layout=layout, numberings=numberings)

    @property
    def size(self) -> int:
        """F, the number of cells."""
        return self.layout.size

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns the axes and cuts are made of."""
        return tuple(dict.fromkeys(column for numbering in self.numberings for column in numbering.needs))

    @property
    def axes(self) -> tuple[str, ...]:
        """Columns the axes are made of."""
        return needs(text for numbering in self.numberings for text in numbering.observables)

    def cells(self, events: Quantities, count: int) -> tuple[Places, ...]:
        """Return per region the cell of each event, (N,), negative where its cut fails.

        Raises
        ------
        ConfigError
            An event is in bins of two regions.
        """
        found = tuple(numbering.cells(events, count) for numbering in self.numberings)
        self._refuse_shared(found)
        return found

    def moved(self, events: Quantities, column: str, cells: tuple[Places, ...]) -> tuple[Places, ...]:
        """Return the cells after `column` was shifted in `events`; regions that do not need it keep theirs."""
        found = tuple(
            numbering.cells(events, nominal.size) if column in numbering.needs else nominal
            for numbering, nominal in zip(self.numberings, cells, strict=True)
        )
        self._refuse_shared(found)
        return found

    def _refuse_shared(self, found: tuple[Places, ...]) -> None:
        if len(found) < 2:
            return
        inside = np.zeros(self.size + 1, np.bool_)
        inside[self.layout.inner] = True  # the last cell, for -1, stays outside
        claimed = np.zeros(found[0].size, np.uint8)
        for cells in found:
            claimed += inside[cells]
        if np.any(claimed > 1):
            event = int(np.argmax(claimed > 1))
            names = [
                numbering.name
                for numbering, numbers in zip(self.numberings, found, strict=True)
                if inside[numbers[event]]
            ]
            raise ConfigError(
                f"regions {' and '.join(map(repr, names))} share events, which the fit would count twice;"
                " give them cuts or axes that exclude one another"
            )
