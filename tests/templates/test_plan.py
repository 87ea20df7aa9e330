"""The plan of a build holds what the analysis asks for and nothing else, and is made without reading events."""

import pytest

from spectrafit.errors import ConfigError
from spectrafit.events import read
from spectrafit.templates.plan import Plan, survey

SYSTEMATICS = """
[[systematics]]
kind = "weight"
name = "w"
samples = ["numu"]
weights = ["w_down", "w_up"]
[[systematics]]
kind = "norm"
name = "n"
sigma = 0.1
"""


@pytest.fixture
def inputs(ntuples):
    return {one.plan.sample.name: one for one in survey(ntuples.analysis(SYSTEMATICS))}


def test_each_sample_reads_its_own_columns(inputs):
    assert {"w_down", "w_up", "pdg", "e_nu", "t", "weight", "score", "t_reco"} <= set(inputs["numu"].plan.columns)
    assert not {"w_down", "w_up"} & set(inputs["nue"].plan.columns)
    assert not {"e_nu", "t"} & set(inputs["background"].plan.columns)
    for one in inputs.values():
        assert len(set(one.plan.columns)) == len(one.plan.columns)


def test_systematics_that_are_not_filled_have_no_part_in_it(inputs):
    assert {name: tuple(one.plan.effects) for name, one in inputs.items()} == {
        "numu": ("w",),
        "nue": (),
        "background": (),
        "observed": (),
    }


def test_scales_are_ratios_of_exposures(inputs):
    assert {name: one.scale for name, one in inputs.items()} == pytest.approx(
        {"numu": 2.0, "nue": 1.0, "background": 2.0, "observed": 1.0}
    )


def test_no_event_is_read(ntuples, monkeypatch):
    monkeypatch.setattr(read, "read", lambda *_, **__: pytest.fail("an event was read"))
    assert all(isinstance(one.plan, Plan) for one in survey(ntuples.analysis()))


def test_a_column_that_no_file_has_is_named(ntuples):
    with pytest.raises(ConfigError, match="did you mean 'w_up'"):
        survey(ntuples.analysis(SYSTEMATICS.replace('"w_up"', '"w_upp"')))
