"""A minimum on a limit is a minimum: where the limit is, what is said of it, and what has no effect at all."""

import dataclasses
import json
import warnings

import numpy as np
import pytest

from spectrafit.inference.model import Component, Factor, Model, Parameter, Span
from spectrafit.interop.bounded import effective, fit_within
from spectrafit.interop.pyhf import fit_workspace


def counting(seen, upper=10.0):
    """Return one bin with 5 events of signal over 50 of background, and a factor of an empty sample."""
    return Model(
        parameters=(
            Parameter(name="mu", kind="interest", initial=1.0, constraint="free", lower=0.0, upper=upper),
            Parameter(name="idle", initial=1.0, constraint="free", lower=0.0, upper=10.0, fixed=True),
        ),
        components=(
            Component(sample="signal", start=0, nominal=np.array([5.0]), factors=(Factor(parameter="mu"),)),
            Component(sample="nothing", start=0, nominal=np.array([0.0]), factors=(Factor(parameter="idle"),)),
            Component(sample="background", start=0, nominal=np.array([50.0])),
        ),
        regions=(Span(name="c", start=0, stop=1),),
        data=np.array([seen]),
        asimov=False,
        poi="mu",
        floor=np.zeros(1),
    )


@pytest.mark.parametrize(("seen", "at"), [(60.0, 2.0), (40.0, 0.0), (150.0, 10.0)])
def test_the_minimum_of_a_count_is_where_arithmetic_puts_it(seen, at):
    found = fit_within(counting(seen))
    assert found.best.valid
    assert found.best.value("mu") == pytest.approx(at, abs=1e-6)
    stuck = at in (0.0, 10.0)
    assert found.at_limit == (("mu",) if stuck else ())
    assert any("mu ended at its bound" in note for note in found.notes) == stuck
    mean = 50.0 + 5.0 * at
    assert found.best.two_nll == pytest.approx(2 * (mean - seen + seen * np.log(seen / mean)), abs=1e-9)


def test_a_factor_of_nothing_has_no_effect_and_is_told():
    model = counting(55.0)
    assert effective(model.components) == {"mu"}
    assert any(note.startswith("no prediction depends on idle") for note in fit_within(model).notes)
    filled = dataclasses.replace(model.components[1], nominal=np.array([1.0]))
    assert effective((filled,)) == {"idle"}


def test_a_factor_that_is_profiled_at_its_limit_does_not_spoil_the_verdict(tmp_path):
    """A nominal of 1e-6 with an error of 2 lets the bin's factor fall to its limit, where the profile has a kink."""
    pyhf = pytest.importorskip("pyhf")
    shape = {"hi_data": [44.0, 31.0, 19.0], "lo_data": [37.0, 29.0, 21.0]}
    norms = [{"name": "mu", "type": "normfactor", "data": None}, {"name": "knorm", "type": "normfactor", "data": None}]
    sizes = ({"hi": 1.1, "lo": 0.92}, {"hi": 1.05, "lo": 0.97})
    both = [{"name": "acc", "type": "normsys", "data": data} for data in sizes]
    lumi = {"name": "lumi", "type": "lumi", "data": None}
    luminosity = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "bounds": [[0.5, 1.5]], "inits": [1.0]}
    background = [
        {"name": "st", "type": "staterror", "data": [2.0, 2.0, 1.5]},
        {"name": "shape", "type": "histosys", "data": shape},
        norms[1],
        both[1],
    ]
    control = [
        norms[1],
        {"name": "ss", "type": "shapesys", "data": [5.0, 6.0]},
        {"name": "shape", "type": "histosys", "data": {"hi_data": [105.0, 83.0], "lo_data": [96.0, 77.0]}},
    ]
    signal = {"name": "sig", "data": [3.0, 6.0, 2.0], "modifiers": [norms[0], lumi, both[0]]}
    spec = {
        "channels": [
            {
                "name": "SR",
                "samples": [signal, {"name": "bkg", "data": [1e-6, 300.0, 20.0], "modifiers": background}],
            },
            {"name": "CR", "samples": [{"name": "bkg", "data": [100.0, 80.0], "modifiers": control}]},
        ],
        "observations": [{"name": "SR", "data": [45.0, 33.0, 22000.0]}, {"name": "CR", "data": [103.0, 79.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": [luminosity]}}],
        "version": "1.0.0",
    }
    (tmp_path / "w.json").write_text(json.dumps(spec))
    found = fit_workspace(tmp_path / "w.json")
    assert found["valid"]
    assert any("does not describe the data" in note for note in found["notes"])
    # pyhf's 2NLL rises on both sides of the shape's value, by about 1 at one error.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        workspace = pyhf.Workspace(spec)
        model = workspace.model()
        data = workspace.data(model)
        values = [
            [found["parameters"][name] + move * (name == "shape") for name in model.config.par_names]
            for move in (0.0, found["errors"]["shape"], -found["errors"]["shape"])
        ]
        middle, up, down = (float(np.ravel(pyhf.infer.mle.twice_nll(each, data, model))[0]) for each in values)
    assert 0.5 < up - middle < 3.0
    assert 0.5 < down - middle < 3.0
