"""Draws the likelihood along kappa: its profile, and the scan behind a limit with what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator, FuncFormatter, MaxNLocator, NullLocator

from spectrafit.report.figures.style import COLOURS, SIGNAL, frame, latex, power_of_ten, tag
from spectrafit.report.units import powers_of

if TYPE_CHECKING:
    from spectrafit.inference.results import Limit, Profile
    from spectrafit.physics.couplings import Coupling

__all__ = ["kappa_axis", "kappa_label", "profile", "reported_edge", "scan", "short", "symbol"]


def profile(
    curve: Profile, limit: Limit, coupling: Coupling, *, name: str = "", left: str = "", right: str = ""
) -> Figure:
    """Draw 2NLL above its minimum against kappa, with the limit, and the reported quantity along the upper edge.

    The unphysical side of the boundary is shaded: the fit may go there, the limit may not. `name` is the coupling's
    parameter where there are several couplings.
    """
    figure = Figure(figsize=(6.0, 4.6))
    axes = frame(figure, 0.72, 0.60, 4.95, 3.25)
    low, high = float(curve.grid[0]), float(curve.grid[-1])
    height = float(np.interp(limit.kappa, curve.grid, curve.delta_2nll))
    top = max(1.6 * height, 4.5)
    axes.set_xlim(low, high)
    axes.set_ylim(0.0, top)
    for level, called in ((1.0, r"1$\sigma$"), (4.0, r"2$\sigma$"), (9.0, r"3$\sigma$")):
        if level < 0.97 * top:
            # Short, so that it strikes through no words.
            axes.axhline(level, 0.93, 1.0, color=COLOURS["grey"], lw=0.8, zorder=0)
            axes.text(1.012, level / top, called, transform=axes.transAxes, fontsize=9, va="center", color="#5A5A5A")
    if coupling.lower is not None and low < coupling.lower:
        axes.axvspan(low, coupling.lower, color=_SHADE, lw=0, zorder=0)
        _not_physical(axes, (coupling.lower - low) / (high - low), curve, top)
    parabola = ((curve.grid - limit.best_kappa) / limit.best_error) ** 2
    axes.plot(
        curve.grid, parabola, color=COLOURS["grey"], lw=1.1, ls=(0, (2, 1.5)), label="parabola of the fitted error"
    )
    # The fit may enter the shaded side, no interval does: the curve is pale there.
    border = low if coupling.lower is None else min(max(low, coupling.lower), high)
    grid = np.union1d(curve.grid, [border])
    rise = np.interp(grid, curve.grid, curve.delta_2nll)
    axes.plot(grid[grid <= border], rise[grid <= border], color=COLOURS["sky"], lw=1.4)
    axes.plot(grid[grid >= border], rise[grid >= border], color=COLOURS["blue"], lw=1.8, label="profile likelihood")
    if not curve.valid.all():
        bad = ~curve.valid
        axes.plot(curve.grid[bad], curve.delta_2nll[bad], "x", color=COLOURS["ink"], ms=5, label="fit not valid")
    first = low if coupling.lower is None else max(low, coupling.lower)
    for end in (limit.kappa, *([limit.lower_kappa] if first < limit.lower_kappa else [])):
        tall = float(np.interp(end, curve.grid, curve.delta_2nll))
        axes.plot([end, end], [0.0, tall], color=SIGNAL, lw=1.4)
        axes.plot(end, tall, "o", color=SIGNAL, ms=5)
    axes.plot([first, limit.kappa], [height, height], color=SIGNAL, lw=0.8, ls=(0, (4, 2)))
    # Right of the limit and below its height the curve never comes: it rises.
    value = rf"{power_of_ten(limit.value)}\;{latex(coupling.unit)}$"
    words = (
        f"no ${latex(coupling.symbol)} \\geq {value} allowed" if limit.empty else f"${latex(coupling.symbol)} < {value}"
    )
    words += f"\n{100 * limit.level:g} % CL, {limit.sides}-sided\n{limit.method}"
    words += "\nempty interval" if limit.empty else "\n" + rf"at $-2\,\Delta\ln L = {height:.2f}$"
    words += f"\n{short(name)}, others profiled" if name else ""
    place = (limit.kappa + 0.02 * (high - low), 0.03 * top)
    axes.text(*place, words, fontsize=9.5, color=SIGNAL, va="bottom", bbox=_PLAIN, zorder=3)
    axes.xaxis.set_minor_locator(AutoMinorLocator())
    axes.yaxis.set_minor_locator(AutoMinorLocator())
    kappa_axis(axes, coupling, name)
    axes.set_ylabel(r"$-2\,\Delta\ln L$")
    _place_key(axes, curve, top)
    reported_edge(axes, coupling, low, high)
    tag(figure, left, right, edges=(0.72 / 6.0, 5.82 / 6.0))
    return figure


def _place_key(axes: Axes, curve: Profile, top: float) -> None:
    """Put the legend inside the valley where it is wide enough, else beside it."""
    across = (curve.grid - curve.grid[0]) / (curve.grid[-1] - curve.grid[0])
    high = np.flatnonzero(curve.delta_2nll > 0.8 * top)
    lowest = int(np.argmin(curve.delta_2nll))
    left = float(across[high[high < lowest]].max(initial=0.0))
    right = float(across[high[high > lowest]].min(initial=1.0))
    if right - left > 0.4:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5 * (left + right), 1.0))
    else:
        axes.legend(loc="upper right" if 1.0 - right > left else "upper left")


_SHADE = "#EFEFEF"
# White behind words that lines would strike through.
_PLAIN = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}


def _not_physical(axes: Axes, side: float, curve: Profile, top: float) -> None:
    """Write what the shaded part of the frame is, up to the share `side`, where the curve leaves room for the words."""
    if side < 0.06:
        return
    grid, rise = curve.grid, curve.delta_2nll / top
    across = (grid - grid[0]) / (grid[-1] - grid[0])
    # The words stand upright at the side of the boundary or of the frame that is farther from the curve.
    places = [(side - 0.035, height) for height in (0.6, 0.45, 0.3)] + [(0.03, height) for height in (0.25, 0.65, 0.45)]

    def clear(place: tuple[float, float]) -> float:
        near = np.abs(across - place[0]) < 0.04
        return float(np.min(np.abs(rise[near] - place[1]), initial=1.0))

    best = max(places, key=clear)
    axes.text(
        *best,
        "not physical",
        transform=axes.transAxes,
        rotation=90,
        ha="center",
        va="center",
        color="#5A5A5A",
        fontsize=9.5,
        bbox=_PLAIN | {"facecolor": _SHADE},
        zorder=1.5,
    )


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
        axes.set_ylabel(rf"posterior density per unit of {symbol(coupling, name)}")
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
        _expected_band(axes, limit)
        axes.set_ylabel(word)
        axes.set_yscale("log")
        axes.set_ylim(max(0.02 * (1 - limit.level), float(np.min(points["p_value"]))), 1.2)
    said = rf"limit: ${latex(coupling.symbol)} < {power_of_ten(limit.value)}\;{latex(coupling.unit)}$"
    for edge in {limit.lower_kappa, limit.kappa} - {0.0}:
        axes.axvline(edge, color=SIGNAL, lw=1.4, label=said if edge == limit.kappa else None)
    if limit.expected is not None:
        high = max(high, 1.1 * limit.expected.kappas[2])
        median = rf"expected: ${power_of_ten(limit.expected.median)}\;{latex(coupling.unit)}$"
        axes.axvline(limit.expected.kappas[2], color=SIGNAL, lw=1.1, ls=(0, (4, 2)), label=median, zorder=1)
        if "p_expected" not in points:
            low1, high1 = limit.expected.kappas[1], limit.expected.kappas[3]
            axes.axvspan(low1, high1, color="#F3E3DA", lw=0, zorder=0, label="68 % of expected limits")
            high = max(high, 1.1 * high1)
    axes.set_xlim(low, high)
    kappa_axis(axes, coupling, name)
    axes.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none")
    reported_edge(axes, coupling, low, high)
    tag(figure, left, right, edges=(0.75 / 6.0, 5.82 / 6.0))
    return figure


def _expected_band(axes: Axes, limit: Limit) -> None:
    """Draw the expected p-values without a signal, median and bands of one and two sigma, where they are known."""
    points = limit.points
    if "p_expected" not in points:
        return
    for size, colour in (("2", "#F6EEC2"), ("1", "#CBE6D6")):
        low, high = points[f"p_expected_minus_{size}"], points[f"p_expected_plus_{size}"]
        axes.fill_between(points["kappa"], low, high, color=colour, lw=0, zorder=0, label=rf"expected, {size}$\sigma$")
    dashed = (0, (4, 2))
    axes.plot(points["kappa"], points["p_expected"], color=COLOURS["ink"], lw=1.0, ls=dashed, label="expected median")


def kappa_axis(axes: Axes, coupling: Coupling, name: str = "") -> None:
    """Write kappa's name and numbers along the lower edge, in a unit in which the numbers are of order one to 100."""
    powers = _powers(coupling, *axes.get_xlim())
    axes.set_xlabel(kappa_label(coupling, name, powers))
    if powers:
        size = 10.0 ** (-coupling.root * powers)
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value * size:.4g}".replace("-", "\N{MINUS SIGN}"))
        )


def _powers(coupling: Coupling, low: float, high: float) -> int:
    # An axis is about four errors long.
    return powers_of(coupling, 0.25 * (high - low))


def kappa_label(coupling: Coupling, name: str = "", powers: int = 0) -> str:
    """Return the name of kappa with its unit, as mathtext: mu_nu^2 in 10^-18 mu_B^2 for the magnetic moment.

    `name` is the parameter, to tell several couplings apart; `powers` of ten multiply the unit of the coupling.
    """
    scale = coupling.scale * 10.0 ** (coupling.root * powers)
    unit, power = latex(coupling.unit), power_of_ten(scale, 0)
    if coupling.root == 2:
        return rf"{symbol(coupling, name)} $[{power}\;{unit}^2]$"
    if coupling.reference:
        shift = rf"$({latex(coupling.symbol)} - {coupling.reference:g})\,/\,{scale:g}$"
        return f"{shift} ({short(name)})" if name else shift
    if not unit and scale == 1.0:
        return symbol(coupling, name)
    return rf"{symbol(coupling, name)} $[{power}\;{unit}]$"


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
    powers = _powers(coupling, low, high)
    upper.set_xticks([value * value for value in values], [f"{value / 10.0**powers:.6g}" for value in values])
    upper.xaxis.set_minor_locator(NullLocator())
    power = power_of_ten(float(scale) * 10.0**powers, 0)
    upper.set_xlabel(rf"${latex(coupling.symbol)}\;[{power}\;{latex(coupling.unit)}]$")


def symbol(coupling: Coupling, name: str = "") -> str:
    """Return kappa's symbol as mathtext, with the parameter's name where there are several couplings."""
    symbol = f"${latex(coupling.symbol)}^2$" if coupling.root == 2 else f"${latex(coupling.symbol)}$"
    return f"{symbol} ({short(name)})" if name else symbol


def short(name: str, most: int = 26) -> str:
    """Return a name of at most `most` letters: of a longer one the first and last, where names of bins differ."""
    first = most // 2
    return name if len(name) <= most else f"{name[:first]}…{name[first + 1 - most :]}"
