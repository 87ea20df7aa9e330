"""Toys of several truths as one mixture, in which every toy counts for every kappa with a weight.

A toy x that was thrown from any of the truths k stands for toys of kappa with the weight

    w(x) = p(x | kappa) / sum_k (n_k / N) p(x | k),

n_k toys of each truth, N of all (Berns, arXiv:2303.11290). A weight is at most N / n_k where kappa is truth k, so one
truth near each kappa is enough for bounded weights. Truths on both sides of kappa throw toys into the tails of its
statistic, where a critical value is decided: the error of p is smaller than the binomial one of as many toys.

The means of w and of every p(x | k) / sum are 1 by construction. What their means over the toys differ from 1 by tells
how the toys fluctuated, and a regression takes that out of p (Owen and Zhou, JASA 95, 135). The numbers n_k are fixed,
so the error of p is that of the means within each truth.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from spectrafit import execution
from spectrafit.arraytypes import Floats, Integers
from spectrafit.errors import DataError
from spectrafit.inference.kernels.densities import fill_log_densities, throw_rows
from spectrafit.inference.kernels.fields import Truth, workspace
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.toys.ensemble import Ensemble, scratch
from spectrafit.progress import bar
from spectrafit.random import stream_key

__all__ = ["LEAST_EFFECTIVE", "MOST_SHARE", "TIE", "Mixture", "distance", "log_densities"]

# Effective number of toys below which, and share of one toy above which, a kappa is refused.
LEAST_EFFECTIVE = 20.0
MOST_SHARE = 0.1
TIE = 1e-6  # statistics that differ by less are the same
_CHUNK = 250
_COMPARED = 200  # toys that tell how far apart two truths are


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Weighing:
    """Toys first .. first + count - 1 of an ensemble, and the truths whose densities are asked for."""

    ensemble: Ensemble
    truths: tuple[Truth, ...]
    first: int
    count: int

    def __str__(self) -> str:
        return f"weights of toys {self.first} to {self.first + self.count - 1}"


def _weigh(task: _Weighing) -> Floats:
    """Throw one task's toys again and return their log densities, (count, T)."""
    model, source = task.ensemble.model, task.ensemble.truth
    arrays, measured = Likelihood(model).arrays, scratch(model)
    w, key = workspace(arrays), stream_key(task.ensemble.digest, "toys")
    counts, gammas = np.empty((2, task.count, arrays.used.size))
    centres = np.empty((task.count, arrays.initial.size))
    throw_rows(arrays, source, key, task.first, counts, centres, gammas, measured, w)
    result = np.empty((len(task.truths), task.count))
    for truth, values in zip(task.truths, result, strict=True):
        fill_log_densities(arrays, source, truth, key, task.first, counts, centres, gammas, values, measured, w)
    return result.T


def log_densities(
    of: Ensemble,
    truths: Sequence[Truth],
    numbers: Integers,
    *,
    executor: str | Executor | execution.Pool = "serial",
    workers: int | None = None,
) -> Floats:
    """Return the log densities of toys under several truths.

    Parameters
    ----------
    of : Ensemble
        What the toys were thrown from.
    truths : sequence of T Truth
        Of the same model and the same kind.
    numbers : (N,) int array
        The toys, growing.
    executor, workers
        As for `spectrafit.execution.executor`.

    Returns
    -------
    (N, T) array
        Up to what does not depend on the truth; -inf where a truth cannot throw a toy.
    """

    def tasks() -> Iterator[_Weighing]:
        for run in np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1):
            for begin in range(0, len(run), _CHUNK):
                count = min(_CHUNK, len(run) - begin)
                yield _Weighing(ensemble=of, truths=tuple(truths), first=int(run[begin]), count=count)

    parts = [np.empty((0, len(truths)))]
    with (
        execution.executor(executor, workers, preload=("spectrafit.inference.toys.mixture",)) as pool,
        bar(len(numbers), doing="weighing", unit="toys") as advance,
    ):
        for part in execution.imap(pool, _weigh, tasks()):
            parts.append(part)
            advance(len(part))
    return np.concatenate(parts)


def distance(of: Ensemble, other: Ensemble) -> float:
    """Return how far apart two truths are, in standard deviations of what tells them apart.

    It is the root of twice the Kullback-Leibler divergence, from toys of the first: the difference of the means where
    experiments are normal with the same width. It is infinite where the second cannot throw what the first throws.
    """
    logs = log_densities(of, (of.truth, other.truth), np.arange(_COMPARED))
    ratio = logs[:, 1] - logs[:, 0]
    # The ratio has mean 1 and its log fluctuates with it: their difference is positive for every toy.
    return math.sqrt(2.0 * max(float(np.mean(np.expm1(np.minimum(ratio, 700.0)) - ratio)), 0.0))


class Mixture:
    """Toys of K truths with their statistic at G kappas, and their weights for T kappas.

    Parameters
    ----------
    kappas : (T,) array
        What the toys are to stand for: the G tested kappas, and others after them.
    statistic : (N, G) array
    strata : (N,) int array
        Which truth a toy was thrown from.
    log_truths, log_targets : (N, K), (N, T) arrays
        Log densities of the toys under the truths and under `kappas`.

    Attributes
    ----------
    weights : (N, T) array
        Of mean 1.
    effective : (T,) array
        Number of toys of a kappa's own that would be worth as much in a mean over all: (sum w)^2 / sum w^2.

    Raises
    ------
    DataError
        Fewer effective toys than `LEAST_EFFECTIVE` for one of the kappas, or a toy with more than `MOST_SHARE`.
    """

    def __init__(
        self,
        kappas: Floats,
        statistic: Floats,
        strata: Integers,
        log_truths: Floats,
        log_targets: Floats,
    ) -> None:
        self.kappas, self.statistic, self.strata = kappas, statistic, strata
        self.sizes = np.bincount(strata, minlength=log_truths.shape[1])
        self.toys = len(strata)
        mixed = logsumexp(log_truths, axis=1, b=self.sizes / self.toys, keepdims=True)
        self._controls = np.exp(log_truths - mixed)
        self.weights: Floats = np.exp(log_targets - mixed)
        total = np.maximum(self.weights.sum(axis=0), 1e-300)
        self.effective: Floats = total**2 / np.maximum(np.sum(self.weights**2, axis=0), 1e-300)
        self._refuse(self.weights.max(axis=0) / total)
        self._known: dict[int, tuple[Floats, Floats, Floats]] = {}
        self._order: dict[int, tuple[Integers, Floats]] = {}

    def _refuse(self, shares: Floats) -> None:
        few, large = self.effective < LEAST_EFFECTIVE, shares > MOST_SHARE
        if not np.any(few | large):
            return
        worst = int(np.argmin(np.where(few | large, self.effective, np.inf)))
        raise DataError(
            f"no limit: {self.toys} toys are worth {self.effective[worst]:.3g} at kappa = {self.kappas[worst]:.4g} "
            f"(at least {LEAST_EFFECTIVE:g}), and one has {100 * shares[worst]:.2g} % of their weight (at most "
            f"{100 * MOST_SHARE:g} %); throw more toys, or take profile, cls or bayes"
        )

    def _within(self, values: Floats) -> Floats:
        """Return values less their mean over the toys of the same truth."""
        means = np.bincount(self.strata, values, minlength=len(self.sizes)) / np.maximum(self.sizes, 1)
        result: Floats = values - means[self.strata]
        return result

    def _regression(self, target: int) -> tuple[Floats, Floats, Floats]:
        """Return the toys' weights after the regression, of sum 1, with the controls and their inverse covariance."""
        if target not in self._known:
            controls = np.column_stack([self._controls, self.weights[:, target]])
            centred = np.stack([self._within(column) for column in controls.T], axis=1)
            covariance = centred.T @ centred / self.toys
            inverse: Floats = np.asarray(np.linalg.pinv(covariance, rcond=1e-8, hermitian=True), dtype=np.float64)
            shift = inverse @ (controls.mean(axis=0) - 1.0)
            weights = self.weights[:, target] * (1.0 - centred @ shift) / self.toys
            self._known[target] = weights, centred, inverse
        return self._known[target]

    def _ordered(self, target: int, column: int) -> tuple[Integers, Floats]:
        """Return the order of the toys by the statistic, and the share of kappa's toys from each place on."""
        place = target * self.statistic.shape[1] + column
        if place not in self._order:
            order = np.argsort(self.statistic[:, column], kind="stable")
            above = np.append(np.cumsum(self._regression(target)[0][order][::-1])[::-1], 0.0)
            self._order[place] = order, above
        return self._order[place]

    def tail(self, target: int, column: int, values: npt.ArrayLike) -> Floats:
        """Return the share of toys of kappa `target` whose statistic at kappa `column` is at or above values.

        It is never below one toy.
        """
        order, above = self._ordered(target, column)
        place = np.searchsorted(self.statistic[order, column], np.asarray(values) - TIE)
        result: Floats = np.clip(above[place], 1.0 / self.toys, 1.0)
        return result

    def influence(self, target: int, column: int, value: float) -> Floats:
        """Return (N,) what each toy adds to the fluctuation of `tail`; those of several shares can be combined."""
        _, centred, inverse = self._regression(target)
        inside = self.weights[:, target] * (self.statistic[:, column] >= value - TIE)
        slopes = inverse @ (centred.T @ inside) / self.toys
        result: Floats = (self._within(inside) - centred @ slopes) / self.toys
        return result

    def error(self, influence: Floats) -> float:
        """Return the error of what the toys add up to; at least that of one toy."""
        squares = np.bincount(self.strata, influence**2, minlength=len(self.sizes))
        variance = float(np.sum(squares * self.sizes / np.maximum(self.sizes - 1, 1)))
        return max(math.sqrt(variance), 1.0 / self.toys)

    def critical(self, column: int, level: float) -> tuple[float, float]:
        """Return the quantile of the statistic for toys of its own kappa, with its error."""
        order, above = self._ordered(column, column)
        ordered = self.statistic[order, column]
        below = np.maximum.accumulate(np.clip(1.0 - 0.5 * (above[1:] + above[:-1]), 0.0, 1.0))
        middle = float(np.interp(level, below, ordered))
        shift = self.error(self.influence(column, column, middle))
        low, high = np.interp(np.clip([level - shift, level + shift], 0.0, 1.0), below, ordered)
        return middle, 0.5 * float(high - low)
