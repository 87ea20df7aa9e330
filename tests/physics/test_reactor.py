import awkward as ak
import numpy as np
import pytest

from spectrafit import physics as ph


def test_flux_of_gemma():
    # 3 GW, 13.9 m: Beda et al. quote 2.7e13 per cm^2 and s.
    assert ph.reactor_flux(3.0, 13.9) == pytest.approx(2.7e13, rel=5e-3)


def test_energy_is_conserved():
    rate = ph.fission_rate(2.0)
    assert rate * ph.energy_per_fission_mev() * 1.602176634e-13 == pytest.approx(2e9, rel=1e-14)
    flux = ph.reactor_flux(2.0, 25.0, 6.0)
    assert flux * 4 * np.pi * 2500.0**2 == pytest.approx(6.0 * rate, rel=1e-14)
    assert ph.reactor_flux(np.array([1.0, 2.0]), 25.0).shape == (2,)


@pytest.mark.parametrize(
    ("isotope", "published"), [("U235", 6.69e-43), ("U238", 10.1e-43), ("Pu239", 4.36e-43), ("Pu241", 6.04e-43)]
)
def test_yields_of_inverse_beta_decay(isotope, published):
    """Per fission, cm^2, with a cross section at leading order (Vogel and Beacom, PRD 60, 053003)."""
    e = np.linspace(2.0, 8.0, 6001)
    positron = e - 1.2933
    cross_section = 9.52e-44 * positron * np.sqrt(positron**2 - 0.511**2)
    spectrum = 1e-3 * ph.reactor_spectrum(e * 1e-3, {isotope: 1.0})
    # Recoil takes 2 to 3 per cent, what lies outside 2 to 8 MeV some per mille.
    assert np.trapezoid(spectrum * cross_section, e) == pytest.approx(published, rel=0.04)


def test_spectrum_is_the_sum_over_fissions():
    e = np.linspace(2e-3, 8e-3, 61)
    total = sum(f * ph.reactor_spectrum(e, {name: 1.0}) for name, f in ph.FISSION_FRACTIONS.items())
    np.testing.assert_allclose(ph.reactor_spectrum(e), total, rtol=1e-14)
    assert (ph.reactor_spectrum(e) > 0).all()
    assert (np.diff(ph.reactor_spectrum(e)) < 0).all()
    above = np.trapezoid(ph.reactor_spectrum(e), e)
    # 1.9 antineutrinos of a fission are above the threshold of inverse beta decay, at 1.8 MeV.
    assert 1.4 < above < 1.9
    assert ph.reactor_spectrum(3e-3, {"U235": 1.0}, {"U235": [0.5]}) == pytest.approx(1e3 * np.exp(0.5))


def test_it_is_not_extrapolated():
    assert np.isnan(ph.reactor_spectrum(np.array([0.0, -1e-3, 1.9e-3, 8.1e-3, np.inf, np.nan]))).all()
    for mev in (2.0, 8.0):
        for e in (mev * 1e-3, mev / 1e3, mev * 1e6 * 1e-9):
            assert np.isfinite(ph.reactor_spectrum(e))
    events = ak.Array([[3e-3, 4e-3], [], [1e-3]])
    found = ph.reactor_spectrum(events)
    assert ak.num(found).to_list() == [2, 0, 1]
    assert found[0, 1] == pytest.approx(ph.reactor_spectrum(4e-3))
    assert np.isnan(found[2, 0])


def test_fractions_need_isotopes_that_are_known():
    with pytest.raises(ValueError, match="fission fraction of 'Th232': needed one of U235"):
        ph.reactor_spectrum(3e-3, {"Th232": 1.0})
    for function in (ph.energy_per_fission_mev, lambda f: ph.reactor_flux(1.0, 10.0, 6.0, f)):
        with pytest.raises(ValueError, match="not negative"):
            function({"U235": -0.1})
        with pytest.raises(ValueError, match="all are 0"):
            function({"U235": 0.0})
    assert ph.energy_per_fission_mev({"U235": 0.3}) == pytest.approx(202.36)
    assert sum(ph.FISSION_FRACTIONS.values()) == pytest.approx(1.0)


def test_capture_sources():
    for lines in ph.CAPTURE_LINES.values():
        assert sum(fraction for _, fraction in lines) == pytest.approx(1.0)
    assert ph.source_flux(1.0, 2.0) * 4 * np.pi * 200.0**2 == pytest.approx(1.0)
    # 51Cr decays with 752.4 keV, in one case of ten to a state of 51V at 320.1 keV.
    high = max(energy for energy, _ in ph.CAPTURE_LINES["51Cr"])
    assert high == pytest.approx(0.7524e-3, abs=1e-6)
    below = sum(fraction for energy, fraction in ph.CAPTURE_LINES["51Cr"] if energy < 0.5e-3)
    assert below == pytest.approx(0.099, abs=1e-3)
