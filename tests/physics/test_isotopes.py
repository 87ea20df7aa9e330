import numpy as np
import pytest
from scipy import constants

from spectrafit import physics as ph


@pytest.mark.parametrize("symbol", ph.ELEMENTS)
def test_isotopes_of_an_element_are_all_of_them(symbol):
    found = ph.natural_isotopes(symbol)
    assert sum(i.abundance for i in found) == pytest.approx(1.0, abs=1e-6)
    for isotope in found:
        assert isotope.n == isotope.a - isotope.z >= 0
        # 0.9315 GeV per nucleon, to the per mille a binding energy and the electrons take.
        assert isotope.mass / (isotope.a * 0.9315) == pytest.approx(1.0, abs=0.008)


# IUPAC's abridged standard atomic weights.
@pytest.mark.parametrize(
    ("symbol", "weight"),
    {
        "H": 1.0080, "C": 12.011, "N": 14.007, "O": 15.999, "F": 18.998, "Na": 22.990, "Si": 28.085, "Cl": 35.45,
        "Ar": 39.95, "Ge": 72.630, "I": 126.90, "Xe": 131.29, "Cs": 132.91,
    }.items(),
)  # fmt: skip
def test_molar_masses(symbol, weight):
    assert ph.molar_mass(symbol) == pytest.approx(weight, abs=0.006)


def test_a_nucleus_is_lighter_than_its_atom():
    proton, deuteron = ph.natural_isotopes("H")
    # CODATA has bare nuclei; 13.6 eV of binding are 1.5e-8.
    for isotope, name in ((proton, "proton"), (deuteron, "deuteron")):
        codata = constants.physical_constants[f"{name} mass energy equivalent in MeV"][0] * 1e-3
        assert isotope.mass == pytest.approx(codata, rel=5e-8)
    (caesium,) = ph.natural_isotopes("Cs")
    assert caesium.mass == pytest.approx(123.7725399, rel=1e-9)
    germanium = {i.a: i.mass for i in ph.natural_isotopes("Ge")}
    assert germanium[74] == pytest.approx(68.84078926, rel=1e-9)


def test_units_of_mass_time_and_moment():
    table = constants.physical_constants
    # CODATA 2018 and 2022 differ by less.
    assert pytest.approx(1e-3 * table["atomic mass constant energy equivalent in MeV"][0], rel=1e-8) == ph.ATOMIC_MASS
    assert pytest.approx(table["Bohr magneton in eV/T"][0], rel=1e-8) == ph.BOHR_MAGNETON
    assert pytest.approx(constants.hbar / constants.e, rel=1e-14) == ph.HBAR


def test_cross_section_per_atom_is_the_mean_of_its_isotopes():
    e, t = 0.003, 2e-7

    def one(isotope):
        return ph.dsigma_dt_nucleus_sm(e, t, isotope.z, isotope.n, isotope.mass, 0.23863, ph.Helm(isotope.a))

    expected = sum(i.abundance * one(i) for i in ph.natural_isotopes("Ge"))
    assert ph.per_atom("Ge", one) == pytest.approx(float(expected), rel=1e-14)
    assert ph.per_atom("Ge", one) == pytest.approx(1.0826571457930325e-34, rel=1e-6)
    assert ph.per_atom([ph.Isotope(32, 74, 1.0, 68.84)], lambda i: np.full(3, i.a)).tolist() == [74.0] * 3


def test_formulas():
    assert ph.formula("Xe") == {"Xe": 1}
    assert ph.formula("CsI") == {"Cs": 1, "I": 1}
    assert ph.formula("C3F8") == {"C": 3, "F": 8}
    assert ph.formula("CHCl3CH") == {"C": 2, "H": 2, "Cl": 3}
    for bad in ("", "xe", "Xe-136", "Xe 1", "3Xe"):
        with pytest.raises(ValueError, match="needed symbols with counts"):
            ph.formula(bad)
    with pytest.raises(ValueError, match="element 'Pu': needed one of H, C"):
        ph.formula("Pu")
    with pytest.raises(ValueError, match="element 'Q'"):
        ph.natural_isotopes("Q")


def test_atoms_and_electrons_in_a_gram():
    assert ph.atoms_per_gram("CsI")["Cs"] == pytest.approx(6.02214076e23 / 259.81, rel=1e-5)
    assert ph.atoms_per_gram("CsI")["Cs"] == ph.atoms_per_gram("CsI")["I"]
    assert ph.electrons_per_gram("Xe") == pytest.approx(54 * 6.02214076e23 / 131.293, rel=1e-5)
    water = 10 * 6.02214076e23 / 18.015
    assert ph.electrons_per_gram("H2O") == pytest.approx(water, rel=1e-4)
