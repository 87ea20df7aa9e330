from itertools import pairwise
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from scipy.integrate import quad

from spectrafit import physics as ph
from tests.physics.test_mixing import SUN

CONTINUA = ("pp", "hep", "8B", "13N", "15O", "17F")
TABLES = Path("../shared/data/solar")


@pytest.mark.parametrize("component", CONTINUA)
def test_spectra_are_normalised(component):
    end = ph.solar_end_point(component)
    points = np.arange(0.0, 16.5, 0.5) * 1e-3 if component == "8B" else end * np.array([0.0, 0.5, 0.9, 0.99, 0.999])
    edges = [*points, end]
    parts = [quad(lambda e: ph.solar_spectrum(component, e), *ends) for ends in pairwise(edges)]
    assert sum(part for part, _ in parts) == pytest.approx(1.0, abs=1e-7)


# Mean neutrino energies in MeV: Bahcall and Ulrich, Rev. Mod. Phys. 60, 297 (1988), and the papers on each spectrum.
@pytest.mark.parametrize(
    ("component", "mean"),
    [("pp", 0.2668), ("hep", 9.628), ("8B", 6.735), ("13N", 0.7063), ("15O", 0.9964), ("17F", 0.9977)],
)
def test_mean_energies(component, mean):
    e = np.linspace(0.0, ph.solar_end_point(component), 40001)
    found = np.trapezoid(e * ph.solar_spectrum(component, e), e) * 1e3
    assert found == pytest.approx(mean, rel=2e-3)


@pytest.mark.parametrize("component", CONTINUA)
def test_outside_the_range_nothing(component):
    end = ph.solar_end_point(component)
    inside = np.linspace(0.001, 0.999, 999) * end
    assert (ph.solar_spectrum(component, inside) >= 0.0).all()
    assert (ph.solar_spectrum(component, inside[:900]) > 0.0).all()
    assert (ph.solar_spectrum(component, np.array([-1.0, -np.inf, 0.0, end, 1.1 * end, np.inf])) == 0.0).all()
    assert np.isnan(ph.solar_spectrum(component, np.nan))


@pytest.mark.parametrize("component", CONTINUA)
def test_allowed_spectra_agree_with_bahcalls_tables(component):
    table = TABLES / f"{component if component[0].isalpha() else component[-1] + component[:-1]}.dat"
    if not table.exists():
        pytest.skip("the tables are not beside this checkout")
    e, expected = np.loadtxt(table, usecols=(0, 1)).T
    expected = expected / np.trapezoid(expected, e)
    found = ph.solar_spectrum(component, e * 1e-3) * 1e-3
    assert np.abs(found - expected).max() < 2e-3 * expected.max()


@pytest.mark.parametrize("model", ph.SOLAR_FLUXES)
def test_fluxes_make_the_sun_shine(model):
    # Energy in MeV that each neutrino's reactions leave in the Sun: Bahcall, PRC 65, 025801 (2002). The sum is the
    # solar constant, 8.53e11 MeV/(cm^2 s), which the model imposes.
    heat = {"pp": 13.0987, "pep": 11.9193, "hep": 3.7370, "7Be": 12.6008, "8B": 6.6305, "13N": 3.4577, "15O": 21.5706,
            "17F": 2.363}  # fmt: skip
    total = sum(flux * heat[name] for name, (flux, _) in ph.SOLAR_FLUXES[model].items())
    luminosity, unit = 3.842e33 / 1.602176634e-6, 1.495978707e13
    assert total == pytest.approx(luminosity / (4 * np.pi * unit**2), rel=3e-3)
    assert all(0.0 < error < 0.5 for _, error in ph.SOLAR_FLUXES[model].values())
    assert set(ph.SOLAR_FLUXES[model]) == set(ph.SOLAR_DENSITIES)


def test_lines():
    for component, lines in ph.SOLAR_LINES.items():
        assert sum(fraction for _, fraction in lines) == pytest.approx(1.0)
        assert ph.solar_end_point(component) == max(energy for energy, _ in lines)
        with pytest.raises(ValueError, match="SOLAR_LINES"):
            ph.solar_spectrum(component, 1e-3)
    # pep has the end point of pp and two electron masses more; the two lines of 7Be are 477.6 keV apart.
    assert ph.SOLAR_LINES["pep"][0][0] - ph.solar_end_point("pp") == pytest.approx(2 * ph.M_E, abs=4e-6)
    (high, _), (low, _) = ph.SOLAR_LINES["7Be"]
    assert high - low == pytest.approx(0.4776e-3, abs=1e-6)


def test_an_unknown_component():
    for function in (ph.solar_end_point, lambda name: ph.solar_spectrum(name, 1e-3)):
        with pytest.raises(ValueError, match="solar component 'B8': needed one of pp, pep"):
            function("B8")


@pytest.mark.parametrize(
    ("component", "mev", "survival"),
    [("pp", 0.27, 0.545), ("7Be", 0.384, 0.542), ("7Be", 0.862, 0.531), ("pep", 1.442, 0.519), ("15O", 1.0, 0.526),
     ("8B", 5.0, 0.387), ("8B", 8.0, 0.338), ("8B", 12.0, 0.314)],
)  # fmt: skip
def test_flavours_at_the_earth(component, mev, survival):
    mixing = ph.Mixing(sin2_12=0.307, sin2_13=0.022, sin2_23=0.558, delta=0.0, dm21=7.5e-5, dm31=2.5e-3)
    e, mu, tau = ph.solar_flavours(mixing, mev * 1e-3, ph.SOLAR_DENSITIES[component])
    assert e == pytest.approx(survival, abs=1e-3)
    assert e + mu + tau == pytest.approx(1.0, rel=1e-14)
    assert tau / mu == pytest.approx(0.558 / 0.442)


@pytest.mark.parametrize("component", CONTINUA)
def test_spectra_of_jagged_arrays(component):
    end = ph.solar_end_point(component)
    found = ph.solar_spectrum(component, ak.Array([[0.5 * end, 2.0 * end], [], [0.3 * end]]))
    assert ak.num(found).to_list() == [2, 0, 1]
    assert found[0, 0] == ph.solar_spectrum(component, 0.5 * end)
    assert found[0, 1] == 0.0
    assert ph.solar_spectrum(component, [0.5 * end]).shape == (1,)


def test_flavours_of_arrays():
    e, mu, tau = ph.solar_flavours(SUN, np.linspace(1e-3, 1e-2, 5), 92.0)
    assert e.shape == mu.shape == tau.shape == (5,)
    assert (np.diff(e) < 0).all()
