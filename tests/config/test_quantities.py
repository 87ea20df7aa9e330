"""Numbers with units against constants of scipy, and the laws of conversion."""

import math

import pytest
import scipy.constants as scipy
from hypothesis import given
from hypothesis import strategies as st

from spectrafit.config.quantities import UNITS, converted, factor, quantity
from spectrafit.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("1.16 t yr", "kg d", 1160 * 365.25),
        ("365.25 d", "s", scipy.Julian_year),
        ("365.25 d", "yr", 1.0),
        ("3.62e20 POT", "POT", 3.62e20),
        ("3.62e20", "POT", 3.62e20),
        (3.62e20, "POT", 3.62e20),
        ("12 keV", "GeV", 12e-6),
        ("1 J", "eV", 1 / scipy.eV),
        ("3 GW", "MeV / s", 3e9 / (1e6 * scipy.eV)),
        ("2 /cm^2/s/MeV", "/ m^2 / yr / GeV", 2e4 * scipy.Julian_year * 1e3),
        ("5 cm^-2 s^-1", "m^-2 s^-1", 5e4),
        ("7 / m^2 / 10^6 POT", "/ cm^2 / POT", 7e-10),
        ("7 / m^2 / 1e6 POT", "/ cm^2 / POT", 7e-10),
        ("1 kg*d", "t yr", 1e-3 / 365.25),
        ("90 deg", "rad", math.pi / 2),
        ("1.5 mrad", "rad", 1.5e-3),
        ("-3 keV", "eV", -3000.0),
        ("t yr", "kg yr", 1000.0),
    ],
)
def test_a_number_is_converted(text, unit, expected):
    assert converted(text, unit, "here") == pytest.approx(expected, rel=1e-12)


@given(st.floats(1e-20, 1e20), st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(UNITS)))
def test_there_and_back_is_the_same(value, first, second):
    if UNITS[first][1] != UNITS[second][1]:
        with pytest.raises(ConfigError, match=r"is needed"):
            converted(f"{value} {first}", second, "here")
        return
    there = converted(f"{value!r} {first}", second, "here")
    assert converted(f"{there!r} {second}", first, "here") == pytest.approx(value, rel=1e-12)
    assert factor(first, second, "here") * factor(second, first, "here") == pytest.approx(1.0, rel=1e-12)


@given(st.floats(1e-20, 1e20), st.floats(0.1, 10.0), st.integers(-3, 3).filter(bool))
def test_units_multiply(value, other, power):
    found = quantity(f"{value!r} t^{power} {other!r} yr", "here")
    assert found.value == value
    assert found.size == pytest.approx(1000.0**power * other * scipy.Julian_year, rel=1e-12)
    assert found.powers == (0, power, 1, 0, 0, 0)


def test_a_dimension_is_said_in_words():
    assert quantity("t yr", "").dimension == "kg s"
    assert quantity("/ cm^2 / s / MeV", "").dimension == "1/GeV/s/m^2"
    assert quantity("12", "").dimension == "no unit"


NONE = ("", " ", "t //yr", "3 t /", "3 t *", "1 t ** 2", "1 t^", "t (yr)", "1 2e999 t", "1e-400 t 1e-400", "µs")


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ConfigError, match=r"here: .* is no number with a unit"):
        quantity(text, "here")


def test_an_unknown_unit_names_its_neighbours():
    with pytest.raises(ConfigError, match=r"here: '3 kEv' has the unit 'kEv', which is none; did you mean 'keV'"):
        quantity("3 kEv", "here")
    with pytest.raises(ConfigError, match=r"here: '3 t' is in kg, and a number in kg d \(kg s\) is needed"):
        converted("3 t", "kg d", "here")
