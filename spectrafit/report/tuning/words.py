"""What the tuning page says in words and tables: the limit, its bands, and how far each nuisance is constrained."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from spectrafit.report.symbols import symbols
from spectrafit.report.tuning.numbers import Numbers

__all__ = ["constraint_rows", "headline", "kept_row", "legend", "plain"]

_LETTERS = {r"\\theta": "θ", r"\\nu": "ν", r"\\mu": "μ", r"\\pi": "π", r"\\,": " "}
_RAISED = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")
_LOWERED = str.maketrans("e0123456789", "ₑ₀₁₂₃₄₅₆₇₈₉")


def plain(label: str) -> str:
    """Return a label of an axis, which may hold mathtext, in letters alone."""
    for command, letter in _LETTERS.items():
        label = re.sub(command + r"(?![a-zA-Z])", letter, label)
    label = re.sub(r"_\{?([e0-9]+)\}?", lambda found: found[1].translate(_LOWERED), label)
    label = re.sub(r"\^\{?([-+0-9]+)\}?", lambda found: found[1].translate(_RAISED), label)
    return label.replace("$", "")


def legend(numbers: Numbers, colours: Mapping[str, str], signal: str) -> str:
    """Return the legend of the spectra, in HTML.

    Parameters
    ----------
    numbers : Numbers
    colours : mapping of str to str
        Colour of each sample, and `signal` that of the line of all events with the coupling.
    """
    templates = numbers.templates
    entries = [
        (colours[sample], title or sample) for sample, title in zip(templates.samples, templates.titles, strict=True)
    ]
    return " ".join(
        f"<span style='white-space:nowrap;margin-right:12px'><span style='display:inline-block;width:12px;height:12px;"
        f"background:{colour};margin-right:4px'></span>{symbols(title)}</span>"
        for colour, title in (*entries, (signal, "all, with the coupling"))
    )


def headline(numbers: Numbers, asked: str) -> str:
    """Return the expected limit with its bands, in HTML.

    Parameters
    ----------
    numbers : Numbers
    asked : str
        The method that the analysis asks for.
    """
    limit = numbers.limit
    unit = f" {limit.unit}" if limit.unit else ""
    words = f"{limit.value:.4g}{unit}"
    bands = ""
    if limit.expected is not None:
        low2, low1, median, high1, high2 = limit.expected.values
        words = f"{median:.4g}{unit}"
        bands = f"; 68 % of experiments {low1:.4g} to {high1:.4g}, 95 % {low2:.4g} to {high2:.4g}"
    error = numbers.constraints.information
    poi = numbers.constraints.poi
    errors = ""
    if poi in error.parameters:
        errors = (
            f"<br>error of {poi}: {error.error(poi, corrected=False):.4g} as fitted,"
            f" {error.error(poi):.4g} &plusmn; {error.error_of_error(poi):.2g} without the simulation's noise"
        )
    instead = f" (the analysis asks for {asked}, whose toys take too long here)" if limit.method != asked else ""
    return (
        f"<span style='font-size:22px'>expected limit <b id='limit'>{symbols(words)}</b></span> at"
        f" {100 * limit.level:g} %{symbols(bands)}<br>{limit.method}, {limit.sides}-sided{html.escape(instead)};"
        f" {numbers.model.n_bins} bins, fewest simulated events in a bin {_least(numbers)}{errors}"
        f" <span style='color:#5f6670'>({1e3 * numbers.seconds:.0f} ms)</span>"
    )


def _least(numbers: Numbers) -> int:
    return int(numbers.templates.entries.sum(axis=0).min())


def constraint_rows(numbers: Numbers) -> str:
    """Return the table of what the fit expects of each nuisance, naive and without noise, in HTML."""
    cell = "style='padding:1px 0 1px 16px;text-align:right'"
    rows = [
        f"<tr><td>{html.escape(one.parameter)}</td><td {cell}>{one.naive:.3f}</td><td {cell}>{one.corrected:.3f}</td>"
        f"<td {cell}>{'<b style=color:#d55e00>' if one.alarm else ''}{100 * one.noise:.0f} %"
        f"{'</b>' if one.alarm else ''}</td></tr>"
        for one in numbers.constraints
    ]
    heads = "".join(f"<th {cell}>{name}</th>" for name in ("as fitted", "without noise", "noise"))
    head = f"<tr><th style='text-align:left'>nuisance</th>{heads}</tr>"
    return (
        "<b>constraints</b> in prior widths, and the share of the simulation's noise in them"
        f"<table style='border-collapse:collapse'>{head}{''.join(rows)}</table>"
    )


def kept_row(numbers: Numbers) -> dict[str, str]:
    """Return a row of the table of kept choices."""
    limit, error, poi = numbers.limit, numbers.constraints.information, numbers.constraints.poi
    bands = limit.expected
    return {
        "bins": str(numbers.model.n_bins),
        "limit": f"{(bands.median if bands else limit.value):.4g}",
        "band": f"{bands.values[1]:.4g} to {bands.values[3]:.4g}" if bands else "",
        "error": f"{error.error(poi):.4g}" if poi in error.parameters else "",
        "least": str(_least(numbers)),
    }
