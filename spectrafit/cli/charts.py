"""The command `chart`: published limits on magnetic moments and those of results, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectrafit.cli.answers import Answer, Json, checked_files, give
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
    json: Json = False,
    literature: Annotated[bool, typer.Option(help="with the published limits that are shipped")] = True,
    sky: Annotated[bool, typer.Option(help="with the bounds from stars and the early universe")] = True,
) -> None:
    """Chart limits on neutrino magnetic moments: published ones by flavour, and those of your results beside them."""
    import spectrafit as sf

    given = paths or []
    for target in output or []:
        if any(target.resolve() == path.resolve() for path in given):
            raise ConfigError(f"{target}: is an input of the chart; give -o another name")
    files = checked_files(output, draws=True, more=("tex",))
    tables = [path for path in given if path.suffix.lower() == ".toml"]
    results = [path for path in given if path.suffix.lower() != ".toml"]
    found = sf.chart(tables, results, literature=literature, sky=sky)
    answer = Answer(
        text=found.table, summary=found.summary, rows=found.rows, draw=found.draw, texts={"tex": found.latex}
    )
    give(answer, json=json, files=files)
