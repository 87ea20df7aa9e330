"""Whether a method's interval holds one value of kappa: the question that a study of coverage asks of each experiment.

The interval holds the true kappa if the method accepts that value, so the interval itself is not needed. A test with
toys uses p = (toys above + 1) / (toys + 1). It rejects the truth with probability alpha exactly, if alpha is a multiple
of 1 / (toys + 1) (Dwass, Ann. Math. Stat. 28, 181).
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from spectrafit.inference.intervals import asymptotic
from spectrafit.inference.intervals.bayes import posterior_limit
from spectrafit.inference.intervals.emptiness import Compared
from spectrafit.inference.intervals.scan import Scan
from spectrafit.inference.results import Ledger
from spectrafit.inference.toys.ensemble import Batch, bounded_ratio, ensemble, throw_and_fit
from spectrafit.inference.toys.options import ToyOptions

__all__ = ["Question", "asymptotically", "by_posterior", "by_toys"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """Does the interval of one experiment hold one kappa? The experiment's scan, kappa, and the interval's options."""

    scan: Scan
    kappa: float
    level: float
    sides: str
    toys: ToyOptions

    @property
    def tested(self) -> float:
        """Kappa, on the boundary if it lies below."""
        lower = self.scan.lower
        return self.kappa if lower is None else max(self.kappa, lower)


def asymptotically(question: Question, *, cls: bool) -> tuple[bool, Ledger]:
    """Return whether p (or CLs) of the bounded likelihood ratio is above 1 - level."""
    scan, sides = question.scan, question.sides
    if scan.lower is not None:
        # Next to the boundary both statistics are rounding. Their normal score still tells if the interval is empty.
        logarithm = Compared(scan, sides, cls=cls).logarithm(question.tested)
        return logarithm > math.log(1.0 - question.level), Ledger()
    p = asymptotic.unbounded(scan.statistic(question.tested, sides)) * (1.0 if sides == "two" else 0.5)
    return bool(p > 1.0 - question.level), Ledger()


def by_posterior(question: Question, *, root: bool) -> tuple[bool, Ledger]:
    """Return whether the credible upper limit is above kappa."""
    return posterior_limit(question.scan, question.level, root=root) >= question.tested, Ledger()


def by_toys(question: Question, *, cls: bool) -> tuple[bool, Ledger]:
    """Return whether p (or CLs) is above 1 - level, with toys thrown from the experiment's own fit."""
    statistic = question.scan.statistic(question.tested, question.sides)
    p, ledger = _tail(question, question.tested, statistic, cls=cls)
    if cls:
        below, more = _tail(question, question.scan.lower or 0.0, statistic, cls=cls)
        p, ledger = p / below, ledger + more
    return p > 1.0 - question.level, ledger


def _tail(question: Question, truth: float, statistic: float, *, cls: bool) -> tuple[float, Ledger]:
    """Return the share of toys of one truth at or above the statistic."""
    scan, how = question.scan, question.toys
    of = ensemble(
        scan.problem.model,
        scan.at(truth).values,
        kind=how.ensemble,
        mc=how.mc,
        seed=how.seed,
        measured=scan.problem.observed,
        lower=-math.inf if scan.lower is None else scan.lower,
    )
    tested = np.array([question.tested])
    rows, ledger = throw_and_fit(Batch(ensemble=of, kappas=tested, first=0, count=how.toys, referee=False))
    ratio = bounded_ratio(rows[np.isfinite(rows[:, 0])], tested, cls=cls)[:, 0]
    return float((np.sum(ratio >= statistic - 1e-6) + 1) / (len(ratio) + 1)), ledger
