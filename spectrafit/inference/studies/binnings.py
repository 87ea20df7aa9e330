"""Comparison of binnings of one analysis, and the search for the best one, from filled cells.

Edges are chosen on one half of the simulation and judged on the other, so that no choice profits from its own noise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.config import Analysis
from spectrafit.errors import ConfigError
from spectrafit.inference.studies.grid import Grid, GridRegion, equal_statistics, equal_width
from spectrafit.inference.studies.judgement import information_by_bin
from spectrafit.inference.studies.optimise import Optimum, Rules
from spectrafit.inference.studies.optimise import optimise as search
from spectrafit.inference.studies.partition import Partition, best_partition
from spectrafit.inference.studies.rating import Rated, Rater
from spectrafit.inference.toys.options import ToyOptions
from spectrafit.templates.cells import Cells
from spectrafit.templates.merging import Edges as NamedEdges
from spectrafit.templates.merging import merged_regions
from spectrafit.templates.partition import merge_to
from spectrafit.templates.regions import lay_out

__all__ = ["BestBinning", "Binnings", "compare_binnings", "optimise"]


# A greater relative uncertainty of an error says nothing about which binning is better.
_VAGUE = 0.3

OWN, WIDTH, STATISTICS, OPTIMUM, BOUND = "as it is", "equal width", "equal statistics", "optimum", "best partition"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class BestBinning:
    """The binning that `optimise` found, the bound that no edges pass, and the grid that both are made of.

    Attributes
    ----------
    found : Optimum
        The edges, judged on the half they were chosen with and on the independent half.
    rated : Rated
        The same binning on the whole simulation, with its full limit.
    partition : Partition or None
        The best partition of the cells into as many bins, cells of any place in one bin; None if the events do not
        allow one.
    bound : Rated or None
        That partition on the whole simulation, with its full limit; bins of several regions are kept apart.
    regions : tuple of GridRegion
        The fine grid.
    shown : tuple of str
        Regions that are not fitted: their edges are left alone.
    """

    found: Optimum
    rated: Rated
    partition: Partition | None
    bound: Rated | None
    regions: tuple[GridRegion, ...]
    shown: tuple[str, ...] = ()

    @property
    def edges(self) -> dict[str, dict[str, list[float]]]:
        """The edges by the names of regions and observables, as `Cells.rebinned` takes them."""
        return {
            region.name: {
                name: [float(f"{x:.10g}") for x in e] for name, e in zip(region.observables, axes, strict=True)
            }
            for region, axes in zip(self.regions, self.found.edges, strict=True)
        }

    def partition_of(self, region: str) -> Integers:
        """Return the partition of one region's cells: numbers from 1 in the shape of its grid, 0 for none.

        Raises
        ------
        ConfigError
            There is no partition, or no such region.
        """
        names = [one.name for one in self.regions]
        if self.partition is None or region not in names:
            raise ConfigError(f"no partition of region {region!r} was found (regions: {', '.join(names)})")
        at = names.index(region)
        start = sum(int(np.prod(one.shape)) for one in self.regions[:at])
        shape = self.regions[at].shape
        mine = self.partition.labels[start : start + int(np.prod(shape))]
        used = np.unique(mine[mine >= 0])
        found: Integers = np.where(mine >= 0, np.searchsorted(used, mine) + 1, 0).reshape(shape)
        return found

    def toml(self) -> str:
        """Return the edges as lines to put into the analysis, one `axes` per region."""
        lines = []
        for region in self.regions:
            if region.name in self.shown:
                continue
            lines.append(f"# region {region.name}")
            lines.append("axes = [")
            for name, edges in self.edges[region.name].items():
                quoted = name.replace("\\", "\\\\").replace('"', '\\"')
                lines.append(f'    {{ observable = "{quoted}", edges = [{", ".join(map(repr, edges))}] }},')
            lines.append("]")
        return "\n".join(lines) + "\n"

    def summary(self) -> dict[str, Any]:
        """Return what a result file keeps, as plain numbers."""
        return {
            "found": self.found.summary(),
            "rated": self.rated.summary(),
            "bound": None if self.bound is None else self.bound.summary(),
            "edges": self.edges,
        }

    def __str__(self) -> str:
        """Return a few lines: the edges, and the errors that both halves give."""
        train, other = self.found.training, self.found.judging
        unit = f" {self.rated.limit.unit}" if self.rated.limit.unit else ""
        return (
            f"{self.toml()}"
            f"# {other.bins} bins; expected limit {self.rated.median:.4g}{unit},"
            f" without noise {self.rated.guarded:.4g}{unit}\n"
            f"# error of kappa on the half it was chosen with {train.guarded:.4g} +- {train.uncertainty:.2g}, on the"
            f" independent half {other.guarded:.4g} +- {other.uncertainty:.2g}"
        )

    def __repr__(self) -> str:
        return str(self)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Binnings:
    """Binnings of one analysis side by side.

    Attributes
    ----------
    rows : tuple of Rated
        The analysis' own first.
    best : BestBinning or None
        What the search found, if there was one.
    parameter, coupling : str
        The parameter of interest, and the coupling it is of.
    grid : Grid
        The fine grid, filled with the whole simulation.
    labels : tuple of tuple of str
        Printed label of every axis of each region.
    """

    rows: tuple[Rated, ...]
    best: BestBinning | None
    parameter: str
    coupling: str
    grid: Grid
    labels: tuple[tuple[str, ...], ...]

    @property
    def fine_cells(self) -> int:
        """Cells of the fine grid."""
        return self.grid.bins.size

    def information(self, region: int) -> tuple[Floats, Floats]:
        """Return what each cell of a region says of the parameter, naive and without noise, in the grid's shape."""
        naive, corrected = information_by_bin(self.grid.bins, self.parameter)
        return self._part(region, naive), self._part(region, corrected)

    def simulated(self, region: int) -> tuple[Floats, Floats]:
        """Return the simulated events in each cell of a region, of signal and of background, in the grid's shape."""
        bins = self.grid.bins
        entries = (bins.entries[~bins.background].sum(axis=0), bins.entries[bins.background].sum(axis=0))
        return self._part(region, entries[0]), self._part(region, entries[1])

    def _part(self, region: int, values: Floats) -> Floats:
        start, shape = self.grid.starts[region], self.grid.regions[region].shape
        return values[start : start + int(np.prod(shape))].reshape(shape)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know besides the numbers."""
        result = [f"{row.name}: {note}" for row in self.rows for note in row.notes]
        if self.best is not None and self.best.found.exempt:
            result.append(
                f"{OPTIMUM}: {self.best.found.exempt} of its bins hold fewer events than asked for; each says next to"
                f" nothing of {self.parameter}"
            )
        return (*result, *self._verdicts())

    def _verdicts(self) -> Iterator[str]:
        """Say whether the independent half confirms the optimum and the bound."""
        if self.best is None:
            return
        yield self._verdict(self.best)
        bound = self.best.partition
        vague = bound is not None and bound.judging.uncertainty > _VAGUE * bound.judging.guarded
        if bound is not None and (vague or bound.judging.guarded > self.best.found.judging.guarded):
            yield (
                f"{BOUND}: on the independent half it knows no more than the optimum: the simulated events are too few"
                " to order cells by, and nothing more than the optimum is to be gained with them"
            )

    def _verdict(self, best: BestBinning) -> str:
        """Say whether the independent half confirms that the optimum is better than what there is."""
        own, other = self.rows[0].halves[1], best.found.judging
        gain = 100.0 * (1.0 - other.guarded / own.guarded)
        if max(own.uncertainty / own.guarded, other.uncertainty / other.guarded) > _VAGUE:
            return (
                f"{OPTIMUM}: neither confirmed nor not: on the independent half the error of {self.parameter} is known"
                f" to {100.0 * other.uncertainty / other.guarded:.0f} % only; simulate more, or ask for fewer bins"
            )
        there = f"on the independent half the error of {self.parameter} is {abs(gain):.1f} %"
        if gain >= 0.5:
            return f"{OPTIMUM}: confirmed: {there} smaller than with the binning as it is"
        if gain >= -1.0 and other.bins < own.bins:
            side = "smaller" if gain > 0 else "greater"
            return f"{OPTIMUM}: as good with {other.bins} bins as the {own.bins} there are: {there} {side}"
        return f"{OPTIMUM}: NOT confirmed: {there} {'smaller' if gain > 0 else 'greater'}; keep the binning as it is"

    def summary(self) -> dict[str, Any]:
        """Return what a result file keeps, as plain numbers."""
        return {
            "parameter": self.parameter,
            "fine_cells": self.fine_cells,
            "grid": [
                {
                    "region": region.name,
                    "axes": [
                        {"observable": name, "edges": [float(f"{x:.10g}") for x in edges]}
                        for name, edges in zip(region.observables, region.edges, strict=True)
                    ],
                }
                for region in self.grid.regions
            ],
            "binnings": [row.summary() for row in self.rows],
            "optimum": None if self.best is None else self.best.summary(),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """Return a table: per binning the limit, with and without noise, and how well it is filled."""
        unit = self.rows[0].limit.unit or "kappa"
        head = (
            "binning",
            "bins",
            f"limit [{unit}]",
            "without noise",
            "fewest simulated",
            "of backgrounds",
            "kept",
            "independent half",
        )
        rows = [head, *(_cells(row) for row in self.rows)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
            for row in rows
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return str(self)


def _cells(row: Rated) -> tuple[str, ...]:
    independent = "-"
    if row.halves:
        independent = f"{row.halves[1].guarded:.4g} +- {row.halves[1].uncertainty:.2g}"
    return (
        row.name,
        str(row.judgement.bins),
        f"{row.median:.4g}",
        f"{row.guarded:.4g}",
        f"{row.judgement.entries:.0f}",
        f"{row.judgement.background_entries:.0f}",
        f"{100 * row.kept:.1f} %",
        independent,
    )


def compare_binnings(
    analysis: Analysis,
    cells: Cells,
    edges: Mapping[str, NamedEdges] | None = None,
    *,
    rules: Rules | None = None,
    search_best: bool = True,
    starts: int = 1,
    toys: int | ToyOptions | None = None,
) -> Binnings:
    """Return the analysis' own binning beside equal width, equal statistics, hand-made ones and the optimum.

    Equal width and equal statistics have as many bins along each axis as the analysis.

    Parameters
    ----------
    analysis : Analysis
    cells : Cells
        Of a finer grid, see `spectrafit.fine_cells`.
    edges : mapping of name to `spectrafit.templates.merging.Edges`, optional
        Hand-made binnings.
    rules, starts
        As for `optimise`.
    search_best : bool
        Whether to look for the optimum too.
    toys : int or ToyOptions, optional
        As for `optimise`.

    Raises
    ------
    ConfigError
        An edge that the grid does not have; as `optimise`.
    """
    rater = Rater(cells, toys=toys)
    own = _own(rater, analysis)
    rows = [own]
    counts = _bins(analysis, rater.whole)
    for name, make in ((WIDTH, equal_width), (STATISTICS, equal_statistics)):
        rows.append(rater.edges(name, make(rater.whole, counts)))
    for name, wanted in (edges or {}).items():
        regions = merged_regions(cells.regions, wanted)
        rows.append(rater.edges(name, tuple(tuple(np.asarray(a.edges) for a in r.axes) for r in regions)))
    best = _optimise(rater, rules, starts, None) if search_best else None
    if best is not None:
        rows.append(best.rated)
        if best.bound is not None:
            rows.append(best.bound)
    return Binnings(
        rows=tuple(rows),
        best=best,
        parameter=rater.parameter,
        coupling=cells.analysis.coupling_options.name,
        grid=rater.whole,
        labels=tuple(region.labels for region in cells.regions),
    )


def _own(rater: Rater, analysis: Analysis) -> Rated:
    """Rate the binning that an analysis has, by edges or by partitions."""
    if any(region.partition for region in analysis.regions):
        return rater.merged(OWN, merge_to(rater.cells.regions, analysis))
    return rater.edges(
        OWN, tuple(tuple(np.asarray(axis.edges) for axis in region.axes) for region in lay_out(analysis.regions))
    )


def _bins(analysis: Analysis, grid: Grid) -> list[list[int]]:
    """Return the number of bins along each axis of the analysis, and at most as many as there are cells."""
    return [
        [min(n, most) for n, most in zip(region.shape, fine.shape, strict=True)]
        for region, fine in zip(lay_out(analysis.regions), grid.regions, strict=True)
    ]


def optimise(
    cells: Cells,
    *,
    rules: Rules | None = None,
    starts: int = 3,
    partition: int | None = None,
    toys: int | ToyOptions | None = None,
) -> BestBinning:
    """Return the binning with the smallest expected error of the parameter of interest, noise kept from profit.

    Parameters
    ----------
    cells : Cells
        Of a fine grid with the two halves of the simulation: `spectrafit.fine_cells(analysis)`, or cells built with
        ``halves=True``.
    rules : Rules, optional
        What the binning must fulfil. Least events are of the whole simulation.
    starts : int
        How many of the best binnings on the way down to refine.
    partition : int, optional
        Bins of the best partition, which bounds what edges can reach; by default as many as the optimum has.
    toys : int or ToyOptions, optional
        For methods of limits that throw toys; by default as `[limit]` says.

    Raises
    ------
    ConfigError
        Cells without halves; rules that no binning of the grid fulfils; as `grid_of`.
    """
    return _optimise(Rater(cells, toys=toys), rules, starts, partition)


def _optimise(rater: Rater, rules: Rules | None, starts: int, partition: int | None) -> BestBinning:
    if len(rater.halves) != 2:
        raise ConfigError(
            "optimise: these cells have no halves of the simulation, one to choose with and one to judge on; fill them"
            " with fine_cells(analysis) or build(analysis, halves=True)"
        )
    asked = rules or Rules()
    # The edges are chosen with half of the events.
    halved = dataclasses.replace(
        asked,
        entries=asked.entries / 2.0,
        background_entries=asked.background_entries / 2.0,
        relative_error=asked.relative_error * np.sqrt(2.0),
    )
    training, judging = rater.halves
    found = search(training, judging, rules=halved, parameter=rater.parameter, starts=starts)
    wanted = found.training.bins if partition is None else partition
    best = _partition(rater, training, judging, wanted, halved)
    return BestBinning(
        found=found,
        rated=rater.edges(OPTIMUM, found.edges),
        partition=best,
        bound=None if best is None else rater.partition(BOUND, best.labels),
        regions=rater.whole.regions,
        shown=tuple(region.name for region in rater.cells.analysis.regions if not region.fit),
    )


def _partition(rater: Rater, training: Grid, judging: Grid, bins: int, rules: Rules) -> Partition | None:
    """Return the best partition into so many bins, or into half as many until the events fill them."""
    while bins >= 1:
        try:
            return best_partition(
                training,
                judging,
                bins,
                entries=rules.entries,
                background_entries=rules.background_entries,
                parameter=rater.parameter,
            )
        except ConfigError:
            bins //= 2
    return None
