"""A sample's colour comes from what it is: the same in every analysis, and apart from others for a dichromat."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from spectrafit.report.figures.colours import components
from spectrafit.report.figures.style import SIGNAL

# Viénot, Brettel and Mollon (1999): linear RGB as a dichromat sees it.
DICHROMATS = {
    "protan": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    "deutan": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
}
SHIPPED = {
    "numu": "signal",
    "nue": "signal",
    "numubar": "signal",
    "nuebar": "signal",
    "nc_carbon": "background",
    "nuecc_carbon": "background",
    "numucc": "background",
    "cosmic": "background",
}


def colour(name, role, title=""):
    return components([name], [role], [title])[0]


@pytest.mark.parametrize("matrix", DICHROMATS.values(), ids=DICHROMATS.keys())
def test_the_common_samples_and_the_coupling_differ_for_a_dichromat(matrix):
    colours = [*components(list(SHIPPED), list(SHIPPED.values())), SIGNAL]
    seen = [np.asarray(matrix) @ np.asarray(to_rgb(colour)) ** 2.2 for colour in colours]
    for a, b in itertools.combinations(seen, 2):
        assert np.abs(np.clip(a, 0, 1) ** (1 / 2.2) - np.clip(b, 0, 1) ** (1 / 2.2)).max() > 0.07


@given(st.lists(st.sampled_from(sorted(SHIPPED)), unique=True, min_size=1))
def test_a_common_sample_has_its_colour_whatever_stands_beside_it(names):
    roles = [SHIPPED[name] for name in names]
    assert components(names, roles) == [colour(name, role) for name, role in zip(names, roles, strict=True)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("numu", "signal", ""), ("elastic", "signal", "nu_mu e")),
        (("numu_e", "signal", ""), ("numu", "signal", "nu_mu e elastic")),
        (("nuebar", "signal", ""), ("eebar", "signal", "anti-nu_e e")),
        (("nuecc_carbon", "background", ""), ("nue_cc", "background", "nu_e CC")),
        (("nc", "background", ""), ("pions", "background", "NC pi0")),
    ],
)
def test_spellings_of_one_flavour_and_channel_have_one_colour(first, second):
    assert colour(*first) == colour(*second)


@given(st.lists(st.text(min_size=1), unique=True, max_size=8))
def test_any_names_have_colours_of_their_own(names):
    found = components(names, ["background"] * len(names))
    assert len(found) == len(names)
    assert all(len(to_rgb(one)) == 3 for one in found)
    if len(names) <= 5:
        assert len(set(found)) == len(found)


def test_many_samples_of_one_hue_are_all_drawn():
    assert len(components([f"nc_{n}" for n in range(20)], ["background"] * 20)) == 20
