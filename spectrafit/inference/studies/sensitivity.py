"""Expected limits against exposure and size of the systematics: the short form of a scan, for any model."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import numpy.typing as npt

from spectrafit.inference.intervals.limits import Method
from spectrafit.inference.model import Model
from spectrafit.inference.studies.expected import Expected
from spectrafit.inference.studies.points import LimitRule, Point, expected_limits
from spectrafit.inference.toys.options import ToyOptions

__all__ = ["sensitivity"]


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
    axes = tuple(
        tuple(float(value) for value in np.asarray(values, dtype=np.float64).reshape(-1))
        for values in (exposures, systematics)
    )
    options = toys if isinstance(toys, ToyOptions) else ToyOptions(toys=toys)
    points = [
        Point(
            source=model,
            exposure=exposure,
            priors={"": width},
            simulation=simulation,
            name=f"exposure = {exposure:g}, priors = {width:g}",
        )
        for exposure, width in itertools.product(*axes)
    ]
    rule = LimitRule(level=level, method=method, sides=sides, toys=options)
    found = expected_limits(points, rule, executor=options.executor, workers=options.workers)
    return Expected(
        keys=("exposure", "priors"),
        values=axes,
        variants=("",),
        limits=tuple(None if isinstance(limit, str) else limit for limit in found),
        failures=tuple(limit if isinstance(limit, str) else "" for limit in found),
        coupling=model.coupling,
        simulation=simulation,
    )
