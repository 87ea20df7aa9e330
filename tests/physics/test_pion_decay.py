import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from spectrafit import physics as ph

M = ph.M_MU
SPECTRA = {"nue": (ph.pion_decay_nue, ph.pion_decay_fraction_above_nue, 0.3, 31.698),
           "numubar": (ph.pion_decay_numubar, ph.pion_decay_fraction_above_numubar, 0.35, 36.980)}  # fmt: skip


def matrix_element(first, e):
    """V - A decay of a muon at rest without lepton masses: |M|^2 ~ (p_mu p_nue)(p_e p_numubar), over what is left."""
    # Dalitz: the energies of the other two add up to M - e, each at most M/2; twice p_i p_j is M^2 - 2 M E_k.
    low, high = M / 2 - e, M / 2
    if first:
        return quad(lambda other: e * (M**2 - 2 * M * e), low, high)[0]
    return quad(lambda e_nue: e_nue * (M**2 - 2 * M * e_nue), low, high)[0]


@pytest.mark.parametrize("name", SPECTRA)
def test_spectra_follow_from_the_matrix_element(name):
    spectrum, above, fraction, mean = SPECTRA[name]
    end = M / 2
    total = quad(lambda e: matrix_element(name == "nue", e), 0.0, end)[0]
    for e in (0.001, 0.01, 0.03, 0.05, 0.0528):
        assert spectrum(e) == pytest.approx(matrix_element(name == "nue", e) / total, rel=1e-11)
        part = quad(lambda e: matrix_element(name == "nue", e), e, end)[0] / total
        assert above(e) == pytest.approx(part, rel=1e-10)
    assert quad(spectrum, 0.0, end)[0] == pytest.approx(1.0, rel=1e-12)
    first = quad(lambda e: e * spectrum(e), 0.0, end)[0]
    assert first == pytest.approx(fraction * ph.M_MU, rel=1e-12)
    assert 1e3 * first == pytest.approx(mean, abs=5e-4)


@given(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0))
def test_positive_and_falling(a, b):
    for spectrum, above, _, _ in SPECTRA.values():
        assert spectrum(a) >= 0.0
        low, high = sorted((a, b))
        assert 0.0 <= above(high) <= above(low) + 1e-15
        assert above(low) <= 1.0


def test_outside_the_domain():
    end = 0.5 * ph.M_MU
    for spectrum, above, _, _ in SPECTRA.values():
        assert (spectrum(np.array([-0.01, 0.0, 0.0529, 1.0, np.inf, -np.inf])) == 0.0).all()
        assert (above(np.array([-np.inf, -0.01, 0.0])) == 1.0).all()
        assert (above(np.array([end, 0.0529, np.inf])) == 0.0).all()
        assert np.isnan(spectrum(np.nan))
        assert np.isnan(above(np.nan))
    # One spectrum ends with a step, the end point included however it was rounded.
    assert ph.pion_decay_numubar(end) == pytest.approx(4 / ph.M_MU)
    assert ph.pion_decay_numubar(1e3 * end * 1e-3) > 0.0
    assert ph.pion_decay_nue(end) == 0.0


def test_the_line_conserves_energy_and_momentum():
    e = ph.pion_decay_line_numu()
    assert e + np.hypot(e, ph.M_MU) == pytest.approx(ph.M_PI, rel=1e-14)
    assert 1e3 * e == pytest.approx(29.792, abs=5e-4)


def test_flux_through_a_sphere_is_what_was_made():
    flux = ph.pion_decay_flux(1e20, 20.0, 0.08)
    assert flux * 4 * np.pi * 2000.0**2 == pytest.approx(0.08e20, rel=1e-14)
