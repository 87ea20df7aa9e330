import pytest

from spectrafit.config.keys import Keys
from spectrafit.config.targets import Detector, Target


def test_tables_take_no_positions_and_do_not_change():
    for kind in (Target, Detector):
        assert issubclass(kind, Keys)
    with pytest.raises(TypeError):
        Target("Xe", 1.0)
    with pytest.raises(AttributeError):
        Target(material="Xe", mass=1.0).mass = 2.0


@pytest.mark.parametrize("shells", [(), ((1.0,),), ((1.0, 0.0),), ((1.0, 2.0, 3.0),)])
def test_shells_are_pairs(shells):
    with pytest.raises(ValueError, match=r"binding of C: give \[keV, electrons\] of each shell"):
        Target(material="C", mass=1.0, binding={"C": shells})


def test_a_mass_may_have_a_unit():
    assert Target(material="Xe", mass="4.37 t").kilograms == 4370.0
    assert Target(material="Xe", mass=2.0).kilograms == 2.0
    for wrong in ("4 s", "0 kg", "much"):
        with pytest.raises(ValueError, match="target: mass"):
            Target(material="Xe", mass=wrong)
