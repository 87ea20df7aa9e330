"""The values that a scan goes through, as a user writes them: a list, or ends with a number of steps."""

from __future__ import annotations

import math
import re

from spectrafit.errors import ConfigError

__all__ = ["over"]

_STEPS = re.compile(r"(?P<kind>log|lin)?(?P<count>\d+)")
_MOST = 10_000


def over(text: str) -> tuple[str, tuple[float, ...]]:
    """Return key and values of ``KEY=VALUES``.

    Values are ``0.02,0.05,0.1``, or ``LOW:HIGH:COUNT`` in equal steps, or ``LOW:HIGH:logCOUNT`` in equal ratios. Whole
    values are whole numbers, for keys that need them.

    Raises
    ------
    ConfigError
        There is no key, a value is no number, or a value stands twice.
    """
    key, equals, said = text.partition("=")
    where = f"--over {text!r}"
    if not equals or not key.strip() or not said.strip():
        raise ConfigError(f"{where}: needs KEY=VALUES, e.g. pot=1e20:3e21:log12 or systematics.flux.sigma=0.02,0.05")
    ends = said.split(":")
    if len(ends) == 3:
        values = _steps(_number(ends[0], where), _number(ends[1], where), ends[2].strip(), where)
    elif len(ends) == 1:
        values = [_number(word, where) for word in said.split(",")]
    else:
        raise ConfigError(f"{where}: {said!r} is neither a list like 0.1,0.2 nor LOW:HIGH:COUNT")
    if len(set(values)) < len(values):
        raise ConfigError(f"{where}: a value stands twice")
    return key.strip(), tuple(int(value) if value.is_integer() and abs(value) < 2**53 else value for value in values)


def _number(word: str, where: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise ConfigError(f"{where}: {word.strip()!r} is no number") from None
    if not math.isfinite(value):
        raise ConfigError(f"{where}: {word.strip()!r} is no finite number")
    return value


def _steps(low: float, high: float, how: str, where: str) -> list[float]:
    found = _STEPS.fullmatch(how)
    count = int(found["count"]) if found and len(found["count"]) < 6 else 0
    if found is None or not 2 <= count <= _MOST:
        raise ConfigError(f"{where}: {how!r} is no number of values; needed is 2 to {_MOST}, or log12 for equal ratios")
    if found["kind"] == "log":
        if low <= 0 or high <= 0:
            raise ConfigError(f"{where}: equal ratios need ends above 0, found {low:g} and {high:g}")
        inner = [low * (high / low) ** (index / (count - 1)) for index in range(1, count - 1)]
    else:
        inner = [low + index * (high - low) / (count - 1) for index in range(1, count - 1)]
    return [low, *inner, high]
