"""Writes an answer in numbers to a file: CSV and JSON as its rows are, any format of a figure as it is drawn."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from spectrafit.errors import ConfigError, nearest
from spectrafit.output import replacing
from spectrafit.report.plain import plain

__all__ = ["check_study_name", "save_study"]


def check_study_name(target: Path, *, draws: bool = True, more: Collection[str] = ()) -> str:
    """Return the format that a file's suffix names: csv, json, one of `more`, or of a figure if there is one (`draws`).

    Raises
    ------
    ConfigError
        For any other suffix.
    """
    kind = target.suffix.removeprefix(".").lower()
    known = ("csv", "json", *more)
    if kind in known:
        return kind
    if not draws:
        needed = f"{', '.join(known[:-1])} or {known[-1]}"
        raise ConfigError(
            f"{target}: {kind or 'no suffix'!r} is no format of this answer{nearest(kind, known)}; needed is {needed}"
        )
    # matplotlib takes half a second to import: only drawing pays for it.
    from spectrafit.report.figures import saving

    try:
        return saving.check_name(target)
    except ConfigError:
        near = nearest(kind, ("csv", "json", "png", "pdf", "svg"))
        raise ConfigError(
            f"{target}: {kind or 'no suffix'!r} is no format of a study{near}; needed is csv, json or that of a figure"
        ) from None


def save_study(
    path: str | Path,
    *,
    rows: Callable[[], Iterable[Mapping[str, Any]]],
    summary: Callable[[], Mapping[str, Any]],
    draw: Callable[[Path], Path] | None = None,
    texts: Mapping[str, Callable[[], str]] | None = None,
) -> Path:
    """Write a study to one file, whole or not at all, and return the file.

    Parameters
    ----------
    path : file to write; its suffix says the format.
    rows : of the CSV; a row that lacks a key of another one has an empty cell there.
    summary : of the JSON.
    draw : what draws the figure to a file, if there is one.
    texts : other formats, by suffix.

    Raises
    ------
    ConfigError
        For a suffix of no known format.
    DataError
        If the file cannot be written.
    """
    target = Path(path)
    others = texts or {}
    kind = check_study_name(target, draws=draw is not None, more=others)
    if draw is not None and kind not in ("csv", "json", *others):
        return draw(target)
    with replacing(target, remedy="choose another place") as part, part.open("w", encoding="utf-8", newline="") as out:
        if kind == "json":
            out.write(json.dumps(plain(summary()), indent=1, allow_nan=False) + "\n")
        elif kind in others:
            out.write(others[kind]())
        else:
            table = [plain(row) for row in rows()]
            writer = csv.DictWriter(out, fieldnames=list(dict.fromkeys(itertools.chain(*table))), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
    return target
