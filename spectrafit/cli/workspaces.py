"""Commands read a HistFactory workspace here, where they also take an analysis."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from spectrafit.cli.answers import Answer, about
from spectrafit.cli.options import interactive
from spectrafit.compiling import announce
from spectrafit.errors import ConfigError

if TYPE_CHECKING:
    from spectrafit.config import LimitOptions
    from spectrafit.inference.fake import Fake
    from spectrafit.inference.model import Model
    from spectrafit.report.keeping import Kind
    from spectrafit.report.workspace_record import Source

__all__ = ["WorkspaceFile", "fit_workspace_file", "held", "is_workspace", "opened", "refuse_elsewhere", "refuse_over"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkspaceFile:
    """What a command needs of a workspace beside its model: as of an analysis, a title and how limits are drawn.

    Attributes
    ----------
    path : Path
    limit : LimitOptions
    title : str
        The file's name, and the measurement's if one was chosen.
    """

    path: Path
    limit: LimitOptions
    title: str


def is_workspace(path: Path) -> bool:
    """Whether a file is a workspace by its name, `*.json` or `*.json.gz`."""
    return path.suffixes[-1:] == [".json"] or path.suffixes[-2:] == [".json", ".gz"]


def opened(
    path: Path,
    *,
    overrides: list[str] | None = None,
    interest: str | None = None,
    data: Fake | None = None,
    measurement: str | None = None,
    patch: Path | None = None,
    analysis_only: Mapping[str, object] | None = None,
    interested: bool = True,
    parameters: tuple[str | None, ...] = (),
) -> tuple[WorkspaceFile, Model]:
    """Return a workspace and its model, with its own data or with fake ones; say on stderr what was chosen.

    Parameters
    ----------
    path : Path
    overrides : list of str, optional
        `limit.KEY=VALUE`: a workspace has no `[limit]`.
    interest : str, optional
        The parameter of interest, in place of the measurement's.
    data : Asimov, Toy or None
        Fake data, made from the workspace's own expectation.
    measurement, patch
        As in `read_workspace`.
    analysis_only : mapping
        Options that only an analysis has, with what was given for them.
    interested : bool
        Whether the command is about a parameter of interest.
    parameters : tuple of str
        Names that the command will ask for; a factor of one bin among them becomes a parameter.

    Raises
    ------
    ConfigError, DataError
        As `read_workspace`; options for an analysis; a parameter of interest is needed and there is none.
    """
    from spectrafit.config import limit_options
    from spectrafit.inference.fake import Simulated
    from spectrafit.inference.faking.counts import faked
    from spectrafit.interop.measurements import described
    from spectrafit.interop.pyhf import read_workspace

    given = [name for name, value in (analysis_only or {}).items() if value]
    if given:
        raise ConfigError(
            f"{path}: {', '.join(given)} {'is' if len(given) == 1 else 'are'} for an analysis; a workspace holds its"
            " own templates, and --patch changes them"
        )
    if isinstance(getattr(data, "of", data), Simulated):
        raise ConfigError(
            f"{path}: --data-from fills the axes of an analysis, and a workspace has none; use --asimov or --toy"
        )
    options = limit_options(overrides or (), where=str(path))
    if interactive():
        announce(sys.stderr)
    about = described(path, measurement=measurement, patch=patch)
    model = read_workspace(path, measurement=measurement, patch=patch)
    if model.gammas is not None and {*parameters, interest} & {name for name in model.gammas.names if name}:
        model = read_workspace(path, measurement=measurement, patch=patch, profiled=False)
    if interest is not None:
        model = model.with_interest(interest)
    elif not model.poi and interested:
        free = [each.name for each in model.parameters if each.constraint == "free" and not each.fixed]
        listed = ", ".join(free[:8]) + (" and others" if len(free) > 8 else "") or "none is free"
        why = about.unknown or "no parameter of interest is named"
        raise ConfigError(f"{path}: {about.where}.poi: {why}; choose one with --interest ({listed})")
    for note in (*about.notes, *([about.unknown] if about.unknown and not model.poi else ())):
        typer.echo(f"note: {note}", err=True)
    if data is not None:
        model = faked(model, data)
    title = path.name if measurement is None else f"{path.name}, {measurement}"
    return WorkspaceFile(path=path, limit=options, title=title), model


def held(path: Path, analysis_only: Mapping[str, object], *, measurement: str | None, patch: Path | None) -> Answer:
    """Return the answer of `check`: what a workspace holds. The arguments are those of `opened`."""
    from spectrafit.report.workspaces import checked_workspace

    said, model = opened(path, measurement=measurement, patch=patch, analysis_only=analysis_only, interested=False)
    found = checked_workspace(path, model, measurement=measurement, patch=patch)
    return Answer(text=lambda: found, summary=lambda: about(said) | found.summary(), rows=lambda: found.rows)


def refuse_over(output: Path, path: Path, patch: Path | None) -> None:
    """Refuse an output that is the workspace or its patch."""
    from spectrafit.interop.patch import split
    from spectrafit.output import refuse_inputs

    refuse_inputs(output, (path, *([split(patch)[0]] if patch else [])))


def refuse_elsewhere(path: Path, **given: object) -> None:
    """Refuse options of a workspace for an analysis."""
    said = [f"--{name}" for name, value in given.items() if value]
    if said:
        raise ConfigError(f"{path}: {', '.join(said)}: for HistFactory workspaces (*.json[.gz]) only; leave out")


def fit_workspace_file(
    path: Path,
    measurement: str | None,
    patch: Path | None,
    json: bool,
    *,
    data: Fake | None = None,
    output: Path | None = None,
    overrides: list[str] | None = None,
    interest: str | None = None,
    figures: bool = True,
    force: bool = False,
    analysis_only: Mapping[str, object] | None = None,
) -> None:
    """Fit a workspace, print the fit and the limit, and write the result; with `json` only if a folder is named.

    A workspace without a parameter of interest has neither a limit nor a result. Exits with 1 if the fit is not valid.
    """
    from spectrafit.interop.pyhf import fit_read

    loaded, model = opened(
        path,
        overrides=overrides,
        interest=interest,
        data=data,
        measurement=measurement,
        patch=patch,
        analysis_only=analysis_only,
        interested=output is not None,
    )
    target = None
    if model.poi and (output is not None or not json):
        target = _target(loaded, model, output, measurement, patch, force)
    explicit = functools.cache(lambda: _explicit(path, model, measurement, patch))
    result = fit_read(model, explicit)
    if json:
        import json as writer

        typer.echo(writer.dumps(result))
    else:
        _tell(result)
    if target is not None:
        source, folder = target
        _write_folder(source, folder, model, explicit(), result["parameters"], figures=figures, shown=not json)
    elif not json:
        typer.echo("no limit and no result are made: no parameter is of interest; choose one with --interest")
    if not result["valid"]:
        raise typer.Exit(1)


def _explicit(path: Path, model: Model, measurement: str | None, patch: Path | None) -> Model:
    """Return the same model with the factors of bins as parameters, and with the same data."""
    from spectrafit.interop.pyhf import read_workspace

    found = read_workspace(path, measurement=measurement, patch=patch, profiled=False)
    found = found if found.poi == model.poi else found.with_interest(model.poi)
    centres = {each.name: each.centre for each in model.parameters}
    parameters = tuple(
        dataclasses.replace(each, centre=centres.get(each.name, each.centre)) for each in found.parameters
    )
    return dataclasses.replace(found, parameters=parameters, data=model.data, fake=model.fake)


def _target(
    loaded: WorkspaceFile,
    model: Model,
    output: Path | None,
    measurement: str | None,
    patch: Path | None,
    force: bool,
) -> tuple[Source, Path]:
    """Return what a result is of and its folder; refuse a folder that holds another one, before the work."""
    from spectrafit.interop.patch import split
    from spectrafit.output import refuse_inputs, slug
    from spectrafit.report.keeping import refuse_other
    from spectrafit.report.workspace_record import Source

    source = Source.of(loaded.path, model.poi, loaded.limit, measurement=measurement, patch=patch)
    # Results of other measurements, patches and data stand side by side.
    parts = [loaded.path.name.removesuffix(".gz").removesuffix(".json"), *([measurement] if measurement else [])]
    if patch is not None:
        file, name = split(patch)
        parts.append(name or file.stem)
    parts += ["fake"] if model.fake is not None else []
    folder = Path("results") / slug("-".join(parts)) if output is None else output
    refuse_inputs(folder / "result.json", source.inputs)
    kind: Kind = "unblinded" if model.fake is None else "fake"
    if not force and (note := refuse_other(folder, source.path, source.digest, kind)):
        typer.echo(f"note: {note}", err=True)
    return source, folder


def _tell(result: Mapping[str, Any]) -> None:
    """Print a fit: 2NLL, every parameter, and what a reader must know."""
    typer.echo(f"2 NLL: {result['statistic_at_start']:.6f} at the start, {result['statistic']:.6f} at the minimum")
    for name, value in result["parameters"].items():
        error = f" +- {result['errors'][name]:.3g}" if result["errors"].get(name) else ""
        typer.echo(f"  {name}  {value:.6g}{error}{'  at its bound' if name in result['at_limit'] else ''}")
    verdict = "valid" if result["valid"] else f"NOT VALID: {result['message']}"
    if result["valid"] and result["at_limit"]:
        verdict = f"valid, at the bounds of {', '.join(result['at_limit'])}"
    for note in result["notes"]:
        typer.echo(f"note: {note}")
    typer.echo(f"{verdict}; {result['seconds']:.3f} s")


def _write_folder(
    source: Source,
    folder: Path,
    model: Model,
    explicit: Model,
    start: Mapping[str, float],
    *,
    figures: bool,
    shown: bool,
) -> None:
    """Draw the limit, fit with the factors of bins as parameters, write the folder, and print what it holds."""
    import spectrafit as sf
    from spectrafit.interop.bounded import fit_within
    from spectrafit.report.tables import result_table
    from spectrafit.report.workspace_page import write_workspace_result

    said = source.limit
    limit = sf.upper_limit(model, level=said.level, method=said.method, sides=said.sides, toys=said.toys)
    found = fit_within(explicit, start=start)
    if shown:
        from rich.console import Console

        Console().print(result_table(found.best, limit))
    written = write_workspace_result(folder, source, explicit, found, limit, figures=figures)
    typer.echo(f"written to {written}", err=not shown)
