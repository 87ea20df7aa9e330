"""Intervals from the exact distribution of the count in a model of one bin: without toys and their error.

This works where nothing but the count is random: there are no nuisances, or the ensemble is "prior" and only the truth
varies. P(n | kappa) is then the Poisson probability averaged over the priors, by quadrature with a low-discrepancy
sequence. Counts are ordered by P(n | kappa) / max P(n | kappa'), as in Feldman and Cousins (PRD 57, 3873) without
nuisances and in Conrad et al. (PRD 67, 012002) with nuisances.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln, ndtri

from spectrafit.arraytypes import Floats
from spectrafit.inference.intervals.scan import Outcome, Scan, crossing
from spectrafit.inference.kernels.averages import fill_means
from spectrafit.inference.kernels.fields import workspace
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.toys.ensemble import scratch

__all__ = ["PROBABILITIES", "SIGMAS", "enumerated", "last_crossings", "possible", "sequence"]


SIGMAS = (-2.0, -1.0, 0.0, 1.0, 2.0)
PROBABILITIES = tuple(0.5 * (1.0 + math.erf(sigma / math.sqrt(2.0))) for sigma in SIGMAS)
_DRAWS = 2048
_GRID = 401
_TIE = 1e-9
_LEAST = 1e-300


def possible(model: Model, kind: str, *, mc: bool) -> bool:
    """Return whether the counts of the model can be enumerated."""
    arrays = Likelihood(model).arrays
    nuisances = [parameter for parameter in model.parameters if parameter.name != model.poi and not parameter.fixed]
    if (
        int(arrays.used.sum()) != 1
        or model.statistic != "poisson"
        or model.gammas is not None
        or arrays.correlated.size
    ):
        return False
    if any(nuisance.constraint != "gaussian" for nuisance in nuisances):
        return False
    uncertain = bool(model.variances) or bool(model.residual.size)
    return kind == "prior" or not (nuisances or (uncertain and mc))


def sequence(points: int, dimensions: int) -> Floats:
    """Return (points, dimensions) standard normals: midpoints in one dimension, else Roberts' R_d sequence."""
    if dimensions <= 1:
        return np.asarray(ndtri((np.arange(points) + 0.5) / points), dtype=np.float64)[:, None][:, :dimensions]
    ratio = 2.0
    for _ in range(60):
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    steps = ratio ** -np.arange(1.0, dimensions + 1)
    uniform = (0.5 + np.arange(1, points + 1)[:, None] * steps) % 1.0
    return np.asarray(ndtri(np.clip(uniform, 1e-12, 1 - 1e-12)), dtype=np.float64)


def _quadrature(dimensions: int) -> tuple[Floats, Floats]:
    """Return points (N, dimensions) and weights (N,) of an average over normals: Gauss-Hermite, or the sequence."""
    if dimensions > 2:
        return sequence(_DRAWS, dimensions), np.full(_DRAWS, 1.0 / _DRAWS)
    points, weights = np.polynomial.hermite_e.hermegauss(48 if dimensions < 2 else 24)
    weights = weights / weights.sum()
    if dimensions == 0:
        return np.zeros((1, 0)), np.ones(1)
    if dimensions == 1:
        return points[:, None], weights
    return np.stack([np.repeat(points, len(points)), np.tile(points, len(points))], axis=1), np.outer(
        weights, weights
    ).ravel()


class _Counts:
    """P(n | kappa) of a model of one bin, for whole n and for the observed count, which comes last."""

    def __init__(self, scan: Scan, kind: str, top: float, *, mc: bool) -> None:
        model = scan.problem.model
        arrays = scan.problem.arrays
        self.lower, self.scan = float(scan.lower or 0.0), scan
        self.model, self.place = model, int(np.flatnonzero(arrays.used)[0])
        free = [
            index
            for index, parameter in enumerate(model.parameters)
            if parameter.name != model.poi and not parameter.fixed
        ]
        self.which = np.array(free if kind == "prior" else [], dtype=np.int64)
        uncertain = bool(model.variances) or bool(model.residual.size)
        self.mc = bool(mc and uncertain and kind == "prior")
        self.draws, self.weights = _quadrature(int(self.which.size) + self.mc)
        self.work, self.scratch = workspace(arrays), scratch(model)
        seen = float(scan.problem.observed.counts[self.place])
        most = max(seen, *(float(np.quantile(self.means(kappa), 0.99)) for kappa in (self.lower, top)))
        whole = np.arange(math.ceil(most + 8.0 * math.sqrt(most) + 12.0))
        self.counts = np.append(whole, seen)
        # Far enough for the best kappa of every count.
        while float(self.means(top) @ self.weights) < whole[-1] and top < 1e6 * (1.0 + abs(self.lower)):
            top = self.lower + 1.5 * (top - self.lower)
        grid = np.linspace(self.lower, top, _GRID)
        self.best, self.best_kappa = _maxima(
            grid, np.log(np.stack([self.probability(kappa) for kappa in grid], axis=1))
        )

    def means(self, kappa: float) -> Floats:
        """Return the expected count for each draw of the nuisances."""
        values = self.model.initial
        values[self.scan.index] = kappa
        means = np.empty(len(self.draws))
        arrays = self.scan.problem.arrays
        fill_means(arrays, self.scratch, values, self.draws, self.which, self.mc, self.place, means, self.work)
        return means

    def probability(self, kappa: float) -> Floats:
        """Return P(n | kappa)."""
        means = self.means(kappa)
        n = self.counts[:, None]
        result: Floats = np.exp(n * np.log(means) - means - gammaln(n + 1.0)) @ self.weights
        return np.maximum(result, _LEAST)

    def p_value(self, kappa: float, *, cls: bool, null: Floats | None = None) -> Floats:
        """Return p (or CLs, with the probabilities `null` of kappa = 0) of every count at kappa."""
        chance = self.probability(kappa)
        statistic = np.maximum(2.0 * (self.best - np.log(chance)), 0.0)
        if cls:
            statistic = np.where(self.best_kappa > kappa, 0.0, statistic)
        order = np.argsort(statistic[:-1])
        place = np.searchsorted(statistic[:-1][order], statistic - _TIE)

        def tail(weights: Floats) -> Floats:
            result: Floats = np.append(np.cumsum(weights[:-1][order][::-1])[::-1], _LEAST)[place]
            return result

        return tail(chance) if null is None else tail(chance) / np.maximum(tail(null), _LEAST)


def _maxima(grid: Floats, table: Floats) -> tuple[Floats, Floats]:
    """Return the maximum of each row over the grid, refined by a parabola, and where it is."""
    place = np.clip(np.argmax(table, axis=1), 1, len(grid) - 2)
    row = np.arange(len(table))
    left, middle, right = table[row, place - 1], table[row, place], table[row, place + 1]
    bend = left - 2.0 * middle + right
    shift = np.clip(np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1.0), 0.0), -1.0, 1.0)
    refined = middle - 0.5 * (left - right) * shift + 0.5 * bend * shift**2
    at_edge = table[:, 0] > refined
    step = grid[1] - grid[0]
    return np.where(at_edge, table[:, 0], refined), np.where(at_edge, grid[0], grid[place] + shift * step)


def last_crossings(grid: Floats, p: Floats, alpha: float) -> Floats:
    """Return for each row of p (N, G) the largest kappa with p > alpha, interpolated in the normal score."""
    accepted = p > alpha
    edge = np.where(accepted.any(axis=1), p.shape[1] - 1 - np.argmax(accepted[:, ::-1], axis=1), 0)
    after = np.minimum(edge + 1, p.shape[1] - 1)
    row = np.arange(len(p))
    inside, outside = (ndtri(np.clip(p[row, column], 1e-6, 1.0 - 1e-6)) for column in (edge, after))
    differ = inside != outside
    share = np.where(differ, (inside - ndtri(alpha)) / np.where(differ, inside - outside, 1.0), 0.0)
    result: Floats = grid[edge] + np.clip(share, 0.0, 1.0) * (grid[after] - grid[edge])
    return result


def enumerated(scan: Scan, level: float, kind: str, top: float, *, mc: bool, cls: bool, expected: bool) -> Outcome:
    """Return the Feldman-Cousins interval, or the CLs limit, from the distribution of the count.

    Parameters
    ----------
    scan : Scan
    level : float
    kind : {"profiled", "prior"}
    top : float
        A kappa above the limit.
    mc : bool
        Whether the simulation's statistical error is part of the priors.
    cls, expected : bool
        CLs instead of Feldman-Cousins; whether to add expected quantiles.
    """
    counts = _Counts(scan, kind, top, mc=mc)
    alpha, lower = 1.0 - level, counts.lower
    null = counts.probability(lower)

    def p_values(kappa: float) -> Floats:
        return counts.p_value(kappa, cls=cls, null=null if cls else None)

    def excess(kappa: float) -> float:
        return float(p_values(kappa)[-1]) - alpha

    grid = np.linspace(lower, lower + 1.2 * (top - lower), _GRID)[int(cls) :]
    table = np.stack([p_values(float(kappa)) for kappa in grid], axis=1)
    accepted = np.flatnonzero(table[-1] > alpha)
    first, last = (int(accepted[0]), int(accepted[-1])) if accepted.size else (0, 0)
    upper = crossing(excess, float(grid[last]), float(grid[min(last + 1, len(grid) - 1)]))
    low = crossing(excess, float(grid[first - 1]), float(grid[first])) if first > 0 and not cls else lower
    gaps = int(np.sum(np.diff(accepted) > 1))
    bands: tuple[float, ...] = ()
    if expected:
        limits = last_crossings(grid, table[:-1], alpha)
        order = np.argsort(limits)
        places = np.searchsorted(np.cumsum(null[:-1][order]), PROBABILITIES)
        bands = tuple(float(limits[order][min(int(place), len(order) - 1)]) for place in places)
    return Outcome(
        kappa=upper,
        lower=low,
        statistic="",
        boundary="",
        bands=bands,
        how="counts enumerated at kappa = 0",
        points={"kappa": grid, "p_value": table[-1]},
        notes=(f"the interval has {gaps} gaps: counts are whole numbers",) if gaps else (),
    )
