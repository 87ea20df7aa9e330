"""Draws the fitted parameters: pulls and impacts of the nuisances, and correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.figures.likelihood import short, symbol
from spectrafit.report.figures.style import COLOURS, frame, tag

if TYPE_CHECKING:
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Impact
    from spectrafit.physics.couplings import Coupling

__all__ = ["correlations", "nuisances"]

# More rows than this cannot be read on one page; the tables have them all.
MOST_ROWS = 30


def nuisances(
    model: Model,
    best: FitResult,
    impacts: Sequence[Impact],
    coupling: Coupling,
    *,
    name: str = "",
    left: str = "",
    right: str = "",
) -> Figure | None:
    """Draw pulls and impacts, the largest impact first; None if the fit had no nuisance parameter.

    Couplings are no nuisances: a profiled one is in no row. Groups stand beside the names.

    Left: (fitted - prior) / prior width with the fitted error in prior widths. Right: how far kappa moves, in its
    error, when the nuisance is held one fitted error up or down (filled, and in numbers), and one prior width (open;
    scaled from the fitted error, as far as kappa moves in proportion).
    """
    place = {parameter: index for index, parameter in enumerate(best.names)}
    singles = [impact for impact in impacts if not impact.group and impact.name not in model.couplings]
    moved = singles[:MOST_ROWS]
    if not moved:
        return None
    shown = [place[impact.name] for impact in moved]
    groups = [short(model.parameters[row].group, 14) for row in shown]
    count = len(shown)
    heights = np.arange(count)[::-1].astype(float)
    tall = 0.23 * count
    # Nine-point letters are about 0.064 inches wide.
    at = 0.25 + 0.064 * max(len(short(best.names[row])) for row in shown)
    at += 0.2 + 0.058 * max(map(len, groups)) if any(groups) else 0.0
    figure = Figure(figsize=(max(at + 5.88, 7.2), tall + 1.30))
    pulls = frame(figure, at, 0.87, 2.2, tall)
    moves = frame(figure, at + 2.45, 0.87, 2.35, tall, sharey=pulls)
    for axes in (pulls, moves):
        axes.set_ylim(-0.7, count - 0.3)
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_locator(FixedLocator(heights.tolist()))
        axes.tick_params(axis="y", left=False, right=False)
    pulls.yaxis.set_major_formatter(FuncFormatter(lambda row, _: short(best.names[shown[count - 1 - round(row)]])))
    pulls.tick_params(axis="y", labelsize=9)
    moves.tick_params(axis="y", labelleft=False)
    for height, group in zip(heights, groups, strict=True):
        if group:
            where = (
                0.12 / figure.get_figwidth(),
                (0.87 + tall * (height + 0.7) / (count + 0.4)) / figure.get_figheight(),
            )
            figure.text(*where, group, va="center", fontsize=8, color="#5A5A5A", parse_math=False)

    for width, colour in ((2.0, "#F3F3F3"), (1.0, "#E2E2E2")):
        pulls.axvspan(-width, width, color=colour, lw=0)
    pulls.axvline(0.0, color=COLOURS["ink"], lw=0.6, ls=(0, (1, 2)))
    reach = 2.2
    for height, row in zip(heights, shown, strict=True):
        if np.isfinite(best.pulls[row]):
            pulls.errorbar(best.pulls[row], height, xerr=best.constraints[row], fmt="o", ms=4, lw=1.3, color="black")
            reach = max(reach, abs(best.pulls[row]) + best.constraints[row] + 0.2)
        else:
            text = f"{best.values[row]:.3g} ± {best.errors[row]:.2g} (free)"
            pulls.text(0.0, height, text, ha="center", va="center", fontsize=8.5)
    pulls.set_xlim(-reach, reach)
    pulls.set_xlabel(r"$(\hat\theta-\theta_0)\,/\,\sigma_0$")

    # A prior width moves kappa by as much more as the prior is wider than the fitted error.
    squeezed = np.array([best.constraints[row] for row in shown])
    wider = np.divide(1.0, squeezed, out=np.ones(count), where=np.isfinite(squeezed) & (squeezed > 0))
    widest = 0.02
    for side, colour in (("up", COLOURS["blue"]), ("down", COLOURS["orange"])):
        share = np.array([getattr(impact, side) for impact in moved]) / best.kappa_error
        moves.barh(heights, share, height=0.62, color=colour, label=f"fitted error {side}")
        moves.barh(heights, share * wider, height=0.62, fill=False, ec=colour, lw=0.9, label=f"prior width {side}")
        widest = max(widest, float(np.max(np.abs(share * wider))))
    for height, impact in zip(heights, moved, strict=True):
        numbers = f"{_signed(impact.up / best.kappa_error)}  {_signed(impact.down / best.kappa_error)}"
        moves.text(1.04, height, numbers, transform=moves.get_yaxis_transform(), va="center", fontsize=8)
    moves.text(1.04, -0.07 / tall, "   up     down", transform=moves.transAxes, va="top", fontsize=8, color="#5A5A5A")
    moves.axvline(0.0, color=COLOURS["ink"], lw=0.6)
    moves.set_xlim(-1.1 * widest, 1.1 * widest)
    # The labels at the ends of the two panels must not meet.
    moves.xaxis.set_major_locator(MaxNLocator(5, prune="lower"))
    moves.set_xlabel(rf"impact on {symbol(coupling, name)} / its error")
    handles, labels = moves.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="lower right", ncols=4, fontsize=8, borderaxespad=0.2, columnspacing=1.2, handlelength=1.2
    )
    hidden = f"{count} largest of {len(singles)}" if len(singles) > count else ""
    tag(figure, left, ", ".join(word for word in (hidden, right) if word))
    return figure


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def correlations(model: Model, best: FitResult, *, left: str = "", right: str = "") -> Figure | None:
    """Draw the correlations of the fitted parameters, those most correlated with kappa if there are many.

    None if fewer than two parameters were fitted.
    """
    matrix = best.correlation
    rows = [place for place in range(len(best.names)) if best.errors[place] > 0]
    if len(rows) < 2:
        return None
    if model.poi:
        poi = model.index(model.poi)
        rows.sort(key=lambda row: (row != poi, -abs(float(matrix[poi, row]))))
    shown = rows[:MOST_ROWS]
    # Couplings of one symbol are told apart by the names of their parameters.
    kinds = list(model.couplings.values())
    twins = [name for name, kind in model.couplings.items() if kinds.count(kind) > 1]
    fitted = {name: symbol(COUPLINGS[key], name if name in twins else "") for name, key in model.couplings.items()}
    names = [fitted.get(best.names[row]) or short(best.names[row]) for row in shown]
    # Letters of 8.5 points are about 0.058 inches wide; a symbol takes no more than six.
    letters = [
        6 + len(best.names[row]) * (best.names[row] in twins) if "$" in name else len(name)
        for row, name in zip(shown, names, strict=True)
    ]
    room = 0.2 + 0.058 * max(letters)
    side = max(0.28 * len(shown), 2.2)
    wide = max(side + room + 0.8, 4.0)
    start = room + 0.5 * (wide - side - room - 0.8)
    figure = Figure(figsize=(wide, side + room + 0.42))
    axes = frame(figure, start, room, side, side)
    part = matrix[np.ix_(shown, shown)]
    # Cells are drawn to the frame's edge: a picture of pixels leaves white strips there.
    picture = axes.pcolormesh(
        np.arange(len(shown) + 1) - 0.5,
        np.arange(len(shown) + 1) - 0.5,
        part,
        cmap="RdBu_r",
        vmin=-1,
        vmax=1,
        rasterized=True,
    )
    axes.set_ylim(len(shown) - 0.5, -0.5)
    bar = figure.colorbar(picture, cax=frame(figure, start + side + 0.07, room, 0.12, side))
    bar.set_ticks([-1.0, -0.5, 0.0, 0.5, 1.0])
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=8.5, direction="in")
    axes.set_xticks(range(len(shown)), names, rotation=90, fontsize=8.5)
    axes.set_yticks(range(len(shown)), names, fontsize=8.5)
    axes.tick_params(which="both", length=0, top=False, right=False)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    if len(shown) <= 14:
        for row, column in np.ndindex(part.shape):
            value = float(part[row, column])
            colour = "white" if abs(value) > 0.6 else COLOURS["ink"]
            text = f"{value:.2f}".replace("0.", ".").replace("-", "\N{MINUS SIGN}")
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour, parse_math=False)
    hidden = f"{len(shown)} of {len(rows)}" if len(rows) > len(shown) else ""
    tag(figure, left, ", ".join(word for word in (hidden, right) if word))
    return figure
