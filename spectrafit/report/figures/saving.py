"""A figure and a path in, one file out, of the format its suffix names: whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from spectrafit.errors import ConfigError, nearest
from spectrafit.output import replacing

__all__ = ["save"]

# Without a date the same figure is the same file.
_UNDATED: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


def save(figure: Figure, target: Path) -> None:
    """Save a figure.

    Raises
    ------
    ConfigError
        For a suffix that is no format of a figure.
    DataError
        If the file cannot be written.
    """
    formats = figure.canvas.get_supported_filetypes()
    kind = target.suffix.removeprefix(".").lower()
    if kind not in formats:
        raise ConfigError(
            f"{target}: {kind or 'no suffix'!r} is no format of a figure{nearest(kind, formats)}; needed one of "
            f"{', '.join(sorted(formats))}"
        )
    with replacing(target, remedy="choose another place") as part:
        figure.savefig(part, format=kind, dpi=200, metadata=_UNDATED.get(kind))
