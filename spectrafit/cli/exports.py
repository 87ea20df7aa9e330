"""The command `export`: an analysis as a HistFactory workspace or as HS3, a result as a HEPData submission."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import spectrafit as sf
from spectrafit.cli.analyses import refuse_output, templates_of
from spectrafit.cli.options import Cache, Interest, Saved, Set, SkipBad, Unblind, Without
from spectrafit.cli.workspaces import is_workspace
from spectrafit.errors import ConfigError

__all__ = ["export"]


def export(
    analysis: Annotated[
        Path, typer.Argument(metavar="ANALYSIS.toml|RESULT", help="a fits/*.toml; for HEPData a result's folder")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="the file: *.json or *.json.gz; HEPData: *.zip")],
    kappa: Annotated[
        float | None, typer.Option(help="where the signal is taken, in kappa's unit; default: as large as its error")
    ] = None,
    form: Annotated[
        Literal["pyhf", "hs3", "hepdata"],
        typer.Option(help="pyhf's JSON, HS3 for ROOT, pyhs3, NextStat, or a result's folder for HEPData"),
    ] = "pyhf",
    set_: Set = None,
    without: Without = None,
    interest: Interest = None,
    unblind: Unblind = False,
    templates: Saved = None,
    cache: Cache = None,
    skip_bad_files: SkipBad = False,
) -> None:
    """Write the analysis as a HistFactory workspace, which pyhf and others fit to the same answer.

    A result's folder becomes a HEPData submission:

        spectrafit export results/nova_nd_fhc --form hepdata -o record.zip
    """
    from spectrafit.interop.edges import labelled_axes
    from spectrafit.interop.export import check_name, write_workspace
    from spectrafit.interop.hs3 import axes_of

    if form == "hepdata":
        given: dict[str, object] = {
            "--kappa": kappa,
            "--set": set_,
            "--without": without,
            "--interest": interest,
            "--unblind": unblind,
        }
        given |= {"--templates": templates, "--cache": cache, "--skip-bad-files": skip_bad_files}
        _export_result(analysis, output, [name for name, value in given.items() if value not in (None, False)])
        return
    if is_workspace(analysis):
        raise ConfigError(f"{analysis}: is a workspace already; pyhf's `prune`, `rename` and `combine` change it")
    check_name(output)
    refuse_output(output, analysis, set_, templates, without)
    loaded = sf.load(analysis, overrides=set_ or (), without=without or (), interest=interest)
    filled = templates_of(loaded, templates, "threads", None, None, cache, skip_bad_files)
    model = sf.assemble(loaded, filled, unblind=unblind)
    axes = axes_of(filled) if form == "hs3" else labelled_axes(filled)
    typer.echo(write_workspace(model, output, kappa=kappa, form=form, axes=axes))


def _export_result(result: Path, output: Path, given: list[str]) -> None:
    """Write a result that `fit` has written as a HEPData submission."""
    from spectrafit.interop.hepdata import check_submission_name, write_submission
    from spectrafit.report.saved_results import read_result

    check_submission_name(output)
    if given:
        raise ConfigError(f"{result}: {', '.join(given)} are for an analysis; HEPData takes a result as it is")
    typer.echo(write_submission(output, read_result(result)))
