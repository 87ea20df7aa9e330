"""Constraints of few events that are smeared twenty times, against those of a simulation four hundred times larger."""

import dataclasses

import numpy as np
import pytest
import uproot

import spectrafit as sf
from spectrafit.inference.fitting.information import constraints, information
from spectrafit.inference.fitting.linear import bins_of

FEW, MORE, SIGNAL, SEEDS = 600, 400, 20_000, 4
SAMPLES = """
title = "toy"
[flux]
numu = "numu.dat"
[response]
energy_stochastic = 0.10
angle_constant = 0.02
threshold = 0.25
draws = {draws}
[[samples]]
name = "signal"
role = "signal"
files = "signal.root"
response = true
pot = 1e20
[[samples]]
name = "background"
role = "background"
files = "background.root"
response = true
pot = 1e20
"""
ANALYSIS = f"""
samples = "samples.toml"
pot = 1e20
[fit]
zero_bins = "drop"
[[regions]]
name = "nd"
axes = [
    {{ observable = "t_reco", edges = {np.linspace(0.3, 3.0, 28).round(4).tolist()} }},
    {{ observable = "theta_reco", edges = [0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3] }},
]
[[systematics]]
kind = "shift"
name = "scale"
samples = ["background"]
column = "t_reco"
scale = 0.05
[[systematics]]
kind = "weight"
name = "slope"
samples = ["background"]
weights = ["1 - 0.2 * t", "1 + 0.2 * t"]
[[systematics]]
kind = "norm"
name = "rate"
samples = ["background"]
sigma = 0.3
"""


def write(folder, name, t, rng, pdg, total):
    e_nu = rng.uniform(1.0, 6.0, t.size)
    with uproot.recreate(folder / f"{name}.root") as file:
        file["events"] = {
            "pdg": np.full(t.size, pdg, np.int32),
            "e_nu": e_nu,
            "t": np.minimum(t, 0.9 * e_nu),
            "theta": rng.exponential(0.06, t.size),
            "weight": np.full(t.size, total / t.size),
        }


def bins_with(folder, seed, background, draws):
    rng = np.random.default_rng(8)
    write(folder, "signal", 0.2 + 5.0 * rng.random(SIGNAL), rng, 14, 60.0)
    rng = np.random.default_rng([9, seed])
    write(folder, "background", 0.2 + rng.exponential(0.8, background), rng, 0, 300.0)
    (folder / "numu.dat").write_text("0.0 10.0 1.0 0.1\n")
    (folder / "samples.toml").write_text(SAMPLES.format(draws=draws))
    (folder / "fit.toml").write_text(ANALYSIS)
    analysis = sf.load(folder / "fit.toml")
    templates = sf.build(analysis)
    return bins_of(sf.assemble(analysis, templates), templates)


def told(bins):
    found = information(bins)
    rows = {one.parameter: (one.naive, one.corrected, one.uncertainty) for one in constraints(bins, found=found)}
    return rows | {"kappa": (found.error(corrected=False), found.error(), found.error_of_error())}


def test_draws_take_the_noise_of_migration_away_and_nothing_else(tmp_path):
    large = bins_with(tmp_path, 1000, FEW * MORE, 1)
    # The variance of the yields is that of few events, draws or not.
    more = np.where(np.array(large.samples) == "background", MORE, 1.0)[:, None]
    truth = told(dataclasses.replace(large, variance=more * large.variance))
    found = [told(bins_with(tmp_path, seed, FEW, 20)) for seed in range(SEEDS)]
    for name in truth:
        _, corrected, uncertainty = np.array([one[name] for one in found]).T
        pulls = (corrected - truth[name][1]) / np.hypot(uncertainty, truth[name][2])
        assert np.sqrt((pulls**2).mean()) < 2.0
        assert corrected.mean() == pytest.approx(truth[name][1], rel=0.05)
    plain = told(bins_with(tmp_path, 0, FEW, 1))
    # Without draws the fit takes three quarters of the shift's constraint, and half of kappa's error, for knowledge.
    assert plain["scale"][0] < 0.25
    assert np.mean([one["scale"][0] for one in found]) > 2.0 * plain["scale"][0]
    assert plain["kappa"][0] < 0.6 * truth["kappa"][1]
