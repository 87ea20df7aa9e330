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


# IUPAC's abridged standard atomic weights of 2021.
WEIGHTS = {
    "H": 1.008, "He": 4.002602, "Li": 6.94, "Be": 9.0121831, "B": 10.81, "C": 12.011, "N": 14.007, "O":
    15.999, "F": 18.998403162, "Ne": 20.1797, "Na": 22.98976928, "Mg": 24.305, "Al": 26.9815384, "Si":
    28.085, "P": 30.973761998, "S": 32.06, "Cl": 35.45, "Ar": 39.95, "K": 39.0983, "Ca": 40.078, "Sc":
    44.955907, "Ti": 47.867, "V": 50.9415, "Cr": 51.9961, "Mn": 54.938043, "Fe": 55.845, "Co": 58.933194,
    "Ni": 58.6934, "Cu": 63.546, "Zn": 65.38, "Ga": 69.723, "Ge": 72.63, "As": 74.921595, "Se": 78.971,
    "Br": 79.904, "Kr": 83.798, "Rb": 85.4678, "Sr": 87.62, "Y": 88.905838, "Zr": 91.224, "Nb": 92.90637,
    "Mo": 95.95, "Ru": 101.07, "Rh": 102.90549, "Pd": 106.42, "Ag": 107.8682, "Cd": 112.414, "In": 114.818,
    "Sn": 118.71, "Sb": 121.76, "Te": 127.6, "I": 126.90447, "Xe": 131.293, "Cs": 132.90545196, "Ba":
    137.327, "La": 138.90547, "Ce": 140.116, "Pr": 140.90766, "Nd": 144.242, "Sm": 150.36, "Eu": 151.964,
    "Gd": 157.25, "Tb": 158.925354, "Dy": 162.5, "Ho": 164.930329, "Er": 167.259, "Tm": 168.934219, "Yb":
    173.045, "Lu": 174.9668, "Hf": 178.486, "Ta": 180.94788, "W": 183.84, "Re": 186.207, "Os": 190.23, "Ir":
    192.217, "Pt": 195.084, "Au": 196.96657, "Hg": 200.592, "Tl": 204.38, "Pb": 207.2, "Bi": 208.9804, "Th":
    232.0377, "Pa": 231.03588, "U": 238.02891,
}  # fmt: skip


def test_molar_masses():
    assert set(ph.ELEMENTS) == set(WEIGHTS)
    for symbol, weight in WEIGHTS.items():
        # Lithium is sold without part of its 6Li, and the weight allows for it.
        assert ph.molar_mass(symbol) == pytest.approx(weight, rel=5e-3 if symbol == "Li" else 3.5e-4), symbol


# Molar masses and electrons of what detectors are made of, added up by hand.
@pytest.mark.parametrize(
    ("material", "mass", "electrons"),
    [
        ("H2O", 18.015, 10), ("CH2", 14.027, 8), ("C18H30", 246.44, 138), ("C9H12", 120.19, 66), ("C6H4Cl2", 147.0, 74),
        ("Fe", 55.845, 26), ("Cu", 63.546, 29), ("W", 183.84, 74), ("Pb", 207.2, 82), ("Al2O3", 101.96, 50),
        ("NaI", 149.89, 64), ("CsI", 259.81, 108), ("CaWO4", 287.91, 126), ("PbWO4", 455.03, 188),
        ("Bi4Ge3O12", 1245.8, 524), ("LaBr3", 378.62, 162), ("TeO2", 159.6, 68),
        ("ZnSe", 144.35, 64),
        ("CdWO4", 360.25, 154), ("CaF2", 78.075, 38),
        ("C2H2F4", 102.03, 50), ("GdCl3", 263.6, 115), ("ThO2", 264.04, 106), ("UO2", 270.03, 108), ("He", 4.0026, 2),
        ("Ne", 20.18, 10), ("TiO2", 79.865, 38), ("Ag", 107.87, 47), ("Au", 196.97, 79),
    ],
)  # fmt: skip
def test_materials_of_detectors(material, mass, electrons):
    assert ph.molar_mass(material) == pytest.approx(mass, rel=4e-4)
    assert ph.electrons_per_gram(material) * ph.molar_mass(material) / ph.N_A == pytest.approx(electrons, rel=1e-12)


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
    with pytest.raises(ValueError, match="element 'Pu': not among the 84 that have natural isotopes"):
        ph.formula("Pu")
    with pytest.raises(ValueError, match="element 'Q'"):
        ph.natural_isotopes("Q")


def test_atoms_and_electrons_in_a_gram():
    assert ph.atoms_per_gram("CsI")["Cs"] == pytest.approx(6.02214076e23 / 259.81, rel=1e-5)
    assert ph.atoms_per_gram("CsI")["Cs"] == ph.atoms_per_gram("CsI")["I"]
    assert ph.electrons_per_gram("Xe") == pytest.approx(54 * 6.02214076e23 / 131.293, rel=1e-5)
    water = 10 * 6.02214076e23 / 18.015
    assert ph.electrons_per_gram("H2O") == pytest.approx(water, rel=1e-4)
