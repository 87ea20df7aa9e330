"""Draws a two-dimensional region bin by bin: what is expected, what the coupling adds, and where it can be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from spectrafit.arraytypes import Floats
from spectrafit.report.expectation import Expectation
from spectrafit.report.figures.scales import decades, edge_text
from spectrafit.report.figures.style import COLOURS, frame, mathtext, tag
from spectrafit.templates.regions import RegionBins

__all__ = ["plane"]

# So many bins have room for their numbers.
_NUMBERED = 100


def plane(expected: Expectation, region: RegionBins, *, signal: str, left: str = "", right: str = "") -> Figure:
    """Draw a two-dimensional region: the Standard Model, the coupling's events, and where the coupling can be seen.

    The last map is s / sqrt(b + var b) per bin, with var b of simulation and fitted nuisance parameters. Each map says
    the scale of its colours, and a small one the number of each bin. Parameters as in `spectra.spectrum`.
    """
    # Bins of all sizes drawn equally large, if some would be too small to see.
    edges = [np.asarray(axis.edges) for axis in region.axes]
    even = [bool(np.ptp(np.diff(along)) > 0.5 * np.diff(along).min()) for along in edges]
    columns, rows = (
        np.arange(float(len(along))) if evened else along for along, evened in zip(edges, even, strict=True)
    )
    total, extra = expected.total[region.bins], expected.signal[region.bins]
    spread = expected.variance[region.bins] + np.diag(expected.after)[region.bins] + total
    reach = np.divide(extra, np.sqrt(spread), out=np.zeros_like(extra), where=spread > 0)
    figure = Figure(figsize=(10.4, 3.95))
    grows = bool(np.all(extra >= 0))
    maps = (
        ("Standard Model: events per bin", total, True),
        (f"{signal}: events per bin", extra, grows),
        (r"$s\,/\sqrt{b+\sigma_b^2}$ per bin", reach, False),
    )
    for column, (title, values, logarithmic) in enumerate(maps):
        at = 0.78 + 3.23 * column
        axes = frame(figure, at, 0.62, 2.42, 2.52)
        top = float(np.abs(values).max())
        shown, norm, colours = values.reshape(region.shape), Normalize(0.0, top or 1.0), "cividis"
        if column and not grows:
            # Where the coupling interferes it takes events away: white is none, the colours are symmetric about it.
            norm, colours = Normalize(-top, top), "PuOr_r"
        else:
            shown = np.ma.masked_less_equal(shown, 0.0)
            if logarithmic and top > 0:
                norm = LogNorm(max(top * 1e-3, float(shown.min())), top)
        axes.set_facecolor("#F4F4F4")
        # Vector cells leave hairlines between them in many viewers and make the files large.
        mesh = axes.pcolormesh(columns, rows, shown.T, norm=norm, cmap=colours, rasterized=True)
        bar = figure.colorbar(mesh, cax=frame(figure, at + 2.47, 0.62, 0.11, 2.52))
        if isinstance(norm, LogNorm) and norm.vmin is not None:
            bar.set_ticks(decades(norm.vmin, top))
        bar.ax.minorticks_off()
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        bar.ax.tick_params(labelsize=9, direction="in")
        axes.set_title(title, loc="left", fontsize=10, y=1.07)
        kind = "logarithmic" if isinstance(norm, LogNorm) else "linear"
        axes.text(0.0, 1.015, f"{kind} colours", transform=axes.transAxes, fontsize=8, color=COLOURS["grey"])
        axes.set_xlabel(mathtext(region.labels[0]))
        if column == 0:
            axes.set_ylabel(mathtext(region.labels[1]))
        for line, places, labels, evened in (
            (axes.xaxis, columns, edges[0], even[0]),
            (axes.yaxis, rows, edges[1], even[1]),
        ):
            if evened:
                step = 1 + len(places) // 14
                line.set_ticks(places[::step], [edge_text(edge) for edge in labels[::step]], fontsize=9)
            else:
                line.set_major_locator(MaxNLocator(5))
        axes.tick_params(axis="x", rotation=45 if even[0] and len(columns) > 8 else 0)
        if column:
            axes.tick_params(labelleft=False)
        if values.size <= _NUMBERED:
            _number(axes, columns, rows, values.reshape(region.shape), mesh)
    tag(figure, left, right, edges=(0.78 / 10.4, 0.985))
    return figure


def _number(axes: Axes, columns: Floats, rows: Floats, values: Floats, mesh: Any) -> None:
    """Write each bin's number into it, dark on light cells and light on dark ones."""
    shades = mesh.cmap(mesh.norm(values))[..., :3] @ np.array([0.299, 0.587, 0.114])
    width = 2.42 * 72 / len(values)
    size = float(np.clip(width / 2.6, 4.2, 7.5))
    across, along = (0.5 * (edges[1:] + edges[:-1]) for edges in (columns, rows))
    for column, row in np.ndindex(values.shape):
        value = float(values[column, row])
        if value == 0.0:
            continue
        digits = next((count for count, least in enumerate((9.95, 0.995, 0.0995, 0.00995)) if abs(value) >= least), 4)
        text = f"{value:.{digits}f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.{digits}f}"
        middle = (float(across[column]), float(along[row]))
        colour = "white" if shades[column, row] < 0.5 and value > 0 else COLOURS["ink"]
        axes.text(*middle, text, ha="center", va="center", fontsize=size, color=colour, parse_math=False)
