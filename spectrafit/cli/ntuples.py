"""The commands that read and write ntuples: generate, inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import spectrafit as sf
from spectrafit.cli.options import Executor, Workers, interactive
from spectrafit.errors import SpectrafitError

__all__ = ["generate", "inspect"]


def generate(
    samples: Annotated[Path, typer.Argument(metavar="SAMPLES.toml", help="a sample set with recipes")],
    seed: Annotated[int | None, typer.Option(help="instead of the sample set's")] = None,
    folder: Annotated[Path | None, typer.Option(help="instead of where the sample set's files are")] = None,
    executor: Executor = "threads",
    workers: Workers = None,
) -> None:
    """Make the ntuples a sample set has recipes for."""
    loaded = sf.load_samples(samples)
    for path in sf.generate(
        loaded, seed=seed, folder=folder, executor=executor, workers=workers, progress=interactive()
    ):
        typer.echo(path)


def inspect(files: Annotated[list[str], typer.Argument(metavar="FILE...", help="ROOT files or URLs")]) -> None:
    """Show what a ROOT file holds: trees, branches, which preset reads it, nu-e events, ranges, POT."""
    from rich.console import Console

    console = Console()
    refused = False
    for file in files:
        try:
            console.print(sf.inspect(file), soft_wrap=True)
        except SpectrafitError as error:
            refused = True
            console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    if refused:
        raise typer.Exit(2)
