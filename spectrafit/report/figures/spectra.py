"""Draws expected events per bin: stacked spectra with their uncertainty, and maps of two-dimensional templates."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from spectrafit.arraytypes import Floats
from spectrafit.report.expectation import Expectation
from spectrafit.report.figures.style import COLOURS, SIGNAL, components, frame, mathtext, tag
from spectrafit.templates.regions import RegionBins

__all__ = ["plane", "spectrum"]

_PALE, _BEFORE, _AFTER, _HATCH = "#F6CFB6", "#E4E4E4", "#B9B9B9", COLOURS["ink"]
_UNIT = re.compile(r"\s*[\[(](?P<unit>[^\])]+)[\])]\s*$")


def spectrum(
    expected: Expectation,
    region: RegionBins,
    axis: int,
    *,
    titles: Mapping[str, str],
    roles: Mapping[str, str],
    signal: str,
    data: Floats | None = None,
    data_label: str = "data",
    left: str = "",
    right: str = "",
) -> Figure:
    """Draw one axis of a region: samples stacked, the coupling's events on top, and the ratio to the Standard Model.

    Parameters
    ----------
    expected : events in the B bins of all regions.
    region, axis : the region, and the axis to draw; other axes are summed.
    titles, roles : printed title and "signal" or "background" of every sample.
    signal : legend of the coupling's events, saying at which value they stand.
    data : (B,) observed events, or None if there are none to show.
    data_label : what the legend calls them.
    left, right : text above the frame.

    The bands are the uncertainty of the sum: the light one of the nuisance parameters' priors, the dark one of the fit,
    both with the simulation's statistics.
    """
    project = _projector(region, axis, len(expected.total))
    edges = np.asarray(region.axes[axis].edges)
    order = sorted(
        range(len(expected.samples)),
        key=lambda i: (roles[expected.samples[i]] == "signal", float(expected.counts[i, region.bins].sum())),
    )
    counts = project @ expected.counts[order].T
    total, extra = counts.sum(axis=1), project @ expected.signal
    noise = project @ expected.variance
    bands = [
        np.sqrt(np.einsum("ib,bc,ic->i", project, covariance, project) + noise)
        for covariance in (expected.before, expected.after)
    ]
    observed = None if data is None else project @ data
    width, per = _widths(edges, _unit(region.labels[axis]))

    figure = Figure(figsize=(6.0, 5.4))
    upper = frame(figure, 0.82, 1.80, 5.0, 3.22)
    lower = frame(figure, 0.82, 0.56, 5.0, 1.16, sharex=upper)
    names = [expected.samples[sample] for sample in order]
    fills = dict(zip(reversed(names), components([roles[name] for name in reversed(names)]), strict=True))
    base = np.zeros_like(total)
    stacked: list[Any] = []
    for name, events in zip(names, counts.T, strict=True):
        fill = fills[name]
        upper.stairs((base + events) / width, edges, baseline=base / width, fill=True, color=fill, lw=0)
        upper.stairs((base + events) / width, edges, baseline=None, color="white", lw=0.4)
        stacked.insert(0, Patch(facecolor=fill, label=mathtext(titles.get(name) or name)))
        base = base + events
    upper.stairs((total + extra) / width, edges, baseline=total / width, fill=True, facecolor=_PALE, lw=0)
    upper.stairs((total + extra) / width, edges, baseline=None, color=SIGNAL, lw=1.5)
    upper.stairs(total / width, edges, baseline=None, color=COLOURS["ink"], lw=1.0)
    low, high = (total - bands[1]) / width, (total + bands[1]) / width
    upper.stairs(high, edges, baseline=low, fill=True, facecolor="none", edgecolor=_HATCH, hatch="/////", lw=0)
    handles: list[Any] = [] if observed is None else [_points(upper, edges, observed, width, data_label)]
    handles.append(Patch(facecolor=_PALE, edgecolor=SIGNAL, label=signal))
    scale = _visible(extra / width, total / width)
    # A coupling that interferes takes events away: alone it would be below the axis.
    if scale > 1 and np.all(extra >= 0):
        drawn = upper.stairs(scale * extra / width, edges, baseline=None, color=SIGNAL, lw=1.2, ls=(0, (4, 1.5)))
        handles.append(
            Line2D([], [], color=SIGNAL, lw=1.2, ls=drawn.get_linestyle(), label=rf"alone, $\times\,{scale}$")
        )
    keys = [
        Patch(facecolor=_BEFORE, label="uncertainty before the fit"),
        Patch(facecolor=_AFTER, edgecolor=_HATCH, hatch="/////", lw=0, label="uncertainty after the fit"),
    ]
    heights = np.maximum((total + extra) / width, high)
    top = np.maximum(heights, 0.0 if observed is None else (observed + np.sqrt(observed)) / width)
    upper.set_ylabel(f"Events / {per}")
    upper.tick_params(labelbottom=False)
    _place_legend(upper, [*handles, *stacked, *keys], edges, top)
    tag(figure, left, right, edges=(0.82 / 6.0, 5.82 / 6.0))

    safe = np.where(total > 0, total, np.nan)
    for band, colour in zip(bands, (_BEFORE, _AFTER), strict=True):
        lower.stairs(1 + band / safe, edges, baseline=1 - band / safe, fill=True, color=colour, lw=0)
    lower.axhline(1.0, color=COLOURS["ink"], lw=0.8)
    lower.stairs((total + extra) / safe, edges, baseline=None, color=SIGNAL, lw=1.5)
    reach = float(np.nanmax(np.abs([extra / safe, bands[0] / safe])))
    if observed is not None:
        _points(lower, edges, observed, safe)
        reach = max(reach, float(np.nanmax(np.abs(observed / safe - 1) + np.sqrt(observed) / safe)))
    reach = 1.12 * reach
    lower.set_ylim(1 - min(reach, 1.0), 1 + min(reach, 2.5))
    # Steps that put a tick at 1.
    lower.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], prune="both"))
    lower.set_ylabel("Ratio to SM")
    lower.set_xlabel(mathtext(region.labels[axis]))
    if _logarithmic(edges):
        upper.set_xscale("log")
    for axes in (upper, lower):
        axes.minorticks_on()
    return figure


def plane(expected: Expectation, region: RegionBins, *, signal: str, left: str = "", right: str = "") -> Figure:
    """Draw a two-dimensional region: the Standard Model, the coupling's events, and where the coupling can be seen.

    The last map is s / sqrt(b + var b) per bin, with var b of simulation and fitted nuisance parameters. Parameters as
    in `spectrum`.
    """
    # Bins of all sizes drawn equally large, if some would be too small to see.
    edges = [np.asarray(axis.edges) for axis in region.axes]
    even = [bool(np.ptp(np.diff(edge)) > 0.5 * np.diff(edge).min()) for edge in edges]
    across, upward = (np.arange(float(len(edge))) if evened else edge for edge, evened in zip(edges, even, strict=True))
    total, extra = expected.total[region.bins], expected.signal[region.bins]
    spread = expected.variance[region.bins] + np.diag(expected.after)[region.bins] + total
    reach = np.divide(extra, np.sqrt(spread), out=np.zeros_like(extra), where=spread > 0)
    figure = Figure(figsize=(10.4, 3.75))
    grows = bool(np.all(extra >= 0))
    maps = (
        ("Standard Model, events per bin", total, True),
        (f"{signal}, events per bin", extra, grows),
        (r"$s\,/\sqrt{b+\sigma_b^2}$ per bin", reach, False),
    )
    for column, (title, values, logarithmic) in enumerate(maps):
        at = 0.78 + 3.23 * column
        axes = frame(figure, at, 0.58, 2.42, 2.52)
        top = float(np.abs(values).max())
        shown, norm, colours = values.reshape(region.shape), None, "cividis"
        if column and not grows:
            # Where the coupling interferes it takes events away: white is none, the colours are symmetric about it.
            norm, colours = Normalize(-top, top), "PuOr_r"
        else:
            shown = np.ma.masked_less_equal(shown, 0.0)
            norm = LogNorm(max(top * 1e-3, float(shown.min())), top) if logarithmic and top > 0 else None
        # Vector cells leave hairlines between them in many viewers and make the files large.
        mesh = axes.pcolormesh(across, upward, shown.T, norm=norm, cmap=colours, rasterized=True)
        bar = figure.colorbar(mesh, cax=frame(figure, at + 2.47, 0.58, 0.11, 2.52))
        if isinstance(norm, LogNorm) and norm.vmin is not None:
            bar.set_ticks(_decades(norm.vmin, top))
        bar.ax.minorticks_off()
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        bar.ax.tick_params(labelsize=9, direction="in")
        axes.set_title(title, loc="left", fontsize=10, y=1.02)
        axes.set_xlabel(mathtext(region.labels[0]))
        if column == 0:
            axes.set_ylabel(mathtext(region.labels[1]))
        for line, places, labels, evened in (
            (axes.xaxis, across, edges[0], even[0]),
            (axes.yaxis, upward, edges[1], even[1]),
        ):
            if evened:
                step = 1 + len(places) // 14
                line.set_ticks(places[::step], [f"{edge:g}" for edge in labels[::step]], fontsize=9)
            else:
                line.set_major_locator(MaxNLocator(5))
        axes.tick_params(axis="x", rotation=45 if even[0] and len(across) > 8 else 0)
        if column:
            axes.tick_params(labelleft=False)
    tag(figure, left, right, edges=(0.78 / 10.4, 0.985))
    return figure


def _projector(region: RegionBins, axis: int, bins: int) -> Floats:
    """Return the (n, B) matrix of zeros and ones that sums a region's bins onto one axis."""
    place = np.indices(region.shape)[axis].ravel()
    matrix = np.zeros((region.shape[axis], bins))
    matrix[place, np.arange(region.start, region.stop)] = 1.0
    return matrix


def _unit(label: str) -> str:
    found = _UNIT.search(label)
    return found["unit"] if found else ""


def _logarithmic(edges: Floats) -> bool:
    if edges[0] <= 0 or len(edges) < 4:
        return False
    steps = np.diff(np.log(edges))
    return bool(np.allclose(steps, steps[0], rtol=1e-6)) and not np.allclose(np.diff(edges), edges[1] - edges[0])


def _widths(edges: Floats, unit: str) -> tuple[Floats, str]:
    """Return the divisor of each bin's events and its name; a divisor of 1 if all bins are equally wide."""
    widths = np.diff(edges)
    if np.allclose(widths, widths[0]):
        return np.ones_like(widths), f"{widths[0]:.3g} {mathtext(unit)}".strip()
    if _logarithmic(edges):
        return np.ones_like(widths), "bin"
    return widths, mathtext(unit) or "unit"


def _visible(extra: Floats, total: Floats) -> int:
    """Return the round factor that makes the coupling's events about a third of the tallest bin."""
    height, top = float(np.max(np.abs(extra))), float(np.max(total))
    if not height or not top:
        return 1
    ratio = top / (3.0 * height)
    step = 10 ** max(math.floor(math.log10(ratio)), 0) if ratio > 1 else 1
    return max(factor * step for factor in (1, 2, 5) if factor * step <= max(ratio, 1.0))


def _place_legend(axes: Axes, handles: list[Any], edges: Floats, heights: Floats) -> None:
    """Put the legend on the side with the lower bins, and leave room for it above them."""
    across = np.log(edges) if _logarithmic(edges) else edges
    place = (across - across[0]) / (across[-1] - across[0])
    # One column of the legend is about 0.6 of the frame wide, a row of it 0.178 of the frame's 3.22 inches high.
    left, right = float(heights[place[:-1] < 0.6].max()), float(heights[place[1:] > 0.4].max())
    corner: Literal["upper left", "upper right"] = "upper left" if left < right else "upper right"
    top, share, columns, below = float(heights.max()), 0.178 * (len(handles) + 1) / 3.22, 1, min(left, right)
    if below > 1.6 * top * (1 - share):
        share, columns, below = 0.178 * ((len(handles) + 1) // 2 + 1) / 3.22, 2, top
    axes.set_ylim(0.0, max(1.08 * top, below / (1 - share)))
    axes.legend(handles=handles, loc=corner, ncols=columns)


def _decades(low: float, high: float) -> list[float]:
    """Return ticks at 1, 2, 5 of each decade, or at decades alone if there are many."""
    steps = (1.0,) if high > 300 * low else (1.0, 2.0, 5.0) if high > 8 * low else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [tick for decade in decades for tick in (step * 10.0**decade for step in steps) if low <= tick <= high]


def _points(axes: Axes, edges: Floats, observed: Floats, width: Floats, label: str = "data") -> Any:
    """Draw counts with central 68.3 % Poisson intervals (Garwood)."""
    from scipy.special import gammaincinv

    tail = 0.5 * math.erfc(1 / math.sqrt(2))
    low = np.where(observed > 0, gammaincinv(np.maximum(observed, 1e-9), tail), 0.0)
    high = gammaincinv(observed + 1, 1 - tail)
    errors = np.maximum([(observed - low) / width, (high - observed) / width], 0.0)
    centres = 0.5 * (edges[1:] + edges[:-1])
    return axes.errorbar(centres, observed / width, yerr=errors, fmt="o", ms=3.6, lw=1.0, color="black", label=label)
