"""Options that several commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spectrafit.cli.verbosity import quiet

__all__ = [
    "AnalysisFile",
    "Cache",
    "Executor",
    "Interest",
    "Measurement",
    "Patch",
    "Saved",
    "Scheduler",
    "Set",
    "SkipBad",
    "Subject",
    "Unblind",
    "Without",
    "Workers",
    "interactive",
]

AnalysisFile = Annotated[Path, typer.Argument(metavar="ANALYSIS.toml", help="what to fit: a fits/*.toml")]
Subject = Annotated[
    Path,
    typer.Argument(metavar="ANALYSIS.toml|WORKSPACE.json", help="a fits/*.toml, or a HistFactory workspace"),
]
Measurement = Annotated[
    str | None, typer.Option(metavar="NAME", help="of a workspace: which measurement; default: the first")
]
Patch = Annotated[
    Path | None,
    typer.Option(metavar="PATCH.json[:NAME]", help="over a workspace: a JSON patch, or one of a pyhf patchset"),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="lay a setting over the file: fit.terms=shape, systematics.NAME.sigma=0.1"
    ),
]
Without = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="leave out a systematic, by name or glob; may be repeated")
]
Interest = Annotated[
    str | None,
    typer.Option(metavar="PARAMETER", help="a fitted coupling, or a workspace's free parameter"),
]
Executor = Annotated[str, typer.Option(help="serial, threads, processes or dask")]
Workers = Annotated[int | None, typer.Option(help="how many at once; default: all cores")]
Scheduler = Annotated[str | None, typer.Option(metavar="tcp://HOST:PORT", help="with --executor dask: its scheduler")]
Cache = Annotated[Path | None, typer.Option(metavar="FOLDER", help="keep the columns read, for the next build")]
SkipBad = Annotated[bool, typer.Option("--skip-bad-files", help="leave out simulation that cannot be read, and say so")]
Unblind = Annotated[bool, typer.Option("--unblind", help="fit the real data instead of the expectation")]
Saved = Annotated[Path | None, typer.Option("--templates", help="use templates saved by build, not the ntuples")]


def interactive() -> bool:
    """Return whether stderr is a terminal, and not --quiet: progress bars are for people, not for files."""
    return sys.stderr.isatty() and not quiet()
