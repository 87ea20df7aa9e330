"""The spectrum of the neutrinos of an allowed beta decay."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spectrafit.physics.constants import ALPHA, M_E

__all__ = ["allowed_spectrum"]


def allowed_spectrum(energy: Any, end: Any, z: Any) -> Any:
    """Return E^2 W p F(Z, W), arbitrary units: E of the neutrino, W and p of the positron or electron.

    m is the electron's mass. F is the Coulomb factor 2 pi eta/(exp(2 pi eta) - 1) with eta = alpha Z W/p.

    Parameters
    ----------
    energy : array_like of float
        Neutrino energy, MeV, between 0 and the end point.
    end : array_like of float
        End point of the neutrino's energy, MeV.
    z : array_like of float
        Charge of the daughter nucleus; negative for beta-minus decays, whose electron the nucleus attracts.
    """
    m = M_E * 1e3
    kinetic = end - energy
    total = kinetic + m
    momentum = np.sqrt(kinetic * (kinetic + 2.0 * m))
    repulsion = 2.0 * math.pi * ALPHA * z * total
    with np.errstate(divide="ignore", over="ignore"):
        return energy * energy * total * repulsion / np.expm1(repulsion / momentum)
