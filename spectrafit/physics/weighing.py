"""The weights that turn generated events into events of any value of the couplings.

The events were generated with the tree-level Standard Model cross section. A weight is the ratio of the wanted cross
section to the generated one, at the event's flavour, neutrino energy and electron energy. The ratio is a polynomial of
the couplings. Each row of `weigh` holds the coefficient of one monomial. The ratio is exact: no histogram, no
interpolation.

Letters in the kernels: e is the neutrino's energy, k the electron's kinetic energy, y = 1 - k/e, and a, b and c are
what left^2, right^2 and -left right are multiplied with.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from spectrafit.arraytypes import Floats, Integers, PdgCodes, Reals, Values
from spectrafit.contiguous import Contiguous
from spectrafit.jit import kernel, loop
from spectrafit.physics.compiled import plain
from spectrafit.physics.constants import M_E, SIGMA_MAGNETIC, SIGMA_SM, SIN2_THETA_W, SIN2_THETA_W_MZ
from spectrafit.physics.couplings import Coupling, FittedCoupling, Monomials
from spectrafit.physics.cross_sections import chiral, shape
from spectrafit.physics.flavours import FLAVOURS
from spectrafit.physics.kinematics import inside
from spectrafit.physics.radiative import bks_couplings, bks_factors, effective

__all__ = ["weigh"]


# Whatever depends on the flavour is a table with a column per PDG code + 16, so that the loops do not branch on it.
# Rows of `_Plan.flavours`: g_V + g_A and g_V - g_A of the generated and of the expected cross section; sin^2
# theta_W(M_Z) for BKS; whether the code is a neutrino's at all; and the sums of what the held couplings do to this
# flavour: the shift of g_V, its part that goes as 1/T, its part that moves with the angle, and the dipole.
_LEFT_GENERATED, _RIGHT_GENERATED, _LEFT, _RIGHT, _ANGLE, _KNOWN = range(6)
_HELD_CONSTANT, _HELD_INVERSE_T, _HELD_ANGLE, _HELD_DIPOLE = range(6, 10)
_OFFSET, _SIZE = 16, 33


class _Plan(NamedTuple):
    """Everything about a weighing that is the same for every event.

    Attributes
    ----------
    flavours : (10, 33). See the rows above.
    factors : (M, 33). What the term of monomial m is multiplied by for this flavour; 0 where it does not act.
    shifts : (M, 2, 3). For each of up to two factors of monomial m: the shift of g_V per unit of kappa, its part that
        goes as 1/T, and its part that moves with the angle. Zeros for a dipole.
    degrees : (M,). Shifts of g_V in monomial m: 0 (a dipole), 1 or 2.
    moments_only : only dipoles are added, on top of the generated cross section.
    """

    flavours: Floats
    factors: Floats
    shifts: Floats
    degrees: Integers
    moments_only: bool


def weigh(
    couplings: Coupling | Sequence[FittedCoupling],
    pdg: npt.ArrayLike,
    e_nu: npt.ArrayLike,
    t: npt.ArrayLike,
    *,
    sm: Literal["tree", "effective", "bks"] = "tree",
    sin2_theta_w: float | None = None,
    sin2_theta_w_generated: float = SIN2_THETA_W,
) -> Floats:
    """Return the weights of tree-level events for every monomial of the fitted couplings.

    Parameters
    ----------
    couplings : the fitted and held couplings. An entry of `COUPLINGS` alone is fitted on its usual carriers.
    pdg : shape (N,). PDG code of the neutrino; anything else (0, say) marks an entry that is no nu-e event.
    e_nu, t : shape (N,). Neutrino energy and true electron kinetic energy, GeV.
    sm : the Standard Model cross section wanted at kappa = 0.
    sin2_theta_w : sin^2 theta_W in MSbar at Q^2 = 0 wanted at kappa = 0. Without it the tree keeps the generated value,
        and the other two their own. "effective" moves its g_V, "bks" its value at M_Z by the distance from the default.
        Flavours that carry or hold a coupling which moves the angle start from that coupling's reference instead.
    sin2_theta_w_generated : sin^2 theta_W of the tree-level cross section the events were generated with.

    Returns
    -------
    ndarray of float64, shape (M, N)
        Row m is the coefficient of monomial m, in the order of ``Monomials.of(couplings)``; row 0 is the weight where
        every fitted kappa is 0. Entries that are no nu-e events, or lie outside ``0 < t <= t_max(e_nu)``, have 1 in row
        0 and 0 in all others: the reader has decided before whether they may be there.

    Raises
    ------
    ValueError
        For arrays of different lengths, a sin^2 theta_W outside 0 to 1, couplings that have no `Monomials`.
    """
    columns = np.broadcast_arrays(pdg, e_nu, t)
    if columns[0].ndim != 1:
        raise ValueError(f"pdg, e_nu, t: shape {columns[0].shape}; needed one dimension, flatten jagged events first")
    # The types of branches are taken as they are; the kernels calculate in double precision.
    single = columns[1].dtype == columns[2].dtype == np.float32
    codes = _read_only(columns[0], np.int32 if columns[0].dtype == np.int32 else np.int64)
    energies, recoils = (_read_only(column, np.float32 if single else np.float64) for column in columns[1:])
    if sm not in ("tree", "effective", "bks"):
        raise ValueError(f"sm: {sm!r}; needed 'tree', 'effective' or 'bks'")
    for name, value in (("sin2_theta_w", sin2_theta_w), ("sin2_theta_w_generated", sin2_theta_w_generated)):
        if value is not None and not 0.0 < value < 1.0:
            raise ValueError(f"{name}: {value}; needed a number between 0 and 1")

    chosen = _alone(couplings) if isinstance(couplings, Coupling) else tuple(couplings)
    plan = _plan(chosen, sm, sin2_theta_w, sin2_theta_w_generated)
    out = np.empty((len(plan.factors), codes.size))
    if plan.moments_only:
        for row in range(1, len(out)):
            _weigh_dipole(codes, energies, recoils, plan.flavours, plan.factors[row], out[0], out[row])
    else:
        bks = sm == "bks"
        if bks:
            _bks.prepare()
        _weigh(codes, energies, recoils, plan.flavours, plan.factors, plan.shifts, plan.degrees, bks, out)
    return out


def _read_only(values: Values, kind: type) -> Values:
    """Return contiguous values that are not written to, as memory-mapped ones are: so both take the same kernel."""
    view: Values = np.ascontiguousarray(values, kind).view()
    view.flags.writeable = False
    return view


@functools.lru_cache(maxsize=64)
def _alone(coupling: Coupling) -> tuple[FittedCoupling, ...]:
    return (FittedCoupling.of(coupling),)


@functools.lru_cache(maxsize=64)
def _plan(
    couplings: tuple[FittedCoupling, ...], sm: str, sin2_theta_w: float | None, sin2_theta_w_generated: float
) -> _Plan:
    """Return the numbers that are the same for every block of events, worked out once."""
    flavours = _flavours(couplings, sm, sin2_theta_w, sin2_theta_w_generated)
    fitted = [coupling for coupling in couplings if coupling.carriers]
    exponents = Monomials.of(couplings).exponents
    factors = np.zeros((len(exponents), _SIZE))
    shifts = np.zeros((len(exponents), 2, 3))
    degrees = np.zeros(len(exponents), np.int64)
    for row, powers in enumerate(exponents):
        if not any(powers):
            continue
        # A coupling stands here as often as its power says.
        parts = [coupling for coupling, power in zip(fitted, powers, strict=True) for _ in range(power)]
        both = set(parts[0].carriers).intersection(*(part.carriers for part in parts))
        columns = [code + _OFFSET for code in sorted(both)]
        if parts[0].coupling.family == "dipole":
            factors[row, columns] = _dipole(parts[0].coupling)
            continue
        # (x + y)^2 has its product twice.
        factors[row, columns] = 2.0 if len(set(parts)) == 2 else 1.0
        degrees[row] = len(parts)
        for place, part in enumerate(parts):
            shifts[row, place] = _shift(part.coupling)
    unchanged = np.array_equal(flavours[_LEFT : _RIGHT + 1], flavours[_LEFT_GENERATED : _RIGHT_GENERATED + 1])
    moments_only = (
        sm == "tree"
        and unchanged
        and len(exponents) > 1
        and not degrees.any()
        and not flavours[_HELD_CONSTANT : _HELD_DIPOLE + 1].any()
    )
    return _Plan(flavours=flavours, factors=factors, shifts=shifts, degrees=degrees, moments_only=moments_only)


def _dipole(coupling: Coupling) -> float:
    """Return the magnetic cross section per unit of kappa over the cross section of a weak coupling of 1."""
    return SIGMA_MAGNETIC / SIGMA_SM * coupling.scale if coupling.family == "dipole" else 0.0


def _shift(coupling: Coupling) -> tuple[float, float, float]:
    """Return the shift of g_V per unit of kappa: constant, as 1/T, and with the angle."""
    if coupling.moves_angle:
        return 0.0, 0.0, coupling.constant
    return coupling.constant, coupling.inverse_t, 0.0


def _flavours(
    couplings: tuple[FittedCoupling, ...], sm: str, sin2_theta_w: float | None, sin2_theta_w_generated: float
) -> Floats:
    """Return what depends on the flavour, (10, 33)."""
    table = np.zeros((10, _SIZE))
    for code in FLAVOURS.values():
        held = [
            (coupling.coupling, coupling.coupling.kappa(dict(coupling.fixed)[code]))
            for coupling in couplings
            if code in dict(coupling.fixed)
        ]
        acting = [coupling.coupling for coupling in couplings if code in coupling.carriers] + [
            coupling for coupling, _ in held
        ]
        angle = next((coupling.reference for coupling in acting if coupling.moves_angle), sin2_theta_w)
        column = table[:, code + _OFFSET]
        # Six numbers in plain Python: the ufuncs of g_V and g_A would have to be compiled for them.
        column[_LEFT_GENERATED : _RIGHT_GENERATED + 1] = plain(chiral)(code, sin2_theta_w_generated)
        shift = 0.0 if angle is None else angle - SIN2_THETA_W
        if sm == "effective":
            gv, ga = effective(code)
            column[_LEFT], column[_RIGHT] = gv + ga + 2.0 * shift, gv - ga + 2.0 * shift
        else:
            wanted = sin2_theta_w_generated if angle is None else angle
            column[_LEFT : _RIGHT + 1] = plain(chiral)(code, wanted)
        column[_ANGLE] = SIN2_THETA_W_MZ + shift
        column[_KNOWN] = 1.0
        for coupling, kappa in held:
            column[_HELD_CONSTANT : _HELD_ANGLE + 1] += kappa * np.array(_shift(coupling))
            column[_HELD_DIPOLE] += kappa * _dipole(coupling)
    return table


# Codes are of 32 or of 64 bits, energies in single or in double precision.
_EVENTS = [
    [Contiguous(kind, readonly=True) for kind in (code, real, real)]
    for code in (types.int32, types.int64)
    for real in (types.float32, types.float64)
]
_FLOATS1, _FLOATS2, _FLOATS3 = (Contiguous(types.float64, dimension) for dimension in (1, 2, 3))


@loop(*(types.void(*events, _FLOATS2, _FLOATS1, _FLOATS1, _FLOATS1) for events in _EVENTS))
def _weigh_dipole(
    pdg: PdgCodes, e_nu: Reals, t: Reals, flavours: Floats, factors: Floats, ones: Floats, moment: Floats
) -> None:
    """Fill row 0 with 1 and a dipole's row on top of the generated cross section, with one division.

    This is the usual case. The loop is written such that the compiler takes several events at once: choices stand in
    the place of branches. In the place of the table stand its two kinds of neutrino (an antineutrino has left and right
    swapped) and a bit for every carrier.
    """
    electron_left, electron_right = flavours[_LEFT_GENERATED, _OFFSET + 12], flavours[_RIGHT_GENERATED, _OFFSET + 12]
    other_left, other_right = flavours[_LEFT_GENERATED, _OFFSET + 14], flavours[_RIGHT_GENERATED, _OFFSET + 14]
    carriers = 0
    dipole = 0.0
    for at in range(_SIZE):
        carriers |= int(factors[at] != 0.0) << at
        dipole = max(dipole, factors[at])
    for event in range(pdg.size):
        code, e, k = pdg[event], np.float64(e_nu[event]), np.float64(t[event])
        at = code + _OFFSET if abs(code) <= _OFFSET else _SIZE
        left = electron_left if abs(code) == 12 else other_left
        right = electron_right if abs(code) == 12 else other_right
        bracket = shape(left if code > 0 else right, right if code > 0 else left, e, k)
        carries = (carriers >> at) & 1 != 0
        ones[event] = 1.0
        moment[event] = dipole * e * (e - k) / (k * bracket) if carries & inside(e, k) else 0.0


@kernel(types.UniTuple(types.float64, 6)(types.int64, types.float64, types.float64, types.float64), optional=True)
def _bks(pdg: int, e_nu: float, t: float, sin2_theta_w_mz: float) -> tuple[float, ...]:
    """Return `bks_couplings` and `bks_factors`; a kernel of its own, because few weighings need it."""
    left, right, slope = bks_couplings(pdg, t, sin2_theta_w_mz)
    a, b, c = bks_factors(e_nu, t)
    return left, right, slope, a, b, c


@loop(
    *(
        types.void(*events, _FLOATS2, _FLOATS2, _FLOATS3, Contiguous(types.int64), types.boolean, _FLOATS2)
        for events in _EVENTS
    )
)
def _weigh(
    pdg: PdgCodes,
    e_nu: Reals,
    t: Reals,
    flavours: Floats,
    factors: Floats,
    shifts: Floats,
    degrees: Integers,
    bks: bool,
    out: Floats,
) -> None:
    """Fill all rows: a (g_V + g_A)^2 + b (g_V - g_A)^2 - c (g_V + g_A)(g_V - g_A), shifted in g_V, plus the dipoles.

    With s the sum of the shifts of g_V, this is the value at s = 0, plus s times its slope, plus s^2 (a + b - c).
    """
    monomials = degrees.size
    for event in range(pdg.size):
        at = pdg[event] + _OFFSET
        e: float = np.float64(e_nu[event])
        k: float = np.float64(t[event])
        if not (0 <= at < _SIZE and flavours[_KNOWN, at] != 0.0 and inside(e, k)):
            out[0, event] = 1.0
            for monomial in range(1, monomials):
                out[monomial, event] = 0.0
            continue
        y, per_t = (e - k) / e, 1.0 / k
        a, b, c = 1.0, y * y, M_E * k / (e * e)
        left, right = flavours[_LEFT_GENERATED, at], flavours[_RIGHT_GENERATED, at]
        generated = left * left * a + right * right * b - left * right * c
        left, right = flavours[_LEFT, at], flavours[_RIGHT, at]
        # How far g_V goes when sin^2 theta_W moves: as at tree level, or with the factor of BKS in front of it.
        turn = 1.0
        if bks:
            left, right, slope, a, b, c = _bks(pdg[event], e, k, flavours[_ANGLE, at])
            turn = 0.5 * slope
        held = flavours[_HELD_CONSTANT, at] + flavours[_HELD_INVERSE_T, at] * per_t + flavours[_HELD_ANGLE, at] * turn
        left += held
        right += held
        bracket = left * left * a + right * right * b - left * right * c
        out[0, event] = (max(bracket, 0.0) + flavours[_HELD_DIPOLE, at] * (y * per_t)) / generated
        per_generated = 1.0 / generated
        dipole = y * per_t * per_generated
        linear = (2.0 * (left * a + right * b) - (left + right) * c) * per_generated
        square = (a + b - c) * per_generated
        for monomial in range(1, monomials):
            first = shifts[monomial, 0, 0] + shifts[monomial, 0, 1] * per_t + shifts[monomial, 0, 2] * turn
            if degrees[monomial] == 2:
                term = (
                    first
                    * (shifts[monomial, 1, 0] + shifts[monomial, 1, 1] * per_t + shifts[monomial, 1, 2] * turn)
                    * square
                )
            else:
                term = first * linear if degrees[monomial] == 1 else dipole
            out[monomial, event] = factors[monomial, at] * term
