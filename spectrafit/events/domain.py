"""Columns of a chunk in, the entries that are outside the domain of elastic scattering out, by what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from spectrafit.events.schema import ANGLES, Floats
from spectrafit.physics.kinematics import t_max

__all__ = ["ROUNDING", "bad_entries", "to_limit"]

Mask = npt.NDArray[np.bool_]

ROUNDING = 1e-6
"""Part of `e_nu` by which `t` may exceed the kinematic limit and be taken for it.

float32 keeps 6e-8 of a number, and a total energy, the neutrino's and the generator's electron mass each bring theirs.
"""


def to_limit(e_nu: Floats, t: Floats, elastic: Mask) -> tuple[Floats, int]:
    """Set `t` to the kinematic limit where rounding put it above; return it and how many those were.

    Parameters
    ----------
    e_nu, t : (N,) float64 arrays, GeV
    elastic : (N,) bool array
        Entries that are nu-e elastic; others are left alone.
    """
    limit = t_max(np.where(e_nu >= 0.0, e_nu, np.nan))
    rounded = elastic & (t > limit) & (t <= limit + ROUNDING * e_nu)
    return (np.where(rounded, limit, t), int(rounded.sum())) if rounded.any() else (t, 0)


def bad_entries(columns: Mapping[str, Floats], elastic: Mask, kept: Mask) -> Iterator[tuple[str, Mask, str, str]]:
    """Find the entries that mean nothing.

    Parameters
    ----------
    columns : mapping of canonical name to (N,) array
    elastic : (N,) bool array
        nu-e elastic signal entries, whose true kinematics must be those of elastic scattering.
    kept : (N,) bool array
        Entries that are looked at.

    Yields
    ------
    kind, mask, sentence, column
        What is wrong; (N,) bool array of where; how to say it of one entry, a format string over the columns; the
        column to check.
    """
    truth = ("e_nu", "t", "theta")
    for name, values in columns.items():
        looked_at = kept & elastic if name in truth else kept
        yield f"{name} not finite", looked_at & ~np.isfinite(values), f"{name} = {{{name}:g}} is not a number", name
    if "e_nu" not in columns or "t" not in columns:
        return
    e_nu, t = columns["e_nu"], columns["t"]
    elastic = kept & elastic
    with np.errstate(invalid="ignore"):
        for name in ("e_nu", "t"):
            sentence = f"{name} = {{{name}:g}} GeV is not positive"
            yield f"{name} not positive", elastic & (columns[name] <= 0.0), sentence, name
        limit = t_max(np.where(e_nu >= 0.0, e_nu, np.nan))
        above = elastic & (e_nu > 0.0) & (t > limit)
        yield (
            "t above the kinematic limit",
            above,
            "t = {t:.9g} GeV exceeds the kinematic limit {limit:.9g} GeV for e_nu = {e_nu:.9g} GeV",
            "t",
        )
        for name in ANGLES:
            if name in columns:
                values = columns[name]
                outside = (elastic if name == "theta" else kept) & ((values < 0.0) | (values > np.pi))
                yield f"{name} no angle", outside, f"{name} = {{{name}:g}} rad is not between 0 and pi", name
