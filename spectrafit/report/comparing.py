"""Compares results: their numbers side by side, what of their configurations differs, and their profiles overlaid."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spectrafit.errors import ConfigError
from spectrafit.report.keeping import kind_of
from spectrafit.report.saved_results import read_result
from spectrafit.report.tables import Table

__all__ = ["Comparison", "compare"]

# Keys that say where files lie, not what an analysis is.
_PLACES = ("path", "base")


class Comparison:
    """Results side by side.

    Attributes
    ----------
    names : tuple of str
        What each result is called: its folder, as far as folders differ.
    results : tuple of dict
        The contents of their `result.json`.
    """

    def __init__(self, names: Sequence[str], results: Sequence[Mapping[str, Any]]) -> None:
        self.names = tuple(names)
        self.results = tuple(results)

    def numbers(self) -> Iterator[tuple[str, list[Any]]]:
        """Yield each number's name with its value in every result."""
        for name, path in _NUMBERS.items():
            yield name, [_at(result, path) for result in self.results]
        yield "data", [kind_of(result) for result in self.results]
        for name in dict.fromkeys(row["name"] for result in self.results for row in result["nuisances"]):
            for key in ("pull", "constrained_to", "impact_up"):
                yield f"{name}.{key}", [_nuisance(result, name, key) for result in self.results]
        for name in dict.fromkeys(region["name"] for result in self.results for region in result["regions"]):
            for when in ("before", "after"):
                yield f"{name}.{when}", [_total(result, name, when) for result in self.results]

    def differences(self) -> Iterator[tuple[str, list[Any]]]:
        """Yield each key of the configuration that differs, with its value in every result; None where it is not."""
        flat = [dict(_flat(result["provenance"]["configuration"])) for result in self.results]
        for key in dict.fromkeys(key for one in flat for key in one):
            values = [one.get(key) for one in flat]
            if any(value != values[0] for value in values):
                yield key, values

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield every number and every key that differs as a row of a table."""
        for kind, pairs in (("number", self.numbers()), ("configuration", self.differences())):
            for name, values in pairs:
                yield {"kind": kind, "name": name, **dict(zip(self.names, values, strict=True))}

    def summary(self) -> dict[str, Any]:
        """Return what a file keeps."""
        return {
            "results": list(self.names),
            "numbers": {name: values for name, values in self.numbers()},
            "configuration": {name: values for name, values in self.differences()},
        }

    def tables(self) -> tuple[Table, Table]:
        """Return the numbers, and the keys that differ, as tables."""
        columns = tuple(f">{name}" for name in self.names)
        numbers = tuple((name, *map(_cell, values)) for name, values in self.numbers())
        keys = tuple((name, *map(_cell, values)) for name, values in self.differences())
        none = (("no key differs", *("" for _ in self.names)),)
        return (
            Table(title="Results", columns=("", *columns), rows=numbers),
            Table(title="What differs in the configuration", columns=("key", *columns), rows=keys or none),
        )

    def draw(self, path: str | os.PathLike[str]) -> Path:
        """Draw the limits with their expectations, and the profiles, over each other; the suffix says the format."""
        from spectrafit.report.figures.comparison import comparison
        from spectrafit.report.figures.saving import save
        from spectrafit.report.figures.style import look

        target = Path(path)
        with look():
            save(comparison(self.names, self.results), target)
        return target


_NUMBERS = {
    "limit": ("limit", "value"),
    "limit's error": ("limit", "error"),
    "expected": ("limit", "expected", "values", 2),
    "expected -1 sigma": ("limit", "expected", "values", 1),
    "expected +1 sigma": ("limit", "expected", "values", 3),
    "unit": ("limit", "unit"),
    "level": ("limit", "level"),
    "method": ("limit", "method"),
    "best kappa": ("best_fit", "kappa"),
    "error of kappa": ("best_fit", "error"),
    "2NLL": ("fit", "two_nll"),
    "p-value of the fit": ("fit", "goodness", "p_value"),
    "valid": ("fit", "valid"),
    "version": ("provenance", "versions", "spectrafit-numm"),
}


def compare(results: Sequence[str | os.PathLike[str]]) -> Comparison:
    """Return two or more saved results side by side.

    Parameters
    ----------
    results : sequence of path
        Folders of results, or their `result.json`.

    Raises
    ------
    ConfigError
        Fewer than two, or one twice.
    DataError
        There is no result.
    """
    if len(results) < 2:
        raise ConfigError("compare: needs two results or more")
    places = [Path(path).resolve() for path in results]
    places = [place.parent if place.name == "result.json" else place for place in places]
    if len(set(places)) < len(places):
        raise ConfigError("compare: a result is named twice; give different ones")
    names = [place.name for place in places]
    if len(set(names)) < len(names):
        names = [str(Path(path)) for path in results]
    return Comparison(names, [read_result(path) for path in results])


def _at(value: Any, path: Sequence[Any]) -> Any:
    for step in path:
        if value is None or (isinstance(value, dict) and step not in value):
            return None
        value = value[step]
    return value


def _nuisance(result: Mapping[str, Any], name: str, key: str) -> Any:
    return next((row[key] for row in result["nuisances"] if row["name"] == name), None)


def _total(result: Mapping[str, Any], name: str, when: str) -> Any:
    return next((region[when][-1]["sum"] for region in result["regions"] if region["name"] == name), None)


def _flat(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key of a configuration with its value; tables of a list are called by their names, as --set does."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in _PLACES:
                yield from _flat(item, f"{where}.{key}" if where else key)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for at, item in enumerate(value):
            yield from _flat(item, f"{where}.{item.get('name') or item.get('observable') or at}")
    else:
        yield where, value


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, float):
        return f"{value:.5g}" if np.isfinite(value) else "none"
    if isinstance(value, list) and len(value) > 6:
        return f"[{_cell(value[0])}, {_cell(value[1])}, ... {_cell(value[-1])}] ({len(value)})"
    return ", ".join(map(_cell, value)) if isinstance(value, list) else str(value)
