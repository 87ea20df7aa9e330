import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from spectrafit import physics as ph
from tests.physics import oracle
from tests.physics.oracle import FLAVOURS, S2W, M

S2Z = ph.SIN2_THETA_W_MZ
energies = st.floats(1e-3, 300.0)
fractions = st.floats(1e-5, 0.9999)


def spence(x):
    return -mp.polylog(2, mp.mpf(x)).real


def paper(e, t):
    """Appendix B of the paper with 40 digits: f_-, (1 - z)^2 f_+, f_+-."""
    e, t = mp.mpf(e), mp.mpf(t)
    z, energy, p = t / e, t + M, mp.sqrt(t * (t + 2 * M))
    beta = p / energy
    f0 = energy / p * mp.log((energy + p) / M) - 1
    edge, ln, l1 = mp.log(1 - z - M / (energy + p)), mp.log(z), mp.log(1 - z)
    minus = f0 * (2 * edge - l1 - ln / 2 - mp.mpf(5) / 12) + (spence(z) - spence(beta)) / 2 - l1**2 / 2
    minus += -(mp.mpf(11) / 12 + z / 2) * l1 + z * (ln + mp.log(2 * e / M) / 2)
    minus += -(mp.mpf(31) / 18 + ln / 12) * beta - 11 * z / 12 + z**2 / 24
    plus = f0 * ((1 - z) ** 2 * (2 * edge - l1 - ln / 2 - mp.mpf(2) / 3) - (z**2 * ln + 1 - z) / 2)
    plus -= (1 - z) ** 2 / 2 * (l1**2 + beta * (spence(1 - z) - ln * l1))
    plus += l1 * (z**2 / 2 * ln + (1 - z) / 3 * (2 * z - mp.mpf(1) / 2)) - z**2 / 2 * spence(1 - z)
    plus += -z * (1 - 2 * z) / 3 * ln - z * (1 - z) / 6
    plus -= beta / 12 * (ln + (1 - z) * (115 - 109 * z) / 6)
    return minus, plus, 2 * f0 * edge


def current(t):
    x = mp.sqrt(1 + 2 * M / mp.mpf(t))
    return (mp.mpf(1) / 3 + (3 - x**2) * (x / 2 * mp.log((x + 1) / (x - 1)) - 1)) / 6


@given(energies, fractions)
def test_qed_functions_against_40_digits(e, u):
    t = u * float(ph.t_max(e))
    for value, exact in zip(
        (ph.bks_f_minus(e, t), ph.bks_f_plus(e, t), ph.bks_f_mixed(e, t)), paper(e, t), strict=True
    ):
        # Sums of terms of either sign: absolute accuracy is what alpha/pi multiplies.
        assert abs(float(value) - exact) < 3e-12 + 1e-13 * abs(exact)


@given(st.sampled_from(FLAVOURS), energies, fractions)
def test_cross_section_against_40_digits(pdg, e, u):
    t = u * float(ph.t_max(e))
    rho, s2 = mp.mpf("1.0126"), mp.mpf(S2Z)
    if abs(pdg) == 12:
        kappa = mp.mpf("0.9791") + mp.mpf("0.0097") * current(t)
        left = rho * (mp.mpf(1) / 2 - kappa * s2) - 1
    else:
        kappa = mp.mpf("0.9970") - mp.mpf("0.00037") * current(t)
        left = rho * (mp.mpf(1) / 2 - kappa * s2)
    right = -rho * kappa * s2
    if pdg < 0:
        left, right = right, left
    z, tail = mp.mpf(t) / e, mp.mpf(ph.ALPHA) / mp.pi
    front = 2 * mp.mpf(ph.G_F) ** 2 * M / mp.pi * mp.mpf(ph.HBARC) ** 2
    for value, (minus, plus, mixed) in (
        (ph.dsigma_dt_bks(pdg, e, t, S2Z), paper(e, t)),
        (ph.dsigma_dt_bks_weak(pdg, e, t, S2Z), (0, 0, 0)),
    ):
        exact = left**2 * (1 + tail * minus) + right**2 * ((1 - z) ** 2 + tail * plus)
        exact -= right * left * M / e * z * (1 + tail * mixed)
        assert float(value) == pytest.approx(float(front * exact), rel=1e-12)


@pytest.mark.parametrize("e", [10.0, 100.0])
def test_sum_rules(e):
    m, top = ph.M_E, float(ph.t_max(e))

    def integral(function):
        # z = top (1 - s^2) flattens the logarithm at the end point.
        def integrand(s):
            return float(function(e, top * (1 - s * s))) * 2 * s * top / e

        return quad(integrand, 0, 1, epsrel=1e-9, limit=400, points=[1e-3, 1e-2])[0]

    # Met up to terms of order m/E with logarithms.
    slack = 30 * m / e * math.log(2 * e / m)
    assert integral(ph.bks_f_minus) == pytest.approx(
        -2 / 3 * math.log(2 * e / m) - (math.pi**2 - 19 / 4) / 6, abs=slack
    )
    assert integral(ph.bks_f_plus) == pytest.approx(
        -2 / 9 * math.log(2 * e / m) - (math.pi**2 - 43 / 4) / 18, abs=slack
    )


def test_size_of_the_corrections():
    def between(function, pdg, s2w, low=0.3, high=0.9):
        return quad(lambda t: 1e42 * function(pdg, 2.0, t, s2w), low, high, epsrel=1e-9)[0]

    bks = between(ph.dsigma_dt_bks, 14, S2Z)
    assert bks / between(ph.dsigma_dt_sm, 14, 0.23863) == pytest.approx(1.0445, abs=1e-4)
    assert bks / between(ph.dsigma_dt_sm, 14, 0.23129) == pytest.approx(1.0215, abs=1e-4)
    assert bks / between(ph.dsigma_dt_bks_weak, 14, S2Z) == pytest.approx(0.994, abs=5e-4)
    for pdg, change in ((12, -0.040), (-14, -0.002)):
        ratio = between(ph.dsigma_dt_bks, pdg, S2Z) / between(ph.dsigma_dt_sm, pdg, 0.23863)
        assert ratio - 1 == pytest.approx(change, abs=5e-4)
    t = np.array([0.01, 0.3, 0.9, 1.5, 1.9])
    ratio = ph.dsigma_dt_bks(14, 2.0, t, S2Z) / ph.dsigma_dt_sm(14, 2.0, t, 0.23863)
    np.testing.assert_allclose(ratio, [1.041, 1.040, 1.050, 1.055, 1.026], atol=6e-4)


def test_effective_couplings():
    for source, change in (("pdg", 0.052), ("hill-tomalak", 0.051)):
        gv, ga = ph.effective(14, source)
        assert ph.sigma(gv, ga, 2.0, 0.3, 0.9) / ph.sigma_sm(14, 2.0, 0.3, 0.9, S2W) - 1 == pytest.approx(
            change, abs=6e-4
        )
    gv, ga = ph.effective(np.array([12, -12, 14, -14, 16, -16]))
    np.testing.assert_allclose(gv, [0.9602, 0.9602, -0.0398, -0.0398, -0.0398, -0.0398])
    np.testing.assert_allclose(ga, [0.4936, -0.4936, -0.5064, 0.5064, -0.5064, 0.5064])
    # c_L and c_R of nu_e and nu_mu, arXiv:1911.03493, over 2 sqrt(2) G_F.
    scale = 2 * math.sqrt(2) * ph.G_F
    for pdg, left in ((14, -0.90084e-5), (12, 2.39818e-5)):
        gv, ga = ph.effective(pdg, "hill-tomalak")
        assert (gv + ga) * scale / 2 == pytest.approx(left, rel=1e-4)
        assert (gv - ga) * scale / 2 == pytest.approx(0.76911e-5, rel=1e-4)
    t = np.array([0.5, 2.5])
    exact = float(oracle.dsigma_dt(mp.mpf("-0.0398"), mp.mpf("-0.5064"), 2.0, 0.5))
    np.testing.assert_allclose(ph.dsigma_dt_effective(14, 2.0, t), [exact, 0.0], rtol=1e-13)


def test_domain():
    top = float(ph.t_max(2.0))
    assert ph.dsigma_dt_bks(14, 2.0, top, S2Z) == 0.0
    assert ph.dsigma_dt_bks(14, 2.0, top * (1 - 1e-9), S2Z) > 0.0
    outside = np.array([-1.0, 0.0, 1.9999, 3.0])
    assert (ph.dsigma_dt_bks(14, 2.0, outside, S2Z) == 0.0).all()
    assert (ph.dsigma_dt_bks_weak(14, 2.0, outside, S2Z) == 0.0).all()
    assert np.isnan(ph.bks_f_minus(2.0, outside)).all()
    assert np.isnan(ph.dsigma_dt_bks(11, 2.0, 1.0, S2Z))
