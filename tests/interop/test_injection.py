import numpy as np
import pytest
import uproot
from scipy import stats

import spectrafit as sf
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.fake import Injected
from spectrafit.inference.observed import observed
from spectrafit.templates.drawing import simulation_of
from tests.events.ntuples import native
from tests.events.test_reweight import ratio

SET = """
[[samples]]
name = "numu"
role = "signal"
files = "numu_*.root"
pot = 1e20
columns = { score = "quality" }
[[samples]]
name = "nc"
role = "background"
files = "nc.root"
pot = 2e20
columns = { score = "quality" }
"""
FIT = """
samples = "set.toml"
pot = 4e20
[[regions]]
name = "low"
axes = [{ observable = "t_reco", edges = [0.2, 1.0, 2.0, 3.0] }, { observable = "score", bins = 2, range = [0, 1] }]
cut = "t_theta2_reco < 0.5"
[[regions]]
name = "high"
axes = [{ observable = "t_reco + 0*score", edges = [3.0, 5.0, 10.0] }]
[[systematics]]
kind = "norm"
name = "rate"
samples = ["nc"]
sigma = 0.5
[[systematics]]
kind = "shift"
name = "scale"
column = "t_reco"
scale = 0.05
"""
OBSERVED = """
[[samples]]
name = "observed"
role = "data"
files = "nc.root"
columns = { score = "quality" }
"""
TRUTH = {"kappa": 3.0, "rate": 1.0}


def write(path, columns):
    with uproot.recreate(path) as file:
        file["events"] = columns


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("injected")
    for name, size, seed in (("numu_0", 3000, 1), ("numu_1", 2000, 2), ("nc", 2000, 3)):
        columns = native(size, seed=seed)
        columns["quality"] = np.random.default_rng(seed + 50).random(size)
        if name == "nc":
            columns["pdg"][:] = 0
        write(place / f"{name}.root", columns)
    (place / "set.toml").write_text(SET)
    (place / "fit.toml").write_text(FIT)
    (place / "observed.toml").write_text(OBSERVED)
    return place


@pytest.fixture(scope="module")
def built(folder):
    analysis = sf.load(folder / "fit.toml")
    return analysis, sf.build(analysis)


@pytest.fixture(scope="module")
def ntuple(folder, built):
    """A toy as an ntuple, and what was said about it."""
    said = []
    files = sf.inject(folder / "toy.root", *built, sf.Toy(7, TRUTH), tell=said.append)
    return files, said


@pytest.mark.parametrize("fake", [sf.Asimov(TRUTH), sf.Toy(7, TRUTH, thrown=True), sf.Simulated("set.toml")])
def test_counts_are_read_back_as_the_data(folder, built, fake, monkeypatch):
    monkeypatch.chdir(folder)
    (file,) = sf.inject("counts.toml", *built, fake)
    wanted = sf.assemble(*built, data=fake)
    read = sf.load("fit.toml", overrides=["data=counts.toml"])
    model = sf.assemble(read, built[1], unblind=True)
    np.testing.assert_array_equal(model.data, wanted.data)
    # Read back as what they are: fake, though unblind asked for them.
    assert not model.measured
    assert wanted.fake.label in model.fake.label
    assert isinstance(model.fake, Injected)
    # The keys may stand in the analysis itself, too.
    (folder / "pasted.toml").write_text((folder / "counts.toml").read_text().partition("[data]")[0] + FIT)
    text = (folder / "pasted.toml").read_text() + "[data]" + file.read_text().partition("[data]")[2]
    (folder / "pasted.toml").write_text(text)
    assert sf.assemble(sf.load("pasted.toml"), built[1], unblind=True).fake == model.fake
    # Without unblind they are left alone, as any data.
    assert sf.assemble(read, built[1]).asimov


def test_an_ntuple_is_read_back_with_the_numbers_of_the_toy(folder, built, ntuple):
    (root, toml), said = ntuple
    wanted = sf.assemble(*built, data=sf.Toy(7, TRUTH))
    read = sf.load(folder / "fit.toml", overrides=['samples=["set.toml", "toy.toml"]'])
    templates = sf.build(read)
    model = sf.assemble(read, templates, unblind=True)
    np.testing.assert_array_equal(model.data, wanted.data)
    assert model.fake == Injected("toy 7 at kappa = 3, rate = 1, for fit.toml")
    assert sf.fit(model).kappa == pytest.approx(sf.fit(wanted).kappa, abs=1e-6)
    with uproot.open(root) as file:
        assert file["events"].title.startswith("NOT MEASURED, injected: toy 7")
        assert file["events"].num_entries == wanted.data.sum()
        assert file["TotalPOT"].values().sum() == 4e20
    assert toml.read_text().startswith("# Not measured")
    assert said[0].startswith(f"{int(wanted.data.sum())} events, ")


def test_events_are_drawn_as_the_simulation_has_them(folder, built, ntuple):
    """Against numpy: the distribution inside the bins, and of a variable that no axis sees, at kappa and rate."""
    (root, _), _ = ntuple
    signal = [uproot.open(folder / f"numu_{i}.root")["events"].arrays(library="np") for i in range(2)]
    signal = {name: np.concatenate([part[name] for part in signal]) for name in signal[0]}
    background = uproot.open(folder / "nc.root")["events"].arrays(library="np")
    weight = 4.0 * signal["weight"] * (1 + 3.0 * ratio(14, signal["e_nu"], signal["t"], 1e-9, 0.23863))
    parts = [(signal, weight), (background, 2.0 * background["weight"] * 1.5)]
    drawn = uproot.open(root)["events"].arrays(library="np")
    edges = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 7.0, 10.0])

    def inside(events):
        found = events["t_reco"].astype(float) * events["theta_reco"].astype(float) ** 2 < 0.5
        return found | (events["t_reco"] >= 3.0)

    expected = sum(
        np.histogram(e["t_reco"][inside(e)], edges, weights=np.asarray(w, dtype=float)[inside(e)])[0] for e, w in parts
    )
    found = np.histogram(drawn["t_reco"], edges)[0]
    # Events of few hundred are drawn with replacement from thousands: Poisson around the weighted sums.
    assert stats.chi2.sf(np.sum((found - expected) ** 2 / expected), len(expected)) > 1e-3
    assert stats.kstest(drawn["score"], "uniform").pvalue > 1e-3
    # A column of a region that another region does not need is there for all.
    assert set(drawn) == {"t_reco", "theta_reco", "score"}


def test_the_same_events_for_any_workers_and_chunks(folder, built, ntuple, monkeypatch):
    (root, _), _ = ntuple
    monkeypatch.setattr("spectrafit.templates.plan._ENTRIES", 700)
    sf.inject(folder / "again.root", *built, sf.Toy(7, TRUTH), executor="threads", workers=2)
    one, two = (uproot.open(path)["events"].arrays(library="np") for path in (root, folder / "again.root"))
    for name, values in one.items():
        np.testing.assert_array_equal(np.sort(values), np.sort(two[name]))


def test_fake_and_real_events_are_not_added(folder, built, ntuple):
    read = sf.load(folder / "fit.toml", overrides=['samples=["set.toml", "toy.toml", "observed.toml"]'])
    templates = sf.build(read)
    with pytest.raises(ConfigError, match="injected was injected, and observed was not"):
        sf.assemble(read, templates, unblind=True)
    # Injected counts stand in the place of all data.
    sf.inject(folder / "alone.toml", *built, sf.Toy(1))
    settings = ['samples=["set.toml", "observed.toml"]', "data=alone.toml"]
    read = sf.load(folder / "fit.toml", overrides=settings)
    templates = sf.build(read)
    counts, fake = observed(read, templates)
    np.testing.assert_array_equal(counts, sf.assemble(*built, data=sf.Toy(1)).data)
    assert fake is not None
    real, fake = observed(sf.load(folder / "fit.toml", overrides=settings[:1]), templates)
    assert fake is None
    assert real.sum() == templates.data.sum()


@pytest.mark.parametrize(
    ("name", "fake", "message"),
    [
        ("x.csv", sf.Toy(1), "needs NAME.toml for counts, or NAME.root for an ntuple"),
        ("x.root", sf.Asimov({"kappa": 1}), "an ntuple holds whole events; throw them with --toy"),
        ("x.root", sf.Toy(1, sf.Simulated("s.toml")), "are in its files"),
        ("x.toml", sf.Asimov({}, "follow"), "hold no auxiliary measurements"),
        ("set.toml", sf.Toy(1), "is read here, and would be overwritten"),
        ("nc.root", sf.Toy(1), "is read here, and would be overwritten"),
        ("set.root", sf.Toy(1), "set.toml: is read here, and would be overwritten"),
        ("observed.toml", sf.Toy(1), "is there already, and inject did not write it"),
        ("x.root", sf.Toy(1, {"kappa": -2.0}), "and cannot be drawn"),
    ],
)
def test_mistakes(folder, built, name, fake, message):
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises((ConfigError, DataError), match=message):
        sf.inject(folder / name, *built, fake)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_counts_alone_have_no_events(folder):
    (folder / "known.toml").write_text(FIT + '[[counts]]\nname = "cosmics"\ncounts = { high = [3.0, 1.0] }\n')
    analysis = sf.load(folder / "known.toml")
    with pytest.raises(ConfigError, match="cosmics: known by the expected counts alone"):
        sf.inject(folder / "y.root", analysis, sf.build(analysis), sf.Toy(1))


def test_the_simulation_of_an_analysis_has_no_data(folder):
    read = sf.load(folder / "fit.toml", overrides=['samples=["set.toml", "observed.toml"]'])
    bare = simulation_of(read)
    assert [sample.name for one in bare.sample_sets for sample in one.samples] == ["numu", "nc"]
    assert bare.systematics == ()
