"""Toys of one scan in mixtures: p (or CLs) at tested kappas, with its error and the effective number of toys."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Floats
from spectrafit.errors import DataError
from spectrafit.inference.intervals.scan import Scan
from spectrafit.inference.results import Ledger
from spectrafit.inference.toys.bank import Bank, Record
from spectrafit.inference.toys.ensemble import Ensemble, bounded_ratio, ensemble
from spectrafit.inference.toys.mixture import Mixture, log_densities
from spectrafit.inference.toys.options import ToyOptions

__all__ = ["MOST_FAILED", "Construction", "Point"]

# Rate of failed or disputed toy fits above which no limit is given.
MOST_FAILED = 0.01


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point:
    """What toys say about one kappa: columns of `Limit.points`."""

    statistic: float
    p_value: float
    p_error: float
    critical: float
    critical_error: float
    effective: float


class Construction:
    """Toys of one scan, thrown when asked for and kept.

    Parameters
    ----------
    scan : Scan
    how : ToyOptions
    level : float
    cls : bool
        CLs instead of Feldman-Cousins.

    Attributes
    ----------
    origin : float
        The boundary of kappa, 0 if there is none.
    points : dict of float to Point
        What is known by now, by kappa.
    ledger : Ledger
    """

    def __init__(self, scan: Scan, how: ToyOptions, level: float, *, cls: bool) -> None:
        self.scan, self.how, self.level, self.cls = scan, how, level, cls
        self.sides = "one" if cls else "two"
        self.model = scan.problem.model
        self.lower = scan.lower if scan.lower is not None else -math.inf
        self.origin = scan.lower if scan.lower is not None else 0.0
        self.ledger = Ledger()
        self.bank = Bank(digest=scan.problem.likelihood.digest, first=how.first_toy)
        for place, path in enumerate(how.files):
            # New toys are saved to the first file, so this one need not exist yet.
            if place or path.exists():
                self.bank = self.bank + Bank.load(path, model=self.model)
        self.points: dict[float, Point] = {}

    def ensemble(self, kappa: float, like: Ensemble | None = None) -> Ensemble:
        """Return the ensemble of toys whose truth is the fit at kappa.

        `like` another, the simulation is thrown with the same relative widths. Such toys are nobody's truth, but near
        the other's: widths that differ in every bin tell two truths apart though no fit looks at them.
        """
        values = self.scan.at(kappa).values
        how, seen = self.how, self.scan.problem.observed
        of = ensemble(self.model, values, kind=how.ensemble, mc=how.mc, seed=how.seed, measured=seen, lower=self.lower)
        return of if like is None else dataclasses.replace(of, truth=of.truth._replace(spread=like.truth.spread))

    def _record(self, of: Ensemble, tested: Floats, toys: int) -> Record:
        """Return toys of one truth, fitted at the tested kappas."""
        how = self.how
        before = self.bank
        record, self.bank = before.topped_up(of, tested, toys, executor=how.executor, workers=how.workers)
        if sum(len(each.numbers) for each in before.records.values()) < sum(
            len(each.numbers) for each in self.bank.records.values()
        ):
            # At once: who stops the program keeps the toys.
            self.save()
        self.ledger = self.ledger + record.ledger
        if self.ledger.rate > MOST_FAILED:
            failed = f"; look at toys {', '.join(map(str, self.ledger.toys))}" if self.ledger.toys else ""
            look = failed or "; the expectation may be too small to be fitted: use bayes, or wider bins"
            raise DataError(
                f"no limit: {100 * self.ledger.rate:.1f} % of the toy fits failed or were disputed (at most "
                f"{100 * MOST_FAILED:g} %): {self.ledger}{look}"
            )
        return record

    def mixture(self, truths: Sequence[tuple[Ensemble, int]], tested: Floats) -> Mixture:
        """Return toys of several truths, so many of each, for the tested kappas (and kappa = 0 last, for CLs).

        Toys whose fits failed are left out.
        """
        kappas = np.append(tested, self.origin) if self.cls else tested
        wanted = tuple(self.ensemble(float(kappa)).truth for kappa in kappas)
        every = (*(of.truth for of, _ in truths), *wanted)
        how, statistics, logs, strata = self.how, [], [], []
        for truth, (of, toys) in enumerate(truths):
            record = self._record(of, tested, toys)
            fitted = np.isfinite(record.rows[:, 0])
            numbers = record.numbers[fitted]
            statistics.append(bounded_ratio(record.rows[fitted], tested, cls=self.cls))
            logs.append(log_densities(of, every, numbers, executor=how.executor, workers=how.workers))
            strata.append(np.full(len(numbers), truth))
        density = np.concatenate(logs)
        size = len(truths)
        return Mixture(kappas, np.concatenate(statistics), np.concatenate(strata), density[:, :size], density[:, size:])

    def p_values(self, mixture: Mixture, column: int, statistic: npt.ArrayLike) -> Floats:
        """Return p (or CLs) of values of the statistic at a tested kappa."""
        p = mixture.tail(column, column, statistic)
        return p / mixture.tail(len(mixture.kappas) - 1, column, statistic) if self.cls else p

    def record(self, mixture: Mixture) -> list[Floats]:
        """Keep what is known at each tested kappa, and return how the toys make p (or CLs) fluctuate there, (G, N)."""
        found = []
        for column, kappa in enumerate(mixture.kappas[: mixture.statistic.shape[1]]):
            statistic = self.scan.statistic(float(kappa), self.sides)
            p = float(self.p_values(mixture, column, statistic))
            influence = mixture.influence(column, column, statistic)
            if self.cls:
                null = len(mixture.kappas) - 1
                influence = (influence - p * mixture.influence(null, column, statistic)) / float(
                    mixture.tail(null, column, statistic)
                )
            found.append(influence)
            critical = (math.nan, math.nan) if self.cls else mixture.critical(column, self.level)
            self.points[float(kappa)] = Point(
                statistic=statistic,
                p_value=p,
                p_error=mixture.error(influence),
                critical=critical[0],
                critical_error=critical[1],
                effective=float(mixture.effective[column]),
            )
        return found

    def save(self) -> None:
        """Write the bank, if there is one."""
        if self.how.bank:
            self.bank.save(self.how.files[0])

    def table(self) -> dict[str, Floats]:
        """Return the points in the order of kappa, as columns."""
        kappas = sorted(self.points)
        names = [
            field.name for field in dataclasses.fields(Point) if not (self.cls and field.name.startswith("critical"))
        ]
        columns = {name: np.array([getattr(self.points[kappa], name) for kappa in kappas]) for name in names}
        return {"kappa": np.array(kappas), **columns}
