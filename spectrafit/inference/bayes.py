"""A scan of the likelihood in, a credible upper limit out: nuisances are integrated, not profiled.

The marginal likelihood at each kappa is an importance sum over a normal around the conditional minimum, with a
low-discrepancy sequence that is the same for every kappa; its random shifts give the limit's own error. The logarithm
is interpolated between Chebyshev points. Priors of nuisances are their constraints (flat where there is none); the
gammas of MC statistics stay profiled. The prior of kappa >= 0 is flat in kappa, or flat in its root (mu for kappa =
mu^2).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from spectrafit.errors import ConfigError
from spectrafit.inference.counting import PROBABILITIES, sequence
from spectrafit.inference.likelihood import evaluate
from spectrafit.inference.morphing import OUTER
from spectrafit.inference.scan import Outcome, Scan, beyond
from spectrafit.inference.toys import ensemble, run

__all__ = ["credible"]

Floats = npt.NDArray[np.float64]

_NODES = 33
_SHIFTS = 8
_FINE = 4001
_FAR = 40.0  # 2NLL above its minimum where the posterior is cut off
_EXPECTED = 300


@njit(**OUTER)
def _fill_weights(a: Any, d: Any, mode: Any, least: float, root: Any, which: Any, z: Any, logs: Any, w: Any) -> None:
    """Fill `logs` with ln(L(theta) / L(mode)) + z^2 / 2 at theta = mode + root z; -inf outside the limits."""
    theta = mode.copy()
    n = which.size
    for i in range(z.shape[0]):
        square, inside = 0.0, True
        for j in range(n):
            k, moved = which[j], mode[which[j]]
            for m in range(j + 1):
                moved += root[j, m] * z[i, m]
            theta[k] = moved
            square += z[i, j] * z[i, j]
            inside = inside and a.lower[k] <= moved <= a.upper[k]
        logs[i] = 0.5 * (square + least - evaluate(a, d, theta, w)) if inside else -math.inf


class _Marginal:
    """ln of the marginal likelihood at any kappa, one value for each shift of the sequence."""

    def __init__(self, scan: Scan, draws: int, seed: int) -> None:
        self.scan = scan
        self.which = np.flatnonzero(scan.problem.held(scan.index)).astype(np.int64)
        dimensions = self.which.size
        each = max(draws // _SHIFTS, 32) if dimensions else 1
        base = sequence(each, dimensions)
        rng = np.random.Generator(np.random.Philox(key=seed))
        self.normals = [_shifted(base, rng.random(dimensions)) for _ in range(_SHIFTS)] if dimensions else []
        # Slightly wider than the normal approximation, so that weights stay bounded.
        self.widen = 1.0 + 0.2 / math.sqrt(max(dimensions, 1))
        self.efficiency = 1.0

    def at(self, kappa: float) -> tuple[Floats, float]:
        """Return ln M for each shift, and its normal approximation."""
        scan, problem = self.scan, self.scan.problem
        found = scan.at(kappa)
        if not self.which.size:
            return np.full(_SHIFTS, -0.5 * found.nll), -0.5 * found.nll
        part = problem.hessian(found.values)[np.ix_(self.which, self.which)]
        eigenvalues, vectors = np.linalg.eigh(part)
        covariance = 2.0 * (vectors / np.maximum(eigenvalues, 1e-10 * eigenvalues[-1])) @ vectors.T
        root = np.linalg.cholesky(covariance)
        log_volume = float(np.sum(np.log(np.diag(root))))
        result = np.empty(_SHIFTS)
        logs = np.empty(len(self.normals[0]))
        for i, z in enumerate(self.normals):
            _fill_weights(
                problem.handle,
                problem.observed,
                found.values,
                found.nll,
                self.widen * root,
                self.which,
                z,
                logs,
                problem.work.handle,
            )
            top = logs.max()
            weights = np.exp(logs - top)
            self.efficiency = min(self.efficiency, float(weights.mean() ** 2 / np.mean(weights**2)))
            result[i] = top + math.log(weights.mean())
        volume = log_volume - 0.5 * found.nll
        return result + volume + self.which.size * math.log(self.widen), volume


def _shifted(normals: Floats, shift: Floats) -> Floats:
    """Return the sequence moved by a random shift of its uniforms, modulo 1."""
    from scipy.special import ndtr, ndtri

    uniform = np.clip((ndtr(normals) + shift) % 1.0, 1e-12, 1 - 1e-12)
    return np.ascontiguousarray(ndtri(uniform), dtype=np.float64)


def _quantile(x: Floats, logs: Floats, low: float, high: float, level: float) -> tuple[float, Floats, Floats]:
    """Return the quantile of a posterior in x from its logarithm at Chebyshev points, and the posterior on a grid."""
    polynomial = np.polynomial.Chebyshev.fit(x, logs - logs.max(), len(x) - 1, domain=(low, high))
    grid = np.linspace(low, high, _FINE)
    density = np.exp(polynomial(grid))
    area = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    quantile = float(np.interp(level * area[-1], area, grid))
    return quantile, grid, density / (area[-1] * (grid[1] - grid[0]))


def credible(scan: Scan, level: float, *, root: bool, draws: int, seed: int, expected: bool) -> Outcome:
    """Return the Bayesian upper limit.

    Parameters
    ----------
    scan : Scan
    level : float
        Credibility.
    root : bool
        Prior flat in the root of kappa instead of kappa.
    draws : int
        Points of the nuisances' integral at each kappa.
    seed : int
        Of the shifts, and of the toys behind the expected quantiles.
    expected : bool

    Raises
    ------
    ConfigError
        `root` for a coupling whose reported quantity is no root.
    """
    if scan.lower is None and root:
        raise ConfigError("limit: bayes-mu needs a coupling with kappa >= 0, such as the magnetic moment; use bayes")
    origin = scan.lower if scan.lower is not None else 0.0

    def to_kappa(x: float) -> float:
        return origin + x * x if root else x

    def to_x(kappa: float) -> float:
        return math.sqrt(max(kappa - origin, 0.0)) if root else kappa

    far = scan.best.nll + _FAR
    begin = max(scan.kappa, origin) if scan.lower is not None else scan.kappa
    if scan.lower is not None:
        far = max(far, scan.at(origin).nll + _FAR) if scan.kappa < origin else far
    high = beyond(lambda k: far - scan.at(k).nll, begin, 2.0 * scan.error)
    low = origin
    if scan.lower is None:
        low = -beyond(lambda k: far - scan.at(-k).nll, -scan.kappa, 2.0 * scan.error)
    start, stop = to_x(low), to_x(high)
    nodes = 0.5 * (start + stop) - 0.5 * (stop - start) * np.cos((np.arange(_NODES) + 0.5) * math.pi / _NODES)
    marginal = _Marginal(scan, draws, seed)
    values = [marginal.at(to_kappa(float(x))) for x in nodes]
    table = np.stack([v for v, _ in values])
    limits = np.array([to_kappa(_quantile(nodes, table[:, i], start, stop, level)[0]) for i in range(_SHIFTS)])
    together = np.log(np.mean(np.exp(table - table.max()), axis=1))
    limit, grid, density = _quantile(nodes, together, start, stop, level)
    bands: tuple[float, ...] = ()
    if expected:
        kappas = np.array([to_kappa(float(x)) for x in nodes])
        volume = np.array(
            [approximate + 0.5 * scan.at(float(k)).nll for k, (_, approximate) in zip(kappas, values, strict=True)]
        )
        truth = ensemble(
            scan.problem.model,
            scan.at(origin).values,
            data=scan.problem.observed.counts,
            seed=seed,
            lower=-math.inf if scan.lower is None else origin,
        )
        rows, _ = run(truth, kappas, toys=_EXPECTED)
        rows = rows[np.isfinite(rows[:, 0])]
        found = [to_kappa(_quantile(nodes, -0.5 * row[4:] + volume, start, stop, level)[0]) for row in rows]
        bands = tuple(float(q) for q in np.quantile(found, PROBABILITIES))
    name = "flat in the root of kappa" if root else "flat in kappa"
    return Outcome(
        kappa=to_kappa(limit),
        lower=low if scan.lower is not None else origin,
        statistic=f"posterior of kappa, prior {name}, nuisances marginalised ({draws} points at each kappa)",
        boundary="kappa >= 0 in the prior" if scan.lower is not None else "none: both signs of kappa are physical",
        error=float(np.std(limits, ddof=1) / math.sqrt(_SHIFTS)),
        bands=bands,
        how=f"{_EXPECTED} toys of kappa = 0, normal approximation of the nuisances",
        points={
            "kappa": np.array([to_kappa(float(x)) for x in grid[:: _FINE // 200]]),
            "posterior": density[:: _FINE // 200],
        },
        notes=()
        if marginal.efficiency > 0.05
        else (f"the nuisances are far from normal: {100 * marginal.efficiency:.1f} % of the points count; use more",),
    )
