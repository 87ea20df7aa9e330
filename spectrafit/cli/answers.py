"""Gives the answer of a command: as text, as JSON alone on standard output, and to the files that are asked for.

Every command that answers with numbers has the options `Json` and `Tables` (or `Drawn`, where there is a figure of the
answer) and ends with `give`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from spectrafit.cli.workspaces import WorkspaceFile
    from spectrafit.config import Analysis

__all__ = ["Answer", "Drawn", "Json", "Tables", "about", "checked_files", "give"]

Json = Annotated[bool, typer.Option("--json", help="print the answer as JSON, and nothing else on standard output")]
Tables = Annotated[
    list[Path] | None,
    typer.Option("-o", "--output", metavar="FILE", help="write the answer there, too: *.csv, *.json; may be repeated"),
]
Drawn = Annotated[
    list[Path] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="write the answer there, too: *.csv, *.json, or a figure *.png, *.pdf, *.svg; may be repeated",
    ),
]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command found.

    Attributes
    ----------
    text : callable
        Returns what the terminal shows: text, or something that rich prints.
    summary : callable
        Returns what JSON holds.
    rows : callable
        Returns the rows of CSV.
    draw : callable or None
        Draws the figure to a file.
    notes : sequence of str
        Sentences below the answer.
    texts : mapping of str to callable
        Other formats by suffix, each of which returns the text of a file.
    """

    text: Callable[[], Any]
    summary: Callable[[], Mapping[str, Any]]
    rows: Callable[[], Iterable[Mapping[str, Any]]]
    draw: Callable[[Path], Path] | None = None
    notes: Sequence[str] = ()
    texts: Mapping[str, Callable[[], str]] = field(default_factory=dict)


def checked_files(files: list[Path] | None, *, draws: bool = False, more: Collection[str] = ()) -> tuple[Path, ...]:
    """Return the files that an answer goes to; ConfigError if one has no suffix that says how. Call it before the work.

    A figure is a format only where one can be drawn (`draws`); `more` are other formats.
    """
    found = tuple(files or ())
    if found:
        from spectrafit.report.saved_tables import check_study_name

        for target in found:
            check_study_name(target, draws=draws, more=more)
    return found


def about(analysis: Analysis | WorkspaceFile) -> dict[str, Any]:
    """Return what JSON says of the analysis or workspace that an answer is of."""
    from spectrafit.config import Analysis, digest

    if not isinstance(analysis, Analysis):
        return {"title": analysis.title, "workspace": str(analysis.path)}
    return {"title": analysis.title, "analysis": analysis.path, "configuration_digest": digest(analysis)}


def give(answer: Answer, *, json: bool, files: Iterable[Path]) -> None:
    """Print the answer and write its files; with `json` the notes and the names of the files go to standard error."""
    if json:
        import json as writer

        from spectrafit.report.plain import plain

        typer.echo(writer.dumps(plain(answer.summary()), indent=1, allow_nan=False))
    else:
        shown = answer.text()
        if isinstance(shown, str):
            typer.echo(shown)
        else:
            from rich.console import Console

            Console().print(shown)
    for note in answer.notes:
        typer.echo(f"note: {note}", err=json)
    for target in files:
        from spectrafit.report.saved_tables import save_study

        typer.echo(
            save_study(target, rows=answer.rows, summary=answer.summary, draw=answer.draw, texts=answer.texts), err=json
        )
