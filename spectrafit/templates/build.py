"""A build: the samples of an analysis are surveyed, their chunks filled by workers, and the sums become cells."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from spectrafit import config
from spectrafit.config import Analysis
from spectrafit.errors import BadFile, DataError
from spectrafit.events import exposure
from spectrafit.events.files import REMEDY
from spectrafit.events.identity import changed_at
from spectrafit.execution import Pool, imap
from spectrafit.execution import executor as open_executor
from spectrafit.progress import bar
from spectrafit.stages import stage
from spectrafit.templates.cells import Cells, EffectCells, SampleCells
from spectrafit.templates.chunks import ChunkSums, FillTask, run
from spectrafit.templates.configuration import VERSION, configuration
from spectrafit.templates.outliers import outweighed
from spectrafit.templates.partition import merge_to
from spectrafit.templates.plan import Input, Plan, survey
from spectrafit.templates.regions import CellLayout, lay_out
from spectrafit.templates.serving import attach
from spectrafit.templates.systematics import effects
from spectrafit.templates.templates import Templates, vary
from spectrafit.templates.weights import monomials_of

__all__ = ["build", "fill_cells"]

Key = tuple[str, str]
"""Name of a sample, and of the one it stands for."""


@stage("filled the templates")
def build(
    analysis: Analysis,
    *,
    executor: str | Executor | Pool = "serial",
    workers: int | None = None,
    scheduler: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    skip_bad_files: bool = False,
    progress: bool = False,
    halves: bool = False,
) -> Templates:
    """Fill the templates of an analysis: one pass over the ntuples for all systematics, regions and couplings.

    The templates are the same bits for every executor and number of workers. They keep their cells, so that bins can be
    merged without another pass.

    Parameters
    ----------
    analysis : Analysis
    executor : {"serial", "threads", "processes", "dask"}, concurrent.futures.Executor or Pool
        Where the chunks are filled. With "processes" or "dask" the workers import the calling script, so its work must
        stand under ``if __name__ == "__main__":``.
    workers : int, optional
        How many at once; default one per core.
    scheduler : str, optional
        With executor "dask": address of a running scheduler.
    cache : path, optional
        Folder that keeps the columns read, for the next build with other edges, regions or systematics.
    skip_bad_files : bool
        Leave out simulation that cannot be read, scale the exposure accordingly, and list it in `inventories`; data
        are never left out. Damage in the middle of a file costs a second pass, over the others.
    progress : bool
        Show a progress bar on the terminal.
    halves : bool
        Keep beside the cells those of two independent halves of the simulation, see `Cells.halves`.

    Raises
    ------
    ConfigError, DataError
        The message names the file and entries, or the key of the TOML.
    """
    cells = fill_cells(
        analysis,
        executor=executor,
        workers=workers,
        scheduler=scheduler,
        cache=cache,
        skip_bad_files=skip_bad_files,
        progress=progress,
        halves=halves,
    )
    begun = time.perf_counter()
    templates = vary(cells)
    seconds = {**cells.provenance["seconds"], "vary": time.perf_counter() - begun}
    return replace(templates, provenance={**cells.provenance, "seconds": seconds})


def fill_cells(
    analysis: Analysis,
    *,
    executor: str | Executor | Pool = "serial",
    workers: int | None = None,
    scheduler: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    skip_bad_files: bool = False,
    progress: bool = False,
    halves: bool = False,
) -> Cells:
    """Fill the cells of an analysis; parameters and errors as in `build`."""
    name = executor if isinstance(executor, str) else type(executor).__name__
    opened = partial(open_executor, executor, workers, scheduler=scheduler, preload=("spectrafit.templates.warm",))
    folder = None if cache is None else Path(cache)
    left_out: dict[str, str] = {}
    while True:
        try:
            return _fill(analysis, opened, name, folder, left_out if skip_bad_files else None, progress, halves)
        except BadFile as error:
            # Damage in the middle of a file shows only while the file is read. Begin again without this file.
            if not skip_bad_files or error.path in left_out:
                raise
            left_out[error.path] = str(error)


def _fill(
    analysis: Analysis,
    opened: Callable[[], AbstractContextManager[Pool]],
    executor: str,
    cache: Path | None,
    left_out: Mapping[str, str] | None,
    progress: bool,
    halves: bool,
) -> Cells:
    """Fill from all files; if `left_out` is not None, from all readable files that are not in it."""
    begun = time.perf_counter()
    inputs = survey(analysis, left_out)
    scanned = time.perf_counter()
    tasks = [task for one in inputs for task in _tasks(one, cache, halves)]
    added: dict[Key, ChunkSums] = {}
    with opened() as pool:
        for task, sums in _watched(zip(tasks, imap(pool, run, tasks), strict=True), tasks, progress):
            key = (task.plan.sample.name, task.plan.stands_for)
            if key in added:
                added[key].absorb(sums, task.plan.effects)
            else:
                added[key] = sums
        used = pool.workers
    filled = time.perf_counter()
    cells = _gathered(analysis, inputs, added)
    if halves:
        cells = replace(cells, halves=tuple(_half(analysis, inputs, added, number) for number in (0, 1)))
    spent = {stage: sum(sums.seconds[stage] for sums in added.values()) for stage in ("read", "weigh", "fill")}
    provenance = {
        "version": VERSION,
        "executor": executor,
        "workers": used,
        "chunks": len(tasks),
        "chunks_from_cache": sum(sums.cached for sums in added.values()),
        "seconds": {
            "scan": scanned - begun,
            "chunks": filled - scanned,
            "finish": time.perf_counter() - filled,
            **{f"{stage} (all workers)": seconds for stage, seconds in spent.items()},
        },
    }
    return replace(cells, provenance=provenance)


def _tasks(one: Input, cache: Path | None, halves: bool) -> Iterator[FillTask]:
    by_path = {identity.path: identity for identity in one.inventory.identities}
    for chunk in one.inventory.chunks:
        yield FillTask(
            plan=one.plan,
            chunk=chunk,
            identities=tuple(by_path[path] for path in (chunk.file, *(file for file, _ in chunk.friends))),
            cache=cache,
            halves=halves,
        )


def _watched(
    done: Iterable[tuple[FillTask, ChunkSums]], tasks: list[FillTask], progress: bool
) -> Iterator[tuple[FillTask, ChunkSums]]:
    """Pass results on, with a progress bar in entries if wanted."""
    with bar(sum(task.chunk.entries for task in tasks), progress, doing="filling", unit="entries") as advance:
        for task, sums in done:
            advance(task.chunk.entries)
            yield task, sums


def _gathered(analysis: Analysis, inputs: tuple[Input, ...], added: Mapping[Key, ChunkSums]) -> Cells:
    """Scale the sums of every sample to the analysis exposure, and put them together."""
    samples = [_sample(one, added[one.plan.sample.name, one.plan.stands_for]) for one in inputs]
    regions = lay_out(analysis.regions)
    layout = CellLayout.of(regions)
    outliers = [
        outweighed(sample, one.plan, added[one.plan.sample.name, one.plan.stands_for].report, regions, layout)
        for one, sample in zip(inputs, samples, strict=True)
    ]
    nominal = {sample.name: sample.sums for sample in samples if sample.expected}
    for key, effect in effects(analysis).items():
        parts = {sample.name: sample.effects[key] for sample in samples if key in sample.effects}
        together = effect.together(parts, nominal)
        samples = [
            replace(sample, effects={**sample.effects, key: together[sample.name]}) if sample.name in parts else sample
            for sample in samples
        ]
    cells = Cells(
        analysis=analysis,
        regions=regions,
        monomials=monomials_of(analysis),
        samples=tuple(samples),
        inventories=tuple(_inventory(one, added, notes) for one, notes in zip(inputs, outliers, strict=True)),
        configuration=configuration(analysis),
        version=VERSION,
    )
    _refuse_nothing(analysis, cells, inputs, added)
    return attach(cells.merged(merge_to(regions, analysis)), analysis)


def _half(analysis: Analysis, inputs: tuple[Input, ...], added: Mapping[Key, ChunkSums], number: int) -> Cells:
    """Return the cells of one half of the simulation, whose events count twice."""
    doubled = tuple(replace(one, scale=one.scale * (1.0 if one.plan.sample.role == "data" else 2.0)) for one in inputs)
    return _gathered(
        analysis, doubled, {name: found.halves[number] if found.halves else found for name, found in added.items()}
    )


def _sample(one: Input, sums: ChunkSums) -> SampleCells:
    plan = one.plan
    effects: dict[str, EffectCells] = {
        key: effect.cells(sums.effects[key], one.scale) for key, effect in plan.effects.items()
    }
    return SampleCells(
        name=plan.sample.name,
        role=plan.sample.role,
        title=plan.sample.title or plan.sample.name,
        stands_for=plan.stands_for,
        sums=sums.events.sums * one.scale,
        squares=sums.events.squares * one.scale**2,
        entries=sums.events.entries,
        effects=effects,
    )


def _refuse_nothing(
    analysis: Analysis, cells: Cells, inputs: tuple[Input, ...], added: Mapping[Key, ChunkSums]
) -> None:
    """Refuse a sample with mostly bad entries, a signal or a region without entries: a unit is probably wrong."""
    kept = 0
    for one in inputs:
        plan = one.plan
        if plan.sample.role == "data" or plan.sample.name != plan.stands_for:
            continue
        report = added[plan.sample.name, plan.stands_for].report
        kept += report.kept
        where = f"{plan.sample_set.path}: {plan.sample.name}"
        if report.dropped > report.kept:
            raise DataError(f"{where}: more entries are bad than good: {report}; check the units of its columns")
        if plan.sample.role == "signal" and report.entries and not report.kept:
            raise DataError(f"{where}: nothing is left of the signal: {report}; check its selection and threshold")
    for region in cells.regions:
        counted = any(region.name in counts.counts for counts in analysis.counts) or bool(analysis.tables)
        mine = cells.layout.inner[region.bins]
        if kept and not counted and not any(sample.entries[mine].any() for sample in cells.expected):
            raise DataError(
                f"{analysis.path}: region {region.name!r}: none of {kept} entries falls into its bins; check the edges,"
                f" the cut, and the units of the columns that make {' and '.join(region.observables)}"
            )


def _inventory(one: Input, added: Mapping[Key, ChunkSums], outliers: list[str]) -> dict[str, Any]:
    """Return the record of a sample's inputs, with the bins that one event dominates, as plain values."""
    inventory, sample = one.inventory, one.plan.sample
    named = Counter((chunk.file, chunk.tree) for chunk in inventory.chunks if chunk.start == 0)
    report = added[sample.name, one.plan.stands_for].report
    return {
        "sample": sample.name,
        "stands_for": one.plan.stands_for,
        "role": sample.role,
        "pot": inventory.pot,
        "scale": one.scale,
        "entries": inventory.entries,
        "files": [{**asdict(identity), "changed": changed_at(identity.path)} for identity in inventory.identities],
        "skipped": [[path, _reason(path, why)] for path, why in inventory.skipped],
        "eventless": list(inventory.eventless),
        "notes": [
            *inventory.notes,
            *(note for note in [exposure.unweighted(sample, report)] if note),
            *report.outweighing(_weights(one.plan)),
            *outliers,
        ],
        "repeated": [[path, times] for (path, _), times in named.items() if times > 1],
        "dropped": {**asdict(report), "bad": {kind: list(found) for kind, found in report.bad.items()}},
    }


def _weights(plan: Plan) -> tuple[str, ...]:
    """Return the columns that weigh the events of a sample: its own weight, and the weights of systematics."""
    weighing = [
        effect for effect in plan.effects.values() if isinstance(effect.systematic, config.Weight | config.Universes)
    ]
    return ("weight", *(name for effect in weighing for name in effect.reads(plan.sample)))


def _reason(path: str, message: str) -> str:
    """Return the message of an error without the file's name and without the remedy, which has been applied."""
    return message.removeprefix(f"{path}: ").removesuffix(f"; {REMEDY}")
