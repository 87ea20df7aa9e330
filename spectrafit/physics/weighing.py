"""Generated events in; their weights as polynomials of a coupling out: row p multiplies kappa^p.

The events were generated with the tree-level Standard Model cross section; a weight is the ratio of what is wanted at
the event's flavour, neutrino energy and electron energy to that. The ratio is exact: no histogram, no interpolation.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from spectrafit.physics.constants import M_E, SIGMA_MAGNETIC, SIGMA_SM, SIN2_THETA_W, SIN2_THETA_W_MZ
from spectrafit.physics.couplings import Coupling
from spectrafit.physics.cross_sections import FLAVOURS, flavour, g_a, g_v, shape
from spectrafit.physics.kinematics import inside
from spectrafit.physics.radiative import bks_couplings, bks_factors, effective

__all__ = ["weigh"]

Floats = npt.NDArray[np.float64]
Reals = Floats | npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64] | npt.NDArray[np.int32]

# What depends on the flavour is a table indexed by PDG code + 16, so that the loops do not branch on it. Its rows:
# g_V + g_A and g_V - g_A of the generated and of the expected cross section, sin^2 theta_W(M_Z) for BKS, whether the
# flavour carries the coupling, the fixed kappa of one that does not, and whether the code is a neutrino's at all.
_LEFT_GENERATED, _RIGHT_GENERATED, _LEFT, _RIGHT, _ANGLE, _CARRIES, _FIXED, _KNOWN = range(8)
_OFFSET, _SIZE = 16, 33


def weigh(
    coupling: Coupling,
    pdg: npt.ArrayLike,
    e_nu: npt.ArrayLike,
    t: npt.ArrayLike,
    *,
    sm: Literal["tree", "effective", "bks"] = "tree",
    sin2_theta_w: float | None = None,
    sin2_theta_w_generated: float = SIN2_THETA_W,
    carriers: Iterable[int | str] | None = None,
    fixed: Mapping[int | str, float] | None = None,
) -> Floats:
    """Return the weights of tree-level events for every power of a coupling.

    Parameters
    ----------
    coupling : an entry of `COUPLINGS`.
    pdg : shape (N,). PDG code of the neutrino; anything else (0, say) marks an entry that is no nu-e event.
    e_nu, t : shape (N,). Neutrino energy and true electron kinetic energy, GeV.
    sm : the Standard Model cross section wanted at kappa = 0.
    sin2_theta_w : sin^2 theta_W in MSbar at Q^2 = 0 wanted at kappa = 0. Without it the tree keeps the generated value,
        and the other two their own. "effective" moves its g_V, "bks" its value at M_Z by the distance from the default.
        Flavours that carry the coupling "weak_mixing_angle" start from that coupling's reference instead.
    sin2_theta_w_generated : sin^2 theta_W of the tree-level cross section the events were generated with.
    carriers : flavours (names or PDG codes; an antineutrino counts as one of its own) that carry the coupling; without
        it, `coupling.carriers`.
    fixed : the coupling's value, in its reported unit, of flavours that do not carry the fitted one.

    Returns
    -------
    ndarray of float64, shape (1 + P, N)
        Row 0 at kappa = 0, row p the coefficient of kappa^p. Entries that are no nu-e events, or lie outside
        ``0 < t <= t_max(e_nu)``, have row 0 = 1 and nothing above: whether they may be there the reader has decided.

    Raises
    ------
    ValueError
        For arrays of different lengths, an unknown flavour, a flavour both carrying and fixed, a sin^2 theta_W outside
        0 to 1.
    """
    columns = np.broadcast_arrays(pdg, e_nu, t)
    if columns[0].ndim != 1:
        raise ValueError(f"pdg, e_nu, t: shape {columns[0].shape}; needed one dimension, flatten jagged events first")
    # The types of branches are taken as they are; the kernels calculate in double precision.
    single = columns[1].dtype == columns[2].dtype == np.float32
    codes = _read_only(columns[0], np.int32 if columns[0].dtype == np.int32 else np.int64)
    energies, recoils = (_read_only(column, np.float32 if single else np.float64) for column in columns[1:])
    carrying = {flavour(name) for name in (coupling.carriers if carriers is None else carriers)}
    settled = {flavour(name): coupling.kappa(value) for name, value in (fixed or {}).items()}
    if both := carrying & set(settled):
        raise ValueError(f"fixed: flavours {sorted(both)} carry the fitted coupling; leave them out of one of the two")
    if sm not in ("tree", "effective", "bks"):
        raise ValueError(f"sm: {sm!r}; needed 'tree', 'effective' or 'bks'")
    for name, value in (("sin2_theta_w", sin2_theta_w), ("sin2_theta_w_generated", sin2_theta_w_generated)):
        if value is not None and not 0.0 < value < 1.0:
            raise ValueError(f"{name}: {value}; needed a number between 0 and 1")

    tables, unchanged = _tables(
        coupling, sm, sin2_theta_w, sin2_theta_w_generated, tuple(sorted(carrying)), tuple(sorted(settled.items()))
    )
    out = np.empty((1 + coupling.powers, codes.size))
    dipole = SIGMA_MAGNETIC / SIGMA_SM * coupling.scale if coupling.family == "dipole" else 0.0
    if coupling.family == "dipole" and sm == "tree" and unchanged and not settled:
        _weigh_dipole(codes, energies, recoils, tables, dipole, out)
    else:
        moves_angle = coupling.name == "weak_mixing_angle"
        shifts = (coupling.constant, coupling.inverse_t)
        _weigh(codes, energies, recoils, tables, dipole, *shifts, moves_angle, sm == "bks", out)
    return out


def _read_only(values: npt.NDArray[Any], kind: type) -> npt.NDArray[Any]:
    """Return contiguous values that are not written to, as memory-mapped ones are: so both take the same kernel."""
    view: npt.NDArray[Any] = np.ascontiguousarray(values, kind).view()
    view.flags.writeable = False
    return view


@functools.lru_cache(maxsize=64)
def _tables(
    coupling: Coupling,
    sm: str,
    sin2_theta_w: float | None,
    sin2_theta_w_generated: float,
    carrying: tuple[int, ...],
    fixed: tuple[tuple[int, float], ...],
) -> tuple[Floats, bool]:
    """Return what depends on the flavour, (8, 33), and whether the cross section wanted is the generated one.

    Both are the same for every block of events, so they are worked out once.
    """
    settled = dict(fixed)
    tables = np.zeros((8, _SIZE))
    for code in FLAVOURS.values():
        angle = sin2_theta_w
        if coupling.name == "weak_mixing_angle" and (code in carrying or code in settled):
            angle = coupling.reference
        column = tables[:, code + _OFFSET]
        column[_LEFT_GENERATED] = g_v(code, sin2_theta_w_generated) + g_a(code)
        column[_RIGHT_GENERATED] = g_v(code, sin2_theta_w_generated) - g_a(code)
        shift = 0.0 if angle is None else angle - SIN2_THETA_W
        if sm == "effective":
            gv, ga = effective(code)
            gv += 2.0 * shift
        else:
            gv, ga = g_v(code, sin2_theta_w_generated if angle is None else angle), g_a(code)
        column[_LEFT], column[_RIGHT] = gv + ga, gv - ga
        column[_ANGLE] = SIN2_THETA_W_MZ + shift
        column[_KNOWN] = 1.0
        column[_CARRIES] = code in carrying
        column[_FIXED] = settled.get(code, 0.0)
    return tables, np.array_equal(tables[_LEFT : _RIGHT + 1], tables[_LEFT_GENERATED : _RIGHT_GENERATED + 1])


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh_dipole(pdg: Integers, e_nu: Reals, t: Reals, tables: Floats, dipole: float, out: Floats) -> None:
    """Fill rows 0 and 1 for a dipole on top of the generated cross section: row 0 is 1, row 1 one division.

    The usual case, and so written for the compiler to take several events at once: choices in the place of branches,
    and of the table its two kinds of neutrino (an antineutrino has left and right swapped) and a bit per carrier.
    """
    electron_left, electron_right = tables[_LEFT_GENERATED, _OFFSET + 12], tables[_RIGHT_GENERATED, _OFFSET + 12]
    other_left, other_right = tables[_LEFT_GENERATED, _OFFSET + 14], tables[_RIGHT_GENERATED, _OFFSET + 14]
    carriers = 0
    for at in range(_SIZE):
        carriers |= int(tables[_CARRIES, at] != 0.0) << at
    ones, moment = out[0], out[1]
    for i in range(pdg.size):
        code, e, k = pdg[i], np.float64(e_nu[i]), np.float64(t[i])
        at = code + _OFFSET if abs(code) <= _OFFSET else _SIZE
        left = electron_left if abs(code) == 12 else other_left
        right = electron_right if abs(code) == 12 else other_right
        bracket = shape(left if code > 0 else right, right if code > 0 else left, e, k)
        carries = (carriers >> at) & 1 != 0
        ones[i] = 1.0
        moment[i] = dipole * e * (e - k) / (k * bracket) if carries & inside(e, k) else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(
    pdg: Integers,
    e_nu: Reals,
    t: Reals,
    tables: Floats,
    dipole: float,
    constant: float,
    inverse_t: float,
    moves_angle: bool,
    bks: bool,
    out: Floats,
) -> None:
    """Fill all rows: a (g_V + g_A)^2 + b (g_V - g_A)^2 - c (g_V + g_A)(g_V - g_A), shifted in g_V, plus the dipole."""
    powers = out.shape[0] - 1
    for i in range(pdg.size):
        at = pdg[i] + _OFFSET
        e: float = np.float64(e_nu[i])
        k: float = np.float64(t[i])
        out[0, i] = 1.0
        for p in range(1, powers + 1):
            out[p, i] = 0.0
        if not (0 <= at < _SIZE and tables[_KNOWN, at] != 0.0 and inside(e, k)):
            continue
        y = (e - k) / e
        a, b, c = 1.0, y * y, M_E * k / (e * e)
        left, right = tables[_LEFT_GENERATED, at], tables[_RIGHT_GENERATED, at]
        generated = left * left * a + right * right * b - left * right * c
        left, right = tables[_LEFT, at], tables[_RIGHT, at]
        shift = constant + inverse_t / k
        if bks:
            left, right, slope = bks_couplings(pdg[i], k, tables[_ANGLE, at])
            a, b, c = bks_factors(e, k)
            if moves_angle:
                shift *= 0.5 * slope
        # A flavour with a fixed value starts from it; the others' is 0.
        left += shift * tables[_FIXED, at]
        right += shift * tables[_FIXED, at]
        extra = dipole * (e - k) / (e * k)
        bracket = left * left * a + right * right * b - left * right * c
        out[0, i] = (max(bracket, 0.0) + extra * tables[_FIXED, at]) / generated
        if tables[_CARRIES, at] != 0.0:
            if powers == 1:
                out[1, i] = extra / generated
            else:
                out[1, i] = shift * (2.0 * (left * a + right * b) - (left + right) * c) / generated
                out[2, i] = shift * shift * (a + b - c) / generated
