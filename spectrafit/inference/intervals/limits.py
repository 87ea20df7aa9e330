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

import dataclasses
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from spectrafit import execution
from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.intervals.profile_limit import profiled
from spectrafit.inference.intervals.scan import Outcome, Scan
from spectrafit.inference.model import Model
from spectrafit.inference.results import Bands, Limit
from spectrafit.physics.couplings import COUPLINGS

__all__ = ["METHODS", "Method", "methods", "upper_limit"]

Floats = npt.NDArray[np.float64]
Method = Literal["profile", "feldman-cousins", "cls", "cls-toys", "bayes", "bayes-mu"]

METHODS: tuple[Method, ...] = ("profile", "feldman-cousins", "cls", "cls-toys", "bayes", "bayes-mu")


def methods(model: Model) -> tuple[Method, ...]:
    """Return the methods for the model's coupling: CLs needs a smallest kappa, flat in mu a root."""
    without = ("cls", "cls-toys") if _lower(model) is None else ()
    if model.coupling and COUPLINGS[model.coupling].root == 1:
        without = (*without, "bayes-mu")
    return tuple(m for m in METHODS if m not in without)


def _lower(model: Model) -> float | None:
    """Return the smallest physical kappa, None if both signs are."""
    return COUPLINGS[model.coupling].lower if model.coupling else 0.0


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
    simulations: int = 12,
    data: npt.ArrayLike | None = None,
    executor: str | Executor = "serial",
    workers: int | None = None,
    bank: str | Path | Sequence[str | Path] = (),
    first_toy: int = 0,
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
        Nuisances of the toys; see `spectrafit.inference.toys.ensemble`.
    toys : int
        Toys at each kappa; draws at each kappa for the Bayesian methods.
    seed : int
    mc_toys : bool
        Whether toys throw the simulation's statistical error too.
    expected : bool
        Whether to add the expected quantiles.
    simulations : int
        Simulations thrown anew for the error from MC statistics (of the "profile" limit of the same sides); or 0.
    data : (B,) array_like, optional
        Counts; by default the model's.
    executor, workers
        Who fits the toys; as for `spectrafit.execution.executor`.
    bank : path or sequence of paths, optional
        Files of toys to use; all toys go into the first of them, which need not be there yet.
    first_toy : int
        Smallest number of toys thrown here. Machines that throw for one limit each have a range of their own, and
        their banks are given together afterwards.

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
    lower = _lower(model)
    if lower is None and method in ("cls", "cls-toys"):
        raise ConfigError(
            f"limit: {method} compares with the smallest kappa there is, but both signs of {model.coupling!r} are "
            "physical; use profile, feldman-cousins or bayes"
        )
    scan = Scan(model, lower, data)
    if method in ("profile", "cls"):
        outcome = profiled(scan, level, chosen, cls=method == "cls", expected=expected)
    elif method in ("bayes", "bayes-mu"):
        from spectrafit.inference.intervals.bayes import credible

        outcome = credible(scan, level, root=method == "bayes-mu", draws=toys, seed=seed, expected=expected)
    else:
        from spectrafit.inference.intervals.neyman import Toys, belt

        # One pool for all kappas: workers load their kernels once.
        with execution.executor(executor, workers, preload=("spectrafit.inference.toys.ensemble",)) as pool:
            files = tuple(Path(b) for b in ((bank,) if isinstance(bank, str | Path) else bank))
            thrown = Toys(kind=ensemble, toys=toys, seed=seed, mc=mc_toys, executor=pool, bank=files, first=first_toy)
            outcome = belt(scan, level, thrown, cls=method == "cls-toys", expected=expected)
    limit = _reported(model, scan, outcome, level, method, chosen, asimov=model.asimov and data is None)
    if not simulations or not model.variances or limit.empty:
        return limit
    from spectrafit.inference.toys.goodness import simulation_error

    spread, _ = simulation_error(model, throws=simulations, seed=seed, level=level, sides=chosen, data=data)
    return dataclasses.replace(limit, simulation_error=spread)


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
        empty=outcome.empty,
        beside={method: convert(kappa) for method, kappa in outcome.beside.items()},
    )
