"""From simulated neutrino-electron scattering in ROOT ntuples to a limit on the muon-neutrino magnetic moment.

The whole analysis is a dozen lines, and each line is a command of the same name::

    import spectrafit as sf

    analysis = sf.load("fits/nova_nd_fhc.toml")
    templates = sf.build(analysis)
    model = sf.assemble(analysis, templates)
    best = sf.fit(model)
    limit = sf.upper_limit(model, level=0.90)
    sf.report("results/nova_nd_fhc", analysis, templates, best, limit)

The rooms are `spectrafit.physics` (cross sections), `spectrafit.events` (ntuples), `spectrafit.templates`
(histograms), `spectrafit.inference` (fits and limits), `spectrafit.interop` and `spectrafit.report`. Importing this
package loads none of them: a name is looked up when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectrafit.errors import ConfigError, DataError, SpectrafitError
from spectrafit.kept import discard_stale, make_room

if TYPE_CHECKING:
    from spectrafit.config import Analysis, SampleSet, load, load_samples
    from spectrafit.events.generate import generate
    from spectrafit.events.inspect import inspect
    from spectrafit.events.reweight import reweight, weights
    from spectrafit.events.reweight_files import reweight_files
    from spectrafit.inference.assemble import assemble
    from spectrafit.inference.fake import Asimov, Simulated, Toy
    from spectrafit.inference.fitting.constraints import constraints
    from spectrafit.inference.fitting.contours import contour
    from spectrafit.inference.fitting.fit import fit, profile
    from spectrafit.inference.fitting.impacts import impacts
    from spectrafit.inference.intervals.hypotheses import hypotest, significance
    from spectrafit.inference.intervals.limits import upper_limit
    from spectrafit.inference.intervals.limits import upper_limit as limit
    from spectrafit.inference.likelihood import information
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Limit, Profile
    from spectrafit.inference.studies.breakdown import breakdown
    from spectrafit.inference.studies.choosing import compare_binnings, optimise
    from spectrafit.inference.studies.coverage import coverage
    from spectrafit.inference.studies.optimise import Rules
    from spectrafit.inference.studies.scans import scan
    from spectrafit.inference.studies.sensitivity import sensitivity
    from spectrafit.interop.export import write_workspace as export
    from spectrafit.interop.injection import inject
    from spectrafit.interop.referee import referee
    from spectrafit.report.chart import chart
    from spectrafit.report.comparing import compare
    from spectrafit.report.inventories import inventory_table as check
    from spectrafit.report.status import status
    from spectrafit.report.write import write as report
    from spectrafit.templates.build import build
    from spectrafit.templates.refine import fine_cells
    from spectrafit.templates.templates import Templates

# The room and the verb are both called `report`. Python binds the name to the room once, at the room's first import.
# That import happens here. The name is then free, and `__getattr__` gives it to the verb for good.
import_module(f"{__name__}.report")
del globals()["report"]

# Before any kernel is loaded.
make_room(str(Path(__file__).parent))
discard_stale(str(Path(__file__).parent))

_HOME = {
    "Analysis": "config",
    "Asimov": "inference.fake",
    "FitResult": "inference.results",
    "Limit": "inference.results",
    "Model": "inference.model",
    "Profile": "inference.results",
    "Rules": "inference.studies.optimise",
    "SampleSet": "config",
    "Simulated": "inference.fake",
    "Templates": "templates.templates",
    "Toy": "inference.fake",
    "assemble": "inference.assemble",
    "breakdown": "inference.studies.breakdown",
    "build": "templates.build",
    "chart": "report.chart",
    "check": "report.inventories:inventory_table",
    "compare": "report.comparing",
    "compare_binnings": "inference.studies.choosing",
    "constraints": "inference.fitting.constraints",
    "contour": "inference.fitting.contours",
    "coverage": "inference.studies.coverage",
    "export": "interop.export:write_workspace",
    "fine_cells": "templates.refine",
    "fit": "inference.fitting.fit",
    "generate": "events.generate",
    "hypotest": "inference.intervals.hypotheses",
    "impacts": "inference.fitting.impacts",
    "information": "inference.likelihood",
    "inject": "interop.injection",
    "inspect": "events.inspect",
    "limit": "inference.intervals.limits:upper_limit",
    "load": "config",
    "load_samples": "config",
    "optimise": "inference.studies.choosing",
    "profile": "inference.fitting.fit",
    "referee": "interop.referee",
    "report": "report.write:write",
    "reweight": "events.reweight",
    "reweight_files": "events.reweight_files",
    "scan": "inference.studies.scans",
    "sensitivity": "inference.studies.sensitivity",
    "significance": "inference.intervals.hypotheses",
    "status": "report.status",
    "upper_limit": "inference.intervals.limits",
    "weights": "events.reweight",
}

__all__ = [
    "Analysis",
    "Asimov",
    "ConfigError",
    "DataError",
    "FitResult",
    "Limit",
    "Model",
    "Profile",
    "Rules",
    "SampleSet",
    "Simulated",
    "SpectrafitError",
    "Templates",
    "Toy",
    "assemble",
    "breakdown",
    "build",
    "chart",
    "check",
    "compare",
    "compare_binnings",
    "constraints",
    "contour",
    "coverage",
    "export",
    "fine_cells",
    "fit",
    "generate",
    "hypotest",
    "impacts",
    "information",
    "inject",
    "inspect",
    "limit",
    "load",
    "load_samples",
    "optimise",
    "profile",
    "referee",
    "report",
    "reweight",
    "reweight_files",
    "scan",
    "sensitivity",
    "significance",
    "status",
    "upper_limit",
    "weights",
]


def __getattr__(name: str) -> Any:
    """Import the room a public name lives in when the name is first used."""
    if name == "__version__":
        # importlib.metadata costs as much as everything else here together.
        return import_module("importlib.metadata").version("spectrafit-numm")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOME[name].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), attribute or name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted([*globals(), *_HOME])
