"""The command `inject`: fake data as a file that reads back as data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

import spectrafit as sf
from spectrafit.cli import fake
from spectrafit.cli.analyses import crew, refuse_output, templates_of
from spectrafit.cli.fake import AsimovAt, DataFrom, ThrowNuisances, ToySeed
from spectrafit.cli.options import AnalysisFile, Cache, Executor, Saved, Scheduler, Set, SkipBad, Without, Workers
from spectrafit.errors import ConfigError

__all__ = ["inject"]


def inject(
    analysis: AnalysisFile,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="counts: NAME.toml; or events: NAME.root, with NAME.toml beside it")
    ],
    asimov: AsimovAt = None,
    toy: ToySeed = None,
    throw_nuisances: ThrowNuisances = False,
    data_from: DataFrom = None,
    set_: Set = None,
    without: Without = None,
    templates: Saved = None,
    executor: Executor = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    cache: Cache = None,
    skip_bad_files: SkipBad = False,
) -> None:
    """Write fake data to a file that is read back as data.

    Counts, for data = "toy.toml" in the analysis, or --set data=toy.toml:

        spectrafit inject fits/nova_nd_fhc.toml --toy 7 --asimov kappa=2 -o fits/toy.toml

    Single events of the simulation, with a sample set to add to the analysis' samples:

        spectrafit inject fits/nova_nd_fhc.toml --toy 7 --asimov kappa=2 -o toy.root
    """
    from spectrafit.interop.injection import check_name

    data = fake.choice(asimov, toy, throw_nuisances, "stay", data_from)
    if data is None:
        raise ConfigError("inject: say what to write: --asimov NAME=VALUE, --toy SEED or --data-from SAMPLES.toml")
    check_name(output, data)
    for path in {output, output.with_suffix(".toml")}:
        refuse_output(path, analysis, set_, templates, without)
    loaded = sf.load(analysis, overrides=set_ or (), without=without or ())
    found = templates_of(loaded, templates, executor, workers, scheduler, cache, skip_bad_files)
    with crew(executor, workers, scheduler) as pool:
        written = sf.inject(
            output,
            loaded,
            found,
            data,
            executor=pool,
            workers=None if scheduler else workers or os.cpu_count(),
            tell=lambda said: typer.echo(said, err=True),
        )
    for path in written:
        typer.echo(path)
