"""Draws how often the interval of each method held the truth, against the true kappa."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from spectrafit.inference.studies.coverage import Coverage

__all__ = ["draw_coverage"]

_MARKERS = "osD^v<>"


def draw_coverage(path: str | os.PathLike[str], found: Coverage, *, coupling: str = "", title: str = "") -> Path:
    """Draw coverage against true kappa, one series a method with its 68 % binomial bands, and the nominal level.

    Parameters
    ----------
    path : file to write; its suffix says the format.
    found : what `spectrafit.inference.studies.coverage.coverage` counted.
    coupling : name of the fitted coupling, for the axis; without it kappa is a number of no unit.
    title : name of the analysis, above the frame.

    Raises
    ------
    ConfigError, DataError
        As `spectrafit.report.figures.saving.save`.
    """
    # matplotlib takes half a second to import: only drawing pays for it.
    from matplotlib.figure import Figure

    from spectrafit.physics.couplings import COUPLINGS
    from spectrafit.report.figures.likelihood import kappa_label
    from spectrafit.report.figures.saving import save
    from spectrafit.report.figures.style import COLOURS, frame, look, tag

    target = Path(path)
    shades = [COLOURS[name] for name in ("blue", "vermilion", "green", "orange", "purple", "sky", "ink")]
    low, high = found.band
    with look():
        figure = Figure(figsize=(6.2, 4.4))
        axes = frame(figure, 0.8, 0.65, 5.2, 3.4)
        axes.axhline(found.level, color=COLOURS["grey"], linewidth=0.9, linestyle=(0, (4, 2)))
        # Series side by side, so that bands at one kappa do not hide each other.
        span = float(np.ptp(found.kappas)) or 1.0
        # All series of one kappa share less than half of the way to the next.
        gap = float(np.diff(np.unique(found.kappas)).min(initial=span))
        step = min(0.45 * gap / max(len(found.methods), 1), 0.03 * span)
        for index, method in enumerate(found.methods):
            places = found.kappas + step * (index - 0.5 * (len(found.methods) - 1))
            heights = found.fraction[:, index]
            bands = np.maximum([heights - low[:, index], high[:, index] - heights], 0.0)
            style: dict[str, Any] = {
                "fmt": _MARKERS[index % len(_MARKERS)],
                "markersize": 4.5,
                # Between the points nothing was counted: no line.
                "linewidth": 1.0,
                "capsize": 2,
                "color": shades[index % len(shades)],
            }
            axes.errorbar(places, heights, yerr=bands, label=method.replace(" (", ", ").replace(")", "-sided"), **style)
        axes.set_xlim(found.kappas.min() - 0.08 * span, found.kappas.max() + 0.08 * span)
        # Room below the lowest point for the legend.
        bottom, rows = min(float(low.min()), found.level), (len(found.methods) + 1) // 2
        axes.set_ylim(bottom - (1.01 - bottom) * (0.1 + 0.08 * rows), 1.01)
        axes.set_xlabel(f"true {kappa_label(COUPLINGS[coupling])}" if coupling else "true kappa")
        axes.set_ylabel(f"coverage of {100 * found.level:g} % intervals")
        axes.legend(loc="lower right", ncols=2)
        tag(figure, title, f"{int(found.experiments.max())} experiments a point", edges=(0.8 / 6.2, 6.0 / 6.2))
        save(figure, target)
    return target
