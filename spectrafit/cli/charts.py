"""The command `chart`: published limits on magnetic moments and those of results, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectrafit.errors import ConfigError

__all__ = ["chart"]


def chart(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="result.json files or their folders, and tables of limits (*.toml)"),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("-o", "--output", help="write there: *.svg, *.png, *.pdf, *.csv, *.json, *.tex; may be repeated"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the limits as JSON")] = False,
    literature: Annotated[bool, typer.Option(help="with the published limits that are shipped")] = True,
    sky: Annotated[bool, typer.Option(help="with the bounds from stars and the early universe")] = True,
) -> None:
    """Chart limits on neutrino magnetic moments: published ones by flavour, and those of your results beside them."""
    import spectrafit as sf
    from spectrafit.report.saved_tables import check_study_name

    given = paths or []
    for target in output or []:
        if any(target.resolve() == path.resolve() for path in given):
            raise ConfigError(f"{target}: is an input of the chart; give -o another name")
        if target.suffix.lower() != ".tex":
            check_study_name(target)
    tables = [path for path in given if path.suffix.lower() == ".toml"]
    results = [path for path in given if path.suffix.lower() != ".toml"]
    found = sf.chart(tables, results, literature=literature, sky=sky)
    for target in output or []:
        found.save(target)
    if json:
        import json as writer

        typer.echo(writer.dumps(found.summary()))
        return
    from rich.console import Console

    Console().print(found.table())
    for target in output or []:
        typer.echo(target)
