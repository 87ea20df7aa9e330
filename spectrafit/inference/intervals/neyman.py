"""Neyman's construction with toys: Feldman-Cousins intervals and CLs limits, with their errors from finite toys.

p(kappa) is the fraction of toys of that kappa whose statistic is at least the data's. Feldman and Cousins (PRD 57, 3873
(1998)) order by t~, the likelihood ratio to the best physical kappa. They accept kappa where p > 1 - level, and the
limit is the largest accepted kappa. CLs (A. L. Read, J. Phys. G 28, 2693 (2002)) divides p of q~ by the p of toys of
kappa = 0. The statistics are those of Cowan et al. (arXiv:1007.1727).

Nuisances are thrown at their best fit for each kappa, or from their constraints (see the module `ensemble` of
`spectrafit.inference.toys`). The first way, the profiled construction, is NOvA's (arXiv:2207.14353).

A fit per toy is dear, so p is found at few kappas: on a grid, then at points around the crossing. A weighted straight
line through the normal scores of p gives the limit, and its error from the finite number of toys.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy.special import ndtri

from spectrafit.arraytypes import Flags, Floats
from spectrafit.errors import DataError
from spectrafit.inference.intervals import one_bin as counting
from spectrafit.inference.intervals.one_bin import PROBABILITIES, enumerated, last_crossings
from spectrafit.inference.intervals.scan import UNBOUNDED, Outcome, Scan
from spectrafit.inference.results import Ledger
from spectrafit.inference.toys.bank import Bank
from spectrafit.inference.toys.ensemble import Ensemble, bounded_ratio, ensemble
from spectrafit.inference.toys.options import ToyOptions

__all__ = ["MOST_FAILED", "belt"]


# Rate of failed or disputed toy fits above which no limit is given.
MOST_FAILED = 0.01
_GRID = 20
_TIE = 1e-6
_EXPECTED = 500  # toys of kappa = 0 whose own limits make the expected quantiles


class _Belt:
    """Toys of one scan: thrown when they are first needed, then kept."""

    def __init__(self, scan: Scan, how: ToyOptions, *, cls: bool) -> None:
        self.scan, self.how, self.cls = scan, how, cls
        self.model = scan.problem.model
        self.lower = scan.lower if scan.lower is not None else -math.inf
        self.origin = scan.lower if scan.lower is not None else 0.0
        self.ledger = Ledger()
        self.bank = Bank(digest=scan.problem.likelihood.digest, first=how.first_toy)
        for place, path in enumerate(how.files):
            # New toys are saved to the first file, so this one need not exist yet.
            if place or path.exists():
                self.bank = self.bank + Bank.load(path, model=self.model)
        self.known: dict[float, Floats] = {}
        self.known_null: dict[float, Floats] = {}

    def _ensemble(self, kappa: float) -> Ensemble:
        values = self.scan.at(kappa).values
        how, seen = self.how, self.scan.problem.observed
        return ensemble(
            self.model, values, kind=how.ensemble, mc=how.mc, seed=how.seed, measured=seen, lower=self.lower
        )

    def _rows(self, truth: float, tested: Floats, toys: int) -> Floats:
        """Return the statistic of toys of one truth at the tested kappas: (toys, G), failed ones left out."""
        how = self.how
        record, self.bank = self.bank.topped_up(
            self._ensemble(truth), tested, toys, executor=how.executor, workers=how.workers
        )
        self.ledger = self.ledger + record.ledger
        if self.ledger.rate > MOST_FAILED:
            failed = f"; look at toys {', '.join(map(str, self.ledger.toys))}" if self.ledger.toys else ""
            look = failed or "; the expectation may be too small to be fitted: use bayes, or wider bins"
            raise DataError(
                f"no limit: {100 * self.ledger.rate:.1f} % of the toy fits failed or were disputed (at most "
                f"{100 * MOST_FAILED:g} %): {self.ledger}{look}"
            )
        rows = record.rows[np.isfinite(record.rows[:, 0])]
        return bounded_ratio(rows, tested, cls=self.cls)

    def at(self, kappa: float) -> Floats:
        """Return the sorted statistic of toys of kappa, at kappa."""
        if kappa not in self.known:
            self.known[kappa] = np.sort(self._rows(kappa, np.array([kappa]), self.how.toys)[:, 0])
        return self.known[kappa]

    def null(self, kappas: Floats) -> Floats:
        """Return the statistic of toys of the boundary at every kappa, (toys, G)."""
        toys = self.how.toys if self.cls else min(self.how.toys, _EXPECTED)
        table = self._rows(self.origin, kappas, toys)
        for j, kappa in enumerate(kappas):
            self.known_null[float(kappa)] = np.sort(table[:, j])
        return table

    def p_value(self, kappa: float, statistic: Floats) -> tuple[Floats, Floats]:
        """Return p (or CLs) at kappa for values of the statistic, and its error from the number of toys."""
        p, error = _tail(self.at(kappa), statistic)
        if not self.cls:
            return p, error
        below, below_error = _tail(self.known_null[kappa], statistic)
        ratio = p / below
        return ratio, ratio * np.hypot(error / np.maximum(p, 1e-300), below_error / below)

    def save(self) -> None:
        if self.how.bank:
            self.bank.save(self.how.files[0])


def _tail(ordered: Floats, statistic: Floats) -> tuple[Floats, Floats]:
    """Return the fraction of toys at or above the statistic, and its binomial error.

    The fraction is at least that of one toy: n toys cannot show that p is smaller than 1 / n. `_TIE` lets equal values
    of the statistic count as equal, since a discrete distribution has many and each fit rounds differently.
    """
    n = len(ordered)
    p = np.maximum(n - np.searchsorted(ordered, np.asarray(statistic) - _TIE), 1) / n
    return p, np.sqrt(np.maximum(p * (1.0 - p), 1.0 / n) / n)


def _quantile(ordered: Floats, level: float) -> tuple[float, float]:
    """Return a quantile and its error: half the distance between the quantiles one binomial error to either side."""
    shift = math.sqrt(level * (1.0 - level) / len(ordered))
    low, middle, high = np.quantile(ordered, np.clip([level - shift, level, level + shift], 0.0, 1.0))
    return float(middle), 0.5 * float(high - low)


def belt(scan: Scan, level: float, how: ToyOptions, *, cls: bool, expected: bool) -> Outcome:
    """Return the Feldman-Cousins interval, or the CLs upper limit.

    Parameters
    ----------
    scan : Scan
    level : float
    how : Toys
    cls : bool
        CLs instead of Feldman-Cousins.
    expected : bool
        Whether to add the expected quantiles: limits of toys of the boundary.

    Raises
    ------
    DataError
        More toy fits failed than `MOST_FAILED`.
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
    if scan.lower is not None and counting.possible(model, how.ensemble, mc=how.mc):
        outcome = enumerated(scan, level, how.ensemble, reference, mc=how.mc, cls=cls, expected=expected)
        words = "" if how.ensemble == "profiled" else f", {nuisances}: P(n) averaged in the ratio too"
        return dataclasses.replace(outcome, statistic=f"{statistic}; counts enumerated{words}", boundary=boundary)
    # The grid ends a little beyond the asymptotic limit of data two sigma high: the crossing is nearly always inside.
    found = _Belt(scan, how, cls=cls)
    low = origin if scan.lower is not None or cls else 2.0 * scan.kappa - reference
    grid = np.linspace(low, low + 1.1 * (reference - low), _GRID)
    if cls:
        grid = grid[1:]
    data = {float(k): scan.statistic(float(k), sides) for k in grid}
    null = found.null(grid) if cls or expected else None
    upper = _cross(found, data, 1.0 - level, scan.error, last=True)
    # The interval is two-sided only if it excludes the boundary. This is how the unified ordering avoids a choice
    # between a limit and an interval after a look at the data.
    lower = low
    if not cls and found.p_value(float(grid[0]), np.array([data[float(grid[0])]]))[0][0] < 1.0 - level:
        lower = _cross(found, data, 1.0 - level, scan.error, last=False)[0]
    bands: tuple[float, ...] = ()
    if expected and null is not None:
        bands = _expected(found, grid, null, 1.0 - level)
    found.save()
    kappas = np.array(sorted(data))
    statistics = np.array([data[k] for k in kappas])
    p_values = np.array([found.p_value(k, np.array([t])) for k, t in zip(kappas, statistics, strict=True)])[..., 0]
    critical, critical_error = np.array([_quantile(found.at(k), level) for k in kappas]).T
    return Outcome(
        kappa=upper[0],
        lower=lower,
        statistic=f"{statistic}; {how.toys} toys at each kappa, {nuisances}",
        boundary=boundary,
        error=upper[1],
        bands=bands,
        how=f"{min(how.toys, _EXPECTED)} toys of kappa = 0",
        points={
            "kappa": kappas,
            "statistic": statistics,
            "p_value": p_values[:, 0],
            "p_error": p_values[:, 1],
            **({} if cls else {"critical": critical, "critical_error": critical_error}),
        },
        ledger=found.ledger,
    )


def _cross(found: _Belt, data: dict[float, float], alpha: float, error: float, *, last: bool) -> tuple[float, float]:
    """Return the kappa at which p crosses alpha (the last time, or the first), and its error; adds points to `data`.

    Two rounds of new points come before the answer. Where the grid ends too early, a round makes it longer. Otherwise
    the round puts points around the crossing that is known so far.
    """
    sides = "one" if found.cls else "two"
    target = float(ndtri(alpha))
    centre, width = math.nan, math.nan
    for extra in range(3):
        kappas = np.array(sorted(data))
        statistic = np.array([data[k] for k in kappas])
        values = np.array([found.p_value(k, np.array([t])) for k, t in zip(kappas, statistic, strict=True)])[..., 0]
        p, p_error = values.T
        accepted = np.flatnonzero(p > alpha)
        if accepted.size == 0:
            return found.origin, error
        edge = int(accepted[-1] if last else accepted[0])
        if last and edge == len(kappas) - 1:
            # Even the last point is accepted: the grid ends too early.
            fresh = kappas[-1] + (kappas[-1] - kappas[0]) * np.array([0.15, 0.3])
        else:
            centre, width = _line(kappas, p, p_error, target, edge, last=last)
            if extra == 2:
                return centre, width
            span = max(3.0 * width, 0.02 * abs(kappas[-1] - kappas[0]))
            fresh = centre + span * (np.array([-1.0, 1.0]) if extra else np.array([-1.5, -0.5, 0.5, 1.5]))
            fresh = np.maximum(fresh, found.origin + 1e-3 * error) if found.scan.lower is not None else fresh
        for kappa in map(float, fresh):
            data[kappa] = found.scan.statistic(kappa, sides)
        if found.cls:
            found.null(fresh)
    if math.isnan(centre):
        if found.cls and all(found.known_null[k][-1] < data[k] - _TIE for k in map(float, kappas[-2:])):
            raise DataError(
                f"no limit: none of {found.how.toys} toys of kappa = 0 is as low as the data, so toys cannot give CLs, "
                "p(kappa) / p(0); the data lie far below the expectation without a signal: look at the fit, throw many "
                "more toys, or use cls or bayes"
            )
        raise DataError(
            f"no limit: p is still {p[-1]:.2g} at kappa = {kappas[-1]:.4g}; the data say next to nothing about kappa"
        )
    return centre, width


def _reach(near: Flags, kappas: Floats, middle: float, edge: int, *, last: bool) -> float:
    """Return how far from the crossing the accepted points extend without a gap in `near`.

    The line uses points on the other side of the crossing up to the same distance only: farther out, where a second
    minimum begins, p may stay near alpha.
    """
    i = edge
    while 0 <= i < len(near) and near[i]:
        i += -1 if last else 1
    return abs(kappas[i + 1 if last else i - 1] - middle) if i != edge else 0.0


def _line(kappas: Floats, p: Floats, p_error: Floats, target: float, edge: int, *, last: bool) -> tuple[float, float]:
    """Return the kappa, and its error, at which a line through the normal scores near the crossing reaches the target.

    The normal score of p is linear in kappa where kappa_hat is normal. A line through several points therefore uses all
    of their toys, where the two points next to the crossing would use their own toys alone.
    """
    clipped = np.clip(p, 1e-6, 1.0 - 1e-6)
    score = ndtri(clipped)
    density = np.exp(-0.5 * score**2) / math.sqrt(2.0 * math.pi)
    width = p_error / np.maximum(density, 1e-12)
    other = edge + 1 if last else edge - 1
    middle = 0.5 * (kappas[edge] + kappas[other]) if 0 <= other < len(kappas) else kappas[edge]
    # p falls on both sides of the best kappa: only points on the side of this crossing count.
    top = kappas[np.argmax(p)]
    here = kappas >= top if last else kappas <= top
    near = here & (np.abs(score - target) < 0.6)
    near &= np.abs(kappas - middle) <= _reach(near, kappas, middle, edge, last=last) * (1.0 + 1e-9)
    if near.sum() < 4:
        near = np.zeros(len(kappas), dtype=np.bool_)
        near[np.argsort(np.where(here, np.abs(kappas - middle), np.inf))[:4]] = True
    x, y, weight = kappas[near] - middle, score[near], 1.0 / width[near] ** 2
    design = np.stack([np.ones_like(x), x], axis=1)
    covariance = np.linalg.inv(design.T @ (weight[:, None] * design))
    offset, slope = covariance @ (design.T @ (weight * y))
    if slope == 0.0 or (slope > 0) == last:
        # The line slopes the wrong way, as where p falls in steps for few events: take the middle of the two points.
        return float(middle), float(abs(kappas[edge] - middle))
    root = (target - offset) / slope
    spread = math.sqrt(covariance[0, 0] + 2.0 * root * covariance[0, 1] + root * root * covariance[1, 1])
    # Points that scatter more than their errors say, because of such steps, make the error larger.
    chi2 = float(np.sum(weight * (y - offset - slope * x) ** 2)) / max(len(x) - 2, 1)
    return float(middle + root), float(spread * math.sqrt(max(chi2, 1.0)) / abs(slope))


def _expected(found: _Belt, grid: Floats, null: Floats, alpha: float) -> tuple[float, ...]:
    """Return the quantiles of the limits of toys of the boundary, by interpolation in the grid."""
    table = null[:_EXPECTED]
    p = np.stack([found.p_value(float(k), table[:, j])[0] for j, k in enumerate(grid)], axis=1)
    limits = last_crossings(grid, p, alpha)
    quantiles = np.quantile(limits, PROBABILITIES)
    return tuple(float(q) for q in quantiles)
