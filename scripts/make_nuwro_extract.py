#!/usr/bin/env python
"""A folder of NuWro files in, the small extract of `samples/nuwro` out.

    python scripts/make_nuwro_extract.py FOLDER [OUTPUT]

FOLDER holds the NuWro 25.11 samples described in `samples/nuwro/README.md`. Written are truth-only flat trees `events`:

* `elastic_numu.root`, `elastic_nue.root`: the first events of the nu-e elastic samples (pdg, e_nu, t, theta);
* `nc_carbon.root`, `nc_hydrogen.root`, `nuecc_carbon.root`, `nuecc_hydrogen.root`: every event of the background
  samples that looks like one electron (pdg = 0, nu_pdg, e_nu, t, theta, other, process, shower).

Electron-like means: of the electrons, positrons, photons and neutral pions of the final state (a neutral pion counts as
one shower along its momentum) the one of highest energy has at least 0.1 GeV, and everything else that would be seen,
`other`, adds up to less than 0.1 GeV. Seen are the energy of the other showers, the kinetic energy of charged pions,
kaons, protons and muons, the energy above a nucleon's mass of hyperons, the whole energy of neutral kaons and the
energy and mass of antinucleons; neutrons and neutrinos are not seen. `t` is the kinetic energy of an electron, the
energy of a photon or pion; `shower` its PDG code, `process` NuWro's code of the reaction.
"""

from __future__ import annotations

import sys
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

M_E, M_NUCLEON = 0.51099895069e-3, 0.93891875
SHOWER, OTHER = 0.1, 0.1
ELASTIC = {"elastic_numu": ("nue_el_numu", 150_000), "elastic_nue": ("nue_el_nue", 40_000)}
BACKGROUNDS = {
    "nc_carbon": "bkg_numunc_C12_0",
    "nc_hydrogen": "bkg_numunc_H1",
    "nuecc_carbon": "bkg_nuecc_C12_0",
    "nuecc_hydrogen": "bkg_nuecc_H1",
}


def angle(p, q):
    """Return the angle between two momenta, each (x, y, z) of arrays, rad; by arc tangent, exact at small angles."""
    cross = [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]]
    return np.arctan2(np.sqrt(sum(c * c for c in cross)), sum(a * b for a, b in zip(p, q, strict=True)))


def elastic(path: Path, entries: int) -> dict[str, np.ndarray]:
    """Return the first `entries` events of an elastic sample in canonical columns."""
    names = ["nu_pdg", "nu_E", *(f"{who}_p{axis}" for who in ("nu", "lep") for axis in "xyz"), "lep_E"]
    events = uproot.open(path)["events"].arrays(names, entry_stop=entries, library="np")
    neutrino, electron = (tuple(events[f"{who}_p{axis}"].astype(float) for axis in "xyz") for who in ("nu", "lep"))
    return {
        "pdg": events["nu_pdg"].astype(np.int32),
        "e_nu": events["nu_E"].astype(np.float32),
        "t": (events["lep_E"].astype(float) - M_E).astype(np.float32),
        "theta": angle(electron, neutrino).astype(np.float32),
    }


def visible(pdg: ak.Array, energy: ak.Array, mass: ak.Array) -> ak.Array:
    """Return how much of each particle's energy would be seen, GeV."""
    code = abs(pdg)
    seen = energy - mass
    seen = ak.where((code == 11) | (code == 22) | (code == 111), energy, seen)
    seen = ak.where((code == 311) | (code == 130) | (code == 310), energy, seen)
    seen = ak.where((code > 3000) & (code < 4000), energy - M_NUCLEON, seen)
    seen = ak.where((pdg == -2212) | (pdg == -2112), energy + M_NUCLEON, seen)
    hidden = (pdg == 2112) | (code == 12) | (code == 14) | (code == 16)
    return ak.where(hidden, 0.0, seen)


def electron_like(path: Path) -> dict[str, np.ndarray]:
    """Return the electron-like events of a background sample in canonical columns."""
    names = ["nu_pdg", "nu_E", "nu_px", "nu_py", "nu_pz", "mode", "pdg", "E", "px", "py", "pz"]
    events = uproot.open(path)["events"].arrays(names)
    energy, momentum = ak.values_astype(events.E, float), {a: ak.values_astype(events[f"p{a}"], float) for a in "xyz"}
    mass = np.sqrt(np.maximum(energy**2 - sum(p * p for p in momentum.values()), 0.0))
    code = abs(events.pdg)
    shower = (code == 11) | (code == 22) | (code == 111)
    seen = visible(events.pdg, energy, mass)
    hardest = ak.argmax(ak.where(shower, energy, -1.0), axis=1, keepdims=True)

    def first(column: ak.Array) -> np.ndarray:
        return ak.to_numpy(ak.fill_none(ak.firsts(column[hardest]), np.nan)).astype(float)

    kind, candidate = first(events.pdg), first(energy)
    other = ak.to_numpy(ak.sum(seen, axis=1)) - first(seen)
    keep = first(shower).astype(bool) & (candidate >= SHOWER) & (other < OTHER)
    neutrino = tuple(ak.to_numpy(events[f"nu_p{axis}"]).astype(float) for axis in "xyz")
    theta = angle(tuple(first(momentum[axis]) for axis in "xyz"), neutrino)
    t = np.where(np.abs(kind) == 11, candidate - M_E, candidate)
    return {
        "pdg": np.zeros(int(keep.sum()), dtype=np.int32),
        "nu_pdg": ak.to_numpy(events.nu_pdg)[keep].astype(np.int32),
        "e_nu": ak.to_numpy(events.nu_E)[keep].astype(np.float32),
        "t": t[keep].astype(np.float32),
        "theta": theta[keep].astype(np.float32),
        "other": other[keep].astype(np.float32),
        "process": ak.to_numpy(events["mode"])[keep].astype(np.int32),
        "shower": kind[keep].astype(np.int32),
    }


def write(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Write one tree, under a temporary name until it is whole, and say what it holds."""
    part = path.with_name(f".{path.name}.part")
    with uproot.recreate(part, compression=uproot.ZSTD(19)) as file:
        file.mktree("events", {name: column.dtype for name, column in columns.items()})
        file["events"].extend(columns)
    part.replace(path)
    print(f"{path}: {len(columns['t'])} events, {path.stat().st_size / 1e6:.2f} MB")


def main(folder: Path, output: Path) -> None:
    """Make the whole extract."""
    output.mkdir(parents=True, exist_ok=True)
    for name, (source, entries) in ELASTIC.items():
        write(output / f"{name}.root", elastic(folder / f"{source}.root", entries))
    for name, source in BACKGROUNDS.items():
        write(output / f"{name}.root", electron_like(folder / f"{source}.root"))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) == 3 else "samples/nuwro"))
