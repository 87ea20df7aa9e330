"""Writes the result of a finished analysis: a folder with result.json, templates.root, figures and one page."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from spectrafit.config import inputs_of
from spectrafit.config.writing import written
from spectrafit.errors import ConfigError
from spectrafit.inference.assemble import as_fitted, assemble
from spectrafit.inference.fitting.constraints import Constraints
from spectrafit.inference.fitting.constraints import constraints as all_constraints
from spectrafit.inference.fitting.fit import profile as scan_profile
from spectrafit.inference.fitting.impacts import impacts as all_impacts
from spectrafit.inference.fitting.sources import sources
from spectrafit.inference.fitting.validation import Validation, validation
from spectrafit.inference.likelihood import Likelihood
from spectrafit.interop import root
from spectrafit.output import publishing, refuse_inputs, slugs
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.alarms import alarms
from spectrafit.report.couplings import couplings_table, monomials_table, profiled, title
from spectrafit.report.expectation import Expectation, expectation
from spectrafit.report.headline import beside, headline
from spectrafit.report.keeping import Kind, refuse_result
from spectrafit.report.kept import save_all
from spectrafit.report.origins import origins_table
from spectrafit.report.page import Picture, Section, page
from spectrafit.report.record import record
from spectrafit.report.tables import (
    Table,
    budget_table,
    constraints_table,
    nuisance_table,
    result_table,
    sources_table,
    yields_table,
)
from spectrafit.report.validation import validation_table
from spectrafit.stages import stage

if TYPE_CHECKING:
    from spectrafit.config import Analysis
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Impact, Limit, Profile
    from spectrafit.templates.templates import Templates

__all__ = ["write"]

# On the page a figure is shown at about half its size, so that this prints at 350 dots per inch.
DPI = 200

# The parts of a result; the record last.
_PARTS = ("figures", "templates.root", "index.html", "result.json")


@stage("wrote the report")
def write(
    directory: str | os.PathLike[str],
    analysis: Analysis,
    templates: Templates,
    best: FitResult,
    limit: Limit,
    *,
    model: Model | None = None,
    profile: Profile | None = None,
    figures: bool = True,
    force: bool = False,
) -> Path:
    """Write everything a reader of the result needs, and return the folder.

    Parameters
    ----------
    directory : folder to write to, made if missing. The result of an earlier run is replaced when the new result is
        complete; other files are not changed.
    analysis, templates, best, limit : the analysis and its results.
    model : the model that was fitted; assembled here if not given, which needs its data to be those of `analysis`.
    profile : the profile in kappa; made here if not given.
    figures : off leaves out the figures, in the folder and on the page.
    force : write over a result of another analysis, or of real data where this is of none, or the other way round.

    Returns
    -------
    Path
        The folder: `result.json`, `templates.root`, `index.html`, and `figures/` with each figure as PNG and PDF.

    Raises
    ------
    ConfigError
        The fit belongs to another analysis, other templates or other data, or an input or the result of another
        analysis would be overwritten.
    DataError
        The folder cannot be written; an earlier result in it is still whole.
    """
    target = Path(directory)
    if not force:
        refuse_result(target, analysis, _kind(best))
    model = _fitted(analysis, templates, best) if model is None else model
    curve = profile or _profile(model, best, limit)
    impacts = all_impacts(model, best)
    shown = _as_shown(analysis, templates, model)
    expected = expectation(shown, best, kappa=_visible(limit))
    constraints = None if templates.cells is None else all_constraints(model, templates)
    validations = validation(model, best)
    result = record(analysis, templates, model, best, limit, curve, impacts, constraints, validations, shown)
    refuse_inputs(target / "templates.root", inputs_of(analysis))
    with publishing(target, names=_PARTS, remedy="no half-made result is left") as staged:
        pictures: dict[str, Picture] = {}
        if figures:
            pictures = _draw(
                staged / "figures",
                target / "figures",
                analysis,
                templates,
                model,
                best,
                curve,
                limit,
                expected,
                impacts,
            )
        root.write(staged / "templates.root", _as_written(analysis, templates, model))
        text = _page(
            analysis, templates, model, best, limit, expected, impacts, constraints, validations, result, pictures
        )
        (staged / "index.html").write_text(text, encoding="utf-8", errors="surrogateescape")
        (staged / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return target


def _kind(best: FitResult) -> Kind:
    """Return what the data of a fit are."""
    return "fake" if best.fake is not None else "Asimov" if best.asimov else "unblinded"


def _fitted(analysis: Analysis, templates: Templates, best: FitResult) -> Model:
    """Return the model a fit was made of: assembled again, and refused if the fit's minimum is elsewhere."""
    model = assemble(analysis, templates, unblind=not best.asimov and best.fake is None, data=best.fake)
    if best.poi in model.couplings:
        model = model.with_interest(best.poi)
    if model.names != best.names or abs(Likelihood(model).two_nll(best.values) - best.two_nll) > 1e-6 * (
        1 + abs(best.two_nll)
    ):
        raise ConfigError(
            f"{analysis.path}: the fit to report is not of this analysis with these templates and data; "
            "give the fitted model, report(..., model=model)"
        )
    return model


def _profile(model: Model, best: FitResult, limit: Limit) -> Profile:
    """Scan from two errors below the best fit or the boundary to well above the limit."""
    low = min(best.kappa, 0.0) - 2.0 * best.kappa_error
    high = limit.kappa + max(0.7 * (limit.kappa - low), best.kappa_error)
    return scan_profile(model, grid=np.linspace(low, high, 81))


def _visible(limit: Limit) -> float:
    """Return the kappa at which the coupling is drawn: the limit, or the expected one where the limit is no size."""
    if limit.kappa > 0 and not limit.empty:
        return limit.kappa
    if limit.expected is not None and limit.expected.kappas[2] > 0:
        return limit.expected.kappas[2]
    return limit.kappa or limit.best_error


def _as_shown(analysis: Analysis, templates: Templates, model: Model) -> Model:
    """Return the model bin by bin: `terms = "norm"` fits totals, and a spectrum is still worth seeing."""
    if model.n_bins == templates.n_bins:
        return model
    options = msgspec.structs.replace(analysis.fit, terms="shape+norm")
    shown = assemble(msgspec.structs.replace(analysis, fit=options), templates, unblind=model.measured, data=model.fake)
    return shown.with_interest(model.poi) if model.poi in shown.couplings else shown


def _as_written(analysis: Analysis, templates: Templates, model: Model) -> Templates:
    """Return the templates and data that were fitted; a fit of other than real data leaves data in no file."""
    data = None if not model.measured else model.data if model.n_bins == templates.n_bins else templates.data
    return dataclasses.replace(as_fitted(analysis, templates), data=data)


def _draw(
    folder: Path,
    before: Path,
    analysis: Analysis,
    templates: Templates,
    model: Model,
    best: FitResult,
    profile: Profile,
    limit: Limit,
    expected: Expectation,
    impacts: Sequence[Impact],
) -> dict[str, Picture]:
    """Save the figures to a folder and return them for the page; a figure of `before` that has not changed is kept."""
    from spectrafit.report.figures import draw

    folder.mkdir()
    planned = list(draw(analysis, templates, model, best, profile, limit, expected, impacts))
    # Regions have any name: the file gets a safe name that no other figure has.
    names = slugs(one.name for one in planned)
    files = save_all(folder, before, {names[one.name]: one for one in planned}, dpi=DPI)
    return {
        name: Picture(
            png=found.png, caption=found.planned.caption, seen=found.planned.seen, width=found.width, name=name
        )
        for name, found in files.items()
    }


def _page(
    analysis: Analysis,
    templates: Templates,
    model: Model,
    best: FitResult,
    limit: Limit,
    expected: Expectation,
    impacts: Sequence[Impact],
    constraints: Constraints | None,
    validations: Sequence[Validation],
    result: Mapping[str, Any],
    pictures: Mapping[str, Picture],
) -> str:
    coupling = COUPLINGS[model.coupling]
    provenance = result["provenance"]
    about_fit = ("profile", "limit", "nuisances", "correlations")
    spectra = tuple(
        picture for name, picture in pictures.items() if name not in about_fit and not name.startswith("response_")
    )
    responses = tuple(picture for name, picture in pictures.items() if name.startswith("response_"))
    fitted = tuple(pictures[name] for name in about_fit if name in pictures)
    made = [(name, text) for name, text in provenance["versions"].items()]
    digests = [
        ("made", provenance["made"]),
        ("machine", provenance["machine"]),
        ("configuration", provenance["configuration_digest"]),
        ("templates", provenance["templates_digest"]),
        ("seeds", ", ".join(f"{name} {seed}" for name, seed in provenance["seeds"].items())),
    ]
    shown = coupling.reported(expected.kappa)
    at = f"{title(model.couplings, model.poi)}, {coupling.symbol} = {shown:.4g} {coupling.unit}".strip()
    at = ", ".join([at, *(f"{name} = {value:.4g}" for name, value in expected.others.items())])
    couplings = (couplings_table(result["couplings"]),) if len(result["couplings"]) > 1 else ()
    sections = [
        Section(title="Result", tables=(result_table(best, limit), *couplings)),
        Section(
            title="Spectra",
            pictures=spectra,
            tables=(
                yields_table(expected, model, at),
                *([validation_table(validations)] if validations else []),
                monomials_table(result["monomials"]),
            ),
        ),
        Section(
            title="Fit",
            pictures=fitted,
            tables=(
                nuisance_table(model, best, impacts),
                *([constraints_table(constraints)] if constraints else []),
                budget_table(best, impacts),
                *([origins_table(found)] if (found := sources(templates, best)) else []),
            ),
        ),
        Section(title="Input", pictures=responses, tables=tuple(_input_tables(templates))),
        Section(
            title="Provenance",
            tables=(
                Table(title="", columns=("", ""), rows=tuple(digests)),
                Table(title="Versions", columns=("", ""), rows=tuple(made)),
            ),
        ),
        Section(title="Configuration", texts=_configuration(analysis, provenance["configuration_digest"])),
    ]
    data = "observed data" if model.measured else "expectation without the coupling (blinded)"
    data = data if model.fake is None else f"FAKE DATA, not measured: {model.fake.label}"
    how = f"{100 * limit.level:g} % CL, {limit.sides}-sided, {limit.method}"
    # What stands beside the number is not said again below it.
    said = [f"The limit: {note}" for note in limit.notes[:1] if limit.beside]
    return page(
        analysis.title or Path(analysis.path).stem,
        f"spectrafit {version('spectrafit-numm')}, {provenance['made'][:16].replace('T', ' ')} UTC",
        headline(coupling, limit, model.poi if len(model.couplings) > 1 else ""),
        "; ".join(word for word in (how, profiled(model.couplings, model.poi), data) if word),
        sections,
        beside=beside(limit, model.coupling),
        files=("result.json", "templates.root"),
        alarms=[alarm for alarm in alarms(best, model, templates, limit, constraints) if alarm not in said],
    )


def _configuration(analysis: Analysis, digest: str) -> tuple[tuple[str, str], ...]:
    """Return the TOML files of the analysis as it was run, each with its name."""
    files = written(analysis)
    first, *others = files
    where = f"as {first}" + (f", with {', '.join(others)} beside it" if others else "")
    note = (
        f"# The analysis as it was run, with all settings of the run. Save it {where},\n"
        "# in the folder of the original file: names of files are relative to it.\n"
        f"# Loaded again it has the digest {digest}.\n\n"
    )
    return tuple((name, note * (name == first) + text) for name, text in files.items())


def _input_tables(templates: Templates) -> list[Table]:
    tables = [sources_table(templates)]
    if templates.components:
        tables.append(
            Table(
                title="Principal components",
                columns=("systematic", ">variations", ">kept", ">variance kept"),
                rows=tuple(
                    (name, *(f"{value:.6g}" for value in found.values()))
                    for name, found in templates.components.items()
                ),
            )
        )
    if templates.smoothing:
        rows = tuple(
            (*(str(found[key]) for key in ("parameter", "sample", "region", "cells")), f"{found['noise']:.2g}")
            for found in templates.smoothing
        )
        columns = ("parameter", "sample", "region", ">cells", ">noise / prior")
        tables.append(Table(title='Grids of smooth = "auto"', columns=columns, rows=rows))
    if templates.pruned:
        rows = tuple(tuple(str(value) for value in record.values()) for record in templates.pruned)
        tables.append(Table(title="Pruned", columns=tuple(templates.pruned[0]), rows=rows))
    return tables
