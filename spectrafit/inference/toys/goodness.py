"""A fitted model in, what its numbers are worth out: goodness of fit from toys, limits of other simulations."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Executor
from typing import Literal

import numpy as np
import numpy.typing as npt

from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.minimum import Problem
from spectrafit.inference.intervals.limits import upper_limit
from spectrafit.inference.model import Model
from spectrafit.inference.results import FitResult, Goodness
from spectrafit.inference.toys.ensemble import BEST, ensemble, run
from spectrafit.random import normal, stream_key

__all__ = ["goodness_from_toys", "rethrown", "simulation_error"]

Floats = npt.NDArray[np.float64]


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

    Parameters
    ----------
    model : Model
    best : FitResult
        Of the same data.
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


def rethrown(model: Model, number: int, *, seed: int = 1) -> Model:
    """Return the model as another simulation of the same size would have made it.

    The bins of the components fluctuate as their variances say, together where a variance pairs two of them; morphs
    keep their ratio to the nominal. What `residual` holds follows no component and stays.
    """
    if not model.variances:
        raise ConfigError("simulation: the model has no MC statistics to throw; mc_statistics = 'barlow-beeston-lite'")
    shifts = [np.zeros(len(c.nominal)) for c in model.components]
    pairs = {(v.first, v.second): v.values for v in model.variances}
    key = stream_key(seed, "simulation")
    for group in _groups(model):
        size = len(model.components[group[0]].nominal)
        covariance = np.zeros((size, len(group), len(group)))
        for i, first in enumerate(group):
            for j, second in enumerate(group):
                values = pairs.get((min(first, second), max(first, second)))
                if values is not None:
                    # A pair's variance is twice its covariance.
                    covariance[:, i, j] = values if i == j else 0.5 * values
        eigenvalues, vectors = np.linalg.eigh(covariance)
        roots = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))[:, None, :]
        start = sum(len(c.nominal) for c in model.components[: group[0]])
        draws = np.array([[normal(key, number, (start + b) * 8 + i) for i in range(len(group))] for b in range(size)])
        for i, place in enumerate(group):
            shifts[place] = np.einsum("bj,bj->b", roots[:, i, :], draws)
    components = []
    for c, shift in zip(model.components, shifts, strict=True):
        relative = np.divide(shift, c.nominal, out=np.zeros_like(shift), where=c.nominal != 0)
        ratio = np.maximum(1.0 + relative, 0.01)
        morphs = tuple(dataclasses.replace(m, templates=m.templates * ratio) for m in c.morphs)
        components.append(dataclasses.replace(c, nominal=c.nominal * ratio, morphs=morphs))
    return dataclasses.replace(model, components=tuple(components))


def _groups(model: Model) -> list[list[int]]:
    """Return the components whose simulations are the same events: joined by a variance."""
    group = list(range(len(model.components)))
    for v in model.variances:
        old, new = group[v.second], group[v.first]
        group = [new if g == old else g for g in group]
    found: dict[int, list[int]] = {}
    used = {c for v in model.variances for c in (v.first, v.second)}
    for c, g in enumerate(group):
        if c in used:
            found.setdefault(g, []).append(c)
    return list(found.values())


def simulation_error(
    model: Model,
    *,
    throws: int = 20,
    seed: int = 1,
    level: float = 0.90,
    sides: Literal["one", "two"] = "one",
    data: npt.ArrayLike | None = None,
) -> tuple[float, float]:
    """Return how far the limit would move with another simulation: its spread in the reported unit, and in kappa.

    The data stay, Asimov data too; `throws` simulations are made by `rethrown`, and the limit is "profile". MC
    statistics widen the limit itself already; this is the part of it that another simulation would shuffle.
    """
    counts = model.data if data is None else np.asarray(data, dtype=np.float64)
    limits = []
    for number in range(throws):
        other = dataclasses.replace(rethrown(model, number, seed=seed), data=counts)
        limits.append(upper_limit(other, level=level, sides=sides, expected=False, simulations=0))
    return float(np.std([x.value for x in limits], ddof=1)), float(np.std([x.kappa for x in limits], ddof=1))
