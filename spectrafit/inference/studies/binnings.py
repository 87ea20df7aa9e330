"""What a comparison of binnings and the search for the best one give: numbers, notes, tables, and edges to paste."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.errors import ConfigError
from spectrafit.inference.studies.grid import Grid, GridRegion
from spectrafit.inference.studies.judgement import information_by_bin
from spectrafit.inference.studies.optimise import Optimum
from spectrafit.inference.studies.partition import Partition
from spectrafit.inference.studies.rating import Rated

__all__ = ["BOUND", "OPTIMUM", "OWN", "STATISTICS", "WIDTH", "BestBinning", "Binnings"]

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
                name: [float(f"{edge:.10g}") for edge in edges]
                for name, edges in zip(region.observables, axes, strict=True)
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
        if bound is not None:
            yield (
                f"{BOUND}: a bound for {bound.judging.bins} bins with any edges of this grid, within the simulation's"
                " noise and if the search found the best; more bins, or a finer or wider grid, may know more"
            )
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
                        {"observable": name, "edges": [float(f"{edge:.10g}") for edge in edges]}
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
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
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
