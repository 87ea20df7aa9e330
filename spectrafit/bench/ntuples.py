"""Makes the inputs of the benchmarks: columns in memory, ZSTD ROOT files, and an analysis of the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import uproot

from spectrafit.arraytypes import Values
from spectrafit.config import Analysis, Axis, Region, Sample, SampleSet
from spectrafit.physics.kinematics import t_max, theta

__all__ = ["BRANCHES", "EDGES", "OTHER_EDGES", "TREE", "analysis", "columns", "repeated", "write"]

TREE = "events"
BRANCHES = ("pdg", "e_nu", "t", "t_reco", "theta_reco", "weight")
"""What the analysis needs of a tree with one more: one int32 and five float32, as ntuples have them."""

_CLUSTER = 100_000


def _edges(energies: int, angles: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return edges in T (GeV) and T theta^2 (GeV rad^2): finer where the events are."""
    energy = np.geomspace(0.15, 6.0, energies + 1).round(4)
    t_theta2 = (0.012 * np.linspace(0.0, 1.0, angles + 1) ** 1.7).round(7)
    return tuple(energy.tolist()), tuple(t_theta2.tolist())


EDGES, OTHER_EDGES = _edges(25, 28), _edges(20, 20)
"""The 25 x 28 variable bins, and others for a second build."""


def columns(events: int, seed: int) -> dict[str, Values]:
    """Return events of the shape of a near detector's, (N,) per branch: not physics, but its kinematics."""
    rng = np.random.default_rng(seed)
    e_nu = (0.6 + rng.gamma(6.0, 0.35, events)).astype(np.float32).astype(np.float64)
    t = np.asarray(t_max(e_nu)) * rng.uniform(0.02, 0.999, events)
    angle = np.asarray(theta(e_nu, t))
    made: dict[str, Values] = {
        "pdg": rng.choice(np.array([14, 12, -14], np.int32), events, p=[0.85, 0.1, 0.05]),
        "e_nu": e_nu,
        "t": t,
        "theta": angle,
        "t_reco": t * rng.normal(1.0, 0.08, events),
        "theta_reco": np.hypot(angle + rng.normal(0.0, 0.01, events), rng.normal(0.0, 0.01, events)),
        "weight": rng.uniform(0.5, 1.0, events),
    }
    return {name: values if name == "pdg" else values.astype(np.float32) for name, values in made.items()}


def write(path: Path, events: int, seed: int) -> Path:
    """Write a tree of `events` entries, ZSTD as ROOT compresses it by default, in clusters of 100 000."""
    with uproot.recreate(path, compression=uproot.ZSTD(5)) as file:
        for start in range(0, events, _CLUSTER):
            part = columns(min(_CLUSTER, events - start), seed + start)
            if start == 0:
                file.mktree(TREE, {name: values.dtype for name, values in part.items()})
            file[TREE].extend(part)
    return path


def repeated(path: Path, times: int) -> tuple[Path, ...]:
    """Return one file `times` over, in one spelling, which is the way to count it often: a long input without room."""
    return (path,) * times


def analysis(files: tuple[Path, ...], edges: tuple[tuple[float, ...], tuple[float, ...]] = EDGES) -> Analysis:
    """Return the analysis of such files: one signal sample, one region in (T, T theta^2)."""
    home = files[0].parent
    sample = Sample(name="nu_e", role="signal", files=tuple(str(file) for file in files), tree=TREE, pot=1e20)
    region = Region(
        name="nd",
        axes=(
            Axis(observable="t_reco", edges=edges[0]),
            Axis(observable="t_theta2_reco", edges=edges[1]),
        ),
    )
    return Analysis(
        samples="bench.toml",
        regions=(region,),
        pot=1e20,
        sample_sets=(SampleSet(samples=(sample,), path=str(home / "bench.toml")),),
        path=str(home / "bench_fit.toml"),
    )
