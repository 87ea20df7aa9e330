"""Radioactive sources of nu_e by electron capture: lines, and the flux of a small source.

51Cr and 37Ar calibrated the radiochemical solar experiments and calibrate small detectors. Energies in GeV.
"""

from __future__ import annotations

import math
from typing import Any, Final

from spectrafit.physics.domain import positive

__all__ = ["CAPTURE_LINES", "source_flux"]

CAPTURE_LINES: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    "51Cr": ((0.747e-3, 0.816), (0.427e-3, 0.090), (0.752e-3, 0.085), (0.432e-3, 0.009)),
    "37Ar": ((0.811e-3, 0.902), (0.813e-3, 0.098)),
}
"""By isotope: neutrino energy, GeV, and neutrinos per decay [M]."""


def source_flux(activity_bq: Any, distance_m: Any) -> Any:
    """Return the neutrinos per cm^2 and second at a distance (m) from a small source of an activity in Bq."""
    return activity_bq / (4.0 * math.pi * (100.0 * positive(distance_m)) ** 2)
