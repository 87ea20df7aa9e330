"""An expression of columns on an axis is the observable it spells out, under every kind of systematic."""

import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.templates.build import build, fill_cells
from spectrafit.templates.observables import OBSERVABLES, observable
from tests.templates.test_cells import SYSTEMATICS

# Rounded like the built-in, so that the same events fall into the same bins.
SPELT_OUT = {
    "t": "1.0*t",
    "theta": "theta + 0.0",
    "e_nu": "e_nu*1",
    "t_theta2": "t*(theta*theta)",
    "e_theta2": "(t + m_e)*(theta*theta)",
    "t_reco": "t_reco + 0",
    "theta_reco": "theta_reco/1",
    "t_theta2_reco": "t_reco*(theta_reco*theta_reco)",
    "e_theta2_reco": "(t_reco + m_e)*(theta_reco*theta_reco)",
}
ANGLE = """
[[systematics]]
kind = "shift"
name = "angle"
column = "theta_reco"
scale = 0.05
"""


def regions(observables):
    """One region per observable, each with its own share of the events."""
    highest = {"t": 4.0, "e_nu": 6.0, "theta": 0.06}
    text = ""
    for k, name in enumerate(OBSERVABLES):
        top = highest.get(name.removesuffix("_reco"), 0.003)
        low, high = k / len(OBSERVABLES), (k + 1) / len(OBSERVABLES)
        text += (
            f'[[regions]]\nname = "{name}"\nsamples = ["numu", "nue", "background", "observed"]\n'
            f'axes = [{{ observable = "{observables[name]}", bins = 12, range = [0.0, {top}] }}]\n'
            f'cut = "score >= {low} && score < {high}"\n'
        )
    return text


def test_every_observable_has_an_expression_here():
    assert set(SPELT_OUT) == set(OBSERVABLES)


def test_an_expression_of_each_observable_is_that_observable(ntuples):
    text = SYSTEMATICS + ANGLE
    built_in = fill_cells(ntuples.analysis(text, regions=regions({name: name for name in OBSERVABLES})))
    spelt_out = fill_cells(ntuples.analysis(text, regions=regions(SPELT_OUT)))
    for a, b in zip(built_in.samples, spelt_out.samples, strict=True):
        np.testing.assert_array_equal(a.entries, b.entries)
        np.testing.assert_array_equal(a.sums, b.sums)
        np.testing.assert_array_equal(a.squares, b.squares)
        for key, found in a.effects.items():
            for part in ("sums", "noise", "half"):
                np.testing.assert_array_equal(getattr(found, part), getattr(b.effects[key], part))
    # A shift that moves nothing would agree as well.
    angle = spelt_out.samples[0].effects["angle"].sums[1, 0] - spelt_out.samples[0].sums[0]
    region = spelt_out.regions[list(OBSERVABLES).index("t_theta2_reco")]
    assert np.abs(angle[spelt_out.layout.inner[region.bins]]).max() > 10


def test_labels_are_the_text_unless_given():
    assert observable("t_reco*2").label == "t_reco*2"
    assert observable("t_theta2_reco/t_reco").needs == ("t_reco", "theta_reco")
    assert observable("rec.slc.e").needs == ("rec.slc.e",)


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ("t_rec", r"\$\.regions\[0\]\.axes\[0\]\.observable: no column or branch 't_rec'; did you mean 't_reco'"),
        ("t_theta2_rec", "did you mean 't_theta2_reco'"),
        ("t_reco*theta_rec", r"no column or branch 'theta_rec'; did you mean .*wanted by 't_reco\*theta_rec'"),
        ("t_reco*", r"\$\.regions\[0\]\.axes\[0\]\.observable: expression 't_reco\*': is not an expression"),
        ("sqr(t_reco)", r"\$\.regions\[0\]\.axes\[0\]\.observable: expression 'sqr\(t_reco\)': no function 'sqr'"),
        ("knobs*2", "'nd': axis 'knobs\\*2' has more than one value per event"),
    ],
)
def test_a_misspelt_axis_is_named_where_it_stands(ntuples, axis, message):
    with pytest.raises(ConfigError, match=message):
        build(ntuples.analysis(overrides=(f'regions.0.axes.0.observable="{axis}"',)))
