"""Cross sections per xenon atom at electron energies of keV, with the stepping factor of the bound electrons.

The stepping approximation lets each shell scatter as free electrons once the recoil exceeds its binding energy. It is
good to 20 or 30 per cent at keV energies, where ab-initio rates are lower [M], and of no consequence for a beam.
Energies in GeV as everywhere.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spectrafit.physics.compiled import ufunc
from spectrafit.physics.cross_sections import dsigma_dt_magnetic, dsigma_dt_sm

__all__ = ["dsigma_dt_magnetic_xenon", "dsigma_dt_sm_xenon", "z_effective_xenon"]

# Binding energy, keV, and electrons of the shells 1s to 5p3/2: X-ray data booklet [M].
_SHELLS = (
    (34.561, 2), (5.453, 2), (5.107, 2), (4.786, 4), (1.1487, 2), (1.0021, 2), (0.9406, 4), (0.6890, 4), (0.6764, 6),
    (0.2132, 2), (0.1467, 2), (0.1455, 4), (0.0695, 4), (0.0675, 6), (0.0233, 2), (0.0134, 2), (0.0121, 4),
)  # fmt: skip
# Inclusive at threshold, whichever way the energy was rounded into GeV.
_BINDING = np.array([energy for energy, _ in _SHELLS]) * 1e-6 * (1.0 - 4.0 * 2.0**-52)
_ELECTRONS = np.array([float(electrons) for _, electrons in _SHELLS])


@ufunc("float64(float64)")
def z_effective_xenon(t: float) -> float:
    """Return how many electrons of a xenon atom a recoil `t` (GeV) can free, 0 to 54; none below the last shell."""
    if t != t:
        return math.nan
    total = 0.0
    for i in range(_BINDING.size):
        if t >= _BINDING[i]:
            total += _ELECTRONS[i]
    return total


def dsigma_dt_sm_xenon(pdg: Any, e_nu: Any, t: Any, sin2_theta_w: Any) -> Any:
    """Return the tree-level Standard Model dsigma/dT per xenon atom, cm^2/GeV; arguments as `dsigma_dt_sm`."""
    return z_effective_xenon(t) * dsigma_dt_sm(pdg, e_nu, t, sin2_theta_w)


def dsigma_dt_magnetic_xenon(e_nu: Any, t: Any, mu: Any) -> Any:
    """Return the magnetic dsigma/dT per xenon atom, cm^2/GeV; arguments as `dsigma_dt_magnetic`."""
    return z_effective_xenon(t) * dsigma_dt_magnetic(e_nu, t, mu)
