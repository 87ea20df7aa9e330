"""Commands that ask what an analysis could see if: sensitivity."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import typer

from spectrafit.cli.analyses import assembled, crew, limit_options
from spectrafit.cli.options import (
    AnalysisFile,
    Cache,
    Executor,
    Interest,
    Saved,
    Scheduler,
    Set,
    SkipBad,
    Without,
    Workers,
)

__all__ = ["sensitivity"]


def sensitivity(
    analysis: AnalysisFile,
    exposure: Annotated[list[float] | None, typer.Option(help="multiple of the analysis POT; may be repeated")] = None,
    systematics: Annotated[list[float] | None, typer.Option(help="multiple of all priors; may be repeated")] = None,
    simulation: Annotated[
        Literal["fixed", "grows"], typer.Option(help="whether the simulation grows with the exposure")
    ] = "fixed",
    set_: Set = None,
    without: Without = None,
    interest: Interest = None,
    templates: Saved = None,
    executor: Executor = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    cache: Cache = None,
    skip_bad_files: SkipBad = False,
) -> None:
    """Print the expected limit for other exposures and other sizes of the systematics."""
    from spectrafit.inference.studies.sensitivity import sensitivity as expect

    loaded, model = assembled(analysis, set_, interest, False, templates, cache, skip_bad_files, without)
    with crew(executor, workers, scheduler) as pool:
        found = expect(
            model,
            exposure or [1.0, 2.0, 5.0, 10.0],
            systematics=systematics or [0.0, 1.0],
            simulation=simulation,
            **limit_options(loaded.limit, pool, workers or os.cpu_count()),
        )
    typer.echo(found)
