"""Draws cross sections against electron energy, to show where a magnetic moment is visible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from spectrafit.arraytypes import Floats
from spectrafit.report.figures.style import COLOURS, SIGNAL, frame, power_of_ten, tag

__all__ = ["scattering"]


def scattering(
    t: Floats,
    standard: Floats,
    magnetic: Mapping[float, Floats],
    equal: Mapping[float, tuple[float, str]],
    *,
    unit: str,
    threshold: float | None = None,
    left: str = "",
    right: str = "",
) -> Figure:
    """Draw dsigma/dT of the Standard Model and of magnetic moments, and their ratio below.

    Parameters
    ----------
    t : shape (N,). Electron kinetic energies, in `unit`.
    standard : shape (N,). Standard Model dsigma/dT, 1e-42 cm^2/GeV.
    magnetic : the same, shape (N,), for each moment (mu_B).
    equal : of the moments that have one, the energy, in `unit` and in words, at which both cross sections are equal.
    unit : of energies.
    threshold : detection threshold to shade below, in `unit`, if any.
    left, right : the flavour and target, and the calculation of the standard curve.
    """
    moments = sorted(magnetic, reverse=True)
    figure = Figure(figsize=(6.2, 5.7))
    lower = frame(figure, 0.80, 0.58, 5.2, 1.75, xscale="log", yscale="log")
    upper = frame(figure, 0.80, 2.42, 5.2, 2.96, xscale="log", yscale="log", sharex=lower)
    largest, smallest = magnetic[moments[0]], magnetic[moments[-1]]
    upper.set_xlim(t[0], t[-1])
    upper.set_ylim(min(0.05 * standard[0], 0.3 * smallest[0]), 2.5 * (standard + largest)[0])
    lower.set_ylim(min(0.02, 0.5 * float((smallest / standard)[0])), 2.5 * float((largest / standard)[0]))
    if threshold is not None:
        for axes in (upper, lower):
            axes.axvspan(t[0], threshold, color="#EFEFEF", lw=0, zorder=0)
        text: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "fontsize": 9.5, "color": "#5A5A5A"}
        words = f"below a threshold of {threshold:g} {unit}"
        upper.annotate(words, (threshold, 0.97), (-5, 0), xycoords=("data", "axes fraction"), va="top", **text)
    upper.plot(t, standard, color=COLOURS["blue"], lw=2.0)
    upper.plot(t, standard + largest, color=COLOURS["ink"], lw=1.1, ls=(0, (4, 2)))
    lower.axhline(1.0, color=COLOURS["blue"], lw=1.2)
    # Below its curve, where the largest moment has left room.
    room = float(np.searchsorted(-largest / standard, -0.55)) / len(t)
    _along(upper, t, standard, "Standard Model", COLOURS["blue"], share=min(max(room, 0.6), 0.78), above=False)
    _along(upper, t, standard + largest, "sum", COLOURS["ink"], share=0.30)
    # Parallel lines in paler shades of one colour: the largest moment has the full one.
    width, taken = float(np.log(t[-1] / t[0])), np.inf
    for rank, mu in enumerate(moments):
        colour = _paler(SIGNAL, 0.35 * rank / max(len(moments) - 1, 1))
        upper.plot(t, magnetic[mu], color=colour, lw=1.8)
        lower.plot(t, magnetic[mu] / standard, color=colour, lw=1.8)
        digits = len(f"{mu:.3e}".split("e")[0].rstrip("0").split(".")[1])
        words = rf"$\mu_\nu={power_of_ten(mu, digits)}\,\mu_\mathrm{{B}}$"
        # Left of the crossing if there is room for words, right of it otherwise; above a line unless another, or the
        # sum, is there.
        crowded = rank == 0 or (moments[rank - 1] / mu) ** 2 < 2.2
        ratio = magnetic[mu] / standard
        beyond = float(np.searchsorted(-ratio, -0.6)) / len(t)
        fits = ratio[len(t) // 4] > 2.2 or beyond > 0.8
        _along(upper, t, magnetic[mu], words, colour, share=0.03 if fits else max(beyond, 0.03), above=not crowded)
        if mu in equal:
            dot: dict[str, Any] = {"marker": "o", "ms": 5, "color": colour, "mec": COLOURS["ink"], "mew": 0.8}
            place, words = equal[mu]
            height = float(np.exp(np.interp(np.log(place), np.log(t), np.log(standard))))
            for axes, top in ((upper, height), (lower, 1.0)):
                axes.plot(place, top, zorder=5, **dot)
            # Right of the dot and above, where no curve is; else left and below.
            share = float(np.log(place / t[0])) / width
            corner: dict[str, Any] = {"xytext": (4, 5), "ha": "left", "va": "bottom"}
            if share > 0.85 or taken - share < 0.18:
                corner = {"xytext": (-4, -5), "ha": "right", "va": "top"}
            taken = share
            lower.annotate(words, (place, 1.0), textcoords="offset points", fontsize=9.5, zorder=6, **corner)
    upper.tick_params(labelbottom=False)
    upper.set_ylabel(r"$\mathrm{d}\sigma/\mathrm{d}T$  [$10^{-42}\,\mathrm{cm}^2/\mathrm{GeV}$]")
    lower.set_ylabel("magnetic / SM")
    lower.set_xlabel(f"electron kinetic energy $T$ [{unit}]")
    for axes in (upper, lower):
        axes.yaxis.set_label_coords(-0.105, 0.5)
    tag(figure, left, right, edges=(0.80 / 6.2, 6.0 / 6.2))
    return figure


def _along(axes: Axes, x: Floats, y: Floats, words: str, colour: Any, *, share: float, above: bool = True) -> None:
    """Write words along a curve, from `share` of its way on, turned as it runs on the page."""
    first, last = int(share * (len(x) - 1)), int(min(share + 0.2, 1.0) * (len(x) - 1))
    (left, low), (right, high) = axes.transData.transform([(x[first], y[first]), (x[last], y[last])])
    axes.annotate(
        words,
        (x[first], y[first]),
        (0, 4 if above else -4),
        textcoords="offset points",
        rotation=float(np.degrees(np.arctan2(high - low, right - left))),
        rotation_mode="anchor",
        va="bottom" if above else "top",
        color=colour,
        fontsize=10,
    )


def _paler(colour: str, share: float) -> tuple[float, float, float]:
    """Return a colour mixed with white."""
    red, green, blue = (part + share * (1.0 - part) for part in to_rgb(colour))
    return red, green, blue
