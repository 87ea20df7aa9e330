"""Fits a workspace with the peers of the benchmark, each in a process of its own.

Every peer returns best-fit mu (NaN without one) and by how much 2NLL falls from the initial parameters to the minimum,
in which constants cancel. The model is made at the first call and kept; later calls time the fit alone.
"""

from __future__ import annotations

import functools
import json
import math
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from spectrafit.bench.roofit import fit as roofit_fit
from spectrafit.bench.workspaces import load

__all__ = ["FITTERS", "Answer", "cold_ours", "cold_pyhf", "installed", "nextstat_toys"]

Answer = tuple[float, float]


def _package(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)


@functools.cache
def _pyhf_model(path: str, backend: str) -> tuple[Any, Any, Any]:
    pyhf = _package("pyhf")
    optimizer = pyhf.optimize.minuit_optimizer() if backend == "numpy" else pyhf.optimize.scipy_optimizer()
    pyhf.set_backend(backend, optimizer, precision="64b")
    workspace = pyhf.Workspace(load(path))
    settings = {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
    # A likelihood without its signal has no parameter of interest, whatever its measurement says.
    names = {
        modifier["name"]
        for channel in workspace["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }
    poi = workspace.get_measurement()["config"]["poi"]
    model = workspace.model(modifier_settings=settings, poi_name=poi if poi in names else None)
    return pyhf, model, workspace.data(model)


def _pyhf(path: str, backend: str) -> Answer:
    pyhf, model, data = _pyhf_model(path, backend)
    best, value = pyhf.infer.mle.fit(data, model, return_fitted_val=True)
    start = pyhf.infer.mle.twice_nll(pyhf.tensorlib.astensor(model.config.suggested_init()), data, model)
    poi = model.config.poi_index
    return math.nan if poi is None else float(best[poi]), float(start[0]) - float(value)


def pyhf_minuit(path: str) -> Answer:
    """Fit with pyhf's numpy backend and Minuit, HESSE included."""
    return _pyhf(path, "numpy")


def pyhf_jax(path: str) -> Answer:
    """Fit with pyhf's jax backend and scipy's SLSQP: gradient, no errors."""
    return _pyhf(path, "jax")


@functools.cache
def _nextstat_model(path: str) -> tuple[Any, Any]:
    package = _package("nextstat")
    return package, package.from_pyhf(json.dumps(load(path)))


def nextstat(path: str) -> Answer:
    """Fit with NextStat, errors included."""
    package, model = _nextstat_model(path)
    best = package.fit(model)
    drop = 2.0 * (model.two_nll(model.suggested_init()) - best.two_nll)
    return float(best.bestfit[model.poi_index()]), float(drop)


def nextstat_toys(path: str, toys: int) -> int:
    """Throw toys at the initial parameters with NextStat and fit each once; return how many converged."""
    package, model = _nextstat_model(path)
    found = package.fit_toys(model, model.suggested_init(), n_toys=toys, seed=1)
    return sum(bool(one.converged) for one in found)


FITTERS: dict[str, tuple[str, tuple[str, ...], Callable[[str], Answer]]] = {
    "roofit": ("RooFit, cpu backend", ("ROOT",), roofit_fit),
    "nextstat": ("NextStat", ("nextstat",), nextstat),
    "pyhf": ("pyhf, numpy and Minuit", ("pyhf",), pyhf_minuit),
    "pyhf-jax": ("pyhf, jax and scipy", ("pyhf", "jax"), pyhf_jax),
}
"""The peers by name: title, packages they need, fit."""


def installed(peer: str) -> bool:
    """Tell whether a peer can be run here."""
    return all(find_spec(package) is not None for package in FITTERS[peer][1])


def cold_ours(path: str) -> tuple[float, float, str]:
    """Read and fit a workspace, the first in this process: seconds, fall of 2NLL, what is wrong."""
    from spectrafit.interop.pyhf import fit_workspace

    begun = time.perf_counter()
    found = fit_workspace(path)
    seconds = time.perf_counter() - begun
    return seconds, found["statistic_at_start"] - found["statistic"], found["message"]


def cold_pyhf(path: str) -> tuple[float, float, str]:
    """Read and fit a workspace with pyhf on jax, the first in this process: seconds, fall of 2NLL, nothing."""
    for package in ("pyhf", "jax", "scipy.optimize"):
        _package(package)
    begun = time.perf_counter()
    _, drop = pyhf_jax(path)
    return time.perf_counter() - begun, drop, ""
