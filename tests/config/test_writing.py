"""What is written loads to the same analysis: shipped ones, changed ones, and one with a table of every kind."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from spectrafit.config import digest, load
from spectrafit.config.writing import written

PROJECT = Path(__file__).parents[2]
FITS = sorted((PROJECT / "fits").glob("*.toml"))
MAIN = PROJECT / "fits" / "nova_nd_fhc.toml"


def again(analysis, folder):
    """Write the files as the page shows them, and load them."""
    home = folder / "a" / "fits"
    home.mkdir(parents=True)
    names = list(written(analysis).items())
    for name, text in names:
        tomllib.loads(text)
        target = home / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return load(home / names[0][0])


@pytest.mark.parametrize("path", FITS, ids=lambda path: path.stem)
def test_shipped_analyses_come_back(path, tmp_path):
    analysis = load(path)
    found = again(analysis, tmp_path)
    assert digest(found) == digest(analysis)


def test_settings_of_one_run_come_back(tmp_path):
    analysis = load(
        MAIN,
        overrides=["limit.level=0.95", "systematics.flux.sigma=0.05", "samples:response.energy_constant=0.06"],
        without=["nc"],
    )
    found = again(analysis, tmp_path)
    assert digest(found) == digest(analysis) != digest(load(MAIN))
    assert "nc" not in [systematic.name for systematic in found.systematics]
    assert found.limit.level == 0.95


SAMPLES = r"""
title = "quotes \" and back \\ slashes, ünïcode"
sin2_theta_w = 0.231
[response]
energy_stochastic = 0.06
[[samples]]
name = "numu"
role = "signal"
files = ["a b/*.root", "c.root"]
columns = { e_nu = "mc_enu", t = { expression = "mc_E - 0.000511" }, t_reco = { branch = "shw_T", unit = "MeV" } }
pot = { branch = "pot", tree = "meta" }
response = true
[[samples]]
name = "nc"
role = "background"
files = "nc.root"
columns = { weight = 0.02 }
pot = 1e21
"""
FIT = """
title = "All kinds"
samples = ["../samples/one.toml", "../samples/two.toml"]
pot = { one = 1e20, two = 2.5e20 }
couplings = [
    { name = "magnetic_moment", parameter = "mu" },
    { name = "charge_radius", parameter = "r2", interest = true },
]
data = { r = [1.0, 2.0], "my region" = [3.0] }
[[regions]]
name = "r"
axes = [{ observable = "t_reco", edges = [0.3, 1.0, 5.0], scale = "log", label = "T [GeV]" }]
cut = "t_reco > 0.3 && theta_reco < 0.1"
[[regions]]
name = "my region"
axes = [{ observable = "theta_reco", bins = 1, range = [0.1, 0.5] }]
cut = "theta_reco >= 0.1"
[[systematics]]
kind = "norm"
name = "flux"
sigma = 0.1
per_set = true
[[systematics]]
kind = "norm"
name = "free one"
samples = ["nc"]
free = true
[[systematics]]
kind = "shift"
name = "scale"
column = "t_reco"
scale = 0.03
smooth = "auto"
[[systematics]]
kind = "weight"
name = "eff"
weights = ["1 - 0.1*exp(-t_reco)", "1 + 0.1*exp(-t_reco)"]
[[counts]]
name = "other"
counts = { r = [0.5, 0.25], "my region" = [0.0] }
[[normalise]]
samples = ["one/numu"]
region = "r"
expected = 12.0
[fit]
mc_statistics = "none"
zero_bins = "drop"
correlations = [{ parameters = ["eff", "scale"], value = 0.5 }]
[limit]
method = "cls"
level = 0.95
"""


def test_an_analysis_with_everything_comes_back(tmp_path):
    (tmp_path / "fits").mkdir()
    (tmp_path / "samples").mkdir()
    for name in ("one", "two"):
        (tmp_path / "samples" / f"{name}.toml").write_text(SAMPLES, encoding="utf-8")
    (tmp_path / "fits" / "all.toml").write_text(FIT, encoding="utf-8")
    analysis = load(tmp_path / "fits" / "all.toml")
    found = again(analysis, tmp_path)
    plain = [msgspec.to_builtins(one) for one in (analysis, found)]
    for one in plain:
        one.pop("path")
        for sample_set in one["sample_sets"]:
            sample_set.pop("path")
    assert plain[1] == plain[0]
    assert digest(found) == digest(analysis)
    assert list(written(analysis)) == ["all.toml", "../samples/one.toml", "../samples/two.toml"]


def test_only_what_differs_from_the_defaults_is_written():
    text = written(load(MAIN))[MAIN.name]
    assert "zero_bins" not in text
    assert "null" not in text
    assert 'kind = "norm"' in text
