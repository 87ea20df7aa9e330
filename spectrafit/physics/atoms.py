"""Electrons bound in atoms: the stepping factor and the cross sections per atom, for recoils of eV to keV.

The stepping approximation lets each shell scatter as free electrons once the energy deposited reaches its binding
energy, the same for the weak and the magnetic part. It is exact in the semiclassical limit, with corrections of a per
cent in germanium down to a fraction of a keV (Voloshin et al., arXiv:1101.4878, 1105.5543). Ab-initio rates are lower
by 20 to 30 per cent in xenon below 10 keV (Hsieh et al., arXiv:1903.06085) and by a few in germanium near its edges
(Chen et al., arXiv:1411.0574): multiply by their ratio where it matters. A millicharge is the exception: ionisation
by it is enhanced below a few keV. For a beam all this is of no consequence. Energies in GeV as everywhere, binding
energies in keV as in the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from spectrafit.physics.cross_sections import dsigma_dt_magnetic, dsigma_dt_sm

__all__ = [
    "SHELLS",
    "dsigma_dt_magnetic_atom",
    "dsigma_dt_magnetic_xenon",
    "dsigma_dt_sm_atom",
    "dsigma_dt_sm_xenon",
    "free_electron_fraction",
    "free_electrons",
    "z_effective_xenon",
]

Shells = Sequence[tuple[float, float]]

SHELLS: Final[dict[str, tuple[tuple[float, int], ...]]] = {
    "C": ((0.2842, 2), (0.018, 2), (0.0072, 2)),
    "O": ((0.5431, 2), (0.0416, 2), (0.0182, 4)),
    "Na": ((1.0708, 2), (0.0635, 2), (0.0304, 2), (0.0305, 4), (0.005139, 1)),
    "Cl": ((2.822, 2), (0.27, 2), (0.202, 2), (0.2, 4), (0.018, 2), (0.01, 5)),
    "Ar": ((3.2059, 2), (0.3263, 2), (0.2506, 2), (0.2484, 4), (0.0293, 2), (0.0159, 2), (0.0157, 4)),
    "Ge": (
        (11.103, 2), (1.4146, 2), (1.2481, 2), (1.217, 4), (0.1801, 2), (0.1249, 2), (0.1208, 4), (0.0298, 4),
        (0.0292, 6), (0.005, 2), (0.003, 2),
    ),
    "I": (
        (33.169, 2), (5.188, 2), (4.852, 2), (4.557, 4), (1.072, 2), (0.931, 2), (0.875, 4), (0.6308, 4), (0.6193, 6),
        (0.186, 2), (0.123, 6), (0.0506, 4), (0.0489, 6), (0.014, 2), (0.003, 5),
    ),
    "Xe": (
        (34.561, 2), (5.453, 2), (5.107, 2), (4.786, 4), (1.1487, 2), (1.0021, 2), (0.9406, 4), (0.6890, 4),
        (0.6764, 6), (0.2132, 2), (0.1467, 2), (0.1455, 4), (0.0695, 4), (0.0675, 6), (0.0233, 2), (0.0134, 2),
        (0.0121, 4),
    ),
    "Cs": (
        (35.985, 2), (5.714, 2), (5.359, 2), (5.012, 4), (1.211, 2), (1.071, 2), (1.003, 4), (0.7405, 4), (0.7266, 6),
        (0.2323, 2), (0.1724, 2), (0.1613, 4), (0.0798, 4), (0.0775, 6), (0.0227, 2), (0.0142, 2), (0.0121, 4),
        (0.003894, 1),
    ),
}  # fmt: skip
"""By symbol: binding energy (keV) and electrons of each subshell, innermost first.

X-ray Data Booklet and Elam's tables as the package xraydb 4.5.8 lists them; the outermost electron of Na and Cs, which
they lack, from the first ionisation energy [M]. Binding energies of a few eV stand for "bound a little" there.
"""

# Inclusive at threshold, whichever way the energy was rounded into GeV.
_GEV = 1e-6 * (1.0 - 4.0 * 2.0**-52)


def _shells(atom: str | Shells) -> Shells:
    if not isinstance(atom, str):
        return atom
    if atom not in SHELLS:
        raise ValueError(
            f"element {atom!r}: no binding energies; needed one of {', '.join(SHELLS)}, or your own shells"
        )
    return SHELLS[atom]


def free_electrons(t: Any, atom: str | Shells) -> Any:
    """Return how many electrons of an atom an energy `t` (GeV) can free: 0 below the last shell, in the end all.

    Parameters
    ----------
    t : array_like of float
        Energy deposited, GeV; NaN gives NaN.
    atom : symbol of `SHELLS`, or shells of your own: pairs (binding energy in keV, electrons).

    Raises
    ------
    ValueError
        For an element without binding energies.
    """
    energy = np.maximum(t, 0.0)
    # NaN stays NaN.
    total = np.minimum(energy, 0.0)
    for binding, electrons in _shells(atom):
        total = total + float(electrons) * (energy >= binding * _GEV)
    return total


def free_electron_fraction(t: Any, atom: str | Shells) -> Any:
    """Return the fraction of an atom's electrons that an energy `t` (GeV) can free; arguments as `free_electrons`."""
    return free_electrons(t, atom) / float(sum(electrons for _, electrons in _shells(atom)))


def dsigma_dt_sm_atom(pdg: Any, e_nu: Any, t: Any, sin2_theta_w: Any, atom: str | Shells) -> Any:
    """Return the tree-level Standard Model dsigma/dT per atom, cm^2/GeV; arguments as `dsigma_dt_sm`."""
    return free_electrons(t, atom) * dsigma_dt_sm(pdg, e_nu, t, sin2_theta_w)


def dsigma_dt_magnetic_atom(e_nu: Any, t: Any, mu: Any, atom: str | Shells) -> Any:
    """Return the magnetic dsigma/dT per atom, cm^2/GeV; arguments as `dsigma_dt_magnetic`."""
    return free_electrons(t, atom) * dsigma_dt_magnetic(e_nu, t, mu)


def z_effective_xenon(t: Any) -> Any:
    """Return how many electrons of a xenon atom a recoil `t` (GeV) can free, 0 to 54; none below the last shell."""
    return free_electrons(t, "Xe")


def dsigma_dt_sm_xenon(pdg: Any, e_nu: Any, t: Any, sin2_theta_w: Any) -> Any:
    """Return the tree-level Standard Model dsigma/dT per xenon atom, cm^2/GeV; arguments as `dsigma_dt_sm`."""
    return dsigma_dt_sm_atom(pdg, e_nu, t, sin2_theta_w, "Xe")


def dsigma_dt_magnetic_xenon(e_nu: Any, t: Any, mu: Any) -> Any:
    """Return the magnetic dsigma/dT per xenon atom, cm^2/GeV; arguments as `dsigma_dt_magnetic`."""
    return dsigma_dt_magnetic_atom(e_nu, t, mu, "Xe")
