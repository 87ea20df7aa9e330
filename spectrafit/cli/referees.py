"""The command `referee`: other fitters fit a workspace too, and the minima are compared in one likelihood."""

from __future__ import annotations

import typer

import spectrafit as sf
from spectrafit.cli.analyses import assembled, refuse_output
from spectrafit.cli.answers import Answer, Json, Tables, checked_files, give
from spectrafit.cli.options import Cache, Interest, Measurement, Patch, Saved, Set, SkipBad, Subject, Unblind, Without
from spectrafit.cli.workspaces import is_workspace

__all__ = ["referee"]


def referee(
    analysis: Subject,
    output: Tables = None,
    json: Json = False,
    set_: Set = None,
    without: Without = None,
    interest: Interest = None,
    unblind: Unblind = False,
    templates: Saved = None,
    cache: Cache = None,
    skip_bad_files: SkipBad = False,
    measurement: Measurement = None,
    patch: Patch = None,
) -> None:
    """Fit with pyhf, NextStat and RooFit too, where they are installed, and say who found the lower minimum.

    RooFit may be that of another Python: SPECTRAFIT_PYTHON_WITH_ROOT=/path/of/its/python.

    An analysis is exported as a workspace first. What HistFactory cannot say of the analysis is noted.

        spectrafit referee workspace.json
    """
    targets = checked_files(output)
    for target in targets:
        refuse_output(target, analysis, set_, templates, without, patch)
    if is_workspace(analysis):
        found = sf.referee(analysis, measurement=measurement, patch=patch)
    else:
        _, model = assembled(
            analysis,
            set_,
            interest,
            unblind,
            templates,
            cache,
            skip_bad_files,
            without,
            measurement=measurement,
            patch=patch,
        )
        found = sf.referee(model)
    answer = Answer(text=lambda: str(found), summary=found.summary, rows=found.rows, notes=found.notes)
    give(answer, json=json, files=targets)
    if found.lowest is not found.opinions[0]:
        raise typer.Exit(1)
