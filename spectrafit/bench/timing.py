"""Times pieces of work side by side, in turns, after a check that their answers agree."""

from __future__ import annotations

import gc
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spectrafit.errors import ConfigError, nearest

__all__ = [
    "Row",
    "Timed",
    "agree",
    "child",
    "chosen",
    "elsewhere",
    "in_turns",
    "peak_memory",
    "plain",
    "rate",
    "show",
    "times",
]

# A piece of work shorter than this, seconds, is repeated within a turn: the clock and the caches must not matter.
_SHORTEST = 0.05
# Pieces longer than these are timed once; and not done a second time for that.
_LONG, _TOO_LONG = 4.0, 20.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Attributes
    ----------
    name : str
        What was done, and by which peer.
    ours, peer : float or None
        What was measured, in `unit`; None for a peer that is not installed.
    ratio : float or None
        How many times better ours is, whichever way `unit` counts; above 1 is better.
    unit : str
    note : str
        Where the time goes, what to reach, why something is missing.
    """

    name: str
    ours: float | None
    peer: float | None
    ratio: float | None
    unit: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Median seconds of one piece of work, and the answer it gave."""

    seconds: float
    answer: Any


def in_turns(works: Mapping[str, Callable[[], Any]], *, turns: int = 5) -> dict[str, Timed]:
    """Do pieces of work in turns and return the median time of each.

    Turns spread what else the machine does evenly over all. Each is done once before the clock starts: compilation and
    the page cache are not what is compared. What takes seconds is timed once, what takes half a minute not even again.
    """
    first: dict[str, Timed] = {}
    second: dict[str, float] = {}
    for name, work in works.items():
        first[name] = _timed(work)
        second[name] = first[name].seconds if first[name].seconds > _TOO_LONG else _timed(work).seconds
    spent: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(turns):
        for name, work in works.items():
            if second[name] > _LONG:
                spent[name] = [second[name]]
                continue
            count = max(1, math.ceil(_SHORTEST / second[name])) if turns > 1 else 1
            gc.collect()
            begun = time.perf_counter()
            for _ in range(count):
                work()
            spent[name].append((time.perf_counter() - begun) / count)
    return {name: Timed(seconds=statistics.median(spent[name]), answer=first[name].answer) for name in works}


def _timed(work: Callable[[], Any]) -> Timed:
    begun = time.perf_counter()
    answer = work()
    return Timed(seconds=time.perf_counter() - begun, answer=answer)


def agree(what: str, ours: npt.ArrayLike, peer: npt.ArrayLike, *, rtol: float, atol: float = 0.0) -> None:
    """Refuse to compare the speed of different answers: ArithmeticError names the worst place."""
    mine, theirs = np.asarray(ours, np.float64), np.asarray(peer, np.float64)
    if mine.shape != theirs.shape:
        raise ArithmeticError(f"{what}: answers have shapes {mine.shape} and {theirs.shape}")
    wrong = ~np.isclose(mine, theirs, rtol=rtol, atol=atol)
    if wrong.any():
        worst = int(np.argmax(np.where(wrong, np.abs(mine - theirs), -1.0)))
        raise ArithmeticError(
            f"{what}: {wrong.sum()} of {mine.size} numbers differ, by most in place {worst}:"
            f" ours {mine.flat[worst]:.15g}, peer {theirs.flat[worst]:.15g}"
        )


def times(name: str, ours: Timed, peer: Timed | None, note: str = "", *, unit: str = "s") -> Row:
    """Return the row that compares two times, in s, ms or us."""
    factor = {"s": 1.0, "ms": 1e3, "us": 1e6}[unit]
    theirs = None if peer is None else peer.seconds * factor
    ratio = None if peer is None else peer.seconds / ours.seconds
    return Row(name=name, ours=ours.seconds * factor, peer=theirs, ratio=ratio, unit=unit, note=note)


def rate(name: str, ours: Timed, peer: Timed | None, work: float, unit: str, note: str = "") -> Row:
    """Return the row that compares two rates: `work`, counted in `unit` without its "/s", over the time."""
    theirs = None if peer is None else work / peer.seconds
    ratio = None if peer is None else peer.seconds / ours.seconds
    return Row(name=name, ours=work / ours.seconds, peer=theirs, ratio=ratio, unit=unit, note=note)


def chosen(peers: Collection[str] | None, known: Sequence[str]) -> list[str]:
    """Return the peers asked for, by default all peers; ConfigError for an unknown one."""
    for peer in peers or ():
        if peer not in known:
            raise ConfigError(f"no peer {peer!r}, there are {', '.join(known)}{nearest(peer, known)}")
    return list(known if peers is None else peers)


@contextmanager
def child() -> Iterator[Executor]:
    """Give a process of its own: for peers that do not share one, and to see the memory of one job alone."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_hush) as pool:
        yield pool


def elsewhere(pool: Executor, work: Callable[..., Any], *arguments: Any) -> Any:
    """Do a piece of work in another process and wait for it."""
    return pool.submit(work, *arguments).result()


def _hush() -> None:
    """Send what a peer prints to the error stream: the table or JSON of the results has the other to itself."""
    os.dup2(2, 1)


def peak_memory() -> float:
    """Return the most memory this process ever held, GB."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage also counts what the parent held when it started this process.
        found = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(found.split()[1]) * 1024 / 1e9
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e9 if sys.platform == "darwin" else most * 1024 / 1e9


def plain(rows: list[Row]) -> dict[str, Any]:
    """Return what `--json` prints: the rows, and the machine they were measured on."""
    return {"rows": [asdict(row) for row in rows], "machine": machine()}


def machine() -> dict[str, Any]:
    """Return cores, load, and the versions that matter."""
    from importlib.metadata import version

    packages = ("numpy", "numba", "boost-histogram", "uproot", "iminuit")
    return {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": sys.version.split()[0],
        **{name: version(name) for name in packages},
    }


def show(rows: list[Row], title: str) -> None:
    """Print the rows as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("name", "ours", "peer", "ratio", "unit", "note"):
        table.add_column(column, justify="right" if column in ("ours", "peer", "ratio") else "left", overflow="fold")
    for row in rows:
        table.add_row(row.name, _number(row.ours), _number(row.peer), _number(row.ratio), row.unit, row.note)
    console = Console()
    console.print(table)
    console.print(", ".join(f"{key} {value}" for key, value in machine().items()), highlight=False)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
