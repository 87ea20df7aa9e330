"""Throws experiments from a model and fits them. The result is the same for any number of workers.

Toy i of a stream (seed, truth) is made of counter-based random numbers: it is the same on any machine and for any
number of workers. Two ensembles:

profiled    parameters are true at given values, commonly the best fit to the data at a tested kappa. The counts are
            thrown, and so is every auxiliary measurement: the centres of the constraints and, with `mc`, what the
            simulation came out as. Without `mc` the templates are taken as the truth. Most frequentist tests do this,
            NOvA's included (arXiv:2207.14353).
prior       true parameters are thrown from their constraints (Poisson ones as normal). The auxiliary measurements stay
            fixed, and with `mc` the truth varies around the simulation. This averages over systematics (R. D. Cousins
            and V. L. Highland, NIM A 320 (1992) 331).

Counts are Poisson whatever the statistic that is fitted to them. The simulation is thrown as the likelihood describes
it: one factor for the total of each bin, all samples and powers of kappa together.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spectrafit import execution
from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.minimum import Problem
from spectrafit.inference.identity import identity
from spectrafit.inference.kernels.fields import Observed, Truth, workspace
from spectrafit.inference.kernels.throw import BEST, BOUND, ERROR, KAPPA, TESTED, fit_toys, throw
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.results import Ledger
from spectrafit.progress import bar
from spectrafit.random import stream_key

__all__ = [
    "BEST",
    "BOUND",
    "ERROR",
    "KAPPA",
    "TESTED",
    "Batch",
    "Ensemble",
    "bounded_ratio",
    "ensemble",
    "run",
    "scratch",
    "throw",
    "throw_and_fit",
]


_CHUNK = 250
_REFEREE = 500  # Minuit repeats one toy in this many


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
        return identity(Likelihood(self.model).digest, str(self.seed), self.lower, *self.truth)


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
    # The true gamma of each bin and the spread of its measurement: HistFactory's where the model has them, else the
    # profiled Barlow-Beeston factor t / m and the relative error of the simulation.
    arrays = Likelihood(model).arrays
    theta = np.array(values, dtype=np.float64)
    seen = Likelihood(model).observed() if measured is None else measured
    at = Likelihood(model).predict(theta, measured=seen)
    expected, factor, noise = at.simulated()
    gaussian = arrays.gamma_kind == 1
    poissonian = arrays.gamma_kind == 2
    spread = np.where(gaussian, arrays.gamma_width, noise)
    gamma = np.where(gaussian | poissonian, at.gamma, factor)
    truth = Truth(
        theta=theta,
        centre=seen.centre.copy(),
        gamma_centre=seen.gamma_centre.copy(),
        fitted=np.maximum(np.where(gaussian | poissonian, at.fitted, expected) if mc else at.mean, 0.0),
        gamma=gamma if mc else np.ones_like(gamma),
        spread=np.where(poissonian, 0.0, spread),
        root=_root(model),
        prior=int(kind == "prior"),
        mc=int(mc),
    )
    return Ensemble(model=model, truth=truth, seed=seed, lower=lower)


def _root(model: Model) -> Floats:
    """Return the Cholesky factor of the prior covariance; rows of other parameters are 0.

    The factor is computed in plain arithmetic, element by element. The last bits of a linear algebra library depend on
    its version and on the processor, and toys must be the same everywhere.

    i, j and k are parameters: L_ij = (C_ij - sum over k < j of L_ik L_jk) / L_jj.
    """
    width = [parameter.width if parameter.constraint == "gaussian" else 0.0 for parameter in model.parameters]
    covariance = np.diag(np.square(width))
    for first, second, rho in model.correlations:
        i, j = model.index(first), model.index(second)
        covariance[i, j] = covariance[j, i] = rho * width[i] * width[j]
    root = np.zeros_like(covariance)
    for i in (i for i, size in enumerate(width) if size > 0):
        for j in range(i + 1):
            rest = float(covariance[i, j])
            for k in range(j):
                rest -= float(root[i, k]) * float(root[j, k])
            if i == j and not rest > 1e-13 * float(covariance[i, i]):
                raise ConfigError("$.fit.correlations: together they are no correlation matrix; make them smaller")
            root[i, j] = math.sqrt(rest) if i == j else rest / float(root[j, j]) if root[j, j] > 0 else 0.0
    return root


def bounded_ratio(rows: Floats, kappas: Floats, *, cls: bool) -> Floats:
    """Return t~ (or q~ for CLs) at every tested kappa from the rows of toys: (N, 4 + G) to (N, G)."""
    least = np.where(np.isnan(rows[:, BOUND]), rows[:, BEST], rows[:, BOUND])
    statistic: Floats = np.maximum(rows[:, TESTED:] - least[:, None], 0.0)
    if cls:
        statistic = np.where(rows[:, KAPPA, None] > kappas, 0.0, statistic)
    return statistic


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
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


def throw_and_fit(batch: Batch) -> tuple[Floats, Ledger]:
    """Throw and fit the toys of a batch. Minuit repeats the fits that failed and, as a referee, those of some toys."""
    model, truth = batch.ensemble.model, batch.ensemble.truth
    arrays, measured = Likelihood(model).arrays, scratch(model)
    work, free = workspace(arrays), ~arrays.held
    rows = np.full((batch.count, TESTED + len(batch.kappas)), np.nan)
    bad = np.zeros(batch.count, dtype=np.int64)
    key = stream_key(batch.ensemble.digest, "toys")
    fits = fit_toys(
        arrays, truth, key, batch.first, batch.kappas, batch.ensemble.lower, rows, bad, free, measured, work
    )
    refitted = failed = checked = disagreed = 0
    lost: list[int] = []
    # A toy is thrown again from its number, so only toys that Minuit must look at are ever kept as experiments.
    for i in range(batch.count):
        number = batch.first + i
        if not bad[i] and (not batch.referee or number % _REFEREE):
            continue
        throw(arrays, truth, key, number, measured, work)
        row, converged = _again(batch, measured, rows[i], referee=not bad[i])
        if bad[i]:
            refitted += int(bad[i])
            if not converged:
                failed += int(bad[i])
                lost.append(number)
                row = np.full_like(row, np.nan)
            rows[i] = row
        elif converged:
            checked += 1
            disagreed += bool(np.max(_used(rows[i]) - _used(row)) > 1e-3)
            better = rows[i, BEST:] > row[BEST:] + 1e-3
            rows[i, BEST:][better] = row[BEST:][better]
    ledger = Ledger(
        fits=int(fits), refitted=refitted, failed=failed, checked=checked, disagreed=disagreed, toys=tuple(lost[:20])
    )
    return rows, ledger


def _used(row: Floats) -> Floats:
    """Return the 2NLL of a toy that its statistics use: at the best physical kappa and at every tested one.

    Below the boundary the unbounded minimum is not one of them: of a toy without a count it is where the prediction
    ends, which is a corner of 2NLL that no two minimisers find alike.
    """
    return np.append(row[TESTED:], row[BEST] if np.isnan(row[BOUND]) else row[BOUND])


def _again(batch: Batch, d: Observed, row: Floats, *, referee: bool) -> tuple[Floats, bool]:
    """Return a toy's row as Minuit has it, and whether every fit converged."""
    problem = Problem(batch.ensemble.model, measured=d)
    start = batch.ensemble.truth.theta
    poi = problem.arrays.poi
    find: Any = problem.migrad if referee else problem.minimum
    best = find(start, problem.free)
    result, converged = row.copy(), best.converged
    result[BEST] = best.two_nll
    if poi < 0:
        return result, converged
    if not referee:
        result[KAPPA] = best.values[poi]
        variance = np.linalg.pinv(problem.hessian(best.values)[np.ix_(problem.free, problem.free)])
        place = int(np.sum(problem.free[:poi]))
        result[ERROR] = math.sqrt(max(2.0 * float(variance[place, place]), 0.0))
        result[BOUND] = 0.0 if best.values[poi] < batch.ensemble.lower else np.nan
    for column, kappa in ((BOUND, batch.ensemble.lower), *enumerate(batch.kappas, TESTED)):
        if column == BOUND and np.isnan(result[BOUND]):
            continue
        values = best.values.copy()
        values[poi] = kappa
        found = find(values, problem.held(poi))
        result[column] = found.two_nll
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
        Columns KAPPA, ERROR, BEST, BOUND, TESTED ...; the row of a toy whose fits failed is NaN.
    Ledger
    """
    tested = np.asarray(kappas, dtype=np.float64).reshape(-1)

    def tasks() -> Iterator[Batch]:
        for begin in range(first, first + toys, _CHUNK):
            count = min(_CHUNK, first + toys - begin)
            yield Batch(ensemble=of, kappas=tested, first=begin, count=count)

    rows, ledger = [np.empty((0, TESTED + tested.size))], Ledger()
    with (
        execution.executor(executor, workers, preload=("spectrafit.inference.toys.ensemble",)) as pool,
        bar(toys, doing="throwing and fitting", unit="toys") as advance,
    ):
        for part, account in execution.imap(pool, throw_and_fit, tasks()):
            rows.append(part)
            ledger = ledger + account
            advance(len(part))
    return np.concatenate(rows), ledger
