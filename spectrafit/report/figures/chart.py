"""Draws the chart of limits on neutrino magnetic moments: a line per experiment, published limits and ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from spectrafit.report.figures.saving import save
from spectrafit.report.figures.style import COLOURS, SIGNAL, frame, look
from spectrafit.report.literature import FLAVOURS
from spectrafit.report.tables import shortened

if TYPE_CHECKING:
    from spectrafit.report.chart import Chart, Line, OurLimit

__all__ = ["draw_chart"]

_KINDS: dict[str, dict[str, Any]] = {
    "measured": {"color": COLOURS["blue"], "alpha": 0.55},
    "reinterpreted": {"color": COLOURS["sky"], "alpha": 0.45},
    "projected": {"facecolor": "none", "edgecolor": COLOURS["blue"], "linestyle": (0, (3, 2)), "linewidth": 0.8},
    "astrophysical": {"color": COLOURS["grey"], "alpha": 0.40},
}
_CALLED = {
    "measured": "measured",
    "reinterpreted": "by others from the data",
    "projected": "projected",
    "astrophysical": "from the sky",
}
_ROW = 0.205  # inches
_LEFT, _WIDTH, _RIGHT, _ALONE = 3.3, 4.3, 2.3, 1.25
_SMALL = 8.6


def draw_chart(target: Path, found: Chart) -> None:
    """Draw a chart: bars start at each experiment's published limit, diamonds are ours, numbers stand beside.

    Raises
    ------
    ConfigError, DataError
        As `spectrafit.report.figures.saving.save`.
    """
    flavours = list(dict.fromkeys(line.flavour for line in found.lines))
    rows = len(found.lines) + len(flavours)
    height = _ROW * rows
    right = _RIGHT if any(line.ours for line in found.lines) else _ALONE
    with look():
        figure = Figure(figsize=(_LEFT + _WIDTH + right, height + 1.35))
        axes = frame(figure, _LEFT, 0.62, _WIDTH, height)
        low, high = _span(found)
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.set_ylim(rows, 0)
        place, flavour = -0.5, ""
        for line in found.lines:
            place += 1
            if line.flavour != flavour:
                flavour = line.flavour
                _heading(axes, place, FLAVOURS[flavour])
                place += 1
            _line(axes, place, line, high)
        axes.xaxis.set_major_locator(LogLocator(10, numticks=20))
        axes.xaxis.set_minor_locator(LogLocator(10, subs=tuple(range(2, 10)), numticks=200))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="y", length=0, labelleft=False)
        axes.set_xlabel(r"neutrino magnetic moment [$\mu_\mathrm{B}$]")
        axes.xaxis.set_label_coords(0.5, -0.36 / height)
        _legend(figure, found, height)
        save(figure, target)


def _span(found: Chart) -> tuple[float, float]:
    """Return the ends of the axis: a factor of two around every number."""
    numbers = [
        number
        for line in found.lines
        for limit in line.published
        for number in (limit.value, *(limit.interval or ()))
        if number
    ]
    ours = [limit for line in found.lines for limit in line.ours]
    numbers += [number for limit in ours for number in (limit.value, limit.lower) if number]
    return 0.5 * min(numbers), 2.0 * max(numbers)


def _heading(axes: Axes, place: float, text: str) -> None:
    axes.axhline(place - 0.5, color=COLOURS["ink"], lw=0.6)
    axes.text(
        (0.1 - _LEFT) / _WIDTH,
        place,
        text,
        transform=axes.get_yaxis_transform(),
        va="center",
        weight="bold",
        fontsize=10,
    )


def _line(axes: Axes, place: float, line: Line, high: float) -> None:
    """Draw one experiment: the bar of its leading limit, marks of the others, our limits, and the numbers beside."""
    beside: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": _SMALL}
    best = line.best
    years = f" {best.year}" if best is not None else ""
    dirac = " (Dirac)" if best is not None and best.note.startswith("Dirac only") else ""
    axes.text((0.2 - _LEFT) / _WIDTH, place, shortened(line.name, 48) + dirac + years, **beside)
    for limit in line.published:
        lead = limit is best
        if limit.interval is not None:
            # An interval from an excess or a range that the authors quote: its ends, not an excluded region.
            start = max(limit.interval[0], axes.get_xlim()[0])
            dash = "dotted" if limit.interval[0] == 0.0 else "solid"
            axes.plot([start, limit.interval[1]], [place] * 2, color=COLOURS["ink"], lw=1.1, ls=dash, marker="|", ms=6)
        if limit.value is None:
            continue
        if lead:
            axes.barh(place, high - limit.value, left=limit.value, height=0.62, **_KINDS[limit.kind])
            axes.plot([limit.value] * 2, [place - 0.31, place + 0.31], color=COLOURS["ink"], lw=1.2)
        else:
            axes.plot([limit.value] * 2, [place - 0.2, place + 0.2], color=COLOURS["grey"], lw=1.0)
    # Several of ours on one line lie above one another, and an interval below a published one: none hides another.
    behind = 0.2 if any(limit.interval is not None for limit in line.published) else 0.0
    gaps = len(line.ours) - 1
    steps = [behind] if gaps < 1 else [0.3 * (number / gaps - 0.5) for number in range(gaps + 1)]
    for ours, step in zip(line.ours, steps, strict=False):
        _ours(axes, place + step, ours)
    if best is not None:
        axes.text(1 + 0.72 / _WIDTH, place, _number(best.value, best.interval), ha="right", **beside)
        level = "–" if best.level is None else f"{100 * best.level:g} %"
        axes.text(1 + 1.14 / _WIDTH, place, level, ha="right", color="#5A5A5A", **beside)
    if line.ours:
        # Of several, the number of measured data goes before projections.
        ours = min(line.ours, key=lambda limit: (limit.kind != "reinterpreted", limit.value))
        number = _number(ours.value, None) if ours.lower is None else _number(None, (ours.lower, ours.value))
        axes.text(1 + 1.78 / _WIDTH, place, number, ha="right", color=SIGNAL, **beside)
        axes.text(1 + 2.2 / _WIDTH, place, f"{100 * ours.level:g} %", ha="right", color=SIGNAL, **beside)


def _ours(axes: Axes, place: float, ours: OurLimit) -> None:
    if ours.expected is not None:
        axes.plot([ours.expected[0], ours.expected[2]], [place, place], color=SIGNAL, lw=1.0, zorder=5)
    if ours.lower is not None:
        axes.plot([ours.lower, ours.value], [place, place], color=SIGNAL, lw=1.6, marker="|", ms=7, zorder=5)
        return
    face = SIGNAL if ours.kind == "reinterpreted" else "white"
    axes.plot(ours.value, place, "D", ms=5, mfc=face, mec=SIGNAL, mew=1.2, zorder=6)


def _number(value: float | None, interval: tuple[float, float] | None) -> str:
    """Return a limit, or an interval if there is no value: `2.9e-11`, `(1.4–2.9)e-11`."""
    if value is not None:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    assert interval is not None
    exponent = f"{interval[1]:.2e}".split("e")[1]
    low, high = (f"{end / 10.0 ** int(exponent):.2g}" for end in interval)
    return f"({low}–{high})e{int(exponent)}"


def _legend(figure: Figure, found: Chart, height: float) -> None:
    """Name bars and marks above the frame, and the two columns of numbers."""
    kinds = dict.fromkeys(limit.kind for line in found.lines for limit in line.published)
    marks: list[Any] = [Patch(**_KINDS[kind]) for kind in _KINDS if kind in kinds]
    words = [_CALLED[kind] for kind in _KINDS if kind in kinds]
    ours = {limit.kind for line in found.lines for limit in line.ours}
    for kind, word, face in (("reinterpreted", "ours, data", SIGNAL), ("projected", "ours, expected", "white")):
        if kind in ours:
            marks.append(Line2D([], [], ls="none", marker="D", ms=5, mfc=face, mec=SIGNAL, mew=1.2))
            words.append(word)
    if any(limit.expected is not None for line in found.lines for limit in line.ours):
        marks.append(Line2D([], [], color=SIGNAL, lw=1.0))
        words.append("68 % expected")
    wide, tall = figure.get_size_inches()
    top = (0.62 + height) / tall
    if any(limit.interval is not None for line in found.lines for limit in line.published):
        marks.append(Line2D([], [], color=COLOURS["ink"], lw=1.1, marker="|", ms=6))
        words.append("interval or range")
    place = (0.05 / wide, top + 0.24 / tall)
    figure.legend(
        marks, words, loc="lower left", ncols=len(marks), bbox_to_anchor=place, columnspacing=1.0, handletextpad=0.5
    )
    right = _LEFT + _WIDTH
    for at, text, colour in ((1.14, "published, level", COLOURS["ink"]), (2.2, "ours, level", SIGNAL)):
        if text.startswith("published") or ours:
            figure.text(
                (right + at) / wide, top + 0.1 / tall, text, ha="right", va="center", fontsize=_SMALL, color=colour
            )
