"""Draws simulated events of every bin at random by their weight, so that they can stand in for data.

The events of one sample in one bin lie end to end on a line, each as long as its weight, in the order of the files.
Points thrown evenly on that line pick events. So a pass over the files is enough, any number of points can be asked
for, and the numbers per bin are exactly those asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import awkward as ak
import msgspec
import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.config import Analysis
from spectrafit.errors import ConfigError, DataError
from spectrafit.events.schema import Chunk
from spectrafit.execution import Pool, imap
from spectrafit.templates import cache
from spectrafit.templates.observables import Quantities
from spectrafit.templates.plan import Input, Plan, survey

__all__ = ["Wanted", "draw", "simulation_of"]

# A point never lies beyond the last event, although sums of weights differ in their last digits.
_WITHIN = 1.0 - 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Wanted:
    """What to draw.

    Attributes
    ----------
    names : (S,) tuple of str
        Samples.
    counts : (S, B) array of int
        Events of each sample and bin.
    lengths : (S, B) array
        Sum of the weights of the events in each, at `couplings` and the exposure of the analysis.
    couplings : (M,) array
        Values of the analysis' monomials.
    """

    names: tuple[str, ...]
    counts: Integers
    lengths: Floats
    couplings: Floats


def simulation_of(analysis: Analysis) -> Analysis:
    """Return an analysis without data, systematics and their shifted samples: its simulated events and their bins."""
    sets = tuple(
        msgspec.structs.replace(
            one,
            samples=tuple(
                sample for sample in one.samples if sample.role != "data" and sample.name not in analysis.stand_ins
            ),
        )
        for one in analysis.sample_sets
    )
    kept = tuple(one for one in sets if one.samples)
    return msgspec.structs.replace(analysis, sample_sets=kept, systematics=(), data={})


def draw(
    analysis: Analysis, wanted: Wanted, pool: Pool, generator: np.random.Generator
) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the columns of drawn events, with how many of them were drawn before: once per chunk that has some.

    The columns are all that the axes and cuts of the analysis are made of, by their names. A column that a sample does
    not have, because no region of its needs the column, is NaN.

    Raises
    ------
    ConfigError
        A column holds lists of numbers.
    DataError
        An event has a negative weight, which cannot be drawn; or the files are not those that `wanted` is of.
    """
    inputs = survey(simulation_of(analysis))
    needs = tuple(dict.fromkeys(name for one in inputs for name in one.plan.grid.needs))
    for one in inputs:
        name = one.plan.sample.name
        if name not in wanted.names:
            continue
        at = wanted.names.index(name)
        points = [
            np.sort(generator.random(int(count))) * length * _WITHIN
            for count, length in zip(wanted.counts[at], wanted.lengths[at], strict=True)
        ]
        begun = np.zeros(len(points))
        left = int(wanted.counts[at].sum())
        work = partial(_weighed, one.plan, wanted.couplings, one.scale)
        for chunk, (bins, weights, columns) in zip(
            one.inventory.chunks, imap(pool, work, one.inventory.chunks), strict=True
        ):
            _refuse_negative(chunk, weights)
            picked = _picked(bins, weights, begun, points)
            if picked.size:
                left -= picked.size
                repeated = picked.size - np.unique(picked).size
                yield {text: _flat(columns, text, picked, one) for text in needs}, repeated
        if left:
            raise DataError(
                f"{analysis.path}: sample {name!r}: {left} events are wanted that its files do not have; build the"
                " templates again from the files as they are"
            )


def _weighed(plan: Plan, couplings: Floats, scale: float, chunk: Chunk) -> tuple[Integers, Floats, Mapping[str, Any]]:
    """Return the bin of each event of a chunk (-1 outside all), its weight, and its columns."""
    columns, report, _ = cache.fetch(
        chunk, plan.sample_set, plan.sample, columns=plan.columns, identities=(), folder=None
    )
    view = Quantities(columns)
    count = report.kept
    coefficients = plan.weigher(view, count)
    weights = np.asarray(view.stored("weight"), dtype=np.float64) * (couplings[: len(coefficients)] @ coefficients)
    place = np.full(plan.grid.size + 1, -1, dtype=np.int64)
    place[plan.grid.layout.inner] = np.arange(len(plan.grid.layout.inner))
    bins = np.full(count, -1, dtype=np.int64)
    for cells in plan.grid.cells(view, count):
        # A negative cell is the last one, which is in no bin.
        bins = np.maximum(bins, place[np.maximum(cells, -1)])
    return bins, weights * scale, columns


def _refuse_negative(chunk: Chunk, weights: Floats) -> None:
    bad = np.flatnonzero(~(weights >= 0.0))
    if bad.size:
        raise DataError(
            f"{chunk.file}: {bad.size} events among entries {chunk.start} to {chunk.stop} have the weight"
            f" {weights[bad[0]]:g} or others below 0 there, and cannot be drawn; take couplings at which no cross"
            " section is negative, or write counts (*.toml)"
        )


def _picked(bins: Integers, weights: Floats, begun: Floats, points: list[Floats]) -> Integers:
    """Return the events that points fall on, as often as they do; move `begun`, where each bin's line goes on."""
    found = []
    order = np.argsort(bins, kind="stable")
    first = int(np.searchsorted(bins[order], 0))
    kept = order[first:]
    present, starts = np.unique(bins[kept], return_index=True)
    for number, mine in zip(present, np.split(kept, starts[1:]), strict=True):
        ends = begun[number] + np.cumsum(weights[mine])
        here = points[number][(points[number] >= begun[number]) & (points[number] < ends[-1])]
        found.append(mine[np.searchsorted(ends, here, side="right")])
        begun[number] = ends[-1]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _flat(columns: Mapping[str, Any], text: str, picked: Integers, one: Input) -> Any:
    if text not in columns:
        return np.full(picked.size, np.nan)
    values = columns[text]
    if isinstance(values, ak.Array) or np.ndim(values) != 1:
        raise ConfigError(
            f"sample {one.plan.sample.name!r}: {text!r} holds a list of numbers for each event, which is not written;"
            " write counts (*.toml)"
        )
    return np.asarray(values)[picked]
