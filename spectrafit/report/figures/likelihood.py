"""Draws the likelihood's figures: profile, the scan behind a limit, pulls with impacts, and correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.figures.style import COLOURS, SIGNAL, frame, latex, power_of_ten, tag

if TYPE_CHECKING:
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Impact, Limit, Profile
    from spectrafit.physics.couplings import Coupling

__all__ = ["correlations", "nuisances", "profile", "scan"]


# More rows than this cannot be read on one page; the tables have them all.
MOST_ROWS = 30


def profile(
    curve: Profile, limit: Limit, coupling: Coupling, *, name: str = "", left: str = "", right: str = ""
) -> Figure:
    """Draw 2NLL above its minimum against kappa, with the limit, and the reported quantity along the upper edge.

    The unphysical side of the boundary is shaded: the fit may go there, the limit may not. `name` is the coupling's
    parameter where there are several couplings.
    """
    figure = Figure(figsize=(6.0, 4.6))
    axes = frame(figure, 0.72, 0.60, 5.1, 3.25)
    low, high = float(curve.grid[0]), float(curve.grid[-1])
    height = float(np.interp(limit.kappa, curve.grid, curve.delta_2nll))
    top = max(1.6 * height, 4.5)
    axes.set_xlim(low, high)
    axes.set_ylim(0.0, top)
    for level in (1.0, 4.0):
        axes.axhline(level, color=COLOURS["mist"], lw=0.8, zorder=0)
    if coupling.lower is not None and low < coupling.lower:
        axes.axvspan(low, coupling.lower, color="#EFEFEF", lw=0, zorder=0)
        axes.text(low + 0.02 * (high - low), 0.03 * top, "not physical", color="#5A5A5A", fontsize=9.5)
    parabola = ((curve.grid - limit.best_kappa) / limit.best_error) ** 2
    axes.plot(
        curve.grid, parabola, color=COLOURS["grey"], lw=1.1, ls=(0, (2, 1.5)), label="parabola of the fitted error"
    )
    axes.plot(curve.grid, curve.delta_2nll, color=COLOURS["blue"], lw=1.8, label="profile likelihood")
    if not curve.valid.all():
        bad = ~curve.valid
        axes.plot(curve.grid[bad], curve.delta_2nll[bad], "x", color=COLOURS["ink"], ms=5, label="fit not valid")
    axes.plot([limit.kappa, limit.kappa], [0.0, height], color=SIGNAL, lw=1.4)
    axes.plot([low, limit.kappa], [height, height], color=SIGNAL, lw=0.8, ls=(0, (4, 2)))
    axes.plot(limit.kappa, height, "o", color=SIGNAL, ms=5)
    # Right of the limit and below its height the curve never comes: it rises.
    words = rf"${latex(coupling.symbol)} < {power_of_ten(limit.value)}\;{latex(coupling.unit)}$"
    words += f"\n{100 * limit.level:g} % CL, {limit.sides}-sided\n{limit.method}"
    words += f"\n{_short(name)}, others profiled" if name else ""
    place = (limit.kappa + 0.02 * (high - low), 0.06 * top)
    axes.text(*place, words, fontsize=10.5, color=SIGNAL, va="bottom")
    axes.minorticks_on()
    axes.set_xlabel(kappa_label(coupling, name))
    axes.set_ylabel(r"$-2\,\Delta\ln L$")
    # Inside a rising curve, above its minimum, is always room.
    middle = min(max((limit.best_kappa - low) / (high - low), 0.3), 0.7)
    axes.legend(loc="upper center", bbox_to_anchor=(middle, 1.0), framealpha=0.0)
    reported_edge(axes, coupling, low, high)
    tag(figure, left, right, edges=(0.72 / 6.0, 5.82 / 6.0))
    return figure


def scan(limit: Limit, coupling: Coupling, *, name: str = "", left: str = "", right: str = "") -> Figure | None:
    """Draw the curve along kappa from which a limit was read; None if this is the profile, or nothing was kept.

    A posterior with its credible part shaded, statistic and critical value (Feldman-Cousins), or the p-value.
    """
    points = limit.points
    if "kappa" not in points or limit.method == "profile":
        return None
    kappa = points["kappa"]
    low, high = float(kappa[0]), float(kappa[-1])
    style: dict[str, Any]
    figure = Figure(figsize=(6.0, 4.4))
    axes = frame(figure, 0.75, 0.60, 5.07, 3.05)
    if "posterior" in points:
        axes.plot(kappa, points["posterior"], color=COLOURS["blue"], label="posterior density")
        # Up to the limit, which stands between two points of the grid.
        edges = np.clip([limit.lower_kappa, limit.kappa], low, high)
        inside = np.union1d(kappa[(kappa > edges[0]) & (kappa < edges[1])], edges)
        heights = np.interp(inside, kappa, points["posterior"])
        part = f"{100 * limit.level:g} % of it"
        axes.fill_between(inside, heights, color=COLOURS["sky"], alpha=0.4, lw=0, label=part)
        axes.set_ylim(0.0, None)
        axes.set_ylabel(rf"posterior density per unit of {_symbol(coupling, name)}")
        # The tail goes on for ever: the curve ends where no eye sees it above the axis.
        seen = kappa[points["posterior"] > 2e-3 * np.max(points["posterior"])]
        low, high = float(seen[0]), max(float(seen[-1]), limit.kappa)
    elif "critical" in points:
        style = {"color": COLOURS["ink"], "lw": 1.1}
        if "critical_error" in points:
            errors = points["critical_error"]
            axes.errorbar(kappa, points["critical"], errors, fmt="o", ms=3, label="critical value, from toys", **style)
        else:
            axes.plot(kappa, points["critical"], "--", label="critical value", **style)
        axes.plot(kappa, points["statistic"], color=COLOURS["blue"], label="statistic of the data")
        axes.set_ylim(0.0, 3.0 * float(np.max(points["critical"])))
        axes.set_ylabel("test statistic")
    else:
        word = r"CL$_s$" if limit.method.startswith("cls") else "p-value"
        if "p_error" in points:
            style = {"color": COLOURS["blue"], "lw": 1.0}
            axes.errorbar(
                kappa, points["p_value"], points["p_error"], fmt="o", ms=3, label=f"{word}, from toys", **style
            )
        else:
            axes.plot(kappa, points["p_value"], color=COLOURS["blue"], label=word)
        alpha = f"1 - {limit.level:g} = {1 - limit.level:.3g}".replace("-", "\N{MINUS SIGN}")
        axes.axhline(1 - limit.level, color=COLOURS["ink"], lw=0.9, ls="--", label=alpha)
        axes.set_ylabel(word)
        axes.set_yscale("log")
        axes.set_ylim(max(0.02 * (1 - limit.level), float(np.min(points["p_value"]))), 1.2)
    for edge in {limit.lower_kappa, limit.kappa} - {0.0}:
        axes.axvline(edge, color=SIGNAL, lw=1.4, label="limit" if edge == limit.kappa else None)
    axes.set_xlim(low, high)
    axes.set_xlabel(kappa_label(coupling, name))
    axes.legend(loc="best")
    reported_edge(axes, coupling, low, high)
    tag(figure, left, right, edges=(0.75 / 6.0, 5.82 / 6.0))
    return figure


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

    Couplings are no nuisances: a profiled one is in no row.

    Left: (fitted - prior) / prior width with the fitted error in prior widths. Right: how far kappa moves, in its
    error, when the nuisance is held one fitted error up or down.
    """
    place = {parameter: index for index, parameter in enumerate(best.names)}
    singles = [impact for impact in impacts if not impact.group and impact.name not in model.couplings]
    moved = singles[:MOST_ROWS]
    if not moved:
        return None
    shown = [place[impact.name] for impact in moved]
    count = len(shown)
    heights = np.arange(count)[::-1].astype(float)
    tall = 0.21 * count
    figure = Figure(figsize=(7.2, tall + 1.05))
    pulls = frame(figure, 2.1, 0.62, 2.45, tall)
    moves = frame(figure, 4.70, 0.62, 2.35, tall, sharey=pulls)
    for axes in (pulls, moves):
        axes.set_ylim(-0.7, count - 0.3)
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_locator(FixedLocator(heights.tolist()))
        axes.tick_params(axis="y", left=False, right=False)
    pulls.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _short(best.names[shown[count - 1 - round(y)]])))
    pulls.tick_params(axis="y", labelsize=9)
    moves.tick_params(axis="y", labelleft=False)

    for width, colour in ((2.0, "#F3F3F3"), (1.0, "#E2E2E2")):
        pulls.axvspan(-width, width, color=colour, lw=0)
    pulls.axvline(0.0, color=COLOURS["ink"], lw=0.6, ls=(0, (1, 2)))
    reach = 2.2
    for height, at in zip(heights, shown, strict=True):
        if np.isfinite(best.pulls[at]):
            pulls.errorbar(best.pulls[at], height, xerr=best.constraints[at], fmt="o", ms=4, lw=1.3, color="black")
            reach = max(reach, abs(best.pulls[at]) + best.constraints[at] + 0.2)
        else:
            text = f"{best.values[at]:.3g} ± {best.errors[at]:.2g} (free)"
            pulls.text(0.0, height, text, ha="center", va="center", fontsize=8.5)
    pulls.set_xlim(-reach, reach)
    pulls.set_xlabel(r"$(\hat\theta-\theta_0)\,/\,\sigma_0$")

    for side, colour in (("up", COLOURS["blue"]), ("down", COLOURS["orange"])):
        share = np.array([getattr(impact, side) for impact in moved]) / best.kappa_error
        moves.barh(heights, share, height=0.62, color=colour, label=f"parameter {side}")
    moves.axvline(0.0, color=COLOURS["ink"], lw=0.6)
    widest = 1.15 * max(max(impact.size for impact in moved) / best.kappa_error, 0.02)
    moves.set_xlim(-widest, widest)
    # The labels at the ends of the two panels must not meet.
    moves.xaxis.set_major_locator(MaxNLocator(5, prune="lower"))
    moves.set_xlabel(rf"impact on {_symbol(coupling, name)} / its error")
    handles, labels = moves.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower left", ncols=1, fontsize=8.5, borderaxespad=0.3)
    hidden = f"{count} largest of {len(singles)}" if len(singles) > count else ""
    tag(figure, left, ", ".join(word for word in (hidden, right) if word))
    return figure


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
        rows.sort(key=lambda i: (i != poi, -abs(float(matrix[poi, i]))))
    shown = rows[:MOST_ROWS]
    # Couplings of one symbol are told apart by the names of their parameters.
    kinds = list(model.couplings.values())
    twins = [name for name, kind in model.couplings.items() if kinds.count(kind) > 1]
    side = max(0.26 * len(shown), 2.2)
    # Nine-point letters are about 0.062 inches wide.
    room = 0.25 + 0.062 * max(
        len(_short(best.names[place])) + (5 if best.names[place] in twins else 0) for place in shown
    )
    figure = Figure(figsize=(max(side + room + 0.75, 4.0), side + room + 0.42))
    axes = frame(figure, room, room, side, side)
    part = matrix[np.ix_(shown, shown)]
    picture = axes.imshow(part, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    bar = figure.colorbar(picture, cax=frame(figure, room + side + 0.07, room, 0.12, side))
    bar.ax.tick_params(labelsize=8.5, direction="in")
    fitted = {name: _symbol(COUPLINGS[key], name if name in twins else "") for name, key in model.couplings.items()}
    names = [fitted.get(best.names[place]) or _short(best.names[place]) for place in shown]
    axes.set_xticks(range(len(shown)), names, rotation=90, fontsize=8.5)
    axes.set_yticks(range(len(shown)), names, fontsize=8.5)
    axes.tick_params(which="both", length=0, top=False, right=False)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    if len(shown) <= 14:
        for row in range(len(shown)):
            for column in range(len(shown)):
                value = part[row, column]
                colour = "white" if abs(value) > 0.6 else COLOURS["ink"]
                axes.text(
                    column, row, f"{value:.2f}".replace("0.", "."), ha="center", va="center", fontsize=7, color=colour
                )
    hidden = f"{len(shown)} of {len(rows)}" if len(rows) > len(shown) else ""
    tag(figure, left, ", ".join(word for word in (hidden, right) if word))
    return figure


def kappa_label(coupling: Coupling, name: str = "") -> str:
    """Return the name of kappa with its unit, as mathtext: mu_nu^2 in 10^-18 mu_B^2 for the magnetic moment.

    `name` is the parameter, to tell several couplings apart.
    """
    unit, power = latex(coupling.unit), power_of_ten(coupling.scale, 0)
    if coupling.root == 2:
        return rf"{_symbol(coupling, name)} $[{power}\;{unit}^2]$"
    if coupling.reference:
        shift = rf"$({latex(coupling.symbol)} - {coupling.reference:g})\,/\,{coupling.scale:g}$"
        return f"{shift} ({_short(name)})" if name else shift
    return rf"{_symbol(coupling, name)} $[{power}\;{unit}]$"


def reported_edge(axes: Axes, coupling: Coupling, low: float, high: float) -> None:
    """Put the reported quantity along the upper edge, if it is not linear in kappa."""
    if coupling.root == 1:
        return
    axes.tick_params(axis="x", which="both", top=False)
    upper = axes.secondary_xaxis("top")
    scale = np.sqrt(coupling.scale)
    values: list[float] = []
    for value in MaxNLocator(7).tick_values(0.0, float(np.sqrt(max(high, 0.0)))):
        # The square crowds the ticks near 0.
        if 0 <= value**2 <= high and (not values or value**2 - values[-1] ** 2 > 0.045 * (high - low)):
            values.append(float(value))
    upper.set_xticks([value * value for value in values], [f"{value:g}" for value in values])
    upper.xaxis.set_minor_locator(NullLocator())
    power = power_of_ten(float(scale), 0)
    upper.set_xlabel(rf"${latex(coupling.symbol)}\;[{power}\;{latex(coupling.unit)}]$")


def _symbol(coupling: Coupling, name: str = "") -> str:
    symbol = f"${latex(coupling.symbol)}^2$" if coupling.root == 2 else f"${latex(coupling.symbol)}$"
    return f"{symbol} ({_short(name)})" if name else symbol


def _short(name: str, most: int = 26) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
