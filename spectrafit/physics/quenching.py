"""Ionisation by a recoiling nucleus: the energy an electron would need for the same signal.

Lindhard's theory as a fit: E_ee = Q_f E_nr with Q_f = k g/(1 + k g), g = 3 e^0.15 + 0.7 e^0.6 + e and the reduced
energy e = 11.5 Z^(-7/3) E_nr/keV (Lewin and Smith, Astropart. Phys. 6, 87 (1996) [M]). Below some 0.5 keV the theory
is unproven and limits depend on it, up to an order of magnitude: `k` is an argument.

Energies in GeV; scalars, numpy and awkward arrays alike. A negative, infinite or NaN energy and a `k` that is not
positive give NaN.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spectrafit.physics.compiled import scalar, ufunc
from spectrafit.physics.kinematics import LARGEST

__all__ = [
    "lindhard_electron_energy",
    "lindhard_k",
    "lindhard_quenching",
    "lindhard_recoil_energy",
    "lindhard_slope",
]


def lindhard_k(z: Any, a: Any) -> Any:
    """Return Lindhard's k, 0.133 Z^(2/3) A^(-1/2), for protons `z` and (mean) mass number `a`."""
    root = np.cbrt(z)
    return 0.133 * root * root / np.sqrt(a)


@scalar
def _reduced(e_nr: float, z: float) -> float:
    return 11.5 * math.pow(z, -7.0 / 3.0) * e_nr * 1e6


@scalar
def _valid(energy: float, z: float, k: float) -> bool:
    return 0.0 <= energy < LARGEST and 0.0 < z < LARGEST and 0.0 < k < LARGEST


@scalar
def _factor_and_slope(e: float, k: float) -> tuple[float, float]:
    """Return Q_f and dE_ee/dE_nr; with e g'(e) for e times g', which is infinite at 0.

    a = e^0.15 and b = e^0.6.
    """
    a = e**0.15
    b = e**0.6
    kg = k * (3.0 * a + 0.7 * b + e)
    factor = kg / (1.0 + kg)
    return factor, factor + k * (0.45 * a + 0.42 * b + e) / ((1.0 + kg) * (1.0 + kg))


@ufunc("float64(float64, float64, float64)")
def lindhard_quenching(e_nr: float, z: float, k: float) -> float:
    """Return the quenching factor E_ee/E_nr, between 0 and 1.

    Parameters
    ----------
    e_nr : array_like of float
        Recoil energy of the nucleus, GeV; 0 gives 0.
    z : array_like of float
        Protons of the nucleus.
    k : array_like of float
        Lindhard's k, from `lindhard_k` or a fit.
    """
    if not _valid(e_nr, z, k):
        return math.nan
    return _factor_and_slope(_reduced(e_nr, z), k)[0]


@ufunc("float64(float64, float64, float64)")
def lindhard_electron_energy(e_nr: float, z: float, k: float) -> float:
    """Return the electron-equivalent energy Q_f E_nr, GeV; arguments as `lindhard_quenching`."""
    if not _valid(e_nr, z, k):
        return math.nan
    return e_nr * _factor_and_slope(_reduced(e_nr, z), k)[0]


@ufunc("float64(float64, float64, float64)")
def lindhard_slope(e_nr: float, z: float, k: float) -> float:
    """Return dE_ee/dE_nr; a spectrum in E_ee is the one in E_nr divided by it, not by the quenching factor.

    Arguments as `lindhard_quenching`.
    """
    if not _valid(e_nr, z, k):
        return math.nan
    return _factor_and_slope(_reduced(e_nr, z), k)[1]


@ufunc("float64(float64, float64, float64)")
def lindhard_recoil_energy(e_ee: float, z: float, k: float) -> float:
    """Return the recoil energy with a given electron-equivalent energy, GeV: the inverse, which is unique.

    Parameters
    ----------
    e_ee : array_like of float
        Electron-equivalent energy, GeV; 0 gives 0.
    z, k : as `lindhard_quenching`.
    """
    if not _valid(e_ee, z, k):
        return math.nan
    if e_ee == 0.0:
        return 0.0
    # Newton in ln E: there the curve has a slope between 1 and 1.2.
    energy = e_ee / _factor_and_slope(_reduced(e_ee, z), k)[0]
    for _ in range(100):
        factor, slope = _factor_and_slope(_reduced(energy, z), k)
        step = math.log(factor * energy / e_ee) * factor / slope
        energy *= math.exp(-step)
        # Quadratic convergence: after so small a step the next would be below rounding.
        if abs(step) < 1e-9:
            break
    return energy
