import numpy as np
import pytest
import uproot
from scipy import integrate

from spectrafit.config import Recipe, Sample, SampleSet, Target
from spectrafit.config.sources import Lines, PionDecay, Reactor, Solar, Table
from spectrafit.errors import ConfigError, DataError
from spectrafit.events.sources import beam_of, exposure_of, exposure_of_recipe, files_of, table_of
from spectrafit.events.spectrum import spectrum
from spectrafit.physics import cross_sections, kinematics
from spectrafit.physics.constants import M_MU, SIN2_THETA_W
from spectrafit.physics.flavours import flavour

# 1 / cm^2 and unit of exposure, in the flux's own unit: 1 / m^2 and 10^6 of them.
PER_CM2 = 1e10


def sample_set(folder="/nowhere", **options):
    return SampleSet(samples=(), path=f"{folder}/set.toml", **options)


def continuum(beam):
    nodes, weights = np.polynomial.legendre.leggauss(40)
    edges = np.unique(np.concatenate([beam.edges, np.linspace(beam.edges[0], beam.edges[-1], 40)]))
    half = 0.5 * np.diff(edges)[:, None]
    return float(np.sum(beam.density(edges[:-1, None] + half * (1 + nodes)) * half * weights))


def test_pions_at_rest_give_three_flavours_of_the_same_number():
    source = PionDecay(distance=30.0, per_proton=0.08)
    beams = {name: beam_of(sample_set(flux={name: source}), name) for name in ("numu", "nue", "numubar")}
    whole = 0.08 / (4 * np.pi * 3000.0**2) * PER_CM2
    assert beams["numu"].lines == pytest.approx(np.array([[0.0297921, whole]]), rel=1e-5)
    for name, mean in (("nue", 0.3), ("numubar", 0.35)):
        assert continuum(beams[name]) == pytest.approx(whole, rel=1e-12)
        energy = integrate.quad(lambda e, name=name: e * float(beams[name].density(e)), 0, 0.5 * M_MU, epsrel=1e-10)[0]
        assert energy / whole == pytest.approx(mean * M_MU, rel=1e-9)
    with pytest.raises(ConfigError, match="make no nuebar; they make numu, nue and numubar"):
        beam_of(sample_set(flux={"nuebar": source}), "nuebar")


def test_rates_of_a_line_and_of_a_michel_spectrum_are_the_quadrature():
    source = PionDecay(distance=30.0)
    for name in ("numu", "nue", "numubar"):
        beam, code = beam_of(sample_set(flux={name: source}), name), flavour(name)
        found = spectrum(beam, name, t_min=0.001, t_max=0.02)

        def per_energy(e, beam=beam, code=code):
            return float(beam.density(e)) * cross_sections.sigma_sm(code, e, 0.001, 0.02, SIN2_THETA_W)

        if name == "numu":
            ((energy, total),) = beam.lines
            rate = total * cross_sections.sigma_sm(14, energy, 0.001, 0.02, SIN2_THETA_W)
            e_nu, t = found.draw(np.array([1, 2], np.uint64), 0, 1000)
            assert set(e_nu) == {energy}
            assert np.all((t > 0.001) & (t <= 0.02))
        else:
            kinks = [float(kinematics.e_nu_min(t)) for t in (0.001, 0.02)]
            rate = sum(
                integrate.quad(per_energy, a, b, epsabs=0, epsrel=1e-11)[0]
                for a, b in zip(kinks, [kinks[1], 0.5 * M_MU], strict=True)
            )
        assert found.rate * PER_CM2 == pytest.approx(rate, rel=1e-9)


def test_the_sun_keeps_its_fluxes_and_shares_them_among_flavours():
    beams = [beam_of(sample_set(flux={name: Solar()}), name) for name in ("nue", "numu", "nutau")]
    # Table of B16, GS98 (Vinyoles et al. 2017), cm^-2 s^-1; of the lines 7Be and pep.
    assert sum(map(continuum, beams)) == pytest.approx(
        (5.98e10 + 7.98e3 + 5.46e6 + 2.78e8 + 2.05e8 + 5.29e6) * PER_CM2, rel=1e-5
    )
    assert sum(beam.lines[:, 1].sum() for beam in beams) == pytest.approx((4.93e9 + 1.44e8) * PER_CM2, rel=1e-12)
    (line,) = (row for row in beams[0].lines if row[0] == 0.8618e-3)
    assert line[1] / (0.896 * 4.93e9 * PER_CM2) == pytest.approx(0.531, abs=2e-3)
    beryllium = Solar(components=("7Be",), fluxes={"7Be": 1e9})
    alone = [beam_of(sample_set(flux={name: beryllium}), name) for name in ("nue", "numu", "nutau")]
    assert sum(beam.lines[:, 1].sum() for beam in alone) == pytest.approx(1e9 * PER_CM2, rel=1e-12)
    with pytest.raises(ConfigError, match="the Sun makes no nuebar"):
        beam_of(sample_set(flux={"nuebar": Solar()}), "nuebar")
    with pytest.raises(ConfigError, match=r"no component '9Be'; there are pp"):
        beam_of(sample_set(flux={"nue": Solar(fluxes={"9Be": 1.0})}), "nue")


def test_a_reactor_has_the_published_flux():
    # GEMMA: 3 GW at 13.9 m gives 2.7e13 cm^-2 s^-1, with 7.2 antineutrinos per fission; ours has 6.8.
    beam = beam_of(sample_set(flux={"nuebar": Reactor(power=3.0, distance=13.9)}), "nuebar")
    assert continuum(beam) / PER_CM2 == pytest.approx(2.7e13, rel=0.07)
    pure = Reactor(power=3.0, distance=13.9, fractions={"U235": 2.0}, captures=0.0)
    per_fission = continuum(beam_of(sample_set(flux={"nuebar": pure}), "nuebar"))
    fissions = 3e9 / (202.36e6 * 1.602176634e-19) / (4 * np.pi * 1390.0**2)
    assert per_fission / PER_CM2 / fissions == pytest.approx(5.71, abs=0.01)
    with pytest.raises(ConfigError, match="all are 0"):
        beam_of(sample_set(flux={"nuebar": Reactor(power=1.0, distance=1.0, fractions={"U235": 0.0})}), "nuebar")
    with pytest.raises(ConfigError, match="a reactor makes no nue;"):
        beam_of(sample_set(flux={"nue": pure}), "nue")


def test_sources_of_one_flavour_add_up_and_share_an_exposure(tmp_path):
    (tmp_path / "a.dat").write_text("0 1 2 0.1\n1 3 4 0.1\n")
    line = Lines(lines=((500.0, 3.0),), unit="1/m^2/10^6 POT")
    both = sample_set(tmp_path, flux={"numu": ("a.dat", line, Table(file="a.dat", scale=2.0))})
    beam = beam_of(both, "numu")
    assert beam.density([0.5, 2.0, 3.5]).tolist() == pytest.approx([6.0, 6.0, 0.0])
    assert beam.lines.tolist() == [[0.5, 3.0]]
    assert files_of(both, "numu") == ("a.dat", "a.dat")
    with pytest.raises(ConfigError, match="needs one table with bins"):
        table_of(both, "numu")
    mixed = sample_set(tmp_path, flux={"numu": "a.dat", "nue": Solar()})
    with pytest.raises(ConfigError, match="numu per POT, nue per second; the fluxes of a sample set share one"):
        beam_of(mixed, "numu")
    assert exposure_of(sample_set(flux={"nue": Solar()})) == "s"


def test_units_layouts_and_histograms_of_tables(tmp_path):
    # The same flux, 2 then 6 neutrinos per cm^2, s and MeV from 1 to 2 and from 2 to 4 MeV, told in five ways.
    (tmp_path / "bins.dat").write_text("# MeV\n1 2 2\n2 4 12\n")
    (tmp_path / "density.dat").write_text("1 2 2 0.5\n2 4 6 0.25\n")
    with uproot.recreate(tmp_path / "flux.root") as file:
        file["flux"] = (np.array([2.0, 6.0]), np.array([1.0, 2.0, 4.0]))
    ways = [
        Table(file="bins.dat", unit="1/cm^2/s", energy="MeV"),
        Table(file="density.dat", unit="1/cm^2/s/MeV", energy="MeV"),
        Table(file="flux.root:flux", unit="1/cm^2/s/MeV", energy="MeV"),
        Table(file="flux.root:flux", unit="1000/cm^2/s/GeV", energy="MeV"),
        Table(file="density.dat", unit="1/cm^2/s/10 MeV", energy="MeV", scale=10.0),
    ]
    for way in ways:
        found = table_of(sample_set(tmp_path, flux={"nue": way}), "nue")
        np.testing.assert_allclose(found.edges, [1e-3, 2e-3, 4e-3], rtol=1e-14)
        np.testing.assert_allclose(found.values / PER_CM2, [2.0, 12.0], rtol=1e-12)
    (tmp_path / "points.csv").write_text("1, 0\n2, 4\n4, 0\n")
    points = Table(file="points.csv", layout="points", unit="1/cm^2/s/MeV", energy="MeV")
    beam = beam_of(sample_set(tmp_path, flux={"nue": points}), "nue")
    assert continuum(beam) / PER_CM2 == pytest.approx(6.0, rel=1e-12)
    assert float(beam.density(1.5e-3)) / PER_CM2 == pytest.approx(2e3, rel=1e-12)
    rows = "\n".join(f"{e} 1 2 3 4 5 {6 + e}" for e in (0.5, 1.5, 2.5))
    (tmp_path / "globes.txt").write_text(rows)
    for layout in ("globes", "darknews"):
        table = Table(file="globes.txt", layout=layout)
        for k, name in enumerate(("nue", "numu", "nutau", "nuebar", "numubar")):
            found = table_of(sample_set(tmp_path, flux={name: table}), name)
            np.testing.assert_allclose(found.edges, [0.0, 1.0, 2.0, 3.0])
            np.testing.assert_allclose(found.values / PER_CM2, k + 1.0)
    default = sample_set(tmp_path, flux={"nue": "bins.dat"}, flux_unit="1/cm^2/s/GeV")
    np.testing.assert_allclose(table_of(default, "nue").values / PER_CM2, [2.0, 24.0])


@pytest.mark.parametrize(
    ("text", "table", "message"),
    [
        ("1 2\n", {"layout": "points"}, "two or more"),
        ("1 2\n3 4\n", {"layout": "points", "unit": "1/cm^2/s"}, "is per bin; add the energy"),
        ("2 2\n1 4\n", {"layout": "points"}, "energies must increase"),
        ("1 -2\n2 4\n", {"layout": "points"}, "column 2 must hold finite numbers"),
        ("1 2 3\n", {"layout": "globes"}, "line 1: found '1 2 3'; needed: energy and six fluxes, numbers"),
    ],
)
def test_damaged_tables_are_refused(tmp_path, text, table, message):
    (tmp_path / "t.dat").write_text(text)
    with pytest.raises(DataError, match=message):
        beam_of(sample_set(tmp_path, flux={"nue": Table(file="t.dat", **table)}), "nue")


def test_an_exposure_is_brought_to_that_of_the_files():
    recipe = Sample(name="a", role="signal", files="a.root", generate=Recipe(flavour="nue", events=1))
    sun = sample_set(flux={"nue": Solar()}, target=Target(material="Xe", mass="2 t"))
    assert exposure_of_recipe(sun, recipe, 3.0, "t d", "here") == pytest.approx(1.5 * 86400.0)
    assert exposure_of_recipe(sun, recipe, 3.0, "d", "here") == pytest.approx(3 * 86400.0)
    assert exposure_of_recipe(sun, recipe, 3.0, "POT", "here") == 3.0
    assert exposure_of_recipe(sun, Sample(name="b", role="signal", files="b.root"), 3.0, "t d", "here") == 3.0
    beam = sample_set(flux={"nue": PionDecay(distance=3.0)})
    with pytest.raises(ConfigError, match="3 t d for sample set 'set', whose flux is per POT; give the"):
        exposure_of_recipe(beam, recipe, 3.0, "t d", "here")
