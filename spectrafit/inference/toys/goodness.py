"""The goodness of fit from toys, for counts too small for the chi-square distribution."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Executor

import numpy as np
import numpy.typing as npt

from spectrafit.inference.fitting.minimum import Problem
from spectrafit.inference.model import Model
from spectrafit.inference.results import FitResult, Goodness
from spectrafit.inference.toys.ensemble import BEST, ensemble, run

__all__ = ["goodness_from_toys"]


def goodness_from_toys(
    model: Model,
    best: FitResult,
    *,
    toys: int = 1000,
    seed: int = 1,
    data: npt.ArrayLike | None = None,
    executor: str | Executor = "serial",
    workers: int | None = None,
) -> Goodness:
    """Return the saturated goodness of fit with its p-value from toys of the best fit.

    The p-value counts the data as one more toy, (toys above + 1) / (toys + 1), so it is never 0 and rejects the truth
    no more often than it says (Dwass, Ann. Math. Stat. 28, 181).

    Parameters
    ----------
    model : Model
    best : FitResult
        The fit to the same data.
    toys, seed : int
    data : (B,) array_like, optional
        Counts; by default the model's.
    executor, workers
        As for `spectrafit.execution.executor`.
    """
    problem = Problem(model, data)
    of = ensemble(model, best.values, seed=seed, measured=problem.observed, lower=-np.inf)
    rows, _ = run(of, toys=toys, executor=executor, workers=workers)
    thrown = rows[np.isfinite(rows[:, BEST]), BEST]
    p_value = float((np.sum(thrown >= best.two_nll - 1e-9) + 1) / (len(thrown) + 1))
    return dataclasses.replace(best.goodness, p_value=p_value, toys=len(thrown))
