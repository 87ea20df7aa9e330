"""Commands about results that `fit` has written: status, compare, yields."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectrafit.cli.answers import Answer, Drawn, Json, Tables, checked_files, give

__all__ = ["compare", "status", "yields"]

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


def status(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="a result's folder, or the folder of several")],
    output: Tables = None,
    json: Json = False,
) -> None:
    """Say what a folder of results holds: of which analysis and data, when made, the limit, and newer inputs."""
    from spectrafit.report.status import status as known
    from spectrafit.report.status import status_table

    targets = checked_files(output)
    rows = known(results)
    answer = Answer(text=lambda: status_table(rows), summary=lambda: {"results": rows}, rows=lambda: rows)
    give(answer, json=json, files=targets)


def compare(
    results: Annotated[list[Path], typer.Argument(metavar="RESULT...", help="folders of results, or result.json")],
    output: Drawn = None,
    json: Json = False,
) -> None:
    """Show results side by side: numbers, keys of the configuration that differ, and limits and profiles overlaid.

    spectrafit compare results/a results/b -o compare.png
    """
    from rich.console import Group

    from spectrafit.report.comparing import compare as side_by_side

    targets = checked_files(output, draws=True)
    found = side_by_side(results)
    answer = Answer(text=lambda: Group(*found.tables()), summary=found.summary, rows=found.rows, draw=found.draw)
    give(answer, json=json, files=targets)
