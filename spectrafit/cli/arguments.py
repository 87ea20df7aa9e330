"""Checks of the numbers a user gives on the command line, the same for every command."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spectrafit.errors import ConfigError

__all__ = ["checked"]

# Whole numbers that must be at least 1; all others may be 0.
_COUNTS = ("workers", "experiments", "toys", "entries", "repeats", "throws", "simulations", "events")
_SHARES = ("level", "sin2_theta_w", "variance")
_NOT_NEGATIVE = ("exposure", "systematics", "threshold", "baseline")
_MOST = 2**62
_LARGEST = 1e60


def checked(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with a check of its arguments before it runs.

    Every number must be finite and at most 1e60 in size, every whole number 0 or more, counts 1 or more, and no path
    may hold a NUL character.

    Raises
    ------
    ConfigError
        From the command. The message names the option and its value.
    """
    signature = inspect.signature(command)

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            for item in value if isinstance(value, list | tuple) else (value,):
                _check("--" + name.rstrip("_").replace("_", "-"), name, item)
        command(*args, **kwargs)

    return run


def _check(option: str, name: str, value: Any) -> None:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int):
        least = 1 if name in _COUNTS else 0
        if not least <= value <= _MOST:
            raise ConfigError(f"{option} {value}: needs a whole number from {least} to 2^62")
    elif isinstance(value, float):
        if not (math.isfinite(value) and abs(value) <= _LARGEST):
            raise ConfigError(f"{option} {value}: needs a finite number")
        if (name in _SHARES and not 0.0 <= value <= 1.0) or (name in _NOT_NEGATIVE and value < 0.0):
            raise ConfigError(f"{option} {value}: needs {'a number from 0 to 1' if name in _SHARES else '0 or more'}")
    elif isinstance(value, str | Path) and "\0" in str(value):
        raise ConfigError(f"{option} {str(value)!r}: holds a NUL character, which file names cannot have; remove it")
