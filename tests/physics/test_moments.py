import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import physics as ph
from tests.physics.test_mixing import SUN, mixings

seeds = st.integers(0, 2**32 - 1)
NATURES = ("dirac", "majorana")


def moments(seed, nature="dirac"):
    """A random Hermitian pair; for Majorana neutrinos antisymmetric besides."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(2):
        a = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
        a = a + a.conj().T
        made.append(a if nature == "dirac" else 0.5 * (a - a.T))
    return made


def equation16(row, mu, eps, mixing, baseline, e, sign):
    u, m2 = ph.pmns(mixing), (0.0, mixing.dm21, mixing.dm31)
    total = 0.0
    for j in range(3):
        amplitude = 0.0
        for k in range(3):
            phase = 2.533865358078 * (m2[k] - m2[j]) * baseline / e
            amplitude += u[row, k].conj() * np.exp(-1j * sign * phase) * (mu[j, k] - 1j * eps[j, k])
        total += abs(amplitude) ** 2
    return total


@given(seeds, mixings, st.sampled_from(NATURES), st.floats(0.0, 1e4), st.sampled_from([12, -12, 14, -14, 16, -16]))
def test_equations_16_and_17(seed, mixing, nature, baseline, pdg):
    mu, eps = moments(seed, nature)
    found = ph.effective_moment2(pdg, mu, eps, mixing, baseline, 2.0)
    expected = equation16((abs(pdg) - 12) // 2, mu, eps, mixing, baseline, 2.0, np.sign(pdg))
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-8)


@given(seeds, mixings, st.sampled_from(NATURES))
def test_equation_18_is_the_diagonal(seed, mixing, nature):
    mu, eps = moments(seed, nature)
    u = ph.pmns(mixing)
    first = u @ (mu @ mu + eps @ eps) @ u.conj().T
    second = u @ mu @ eps @ u.conj().T
    for row, name in enumerate(("nue", "numu", "nutau")):
        expected = first[row, row].real + 2 * second[row, row].imag
        for flavour in (name, name + "bar"):
            found = ph.effective_moment2_short(flavour, mu, eps, mixing)
            assert found == pytest.approx(expected, rel=1e-10, abs=1e-10)
            assert ph.effective_moment2(flavour, mu, eps, mixing, 0.0, 2.0) == pytest.approx(found, abs=1e-10)


def test_near_detector_is_a_short_baseline():
    mu, eps = moments(1)
    short = ph.effective_moment2_short("numu", mu, eps, SUN)
    assert ph.effective_moment2("numu", mu, eps, SUN, 1.0, 2.0) == pytest.approx(short, rel=2e-2)
    events = ak.Array([[1.0, 2.0], [], [0.5]])
    found = ph.effective_moment2("numu", mu, eps, SUN, 810.0, events)
    assert found.to_list()[0][1] == pytest.approx(ph.effective_moment2("numu", mu, eps, SUN, 810.0, 2.0))
    assert ak.num(found).to_list() == [2, 0, 1]


@given(seeds)
def test_solar_sum(seed):
    mu, eps = moments(seed)
    m = mu - 1j * eps
    p = ph.solar_probabilities(SUN, 1e-3, 66.0)
    expected = sum(p[k] * sum(abs(m[j, k]) ** 2 for j in range(3)) for k in range(3))
    assert ph.effective_moment2_solar(mu, eps, SUN, 1e-3, 66.0) == pytest.approx(expected, rel=1e-12)


def test_solar_moment_of_flavour_diagonal_moments():
    e, density = 0.861e-3, 66.0
    # Equal moments: no mixing can tell. Unequal ones: the flavour-diagonal form drops interference between flavours.
    assert ph.effective_moment2_solar_flavour(2.0, 2.0, 2.0, SUN, e, density) == pytest.approx(4.0)
    survival = ph.solar_survival(SUN, e, density)
    assert ph.effective_moment2_solar_flavour(1.0, 0.0, 0.0, SUN, e, density) == pytest.approx(survival)
    assert ph.effective_moment2_solar_flavour(0.0, 0.0, 1.0, SUN, e, density) == pytest.approx((1 - survival) * 0.55)


@given(seeds, mixings, st.sampled_from(NATURES))
def test_bases(seed, mixing, nature):
    mu, _ = moments(seed, nature)
    flavour = ph.to_flavour_basis(mu, mixing, nature)
    np.testing.assert_allclose(ph.to_mass_basis(flavour, mixing, nature), mu, atol=1e-12)
    if nature == "majorana":
        np.testing.assert_allclose(flavour, -flavour.T, atol=1e-12)
    else:
        np.testing.assert_allclose(flavour, flavour.conj().T, atol=1e-12)


def test_the_dirac_rotation_breaks_the_antisymmetry_of_majorana_moments():
    mixing = ph.Mixing(sin2_12=0.307, sin2_13=0.022, sin2_23=0.55, delta=3.5, alpha21=1.0, dm21=7.5e-5, dm31=2.5e-3)
    flavour = ph.majorana_vector(1.0, 2.0, 3.0)
    wrong = ph.to_mass_basis(flavour, mixing, "dirac")
    assert np.abs(wrong + wrong.T).max() > 0.1
    right = ph.to_mass_basis(flavour, mixing, "majorana")
    assert np.abs(right + right.T).max() < 1e-14


def test_majorana_vector():
    mu = ph.majorana_vector(1.0, -2.0, 3.0)
    ph.check_moments(mu, np.zeros((3, 3)), "majorana")
    np.testing.assert_allclose(np.diag(mu.conj().T @ mu), 14.0 - np.array([1.0, 4.0, 9.0]))


@given(mixings, st.floats(0.0, 1.0))
def test_minimal_models(mixing, lightest):
    m = ph.masses(mixing, lightest)
    mu, eps = ph.dirac_moments(m, mixing)
    ph.check_moments(mu, eps, "dirac")
    assert (np.diag(eps) == 0.0).all()
    # The loop correction of the diagonal is m_tau^2/(2 m_W^2) at most.
    np.testing.assert_allclose(np.diag(mu).real, ph.dirac_moment(m), rtol=3e-4)
    # Equations 7 and 8 are the antisymmetric parts of 5, up to the order of the indices.
    majorana = ph.majorana_moments(m, mixing)
    ph.check_moments(*majorana, "majorana")
    for ours, dirac in zip(majorana, (mu, eps), strict=True):
        np.testing.assert_allclose(ours, dirac - dirac.T, atol=1e-14 * np.abs(mu).max())


def test_minimal_model_sizes():
    assert ph.dirac_moment(1.0) == pytest.approx(3.2026e-19, rel=1e-4)
    mixing = ph.ORDERINGS["normal"]
    mu, _ = ph.dirac_moments(ph.masses(mixing, 1e-3), mixing)
    transitions = np.abs(mu - np.diag(np.diag(mu)))
    assert transitions.max() / np.abs(np.diag(mu)).max() == pytest.approx(5.3e-5, rel=0.05)


def test_naturalness():
    assert ph.natural_dirac_moment(0.3, 1.0) == pytest.approx(9e-16)
    assert ph.natural_dirac_moment_loop(1.0, 1.0) == pytest.approx(3.52e-15, rel=1e-3)
    assert ph.natural_majorana_moment("taue", 0.3, 1.0) == pytest.approx(1.2e-9, rel=1e-3)
    assert ph.natural_majorana_moment("mue", 0.3, 1.0) == pytest.approx(3.4e-7, rel=2e-3)
    np.testing.assert_allclose(ph.natural_dirac_moment(np.array([1.0, 2.0]), 10.0), [3e-17, 6e-17])
    with pytest.raises(ValueError, match="needed one of taumu, taue, mue"):
        ph.natural_majorana_moment("emu", 0.3, 1.0)


def test_nonsense_is_refused():
    zero = np.zeros((3, 3))
    with pytest.raises(ValueError, match="mu: not Hermitian"):
        ph.effective_moment2_short("nue", np.triu(np.ones((3, 3))), zero, SUN)
    with pytest.raises(ValueError, match="eps: shape"):
        ph.effective_moment2_short("nue", zero, np.zeros(3), SUN)
    with pytest.raises(ValueError, match="transition moments only"):
        ph.check_moments(np.eye(3), zero, "majorana")
    with pytest.raises(ValueError, match="not a neutrino"):
        ph.effective_moment2_short("nux", zero, zero, SUN)
