"""Commands about results that `fit` has written: yields."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectrafit.cli.answers import Answer, Json, checked_files, give

__all__ = ["yields"]

ResultFolder = Annotated[Path, typer.Argument(metavar="RESULT", help="a result's folder, or its result.json")]


def yields(
    result: ResultFolder,
    bins: Annotated[bool, typer.Option("--bins", help="CSV bin by bin, not region by region")] = False,
    output: Annotated[
        list[Path] | None,
        typer.Option("-o", "--output", metavar="FILE", help="write there, too: *.csv, *.json, *.tex; may be repeated"),
    ] = None,
    json: Json = False,
) -> None:
    """Print the events of each region and sample before and after the fit, with errors, from a result's folder.

    spectrafit yields results/nova_nd_fhc -o yields.tex -o yields.csv
    """
    from spectrafit.report.saved_results import read_result
    from spectrafit.report.yields import bin_rows, yield_rows, yields_latex, yields_of

    targets = checked_files(output, more=("tex",))
    found = read_result(result)
    answer = Answer(
        text=lambda: yields_of(found),
        summary=lambda: {"title": found["title"], "regions": found["regions"]},
        rows=lambda: bin_rows(found) if bins else yield_rows(found),
        texts={"tex": lambda: yields_latex(found)},
    )
    give(answer, json=json, files=targets)
