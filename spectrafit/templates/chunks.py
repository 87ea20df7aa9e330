"""The work done in a worker: one chunk of an ntuple is read, weighed, filled and thrown away; its sums remain."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from spectrafit.errors import BadFile, DataError, SpectrafitError
from spectrafit.events.schema import DRAW, ENTRY, Chunk, DropReport, FileIdentity
from spectrafit.templates import cache, fill
from spectrafit.templates.draws import add_draws, whole_events
from spectrafit.templates.effects import Block, Effect, Gathered
from spectrafit.templates.observables import Quantities
from spectrafit.templates.plan import Plan

__all__ = ["BLOCK", "ChunkSums", "FillTask", "run"]

BLOCK = 65_536
"""Events worked on at a time. The arrays between two kernels then stay in the second-level cache, and threads seldom
wait for the interpreter between one kernel and the next."""

# After one large array is freed, glibc's allocator keeps freed memory for the next block. Otherwise the pages go back
# to the system, which clears them again for every block: up to a fifth of the time of a build from the cache.
np.empty(31 << 20, np.uint8)


@dataclass(frozen=True, kw_only=True)
class FillTask:
    """A chunk and everything that a worker needs to fill it; picklable.

    Attributes
    ----------
    plan : Plan
    chunk : Chunk
    identities : tuple of FileIdentity
        Of the chunk's file and its friends.
    cache : Path or None
    halves : bool
        Also add up the even and the odd entries of simulation each on their own.
    """

    plan: Plan
    chunk: Chunk
    identities: tuple[FileIdentity, ...] = ()
    cache: Path | None = None
    halves: bool = False

    def __str__(self) -> str:
        """Name file and entries."""
        return f"{self.chunk.file}:{self.chunk.tree} entries {self.chunk.start} to {self.chunk.stop}"


@dataclass(kw_only=True, eq=False)
class ChunkSums:
    """Running sums over some chunks of one sample, before scaling to the analysis exposure.

    Attributes
    ----------
    events : EventSums
    effects : mapping of a systematic's key to Gathered
    report : DropReport
    seconds : mapping of stage to float
        Time spent reading, weighing and filling, all workers together.
    cached : int
        Chunks that came from the cache.
    halves : tuple of ChunkSums
        The sums of the even and of the odd entries, where they were asked for.
    """

    events: fill.EventSums
    effects: dict[str, Gathered]
    report: DropReport
    seconds: dict[str, float]
    cached: int
    halves: tuple[ChunkSums, ...] = ()

    def absorb(self, other: ChunkSums, effects: Mapping[str, Effect]) -> None:
        """Add the sums of another chunk of the same sample."""
        self.events.table[...] += other.events.table
        for key, found in self.effects.items():
            found.absorb(other.effects[key], effects[key].where)
        self.report += other.report
        self.seconds = {stage: spent + other.seconds[stage] for stage, spent in self.seconds.items()}
        self.cached += other.cached
        for mine, others in zip(self.halves, other.halves, strict=True):
            mine.absorb(others, effects)


def run(task: FillTask) -> ChunkSums:
    """Read a chunk, weigh it, and add it up.

    Raises
    ------
    ConfigError, DataError
        The message of every error names the file and entries.
    """
    try:
        return _run(task)
    except BadFile as error:
        if " entries " in str(error):
            raise
        what = str(error).removeprefix(f"{error.path}: ")
        raise BadFile(f"{error.path}: entries {task.chunk.start} to {task.chunk.stop}: {what}", error.path) from error
    except DataError as error:
        if Path(task.chunk.file).name in str(error):
            raise
        raise DataError(f"{task}: {error}") from error
    except SpectrafitError:
        raise
    except Exception as error:
        raise DataError(f"{task}: {type(error).__name__}: {error}") from error


def _run(task: FillTask) -> ChunkSums:
    plan = task.plan
    begun = time.perf_counter()
    halves = task.halves and plan.sample.role != "data"
    columns, report, hit = cache.fetch(
        task.chunk,
        plan.sample_set,
        plan.sample,
        columns=tuple(dict.fromkeys((*plan.columns, ENTRY))) if halves else plan.columns,
        identities=task.identities,
        folder=task.cache,
    )
    _refuse_unplaced(task, columns)
    read = time.perf_counter() - begun
    if not halves:
        return _added(task, columns, report, read, hit)
    # By the entry, so that all of one event stays in one half, and the halves are the same however chunks are cut.
    odd = np.asarray(columns[ENTRY], np.int64) % 2
    parts = tuple(
        _added(task, {name: values[odd == half] for name, values in columns.items()}, report, read / 2.0, hit)
        for half in (0, 1)
    )
    whole = copy.deepcopy(parts[0])
    whole.absorb(parts[1], plan.effects)
    whole.report, whole.cached, whole.halves = report, int(hit), parts
    return whole


def _added(task: FillTask, columns: Mapping[str, Any], report: DropReport, read: float, hit: bool) -> ChunkSums:
    """Weigh events and add them up."""
    plan = task.plan
    seconds = {"read": read, "weigh": 0.0, "fill": 0.0}
    monomials = plan.weigher.monomials
    places = fill.places_of(monomials)
    events = fill.EventSums.zeros(plan.grid.size, monomials)
    effects: dict[str, Gathered] = {}
    # One turn at least: a chunk of which nothing passed still has sums.
    for part in _blocks(columns, plan.draws):
        view = Quantities({name: values[part] for name, values in columns.items()})
        count = len(view.stored("weight"))
        begun = time.perf_counter()
        coefficients = plan.weigher(view, count)
        weighed = time.perf_counter()
        block = Block(
            events=view,
            cells=plan.grid.cells(view, count),
            coefficients=coefficients,
            grid=plan.grid,
            sample_set=plan.sample_set,
            sample=plan.sample,
            draws=plan.draws,
        )
        for cells in block.cells:
            if plan.draws > 1:
                draw = np.asarray(view[DRAW], np.int64)
                add_draws(cells, view.stored("weight"), coefficients, places, draw, float(plan.draws), events.table)
            else:
                fill.add_events(cells, view.stored("weight"), coefficients, places, events.table)
        for key, effect in plan.effects.items():
            effects[key] = effect.add(block, effects.get(key))
        seconds["weigh"] += weighed - begun
        seconds["fill"] += time.perf_counter() - weighed
    _refuse_nonfinite(task, events, effects, columns)
    effects = {key: found.close() for key, found in effects.items()}
    return ChunkSums(events=events, effects=effects, report=report, seconds=seconds, cached=int(hit))


def _refuse_unplaced(task: FillTask, columns: Mapping[str, Any]) -> None:
    """Refuse events without the true quantity of an axis: of a background among the signal, it was not checked yet."""
    for name in {"e_nu", "t", "theta"} & set(task.plan.grid.axes):
        values = np.asarray(columns[name])
        absent = np.isnan(values)
        if absent.any():
            raise DataError(
                f"{task}: {name} is not a number for {np.count_nonzero(absent)} of {values.size} events of"
                f" {task.plan.sample.name!r}, and an axis is made of it, so they would be in no bin; give them a value"
                f" in columns.{name}, leave them out with the sample's selection, or take an axis that they have"
            )


def _blocks(columns: Mapping[str, Any], draws: int) -> Sequence[slice]:
    """Return the blocks of a chunk; the draws of an event are in one."""
    if draws > 1:
        return whole_events(np.asarray(columns[ENTRY], np.int64), BLOCK)
    return [slice(start, start + BLOCK) for start in range(0, max(len(columns["weight"]), 1), BLOCK)]


def _refuse_nonfinite(
    task: FillTask, events: fill.EventSums, effects: Mapping[str, Gathered], columns: Mapping[str, Any]
) -> None:
    """Refuse NaN and infinite weights, which the sums show and which would make a bin of every template NaN."""
    sample = task.plan.sample
    if not np.all(np.isfinite(events.table)):
        raise DataError(f"{task}: weights of {sample.name!r} add up to NaN or infinity; correct columns.weight")
    for key, found in effects.items():
        if found.finite:
            continue
        effect = task.plan.effects[key]
        for text in effect.reads(sample):
            values = columns[text]
            flat = ak.to_numpy(ak.flatten(values, axis=None)) if isinstance(values, ak.Array) else np.asarray(values)
            bad = np.flatnonzero(~np.isfinite(flat))
            if bad.size:
                raise DataError(
                    f"{task}: {effect.where}: {text!r} is NaN or infinite {bad.size} times in {flat.size};"
                    " correct it, or cut these entries with the sample's selection"
                )
        raise DataError(
            f"{task}: {effect.where}: its weights are NaN or infinite for some events; correct the expression"
        )
