"""The effective moment that an experiment sees, from the magnetic and electric moments of the mass states.

Moments are matrices in the mass basis, shape (3, 3), in any unit the caller likes (mu_B, or 1e-10 mu_B); effective
moments squared come out in its square. For Dirac neutrinos both matrices are Hermitian, for Majorana neutrinos they are
antisymmetric besides, so imaginary. Equations 16 to 18 of the note; its equations 5 to 8 are the minimal models.

In code u is the mixing matrix and m a vector of masses.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Complexes
from spectrafit.physics.constants import G_F, LEPTON_MASSES, M_E, M_W
from spectrafit.physics.flavours import flavour
from spectrafit.physics.mixing import Mixing, oscillation_phase, pmns, solar_probabilities, solar_survival

__all__ = [
    "check_moments",
    "dirac_moment",
    "dirac_moments",
    "effective_moment2",
    "effective_moment2_short",
    "effective_moment2_solar",
    "effective_moment2_solar_flavour",
    "majorana_moments",
    "majorana_vector",
    "to_flavour_basis",
    "to_mass_basis",
]

Nature = Literal["dirac", "majorana"]

# 3 e G_F/(16 sqrt(2) pi^2) for masses in eV, in mu_B = e/(2 m_e).
_LOOP = 3.0 * G_F * 2.0 * M_E / (16.0 * math.sqrt(2.0) * math.pi**2) * 1e-9


def check_moments(mu: npt.ArrayLike, eps: npt.ArrayLike, nature: Nature | None = None) -> tuple[Complexes, Complexes]:
    """Return both matrices as complex arrays of shape (3, 3), checked.

    Raises
    ------
    ValueError
        If a matrix is not 3 x 3, not finite, not Hermitian, or (for `nature` "majorana") not antisymmetric.
    """
    checked = []
    for name, given in (("mu", mu), ("eps", eps)):
        matrix = np.asarray(given, dtype=np.complex128)
        if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
            raise ValueError(f"{name}: shape {matrix.shape}; needed a finite (3, 3) matrix in the mass basis")
        slack = 1e-9 * np.abs(matrix).max()
        if np.abs(matrix - matrix.conj().T).max() > slack:
            raise ValueError(f"{name}: not Hermitian; an electromagnetic moment of neutrinos is")
        if nature == "majorana" and np.abs(matrix + matrix.T).max() > slack:
            raise ValueError(f"{name}: not antisymmetric; Majorana neutrinos have transition moments only")
        checked.append(matrix)
    return checked[0], checked[1]


def _gram(mu: npt.ArrayLike, eps: npt.ArrayLike) -> Complexes:
    """Return M^dagger M with M = mu - i eps."""
    magnetic, electric = check_moments(mu, eps)
    m = magnetic - 1j * electric
    result: Complexes = m.conj().T @ m
    return result


def _row(pdg: int) -> int:
    return (abs(pdg) - 12) // 2


def effective_moment2_short(pdg: int | str, mu: npt.ArrayLike, eps: npt.ArrayLike, mixing: Mixing) -> float:
    """Return the effective moment squared before oscillations develop (note, equation 18; its subscript is ll).

    The same for neutrino and antineutrino; at the near detector of NOvA (1 km, 2 GeV) it is exact to 1e-5.

    Parameters
    ----------
    pdg : flavour made at the source, PDG code or name.
    mu, eps : shape (3, 3). Magnetic and electric moments in the mass basis.
    mixing : angles and phases.
    """
    u = pmns(mixing)[_row(flavour(pdg))]
    return float((u @ _gram(mu, eps) @ u.conj()).real)


def effective_moment2(
    pdg: int | str, mu: npt.ArrayLike, eps: npt.ArrayLike, mixing: Mixing, baseline: Any, e_nu: Any
) -> Any:
    """Return the effective moment squared after a baseline (note, equations 16 and 17).

    Parameters
    ----------
    pdg : flavour made at the source, PDG code or name; antineutrinos have the opposite oscillation phase.
    mu, eps : shape (3, 3). Magnetic and electric moments in the mass basis.
    mixing : angles, phases and mass splittings.
    baseline, e_nu : array_like. Distance, km, and neutrino energy, GeV; numpy or awkward arrays of events alike.
    """
    code = flavour(pdg)
    u = pmns(mixing)[_row(code)]
    # The phase common to a pair of terms drops out: what is left depends on L/E through phi_kk' of three pairs only.
    pairs = np.outer(u.conj(), u) * _gram(mu, eps).T
    level = (0.0, mixing.dm21, mixing.dm31)
    sign = 1.0 if code > 0 else -1.0
    total = float(np.trace(pairs).real)
    for row, other in ((1, 0), (2, 0), (2, 1)):
        phase = oscillation_phase(level[row] - level[other], baseline, e_nu)
        pair = complex(pairs[row, other])
        total = total + 2.0 * (pair.real * np.cos(phase) + sign * pair.imag * np.sin(phase))
    return total


def effective_moment2_solar(mu: npt.ArrayLike, eps: npt.ArrayLike, mixing: Mixing, e_nu: Any, density: Any) -> Any:
    """Return the effective moment squared of solar neutrinos, incoherent mass states after conversion in the Sun.

    Parameters
    ----------
    mu, eps : shape (3, 3). Magnetic and electric moments in the mass basis.
    mixing : angles and mass splittings.
    e_nu, density : array_like. Neutrino energy, GeV, and electron density where it was made, N_A per cm^3.
    """
    squares = np.diag(_gram(mu, eps)).real
    p1, p2, p3 = solar_probabilities(mixing, e_nu, density)
    return p1 * squares[0] + p2 * squares[1] + p3 * squares[2]


def effective_moment2_solar_flavour(mu_e: Any, mu_mu: Any, mu_tau: Any, mixing: Mixing, e_nu: Any, density: Any) -> Any:
    """Return the solar moment squared from moments diagonal in flavour, as Borexino writes it [M].

    P_ee mu_e^2 + (1 - P_ee)(cos^2 theta_23 mu_mu^2 + sin^2 theta_23 mu_tau^2); energies and densities as
    `effective_moment2_solar`.
    """
    survival = solar_survival(mixing, e_nu, density)
    rest = (1.0 - mixing.sin2_23) * mu_mu * mu_mu + mixing.sin2_23 * mu_tau * mu_tau
    return survival * mu_e * mu_e + (1.0 - survival) * rest


def to_mass_basis(matrix: npt.ArrayLike, mixing: Mixing, nature: Nature) -> Complexes:
    """Return a moment matrix of the flavour basis, shape (3, 3), in the mass basis.

    ``U^dagger m U`` for Dirac neutrinos (note, equation 12), ``U^T m U`` for Majorana ones: only that keeps it
    antisymmetric.
    """
    u = pmns(mixing)
    left = u.conj().T if nature == "dirac" else u.T
    result: Complexes = left @ np.asarray(matrix, dtype=np.complex128) @ u
    return result


def to_flavour_basis(matrix: npt.ArrayLike, mixing: Mixing, nature: Nature) -> Complexes:
    """Return a moment matrix of the mass basis, shape (3, 3), in the flavour basis: the inverse of `to_mass_basis`."""
    u = pmns(mixing)
    left = u if nature == "dirac" else u.conj()
    result: Complexes = left @ np.asarray(matrix, dtype=np.complex128) @ u.conj().T
    return result


def majorana_vector(first: float, second: float, third: float) -> Complexes:
    """Return the antisymmetric matrix i eps_ijk Lambda_k of a real vector Lambda, shape (3, 3).

    As `mu` of a Majorana neutrino it gives [M^dagger M]_kk = |Lambda|^2 - Lambda_k^2.
    """
    return 1j * np.array([[0.0, third, -second], [-third, 0.0, first], [second, -first, 0.0]])


def dirac_moment(m_nu: Any) -> Any:
    """Return the diagonal moment of a Dirac neutrino of mass `m_nu` (eV) in the minimal model, mu_B (equation 6)."""
    return 2.0 * _LOOP * m_nu


def _loop(mixing: Mixing) -> Complexes:
    """Return sum_l U*_lk U_lj m_l^2/m_W^2, shape (3, 3), indices k, j."""
    u = pmns(mixing)
    weights = np.array([LEPTON_MASSES[name] ** 2 for name in ("e", "mu", "tau")]) / M_W**2
    loop = u.conj().T @ (weights[:, None] * u)
    # Hermitian but for rounding, which the antisymmetric Majorana moments would show on their diagonal.
    result: Complexes = 0.5 * (loop + loop.conj().T)
    return result


def dirac_moments(masses: npt.ArrayLike, mixing: Mixing) -> tuple[Complexes, Complexes]:
    """Return (mu, eps) of the minimal Dirac model, mu_B, each of shape (3, 3) (note, equation 5).

    Parameters
    ----------
    masses : shape (3,). Neutrino masses, eV.
    mixing : angles and phases.
    """
    m = np.asarray(masses, dtype=np.float64)
    bracket = np.eye(3) - 0.5 * _loop(mixing)
    mu = _LOOP * (m[:, None] + m) * bracket
    eps = -1j * _LOOP * (m[:, None] - m) * bracket
    return mu, eps


def majorana_moments(masses: npt.ArrayLike, mixing: Mixing) -> tuple[Complexes, Complexes]:
    """Return (mu, eps) of the minimal Majorana model, mu_B, each of shape (3, 3) (note, equations 7 and 8).

    The diagrams of the scalar sector, which depend on the model, are left out; masses and mixing as `dirac_moments`.
    """
    m = np.asarray(masses, dtype=np.float64)
    loop = _loop(mixing)
    mu = -1j * _LOOP * (m[:, None] + m) * loop.imag
    eps = 1j * _LOOP * (m[:, None] - m) * loop.real
    return mu.astype(np.complex128), eps.astype(np.complex128)
