"""Neyman's construction with toys: Feldman-Cousins intervals and CLs limits, with their errors from finite toys.

p(kappa) is the fraction of toys of that kappa whose statistic is at least the data's. Feldman and Cousins (PRD 57, 3873
(1998)) order by t~, the likelihood ratio to the best physical kappa. They accept kappa where p > 1 - level, and the
limit is the largest accepted kappa. CLs (A. L. Read, J. Phys. G 28, 2693 (2002)) divides p of q~ by the p of toys of
kappa = 0. The statistics are those of Cowan et al. (arXiv:1007.1727).

Nuisances are thrown at their best fit for each kappa, or from their constraints (see the module `ensemble` of
`spectrafit.inference.toys`). The first way, the profiled construction, is NOvA's (arXiv:2207.14353).

Toys of several kappas are one mixture, in which each counts for every kappa (`spectrafit.inference.toys.mixture`). A
survey of few toys finds p on a grid. At each end of the interval toys are then thrown from the kappa there and from one
on either side, which fill the tails that decide p. They are fitted at three kappas, and a parabola through the normal
scores of p there gives the end. Every toy tells of all three kappas, so that they fluctuate together.
"""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
from scipy.special import ndtri

from spectrafit.arraytypes import Floats
from spectrafit.errors import DataError
from spectrafit.inference.intervals import one_bin
from spectrafit.inference.intervals.construction import Construction
from spectrafit.inference.intervals.ends import line, through
from spectrafit.inference.intervals.one_bin import PROBABILITIES, enumerated, last_crossings
from spectrafit.inference.intervals.scan import UNBOUNDED, Outcome, Scan
from spectrafit.inference.toys.ensemble import Ensemble
from spectrafit.inference.toys.mixture import TIE, distance
from spectrafit.inference.toys.options import ToyOptions

__all__ = ["belt"]

_GRID = 20
_LONGER = 3  # how often the grid is made longer
_SURVEY = 100  # toys of each truth in the survey, or this share of all
_SHARE = 40
_EXPECTED = 500  # toys of kappa = 0 whose own limits make the expected quantiles
# In standard deviations of what tells two kappas apart:
_NEAR = 1.5  # truths of the survey
_TAILS = 1.6  # truths on either side of an end of the interval
_STEP = 0.25  # tested kappas there, at most
_FINEST = 10.0  # parts of the grid's step


class _Survey:
    """p on a grid of kappas, from few toys: says between which kappas the ends of the interval lie.

    The truths are kappas of the grid, so near to each other that no kappa is far from one.
    """

    def __init__(self, found: Construction, grid: Floats, *, expected: bool) -> None:
        self.found, self.low, self.step = found, float(grid[0]), float(grid[1] - grid[0])
        self.grid = grid[1:] if found.cls else grid
        most, known = found.how.toys, {float(kappa): found.ensemble(float(kappa)) for kappa in grid}
        truths = {
            known[kappa].digest: (known[kappa], min(most, max(_SURVEY, most // _SHARE))) for kappa in _chain(known)
        }
        null = found.ensemble(found.origin)
        if expected or found.cls:
            truths[null.digest] = null, min(most, max(_EXPECTED, most // _SHARE))
        self.toys = found.mixture(list(truths.values()), self.grid)
        self.expects = expected
        own = [digest == null.digest for digest in truths]
        self.null = self.toys.statistic[np.array(own)[self.toys.strata]]
        found.record(self.toys)
        points = [found.points[float(kappa)] for kappa in self.grid]
        self.statistic, self.p, self.p_error = (
            np.array([getattr(point, name) for point in points]) for name in ("statistic", "p_value", "p_error")
        )

    @property
    def open(self) -> list[int]:
        """The ends of the grid that the interval goes beyond: 0 where kappa has no boundary, -1."""
        ends = [-1] if self.found.scan.lower is not None or self.found.cls else [0, -1]
        return [end for end in ends if self.p[end] > 1.0 - self.found.level]

    def unlike_null(self) -> bool:
        """Return whether no toy of kappa = 0 is as low as the data where the grid ends."""
        return self.found.cls and bool(np.all(self.null[:, -2:].max(axis=0) < self.statistic[-2:] - TIE))

    def expected(self) -> tuple[float, ...]:
        """Return the quantiles of the limits of toys of the boundary, by interpolation in the grid."""
        if not self.expects:
            return ()
        table = self.null[:_EXPECTED]
        p = np.stack(
            [self.found.p_values(self.toys, column, table[:, column]) for column in range(len(self.grid))], axis=1
        )
        quantiles = np.quantile(last_crossings(self.grid, p, 1.0 - self.found.level), PROBABILITIES)
        return tuple(float(q) for q in quantiles)

    def end(self, *, last: bool) -> tuple[float, float]:
        """Return the upper (or lower) end of the interval and its error, from toys thrown around it."""
        found, alpha = self.found, 1.0 - self.found.level
        accepted = np.flatnonzero(self.p > alpha)
        if accepted.size == 0:
            return found.origin, found.scan.error
        edge, target = int(accepted[-1] if last else accepted[0]), float(ndtri(alpha))
        kappa, error = line(self.grid, self.p, self.p_error, target, edge, last=last)
        middle = self.grid[edge]
        near = distance(found.ensemble(middle), found.ensemble(middle + self.step, like=found.ensemble(middle)))
        # Tested kappas lie on a lattice, so that machines that share a limit agree on them.
        step = self.step / max(math.ceil(min(near / _STEP, _FINEST)), 1)
        first = 1 + found.cls if found.scan.lower is not None else -math.inf
        for _ in range(3):
            place = max(round((kappa - self.low) / step), first)
            tested = self.low + step * np.arange(place - 1.0, place + 2.0)
            toys = found.mixture(self._around(step, int(place)), tested)
            influences = found.record(toys)
            p = np.array([found.points[float(kappa)].p_value for kappa in tested])
            kappa, slopes, apart = through(tested, p, target, last=last)
            if not math.isfinite(apart):
                return kappa, max(error, 2.0 * step)
            error = math.hypot(toys.error(slopes @ influences), apart)
            if abs(kappa - tested[1]) <= 1.5 * step or (place == first and kappa < tested[1]):
                break
            kappa = float(np.clip(kappa, tested[1] - 8.0 * step, tested[1] + 8.0 * step))
        return max(kappa, found.lower), error

    def _around(self, step: float, place: int) -> list[tuple[Ensemble, int]]:
        """Return truths whose toys fill the tails of the statistic at one place of the lattice, and how many of each.

        CLs asks for the lower tail alone, and for toys of kappa = 0.
        """
        found, most = self.found, self.found.how.toys
        middle = found.ensemble(self.low + step * place)
        truths = {middle.digest: (middle, max(most // 2, 1))}
        for side in (-1,) if found.cls else (-1, 1):
            outer = middle
            for away in range(1, 1000):
                kappa = self.low + step * (place + side * away)
                if kappa < found.lower:
                    break
                trial = found.ensemble(kappa, like=middle)
                apart = distance(middle, trial)
                if not math.isfinite(apart):
                    break
                outer = trial
                if apart >= _TAILS:
                    break
            truths[outer.digest] = outer, most
        if found.cls:
            null = found.ensemble(found.origin)
            truths[null.digest] = null, most
        return list(truths.values())


def _chain(truths: dict[float, Ensemble]) -> list[float]:
    """Return kappas of which every next one is near: the first, the last, and as few as possible between."""
    kappas = list(truths)
    chain = kappas[:1]
    for before, kappa in itertools.pairwise(kappas):
        if before != chain[-1] and distance(truths[chain[-1]], truths[kappa]) > _NEAR:
            chain.append(before)
    return [*chain, kappas[-1]]


def belt(scan: Scan, level: float, how: ToyOptions, *, cls: bool, expected: bool) -> Outcome:
    """Return the Feldman-Cousins interval, or the CLs upper limit.

    Parameters
    ----------
    scan : Scan
    level : float
    how : ToyOptions
    cls : bool
        CLs instead of Feldman-Cousins.
    expected : bool
        Whether to add the expected quantiles: limits of toys of the boundary.

    Raises
    ------
    DataError
        More toy fits failed than `MOST_FAILED`, the toys stand for too few of a kappa, or p never falls to 1 - level.
    """
    model = scan.problem.model
    sides = "one" if cls else "two"
    statistic = (
        "q~ = 2NLL(kappa) - 2NLL(best kappa >= 0), 0 if the best kappa is above the tested one; CLs = p(kappa) / p(0)"
        if cls
        else "t~ = 2NLL(kappa) - 2NLL(best kappa >= 0), ordering of Feldman and Cousins"
    )
    nuisances = {
        "profiled": "nuisances at their best fit for each kappa, auxiliary measurements thrown",
        "prior": "nuisances thrown from their constraints",
    }[how.ensemble]
    boundary = "kappa >= 0 in the statistic"
    if scan.lower is None:
        statistic, boundary = statistic.replace("t~", "t").replace(" >= 0", ""), UNBOUNDED
    origin = scan.lower if scan.lower is not None else 0.0
    reference = scan.asymptotic_top(level, sides)
    if scan.lower is not None and one_bin.possible(model, how.ensemble, mc=how.mc):
        outcome = enumerated(scan, level, how.ensemble, reference, mc=how.mc, cls=cls, expected=expected)
        words = "" if how.ensemble == "profiled" else f", {nuisances}: P(n) averaged in the ratio too"
        return dataclasses.replace(outcome, statistic=f"{statistic}; counts enumerated{words}", boundary=boundary)
    # The grid ends a little beyond the asymptotic limit of data two sigma high: the crossing is nearly always inside.
    low = origin if scan.lower is not None or cls else 2.0 * scan.kappa - reference
    found = Construction(scan, how, level, cls=cls)
    grid = np.linspace(low, low + 1.1 * (reference - low), _GRID)
    survey = _Survey(found, grid, expected=expected)
    for _ in range(_LONGER):
        if not survey.open:
            break
        # The grid ends too early.
        more = 0.3 * (grid[-1] - grid[0])
        low, top = (float(grid[end]) + more * (2 * side - 1) * (end in survey.open) for side, end in enumerate((0, -1)))
        grid = np.linspace(low, top, _GRID)
        survey = _Survey(found, grid, expected=expected)
    if survey.open:
        raise DataError(_without_end(survey))
    upper = survey.end(last=True)
    # The interval is two-sided only if it excludes the boundary. This is how the unified ordering avoids a choice
    # between a limit and an interval after a look at the data.
    lower = survey.end(last=False)[0] if not cls and survey.p[0] < 1.0 - level else low
    found.save()
    return Outcome(
        kappa=upper[0],
        lower=lower,
        statistic=f"{statistic}; {how.toys} toys of each truth in a mixture, {nuisances}",
        boundary=boundary,
        error=upper[1],
        bands=survey.expected(),
        how=f"{min(how.toys, _EXPECTED)} toys of kappa = 0",
        points=found.table(),
        ledger=found.ledger,
    )


def _without_end(survey: _Survey) -> str:
    """Return why there is no limit."""
    if survey.unlike_null():
        return (
            f"no limit: none of {len(survey.null)} toys of kappa = 0 is as low as the data, so toys cannot give CLs, "
            "p(kappa) / p(0); the data lie far below the expectation without a signal: look at the fit, throw many "
            "more toys, or use cls or bayes"
        )
    end = survey.open[-1]
    return (
        f"no limit: p is still {survey.p[end]:.2g} at kappa = {survey.grid[end]:.4g}; the data say next to nothing "
        "about kappa"
    )
