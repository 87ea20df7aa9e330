"""The stages of long work as log lines: what was done and how long it took, on the logger `spectrafit`."""

from __future__ import annotations

import functools
import inspect
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = ["LOGGER", "stage"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

LOGGER = logging.getLogger("spectrafit")
"""Says nothing unless the program that uses the package asks for it, as every library's logger does."""
LOGGER.addHandler(logging.NullHandler())

_lock = threading.Lock()
_open = 0


def stage(what: str) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Return a decorator: each call of the function is a stage, logged when it ends.

    A stage within another one, a fit in a scan, is logged as detail (DEBUG in place of INFO).

    Parameters
    ----------
    what : str
        What is done, in the past tense: ``filled the templates``. Arguments of the function may stand in braces:
        ``drew the limit ({method})``.
    """

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        signature = inspect.signature(function)

        def named(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
            if "{" not in what:
                return what
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            return what.format_map(given.arguments)

        @functools.wraps(function)
        def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            global _open
            with _lock:
                level = logging.DEBUG if _open else logging.INFO
                _open += 1
            name = named(args, kwargs)
            LOGGER.debug("begins: %s", name)
            begun = time.perf_counter()
            try:
                found = function(*args, **kwargs)
            finally:
                with _lock:
                    _open -= 1
            LOGGER.log(level, "%s in %.1f s", name, time.perf_counter() - begun)
            return found

        return run

    return decorate
