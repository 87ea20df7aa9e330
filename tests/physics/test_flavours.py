import pytest

from spectrafit.physics.flavours import FLAVOURS, flavour


@pytest.mark.parametrize("name", sorted(FLAVOURS))
def test_a_flavour_is_known_by_name_and_by_code(name):
    code = {"nue": 12, "numu": 14, "nutau": 16}[name.removesuffix("bar")] * (-1 if name.endswith("bar") else 1)
    assert flavour(name) == flavour(code) == code


@pytest.mark.parametrize("name", ["mu", "", "NUE", 11, 0, -13])
def test_anything_else_is_refused(name):
    with pytest.raises(ValueError, match="not a neutrino; needed one of nue, nuebar, numu"):
        flavour(name)
