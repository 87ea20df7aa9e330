import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from spectrafit import physics as ph
from tests.physics import oracle
from tests.physics.oracle import FLAVOURS, S2W

energies = st.floats(1e-4, 1e3)
fractions = st.floats(1e-6, 1.0 - 1e-9)
flavours = st.sampled_from(FLAVOURS)
angles = st.floats(0.05, 0.45)


@given(flavours, energies, fractions, angles)
def test_differentials_against_40_digits(pdg, e, u, s2w):
    t = u * float(ph.t_max(e))
    exact = oracle.dsigma_dt_sm(pdg, e, t, s2w)
    assert float(ph.dsigma_dt_sm(pdg, e, t, s2w)) == pytest.approx(float(exact), rel=1e-13)
    assert ph.dsigma_dt(ph.g_v(pdg, s2w), ph.g_a(pdg), e, t) == pytest.approx(float(exact), rel=1e-12)
    magnetic = oracle.dsigma_dt_magnetic(e, t, 3e-10)
    assert float(ph.dsigma_dt_magnetic(e, t, 3e-10)) == pytest.approx(float(magnetic), rel=1e-12, abs=0.0)


@pytest.mark.parametrize("pdg", FLAVOURS)
@pytest.mark.parametrize(("e", "t1", "t2"), [(0.01, 0.0, 1.0), (0.5, 0.3, 0.9), (2.0, 0.3, 0.9), (20.0, 1.0, 1.0001)])
def test_closed_integrals_against_quadrature(pdg, e, t1, t2):
    top = min(t2, ph.t_max(e))
    if top <= t1:
        assert ph.sigma_sm(pdg, e, t1, t2, S2W) == 0.0
        return
    numeric, _ = quad(lambda t: 1e40 * ph.dsigma_dt_sm(pdg, e, t, S2W), t1, top, epsabs=0, epsrel=1e-13)
    assert 1e40 * ph.sigma_sm(pdg, e, t1, t2, S2W) == pytest.approx(numeric, rel=1e-12)
    assert ph.sigma(ph.g_v(pdg, S2W), ph.g_a(pdg), e, t1, t2) == pytest.approx(ph.sigma_sm(pdg, e, t1, t2, S2W))
    low = max(t1, 1e-3 * top)
    numeric, _ = quad(lambda t: 1e40 * ph.dsigma_dt_magnetic(e, t, 1e-9), low, top, epsabs=0, epsrel=1e-13)
    assert 1e40 * ph.sigma_magnetic(e, low, t2, 1e-9) == pytest.approx(numeric, rel=1e-12)


def test_total_cross_section_has_its_published_size():
    # A convention of g_V, g_A mixed with that of g_L, g_R misses this by 4.
    e = np.array([1e2, 1e3, 1e4])
    assert ph.sigma_sm(14, e, 0.0, np.inf, 0.23863) / e == pytest.approx(1.504e-42, rel=5e-4)
    published = {12: 5.9338e-42, 14: 9.9931e-43, 16: 9.9931e-43, -12: 3.3950e-42, -14: 9.4024e-43}
    for pdg, value in published.items():
        assert ph.sigma_sm(pdg, 2.0, 0.3, 0.9, 0.23863) == pytest.approx(value, rel=1e-4)


@given(flavours, energies, fractions, angles)
def test_positive_inside_zero_outside(pdg, e, u, s2w):
    t = u * float(ph.t_max(e))
    assert ph.dsigma_dt_sm(pdg, e, t, s2w) > 0.0
    assert ph.dsigma_dt_magnetic(e, t, 1e-9) > 0.0
    for outside in (0.0, -t, float(ph.t_max(e)) * (1 + 1e-9), 2 * e):
        assert ph.dsigma_dt_sm(pdg, e, outside, s2w) == 0.0
        assert ph.dsigma_dt_magnetic(e, outside, 1e-9) == 0.0
        assert ph.dsigma_dt(0.3, 0.4, e, outside) == 0.0


@given(energies)
def test_the_end_point_belongs_to_the_domain(e):
    assert ph.dsigma_dt_sm(14, e, ph.t_max(e), S2W) > 0.0


def test_domain_of_the_integrals():
    assert ph.sigma_sm(14, 1.0, 0.5, 0.4, S2W) == 0.0
    assert ph.sigma_sm(14, 1.0, 2.0, 3.0, S2W) == 0.0
    assert ph.sigma_magnetic(1.0, 2.0, 3.0, 1e-9) == 0.0
    assert ph.sigma_magnetic(1.0, 0.0, 3.0, 1e-9) == math.inf
    assert np.isnan(ph.sigma_magnetic(1.0, -0.1, 3.0, 1e-9))
    assert np.isnan(ph.sigma_sm(14, 1.0, -0.1, 3.0, S2W))


@given(flavours, energies, st.floats(0.0, 1.0), angles)
def test_cumulative_inverse_closes(pdg, e, u, s2w):
    t = float(ph.t_from_cumulative(pdg, e, u, s2w))
    assert 0.0 <= t <= ph.t_max(e) * (1 + 1e-15)
    total = ph.sigma_sm(pdg, e, 0.0, np.inf, s2w)
    assert ph.sigma_sm(pdg, e, 0.0, t, s2w) / total == pytest.approx(u, rel=1e-14, abs=1e-15)


@given(energies, st.floats(0.0, 1.0), fractions)
def test_magnetic_cumulative_inverse_closes(e, u, share):
    low = 0.99 * share * float(ph.t_max(e))
    t = float(ph.t_from_cumulative_magnetic(e, u, low))
    assert low <= t <= ph.t_max(e)
    total = ph.sigma_magnetic(e, low, np.inf, 1.0)
    assert ph.sigma_magnetic(e, low, t, 1.0) / total == pytest.approx(u, rel=1e-10, abs=1e-12)


def test_cumulative_inverse_is_monotone():
    u = np.linspace(0.0, 1.0, 20001)
    for pdg in FLAVOURS:
        t = ph.t_from_cumulative(pdg, 1.3, u, S2W)
        assert (np.diff(t) > 0).all()
        assert t[0] == 0.0
        assert t[-1] == pytest.approx(ph.t_max(1.3), rel=1e-15)
    t = ph.t_from_cumulative_magnetic(1.3, u, 0.01)
    assert (np.diff(t) > 0).all()
    assert np.isnan(ph.t_from_cumulative_magnetic(1.3, 0.5, [0.0, -1.0, 1.3, 2.0])).all()


def test_exact_events_follow_the_spectrum():
    rng = np.random.default_rng(7)
    t = ph.t_from_cumulative(-12, 2.0, rng.uniform(size=100_000), S2W)
    edges = np.linspace(0.0, ph.t_max(2.0), 41)
    counts, _ = np.histogram(t, edges)
    expected = ph.sigma_sm(-12, 2.0, edges[:-1], edges[1:], S2W) / ph.sigma_sm(-12, 2.0, 0.0, np.inf, S2W) * t.size
    assert ((counts - expected) ** 2 / expected).sum() < 40 + 5 * math.sqrt(80)


def test_crossing_energies():
    assert ph.t_equal(14, 2.0, 1e-9, 0.23863) == pytest.approx(0.1148, abs=5e-5)
    assert ph.t_equal_low(14, 1.0, 0.23863) * 1e3 == pytest.approx(1.156e20, rel=5e-4)
    assert ph.t_equal_low(12, 1.0, 0.23863) * 1e3 == pytest.approx(2.403e19, rel=5e-4)
    for pdg in FLAVOURS:
        t = ph.t_equal(pdg, 1.0, 4e-10, S2W)
        assert ph.dsigma_dt_sm(pdg, 1.0, t, S2W) == pytest.approx(ph.dsigma_dt_magnetic(1.0, t, 4e-10), rel=1e-13)
        # Far below the neutrino's energy the limit holds.
        assert ph.t_equal(pdg, 1e3, 4e-10, S2W) == pytest.approx(ph.t_equal_low(pdg, 4e-10, S2W), rel=1e-4)
    assert np.isnan(ph.t_equal(14, 1e-3, 1e-6, S2W))
    assert np.isnan(ph.t_equal(14, 1.0, 0.0, S2W))


def test_prefactors_from_scipys_constants():
    scipy_constants = pytest.importorskip("scipy.constants")
    value = scipy_constants.physical_constants
    hbarc = scipy_constants.hbar * scipy_constants.c / scipy_constants.e * 1e-7
    m = value["electron mass energy equivalent in MeV"][0] * 1e-3
    alpha = value["fine-structure constant"][0]
    assert pytest.approx(hbarc, rel=1e-14) == ph.HBARC
    # pi r_e^2, the classical electron radius, is the magnetic prefactor.
    assert pytest.approx(math.pi * (value["classical electron radius"][0] * 1e2) ** 2, rel=1e-8) == ph.SIGMA_MAGNETIC
    assert pytest.approx(m, rel=1e-8) == ph.M_E
    assert pytest.approx(alpha, rel=1e-8) == ph.ALPHA


def test_flavours_by_name_or_code():
    assert [ph.flavour(name) for name in ("nue", "numubar", 16, np.int32(-12))] == [12, -14, 16, -12]
    for wrong in ("numu_bar", 13, 0):
        with pytest.raises(ValueError, match=r"not a neutrino; needed one of nue, nuebar"):
            ph.flavour(wrong)


@given(st.floats(1e-3, 1.0), st.floats(1e-3, 1.0))
def test_interval_between_close_thresholds_keeps_its_digits(a, b):
    e, low = 3.0, 1.0
    width = 1e-9 * a
    exact = mp.quad(lambda t: oracle.dsigma_dt_sm(14, e, t), [low, low + mp.mpf(low + width) - low])
    assert float(ph.sigma_sm(14, e, low, low + width, S2W)) == pytest.approx(float(exact), rel=1e-13)
    exact = mp.quad(lambda t: oracle.dsigma_dt_magnetic(e, t, b), [low, mp.mpf(low + width)])
    assert float(ph.sigma_magnetic(e, low, low + width, b)) == pytest.approx(float(exact), rel=1e-12)
