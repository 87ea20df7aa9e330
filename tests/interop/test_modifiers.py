"""The sets of parameters that modifiers ask for are those of pyhf; HS3 holds the same numbers as the workspace."""

import copy
import math

import msgspec
import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.interop import workspace as ws
from spectrafit.interop.channels import divide
from spectrafit.interop.hs3 import to_hs3
from spectrafit.interop.modifiers import collect, configure

pyhf = pytest.importorskip("pyhf")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning:pyhf")

SPEC = {
    "version": "1.0.0",
    "channels": [
        {
            "name": "a",
            "samples": [
                {
                    "name": "signal",
                    "data": [3.0, 4.0],
                    "modifiers": [
                        {"name": "mu", "type": "normfactor", "data": None},
                        {"name": "stat", "type": "staterror", "data": [0.3, 0.4]},
                    ],
                },
                {
                    "name": "background",
                    "data": [30.0, 20.0],
                    "modifiers": [
                        {"name": "flux", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
                        {
                            "name": "scale",
                            "type": "histosys",
                            "data": {"hi_data": [31.0, 19.0], "lo_data": [29.0, 21.0]},
                        },
                        {"name": "stat", "type": "staterror", "data": [1.5, 1.2]},
                    ],
                },
            ],
        },
        {
            "name": "b",
            "samples": [
                {
                    "name": "background",
                    "data": [10.0],
                    "modifiers": [
                        {"name": "flux", "type": "normsys", "data": {"hi": 1.2, "lo": 0.8}},
                        {"name": "shape", "type": "shapesys", "data": [2.0]},
                    ],
                }
            ],
        },
    ],
    "observations": [{"name": "a", "data": [33.0, 25.0]}, {"name": "b", "data": [9.0]}],
    "measurements": [
        {
            "name": "m",
            "config": {"poi": "mu", "parameters": [{"name": "mu", "inits": [0.5], "bounds": [[0.0, 20.0]]}]},
        }
    ],
}


def sets_of(spec):
    read = msgspec.convert(spec, ws.Workspace, strict=False)
    sets = collect(divide(read)[1])
    configure(sets, read.measurements[0].config.parameters, "$.measurements[0].config")
    return sets


def test_names_starts_bounds_and_auxiliary_data_are_pyhf_s():
    model = pyhf.Workspace(SPEC).model()
    config = model.config
    found = {}
    for name, group in sets_of(SPEC).items():
        for i, full in enumerate(group.names(name)):
            found[full] = (group.inits[i], tuple(group.bounds[i]), group.fixed[i])
    wanted = zip(config.suggested_init(), map(tuple, config.suggested_bounds()), config.suggested_fixed(), strict=True)
    # pyhf before 0.8 calls the only parameter of a shapesys with one bin like the others: with its number.
    assert found == dict(zip(config.par_names, wanted, strict=True))


def test_widths_are_relative_errors_of_the_sum_of_samples():
    sets = sets_of(SPEC)
    np.testing.assert_allclose(sets["stat"].widths, [math.hypot(0.3, 1.5) / 33.0, math.hypot(0.4, 1.2) / 24.0])
    np.testing.assert_allclose(sets["shape"].auxdata, [(10.0 / 2.0) ** 2])
    (flux,) = sets["flux"].parameters("flux", "mu")
    assert (flux.kind, flux.constraint, flux.centre, flux.width) == ("nuisance", "gaussian", 0.0, 1.0)
    assert sets["mu"].parameters("mu", "mu")[0].kind == "interest"
    assert sets["flux"].same(sets["scale"])
    assert not sets["flux"].same(sets["mu"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s["channels"][0]["samples"][1]["modifiers"][0]["data"].update(lo=0.0), "must be > 0 to have log"),
        (lambda s: s["channels"][1]["samples"][0]["modifiers"][0].update(name="mu"), "cannot share a name"),
        (
            lambda s: s["measurements"][0]["config"]["parameters"][0].update(inits=[1.0, 2.0]),
            "2 values for the 1 param",
        ),
        (lambda s: s["measurements"][0]["config"]["parameters"][0].update(inits=[30.0]), "outside its bounds"),
    ],
)
def test_sets_that_cannot_be_are_refused(change, message):
    spec = copy.deepcopy(SPEC)
    change(spec)
    with pytest.raises(ConfigError, match=message):
        sets_of(spec)


def test_hs3_holds_the_numbers_of_the_workspace():
    spec = copy.deepcopy(SPEC)
    del spec["channels"][1], spec["observations"][1]
    found = to_hs3(spec)
    channel = found["distributions"][0]
    assert [s["data"]["contents"] for s in channel["samples"]] == [[3.0, 4.0], [30.0, 20.0]]
    assert found["data"][0]["contents"] == [33.0, 25.0]
    start = {p["name"]: p["value"] for p in found["parameter_points"][0]["parameters"]}
    nominal = {"nominal_flux": 0.0, "nominal_scale": 0.0}
    assert start == {"mu": 0.5, "flux": 0.0, "scale": 0.0, "stat_bin_0": 1.0, "stat_bin_1": 1.0} | nominal
    limits = {a["name"]: (a["min"], a["max"]) for a in found["domains"][0]["axes"]}
    assert limits["mu"] == (0.0, 20.0)
    # The constraints are written once, with a sample that has events in every bin, as its share of all.
    (constraint,) = [m for s in channel["samples"] for m in s["modifiers"] if m["type"] == "staterror"]
    widths = np.array([math.hypot(0.3, 1.5) / 33.0, math.hypot(0.4, 1.2) / 24.0])
    np.testing.assert_allclose(constraint["data"]["uncertainties"], widths * [3.0, 4.0])
    (norm,) = [m for s in channel["samples"] for m in s["modifiers"] if m["type"] == "normsys"]
    assert norm["data"] == {"hi": 1.1, "lo": 0.9}
