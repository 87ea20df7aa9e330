"""The commands that read and write ntuples: generate, inspect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import spectrafit as sf
from spectrafit.cli.answers import Answer, Json, Tables, checked_files, give
from spectrafit.cli.options import Executor, Workers, interactive
from spectrafit.errors import SpectrafitError
from spectrafit.output import refuse_inputs

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


def inspect(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="ROOT files or URLs")],
    output: Tables = None,
    json: Json = False,
) -> None:
    """Show what a ROOT file holds: trees, branches, which preset reads it, nu-e events, ranges, POT."""
    from spectrafit.report.inventories import inspection_rows, inspections_summary

    targets = checked_files(output)
    for target in targets:
        refuse_inputs(target, [Path(file) for file in files])
    found, refused = [], {}
    for file in files:
        try:
            found.append(sf.inspect(file))
            if not json:
                typer.echo(str(found[-1]))
        except SpectrafitError as error:
            refused[file] = str(error)
            typer.echo(f"error: {error}", err=True)
    answer = Answer(text=str, summary=lambda: inspections_summary(found, refused), rows=lambda: inspection_rows(found))
    give(answer, json=json, files=targets)
    if refused:
        raise typer.Exit(2)
