"""Draws true against reconstructed values: resolution and bias, migration, purity and stability, efficiency."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spectrafit.arraytypes import Floats
from spectrafit.report.figures.binnings import spread
from spectrafit.report.figures.style import COLOURS, frame, mathtext, tag

if TYPE_CHECKING:
    from spectrafit.templates.truths import AxisTruth

__all__ = ["along_truth", "migration"]

_UNIT = re.compile(r"\[[^\]]+\]\s*$")


def _steps(axes: Axes, edges: Floats, values: Floats, colour: str, label: str, style: Any = "-") -> None:
    """Draw a value per bin as a step line, with gaps where there is none."""
    axes.stairs(
        np.where(np.isfinite(values), values, np.nan), edges, baseline=None, color=colour, lw=1.5, ls=style, label=label
    )


def along_truth(found: AxisTruth, *, left: str = "", right: str = "") -> Figure:
    """Draw resolution and bias against the true value, and below them the efficiency.

    Parameters
    ----------
    found : one axis, see `spectrafit.templates.diagnostics`.
    left, right : text above the frame.
    """
    figure = Figure(figsize=(6.0, 5.2))
    upper = frame(figure, 0.95, 2.2, 4.85, 2.6)
    lower = frame(figure, 0.95, 0.6, 4.85, 1.45, sharex=upper)
    upper.axhline(0.0, color=COLOURS["grey"], lw=0.7)
    _steps(upper, found.edges, found.resolution, COLOURS["blue"], "resolution (half the central 68.3 %)")
    _steps(upper, found.edges, found.bias, COLOURS["vermilion"], "bias (median)")
    widths = np.diff(found.edges)
    _steps(upper, found.edges, widths, COLOURS["grey"], "width of the bin", (0, (3, 2)))
    top = float(np.nanmax(np.concatenate([found.resolution, np.abs(found.bias), [0.0]])))
    upper.set_ylim(min(-0.1 * top, 1.15 * float(np.nanmin([*found.bias, 0.0]))), 1.55 * top or 1.0)
    unit = _UNIT.search(found.label)
    upper.set_ylabel(mathtext(f"reconstructed - true {unit[0] if unit else ''}"))
    upper.legend(loc="upper left")
    upper.tick_params(which="both", labelbottom=False)
    _steps(lower, found.edges, found.efficiency, COLOURS["green"], "")
    lower.set_ylim(0.0, 1.08 * max(float(np.nanmax([*found.efficiency, 0.0])), 0.1))
    lower.set_ylabel("efficiency")
    lower.yaxis.set_major_locator(MaxNLocator(4))
    lower.set_xlabel(mathtext(_true(found)))
    spread(lower.xaxis, found.edges)
    for axes in (upper, lower):
        axes.set_xlim(found.edges[0], found.edges[-1])
    tag(figure, left, right, edges=(0.05, 0.98))
    return figure


def _true(found: AxisTruth) -> str:
    """Return the label of the true value."""
    label = found.label
    return label.replace("reconstructed", "true", 1) if "reconstructed" in label else f"true {label}"


def migration(found: AxisTruth, *, left: str = "", right: str = "") -> Figure:
    """Draw where the events of each true bin are reconstructed, with purity and stability of every bin above.

    Parameters
    ----------
    found : one axis.
    left, right : text above the frame.
    """
    inner = found.migration[1:-1, 1:-1]
    whole = found.migration[1:-1].sum(axis=1, keepdims=True)
    share = np.divide(inner, whole, out=np.full(inner.shape, np.nan), where=whole > 0)
    size = len(inner)
    figure = Figure(figsize=(5.6, 6.1))
    axes = frame(figure, 0.95, 0.62, 3.7, 3.7)
    above = frame(figure, 0.95, 4.45, 3.7, 1.2, sharex=axes)
    places = np.arange(size + 1)
    mesh = axes.pcolormesh(
        places, places, np.ma.masked_invalid(share), vmin=0.0, vmax=1.0, cmap="Blues", rasterized=True
    )
    axes.set_facecolor("#F4F4F4")
    if size <= 14:
        for row in range(size):
            for column in range(size):
                if np.isfinite(share[row, column]) and share[row, column] >= 0.005:
                    colour = "white" if share[row, column] > 0.55 else COLOURS["ink"]
                    axes.text(
                        column + 0.5,
                        row + 0.5,
                        f"{100 * share[row, column]:.0f}",
                        ha="center",
                        va="center",
                        size=8,
                        color=colour,
                    )
    step = max(1, int(np.ceil(size / 8)))
    ticks = list(range(0, size + 1, step))
    names = [f"{found.edges[tick]:g}" for tick in ticks]
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.tick_params(which="both", top=False, right=False)
    axes.set_xlabel(mathtext(found.label))
    axes.set_ylabel(mathtext(_true(found)))
    bar = figure.add_axes((4.78 / 5.6, 0.62 / 6.1, 0.13 / 5.6, 3.7 / 6.1))
    figure.colorbar(mesh, cax=bar, label="share of the true bin")
    for values, colour, label in (
        (found.purity, COLOURS["blue"], "purity"),
        (found.stability, COLOURS["orange"], "stability"),
    ):
        above.stairs(values, places, baseline=None, color=colour, lw=1.5, label=label)
    above.set_ylim(0.0, 1.0)
    above.set_xlim(0, size)
    above.tick_params(labelbottom=False)
    above.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05))
    tag(figure, left, right, edges=(0.05, 0.98))
    return figure
