"""How fast templates are filled: `spectrafit bench templates`, beside numpy, boost-histogram, uproot and RDataFrame."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boost_histogram as bh
import numpy as np
import numpy.typing as npt
import uproot

from spectrafit.bench import ntuples, rdataframe
from spectrafit.bench.timing import Row, Timed, agree, child, in_turns, peak_memory, rate, times
from spectrafit.config import Analysis
from spectrafit.execution import executor
from spectrafit.physics.constants import M_E, SIGMA_MAGNETIC, SIGMA_SM, SIN2_THETA_W
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.templates import cache, fill
from spectrafit.templates.build import build
from spectrafit.templates.observables import Columns
from spectrafit.templates.regions import Grid, lay_out
from spectrafit.templates.store import Templates
from spectrafit.templates.weights import weigher

__all__ = ["PEERS", "templates"]

Floats = npt.NDArray[np.float64]
Arrays = Mapping[str, npt.NDArray[Any]]

PEERS = ("numpy", "rdataframe")
# As in the build: what one turn of the kernels works on stays in the second-level cache.
_BLOCK = 32_768
_UNIVERSES = 100


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
    ArithmeticError
        Answers differ.
    """
    wanted = set(PEERS if peers is None else peers)
    if not find_spec("ROOT"):
        wanted.discard("rdataframe")
    scale, turns = (250, 1) if quick else (1, 5)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="spectrafit-bench-") as name:
        folder = Path(name)
        one = ntuples.write(folder / "events.root", 5_000_000 // scale, seed=1)
        events = ntuples.columns(5_000_000 // scale, seed=2)
        rows += _in_memory(events, turns, wanted)
        rows += _universes({k: v[: 200_000 // scale] for k, v in events.items()}, turns, wanted)
        del events
        rows += _end_to_end(one, turns, wanted)
        rows += _cached(one, turns)
        rows += _scaling(one, turns, quick)
        rows += _growth(folder, 100_000 // scale, quick)
    return rows


def add_up(analysis: Analysis, events: Arrays) -> Floats:
    """Return what our kernels make of events in memory, (F, 6): weights, squares as a polynomial in kappa, entries."""
    sample_set, sample = analysis.nominal[0]
    grid, weigh = Grid.of(analysis.regions, sample.name), weigher(analysis, sample_set, sample)
    sums = np.zeros((grid.size, fill.columns_of(1)))
    for start in range(0, len(events["weight"]), _BLOCK):
        view = Columns({name: values[start : start + _BLOCK] for name, values in events.items()})
        weight = np.ascontiguousarray(view["weight"], np.float64)
        powers = weigh(view, weight.size)
        for cells in grid.cells(view, weight.size):
            fill.add_events(cells, weight, powers, sums)
    return sums[grid.inner]


def ratio(events: Arrays) -> Floats:
    """Return dsigma_1 / dsigma_SM per event, (N,), as one writes it in numpy."""
    pdg, e, t = events["pdg"], events["e_nu"].astype(np.float64), events["t"].astype(np.float64)
    right = 2.0 * SIN2_THETA_W
    left = right - 1.0
    a, b = np.where(pdg > 0, left, right), np.where(pdg > 0, right, left)
    bracket = a**2 + b**2 * (1.0 - t / e) ** 2 - a * b * M_E * t / e**2
    scale = SIGMA_MAGNETIC / SIGMA_SM * COUPLINGS["magnetic_moment"].scale
    return np.where(np.abs(pdg) == 14, scale * (1.0 / t - 1.0 / e) / bracket, 0.0)


def by_histograms(axes: Sequence[bh.axis.Axis], events: Arrays) -> Floats:
    """Return the same sums, (5, B), from numpy weights and a `bh.Histogram.fill` per template."""
    places = (events["t_reco"], events["t_reco"].astype(np.float64) * events["theta_reco"].astype(np.float64) ** 2)
    w = events["weight"].astype(np.float64)
    v = w * ratio(events)
    sm = bh.Histogram(*axes, storage=bh.storage.Weight()).fill(*places, weight=w)
    square = bh.Histogram(*axes, storage=bh.storage.Weight()).fill(*places, weight=v)
    mixed = bh.Histogram(*axes, storage=bh.storage.Double()).fill(*places, weight=2.0 * w * v)
    views: list[Any] = [h.view() for h in (sm, square)]
    found = [views[0]["value"], views[1]["value"], views[0]["variance"], mixed.view(), views[1]["variance"]]
    return np.stack([np.asarray(one).ravel() for one in found])


def sums_of(found: Templates) -> Floats:
    """Return templates in the layout of the peers, (5, B)."""
    return np.concatenate([found.counts[0, 0], found.squares[0]])


def _in_memory(events: Arrays, turns: int, peers: set[str]) -> list[Row]:
    size = len(events["weight"])
    analysis = ntuples.analysis((Path("events.root"),))
    axes = lay_out(analysis.regions)[0].axes
    doubled = {name: v if name == "pdg" else v.astype(np.float64) for name, v in events.items()}
    works: dict[str, Callable[[], Any]] = {"ours": lambda: add_up(analysis, doubled)}
    if "numpy" in peers:
        works["numpy"] = lambda: by_histograms(axes, events)
    done = in_turns(works, turns=turns)
    if "numpy" in done:
        agree("in memory", done["ours"].answer[:, :5].T, done["numpy"].answer, rtol=1e-9, atol=1e-12)
    stages = _stages(analysis, doubled)
    spent = ", ".join(f"{stage} {1e3 * seconds:.0f} ms" for stage, seconds in stages.items())
    name = f"reweight and fill {size:,} events in memory, 25 x 28 variable bins, one core: numpy + boost-histogram"
    note = f"to reach: ratio 10, 45 M events/s; {spent}"
    return [rate(name, done["ours"], done.get("numpy"), size / 1e6, "M events/s", note)]


def _stages(analysis: Analysis, events: Arrays) -> dict[str, float]:
    """Return the seconds of each part of `add_up`, part by part in the same blocks."""
    sample_set, sample = analysis.nominal[0]
    grid, weigh = Grid.of(analysis.regions, sample.name), weigher(analysis, sample_set, sample)
    sums = np.zeros((grid.size, fill.columns_of(1)))
    spent = dict.fromkeys(("weigh", "number", "add"), 0.0)
    for start in range(0, len(events["weight"]), _BLOCK):
        view = Columns({name: values[start : start + _BLOCK] for name, values in events.items()})
        weight = view["weight"]
        marks = [time.perf_counter()]
        powers = weigh(view, weight.size)
        marks.append(time.perf_counter())
        cells = grid.cells(view, weight.size)
        marks.append(time.perf_counter())
        fill.add_events(cells[0], weight, powers, sums)
        marks.append(time.perf_counter())
        for stage, begun, ended in zip(spent, marks, marks[1:], strict=False):
            spent[stage] += ended - begun
    return spent


def _universes(events: Arrays, turns: int, peers: set[str]) -> list[Row]:
    """Compare the fill of many weights per event; the events' own weights are made beforehand for all."""
    size = len(events["weight"])
    analysis = ntuples.analysis((Path("events.root"),))
    axes = lay_out(analysis.regions)[0].axes
    grid = Grid.of(analysis.regions, "nu_e")
    rng = np.random.default_rng(3)
    ratios = rng.normal(1.0, 0.1, (size, _UNIVERSES)).astype(np.float32)
    columns = {name: v if name == "pdg" else v.astype(np.float64) for name, v in events.items()}
    powers = np.stack([np.ones(size), ratio(events)])

    def ours() -> Floats:
        sums = np.zeros((grid.size, 2, _UNIVERSES))
        for start in range(0, size, _BLOCK):
            part = slice(start, start + _BLOCK)
            view = Columns({name: values[part] for name, values in columns.items()})
            cells = grid.cells(view, len(view["weight"]))
            fill.add_universes(cells[0], view["weight"], np.ascontiguousarray(powers[:, part]), ratios[part], sums)
        return np.moveaxis(sums[grid.inner], 0, -1)

    def one_by_one(axes: Sequence[bh.axis.Axis], places: Sequence[npt.NDArray[Any]]) -> Floats:
        found = np.empty((2, _UNIVERSES, 700))
        for p in range(2):
            w = columns["weight"] * powers[p]
            for u in range(_UNIVERSES):
                histogram = bh.Histogram(*axes, storage=bh.storage.Double()).fill(*places, weight=w * ratios[:, u])
                found[p, u] = np.asarray(histogram.view()).ravel()
        return found

    works: dict[str, Callable[[], Any]] = {"ours": ours}
    if "numpy" in peers:
        places = (columns["t_reco"], columns["t_reco"] * columns["theta_reco"] ** 2)
        inside = np.full(grid.size, -1, np.int32)
        inside[grid.inner] = np.arange(700)
        flat = inside[grid.cells(Columns(columns), size)[0]]
        works["fill"] = lambda: one_by_one(axes, places)
        works["numbered"] = lambda: one_by_one((bh.axis.Integer(0, 700),), (flat,))
    done = in_turns(works, turns=min(turns, 3))
    for peer in set(done) - {"ours"}:
        agree("universes", done["ours"].answer, done[peer].answer, rtol=1e-9, atol=1e-12)
    name = f"{_UNIVERSES} universes of {size:,} events, two powers of kappa: "
    work = 2 * _UNIVERSES * size / 1e6
    return [
        rate(
            f"{name}boost-histogram per universe", done["ours"], done.get("fill"), work, "M weights/s", "to reach: 25"
        ),
        rate(
            f"{name}the same, bins known beforehand",
            done["ours"],
            done.get("numbered"),
            work,
            "M weights/s",
            "ours still finds its bins",
        ),
    ]


def _end_to_end(path: Path, turns: int, peers: set[str]) -> list[Row]:
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
                works["rdataframe"] = partial(_remote, remote, rdataframe.fill, [str(path)], ntuples.EDGES, workers)
            done = in_turns(works, turns=turns)
        for peer in set(done) - {"ours", "reading"}:
            agree(f"from a file, {peer}", sums_of(done["ours"].answer), done[peer].answer, rtol=1e-9, atol=1e-12)
        size = done["ours"].answer.inventories[0]["entries"]
        name = f"from a ZSTD file to templates, {size:,} events, {workers} worker{'s' * (workers > 1)}: "
        spent = done["ours"].answer.provenance["seconds"]
        parts = ", ".join(f"{stage} {1e3 * spent[f'{stage} (all workers)']:.0f} ms" for stage in _STAGES)
        if workers == 1:
            parts += f"; of reading, decompression {1e3 * _decompression(path):.0f} ms"
        rows += [
            rate(f"{name}uproot + numpy + boost-histogram", done["ours"], done.get("numpy"), size / 1e6, _RATE, parts),
            rate(f"{name}RDataFrame", done["ours"], done.get("rdataframe"), size / 1e6, _RATE, "to reach: 5"),
            times(f"{name}uproot alone, reading", done["ours"], done["reading"], "to reach: 0.77", unit="ms"),
        ]
    return rows


_STAGES, _RATE = ("read", "weigh", "fill"), "M events/s"


def _remote(pool: Executor, work: Callable[..., Any], *arguments: Any) -> Any:
    return pool.submit(work, *arguments).result()


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
