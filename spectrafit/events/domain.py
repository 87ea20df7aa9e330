"""Finds the entries of a chunk that cannot be elastic scattering or hold no numbers, and the heaviest entries."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any, cast

import awkward as ak
import numpy as np

from spectrafit.arraytypes import Bytes, Flags, Integers, PdgCodes, Reals
from spectrafit.events.functions import is_text
from spectrafit.events.schema import ANGLES, Heaviest
from spectrafit.physics.compiled import plain
from spectrafit.physics.constants import M_E
from spectrafit.physics.kinematics import end_point, inside, t_max
from spectrafit.physics.nucleus import t_max_nucleus

__all__ = ["ROUNDING", "bad_entries", "classify", "heaviest"]


ROUNDING = 1e-6
"""Part of `e_nu` by which `t` may exceed the kinematic limit through rounding; `t` is then set to the limit.

float32 is precise to 6e-8 of a number. A total energy, the neutrino's energy and the generator's electron mass each add
a rounding of this size.
"""
ROUNDED = 1
# Energies below, GeV, need no look at overflows in single precision.
_USUAL = 1e30
# What is wrong with the truth of an entry, by code: the kind, the sentence about one entry, the column to check.
_WRONG = {
    2: ("e_nu not finite", "e_nu = {e_nu:g} is not a number", "e_nu"),
    3: ("t not finite", "t = {t:g} is not a number", "t"),
    4: ("e_nu not positive", "e_nu = {e_nu:g} GeV is not positive", "e_nu"),
    5: ("t not positive", "t = {t:g} GeV is not positive", "t"),
    6: (
        "t above the kinematic limit",
        "t = {t:.9g} GeV exceeds the kinematic limit {limit:.9g} GeV for e_nu = {e_nu:.9g} GeV",
        "t",
    ),
    7: ("theta no angle", "theta = {theta:g} rad is not between 0 and pi", "theta"),
}


def classify(
    pdg: PdgCodes, e_nu: Reals, t: Reals, theta: Reals | None, *, mass: Reals | None = None
) -> tuple[Bytes, Reals]:
    """Judge the true kinematics of nu-e elastic events, or of coherent scattering on nuclei.

    Parameters
    ----------
    pdg : (N,) int32 array
        Entries with 0 are not nu-e events and are not judged.
    e_nu, t, theta : (N,) float32 or float64 arrays, GeV and rad
        `theta` may be missing.
    mass : (N,) array, optional
        Mass of the nucleus, GeV; without it neutrinos scatter on electrons.

    Returns
    -------
    codes : (N,) uint8 array
        0 for a good entry, `ROUNDED`, or a code that `bad_entries` explains.
    t : (N,) array
        `t`, set to the kinematic limit where rounding has put it above the limit.
    """
    codes = np.zeros(len(pdg), dtype=np.uint8)
    # Beyond doubt, whatever the precision: t_max is above e_nu - m/2. The few that are left are looked at exactly.
    if mass is None:
        sound = (t > 0.0) & (t < e_nu * (1.0 - 1e-6) - 0.5 * M_E) & (e_nu < _USUAL)
    else:
        sound = (t > 0.0) & (e_nu > 0.0) & (e_nu < _USUAL) & (t * (mass + 2.0 * e_nu) < 2.0 * e_nu * e_nu)
    if theta is not None:
        sound &= (theta >= 0.0) & (theta < 3.14)
    at = np.flatnonzero(~(sound | (pdg == 0)))
    if not at.size:
        return codes, t
    e, kinetic = e_nu[at].astype(np.float64), t[at].astype(np.float64)
    with np.errstate(all="ignore"):
        if mass is None:
            # Python's functions take arrays as well as numbers.
            good, limit = cast(Any, plain(inside))(e, kinetic), cast(Any, plain(end_point))(e)
        else:
            limit = 2.0 * e * e / (np.asarray(mass, dtype=np.float64)[at] + 2.0 * e)
            good = (kinetic > 0.0) & (kinetic <= limit)
        wrong = {2: ~np.isfinite(e), 3: ~np.isfinite(kinetic), 4: e <= 0.0, 5: kinetic <= 0.0, 0: good}
        wrong[ROUNDED] = kinetic <= limit + (ROUNDING * e if mass is None else ROUNDING * limit)
    found: Integers = np.select(list(wrong.values()), list(wrong), 6)
    if theta is not None:
        angle = theta[at].astype(np.float64)
        found[(found <= ROUNDED) & ~((angle >= 0.0) & (angle <= math.pi))] = 7
    codes[at] = found
    if not (found == ROUNDED).any():
        return codes, t
    largest = t_max(np.abs(e_nu)) if mass is None else t_max_nucleus(np.abs(e_nu), mass)
    return codes, np.where(codes == ROUNDED, largest, t)


def bad_entries(codes: Bytes, columns: Mapping[str, Reals]) -> Iterator[tuple[str, Flags, str, str]]:
    """Find the bad entries: those that `classify` finds, and those with a NaN or an impossible angle in other columns.

    Parameters
    ----------
    codes : (N,) uint8 array
    columns : mapping of name to (N,) float32 or float64 array
        The columns that every entry needs, nu-e or not: the reconstructed ones and the weight.

    Yields
    ------
    kind, mask, sentence, column
        The kind of mistake; a (N,) bool array of the entries that have it; a format string over the columns, which says
        what is wrong with one entry; the column to check.
    """
    if codes.max(initial=0) > ROUNDED:
        for code, (kind, sentence, column) in _WRONG.items():
            yield kind, codes == code, sentence, column
    for name, values in columns.items():
        angle = name in ANGLES
        limits = (0.0, math.pi) if angle else (-sys.float_info.max, sys.float_info.max)
        if _within(values, *limits):
            continue
        yield f"{name} not finite", ~np.isfinite(values), f"{name} = {{{name}:g}} is not a number", name
        if angle:
            sentence = f"{name} = {{{name}:g}} rad is not between 0 and pi"
            yield f"{name} no angle", (values < 0.0) | (values > math.pi), sentence, name


def _within(values: Reals, low: float, high: float) -> bool:
    """Tell whether all values lie between two limits, included; NaN does not."""
    return not values.size or (float(values.min()) >= low and float(values.max()) <= high)


def heaviest(columns: Mapping[str, Any], kept: Flags, start: int, where: str) -> dict[str, Heaviest]:
    """Find the heaviest entry of each column of weights.

    Parameters
    ----------
    columns : mapping of name to (K,) or (K, U) array
        A number or a list of numbers per kept entry; other columns are ignored.
    kept : (N,) bool array
        Which entries of the chunk were kept.
    start : int
        Number of the chunk's first entry in its tree.
    where : str
        File and tree, for messages.
    """
    found = {}
    for name, values in columns.items():
        sizes = _sizes(values)
        if sizes is None or not sizes.size:
            continue
        at, squares = _largest(sizes)
        most = float(sizes[at])
        if not math.isfinite(squares):
            continue
        entry = start + (at if sizes.size == kept.size else int(np.flatnonzero(kept)[at]))
        found[name] = Heaviest(weight=most, where=f"{where} entry {entry}", entries=sizes.size, squares=squares)
    return found


def _sizes(values: Any) -> Reals | None:
    """Return for each entry its weight furthest from 0; None for a column without numbers."""
    if isinstance(values, ak.Array):
        if is_text(values) or values.ndim != 2:
            return None
        high, low = (
            ak.to_numpy(ak.fill_none(end(values, axis=1, mask_identity=True), 0.0)) for end in (ak.max, ak.min)
        )
    elif values.dtype.kind not in "fiu" or values.ndim > 2:
        return None
    elif values.ndim == 1:
        reals: Reals = np.ascontiguousarray(values, dtype=None if values.dtype == np.float32 else np.float64)
        return reals
    else:
        high, low = (end.astype(np.float64) for end in (values.max(axis=1), values.min(axis=1)))
    return np.asarray(np.where(high >= -low, high, low), dtype=np.float64)


def _largest(values: Reals) -> tuple[int, float]:
    """Return where the largest absolute value is, and the sum of squares in units of its square; NaN if one is NaN."""
    sizes = np.abs(values)
    at = int(sizes.argmax())
    scale = 1.0 / float(sizes[at]) if sizes[at] > 0.0 else 0.0
    shares = np.multiply(values, scale, dtype=np.float64)
    return at, float(np.square(shares, out=shares).sum())
