"""An analysis in, its `Templates` out: samples are scanned, their chunks filled by workers and summed in order."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrafit import config
from spectrafit.config import Analysis, Sample
from spectrafit.errors import BadFile, DataError
from spectrafit.events import exposure
from spectrafit.events.files import REMEDY
from spectrafit.execution import Pool, imap
from spectrafit.execution import executor as open_executor
from spectrafit.templates import archive
from spectrafit.templates.chunks import Sums, Task, run
from spectrafit.templates.effects import Filled
from spectrafit.templates.regions import Grid, RegionBins, lay_out
from spectrafit.templates.sources import Source, survey
from spectrafit.templates.store import Templates
from spectrafit.templates.systematics import effects
from spectrafit.templates.variations import vary
from spectrafit.templates.weights import powers_of

__all__ = ["build"]

Floats = NDArray[np.float64]


def build(
    analysis: Analysis,
    *,
    executor: str | Executor | Pool = "serial",
    workers: int | None = None,
    scheduler: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    skip_bad_files: bool = False,
    progress: bool = False,
) -> Templates:
    """Fill the templates of an analysis: one pass over the ntuples for all systematics, regions and powers of kappa.

    The templates are the same bits for every executor and number of workers.

    Parameters
    ----------
    analysis : Analysis
    executor : {"serial", "threads", "processes", "dask"}, concurrent.futures.Executor or Pool
        Who fills the chunks. A script that asks for "processes" or "dask" is imported by the workers: what it does
        must stand under ``if __name__ == "__main__":``.
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

    Raises
    ------
    ConfigError, DataError
        With file and entries, or the key of the TOML.
    """
    name = executor if isinstance(executor, str) else type(executor).__name__
    opened = partial(open_executor, executor, workers, scheduler=scheduler, preload=("spectrafit.templates.warm",))
    folder = None if cache is None else Path(cache)
    left_out: dict[str, str] = {}
    while True:
        try:
            return _build(analysis, opened, name, folder, left_out if skip_bad_files else None, progress)
        except BadFile as error:
            # Damage in the middle of a file shows when its turn comes: again from the beginning, without it.
            if not skip_bad_files or error.path in left_out:
                raise
            left_out[error.path] = str(error)


def _build(
    analysis: Analysis,
    opened: Callable[[], AbstractContextManager[Pool]],
    executor: str,
    cache: Path | None,
    left_out: Mapping[str, str] | None,
    progress: bool,
) -> Templates:
    """Build from all files, or (`left_out` not None) from those that can be read and are not left out."""
    begun = time.perf_counter()
    sources = survey(analysis, left_out)
    scanned = time.perf_counter()
    tasks = [task for source in sources for task in _tasks(analysis, source, cache)]
    added: dict[tuple[str, str], Sums] = {}
    with opened() as pool:
        for task, sums in _watched(zip(tasks, imap(pool, run, tasks), strict=True), tasks, progress):
            key = (task.chunk.sample, task.stands_for)
            added[key] = added[key] + sums if key in added else sums
        used = pool.workers
    filled = time.perf_counter()
    templates = _finish(analysis, sources, added)
    spent = {stage: sum(sums.seconds[stage] for sums in added.values()) for stage in ("read", "weigh", "fill")}
    provenance = {
        "version": archive.VERSION,
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
    return Templates(**templates, provenance=provenance)


def _tasks(analysis: Analysis, source: Source, cache: Path | None) -> Iterator[Task]:
    by_path = {identity.path: identity for identity in source.inventory.identities}
    for chunk in source.inventory.chunks:
        yield Task(
            analysis=analysis,
            chunk=chunk,
            stands_for=source.stands_for,
            identities=tuple(by_path[path] for path in (chunk.file, *(file for file, _ in chunk.friends))),
            cache=cache,
        )


def _watched(done: Iterable[tuple[Task, Sums]], tasks: list[Task], progress: bool) -> Iterator[tuple[Task, Sums]]:
    """Pass results on, with a progress bar in entries if wanted."""
    with _bar(sum(task.chunk.entries for task in tasks), progress) as advance:
        for task, sums in done:
            advance(task.chunk.entries)
            yield task, sums


@contextmanager
def _bar(total: int, progress: bool) -> Iterator[Any]:
    if not progress:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("filling"), BarColumn(), MofNCompleteColumn(), TextColumn("entries"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        work = bar.add_task("", total=total)
        yield lambda entries: bar.advance(work, entries)


def _finish(analysis: Analysis, sources: tuple[Source, ...], added: Mapping[tuple[str, str], Sums]) -> dict[str, Any]:
    """Scale to the analysis exposure, drop the flow, and make variations; return the fields of `Templates`."""
    regions = lay_out(analysis.regions)
    grid = Grid.of(analysis.regions, "")
    powers = powers_of(analysis)
    expected = [s for s in sources if s.sample.role != "data" and s.sample.name == s.stands_for]
    observed = [s for s in sources if s.sample.role == "data"]
    samples = tuple(s.sample.name for s in expected)
    bins = grid.inner.size
    nominal = np.zeros((len(samples), 1 + powers, bins))
    squares = np.zeros((len(samples), 1 + 2 * powers, bins))
    entries = np.zeros((len(samples), bins), np.int64)
    flow = np.zeros((len(samples), 1 + powers, len(regions)))
    for at, source in enumerate(expected):
        events = added[source.sample.name, source.sample.name].events
        count = events.shape[1] // 3  # 1 + P of this sample: 1 where no coupling acts
        weights, products = events[:, :count].T * source.scale, events[:, count:-1].T * source.scale**2
        nominal[at, :count] = weights[:, grid.inner]
        squares[at, : 2 * count - 1] = products[:, grid.inner]
        entries[at] = events[grid.inner, -1].astype(np.int64)
        flow[at, :count] = np.stack([weights[:, outer].sum(axis=1) for outer in grid.outer], axis=1)
    _refuse_nothing(analysis, expected, added, regions, entries)
    data = None
    if observed:
        data = sum((added[s.sample.name, s.sample.name].events[grid.inner, 0] for s in observed), np.zeros(bins))
    varied = _vary(analysis, sources, added, samples, regions, grid, nominal)
    inventories = tuple(_inventory(source, added, _weights(analysis, source.sample)) for source in sources)
    configuration = archive.configuration(analysis)
    return {
        "samples": samples,
        "roles": tuple(s.sample.role for s in expected),
        "titles": tuple(s.sample.title or s.sample.name for s in expected),
        "regions": regions,
        "powers": powers,
        "variations": varied.variations,
        "counts": varied.counts,
        "squares": squares,
        "entries": entries,
        "residual": varied.residual,
        "flow": flow,
        "data": data,
        "inventories": inventories,
        "pruned": varied.pruned,
        "components": varied.components,
        "configuration": configuration,
        "digest": _digest(configuration, inventories),
    }


def _refuse_nothing(
    analysis: Analysis,
    sources: list[Source],
    added: Mapping[tuple[str, str], Sums],
    regions: tuple[RegionBins, ...],
    entries: NDArray[np.int64],
) -> None:
    """Refuse a sample that is mostly bad, a signal and a region without an entry: that is a wrong unit, not a wish."""
    kept = 0
    for source in sources:
        report = added[source.sample.name, source.sample.name].report
        kept += report.kept
        where = f"{source.sample_set.path}: {source.sample.name}"
        if report.dropped > report.kept:
            raise DataError(f"{where}: more of its entries are bad than good: {report}")
        if source.sample.role == "signal" and report.entries and not report.kept:
            raise DataError(f"{where}: nothing is left of the signal: {report}; check its selection and threshold")
    for region in regions:
        counted = any(region.name in counts.counts for counts in analysis.counts)
        if kept and not counted and not entries[:, region.bins].any():
            raise DataError(
                f"{analysis.path}: region {region.name!r}: none of {kept} entries falls into its bins; check the units"
                f" of what {' and '.join(region.observables)} is made of, under columns, the edges and the cut"
            )


def _vary(
    analysis: Analysis,
    sources: tuple[Source, ...],
    added: Mapping[tuple[str, str], Sums],
    samples: tuple[str, ...],
    regions: tuple[RegionBins, ...],
    grid: Grid,
    nominal: Floats,
) -> Any:
    scales = {(s.sample.name, s.stands_for): s.scale for s in sources}

    def whole(rows: Floats) -> Floats:
        """Drop the flow, and give samples that no coupling changes their empty powers: (..., 1+P, B)."""
        inner = rows[..., grid.inner]
        padding = [(0, 0)] * (inner.ndim - 2) + [(0, nominal.shape[1] - inner.shape[-2]), (0, 0)]
        return np.pad(inner, padding)

    stand_ins = {
        key: whole(sums.events[:, : sums.events.shape[1] // 3].T * scales[key])
        for key, sums in added.items()
        if key[0] != key[1]
    }
    work = {
        index: (
            effect,
            {
                name: whole(added[name, name].effects[index] * scales[name, name])
                for name in samples
                if index in added[name, name].effects
            },
        )
        for index, effect in effects(analysis).items()
    }
    filled = Filled(analysis=analysis, samples=samples, regions=regions, nominal=nominal, rows={}, stand_ins=stand_ins)
    return vary(filled, work)


def _inventory(source: Source, added: Mapping[tuple[str, str], Sums], weights: Collection[str]) -> dict[str, Any]:
    """Return what was read of a sample, as plain values; `weights` are the columns its events are weighed with."""
    inventory = source.inventory
    named = Counter((chunk.file, chunk.tree) for chunk in inventory.chunks if chunk.start == 0)
    report = added[source.sample.name, source.stands_for].report
    return {
        "sample": source.sample.name,
        "stands_for": source.stands_for,
        "role": source.sample.role,
        "pot": inventory.pot,
        "scale": source.scale,
        "entries": inventory.entries,
        "files": [asdict(identity) for identity in inventory.identities],
        "skipped": [[path, _reason(path, why)] for path, why in inventory.skipped],
        "eventless": list(inventory.eventless),
        "notes": [
            *inventory.notes,
            *(note for note in [exposure.unweighted(source.sample, report)] if note),
            *report.outweighing(weights),
        ],
        "repeated": [[path, times] for (path, _), times in named.items() if times > 1],
        "dropped": {**asdict(report), "bad": {kind: list(found) for kind, found in report.bad.items()}},
    }


def _weights(analysis: Analysis, sample: Sample) -> tuple[str, ...]:
    """Return the columns that weigh the events of a sample: its own weight, and those of systematics."""
    weighing = [e for e in effects(analysis).values() if isinstance(e.systematic, config.Weight | config.Universes)]
    return ("weight", *(name for effect in weighing for name in effect.reads(sample)))


def _reason(path: str, message: str) -> str:
    """Return an error without the name it begins with and the remedy that has been taken."""
    return message.removeprefix(f"{path}: ").removesuffix(f"; {REMEDY}")


def _digest(configuration: Mapping[str, Any], inventories: tuple[Mapping[str, Any], ...]) -> str:
    """Return the SHA-256 of what templates are made from: configuration, files (not where they lie) and version."""
    files = [[[f["size"], f["uuid"], f["entries"]] for f in inventory["files"]] for inventory in inventories]
    order = list(configuration["systematics"])
    content = json.dumps([configuration, order, files, archive.VERSION], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
