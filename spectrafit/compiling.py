"""Tells the user on the terminal that numba compiles: otherwise a first fit would seem to hang."""

from __future__ import annotations

import atexit
import time
from typing import Any

__all__ = ["announce"]


class _Watch:
    """Prints a line when numba begins to compile, and the number of compiled kernels when the process ends."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.count, self.depth, self.begun, self.seconds = stream, 0, 0, 0.0, 0.0

    def begin(self) -> None:
        """Note that a compilation begins."""
        if not self.count:
            print("compiling kernels, once; `spectrafit compile` does this ahead of time", file=self.stream, flush=True)
        if not self.depth:
            self.begun = time.perf_counter()
        self.depth += 1
        self.count += 1

    def end(self) -> None:
        """Note that a compilation has ended."""
        self.depth -= 1
        if not self.depth:
            self.seconds += time.perf_counter() - self.begun

    def close(self) -> None:
        """Print how many kernels were compiled."""
        if self.count:
            print(f"compiled {self.count} kernels in {self.seconds:.1f} s; they are kept", file=self.stream, flush=True)


def announce(stream: Any) -> None:
    """Print on `stream` that kernels are being compiled, and at the end how many; print nothing if none are.

    This is for processes with a user at the terminal: a first fit would seem to hang.
    """
    from numba.core import event

    watch = _Watch(stream)

    class Listener(event.Listener):
        def on_start(self, event: Any) -> None:
            watch.begin()

        def on_end(self, event: Any) -> None:
            watch.end()

    event.register("numba:compile", Listener())
    atexit.register(watch.close)
