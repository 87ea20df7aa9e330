"""The command `export`: an analysis as a HistFactory workspace or as HS3."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import spectrafit as sf
from spectrafit.cli.analyses import refuse_output, templates_of
from spectrafit.cli.options import AnalysisFile, Cache, Interest, Saved, Set, SkipBad, Unblind, Without
from spectrafit.cli.workspaces import is_workspace
from spectrafit.errors import ConfigError

__all__ = ["export"]


def export(
    analysis: AnalysisFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="the workspace: *.json or *.json.gz")],
    kappa: Annotated[
        float | None, typer.Option(help="where the signal is taken, in kappa's unit; default: as large as its error")
    ] = None,
    form: Annotated[
        Literal["pyhf", "hs3"], typer.Option(help="pyhf's JSON, or HS3 for ROOT, pyhs3, NextStat")
    ] = "pyhf",
    set_: Set = None,
    without: Without = None,
    interest: Interest = None,
    unblind: Unblind = False,
    templates: Saved = None,
    cache: Cache = None,
    skip_bad_files: SkipBad = False,
) -> None:
    """Write the analysis as a HistFactory workspace, which pyhf and others fit to the same answer."""
    from spectrafit.interop.export import check_name, write_workspace
    from spectrafit.interop.hs3 import axes_of

    if is_workspace(analysis):
        raise ConfigError(f"{analysis}: is a workspace already; pyhf's `prune`, `rename` and `combine` change it")
    check_name(output)
    refuse_output(output, analysis, set_, templates, without)
    loaded = sf.load(analysis, overrides=set_ or (), without=without or (), interest=interest)
    filled = templates_of(loaded, templates, "threads", None, None, cache, skip_bad_files)
    model = sf.assemble(loaded, filled, unblind=unblind)
    typer.echo(write_workspace(model, output, kappa=kappa, form=form, axes=axes_of(filled)))
