"""Makes tables of results. Their cells are text, so that the terminal and the page show the same rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spectrafit.report.headline import beside
from spectrafit.report.units import kappa_scaled

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from spectrafit.inference.fitting.constraints import Constraints
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Impact, Limit
    from spectrafit.report.expectation import Expectation
    from spectrafit.templates.templates import Templates

__all__ = [
    "Table",
    "budget_table",
    "constraints_table",
    "limits_table",
    "nuisance_rows",
    "nuisance_table",
    "quantity",
    "result_table",
    "shortened",
    "sources_table",
    "yields_table",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under column names: rich prints it, `report.page` sets it.

    Attributes
    ----------
    title : str
    columns : tuple of str
        A name that starts with ">" is of a column of numbers, aligned right.
    rows : tuple of tuple of str
    rules : tuple of int
        Rows with a line above them.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    rules: tuple[int, ...] = ()

    def __rich__(self) -> RichTable:
        """Return the table as rich draws it."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(
            # As plain text: names are the user's, and brackets or colons in them are no markup.
            title=Text(self.title, style="bold") if self.title else None,
            title_justify="left",
            show_header=any(name.strip(">") for name in self.columns),
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
        )
        for index, name in enumerate(self.columns):
            number = name.startswith(">")
            justify: Literal["left", "right"] = "right" if number else "left"
            # On a narrow terminal prose is wrapped; names and numbers stay whole.
            whole = number or (index == 0 and len(self.columns) > 2)
            table.add_column(Text(name.removeprefix(">")), justify=justify, no_wrap=whole, overflow="fold")
        for index, row in enumerate(self.rows):
            table.add_row(*map(Text, row), end_section=index + 1 in self.rules)
        return table


def quantity(value: float, error: float | None = None) -> str:
    """Return a number to four digits, or to two digits of its error."""
    if error is None or not (math.isfinite(value) and math.isfinite(error) and error > 0):
        return f"{value:.4g}"
    decimals = 1 - math.floor(math.log10(error))
    if -4 < decimals <= 6:
        return f"{value:.{max(decimals, 0)}f} ± {error:.{max(decimals, 0)}f}"
    return f"{value:.3g} ± {error:.2g}"


def shortened(name: str, most: int) -> str:
    """Return a name in at most so many letters, with an ellipsis where some are left out."""
    return name if len(name) <= most else name[: most - 1].rstrip() + "…"


def result_table(best: FitResult, limit: Limit) -> Table:
    """Return the table of the result: the limit and its meaning, the best fit and its validity."""
    unit = f" {limit.unit}" if limit.unit else ""
    error = f" ± {limit.error:.1g}" if limit.error > 0 else ""
    error += f" ± {limit.simulation_error:.1g} ({limit.simulation_error_from})" if limit.simulation_error > 0 else ""
    value = f"{limit.value:.4g}{error}{unit}"
    value = f"none: empty interval, boundary {value}" if limit.empty else value
    rows = [
        ("limit", f"{value} at {100 * limit.level:g} % CL"),
        *(("  beside it", sentence) for sentence in beside(limit, best.coupling)),
        ("method", f"{limit.method}, {limit.sides}-sided"),
        ("statistic", limit.statistic),
        ("boundary", limit.boundary),
    ]
    if limit.expected is not None:
        low2, low1, median, high1, high2 = limit.expected.values
        rows.append((f"expected at {limit.parameter} = 0", f"{median:.4g}{unit} ({limit.expected.how})"))
        rows.append(("68 %, 95 % of experiments", f"{low1:.3g} to {high1:.3g}, {low2:.3g} to {high2:.3g}{unit}"))
    rows += [("note", note) for note in limit.notes]
    if limit.standing is not None and not limit.asimov:
        rows.append(("data against no signal", str(limit.standing)))
    if limit.ledger is not None:
        rows.append(("toys", str(limit.ledger)))
    second = len(rows)
    if best.poi:
        rows.append((f"best fit {best.poi}", _kappa(best.kappa, best.kappa_error, best.coupling)))
        if best.poi in best.minos:
            low, high = (kappa_scaled(best.coupling, best.kappa_error)[0] * end for end in best.minos[best.poi])
            rows.append(("  MINOS", f"{low:+.3g} {high:+.3g}"))
    for name, coupling in best.couplings.items():
        if name != best.poi:
            rows.append((f"  {name}, profiled", _kappa(best.value(name), best.error(name), coupling)))
    rows.append(("data", _origin(best)))
    rows.append(("goodness of fit", str(best.goodness)))
    state = "valid" if best.valid else f"NOT VALID: {best.message}"
    rows.append(("fit", f"{state}; EDM {best.edm:.1e}, {best.calls} calls, {1e3 * best.seconds:.1f} ms"))
    return Table(title="", columns=("", ""), rows=tuple(rows), rules=(second,))


def _kappa(value: float, error: float, coupling: str) -> str:
    """Return a kappa with its error, in the unit that suits the error."""
    size, unit = kappa_scaled(coupling, error)
    return f"{quantity(size * value, size * error)} {unit}".strip()


def _origin(found: FitResult | Limit) -> str:
    """Return where the data of a fit or limit come from."""
    if found.fake is not None:
        return f"FAKE, not measured: {found.fake.label}"
    return "Asimov (the expectation itself)" if found.asimov else "observed"


def limits_table(limits: Sequence[Limit], coupling: str = "") -> Table:
    """Return limits by several methods side by side, each with its own error and its expectation.

    `coupling`, a key of `COUPLINGS`, lets kappa be in the unit that the size of its error asks for.
    """
    size, unit_of_kappa = kappa_scaled(coupling, limits[0].best_error if limits else 0.0)
    said = [limit.value for limit in limits]
    expected = [limit.expected.median for limit in limits if limit.expected is not None]
    # An empty interval is given by the boundary: the expectation then says in which power of ten limits are.
    sizes = [abs(value) for value in (said if any(said) else expected) if math.isfinite(value) and value != 0]
    power = math.floor(math.log10(max(sizes))) if sizes else 0
    power = 0 if -3 < power < 4 else power
    scale = 10.0**power

    def show(value: float, digits: int = 2) -> str:
        return f"{value / scale:.{digits}f}" if math.isfinite(value) else ""

    rows = []
    for limit in limits:
        bands = limit.expected.values[1:4] if limit.expected is not None else (math.nan,) * 3
        rows.append(
            (
                limit.method,
                limit.sides,
                f"{100 * limit.level:g} %",
                (f"{size * limit.lower_kappa:.3g} to " if limit.lower_kappa > 0 else "") + f"{size * limit.kappa:.3g}",
                "empty"
                if limit.empty
                else show(limit.value, 3)
                + (f" ± {show(limit.error, 3)}" if limit.error > 5e-4 * scale else "")
                + (" !" if limit.beside else ""),
                show(bands[1]),
                f"{show(bands[0])} to {show(bands[2])}" if math.isfinite(bands[1]) else "",
            )
        )
    unit = " ".join(word for word in (f"1e{power}" if power else "", limits[0].unit if limits else "") if word)
    names = dict.fromkeys(limit.parameter for limit in limits)
    columns = ("method", ">sides", ">level", f">{', '.join(names) or 'kappa'}", ">limit", ">expected", ">68 %")
    origins = dict.fromkeys(f", {_origin(limit)}" for limit in limits if limit.fake is not None)
    of_kappa = f", kappa in {unit_of_kappa}" if unit_of_kappa else ""
    title = f"Limits{f' in {unit}' if unit else ''}{of_kappa}{''.join(origins)}"
    return Table(title=title, columns=columns, rows=tuple(rows))


def nuisance_rows(model: Model, best: FitResult, impacts: Sequence[Impact]) -> list[dict[str, Any]]:
    """Return the values that `result.json` keeps of each nuisance: prior, fit, pull, constraint, impact on kappa.

    Couplings are no nuisances, whether they are of interest or profiled.
    """
    moves = {impact.name: impact for impact in impacts if not impact.group}
    rows = []
    for index, parameter in enumerate(model.parameters):
        if parameter.name == model.poi or parameter.name in model.couplings:
            continue
        move = moves.get(parameter.name)
        rows.append(
            {
                "name": parameter.name,
                "group": parameter.group,
                "constraint": parameter.constraint,
                "prior": None if parameter.constraint == "free" else parameter.centre,
                "prior_width": parameter.width if parameter.constraint == "gaussian" else None,
                "value": float(best.values[index]),
                "error": float(best.errors[index]),
                "pull": float(best.pulls[index]),
                "constrained_to": float(best.constraints[index]),
                "impact_up": move.up if move else 0.0,
                "impact_down": move.down if move else 0.0,
                "fixed": parameter.name in best.fixed,
                "at_limit": parameter.name in best.at_limit,
            }
        )
    return rows


def nuisance_table(model: Model, best: FitResult, impacts: Sequence[Impact]) -> Table:
    """Return every nuisance parameter, the largest impact on kappa first."""
    rows = nuisance_rows(model, best, impacts)
    rows.sort(key=lambda row: -max(abs(row["impact_up"]), abs(row["impact_down"])))
    size, unit = kappa_scaled(best.coupling, best.kappa_error)
    return Table(
        title=f"Nuisance parameters, impact on {best.poi} in {unit}" if unit else "Nuisance parameters",
        columns=("parameter", "group", "constraint", ">fitted", ">pull", ">post / prior", ">impact up", ">impact down"),
        rows=tuple(
            (
                row["name"],
                row["group"],
                row["constraint"],
                "fixed" if row["fixed"] else quantity(row["value"], row["error"]),
                f"{row['pull']:+.2f}" if math.isfinite(row["pull"]) else "",
                f"{row['constrained_to']:.2f}" if math.isfinite(row["constrained_to"]) else "",
                f"{size * row['impact_up']:+.3g}",
                f"{size * row['impact_down']:+.3g}",
            )
            for row in rows
        ),
    )


def constraints_table(found: Constraints) -> Table:
    """Return how far each nuisance is constrained, as fitted and without the noise of the simulation."""
    return Table(
        title="Expected constraints, and the share that is noise of the simulation",
        columns=("parameter", ">post / prior", ">without noise", ">noise", "mostly of"),
        rows=tuple(
            (
                one.parameter,
                f"{one.naive:.3f}",
                f"{one.corrected:.3f} ± {one.uncertainty:.3f}",
                f"{100 * one.noise:.1f} %" + (" !" if one.alarm else ""),
                ", ".join(f"{name} {100 * share:.0f} %" for name, share in list(one.samples.items())[:2]),
            )
            for one in found
        ),
    )


def budget_table(best: FitResult, impacts: Sequence[Impact]) -> Table:
    """Return the parts of the error of kappa: groups of nuisances, statistics of simulation and data."""
    size, unit = kappa_scaled(best.coupling, best.kappa_error)
    groups = [
        (impact.name, f"{size * impact.size:.3g}", f"{100 * impact.size / best.kappa_error:.0f} %")
        for impact in impacts
        if impact.group
    ]
    total = ("all", f"{size * best.kappa_error:.3g}", "100 %")
    return Table(
        title=f"Error of {best.poi} in {unit}" if unit else f"Error of {best.poi}",
        columns=("from", ">size", ">of the whole"),
        rows=(*groups, total),
        rules=(len(groups),),
    )


def yields_table(expected: Expectation, model: Model, coupling_at: str) -> Table:
    """Return expected events per sample and region, what the coupling adds at `coupling_at`, and the data."""
    spans = model.regions
    names = [span.title or span.name for span in spans]
    rows = [
        (
            model.titles.get(sample) or sample,
            *(f"{expected.counts[index, span.start : span.stop].sum():.1f}" for span in spans),
        )
        for index, sample in enumerate(expected.samples)
    ]
    rules = [len(rows)]

    def spreads(covariance: Any) -> tuple[str, ...]:
        inside = [slice(span.start, span.stop) for span in spans]
        return tuple(f"± {math.sqrt(max(float(np.sum(covariance[part, part])), 0.0)):.1f}" for part in inside)

    rows.append(("Standard Model", *(f"{expected.total[span.start : span.stop].sum():.1f}" for span in spans)))
    statistics = "statistics of the simulation" if model.spread == "simulation" else model.spread
    rows.append((f"  {statistics}", *spreads(np.diag(expected.variance))))
    rows.append(("  nuisance parameters before the fit", *spreads(expected.before)))
    rows.append(("  nuisance parameters after the fit", *spreads(expected.after)))
    rules.append(len(rows))
    added = (f"{expected.signal[span.start : span.stop].sum():+.1f}" for span in spans)
    rows.append((coupling_at, *added))
    if not model.asimov:
        rules.append(len(rows))
        called = "data" if model.fake is None else f"fake data ({model.fake.short})"
        digits = 0 if model.measured else 1
        rows.append((called, *(f"{model.data[span.start : span.stop].sum():.{digits}f}" for span in spans)))
    return Table(
        title="Events at the analysis exposure",
        columns=("sample", *(f">{name}" for name in names)),
        rows=tuple(rows),
        rules=tuple(rules),
    )


def sources_table(templates: Templates) -> Table:
    """Return the inputs of the templates: per sample its files, entries, exposure, and the files left out."""
    rows = []
    for record in templates.inventories:
        dropped = record["dropped"]
        stands_for = record["stands_for"]
        name = record["sample"] if stands_for == record["sample"] else f"{record['sample']} (for {stands_for})"
        counts = (dropped["unselected"], dropped["below_threshold"], sum(count for count, _ in dropped["bad"].values()))
        rows.append(
            (
                str(name),
                str(len(record["files"])),
                str(record["entries"]),
                *(str(count) for count in counts),
                str(dropped["negative_weights"]),
                "" if record["pot"] is None else f"{record['pot']:.4g}",
                f"{record['scale']:.4g}",
                str(len(record["skipped"])),
            )
        )
    return Table(
        title="Ntuples",
        columns=(
            "sample",
            ">files",
            ">entries",
            ">unselected",
            ">below threshold",
            ">bad",
            ">weight < 0",
            ">POT",
            ">scale",
            ">files left out",
        ),
        rows=tuple(rows),
    )
