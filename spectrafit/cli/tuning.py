"""The command `tune`: a page in the browser on which an analysis is tuned by hand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

import spectrafit as sf
from spectrafit.cli.binnings import cells_of
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
from spectrafit.errors import ConfigError

if TYPE_CHECKING:
    from spectrafit.report.tuning.choice import Choice

__all__ = ["tune"]


def tune(
    analysis: AnalysisFile,
    port: Annotated[int, typer.Option(min=0, max=65535, help="of the page; default: a free one")] = 0,
    browser: Annotated[bool, typer.Option(help="open the page in the browser")] = True,
    fine: Annotated[
        int | None, typer.Option(help="cut every bin into so many cells along each axis; default: 60 cells an axis")
    ] = None,
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
    """Open a page on which edges are dragged and sliders moved, and the expected limit follows."""
    try:
        from spectrafit.report.tuning.serve import serve
    except ImportError as error:
        raise ConfigError("tune: the page needs bokeh; install it with pip install 'spectrafit-numm[tune]'") from error
    from spectrafit.report.tuning.choice import Choice
    from spectrafit.report.tuning.numbers import Workbench

    loaded = sf.load(analysis, overrides=set_ or (), without=without or (), interest=interest)
    crew = {"executor": executor, "workers": workers or (None if scheduler else os.cpu_count()), "scheduler": scheduler}
    cells = cells_of(loaded, templates, [], {}, fine, {**crew, "cache": cache}, skip_bad_files)

    def optimise() -> Choice:
        edges = sf.optimise(cells, starts=1).edges
        return Choice(
            edges=tuple(tuple(tuple(edge) for edge in edges[region.name].values()) for region in loaded.regions)
        )

    serve(
        Workbench(loaded, cells),
        optimise,
        port=port,
        browser=browser,
        ready=lambda address: typer.echo(f"{address} (ctrl-C ends it)"),
    )
