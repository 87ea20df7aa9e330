"""Credible upper limits: nuisances are integrated, not profiled.

The marginal likelihood at each kappa is an importance sum over a normal around the conditional minimum, with a
low-discrepancy sequence that is the same for every kappa; its random shifts give the limit's own error. The logarithm
is interpolated around the bulk of the posterior, wherever that is (`spectrafit.inference.intervals.posterior`). Priors
of nuisances are their constraints (flat where there is none); the gammas of MC statistics stay profiled. The prior of
kappa >= 0 is flat in kappa, or flat in its root (mu for kappa = mu^2).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp, ndtr, ndtri

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.intervals.one_bin import PROBABILITIES, sequence
from spectrafit.inference.intervals.posterior import Density
from spectrafit.inference.intervals.scan import UNBOUNDED, Outcome, Scan, beyond, crossing
from spectrafit.inference.kernels.averages import fill_weights
from spectrafit.inference.toys.ensemble import TESTED, ensemble, run

__all__ = ["credible", "posterior_limit"]

_SHIFTS = 8
_FAR = 40.0  # 2NLL above its minimum where the posterior is cut off; more for levels above 90 %
_EXTENSIONS = 8
_POINTS = 201
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
        arrays, work, mode = problem.arrays, problem.work, found.values
        for row, normal in enumerate(self.normals):
            logs = np.empty(len(normal))
            fill_weights(
                arrays, problem.observed, mode, found.two_nll, self.widen * root, self.which, normal, logs, work
            )
            weights = np.exp(logs - logs.max())
            self.efficiency = min(self.efficiency, float(weights.mean() ** 2 / np.mean(weights**2)))
            result[row] += logs.max() + math.log(weights.mean())
        return result


def _shifted(normals: Floats, shift: Floats) -> Floats:
    """Return the sequence moved by a random shift of its uniforms, modulo 1."""
    uniform = np.clip((ndtr(normals) + shift) % 1.0, 1e-12, 1 - 1e-12)
    return np.ascontiguousarray(ndtri(uniform), dtype=np.float64)


class _Axis:
    """The variable in which the prior is flat, over the range in which the posterior matters.

    The range ends where 2NLL has risen so far that the posterior beyond does not matter at this level: above the best
    kappa, and below it unless the boundary comes first.
    """

    def __init__(self, scan: Scan, level: float, *, root: bool, far: float = _FAR) -> None:
        if scan.lower is None and root:
            raise ConfigError(
                "limit: bayes-mu needs a coupling with kappa >= 0, such as the magnetic moment; use bayes"
            )
        self.scan, self.root, self.origin = scan, root, 0.0 if scan.lower is None else scan.lower
        self.tail = 1.0 - level
        self.far = far + 2.0 * max(math.log(0.1 / self.tail), 0.0)
        begin = scan.kappa if scan.lower is None else max(scan.kappa, self.origin)
        limit = scan.at(begin).two_nll + self.far
        step = 2.0 * scan.error
        self.high = beyond(lambda k: limit - scan.at(k).two_nll, begin, step)
        if scan.lower is None:
            self.low = -beyond(lambda k: limit - scan.at(-k).two_nll, -begin, step)
        elif scan.at(self.origin).two_nll > limit:
            self.low = crossing(lambda k: scan.at(k).two_nll - limit, self.origin, begin, tolerance=1e-3)
        else:
            self.low = self.origin
        if not math.isfinite(self.high - self.low):
            raise DataError(
                "no limit: the posterior of kappa does not fall off, however large kappa is; the data say next to "
                f"nothing about kappa (best fit {scan.kappa:.4g} +- {scan.error:.3g})"
            )

    def kappas(self, x: Floats) -> Floats:
        """Return kappa at values of x."""
        return self.origin + x * x if self.root else x

    def density(self, logarithm: Callable[[float], Floats]) -> Density:
        """Return the posterior from its logarithms as a function of kappa; the ends move out if it is not small there.

        Raises
        ------
        DataError
            The posterior does not fall off.
        """
        for _ in range(_EXTENSIONS):
            start, stop = (math.sqrt(kappa - self.origin) if self.root else kappa for kappa in (self.low, self.high))
            found = Density(lambda x: logarithm(float(self.kappas(np.array([x]))[0])), start, stop, tail=self.tail)
            fallen = found.logs.max(axis=0) - 0.25 * self.far
            above, below = np.any(found.logs[-1] > fallen), np.any(found.logs[0] > fallen)
            below = np.any(below & (self.scan.lower is None or self.low > self.origin))
            if not above and not below:
                return found
            width = self.high - self.low
            self.high += 0.5 * width * bool(above)
            self.low -= 0.5 * width * bool(below)
            if self.scan.lower is not None:
                self.low = max(self.low, self.origin)
        raise DataError(
            "no limit: the posterior of kappa does not fall off, perhaps because parameters have no prior; give each "
            "free parameter a constraint, or use profile"
        )


def posterior_limit(scan: Scan, level: float, *, root: bool) -> float:
    """Return the credible upper limit in the normal approximation of the nuisances: fast, for coverage."""
    axis, marginal = _Axis(scan, level, root=root), _Marginal(scan, 0, 0)
    density = axis.density(lambda kappa: np.array([marginal.volume(kappa)[0]]))
    return float(axis.kappas(density.quantiles(level))[0])


def _expected(scan: Scan, level: float, seed: int, *, root: bool) -> tuple[float, ...]:
    """Return quantiles of the limits of toys of the boundary, with nuisances in the normal approximation.

    The points in kappa are those of the data without fluctuation, farther out than their own limit needs.
    """
    reference = scan.asimov()
    axis, marginal = _Axis(reference, level, root=root, far=2.0 * _FAR), _Marginal(reference, 0, seed)
    density = axis.density(lambda kappa: np.array([marginal.volume(kappa)[0]]))
    kappas = axis.kappas(density.nodes)
    # The volume of the nuisances depends on kappa, hardly on the data.
    volume = np.array([marginal.volume(float(kappa))[0] + 0.5 * reference.at(float(kappa)).two_nll for kappa in kappas])
    truth = ensemble(
        scan.problem.model,
        scan.at(axis.origin).values,
        measured=scan.problem.observed,
        seed=seed,
        lower=-math.inf if scan.lower is None else axis.origin,
    )
    rows, _ = run(truth, kappas, toys=_EXPECTED)
    rows = rows[np.isfinite(rows[:, 0])]
    found = axis.kappas(density.quantiles(level, (volume - 0.5 * rows[:, TESTED:]).T))
    return tuple(float(quantile) for quantile in np.quantile(found, PROBABILITIES))


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
    axis, marginal = _Axis(scan, level, root=root), _Marginal(scan, draws, seed)
    density = axis.density(marginal.at)
    limits = axis.kappas(density.quantiles(level))
    together = logsumexp(density.logs, axis=1)[:, None]
    bounds = density.quantiles(level, together)
    kappa = float(axis.kappas(bounds)[0])
    # The error of the area from the interpolation, divided by the density at the limit, is an error of the limit.
    slope = 2.0 * float(bounds[0]) if root else 1.0
    missed = slope * density.residual * axis.tail / max(float(density.value(bounds, together)[0, 0]), 1e-300)
    error = math.hypot(
        float(np.std(limits, ddof=1)) / math.sqrt(_SHIFTS), missed if missed > 1e-5 * abs(kappa) else 0.0
    )
    bands = _expected(scan, level, seed, root=root) if expected else ()
    name = "flat in the root of kappa" if root else "flat in kappa"
    few = f"the nuisances are far from normal: {100 * marginal.efficiency:.1f} % of the points count; use more"
    shown = np.linspace(density.nodes[0], density.nodes[-1], _POINTS)
    return Outcome(
        kappa=kappa,
        lower=-math.inf if scan.lower is None else axis.origin,
        statistic=f"posterior of kappa, prior {name}, nuisances marginalised ({draws} points at each kappa)",
        boundary=UNBOUNDED if scan.lower is None else "kappa >= 0 in the prior",
        error=error,
        bands=bands,
        how=f"{_EXPECTED} toys of kappa = 0, normal approximation of the nuisances",
        points={"kappa": axis.kappas(shown), "posterior": density.value(shown, together)[:, 0]},
        notes=() if marginal.efficiency > 0.05 else (few,),
    )
