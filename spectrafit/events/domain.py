"""Columns of a chunk in; the entries that are outside the domain of elastic scattering out, by what is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from numba import njit

from spectrafit.events.schema import ANGLES, Floats
from spectrafit.physics.constants import M_E
from spectrafit.physics.kinematics import inside, t_max

__all__ = ["ROUNDING", "bad_entries", "classify"]

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]

ROUNDING = 1e-6
"""Part of `e_nu` by which `t` may exceed the kinematic limit and be taken for it.

float32 keeps 6e-8 of a number, and a total energy, the neutrino's and the generator's electron mass each bring theirs.
"""
ROUNDED = 1
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


def classify(pdg: npt.NDArray[np.int32], e_nu: Floats, t: Floats, theta: Floats | None) -> tuple[Codes, Floats]:
    """Judge the true kinematics of nu-e elastic events.

    Parameters
    ----------
    pdg : (N,) int32 array
        Entries with 0 are no nu-e events, and are all right.
    e_nu, t, theta : (N,) float64 arrays, GeV and rad
        `theta` may be missing.

    Returns
    -------
    codes : (N,) uint8 array
        0 for an entry that is all right, `ROUNDED`, or what `bad_entries` explains.
    t : (N,) float64 array
        With the entries that rounding has put above the kinematic limit set to it.
    """
    codes = np.empty(len(pdg), dtype=np.uint8)
    rounded = _classify(pdg, e_nu, t, np.empty(0) if theta is None else theta, codes)
    return codes, np.where(codes == ROUNDED, t_max(np.abs(e_nu)), t) if rounded else t


@njit(cache=True, nogil=True)
def _classify(pdg: npt.NDArray[np.int32], e_nu: Floats, t: Floats, theta: Floats, codes: Codes) -> int:
    rounded = 0
    for i in range(pdg.size):
        codes[i] = 0
        if pdg[i] == 0:
            continue
        e, k = e_nu[i], t[i]
        if not math.isfinite(e):
            codes[i] = 2
        elif not math.isfinite(k):
            codes[i] = 3
        elif e <= 0.0:
            codes[i] = 4
        elif k <= 0.0:
            codes[i] = 5
        elif not inside(e, k):
            codes[i] = 6
            if k <= 2.0 * e * e / (2.0 * e + M_E) + ROUNDING * e:
                codes[i] = 1
                rounded += 1
        if codes[i] < 2 and theta.size > 0 and not 0.0 <= theta[i] <= math.pi:
            codes[i] = 7
    return rounded


def bad_entries(codes: Codes, columns: Mapping[str, Floats]) -> Iterator[tuple[str, Mask, str, str]]:
    """Find the entries that mean nothing: those `classify` found, and what is no number in any other column.

    Parameters
    ----------
    codes : (N,) uint8 array
    columns : mapping of name to (N,) float64 array
        The columns that count for every entry, nu-e or not: reconstructed ones and the weight.

    Yields
    ------
    kind, mask, sentence, column
        What is wrong; (N,) bool array of where; how to say it of one entry, a format string over the columns; the
        column to check.
    """
    if codes.max(initial=0) > ROUNDED:
        for code, (kind, sentence, column) in _WRONG.items():
            yield kind, codes == code, sentence, column
    for name, values in columns.items():
        # A finite sum has finite terms: one quick look where all is well.
        if not np.isfinite(values.sum()):
            yield f"{name} not finite", ~np.isfinite(values), f"{name} = {{{name}:g}} is not a number", name
        if name in ANGLES and len(values) and not (values.min() >= 0.0 and values.max() <= np.pi):
            sentence = f"{name} = {{{name}:g}} rad is not between 0 and pi"
            yield f"{name} no angle", (values < 0.0) | (values > np.pi), sentence, name
