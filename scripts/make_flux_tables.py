"""Makes the flux tables of the gallery's experiments: short tables of public ones, and chosen shapes.

    python scripts/make_flux_tables.py shapes
    python scripts/make_flux_tables.py darknews CHECKOUT      # github.com/mhostert/DarkNews-generator at 54d63a6b
    python scripts/make_flux_tables.py forward_lhc CHECKOUT   # github.com/KlingFelix/FastNeutrinoFluxSimulation

The last at c16ed47d, and both under the MIT licence. Public tables keep their columns and energies with five digits,
and the licence is copied beside them. The shapes are for two experiments without a public table of the flux: a chosen
function with a mean energy (samples/README.md).
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

FLUX = Path(__file__).parents[1] / "samples" / "flux"
COLUMNS = "energy/GeV nue numu nutau nuebar numubar nutaubar"
DARKNEWS = {
    "CHARMII_FHC.dat": "neutrinos / m^2 / GeV / POT",
    "CHARMII_RHC.dat": "neutrinos / m^2 / GeV / POT",
    "DUNE_ND_FHC.dat": "neutrinos / cm^2 / GeV / POT; rows above 40 GeV are left out",
    "MiniBooNE_FHC.dat": "neutrinos / cm^2 / GeV / POT",
    "sbnd_fhc.dat": "neutrinos / cm^2 / GeV / POT",
}
FORWARD = {"FLArE/FLARE": "FLArE.dat", "FASERv2/FASERv2": "FASERnu2.dat"}
PDG = (12, 14, 16, -12, -14, -16)


def write(path: Path, header: str, table: npt.NDArray[np.float64]) -> None:
    """Write a table with five digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, table, fmt="%.5g", header=header)
    print(f"{path.relative_to(FLUX.parents[1])}: {len(table)} rows")


def darknews(checkout: Path) -> None:
    """Shorten tables of DarkNews-generator: energy and six flavours."""
    for name, unit in DARKNEWS.items():
        table = np.loadtxt(checkout / "src/DarkNews/include/fluxes" / name)
        if "40 GeV" in unit:
            table = table[table[:, 0] < 40.0]
        write(FLUX / "darknews" / name, f"{COLUMNS}; {unit}", table)
    shutil.copy(checkout / "LICENSE", FLUX / "darknews" / "LICENSE")


def forward_lhc(checkout: Path) -> None:
    """Join the six files of a detector: neutrinos in each bin of energy through the detector's face, for 3000 fb^-1."""
    for start, target in FORWARD.items():
        columns = [np.loadtxt(checkout / "Fluxes" / f"{start}_{pdg}.txt") for pdg in PDG]
        if not all(np.array_equal(column[:, 0], columns[0][:, 0]) for column in columns):
            raise SystemExit(f"{start}: the flavours have different energies")
        table = np.column_stack([columns[0][:, 0], *(column[:, 1] for column in columns)])
        header = f"{COLUMNS}; neutrinos in the bin through the detector's face / 3000 fb^-1"
        write(FLUX / "forward_lhc" / target, header, table)
    shutil.copy(checkout / "LICENSE.md", FLUX / "forward_lhc" / "LICENSE")


def shapes() -> None:
    """Write fluxes of 1 neutrino / m^2 / 10^6 POT with a mean energy: E^a exp(-(a + 1) E / mean)."""
    for name, power, mean, edges in (
        ("E734_numu.dat", 2, 1.27, np.arange(0.0, 8.05, 0.1)),
        ("E734_numubar.dat", 2, 1.19, np.arange(0.0, 8.05, 0.1)),
        ("DONUT_nutau.dat", 1, 60.0, np.arange(0.0, 401.0, 5.0)),
    ):
        fine = np.linspace(edges[0], edges[-1], 200 * (len(edges) - 1) + 1)
        density = fine**power * np.exp(-(power + 1) * fine / mean)
        whole = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(fine))])
        values = np.diff(np.interp(edges, fine, whole)) / whole[-1]
        header = f"low/GeV high/GeV neutrinos / m^2 / 10^6 POT; E^{power} exp(-{power + 1} E / {mean:g} GeV), chosen"
        write(FLUX / "shapes" / name, header, np.column_stack([edges[:-1], edges[1:], values]))


def main(words: list[str]) -> None:
    """Make the tables that the words ask for."""
    match words:
        case ["shapes"]:
            shapes()
        case ["darknews", checkout]:
            darknews(Path(checkout))
        case ["forward_lhc", checkout]:
            forward_lhc(Path(checkout))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
