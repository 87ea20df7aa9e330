"""A `Model` in, a `Limit` on its coupling out: every method names its statistic, its sides and its boundary.

kappa is fitted unbounded everywhere; kappa >= 0, where the coupling has that boundary, enters the test statistic or the
prior. Methods:

profile           bounded profile likelihood ratio, asymptotic distribution with the boundary's mixture
cls               asymptotic CLs
feldman-cousins   the two-sided bounded ratio, its distribution from toys at each kappa
cls-toys          CLs from toys
bayes             flat in kappa (mu^2), nuisances marginalised
bayes-mu          flat in the reported quantity where that is the root of kappa (mu), nuisances marginalised
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from spectrafit import execution
from spectrafit.errors import ConfigError, nearest
from spectrafit.inference import asymptotic
from spectrafit.inference.counting import SIGMAS
from spectrafit.inference.model import Model
from spectrafit.inference.results import Bands, Limit
from spectrafit.inference.scan import Outcome, Scan, beyond, crossing
from spectrafit.physics.couplings import COUPLINGS

__all__ = ["METHODS", "Method", "upper_limit"]

Floats = npt.NDArray[np.float64]
Method = Literal["profile", "feldman-cousins", "cls", "cls-toys", "bayes", "bayes-mu"]

METHODS: tuple[Method, ...] = ("profile", "feldman-cousins", "cls", "cls-toys", "bayes", "bayes-mu")
_POINTS = 41


def upper_limit(
    model: Model,
    *,
    level: float = 0.90,
    method: Method = "profile",
    sides: Literal["one", "two"] | None = None,
    ensemble: Literal["profiled", "prior"] = "profiled",
    toys: int = 2000,
    seed: int = 1,
    mc_toys: bool = True,
    expected: bool = True,
    data: npt.ArrayLike | None = None,
    executor: str | Executor = "serial",
    workers: int | None = None,
    bank: str | Path | None = None,
) -> Limit:
    """Return the upper limit (or interval) on the coupling.

    Parameters
    ----------
    model : Model
    level : float
        Confidence or credibility, 0.90 for 90 %.
    method : str
        One of `METHODS`.
    sides : {"one", "two"}, optional
        One-sided upper limit or two-sided interval. "profile" has both, one-sided unless asked; Feldman-Cousins is
        two-sided, the others are upper limits.
    ensemble : {"profiled", "prior"}
        Nuisances of the toys; see `spectrafit.inference.toys`.
    toys : int
        Toys at each kappa; draws at each kappa for the Bayesian methods.
    seed : int
    mc_toys : bool
        Whether toys throw the simulation's statistical error too.
    expected : bool
        Whether to add the expected quantiles.
    data : (B,) array_like, optional
        Counts; by default the model's.
    executor, workers
        Who fits the toys; as for `spectrafit.execution.executor`.
    bank : path, optional
        File of toys to use and to add to.

    Raises
    ------
    ConfigError
        Method, level or sides that do not exist or do not go together.
    DataError
        The fits failed, or more toys than the stated rate.
    """
    if method not in METHODS:
        raise ConfigError(f"limit: no method {method!r}, there are {', '.join(METHODS)}{nearest(method, METHODS)}")
    if not 0.5 < level < 1:
        raise ConfigError(f"limit: level = {level}: needs 0.5 < level < 1, e.g. 0.90")
    natural: Literal["one", "two"] = "two" if method == "feldman-cousins" else "one"
    chosen = sides or natural
    if method != "profile" and chosen != natural:
        raise ConfigError(f"limit: {method} is {natural}-sided; leave sides out, or use method = 'profile'")
    lower = COUPLINGS[model.coupling].lower if model.coupling else 0.0
    scan = Scan(model, lower, data)
    if method in ("profile", "cls"):
        outcome = _asymptotic(scan, level, method, chosen, expected)
    elif method in ("bayes", "bayes-mu"):
        from spectrafit.inference.bayes import credible

        outcome = credible(scan, level, root=method == "bayes-mu", draws=toys, seed=seed, expected=expected)
    else:
        from spectrafit.inference.neyman import Toys, belt

        # One pool for all kappas: workers load their kernels once.
        with execution.executor(executor, workers, preload=("spectrafit.inference.toys",)) as pool:
            thrown = Toys(kind=ensemble, toys=toys, seed=seed, mc=mc_toys, executor=pool, bank=bank)
            outcome = belt(scan, level, thrown, cls=method == "cls-toys", expected=expected)
    return _reported(model, scan, outcome, level, method, chosen, asimov=model.asimov and data is None)


def _reported(
    model: Model, scan: Scan, outcome: Outcome, level: float, method: str, sides: str, *, asimov: bool
) -> Limit:
    """Return the limit in the coupling's unit."""
    coupling = COUPLINGS[model.coupling] if model.coupling else None
    unit = coupling.unit if coupling else ""

    def convert(kappa: float) -> float:
        return coupling.reported(kappa) if coupling else kappa

    value = convert(outcome.kappa)
    step = min(outcome.error, 0.5 * abs(outcome.kappa)) if outcome.error else 0.0
    slope = (convert(outcome.kappa + step) - convert(outcome.kappa - step)) / (2 * step) if step else 0.0
    bands = None
    if outcome.bands:
        low2, low1, mid, high1, high2 = outcome.bands
        bands = Bands(
            values=(convert(low2), convert(low1), convert(mid), convert(high1), convert(high2)),
            kappas=(low2, low1, mid, high1, high2),
            how=outcome.how,
        )
    return Limit(
        value=value,
        unit=unit,
        kappa=outcome.kappa,
        lower=outcome.lower,
        level=level,
        sides=sides,
        method=method,
        statistic=outcome.statistic,
        boundary=outcome.boundary,
        error=abs(slope) * outcome.error,
        kappa_error=outcome.error,
        asimov=asimov,
        expected=bands,
        best_kappa=scan.kappa,
        best_error=scan.error,
        points=outcome.points,
        ledger=outcome.ledger,
        notes=outcome.notes,
    )


def _asymptotic(scan: Scan, level: float, method: str, sides: str, expected: bool) -> Outcome:
    """Return the limit from an asymptotic distribution."""
    alpha = 1.0 - level
    bounded = scan.lower is not None
    lower = scan.lower if scan.lower is not None else scan.kappa
    reference = scan.asimov()

    def p_value(statistic: npt.ArrayLike, kappa: float) -> float:
        # Without a boundary kappa_hat may fall anywhere: as if the boundary were far away.
        q_a = reference.statistic(kappa, sides) if bounded else np.inf
        if method == "cls":
            return float(asymptotic.cls(statistic, q_a if bounded else reference.statistic(kappa, sides)))
        if sides == "one":
            return float(asymptotic.one_sided(statistic, q_a))
        return float(asymptotic.two_sided(statistic, q_a) if bounded else asymptotic.unbounded(statistic))

    def excess(kappa: float) -> float:
        return _log_ratio(p_value(scan.statistic(kappa, sides), kappa), alpha)

    start = max(scan.kappa, lower)
    notes: tuple[str, ...] = ()
    near = lower + 1e-6 * scan.error
    if bounded and start <= near and excess(near) < 0:
        kappa = lower
        notes = (
            "the data fluctuate so low that every physical kappa is excluded at this level; "
            "use cls or feldman-cousins, which do not give an empty interval",
        )
    else:
        kappa = beyond(excess, max(start, near), scan.error)
    low = lower if bounded else -math.inf
    if sides == "two":
        if not bounded:
            low = -beyond(lambda x: excess(-x), -scan.kappa, scan.error)
        elif start > near and excess(near) < 0:
            low = crossing(excess, near, start)
    bands = tuple(_band(reference, level, method, sides, z, p_value) for z in SIGMAS) if expected else ()
    top = lower + 1.6 * (kappa - lower) if kappa > lower else lower + 4 * scan.error
    grid = np.linspace(lower, top, _POINTS)
    statistic = np.array([scan.statistic(float(k), sides) for k in grid])
    points = {
        "kappa": grid,
        "statistic": statistic,
        "p_value": np.array([p_value(q, max(float(k), near)) for q, k in zip(statistic, grid, strict=True)]),
    }
    words = {
        "one": "q~ = 2NLL(kappa) - 2NLL(best kappa >= 0), 0 if the best kappa is above the tested one",
        "two": "t~ = 2NLL(kappa) - 2NLL(best kappa >= 0)",
    }[sides]
    if not bounded:
        words = words.replace("~", "").replace(" >= 0", "")
    if method == "cls":
        words += "; CLs = p(kappa) / p(0)"
    boundary = (
        "kappa >= 0 in the statistic; asymptotic distribution with the boundary (arXiv:1007.1727)"
        if bounded
        else "none: both signs of kappa are physical"
    )
    return Outcome(kappa=kappa, lower=low, statistic=words, boundary=boundary, bands=bands, points=points, notes=notes)


def _log_ratio(p: float, alpha: float) -> float:
    return math.log(max(p, 1e-300) / alpha)


def _band(
    reference: Scan,
    level: float,
    method: str,
    sides: str,
    sigma: float,
    p_value: Callable[[npt.ArrayLike, float], float],
) -> float:
    """Return the limit of data whose best kappa is `sigma` widths from 0."""
    origin = reference.lower if reference.lower is not None else reference.kappa

    def excess(kappa: float) -> float:
        q_a = reference.statistic(kappa, sides)
        if reference.lower is None and sigma > 0:
            statistic = (math.sqrt(q_a) - sigma) ** 2 if sides == "two" or math.sqrt(q_a) > sigma else 0.0
        elif reference.lower is None:
            statistic = (math.sqrt(q_a) - sigma) ** 2
        else:
            statistic = float(asymptotic.expected_statistic(q_a, sigma, sides=sides))
        return _log_ratio(p_value(statistic, kappa), 1.0 - level)

    start = origin + 1e-6 * reference.error
    if excess(start) < 0:
        if sigma <= 0:
            return origin
        # Two-sided intervals of data this high do not reach down to 0: begin inside.
        start = origin + sigma * reference.error
    return beyond(excess, start, reference.error)
