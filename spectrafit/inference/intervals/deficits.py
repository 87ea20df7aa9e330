"""Compares data with the expectation without a signal, and says when a deficit made a limit small.

A deficit is told beside a limit of any method if the data lie below the 1 % quantile of their expectation without a
signal (2.33 errors below the boundary), or if the limit lies below the 2-sigma band of its own expectation. The
one-sided limit without CLs, which a deficit empties, is told earlier: see `emptiness.shrunk`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import ndtr, ndtri

from spectrafit.inference.intervals.emptiness import Compared
from spectrafit.inference.intervals.profile_limit import profiled
from spectrafit.inference.intervals.scan import Outcome, Scan
from spectrafit.inference.standing import Standing

__all__ = ["QUANTILE", "lowered", "standing"]

# The share of experiments without a signal whose statistic is lower: below it a deficit is told.
QUANTILE = 0.01


def standing(scan: Scan, level: float, convert: Callable[[float], float]) -> Standing:
    """Return how data stand against the expectation without a signal, by q = 2NLL(null) - 2NLL(best kappa).

    Parameters
    ----------
    scan : Scan
    level : float
        Of the two-sided interval.
    convert : callable
        Kappa to the reported quantity.
    """
    null = 0.0 if scan.lower is None else scan.lower
    q = max(scan.at(null).two_nll - scan.best.two_nll, 0.0)
    significance = math.copysign(math.sqrt(q), scan.kappa - null)
    if scan.lower is None:
        p_value = 2.0 * float(ndtr(-abs(significance)))
        resolved = p_value < 1.0 - level
    else:
        if significance < 0:
            significance = -Compared(scan, "one", cls=False).score(null)
        p_value = float(ndtr(-significance))
        resolved = p_value < 1.0 - level
    interval = None
    if resolved:
        found = profiled(scan, level, "two", cls=False, expected=False, points=False)
        interval = (found.lower, found.kappa)
    reported = None if interval is None else (convert(interval[0]), convert(interval[1]))
    model = scan.problem.model
    return Standing(
        null=null,
        significance=significance,
        p_value=p_value,
        interval=interval,
        reported=reported,
        level=level,
        parameter="kappa" if model.coupling else model.poi,
    )


def lowered(
    scan: Scan, outcome: Outcome, level: float, method: str, found: Standing, show: Callable[[float], str]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return limits on kappa to set beside a limit that a deficit made small, with a note; nothing for other limits.

    Parameters
    ----------
    scan : Scan
    outcome : Outcome
        The limit, with its expected quantiles if they are known.
    level : float
    method : str
        The method of the limit, which is not named as its own remedy. A one-sided "profile" limit has its deficit told
        by `emptiness.shrunk`, so that here "profile" is two-sided.
    found : Standing
    show : callable
        Writes a kappa in the reported unit.
    """
    if scan.lower is None or found.significance >= 0 or outcome.beside:
        return {}, ()
    rare = found.significance < float(ndtri(QUANTILE))
    small = bool(outcome.bands) and outcome.kappa < outcome.bands[0]
    if not (rare or small):
        return {}, ()
    others = {
        "cls": Compared(scan, "one", cls=True).upper(level, scan.lower),
        "feldman-cousins": Compared(scan, "two", cls=False).upper(level, scan.lower),
    }
    # The two-sided profile limit is the asymptotic form of Feldman and Cousins' interval: it is not its own remedy.
    own = "feldman-cousins" if method == "profile" else method.removesuffix("-toys")
    others = {name: kappa for name, kappa in others.items() if name != own}
    why = f"the data fluctuate low, {-found.significance:.1f} errors below the boundary: without a signal " + (
        f"{100 * found.lower_tail:.2g} % of experiments are as low or lower (told below {100 * QUANTILE:g} %)"
        if rare
        else f"97.7 % of such limits are above {show(outcome.bands[0])}"
    )
    instead = ", ".join(f"{name} gives {show(kappa)} (without toys)" for name, kappa in others.items())
    return others, (f"the limit is small because {why}; compare: {instead}",)
