"""Sets the scale along a binned axis: linear, logarithmic, broken (wide bins drawn narrower) or even (bins alike)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.report.figures.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Scale", "decades", "drawn", "edge_text", "is_logarithmic", "lay", "scale_of"]

Scale = Literal["linear", "log", "broken", "even"]

# A bin that takes more of the axis than this, and is so many times as wide as the middle one, is drawn narrower.
_LARGE, _WIDE = 0.22, 2.5


def scale_of(edges: Floats, wanted: str = "") -> Scale:
    """Return the scale of an axis: the one that is wanted, or the one that its edges need.

    Edges that are evenly spaced in the logarithm need "log". Where a few wide bins take most of the axis from the
    others, it is "broken": they are drawn narrower. Otherwise it is "linear".
    """
    for known in ("linear", "broken", "even"):
        if wanted == known:
            return known
    if (wanted == "log" and edges[0] > 0) or is_logarithmic(edges):
        return "log"
    widths = np.diff(edges)
    wide = (widths > _LARGE * (edges[-1] - edges[0])) & (widths > _WIDE * np.median(widths))
    return "broken" if len(widths) > 3 and wide.any() else "linear"


def is_logarithmic(edges: Floats) -> bool:
    """Whether all bins are equally wide in the logarithm, and not so without it."""
    if edges[0] <= 0 or len(edges) < 4:
        return False
    steps = np.diff(np.log(edges))
    return bool(np.allclose(steps, steps[0], rtol=1e-6)) and not np.allclose(np.diff(edges), edges[1] - edges[0])


def drawn(edges: Floats, scale: Scale) -> Floats:
    """Return where the edges are drawn, from 0 to 1 of the axis."""
    if scale == "log":
        place = np.log(edges)
    elif scale == "linear":
        place = np.asarray(edges, dtype=np.float64)
    else:
        widths = np.diff(edges)
        least = float(widths.min() if scale == "even" else _WIDE * np.median(widths))
        place = np.concatenate([[0.0], np.cumsum(np.minimum(widths, least))])
    found: Floats = (place - place[0]) / (place[-1] - place[0])
    return found


def lay(
    axes: Axes, edges: Floats, scale: Scale, *, room: float = 5.0, points: float = 11.0
) -> Callable[[Floats], Floats]:
    """Set scale, limits and ticks of the horizontal axis; return the value drawn at a share of it.

    Parameters
    ----------
    axes, edges, scale : the axis.
    room : its length in inches.
    points : size of its labels.
    """
    # Captions need the scales above without matplotlib, which takes half a second to import.
    from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullFormatter, NullLocator

    places = drawn(edges, scale)
    if scale == "log":
        axes.set_xscale("log")
        ticks = decades(float(edges[0]), float(edges[-1]))
        # Whole decades stay first, then 5, then 2.
        ticks.sort(key=lambda tick: (f"{tick:e}"[0] not in "1", f"{tick:e}"[0] != "5"))
    elif scale == "linear":
        count = max(int(room / 0.7), 3)
        inside = MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(edges[0], edges[-1])
        ticks = _within(inside, float(edges[0]), float(edges[-1]))
    else:
        axes.set_xscale("function", functions=(_along(edges, places), _along(places, edges)))
        ticks = _ticks(edges, scale)

    def place(tick: float) -> float:
        at = np.interp(np.log(tick), np.log(edges), places) if scale == "log" else np.interp(tick, edges, places)
        return float(at)

    kept = _apart(ticks, place, room, points)
    axes.xaxis.set_major_locator(FixedLocator(kept))
    axes.xaxis.set_major_formatter(FixedFormatter([edge_text(tick) for tick in kept]))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(edges[0], edges[-1])
    if scale == "broken":
        _mark(axes, edges)

    def at(share: Floats) -> Floats:
        if scale == "log":
            found: Floats = np.exp(np.interp(share, places, np.log(edges)))
            return found
        inside: Floats = np.interp(share, places, edges)
        return inside

    return at


def edge_text(edge: float) -> str:
    """Return an edge as a label: whole where four digits say it, else rounded to two; with a power of ten if tiny."""
    text = f"{edge:.4g}"
    if not math.isclose(float(text), edge, rel_tol=1e-6, abs_tol=1e-300):
        text = f"{edge:.2g}"
    if "e" not in text:
        return text.replace("-", "\N{MINUS SIGN}")
    mantissa, exponent = text.split("e")
    power = f"10^{{{int(exponent)}}}"
    return f"${power}$" if mantissa == "1" else rf"${mantissa}\times{power}$"


def _apart(ticks: list[float], place: Callable[[float], float], room: float, points: float) -> list[float]:
    """Return the ticks whose labels do not touch, in order; those that stand first in the list are kept first."""
    kept: list[tuple[float, float, float]] = []
    for tick in ticks:
        label = edge_text(tick)
        letters = 3.2 + 2.2 * ("times" in label) if "$" in label else len(label)
        half = (0.5 * letters + 0.9) * 0.0075 * points
        middle = room * place(tick)
        if all(abs(middle - other) > half + wide for _, other, wide in kept):
            kept.append((tick, middle, half))
    return sorted(tick for tick, _, _ in kept)


def _along(knots: Floats, values: Floats) -> Callable[[Floats], Floats]:
    def piecewise(x: Floats) -> Floats:
        found: Floats = np.interp(x, knots, values)
        return found

    return piecewise


def _narrowed(edges: Floats) -> Any:
    widths = np.diff(edges)
    return widths > _WIDE * np.median(widths)


def _ticks(edges: Floats, scale: Scale) -> list[float]:
    """Return edges as ticks, the outer ones first; in the stretches that are linear round numbers instead."""
    if scale == "even":
        return [float(edges[0]), float(edges[-1]), *(float(edge) for edge in edges[1:-1])]
    from matplotlib.ticker import MaxNLocator

    narrow = _narrowed(edges)
    beside = np.append(narrow, False) | np.append(False, narrow)
    fixed = [float(edge) for edge in edges[beside]]
    low, high = float(edges[:-1][~narrow].min()), float(edges[1:][~narrow].max())
    inside = [float(tick) for tick in MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
    # Short numbers are round ones: they stay first.
    return [*fixed[::-1], *sorted(_within(inside, low, high), key=lambda tick: len(edge_text(tick)))]


def _within(ticks: Iterable[float], low: float, high: float) -> list[float]:
    """Return the ticks from `low` to `high`, which rounding may put a little outside."""
    rest = 1e-9 * (high - low)
    return [float(np.clip(tick, low, high)) for tick in ticks if low - rest <= tick <= high + rest]


def _mark(axes: Axes, edges: Floats) -> None:
    """Mark where the axis changes its scale with two strokes through the frame."""
    narrow = np.concatenate([[False], _narrowed(edges), [False]])
    for place in np.flatnonzero(narrow[1:] != narrow[:-1]):
        if 0 < place < len(edges) - 1:
            axes.plot(
                [edges[place]],
                [0.0],
                transform=axes.get_xaxis_transform(),
                marker=[(-0.5, -1.0), (0.0, 1.0), (0.5, 1.0), (0.0, -1.0)],
                ms=5.5,
                color="white",
                mec=COLOURS["ink"],
                mew=0.8,
                clip_on=False,
                zorder=10,
            )


def decades(low: float, high: float) -> list[float]:
    """Return ticks at 1, 2, 5 of each decade, or at decades alone if there are many."""
    steps = (1.0,) if high > 300 * low else (1.0, 2.0, 5.0) if high > 8 * low else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    span = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [tick for power in span for tick in (float(f"{step}e{power}") for step in steps) if low <= tick <= high]
