"""The file of counts that `spectrafit inject` writes, and an analysis reads with ``data = "FILE.toml"``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spectrafit.errors import ConfigError

__all__ = ["FIRST_WORDS", "counts_of", "quoted", "toml"]

FIRST_WORDS = "# Not measured: written by spectrafit inject."
"""What a file that was written by `spectrafit inject` begins with."""


def toml(counts: Mapping[str, Sequence[float]], *, injected: str) -> str:
    """Return the text of a file of counts per region, with what made them; its keys may also stand in an analysis."""
    lines = [
        f"{FIRST_WORDS} An analysis takes these counts for its data with",
        '#     data = "NAME OF THIS FILE"',
        f"injected = {quoted(injected)}",
        "",
        "[data]",
    ]
    for region, values in counts.items():
        lines += [f"{quoted(region)} = [", *(f"    {float(value)!r}," for value in values), "]"]
    return "\n".join(lines) + "\n"


def counts_of(path: Path) -> dict[str, Any]:
    """Return the keys `data` and `injected` of a file that `spectrafit inject` wrote.

    Raises
    ------
    ConfigError
        The file cannot be read, or is not such a file.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file, named by data; write it with spectrafit inject") from None
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read as the TOML file of counts that data names: {error}") from None
    if set(found) != {"data", "injected"} or not isinstance(found["data"], dict) or not found["injected"]:
        keys = ", ".join(found) or "nothing"
        raise ConfigError(
            f"{path}: holds {keys}; a file that data names is one of spectrafit inject, with injected and [data]."
            " Counts that were measured stand under [data] of the analysis"
        )
    return found


def quoted(text: str) -> str:
    """Return a text as a basic string of TOML."""
    escapes = {'"': '\\"', "\\": "\\\\"}
    return (
        '"'
        + "".join(
            escapes.get(character, character if character.isprintable() else f"\\U{ord(character):08x}")
            for character in text
        )
        + '"'
    )
