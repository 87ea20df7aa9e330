"""Fits the plain JSON of a workspace with other tools, as they come: pyhf, NextStat, and RooFit.

Each returns all parameters at its minimum, by pyhf's names. `spectrafit.interop.referee` judges the minima.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from spectrafit.errors import ConfigError
from spectrafit.interop import roofit_minimum
from spectrafit.interop import workspace as ws
from spectrafit.interop.hs3 import to_hs3

__all__ = ["FITTERS", "ROOT_PYTHON", "Fitter", "plain_json", "pyhf_likelihood", "python_with_root"]

ROOT_PYTHON = "SPECTRAFIT_PYTHON_WITH_ROOT"
"""The environment variable that names another Python, which has ROOT."""

Fitter = Callable[[dict[str, Any]], dict[str, float]]
"""A fit of pyhf's plain JSON with one measurement, which returns all parameters at the minimum."""


def plain_json(spec: ws.Workspace, place: int) -> dict[str, Any]:
    """Return pyhf's plain JSON of a workspace with the measurement at `place`; keys not given stay away."""
    plain: dict[str, Any] = json.loads(msgspec.json.encode(spec))
    chosen = plain["measurements"][place]
    chosen["config"]["parameters"] = [
        {key: value for key, value in setting.items() if value is not None}
        for setting in chosen["config"]["parameters"]
    ]
    samples = [sample for channel in plain["channels"] for sample in channel["samples"]]
    names = {modifier["name"] for sample in samples for modifier in sample["modifiers"]}
    if chosen["config"]["poi"] not in names:
        chosen["config"]["poi"] = ""
    return plain | {"measurements": [chosen]}


def _pyhf_model(plain: dict[str, Any]) -> tuple[Any, Any, Any]:
    package = importlib.import_module("pyhf")
    workspace = package.Workspace(plain)
    settings = {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}}
    model = workspace.model(modifier_settings=settings, poi_name=plain["measurements"][0]["config"]["poi"] or None)
    return package, model, workspace.data(model)


def pyhf_likelihood(plain: dict[str, Any]) -> Callable[[Mapping[str, float]], float]:
    """Return pyhf's own 2NLL of parameters by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package, model, data = _pyhf_model(plain)

    def value(values: Mapping[str, float]) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = package.infer.mle.twice_nll([values[name] for name in model.config.par_names], data, model)
        return float(np.ravel(found)[0])

    return value


def _pyhf(plain: dict[str, Any]) -> dict[str, float]:
    """Fit with pyhf's numpy backend and Minuit, from pyhf's own start."""
    package, model, data = _pyhf_model(plain)
    before, log = package.get_backend(), logging.getLogger("pyhf")
    package.set_backend("numpy", package.optimize.minuit_optimizer())
    # What pyhf logs of a failure, with a traceback, is in the exception too.
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        best = package.infer.mle.fit(data, model)
    finally:
        log.setLevel(level)
        package.set_backend(*before)
    return dict(zip(model.config.par_names, (float(value) for value in best), strict=True))


def _nextstat(plain: dict[str, Any]) -> dict[str, float]:
    """Fit with NextStat."""
    package = importlib.import_module("nextstat")
    model = package.from_pyhf(json.dumps(plain))
    best = package.fit(model)
    return dict(zip(model.parameter_names(), (float(value) for value in best.bestfit), strict=True))


def python_with_root() -> str:
    """Return the Python that has ROOT: the one that `ROOT_PYTHON` names, this one if it has ROOT, or "" for none.

    Raises
    ------
    ConfigError
        `ROOT_PYTHON` names no program.
    """
    named = os.environ.get(ROOT_PYTHON, "")
    if not named:
        return sys.executable if find_spec("ROOT") else ""
    program = shutil.which(named)
    if program is None:
        raise ConfigError(f"{ROOT_PYTHON} is {named!r}, which is no program; give the path of a Python that has ROOT")
    # The program is started in another folder. A link of a venv is not followed: it is what has ROOT.
    return str(Path(program).absolute())


def _roofit(plain: dict[str, Any]) -> dict[str, float]:
    """Fit with RooFit (Minuit2, strategy 1), in a process of its own, which reads our HS3."""
    content = to_hs3(plain)
    program = Path(roofit_minimum.__file__).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="spectrafit-roofit-") as name:
        folder = Path(name)
        (folder / "workspace.json").write_text(json.dumps(content), encoding="utf-8")
        words = [python_with_root(), "-W", "ignore", "-c", program, "workspace.json", "minimum.json"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode < 0:
            raise RuntimeError(f"ROOT was ended by {signal.Signals(-done.returncode).name}")
        if done.returncode:
            said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            # A C++ exception comes with the signature of its function first.
            raise RuntimeError(said[-1].split("=>")[-1] if said else f"ROOT ended with exit code {done.returncode}")
        found = json.loads((folder / "minimum.json").read_text(encoding="utf-8"))
    called = content["misc"].get("spectrafit", {}).get("names", {})
    # Parameters on which nothing depends are not in ROOT's likelihood.
    values = {each["name"]: each["value"] for each in content["parameter_points"][0]["parameters"]} | found["values"]
    return {called.get(word, word): value for word, value in values.items()}


def _installed(package: str) -> Callable[[], bool]:
    return lambda: find_spec(package) is not None


FITTERS: dict[str, tuple[Callable[[], bool], Fitter]] = {
    "pyhf": (_installed("pyhf"), _pyhf),
    "nextstat": (_installed("nextstat"), _nextstat),
    "roofit": (lambda: bool(python_with_root()), _roofit),
}
"""Other fitters by name: whether each is installed, and its fit."""
