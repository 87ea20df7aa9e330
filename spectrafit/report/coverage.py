"""A `Coverage` in, its figure out: how often each method's interval held the truth, against the true kappa."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from spectrafit.inference.coverage import Coverage

__all__ = ["draw_coverage"]


def draw_coverage(path: str | os.PathLike[str], found: Coverage) -> Path:
    """Draw coverage against true kappa, one series a method with its 68 % binomial bands, and the nominal level.

    Parameters
    ----------
    path : file to write; its suffix says the format.
    found : what `spectrafit.inference.coverage.coverage` counted.

    Raises
    ------
    ConfigError, DataError
        As `spectrafit.report.figures.saving.save`.
    """
    # matplotlib is half a second to import: only those who draw pay for it.
    from matplotlib.figure import Figure

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
        for index, method in enumerate(found.methods):
            x = found.kappas + 0.012 * span * (index - 0.5 * (len(found.methods) - 1))
            y = found.fraction[:, index]
            bands = np.maximum([y - low[:, index], high[:, index] - y], 0.0)
            style: dict[str, Any] = {
                "fmt": "o-",
                "markersize": 4,
                "linewidth": 0.8,
                "capsize": 2,
                "color": shades[index % len(shades)],
            }
            axes.errorbar(x, y, yerr=bands, label=method, **style)
        axes.set_xlim(found.kappas.min() - 0.08 * span, found.kappas.max() + 0.08 * span)
        axes.set_ylim(min(float(low.min()), found.level) - 0.03, 1.02)
        axes.set_xlabel("true kappa")
        axes.set_ylabel("coverage")
        axes.legend(loc="lower right", ncols=2)
        tag(figure, f"{100 * found.level:g} % intervals", f"{int(found.experiments.max())} experiments at each point")
        save(figure, target)
    return target
