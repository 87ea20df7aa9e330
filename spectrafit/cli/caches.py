"""Commands about the column cache: cache list, cache clear."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectrafit.errors import DataError

__all__ = ["app"]

app = typer.Typer(help="What builds with --cache FOLDER have kept.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="the folder given to --cache")]


@app.command(name="list")
def show(folder: Folder) -> None:
    """List what a cache holds."""
    from spectrafit.templates import cache

    items = cache.contents(_there(folder))
    for item in items:
        where = f"{item.file}:{item.tree} {item.start}-{item.stop}"
        typer.echo(f"{where}  {item.size / 1e6:.1f} MB  {', '.join(item.columns)}")
    typer.echo(f"{folder}: {len(items)} chunks, {sum(item.size for item in items) / 1e6:.1f} MB")


@app.command()
def clear(folder: Folder) -> None:
    """Delete what a cache holds, and nothing else in the folder."""
    from spectrafit.templates import cache

    typer.echo(f"{folder}: {cache.clear(_there(folder)) / 1e6:.1f} MB deleted")


@app.command()
def unfinished(
    remove: Annotated[bool, typer.Option("--clear", help="delete them")] = False,
) -> None:
    """List the runs that were stopped and can go on with --resume, in the user's cache; --clear deletes them."""
    from spectrafit.inference.toys import journal

    for head in journal.kept():
        typer.echo(f"{head['command']} {head['subject']}: {head['pieces']} pieces, {head['bytes'] / 1e6:.1f} MB")
    typer.echo(f"{journal.folder()}: {journal.clear() / 1e6:.1f} MB deleted" if remove else f"{journal.folder()}")


def _there(folder: Path) -> Path:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the folder that --cache had")
    return folder
