"""The weights that turn generated coherent scattering on nuclei into events of any value of the couplings.

A shift of g_V by s shifts the weak charge of a nucleus by 2 Z s: photons couple to its Z protons as to Z electrons of
the opposite charge. A shift that goes as 1/T is smaller by m_e/M, since the momentum transfer is larger. A dipole adds
``sigma_0 Z^2 mu^2 (1/T)(1 - T/(2E))^2``. The form factor, one for neutrons and protons, is in the generated weight and
divides out of the ratio.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Floats
from spectrafit.physics.constants import M_E, SIGMA_MAGNETIC, SIN2_THETA_W
from spectrafit.physics.couplings import FittedCoupling, Monomials
from spectrafit.physics.flavours import FLAVOURS
from spectrafit.physics.nucleus import WEAK, weak_charge

__all__ = ["weigh_nucleus"]


def weigh_nucleus(
    couplings: Sequence[FittedCoupling],
    pdg: npt.ArrayLike,
    e_nu: npt.ArrayLike,
    t: npt.ArrayLike,
    z: npt.ArrayLike,
    n: npt.ArrayLike,
    mass: npt.ArrayLike,
    *,
    sin2_theta_w: float | None = None,
    sin2_theta_w_generated: float = SIN2_THETA_W,
) -> Floats:
    """Return the weights of tree-level coherent events for every monomial of the fitted couplings.

    Parameters
    ----------
    couplings : the fitted and held couplings.
    pdg : shape (N,). PDG code of the neutrino; 0 marks an entry that is no such event.
    e_nu, t : shape (N,). Neutrino energy and recoil energy of the nucleus, GeV.
    z, n, mass : shape (N,). Protons, neutrons and mass m (GeV) of the nucleus.
    sin2_theta_w, sin2_theta_w_generated : as `weighing.weigh`.

    Returns
    -------
    ndarray of float64, shape (M, N)
        As `weighing.weigh`. Entries that are no such events, or lie outside ``0 < t < t_max``, have 1 in row 0 and 0 in
        all others.
    """
    codes = np.asarray(pdg)
    energy, recoil, z, n, m = (np.asarray(values, np.float64) for values in (e_nu, t, z, n, mass))
    fitted = [one for one in couplings if one.carriers]
    exponents = Monomials.of(couplings).exponents
    out = np.zeros((len(exponents), codes.size))
    out[0] = 1.0
    with np.errstate(all="ignore"):
        rest = 1.0 - recoil * (m + 2.0 * energy) / (2.0 * energy * energy)
    for code in FLAVOURS.values():
        at = np.flatnonzero((codes == code) & (recoil > 0.0) & (rest > 0.0))
        if not at.size:
            continue
        held = [
            (one.coupling, one.coupling.kappa(dict(one.fixed)[code])) for one in couplings if code in dict(one.fixed)
        ]
        acting = [one.coupling for one in couplings if code in one.carriers] + [coupling for coupling, _ in held]
        angle = next((coupling.reference for coupling in acting if coupling.moves_angle), sin2_theta_w)
        wanted = sin2_theta_w_generated if angle is None else angle
        # Shifts of the weak charge per unit of kappa, and dipoles over the weak cross section.
        unit, per_t = 2.0 * z[at], M_E / (m[at] * recoil[at])
        generated = weak_charge(z[at], n[at], sin2_theta_w_generated)
        charge = weak_charge(z[at], n[at], wanted)
        turn = 1.0 - 0.5 * recoil[at] / energy[at]
        dipole = SIGMA_MAGNETIC * (z[at] * turn) ** 2 / (recoil[at] * WEAK * m[at] * generated**2 * rest[at])
        moments = np.zeros(at.size)
        for coupling, kappa in held:
            if coupling.family == "dipole":
                moments += kappa * coupling.scale * dipole
            else:
                charge = charge + kappa * unit * (coupling.constant + coupling.inverse_t * per_t)
        out[0, at] = (charge / generated) ** 2 + moments
        for row, powers in enumerate(exponents):
            parts = [one for one, power in zip(fitted, powers, strict=True) for _ in range(power)]
            if not parts or not all(code in part.carriers for part in parts):
                continue
            if parts[0].coupling.family == "dipole":
                out[row, at] = parts[0].coupling.scale * dipole
                continue
            shifts = [unit * (part.coupling.constant + part.coupling.inverse_t * per_t) / generated for part in parts]
            if len(shifts) == 1:
                out[row, at] = 2.0 * (charge / generated) * shifts[0]
            else:
                out[row, at] = (2.0 if len(set(parts)) == 2 else 1.0) * shifts[0] * shifts[1]
    return out
