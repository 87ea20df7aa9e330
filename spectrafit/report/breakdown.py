"""Draws and saves what each group of uncertainties costs the expected limit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrafit.report.saved_tables import save_study

if TYPE_CHECKING:
    from spectrafit.inference.studies.breakdown import Breakdown

__all__ = ["draw_breakdown", "write_breakdown"]

# More rows than this cannot be read in one figure; the tables have them all.
_MOST = 24


def write_breakdown(path: str | os.PathLike[str], found: Breakdown, *, title: str = "") -> Path:
    """Write a breakdown as CSV, JSON or figure, as the suffix of the file says, and return the file.

    Raises
    ------
    ConfigError, DataError
        As `spectrafit.report.saved_tables.save_study`.
    """
    return save_study(
        Path(path),
        rows=found.rows,
        summary=found.summary,
        draw=lambda target: draw_breakdown(target, found, title=title),
    )


def draw_breakdown(path: str | os.PathLike[str], found: Breakdown, *, title: str = "") -> Path:
    """Draw the limit with each group frozen and with each alone, between all uncertainties and statistics only.

    Parameters
    ----------
    path : file to write; its suffix says the format.
    found : what `sf.breakdown` found.
    title : name of the analysis, above the frame.

    Raises
    ------
    ConfigError, DataError
        As `spectrafit.report.figures.saving.save`.
    """
    # matplotlib takes half a second to import: only drawing pays for it.
    from matplotlib.figure import Figure

    from spectrafit.report.figures.saving import save
    from spectrafit.report.figures.style import COLOURS, frame, look, tag
    from spectrafit.report.scans import limit_unit

    first, parts = found.whole, found.parts[:_MOST]
    height = 0.5 + 0.3 * len(parts)
    limits = [first, found.statistics, *(limit for part in parts for limit in (part.frozen, part.alone))]
    values = np.array([limit.expected.median if limit.expected else limit.value for limit in limits])
    with look():
        scale, label = limit_unit(values, found.coupling, first.unit)
        label = f"expected {label}"
        whole, statistics, rows = values[0] / scale, values[1] / scale, values[2:].reshape(-1, 2) / scale
        figure = Figure(figsize=(6.2, 1.35 + height))
        axes = frame(figure, 1.75, 0.6, 4.25, height)
        places = np.arange(len(parts))[::-1]
        line: dict[str, Any] = {"lw": 1.2, "zorder": 1}
        axes.axvline(whole, color=COLOURS["ink"], label="all uncertainties", **line)
        axes.axvline(statistics, color=COLOURS["grey"], ls=(0, (4, 2)), label="statistics only", **line)
        for place, (frozen, alone) in zip(places, rows, strict=True):
            axes.plot([frozen, whole], [place + 0.13] * 2, color=COLOURS["blue"], lw=2.2, solid_capstyle="butt")
            axes.plot(
                [statistics, alone], [place - 0.13] * 2, color=COLOURS["vermilion"], lw=2.2, solid_capstyle="butt"
            )
        axes.plot(rows[:, 0], places + 0.13, "o", color=COLOURS["blue"], ms=5, label="without it")
        axes.plot(rows[:, 1], places - 0.13, "s", color=COLOURS["vermilion"], ms=4.5, label="it alone")
        axes.set_yticks(places, [_short(part.name) for part in parts])
        axes.tick_params(axis="y", which="both", length=0)
        axes.set_ylim(-0.7, len(parts) - 0.3)
        low, high = min(values) / scale, max(values) / scale
        margin = 0.08 * ((high - low) or high)
        axes.set_xlim(low - margin, high + margin)
        axes.minorticks_on()
        axes.tick_params(axis="y", which="minor", left=False, right=False)
        axes.set_xlabel(f"median {label}")
        # Above the frame no row can hide the words.
        tall = 1.35 + height
        figure.legend(
            *axes.get_legend_handles_labels(), loc="center", bbox_to_anchor=(0.5, (tall - 0.52) / tall), ncols=4
        )
        how = f"{100 * first.level:g} % CL, {first.sides}-sided, {first.method}"
        tag(figure, title, how, edges=(0.1 / 6.2, 6.0 / 6.2))
        save(figure, Path(path))
    return Path(path)


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:22]}..."
