import math

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import constants
from scipy.linalg import expm

from spectrafit import physics as ph

moments = st.floats(1e-13, 1e-9)
fields = st.floats(1e-3, 1e6)
detunings = st.floats(-1e-11, 1e-11)


def test_phase_against_si():
    magneton = constants.physical_constants["Bohr magneton"][0]
    phase = 1e-11 * magneton * 10.0 * 7e7 / (constants.hbar * constants.c)
    assert ph.spin_precession_phase(1e-11, 10.0, 7e7) == pytest.approx(phase, rel=1e-8)


@given(moments, fields, detunings, st.floats(0.0, 30.0))
def test_probability_is_the_evolution_of_two_levels(mu, field, detuning, turns):
    turn = mu * ph.BOHR_MAGNETON * field
    length = turns / math.hypot(turn, detuning / 2) * 1.9732698045930252e-7
    hamiltonian = np.array([[detuning, turn], [turn, 0.0]])
    evolved = expm(-1j * hamiltonian * length / 1.9732698045930252e-7)
    found = ph.spin_precession_probability_matter(mu, field, length, 1e-2, 0.0, 1.0, detuning)
    assert found == pytest.approx(abs(evolved[1, 0]) ** 2, abs=1e-11)
    assert 0.0 <= found <= 1.0


@given(moments, fields, st.floats(0.0, 1e9))
def test_in_vacuum_and_at_resonance_only_the_field_counts(mu, field, length):
    vacuum = ph.spin_precession_probability(mu, field, length)
    assert 0.0 <= vacuum <= 1.0
    matter = ph.spin_precession_probability_matter(mu, field, length, 1e-2, 0.0, 0.4, 0.0)
    assert matter == pytest.approx(vacuum, rel=1e-6, abs=1e-9)
    suppressed = ph.spin_precession_probability_matter(mu, field, length, 1e-2, 0.0, 0.4, 1e-8)
    turn = 2 * mu * ph.BOHR_MAGNETON * field
    assert suppressed <= turn**2 / (turn**2 + 1e-16) * (1 + 1e-9)


def test_without_anything_nothing_turns():
    assert ph.spin_precession_probability_matter(1e-11, 0.0, 1e9, 1e-2, 0.0, 1.0, 0.0) == 0.0
    assert ph.spin_precession_probability_matter(0.0, 10.0, 1e9, 1e-2, 7.5e-5, 0.4, 1e-12) == 0.0
    for bad in (-1e-2, np.nan):
        assert np.isnan(ph.spin_precession_probability_matter(1e-11, 10.0, 1e9, bad, 7.5e-5, 0.4, 0.0))
    found = ph.spin_precession_probability_matter(1e-11, 10.0, ak.Array([[1e7], [], [2e7, 3e7]]), 1e-2, 0.0, 0.4, 0.0)
    assert ak.num(found).to_list() == [1, 0, 2]


def test_potentials():
    fermi = constants.physical_constants["Fermi coupling constant"][0]
    unit = math.sqrt(2) * fermi * constants.N_A * (constants.hbar * constants.c / constants.e * 1e2 * 1e-9) ** 3 * 1e9
    assert ph.matter_potential("nue", 1.0, 0.0) == pytest.approx(unit, rel=1e-6)
    for n_e, n_n in ((100.0, 50.0), (2.0, 0.3), (5e9, 5.2e9)):
        expected = {
            ("nue", None): n_e - n_n / 2,
            ("numu", None): -n_n / 2,
            ("nutau", None): -n_n / 2,
            ("nue", "numubar"): n_e - n_n,
            ("numu", "nuebar"): n_e - n_n,
            ("numu", "nutaubar"): -n_n,
        }
        for (before, after), combination in expected.items():
            found = ph.spin_flip_potential(before, after, n_e, n_n)
            assert found == pytest.approx(combination * ph.matter_potential("nue", 1.0, 0.0), rel=1e-12)
            # Antineutrinos: all signs change.
            other = None if after is None else after.removesuffix("bar")
            assert ph.spin_flip_potential(before + "bar", other, n_e, n_n) == pytest.approx(-found, rel=1e-12)


def test_flips_that_no_moment_makes():
    with pytest.raises(ValueError, match="needed a neutrino and an antineutrino"):
        ph.spin_flip_potential("nue", "numu", 1.0, 1.0)
    with pytest.raises(ValueError, match="no diagonal moment"):
        ph.spin_flip_potential("nue", "nuebar", 1.0, 1.0)
    with pytest.raises(ValueError, match="not a neutrino"):
        ph.spin_flip_potential("e", None, 1.0, 1.0)


@given(st.floats(1e-9, 1e-2), st.floats(0.01, 1.0), st.floats(1e-4, 1.0))
def test_at_the_resonance_the_detuning_vanishes(dm2, cos2_theta, e_nu):
    density = ph.spin_flavour_resonance_density(dm2, cos2_theta, e_nu)
    potential = ph.spin_flip_potential("nue", "numubar", density, 0.0)
    assert potential == pytest.approx(dm2 * cos2_theta / (2e9 * e_nu), rel=1e-12)


def test_adiabaticity():
    # Constant field over a detuning that falls by (2 mu B) within 1/(2 mu B): 1.
    turn = 2e-11 * ph.BOHR_MAGNETON * 10.0
    gradient = turn * turn / 1.9732698045930252e-7
    assert ph.spin_flavour_adiabaticity(1e-11, 10.0, gradient) == pytest.approx(1.0, rel=1e-12)
    assert ph.spin_flavour_adiabaticity(1e-11, 10.0, -gradient) == pytest.approx(1.0, rel=1e-12)
