"""The command `limit`: limits by one or several methods side by side."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

import spectrafit as sf
from spectrafit.cli import fake
from spectrafit.cli.analyses import assembled, crew, limit_options, refuse_output
from spectrafit.cli.answers import Answer, Json, Tables, about, checked_files, give
from spectrafit.cli.fake import AsimovAt, Auxiliary, DataFrom, ThrowNuisances, ToySeed
from spectrafit.cli.options import (
    Cache,
    Executor,
    Interest,
    Measurement,
    Patch,
    Saved,
    Scheduler,
    Set,
    SkipBad,
    Subject,
    Unblind,
    Without,
    Workers,
)
from spectrafit.cli.unfinished import Resume, limit_job, toys_kept

__all__ = ["limit"]


def limit(
    analysis: Subject,
    method: Annotated[list[str] | None, typer.Option(help="profile, cls, feldman-cousins, ...; all for each")] = None,
    set_: Set = None,
    without: Without = None,
    interest: Interest = None,
    unblind: Unblind = False,
    templates: Saved = None,
    executor: Executor = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    cache: Cache = None,
    skip_bad_files: SkipBad = False,
    bank: Annotated[
        list[Path] | None, typer.Option(help="toys to use; all, new ones too, are saved to the first; may be repeated")
    ] = None,
    first_toy: Annotated[int, typer.Option(help="number of the first toy thrown here, to merge banks")] = 0,
    resume: Resume = False,
    output: Tables = None,
    json: Json = False,
    asimov: AsimovAt = None,
    toy: ToySeed = None,
    throw_nuisances: ThrowNuisances = False,
    auxiliary: Auxiliary = "stay",
    data_from: DataFrom = None,
    measurement: Measurement = None,
    patch: Patch = None,
) -> None:
    """Draw the limit by one or several methods and print them side by side.

    From a toy, or from the events of another simulation:

        spectrafit limit fits/nova_nd_fhc.toml --toy 7 --asimov kappa=2

        spectrafit limit fits/nova_nd_fhc.toml --data-from samples/nova_nd_nuwro.toml
    """
    from spectrafit.inference.intervals.limits import METHODS, methods, named
    from spectrafit.report.headline import beside
    from spectrafit.report.limits import limit_rows, limits_summary
    from spectrafit.report.tables import limits_table

    targets = checked_files(output)
    data = fake.choice(asimov, toy, throw_nuisances, auxiliary, data_from, unblind=unblind)
    for target in targets:
        refuse_output(target, analysis, set_, templates, without, patch)
    loaded, model = assembled(
        analysis,
        set_,
        interest,
        unblind,
        templates,
        cache,
        skip_bad_files,
        without,
        data=data,
        measurement=measurement,
        patch=patch,
    )
    said, what = loaded.limit, about(loaded)
    for name in method or ():
        if name != "all":
            named(name, model=model)
    asked = list(methods(model)) if method and "all" in method else method or [said.method]
    found = []
    options = limit_options(said, "serial", None)
    thrown = options["toys"]
    key, throws = limit_job(model, said, asked, first_toy)
    with (
        crew(executor, workers, scheduler) as pool,
        toys_kept(analysis, "limit", key, bank, throws=throws, resume=resume) as banks,
    ):
        for name in asked:
            toys = replace(thrown, bank=banks, first_toy=first_toy, executor=pool, workers=workers or os.cpu_count())
            sides = options["sides"] if options["sides"] in METHODS[name].sides else None
            found.append(sf.upper_limit(model, **{**options, "method": name, "sides": sides, "toys": toys}))
    answer = Answer(
        text=lambda: limits_table(found, model.coupling),
        summary=lambda: what | {"data": model.called} | limits_summary(found),
        rows=lambda: limit_rows(found),
        notes=[f"{each.method}: {note}" for each in found for note in (*beside(each, model.coupling), *each.notes)],
    )
    give(answer, json=json, files=targets)
