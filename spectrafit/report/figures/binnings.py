"""Draws binnings side by side, their edges on the plane, partitions, and quantities of the cells of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, LogNorm, Normalize, SymLogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from spectrafit.arraytypes import Floats, Integers
from spectrafit.report.figures.style import COLOURS, frame, latex, mathtext, tag

if TYPE_CHECKING:
    from spectrafit.inference.studies.rating import Rated

__all__ = ["comparison", "line_of_cells", "map_of_cells", "partition", "spread"]


def comparison(rows: Sequence[Rated], *, symbol: str = "", left: str = "", right: str = "") -> Figure:
    """Draw the expected limit of each binning, as a fit has it and without noise, with its error on each half.

    Parameters
    ----------
    rows : binnings, from top to bottom.
    symbol : of the limited quantity, for the axis.
    left, right : text above the frame.
    """
    count = len(rows)
    height = 0.34 * count + 0.3
    figure = Figure(figsize=(8.6, height + 1.15))
    axes = frame(figure, 1.95, 0.62, 3.55, height)
    beside = frame(figure, 5.7, 0.62, 2.7, height, sharey=axes)
    unit = rows[0].limit.unit
    power = int(np.floor(np.log10(abs(rows[0].median)))) if rows[0].median else 0
    scale = 10.0**power
    for place, row in enumerate(rows):
        axes.plot(row.median / scale, place, "o", color=COLOURS["ink"], ms=5.5, mfc="white", zorder=3)
        axes.plot(row.guarded / scale, place, "D", color=COLOURS["vermilion"], ms=4.8, zorder=4)
        axes.plot([row.median / scale, row.guarded / scale], [place, place], color=COLOURS["mist"], lw=3, zorder=1)
        for half, (shift, colour) in zip(row.halves, ((-0.14, COLOURS["sky"]), (0.14, COLOURS["blue"])), strict=False):
            beside.errorbar(
                half.guarded, place + shift, xerr=half.uncertainty, fmt="s", ms=3.6, lw=1.0, capsize=1.5, color=colour
            )
    names = [f"{row.name} ({row.judgement.bins})" for row in rows]
    axes.set_yticks(range(count), names)
    axes.set_ylim(count - 0.5, -0.5)
    for one in (axes, beside):
        one.tick_params(axis="y", length=0)
        one.xaxis.set_major_locator(MaxNLocator(5))
        one.margins(x=0.12)
        for place in range(count):
            one.axhline(place, color=COLOURS["mist"], lw=0.5, zorder=0)
    beside.tick_params(labelleft=False)
    name = rf"${latex(symbol)}$ " if symbol else "kappa "
    axes.set_xlabel(
        f"expected limit on {name}[$10^{{{power}}}\\,{latex(unit)}$]" if unit else f"expected limit, {name}"
    )
    beside.set_xlabel("error of kappa, noise subtracted")
    handles: list[Any] = [
        axes.plot([], [], "o", color=COLOURS["ink"], ms=5.5, mfc="white", label="as fitted")[0],
        axes.plot([], [], "D", color=COLOURS["vermilion"], ms=4.8, label="without noise")[0],
    ]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, columnspacing=1.2, borderpad=0.1)
    if any(row.halves for row in rows):
        markers: list[Any] = [
            beside.plot([], [], "s", color=COLOURS["sky"], ms=3.6, label="choosing half")[0],
            beside.plot([], [], "s", color=COLOURS["blue"], ms=3.6, label="independent half")[0],
        ]
        beside.legend(
            handles=markers, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, columnspacing=1.0, borderpad=0.1
        )
    tag(figure, left, right, edges=(0.05, 0.98))
    return figure


def map_of_cells(
    panels: Sequence[tuple[str, Floats]],
    edges: tuple[Floats, Floats],
    labels: tuple[str, str],
    *,
    of: str,
    scale: str = "linear",
    binning: tuple[Floats, Floats] | None = None,
    left: str = "",
    right: str = "",
) -> Figure:
    """Draw quantities of a plane's cells side by side in one colour scale, with the edges of a binning on top.

    Parameters
    ----------
    panels : title and values, in the shape of the plane, NaN where there is none.
    edges, labels : of both axes.
    of : what the colours count.
    scale : "linear" from 0, "log", "symlog" for values of both signs, or "share" from 0 to 1.
    binning : edges to draw as lines.
    left, right : text above the frame.
    """
    count = len(panels)
    figure = Figure(figsize=(0.5 + 4.0 * count + 0.95, 4.2))
    values = np.concatenate([np.ravel(found) for _, found in panels])
    norm, colours = _norm(values[np.isfinite(values)], scale)
    mesh: Any = None
    for place, (title, found) in enumerate(panels):
        axes = frame(figure, 0.85 + 4.0 * place, 0.62, 3.2, 3.0)
        shown = np.ma.masked_invalid(found)
        if scale == "log":
            shown = np.ma.masked_less_equal(shown, 0.0)
        axes.set_facecolor("#F4F4F4")
        mesh = axes.pcolormesh(edges[0], edges[1], shown.T, norm=norm, cmap=colours, rasterized=True)
        _across(axes, edges, labels)
        if binning is not None:
            _lines(axes, binning)
        axes.text(0.97, 0.96, mathtext(title), transform=axes.transAxes, ha="right", va="top", fontsize=10, bbox=_BOX)
        if place:
            axes.set_ylabel("")
    bar = figure.add_axes((1 - 0.98 / figure.get_figwidth(), 0.62 / 4.2, 0.14 / figure.get_figwidth(), 3.0 / 4.2))
    figure.colorbar(mesh, cax=bar, label=of)
    tag(figure, left, right, edges=(0.06, 0.98))
    return figure


_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2.0}


def _norm(values: Floats, scale: str) -> tuple[Any, str]:
    top = float(values.max(initial=0.0)) or 1.0
    if scale == "share":
        return Normalize(0.0, 1.0), "viridis"
    if scale == "log":
        positive = values[values > 0]
        return LogNorm(float(positive.min()) if positive.size else 0.1 * top, top * 1.0001), "viridis"
    if scale == "symlog":
        reach = max(top, float(-values.min(initial=0.0)))
        return SymLogNorm(1e-2 * reach, vmin=-reach, vmax=reach, base=10), "RdBu_r"
    return Normalize(0.0, top), "viridis"


def _across(axes: Axes, edges: tuple[Floats, Floats], labels: tuple[str, str]) -> None:
    """Set labels, and a logarithmic axis where edges span more than a decade above 0."""
    axes.set_xlabel(mathtext(labels[0]))
    axes.set_ylabel(mathtext(labels[1]))
    for axis, along in ((axes.xaxis, edges[0]), (axes.yaxis, edges[1])):
        if not spread(axis, along):
            axis.set_major_locator(MaxNLocator(5, prune="upper"))
    axes.set_xlim(edges[0][0], edges[0][-1])
    axes.set_ylim(edges[1][0], edges[1][-1])


def spread(axis: Any, edges: Floats) -> bool:
    """Make an axis logarithmic where its edges span more than a decade above 0; return whether it is."""
    if not (edges[0] > 0 and edges[-1] > 10 * edges[0]):
        return False
    (axis.axes.set_xscale if axis is axis.axes.xaxis else axis.axes.set_yscale)("log")
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
    return True


def _lines(axes: Axes, binning: tuple[Floats, Floats]) -> None:
    across, upward = binning
    for at in across:
        axes.plot([at, at], [upward[0], upward[-1]], color="white", lw=1.6)
        axes.plot([at, at], [upward[0], upward[-1]], color=COLOURS["ink"], lw=0.8)
    for at in upward:
        axes.plot([across[0], across[-1]], [at, at], color="white", lw=1.6)
        axes.plot([across[0], across[-1]], [at, at], color=COLOURS["ink"], lw=0.8)


def line_of_cells(
    rows: Sequence[tuple[str, Floats]], edges: Floats, label: str, *, of: str, left: str = "", right: str = ""
) -> Figure:
    """Draw quantities of the cells along one axis.

    Parameters
    ----------
    rows : title and values of each line.
    edges, label : of the axis.
    of : what the lines count.
    left, right : text above the frame.
    """
    figure = Figure(figsize=(6.0, 3.9))
    axes = frame(figure, 0.9, 0.62, 4.9, 2.8)
    for (title, values), colour in zip(rows, (COLOURS["grey"], COLOURS["blue"]), strict=False):
        axes.stairs(values, edges, baseline=None, color=colour, lw=1.4, label=title)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.2 * (high - low))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel(mathtext(label))
    axes.set_ylabel(of)
    axes.legend(loc="upper right")
    tag(figure, left, right, edges=(0.05, 0.98))
    return figure


def partition(
    numbers: Integers,
    edges: tuple[Floats, Floats],
    labels: tuple[str, str],
    *,
    left: str = "",
    right: str = "",
) -> Figure:
    """Draw which bin each cell of a plane is in; cells that are in none stay grey.

    Parameters
    ----------
    numbers : in the shape of the plane, from 1; 0 for none.
    edges, labels : of both axes.
    left, right : text above the frame.
    """
    count = int(numbers.max(initial=1))
    figure = Figure(figsize=(5.4, 4.2))
    axes = frame(figure, 0.85, 0.62, 3.6, 3.0)
    axes.set_facecolor(COLOURS["mist"])
    norm = BoundaryNorm(np.arange(0.5, count + 1.0), 256)
    shown = np.ma.masked_equal(numbers, 0)
    mesh = axes.pcolormesh(edges[0], edges[1], shown.T, norm=norm, cmap="turbo", rasterized=True)
    _across(axes, edges, labels)
    bar = figure.add_axes((4.6 / 5.4, 0.62 / 4.2, 0.14 / 5.4, 3.0 / 4.2))
    step = max(1, round(count / 8))
    figure.colorbar(mesh, cax=bar, ticks=list(range(1, count + 1, step)), label="bin")
    bar.minorticks_off()
    tag(figure, left, right, edges=(0.06, 0.98))
    return figure
