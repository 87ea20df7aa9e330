"""A table of expected limits: over none, one or two keys, for one or several analyses."""

from __future__ import annotations

import dataclasses
import html
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.inference.results import Limit

__all__ = ["Expected"]

_QUANTILES = ("minus_2_sigma", "minus_1_sigma", "median", "plus_1_sigma", "plus_2_sigma")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Expected:
    """Expected limits on a grid.

    Attributes
    ----------
    keys : tuple of str
        What is scanned: none, one or two.
    values : tuple of tuples of float
        Of every key.
    units : tuple of str
        Of the values of every key, where the key is of the edges of an axis; "" elsewhere.
    variants : (V,) tuple of str
        Names of the analyses.
    limits : tuple of Limit or None
        In C order: variants, values of the first key, values of the second. None where a point failed.
    failures : tuple of str
        Why, "" where a limit was found.
    coupling : str
        Key of `physics.couplings.COUPLINGS`, "" for several or none.
    simulation : {"fixed", "grows"}
        Whether there is more simulation at a larger exposure.
    fills : int
        Passes over the events that were needed; -1 for a model, which has none.
    seconds : float
    """

    keys: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    variants: tuple[str, ...]
    limits: tuple[Limit | None, ...]
    failures: tuple[str, ...]
    coupling: str = ""
    simulation: str = "fixed"
    fills: int = 0
    seconds: float = 0.0
    units: tuple[str, ...] = ()

    @property
    def heads(self) -> tuple[str, ...]:
        """The keys, with the unit of their values."""
        units = self.units or ("",) * len(self.keys)
        return tuple(f"{key} [{unit}]" if unit else key for key, unit in zip(self.keys, units, strict=True))

    @property
    def shape(self) -> tuple[int, ...]:
        """Variants, and values of each key."""
        return (len(self.variants), *(len(values) for values in self.values))

    @property
    def quantiles(self) -> Floats:
        """(V, ..., 5): expected limit 2 and 1 sigma low, median, 1 and 2 sigma high, in the reported unit, or NaN.

        With fake data their limit stands in the place of the median, and the others are NaN.
        """
        return self._quantiles("values", "value")

    @property
    def kappas(self) -> Floats:
        """(V, ..., 5): the same in kappa."""
        return self._quantiles("kappas", "kappa")

    def _quantiles(self, name: str, own: str) -> Floats:
        rows = []
        for limit in self.limits:
            row = (np.nan,) * len(_QUANTILES)
            if limit is not None and limit.fake is not None:
                row = (np.nan, np.nan, getattr(limit, own), np.nan, np.nan)
            elif limit is not None and limit.expected is not None:
                row = getattr(limit.expected, name)
            rows.append(row)
        return np.array(rows, dtype=np.float64).reshape(*self.shape, len(_QUANTILES))

    @property
    def median(self) -> Floats:
        """Median expected limits in the reported unit; the first dimension is left out if there is one variant."""
        medians: Floats = self.quantiles[..., 2]
        return medians[0] if len(self.variants) == 1 else medians

    @property
    def first(self) -> Limit:
        """A limit that was found, for what all have in common."""
        return next(limit for limit in self.limits if limit is not None)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield every point as a row of a table: variant, keys, limit and quantiles, and why there is none."""
        every = itertools.product(self.variants, *self.values)
        for (variant, *at), limit, why in zip(every, self.limits, self.failures, strict=True):
            row: dict[str, Any] = {"variant": variant, **dict(zip(self.keys, at, strict=True))}
            quantiles = limit.expected if limit is not None else None
            row["limit"] = None if limit is None else limit.value
            for place, name in enumerate(_QUANTILES):
                row[name] = None if quantiles is None else quantiles.values[place]
            row["median_kappa"] = None if quantiles is None else quantiles.kappas[2]
            row["why_not"] = why
            yield row

    def summary(self) -> dict[str, Any]:
        """Return what a file keeps, as plain numbers."""
        first = self.first
        return {
            "over": dict(zip(self.keys, (list(values) for values in self.values), strict=True)),
            "units_of_keys": dict(zip(self.keys, self.units or ("",) * len(self.keys), strict=True)),
            "variants": list(self.variants),
            "method": first.method,
            "sides": first.sides,
            "level": first.level,
            "unit": first.unit,
            "coupling": self.coupling,
            "simulation": self.simulation,
            "fake": None if first.fake is None else first.fake.summary(),
            "fills": self.fills,
            "points": list(self.rows()),
        }

    @property
    def words(self) -> str:
        """One line: what the numbers are."""
        first = self.first
        more = "grows with the exposure" if self.simulation == "grows" else "stays"
        told = f"; the simulation {more}" if "exposure" in self.keys else ""
        told += f"; FAKE DATA, not measured: {first.fake.label}" if first.fake is not None else ""
        what = "median expected upper limit" if first.fake is None else "upper limit"
        return (
            f"{what} [{first.unit or 'kappa'}] at {100 * first.level:g} % ({first.method}, {first.sides}-sided){told}"
        )

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Return heads and rows of a table: medians for two keys or variants, medians with bands otherwise."""
        quantiles = self.quantiles
        if len(self.keys) == 2:
            heads = (" \\ ".join(self.heads), *(f"{value:g}" for value in self.values[1]))
            grid = [
                (f"{value:g}", *map(_number, row))
                for value, row in zip(self.values[0], quantiles[0, ..., 2], strict=True)
            ]
            return heads, grid
        if len(self.keys) == 1 and len(self.variants) > 1:
            heads = (*self.heads, *self.variants)
            columns = quantiles[:, :, 2].T
            return heads, [
                (f"{value:g}", *map(_number, row)) for value, row in zip(self.values[0], columns, strict=True)
            ]
        heads = ((self.heads or ("",))[0], "median", "1 sigma", "2 sigma")
        names = [f"{value:g}" for value in self.values[0]] if self.keys else list(self.variants)
        rows = quantiles.reshape(-1, len(_QUANTILES))
        if self.first.fake is not None:
            return (heads[0], "limit"), [(name, _number(bands[2])) for name, bands in zip(names, rows, strict=True)]
        return heads, [
            (
                name,
                _number(bands[2]),
                f"{_number(bands[1])} to {_number(bands[3])}",
                f"{_number(bands[0])} to {_number(bands[4])}",
            )
            for name, bands in zip(names, rows, strict=True)
        ]

    def __str__(self) -> str:
        heads, rows = self.table()
        widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (heads, *rows)
        ]
        failed = [f"no limit at one point: {why}" for why in dict.fromkeys(self.failures) if why]
        return "\n".join([self.words, *lines, *failed])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _number(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "none"
