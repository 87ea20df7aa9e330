import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import physics as ph
from tests.physics import oracle

energies = st.floats(1e-5, 1e4)
fractions = st.floats(1e-6, 1.0 - 1e-9)


def close(value, exact, rel=1e-13):
    assert abs(float(value) - exact) <= rel * abs(exact), (float(value), mp.nstr(exact, 17))


@given(energies, fractions)
def test_against_the_definitions_with_40_digits(e, u):
    t = u * float(ph.t_max(e))
    close(ph.t_max(e), oracle.t_max(e))
    close(ph.cos_theta(e, t), oracle.cos_theta(e, t))
    # The subtraction E - T conditions an angle close to the end point: its own rounding, not ours.
    slack = 1e-13 + 1e-15 / (1.0 - u)
    close(ph.theta(e, t), oracle.theta(e, t), slack)
    close(ph.t_theta2(e, t), oracle.t_theta2(e, t), 2 * slack)
    close(ph.t_tan2_theta(e, t), mp.mpf(t) * mp.tan(oracle.theta(e, t)) ** 2, 2 * slack)


def test_the_arc_cosine_is_worse():
    e, t = 1000.0, 999.9
    exact = oracle.theta(e, t)
    naive = np.arccos((1.0 + ph.M_E / e) * np.sqrt(t / (t + 2.0 * ph.M_E)))
    assert abs(naive / exact - 1) > 1e-8
    close(ph.theta(e, t), exact)


@given(energies, fractions)
def test_energy_and_momentum_are_conserved(e, u):
    t = u * float(ph.t_max(e))
    angle, m = mp.mpf(float(ph.theta(e, t))), oracle.M
    momentum = mp.sqrt(mp.mpf(t) * (t + 2 * m))
    outgoing = (mp.mpf(e) - t, e - momentum * mp.cos(angle), -momentum * mp.sin(angle))
    mass2 = outgoing[0] ** 2 - outgoing[1] ** 2 - outgoing[2] ** 2
    assert abs(mass2) < 1e-13 * e * (e + m)


@given(energies, st.floats(0.0, 1.57))
def test_t_of_theta_inverts_theta(e, angle):
    t = ph.t_of_theta(e, angle)
    assert 0.0 < t <= ph.t_max(e) * (1 + 1e-15)
    c2, m = mp.cos(mp.mpf(angle)) ** 2, oracle.M
    close(t, 2 * m * e**2 * c2 / ((e + m) ** 2 - mp.mpf(e) ** 2 * c2))


@given(st.floats(1e-9, 1e4))
def test_least_neutrino_energy_is_the_inverse_of_the_largest_electron_energy(t):
    close(oracle.t_max(float(ph.e_nu_min(t))), mp.mpf(t), 1e-14)
    assert ph.q2(t) == pytest.approx(2 * ph.M_E * t)


@given(energies, fractions)
def test_t_theta2_stays_below_twice_the_electron_mass(e, u):
    x = ph.t_theta2(e, u * ph.t_max(e))
    assert 0.0 < x < 2 * ph.M_E
    assert x <= ph.max_t_theta2(e) * (1 + 1e-13)


@given(st.floats(1e-4, 1e3), fractions)
def test_slope_of_t_theta2(e, u):
    t = u * float(ph.t_max(e))
    tangent = mp.tan(oracle.theta(e, t))
    b = -2 * oracle.M * mp.mpf(e) ** 2 / ((e + oracle.M) ** 2 * mp.mpf(t) ** 2)
    angle = mp.atan(tangent)
    exact = angle**2 + 2 * t * angle * b / (2 * tangent * (1 + tangent**2))
    # It is a difference that vanishes at the maximum.
    assert abs(float(ph.dt_theta2_dt(e, t)) - exact) < (1e-12 + 1e-14 / (1 - u)) * (angle**2 + abs(b * t))


@pytest.mark.parametrize("e", [1e-4, 5e-4, 0.05, 0.5, 2.0, 10.0, 100.0, 1e4])
def test_maximum_of_t_theta2(e):
    start = float(ph.t_at_max_t_theta2(e))
    top = mp.findroot(lambda t: mp.diff(lambda s: oracle.t_theta2(e, s), t), (start, 1.001 * start))
    close(ph.t_at_max_t_theta2(e), top)
    close(ph.max_t_theta2(e), oracle.t_theta2(e, top))


@pytest.mark.parametrize(("e", "t", "share"), [(0.5, 0.01768, 0.92840), (2, 0.03614, 0.96364), (10, 0.08176, 0.98360)])
def test_maximum_of_t_theta2_as_published(e, t, share):
    assert ph.t_at_max_t_theta2(e) == pytest.approx(t, abs=5e-6)
    assert ph.max_t_theta2(e) / (2 * ph.M_E) == pytest.approx(share, abs=1e-5)


@given(st.floats(1e-4, 1e3), st.floats(1e-6, 0.999), st.booleans())
def test_both_branches_of_the_inverse(e, u, upper):
    x = u * float(ph.max_t_theta2(e))
    t = float(ph.t_of_t_theta2(e, x, upper))
    top = ph.t_at_max_t_theta2(e)
    assert t > top if upper else t < top
    # Backward error: the T found has a T theta^2 within rounding of the one asked for.
    step = abs(mp.diff(lambda s: oracle.t_theta2(e, s), t)) * t
    assert abs(oracle.t_theta2(e, t) - x) < 1e-14 * (x + step)


def test_ends_of_the_inverse():
    assert ph.t_of_t_theta2(2.0, 0.0, True) == ph.t_max(2.0)
    assert ph.t_of_t_theta2(2.0, 0.0, False) == 0.0
    assert np.isnan(ph.t_of_t_theta2(2.0, 2 * ph.M_E, True))
    top = ph.max_t_theta2(2.0)
    assert ph.t_of_t_theta2(2.0, top, [True, False]) == pytest.approx(ph.t_at_max_t_theta2(2.0), rel=1e-6)


@pytest.mark.parametrize("e", [3e-4, 0.7, 33.0])
def test_the_end_point_itself_is_inside(e):
    t = ph.t_max(e)
    assert ph.theta(e, t) < 1e-6
    assert ph.cos_theta(e, t) <= 1.0
    assert ph.dt_theta2_dt(e, t) == pytest.approx(-ph.M_E * (2 * e + ph.M_E) / (e + ph.M_E) ** 2, rel=1e-6)
    assert np.isnan(ph.theta(e, t * (1 + 1e-12)))


def test_small_angle_error_is_the_published_one():
    for e, t, error in [(0.5, 0.3, 0.0037), (2, 0.3, 0.0025), (2, 0.9, 0.0010), (10, 0.3, 0.0023), (2, 0.01, 0.068)]:
        assert ph.t_theta2_small_angle(e, t) / ph.t_theta2(e, t) - 1 == pytest.approx(error, rel=0.05)
