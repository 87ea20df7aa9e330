"""The units that a reader sees: of kappa by the size of its error, of an energy by the size of its axis."""

from __future__ import annotations

import dataclasses
import math

import boost_histogram as bh
import numpy as np

from spectrafit.physics.couplings import COUPLINGS, Coupling
from spectrafit.templates.regions import RegionBins

__all__ = ["kappa_scaled", "kappa_unit", "powers_of", "readable"]

# Energies of axes, in GeV, below which the next smaller unit is shown.
_ENERGIES = (("GeV", 1.0), ("MeV", 1e-3), ("keV", 1e-6), ("eV", 1e-9))
_SMALL, _LARGE = 0.01, 1e4


def kappa_unit(coupling: str, powers: int = 0) -> str:
    """Return the unit of kappa, such as `(1e-9 mu_B)²`; empty for a workspace, which has no coupling.

    `powers` of ten multiply the unit of the coupling itself, in this example the moment.
    """
    if not coupling:
        return ""
    found = COUPLINGS[coupling]
    size = f"{found.scale ** (1 / found.root) * 10.0**powers:.3g}".replace("e-0", "e-")
    unit = f"{size} {found.unit}".strip()
    return f"({unit})²" if found.root == 2 else unit


def kappa_scaled(coupling: str, error: float) -> tuple[float, str]:
    """Return by what kappa and its error are multiplied for print, and the unit that goes with the numbers.

    The unit stays as it is, (1e-9 mu_B)² for a magnetic moment, unless the error would be a row of zeros or huge. It
    then is the power of ten that leaves at most two digits before the point.
    """
    if not coupling:
        return 1.0, ""
    powers = powers_of(COUPLINGS[coupling], error)
    return 10.0 ** (-COUPLINGS[coupling].root * powers), kappa_unit(coupling, powers)


def powers_of(coupling: Coupling, error: float) -> int:
    """Return the powers of ten that the unit of a coupling takes for kappas with an error; 0 for usual errors."""
    if not math.isfinite(error) or not error > 0 or _SMALL <= error < _LARGE:
        return 0
    return math.floor(math.log10(error) / coupling.root)


def readable(region: RegionBins) -> RegionBins:
    """Return a region for drawing: axes of small energies are in MeV, keV or eV, and their labels say so."""
    axes, labels = list(region.axes), list(region.labels)
    for at, (axis, label) in enumerate(zip(region.axes, region.labels, strict=True)):
        edges = np.asarray(axis.edges)
        largest = float(np.max(np.abs(edges)))
        # Up to the largest edge of 0.1 GeV no figure changes: a threshold of 100 MeV is read in GeV as well.
        if not label.endswith("[GeV]") or largest >= 0.1:
            continue
        name, size = next(((name, size) for name, size in _ENERGIES if largest >= size), _ENERGIES[-1])
        axes[at] = bh.axis.Variable([float(f"{edge / size:.12g}") for edge in edges])
        labels[at] = f"{label.removesuffix('[GeV]')}[{name}]"
    return dataclasses.replace(region, axes=tuple(axes), labels=tuple(labels))
