import numpy as np
import pytest

from spectrafit.physics import nucleus
from spectrafit.physics.constants import SIN2_THETA_W
from spectrafit.physics.couplings import COUPLINGS, FittedCoupling, Monomials
from spectrafit.physics.isotopes import natural_isotopes
from spectrafit.physics.weighing_nucleus import weigh_nucleus

GERMANIUM = natural_isotopes("Ge")[3]
E_NU = np.array([2e-3, 5e-3, 30e-3, 30e-3])
T = np.array([1e-7, 5e-7, 1e-6, 20e-6])


def weighed(fitted, code=14, **options):
    of = [np.full(4, x) for x in (GERMANIUM.z, GERMANIUM.n, GERMANIUM.mass)]
    return weigh_nucleus(fitted, np.full(4, code), E_NU, T, *of, **options)


def exact(angle=SIN2_THETA_W, *, mu=0.0, r2=0.0, q=0.0):
    """All three at once, from the formulas of the weak charge."""
    charge = nucleus.weak_charge(GERMANIUM.z, GERMANIUM.n, angle)
    charge = charge + 2 * GERMANIUM.z * 2.379558505789e30 * r2
    charge = charge + nucleus.weak_charge_millicharge(T, GERMANIUM.z, GERMANIUM.mass, q)
    weak = nucleus.dsigma_dt_nucleus(E_NU, T, charge, GERMANIUM.mass)
    return weak + nucleus.dsigma_dt_nucleus_magnetic(E_NU, T, mu, GERMANIUM.z, GERMANIUM.mass)


def test_every_coupling_and_their_products_are_the_cross_section():
    values = {"magnetic_moment": 2e-9, "charge_radius": -3e-32, "millicharge": 2e-8}
    fitted = [FittedCoupling.of(COUPLINGS[name], parameter=name, carriers=["numu"]) for name in values]
    kappas = np.array([COUPLINGS[name].kappa(value) for name, value in values.items()])
    factors = np.prod(kappas ** np.array(Monomials.of(fitted).exponents), axis=1)
    expected = exact(mu=2e-9, r2=-3e-32, q=2e-8) / exact()
    np.testing.assert_allclose(factors @ weighed(fitted), expected, rtol=1e-9)
    # Another flavour has none of them.
    np.testing.assert_array_equal(factors @ weighed(fitted, code=12), np.ones(4))


def test_held_values_and_the_weak_mixing_angle():
    held = [
        FittedCoupling.of(COUPLINGS["magnetic_moment"], carriers=["nue"], fixed={"numu": 2e-9}),
        FittedCoupling.of(COUPLINGS["charge_radius"], parameter="r", carriers=["nue"], fixed={"numu": 4e-33}),
    ]
    np.testing.assert_allclose(weighed(held)[0], exact(mu=2e-9, r2=4e-33) / exact(), rtol=1e-9)
    angle = [FittedCoupling.of(COUPLINGS["weak_mixing_angle"])]
    rows = weighed(angle, sin2_theta_w_generated=0.23)
    ratio = np.polynomial.polynomial.polyval(0.5, rows)
    np.testing.assert_allclose(ratio, exact(SIN2_THETA_W + 0.005) / exact(0.23), rtol=1e-12)
    moved = weighed([FittedCoupling.of(COUPLINGS["magnetic_moment"])], sin2_theta_w=0.25)
    np.testing.assert_allclose(moved[0], exact(0.25) / exact(), rtol=1e-12)


@pytest.mark.parametrize(("code", "t"), [(0, 1e-6), (14, 0.0), (14, 1.0), (14, -1.0)])
def test_what_is_no_such_event_has_weight_one(code, t):
    fitted = [FittedCoupling.of(COUPLINGS["charge_radius"])]
    rows = weigh_nucleus(fitted, [code], [30e-3], [t], [32], [42], [GERMANIUM.mass])
    assert rows[:, 0].tolist() == [1.0, 0.0, 0.0]
