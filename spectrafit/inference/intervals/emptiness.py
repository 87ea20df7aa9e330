"""Decides whether an asymptotic interval is empty, and says when a limit owes its size to a deficit in the data.

Where the best kappa is far below the boundary, the one-sided interval without CLs is empty: p of every physical kappa
is below 1 - level. Next to the boundary q~ and q_A vanish, and their computed values are rounding. Their normal score

    (q~ + q_A) / (2 sqrt(q_A))  ->  (d 2NLL / d kappa) sigma_A / 2  =  (boundary - best kappa) / sigma

has a limit there all the same, and runs linearly in kappa where kappa_hat is normal. `Compared` takes the score where
2NLL can be resolved, at a few hundredths of the error of the Asimov data, and continues it as a straight line from
there to the boundary. The error of the data themselves is no scale for this: a fit that ends where the prediction runs
out has an error of almost nothing.

A limit is told to owe its size to a deficit when it lies below the 2-sigma band that Feldman and Cousins' interval
would have (in its asymptotic form): 0.40 errors of the Asimov data. Without a signal 97.7 % of their limits are larger.
(The band of the one-sided limit itself has its lower edge on the boundary, because such limits are empty from 1.28
errors below on; the band of CLs begins at 0.84 errors, where a third of all one-sided limits lie.)
"""

from __future__ import annotations

import math

from scipy.special import ndtr

from spectrafit.inference.intervals import asymptotic
from spectrafit.inference.intervals.scan import Scan, beyond
from spectrafit.physics.couplings import COUPLINGS

__all__ = ["Compared", "shrunk"]

# In errors of the Asimov data: closer to the boundary than twice this the score is taken as a straight line.
_RESOLVED = 0.02
# An interval that is empty at the boundary is looked for again at these distances, in the same unit.
_FARTHER = (0.1, 0.3, 1.0)
# The lower edge of the 2-sigma band.
_DEEP = -2.0
# Fluctuations of the data move the band by some percent: a limit may lie below the nominal band but not below its own.
_MARGIN = 1.15


class Compared:
    """p-values of a scan with a boundary against its Asimov data.

    Parameters
    ----------
    scan : Scan
        With a boundary.
    sides : {"one", "two"}
    cls : bool
        CLs instead of p.
    reference : Scan, optional
        The Asimov data's, if it is known.

    Attributes
    ----------
    reference : Scan
        The Asimov data of the boundary.
    deficit : bool
        Whether the best kappa lies on the boundary or below.
    """

    def __init__(self, scan: Scan, sides: str, *, cls: bool, reference: Scan | None = None) -> None:
        self.scan, self.sides, self.cls = scan, sides, cls
        self.reference = scan.asimov() if reference is None else reference
        self.lower = float(scan.lower or 0.0)
        self.deficit = scan.kappa <= self.lower
        self.near = _RESOLVED * self.reference.error

    def root(self, kappa: float) -> float:
        """Return the root of q_A, straight next to the boundary."""
        distance = kappa - self.lower
        if distance >= 2.0 * self.near:
            return math.sqrt(self.reference.statistic(kappa, self.sides))
        far = math.sqrt(self.reference.statistic(self.lower + 2.0 * self.near, self.sides))
        return far * distance / (2.0 * self.near)

    def score(self, kappa: float) -> float:
        """Return the normal score of the data, (kappa - best kappa) / sigma."""
        distance = kappa - self.lower
        if not self.deficit or distance >= 2.0 * self.near:
            statistic = self.scan.statistic(kappa, self.sides)
            # On the boundary q_A is 0, so a statistic above 0 has p = 0 there.
            if distance <= 0.0 < statistic:
                return math.inf
            return float(asymptotic.normal_score(statistic, self.root(kappa) ** 2))
        places = (self.lower + self.near, self.lower + 2.0 * self.near)
        first, second = (
            float(asymptotic.normal_score(*(of.statistic(place, self.sides) for of in (self.scan, self.reference))))
            for place in places
        )
        return first + (second - first) * (distance / self.near - 1.0)

    def logarithm(self, kappa: float) -> float:
        """Return ln p (or CLs) of the data at kappa."""
        score = self.score(kappa)
        if self.cls:
            p = float(asymptotic.cls_of(score, self.root(kappa)))
        elif self.sides == "one":
            p = float(ndtr(-score))
        else:
            p = float(ndtr(-math.sqrt(self.scan.statistic(kappa, self.sides))) + ndtr(-score))
        return math.log(max(p, 1e-300))

    def expected(self, kappa: float, sigma: float) -> float:
        """Return ln p (or CLs) at kappa of data whose best kappa is `sigma` errors above the boundary."""
        root = self.root(kappa)
        statistic = asymptotic.expected_statistic(root * root, sigma, sides=self.sides)
        score = root - sigma if sigma < 0 else float(asymptotic.normal_score(statistic, root * root))
        if self.cls:
            p = asymptotic.cls_of(score, root)
        else:
            p = ndtr(-score) + (ndtr(-math.sqrt(float(statistic))) if self.sides == "two" else 0.0)
        return math.log(max(float(p), 1e-300))

    def band(self, sigma: float, level: float) -> float:
        """Return the expected limit of such data."""
        wanted = math.log(1.0 - level)
        # Two-sided intervals of high data do not reach down to the boundary: begin at their best kappa.
        start = self.lower + max(sigma, 0.0) * self.reference.error
        if self.expected(start, sigma) < wanted:
            return self.lower
        return beyond(lambda kappa: self.expected(kappa, sigma) - wanted, start, self.reference.error)

    def start(self, level: float) -> float | None:
        """Return a kappa inside the interval, None if the interval is empty.

        Asked at the boundary first, then farther up to one error of the Asimov data, where p could rise again.
        """
        wanted = math.log(1.0 - level)
        tried = (self.lower + share * self.reference.error for share in (0.0, *_FARTHER))
        return (
            next((kappa for kappa in tried if self.logarithm(kappa) >= wanted), None)
            if self.deficit
            else self.scan.kappa
        )

    def upper(self, level: float, start: float) -> float:
        """Return where p falls to 1 - level above `start`, which is inside; inf if it does not."""
        wanted = math.log(1.0 - level)
        step = self.reference.error if self.deficit else self.scan.error
        return beyond(lambda kappa: self.logarithm(kappa) - wanted, start, step)


def _reported(scan: Scan, kappa: float) -> str:
    """Return a value of kappa in the unit the coupling is reported in."""
    name = scan.problem.model.coupling
    if not name:
        return f"{kappa:.4g}"
    return f"{COUPLINGS[name].reported(kappa):.4g} {COUPLINGS[name].unit}".strip()


def shrunk(tested: Compared, level: float, kappa: float, *, empty: bool) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return limits to use in place of a limit that a deficit made small, and a note; nothing for any other limit.

    Parameters
    ----------
    tested : Compared
        Without CLs.
    level : float
    kappa : float
        The limit.
    empty : bool

    Returns
    -------
    dict of str to float, tuple of str
        Limits on kappa by method: CLs, and the bounded two-sided profile likelihood, which is the asymptotic form of
        Feldman and Cousins' interval. Then the notes.
    """
    if not tested.deficit or tested.cls or tested.sides == "two":
        return {}, ()
    both = Compared(tested.scan, "two", cls=False, reference=tested.reference)
    edge = both.band(_DEEP, level)
    if not empty and kappa - tested.lower >= _MARGIN * (edge - tested.lower):
        return {}, ()
    other = Compared(tested.scan, "one", cls=True, reference=tested.reference)
    found = {"cls": other.upper(level, tested.lower), "feldman-cousins": both.upper(level, tested.lower)}
    low = tested.score(tested.lower)
    scan, percent = tested.scan, f"{100 * level:g} %"
    instead = (
        f"use cls or feldman-cousins, which do not give an empty interval: cls gives {_reported(scan, found['cls'])}, "
        f"feldman-cousins about {_reported(scan, found['feldman-cousins'])} (without toys)"
    )
    if empty:
        return found, (
            f"the interval is empty: the data fluctuate so low ({low:.1f} errors below the boundary) that every "
            f"physical kappa is excluded at {percent}; the {_reported(scan, kappa)} given is the boundary, no limit; "
            f"{instead}",
        )
    return found, (
        f"the limit is small because the data fluctuate low ({low:.1f} errors below the boundary), not because the "
        f"measurement is that sensitive: without a signal 97.7 % of feldman-cousins limits are above "
        f"{_reported(scan, edge)}; "
        f"{instead}",
    )
