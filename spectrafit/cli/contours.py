"""The command `contour`: joint confidence regions of two parameters, as a table and a figure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import spectrafit as sf
from spectrafit.cli import fake
from spectrafit.cli.analyses import assembled, refuse_output
from spectrafit.cli.answers import Answer, Drawn, Json, about, checked_files, give
from spectrafit.cli.fake import AsimovAt, Auxiliary, DataFrom, ThrowNuisances, ToySeed
from spectrafit.cli.options import Cache, Measurement, Patch, Saved, Set, SkipBad, Subject, Unblind, Without
from spectrafit.cli.workspaces import is_workspace
from spectrafit.errors import ConfigError

if TYPE_CHECKING:
    from spectrafit.arraytypes import Floats
    from spectrafit.inference.model import Model
    from spectrafit.report.tables import Table

__all__ = ["contour"]


def contour(
    analysis: Subject,
    x: Annotated[
        str | None, typer.Option(metavar="PARAMETER", help="default: the coupling that the limit is for")
    ] = None,
    y: Annotated[str | None, typer.Option(metavar="PARAMETER", help="default: the other coupling")] = None,
    points: Annotated[int, typer.Option(help="fits on a side, before steps become finer where needed")] = 31,
    range_: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            metavar="PARAMETER=LOW:HIGH",
            help="the range of one of the two, as kappa=0:2; default: where the regions are; may be repeated",
        ),
    ] = None,
    output: Drawn = None,
    json: Json = False,
    set_: Set = None,
    without: Without = None,
    unblind: Unblind = False,
    templates: Saved = None,
    cache: Cache = None,
    skip_bad_files: SkipBad = False,
    asimov: AsimovAt = None,
    toy: ToySeed = None,
    throw_nuisances: ThrowNuisances = False,
    auxiliary: Auxiliary = "stay",
    data_from: DataFrom = None,
    measurement: Measurement = None,
    patch: Patch = None,
) -> None:
    """Find the joint confidence regions of two parameters, couplings or nuisances, all others refitted."""
    from spectrafit.inference.intervals.scan import opened as unbounded
    from spectrafit.interop.bounded import fit_within
    from spectrafit.report.contours import contour_rows, draw_contour, summary

    data = fake.choice(asimov, toy, throw_nuisances, auxiliary, data_from, unblind=unblind)
    targets = checked_files(output, draws=True)
    for target in targets:
        refuse_output(target, analysis, set_, templates, without, patch)
    loaded, model = assembled(
        analysis,
        set_,
        None,
        unblind,
        templates,
        cache,
        skip_bad_files,
        without,
        data=data,
        measurement=measurement,
        patch=patch,
        parameters=(x, y or ""),
    )
    first, second = _axes(analysis, model, x, y)
    grids = _grids(range_, (first, second), points)
    if is_workspace(analysis) and model.poi:
        # The bounds of a workspace's signal are where a fit looks. A region must not end there.
        model = unbounded(model, model.parameters[model.index(model.poi)].lower)
    best = fit_within(model).best if is_workspace(analysis) else sf.fit(model)
    found = sf.contour(model, first, second, points=points, x=grids.get(first), y=grids.get(second))

    title, called = loaded.title or "", "" if data is None else "fake data"
    said = summary(found) | {"valid": best.valid, "message": best.message, "data": model.called}
    answer = Answer(
        text=lambda: _table(said, model),
        summary=lambda: about(loaded) | said,
        rows=lambda: contour_rows(found),
        draw=lambda target: draw_contour(target, found, couplings=model.couplings, title=title, data=called),
    )
    give(answer, json=json, files=targets)
    bad = int((~found.valid).sum())
    if bad:
        typer.echo(f"note: {bad} of {found.valid.size} fits did not converge; the figure marks them", err=True)
    if not best.valid:
        typer.echo(f"the fit is NOT VALID, so do not use the regions: {best.message}", err=True)
        raise typer.Exit(1)


def _axes(path: Path, model: Model, x: str | None, y: str | None) -> tuple[str, str]:
    """Return the two parameters, with the defaults filled in."""
    first = model.poi if x is None else x
    others = [name for name in model.couplings if name != first]
    if y is None and len(others) != 1:
        couplings = f"the couplings {', '.join(others)} are left" if others else "the analysis has no other coupling"
        known = ", ".join(name for name in model.names if name != first)
        raise ConfigError(f"{path}: --y is needed: {couplings}; name one of {known}")
    second = others[0] if y is None else y
    for name in (first, second):
        model.index(name)
    return first, second


def _grids(texts: list[str] | None, names: tuple[str, str], points: int) -> dict[str, Floats]:
    """Return the values of each parameter whose range is given."""
    import numpy as np

    found = {}
    for text in texts or ():
        name, _, ends = text.rpartition("=")
        try:
            low, high = map(float, ends.split(":"))
        except ValueError:
            low = high = math.nan
        if name not in names:
            raise ConfigError(f"--range {text!r}: names neither {names[0]} nor {names[1]}")
        if not -math.inf < low < high < math.inf:
            raise ConfigError(f"--range {text!r}: needs PARAMETER=LOW:HIGH with LOW below HIGH, such as {name}=0:2")
        found[name] = np.linspace(low, high, max(points, 3))
    return found


def _unit(model: Model, name: str) -> str:
    """Return what a parameter that is no coupling is counted in: prior widths if its constraint is 0 +- 1."""
    found = model.parameters[model.index(name)]
    return "prior widths" if found.constraint == "gaussian" and (found.centre, found.width) == (0.0, 1.0) else ""


def _table(said: dict[str, Any], model: Model) -> Table:
    """Return best fit and extent of each region as a table."""
    from spectrafit.report.tables import Table
    from spectrafit.report.units import kappa_unit

    def span(ends: list[float | None]) -> str:
        low, high = ("outside" if end is None else f"{end:.4g}" for end in ends)
        return f"{low} to {high}"

    rows = tuple(
        (
            name,
            kappa_unit(model.couplings[name]) if name in model.couplings else _unit(model, name),
            f"{best:.4g}",
            *(span(region[name]) for region in said["regions"]),
        )
        for name, best in zip(said["parameters"], said["best"], strict=True)
    )
    levels = tuple(f">{100 * region['level']:.4g} %" for region in said["regions"])
    title = f"Joint regions, all others refitted{'' if model.fake is None else f'; {model.called}'}"
    return Table(title=title, columns=("parameter", "unit", ">best", *levels), rows=rows)
