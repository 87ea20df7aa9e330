"""How far a limit would move with another simulation of the same size.

The fit's MC statistics widen a limit already. This module says how much the limit itself would scatter. The data stay
the same, Asimov data too. To first order no fit is needed: the minimum of 2NLL changes with a bin of a template by the
partial derivative, since 2NLL does not change with the fitted parameters there. So the limit moves by

    dkappa = - sum_i (dt / dT_i) dT_i / (dt / dkappa),   t = 2NLL(limit) - 2NLL(best fit),

and the variance of dkappa follows from the covariance of the templates' bins. `toys.simulations` makes other
simulations, from which tests compute limits anew and compare.
"""

from __future__ import annotations

import math

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.inference.intervals import asymptotic
from spectrafit.inference.intervals.scan import Scan
from spectrafit.inference.toys.simulations import covariances, relative

__all__ = ["simulation_error"]


def simulation_error(scan: Scan, kappa: float, *, sides: str) -> float:
    """Return the standard deviation, in kappa, of the "profile" limit `kappa` over simulations of the same size.

    Asimov data enter the limit of data with a deficit. Their statistic is taken as fixed.

    Parameters
    ----------
    scan : Scan
        Of the model and the data.
    kappa : float
        The limit.
    sides : {"one", "two"}
    """
    inside = scan.lower is None or scan.kappa >= scan.lower
    least = scan.best.values if inside else scan.at(float(scan.lower or 0.0)).values
    change = [
        far - near for far, near in zip(_by_ratio(scan, scan.at(kappa).values), _by_ratio(scan, least), strict=True)
    ]
    variance = 0.0
    for group, covariance in covariances(scan.problem.model):
        slopes = np.stack(
            [relative(change[place], scan.problem.model.components[place].nominal) for place in group], axis=1
        )
        variance += float(np.einsum("bi,bij,bj->", slopes, covariance, slopes))
    slope = scan.slope(kappa)
    if scan.lower is not None:
        slope *= _widening(scan, kappa, sides)
    return math.sqrt(max(variance, 0.0)) / abs(slope) if slope else math.inf


def _by_ratio(scan: Scan, values: Floats) -> list[Floats]:
    """Return the derivatives of 2NLL by the relative change of every component's bins, morphs included."""
    problem = scan.problem
    problem.value(values)
    work, arrays = problem.work, problem.arrays
    found = []
    for number, component in enumerate(problem.model.components):
        bins = slice(component.start, component.stop)
        start, size = int(arrays.place[number]), int(arrays.size[number])
        slopes = work.by_mean[bins] + bool(arrays.shared[number]) * work.by_shared[bins]
        found.append(slopes * work.yields[start : start + size])
    return found


def _widening(scan: Scan, kappa: float, sides: str) -> float:
    """Return how much faster p falls along kappa than along the statistic of the data alone.

    Beyond q_A the p-value depends on the Asimov data's statistic too, which grows with kappa.
    """
    reference = scan.asimov()
    p = asymptotic.one_sided if sides == "one" else asymptotic.two_sided
    t, q_a = scan.statistic(kappa, sides), reference.statistic(kappa, sides)
    step = 1e-4 * max(t, q_a, 1e-3)
    by_t = float(p(t + step, q_a) - p(max(t - step, 0.0), q_a)) / (step + min(step, t))
    by_asimov = float(p(t, q_a + step) - p(t, max(q_a - step, 0.0))) / (step + min(step, q_a))
    slope = scan.slope(kappa)
    return 1.0 + by_asimov * reference.slope(kappa) / (by_t * slope) if by_t * slope else 1.0
