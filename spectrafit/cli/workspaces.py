"""Commands read a HistFactory workspace here, where they also take an analysis."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from spectrafit.cli.answers import Answer, about
from spectrafit.cli.options import interactive
from spectrafit.compiling import announce
from spectrafit.errors import ConfigError

if TYPE_CHECKING:
    from spectrafit.config import LimitOptions
    from spectrafit.inference.fake import Fake
    from spectrafit.inference.model import Model

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
    output: Path | None = None,
    overrides: list[str] | None = None,
    interest: str | None = None,
    figures: bool = True,
) -> None:
    """Fit a workspace, print the fit, and write its result to a folder; with `json` only if one is named.

    Exits with 1 if the fit is not valid.
    """
    from spectrafit.interop.pyhf import fit_workspace

    if interactive():
        announce(sys.stderr)
    result = fit_workspace(path, measurement=measurement, patch=patch)
    if json:
        import json as writer

        typer.echo(writer.dumps(result))
    else:
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
    if output is not None:
        folder = _write_folder(path, measurement, patch, output, overrides, interest, figures)
        typer.echo(f"written to {folder}", err=json)
    if not result["valid"]:
        raise typer.Exit(1)


def _write_folder(
    path: Path,
    measurement: str | None,
    patch: Path | None,
    output: Path,
    overrides: list[str] | None,
    interest: str | None,
    figures: bool,
) -> Path:
    """Fit with the factors of bins as parameters, draw the limit, and write the folder."""
    import spectrafit as sf
    from spectrafit.interop.bounded import fit_within
    from spectrafit.interop.pyhf import read_workspace
    from spectrafit.report.workspace_page import write_workspace_result

    loaded, model = opened(path, overrides=overrides, interest=interest, measurement=measurement, patch=patch)
    explicit = read_workspace(path, measurement=measurement, patch=patch, profiled=False)
    explicit = explicit if explicit.poi == model.poi else explicit.with_interest(model.poi)
    said = loaded.limit
    limit = sf.upper_limit(model, level=said.level, method=said.method, sides=said.sides, toys=said.toys)
    found = fit_within(explicit)
    return write_workspace_result(
        output, path, explicit, found, limit, measurement=measurement, patch=patch, figures=figures
    )
