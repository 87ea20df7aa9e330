"""Two experiments in one fit: names, parameters shared or kept apart; the sum of their likelihoods is the oracle."""

import numpy as np
import pytest
from msgspec.structs import replace

import spectrafit as sf
from spectrafit import config
from spectrafit.config.joining import apart, qualified
from spectrafit.config.patterns import matches
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.likelihood import Likelihood
from tests.events.ntuples import native
from tests.test_bad_input import write_tree

SET = """
[[samples]]
name = "numu"
title = "nu_mu e"
role = "signal"
files = "{0}_numu.root"
pot = 1e20
[[samples]]
name = "nc"
role = "background"
files = "{0}_nc.root"
pot = {1}
"""
REGION = """
[[regions]]
name = "{0}"
samples = ["{1}"]
axes = [{{ observable = "t_reco", edges = [0.2, 0.6, 1.0, 2.0] }}]
"""
SYSTEMATICS = """
[[systematics]]
kind = "norm"
name = "flux"
sigma = 0.1
{0}
[[systematics]]
kind = "norm"
name = "nc_rate"
samples = ["nc"]
sigma = 0.4
{0}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("joint")
    rng = np.random.default_rng(3)
    for name, size in (("near", 3000), ("far", 2000)):
        for sample in ("numu", "nc"):
            columns = native(size)
            columns["weight"] = rng.uniform(0.5, 1.5, size)
            if name == "near":
                columns["knob"] = rng.normal(1.0, 0.1, size)
            write_tree(place / f"{name}_{sample}.root", columns)
        (place / f"{name}.toml").write_text(SET.format(name, "1e20" if name == "near" else "4e19"))
        fit = f'samples = "{name}.toml"\npot = {"3e19" if name == "near" else "7e19"}\n'
        (place / f"fit_{name}.toml").write_text(fit + REGION.format(name, "*") + SYSTEMATICS.format(""))
    for name, key in (("shared", ""), ("apart", "per_set = true")):
        fit = 'samples = ["near.toml", "far.toml"]\npot = { near = 3e19, far = 7e19 }\n'
        fit += REGION.format("near", "near/*") + REGION.format("far", "far/*") + SYSTEMATICS.format(key)
        (place / f"fit_{name}.toml").write_text(fit)
    return place


def model(folder, name):
    analysis = sf.load(folder / f"fit_{name}.toml")
    return sf.assemble(analysis, sf.build(analysis))


def test_samples_of_one_name_are_called_by_their_sets(folder):
    analysis = sf.load(folder / "fit_shared.toml")
    assert [sample.name for _, sample in analysis.nominal] == ["near/numu", "near/nc", "far/numu", "far/nc"]
    assert [sample.title for _, sample in analysis.nominal][:2] == ["nu_mu e (near)", "nc (near)"]
    assert config.chosen(("nc",), ("near/nc", "far/nc", "near/numu")) == ("near/nc", "far/nc")
    assert config.chosen(("near/*",), ("near/nc", "far/nc")) == ("near/nc",)
    assert not matches("near/nc", "far/nc")
    assert qualified(analysis) == analysis


def test_parameters_are_shared_by_name_or_kept_apart(folder):
    assert [s.name for s in sf.load(folder / "fit_shared.toml").systematics] == ["flux", "nc_rate"]
    analysis = sf.load(folder / "fit_apart.toml")
    assert [(s.name, s.samples) for s in analysis.systematics] == [
        ("near/flux", ("near/numu", "near/nc")),
        ("far/flux", ("far/numu", "far/nc")),
        ("near/nc_rate", ("near/nc",)),
        ("far/nc_rate", ("far/nc",)),
    ]
    assert apart(analysis) == analysis
    left = sf.load(folder / "fit_apart.toml", without=["flux"])
    assert [s.name for s in left.systematics] == ["near/nc_rate", "far/nc_rate"]


def test_the_joint_likelihood_is_the_sum_of_both(folder):
    near, far, both, free = (model(folder, name) for name in ("near", "far", "shared", "apart"))
    assert set(both.names) == {"kappa", "flux", "nc_rate"}
    assert set(free.names) == {"kappa", "near/flux", "far/flux", "near/nc_rate", "far/nc_rate"}

    def at(one, values):
        return Likelihood(one).two_nll(np.array([values[name] for name in one.names]))

    rng = np.random.default_rng(1)
    for _ in range(5):
        k, *pulls = rng.normal(size=5) * 0.5
        each = dict(zip(("near/flux", "far/flux", "near/nc_rate", "far/nc_rate"), pulls, strict=True)) | {"kappa": k}
        alone = [{n: each[n if n == "kappa" else f"{name}/{n}"] for n in both.names} for name in ("near", "far")]
        summed = at(near, alone[0]) + at(far, alone[1])
        assert at(free, each) == pytest.approx(summed, rel=1e-9, abs=1e-9)
        # A shared parameter is constrained once.
        shared = alone[0]
        constraints = shared["flux"] ** 2 + shared["nc_rate"] ** 2
        assert at(both, shared) == pytest.approx(at(near, shared) + at(far, shared) - constraints, rel=1e-9, abs=1e-9)


def test_stand_ins_are_those_of_their_set(folder):
    text = (folder / "fit_shared.toml").read_text()
    shifted = '[[systematics]]\nkind = "sample"\nname = "model"\nup = { numu = "nc" }\nsamples = ["numu"]\n'
    (folder / "fit_shifted.toml").write_text(text[: text.index("[[systematics]]")] + shifted)
    (one,) = sf.load(folder / "fit_shifted.toml").systematics
    assert one.up == {"near/numu": "near/nc", "far/numu": "far/nc"}
    split = sf.load(folder / "fit_shifted.toml", overrides=["systematics.model.per_set=true"]).systematics
    assert [s.up for s in split] == [{"near/numu": "near/nc"}, {"far/numu": "far/nc"}]


def test_a_systematic_that_fails_on_another_set_says_its_name(folder):
    text = (folder / "fit_shared.toml").read_text()
    weight = '[[systematics]]\nkind = "weight"\nname = "tune"\nweights = ["2 - knob", "knob"]\n'
    (folder / "fit_weight.toml").write_text(text + weight)
    with pytest.raises((ConfigError, DataError), match=r"\(.tune.\), which acts on sample 'far/numu': .*knob"):
        sf.build(sf.load(folder / "fit_weight.toml"))


def test_two_sets_of_one_name_are_refused(folder):
    (folder / "other").mkdir()
    (folder / "other/near.toml").write_text((folder / "near.toml").read_text())
    text = (folder / "fit_near.toml").read_text().replace('"near.toml"', '["near.toml", "other/near.toml"]')
    (folder / "fit_twins.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"two sample sets are called 'near' and both have a sample 'nu?[mc]"):
        sf.load(folder / "fit_twins.toml")


def test_a_scan_over_a_key_keeps_the_names(folder):
    analysis = sf.load(folder / "fit_apart.toml")
    again = sf.load(folder / "fit_apart.toml", overrides=["pot.far=1e20"])
    assert [s.name for s in again.systematics] == [s.name for s in analysis.systematics]
    assert replace(again, pot=analysis.pot) == analysis
