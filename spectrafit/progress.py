"""Progress bars: what is being done, how much of it, and how long it will take, on the terminal of who waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["bar", "showing"]

_shown = False
# A terminal has one bar at a time: the work inside a piece of other work has none of its own.
_drawn = threading.Lock()


@contextmanager
def showing(shown: bool) -> Iterator[None]:
    """Let all long work within the block draw bars, if they are `shown`; only a program with a user asks for that."""
    global _shown
    before, _shown = _shown, shown
    try:
        yield
    finally:
        _shown = before


@contextmanager
def bar(total: int, shown: bool = False, *, doing: str, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield the function to be told how much more was done: "filling 3/10 entries", the time that is left beside it.

    Parameters
    ----------
    total : int
        How much there is to do.
    shown : bool
        Whether to draw it even if the program shows none by itself, see `showing`.
    doing, unit : str
        The words before and after the numbers.
    """
    if not (shown or _shown) or not _drawn.acquire(blocking=False):
        yield lambda _: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as drawn:
            work = drawn.add_task("", total=total)
            yield lambda done: drawn.advance(work, done)
    finally:
        _drawn.release()
