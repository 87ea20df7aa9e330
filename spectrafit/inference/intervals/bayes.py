"""A scan of the likelihood in, a credible upper limit out: nuisances are integrated, not profiled.

The marginal likelihood at each kappa is an importance sum over a normal around the conditional minimum, with a
low-discrepancy sequence that is the same for every kappa; its random shifts give the limit's own error. The logarithm
is interpolated between Chebyshev points. Priors of nuisances are their constraints (flat where there is none); the
gammas of MC statistics stay profiled. The prior of kappa >= 0 is flat in kappa, or flat in its root (mu for kappa =
mu^2).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from spectrafit.errors import ConfigError
from spectrafit.inference.intervals.one_bin import PROBABILITIES, sequence
from spectrafit.inference.intervals.scan import UNBOUNDED, Outcome, Scan, beyond
from spectrafit.inference.kernels.averages import fill_weights
from spectrafit.inference.toys.ensemble import TESTED, ensemble, run

__all__ = ["credible", "posterior_limit"]

Floats = npt.NDArray[np.float64]

_NODES = 33
_SHIFTS = 8
_FINE = 4001
_FAR = 40.0  # 2NLL above its minimum where the posterior is cut off
_EXPECTED = 300


class _Marginal:
    """ln M, the logarithm of the marginal likelihood, at any kappa: one value for each shift of the sequence."""

    def __init__(self, scan: Scan, draws: int, seed: int) -> None:
        self.scan = scan
        self.which = np.flatnonzero(scan.problem.held(scan.index)).astype(np.int64)
        dimensions = self.which.size
        base = sequence(max(draws // _SHIFTS, 32), dimensions)
        rng = np.random.Generator(np.random.Philox(key=seed))
        self.normals = [_shifted(base, rng.random(dimensions)) for _ in range(_SHIFTS)] if dimensions else []
        # Slightly wider than the normal approximation, so that weights stay bounded.
        self.widen = 1.0 + 0.2 / math.sqrt(max(dimensions, 1))
        self.efficiency = 1.0

    def volume(self, kappa: float) -> tuple[float, Floats]:
        """Return ln M in the normal approximation, and the Cholesky factor of the nuisances' covariance."""
        problem, found = self.scan.problem, self.scan.at(kappa)
        if not self.which.size:
            return -0.5 * found.two_nll, np.zeros((0, 0))
        part = problem.hessian(found.values)[np.ix_(self.which, self.which)]
        eigenvalues, vectors = np.linalg.eigh(part)
        root = np.linalg.cholesky(2.0 * (vectors / np.maximum(eigenvalues, 1e-10 * eigenvalues[-1])) @ vectors.T)
        return float(np.sum(np.log(np.diag(root)))) - 0.5 * found.two_nll, root

    def at(self, kappa: float) -> Floats:
        """Return ln M for each shift."""
        problem, found = self.scan.problem, self.scan.at(kappa)
        volume, root = self.volume(kappa)
        result = np.full(_SHIFTS, volume + self.which.size * math.log(self.widen))
        a, work, mode = problem.arrays, problem.work, found.values
        for i, z in enumerate(self.normals):
            logs = np.empty(len(z))
            fill_weights(a, problem.observed, mode, found.two_nll, self.widen * root, self.which, z, logs, work)
            weights = np.exp(logs - logs.max())
            self.efficiency = min(self.efficiency, float(weights.mean() ** 2 / np.mean(weights**2)))
            result[i] += logs.max() + math.log(weights.mean())
        return result


def _shifted(normals: Floats, shift: Floats) -> Floats:
    """Return the sequence moved by a random shift of its uniforms, modulo 1."""
    uniform = np.clip((ndtr(normals) + shift) % 1.0, 1e-12, 1 - 1e-12)
    return np.ascontiguousarray(ndtri(uniform), dtype=np.float64)


class _Axis:
    """Where the posterior lives: x = kappa, or its root above the boundary, from its beginning to its end."""

    def __init__(self, scan: Scan, *, root: bool) -> None:
        if scan.lower is None and root:
            raise ConfigError(
                "limit: bayes-mu needs a coupling with kappa >= 0, such as the magnetic moment; use bayes"
            )
        self.root, self.origin = root, 0.0 if scan.lower is None else scan.lower
        begin = scan.kappa if scan.lower is None else max(scan.kappa, self.origin)
        far = scan.at(begin).two_nll + _FAR
        self.high = beyond(lambda k: far - scan.at(k).two_nll, begin, 2.0 * scan.error)
        self.low = self.origin
        if scan.lower is None:
            self.low = -beyond(lambda k: far - scan.at(-k).two_nll, -begin, 2.0 * scan.error)
        self.start, self.stop = (math.sqrt(k - self.origin) if root else k for k in (self.low, self.high))
        points = np.cos((np.arange(_NODES) + 0.5) * math.pi / _NODES)
        self.nodes = 0.5 * (self.start + self.stop) - 0.5 * (self.stop - self.start) * points
        self.grid = np.linspace(self.start, self.stop, _FINE)

    def kappas(self, x: Floats) -> Floats:
        """Return kappa at values of x."""
        return self.origin + x * x if self.root else x

    def posterior(self, logs: Floats) -> Floats:
        """Return the density on the grid, from its logarithm at the nodes."""
        ends = (self.start, self.stop)
        polynomial = np.polynomial.Chebyshev.fit(self.nodes, logs - logs.max(), _NODES - 1, ends)
        density = np.exp(polynomial(self.grid))
        result: Floats = density / (density.sum() * (self.grid[1] - self.grid[0]))
        return result

    def limit(self, logs: Floats, level: float) -> float:
        """Return the quantile in kappa."""
        density = self.posterior(logs)
        area = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
        x = np.interp(level * area[-1], area, self.grid)
        return float(self.kappas(np.array([x]))[0])


def posterior_limit(scan: Scan, level: float, *, root: bool) -> float:
    """Return the credible upper limit in the normal approximation of the nuisances: fast, for coverage."""
    axis, marginal = _Axis(scan, root=root), _Marginal(scan, 0, 0)
    return axis.limit(np.array([marginal.volume(float(k))[0] for k in axis.kappas(axis.nodes)]), level)


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
    axis, marginal = _Axis(scan, root=root), _Marginal(scan, draws, seed)
    kappas = axis.kappas(axis.nodes)
    table = np.stack([marginal.at(float(k)) for k in kappas])
    limits = np.array([axis.limit(column, level) for column in table.T])
    together = np.log(np.mean(np.exp(table - table.max()), axis=1))
    bands: tuple[float, ...] = ()
    if expected:
        # The volume of the nuisances depends on kappa, hardly on the data.
        volume = np.array([marginal.volume(float(k))[0] + 0.5 * scan.at(float(k)).two_nll for k in kappas])
        truth = ensemble(
            scan.problem.model,
            scan.at(axis.origin).values,
            measured=scan.problem.observed,
            seed=seed,
            lower=-math.inf if scan.lower is None else axis.origin,
        )
        rows, _ = run(truth, kappas, toys=_EXPECTED)
        rows = rows[np.isfinite(rows[:, 0])]
        found = [axis.limit(-0.5 * row[TESTED:] + volume, level) for row in rows]
        bands = tuple(float(q) for q in np.quantile(found, PROBABILITIES))
    name = "flat in the root of kappa" if root else "flat in kappa"
    few = f"the nuisances are far from normal: {100 * marginal.efficiency:.1f} % of the points count; use more"
    every = _FINE // 200
    return Outcome(
        kappa=axis.limit(together, level),
        lower=-math.inf if scan.lower is None else axis.origin,
        statistic=f"posterior of kappa, prior {name}, nuisances marginalised ({draws} points at each kappa)",
        boundary=UNBOUNDED if scan.lower is None else "kappa >= 0 in the prior",
        error=float(np.std(limits, ddof=1) / math.sqrt(_SHIFTS)),
        bands=bands,
        how=f"{_EXPECTED} toys of kappa = 0, normal approximation of the nuisances",
        points={"kappa": axis.kappas(axis.grid)[::every], "posterior": axis.posterior(together)[::every]},
        notes=() if marginal.efficiency > 0.05 else (few,),
    )
