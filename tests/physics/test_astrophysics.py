import math

import awkward as ak
import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import constants

from spectrafit import physics as ph
from tests.physics import gamma

positive = st.floats(1e-3, 1e3)


@given(positive, st.floats(0.0, 1.0), st.floats(0.0, 1e-9), st.floats(0.0, 1e-9))
def test_radiative_decay(m_i, ratio, mu, eps):
    m_j = ratio * m_i
    mu_b2 = mp.pi * mp.mpf(ph.ALPHA) / (mp.mpf(ph.M_E) * 10**9) ** 2
    cube = ((mp.mpf(m_i) ** 2 - mp.mpf(m_j) ** 2) / mp.mpf(m_i)) ** 3
    exact = (mp.mpf(mu) ** 2 + mp.mpf(eps) ** 2) * mu_b2 / (8 * mp.pi) * cube / mp.mpf(ph.HBAR)
    rate = float(ph.radiative_decay_rate(mu, eps, m_i, m_j))
    assert rate == pytest.approx(float(exact), rel=1e-12, abs=1e-200)
    assert ph.radiative_lifetime(mu, eps, m_i, m_j) == (pytest.approx(1.0 / rate) if rate else math.inf)
    # An electric moment is as good as a magnetic one; only sizes count.
    assert ph.radiative_decay_rate(-1j * eps, mu, m_i, m_j) == pytest.approx(rate, rel=1e-12)


def test_radiative_decay_by_a_trace():
    # nu_i at rest, unpolarised, to a massless nu_j and a photon of each polarisation: |p|/(8 pi m^2) |M|^2, mean of two
    # spins. A massive spinor's sum is slash(p) + m.
    m, mu = 0.3e-9, 1.0
    moment = mu * math.sqrt(4 * math.pi * ph.ALPHA) / (2 * ph.M_E)
    before, photon, after = (0.5 * m * np.array(v) for v in ([2.0, 0, 0, 0], [1.0, 0, 0, 1.0], [1.0, 0, 0, -1.0]))
    total = 0.0
    for polarisation in ([0, 1.0, 0, 0], [0, 0, 1.0, 0]):
        vertex = moment * gamma.sigma(np.array(polarisation), photon)
        product = gamma.slash(after) @ vertex @ (gamma.slash(before) + m * np.eye(4)) @ gamma.bar(vertex)
        total += 0.5 * np.trace(product).real
    rate = total * 0.5 * m / (8 * math.pi * m**2) * 1e9 / ph.HBAR
    assert ph.radiative_decay_rate(mu, 0.0, m * 1e9, 0.0) == pytest.approx(rate, rel=1e-10)


def test_decays_that_do_not_happen():
    m_i = np.array([0.0, 0.1, 0.1, 0.1])
    m_j = np.array([0.0, 0.1, 0.2, 5.0])
    assert (ph.radiative_decay_rate(1e-10, 1e-10, m_i, m_j) == 0.0).all()
    assert (ph.radiative_lifetime(1e-10, 0.0, m_i, m_j) == np.inf).all()
    for bad in (-0.1, np.nan):
        assert np.isnan(ph.radiative_decay_rate(1e-10, 0.0, bad, 0.0))
        assert np.isnan(ph.radiative_decay_rate(1e-10, 0.0, 0.1, bad))
    assert ph.radiative_lifetime(1e-11, 0.0, 0.05, 0.001) == pytest.approx(1.5e25, rel=0.01)


def test_plasma_frequencies_against_si():
    density = np.geomspace(1e15, 1e35, 21)
    si = np.sqrt(density * 1e6 * constants.e**2 / (constants.epsilon_0 * constants.m_e)) * constants.hbar / constants.e
    np.testing.assert_allclose(ph.plasma_frequency_nonrelativistic(density), si, rtol=1e-8)
    rho, y_e = np.geomspace(1e-6, 1e12, 19), 0.5
    n_e = rho * y_e * constants.N_A
    fermi = constants.hbar * np.cbrt(3 * np.pi**2 * n_e * 1e6) * constants.c
    energy = np.hypot(fermi, constants.m_e * constants.c**2)
    square = n_e * 1e6 * constants.e**2 / constants.epsilon_0 * constants.hbar**2 * constants.c**2 / energy
    np.testing.assert_allclose(ph.plasma_frequency_degenerate(rho, y_e), np.sqrt(square) / constants.e, rtol=1e-8)
    # Slow electrons at low density; at 1e6 g/cm^3 the difference is 13 per cent.
    slow = ph.plasma_frequency_nonrelativistic(n_e)
    ratio = slow / ph.plasma_frequency_degenerate(rho, y_e)
    assert ratio[0] == pytest.approx(1.0, abs=1e-6)
    assert (np.diff(ratio) > 0).all()
    at_core = ph.plasma_frequency_nonrelativistic(5e5 * ph.N_A) / ph.plasma_frequency_degenerate(1e6, 0.5)
    assert at_core == pytest.approx(1.13, abs=5e-3)


def test_plasma_frequencies_outside_the_domain():
    assert ph.plasma_frequency_degenerate(0.0, 0.5) == 0.0
    assert ph.plasma_frequency_nonrelativistic(0.0) == 0.0
    for bad in (-1.0, np.nan):
        assert np.isnan(ph.plasma_frequency_degenerate(bad, 0.5))
        assert np.isnan(ph.plasma_frequency_nonrelativistic(bad))


@pytest.mark.parametrize("polarisation", [[0, 0, 0, 1.0], [0, 1.0, 0, 0]])
def test_plasmon_decay_by_traces(polarisation):
    """A plasmon at rest to a pair of massless neutrinos: the traces of both vertices over all directions."""
    omega = 1e4
    epsilon = np.array(polarisation)
    e = math.sqrt(4 * math.pi * ph.ALPHA)
    m_e, g_f = ph.M_E * 1e9, ph.G_F * 1e-18
    moment = e / (2 * m_e)
    # The photon turns to the weak vector current of the electrons: their polarisation K^2/e^2 stands for the loop.
    coupling = g_f / math.sqrt(2.0) * omega**2 / e
    nodes, weights = np.polynomial.legendre.leggauss(8)
    magnetic = weak = 0.0
    for cosine, weight in zip(nodes, weights, strict=True):
        for phi in np.arange(6) * math.pi / 3:
            sine = math.sqrt(1 - cosine**2)
            direction = np.array([0.0, sine * math.cos(phi), sine * math.sin(phi), cosine])
            first = 0.5 * omega * (np.array([1.0, 0, 0, 0]) + direction)
            second = 0.5 * omega * (np.array([1.0, 0, 0, 0]) - direction)
            dipole = moment * gamma.sigma(epsilon, first + second)
            vector = coupling * gamma.slash(epsilon) @ (np.eye(4) - gamma.GAMMA5)
            part = weight / 2 / 6
            magnetic += part * gamma.squared(first, dipole, second)
            weak += part * gamma.squared(first, vector, second)
    phase_space = 1 / (8 * math.pi) / (2 * omega) / ph.HBAR
    # Massless spinors of particle and antiparticle have the same sum over spins.
    assert ph.plasmon_decay_rate_magnetic(1.0, omega, 0.0) == pytest.approx(magnetic * phase_space, rel=1e-10)
    assert ph.plasmon_decay_rate_sm(1.0, omega, 0.0) == pytest.approx(weak * phase_space, rel=1e-10)


@given(st.floats(1.0, 1e5), st.floats(0.0, 0.999), st.floats(1e-13, 1e-10))
def test_ratio_is_that_of_the_rates(omega, slowness, mu):
    k = slowness * omega
    c_v2 = ph.plasmon_coupling2()
    ratio = ph.plasmon_decay_rate_magnetic(mu, omega, k) / ph.plasmon_decay_rate_sm(c_v2, omega, k)
    assert ph.plasmon_ratio_magnetic_sm(mu, c_v2, (omega - k) * (omega + k)) == pytest.approx(ratio, rel=1e-10)


def test_plasmons_outside_the_domain():
    assert ph.plasmon_decay_rate_magnetic(1e-12, 1e4, 1e4) == 0.0
    assert ph.plasmon_decay_rate_sm(0.93, 1e4, 2e4) == 0.0
    assert ph.plasmon_decay_rate_magnetic(1e-12, 0.0, 0.0) == 0.0
    for bad in (-1.0, np.nan):
        assert np.isnan(ph.plasmon_decay_rate_magnetic(1e-12, bad, 0.0))
        assert np.isnan(ph.plasmon_decay_rate_sm(0.93, 1e4, bad))
    for bad in (0.0, -1.0, np.nan):
        assert np.isnan(ph.plasmon_ratio_magnetic_sm(1e-12, 0.93, bad))


def test_jagged_arrays():
    masses = ak.Array([[0.1, 0.05], [], [0.0]])
    for found in (
        ph.radiative_decay_rate(1e-10, 0.0, masses, 0.01),
        ph.radiative_lifetime(1e-10, 0.0, masses, 0.01),
        ph.plasma_frequency_degenerate(1e6 * masses, 0.5),
        ph.plasmon_decay_rate_magnetic(1e-12, masses, 0.01),
        ph.plasmon_decay_rate_sm(0.93, masses, 0.01),
        ph.plasmon_ratio_magnetic_sm(1e-12, 0.93, masses),
    ):
        assert ak.num(found).to_list() == [2, 0, 1]
        assert np.isfinite(found[0, 1])


def test_couplings_of_the_plasmon():
    assert ph.plasmon_coupling2(0.23863) == pytest.approx(0.956, abs=5e-4)
    assert ph.plasmon_coupling2(0.23129) == pytest.approx(0.929, abs=5e-4)


def test_at_the_bounds_magnetic_cooling_rivals_the_weak_one():
    frequency = ph.plasma_frequency_degenerate(2e5, 0.5)
    for bound in ph.ASTROPHYSICAL_BOUNDS:
        if bound.process == "plasmon decay" and bound.value is not None and bound.name.startswith("red-giant"):
            ratio = ph.plasmon_ratio_magnetic_sm(bound.value, ph.plasmon_coupling2(), frequency**2)
            assert 0.3 < ratio < 10.0


def test_bounds_say_where_they_come_from():
    assert len(ph.ASTROPHYSICAL_BOUNDS) == 17
    for bound in ph.ASTROPHYSICAL_BOUNDS:
        assert bound.reference
        assert 1988 <= bound.year <= 2023
        assert bound.level is None or 0.5 < bound.level < 1.0
        assert (bound.value or bound.interval[1]) < 1.1e-11
        assert bound.dirac_only == (bound.process != "plasmon decay")
        if bound.interval is not None:
            assert bound.interval[0] < bound.interval[1]
        if bound.value is None:
            assert bound.note.startswith("not a bound")
    # The range of the overview: omega Centauri at 95 % to M5 at 68 %.
    levels = {(bound.value, bound.level) for bound in ph.ASTROPHYSICAL_BOUNDS}
    assert {(1.2e-12, 0.95), (2.6e-12, 0.68), (4.5e-12, 0.95), (2.2e-12, None)} <= levels
