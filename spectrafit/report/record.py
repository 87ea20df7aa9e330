"""Collects the results of an analysis as the plain values that `result.json` holds."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import msgspec

from spectrafit.config import digest
from spectrafit.inference.fitting.sources import sources
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.alarms import alarms
from spectrafit.report.contents import contents
from spectrafit.report.couplings import coupling_rows, monomial_sums
from spectrafit.report.layout import LAYOUT
from spectrafit.report.plain import plain
from spectrafit.report.tables import nuisance_rows

if TYPE_CHECKING:
    from spectrafit.config import Analysis
    from spectrafit.inference.fitting.constraints import Constraints
    from spectrafit.inference.fitting.validation import Validation
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Impact, Limit, Profile
    from spectrafit.templates.templates import Templates

__all__ = ["fit_summary", "provenance_of", "record"]

# Packages on whose versions the numbers can depend.
_PACKAGES = (
    "spectrafit-numm",
    "numpy",
    "numba",
    "scipy",
    "iminuit",
    "awkward",
    "uproot",
    "boost-histogram",
    "formulate",
)

_ASIMOV = "Asimov: the expectation at kappa = 0"


def record(
    analysis: Analysis,
    templates: Templates,
    model: Model,
    best: FitResult,
    limit: Limit,
    profile: Profile,
    impacts: Sequence[Impact],
    constraints: Constraints | None = None,
    validations: Sequence[Validation] = (),
    shown: Model | None = None,
) -> dict[str, Any]:
    """Return the content of `result.json` as plain values: limit, best fit, nuisances, yields, status, provenance.

    `spectrafit.report.layout` describes each key. `shown` is the model bin by bin, where that is not the one fitted.
    Numbers that are not finite become None. Templates without cells have no constraints without noise: they are None.
    """
    coupling = COUPLINGS[model.coupling]
    couplings = coupling_rows(analysis, model, best, impacts, limit)
    carriers = next(
        fitted_coupling.carriers
        for fitted_coupling in analysis.fitted_couplings
        if fitted_coupling.parameter == model.poi
    )
    names = list(dict.fromkeys(component.sample for component in model.components))
    best_fit: dict[str, Any] = {
        "kappa": best.kappa,
        "error": best.kappa_error,
        "minos": best.minos.get(best.poi),
        "unit_of_kappa": f"{coupling.scale:g} {coupling.unit}{'^2' if coupling.root == 2 else ''}".strip(),
        "reported": coupling.reported(best.kappa),
        "reported_unit": coupling.unit,
    }
    content = {
        "layout": LAYOUT,
        "title": analysis.title,
        "experiment": analysis.experiment,
        "alarms": alarms(best, model, templates, limit, constraints),
        "coupling": {
            "name": coupling.name,
            "symbol": coupling.symbol,
            "unit": coupling.unit,
            "parameter": model.poi,
            "carriers": carriers,
        },
        "couplings": couplings,
        "monomials": monomial_sums(templates),
        "limit": limit.summary() | {"symbol": coupling.symbol, "points": limit.points},
        "best_fit": best_fit,
        "nuisances": nuisance_rows(model, best, impacts),
        "constraints": None if constraints is None else constraints.summary(),
        "validation": [region.summary() for region in validations],
        "sources": [source.summary() for source in sources(templates, best)],
        "smoothing": templates.smoothing,
        "error_budget": {impact.name: impact.size for impact in impacts if impact.group},
        "correlation": {"parameters": list(best.names), "matrix": best.correlation},
        "fit": fit_summary(best, model)
        | {
            "mc_statistics": analysis.fit.mc_statistics,
            "dropped_bins": model.zero_bins,
        },
        "profile": {
            "parameter": profile.parameter,
            "kappa": profile.grid,
            "delta_2nll": profile.delta_2nll,
            "valid": profile.valid,
        },
        "regions": contents(analysis, templates, shown or model, best),
        "data": {
            "blinded": not model.measured,
            "unblinded": model.measured,
            "what": "observed" if model.measured else model.called if model.fake else _ASIMOV,
            "fake": None if model.fake is None else model.fake.summary(),
            "events": {span.name: float(model.data[span.start : span.stop].sum()) for span in model.regions},
        },
        "samples": names,
        "provenance": _provenance(analysis, templates),
    }
    result: dict[str, Any] = plain(content)
    return result


def fit_summary(best: FitResult, model: Model) -> dict[str, Any]:
    """Return what `result.json` says of every fit, of an analysis or of a workspace."""
    return {
        "valid": best.valid,
        "message": best.message,
        "two_nll": best.two_nll,
        "edm": best.edm,
        "calls": best.calls,
        "seconds": best.seconds,
        "at_limit": best.at_limit,
        "fixed": best.fixed,
        "goodness": best.goodness,
        "statistic": model.statistic,
        "terms": model.terms,
        "bins": int(model.used.sum()),
    }


def _provenance(analysis: Analysis, templates: Templates) -> dict[str, Any]:
    found = provenance_of(
        digest=digest(analysis),
        templates=templates.digest,
        configuration=msgspec.to_builtins(analysis),
        seeds={
            "limit": analysis.limit.seed,
            **{sample_set.name: sample_set.seed for sample_set in analysis.sample_sets},
        },
    )
    return found | {
        "inputs": templates.inventories,
        "components": templates.components,
        "pruned": templates.pruned,
        "build": templates.provenance,
    }


def provenance_of(
    *, digest: str, templates: str, configuration: dict[str, Any], seeds: dict[str, int]
) -> dict[str, Any]:
    """Return where a result comes from: the time, the machine, the versions, and what is given; no inputs and no build.

    Parameters
    ----------
    digest, templates : str
        Of the configuration and of the templates.
    configuration : dict
        In plain values.
    seeds : mapping of str to int
    """
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": platform.platform(),
        "versions": versions,
        "configuration_digest": digest,
        "templates_digest": templates,
        "inputs": [],
        "components": {},
        "pruned": [],
        "seeds": seeds,
        "build": {},
        "configuration": configuration,
    }
