"""Edges in a unit of their own are those of the observable's unit, digit by digit."""

import pytest

from spectrafit.config import load, unit_at, varied
from spectrafit.config.axes import UNITS_OF, in_own_units
from spectrafit.errors import ConfigError
from spectrafit.templates.observables import OBSERVABLES


def regions(**axis):
    return {"regions": [{"name": "nd", "axes": [axis]}]}


def test_edges_are_brought_to_the_unit_of_the_observable():
    for given, expected in (
        ({"unit": "keV", "edges": [3, 7, 30.1]}, {"edges": [3e-6, 7e-6, 3.01e-5]}),
        ({"unit": "MeV", "bins": 2, "range": [300, 900]}, {"bins": 2, "range": [0.3, 0.9]}),
        ({"edges": [0.3, 0.7]}, {"edges": [0.3, 0.7]}),
    ):
        raw = regions(observable="t_reco", **given)
        in_own_units(raw, "fit.toml")
        unit = {"written_in": given["unit"]} if "unit" in given else {}
        assert raw == regions(observable="t_reco", **unit, **expected)


@pytest.mark.parametrize(
    ("observable", "unit", "message"),
    [
        ("t_reco", "deg", r"fit.toml: \$.regions\[0\].axes\[0\].unit: '1 deg' is in rad, and a number in GeV"),
        ("score", "keV", r"the unit of 'score' is not known"),
    ],
)
def test_a_unit_that_an_axis_cannot_have_is_refused(observable, unit, message):
    with pytest.raises(ConfigError, match=message):
        in_own_units(regions(observable=observable, unit=unit, edges=[1, 2]), "fit.toml")


def test_settings_are_in_the_unit_of_the_file(tmp_path):
    (tmp_path / "fit.toml").write_text(
        'exposure = "1 t yr"\n[[regions]]\nname = "er"\n'
        'axes = [{ observable = "t_reco", unit = "keV", bins = 2, range = [1, 2] }]\n'
        '[[tables]]\nname = "b"\nvalues = [1.0, 2.0]\n'
    )
    loaded = load(tmp_path / "fit.toml")
    high = "regions.er.axes.t_reco.high"
    for analysis in (load(tmp_path / "fit.toml", overrides=[f"{high}=3"]), varied(loaded, {high: 3.0})):
        assert analysis.regions[0].axes[0].edges == (1e-6, 1.5e-6, 2e-6, 3e-6)
    assert varied(loaded, {"regions.er.axes.t_reco.range": [1, 30.1]}).regions[0].axes[0].range == (1e-6, 3.01e-5)
    assert varied(loaded, {"regions.er.axes.t_reco.bins": 5}).regions[0].axes[0].bins == 5
    assert unit_at(loaded, high) == "keV"
    assert unit_at(loaded, "regions.er.axes.t_reco.bins") == unit_at(loaded, "pot") == ""


def test_the_units_of_a_file_are_those_of_the_labels():
    assert UNITS_OF.keys() == OBSERVABLES.keys()
    for name, found in OBSERVABLES.items():
        assert found.label.replace("$^2$", "^2").endswith(f"[{UNITS_OF[name]}]")
