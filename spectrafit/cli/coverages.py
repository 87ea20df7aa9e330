"""The command `coverage`: how often intervals hold the truth, in thrown experiments."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import typer

from spectrafit.cli import fake
from spectrafit.cli.analyses import assembled, crew, refuse_output
from spectrafit.cli.answers import Answer, Drawn, Json, about, checked_files, give
from spectrafit.cli.fake import AsimovAt, DataFrom, ThrowNuisances, ToySeed
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
    Without,
    Workers,
)
from spectrafit.cli.unfinished import Resume, going_on, job_key
from spectrafit.errors import ConfigError

__all__ = ["coverage"]


def coverage(
    analysis: Subject,
    kappa: Annotated[list[float] | None, typer.Option(help="true kappa; may be repeated")] = None,
    method: Annotated[list[str] | None, typer.Option(help="may be repeated; default: profile, cls")] = None,
    experiments: Annotated[int, typer.Option(help="at each true kappa")] = 1000,
    toys: Annotated[int, typer.Option(help="of the toy methods, in each experiment")] = 199,
    seed: Annotated[int | None, typer.Option(help="of the experiments; --toy says the same")] = None,
    simulation: Annotated[
        Literal["thrown", "samples", "exact"],
        typer.Option(
            help="how an experiment gets its simulation: a factor per bin, events per sample and bin, or unchanged"
        ),
    ] = "thrown",
    resume: Resume = False,
    output: Drawn = None,
    json: Json = False,
    set_: Set = None,
    without: Without = None,
    interest: Interest = None,
    templates: Saved = None,
    executor: Executor = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    cache: Cache = None,
    skip_bad_files: SkipBad = False,
    asimov: AsimovAt = None,
    toy: ToySeed = None,
    throw_nuisances: ThrowNuisances = False,
    data_from: DataFrom = None,
    measurement: Measurement = None,
    patch: Patch = None,
) -> None:
    """Throw experiments of known truth and count how often each method's interval holds it.

    With --asimov the true parameters are those, with --throw-nuisances they are thrown anew in every experiment. With
    --data-from the experiments are thrown from the events of another simulation, whose true kappa --kappa says.
    With --simulation samples every experiment has a simulation of its own, of as many events of each sample: the
    honest question where a sample has few.
    """
    from spectrafit.inference.studies.coverage import coverage as count
    from spectrafit.inference.toys.options import ToyOptions

    if toy is not None and seed is not None:
        raise ConfigError("--seed and --toy both say the seed of the experiments; leave one of them out")
    if data_from and (throw_nuisances or asimov or len(kappa or ()) != 1):
        raise ConfigError(
            "--data-from: the experiments are thrown from another simulation; say its true kappa with one --kappa, and"
            " leave out --asimov and --throw-nuisances"
        )
    targets = checked_files(output, draws=True)
    for target in targets:
        refuse_output(target, analysis, set_, templates, without, patch)
    data = fake.choice(None, None, False, "stay", data_from)
    loaded, model = assembled(
        analysis,
        set_,
        interest,
        False,
        templates,
        cache,
        skip_bad_files,
        without,
        data=data,
        measurement=measurement,
        patch=patch,
    )
    true, shifts = fake.truth(model, asimov, kappa, thrown=throw_nuisances)
    number = seed if seed is not None else toy if toy is not None else 1
    kappas, names = true or [0.0, 1.0, 2.0, 4.0], method or ["profile", "cls"]
    level = loaded.limit.level
    key = job_key(
        model,
        kappas=kappas,
        methods=names,
        level=level,
        truth=shifts,
        simulation=simulation,
        experiments=experiments,
        toys=toys,
        seed=number,
    )
    with (
        crew(executor, workers, scheduler) as pool,
        going_on(analysis, "coverage", key, resume=resume) as work,
    ):
        found = count(
            model,
            kappas,
            methods=names,
            level=level,
            truth=shifts,
            simulation=simulation,
            expected=model.data if data_from else None,
            experiments=experiments,
            toys=ToyOptions(toys=toys, seed=number, executor=pool, workers=workers or os.cpu_count()),
            journal=work,
        )
    from spectrafit.report.coverage import draw_coverage

    answer = Answer(
        text=lambda: str(found),
        summary=lambda: about(loaded) | found.summary(),
        rows=found.rows,
        draw=lambda target: draw_coverage(target, found, coupling=model.coupling, title=loaded.title or ""),
    )
    give(answer, json=json, files=targets)
