"""How much a command says on standard error: --verbose, --quiet and --log-level, before or after the command's name."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from spectrafit.errors import ConfigError
from spectrafit.stages import LOGGER

__all__ = ["LEVELS", "quiet", "speaking", "taken"]

LEVELS = ("debug", "info", "warning", "error")
_QUIET: ContextVar[bool] = ContextVar("_QUIET", default=False)


def taken(words: Sequence[str]) -> tuple[list[str], str]:
    """Return the words without the options of verbosity, and the level that they ask for ("" if none does).

    Raises
    ------
    ConfigError
        There is no such level.
    """
    rest, level, todo = list[str](), "", list(words)
    while todo:
        word = todo.pop(0)
        if word == "--":
            return [*rest, word, *todo], level
        if word in ("-v", "--verbose"):
            level = "debug" if level == "info" else "info"
        elif word in ("-vv",):
            level = "debug"
        elif word in ("-q", "--quiet"):
            level = "error"
        elif word == "--log-level" or word.startswith("--log-level="):
            level = word.partition("=")[2] if "=" in word else todo.pop(0) if todo else ""
            if level.lower() not in LEVELS:
                raise ConfigError(f"--log-level {level!r}: no such level (there are: {', '.join(LEVELS)})")
            level = level.lower()
        else:
            rest.append(word)
    return rest, level


def quiet() -> bool:
    """Return whether the user asked for no progress and no stages."""
    return _QUIET.get()


class _Lines(logging.Handler):
    """Writes records to standard error as it is when they come, so that a redirected stream gets them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line: the time, and what was done."""
        print(self.format(record), file=sys.stderr, flush=True)


@contextmanager
def speaking(level: str, *, batch: bool) -> Iterator[None]:
    """Let the stages of a command appear on standard error within the block.

    Parameters
    ----------
    level : str
        One of `LEVELS`; "" is "warning" for people, and "info" for a `batch` job: one line per stage.
    batch : bool
        Whether standard error goes to a file.
    """
    chosen = level or ("info" if batch else "warning")
    handler = _Lines()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    before: Any = LOGGER.level
    token = _QUIET.set(chosen == "error")
    LOGGER.setLevel(chosen.upper())
    LOGGER.addHandler(handler)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(before)
        _QUIET.reset(token)
