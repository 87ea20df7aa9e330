import itertools

import numpy as np
import pytest
import uproot
from scipy import integrate

import spectrafit as sf
from spectrafit.config import Recipe, Sample, SampleSet, Target, load
from spectrafit.config.sources import PionDecay
from spectrafit.errors import ConfigError, DataError
from spectrafit.events.generate import generate
from spectrafit.events.inspect import inspect
from spectrafit.events.recoils import recoil_spectrum, recoil_theta
from spectrafit.events.reweight import reweight
from spectrafit.events.reweight_files import reweight_files
from spectrafit.events.sources import Beam
from spectrafit.events.targets import nuclei_of
from spectrafit.physics import form_factors, nucleus
from spectrafit.physics.constants import M_MU, SIN2_THETA_W
from spectrafit.physics.couplings import COUPLINGS, FittedCoupling
from spectrafit.physics.pion_decay import pion_decay_numubar
from spectrafit.physics.quenching import lindhard_electron_energy, lindhard_k
from spectrafit.physics.weighing_nucleus import weigh_nucleus

FLUX = 0.085 / (4 * np.pi * 2000.0**2)
CSI = Target(material="CsI", mass=14.6)
RANGE = (4e-6, 60e-6)


def sample_set(folder, **options):
    recipe = Recipe(flavour="numubar", events=150_000, t_min=4.0, t_max=60.0, unit="keV")
    sample = Sample(name="a", role="signal", process="nucleus", files="a.root", generate=recipe)
    defaults = {
        "samples": (sample,),
        "target": CSI,
        "flux": {"numubar": PionDecay(distance=20.0)},
        "path": str(folder / "set.toml"),
    }
    return SampleSet(**(defaults | options))


def expected(dsigma, low, high):
    """Events per POT between two recoils, which may differ by nucleus, by quadrature over both energies."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    total = 0.0
    for one in nuclei_of(SampleSet(samples=(), target=CSI)):
        factor = form_factors.Helm(one.a)

        def per_t(t, one=one, factor=factor):
            start = float(nucleus.e_nu_min_nucleus(t, one.mass))
            half = 0.5 * (0.5 * M_MU - start)
            e = start + half * (1 + nodes)
            return half * np.sum(weights * pion_decay_numubar(e) * dsigma(e, t, one.z, one.a - one.z, one.mass, factor))

        edges = np.geomspace(*(x[one.a] if isinstance(x, dict) else x for x in (low, high)), 4)
        parts = [integrate.fixed_quad(np.vectorize(per_t), a, b, n=16)[0] for a, b in itertools.pairwise(edges)]
        total += sum(parts) * one.number
    return total * FLUX


def weak(e, t, z, n, mass, factor):
    return nucleus.dsigma_dt_nucleus_sm(e, t, z, n, mass, SIN2_THETA_W, factor)


def moment(e, t, z, n, mass, factor):
    return nucleus.dsigma_dt_nucleus_magnetic(e, t, 1e-9, z, mass, factor)


def radius(e, t, z, n, mass, factor):
    return nucleus.dsigma_dt_nucleus_charge_radius(e, t, z, n, mass, 1e-31, SIN2_THETA_W, factor)


def charge(e, t, z, n, mass, factor):
    return nucleus.dsigma_dt_nucleus_millicharge(e, t, z, n, mass, 3e-7, SIN2_THETA_W, factor)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recoils")
    generate(sample_set(folder))
    (folder / "friends.toml").write_text(
        '[[samples]]\nname = "a"\nrole = "signal"\nprocess = "nucleus"\nfiles = "a.root"\n'
    )
    return folder


def masses(events):
    caesium, iodine = nuclei_of(SampleSet(samples=(), target=CSI))
    return np.where(events["nucleus"] == iodine.code, iodine.mass, caesium.mass)


def columns(path):
    with uproot.open(path) as file:
        return file["events"].arrays(library="np"), float(file["TotalPOT"].values()[0])


def test_weighted_events_are_the_quadrature_of_flux_cross_section_and_form_factor(made):
    events, pot = columns(made / "a.root")
    assert set(events) == {"pdg", "nucleus", "e_nu", "t", "theta", "weight"}
    for low, high in [(4e-6, 8e-6), (8e-6, 20e-6), (20e-6, 60e-6)]:
        weights = events["weight"][(events["t"] >= low) & (events["t"] < high)].astype(float)
        error = np.sqrt(np.sum(weights**2))
        assert error / weights.sum() < 0.01
        assert weights.sum() == pytest.approx(expected(weak, low, high) * pot, abs=4 * error)
    # Energy and momentum conservation for a nucleus at rest.
    mass = masses(events)
    e, t = events["e_nu"], events["t"]
    p = np.sqrt(t * (t + 2 * mass))
    np.testing.assert_allclose(np.sqrt(e**2 + p**2 - 2 * e * p * np.cos(events["theta"])), e - t, rtol=1e-9)


@pytest.mark.parametrize(
    ("coupling", "value", "dsigma", "extra"),
    [
        ("magnetic_moment", 1e-9, moment, weak),
        ("charge_radius", 1e-31, radius, None),
        ("millicharge", 3e-7, charge, None),
    ],
)
def test_weights_of_couplings_are_the_exact_cross_sections(made, coupling, value, dsigma, extra):
    events, pot = columns(made / "a.root")
    found = COUPLINGS[coupling]
    fitted = [FittedCoupling.of(found, carriers=["numubar"])]
    z, a = events["nucleus"] // 10_000 % 1000, events["nucleus"] // 10 % 1000
    mass = masses(events)
    rows = weigh_nucleus(fitted, events["pdg"], events["e_nu"], events["t"], z, a - z, mass)
    ratio = np.polynomial.polynomial.polyval(found.kappa(value), rows)
    # Event by event.
    some = slice(0, 200)
    arguments = [x[some] for x in (events["e_nu"], events["t"], z, a - z, mass)]
    whole = dsigma(*arguments, None) + (extra(*arguments, None) if extra else 0.0)
    np.testing.assert_allclose(ratio[some], whole / weak(*arguments, None), rtol=1e-9)
    # And in sums, where the events are drawn such that a magnetic moment has a finite error too.
    weights = events["weight"] * ratio
    total = expected(dsigma, *RANGE) + (expected(extra, *RANGE) if extra else 0.0)
    error = np.sqrt(np.sum(weights**2))
    assert error / weights.sum() < 0.01
    assert weights.sum() == pytest.approx(total * pot, abs=4 * error)


def test_a_sample_made_with_couplings_is_the_reweighted_one(made, tmp_path):
    values = {"magnetic_moment": 4.0, "charge_radius": 2.0}
    recipe = Recipe(flavour="numubar", events=150_000, t_min=4.0, t_max=60.0, unit="keV", couplings=values)
    sample = Sample(name="a", role="signal", process="nucleus", files="a.root", generate=recipe)
    (path,) = generate(sample_set(tmp_path, samples=(sample,)))
    plain, _ = columns(made / "a.root")
    coupled, _ = columns(path)
    assert plain["t"].tobytes() == coupled["t"].tobytes()
    z, a = plain["nucleus"] // 10_000 % 1000, plain["nucleus"] // 10 % 1000
    mass = masses(plain)
    fitted = [FittedCoupling.of(COUPLINGS[name], parameter=name, carriers=["numubar"]) for name in values]
    rows = weigh_nucleus(fitted, plain["pdg"], plain["e_nu"], plain["t"], z, a - z, mass)
    # 1, mu^2, r, r^2.
    np.testing.assert_allclose(coupled["weight"], plain["weight"] * (np.array([1.0, 4.0, 2.0, 4.0]) @ rows), rtol=1e-5)


def test_the_fit_reads_them_quenches_them_and_makes_the_templates(made, tmp_path):
    (made / "set.toml").write_text(
        """
flux = { numubar = { kind = "pion decay at rest", distance = 20.0 } }
[target]
material = "CsI"
mass = 14.6
[response]
unit = "keV"
quenching = "lindhard"
efficiency = 0.5
[[samples]]
name = "a"
role = "signal"
process = "nucleus"
files = "a.root"
response = true
"""
    )
    (made / "fit.toml").write_text(
        """
samples = "set.toml"
pot = 1e22
[[regions]]
name = "r"
axes = [{ observable = "t_reco * 1e6", edges = [1.0, 2.0, 4.0, 8.0, 16.0] }]
"""
    )
    analysis = load(made / "fit.toml")
    templates = sf.build(analysis, executor="serial")
    # Where each nucleus has to recoil to be seen at the edges.
    grid, edges = np.geomspace(1e-6, 1e-4, 4000), []
    for edge in (1e-6, 2e-6, 4e-6, 8e-6, 16e-6):
        recoils = {
            one.a: np.interp(edge, lindhard_electron_energy(grid, float(one.z), lindhard_k(one.z, one.a)), grid)
            for one in nuclei_of(analysis.sample_sets[0])
        }
        edges.append({a: np.clip(recoil, *RANGE) for a, recoil in recoils.items()})
    found = np.asarray(templates.counts)[0, 0]
    for row, dsigma in zip(found, (weak, moment), strict=True):
        sums = [0.5e22 * expected(dsigma, a, b) for a, b in itertools.pairwise(edges)]
        # Few events are behind the last bin.
        assert np.all(np.abs(row / sums - 1.0) < [0.02, 0.02, 0.03, 0.06])


def test_the_same_file_however_it_is_cut(made, tmp_path):
    (path,) = generate(sample_set(made), folder=tmp_path, executor="threads", workers=2, chunk_events=7_001)
    (one, pot), (two, again) = columns(made / "a.root"), columns(path)
    assert pot == again
    for name in one:
        assert one[name].tobytes() == two[name].tobytes()


def test_reweighting_a_file_of_recoils_takes_their_cross_section(made, tmp_path):
    (friend,) = reweight_files(made / "friends.toml", tmp_path, value=1e-9).friends
    events, _ = columns(made / "a.root")
    with uproot.open(friend.target) as file:
        weights = file["spectrafit"]["weight"].array(library="np", entry_stop=100)
    z, a = (events["nucleus"][:100] // n % 1000 for n in (10_000, 10))
    arguments = [x[:100] for x in (events["e_nu"], events["t"])] + [z, a - z, masses(events)[:100]]
    np.testing.assert_allclose(weights, 1.0 + moment(*arguments, None) / weak(*arguments, None), rtol=1e-9)


def test_a_single_line_and_a_single_nucleus():
    (argon,) = (one for one in nuclei_of(SampleSet(samples=(), target=Target(material="Ar", mass=1.0))) if one.a == 40)
    line = Beam(edges=np.empty(0), parts=(), lines=np.array([[0.03, 1e10]]))
    found = recoil_spectrum(line, "numu", [argon], sin2_theta_w=SIN2_THETA_W, t_min=1e-6)
    # What is drawn from: the weak cross section on a point, and a quarter of T_max/T.
    top = 2 * 0.03**2 / (argon.mass + 0.06)
    charge = nucleus.weak_charge(18, 22, SIN2_THETA_W)
    rate = nucleus.WEAK * argon.mass * charge**2 * ((top - 1e-6) ** 2 / (2 * top) + 0.25 * top * np.log(top / 1e-6))
    assert found.rate == pytest.approx(rate, rel=1e-12)
    assert recoil_theta(np.array([0.03]), np.array([top]), np.array([argon.mass])) == pytest.approx(0.0, abs=1e-6)


def test_a_file_of_recoils_is_known_for_one(made, tmp_path):
    seen = inspect(made / "a.root")
    assert seen.process == "nucleus"
    assert seen.nu_e == 150_000
    assert 'process = "nucleus"' in seen.start
    assert "nu-A   150000 of 150000 entries" in str(seen)
    # Without a sample set, the weights are those of nuclei as well.
    alone = reweight(made / "a.root", tmp_path / "friend.root", value=1e-9)
    (of_set,) = reweight_files(made / "friends.toml", tmp_path / "set", value=1e-9).friends
    one, two = (uproot.open(path)["spectrafit"]["weight"].array(library="np") for path in (alone, of_set.target))
    assert one.tobytes() == two.tobytes()


def test_what_cannot_be_is_refused(made, tmp_path):
    with pytest.raises(ConfigError, match=r"needs \[target\] with material and mass"):
        generate(sample_set(tmp_path, target=None))
    bare = Sample(
        name="a", role="signal", process="nucleus", files="a.root", generate=Recipe(flavour="numubar", events=5)
    )
    with pytest.raises(ConfigError, match="scattering on nuclei needs a t_min above 0"):
        generate(sample_set(tmp_path, samples=(bare,)))
    (made / "electrons.toml").write_text('[[samples]]\nname = "a"\nrole = "signal"\nfiles = "a.root"\n')
    (made / "fit2.toml").write_text(
        'samples = "electrons.toml"\npot = 1e20\n[[regions]]\nname = "r"\n'
        'axes = [{ observable = "t", edges = [0.0, 1.0] }]\n'
    )
    with pytest.raises(ConfigError, match='has a branch "nucleus": say process = "nucleus"'):
        sf.build(load(made / "fit2.toml"), executor="serial")
    events, _ = columns(made / "a.root")
    events["t"] = events["t"] * 1e3
    with uproot.recreate(made / "wrong.root") as file:
        file["events"] = events
        file["TotalPOT"] = (np.array([1.0]), np.array([0.0, 1.0]))
    (made / "electrons.toml").write_text(
        '[[samples]]\nname = "a"\nrole = "signal"\nprocess = "nucleus"\nfiles = "wrong.root"\n'
    )
    with pytest.raises(DataError, match="exceeds the kinematic limit"):
        sf.build(load(made / "fit2.toml"), executor="serial")
