"""Draws expected events along one axis: stacked spectra with their uncertainty before and after the fit."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import AutoMinorLocator, FixedLocator, MaxNLocator

from spectrafit.arraytypes import Floats
from spectrafit.report.expectation import Expectation
from spectrafit.report.figures.colours import components
from spectrafit.report.figures.scales import Scale, drawn, is_logarithmic, lay, scale_of
from spectrafit.report.figures.style import COLOURS, SIGNAL, frame, mathtext, tag
from spectrafit.templates.regions import RegionBins

__all__ = ["events_text", "points", "spectrum", "stack"]

_PALE, _BEFORE, _AFTER, _HATCH = "#F6CFB6", "#E4E4E4", "#B9B9B9", COLOURS["ink"]
_REST = "#C9C9C9"
_UNIT = re.compile(r"\s*[\[(](?P<unit>[^\])]+)[\])]\s*$")
# A sample below this share of the whole, in every bin of the tallest one's height, is no line that an eye sees.
_UNSEEN = 0.006


def spectrum(
    expected: Expectation,
    region: RegionBins,
    axis: int,
    *,
    titles: Mapping[str, str],
    roles: Mapping[str, str],
    signal: str,
    scale: str = "",
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
    scale : "linear", "log", "broken" or "even"; by default what the edges need (`scales.scale_of`).
    data : (B,) observed events, or None if there are none to show.
    data_label : what the legend calls them.
    left, right : text above the frame.

    Notes
    -----
    The legend has the events of every sample. Samples too small to be seen are drawn and named as one. The bands are
    the uncertainty of the sum, with the simulation's statistics: before the fit around the expectation of the priors,
    after the fit around that of the fitted nuisance parameters.
    """
    project = _projector(region, axis, len(expected.total))
    edges = np.asarray(region.axes[axis].edges)
    kind = scale_of(edges, scale)
    order = sorted(
        range(len(expected.samples)),
        key=lambda at: (roles[expected.samples[at]] == "signal", float(expected.counts[at, region.bins].sum())),
    )
    counts = project @ expected.counts[order].T
    total, extra = counts.sum(axis=1), project @ expected.signal
    prior = project @ expected.prior
    noise = project @ expected.variance
    spreads = [project @ found @ project.T + np.diag(noise) for found in (expected.before, expected.after)]
    bands = [np.sqrt(np.maximum(np.diag(spread), 0.0)) for spread in spreads]
    sums = [math.sqrt(max(float(spread.sum()), 0.0)) for spread in spreads]
    observed = None if data is None else project @ data
    width, per = _widths(edges, _unit(region.labels[axis]), kind)

    figure = Figure(figsize=(6.0, 5.4))
    upper = frame(figure, 0.82, 1.80, 5.0, 3.22)
    lower = frame(figure, 0.82, 0.56, 5.0, 1.16, sharex=upper)
    names = [expected.samples[at] for at in order]
    fills = dict(
        zip(
            names,
            components(names, [roles[name] for name in names], [titles.get(name) or "" for name in names]),
            strict=True,
        )
    )
    layers = stack(names, counts, total / width, width)
    base = np.zeros_like(total)
    stacked: list[Any] = []
    for members, events in layers:
        colour = fills[members[0]] if len(members) == 1 else _REST
        upper.stairs((base + events) / width, edges, baseline=base / width, fill=True, color=colour, lw=0)
        upper.stairs((base + events) / width, edges, baseline=None, color="white", lw=0.4)
        called = [mathtext(titles.get(name) or name) for name in members]
        words = ", ".join(called) if sum(map(len, called)) < 30 else f"{len(called)} small samples"
        stacked.insert(0, Patch(facecolor=colour, label=f"{words}: {events_text(float(events.sum()))}"))
        base = base + events
    upper.stairs((total + extra) / width, edges, baseline=total / width, fill=True, facecolor=_PALE, lw=0)
    upper.stairs((total + extra) / width, edges, baseline=None, color=SIGNAL, lw=1.5)
    upper.stairs(total / width, edges, baseline=None, color=COLOURS["ink"], lw=1.0)
    low, high = (total - bands[1]) / width, (total + bands[1]) / width
    upper.stairs(high, edges, baseline=low, fill=True, facecolor="none", edgecolor=_HATCH, hatch="/////", lw=0)
    for edge in (prior - bands[0], prior + bands[0]):
        upper.hlines(edge / width, edges[:-1], edges[1:], color="white", lw=2.0)
        upper.hlines(edge / width, edges[:-1], edges[1:], color=COLOURS["ink"], lw=1.0, ls=(0, (1, 1)))
    at = lay(upper, edges, kind)
    centres = at(0.5 * (drawn(edges, kind)[1:] + drawn(edges, kind)[:-1]))
    handles: list[Any] = [] if observed is None else [points(upper, centres, observed, width, data_label)]
    handles.append(
        Patch(facecolor=_PALE, edgecolor=SIGNAL, label=f"{signal}: {events_text(float(extra.sum()), sign=True)}")
    )
    factor = _visible(extra / width, total / width)
    # A coupling that interferes takes events away: alone it would be below the axis.
    if factor > 1 and np.all(extra >= 0):
        dashed = upper.stairs(factor * extra / width, edges, baseline=None, color=SIGNAL, lw=1.2, ls=(0, (4, 1.5)))
        handles.append(
            Line2D([], [], color=SIGNAL, lw=1.2, ls=dashed.get_linestyle(), label=rf"alone, $\times\,{factor}$")
        )
    keys = [
        Line2D([], [], color=COLOURS["ink"], lw=0.9, ls=(0, (1, 1)), label=f"before the fit: {_pm(prior, sums[0])}"),
        Patch(facecolor=_AFTER, edgecolor=_HATCH, hatch="/////", lw=0, label=f"after the fit: {_pm(total, sums[1])}"),
    ]
    heights = np.maximum((total + extra) / width, np.maximum(high, (prior + bands[0]) / width))
    top = np.maximum(heights, 0.0 if observed is None else (observed + np.sqrt(observed)) / width)
    upper.set_ylabel(f"Events / {per}")
    upper.tick_params(labelbottom=False)
    _place_legend(upper, [*handles, *stacked, *keys], drawn(edges, kind), top)
    tag(figure, left, right, edges=(0.82 / 6.0, 5.82 / 6.0))

    safe = np.where(total > 0, total, np.nan)
    lower.stairs((prior + bands[0]) / safe, edges, baseline=(prior - bands[0]) / safe, fill=True, color=_BEFORE, lw=0)
    lower.stairs(1 + bands[1] / safe, edges, baseline=1 - bands[1] / safe, fill=True, color=_AFTER, lw=0)
    lower.axhline(1.0, color=COLOURS["ink"], lw=0.8)
    lower.stairs((total + extra) / safe, edges, baseline=None, color=SIGNAL, lw=1.5)
    reach = float(np.nanmax(np.abs([extra / safe, bands[0] / safe + np.abs(prior / safe - 1)]), initial=0.05))
    if observed is not None:
        points(lower, centres, observed, safe)
        reach = max(reach, float(np.nanmax(np.abs(observed / safe - 1) + np.sqrt(observed) / safe, initial=0.05)))
    reach = 1.12 * reach
    low_end, high_end = 1 - min(reach, 1.0), 1 + min(reach, 2.5)
    lower.set_ylim(low_end, high_end)
    # Steps that put a tick at 1; none so near an end that its label meets one of the panel above.
    ticks, apart = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low_end, high_end), 0.07 * (high_end - low_end)
    lower.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if low_end + apart < tick < high_end - apart]))
    lower.set_ylabel("Ratio to SM")
    lower.set_xlabel(mathtext(region.labels[axis]))
    for axes in (upper, lower):
        axes.yaxis.set_minor_locator(AutoMinorLocator())
    return figure


def stack(names: Sequence[str], counts: Floats, heights: Floats, width: Floats) -> list[tuple[tuple[str, ...], Floats]]:
    """Return what the stack is made of, from below: the samples, those too small to be seen as one.

    Samples without events are left out.
    """
    top = float(np.max(heights, initial=0.0))
    seen: list[tuple[str, Floats]] = []
    small: list[tuple[str, Floats]] = []
    for name, events in zip(names, counts.T, strict=True):
        if not np.any(events):
            continue
        tall = float(np.max(np.abs(events) / width)) > _UNSEEN * top
        (seen if tall else small).append((name, events))
    if not small:
        return [((name,), events) for name, events in seen]
    rest = (tuple(name for name, _ in small), np.sum([events for _, events in small], axis=0))
    return [rest, *(((name,), events) for name, events in seen)]


def events_text(events: float, *, sign: bool = False) -> str:
    """Return a number of events for a legend: a decimal below 1000, two below 1."""
    digits = 2 if abs(events) < 0.995 else 1 if abs(events) < 999.5 else 0
    return f"{events:+.{digits}f}" if sign else f"{events:.{digits}f}"


def _pm(counts: Floats, error: float) -> str:
    return f"{events_text(float(counts.sum()))} ± {events_text(error)}"


def _projector(region: RegionBins, axis: int, bins: int) -> Floats:
    """Return the (n, B) matrix of zeros and ones that sums a region's bins onto one axis."""
    place = np.indices(region.shape)[axis].ravel()
    matrix = np.zeros((region.shape[axis], bins))
    matrix[place, np.arange(region.start, region.stop)] = 1.0
    return matrix


def _unit(label: str) -> str:
    found = _UNIT.search(label)
    return found["unit"] if found else ""


def _widths(edges: Floats, unit: str, scale: Scale) -> tuple[Floats, str]:
    """Return the divisor of each bin's events and its name; a divisor of 1 if all bins are drawn equally wide."""
    widths = np.diff(edges)
    if np.allclose(widths, widths[0]):
        return np.ones_like(widths), f"{widths[0]:.3g} {mathtext(unit)}".strip()
    if scale == "even" or (scale == "log" and is_logarithmic(edges)):
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


def _place_legend(axes: Axes, handles: list[Any], place: Floats, heights: Floats) -> None:
    """Put the legend on the side with the lower bins, and leave room for it above them.

    `place` is where the edges are drawn, from 0 to 1 of the frame.
    """
    rows = len(handles) + sum(handle.get_label().count("\n") for handle in handles)
    # One column of the legend is about 0.6 of the frame wide, a row of it 0.178 of the frame's 3.22 inches high.
    left, right = float(heights[place[:-1] < 0.6].max()), float(heights[place[1:] > 0.4].max())
    corner: Literal["upper left", "upper right"] = "upper left" if left < right else "upper right"
    top, share, columns, below = float(heights.max()), 0.178 * (rows + 1) / 3.22, 1, min(left, right)
    if below > 1.6 * top * (1 - share):
        share, columns, below = 0.178 * ((rows + 1) // 2 + 3) / 3.22, 2, top
    axes.set_ylim(0.0, max(1.08 * top, below / (1 - share)) or 1.0)
    axes.legend(handles=handles, loc=corner, ncols=columns)


def points(axes: Axes, centres: Floats, observed: Floats, width: Floats, label: str = "data") -> Any:
    """Draw counts with central 68.3 % Poisson intervals (Garwood)."""
    from scipy.special import gammaincinv

    tail = 0.5 * math.erfc(1 / math.sqrt(2))
    low = np.where(observed > 0, gammaincinv(np.maximum(observed, 1e-9), tail), 0.0)
    high = gammaincinv(observed + 1, 1 - tail)
    errors = np.maximum([(observed - low) / width, (high - observed) / width], 0.0)
    return axes.errorbar(centres, observed / width, yerr=errors, fmt="o", ms=3.6, lw=1.0, color="black", label=label)
