import math

import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.events.points import Points, coupling_of, unit_of
from tests.events.ntuples import M_E, truth
from tests.events.test_reweight import ratio

SHIFT = 2.379558505789e30  # of g_V per cm^2 of the charge radius: the physics specification
S2W = 0.23863


def bracket(e, t, r2, s2w=S2W):
    """The Standard Model's cross section of a muon neutrino with a charge radius, in units that cancel."""
    gv, ga = 2 * s2w - 0.5 + SHIFT * r2, -0.5
    return (gv + ga) ** 2 + (gv - ga) ** 2 * (1 - t / e) ** 2 + (ga**2 - gv**2) * M_E * t / e**2


@pytest.fixture(scope="module")
def events():
    return truth(300)


def made(points, events, **options):
    return points(events["pdg"], events["e_nu"], events["t"], **{"sin2_theta_w": S2W, **options})


def test_one_value_has_the_plain_names(events):
    found = made(Points.of("magnetic_moment", 7e-10), events)
    assert list(found) == ["weight", "coefficient_1"]
    wanted = ratio(14, events["e_nu"], events["t"], 1e-10, S2W)
    np.testing.assert_allclose(found["coefficient_1"], wanted, rtol=1e-8)
    np.testing.assert_allclose(found["weight"], 1 + 49 * wanted, rtol=1e-9)


def test_several_values_and_couplings_alone_and_together(events):
    """Against the cross sections, written down here."""
    both = {"charge_radius": 4e-33, "magnetic_moment": 2e-10}
    points = Points.of("magnetic_moment", [1e-9, 2e-10, {"charge_radius": -3e-32}, both])
    found = made(points, events)
    e, t = events["e_nu"], events["t"]
    moment = ratio(14, e, t, 1e-10, S2W)
    radius = [bracket(e, t, r2) / bracket(e, t, 0) for r2 in (-3e-32, 4e-33)]
    assert points.weights == (
        "weight_magnetic_moment_1em09",
        "weight_magnetic_moment_2em10",
        "weight_charge_radius_m3em32",
        "weight_magnetic_moment_2em10_charge_radius_4em33",
    )
    at = (1 + 100 * moment, 1 + 4 * moment, radius[0], radius[1] + 4 * moment)
    for name, wanted in zip(points.weights, at, strict=True):
        np.testing.assert_allclose(found[name], wanted, rtol=1e-8, err_msg=name)
    assert list(found) == list(points.branches)
    assert set(points.branches) - set(points.weights) == {
        "coefficient_magnetic_moment_1",
        "coefficient_charge_radius_1",
        "coefficient_charge_radius_2",
    }
    # The coefficients are for 1e-32 cm^2: they make the weight at any other value.
    made_of = 1 + 2.5 * found["coefficient_charge_radius_1"] + 2.5**2 * found["coefficient_charge_radius_2"]
    np.testing.assert_allclose(made_of, bracket(e, t, 2.5e-32) / bracket(e, t, 0), rtol=1e-9)
    for name in points.branches:
        assert name.isidentifier()  # ROOT takes it in an expression


def test_two_that_interfere_have_the_coefficient_of_their_product(events):
    points = Points.of((), {"charge_radius": 2e-32, "weak_mixing_angle": S2W + 0.02})
    found = made(points, events)
    e, t = events["e_nu"], events["t"]
    wanted = bracket(e, t, 2e-32, S2W + 0.02) / bracket(e, t, 0)
    np.testing.assert_allclose(found[points.weights[0]], wanted, rtol=1e-8)
    total = found["coefficient_weak_mixing_angle_0"].copy()
    for name in ("charge_radius", "weak_mixing_angle"):
        total += 2 * found[f"coefficient_{name}_1"] + 4 * found[f"coefficient_{name}_2"]
    total += 4 * found["coefficient_charge_radius_1_weak_mixing_angle_1"]
    np.testing.assert_allclose(total, wanted, rtol=1e-8)


def test_the_mixing_angle_starts_from_its_own_reference(events):
    """Events that were made at another angle: the power 0 is not 1, and has a branch."""
    points = Points.of("weak_mixing_angle", [S2W, 0.25])
    found = made(points, events, sin2_theta_w=0.231)
    e, t = events["e_nu"], events["t"]
    wanted = bracket(e, t, 0, S2W) / bracket(e, t, 0, 0.231)
    np.testing.assert_allclose(found["coefficient_weak_mixing_angle_0"], wanted, rtol=1e-9)
    np.testing.assert_allclose(found[points.weights[0]], wanted, rtol=1e-9)


def test_what_no_coupling_acts_on_is_1_and_0():
    points = Points.of("magnetic_moment", [1e-9, 2e-9])
    found = points(np.array([0, 12, -16], np.int32), np.full(3, 2.0), np.full(3, 0.5), sin2_theta_w=S2W)
    for name, value in points.branches.items():
        assert found[name].tolist() == [value] * 3
    assert points.codes == (14, -14)
    assert Points.of("magnetic_moment", 1e-9, carriers=["nue"]).codes == (12,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("moment", 1e-9), "no coupling 'moment'; did you mean"),
        ((("magnetic_moment", "charge_radius"), 1e-9), r"value 1e-09: of which coupling \(magnetic_moment, charge_rad"),
        (("magnetic_moment", [1e-9, 1e-9]), "magnetic_moment = 1e-09 mu_B is given twice"),
        (("magnetic_moment", math.inf), "needs a finite number"),
        (("magnetic_moment", []), "no value is given"),
        ((("magnetic_moment",), {"charge": 1.0}), "no coupling 'charge'"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Points.of(*arguments)
    with pytest.raises(ConfigError, match="flavour 'muon': not a neutrino"):
        Points.of("magnetic_moment", 1e-9, carriers=["muon"])
    with pytest.raises(ConfigError, match="a unit is for a single coupling"):
        Points.of((), {"magnetic_moment": 1e-9, "charge_radius": 1e-33}, unit=1.0)


def test_units():
    assert unit_of(coupling_of("magnetic_moment")) == 1e-10
    assert unit_of(coupling_of("charge_radius")) == 1e-32
    assert unit_of(coupling_of("charge_radius"), 3e-33) == 3e-33
