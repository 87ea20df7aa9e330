#!/usr/bin/env python
"""Measures how often 90 % intervals hold the true kappa when the background was simulated with few events.

    python scripts/few_event_coverage.py [EVENTS] [SIMULATIONS] [EXPERIMENTS]

EVENTS background events (60) are simulated SIMULATIONS times (100), for 150 that are expected in 12 bins of two
exponential observables. The signal has many events. Each simulation analyses EXPERIMENTS experiments (20) per true
kappa, thrown from the exact expectation. The table has a row per treatment of the simulation's error, for two-sided
intervals and upper limits by the profile likelihood. The error of a coverage is that of the mean over simulations.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import uproot

import spectrafit as sf
from spectrafit.inference.toys.options import ToyOptions
from spectrafit.physics import kinematics

EXPECTED, SIGNAL, SCALES = 150.0, 20_000, (0.8, 0.5)
KAPPAS = (0.0, 1.0)
TREATMENTS = {
    "none": 'mc_statistics = "none"',
    "barlow-beeston-lite": 'mc_statistics = "barlow-beeston-lite"',
    "barlow-beeston": 'mc_statistics = "barlow-beeston"',
    "dembinski-abdelmotteleb": 'statistic = "dembinski-abdelmotteleb"',
}
SAMPLES = """
title = "few"
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
{treatment}
zero_bins = "drop"
"""


def quantiles(scale: float, bins: int) -> list[float]:
    """Return edges of equal expectation under an exponential, up to where a thousandth is left."""
    return [float(edge) for edge in -scale * np.log1p(-np.linspace(0.0, 0.999, bins + 1))]


def write(path: Path, x: np.ndarray, y: np.ndarray, weight: float, pdg: int, e_nu: np.ndarray, t: np.ndarray) -> None:
    """Write events in the program's own columns."""
    zeros = np.zeros(x.size)
    with uproot.recreate(path) as file:
        file["events"] = {
            "pdg": np.full(x.size, pdg, np.int32),
            "e_nu": e_nu,
            "t": t,
            "t_reco": x,
            "theta": zeros,
            "theta_reco": zeros,
            "score": y,
            "weight": np.full(x.size, weight),
        }


def simulate(folder: Path, seed: int, events: int) -> None:
    """Write the signal, which is always the same, and a simulated background."""
    rng = np.random.default_rng(1)
    e_nu = rng.uniform(1.0, 6.0, SIGNAL)
    t = 0.2 + rng.random(SIGNAL) * (0.95 * kinematics.t_max(e_nu) - 0.2)
    write(folder / "signal.root", t, rng.exponential(SCALES[1], SIGNAL), 50.0 / SIGNAL, 14, e_nu, t)
    rng = np.random.default_rng([2, seed])
    x, y = (rng.exponential(scale, rng_events) for scale, rng_events in zip(SCALES, (events, events), strict=True))
    write(folder / "background.root", x, y, EXPECTED / events, 0, np.full(events, 3.0), x)


def main(events: int = 60, simulations: int = 100, experiments: int = 20) -> None:
    """Measure and print the table."""
    edges = quantiles(SCALES[0], 6), quantiles(SCALES[1], 2)
    shares = [np.diff(-np.exp(-np.asarray(one) / scale)) for one, scale in zip(edges, SCALES, strict=True)]
    background = EXPECTED * np.outer(*shares).ravel()
    held = {(name, sides): np.zeros((len(KAPPAS), simulations)) for name in TREATMENTS for sides in ("two", "one")}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "samples.toml").write_text(SAMPLES)
        (folder / "numu.dat").write_text("0.0 10.0 1.0 0.1\n")
        for name, treatment in TREATMENTS.items():
            text = ANALYSIS.format(x=edges[0], y=edges[1], treatment=treatment)
            (folder / f"{name}.toml").write_text(text)
        for seed in range(simulations):
            simulate(folder, seed, events)
            templates = sf.build(sf.load(folder / "none.toml"), executor="serial")
            signal = templates.counts[templates.sample("signal"), 0]
            for treatment in TREATMENTS:
                model = sf.assemble(sf.load(folder / f"{treatment}.toml"), templates)
                for place, kappa in enumerate(KAPPAS):
                    truth = background + signal[0] + kappa * signal[1]
                    for sides in ("two", "one"):
                        found = sf.coverage(
                            model,
                            [kappa],
                            methods=("profile",),
                            sides=sides,
                            expected=truth,
                            simulation="exact",
                            experiments=experiments,
                            toys=ToyOptions(toys=199, seed=seed, executor="serial"),
                        )
                        held[treatment, sides][place, seed] = found.accepted[0, 0] / experiments
    print(f"{events} simulated background events, {simulations} times; 90 % intervals that hold the true kappa")
    heads = [f"{f'two-sided, kappa {kappa:g}':>22}{f'upper limit, {kappa:g}':>20}" for kappa in KAPPAS]
    print(f"{'':25}  {''.join(heads)}")
    for treatment in TREATMENTS:
        cells = []
        for place in range(len(KAPPAS)):
            for sides, width in (("two", 22), ("one", 20)):
                shares = held[treatment, sides][place]
                error = np.std(shares, ddof=1) / np.sqrt(simulations)
                cells.append(f"{f'{shares.mean():.3f} ± {error:.3f}':>{width}}")
        print(f"{treatment:25}  " + "".join(cells), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
