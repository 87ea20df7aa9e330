"""Writes the result of a fitted workspace: a folder with result.json, figures and one page, as for an analysis."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrafit.inference.fitting.fit import profile as scan_profile
from spectrafit.inference.fitting.impacts import impacts as all_impacts
from spectrafit.inference.likelihood import Likelihood
from spectrafit.output import publishing, refuse_inputs, slug
from spectrafit.report.expectation import by_sample, spread
from spectrafit.report.page import Picture, Section, page
from spectrafit.report.plain import plain
from spectrafit.report.tables import Table, budget_table, nuisance_rows, nuisance_table, quantity, result_table
from spectrafit.report.workspaces import channels_table, measurements_table

if TYPE_CHECKING:
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import Impact, Limit, Profile
    from spectrafit.interop.bounded import Bounded

__all__ = ["write_workspace_result"]

_PARTS = ("figures", "index.html", "result.json")
_DPI = 200
# Shapes that are drawn: those of the nuisances that move the signal most.
_SHAPES = 6


def write_workspace_result(
    directory: str | os.PathLike[str],
    path: str | os.PathLike[str],
    model: Model,
    found: Bounded,
    limit: Limit,
    *,
    measurement: str | None = None,
    patch: str | os.PathLike[str] | None = None,
    figures: bool = True,
) -> Path:
    """Write everything a reader of a workspace's fit needs, and return the folder.

    Parameters
    ----------
    directory : path
        Folder to write to; the result of an earlier run in it is replaced when the new one is complete.
    path, measurement, patch
        What was read, as in `spectrafit.interop.pyhf.read_workspace`.
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
    refuse_inputs(target / "result.json", [Path(path)])
    impacts = all_impacts(model, best)
    low = model.parameters[model.index(model.poi)].lower
    high = max(limit.kappa, best.kappa + 2.0 * best.kappa_error)
    grid = np.linspace(low if np.isfinite(low) else best.kappa - 3.0 * best.kappa_error, 1.4 * high, 41)
    lifted = dataclasses.replace(
        model,
        parameters=tuple(
            dataclasses.replace(each, upper=np.inf) if each.name == model.poi else each for each in model.parameters
        ),
    )
    curve = scan_profile(lifted, grid=grid)
    held = measurements_table(path, model, measurement=measurement, patch=patch)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    verdict = "valid" if best.valid else f"NOT VALID: {best.message}"
    result = plain(
        {
            "title": Path(path).name,
            "workspace": {name.replace(" ", "_"): said for name, said in held.rows},
            "made": made,
            "version": version("spectrafit-numm"),
            "alarms": [*found.notes, *([] if best.valid else [verdict])],
            "limit": limit.summary(),
            "best_fit": {"parameter": model.poi, "value": best.kappa, "error": best.kappa_error},
            "fit": {
                "valid": best.valid,
                "message": best.message,
                "two_nll": best.two_nll,
                "at_limit": found.at_limit,
                "goodness": best.goodness,
            },
            "nuisances": nuisance_rows(model, best, impacts),
            "channels": _channels(model, best.values),
            "profile": {model.poi: curve.grid, "delta_2nll": curve.delta_2nll},
        }
    )
    with publishing(target, names=_PARTS, remedy="no half-made result is left") as staged:
        pictures = _draw(staged / "figures", path, model, found, limit, curve, impacts) if figures else {}
        kinds: dict[str, list[Picture]] = {"channel": [], "shape": [], "": []}
        for name, picture in pictures.items():
            kinds[next(kind for kind in kinds if name.startswith(kind))].append(picture)
        budget = (budget_table(best, impacts),) if best.kappa_error > 0 else ()
        shown = channels_table(model, title="Events")
        sections = [
            Section(title="Result", tables=(result_table(best, limit),)),
            Section(title="Channels", pictures=tuple(kinds["channel"]), tables=(shown,)),
            Section(
                title="Fit",
                pictures=tuple(kinds[""]),
                tables=(nuisance_table(model, best, impacts), _factors_table(model, found), *budget),
            ),
            Section(title="Shapes", pictures=tuple(kinds["shape"])),
            Section(title="Workspace", tables=(held,)),
        ]
        text = page(
            Path(path).name,
            f"spectrafit {version('spectrafit-numm')}, {made[:16].replace('T', ' ')} UTC",
            f"{model.poi} &lt; {limit.value:.4g}",
            f"{100 * limit.level:g} % CL, {limit.sides}-sided, {limit.method}; {model.called}",
            sections,
            files=("result.json",),
            alarms=result["alarms"],
        )
        (staged / "index.html").write_text(text, encoding="utf-8", errors="surrogateescape")
        (staged / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return target


def _channels(model: Model, values: Any) -> list[dict[str, Any]]:
    """Return events of every bin: of each sample after the fit, of all before it, and the counts."""
    counts = by_sample(model, values)
    before = Likelihood(model).predict(model.initial).mean
    return [
        {
            "name": span.name,
            "data": model.data[span.start : span.stop],
            "before": before[span.start : span.stop],
            "samples": {name: events[span.start : span.stop] for name, events in counts.items()},
        }
        for span in model.regions
    ]


def _factors_table(model: Model, found: Bounded) -> Table:
    """Return the factors of bins with their errors after the fit."""
    best = found.best
    rows = [
        (each.name, each.constraint, quantity(best.value(each.name), best.error(each.name)))
        for each in model.parameters
        if each.group in ("staterror", "shapesys", "shapefactor")
    ]
    return Table(title="Factors per bin", columns=("factor", "constraint", ">fitted"), rows=tuple(rows))


def _draw(
    folder: Path,
    path: str | os.PathLike[str],
    model: Model,
    found: Bounded,
    limit: Limit,
    curve: Profile,
    impacts: Sequence[Impact],
) -> dict[str, Picture]:
    from spectrafit.report.figures.saving import carried
    from spectrafit.report.figures.style import look

    folder.mkdir()
    pictures: dict[str, Picture] = {}
    with look():
        for drawn, caption, figure in _drawings(Path(path).name, model, found, limit, curve, impacts):
            name = slug(drawn)
            while name in pictures:
                name += "_2"
            image = folder / f"{name}.png"
            with carried(figure) as sound:
                sound.savefig(image, dpi=_DPI, pil_kwargs={"compress_level": 3})
                sound.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None})
            width = float(figure.get_figwidth())
            pictures[name] = Picture(png=image.read_bytes(), caption=caption, seen=caption, width=width, name=name)
    return pictures


def _drawings(
    title: str, model: Model, found: Bounded, limit: Limit, curve: Profile, impacts: Sequence[Impact]
) -> Iterator[tuple[str, str, Any]]:
    """Yield name, caption and figure of every drawing."""
    from spectrafit.report.figures import channels

    best = found.best
    off = best.values.copy()
    off[model.index(model.poi)] = 0.0
    without, whole = by_sample(model, off), by_sample(model, best.values)
    before = Likelihood(model).predict(model.initial).mean
    errors = np.sqrt(np.maximum(np.diag(spread(model, best, best.values)[1]), 0.0))
    for span in model.regions:
        bins = slice(span.start, span.stop)
        counts = {name: events[bins] for name, events in without.items() if np.any(events[bins])}
        share = sum((whole[name][bins] - without[name][bins] for name in whole), np.zeros(span.stop - span.start))
        figure = channels.channel(span, counts, share, before[bins], errors[bins], model.data[bins], left=title)
        caption = (
            f"Channel {span.name}: samples after the fit, with the share of {model.poi} on top and the fit's error."
        )
        yield f"channel_{span.name}", caption, figure
    yield "profile", f"2NLL along {model.poi}, all others refitted.", channels.profile(curve, limit, left=title)
    singles = [each for each in impacts if not each.group]
    if singles:
        figure = channels.ranking(model.poi, impacts, best.kappa_error, left=title)
        yield "ranking", f"How far {model.poi} moves with each nuisance, factors of bins among them.", figure
    factors = [each for each in model.parameters if each.group in ("staterror", "shapesys")]
    if factors:
        places = [model.index(each.name) for each in factors]
        # A Poisson constraint of so many events is as wide as the root of one over them.
        sizes = np.array([each.width for each in factors])
        gaussian = np.array([each.constraint == "gaussian" for each in factors])
        widths = np.where(gaussian, sizes, 1.0 / np.sqrt(np.maximum(sizes, 1e-9)))
        names = [each.name for each in factors]
        figure = channels.factors(names, best.values[places], best.errors[places], widths, left=title)
        yield "factors", "Factors of bins after the fit, with their errors and constraints.", figure
    morphed = {morph.parameter for component in model.components for morph in component.morphs}
    for impact in [each for each in singles if each.name in morphed][:_SHAPES]:
        figure = channels.shapes(impact.name, model.components, left=title)
        yield f"shape_{impact.name}", f"What {impact.name} does to the samples, at one sigma.", figure
