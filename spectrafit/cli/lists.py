"""Options that take several values: `--kappa 1,2`, `--kappa 1 2` and `--kappa 1 --kappa 2` are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args, get_type_hints

__all__ = ["lists_of", "spread"]

# Options whose values are words without commas in them.
_WORDS = ("--method", "--coupling", "--carriers")


def lists_of(command: Callable[..., Any]) -> dict[str, bool]:
    """Return the options of a command that take several values, and whether these are numbers."""
    found = {}
    for name, kind in get_type_hints(command).items():
        option = f"--{name.rstrip('_').replace('_', '-')}"
        inner = {kind, *get_args(kind)}
        if list[float] in inner or list[int] in inner:
            found[option] = True
        elif list[str] in inner and option in _WORDS:
            found[option] = False
    return found


def spread(words: Sequence[str], options: Mapping[str, bool]) -> list[str]:
    """Return the words of a command with each value of a list behind an option of its own.

    Parameters
    ----------
    words : sequence of str
    options : mapping of str to bool
        The options that take several values, and whether these are numbers. Numbers are also taken one after the other:
        a word that is no number ends the list.
    """
    result: list[str] = []
    todo = list(words)
    while todo:
        word = todo.pop(0)
        option, equals, value = word.partition("=")
        if option not in options or word == "--":
            result.append(word)
            continue
        if not equals:
            if not todo:
                result.append(word)
                continue
            value = todo.pop(0)
        values = _split(value)
        while options[option] and todo and all(map(_is_number, _split(todo[0]))):
            values += _split(todo.pop(0))
        for each in values:
            result += [option, each]
    return result


def _split(value: str) -> list[str]:
    return [part for part in value.split(",") if part] or [value]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
