"""Compares builds from ROOT files with uproot, numpy, boost-histogram and RDataFrame."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boost_histogram as bh
import numpy as np
import uproot

from spectrafit.arraytypes import Floats
from spectrafit.bench import ntuples, rdataframe
from spectrafit.bench.filling import by_histograms, in_memory, many_universes
from spectrafit.bench.timing import Row, Timed, agree, child, chosen, elsewhere, in_turns, peak_memory, rate, times
from spectrafit.config import Analysis
from spectrafit.execution import executor
from spectrafit.templates import cache
from spectrafit.templates.build import build
from spectrafit.templates.regions import lay_out
from spectrafit.templates.templates import Templates

__all__ = ["PEERS", "templates"]


PEERS = ("numpy", "rdataframe")
_AGAINST = (("numpy", "uproot + numpy + boost-histogram", ""), ("rdataframe", "RDataFrame", "to reach: 5"))
_STAGES, _RATE = ("read", "weigh", "fill"), "M events/s"


def templates(*, quick: bool = False, peers: Collection[str] | None = None) -> list[Row]:
    """Measure the fill against its peers, side by side.

    Parameters
    ----------
    quick : bool
        Tiny inputs, to see that everything works; the times mean nothing.
    peers : collection of str, optional
        Which of `PEERS` to run; by default all that are installed.

    Returns
    -------
    list of Row

    Raises
    ------
    ConfigError
        No peer of that name.
    ArithmeticError
        Answers differ.
    """
    wanted = set(chosen(peers, PEERS))
    if not find_spec("ROOT"):
        wanted.discard("rdataframe")
    scale, turns = (250, 1) if quick else (1, 5)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="spectrafit-bench-") as name:
        folder = Path(name)
        one = ntuples.write(folder / "events.root", 5_000_000 // scale, seed=1)
        events = ntuples.columns(5_000_000 // scale, seed=2)
        rows += in_memory(events, turns, wanted)
        rows += many_universes({key: value[: 200_000 // scale] for key, value in events.items()}, turns, wanted)
        del events
        rows += _end_to_end(one, turns, wanted)
        rows += _cached(one, turns)
        rows += _scaling(one, turns, quick)
        rows += _growth(folder, 100_000 // scale, quick)
    return rows


def sums_of(found: Templates) -> Floats:
    """Return templates in the layout of the peers, (5, B)."""
    return np.concatenate([found.counts[0, 0], found.squares[0]])


def _end_to_end(path: Path, turns: int, peers: Collection[str]) -> list[Row]:
    """Compare the whole job, from a file to templates, with 1 and 2 workers."""
    analysis = ntuples.analysis((path,))
    axes = lay_out(analysis.regions)[0].axes
    rows: list[Row] = []
    for workers in (1, 2):
        with ExitStack() as stack:
            threads = stack.enter_context(ThreadPoolExecutor(workers)) if workers > 1 else None
            kind = "serial" if workers == 1 else "threads"
            works: dict[str, Callable[[], Any]] = {
                "ours": partial(build, analysis, executor=kind, workers=workers),
                "reading": partial(_read_alone, path, threads),
            }
            if "numpy" in peers:
                works["numpy"] = partial(_uproot_numpy, path, axes, threads)
            if "rdataframe" in peers:
                remote = stack.enter_context(child())
                works["rdataframe"] = partial(elsewhere, remote, rdataframe.fill, [str(path)], ntuples.EDGES, workers)
            done = in_turns(works, turns=turns)
        for peer in set(done) - {"ours", "reading"}:
            agree(f"from a file, {peer}", sums_of(done["ours"].answer), done[peer].answer, rtol=1e-9, atol=1e-12)
        size = done["ours"].answer.inventories[0]["entries"]
        name = f"from a ZSTD file to templates, {size:,} events, {workers} worker{'s' * (workers > 1)}: "
        spent = done["ours"].answer.provenance["seconds"]
        parts = ", ".join(f"{stage} {1e3 * spent[f'{stage} (all workers)']:.0f} ms" for stage in _STAGES)
        if workers == 1:
            parts += f"; of reading, decompression {1e3 * _decompression(path):.0f} ms"
        for peer, title, note in _AGAINST:
            if peer in done:
                rows.append(rate(f"{name}{title}", done["ours"], done[peer], size / 1e6, _RATE, note or parts))
        rows.append(times(f"{name}uproot alone, reading", done["ours"], done["reading"], "to reach: 0.77", unit="ms"))
    return rows


def _read_alone(path: Path, threads: Executor | None) -> int:
    """Read the columns as uproot does it best, and keep nothing; return the entries."""
    files = {str(path): ntuples.TREE}
    read = uproot.iterate(files, ntuples.BRANCHES, step_size=500_000, library="np", decompression_executor=threads)
    return sum(len(part["weight"]) for part in read)


def _uproot_numpy(path: Path, axes: Sequence[bh.axis.Axis], threads: Executor | None) -> Floats:
    files = {str(path): ntuples.TREE}
    read = uproot.iterate(files, ntuples.BRANCHES, step_size=500_000, library="np", decompression_executor=threads)
    return sum((by_histograms(axes, part) for part in read), np.zeros((5, 700)))


def _decompression(path: Path) -> float:
    """Return the seconds to fetch and decompress every basket, without making arrays of them."""
    with uproot.open(path, array_cache=None) as file:
        tree = file[ntuples.TREE]
        begun = time.perf_counter()
        for name in ntuples.BRANCHES:
            for basket in range(tree[name].num_baskets):
                tree[name].basket(basket)
        return time.perf_counter() - begun


def _cached(path: Path, turns: int) -> list[Row]:
    """Compare a build with other bins from the cache with the first pass."""
    if not find_spec("pyarrow"):
        return [Row(name="rebuild from the cache", ours=None, peer=None, ratio=None, unit="ms", note="needs pyarrow")]
    folder = path.parent / "cache"
    first, second = ntuples.analysis((path,)), ntuples.analysis((path,), ntuples.OTHER_EDGES)

    def keeping() -> Templates:
        cache.clear(folder)
        return build(first, cache=folder)

    # The order matters: `keeping` leaves what `again` reads.
    done = in_turns(
        {"keeping": keeping, "again": lambda: build(second, cache=folder), "without": lambda: build(second)},
        turns=turns,
    )
    agree("cache", sums_of(done["again"].answer), sums_of(done["without"].answer), rtol=0.0)
    found = done["again"].answer.provenance
    if found["chunks_from_cache"] != found["chunks"]:
        raise ArithmeticError("cache: chunks were read from the ntuple again")
    parts = ", ".join(f"{stage} {1e3 * found['seconds'][f'{stage} (all workers)']:.0f} ms" for stage in _STAGES)
    return [
        times("other bins from the cache: the first pass", done["again"], done["keeping"], "to reach: 5", unit="ms"),
        times("other bins from the cache: a pass without cache", done["again"], done["without"], parts, unit="ms"),
    ]


def _scaling(path: Path, turns: int, quick: bool) -> list[Row]:
    """Compare executors with the serial one, workers already there."""
    analysis = ntuples.analysis(ntuples.repeated(path, 2))
    kinds = [
        "threads",
        *([] if quick else ["processes"]),
        *(["dask"] if find_spec("distributed") and not quick else []),
    ]
    workers = sorted({2, os.cpu_count() or 2})
    works: dict[str, Callable[[], Any]] = {"serial": lambda: build(analysis)}
    with ExitStack() as stack:
        for kind in kinds:
            for count in workers:
                pool = stack.enter_context(executor(kind, count, preload=("spectrafit.templates.build",)))
                works[f"{kind}, {count} workers"] = partial(build, analysis, executor=pool.current, workers=count)
        done = in_turns(works, turns=min(turns, 3))
    size = done["serial"].answer.inventories[0]["entries"]
    for work in done.values():
        agree("executors", sums_of(work.answer), sums_of(done["serial"].answer), rtol=0.0)
    return [
        rate(f"{size:,} events by {name}: serial", done[name], done["serial"], size / 1e6, _RATE)
        for name in done
        if name != "serial"
    ]


def _growth(folder: Path, events: int, quick: bool) -> list[Row]:
    """Measure time per event and peak memory as the input grows; the peer is the smallest input."""
    small = ntuples.write(folder / "small.root", events, seed=7)
    large = ntuples.write(folder / "large.root", 10 * events, seed=8)
    rows: list[Row] = []
    base: Timed | None = None
    for path, times_listed in ((small, 1), (large, 1), (large, 10), (large, 100))[: 2 if quick else 4]:
        analysis = ntuples.analysis(ntuples.repeated(path, times_listed))
        with child() as pool:
            size, seconds, memory = pool.submit(_alone, analysis).result()
        found = Timed(seconds=seconds / size, answer=memory)
        base = base or found
        note = f"peak memory {memory:.2f} GB (to reach: 1.5), {seconds:.2f} s"
        rows.append(
            Row(
                name=f"{size:,} events by threads, time per event: {events:,} events",
                ours=found.seconds * 1e9,
                peer=base.seconds * 1e9,
                ratio=base.seconds / found.seconds,
                unit="ns",
                note=note,
            )
        )
    return rows


def _alone(analysis: Analysis) -> tuple[int, float, float]:
    """Build in this process, once to load everything and once by the clock: entries, seconds, peak memory in GB."""
    first = analysis.nominal[0][1].files[:1]
    build(ntuples.analysis((Path(first[0]),)), executor="threads")
    begun = time.perf_counter()
    found = build(analysis, executor="threads")
    return found.inventories[0]["entries"], time.perf_counter() - begun, peak_memory()
