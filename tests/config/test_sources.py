import msgspec
import pytest

from spectrafit.config import PotSource
from spectrafit.config.sources import Lines, PionDecay, Source, Table, flux_unit


@pytest.mark.parametrize(
    ("text", "factor", "width", "exposure"),
    [
        ("1/m^2/10^6 POT", 1.0, 0.0, "POT"),
        ("1/cm^2/POT/GeV", 1e10, 1.0, "POT"),
        ("/ m^2 / 10^6 POT / 50 MeV", 20.0, 1.0, "POT"),
        ("10^10/cm^2/s/MeV", 1e23, 1.0, "s"),
        ("1/cm^2/d", 1e10 / 86400.0, 0.0, "s"),
        ("3/m^2/150 fb^-1", 3e6 / 150.0, 0.0, "fb^-1"),
        ("1/cm^2/10^21 POT", 1e10 / 1e21, 0.0, "POT"),
    ],
)
def test_units_of_a_flux(text, factor, width, exposure):
    found = flux_unit(text)
    assert found.factor == pytest.approx(factor, rel=1e-12)
    assert (found.width, found.exposure) == (width, exposure)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no number with a unit"),
        ("1/m^2", "is no unit of a flux; write 1/AREA/EXPOSURE"),
        ("1/POT", "is no unit of a flux"),
        ("1/m^2/POT^2", "is no unit of a flux"),
        ("1/m^2/s/POT", "is no unit of a flux"),
        ("-1/m^2/s", "is no unit of a flux"),
        ("1/m^2/s/kg", "is no unit of a flux"),
        ("1/inch^2/s", "'inch', which is none"),
    ],
)
def test_units_that_mean_nothing_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        flux_unit(text)


def test_a_source_is_told_by_its_kind():
    found = msgspec.convert({"kind": "pion decay at rest", "distance": 3.0}, Source, strict=True)
    assert found == PionDecay(distance=3.0)
    for wrong in ({"kind": "moon"}, {"distance": 3.0}, {"kind": "solar", "power": 3.0}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, Source, strict=True)


@pytest.mark.parametrize(
    ("kind", "keys", "message"),
    [
        (Lines, {"lines": ((1.0, 2.0),), "unit": "1/m^2/s/MeV"}, "a line has no width"),
        (Lines, {"lines": ((1.0, 0.0),), "unit": "1/m^2/s"}, "no neutrinos"),
        (Lines, {"lines": ((1.0, 2.0, 3.0),), "unit": "1/m^2/s"}, "energy, intensity"),
        (Table, {"file": "a", "unit": "1/furlong"}, "'furlong', which is none"),
    ],
)
def test_sources_without_meaning_are_refused(kind, keys, message):
    with pytest.raises(ValueError, match=message):
        kind(**keys)


def test_the_flux_of_a_generator_has_a_unit():
    nova = PotSource(flux=118.0, cross_section=1e-41, targets=1e31)
    same = PotSource(flux=118e-10, unit="1/cm^2/POT", cross_section=1e-41, targets=1e31)
    assert same.neutrinos == pytest.approx(nova.neutrinos, rel=1e-12) == 118.0
    with pytest.raises(ValueError, match="the flux is an integral; leave out the energy"):
        PotSource(flux=118.0, unit="1/m^2/POT/GeV", cross_section=1e-41, targets=1e31)
