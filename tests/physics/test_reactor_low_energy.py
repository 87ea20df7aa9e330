import itertools

import numpy as np
import pytest
from scipy import integrate

from spectrafit.physics.beta_decay import allowed_spectrum
from spectrafit.physics.constants import ALPHA
from spectrafit.physics.reactor import reactor_spectrum
from spectrafit.physics.reactor_low_energy import REACTOR_KNOTS, capture_spectrum, reactor_spectrum_full

PURE = ("U235", "U238", "Pu239", "Pu241")


def integral(function):
    return sum(integrate.fixed_quad(function, a, b, n=60)[0] for a, b in itertools.pairwise(REACTOR_KNOTS))


def test_an_allowed_spectrum_is_the_textbook_formula():
    energy, end, m = 0.3, 1.2, 0.51099895069
    total = end - energy + m
    momentum = np.sqrt(total**2 - m**2)
    for charge in (7, -40):
        eta = ALPHA * charge * total / momentum
        expected = energy**2 * total * momentum * 2 * np.pi * eta / (np.exp(2 * np.pi * eta) - 1)
        assert float(allowed_spectrum(energy, end, charge)) == pytest.approx(expected, rel=1e-12)
    # Without a charge there is no Coulomb factor.
    assert float(allowed_spectrum(energy, end, 1e-9)) == pytest.approx(energy**2 * total * momentum, rel=1e-7)
    # At the end point a nucleus that attracts leaves a step, one that repels none.
    assert allowed_spectrum(end, end, -40) > 0.0
    assert allowed_spectrum(end, end, 40) == 0.0


def test_a_capture_gives_two_antineutrinos_below_the_energy_of_the_decays():
    assert integral(capture_spectrum) == pytest.approx(2.0, rel=1e-5)
    assert np.all(np.asarray(capture_spectrum([0.0, 1.264e-3, 1.0])) == 0.0)
    assert np.all(np.asarray(capture_spectrum(np.linspace(1e-5, 1.26e-3, 100))) > 0.0)


def test_a_fission_gives_the_published_number_of_antineutrinos():
    # Some 6 from the products and 1.2 by capture, 7.2 in all (TEXONO); the table adds up to a little less.
    products = integral(lambda e_nu: reactor_spectrum_full(e_nu, captures=0.0))
    assert products == pytest.approx(6.0, rel=0.07)
    assert integral(reactor_spectrum_full) - products == pytest.approx(1.2, rel=1e-5)


@pytest.mark.parametrize("isotope", PURE)
def test_table_and_fit_join_within_eight_per_cent(isotope):
    below, above = (float(reactor_spectrum_full(e_nu, {isotope: 1.0}, 0.0)) for e_nu in (1.999999e-3, 2.000001e-3))
    assert below == pytest.approx(above, rel=0.08)
    energies = np.linspace(2.0e-3, 8.0e-3, 13)
    np.testing.assert_allclose(
        reactor_spectrum_full(energies, {isotope: 1.0}, 0.0), reactor_spectrum(energies, {isotope: 1.0}), rtol=1e-12
    )
    assert np.all(np.asarray(reactor_spectrum_full([-1e-3, 8.01e-3], {isotope: 1.0})) == 0.0)
