"""The tuning page itself: figures with edges to drag, sliders, tables, and what happens when one of them is moved.

The page holds no physics: every number is `Workbench.numbers`, which calls the verbs that scripts call. bokeh keeps the
widgets of the browser and of this process alike.
"""

from __future__ import annotations

import dataclasses
import html
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.models import (
    Button,
    Checkbox,
    CustomJS,
    Div,
    PreText,
    Select,
    Slider,
    Spinner,
    TextInput,
    UIElement,
)

from spectrafit.errors import SpectrafitError
from spectrafit.report.figures.colours import components
from spectrafit.report.figures.style import SIGNAL
from spectrafit.report.symbols import symbols
from spectrafit.report.tuning.choice import Choice, chosen_first, snippet
from spectrafit.report.tuning.drawings import Plane, Spectrum
from spectrafit.report.tuning.numbers import Numbers, Workbench
from spectrafit.report.tuning.widgets import TEXT, WRAP, button, kept_table, when
from spectrafit.report.tuning.words import constraint_rows, headline, kept_row, legend
from spectrafit.report.units import kappa_unit

__all__ = ["Page", "document"]

# Sliders reach this many prior widths of a nuisance, and this many expected errors of a coupling.
_REACH = 3.0
_EXPOSURES = (-1.0, 2.0)  # decades


def document(bench: Workbench, optimise: Callable[[], Choice], doc: Document) -> Page:
    """Fill a document of bokeh's with the page, and return it.

    Parameters
    ----------
    bench : Workbench
    optimise : callable
        Returns the best choice; called by the page's button in a thread of its own.
    doc : Document
    """
    page = Page(bench, optimise)
    doc.add_root(page.layout)
    doc.title = f"tune: {bench.analysis.title or bench.analysis.path}"
    page.doc = doc
    return page


class Page:
    """The widgets and the state behind them: one choice, those before it, and those that were kept."""

    def __init__(self, bench: Workbench, optimise: Callable[[], Choice]) -> None:
        self.bench, self._optimise = bench, optimise
        self.doc: Document | None = None
        self.choice = chosen_first(bench.analysis)
        self.values: dict[str, float] = {}
        self._before: list[Choice] = []
        self._undone: list[Choice] = []
        self._kept: list[tuple[str, Choice]] = []
        # Whether widgets are being set by this process, not by a hand.
        self._setting = False
        self.numbers: Numbers = bench.numbers(self.choice)
        self._make()
        self._show()

    # ------------------------------------------------------------------ what is on the page

    def _make(self) -> None:
        analysis, first = self.bench.analysis, self.numbers
        self.headline = Div(styles=TEXT, sizing_mode="stretch_width")
        self.notes = Div(styles=TEXT | {"color": "#d55e00"}, sizing_mode="stretch_width", visible=False)
        self.constraints = Div(styles=TEXT, sizing_mode="stretch_width")
        self.toml = PreText(sizing_mode="stretch_width", styles={"white-space": "pre-wrap", "font-size": "12px"})
        self.undo_button = button("undo", self.undo)
        self.redo_button = button("redo", self.redo)
        self.reset_button = button("as it was", self.reset)
        self.keep_button = button("keep this one", self.keep)
        self.optimise_button = button("look for the best binning", self.optimise)
        self.copy_button = Button(label="copy TOML", width=110)
        self.copy_button.js_on_click(
            CustomJS(args={"text": self.toml}, code="navigator.clipboard.writeText(text.text)")
        )
        self.region = Select(
            title="region",
            options=[(str(index), region.name) for index, region in enumerate(analysis.regions)],
            value="0",
            visible=len(analysis.regions) > 1,
            width=200,
        )
        when(self.region, "value", lambda _new: self._region_changed())
        self.shown = Select(title="plane shows", options=list(Plane.QUANTITIES), value=Plane.QUANTITIES[0], width=260)
        when(self.shown, "value", lambda _new: self._draw())
        low, high = _EXPOSURES
        self.exposure = Slider(
            title="exposure", start=low, end=high, step=0.01, value=0.0, show_value=False, sizing_mode="stretch_width"
        )
        when(self.exposure, "value_throttled", lambda new: self._chose_exposure(new))
        self.parameters = {name: self._slider(name, first) for name in first.model.names}
        self.rows = {
            name: self._systematic(name)
            for name in dict.fromkeys(systematic.name for systematic in analysis.systematics)
        }
        self.kept_source, self.kept = kept_table()
        when(self.kept_source.selected, "indices", lambda new: self._restore(new))
        templates = first.templates
        self.colours = dict(
            zip(templates.samples, components(templates.samples, templates.roles, templates.titles), strict=True)
        )
        self.legend = Div(
            text=legend(first, self.colours, SIGNAL), styles=TEXT | {"font-size": "13px"}, sizing_mode="stretch_width"
        )
        self.figures = column(sizing_mode="stretch_width")
        self.spectra: list[Spectrum] = []
        self.edges: list[TextInput] = []
        self.plane: Plane | None = None
        self._make_figures()
        self.layout = self._laid_out()

    def _laid_out(self) -> UIElement:
        title = html.escape(self.bench.analysis.title or self.bench.analysis.path)
        buttons = [
            self.undo_button,
            self.redo_button,
            self.reset_button,
            self.keep_button,
            self.copy_button,
            self.optimise_button,
        ]
        head = Div(text=f"<b style='font-size:20px'>{symbols(title)}</b>", styles=TEXT, sizing_mode="stretch_width")
        couplings = [self.parameters[name] for name in self.numbers.model.couplings]
        sliders = column(
            Div(text="<b>where the parameters stand</b> (the spectra; the limit is for kappa = 0)", styles=TEXT),
            *couplings,
            *(self.parameters[name] for name in self.parameters if self.parameters[name] not in couplings),
            sizing_mode="stretch_width",
            styles={"max-height": "420px", "overflow-y": "auto", "padding-right": "10px"},
        )
        systematics = column(
            Div(text="<b>systematics</b>: kept or not, and the width of the prior", styles=TEXT),
            *(row(*widgets, styles=WRAP) for widgets in self.rows.values()),
            sizing_mode="stretch_width",
        )
        side: Any = {"flex": "1 1 340px", "min-width": "300px"}
        left = column(
            row(self.region, self.shown, styles=WRAP),
            self.legend,
            self.figures,
            styles={"flex": "2 1 420px", "min-width": "300px"},
        )
        right = column(self.exposure, self.constraints, systematics, sliders, styles=side)
        return column(
            head,
            self.headline,
            self.notes,
            row(*buttons, styles=WRAP, sizing_mode="stretch_width"),
            row(left, right, styles=WRAP, sizing_mode="stretch_width"),
            self.kept,
            Div(text="<b>this choice as an analysis</b>", styles=TEXT),
            self.toml,
            sizing_mode="stretch_width",
            styles={"max-width": "1240px", "margin": "0 auto", "padding": "12px"},
        )

    def _slider(self, name: str, first: Numbers) -> Slider:
        """Return the slider of one parameter, in units of its prior or, for a coupling, of kappa."""
        model = first.model
        parameter = model.parameters[model.index(name)]
        at = parameter.initial
        if name in model.couplings:
            unit = kappa_unit(model.couplings[name])
            reach = 3.0 * abs(first.limit.kappa - first.limit.best_kappa) if name == model.poi else _REACH
            start, end, label = 0.0, float(f"{max(reach, 1e-12):.2g}"), f"{name} [{unit}]" if unit else name
        elif parameter.constraint == "gaussian":
            start, end, label = at - _REACH, at + _REACH, f"{name} [prior's sigma]"
        else:
            start, end, label = 0.0, 2.0 * at if at else 1.0, name
        slider = Slider(
            title=label, start=start, end=end, step=(end - start) / 200.0, value=at, sizing_mode="stretch_width"
        )
        when(slider, "value", lambda new: self._set_value(name, new))
        return slider

    def _systematic(self, name: str) -> tuple[Checkbox, Spinner]:
        box = Checkbox(label=name, active=True, width=160)
        when(box, "active", lambda new: self._choose(self.choice.with_systematic(name, kept=new)))
        own = self._own_width(name)
        width = Spinner(value=own, low=0.05, high=20.0, step=0.25, width=80, title="", disabled=own is None)
        when(width, "value", lambda new: self._chose_width(name, new))
        return (box, width)

    def _own_width(self, name: str) -> float | None:
        """Return the prior width of a systematic in the analysis, None for a free normalisation."""
        said = next(systematic for systematic in self.bench.analysis.systematics if systematic.name == name)
        return None if getattr(said, "free", False) else said.prior_width

    def _make_figures(self) -> None:
        at = int(self.region.value)
        region = self.numbers.templates.regions[at]
        self.spectra, self.edges = [], []
        parts: list[UIElement] = []
        for axis in range(len(region.axes)):
            spectrum = Spectrum(region, axis, self.colours)
            spectrum.on_edges(partial(self._dragged, at, axis))
            text = TextInput(title=f"edges of {region.observables[axis]}", sizing_mode="stretch_width")
            when(text, "value", partial(self._typed, at, axis))
            self.spectra.append(spectrum)
            self.edges.append(text)
            parts += [spectrum.figure, text]
        self.plane = Plane(region) if len(region.axes) == 2 else None
        self.shown.visible = self.plane is not None
        self.figures.children = [*parts, self.plane.figure] if self.plane else parts

    # ------------------------------------------------------------------ what hands do

    def _region_changed(self) -> None:
        self._make_figures()
        self._show()

    def _set_value(self, name: str, value: float) -> None:
        if not self._setting:
            self.values[name] = float(value)
            self._draw()

    def _chose_exposure(self, decades: float) -> None:
        if not self._setting:
            self._choose(dataclasses.replace(self.choice, exposure=float(f"{10.0**decades:.4g}")))

    def _chose_width(self, name: str, width: float | None) -> None:
        own = self._own_width(name)
        if width is not None and own is not None:
            self._choose(self.choice.with_width(name, width, own))

    def _dragged(self, region: int, axis: int, edges: list[float]) -> None:
        """Take edges as they were left by a hand: each goes to the nearest one of the grid."""
        if self._setting:
            return
        fine = self.bench.fine_edges(region, axis)
        places = sorted({int(np.abs(fine - edge).argmin()) for edge in edges})
        if len(places) < 2:
            self._tell("an axis needs two edges at least")
            self._show()
            return
        self._choose(self.choice.with_edges(region, axis, [float(f"{fine[place]:.10g}") for place in places]))

    def _typed(self, region: int, axis: int, text: str) -> None:
        if self._setting:
            return
        try:
            edges = [float(word) for word in text.replace(",", " ").split()]
        except ValueError:
            self._tell(f"edges are numbers with commas between them; found {text!r}")
            self._show()
            return
        self._dragged(region, axis, edges)

    def _choose(self, choice: Choice) -> None:
        """Go to another choice, which undo leads back from."""
        if self._setting or choice == self.choice:
            return self._show() if not self._setting else None
        self._before.append(self.choice)
        self._undone.clear()
        self._go(choice)
        return None

    def undo(self) -> None:
        """Go back to the choice before."""
        if self._before:
            self._undone.append(self.choice)
            self._go(self._before.pop())

    def redo(self) -> None:
        """Take the last undo back."""
        if self._undone:
            self._before.append(self.choice)
            self._go(self._undone.pop())

    def reset(self) -> None:
        """Go to the analysis as it is."""
        self._choose(chosen_first(self.bench.analysis))

    def keep(self) -> None:
        """Put the choice into the table, for comparison."""
        self._keep(f"no. {len(self._kept) + 1}", self.choice, self.numbers)

    def _keep(self, name: str, choice: Choice, numbers: Numbers) -> None:
        self._kept.append((name, choice))
        self.kept.visible = True
        self.kept_source.stream(
            {key: [value] for key, value in {"name": name, **kept_row(numbers)}.items()}, rollover=None
        )

    def _restore(self, chosen: list[int]) -> None:
        if chosen:
            self._choose(self._kept[chosen[0]][1])

    def optimise(self) -> None:
        """Look for the best binning in another thread; the page stays alive meanwhile."""
        self.optimise_button.disabled, self.optimise_button.label = True, "looking ..."
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        try:
            found: Choice | str = self._optimise()
        except SpectrafitError as error:
            found = str(error)
        assert self.doc is not None
        self.doc.add_next_tick_callback(partial(self._found, found))

    def _found(self, found: Choice | str) -> None:
        self.optimise_button.disabled, self.optimise_button.label = False, "look for the best binning"
        if isinstance(found, str):
            self._tell(found)
            return
        self._choose(dataclasses.replace(self.choice, edges=found.edges))
        self._keep("optimum", self.choice, self.numbers)

    def _go(self, choice: Choice) -> None:
        try:
            self.numbers = self.bench.numbers(choice)
        except SpectrafitError as error:
            self._tell(str(error))
        else:
            self.choice = choice
            self._tell("")
        self._show()

    def _tell(self, text: str) -> None:
        self.notes.text, self.notes.visible = html.escape(text), bool(text)

    # ------------------------------------------------------------------ what the page says

    def _show(self) -> None:
        """Set every widget to what the choice and its numbers say."""
        self._setting = True
        try:
            choice = self.choice
            self.headline.text = headline(self.numbers, self.bench.analysis.limit.method)
            self.constraints.text = constraint_rows(self.numbers)
            self.toml.text = snippet(self.bench.analysis, choice)
            self.exposure.value = float(np.log10(choice.exposure))
            pot = self.numbers.analysis.pot
            written = (
                ", ".join(f"{name}: {exposure:.4g}" for name, exposure in pot.items())
                if isinstance(pot, dict)
                else f"{pot:.4g}"
            )
            units = ", ".join(dict.fromkeys(unit for _, unit in self.numbers.analysis.exposures.values()))
            self.exposure.title = f"exposure: {choice.exposure:.4g} x ({written} {units})"
            widths = dict(choice.widths)
            for name, (box, width) in self.rows.items():
                box.active = name not in choice.without
                width.value = widths.get(name, self._own_width(name))
            for name, slider in self.parameters.items():
                slider.disabled = name not in self.numbers.model.names
            self.undo_button.disabled, self.redo_button.disabled = not self._before, not self._undone
            at = int(self.region.value)
            for text, edges in zip(self.edges, choice.edges[at], strict=True):
                text.value = ", ".join(f"{edge:.10g}" for edge in edges)
        finally:
            self._setting = False
        self._draw()

    def _draw(self) -> None:
        self._setting = True
        try:
            at = int(self.region.value)
            off = self.numbers.by_sample(
                {name: value for name, value in self.values.items() if name not in self.numbers.model.couplings}
            )
            on = self.numbers.by_sample(self.values)
            region = self.numbers.templates.regions[at]
            for spectrum in self.spectra:
                spectrum.draw(self.numbers.templates, region, off, on.sum(axis=0))
            if self.plane is not None:
                self.plane.draw(self.shown.value, self.numbers.templates, region, off, on)
        finally:
            self._setting = False
