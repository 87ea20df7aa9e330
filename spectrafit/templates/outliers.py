"""Finds bins in which one event outweighs all others, as a weight of -999 or 1e30 that marks a failure does.

The statistical precision of a sum of weights w is that of (sum w)^2 / sum w^2 events of equal weight. If this number is
below two although there are more than twenty entries, one event has more than half of sum w^2. Weights of systematics
are examined in the same way: their squared changes add up to the noise that `Cells` keep.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spectrafit import config
from spectrafit.arraytypes import Flags
from spectrafit.events.schema import DropReport
from spectrafit.templates.cells import SampleCells
from spectrafit.templates.plan import Plan
from spectrafit.templates.regions import CellLayout, RegionBins

__all__ = ["outweighed"]

# Fewer entries than this are not examined, as for a whole sample.
_ENTRIES = 20
# One entry has more than half of sum w^2 where (sum w)^2 / sum w^2 is less.
_FEWEST = 2.0
# Squared changes are suspicious above this many times the squared weights: weights change by more than 200 % then.
_LARGEST = 4.0


def outweighed(
    sample: SampleCells, plan: Plan, report: DropReport, regions: tuple[RegionBins, ...], layout: CellLayout
) -> list[str]:
    """Return a sentence for each set of weights by which one event outweighs all others in some bin.

    Parameters
    ----------
    sample : SampleCells
        The sample as it was filled; its universes are not reduced yet.
    plan : Plan
    report : DropReport
        Knows the heaviest entry of each column of weights. If one entry dominates a column in the whole sample,
        `DropReport.outweighing` reports it, and this function does not.
    regions : tuple of RegionBins
    layout : CellLayout
        How the cells are numbered.
    """
    found = []
    entries = np.asarray(sample.entries[layout.inner])
    for names, alone in _suspects(sample, plan, layout):
        bins = np.flatnonzero(alone & (entries > _ENTRIES))
        known = [(abs(report.heaviest[name].weight), name) for name in names if name in report.heaviest]
        if not bins.size or any(report.heaviest[name].outweighs for _, name in known):
            continue
        first = int(bins[0])
        region = next(region for region in reversed(regions) if region.start <= first)
        more = f" (and in {bins.size - 1} more)" if bins.size > 1 else ""
        column = max(known)[1] if known else names[0]
        heaviest = report.heaviest.get(column)
        named = f"; the heaviest is {heaviest.where}, {heaviest.weight:g}" if heaviest is not None else ""
        found.append(
            f"one of {int(entries[first])} events seems to have more than half of the sum of squares of {column!r} in"
            f" bin {first - region.start} of region {region.name!r}{more}{named}; if this weight marks a failure, cut"
            " the event with the sample's selection"
        )
    return found


def _suspects(sample: SampleCells, plan: Plan, layout: CellLayout) -> Iterator[tuple[tuple[str, ...], Flags]]:
    """Yield columns of weights, and for each bin without flow whether one event may dominate there."""
    sums, squares = sample.sums[0, layout.inner], sample.squares[0, layout.inner]
    yield ("weight",), sums**2 < _FEWEST * squares
    for key, effect in plan.effects.items():
        if not isinstance(effect.systematic, config.Weight | config.Universes):
            continue
        noise = sample.effects[key].noise[:, 0, layout.inner]
        alone = noise > _LARGEST * squares
        if isinstance(effect.systematic, config.Weight):
            alone &= (sample.effects[key].sums[:, 0, layout.inner] - sums) ** 2 < _FEWEST * noise
        yield effect.reads(plan.sample), alone.any(axis=0)
