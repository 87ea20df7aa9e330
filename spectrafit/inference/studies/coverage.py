"""A model and true values in, how often each method's interval holds the truth out, with binomial bands.

Experiments are thrown from true parameters, auxiliary measurements and (optionally) the simulation's own fluctuations
included. An interval holds the true kappa exactly if the method accepts kappa there, so each experiment is tested at
its true kappa only. Feldman-Cousins and CLs get their own toys in every experiment, thrown from what that experiment's
fit found: with p = (toys above + 1) / (toys + 1) such a Monte-Carlo test has the right size for any number of toys of
which alpha is a multiple of 1 / (toys + 1).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from spectrafit import execution
from spectrafit.errors import ConfigError, DataError, nearest
from spectrafit.inference.intervals import asymptotic
from spectrafit.inference.intervals.bayes import posterior_limit
from spectrafit.inference.intervals.limits import METHODS
from spectrafit.inference.intervals.scan import Scan
from spectrafit.inference.kernels.fields import workspace
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.results import Ledger
from spectrafit.inference.toys import ensemble as toys
from spectrafit.inference.toys.ensemble import Ensemble, Task, bounded_ratio, ensemble, throw_and_fit
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.random import normal, stream_key

__all__ = ["Coverage", "coverage"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CHUNK = 25


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Coverage:
    """How often intervals hold the true kappa.

    Attributes
    ----------
    kappas : (G,) array
        True values.
    methods : (M,) tuple of str
        With their sides: "profile (two)".
    level : float
        Nominal coverage.
    accepted, experiments : (G, M) arrays of int
        Intervals that hold the truth, and experiments.
    truth, simulation : str
        How the nuisances' truth and the simulation were thrown.
    ledger : Ledger
        Of the toys inside the experiments.
    failed : int
        Experiments left out because their fit failed.
    """

    kappas: Floats
    methods: tuple[str, ...]
    level: float
    accepted: Ints
    experiments: Ints
    truth: str
    simulation: str
    ledger: Ledger
    failed: int

    @property
    def fraction(self) -> Floats:
        """(G, M) coverage."""
        result: Floats = self.accepted / np.maximum(self.experiments, 1)
        return result

    @property
    def band(self) -> tuple[Floats, Floats]:
        """(G, M) lower and upper end of the central 68 % Clopper-Pearson interval."""
        k, n = self.accepted, self.experiments
        low = np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, 0.1587), 0.0)
        high = np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1), 0.8413), 1.0)
        return low, high

    def __str__(self) -> str:
        low, high = self.band
        width = max(len(m) for m in self.methods)
        lines = [
            f"coverage of {100 * self.level:g} % intervals; nuisances: {self.truth}; simulation: {self.simulation}",
            f"{'true kappa':>{width}}  " + "".join(f"{k:>22.4g}" for k in self.kappas),
        ]
        for m, method in enumerate(self.methods):
            cells = [
                f"{f:.3f} [{lo:.3f}, {hi:.3f}]"
                for f, lo, hi in zip(self.fraction[:, m], low[:, m], high[:, m], strict=True)
            ]
            lines.append(f"{method:>{width}}  " + "".join(f"{cell:>22}" for cell in cells))
        lines.append(f"{int(self.experiments.max(initial=0))} experiments each, {self.failed} failed; {self.ledger}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """Experiments first .. first + count - 1 at one true kappa."""

    model: Model
    kappa: float
    methods: tuple[tuple[str, str], ...]
    level: float
    shifts: Mapping[str, float] | None
    mc: bool
    kind: Literal["profiled", "prior"]
    toys: int
    seed: int
    first: int
    count: int

    def __str__(self) -> str:
        return f"experiments {self.first} to {self.first + self.count - 1} at kappa = {self.kappa:g}"


def coverage(
    model: Model,
    kappas: npt.ArrayLike = (0.0,),
    *,
    methods: Sequence[str] = ("profile", "feldman-cousins", "cls"),
    level: float = 0.90,
    sides: Literal["one", "two"] = "one",
    truth: Mapping[str, float] | Literal["thrown"] | None = None,
    simulation: Literal["thrown", "exact"] = "thrown",
    ensemble: Literal["profiled", "prior"] = "profiled",
    experiments: int = 500,
    toys: int = 199,
    seed: int = 1,
    executor: str | Executor = "serial",
    workers: int | None = None,
) -> Coverage:
    """Throw experiments at true values of kappa and count the intervals that hold it.

    Parameters
    ----------
    model : Model
    kappas : (G,) array_like
        True values.
    methods : sequence of str
        Of `limits.METHODS`.
    level : float
    sides : {"one", "two"}
        Of "profile".
    truth : mapping, "thrown" or None
        True nuisances: their nominal values shifted as the mapping says, thrown anew from their constraints in every
        experiment (coverage on average), or nominal.
    simulation : {"thrown", "exact"}
        Whether the analyser's templates fluctuate around the truth as their MC variance says, or are the truth.
    ensemble : {"profiled", "prior"}
        Of the toys of Feldman-Cousins and cls-toys.
    experiments, toys : int
        Experiments at each kappa; toys in each of them.
    seed : int
    executor, workers
        As for `spectrafit.execution.executor`.

    Raises
    ------
    ConfigError
        Unknown methods or parameters; toys of which 1 - level is no multiple of 1 / (toys + 1).
    """
    for method in methods:
        if method not in METHODS:
            known = ", ".join(METHODS)
            raise ConfigError(f"coverage: no method {method!r}, there are {known}{nearest(method, METHODS)}")
    if model.coupling and COUPLINGS[model.coupling].lower is None and {"cls", "cls-toys"} & set(methods):
        raise ConfigError(f"coverage: CLs needs a smallest kappa; both signs of {model.coupling!r} are physical")
    places = (1.0 - level) * (toys + 1)
    if abs(places - round(places)) > 1e-9 and {"feldman-cousins", "cls-toys"} & set(methods):
        raise ConfigError(f"coverage: toys = {toys}: needs (1 - level) (toys + 1) to be whole; use 199 or 999 for 90 %")
    shifts = None if truth == "thrown" else dict(truth or {})
    for name in shifts or {}:
        model.index(name)
    named = tuple((m, "two" if m == "feldman-cousins" else sides if m == "profile" else "one") for m in methods)
    values = np.asarray(kappas, dtype=np.float64).reshape(-1)
    counts = np.zeros((2, len(values), len(named)), dtype=np.int64)
    ledger, failed = Ledger(), 0

    def tasks() -> Iterator[_Task]:
        for kappa in values:
            for first in range(0, experiments, _CHUNK):
                yield _Task(
                    model=model,
                    kappa=float(kappa),
                    methods=named,
                    level=level,
                    shifts=shifts,
                    mc=simulation == "thrown",
                    kind=ensemble,
                    toys=toys,
                    seed=seed,
                    first=first,
                    count=min(_CHUNK, experiments - first),
                )

    with execution.executor(executor, workers, preload=("spectrafit.inference.studies.coverage",)) as pool:
        chunks = math.ceil(experiments / _CHUNK)
        for i, (accepted, lost, account) in enumerate(execution.imap(pool, _work, tasks())):
            counts[:, i // chunks] += accepted
            failed, ledger = failed + lost, ledger + account
    return Coverage(
        kappas=values,
        methods=tuple(f"{m} ({s})" for m, s in named),
        level=level,
        accepted=counts[0],
        experiments=counts[1],
        truth="thrown from their constraints" if shifts is None else f"nominal, {shifts}" if shifts else "nominal",
        simulation="fluctuates around the truth" if simulation == "thrown" else "exact",
        ledger=ledger,
        failed=failed,
    )


def _work(task: _Task) -> tuple[Ints, int, Ledger]:
    """Return (accepted, experiments) of each method, failed experiments, and the ledger of the toys."""
    counts = np.zeros((2, len(task.methods)), dtype=np.int64)
    failed, ledger = 0, Ledger()
    for number in range(task.first, task.first + task.count):
        try:
            inside, account = _Experiment(task, number).accepts()
        except DataError:
            failed += 1
            continue
        counts += np.stack([inside, np.ones_like(inside)])
        ledger = ledger + account
    return counts, failed, ledger


class _Experiment:
    """One thrown experiment, and the tests of its true kappa."""

    def __init__(self, task: _Task, number: int) -> None:
        model = task.model
        self.task, self.number = task, number
        self.lower = COUPLINGS[model.coupling].lower if model.coupling else 0.0
        key = stream_key(task.seed, "coverage")
        values = model.initial
        for k, p in enumerate(model.parameters):
            if task.shifts is None and p.constraint == "gaussian" and not p.fixed:
                values[k] = p.centre + p.width * normal(key, number, k)
            elif task.shifts is not None:
                values[k] += task.shifts.get(p.name, 0.0)
        values[model.index(model.poi)] = task.kappa
        # Counts of the true prediction; the templates' auxiliary measurement is thrown around it.
        truth = ensemble(model, values, mc=task.mc, seed=task.seed)
        at = truth.truth._replace(
            fitted=np.maximum(Likelihood(model).predict(values).mean, 0.0), gamma=np.ones(model.n_bins)
        )
        arrays, d = Likelihood(model).arrays, toys.scratch(model)
        toys.throw(arrays, at, key, number, d, workspace(arrays))
        self.scan = Scan(model, self.lower, measured=d)
        self.ledger = Ledger()

    def accepts(self) -> tuple[Ints, Ledger]:
        """Return for each method whether the true kappa is in the interval."""
        inside = np.array([self._accepts(method, sides) for method, sides in self.task.methods], dtype=np.int64)
        return inside, self.ledger

    def _accepts(self, method: str, sides: str) -> bool:
        scan, alpha = self.scan, 1.0 - self.task.level
        kappa = self.task.kappa
        if self.lower is not None:
            # A one-sided interval at the boundary itself: just inside, where an empty interval shows.
            kappa = max(kappa, self.lower + 1e-6 * scan.error)
        statistic = scan.statistic(kappa, sides)
        if method in ("bayes", "bayes-mu"):
            return posterior_limit(scan, self.task.level, root=method == "bayes-mu") >= kappa
        if method in ("feldman-cousins", "cls-toys"):
            return self._toy_p_value(kappa, statistic, cls=method == "cls-toys") > alpha
        q_a = scan.asimov().statistic(kappa, sides)
        if method == "cls":
            return bool(asymptotic.cls(statistic, q_a) > alpha)
        if sides == "one":
            return bool(asymptotic.one_sided(statistic, q_a if self.lower is not None else np.inf) > alpha)
        p = asymptotic.two_sided(statistic, q_a) if self.lower is not None else asymptotic.unbounded(statistic)
        return bool(p > alpha)

    def _toy_p_value(self, kappa: float, statistic: float, *, cls: bool) -> float:
        p = self._tail(kappa, kappa, statistic, cls=cls)
        if cls:
            p /= self._tail(self.lower or 0.0, kappa, statistic, cls=cls)
        return p

    def _tail(self, truth: float, kappa: float, statistic: float, *, cls: bool) -> float:
        task = self.task
        of: Ensemble = ensemble(
            task.model,
            self.scan.at(truth).values,
            kind=task.kind,
            mc=task.mc,
            seed=task.seed,
            measured=self.scan.problem.observed,
            lower=-math.inf if self.lower is None else self.lower,
        )
        tested = np.array([kappa])
        rows, ledger = throw_and_fit(Task(ensemble=of, kappas=tested, first=0, count=task.toys, referee=False))
        self.ledger = self.ledger + ledger
        ratio = bounded_ratio(rows[np.isfinite(rows[:, 0])], tested, cls=cls)[:, 0]
        return float((np.sum(ratio >= statistic - 1e-6) + 1) / (len(ratio) + 1))
