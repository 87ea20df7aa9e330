"""Commands that ask what an analysis could see if: scan, sensitivity, breakdown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import spectrafit as sf
from spectrafit.cli import fake
from spectrafit.cli.analyses import assembled, crew, limit_options, refuse_output
from spectrafit.cli.answers import Answer, Drawn, Json, about, checked_files, give
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
    Without,
    Workers,
)
from spectrafit.cli.unfinished import Resume
from spectrafit.cli.workspaces import WorkspaceFile, is_workspace, opened, refuse_elsewhere
from spectrafit.errors import ConfigError

if TYPE_CHECKING:
    from spectrafit.config import Analysis
    from spectrafit.inference.model import Model
    from spectrafit.inference.studies.expected import Expected

__all__ = ["breakdown", "scan", "sensitivity"]


def scan(
    analysis: Subject,
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUES", help="systematics.flux.sigma=0.02,0.05 or pot=1e20:3e21:log12; once or twice"
        ),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE|SETTINGS", help="another analysis, or 'KEY=VALUE; ...'; may be repeated"),
    ] = None,
    method: Annotated[str | None, typer.Option(help="instead of the analysis' own")] = None,
    level: Annotated[float | None, typer.Option(help="instead of the analysis' own")] = None,
    simulation: Annotated[
        Literal["fixed", "grows"], typer.Option(help="whether the simulation grows with `exposure`")
    ] = "fixed",
    asimov: AsimovAt = None,
    toy: ToySeed = None,
    throw_nuisances: ThrowNuisances = False,
    auxiliary: Auxiliary = "stay",
    data_from: DataFrom = None,
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
    measurement: Measurement = None,
    patch: Patch = None,
) -> None:
    """Print the expected limit, with its bands, over values of one or two keys and for several analyses.

    With --asimov or --toy: the limit from fake data, made anew from the expectation at each point. With --data-from:
    from the events of another simulation, in the bins and at the exposure of each point.
    """
    _scan(
        analysis,
        output,
        json,
        templates,
        set_=set_,
        without=without,
        interest=interest,
        over=over or (),
        compare=compare or (),
        simulation=simulation,
        method=method,
        level=level,
        data=fake.choice(asimov, toy, throw_nuisances, auxiliary, data_from),
        others=fake.inputs(data_from),
        executor=executor,
        workers=workers,
        scheduler=scheduler,
        cache=cache,
        skip_bad_files=skip_bad_files,
        resume=resume,
        measurement=measurement,
        patch=patch,
    )


def sensitivity(
    analysis: Subject,
    exposure: Annotated[list[float] | None, typer.Option(help="multiple of the analysis POT; may be repeated")] = None,
    systematics: Annotated[list[float] | None, typer.Option(help="multiple of all priors; may be repeated")] = None,
    simulation: Annotated[
        Literal["fixed", "grows"], typer.Option(help="whether the simulation grows with the exposure")
    ] = "fixed",
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
    measurement: Measurement = None,
    patch: Patch = None,
) -> None:
    """Print the expected limit for other exposures and other sizes of the systematics: a scan of these two."""
    _scan(
        analysis,
        output,
        json,
        templates,
        set_=set_,
        without=without,
        interest=interest,
        over={"exposure": exposure or [1.0, 2.0, 5.0, 10.0], "priors": systematics or [0.0, 1.0]},
        simulation=simulation,
        executor=executor,
        workers=workers,
        scheduler=scheduler,
        cache=cache,
        skip_bad_files=skip_bad_files,
        resume=resume,
        measurement=measurement,
        patch=patch,
    )


def breakdown(
    analysis: Subject,
    groups: Annotated[
        list[str] | None,
        typer.Option(
            "--group",
            metavar="group|NAME=GLOBS",
            help="the word group: by the systematics' group; or NAME=flux*,nc, may be repeated; default: each alone",
        ),
    ] = None,
    factor: Annotated[float, typer.Option(help="how much more simulation of each sample is tried")] = 2.0,
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
    measurement: Measurement = None,
    patch: Patch = None,
) -> None:
    """Print the expected limit with each group of uncertainties frozen, with each alone, and with more simulation."""
    targets = _targets(output, analysis, set_, templates, without, patch)
    loaded, model = assembled(
        analysis,
        set_,
        interest,
        False,
        templates,
        cache,
        skip_bad_files,
        without,
        measurement=measurement,
        patch=patch,
    )
    with crew(executor, workers, scheduler) as pool:
        found = sf.breakdown(
            model,
            groups=_groups(groups),
            factor=factor,
            executor=pool,
            workers=workers,
            **limit_options(loaded.limit, pool, workers or os.cpu_count()),
        )
    from spectrafit.report.breakdown import draw_breakdown

    answer = Answer(
        text=lambda: str(found),
        summary=lambda: about(loaded) | found.summary(),
        rows=found.rows,
        draw=lambda target: draw_breakdown(target, found, title=loaded.title or ""),
    )
    give(answer, json=json, files=targets)


def _groups(said: list[str] | None) -> Any:
    """Return the groups of a breakdown as the verb takes them."""
    if not said:
        return "systematic"
    if said == ["group"]:
        return "group"
    found = {}
    for text in said:
        name, equals, patterns = text.partition("=")
        if not equals or not name or not patterns:
            raise ConfigError(f"--group {text!r}: needs NAME=GLOB,GLOB, or the word group alone")
        found[name] = patterns.split(",")
    return found


def _targets(
    output: list[Path] | None,
    path: Path,
    set_: list[str] | None,
    saved: Path | None,
    without: list[str] | None,
    patch: Path | None,
    others: tuple[Path, ...] = (),
) -> tuple[Path, ...]:
    """Return the files of the answer; refuse those of no known format, and inputs, before anything is read."""
    from spectrafit.output import refuse_inputs

    targets = checked_files(output, draws=True)
    for target in targets:
        refuse_output(target, path, set_, saved, without, patch)
        refuse_inputs(target, others)
    return targets


def _scan(
    path: Path,
    output: list[Path] | None,
    json: bool,
    saved: Path | None,
    *,
    set_: list[str] | None,
    without: list[str] | None,
    interest: str | None,
    workers: int | None,
    scheduler: str | None,
    measurement: str | None,
    patch: Path | None,
    others: tuple[Path, ...] = (),
    **options: Any,
) -> None:
    """Scan, print the table, and write the files asked for."""
    targets = _targets(output, path, set_, saved, without, patch, others)
    subject: Analysis | Model
    loaded: Analysis | WorkspaceFile
    if is_workspace(path):
        only = {
            "--compare": options.pop("compare", None),
            "--cache": options.pop("cache"),
            "--skip-bad-files": options.pop("skip_bad_files"),
            "--templates": saved,
            "--without": without,
            "--resume": options.pop("resume"),
        }
        loaded, subject = opened(
            path,
            overrides=set_,
            interest=interest,
            measurement=measurement,
            patch=patch,
            analysis_only=only,
        )
        options |= {name: options.get(name) or getattr(loaded.limit, name) for name in ("method", "level", "sides")}
        options["toys"] = limit_options(loaded.limit, "serial", workers)["toys"]
    else:
        refuse_elsewhere(path, measurement=measurement, patch=patch)
        loaded = subject = sf.load(path, overrides=set_ or (), without=without or (), interest=interest)
        options["templates"] = None if saved is None else sf.Templates.load(saved, analysis=loaded)
    found = sf.scan(
        subject,
        workers=workers or (None if scheduler else os.cpu_count()),
        scheduler=scheduler,
        **options,
    )
    from spectrafit.report.scans import draw_scan

    answer = Answer(
        text=lambda: _text(found),
        summary=lambda: about(loaded) | found.summary(),
        rows=found.rows,
        draw=lambda target: draw_scan(target, found, title=loaded.title or ""),
    )
    give(answer, json=json, files=targets)


def _text(found: Expected) -> str:
    count = len(found.limits)
    if found.fills < 0:
        return f"{found}\n{count} limits, {found.seconds:.1f} s"
    passes = "no pass" if found.fills == 0 else "1 pass" if found.fills == 1 else f"{found.fills} passes"
    return f"{found}\n{count} limits from {passes} over the events, {found.seconds:.1f} s"
