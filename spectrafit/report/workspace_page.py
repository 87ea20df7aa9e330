"""Writes the result of a fitted workspace: a folder with result.json, figures and one page, as for an analysis."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrafit.inference.fitting.fit import profile as scan_profile
from spectrafit.inference.fitting.impacts import impacts as all_impacts
from spectrafit.interop.measurements import described
from spectrafit.output import publishing, refuse_inputs, slugs
from spectrafit.report.headline import beside, headline
from spectrafit.report.kept import save_all
from spectrafit.report.page import Picture, Section, page
from spectrafit.report.tables import Table, budget_table, nuisance_table, quantity, result_table
from spectrafit.report.workspace_figures import interest_of, plan
from spectrafit.report.workspace_record import Source, channels_of, workspace_record
from spectrafit.report.workspaces import channels_table, measurements_table
from spectrafit.report.yields import yields_of
from spectrafit.stages import stage

if TYPE_CHECKING:
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import Limit, Profile
    from spectrafit.interop.bounded import Bounded

__all__ = ["write_workspace_result"]

_PARTS = ("figures", "index.html", "result.json")
_DPI = 200


@stage("wrote the report")
def write_workspace_result(
    directory: str | os.PathLike[str],
    source: Source,
    model: Model,
    found: Bounded,
    limit: Limit,
    *,
    figures: bool = True,
) -> Path:
    """Write everything a reader of a workspace's fit needs, and return the folder.

    Parameters
    ----------
    directory : path
        Folder to write to; the result of an earlier run in it is replaced when the new one is complete.
    source : Source
        What was read.
    model : Model
        Read from it, with the factors of bins as parameters, so that they have errors and impacts.
    found : Bounded
        Its fit.
    limit : Limit
    figures : bool
        Off leaves out the figures.

    Raises
    ------
    DataError
        The folder cannot be written; an earlier result in it is still whole.
    """
    target, best = Path(directory), found.best
    refuse_inputs(target / "result.json", source.inputs)
    patch = source.patch or None
    about = described(source.path, measurement=source.measurement, patch=patch)
    impacts = all_impacts(model, best)
    curve = _profile(model, found, limit)
    channels = channels_of(model, found, about.axes)
    result = workspace_record(source, model, found, limit, curve, impacts, channels)
    held = measurements_table(source.path, model, measurement=source.measurement, patch=patch)
    with publishing(target, names=_PARTS, remedy="no half-made result is left") as staged:
        pictures: list[Picture] = []
        if figures:
            (staged / "figures").mkdir()
            planned = list(plan(model, best, limit, curve, impacts, channels, left=source.title))
            names = slugs(one.name for one in planned)
            files = {names[one.name]: one for one in planned}
            pictures = [
                Picture(png=one.png, caption=one.planned.caption, seen=one.planned.seen, width=one.width, name=name)
                for name, one in save_all(staged / "figures", target / "figures", files, dpi=_DPI).items()
            ]
        drawn: dict[str, list[Picture]] = {"channel_": [], "shape_": [], "": []}
        for picture in pictures:
            drawn[next(kind for kind in drawn if picture.name.startswith(kind))].append(picture)
        budget = (budget_table(best, impacts),) if best.kappa_error > 0 else ()
        factors = _factors_table(model, found)
        sections = [
            Section(title="Result", tables=(result_table(best, limit),)),
            Section(title="Channels", pictures=tuple(drawn["channel_"]), tables=(yields_of(result),)),
            Section(
                title="Fit",
                pictures=tuple(drawn[""]),
                tables=(nuisance_table(model, best, impacts), *([factors] if factors.rows else []), *budget),
            ),
            *([Section(title="Shapes", pictures=tuple(drawn["shape_"]))] if drawn["shape_"] else []),
            Section(title="Workspace", tables=(held, channels_table(model, title="As the workspace has them"))),
            Section(title="Provenance", tables=(_provenance_table(result),)),
        ]
        made = result["provenance"]["made"][:16].replace("T", " ")
        data = "observed data" if model.fake is None else f"FAKE DATA, not measured: {model.fake.label}"
        text = page(
            source.title,
            f"spectrafit {version('spectrafit-numm')}, {made} UTC",
            headline(interest_of(model), limit),
            f"{100 * limit.level:g} % CL, {limit.sides}-sided, {limit.method}; {data}",
            sections,
            beside=beside(limit, ""),
            files=("result.json",),
            alarms=[*result["alarms"], *limit.notes],
        )
        (staged / "index.html").write_text(text, encoding="utf-8", errors="surrogateescape")
        (staged / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return target


def _profile(model: Model, found: Bounded, limit: Limit) -> Profile:
    """Scan from the bound of the parameter of interest, or three errors below the best fit, to well above the limit."""
    best = found.best
    low = max(model.parameters[model.index(model.poi)].lower, best.kappa - 4.0 * limit.best_error)
    # The words at the limit take a third of the frame.
    high = max(limit.kappa + 0.52 * (limit.kappa - low), best.kappa + 2.0 * limit.best_error)
    # The upper bound says where a fit looks, and cuts off no limit.
    parameters = tuple(
        dataclasses.replace(each, upper=np.inf) if each.name == model.poi else each for each in model.parameters
    )
    return scan_profile(dataclasses.replace(model, parameters=parameters), grid=np.linspace(low, high, 41))


def _factors_table(model: Model, found: Bounded) -> Table:
    """Return the factors of bins with their errors after the fit."""
    best = found.best
    rows = [
        (each.name, each.constraint, quantity(best.value(each.name), best.error(each.name)))
        for each in model.parameters
        if each.group in ("staterror", "shapesys", "shapefactor")
    ]
    return Table(title="Factors per bin", columns=("factor", "constraint", ">fitted"), rows=tuple(rows))


def _provenance_table(result: Mapping[str, Any]) -> Table:
    said = result["provenance"]
    rows = [
        ("made", said["made"]),
        ("machine", said["machine"]),
        ("content and choices", said["configuration_digest"]),
        ("files", said["templates_digest"]),
        *said["versions"].items(),
    ]
    return Table(title="", columns=("", ""), rows=tuple(rows))
