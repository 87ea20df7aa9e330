"""Commands about the column cache: cache list, cache clear."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(help="What builds with --cache FOLDER have kept.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="the folder given to --cache")]


@app.command(name="list")
def show(folder: Folder) -> None:
    """List what a cache holds."""
    from spectrafit.templates import cache

    for item in cache.contents(folder):
        where = f"{item.file}:{item.tree} {item.start}-{item.stop}"
        typer.echo(f"{where}  {item.size / 1e6:.1f} MB  {', '.join(item.columns)}")


@app.command()
def clear(folder: Folder) -> None:
    """Delete what a cache holds, and nothing else in the folder."""
    from spectrafit.templates import cache

    typer.echo(f"{folder}: {cache.clear(folder) / 1e6:.1f} MB deleted")
