"""Analyses of few simulated background events whose truth is known: exponential in both observables."""

from __future__ import annotations

import numpy as np
import uproot

import spectrafit as sf
from spectrafit.physics import kinematics

TOTAL, SCALE_X, SCALE_Y, SHIFT = 150.0, 0.8, 0.5, 0.10
SIGNAL = 20_000

SAMPLES = """
title = "toy"
[flux]
numu = "numu.dat"
[[samples]]
name = "signal"
role = "signal"
files = "signal.root"
pot = 1e20
[[samples]]
name = "background"
role = "background"
files = "background.root"
pot = 1e20
"""
ANALYSIS = """
samples = "samples.toml"
pot = 1e20
[[regions]]
name = "nd"
axes = [{{ observable = "t_reco", edges = {x} }}, {{ observable = "score", edges = {y} }}]
[fit]
zero_bins = "drop"
"""
SCALED = f"""
[[systematics]]
kind = "shift"
name = "scale"
samples = ["background"]
column = "t_reco"
scale = {SHIFT}
"""
NORM = """
[[systematics]]
kind = "norm"
name = "rate"
samples = ["background"]
sigma = 0.3
"""


def quantiles(scale, bins):
    """Edges of equal expectation, up to where a thousandth is left."""
    return [float(edge) for edge in -scale * np.log1p(-np.linspace(0, 0.999, bins + 1))]


def simulate(folder, seed, background, columns=None, signal=SIGNAL):
    """Write the events of an analysis: the same signal always, `background` simulated events of it."""
    rng = np.random.default_rng(1)
    e_nu = rng.uniform(1.0, 6.0, signal)
    t = 0.2 + rng.random(signal) * (0.95 * kinematics.t_max(e_nu) - 0.2)
    write(folder / "signal.root", t, rng.exponential(SCALE_Y, signal), 50.0 / signal, e_nu=e_nu, t=t, pdg=14)
    rng = np.random.default_rng([2, seed])
    x, y = rng.exponential(SCALE_X, background), rng.exponential(SCALE_Y, background)
    extra = {name: make(rng, x, y) for name, make in (columns or {}).items()}
    write(folder / "background.root", x, y, TOTAL / background, pdg=0, **extra)
    (folder / "samples.toml").write_text(SAMPLES)
    (folder / "numu.dat").write_text("0.0 10.0 1.0 0.1\n")


def write(path, x, y, weight, *, pdg, **columns):
    with uproot.recreate(path) as file:
        size = len(x)
        columns = {"e_nu": np.full(size, 3.0), "t": x, **columns}
        file["events"] = {
            "pdg": np.full(size, pdg, np.int32),
            "t_reco": x,
            "theta": np.zeros(size),
            "theta_reco": np.zeros(size),
            "score": y,
            "weight": np.full(size, weight),
            **columns,
        }


def assembled(folder, text, shape=(8, 4), *, fit=""):
    """Return the analysis, its templates and its model."""
    path = folder / f"fit_{abs(hash((text, shape, fit)))}.toml"
    path.write_text(ANALYSIS.format(x=quantiles(SCALE_X, shape[0]), y=quantiles(SCALE_Y, shape[1])) + fit + text)
    analysis = sf.load(path)
    templates = sf.build(analysis)
    return analysis, templates, sf.assemble(analysis, templates)


def exact(shape):
    """Return expectation and derivative by one sigma of the shift of the background in each bin, exactly."""

    def inside(edges, scale):
        return np.diff(-np.exp(-np.asarray(edges) / scale))

    x, y = quantiles(SCALE_X, shape[0]), inside(quantiles(SCALE_Y, shape[1]), SCALE_Y)
    up, down = (inside(x, SCALE_X * (1 + sign * SHIFT)) for sign in (1, -1))
    return (
        TOTAL * np.outer(inside(x, SCALE_X), y).ravel(),
        TOTAL * np.outer((up - down) / 2, y).ravel(),
    )
