"""Commands about an analysis: check, build, fit, limit."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import spectrafit as sf
from spectrafit.cli import fake
from spectrafit.cli.answers import Answer, Json, Tables, about, checked_files, give
from spectrafit.cli.fake import AsimovAt, Auxiliary, DataFrom, ThrowNuisances, ToySeed
from spectrafit.cli.options import (
    AnalysisFile,
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
    interactive,
)
from spectrafit.cli.unfinished import Resume, limit_job, toys_kept
from spectrafit.cli.workspaces import (
    WorkspaceFile,
    fit_workspace_file,
    held,
    is_workspace,
    opened,
    refuse_elsewhere,
    refuse_over,
)
from spectrafit.compiling import announce
from spectrafit.errors import ConfigError
from spectrafit.output import refuse_inputs

if TYPE_CHECKING:
    from spectrafit.config import Analysis, LimitOptions
    from spectrafit.inference.fake import Fake
    from spectrafit.inference.model import Model
    from spectrafit.templates.templates import Templates

__all__ = [
    "assembled",
    "build",
    "check",
    "crew",
    "fit",
    "limit_options",
    "refuse_output",
    "templates_of",
]


def check(
    analysis: Subject,
    set_: Set = None,
    without: Without = None,
    skip_bad_files: SkipBad = False,
    output: Tables = None,
    json: Json = False,
    measurement: Measurement = None,
    patch: Patch = None,
) -> None:
    """Read an analysis, open every file it names, and say what a build would do; no event is read.

    Of a workspace: read all of it, and say what it holds.
    """
    from spectrafit.report.inventories import inventory_rows, inventory_table

    targets = checked_files(output)
    for target in targets:
        refuse_output(target, analysis, set_, None, without, patch)
    if is_workspace(analysis):
        only = {"--set": set_, "--without": without, "--skip-bad-files": skip_bad_files}
        give(held(analysis, only, measurement=measurement, patch=patch), json=json, files=targets)
        return
    refuse_elsewhere(analysis, measurement=measurement, patch=patch)
    loaded = sf.load(analysis, overrides=set_ or (), without=without or ())
    rows = inventory_rows(loaded, skip_bad_files=skip_bad_files)
    answer = Answer(
        text=lambda: inventory_table(loaded, rows=rows),
        summary=lambda: about(loaded) | {"inputs": rows},
        rows=lambda: rows,
    )
    give(answer, json=json, files=targets)


def build(
    analysis: AnalysisFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="where the templates go: *.npz")],
    set_: Set = None,
    without: Without = None,
    executor: Executor = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    cache: Cache = None,
    skip_bad_files: SkipBad = False,
) -> None:
    """Fill the templates from the ntuples and save them."""
    from spectrafit.config import inputs_of
    from spectrafit.templates.archive import check_name

    check_name(output)
    loaded = sf.load(analysis, overrides=set_ or (), without=without or ())
    refuse_inputs(output, inputs_of(loaded))
    templates = templates_of(loaded, None, executor, workers, scheduler, cache, skip_bad_files)
    templates.save(output)
    typer.echo(f"{output}: {templates}")
    for name, made in templates.components.items():
        share = f"{made['kept']} of {made['directions']} directions, {made['fraction']:.4%} of the variance"
        typer.echo(f"{name}: {share}; the rest is uncorrelated between bins")
    if templates.pruned:
        typer.echo(f"{len(templates.pruned)} effects pruned; the report of a fit lists them")


def fit(
    analysis: Annotated[Path, typer.Argument(metavar="ANALYSIS.toml", help="fits/*.toml, or a HistFactory workspace")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="result's folder; default: results/NAME[-unblinded]"),
    ] = None,
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
    figures: Annotated[bool, typer.Option(help="draw figures")] = True,
    resume: Resume = False,
    force: Annotated[bool, typer.Option("--force", help="write over the result of another analysis or data")] = False,
    json: Annotated[bool, typer.Option("--json", help="workspace: print the fit as JSON")] = False,
    measurement: Annotated[str | None, typer.Option(help="workspace: which measurement; default: the first")] = None,
    patch: Annotated[Path | None, typer.Option(help="workspace: a JSON patch to lay over it")] = None,
    asimov: AsimovAt = None,
    toy: ToySeed = None,
    throw_nuisances: ThrowNuisances = False,
    auxiliary: Auxiliary = "stay",
    data_from: DataFrom = None,
) -> None:
    """Fill the templates, fit, draw the limit, and write the result with figures and one page.

    With fake data, labelled as such everywhere:

        spectrafit fit fits/nova_nd_fhc.toml --asimov kappa=2,flux=+1
    """
    data = fake.choice(asimov, toy, throw_nuisances, auxiliary, data_from, unblind=unblind)
    if is_workspace(analysis):
        only = {"--templates": templates, "--cache": cache, "--without": without, "--skip-bad-files": skip_bad_files}
        fit_workspace_file(
            analysis,
            measurement,
            patch,
            json,
            data=data,
            output=output,
            overrides=set_,
            interest=interest,
            figures=figures,
            force=force,
            analysis_only=only | {"--resume": resume},
        )
        return
    if json or measurement or patch:
        raise ConfigError(f"{analysis}: --json, --measurement and --patch are for HistFactory workspaces (*.json[.gz])")
    from rich.console import Console

    from spectrafit.config import inputs_of
    from spectrafit.inference.fitting.validation import validation
    from spectrafit.report.alarms import alarms
    from spectrafit.report.keeping import Kind, default_folder, refuse_result
    from spectrafit.report.tables import constraints_table, result_table
    from spectrafit.report.validation import validation_table

    loaded = sf.load(analysis, overrides=set_ or (), without=without or (), interest=interest)
    kind: Kind = "unblinded" if unblind else "Asimov" if data is None else "fake"
    target = output or default_folder(analysis.stem, kind)
    if not force and (note := refuse_result(target, loaded, kind)):
        typer.echo(f"note: {note}", err=True)
    # As the report does, but before the work.
    refuse_inputs(target / "templates.root", (*inputs_of(loaded), *fake.inputs(data_from)))
    filled = templates_of(loaded, templates, executor, workers, scheduler, cache, skip_bad_files)
    model = fake.with_data(
        loaded, filled, data, unblind=unblind, executor=executor, workers=workers, scheduler=scheduler, cache=cache
    )
    best = sf.fit(model, minos=(model.poi,) if loaded.fit.minos else ())
    key, throws = limit_job(model, loaded.limit, [loaded.limit.method])
    with (
        crew(executor, workers, scheduler) as pool,
        toys_kept(analysis, "fit", key, None, throws=throws, resume=resume) as bank,
    ):
        options = limit_options(loaded.limit, pool, workers)
        found = sf.upper_limit(model, **options | {"toys": replace(options["toys"], bank=bank)})
    folder = sf.report(target, loaded, filled, best, found, model=model, figures=figures, force=force)
    console = Console()
    console.print(result_table(best, found))
    if validations := validation(model, best):
        console.print(validation_table(validations))
    constraints = sf.constraints(model, filled)
    if constraints:
        console.print(constraints_table(constraints))
    for alarm in alarms(best, model, filled, constraints=constraints):
        console.print(f"note: {alarm}", markup=False, highlight=False, soft_wrap=True)
    typer.echo(f"written to {folder}")
    if not best.valid:
        raise typer.Exit(1)


def refuse_output(
    output: Path,
    analysis: Path,
    overrides: list[str] | None,
    saved: Path | None,
    without: list[str] | None = None,
    patch: Path | None = None,
) -> None:
    """Refuse an output that is an input, before anything is read."""
    if is_workspace(analysis):
        refuse_over(output, analysis, patch)
        return
    from spectrafit.config import inputs_of

    loaded = sf.load(analysis, overrides=overrides or (), without=without or ())
    refuse_inputs(output, (*inputs_of(loaded), *([saved] if saved else [])))


def assembled(
    path: Path,
    overrides: list[str] | None,
    interest: str | None,
    unblind: bool,
    saved: Path | None,
    cache: Path | None,
    skip_bad_files: bool,
    without: list[str] | None = None,
    *,
    data: Fake | None = None,
    measurement: str | None = None,
    patch: Path | None = None,
    parameters: tuple[str | None, ...] = (),
) -> tuple[Analysis | WorkspaceFile, Model]:
    """Load and assemble, or read a workspace; who wants the chunks filled elsewhere builds first, for --templates."""
    if is_workspace(path):
        only = {"--templates": saved, "--cache": cache, "--without": without, "--skip-bad-files": skip_bad_files}
        return opened(
            path,
            overrides=overrides,
            interest=interest,
            data=data,
            measurement=measurement,
            patch=patch,
            analysis_only=only,
            interested=None in parameters or not parameters,
            parameters=parameters,
        )
    refuse_elsewhere(path, measurement=measurement, patch=patch)
    loaded = sf.load(path, overrides=overrides or (), without=without or (), interest=interest)
    filled = templates_of(loaded, saved, "threads", None, None, cache, skip_bad_files)
    return loaded, fake.with_data(loaded, filled, data, unblind=unblind, executor="threads", cache=cache)


def templates_of(
    analysis: Analysis,
    saved: Path | None,
    executor: str,
    workers: int | None,
    scheduler: str | None,
    cache: Path | None,
    skip_bad_files: bool,
) -> Templates:
    """Return saved templates, or fill them; say on stderr what was left out."""
    if interactive():
        announce(sys.stderr)
    if saved is not None:
        filled = sf.Templates.load(saved, analysis=analysis)
        _tell_age(saved, analysis)
    else:
        filled = sf.build(
            analysis,
            executor=executor,
            workers=workers or (None if scheduler else os.cpu_count()),
            scheduler=scheduler,
            cache=cache,
            skip_bad_files=skip_bad_files,
        )
    for inventory in filled.inventories:
        for file, why in inventory["skipped"]:
            typer.echo(f"{inventory['sample']}: left out {file}: {why}", err=True)
        if inventory["skipped"]:
            read = f"{inventory['entries']} entries, {inventory['pot']:.6g} POT"
            typer.echo(f"{inventory['sample']}: the remaining files have {read}, scaled to the exposure", err=True)
    return filled


def _tell_age(saved: Path, analysis: Analysis) -> None:
    """Say on stderr which inputs are newer than the templates. The keys of the TOML are compared elsewhere."""
    from spectrafit.config import inputs_of

    made = saved.stat().st_mtime
    newer = [
        path.name
        for path in inputs_of(analysis)
        if path.suffix != ".toml" and path.exists() and path.stat().st_mtime > made
    ]
    if newer:
        listed = ", ".join(newer[:3]) + (f" and {len(newer) - 3} more" if len(newer) > 3 else "")
        typer.echo(f"note: {saved} is older than {listed}; build the templates again to use what changed", err=True)


@contextmanager
def crew(executor: str, workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """Yield who throws the toys: an executor by its name, or the workers of a scheduler."""
    if scheduler is None:
        yield executor
        return
    from spectrafit.execution import executor as opened

    with opened(executor, workers, scheduler=scheduler) as pool:
        yield pool


def limit_options(said: LimitOptions, executor: Any, workers: int | None) -> dict[str, Any]:
    """Return what `[limit]` says as arguments of `upper_limit`."""
    from spectrafit.inference.toys.options import ToyOptions

    toys = ToyOptions(toys=said.toys, seed=said.seed, ensemble=said.ensemble, executor=executor, workers=workers)
    return {"level": said.level, "method": said.method, "sides": said.sides, "toys": toys}
