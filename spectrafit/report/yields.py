"""The yields of a result, region by region, as a table, as rows for CSV, and as LaTeX."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from spectrafit.report.latex import escaped, tabular
from spectrafit.report.tables import Table, quantity

__all__ = ["bin_rows", "yield_rows", "yields_latex", "yields_of"]


def _total(row: Mapping[str, Any]) -> float:
    """Return the whole error of a sum: that of the parameters and that of the simulation."""
    return math.hypot(row["sum_error"] or 0.0, row["sum_simulation_error"] or 0.0)


def yield_rows(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each region and sample of a result; sample "total" is the sum of all, "data" what was fitted."""
    for region in result["regions"]:
        for before, after in zip(region["before"], region["after"], strict=True):
            yield {
                "region": region["name"],
                "sample": "total" if before["sample"] is None else before["sample"],
                "before": before["sum"],
                "before_error": before["sum_error"],
                "before_simulation_error": before["sum_simulation_error"],
                "after": after["sum"],
                "after_error": after["sum_error"],
                "after_simulation_error": after["sum_simulation_error"],
            }
        yield {"region": region["name"], "sample": "data", "after": sum(region["data"])}


def bin_rows(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each bin and sample of a result: the edges, and the expectation before and after the fit."""
    for region in result["regions"]:
        places: list[list[tuple[float, float]]] = [[]]
        for axis in region["axes"]:
            sides = list(zip(axis["edges"][:-1], axis["edges"][1:], strict=True))
            places = [[*place, side] for place in places for side in sides]
        names = [axis["observable"] for axis in region["axes"]]
        for at, place in enumerate(places):
            edges = {
                f"{name}_{end}": value
                for name, side in zip(names, place, strict=True)
                for end, value in zip(("low", "high"), side, strict=True)
            }
            for before, after in zip(region["before"], region["after"], strict=True):
                yield {
                    "region": region["name"],
                    "bin": at,
                    **edges,
                    "sample": "total" if before["sample"] is None else before["sample"],
                    **{
                        f"{when}{suffix}": row[key][at]
                        for when, row in (("before", before), ("after", after))
                        for suffix, key in _COLUMNS.items()
                    },
                    "data": region["data"][at],
                }


_COLUMNS = {"": "events", "_error": "error", "_simulation_error": "simulation_error"}


def _cells(result: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Yield each region's name, and its rows of text."""
    called = "data" if result["data"]["unblinded"] else "fitted"
    for region in result["regions"]:
        rows = [
            (
                "all" if before["sample"] is None else before["sample"],
                quantity(before["sum"], _total(before)),
                quantity(after["sum"], _total(after)),
            )
            for before, after in zip(region["before"], region["after"], strict=True)
        ]
        yield region["name"], [*rows, (called, "", f"{sum(region['data']):.6g}")]


def yields_of(result: Mapping[str, Any]) -> Table:
    """Return the yields as a table; errors are those of parameters and simulation together."""
    rows: list[tuple[str, ...]] = []
    rules: list[int] = []
    for name, cells in _cells(result):
        rules.append(len(rows))
        rows += [(name if at == 0 else "", *row) for at, row in enumerate(cells)]
    return Table(
        title="Events before and after the fit",
        columns=("region", "sample", ">before", ">after"),
        rows=tuple(rows),
        rules=tuple(rules[1:]),
    )


def yields_latex(result: Mapping[str, Any]) -> str:
    """Return the yields as a LaTeX tabular, which needs no package; errors as in `yields_of`."""
    blocks = [
        [
            (escaped(name) if at == 0 else "", escaped(row[0]), *(_number(cell) for cell in row[1:]))
            for at, row in enumerate(cells)
        ]
        for name, cells in _cells(result)
    ]
    return tabular("llrr", ("region", "sample", "before the fit", "after the fit"), blocks)


def _number(text: str) -> str:
    return f"${text.replace('±', chr(92) + 'pm')}$" if text else ""
