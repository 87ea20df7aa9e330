"""The chart of limits on neutrino magnetic moments: published ones and those of our results, side by side."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from spectrafit.errors import ConfigError, DataError
from spectrafit.report.latex import escaped, power, tabular
from spectrafit.report.literature import FLAVOURS, PublishedLimit, from_the_sky, published_limits
from spectrafit.report.saved_tables import save_study
from spectrafit.report.tables import Table, shortened

__all__ = ["Chart", "Line", "OurLimit", "chart", "our_limit"]


@dataclass(frozen=True, kw_only=True)
class OurLimit:
    """A limit that this program found, as a `result.json` holds it.

    Attributes
    ----------
    name : the `experiment` of the analysis, or its title.
    flavour : key of `FLAVOURS`, from the carriers of the coupling.
    value : upper limit, mu_B.
    lower : lower end of a two-sided interval that excludes 0, mu_B, or None.
    expected : median and 68 % band of the limit without a moment, mu_B, or None.
    level, sides, method, statistic : of the limit.
    kind : "reinterpreted" for measured data, "projected" for Asimov or other made data.
    reference : the file.
    """

    name: str
    flavour: str
    value: float
    lower: float | None
    expected: tuple[float, float, float] | None
    level: float
    sides: str
    method: str
    statistic: str
    kind: str
    reference: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the chart: an experiment's published limits on one moment, and ours."""

    flavour: str
    name: str
    published: tuple[PublishedLimit, ...]
    ours: tuple[OurLimit, ...]

    @property
    def best(self) -> PublishedLimit | None:
        """The latest measured limit, or the strongest if none was measured by the experiment itself."""
        measured = [limit for limit in self.published if limit.kind == "measured"]
        if measured:
            return max(measured, key=lambda limit: (limit.year, -limit.strength))
        return min(self.published, key=lambda limit: limit.strength, default=None)

    @property
    def strength(self) -> float:
        """The number by which lines are ordered, mu_B."""
        return self.best.strength if self.best is not None else min(limit.value for limit in self.ours)


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Published limits and ours, by flavour and then from the weakest to the strongest."""

    lines: tuple[Line, ...]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one row for each limit, published or ours; numbers in mu_B, an empty field where nothing is stated."""
        for line in self.lines:
            for limit in line.published:
                low, high = limit.interval or ("", "")
                yield {
                    "flavour": line.flavour,
                    "experiment": line.name,
                    "by": "published",
                    "year": limit.year,
                    "limit": "" if limit.value is None else limit.value,
                    "interval_low": low,
                    "interval_high": high,
                    "expected": "",
                    "level": "" if limit.level is None else limit.level,
                    "sides": limit.sides,
                    "statistic": limit.statistic,
                    "kind": limit.kind,
                    "reference": limit.reference,
                    "seen": limit.seen,
                    "note": limit.note,
                }
            for ours in line.ours:
                yield {
                    "flavour": line.flavour,
                    "experiment": line.name,
                    "by": "spectrafit",
                    "year": "",
                    "limit": ours.value,
                    "interval_low": "" if ours.lower is None else ours.lower,
                    "interval_high": "" if ours.lower is None else ours.value,
                    "expected": "" if ours.expected is None else ours.expected[1],
                    "level": ours.level,
                    "sides": ours.sides,
                    "statistic": f"{ours.method}: {ours.statistic}",
                    "kind": ours.kind,
                    "reference": ours.reference,
                    "seen": "",
                    "note": "",
                }

    def summary(self) -> dict[str, Any]:
        """Return the chart as plain values."""
        rows = [{key: value for key, value in row.items() if value != ""} for row in self.rows()]
        return {"unit": "mu_B", "limits": rows}

    def table(self) -> Table:
        """Return a row per line: the leading published limit, its level and year, and ours with level and method."""
        rows: list[tuple[str, ...]] = []
        rules, flavour = [], ""
        for line in self.lines:
            if line.flavour != flavour:
                rules.append(len(rows))
                rows.append((FLAVOURS[line.flavour], "", "", "", ""))
                flavour = line.flavour
            best = line.best
            said = ("", "") if best is None else (_said(best), _level(best.level, best.sides))
            first, *more = line.ours or (None,)
            rows.append((f"  {shortened(line.name, 27)}", *said, *_our_cells(first)))
            rows += [("", "", "", *_our_cells(limit)) for limit in more]
        columns = ("experiment", ">published", "level", ">ours", "by")
        return Table(
            title="Limits on the neutrino magnetic moment [mu_B]", columns=columns, rows=tuple(rows), rules=tuple(rules)
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the chart to a file: csv, json, tex (a LaTeX table), or any format of a figure.

        Raises
        ------
        ConfigError
            For a suffix of no known format.
        DataError
            If the file cannot be written.
        """
        return save_study(Path(path), rows=self.rows, summary=self.summary, draw=self.draw, texts={"tex": self.latex})

    def draw(self, target: Path) -> Path:
        """Draw the chart to a file, and return the file. Raises as `save` does."""
        from spectrafit.report.figures.chart import draw_chart

        draw_chart(target, self)
        return target

    def latex(self) -> str:
        """Return a tabular that needs no package, a row per limit in a block per flavour."""
        blocks = [
            [(rf"\textit{{{escaped(FLAVOURS[flavour])}}}",), *map(_latex_cells, rows)]
            for flavour, rows in itertools.groupby(self.rows(), key=lambda row: row["flavour"])
        ]
        head = ("experiment", "by", r"limit [$\mu_\mathrm{B}$]", "level", "kind", "reference")
        return tabular("llllll", head, blocks)


def _latex_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    published = row["by"] == "published"
    interval = row["limit"] == "" or (not published and row["interval_low"] != "")
    ends = (row["interval_low"], row["interval_high"]) if interval else (row["limit"],)
    return (
        escaped(row["experiment"]),
        str(row["year"]) if published else "this work",
        " to ".join(f"${power(end)}$" for end in ends),
        "" if row["level"] == "" else rf"{100 * row['level']:g}\,\%",
        row["kind"],
        escaped(row["reference"] if published else row["statistic"].partition(":")[0]),
    )


def chart(
    tables: Sequence[str | os.PathLike[str]] = (),
    results: Sequence[str | os.PathLike[str]] = (),
    *,
    literature: bool = True,
    sky: bool = True,
) -> Chart:
    """Return published limits and those of our results, side by side.

    A result joins the published limits of its moment whose experiment is the `experiment` of its analysis.

    Parameters
    ----------
    tables : limits of one's own, in TOML: `[[limits]]` with the keys of `PublishedLimit`.
    results : `result.json` files or the folders that hold them.
    literature : whether the shipped table is part of the chart.
    sky : whether the bounds from stars, the supernova and the early universe are.

    Raises
    ------
    DataError
        A file cannot be read, or is no result.
    ConfigError
        A table has a wrong key or number, a result is of another coupling, or nothing is left to show.
    """
    published = [*(published_limits() if literature else ()), *(from_the_sky() if sky else ())]
    for table in tables:
        published += published_limits(table)
    ours = [our_limit(path) for path in results]
    keys: dict[tuple[str, str], None] = dict.fromkeys((limit.flavour, limit.experiment) for limit in published)
    keys |= dict.fromkeys((limit.flavour, limit.name) for limit in ours)
    lines = [
        Line(
            flavour=flavour,
            name=name,
            published=tuple(limit for limit in published if (limit.flavour, limit.experiment) == (flavour, name)),
            ours=tuple(limit for limit in ours if (limit.flavour, limit.name) == (flavour, name)),
        )
        for flavour, name in keys
    ]
    if not lines:
        raise ConfigError("the chart has no limit: give tables or results, or take the literature")
    order = list(FLAVOURS)
    lines.sort(key=lambda line: (order.index(line.flavour), -line.strength, line.name))
    return Chart(lines=tuple(lines))


# Both neutrinos and antineutrinos of a flavour, by PDG code.
_FLAVOURS = {12: "nue", 14: "numu", 16: "nutau"}


class _Coupling(msgspec.Struct):
    name: str
    carriers: list[int]


class _Bands(msgspec.Struct):
    values: list[float | None]


class _Limit(msgspec.Struct):
    level: float
    sides: str
    method: str
    statistic: str
    value: float | None
    lower: float | None = None
    empty: bool = False
    expected: _Bands | None = None


class _Data(msgspec.Struct):
    unblinded: bool


class _Result(msgspec.Struct):
    """The part of a `result.json` that the chart shows."""

    title: str
    coupling: _Coupling
    limit: _Limit
    data: _Data
    experiment: str = ""


def our_limit(path: str | os.PathLike[str]) -> OurLimit:
    """Return the limit of a `result.json`, or of the folder that holds it.

    Raises
    ------
    DataError
        The file cannot be read or is no result.
    ConfigError
        The result is of another coupling, or its interval is empty or without an end.
    """
    target = Path(path)
    target = target / "result.json" if target.is_dir() else target
    try:
        result = msgspec.json.decode(target.read_bytes(), type=_Result)
    except OSError as error:
        raise DataError(f"{target}: cannot be read: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"{target}: is no result of `spectrafit fit` ({error}); give a result.json or its folder"
        ) from error
    limit = result.limit
    if result.coupling.name != "magnetic_moment":
        raise ConfigError(f"{target}: is of {result.coupling.name}; the chart takes results on magnetic_moment alone")
    if limit.empty or limit.value is None or limit.value <= 0.0:
        raise ConfigError(
            f"{target}: its interval is empty or has no end; run the fit with --set limit.method=feldman-cousins"
        )
    carriers = {abs(pdg) for pdg in result.coupling.carriers}
    bands = limit.expected.values if limit.expected is not None else []
    median = [value for value in bands[1:4] if value is not None]
    return OurLimit(
        name=result.experiment or result.title or target.parent.name,
        flavour=_FLAVOURS[carriers.pop()] if len(carriers) == 1 else "effective",
        value=limit.value,
        lower=limit.lower if limit.sides == "two" and limit.lower else None,
        expected=(median[0], median[1], median[2]) if len(median) == 3 else None,
        level=limit.level,
        sides=limit.sides,
        method=limit.method,
        statistic=limit.statistic,
        kind="reinterpreted" if result.data.unblinded else "projected",
        reference=str(target),
    )


def _said(limit: PublishedLimit) -> str:
    if limit.value is not None:
        return f"{limit.value:.3g}"
    assert limit.interval is not None
    return f"{limit.interval[0]:.2g} – {limit.interval[1]:.2g}"


def _level(level: float | None, sides: str) -> str:
    words = "" if level is None else f"{100 * level:g} %"
    return f"{words}, {sides}-sided" if sides else words


def _our_cells(limit: OurLimit | None) -> tuple[str, str]:
    if limit is None:
        return "", ""
    value = f"{limit.value:.3g}" if limit.lower is None else f"{limit.lower:.2g} to {limit.value:.2g}"
    return value, f"{100 * limit.level:g} % {limit.method}{', expected' if limit.kind == 'projected' else ''}"
