"""Draws a workspace: channels before and after the fit, shapes, factors per bin, and what moves the signal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from spectrafit.arraytypes import Floats
from spectrafit.inference.model import Component, Span
from spectrafit.inference.results import Impact, Limit, Profile
from spectrafit.report.figures.style import COLOURS, SIGNAL, frame, tag

__all__ = ["channel", "factors", "profile", "ranking", "shapes"]

_FILLS = ("#0072B2", "#56B4E9", "#E69F00", "#F5CE7A", "#009E73", "#8FD1BC", "#CC79A7", "#E8C3D7", "#8C8C8C", "#C9C9C9")
_MOST = 30


def channel(
    span: Span,
    counts: Mapping[str, Floats],
    interest: Floats,
    before: Floats,
    errors: Floats,
    data: Floats,
    *,
    left: str,
) -> Figure:
    """Draw one channel: samples stacked after the fit, the band of the fit, the prediction before it, and the data.

    Parameters
    ----------
    span : Span
    counts : mapping of sample to (n,) array
        Events after the fit, without the share of the parameter of interest.
    interest, before, errors, data : (n,) arrays
        That share; all events before the fit; the error of the sum after the fit; observed counts.
    left : str
        Above the frame.
    """
    figure = Figure(figsize=(6.6, 4.6))
    axes = frame(figure, 0.75, 0.6, 5.6, 3.4)
    edges = np.arange(len(data) + 1.0)
    middles = 0.5 * (edges[1:] + edges[:-1])
    floor = np.zeros(len(data))
    for place, (name, events) in enumerate(counts.items()):
        colour = _FILLS[place % len(_FILLS)]
        label = f"{name} ({events.sum():.4g})"
        axes.stairs(floor + events, edges, baseline=floor, fill=True, color=colour, label=label)
        floor = floor + events
    label = f"share of the signal ({interest.sum():.4g})"
    axes.stairs(floor + interest, edges, baseline=floor, fill=True, color=SIGNAL, alpha=0.8, label=label)
    total = floor + interest
    axes.stairs(
        total + errors, edges, baseline=total - errors, fill=True, color="#00000000", hatch="////", ec="#555555"
    )
    axes.stairs(before, edges, color=COLOURS["ink"], ls=(0, (4, 2)), label="before the fit")
    spread = np.sqrt(np.maximum(data, 0.0))
    axes.errorbar(middles, data, spread, fmt="o", ms=4, lw=1.0, color="black", label=f"data ({data.sum():.6g})")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0.0, 1.45 * max(float(np.max(data + spread)), float(np.max(total)), 1e-9))
    axes.set_xlabel(f"bin of {span.name}")
    axes.set_ylabel("events")
    axes.legend(loc="upper right", ncols=2, fontsize=8)
    tag(figure, left, "after the fit, with its error", edges=(0.75 / 6.6, 6.35 / 6.6))
    return figure


def shapes(parameter: str, components: Sequence[Component], *, left: str) -> Figure:
    """Draw what one nuisance does to each sample it acts on: bins at one sigma down and up over the nominal ones."""
    moved = [each for each in components if any(morph.parameter == parameter for morph in each.morphs)][:6]
    tall = 1.15 * len(moved)
    figure = Figure(figsize=(6.2, tall + 1.0))
    for place, component in enumerate(moved):
        axes = frame(figure, 0.85, 0.6 + 1.15 * (len(moved) - 1 - place), 5.1, 1.0)
        morph = next(each for each in component.morphs if each.parameter == parameter)
        filled = np.where(component.nominal > 0, component.nominal, np.nan)
        edges = np.arange(len(filled) + 1.0)
        for row, colour, label in ((0, COLOURS["orange"], "down"), (-1, COLOURS["blue"], "up")):
            axes.stairs(morph.templates[row] / filled, edges, baseline=None, color=colour, label=label)
        axes.axhline(1.0, color=COLOURS["ink"], lw=0.6)
        axes.set_ylabel(component.sample[:14], fontsize=8.5)
        axes.set_xlim(edges[0], edges[-1])
        if place:
            axes.tick_params(labelbottom=place == len(moved) - 1)
        else:
            axes.legend(loc="upper right", ncols=2, fontsize=8)
            axes.tick_params(labelbottom=len(moved) == 1)
    tag(figure, left, f"{parameter}, one sigma over the nominal", edges=(0.05, 0.96))
    return figure


def factors(names: Sequence[str], values: Floats, errors: Floats, widths: Floats, *, left: str) -> Figure:
    """Draw factors per bin after the fit with their errors, and the constraint of each as a grey band around 1."""
    shown = min(len(names), _MOST)
    figure = Figure(figsize=(6.4, 0.2 * shown + 1.05))
    axes = frame(figure, 2.3, 0.6, 3.85, 0.2 * shown)
    heights = np.arange(shown)[::-1]
    axes.barh(heights, 2.0 * widths[:shown], left=1.0 - widths[:shown], height=0.8, color="#E2E2E2")
    axes.errorbar(values[:shown], heights, xerr=errors[:shown], fmt="o", ms=3.5, lw=1.1, color="black")
    axes.axvline(1.0, color=COLOURS["ink"], lw=0.6, ls=(0, (1, 2)))
    axes.set_yticks(heights, [name[:30] for name in names[:shown]], fontsize=8)
    axes.set_ylim(-0.7, shown - 0.3)
    axes.set_xlabel("factor of the bin; grey: its constraint")
    tag(figure, left, f"{shown} of {len(names)}" if shown < len(names) else "", edges=(0.03, 0.96))
    return figure


def ranking(interest: str, impacts: Sequence[Impact], error: float, *, left: str) -> Figure:
    """Draw how far the parameter of interest moves, in its error, with each nuisance one fitted error up and down."""
    shown = [each for each in impacts if not each.group][:_MOST]
    figure = Figure(figsize=(6.4, 0.2 * len(shown) + 1.05))
    axes = frame(figure, 2.3, 0.6, 3.85, 0.2 * len(shown))
    heights = np.arange(len(shown))[::-1]
    for side, colour in (("up", COLOURS["blue"]), ("down", COLOURS["orange"])):
        moves = np.array([getattr(each, side) for each in shown]) / (error or 1.0)
        axes.barh(heights, moves, height=0.62, color=colour, label=f"parameter {side}")
    axes.axvline(0.0, color=COLOURS["ink"], lw=0.6)
    axes.set_yticks(heights, [each.name[:30] for each in shown], fontsize=8)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.set_xlabel(f"change of {interest} / its error")
    axes.legend(loc="lower right", fontsize=8)
    tag(figure, left, "largest first", edges=(0.03, 0.96))
    return figure


def profile(curve: Profile, limit: Limit, *, left: str) -> Figure:
    """Draw 2NLL above its minimum along the parameter of interest, with the limit."""
    figure = Figure(figsize=(6.0, 4.2))
    axes = frame(figure, 0.75, 0.6, 5.05, 3.0)
    axes.plot(curve.grid, curve.delta_2nll, color=COLOURS["blue"], lw=1.8)
    axes.axvline(
        limit.kappa, color=SIGNAL, lw=1.3, label=f"{100 * limit.level:g} % limit, {limit.method}: {limit.kappa:.4g}"
    )
    axes.set_xlim(float(curve.grid[0]), float(curve.grid[-1]))
    axes.set_ylim(0.0, None)
    axes.set_xlabel(curve.parameter)
    axes.set_ylabel(r"$-2\,\Delta\ln L$")
    axes.legend(loc="upper center", fontsize=9)
    tag(figure, left, "", edges=(0.12, 0.96))
    return figure
