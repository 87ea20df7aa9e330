"""Limits by one or several methods as numbers for a file: all that is known of each, and a row of a table for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spectrafit.inference.results import Limit

__all__ = ["limit_rows", "limits_summary"]

_QUANTILES = ("minus_2_sigma", "minus_1_sigma", "median", "plus_1_sigma", "plus_2_sigma")


def limits_summary(limits: Sequence[Limit]) -> dict[str, Any]:
    """Return the limits as `result.json` keeps them, each with the `points` of the scan behind it."""
    return {"limits": [limit.summary() | {"points": limit.points} for limit in limits]}


def limit_rows(limits: Sequence[Limit]) -> Iterator[dict[str, Any]]:
    """Yield each limit as a row of a table, with its expectation at kappa = 0 and the quantiles of that."""
    for limit in limits:
        quantiles = (None,) * len(_QUANTILES) if limit.expected is None else limit.expected.values
        yield {
            "method": limit.method,
            "sides": limit.sides,
            "level": limit.level,
            "limit": limit.value,
            "error": limit.error,
            "lower": limit.lower,
            "unit": limit.unit,
            "kappa": limit.kappa,
            "lower_kappa": limit.lower_kappa,
            "empty": limit.empty,
            **dict(zip(_QUANTILES, quantiles, strict=True)),
        }
