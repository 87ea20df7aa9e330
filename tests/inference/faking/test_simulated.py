import numpy as np
import pytest
import uproot

import spectrafit as sf
from spectrafit.errors import ConfigError
from spectrafit.inference.faking.simulated import simulate
from tests.events.ntuples import native

SAMPLES = """
[[samples]]
name = "numu"
role = "signal"
files = "{numu}.root"
pot = {pot}
[[samples]]
name = "nc"
role = "background"
files = "nc.root"
pot = 2e20
"""
DATA = """
[[samples]]
name = "observed"
role = "data"
files = "numu.root"
"""
FIT = """
samples = "set.toml"
pot = 1e20
[[regions]]
name = "low"
axes = [{ observable = "t_reco", edges = [0.2, 1.0, 2.0, 3.0] }]
[[regions]]
name = "high"
axes = [{ observable = "t_reco", edges = [3.0, 5.0, 10.0] }]
[[systematics]]
kind = "norm"
name = "rate"
samples = ["nc"]
sigma = 0.2
"""
EXTRA = """
[[counts]]
name = "cosmics"
counts = { low = [5.0, 4.0, 3.0], high = [2.0, 1.0] }
[[normalise]]
samples = ["numu"]
region = "low"
expected = 500.0
"""
EDGES = ([0.2, 1.0, 2.0, 3.0], [3.0, 5.0, 10.0])


def write(path, columns):
    with uproot.recreate(path) as file:
        file["events"] = columns


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two simulations of nu-e events, the other with energies 5 % too high, and one background."""
    place = tmp_path_factory.mktemp("simulations")
    background = native(1500, seed=3)
    background["pdg"][:] = 0
    write(place / "nc.root", background)
    write(place / "numu.root", native(4000))
    other = native(2000, seed=8)
    other["t_reco"] *= 1.05
    write(place / "other.root", other)
    (place / "set.toml").write_text(SAMPLES.format(numu="numu", pot=1e20))
    (place / "other.toml").write_text(SAMPLES.format(numu="other", pot=5e19) + DATA)
    (place / "data.toml").write_text(DATA)
    (place / "unknown.toml").write_text(SAMPLES.format(numu="other", pot=5).replace("pot = 5\n", "\n"))
    (place / "names.toml").write_text(SAMPLES.format(numu="other", pot=5e19).replace('"numu"', '"muons"'))
    (place / "fit.toml").write_text(FIT)
    (place / "more.toml").write_text(FIT + EXTRA)
    return place


@pytest.fixture(scope="module")
def built(folder):
    found = {}
    for name in ("fit", "more"):
        analysis = sf.load(folder / f"{name}.toml")
        found[name] = analysis, sf.build(analysis)
    return found


def counted(path, scale):
    events = uproot.open(path)["events"].arrays(["t_reco", "weight"], library="np")
    weights = events["weight"].astype(float) * scale
    return np.concatenate([np.histogram(events["t_reco"], np.float32(edges), weights=weights)[0] for edges in EDGES])


@pytest.mark.parametrize("name", ["fit", "more"])
def test_the_same_simulation_gives_the_asimov_result(folder, built, name):
    """With counts known by their numbers and normalised samples, too."""
    analysis, templates = built[name]
    asimov = sf.assemble(analysis, templates)
    model = sf.assemble(analysis, templates, data=sf.Simulated(folder / "set.toml"))
    np.testing.assert_allclose(model.data, asimov.data, rtol=1e-12)
    best = sf.fit(model)
    assert best.valid
    np.testing.assert_allclose(best.values, sf.fit(asimov).values, atol=1e-9)
    assert (model.asimov, model.measured) == (False, False)


def test_another_simulation_is_counted_as_its_samples_say(folder, built):
    """Against numpy: its own events and exposure, in the bins of the analysis; what is data there is not read."""
    analysis, templates = built["fit"]
    model = sf.assemble(analysis, templates, data=sf.Simulated(folder / "other.toml"))
    wanted = counted(folder / "other.root", 2.0) + counted(folder / "nc.root", 0.5)
    np.testing.assert_allclose(model.data, wanted, rtol=1e-6)
    assert model.fake.events == sum(
        int(((t := uproot.open(folder / f)["events"]["t_reco"].array(library="np")) >= 0.2).sum() - (t >= 10).sum())
        for f in ("other.root", "nc.root")
    )
    # Read once: the choice keeps its counts.
    assert simulate(model.fake, analysis, templates, scales={}) is model.fake
    kept = sf.assemble(analysis, templates, data=model.fake)
    np.testing.assert_array_equal(kept.data, model.data)
    biased = sf.fit(model)
    assert biased.fake == model.fake
    assert abs(biased.kappa) > 1e-3


def test_bins_of_merged_templates(folder, built):
    analysis, templates = built["fit"]
    merged = templates.rebinned({"low": [[0.2, 2.0, 3.0]]})
    model = sf.assemble(analysis, merged, data=sf.Simulated(folder / "set.toml"))
    np.testing.assert_allclose(model.data, sf.assemble(analysis, merged).data, rtol=1e-12)


def test_a_toy_of_another_simulation(folder, built):
    analysis, templates = built["fit"]
    model = sf.assemble(analysis, templates, data=sf.Toy(4, sf.Simulated(folder / "other.toml")))
    wanted = counted(folder / "other.root", 2.0) + counted(folder / "nc.root", 0.5)
    assert np.all(model.data == np.floor(model.data))
    assert np.sum((model.data - wanted) ** 2 / wanted) < 25.0
    assert "toy 4 of the simulation of" in model.fake.label


@pytest.mark.parametrize(
    ("name", "samples", "message"),
    [
        ("fit", "data", "holds no simulation, only data"),
        ("fit", "unknown", "its exposure is not known"),
        ("more", "names", "normalise scales numu, and no sample here has such a name"),
        ("fit", ("set", "other"), "every sample needs its own name, found 'numu' twice"),
        ("fit", "nowhere", "no such file"),
    ],
)
def test_what_does_not_go_together_is_refused(folder, built, name, samples, message):
    names = (samples,) if isinstance(samples, str) else samples
    with pytest.raises(ConfigError, match=message):
        sf.assemble(*built[name], data=sf.Simulated(tuple(str(folder / f"{one}.toml") for one in names)))


def test_exposures_by_set_are_matched_by_name_or_refused(folder):
    several = FIT.replace('"set.toml"', '["set.toml", "beside.toml"]').replace(
        "pot = 1e20", "pot = { set = 1e20, beside = 3e20 }"
    )
    (folder / "beside.toml").write_text(SAMPLES.format(numu="other", pot=1e20).replace('name = "n', 'name = "m'))
    (folder / "several.toml").write_text(several.replace('["nc"]', '["*c"]'))
    analysis = sf.load(folder / "several.toml")
    templates = sf.build(analysis)
    with pytest.raises(ConfigError, match=r"has an exposure for each of set, beside, and none for 'other'"):
        sf.assemble(analysis, templates, data=sf.Simulated(folder / "other.toml"))
    both = sf.Simulated((folder / "set.toml", folder / "beside.toml"))
    model = sf.assemble(analysis, templates, data=both)
    np.testing.assert_allclose(model.data, sf.assemble(analysis, templates).data, rtol=1e-12)


def test_a_region_without_a_sample_is_refused(folder):
    text = FIT.replace('name = "low"\n', 'name = "low"\nsamples = ["n*"]\n')
    (folder / "picky.toml").write_text(text)
    (folder / "letters.toml").write_text(SAMPLES.format(numu="other", pot=1e20).replace('name = "n', 'name = "m'))
    analysis = sf.load(folder / "picky.toml")
    with pytest.raises(ConfigError, match=r"region 'low' takes samples called n\*, and this set has mumu, mc"):
        sf.assemble(analysis, sf.build(analysis), data=sf.Simulated(folder / "letters.toml"))
