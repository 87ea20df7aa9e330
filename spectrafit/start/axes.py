"""Proposes edges of a first region: few bins with round edges, each with simulated events."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from spectrafit.arraytypes import Floats

__all__ = ["edges", "region"]

# Simulated events that a bin of the proposal has at least.
_LEAST = 20
_MOST_T, _MOST_ANGLE = 8, 5
# For truth that a response is to smear: T theta^2 of the signal is below 2 m_e = 0.00102 before, and wider after.
_SMEARED = (0.0, 0.0005, 0.001, 0.002, 0.003, 0.005)


def edges(values: Floats, bins: int, *, low: float, high: float, zero: bool = False) -> tuple[float, ...]:
    """Return round edges at quantiles.

    Parameters
    ----------
    values : (N,) array
    bins : int
        At most so many bins.
    low, high : float
        Quantiles of the first and last edge.
    zero : bool
        Whether the first edge is 0.
    """
    usable = values[np.isfinite(values) & (values > 0)]
    if len(usable) < 2:
        return ()
    found = [_round(float(edge)) for edge in np.quantile(usable, np.linspace(low, high, bins + 1))]
    if zero:
        found[0] = 0.0
    return tuple(sorted({*found}))


def _round(value: float) -> float:
    """Return a number with two digits."""
    return float(f"{value:.1e}") if value and math.isfinite(value) else 0.0


def region(t: Sequence[Floats], t_theta2: Sequence[Floats], *, smeared: bool) -> dict[str, tuple[float, ...]]:
    """Return the edges of each axis of a first region.

    Parameters
    ----------
    t, t_theta2 : sequence of arrays
        `t_reco` and `t_theta2_reco` of each signal sample; the second may be empty.
    smeared : bool
        Whether these are of the truth, and a response smears them later.

    Returns
    -------
    dict of observable to edges
        Empty where there are no values to take edges from.
    """
    energy = np.concatenate(t) if t else np.zeros(0)
    angle = np.concatenate(t_theta2) if t_theta2 else np.zeros(0)
    if len(angle) != len(energy):
        angle = np.zeros(0)
    for bins_t, bins_angle in [(t, angles) for angles in range(_MOST_ANGLE, 0, -1) for t in range(_MOST_T, 1, -1)]:
        first = edges(energy, bins_t, low=0.05, high=0.99)
        if len(first) < 2:
            return {}
        if not len(angle):
            if np.histogram(energy, first)[0].min() >= _LEAST or bins_t == 2:
                return {"t_reco": first}
            continue
        if smeared:
            return {"t_reco": first, "t_theta2_reco": _SMEARED}
        second = edges(angle, bins_angle, low=0.0, high=0.97, zero=True)
        if len(second) < 2:
            return {"t_reco": first}
        if np.histogram2d(energy, angle, (first, second))[0].min() >= _LEAST:
            return {"t_reco": first, "t_theta2_reco": second}
    return {"t_reco": edges(energy, 2, low=0.05, high=0.99)}
