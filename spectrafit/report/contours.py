"""The figure and the numbers of a two-parameter contour: joint confidence regions of two couplings or nuisances."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaincinv

from spectrafit.arraytypes import Floats
from spectrafit.physics.couplings import COUPLINGS

if TYPE_CHECKING:
    from spectrafit.inference.results import Contour

__all__ = ["LEVELS", "contour_rows", "draw_contour", "rise", "summary"]


LEVELS = (0.6827, 0.90, 0.95)
"""Joint confidence levels of the drawn regions."""


def rise(level: float) -> float:
    """Return the rise of 2NLL that bounds a joint region of two parameters: 2.30 at 68.27 %, 4.61 at 90 %.

    The quantile of a chi-square with two degrees of freedom (S. S. Wilks, Ann. Math. Stat. 9, 60 (1938)). It does not
    know of a boundary: near one the region may cover more or less than it says.
    """
    return float(2.0 * gammaincinv(1.0, level))


def summary(found: Contour) -> dict[str, Any]:
    """Return the contour as plain values: grids, 2NLL above its minimum, and the extent of each joint region."""
    first, second = found.parameters
    sides = ((first, found.x, found.best[0], 1), (second, found.y, found.best[1], 0))
    regions = []
    for level in LEVELS:
        spans = {
            name: _extent(grid, found.delta_2nll.min(axis=axis), at, rise(level)) for name, grid, at, axis in sides
        }
        regions.append({"level": level, "rise": rise(level), **spans})
    return {
        "parameters": list(found.parameters),
        "best": list(found.best),
        first: found.x.tolist(),
        second: found.y.tolist(),
        "delta_2nll": found.delta_2nll.tolist(),
        "points_not_valid": int(np.sum(~found.valid)),
        "regions": regions,
    }


def contour_rows(found: Contour) -> Iterator[dict[str, Any]]:
    """Yield every point of the grid as a row of a table."""
    first, second = found.parameters
    for at in itertools.product(range(len(found.x)), range(len(found.y))):
        yield {
            first: float(found.x[at[0]]),
            second: float(found.y[at[1]]),
            "delta_2nll": float(found.delta_2nll[at]),
            "valid": bool(found.valid[at]),
        }


def _extent(grid: Floats, least: Floats, best: float, height: float) -> list[float | None]:
    """Return where the smallest 2NLL along one parameter crosses `height` on both sides of the best fit, or None."""
    ends: list[float | None] = []
    for sign in (-1, 1):
        side = np.flatnonzero(grid >= best) if sign > 0 else np.flatnonzero(grid <= best)[::-1]
        outside = np.flatnonzero(least[side] > height)
        if not outside.size or outside[0] == 0:
            ends.append(None)
            continue
        outer, inner = side[outside[0]], side[outside[0] - 1]
        # Roots of a parabola vary linearly with the parameter.
        low, high, wanted = np.sqrt([max(least[inner], 0.0), least[outer], height])
        ends.append(float(grid[inner] + (grid[outer] - grid[inner]) * (wanted - low) / (high - low)))
    return ends


def draw_contour(
    path: str | os.PathLike[str],
    found: Contour,
    *,
    couplings: Mapping[str, str] | None = None,
    title: str = "",
    data: str = "",
) -> Path:
    """Draw the joint 68.27, 90 and 95 % regions of two parameters, their best values, and physical boundaries.

    Parameters
    ----------
    path : file to write; its suffix says the format.
    found : a contour of `spectrafit.inference.fitting.fit.contour`.
    couplings : parameter to key of `COUPLINGS`, for the parameters that are a coupling's kappa.
    title : name of the analysis, above the frame.
    data : what else stands there: that the data are fake.

    Raises
    ------
    ConfigError, DataError
        As `spectrafit.report.figures.saving.save`.
    """
    # matplotlib takes half a second to import: only drawing pays for it.
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from spectrafit.report.figures.likelihood import kappa_label
    from spectrafit.report.figures.saving import save
    from spectrafit.report.figures.style import COLOURS, frame, look, mathtext, tag

    target, fitted = Path(path), dict(couplings or {})
    shades = [COLOURS[name] for name in ("ink", "blue", "vermilion")]
    dashes = ["solid", "solid", (0, (4, 2))]
    with look():
        figure = Figure(figsize=(6.0, 4.8))
        axes = frame(figure, 0.85, 0.65, 4.95, 3.6)
        rises = [rise(level) for level in LEVELS]
        axes.contourf(found.x, found.y, found.delta_2nll.T, levels=[0.0, rises[1]], colors=[COLOURS["sky"]], alpha=0.25)
        axes.contour(
            found.x, found.y, found.delta_2nll.T, levels=rises, colors=shades, linestyles=dashes, linewidths=1.4
        )
        axes.plot(*found.best, "P", color=COLOURS["ink"], ms=7, clip_on=False)
        axes.set_xlim(found.x[0], found.x[-1])
        axes.set_ylim(found.y[0], found.y[-1])
        if not found.valid.all():
            at = np.argwhere(~found.valid)
            axes.plot(found.x[at[:, 0]], found.y[at[:, 1]], "x", color=COLOURS["grey"], ms=4)
        for name, grid, vertical in zip(found.parameters, (found.x, found.y), (True, False), strict=True):
            lower = COUPLINGS[fitted[name]].lower if name in fitted else None
            if lower is not None and grid[0] < lower:
                span = axes.axvspan if vertical else axes.axhspan
                span(float(grid[0]), lower, color="#EFEFEF", lw=0, zorder=0)
                words: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 9.5, "color": "#5A5A5A"}
                axes.text(0.03 if vertical else 0.97, 0.03, "not physical", ha="left" if vertical else "right", **words)
        labels = [_label(name, fitted, kappa_label, mathtext) for name in found.parameters]
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.minorticks_on()
        marks = [Line2D([], [], color=shade, ls=dash, lw=1.4) for shade, dash in zip(shades, dashes, strict=True)]
        best = Line2D([], [], color=COLOURS["ink"], marker="P", ls="none", ms=7)
        # Above the frame no curve can run through the words.
        figure.legend(
            [best, *marks],
            ["best fit", *(f"{100 * level:.4g} % joint" for level in LEVELS)],
            loc="center",
            bbox_to_anchor=(0.555, 4.41 / 4.8),
            ncols=4,
        )
        right = r"$-2\,\Delta\ln L$, others refitted" + (f", {data}" if data else "")
        tag(figure, title, right, edges=(0.85 / 6.0, 5.8 / 6.0))
        save(figure, target)
    return target


def _label(name: str, couplings: Mapping[str, str], kappa_label: Any, mathtext: Any) -> str:
    """Return an axis label: the coupling in its unit with the parameter's name, or a nuisance in prior widths."""
    if name in couplings:
        return str(kappa_label(COUPLINGS[couplings[name]], name if len(couplings) > 1 else ""))
    return str(mathtext(f"{name.replace('_', ' ')} (nuisance parameter)"))
