"""Draws a workspace: channels before and after the fit, shapes of systematics, and factors per bin."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import AutoMinorLocator, FixedLocator, MaxNLocator, NullLocator

from spectrafit.arraytypes import Floats
from spectrafit.inference.model import Model
from spectrafit.inference.results import FitResult
from spectrafit.report.expectation import prior_width
from spectrafit.report.figures.likelihood import short
from spectrafit.report.figures.scales import drawn, lay, scale_of
from spectrafit.report.figures.spectra import events_text, points, stack
from spectrafit.report.figures.style import COLOURS, SIGNAL, frame, mathtext, tag
from spectrafit.report.tables import shortened

__all__ = ["MOST", "channel", "factors", "fills", "shapes"]

MOST = 30
"""So many rows can be read on one page."""

_FILLS = (
    *("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#CC79A7", "#F0E442", "#8C8C8C", "#882255", "#999933", "#44AA99"),
    *("#80B8D8", "#F2CF80", "#80CEB9", "#ABD9F4", "#E5BCD3", "#332288", "#661100", "#C49090", "#CCCC99", "#A2D4CC"),
)
_REST, _BEFORE, _AFTER = "#C9C9C9", "#E4E4E4", "#B9B9B9"
# Tallest over lowest bin, above which events are drawn on a logarithmic axis.
_STEEP = 300.0
_UNIT = re.compile(r"[\[(](?P<unit>[^\])]+)[\])]\s*$")


def fills(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for every sample of a workspace, the same in all its channels."""
    return {name: _FILLS[place % len(_FILLS)] for place, name in enumerate(names)}


def channel(
    region: Mapping[str, Any],
    without: Mapping[str, Floats],
    share: Floats,
    at_limit: Floats,
    *,
    colours: Mapping[str, str],
    interest: str,
    limit: str,
    observed: str,
    left: str,
    right: str,
) -> Figure:
    """Draw one channel: samples stacked after the fit, the bands before and after it, the data, and their ratio.

    Parameters
    ----------
    region : mapping
        The channel as `result.json` has it, with (n,) arrays.
    without : mapping of sample to (n,) array
        Events after the fit with the parameter of interest at 0.
    share, at_limit : (n,) arrays
        Events that the parameter of interest adds at its best value; and at the limit.
    colours : mapping of sample to str
    interest, limit : str
        The parameter of interest with its best value, and the limit, for the legend.
    observed : str
        What the data are.
    left, right : str
        Above the frame.
    """
    before, after = region["before"][-1], region["after"][-1]
    total, prior, data = after["events"], before["events"], region["data"]
    bands = [np.hypot(row["error"], row["simulation_error"]) for row in (before, after)]
    edges, label, numbered = _axis(region)
    kind = "linear" if numbered else scale_of(edges, "")
    width, per = _widths(edges, label)
    figure = Figure(figsize=(6.0, 5.4))
    upper = frame(figure, 0.82, 1.80, 5.0, 3.22)
    lower = frame(figure, 0.82, 0.56, 5.0, 1.16, sharex=upper)
    names = sorted(without, key=lambda name: float(without[name].sum()))
    floor = np.zeros_like(total)
    stacked: list[Any] = []
    for members, events in stack(names, np.array([without[name] for name in names]).T, total / width, width):
        colour = colours[members[0]] if len(members) == 1 else _REST
        words = shortened(members[0], 20) if len(members) == 1 else f"{len(members)} small samples"
        upper.stairs((floor + events) / width, edges, baseline=floor / width, fill=True, color=colour, lw=0)
        upper.stairs((floor + events) / width, edges, baseline=None, color="white", lw=0.4)
        stacked.insert(0, Patch(facecolor=colour, label=f"{words}: {events_text(float(events.sum()))}"))
        floor = floor + events
    moved: list[Any] = []
    if np.any(at_limit) or np.any(share):
        upper.stairs((floor + share) / width, edges, baseline=floor / width, fill=True, facecolor="#F6CFB6", lw=0)
        upper.stairs(total / width, edges, baseline=None, color=SIGNAL, lw=1.4)
        dashes = (0, (4, 1.5))
        upper.stairs((floor + at_limit) / width, edges, baseline=None, color=SIGNAL, lw=1.2, ls=dashes)
        here, there = (events_text(float(events.sum()), sign=True) for events in (share, at_limit))
        moved = [
            Patch(facecolor="#F6CFB6", edgecolor=SIGNAL, label=f"{interest}: {here}"),
            Line2D([], [], color=SIGNAL, lw=1.2, ls=dashes, label=f"{limit}: {there}"),
        ]
    else:
        upper.stairs(total / width, edges, baseline=None, color=COLOURS["ink"], lw=1.0)
    high, low = (total + bands[1]) / width, (total - bands[1]) / width
    ink = COLOURS["ink"]
    upper.stairs(high, edges, baseline=low, fill=True, facecolor="none", edgecolor=ink, hatch="/////", lw=0)
    for edge in (prior - bands[0], prior + bands[0]):
        upper.hlines(edge / width, edges[:-1], edges[1:], color="white", lw=2.0)
        upper.hlines(edge / width, edges[:-1], edges[1:], color=ink, lw=1.0, ls=(0, (1, 1)))
    at = lay(upper, edges, kind)
    centres = at(0.5 * (drawn(edges, kind)[1:] + drawn(edges, kind)[:-1]))
    dots = points(upper, centres, data, width, f"{observed}: {data.sum():.6g}")
    handles: list[Any] = [
        dots,
        *moved,
        Line2D([], [], color=ink, lw=0.9, ls=(0, (1, 1)), label=f"before the fit: {_sum(before)}"),
        Patch(facecolor=_AFTER, edgecolor=ink, hatch="/////", lw=0, label=f"after the fit: {_sum(after)}"),
        *stacked,
    ]
    tops = np.max(
        [(data + np.sqrt(data)) / width, high, (prior + bands[0]) / width, (floor + at_limit) / width], axis=0
    )
    _lay_legend(upper, handles, float(tops.max()), total[total > 0] / width[total > 0])
    upper.set_ylabel(f"Events / {per}")
    upper.tick_params(labelbottom=False)
    tag(figure, left, right, edges=(0.82 / 6.0, 5.82 / 6.0))

    safe = np.where(total > 0, total, np.nan)
    lower.stairs((prior + bands[0]) / safe, edges, baseline=(prior - bands[0]) / safe, fill=True, color=_BEFORE, lw=0)
    lower.stairs(1 + bands[1] / safe, edges, baseline=1 - bands[1] / safe, fill=True, color=_AFTER, lw=0)
    lower.axhline(1.0, color=ink, lw=0.8)
    points(lower, centres, data, safe)
    away = [np.abs(data / safe - 1) + np.sqrt(data) / safe, bands[0] / safe + np.abs(prior / safe - 1)]
    reach = 1.12 * float(np.nanmax(away, initial=0.05))
    ends = 1 - min(reach, 1.0), 1 + min(reach, 2.0)
    lower.set_ylim(*ends)
    ticks, apart = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(*ends), 0.07 * (ends[1] - ends[0])
    lower.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if ends[0] + apart < tick < ends[1] - apart]))
    lower.yaxis.set_minor_locator(AutoMinorLocator())
    lower.set_ylabel("Ratio to fit")
    lower.set_xlabel(label)
    if numbered:
        _number(lower, len(total))
    return figure


def _axis(region: Mapping[str, Any]) -> tuple[Floats, str, bool]:
    """Return edges and label of a channel's axis, and whether the bins are only numbered."""
    axes = region["axes"]
    if len(axes) == 1 and axes[0]["observable"] != "bin":
        return np.asarray(axes[0]["edges"], dtype=float), mathtext(axes[0]["label"]), False
    return np.arange(len(region["data"]) + 1.0), f"bin of {region['name']}", True


def _widths(edges: Floats, label: str) -> tuple[Floats, str]:
    """Return by what events are divided, and its name: by 1 where all bins are equally wide."""
    widths = np.diff(edges)
    if np.allclose(widths, widths[0]):
        return np.ones_like(widths), "bin"
    unit = _UNIT.search(label)
    return widths, unit["unit"] if unit else "unit"


def _number(axes: Axes, bins: int) -> None:
    """Write the numbers of the bins in their middles; not every one if there are many."""
    step = max(1, math.ceil(bins / 20))
    shown = np.arange(0, bins, step)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(shown + 0.5, [str(place + 1) for place in shown])
    axes.tick_params(axis="x", length=0)


def _sum(row: Mapping[str, Any]) -> str:
    error = math.hypot(row["sum_error"], row["sum_simulation_error"])
    return f"{events_text(row['sum'])} ± {events_text(error)}"


def _lay_legend(axes: Axes, handles: list[Any], top: float, heights: Floats) -> None:
    """Put the legend in two columns above the bins, and leave room for it; the axis is logarithmic if need be."""
    rows = math.ceil(len(handles) / 2)
    share = (0.175 * rows + 0.16) / 3.22
    least = float(heights.min()) if heights.size else 0.0
    if least > 0 and top > _STEEP * least:
        bottom = 0.3 * least
        axes.set_yscale("log")
        axes.set_ylim(bottom, bottom * (1.3 * top / bottom) ** (1 / (1 - share)))
    else:
        axes.yaxis.set_minor_locator(AutoMinorLocator())
        axes.set_ylim(0.0, 1.06 * top / (1 - share) or 1.0)
    axes.legend(handles=handles, loc="upper center", ncols=2, fontsize=8.8, columnspacing=1.2)


def shapes(parameter: str, moved: Sequence[tuple[str, str, Floats, Floats]], *, left: str) -> Figure:
    """Draw what one nuisance does to each sample it acts on: bins at one sigma down and up over the nominal ones.

    `moved` are sample, channel, (n,) nominal events, and events at one sigma down (first row) and up (last row). The
    samples with most events to move are drawn if there are many.
    """
    shown = sorted(moved, key=lambda each: -float(np.sum(np.abs(each[3][-1] - each[3][0]))))[:6]
    tall = 1.1 * len(shown)
    figure = Figure(figsize=(6.2, tall + 0.98))
    for place, (sample, channel_of, nominal, templates) in enumerate(shown):
        axes = frame(figure, 0.75, 0.5 + 1.1 * (len(shown) - 1 - place), 5.25, 0.82)
        safe = np.where(nominal > 0, nominal, np.nan)
        edges = np.arange(len(safe) + 1.0)
        changes = [100.0 * (templates[row] / safe - 1.0) for row in (0, -1)]
        for change, colour, label in zip(changes, (COLOURS["orange"], COLOURS["blue"]), ("down", "up"), strict=True):
            axes.stairs(change, edges, baseline=None, color=colour, lw=1.5, label=label)
        axes.axhline(0.0, color=COLOURS["ink"], lw=0.6)
        reach = 1.25 * max(float(np.nanmax(np.abs(changes), initial=0.0)), 0.1)
        axes.set_ylim(-reach, reach)
        axes.yaxis.set_major_locator(MaxNLocator(3, symmetric=True))
        axes.set_xlim(edges[0], edges[-1])
        name = f"{shortened(sample, 28)} in {shortened(channel_of, 28)}"
        axes.text(0.0, 1.04, name, transform=axes.transAxes, fontsize=9, parse_math=False)
        _number(axes, len(safe))
        # Channels have different numbers of bins: each panel numbers its own.
        axes.tick_params(axis="x", labelsize=7.5, pad=1.5)
        if place == 0:
            axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.94), ncols=2, fontsize=8.5, borderaxespad=0.0)
    figure.text(0.5, 0.09 / (tall + 0.98), "bin", fontsize=10.5, ha="center")
    figure.text(0.17 / 6.2, 0.5, "change at one sigma [%]", rotation=90, va="center", fontsize=10.5)
    tag(figure, left, shortened(parameter, 40), edges=(0.75 / 6.2, 6.0 / 6.2))
    return figure


def factors(model: Model, best: FitResult, *, left: str) -> Figure:
    """Draw factors per bin after the fit with their errors, and the constraint of each as a grey band around 1.

    The factors farthest from 1 in widths of their constraints are drawn if there are many.
    """
    places = [at for at, each in enumerate(model.parameters) if each.group in ("staterror", "shapesys", "shapefactor")]
    widths = {at: prior_width(model.parameters[at]) for at in places if best.errors[at] > 0}
    far = sorted(widths, key=lambda at: -abs(best.values[at] - 1.0) / (widths[at] or best.errors[at]))[:MOST]
    shown = sorted(far)
    names = [short(best.names[at], 34) for at in shown]
    start = 0.35 + 0.064 * max(map(len, names), default=4)
    tall = 0.21 * max(len(shown), 1)
    figure = Figure(figsize=(start + 4.0, tall + 1.05))
    axes = frame(figure, start, 0.6, 3.85, tall)
    heights = np.arange(len(shown))[::-1]
    sizes = np.array([widths[at] for at in shown])
    axes.barh(heights, 2.0 * sizes, left=1.0 - sizes, height=0.8, color="#E2E2E2")
    axes.errorbar(best.values[shown], heights, xerr=best.errors[shown], fmt="o", ms=3.5, lw=1.1, color="black")
    axes.axvline(1.0, color=COLOURS["ink"], lw=0.6, ls=(0, (1, 2)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticks(heights, names, fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.margins(x=0.04)
    axes.xaxis.set_minor_locator(AutoMinorLocator())
    axes.set_xlabel("factor of the bin; grey: its constraint")
    hidden = f"{len(shown)} of {len(widths)}, farthest from 1" if len(shown) < len(widths) else ""
    tag(figure, left, hidden, edges=(0.03, 0.97))
    return figure
