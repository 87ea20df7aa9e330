"""Expected limits against exposure and size of the systematics: the short form of a scan, for any model."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Literal

import numpy as np
import numpy.typing as npt

from spectrafit import execution
from spectrafit.errors import ConfigError
from spectrafit.inference.fake import Fake
from spectrafit.inference.intervals.limits import Method
from spectrafit.inference.model import Model
from spectrafit.inference.studies.expected import Expected
from spectrafit.inference.studies.points import LimitRule, Point, expected_limits
from spectrafit.inference.toys.options import ToyOptions

__all__ = ["of_model", "sensitivity"]


def sensitivity(
    model: Model,
    exposures: npt.ArrayLike = (1.0,),
    *,
    systematics: npt.ArrayLike = (1.0,),
    simulation: Literal["fixed", "grows"] = "fixed",
    level: float = 0.90,
    method: Method = "profile",
    sides: Literal["one", "two"] | None = None,
    toys: int | ToyOptions = 2000,
) -> Expected:
    """Return expected limits for every exposure and every scale of the systematics.

    For an analysis, ``scan(analysis, ["exposure=1,10", "priors=0,1"])`` is the same.

    Parameters
    ----------
    model : Model
    exposures, systematics : array_like
        Multiples of the model's exposure and of its prior widths.
    simulation : {"fixed", "grows"}
        See `spectrafit.inference.studies.points.scaled`.
    level, method, sides, toys
        As for `upper_limit`.
    """
    axes = {
        name: tuple(float(value) for value in np.asarray(values, dtype=np.float64).reshape(-1))
        for name, values in (("exposure", exposures), ("priors", systematics))
    }
    options = toys if isinstance(toys, ToyOptions) else ToyOptions(toys=toys)
    rule = LimitRule(level=level, method=method, sides=sides, toys=options)
    return of_model(model, axes, rule, simulation=simulation, executor=options.executor, workers=options.workers)


def of_model(
    model: Model,
    axes: Mapping[str, Sequence[float]],
    rule: LimitRule,
    *,
    simulation: Literal["fixed", "grows"] = "fixed",
    data: Fake | None = None,
    executor: str | Executor | execution.Pool = "serial",
    workers: int | None = None,
    progress: bool = False,
) -> Expected:
    """Return the expected limits of a model at other exposures and prior widths.

    Parameters
    ----------
    model : Model
    axes : mapping of str to sequence of float
        None, one or two of `exposure`, `priors` and `priors.NAME` (of a parameter, systematic or group).
    rule, simulation, data, executor, workers, progress
        As for `expected_limits` and its points.

    Raises
    ------
    ConfigError
        Another key: a model has neither files nor edges.
    """
    begun = time.perf_counter()
    for key in axes:
        if key != "exposure" and key.partition(".")[0] != "priors":
            raise ConfigError(
                f"scan: {key!r}: a workspace has exposure, priors and priors.NAME; other keys are of an analysis"
            )
    points = []
    for values in itertools.product(*axes.values()):
        here = dict(zip(axes, (float(value) for value in values), strict=True))
        priors = {
            key.removeprefix("priors").removeprefix("."): value for key, value in here.items() if key != "exposure"
        }
        points.append(
            Point(
                source=model,
                exposure=here.get("exposure", 1.0),
                priors=priors,
                simulation=simulation,
                name=", ".join(f"{key} = {value:g}" for key, value in here.items()),
                data=data,
            )
        )
    found = expected_limits(points, rule, executor=executor, workers=workers, progress=progress)
    return Expected(
        keys=tuple(axes),
        values=tuple(tuple(float(value) for value in values) for values in axes.values()),
        variants=("",),
        limits=tuple(None if isinstance(limit, str) else limit for limit in found),
        failures=tuple(limit if isinstance(limit, str) else "" for limit in found),
        coupling=model.coupling,
        simulation=simulation,
        fills=-1,
        seconds=time.perf_counter() - begun,
    )
