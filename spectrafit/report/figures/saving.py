"""Saving a figure to one file, of the format its suffix names: whole or not at all, whatever its text is."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import cbook
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FuncFormatter

from spectrafit.errors import ConfigError, nearest
from spectrafit.output import replacing

__all__ = ["carried", "check_name", "save"]

# Without a date the same figure is the same file.
_UNDATED: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


@contextmanager
def carried(figure: Figure) -> Iterator[Figure]:
    """Make sure that every text of a figure can be drawn while it is saved.

    Titles and labels are the user's. Text with dollars that is no formula is drawn as it stands, and letters the font
    does not have are drawn as boxes, without a warning.
    """
    parser = MathTextParser("agg")
    for text in _texts(figure):
        if "$" in text.get_text() and text.get_parse_math() and not _is_sound(text, parser):
            text.set_parse_math(False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield figure


def _texts(figure: Figure) -> Iterator[Text]:
    """Yield the texts of a figure. Ticks of numbers are no text of a user's: to make them all takes a while."""
    yield from figure.texts
    for legend in figure.legends:
        yield from legend.get_texts()
    for axes in [*figure.axes, *(child for parent in figure.axes for child in parent.child_axes)]:
        # The titles, and what was written into the frame.
        yield from (child for child in axes.get_children() if isinstance(child, Text))
        yield from (axes.xaxis.label, axes.yaxis.label)
        key = axes.get_legend()
        yield from key.get_texts() if key is not None else ()
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter):
                # The names along an axis become text when they are asked for.
                yield from axis.get_ticklabels()


def _is_sound(text: Text, parser: MathTextParser[Any]) -> bool:
    """Whether every line with dollars is a formula that can be set."""
    try:
        for line in text.get_text().split("\n"):
            if cbook.is_math_text(line):
                parser.parse(line, 72, text.get_fontproperties())
    except (ValueError, RecursionError):
        return False
    return True


def check_name(target: Path) -> str:
    """Return the format that a file's suffix names. Raises ConfigError if no figure can be saved in it."""
    formats = FigureCanvasBase.get_supported_filetypes()
    kind = target.suffix.removeprefix(".").lower()
    if kind not in formats:
        raise ConfigError(
            f"{target}: {kind or 'no suffix'!r} is no format of a figure{nearest(kind, formats)}; needed one of "
            f"{', '.join(sorted(formats))}"
        )
    return kind


def save(figure: Figure, target: Path) -> None:
    """Save a figure.

    Raises
    ------
    ConfigError
        For a suffix that is no format of a figure.
    DataError
        If the file cannot be written.
    """
    kind = check_name(target)
    with carried(figure), replacing(target, remedy="choose another place") as part:
        figure.savefig(part, format=kind, dpi=200, metadata=_UNDATED.get(kind))
