"""The profile likelihood in kappa and its test statistics. Each value of kappa is fitted once."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import erfinv

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.fitting.covariance import covariance, degenerate, rises
from spectrafit.inference.fitting.minimum import Minimum, Problem
from spectrafit.inference.kernels.fields import Observed
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.results import Ledger

__all__ = ["UNBOUNDED", "Outcome", "Scan", "beyond", "crossing", "ending", "opened"]


# How often the distance is doubled in which an end is looked for: 10^12 errors.
_DOUBLINGS = 40
# An error smaller than this part of that of the data is none.
_NO_ERROR = 1e-9

UNBOUNDED = "none: both signs of kappa are physical"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What a method found, in kappa: the interval, its error, the scan behind it, and the expected quantiles."""

    kappa: float
    lower: float
    statistic: str
    boundary: str
    error: float = 0.0
    bands: tuple[float, ...] = ()
    how: str = "asymptotic"
    points: dict[str, Floats] = dataclasses.field(default_factory=dict)
    ledger: Ledger | None = None
    notes: tuple[str, ...] = ()
    empty: bool = False
    beside: dict[str, float] = dataclasses.field(default_factory=dict)


class Scan:
    """Conditional fits at values of kappa, remembered.

    Parameters
    ----------
    model : Model
    lower : float or None
        Smallest physical kappa; None if both signs are.
    data : (B,) array_like, optional
        Counts; by default the model's.
    measured : Observed, optional
        Counts with auxiliary measurements, instead of `data`.

    Attributes
    ----------
    best : Minimum
        The unbounded fit.
    kappa, error : float
        Best kappa and its error.
    bound : float
        Upper bound that the model gives kappa; the scan lifts it.
    """

    def __init__(
        self,
        model: Model,
        lower: float | None,
        data: npt.ArrayLike | None = None,
        *,
        measured: Observed | None = None,
    ) -> None:
        if not model.poi:
            raise ConfigError("the model has no parameter of interest, so there is nothing to set a limit on")
        self.index = model.index(model.poi)
        self.bound = model.parameters[self.index].upper
        self.problem = Problem(opened(model, lower), data, measured=measured)
        self.lower = lower
        self.best = self.problem.deepest(model.initial)
        if not self.best.converged:
            raise DataError(
                f"no limit: the unbounded fit did not converge (EDM {self.best.edm:.1e}); fit(model) says why"
            )
        self.kappa = float(self.best.values[self.index])
        hessian = self.problem.hessian(self.best.values)
        matrix, positive = covariance(hessian, self.problem.free)
        self.error = float(np.sqrt(matrix[self.index, self.index]))
        free = self.problem.free
        valley = degenerate(self.problem, self.best, hessian, free, matrix, positive)
        # Two couplings that are degenerate act as one. A rise of 2NLL far away is then rounding and no information.
        alike = len([name for name in valley if name in model.couplings]) > 1
        if model.poi in valley and (alike or not rises(self.problem, self.best, free, self.index, self.error)):
            raise DataError(
                f"no limit: 2NLL does not change with {' and '.join(valley)}, so the data say nothing about "
                f"{model.poi}; give the others a constraint, or fix them"
            )
        self._free = self.problem.held(self.index)
        self._tangent = matrix[self.index] / matrix[self.index, self.index]
        self._known: dict[float, Minimum] = {}

    def at(self, kappa: float) -> Minimum:
        """Return the conditional minimum at one kappa."""
        if kappa not in self._known:
            start = self._guess(kappa)
            found = self.problem.minimum(start, self._free)
            if not found.converged:
                raise DataError(
                    f"no limit: the fit at kappa = {kappa:g} did not converge (EDM {found.edm:.1e}); see profile(model)"
                )
            self._known[kappa] = found
        return self._known[kappa]

    def _guess(self, kappa: float) -> Floats:
        """Return where the conditional minimum at one kappa is expected: on the line through the two nearest ones.

        If only one minimum is known, the line is the tangent there, along which the covariance moves the nuisances.
        """
        known = sorted((abs(near - kappa), near) for near in {*self._known, self.kappa})
        values = [self._known[near].values if near in self._known else self.best.values for _, near in known[:2]]
        near = known[0][1]
        slope = self._tangent
        if len(known) > 1 and known[0][0] <= 2.0 * abs(known[1][1] - near):
            slope = (values[1] - values[0]) / (known[1][1] - near)
        start = values[0] + np.where(self._free, slope, 0.0) * (kappa - near)
        start = np.clip(start, self.problem.arrays.lower, self.problem.arrays.upper)
        start[self.index] = kappa
        return start

    def slope(self, kappa: float) -> float:
        """Return the derivative of the profile of 2NLL at one kappa: the partial one, at the conditional minimum."""
        return float(self.problem.gradient(self.at(kappa).values)[self.index])

    def second(self, near: float) -> tuple[float, float] | None:
        """Return kappa and 2NLL above the best fit of the minimum `near` a kappa, None if that is the best fit."""
        start = self.best.values.copy()
        start[self.index] = near
        found = self.problem.descent(start)
        kappa = float(found.values[self.index])
        if not found.converged or abs(kappa - self.kappa) < 0.1 * self.error:
            return None
        return kappa, found.two_nll - self.best.two_nll

    @functools.cached_property
    def _reference(self) -> Scan:
        return self.asimov_at(0.0 if self.lower is None else self.lower)

    def asimov(self) -> Scan:
        """Return the scan of the Asimov data of the boundary (or kappa = 0), made once."""
        return self._reference

    def asimov_at(self, kappa: float) -> Scan:
        """Return the scan of the data without fluctuation that the fit at one kappa predicts."""
        values = self.at(kappa).values
        model, arrays = self.problem.model, self.problem.arrays
        at = Likelihood(model).predict(values, measured=self.problem.observed)
        centre = values.copy()
        centre[arrays.auxiliary] = values[arrays.auxiliary] * arrays.auxiliary_scale
        profiled = model.statistic == "poisson"
        expected, factor, _ = at.simulated()
        own = arrays.gamma_kind == 0
        counts = np.maximum(np.where(own, expected, at.fitted) if profiled else at.mean, 0.0)
        gammas = np.where(own, factor if profiled else 1.0, at.gamma)
        gammas = np.where(arrays.gamma_kind == 2, arrays.gamma_width * gammas, gammas)
        return Scan(model, self.lower, measured=Observed(counts, centre, gammas))

    def asymptotic_top(self, level: float, sides: str) -> float:
        """Return a kappa safely above the limit: where the statistic is that of the +2 sigma data at the level."""
        reference = self.asimov()
        target = (2.0 + math.sqrt(2.0) * float(erfinv(level))) ** 2
        origin = 0.0 if self.lower is None else self.lower
        # Without background, data of no events have no curvature: their error is 0.
        step = reference.error if reference.error > _NO_ERROR * self.error else self.error
        above = beyond(lambda k: target - reference.statistic(k, sides), origin, step)
        high = beyond(lambda k: target - self.statistic(k, sides), max(self.kappa, origin), self.error)
        return ending(self, max(above, high))

    def statistic(self, kappa: float, sides: str) -> float:
        """Return q~ ("one") or t~ ("two") at kappa; without a boundary q or t."""
        if sides == "one" and self.kappa >= kappa:
            return 0.0
        inside = self.lower is None or self.kappa >= self.lower
        least = self.best.two_nll if inside else self.at(float(self.lower or 0.0)).two_nll
        return max(self.at(kappa).two_nll - least, 0.0)


def opened(model: Model, lower: float | None) -> Model:
    """Return the model with its parameter of interest free above, and down to the physical boundary."""
    place = model.index(model.poi)
    interest = model.parameters[place]
    least = min(interest.lower, -math.inf if lower is None else lower)
    if interest.upper == math.inf and interest.lower == least:
        return model
    parameters = (
        *model.parameters[:place],
        dataclasses.replace(interest, lower=least, upper=math.inf),
        *model.parameters[place + 1 :],
    )
    return dataclasses.replace(model, parameters=parameters)


def crossing(function: Callable[[float], float], low: float, high: float, *, tolerance: float = 1e-7) -> float:
    """Return where a continuous function changes sign between `low` and `high`, NaN if it does not.

    Brent's method: a third as many calls, each of them a fit, as regula falsi.
    """
    left, right = function(low), function(high)
    if left == 0.0 or right == 0.0:
        return low if left == 0.0 else high
    if not left * right < 0:
        return math.nan
    known = {low: left, high: right}

    def remembered(x: float) -> float:
        return known[x] if x in known else function(x)

    return float(brentq(remembered, low, high, xtol=1e-30, rtol=tolerance))


def beyond(excess: Callable[[float], float], start: float, step: float) -> float:
    """Return where p falls to alpha above `start`, where it is larger; inf if it does not."""
    low, high = start, start + step
    for _ in range(_DOUBLINGS):
        if excess(high) < 0:
            return crossing(excess, low, high)
        low, high = high, start + 2.0 * (high - start)
    return math.inf


def ending(scan: Scan, kappa: float) -> float:
    """Return a limit, or refuse one that does not end."""
    if math.isfinite(kappa):
        return kappa
    raise DataError(
        "no limit: p does not fall to 1 - level however large kappa is; the data say next to nothing about kappa "
        f"(best fit {scan.kappa:.4g} +- {scan.error:.3g}): there are too few events, or the simulation of the signal "
        "has too few entries to tell how many are expected"
    )
