"""Parts of the tuning page that hold nothing of the analysis: its letters, buttons, and the table of kept choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bokeh.models import Button, ColumnDataSource, DataTable, TableColumn

__all__ = ["TEXT", "WRAP", "button", "kept_table", "when"]

WRAP: Any = {"flex-wrap": "wrap", "gap": "12px"}
"""A row whose parts go below each other where there is no room."""
TEXT: Any = {"font": "15px/1.45 Georgia, serif", "color": "#1a1a1a"}
"""The letters of a paragraph."""

_COLUMNS = {
    "name": ("kept", 110),
    "bins": ("bins", 50),
    "limit": ("expected limit", 110),
    "band": ("68 % of experiments", 150),
    "error": ("error of kappa, noise off", 150),
    "least": ("fewest simulated", 110),
}


def kept_table() -> tuple[ColumnDataSource, DataTable]:
    """Return the empty table of kept choices, hidden, and the source of its rows."""
    source = ColumnDataSource({name: [] for name in _COLUMNS})
    table = DataTable(
        source=source,
        columns=[TableColumn(field=name, title=title, width=width) for name, (title, width) in _COLUMNS.items()],
        height=150,
        index_position=None,
        sizing_mode="stretch_width",
        reorderable=False,
        visible=False,
    )
    return source, table


def button(label: str, action: Callable[[], None]) -> Button:
    """Return a button that calls `action`."""
    made = Button(label=label, width=max(70, 9 * len(label) + 20))
    made.on_click(lambda _event: action())
    return made


def when(model: Any, attribute: str, act: Callable[[Any], Any]) -> None:
    """Call `act` with the new value of a widget's attribute when it changes."""
    model.on_change(attribute, lambda _attribute, _old, new: act(new))
