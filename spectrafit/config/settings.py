"""Settings laid over the plain values of a TOML file: `key=value`, with every table of a list called by its name."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Sequence
from typing import Any

from spectrafit.errors import ConfigError, nearest

__all__ = ["by_set", "lay", "of_the_samples", "parsed", "place"]

# What calls a table of a list: its name, or the observable of an axis.
_NAMES = ("name", "observable")
# Keys of an analysis and a sample set that hold lists of tables: a name in an empty list is no key of a table.
_LISTS = (
    "systematics",
    "regions",
    "axes",
    "counts",
    "tables",
    "couplings",
    "normalise",
    "samples",
    "friends",
    "correlations",
)
# The ends of an axis, which no file has: they cut bins off, or add one.
_ENDS = ("low", "high")
_SAMPLES = "samples:"


def parsed(text: str) -> tuple[str, Any]:
    """Return key and value of ``key=value``; what TOML does not know as a value is text.

    Raises
    ------
    ConfigError
        There is no key, or no value that can be read.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {text!r}: needs key=value, e.g. fit.terms=shape")
    try:
        return key.strip(), tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value
    except (ValueError, RecursionError):
        raise ConfigError(
            f"--set {key.strip()}: a number has too many digits, or lists are nested too deeply"
        ) from None


def of_the_samples(settings: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the settings for the analysis, and those for its sample sets without their ``samples:``."""
    mine = tuple(text for text in settings if not text.lstrip().startswith(_SAMPLES))
    theirs = tuple(text.lstrip().removeprefix(_SAMPLES) for text in settings if text.lstrip().startswith(_SAMPLES))
    return mine, theirs


def by_set(settings: Sequence[str], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the settings of each sample set; with several sets a setting begins with its set's name and a colon.

    Parameters
    ----------
    settings : sequence of str
        ``KEY=VALUE``, or ``SET:KEY=VALUE``.
    names : sequence of str
        Of the sample sets.

    Raises
    ------
    ConfigError
        There are several sets, and a setting names none.
    """
    result: list[list[str]] = [[] for _ in names]
    for text in settings:
        name, colon, rest = text.partition(":")
        if colon and name in names:
            result[list(names).index(name)].append(rest)
        elif len(names) == 1:
            result[0].append(text)
        else:
            near = nearest(name, names) if colon and "=" not in name else ""
            raise ConfigError(
                f"--set samples:{text}: there are several sample sets{near}; say which, as in"
                f" samples:{names[0]}:{rest if near else text}"
            )
    return [tuple(found) for found in result]


def lay(raw: dict[str, Any], key: str, value: Any) -> None:
    """Put a value into plain values, in place.

    Parameters
    ----------
    raw : plain values of a TOML file
    key : str
        Names of tables joined by dots. A table of a list is called by its name, an axis by its observable, and anything
        in a list by its number: ``systematics.flux.sigma``, ``regions.nd.axes.t_reco.edges``, ``regions.0.cut``. A name
        may hold dots itself. `low` and `high` of an axis cut off the bins outside.
    value : plain value

    Raises
    ------
    ConfigError
        The key leads nowhere; a name is not there, or is that of several tables.
    """
    parent, last = place(raw, key)
    if isinstance(parent, dict) and "observable" in parent and last in _ENDS:
        _cut(parent, str(last), value, key)
    else:
        parent[last] = value


def place(raw: dict[str, Any], key: str) -> tuple[Any, Any]:
    """Return the table or list that holds a key, and the key or number in it. Raises ConfigError as `lay` does."""
    words = key.strip().split(".")
    node: Any = raw
    taken = 0
    while True:
        here: Any
        if isinstance(node, list):
            here, used = _item(node, words[taken:], key, words[:taken])
        elif isinstance(node, dict):
            here, used = words[taken], 1
        else:
            raise ConfigError(f"--set {key}: {'.'.join(words[:taken])} is a value, not a table")
        taken += used
        if taken == len(words):
            return node, here
        if isinstance(node, dict) and here not in node:
            # A list comes to be with its first table, whose name is nobody's yet.
            node[here] = [] if here in _LISTS else {}
        node = node[here]


def _item(tables: Sequence[Any], words: Sequence[str], key: str, before: Sequence[str]) -> tuple[int, int]:
    """Return the position of the table that the first words call, and how many words its name takes."""
    names = [_name(table) for table in tables]
    # The longest name first: a name may hold dots.
    for count in range(len(words), 0, -1):
        called = ".".join(words[:count])
        found = [position for position, name in enumerate(names) if name == called]
        if len(found) > 1:
            numbers = " or ".join(str(position) for position in found)
            raise ConfigError(f"--set {key}: {len(found)} are called {called!r}; give the number, {numbers}")
        if found:
            return found[0], count
    known = [name for name in names if name]
    if words[0].isdigit():
        if int(words[0]) < len(tables):
            return int(words[0]), 1
        raise ConfigError(f"--set {key}: {words[0]!r} is not an index below {len(tables)}")
    listed = ", ".join(known) or "none"
    where = ".".join(before)
    raise ConfigError(f"--set {key}: {where} has no {words[0]!r}{nearest(words[0], known)} (there are: {listed})")


def _name(table: Any) -> str:
    """Return what a table of a list is called by, "" if by its number alone."""
    if not isinstance(table, dict):
        return ""
    return next((str(table[key]) for key in _NAMES if isinstance(table.get(key), str)), "")


def _cut(axis: dict[str, Any], end: str, value: Any, key: str) -> None:
    """Move the lower or upper end of an axis: bins outside go, a bin across the end is cut, one beyond is added."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"--set {key}: needs a number, found {value!r}")
    edges = _edges(axis, key)
    tolerance = 1e-10 * (edges[-1] - edges[0])
    # An end on an edge is that edge, whatever the digits of the request.
    at = next((edge for edge in edges if abs(edge - value) <= tolerance), float(value))
    kept = (
        [at, *(edge for edge in edges if edge > at)] if end == "low" else [*(edge for edge in edges if edge < at), at]
    )
    if len(kept) < 2:
        raise ConfigError(f"--set {key}: no bin is left {'above' if end == 'low' else 'below'} {value:g}")
    for other in ("bins", "range", "log"):
        axis.pop(other, None)
    axis["edges"] = kept


def _edges(axis: dict[str, Any], key: str) -> list[float]:
    """Return the edges of an axis as they are written, or as its bins and range make them."""
    found = axis.get("edges") or ()
    if not found and axis.get("bins") and len(axis.get("range") or ()) == 2:
        low, high = axis["range"]
        count = axis["bins"]
        if axis.get("log"):
            inner = [low * (high / low) ** (index / count) for index in range(1, count)]
        else:
            inner = [low + index * (high - low) / count for index in range(1, count)]
        found = [low, *inner, high]
    if not isinstance(found, Iterable) or len(list(found)) < 2:
        raise ConfigError(f"--set {key}: the axis has no edges to cut")
    return [float(edge) for edge in found]
