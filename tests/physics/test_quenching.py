import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import physics as ph

energies = st.floats(1e-9, 1e-2)
nuclei = st.sampled_from([14, 18, 32, 54])
ks = st.floats(0.05, 0.3)


def quenched(e_nr, z, k):
    """Lindhard's energy, with 40 digits; GeV."""
    e = mp.mpf("11.5") * mp.mpf(z) ** (-mp.mpf(7) / 3) * mp.mpf(e_nr) * 10**6
    g = 3 * e ** mp.mpf("0.15") + mp.mpf("0.7") * e ** mp.mpf("0.6") + e
    return mp.mpf(e_nr) * k * g / (1 + k * g)


@given(energies, nuclei, ks)
def test_definition_slope_and_inverse(e_nr, z, k):
    exact = quenched(e_nr, z, mp.mpf(k))
    found = float(ph.lindhard_electron_energy(e_nr, z, k))
    assert found == pytest.approx(float(exact), rel=1e-13)
    assert ph.lindhard_quenching(e_nr, z, k) == pytest.approx(float(exact / e_nr), rel=1e-13)
    slope = mp.diff(lambda x: quenched(x, z, mp.mpf(k)), mp.mpf(e_nr), h=mp.mpf(e_nr) * mp.mpf(10) ** -12)
    assert ph.lindhard_slope(e_nr, z, k) == pytest.approx(float(slope), rel=1e-10)
    assert ph.lindhard_recoil_energy(found, z, k) == pytest.approx(e_nr, rel=1e-13)


@given(nuclei, ks)
def test_it_grows_from_none_to_all(z, k):
    e_nr = np.geomspace(1e-12, 1e12, 400)
    factor = ph.lindhard_quenching(e_nr, z, k)
    assert (np.diff(factor[:300]) > 0).all()
    assert (np.diff(factor) > -1e-15).all()
    assert ((factor > 0) & (factor <= 1)).all()
    assert factor[-1] == pytest.approx(1.0, abs=1e-10)
    # At low energies k 3 e^0.15, at high ones 1 - 1/(k e).
    e = 11.5 * z ** (-7 / 3) * e_nr * 1e6
    assert factor[0] == pytest.approx(3 * k * e[0] ** 0.15, rel=0.2)
    assert (1 - factor[300]) * k * e[300] == pytest.approx(1.0, rel=1e-2)
    # The derivative is above the factor, as long as the factor grows.
    assert (ph.lindhard_slope(e_nr, z, k)[:300] > factor[:300]).all()


def test_limits_and_nonsense():
    for function in (ph.lindhard_quenching, ph.lindhard_slope, ph.lindhard_electron_energy, ph.lindhard_recoil_energy):
        assert function(0.0, 32, 0.157) == 0.0
        for bad in (-1e-9, math.inf, math.nan):
            assert np.isnan(function(bad, 32, 0.157))
        for bad in (0.0, -0.1, math.nan):
            assert np.isnan(function(1e-6, 32, bad))
            assert np.isnan(function(1e-6, bad, 0.157))
    for e in (1e-25, 1e-15, 1e10, 1e50):
        back = ph.lindhard_recoil_energy(ph.lindhard_electron_energy(e, 32, 0.157), 32, 0.157)
        assert back == pytest.approx(e, rel=1e-12)


def test_default_k_and_the_prefactors_behind_it():
    for z, a, k in ((32, 72.63, 0.1573), (54, 131.293, 0.1658), (14, 28.085, 0.1458), (18, 39.95, 0.1445)):
        assert ph.lindhard_k(z, a) == pytest.approx(k, abs=5e-5)
    # 11.5: the Thomas-Fermi radius 0.8853 a_0/(sqrt(2) Z^(1/3)) over Z^2 e^2, for equal nuclei.
    bohr = ph.HBARC / (ph.ALPHA * ph.M_E)
    reduced = 0.8853 * bohr / math.sqrt(2) / (2 * ph.ALPHA * ph.HBARC) * 1e-6
    assert reduced == pytest.approx(11.5, rel=1e-3)


def test_germanium():
    e_nr = np.array([0.1, 0.3, 1.0, 3.0, 10.0]) * 1e-6
    factor = [0.12586, 0.14573, 0.17099, 0.19809, 0.23411]
    slope = [0.14272, 0.16510, 0.19373, 0.22491, 0.26768]
    np.testing.assert_allclose(ph.lindhard_quenching(e_nr, 32, 0.157), factor, atol=5e-6)
    np.testing.assert_allclose(ph.lindhard_slope(e_nr, 32, 0.157), slope, atol=6e-6)


def test_a_spectrum_is_divided_by_the_slope():
    z, k = 32, 0.157
    ends = np.array([2e-7, 2e-6])
    # Recoils per GeV fall as exp(-E/E0): as many below an energy as below its quenched energy.
    scale = 5e-7
    e_ee = np.linspace(*ph.lindhard_electron_energy(ends, z, k), 20001)
    e_nr = ph.lindhard_recoil_energy(e_ee, z, k)
    density = np.exp(-e_nr / scale) / scale / ph.lindhard_slope(e_nr, z, k)
    expected = math.exp(-ends[0] / scale) - math.exp(-ends[1] / scale)
    assert np.trapezoid(density, e_ee) == pytest.approx(expected, rel=1e-6)
