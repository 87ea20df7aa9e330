import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from spectrafit import physics as ph
from spectrafit.physics import constants as c
from tests.physics import oracle
from tests.physics.oracle import FLAVOURS, S2W, M

energies = st.floats(1e-3, 300.0)
angles = st.floats(0.0, 1.5)


def note31(pdg, e, theta, s2w):
    gv, ga = oracle.couplings(pdg, s2w)
    e, cos = mp.mpf(e), mp.cos(mp.mpf(theta))
    d = (e + M) ** 2 - e**2 * cos**2
    bracket = (gv + ga) ** 2 + (gv - ga) ** 2 * (1 - 2 * M * e * cos**2 / d) ** 2
    bracket += (ga**2 - gv**2) * 2 * M**2 * cos**2 / d
    front = 2 * mp.mpf(c.G_F) ** 2 * e**2 * M**2 * cos * (e + M) ** 2 / (mp.pi * d**2)
    return front * bracket * mp.mpf(c.HBARC) ** 2


def note35(e, theta, mu):
    e, cos = mp.mpf(e), mp.cos(mp.mpf(theta))
    d = (e + M) ** 2 - e**2 * cos**2
    front = 2 * mp.pi * mp.mpf(c.ALPHA) ** 2 * (e + M) ** 2 / (M**2 * cos)
    return front * (d - 2 * M * e * cos**2) / d**2 * mp.mpf(mu) ** 2 * mp.mpf(c.HBARC) ** 2


@given(st.sampled_from(FLAVOURS), energies, angles)
def test_notes_31_and_35_are_exact(pdg, e, theta):
    exact = note31(pdg, e, theta, S2W)
    assert float(ph.dsigma_dcos_theta_sm(pdg, e, theta, S2W)) == pytest.approx(float(exact), rel=2e-13)
    exact = note35(e, theta, 1e-9)
    assert float(ph.dsigma_dcos_theta_magnetic(e, theta, 1e-9)) == pytest.approx(float(exact), rel=2e-13)


@given(st.sampled_from(FLAVOURS), energies, st.floats(0.01, 0.99))
def test_jacobians_between_the_four_variables(pdg, e, u):
    t = u * float(ph.t_max(e))
    theta = float(oracle.theta(e, t))
    dt_dcos = 1 / mp.diff(lambda s: oracle.cos_theta(e, s), t)
    dt_dtheta2 = abs(1 / mp.diff(lambda s: oracle.theta(e, s) ** 2, t))
    dx_dt = abs(mp.diff(lambda s: oracle.t_theta2(e, s), t))
    for per_t, per_cos, per_theta2, per_x in (
        (
            ph.dsigma_dt_sm(pdg, e, t, S2W),
            ph.dsigma_dcos_theta_sm(pdg, e, theta, S2W),
            ph.dsigma_dtheta2_sm(pdg, e, theta, S2W),
            ph.dsigma_dt_theta2_sm(pdg, e, t, S2W),
        ),
        (
            ph.dsigma_dt_magnetic(e, t, 1e-9),
            ph.dsigma_dcos_theta_magnetic(e, theta, 1e-9),
            ph.dsigma_dtheta2_magnetic(e, theta, 1e-9),
            ph.dsigma_dt_theta2_magnetic(e, t, 1e-9),
        ),
    ):
        # The angle was rounded to a double: close to the end point T is a steep function of it.
        assert float(per_cos) == pytest.approx(float(per_t * dt_dcos), rel=1e-11)
        assert float(per_theta2) == pytest.approx(float(per_t * dt_dtheta2), rel=1e-11)
        assert float(per_x) == pytest.approx(float(per_t / dx_dt), rel=1e-9)


@pytest.mark.parametrize("pdg", [12, -14])
@pytest.mark.parametrize("e", [0.01, 2.0])
def test_all_variables_integrate_to_the_same_cross_section(pdg, e):
    low, high = 0.1 * ph.t_max(e), 0.95 * ph.t_max(e)
    a, b = (float(ph.theta(e, t)) for t in (high, low))
    closed = 1e42 * ph.sigma_sm(pdg, e, low, high, S2W)
    by_cos, _ = quad(
        lambda x: 1e42 * ph.dsigma_dcos_theta_sm(pdg, e, math.acos(x), S2W), math.cos(b), math.cos(a), epsrel=1e-11
    )
    by_theta2, _ = quad(lambda x: 1e42 * ph.dsigma_dtheta2_sm(pdg, e, math.sqrt(x), S2W), a * a, b * b, epsrel=1e-11)
    assert by_cos == pytest.approx(closed, rel=1e-8)
    assert by_theta2 == pytest.approx(closed, rel=1e-10)


def test_both_branches_together_integrate_to_the_cross_section():
    e, x = 2.0, 5e-4
    upper, lower = ph.t_of_t_theta2(e, x, [True, False])
    closed = ph.sigma_sm(14, e, upper, np.inf, S2W) + ph.sigma_sm(14, e, 0.0, lower, S2W)

    def both(x):
        return sum(1e42 * ph.dsigma_dt_theta2_sm(14, e, ph.t_of_t_theta2(e, x, up), S2W) for up in (True, False))

    numeric, _ = quad(both, 0.0, x, epsrel=1e-11)
    assert numeric == pytest.approx(1e42 * closed, rel=1e-9)


def test_small_angle_forms_have_the_published_errors():
    theta = np.array([0.005, 0.01, 0.02, 0.04])
    for e, low, high in ((0.5, -15.5e-4, -9.5e-4), (2.0, -4.5e-4, -2.5e-4), (10.0, -9.5e-5, -5.5e-5)):
        error = ph.dsigma_dtheta2_sm_small_angle(14, e, theta, S2W) / ph.dsigma_dtheta2_sm(14, e, theta, S2W) - 1
        assert (error > low).all()
        assert (error < high).all()
    theta = np.array([0.005, 0.02, 0.04])
    error = ph.dsigma_dtheta2_magnetic_small_angle(2.0, theta, 1.0) / ph.dsigma_dtheta2_magnetic(2.0, theta, 1.0) - 1
    np.testing.assert_allclose(error, [-0.34e-2, -0.12e-2, -0.18e-2], atol=5e-5)
    for e, t, sm, magnetic in (
        (0.5, 0.3, -0.005, -0.010), (2, 0.3, -0.017, -0.031), (10, 0.3, -0.077, -0.14), (2, 0.9, -0.0021, -0.0040),
        (10, 0.9, -0.009, -0.017), (2, 0.05, -0.53, -0.70),
    ):  # fmt: skip
        x = ph.t_theta2(e, t)
        ratio = ph.dsigma_dt_theta2_sm_small_angle(14, e, x, S2W) / ph.dsigma_dt_theta2_sm(14, e, t, S2W)
        assert ratio - 1 == pytest.approx(sm, rel=0.1)
        ratio = ph.dsigma_dt_theta2_magnetic_small_angle(e, x, 1.0) / ph.dsigma_dt_theta2_magnetic(e, t, 1.0)
        assert ratio - 1 == pytest.approx(magnetic, rel=0.1)


def test_nothing_backwards_and_nothing_beyond_twice_the_mass():
    for theta in (1.6, 3.0, math.pi):
        assert ph.dsigma_dcos_theta_sm(14, 1.0, theta, S2W) == 0.0
        assert ph.dsigma_dcos_theta_magnetic(1.0, theta, 1.0) == 0.0
        assert ph.dsigma_dtheta2_sm(14, 1.0, theta, S2W) == 0.0
        assert ph.dsigma_dtheta2_magnetic_small_angle(1.0, theta, 1.0) == 0.0
    assert np.isnan(ph.dsigma_dtheta2_sm(14, 1.0, -0.1, S2W))
    for x in (2 * ph.M_E, 1.0):
        assert ph.dsigma_dt_theta2_sm_small_angle(14, 1.0, x, S2W) == 0.0
        assert ph.dsigma_dt_theta2_magnetic_small_angle(1.0, x, 1.0) == 0.0
    assert ph.dsigma_dt_theta2_sm(14, 1.0, 1.1, S2W) == 0.0
    assert ph.dsigma_dt_theta2_magnetic(1.0, 0.0, 1.0) == 0.0
