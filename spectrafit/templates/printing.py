"""Short texts and small HTML tables for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["columns", "table"]


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines with their columns below each other."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def table(title: str, rows: Sequence[Sequence[str]]) -> str:
    """Return rows as an HTML table under a title; the first row is the head. All text is escaped."""
    lines = [f"<p>{escape(title)}</p>", "<table>"]
    for number, row in enumerate(rows):
        cell = "td" if number else "th"
        lines.append("<tr>" + "".join(f"<{cell}>{escape(text)}</{cell}>" for text in row) + "</tr>")
    return "\n".join([*lines, "</table>"])
