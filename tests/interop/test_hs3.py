"""HS3 as ROOT, pyhs3 and NextStat read it, compared with pyhf at random points."""

import gzip
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import boost_histogram as bh
import numpy as np
import pytest

from spectrafit.inference.likelihood import Likelihood
from spectrafit.interop.export import to_workspace, write_workspace
from spectrafit.interop.hs3 import axes_of, to_hs3
from tests.interop.test_pyhf_export import model, referee, twice_nll

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:pyhf"),
]

# ROOT may live in an environment of its own: this variable names the Python that has it.
ROOT_PYTHON = os.environ.get("SPECTRAFIT_PYTHON_WITH_ROOT") or (
    sys.executable if importlib.util.find_spec("ROOT") else ""
)
KAPPA = 0.9


def word(name):
    return re.sub(r"\W", "_", re.sub(r"\[(\d+)\]$", r"_bin_\1", name))


def written(folder, *, powers=1, axes=None):
    """Return an HS3 file, points of its parameters, and pyhf's 2NLL there above that of the first."""
    given = model(powers=powers, mc=0.02)
    path = write_workspace(given, folder / f"w{powers}.json", kappa=KAPPA, form="hs3", axes=axes).path
    content = json.loads(path.read_text())
    free = [p for p in content["parameter_points"][0]["parameters"] if not p["const"]]
    random = np.random.default_rng(powers)
    points = [{p["name"]: p["value"] for p in free}]
    for _ in range(4):
        size = {p["name"]: 0.02 if "mc_statistics" in p["name"] else 0.3 for p in free}
        points.append({name: points[0][name] + random.normal() * size[name] for name in size})
    plain = to_workspace(given, kappa=KAPPA)[0]
    found, data = referee(plain, poi_name=None)
    values = []
    for point in points:
        strength = point["signal_strength"]
        named = point | {"signal_strength_1": strength, "signal_strength_2": strength**2}
        values.append(twice_nll(found, data, [named[word(name)] for name in found.config.par_names]))
    return path, points, np.array(values) - values[0]


@pytest.mark.skipif(not ROOT_PYTHON, reason="ROOT is not installed, and SPECTRAFIT_PYTHON_WITH_ROOT names none")
@pytest.mark.parametrize("powers", [1, 2])
def test_root_reads_the_same_likelihood(powers, tmp_path):
    edges = [0.0, 1.0, 2.0, 4.0, 5.0, 7.0, 20.0]
    path, points, expected = written(tmp_path, powers=powers, axes={"near": [("t_reco", edges)]})
    (tmp_path / "points.json").write_text(json.dumps(points))
    script = Path(__file__).with_name("read_hs3.py")
    words = [ROOT_PYTHON, "-W", "ignore", str(script), str(path), str(tmp_path / "points.json")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    values = np.array(found["two_nll"])
    np.testing.assert_allclose(values - values[0], expected, atol=1e-7)
    assert found["interest"] == ["signal_strength"]
    assert found["edges"]["t_reco_near"] == edges
    assert found["edges"]["bin_side"] == list(range(7))


@pytest.mark.parametrize("powers", [1, 2])
def test_pyhs3_reads_the_same_likelihood(powers, tmp_path):
    pyhs3 = pytest.importorskip("pyhs3", reason="pyhs3 is not installed: what reads HS3")
    import pytensor
    from pytensor.graph.traversal import explicit_graph_inputs

    path, points, expected = written(tmp_path, powers=powers)
    workspace = pyhs3.Workspace.load(path)
    log_prob = workspace.model(workspace.analyses["spectrafit"], progress=False).log_prob
    inputs = list(explicit_graph_inputs([log_prob]))
    evaluate = pytensor.function(inputs, log_prob)
    start = {p["name"]: p["value"] for p in json.loads(path.read_text())["parameter_points"][0]["parameters"]}
    values = []
    for point in points:
        named = start | point
        arguments = [np.full((1,) * i.ndim, named[i.name], dtype=i.dtype) for i in inputs]
        values.append(-2.0 * float(np.ravel(evaluate(*arguments))[0]))
    np.testing.assert_allclose(np.array(values) - values[0], expected, atol=1e-7)


def test_nextstat_reads_it(tmp_path):
    nextstat = pytest.importorskip("nextstat", reason="NextStat is not installed: one more reader of HS3")
    path, points, expected = written(tmp_path)
    found = nextstat.from_pyhf(path.read_text())
    names, start = found.parameter_names(), found.suggested_init()
    values = [2.0 * found.nll([point.get(n, s) for n, s in zip(names, start, strict=True)]) for point in points]
    # NextStat draws straight lines between the shapes of a histosys from HS3, pyhf a polynomial.
    np.testing.assert_allclose(np.array(values) - values[0], expected, atol=0.2)


def test_names_starts_and_limits_are_those_of_the_workspace(tmp_path):
    given = model(mc=0.02)
    plain = to_workspace(given, kappa=KAPPA)[0]
    path = write_workspace(given, tmp_path / "w.json.gz", kappa=KAPPA, form="hs3").path
    content = json.loads(gzip.decompress(path.read_bytes()))
    starts = {p["name"]: p["value"] for p in content["parameter_points"][0]["parameters"] if not p["const"]}
    found, _ = referee(plain)
    names = [word(name) for name in found.config.par_names]
    assert starts == dict(zip(names, found.config.suggested_init(), strict=True))
    (domain,) = content["domains"]
    assert domain["name"] == "default_domain"
    limits = {a["name"]: (a["min"], a["max"]) for a in domain["axes"]}
    assert {name: limits[name] for name in names} == dict(
        zip(names, map(tuple, found.config.suggested_bounds()), strict=True)
    )
    assert [d["contents"] for d in content["data"]] == [o["data"] for o in plain["observations"]]
    # A constraint is a distribution of its own, named by every modifier that has it.
    constraints = {d["name"] for d in content["distributions"] if d["type"] == "gaussian_dist"}
    channels = [d for d in content["distributions"] if d["type"] == "histfactory_dist"]
    named = {
        m["constraint_name"] for c in channels for s in c["samples"] for m in s["modifiers"] if "constraint_name" in m
    }
    assert constraints == named == {"flux_constraint", "scale_constraint", "genie_bin_0_constraint"}


def test_kappa_squared_is_an_expression_of_kappa_and_the_hypothesis_no_longer_fixed(tmp_path):
    export = write_workspace(model(powers=2), tmp_path / "w.json", kappa=KAPPA, form="hs3")
    assert not any("cannot float together" in note for note in export.notes)
    content = json.loads(export.path.read_text())
    (square,) = content["functions"]
    assert square["expression"] == "signal_strength*signal_strength"
    assert content["analyses"][0]["parameters_of_interest"] == ["signal_strength"]
    # Its value is what our own likelihood has where both powers move together (pyhf, with its two factors set by hand).
    given = model(powers=2)
    values = given.initial
    values[0] = 1.3 * KAPPA
    ours = Likelihood(given).two_nll(values)
    found, data = referee(to_workspace(given, kappa=KAPPA)[0], poi_name=None)
    start = dict(zip(found.config.par_names, found.config.suggested_init(), strict=True))
    theirs = [
        twice_nll(found, data, list((start | {"signal_strength_1": s, "signal_strength_2": s * s}).values()))
        for s in (1.0, 1.3)
    ]
    values[0] = KAPPA
    assert ours - Likelihood(given).two_nll(values) == pytest.approx(theirs[1] - theirs[0], abs=1e-8)


def test_two_axes_are_kept():
    class Region:
        name, partition, observables = "near", None, ("x", "y")
        axes = (bh.axis.Variable([0.0, 1.0, 3.0, 9.0]), bh.axis.Regular(2, 0.0, 1.0))

    class Filled:
        regions = (Region,)

    axes = axes_of(Filled)
    assert axes == {"near": [("x", [0.0, 1.0, 3.0, 9.0]), ("y", [0.0, 0.5, 1.0])]}
    certain = to_hs3(to_workspace(model(), kappa=KAPPA)[0], axes=axes)
    assert certain["distributions"][0]["axes"] == [
        {"name": "x_near", "edges": [0.0, 1.0, 3.0, 9.0]},
        {"name": "y_near", "edges": [0.0, 0.5, 1.0]},
    ]
    # ROOT mixes up the factors of bins on two axes: such bins are numbered, and their axes stand beside.
    uncertain = to_hs3(to_workspace(model(mc=0.02), kappa=KAPPA)[0], axes=axes)
    assert uncertain["distributions"][0]["axes"] == [{"name": "bin_near", "min": 0.0, "max": 6.0, "nbins": 6}]
    assert uncertain["misc"]["spectrafit"]["axes"]["near"][0] == {"name": "x", "edges": [0.0, 1.0, 3.0, 9.0]}
