"""Draws the efficiency and the resolutions of a detector response as events see them."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from spectrafit.config import Response
from spectrafit.events.response import apply, stream
from spectrafit.report.figures.style import COLOURS, frame, tag

__all__ = ["response"]

# Events per point: the quantiles are good to two percent.
EVENTS = 4000
POINTS = 40


def response(detector: Response, *, highest: float = 10.0, left: str = "", right: str = "") -> Figure:
    """Draw efficiency, energy resolution and angular resolution against the true T, up to `highest` GeV.

    The response is applied to forward events at fixed T: the figure shows the effect of `events.response`.
    """
    t = np.geomspace(0.05, highest, POINTS)
    key = stream(detector, "report")
    # The same random numbers at every T: the curves are as smooth as the response.
    rows = [apply(detector, np.full(EVENTS, true), np.zeros(EVENTS), key=key, first=0) for true in t]
    seen, angle, efficiency = (np.array(found) for found in zip(*rows, strict=True))
    ratio = seen / t[:, None]
    low, middle, high = np.quantile(ratio, [0.1587, 0.5, 0.8413], axis=1)
    core, tail = 1e3 * np.quantile(angle, [0.683, 0.955], axis=1)

    figure = Figure(figsize=(10.4, 3.4))
    panels = [frame(figure, 0.78 + 3.23 * column, 0.58, 2.75, 2.25) for column in range(3)]
    panels[0].plot(t, efficiency.mean(axis=1), color=COLOURS["blue"], lw=1.8)
    panels[0].set_ylim(0.0, min(1.0, 1.25 * float(efficiency.max())) or 1.0)
    panels[0].set_title("Efficiency", loc="left", fontsize=10, y=1.02)
    panels[1].fill_between(t, low, high, color=COLOURS["sky"], alpha=0.45, lw=0, label="68 % of events")
    panels[1].plot(t, middle, color=COLOURS["blue"], label="median")
    panels[1].set_ylim(0.4, 1.6)
    panels[1].set_title(r"$T_e$ reconstructed / true", loc="left", fontsize=10, y=1.02)
    panels[1].legend(loc="upper right")
    panels[2].plot(t, core, color=COLOURS["blue"], label="68 % of events")
    panels[2].plot(t, tail, color=COLOURS["blue"], ls="--", label="95 % of events")
    if core.max() > 0:
        panels[2].set_yscale("log")
    panels[2].set_title("Angle to the true direction [mrad]", loc="left", fontsize=10, y=1.02)
    panels[2].legend(loc="upper right")
    for axes in panels:
        axes.set_xscale("log")
        axes.set_xlim(t[0], t[-1])
        axes.set_xlabel(r"true $T_e$ [GeV]")
        axes.xaxis.set_major_formatter("{x:g}")
    tag(figure, left, right, edges=(0.78 / 10.4, 0.985))
    return figure
