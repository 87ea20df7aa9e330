"""The figures of the tuning page: spectra whose bin edges can be dragged, and the plane of two observables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from bokeh.models import (
    BasicTickFormatter,
    ColorBar,
    ColumnDataSource,
    HoverTool,
    LinearColorMapper,
    LogAxis,
    LogTicker,
    PointDrawTool,
    Range1d,
    VSpan,
)
from bokeh.plotting import figure

from spectrafit.arraytypes import Floats
from spectrafit.report.figures.style import COLOURS, SIGNAL
from spectrafit.report.tuning.words import plain
from spectrafit.templates.regions import RegionBins
from spectrafit.templates.templates import Templates

__all__ = ["Plane", "Spectrum"]


class Spectrum:
    """One axis of a region: the samples stacked, the coupling's events on top, and a handle at every edge.

    A handle is dragged along the axis, a tap beside the handles adds one, and a chosen one is removed by Backspace.
    """

    def __init__(self, region: RegionBins, axis: int, colours: Mapping[str, str]) -> None:
        self.axis = axis
        names = ("left", "right", "bottom", "top", "colour", "sample", "events")
        self.bars = ColumnDataSource({name: [] for name in names})
        self.signal = ColumnDataSource({"x": [], "y": []})
        self.handles = ColumnDataSource({"x": [], "y": []})
        self.heights = Range1d(0.0, 1.0)
        self.colours = colours
        self.figure = figure(
            height=280,
            sizing_mode="stretch_width",
            tools="",
            toolbar_location=None,
            x_axis_label=plain(region.labels[axis]),
            y_axis_label="events per unit of the axis",
            y_range=self.heights,
            x_axis_type=_scale(region, axis),
        )
        _label(self.figure)
        bars = self.figure.quad(
            source=self.bars,
            left="left",
            right="right",
            bottom="bottom",
            top="top",
            fill_color="colour",
            line_color=None,
        )
        self.figure.line(source=self.signal, x="x", y="y", line_color=SIGNAL, line_width=2)
        self.figure.add_glyph(self.handles, VSpan(x="x", line_color=COLOURS["grey"], line_dash="dashed"))
        grips = self.figure.scatter(
            source=self.handles,
            x="x",
            y="y",
            size=13,
            marker="inverted_triangle",
            fill_color=COLOURS["ink"],
            line_color="white",
        )
        self.figure.add_tools(HoverTool(renderers=[bars], tooltips=[("@sample", "@events{0.00} events")]))
        tool = PointDrawTool(renderers=[grips], add=True, drag=True)
        self.figure.add_tools(tool)
        self.figure.toolbar.active_multi = tool

    def on_edges(self, act: Callable[[list[float]], None]) -> None:
        """Call `act` with the edges when a hand has changed them."""
        self.handles.on_change("data", lambda _attribute, _old, new: act([float(edge) for edge in new["x"]]))

    def draw(self, templates: Templates, region: RegionBins, counts: Floats, total: Floats) -> None:
        """Draw expected events, (S, B) without the coupling and (B,) in all with it."""
        edges = np.asarray(region.axes[self.axis].edges, dtype=np.float64)
        others = tuple(index for index in range(len(region.axes)) if index != self.axis)
        width = np.diff(edges)

        def along(values: Floats) -> Floats:
            grid = values[..., region.bins].reshape(*values.shape[:-1], *region.shape)
            found: Floats = grid.sum(axis=tuple(other + values.ndim - 1 for other in others)) / width
            return found

        order = sorted(
            range(len(templates.samples)), key=lambda i: (templates.roles[i] == "signal", float(counts[i].sum()))
        )
        heights = along(counts)
        tops = np.cumsum(heights[order], axis=0)
        bars: dict[str, list[Any]] = {name: [] for name in self.bars.data}
        for sample, top in zip(order, tops, strict=True):
            bars["left"] += edges[:-1].tolist()
            bars["right"] += edges[1:].tolist()
            bars["bottom"] += (top - heights[sample]).tolist()
            bars["top"] += top.tolist()
            bars["events"] += (heights[sample] * width).tolist()
            bars["colour"] += [self.colours[templates.samples[sample]]] * len(width)
            bars["sample"] += [templates.titles[sample] or templates.samples[sample]] * len(width)
        self.bars.data = bars
        steps = along(total)
        self.signal.data = {"x": np.repeat(edges, 2)[1:-1].tolist(), "y": np.repeat(steps, 2).tolist()}
        highest = 1.12 * float(max(tops[-1].max(), steps.max(), 1e-300))
        self.heights.end = highest
        self.handles.data = {"x": edges.tolist(), "y": [0.97 * highest] * len(edges)}


class Plane:
    """The two observables of a region as a map: one of `QUANTITIES` in each bin."""

    EVENTS, SHARE, SIMULATED = "expected events", "coupling's events / sqrt(events)", "simulated events"
    QUANTITIES: ClassVar[tuple[str, ...]] = (EVENTS, SHARE, SIMULATED)

    def __init__(self, region: RegionBins) -> None:
        self.cells = ColumnDataSource({"left": [], "right": [], "bottom": [], "top": [], "value": []})
        self.mapper = LinearColorMapper(palette="Cividis256", low=0.0, high=1.0)
        self.figure = figure(
            height=300,
            sizing_mode="stretch_width",
            tools="hover",
            tooltips=[("", "@value{0.000}")],
            toolbar_location=None,
            x_axis_label=plain(region.labels[0]),
            y_axis_label=plain(region.labels[1]),
            x_axis_type=_scale(region, 0),
            y_axis_type=_scale(region, 1),
        )
        _label(self.figure)
        self.figure.quad(
            source=self.cells,
            left="left",
            right="right",
            bottom="bottom",
            top="top",
            fill_color={"field": "value", "transform": self.mapper},
            line_color="white",
            line_width=0.5,
        )
        self.figure.add_layout(ColorBar(color_mapper=self.mapper), "right")

    def draw(self, quantity: str, templates: Templates, region: RegionBins, counts: Floats, on: Floats) -> None:
        """Draw a quantity of the expected events, (S, B) without the coupling and with it."""
        total, extra = counts.sum(axis=0)[region.bins], (on - counts).sum(axis=0)[region.bins]
        if quantity == self.EVENTS:
            values = total
        elif quantity == self.SHARE:
            values = np.divide(extra, np.sqrt(total), out=np.zeros_like(total), where=total > 0)
        else:
            values = templates.entries.sum(axis=0)[region.bins].astype(np.float64)
        across, upward = (np.asarray(axis.edges, dtype=np.float64) for axis in region.axes)
        grid = np.meshgrid(np.arange(len(across) - 1), np.arange(len(upward) - 1), indexing="ij")
        columns, rows = (places.ravel() for places in grid)
        self.mapper.low, self.mapper.high = float(min(values.min(), 0.0)), float(values.max()) or 1.0
        self.cells.data = {
            "left": across[columns].tolist(),
            "right": across[columns + 1].tolist(),
            "bottom": upward[rows].tolist(),
            "top": upward[rows + 1].tolist(),
            "value": values.tolist(),
        }


def _scale(region: RegionBins, axis: int) -> str:
    """Return "log" for an axis whose low edges would lie upon each other: handles are there to be taken hold of."""
    edges = np.asarray(region.axes[axis].edges)
    return "log" if edges[0] > 0 and edges[-1] > 10.0 * edges[0] else "linear"


def _label(drawn: Any) -> None:
    """Give logarithmic axes numbers at 1, 2 and 5 of every decade, and all axes the same room on the left."""
    drawn.min_border_left = 70
    for axis in drawn.axis:
        if isinstance(axis, LogAxis):
            axis.ticker = LogTicker(mantissas=[1, 2, 5], desired_num_ticks=12)
            axis.formatter = BasicTickFormatter()
