"""Small ntuples with every kind of weight, written once per session, and the analyses made of them."""

import copy
import shutil
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrafit import config
from spectrafit.physics import kinematics

ENTRIES = {"numu": 30_000, "nue": 8_000, "background": 12_000, "numu_up": 30_000, "observed": 500}
UNIVERSES = 20


def events(name, seed):
    rng = np.random.default_rng(seed)
    size = ENTRIES[name]
    e_nu = rng.uniform(1.0, 6.0, size)
    t = 0.2 + rng.random(size) * (0.95 * kinematics.t_max(e_nu) - 0.2)
    theta = kinematics.theta(e_nu, t)
    columns = {
        "pdg": np.full(size, {"nue": 12, "background": 0}.get(name, 14), np.int32),
        "nu_pdg": np.full(size, 12 if name == "nue" else 14, np.int32),
        "e_nu": e_nu,
        "t": t,
        "theta": theta,
        "t_reco": t * rng.normal(1.03 if name.endswith("up") else 1.0, 0.05, size),
        "theta_reco": np.abs(theta + rng.normal(0, 0.008, size)),
        "weight": rng.uniform(0.5, 1.5, size),
        "score": rng.random(size),
        "w_down": rng.normal(0.9, 0.05, size).astype(np.float32),
        "w_up": rng.normal(1.1, 0.05, size).astype(np.float32),
        "absolute_up": rng.uniform(0.6, 1.6, size),
        "knobs": rng.normal(1.0, 0.1, (size, 4)).astype(np.float32),
        "universes": (1.0 + 0.1 * np.outer(t, rng.normal(0, 1, UNIVERSES)) / 3).astype(np.float32),
    }
    columns |= {f"u{k}": columns["universes"][:, k] for k in range(UNIVERSES)}
    return columns


SAMPLES = """
title = "test"
sin2_theta_w = 0.23863
[flux]
numu = "numu.dat"
nue = "nue.dat"
[[samples]]
name = "numu"
role = "signal"
files = "numu_[01].root"
pot = 1e20
[[samples]]
name = "nue"
role = "signal"
files = "nue.root"
pot = 2e20
[[samples]]
name = "background"
role = "background"
files = "background.root"
pot = 1e20
[[samples]]
name = "numu_up"
role = "signal"
files = "numu_up.root"
pot = 5e19
[[samples]]
name = "observed"
role = "data"
files = "observed.root"
"""

HEAD = """
samples = "samples.toml"
pot = 2e20
"""

GRID = """
[[regions]]
name = "nd"
samples = ["numu", "nue", "background", "observed"]
axes = [
  { observable = "t_reco", bins = 6, range = [0.3, 3.0] },
  { observable = "t_theta2_reco", edges = [0.0, 0.0003, 0.0007, 0.0015, 0.003] },
]
cut = "score > 0.2"
[[regions]]
name = "side"
samples = ["numu", "nue", "background", "observed"]
axes = [{ observable = "t_reco", edges = [0.3, 1.0, 1.7, 4.0] }]
cut = "score <= 0.2"
"""


class Ntuples:
    """A folder with files and a sample set, and analyses made there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.columns = {name: events(name, seed) for seed, name in enumerate(ENTRIES)}
        for name, columns in self.columns.items():
            if name == "numu":
                # Two files of several clusters each.
                half = ENTRIES[name] // 2
                write(folder / "numu_0.root", {k: v[:half] for k, v in columns.items()})
                write(folder / "numu_1.root", {k: v[half:] for k, v in columns.items()})
            else:
                write(folder / f"{name}.root", columns)
        (folder / "samples.toml").write_text(SAMPLES)
        for flavour, scale in (("numu", 0.08), ("nue", 0.12)):
            lines = [f"{low} {low + 0.5} 1.0 {scale + 0.01 * low}" for low in np.arange(0.0, 7.0, 0.5)]
            (folder / f"{flavour}.dat").write_text("\n".join(lines))

    def moved(self, folder: Path) -> "Ntuples":
        """The same files elsewhere, free to be changed."""
        shutil.copytree(self.folder, folder)
        other = copy.copy(self)
        other.folder, other.columns = folder, dict(self.columns)
        return other

    def rewrite(self, name, seed):
        self.columns[name] = events(name, seed)
        self.write(name)

    def write(self, name):
        write(self.folder / f"{name}.root", self.columns[name])

    def edit_samples(self, old, new, count=-1):
        path = self.folder / "samples.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, count))

    def add_pot(self, name, pot):
        with uproot.update(self.folder / name) as file:
            file["POT"] = (np.array([pot]), np.array([0.0, 1.0]))

    def analysis(self, text="", *, head=HEAD, regions=GRID, overrides=()):
        path = self.folder / f"fit{abs(hash((text, head, regions)))}.toml"
        path.write_text(head + regions + text)
        return config.load(path, overrides=overrides)


def write(path: Path, columns, *, step=5_000):
    with uproot.recreate(path) as file:
        size = len(columns["weight"])
        for start in range(0, size, step):
            part = {
                name: ak.from_regular(values[start : start + step]) if name == "knobs" else values[start : start + step]
                for name, values in columns.items()
            }
            if start:
                file["events"].extend(part)
            else:
                file.mktree("events", {name: kind(values) for name, values in part.items()})
                file["events"].extend(part)


def kind(values):
    if isinstance(values, ak.Array):
        return "var * float32"
    return (values.dtype, values.shape[1:]) if values.ndim > 1 else values.dtype


@pytest.fixture(scope="session")
def ntuples(tmp_path_factory):
    return Ntuples(tmp_path_factory.mktemp("ntuples"))
