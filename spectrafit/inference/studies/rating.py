"""What binnings of one fine grid are worth: the limit, with and without what the simulation's noise pretends to know.

A binning is made by merging saved cells, so its limit takes a fraction of a second and no ntuple.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from spectrafit.arraytypes import Integers
from spectrafit.config import Analysis, Prune, Shift
from spectrafit.errors import ConfigError
from spectrafit.inference.assemble import assemble
from spectrafit.inference.fitting.bins import Bins
from spectrafit.inference.fitting.linear import bins_of
from spectrafit.inference.intervals.limits import upper_limit
from spectrafit.inference.model import Model
from spectrafit.inference.results import Limit
from spectrafit.inference.studies.density import with_prediction
from spectrafit.inference.studies.grid import Edges, Grid, GridRegion
from spectrafit.inference.studies.judgement import Judgement, judge
from spectrafit.inference.toys.options import ToyOptions
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.templates.cells import Cells
from spectrafit.templates.merging import Merge, merged_regions
from spectrafit.templates.regions import CellLayout
from spectrafit.templates.templates import Templates, vary

__all__ = ["Rated", "Rater", "grid_of", "side_by_side"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rated:
    """One binning and what it is worth.

    Attributes
    ----------
    name : str
    edges : tuple of tuple of arrays, or None
        Per region and axis; None for a partition, which has none.
    limit : Limit
        Expected, by the analysis' method: the full limit, with the noise that a fit takes for knowledge.
    corrected, guarded : float
        The median expected limit in the limit's unit with the noise of systematics subtracted, and with the noise of
        the expectation kept from profit as well. The limit of kappa is scaled by the error of kappa.
    judgement : Judgement
        On the whole simulation, as the analysis is fitted.
    halves : tuple of Judgement
        On each half of the simulation, changes not smoothed; empty where the cells have no halves. The first half is
        the one an optimum was chosen with, the second is independent of the choice.
    error : float
        The expected error of the parameter of interest, noise kept from profit, no change smoothed.
    kept : float
        Share of the most information about the parameter of interest that is known of, that of the fine grid or of a
        binning beside this one, noise kept from profit in all. The fine grid may hold less than its merged cells: what
        keeps noise from profit costs information in cells with next to no events.
    notes : tuple of str
    """

    name: str
    edges: Edges | None
    limit: Limit
    corrected: float
    guarded: float
    judgement: Judgement
    halves: tuple[Judgement, ...]
    error: float
    kept: float
    notes: tuple[str, ...] = ()

    @property
    def median(self) -> float:
        """The median expected limit, in the limit's unit."""
        return self.limit.expected.median if self.limit.expected else self.limit.value

    def summary(self) -> dict[str, Any]:
        """Return what a result file keeps, as plain numbers."""
        return {
            "name": self.name,
            "edges": None if self.edges is None else [[axis.tolist() for axis in axes] for axes in self.edges],
            "limit": self.limit.summary(),
            "corrected_limit": self.corrected,
            "guarded_limit": self.guarded,
            "kept_information": self.kept,
            "whole_simulation": self.judgement.summary(),
            "halves": [half.summary() for half in self.halves],
            "notes": list(self.notes),
        }


def grid_of(cells: Cells) -> Grid:
    """Return filled cells as a grid to merge, with what a fit knows of each cell, and with a prediction for empty ones.

    Changes are neither smoothed nor pruned: their noise is known cell by cell and subtracted.

    Raises
    ------
    ConfigError, DataError
        As `spectrafit.assemble`; a fit of shapes or totals alone, for which bins do not say all.
    """
    analysis = cells.analysis
    if analysis.fit.terms != "shape+norm":
        raise ConfigError(
            f'{analysis.path}: $.fit.terms = "{analysis.fit.terms}": binnings are compared by what all terms know; use'
            ' "shape+norm", and judge the binning found by the limit of the other terms'
        )
    plain = msgspec.structs.replace(
        analysis,
        systematics=tuple(
            msgspec.structs.replace(systematic, smooth=False) if isinstance(systematic, Shift) else systematic
            for systematic in analysis.systematics
        ),
        prune=Prune(),
        fit=msgspec.structs.replace(analysis.fit, zero_bins="drop"),
    )
    templates = vary(dataclasses.replace(cells, analysis=plain, halves=()))
    model = assemble(plain, templates)
    regions = tuple(
        GridRegion(
            name=region.name,
            observables=region.observables,
            edges=tuple(np.asarray(axis.edges) for axis in region.axes),
        )
        for region in templates.regions
    )
    bins = bins_of(model, templates, merging=True)
    # Regions that are shown and not fitted say nothing; their simulated events stay.
    fitted = np.concatenate([np.full(span.stop - span.start, float(span.fitted)) for span in model.regions])
    quiet = {name: getattr(bins, name) * fitted for name in ("derivative", "noise")}
    shared = bins.shared.chosen(np.all(fitted[bins.shared.bins] > 0, axis=1))
    return with_prediction(Grid(regions=regions, bins=dataclasses.replace(bins, shared=shared, **quiet)))


class Rater:
    """Rates binnings of one fine grid.

    Parameters
    ----------
    cells : Cells
        Of the fine grid, with its halves if there are any.
    toys : int or ToyOptions, optional
        For methods of limits that throw toys; by default as `[limit]` says.
    """

    def __init__(self, cells: Cells, *, toys: int | ToyOptions | None = None) -> None:
        self.cells = cells
        self.parameter = cells.analysis.interest
        said = cells.analysis.limit
        own = ToyOptions(toys=said.toys, seed=said.seed, ensemble=said.ensemble)
        self._toys = own if toys is None else toys

    @cached_property
    def whole(self) -> Grid:
        """The grid filled with the whole simulation."""
        return grid_of(self.cells)

    @cached_property
    def halves(self) -> tuple[Grid, ...]:
        """The grid filled with each half of the simulation."""
        return tuple(grid_of(half) for half in self.cells.halves)

    @cached_property
    def finest(self) -> Judgement:
        """What the fine grid itself is worth."""
        return judge(self.whole.bins, self.parameter)

    def edges(self, name: str, edges: Edges) -> Rated:
        """Rate a binning by edges of the grid.

        Raises
        ------
        ConfigError
            An edge that the grid does not have; as `upper_limit`.
        """
        labels, count = self.whole.labels(edges)
        wanted = {
            region.name: [list(map(float, axis)) for axis in axes]
            for region, axes in zip(self.whole.regions, edges, strict=True)
        }
        merge = Merge.between(self.cells.regions, merged_regions(self.cells.regions, wanted))
        return self._rated(name, edges, merge, labels, count)

    def partition(self, name: str, labels: Integers) -> Rated:
        """Rate a partition: the bin of every cell, from 0, -1 for none; bins of two regions are kept apart."""
        return self.merged(name, Merge.of_partition(self.cells.regions, labels))

    def merged(self, name: str, merge: Merge) -> Rated:
        """Rate whatever bins a merge of the cells makes."""
        after = CellLayout.of(merge.regions).inner
        number = np.full(merge.size + 1, -1, np.int64)
        number[after] = np.arange(after.size)
        labels = number[merge.target[self.cells.layout.inner]]
        return self._rated(name, None, merge, labels, after.size)

    def _rated(self, name: str, edges: Edges | None, merge: Merge, labels: Integers, count: int) -> Rated:
        # Covariances of files were over the analysis' own bins: they are rows of the cells by now.
        templates = vary(dataclasses.replace(self.cells, halves=()).merged(merge))
        analysis, notes = self._analysis(templates)
        model = assemble(analysis, templates)
        said = analysis.limit
        limit = upper_limit(
            model, level=said.level, method=said.method, sides=said.sides, toys=self._toys, simulation=False
        )
        whole = self.whole.bins.merged(labels, count)
        judgement = judge(self._fitted(model, templates, whole), self.parameter)
        plain = judge(whole, self.parameter)
        halves = tuple(judge(half.bins.merged(labels, count), self.parameter) for half in self.halves)
        kappa = limit.expected.kappas[2] if limit.expected else limit.kappa
        corrected, guarded = (
            _scaled(model, kappa, error / judgement.naive) for error in (judgement.corrected, judgement.guarded)
        )
        return Rated(
            name=name,
            edges=edges,
            limit=limit,
            corrected=corrected,
            guarded=guarded,
            judgement=judgement,
            halves=halves,
            error=plain.guarded,
            kept=_kept(plain.guarded, min(self.finest.guarded, plain.guarded)),
            notes=notes,
        )

    def _analysis(self, templates: Templates) -> tuple[Analysis, tuple[str, ...]]:
        """Return the analysis to fit these bins with, and what must be known of it."""
        analysis = self.cells.analysis
        empty = int((templates.counts[:, 0, 0].sum(axis=0) <= 0).sum())
        if not empty or analysis.fit.zero_bins != "error":
            return analysis, ()
        dropped = msgspec.structs.replace(analysis.fit, zero_bins="drop")
        return msgspec.structs.replace(analysis, fit=dropped), (f"{empty} bins expect nothing and were dropped",)

    def _fitted(self, model: Model, templates: Templates, whole: Bins) -> Bins:
        """Return the bins as they are fitted, smoothed or not, with the prediction of the fine grid for empty ones."""
        bins = bins_of(model, templates)
        known = dict(zip(whole.samples, np.asarray(whole.predicted), strict=True))
        missing = np.asarray(bins.predicted)
        predicted = [known.get(name, row) for name, row in zip(bins.samples, missing, strict=True)]
        return dataclasses.replace(bins, predicted=np.array(predicted))


def side_by_side(rows: Sequence[Rated]) -> tuple[Rated, ...]:
    """Return binnings of one grid whose shares of information are of the most that one of them has."""
    # Each row knows how much more the fine grid has than itself, if it has more.
    least = min((row.error * row.kept**0.5 for row in rows if np.isfinite(row.error)), default=np.inf)
    return tuple(dataclasses.replace(row, kept=_kept(row.error, least)) for row in rows)


def _kept(error: float, least: float) -> float:
    """Return the share of information of an error, of that of the least error; 0 where nothing is known."""
    return min(float((least / error) ** 2), 1.0) if np.isfinite(error) else 0.0


def _scaled(model: Model, kappa: float, factor: float) -> float:
    """Return a limit of kappa in its unit after its error has changed by a factor."""
    if not np.isfinite(factor):
        return float("inf")
    return float(COUPLINGS[model.coupling].reported(kappa * factor) if model.coupling else kappa * factor)
