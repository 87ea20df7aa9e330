"""Collects the models of pyhf's own tests as workspaces, for `spectrafit bench peers --workspace FOLDER`.

Most of these models are made inside tests, from the numbers of `validation/`. So the tests are run here, and every
model is written: with its own data or the first that it is evaluated at, or with one Poisson draw of its expectation
(`drawn-*`). It is run by a Python that has the clone's pyhf and what its tests need::

    git clone https://github.com/scikit-hep/pyhf
    pip install "./pyhf[minuit,xmlio]" jax pytest pytest-console-scripts pytest-mock pytest-socket requests-mock
    python scripts/pyhf_workspaces.py pyhf workspaces

A test that fails, for want of a package, is no loss but its models. Nothing of pyhf is part of spectrafit.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

# numpy's backend evaluates every model; others trace or compile them.
_BACKEND = "not jax and not pytorch and not tensorflow"
# Tests of speed, figures and notebooks have no models of their own.
_LEFT_OUT = ("tests/benchmarks", "tests/contrib", "tests/test_notebooks.py")
_FOLDER = "SPECTRAFIT_PYHF_WORKSPACES"

_found: set[str] = set()
_made: dict[str, tuple[str, dict[str, Any]]] = {}
_test = ["collection"]


def pytest_configure() -> None:
    """Watch every model of pyhf that is made or evaluated in this process."""
    import numpy as np
    from pyhf.pdf import Model
    from pyhf.workspace import Workspace

    make, evaluate, read = Model.__init__, Model.logpdf, Workspace.__init__

    def keep(model: Any, data: Any) -> None:
        values = np.asarray(data, np.float64)
        bins = model.config.nmaindata
        if not getattr(model, "seen", False) and values.ndim == 1 and len(values) >= bins:
            model.seen = True
            _keep(model, values[:bins])

    def made(self: Any, *positional: Any, **named: Any) -> None:
        make(self, *positional, **named)
        with contextlib.suppress(Exception):  # a model in batches, or without parameters, has no single expectation
            values = np.asarray(self.expected_data(self.config.suggested_init(), include_auxdata=False), np.float64)
            digest, name, _ = _workspace(self, values)
            drawn = np.random.default_rng(int(digest, 16)).poisson(np.maximum(values, 0.0)).astype(np.float64)
            _made.setdefault(digest, (name, _workspace(self, drawn)[2]))

    def evaluated(self: Any, pars: Any, data: Any) -> Any:
        keep(self, data)
        return evaluate(self, pars, data)

    def observed(self: Any, *positional: Any, **named: Any) -> None:
        read(self, *positional, **named)
        with contextlib.suppress(Exception):  # a workspace that is wrong on purpose
            model = self.model()
            keep(model, self.data(model))

    Model.__init__, Model.logpdf, Workspace.__init__ = made, evaluated, observed


def pytest_sessionfinish() -> None:
    """Write the models that saw no data."""
    for digest, (name, workspace) in _made.items():
        if digest not in _found:
            _write(f"drawn-{name}-{digest}", workspace)


def pytest_runtest_setup(item: Any) -> None:
    """Note which test runs: it names the workspaces."""
    _test[0] = f"{Path(str(item.path)).stem}-{item.name}"


def _workspace(model: Any, values: Any) -> tuple[str, str, dict[str, Any]]:
    """Return a digest of a model without its data, a name of it, and its workspace; TypeError if it is no JSON."""
    observations = [
        {"name": name, "data": values[model.config.channel_slices[name]].tolist()} for name in model.config.channels
    ]
    settings = {"poi": model.config.poi_name or "", "parameters": model.spec.get("parameters", [])}
    workspace = {
        "channels": model.spec["channels"],
        "observations": observations,
        "measurements": [{"name": "test", "config": settings}],
        "version": "1.0.0",
    }
    said = json.dumps(workspace["channels"], sort_keys=True) + json.dumps(settings, sort_keys=True)
    words = re.sub(r"[^A-Za-z0-9_.-]+", "_", _test[0]).strip("_")[:80]
    return hashlib.sha256(said.encode()).hexdigest()[:8], words, workspace


def _keep(model: Any, values: Any) -> None:
    with contextlib.suppress(TypeError):
        digest, name, workspace = _workspace(model, values)
        if digest not in _found:
            _found.add(digest)
            _write(f"{name}-{digest}", workspace)


def _write(name: str, workspace: dict[str, Any]) -> None:
    path = Path(os.environ[_FOLDER]) / f"{name}.json"
    path.write_text(json.dumps(workspace, indent=1), encoding="utf-8")


def main() -> None:
    """Run the tests of a clone in a process of their own, with this file as a plugin."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("clone", type=Path, help="a clone of pyhf's repository")
    parser.add_argument("folder", type=Path, help="where the workspaces go; made here")
    given = parser.parse_args()
    if not (given.clone / "tests").is_dir():
        parser.error(f"{given.clone} has no folder tests: give a clone of pyhf's repository")
    given.folder.mkdir(parents=True, exist_ok=True)
    here = Path(__file__).resolve()
    environment = {
        **os.environ,
        _FOLDER: str(given.folder.resolve()),
        "PYTHONPATH": os.pathsep.join([str(here.parent), os.environ.get("PYTHONPATH", "")]),
    }
    words = [sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=no", "-p", here.stem, "-p", "no:cacheprovider"]
    words += [f"--ignore={each}" for each in _LEFT_OUT] + ["--continue-on-collection-errors"]
    words += ["-k", _BACKEND, "--override-ini=addopts=", "tests"]
    subprocess.run(words, cwd=given.clone, env=environment, check=False)
    count = len(list(given.folder.glob("*.json")))
    print(f"{count} workspaces in {given.folder}")
    if not count:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
