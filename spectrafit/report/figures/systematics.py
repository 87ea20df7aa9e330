"""Draws what each systematic does to a spectrum: up and down over nominal, with the noise of the change."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spectrafit.arraytypes import Floats
from spectrafit.report.figures.likelihood import short
from spectrafit.report.figures.scales import lay, scale_of
from spectrafit.report.figures.style import COLOURS, frame, mathtext, tag
from spectrafit.report.shifts import Shifts
from spectrafit.templates.regions import RegionBins

__all__ = ["MOST", "changes"]

# More panels than this cannot be read on one page.
MOST = 12
_COLUMNS = 3


def changes(
    found: Shifts, region: RegionBins, axis: int, *, scale: str = "", left: str = "", right: str = ""
) -> Figure | None:
    """Draw the change of a spectrum by every nuisance parameter, one prior width up and down, the largest first.

    None if no parameter changes the region.

    Parameters
    ----------
    found : changes of the B bins of all regions.
    region, axis : the region, and the axis to draw; other axes are summed.
    scale : of the horizontal axis, as in `spectra.spectrum`.
    left, right : text above the frame.
    """
    count = region.shape[axis]
    labels = np.full(len(found.nominal), -1)
    labels[region.bins] = np.indices(region.shape)[axis].ravel()
    inside = labels >= 0

    def along(events: Floats) -> Floats:
        return np.asarray(np.bincount(labels[inside], events[inside], count), dtype=np.float64)

    nominal = along(found.nominal)
    safe = np.where(nominal > 0, nominal, np.nan)
    rows = []
    for one in found.each:
        up, down = (100.0 * (along(side) / safe - 1.0) for side in (one.up, one.down))
        size = float(np.nanmax(np.abs([up, down]), initial=0.0))
        if size > 1e-6:
            rows.append((size, one, up, down))
    if not rows:
        return None
    rows.sort(key=lambda row: -row[0])
    shown = rows[:MOST]
    deep = -(-len(shown) // _COLUMNS)
    edges = np.asarray(region.axes[axis].edges)
    kind = scale_of(edges, scale)
    tall = 1.28 * deep + 0.90
    across = max(0.92 + 2.65 * min(len(shown), _COLUMNS) - 0.27, 6.0)
    figure = Figure(figsize=(across, tall))
    for place, (size, one, up, down) in enumerate(shown):
        row, column = divmod(place, _COLUMNS)
        last = place + _COLUMNS >= len(shown)
        axes = frame(figure, 0.72 + 2.65 * column, tall - 0.62 - 1.28 * (row + 1) + 0.26, 2.35, 1.0)
        lay(axes, edges, kind, room=2.35, points=8.5)
        noise = found.noise(one.name, labels, count)
        if noise is not None:
            wide = 100.0 * noise / safe
            axes.stairs(up + wide, edges, baseline=up - wide, fill=True, color=COLOURS["mist"], lw=0, label="noise")
        axes.axhline(0.0, color=COLOURS["ink"], lw=0.6)
        axes.stairs(up, edges, baseline=None, color=COLOURS["blue"], lw=1.3, label="up")
        axes.stairs(down, edges, baseline=None, color=COLOURS["orange"], lw=1.3, ls=(0, (4, 1.2)), label="down")
        reach = 1.25 * max(size, 1e-3)
        axes.set_ylim(-reach, 1.35 * reach)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(labelsize=8.5, labelbottom=last)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        group = f" ({short(one.group, 14)})" if one.group and one.group != one.name else ""
        axes.text(
            0.03,
            0.95,
            f"{short(one.name)}{group}",
            transform=axes.transAxes,
            fontsize=9,
            va="top",
            parse_math=False,
            bbox=box,
            zorder=4,
        )
        if column == 0:
            axes.set_ylabel("change [%]", fontsize=9.5)
        if last:
            axes.set_xlabel(mathtext(region.labels[axis]), fontsize=10)
        if place == 0:
            handles, words = axes.get_legend_handles_labels()
    figure.legend(handles, words, loc="upper right", ncols=3, fontsize=8.5, bbox_to_anchor=(0.985, 1 - 0.27 / tall))
    hidden = f"{len(shown)} largest of {len(rows)}" if len(rows) > len(shown) else ""
    tag(figure, left, ", ".join(word for word in (hidden, right) if word), edges=(0.72 / across, 1 - 0.2 / across))
    return figure
