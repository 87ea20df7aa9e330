import awkward as ak
import numpy as np
import pytest

from spectrafit import physics as ph

PROTONS = {"C": 6, "O": 8, "Na": 11, "Cl": 17, "Ar": 18, "Ge": 32, "I": 53, "Xe": 54, "Cs": 55}
# Thresholds of the innermost shell, eV: Moseley's law with a screening of one, to the 30 % that law is good for.
MOSELEY = 13.605693


def test_electrons_freed():
    assert ph.z_effective_xenon(1.0) == 54
    assert ph.z_effective_xenon(0.0) == 0
    assert ph.z_effective_xenon(-1e-9) == 0
    assert np.isnan(ph.z_effective_xenon(np.nan))
    # Inclusive at threshold, however the energy came to GeV.
    for kev, below, at in ((0.0121, 0, 4), (0.6764, 26, 32), (34.561, 52, 54)):
        for t in (kev * 1e-6, kev / 1e6, kev * 1e-3 * 1e-3):
            assert ph.z_effective_xenon(t) == at
        assert ph.z_effective_xenon(kev * 0.9999e-6) == below
    t = np.geomspace(1e-9, 1e-3, 1000)
    assert (np.diff(ph.z_effective_xenon(t)) >= 0).all()


def test_every_element_has_all_its_electrons():
    assert set(ph.SHELLS) == set(PROTONS)
    for symbol, z in PROTONS.items():
        assert sum(electrons for _, electrons in ph.SHELLS[symbol]) == z
        assert ph.free_electrons(1.0, symbol) == z
        assert ph.free_electron_fraction(1.0, symbol) == 1.0
        innermost, electrons = ph.SHELLS[symbol][0]
        assert electrons == 2
        assert innermost * 1e3 == pytest.approx(MOSELEY * (z - 1) ** 2, rel=0.3)
        assert ph.ELEMENTS[symbol][0] == z


@pytest.mark.parametrize("symbol", ph.SHELLS)
def test_steps_of_every_shell(symbol):
    t = np.geomspace(1e-10, 1e-3, 3000)
    steps = ph.free_electrons(t, symbol)
    expected = sum(n * (t >= kev * 1e-6) for kev, n in ph.SHELLS[symbol])
    assert (steps == expected).all()
    for kev, _ in ph.SHELLS[symbol]:
        at, below = ph.free_electrons(kev * 1e-6, symbol), ph.free_electrons(kev * 0.99999e-6, symbol)
        assert at > below
        assert ph.free_electrons(kev / 1e6, symbol) == at
    assert ph.free_electrons(0.0, symbol) == ph.free_electrons(-1.0, symbol) == 0.0
    assert np.isnan(ph.free_electrons(np.nan, symbol))


@pytest.mark.parametrize(
    ("symbol", "kev", "free"), [("Ge", 0.3, 22), ("Ge", 2.8, 30), ("Xe", 1.0, 40), ("Xe", 2.0, 44), ("Ar", 0.5, 16)]
)
def test_electrons_at_energies_that_papers_quote(symbol, kev, free):
    assert ph.free_electrons(kev * 1e-6, symbol) == free
    assert ph.free_electron_fraction(kev * 1e-6, symbol) == free / PROTONS[symbol]


def test_shells_of_your_own_and_elements_without():
    assert ph.free_electrons(np.array([1e-6, 3e-6]), [(1.0, 2), (2.0, 5.5)]).tolist() == [2.0, 7.5]
    assert ph.free_electrons([1e-6, 3e-6], "Xe").tolist() == [40.0, 44.0]
    jagged = ph.free_electrons(ak.Array([[1e-6, 3e-6], [], [1e-9]]), "Xe")
    assert jagged.to_list() == [[40.0, 44.0], [], [0.0]]
    with pytest.raises(ValueError, match="element 'Si': no binding energies; needed one of C, O"):
        ph.free_electrons(1e-6, "Si")


def test_cross_sections_per_atom():
    t = np.array([1e-6, 1e-5, 1e-4])
    factor = np.array([40, 52, 54])
    np.testing.assert_allclose(
        ph.dsigma_dt_sm_xenon(12, 4e-4, t, 0.23863), factor * ph.dsigma_dt_sm(12, 4e-4, t, 0.23863)
    )
    np.testing.assert_allclose(
        ph.dsigma_dt_magnetic_xenon(4e-4, t, 1e-11), factor * ph.dsigma_dt_magnetic(4e-4, t, 1e-11)
    )
    assert ph.dsigma_dt_magnetic_xenon(4e-4, 1e-3, 1e-11) == 0.0
    for symbol, z in PROTONS.items():
        free = z * ph.dsigma_dt_sm(-12, 3e-3, 1e-4, 0.23863)
        assert ph.dsigma_dt_sm_atom(-12, 3e-3, 1e-4, 0.23863, symbol) == pytest.approx(free)
        free = z * ph.dsigma_dt_magnetic(3e-3, 1e-4, 1e-11)
        assert ph.dsigma_dt_magnetic_atom(3e-3, 1e-4, 1e-11, symbol) == pytest.approx(free)
