"""Comparison of binnings of one analysis, and the search for the best one, from filled cells.

Edges are chosen on one half of the simulation and judged on the other, so that no choice profits from its own noise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from spectrafit.config import Analysis
from spectrafit.errors import ConfigError
from spectrafit.inference.studies.binnings import BOUND, OPTIMUM, OWN, STATISTICS, WIDTH, BestBinning, Binnings
from spectrafit.inference.studies.grid import Grid, equal_statistics, equal_width
from spectrafit.inference.studies.optimise import Rules
from spectrafit.inference.studies.optimise import optimise as search
from spectrafit.inference.studies.partition import Partition, best_partition
from spectrafit.inference.studies.rating import Rated, Rater, side_by_side
from spectrafit.inference.toys.options import ToyOptions
from spectrafit.stages import stage
from spectrafit.templates.cells import Cells
from spectrafit.templates.merging import Edges as NamedEdges
from spectrafit.templates.merging import merged_regions
from spectrafit.templates.partition import merge_to
from spectrafit.templates.regions import lay_out

__all__ = ["compare_binnings", "optimise"]


@stage("compared the binnings")
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
        rows.append(
            rater.edges(name, tuple(tuple(np.asarray(axis.edges) for axis in region.axes) for region in regions))
        )
    best = _optimise(rater, rules, starts, None) if search_best else None
    others = () if best is None else (best.rated,) if best.bound is None else (best.rated, best.bound)
    together = side_by_side((*rows, *others))
    if best is not None:
        rated, *bound = together[len(rows) :]
        best = dataclasses.replace(best, rated=rated, bound=bound[0] if bound else None)
    return Binnings(
        rows=together,
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
        [min(bins, most) for bins, most in zip(region.shape, fine.shape, strict=True)]
        for region, fine in zip(lay_out(analysis.regions), grid.regions, strict=True)
    ]


@stage("looked for the best edges")
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
    rows = [rater.edges(OPTIMUM, found.edges)]
    if best is not None:
        rows.append(rater.partition(BOUND, best.labels))
    rated, *bound = side_by_side(rows)
    return BestBinning(
        found=found,
        rated=rated,
        partition=best,
        bound=bound[0] if bound else None,
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
