"""One chunk of an ntuple in, its sums per cell out: the work done in a worker; sums add up."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrafit.config import Analysis, Region, Sample, SampleSet
from spectrafit.errors import BadFile, DataError, SpectrafitError
from spectrafit.events.schema import Chunk, DropReport, FileIdentity
from spectrafit.templates import cache, fill
from spectrafit.templates.effects import Block, Effect
from spectrafit.templates.observables import Columns
from spectrafit.templates.regions import Grid
from spectrafit.templates.systematics import effects
from spectrafit.templates.weights import weigher

__all__ = ["BLOCK", "Sums", "Task", "effects_on", "run", "wanted"]

Floats = NDArray[np.float64]

BLOCK = 65_536
"""Events worked on at a time: what the kernels hand on stays in the second-level cache, and threads seldom wait for the
interpreter between one kernel and the next."""

# To free one large array teaches glibc's allocator to keep what a block leaves for the next one. Else the pages go back
# to the system, which clears them again for every block: up to a fifth of the time of a build from the cache.
np.empty(31 << 20, np.uint8)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A chunk and all a worker needs to know of it; picklable.

    Attributes
    ----------
    analysis : Analysis
    chunk : Chunk
    stands_for : str
        The sample whose regions it fills: its own name, or that of the sample a shifted ntuple set stands for.
    identities : tuple of FileIdentity
        Of the chunk's file and its friends.
    cache : Path or None
    """

    analysis: Analysis
    chunk: Chunk
    stands_for: str
    identities: tuple[FileIdentity, ...] = ()
    cache: Path | None = None

    def __str__(self) -> str:
        """Name file and entries."""
        return f"{self.chunk.file}:{self.chunk.tree} entries {self.chunk.start} to {self.chunk.stop}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """What some chunks of one sample added up to, before scaling to the analysis exposure.

    Attributes
    ----------
    events : (F, 3+3P) array
        As `fill.add_events` fills it; P = 0 for a sample that no coupling changes.
    effects : mapping of a systematic's position to (R, 1+P, F) array
    report : DropReport
    seconds : mapping of stage to float
        Time spent reading, weighing and filling, all workers together.
    cached : int
        Chunks that came from the cache.
    """

    events: Floats
    effects: Mapping[int, Floats]
    report: DropReport
    seconds: Mapping[str, float]
    cached: int

    def __add__(self, other: Sums) -> Sums:
        """Add up two parts of one sample."""
        if set(self.effects) != set(other.effects):
            raise ValueError("sums of different systematics")
        for key, rows in self.effects.items():
            if rows.shape != other.effects[key].shape:
                raise DataError(
                    f"$.systematics[{key}] has {len(rows)} weights per event in one file and"
                    f" {len(other.effects[key])} in another; every file needs as many universes"
                )
        return Sums(
            events=self.events + other.events,
            effects={key: rows + other.effects[key] for key, rows in self.effects.items()},
            report=self.report + other.report,
            seconds={stage: spent + other.seconds[stage] for stage, spent in self.seconds.items()},
            cached=self.cached + other.cached,
        )


def effects_on(analysis: Analysis, sample: Sample, stands_for: str) -> dict[int, Effect]:
    """Return the effects to fill for a sample: none for data and for shifted ntuples, themselves an effect."""
    if sample.role == "data" or sample.name != stands_for:
        return {}
    return {
        index: effect for index, effect in effects(analysis).items() if effect.acts_on((sample.name,)) and effect.fills
    }


def wanted(grid: Grid, filling: Mapping[int, Effect], sample: Sample) -> tuple[str, ...]:
    """Return the columns to read: to weigh events, to number them, and for the systematics."""
    weighed = ("pdg", "e_nu", "t", "weight") if sample.role == "signal" else ("weight",)
    names = [*weighed, *grid.needs, *(name for effect in filling.values() for name in effect.reads(sample))]
    return tuple(dict.fromkeys(names))


def run(task: Task) -> Sums:
    """Read a chunk, weigh it, and add it up.

    Raises
    ------
    ConfigError, DataError
        Whatever goes wrong, with file and entries.
    """
    try:
        return _run(task)
    except DataError as error:
        if isinstance(error, BadFile) or Path(task.chunk.file).name in str(error):
            raise
        raise DataError(f"{task}: {error}") from error
    except SpectrafitError:
        raise
    except Exception as error:
        raise DataError(f"{task}: {type(error).__name__}: {error}") from error


def _run(task: Task) -> Sums:
    analysis, chunk = task.analysis, task.chunk
    sample_set, sample = analysis.sample(chunk.sample)
    grid = _grid(analysis.regions, task.stands_for)
    filling = effects_on(analysis, sample, task.stands_for)
    weigh = weigher(analysis, sample_set, sample)
    begun = time.perf_counter()
    columns, report, hit = cache.fetch(
        chunk,
        sample_set,
        sample,
        columns=wanted(grid, filling, sample),
        identities=task.identities,
        folder=task.cache,
    )
    seconds = {"read": time.perf_counter() - begun, "weigh": 0.0, "fill": 0.0}
    events: Floats | None = None
    sums: dict[int, Floats | None] = dict.fromkeys(filling)
    # One turn at least: a chunk of which nothing passed still has sums.
    for start in range(0, max(report.kept, 1), BLOCK):
        block, spent = _block(columns, start, grid, weigh, sample_set, sample)
        begun = time.perf_counter()
        if events is None:
            events = np.zeros((grid.size, fill.columns_of(len(block.powers) - 1)))
        for cells in block.cells:
            fill.add_events(cells, block.columns.stored("weight"), block.powers, events)
        for index, effect in filling.items():
            sums[index] = effect.add(block, sums[index])
        seconds["fill"] += time.perf_counter() - begun + spent["fill"]
        seconds["weigh"] += spent["weigh"]
    assert events is not None
    rows = {index: effect.rows(found) for index, effect in filling.items() if (found := sums[index]) is not None}
    _refuse_nonfinite(task, events, rows, filling, columns, sample)
    return Sums(events=events, effects=rows, report=report, seconds=seconds, cached=int(hit))


@functools.lru_cache(maxsize=32)
def _grid(regions: tuple[Region, ...], sample: str) -> Grid:
    """Lay out the cells once for all chunks a worker fills."""
    return Grid.of(regions, sample)


def _block(
    columns: Mapping[str, Any], start: int, grid: Grid, weigh: Any, sample_set: SampleSet, sample: Sample
) -> tuple[Block, dict[str, float]]:
    view = Columns({name: values[start : start + BLOCK] for name, values in columns.items()})
    events = len(view.stored("weight"))
    begun = time.perf_counter()
    powers = weigh(view, events)
    weighed = time.perf_counter()
    cells = grid.cells(view, events)
    filled = time.perf_counter()
    block = Block(columns=view, cells=cells, powers=powers, grid=grid, sample_set=sample_set, sample=sample)
    return block, {"weigh": weighed - begun, "fill": filled - weighed}


def _refuse_nonfinite(
    task: Task,
    events: Floats,
    rows: Mapping[int, Floats],
    filling: Mapping[int, Effect],
    columns: Mapping[str, Any],
    sample: Sample,
) -> None:
    """Refuse NaN and infinite weights, which would make a bin of every template NaN; they show in the sums."""
    if not np.all(np.isfinite(events)):
        raise DataError(f"{task}: weights of {sample.name!r} add up to NaN or infinity; correct columns.weight")
    for index, found in rows.items():
        if np.all(np.isfinite(found)):
            continue
        effect = filling[index]
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
