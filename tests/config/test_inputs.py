"""The list of files that an analysis reads holds every file that the test wrote, and nothing else."""

from spectrafit.config import load
from spectrafit.config.inputs import inputs_of, inputs_of_samples

SET = """
[flux]
numu = "flux/numu.dat"
[[samples]]
name = "numu"
role = "signal"
files = ["numu_*.root", "https://server/far.root", "one.root:events"]
friends = [{ files = "friend.root", tree = "w" }]
"""
FIT = """
samples = "set.toml"
pot = 1e20
[[regions]]
name = "nd"
axes = [{ observable = "t_reco", edges = [0.3, 0.6] }]
[[systematics]]
kind = "covariance"
name = "detector"
file = "matrix.root:total"
[[systematics]]
kind = "flux"
name = "flux"
covariance = "flux/full.csv"
[[systematics]]
kind = "norm"
name = "n"
sigma = 0.1
"""


def test_every_file_is_listed_once(tmp_path):
    ntuples = {"numu_0.root", "numu_1.root", "one.root", "friend.root"}
    others = {"flux/numu.dat", "flux/full.csv", "matrix.root"}
    (tmp_path / "flux").mkdir()
    for name in ntuples | others | {"unused.root"}:
        (tmp_path / name).write_text("")
    (tmp_path / "set.toml").write_text(SET)
    (tmp_path / "fit.toml").write_text(FIT)
    analysis = load(tmp_path / "fit.toml")
    found = inputs_of(analysis)
    assert len(found) == len(set(found))
    assert {p.resolve() for p in found} == {
        (tmp_path / n).resolve() for n in ntuples | others | {"set.toml", "fit.toml"}
    }
    of_set = {p.resolve() for p in inputs_of_samples(analysis.sample_sets[0])}
    assert of_set == {(tmp_path / n).resolve() for n in ntuples | {"flux/numu.dat", "set.toml"}}


def test_a_file_that_is_to_be_made_is_listed_by_its_name(tmp_path):
    (tmp_path / "set.toml").write_text(SET)
    (tmp_path / "fit.toml").write_text(FIT)
    names = {p.name for p in inputs_of(load(tmp_path / "fit.toml"))}
    assert {"one.root", "friend.root", "matrix.root"} <= names
    assert not any("*" in name for name in names)
