"""A model and its true parameters in, thrown experiments and what was fitted to them out, the same for any workers.

Toy i of a stream (seed, truth) is made of counter-based random numbers: it is the same on any machine and for any
number of workers. Two ensembles:

profiled    parameters are true at given values, commonly the best fit to the data at a tested kappa. Thrown are the
            counts and every auxiliary measurement: the centres of the constraints, and where the simulation came out
            (`mc`; without, the templates are taken as the truth). This is how NOvA and most frequentist tests do it.
prior       true parameters are thrown from their constraints (Poisson ones as normal), the auxiliary measurements stay
            as they are, and so does the simulation while the truth varies around it. Averages over systematics
            (Cousins and Highland).

Counts are Poisson whatever the statistic that is fitted to them. The simulation is thrown as the statistics know it:
one factor for the total of each bin, of all samples and powers of kappa.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from spectrafit import execution
from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.minimum import TOLERANCE, Problem
from spectrafit.inference.identity import identity
from spectrafit.inference.kernels.cholesky import factorise, inverse
from spectrafit.inference.kernels.morphing import INNER, OUTER
from spectrafit.inference.kernels.newton import CONVERGED, error_of, minimise
from spectrafit.inference.kernels.yields import fill_yields, workspace
from spectrafit.inference.likelihood import observed, predict
from spectrafit.inference.model import Model
from spectrafit.inference.packing import Observed
from spectrafit.inference.results import Ledger
from spectrafit.random import normal, poisson, stream_key

__all__ = [
    "BEST",
    "BOUND",
    "ERROR",
    "KAPPA",
    "TESTED",
    "Ensemble",
    "Task",
    "bounded_ratio",
    "ensemble",
    "run",
    "scratch",
    "throw",
    "throw_and_fit",
]

Floats = npt.NDArray[np.float64]

# Columns of what is kept of a toy: unbounded best kappa, its error, 2NLL there, 2NLL at the boundary if the best kappa
# is below it (else NaN), then 2NLL at each tested kappa.
KAPPA, ERROR, BEST, BOUND, TESTED = range(5)
_CHUNK = 250
_REFEREE = 500  # Minuit repeats one toy in this many
_ACCEPT = 1e-7  # EDM of toy fits


class Truth(NamedTuple):
    """What toys are thrown from."""

    theta: Floats  # (K,)
    centre: Floats  # (K,) auxiliary measurements, of the parameters and (B,) of the local gammas, where not thrown
    local: Floats
    fitted: Floats  # (B,) expected events
    gamma: Floats  # (B,) local gammas
    spread: Floats  # (B,) width of the local gammas' auxiliary measurement
    root: Floats  # (K, K) Cholesky factor of the gaussian constraints' covariance
    prior: bool
    mc: bool


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Ensemble:
    """Toys of one truth: the model, `truth`, the stream's `seed`, and the boundary kappa >= `lower` if there is one."""

    model: Model
    truth: Truth
    seed: int
    lower: float = 0.0

    @property
    def digest(self) -> str:
        """Identity of the toys: model, truth, seed; the same on machines that differ in the last bits of a fit."""
        return identity(self.model.digest, str(self.seed), self.lower, *self.truth)


def ensemble(
    model: Model,
    values: npt.ArrayLike,
    *,
    kind: Literal["profiled", "prior"] = "profiled",
    mc: bool = True,
    seed: int = 1,
    measured: Observed | None = None,
    lower: float = 0.0,
) -> Ensemble:
    """Return the ensemble of toys whose truth is `values`.

    Parameters
    ----------
    model : Model
    values : (K,) array_like
    kind : {"profiled", "prior"}
    mc : bool
        Whether the simulation's statistical error is thrown too.
    seed : int
    measured : Observed, optional
        The experiment the toys are to be compared with; by default the model's data. Its counts say where the
        simulation's truth is (profiled, `mc`), its auxiliary measurements stay (prior).
    lower : float
        Boundary of kappa.
    """
    a = model.arrays
    theta = np.array(values, dtype=np.float64)
    seen = observed(model) if measured is None else measured
    at = predict(model, theta, measured=seen)
    mean = np.where(at.mean > 0, at.mean, 1.0)
    gaussian = a.local_kind == 1
    poissonian = a.local_kind == 2
    spread = np.where(gaussian, a.local_width, np.where(at.mean > 0, np.sqrt(at.variance) / mean, 0.0))
    gamma = np.where(gaussian | poissonian, at.gamma, np.where(at.mean > 0, at.fitted / mean, 1.0))
    truth = Truth(
        theta=theta,
        centre=seen.centre.copy(),
        local=seen.local.copy(),
        fitted=np.maximum(at.fitted if mc else at.mean, 0.0),
        gamma=gamma if mc else np.ones_like(gamma),
        spread=np.where(poissonian, 0.0, spread),
        root=_root(model),
        prior=kind == "prior",
        mc=mc,
    )
    return Ensemble(model=model, truth=truth, seed=seed, lower=lower)


def _root(model: Model) -> Floats:
    """Return the Cholesky factor of the prior covariance; rows of other parameters are 0."""
    a = model.arrays
    root = np.diag([p.width if p.constraint == "gaussian" else 0.0 for p in model.parameters])
    if a.correlated.size:
        # Our own: a library's bits are those of its version and of the processor.
        block = np.zeros_like(a.inverse)
        if not _cholesky_of_inverse(a.inverse, block):
            raise ConfigError("$.fit.correlations: together they are no correlation matrix; make them smaller")
        root[np.ix_(a.correlated, a.correlated)] = block
    return root


@njit(**OUTER)
def _cholesky_of_inverse(inverted: Any, result: Any) -> Any:
    """Fill `result` with the Cholesky factor of the inverse of a matrix, both (K, K); return whether there is one."""
    size = inverted.shape[0]
    block, lower = np.empty((size, size)), np.empty((size, size))
    if not inverse(inverted, np.ones(size, np.bool_), block):
        return False
    if not factorise(block, np.arange(size), size, lower, 0.0):
        return False
    for i in range(size):
        for j in range(size):
            result[i, j] = lower[i, j] if j <= i else 0.0
    return True


@njit(**INNER)
def _correlated(a: Any, root: Any, key: Any, index: int, k: int) -> Any:
    """Return parameter k's deviation from its constraint."""
    first = a.used.size
    total = 0.0
    for j in range(k + 1):
        if root[k, j] != 0.0:
            total += root[k, j] * normal(key, index, first + j)
    return total


@njit(**OUTER)
def throw(a: Any, truth: Any, key: Any, index: int, d: Any, w: Any) -> None:
    """Fill `d` with toy `index`. Numbers of bin b are draws b and B + K + b, those of parameter k draw B + k."""
    n_bins, n_parameters = a.used.size, a.initial.size
    after = n_bins + n_parameters
    theta = w.other
    for k in range(n_parameters):
        theta[k] = truth.theta[k]
        if truth.root[k, k] > 0.0:
            shift = _correlated(a, truth.root, key, index, k)
            if truth.prior:
                theta[k] = min(max(truth.centre[k] + shift, a.lower[k]), a.upper[k])
            d.centre[k] = truth.centre[k] if truth.prior else truth.theta[k] + shift
        else:
            d.centre[k] = truth.centre[k]
    for i in range(a.auxiliary.size):
        k = a.auxiliary[i]
        if truth.prior:
            shift = math.sqrt(truth.centre[k]) * normal(key, index, n_bins + k)
            theta[k] = max((truth.centre[k] + shift) / a.factor[i], a.lower[k])
        else:
            d.centre[k] = poisson(key, index, n_bins + k, max(truth.theta[k] * a.factor[i], 0.0))
    if truth.prior:
        fill_yields(a, theta, w)
    for b in range(n_bins):
        expected = truth.fitted[b]
        d.local[b] = truth.local[b]
        if truth.prior:
            expected = w.mean[b]
            if truth.mc and a.local_kind[b] == 2:
                width = a.local_width[b]
                expected += normal(key, index, after + b) / math.sqrt(max(width, 1e-300)) * w.shared[b]
            elif truth.mc and w.variance[b] > 0.0:
                expected += normal(key, index, after + b) * math.sqrt(w.variance[b])
        elif truth.mc and a.local_kind[b] == 2:
            d.local[b] = poisson(key, index, after + b, truth.gamma[b] * a.local_width[b])
        elif truth.mc and truth.spread[b] > 0.0:
            d.local[b] = truth.gamma[b] + truth.spread[b] * normal(key, index, after + b)
        d.counts[b] = poisson(key, index, b, max(expected, 0.0)) if a.used[b] else 0.0


@njit(**INNER)
def _minimum(a: Any, d: Any, theta: Any, free: Any, w: Any) -> tuple[float, int]:
    """Return 2NLL at the minimum, and 1 if it is none."""
    value, edm, _, status = minimise(a, d, theta, free, _ACCEPT, 400, w)
    return value, 0 if status == CONVERGED or edm < TOLERANCE else 1


@njit(**INNER)
def _fit(a: Any, d: Any, begin: Any, kappas: Any, lower: float, row: Any, free: Any, w: Any) -> Any:
    """Fill `row` with the fits of one experiment; return how many were made and how many failed."""
    poi = a.poi
    theta, start = begin.copy(), begin.copy()
    row[BEST], bad = _minimum(a, d, theta, free, w)
    row[KAPPA] = row[ERROR] = row[BOUND] = math.nan
    fits = 1
    if poi < 0:
        return fits, bad
    row[KAPPA], row[ERROR] = theta[poi], error_of(a, d, theta, free, poi, w)
    free[poi] = False
    for j in range(-1, kappas.size):
        if j < 0 and not theta[poi] < lower:
            continue
        for k in range(theta.size):
            start[k] = theta[k]
        start[poi] = lower if j < 0 else kappas[j]
        row[BOUND if j < 0 else TESTED + j], failed = _minimum(a, d, start, free, w)
        fits += 1
        bad += failed
    free[poi] = True
    return fits, bad


@njit(**OUTER)
def fit_toys(
    a: Any, truth: Any, key: Any, first: int, kappas: Any, lower: float, rows: Any, bad: Any, free: Any, d: Any, w: Any
) -> Any:
    """Throw and fit toys `first` on: fill a row of `rows` and the number of failed fits in `bad`; return all fits."""
    total = 0
    for i in range(rows.shape[0]):
        throw(a, truth, key, first + i, d, w)
        fits, bad[i] = _fit(a, d, truth.theta, kappas, lower, rows[i], free, w)
        total += fits
    return total


def bounded_ratio(rows: Floats, kappas: Floats, *, cls: bool) -> Floats:
    """Return t~ (or q~ for CLs) at every tested kappa from the rows of toys: (N, 4 + G) to (N, G)."""
    least = np.where(np.isnan(rows[:, BOUND]), rows[:, BEST], rows[:, BOUND])
    statistic: Floats = np.maximum(rows[:, TESTED:] - least[:, None], 0.0)
    if cls:
        statistic = np.where(rows[:, KAPPA, None] > kappas, 0.0, statistic)
    return statistic


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Toys first .. first + count - 1 of an ensemble."""

    ensemble: Ensemble
    kappas: Floats
    first: int
    count: int
    referee: bool = True

    def __str__(self) -> str:
        return f"toys {self.first} to {self.first + self.count - 1}"


def scratch(model: Model) -> Observed:
    """Return an empty experiment to throw into."""
    return Observed(np.zeros(model.n_bins), np.zeros(len(model.parameters)), np.zeros(model.n_bins))


def throw_and_fit(task: Task) -> tuple[Floats, Ledger]:
    """Throw and fit one task's toys; Minuit does again what failed, and a sample."""
    model, truth = task.ensemble.model, task.ensemble.truth
    a, d = model.handle, scratch(model)
    w, free = workspace(model.arrays).handle, ~model.arrays.held
    rows = np.full((task.count, TESTED + len(task.kappas)), np.nan)
    bad = np.zeros(task.count, dtype=np.int64)
    key = stream_key(task.ensemble.digest, "toys")
    fits = fit_toys(a, truth, key, task.first, task.kappas, task.ensemble.lower, rows, bad, free, d, w)
    refitted = failed = checked = disagreed = 0
    lost: list[int] = []
    for i in range(task.count):
        number = task.first + i
        if not bad[i] and (not task.referee or number % _REFEREE):
            continue
        throw(a, truth, key, number, d, w)
        row, converged = _again(task, d, rows[i], referee=not bad[i])
        if bad[i]:
            refitted += int(bad[i])
            if not converged:
                failed += int(bad[i])
                lost.append(number)
                row = np.full_like(row, np.nan)
            rows[i] = row
        elif converged:
            checked += 1
            disagreed += bool(np.nanmax(rows[i, BEST:] - row[BEST:]) > 1e-3)
            better = rows[i, BEST:] > row[BEST:] + 1e-3
            rows[i, BEST:][better] = row[BEST:][better]
    ledger = Ledger(
        fits=int(fits), refitted=refitted, failed=failed, checked=checked, disagreed=disagreed, toys=tuple(lost[:20])
    )
    return rows, ledger


def _again(task: Task, d: Observed, row: Floats, *, referee: bool) -> tuple[Floats, bool]:
    """Return a toy's row as Minuit has it, and whether every fit converged."""
    problem = Problem(task.ensemble.model, measured=d)
    start = task.ensemble.truth.theta
    poi = problem.arrays.poi
    find: Any = problem.migrad if referee else problem.minimum
    best = find(start, problem.free)
    result, converged = row.copy(), best.converged
    result[BEST] = best.nll
    if poi < 0:
        return result, converged
    if not referee:
        result[KAPPA] = best.values[poi]
        variance = np.linalg.pinv(problem.hessian(best.values)[np.ix_(problem.free, problem.free)])
        place = int(np.sum(problem.free[:poi]))
        result[ERROR] = math.sqrt(max(2.0 * float(variance[place, place]), 0.0))
        result[BOUND] = 0.0 if best.values[poi] < task.ensemble.lower else np.nan
    for column, kappa in ((BOUND, task.ensemble.lower), *enumerate(task.kappas, TESTED)):
        if column == BOUND and np.isnan(result[BOUND]):
            continue
        values = best.values.copy()
        values[poi] = kappa
        found = find(values, problem.held(poi))
        result[column] = found.nll
        converged = converged and found.converged
    return result, converged


def run(
    of: Ensemble,
    kappas: npt.ArrayLike = (),
    *,
    toys: int,
    first: int = 0,
    executor: str | Executor | execution.Pool = "serial",
    workers: int | None = None,
) -> tuple[Floats, Ledger]:
    """Return what was fitted to toys `first` .. `first + toys - 1`, and the ledger of the fits.

    Parameters
    ----------
    of : Ensemble
    kappas : (G,) array_like
        Where to fit with kappa fixed, besides the unbounded fit and the one at the boundary.
    toys, first : int
    executor, workers
        As for `spectrafit.execution.executor`.

    Returns
    -------
    (toys, 4 + G) array
        Columns KAPPA, ERROR, BEST, BOUND, TESTED ...; NaN rows are fits that failed.
    Ledger
    """
    tested = np.asarray(kappas, dtype=np.float64).reshape(-1)

    def tasks() -> Iterator[Task]:
        for begin in range(first, first + toys, _CHUNK):
            count = min(_CHUNK, first + toys - begin)
            yield Task(ensemble=of, kappas=tested, first=begin, count=count)

    rows, ledger = [np.empty((0, TESTED + tested.size))], Ledger()
    with execution.executor(executor, workers, preload=("spectrafit.inference.toys.ensemble",)) as pool:
        for part, account in execution.imap(pool, throw_and_fit, tasks()):
            rows.append(part)
            ledger = ledger + account
    return np.concatenate(rows), ledger
