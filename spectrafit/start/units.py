"""Finds the units of energies and angles from their values, by the exact kinematics of nu-e scattering."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.events.schema import convert
from spectrafit.physics.compiled import interpreted
from spectrafit.physics.constants import M_E
from spectrafit.physics.kinematics import t_max, theta

__all__ = ["Fitting", "angle_unit", "by_truth", "energy_unit", "settle"]

_TOLERANCE = 0.02
# An energy of a beam neutrino above this is not in GeV.
_LARGE = 50.0
_COMPARED = 500


@dataclass(frozen=True, slots=True)
class Fitting:
    """How well true columns agree with nu-e scattering in their best units.

    Attributes
    ----------
    units : tuple of str
        Of neutrino energy, electron energy and angle.
    total : bool
        Whether the electron's energy is the total energy, with its mass.
    share : float
        Share of the entries whose angle is that of the kinematics within 2 %; without an angle, share with T below its
        end point.
    angle : bool
        Whether an angle was compared.
    """

    units: tuple[str, str, str]
    total: bool
    share: float
    angle: bool


def energy_unit(values: Floats) -> str:
    """Return the unit that energies of a beam probably have, by their size alone."""
    usable = values[np.isfinite(values) & (values > 0)]
    return "MeV" if len(usable) and float(np.median(usable)) > _LARGE else "GeV"


def angle_unit(values: Floats) -> str:
    """Return the unit that angles probably have, by their size alone: rad up to a half turn, then deg, then mrad."""
    usable = values[np.isfinite(values) & (values >= 0)]
    high = float(np.quantile(usable, 0.99)) if len(usable) else 0.0
    return "rad" if high <= np.pi else "deg" if high <= 180.0 else "mrad"


def settle(
    e_nu: Floats, energy: Floats, angle: Floats | None, *, total: bool | None = None, cosine: bool = False
) -> Fitting:
    """Return the units, and kinetic or total energy, with which most entries are nu-e scattering.

    Parameters
    ----------
    e_nu, energy, angle : (N,) arrays
        As they are in the file; `angle` None where there is none.
    total : bool, optional
        Whether `energy` is the total energy, if a name says so; the kinematics decides where it can.
    cosine : bool
        Whether `angle` is named as a cosine.
    """
    some = slice(0, _COMPARED)
    e_nu, energy = e_nu[some], energy[some]
    if angle is None:
        unit = energy_unit(e_nu), energy_unit(energy)
        t = convert(energy, "t", unit[1], "") - (M_E if total else 0.0)
        with interpreted(), np.errstate(all="ignore"):
            inside = t <= t_max(convert(e_nu, "e_nu", unit[0], "")) * (1 + 1e-5)
        return Fitting((*unit, "rad"), bool(total), float(np.mean(inside)), False)
    angle = angle[some]
    best: tuple[tuple[float, float, int], Fitting] | None = None
    for of_nu, of_electron, kind in itertools.product(("GeV", "MeV", "keV"), ("GeV", "MeV", "keV"), (False, True)):
        e, t = convert(e_nu, "e_nu", of_nu, ""), convert(energy, "t", of_electron, "") - (M_E if kind else 0.0)
        with np.errstate(all="ignore"), interpreted():
            exact = theta(e, t)
        for of_angle in ("cos",) if cosine else ("rad", "mrad", "deg"):
            with np.errstate(all="ignore"):
                deviation = np.abs(convert(angle, "theta", of_angle, "") / exact - 1.0)
            near = deviation[np.isfinite(deviation) & (deviation < _TOLERANCE)]
            share = len(near) / max(len(e_nu), 1)
            middle = float(np.median(near)) if len(near) else np.inf
            # Equally good: what the name says, then kinetic energy.
            rank = (-round(share, 2), round(middle, 5), int(kind != bool(total)))
            if best is None or rank < best[0]:
                best = rank, Fitting((of_nu, of_electron, of_angle), kind, share, True)
    assert best is not None
    return best[1]


def by_truth(values: Floats, truth: Floats, name: str) -> str:
    """Return the unit in which reconstructed values are nearest to true ones (GeV or rad), by the median ratio."""
    with np.errstate(all="ignore"):
        units = ("GeV", "MeV", "keV") if name == "t_reco" else ("rad", "mrad", "deg", "cos")
        ratios = {unit: np.median(_usable(convert(values, name, unit, "") / truth)) for unit in units}
    near = {unit: abs(np.log(ratio)) for unit, ratio in ratios.items() if np.isfinite(ratio) and ratio > 0}
    return min(near, key=near.__getitem__) if near else units[0]


def _usable(values: Floats) -> Floats:
    found = values[np.isfinite(values)]
    return found if len(found) else np.array([np.nan])
