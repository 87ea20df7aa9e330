"""Writes the notes under a limit: when not to trust the limit, and which method to use instead."""

from __future__ import annotations

import math

import numpy as np

from spectrafit.inference.intervals.scan import Scan
from spectrafit.physics.couplings import COUPLINGS

__all__ = ["ENOUGH", "beyond_bound", "effective_events", "few_events", "unphysical_partners"]

# Effective number of events from which on the asymptotic formulas are used without a note.
ENOUGH = 10.0


def effective_events(scan: Scan, kappa: float) -> float:
    """Return how many events decide about kappa if `kappa` is true: 1 / skewness^2 of its estimator.

    The best kappa is, near the truth, a sum over bins of counts times d ln(m) / d kappa. Its distribution is as skewed
    as that of a Poisson count of this many events. In one bin the number is the expected count m; bins without
    sensitivity add nothing to it. With the variance V of the simulation a bin's weight is (dm / dkappa) / (m + V).
    """
    problem, values = scan.problem, scan.at(kappa).values.copy()
    step = 1e-3 * scan.error if scan.error > 0 else 1e-3 * max(abs(kappa), 1.0)
    means = []
    for place in (kappa - step, kappa + step, kappa):
        values[scan.index] = place
        problem.value(values)
        means.append(problem.work.mean.copy())
    used = problem.arrays.used
    slope, mean = ((means[1] - means[0]) / (2.0 * step))[used], np.maximum(means[2], 0.0)[used]
    spread = mean + problem.work.variance[used]
    weight = np.divide(slope, spread, out=np.zeros_like(slope), where=spread > 0)
    third = abs(float(np.sum(weight**3 * mean)))
    if third == 0.0:
        return 0.0 if not np.any(mean > 0) else math.inf
    return float(np.sum(weight**2 * spread)) ** 3 / third**2


def few_events(scan: Scan, kappa: float) -> tuple[str, ...]:
    """Return the sentence for an asymptotic limit that rests on fewer than `ENOUGH` events, nothing for others."""
    number = effective_events(scan, kappa)
    if number >= ENOUGH:
        return ()
    model = scan.problem.model
    methods = "feldman-cousins, cls-toys or bayes" if scan.lower is not None else "feldman-cousins or bayes"
    total = float(np.sum(scan.problem.work.mean[model.used]))
    return (
        f"the asymptotic formula does not hold here: about {number:.3g} expected events decide about kappa at the "
        f"limit ({total:.3g} in all bins), and it needs {ENOUGH:g}; use {methods}",
    )


def beyond_bound(scan: Scan, kappa: float) -> tuple[str, ...]:
    """Return the sentence for a limit beyond the upper bound that the model gives its parameter of interest."""
    if kappa <= scan.bound:
        return ()
    name = scan.problem.model.poi
    return (
        f"the limit lies beyond the bound of {name}, {scan.bound:g}: the limit ignores this bound, because an upper "
        f"limit must not be cut off; widen the bound of {name} in the workspace",
    )


def unphysical_partners(scan: Scan, kappa: float) -> tuple[str, ...]:
    """Return a sentence for each profiled coupling that the fit at the limit puts below its smallest physical value.

    Profiled couplings have no boundary in the fit, so that the statistic keeps its asymptotic distribution. A limit
    that rests on an unphysical value is weaker than it would be with the boundary.
    """
    model, found = scan.problem.model, scan.at(kappa).values
    said = []
    for name, key in model.couplings.items():
        coupling, value = COUPLINGS[key], float(found[model.index(name)])
        if name != model.poi and coupling.lower is not None and value < coupling.lower - 1e-6 * abs(value):
            said.append(
                f"{name} is profiled without its boundary: at the limit it is {value:.4g}, below its smallest physical"
                f" value {coupling.lower:g}, so the limit is weaker than with the boundary; for a limit with a known"
                f" {name}, give its flavours values in fixed"
            )
    return tuple(said)
