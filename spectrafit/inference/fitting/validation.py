"""What a fit predicts in regions that are shown and not fitted, and how well their counts agree with it.

The prediction m is that of the best fit. With J its derivatives by all fitted parameters, couplings included, and V
their covariance after the fit,

    chi^2 = (n - m)^T C^-1 (n - m),   C = diag(m) + diag(simulation's variance) + J V J^T,

because the counts n of such a region had no part in the fit.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy.special import gammaincc

from spectrafit.arraytypes import Floats
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.results import FitResult

__all__ = ["Validation", "validation"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Validation:
    """One region that was not fitted.

    Attributes
    ----------
    region : str
    expected : (n,) array
        Events that the fit predicts in each bin.
    covariance : (n, n) array
        Of the prediction: fitted parameters and the simulation's statistics, events^2.
    observed : (n,) array or None
        Counts; None for Asimov data, which are the prediction.
    """

    region: str
    expected: Floats
    covariance: Floats
    observed: Floats | None = None

    @property
    def error(self) -> Floats:
        """(n,) error of the prediction in each bin."""
        result: Floats = np.sqrt(np.diag(self.covariance))
        return result

    @property
    def total(self) -> tuple[float, float]:
        """Predicted events of the region and their error."""
        return float(self.expected.sum()), float(np.sqrt(self.covariance.sum()))

    @property
    def ndof(self) -> int:
        """Bins in which events are expected."""
        return int(np.sum(self.expected > 0))

    @property
    def chi2(self) -> float | None:
        """Distance of the counts from the prediction; None without counts."""
        if self.observed is None:
            return None
        kept = self.expected > 0
        away = (self.observed - self.expected)[kept]
        matrix = self.covariance[np.ix_(kept, kept)] + np.diag(self.expected[kept])
        return float(away @ np.linalg.solve(matrix, away))

    @property
    def p_value(self) -> float | None:
        """Chance of a larger chi^2; None without counts."""
        chi2 = self.chi2
        return None if chi2 is None or self.ndof == 0 else float(gammaincc(0.5 * self.ndof, 0.5 * chi2))

    def summary(self) -> dict[str, Any]:
        """Return what a result file keeps, as plain numbers."""
        return {
            "region": self.region,
            "expected": self.expected.tolist(),
            "error": self.error.tolist(),
            "total": self.total[0],
            "total_error": self.total[1],
            "observed": None if self.observed is None else self.observed.tolist(),
            "chi2": self.chi2,
            "ndof": self.ndof,
            "p_value": self.p_value,
        }


def validation(model: Model, best: FitResult) -> tuple[Validation, ...]:
    """Return the regions of a model that were not fitted, at its best fit."""
    spans = [span for span in model.regions if not span.fitted]
    if not spans:
        return ()
    likelihood = Likelihood(model)
    at = likelihood.predict(best.values)
    moving = np.flatnonzero(best.errors > 0)
    slopes = np.zeros((len(moving), model.n_bins))
    for row, parameter in enumerate(moving):
        step = np.zeros_like(best.values)
        step[parameter] = best.errors[parameter]
        up, down = (likelihood.predict(best.values + side * step).mean for side in (1.0, -1.0))
        slopes[row] = (up - down) / (2.0 * best.errors[parameter])
    matrix = slopes.T @ best.covariance[np.ix_(moving, moving)] @ slopes + np.diag(at.variance)
    return tuple(
        Validation(
            region=span.name,
            expected=at.mean[span.start : span.stop],
            covariance=matrix[span.start : span.stop, span.start : span.stop],
            observed=None if model.asimov else model.data[span.start : span.stop],
        )
        for span in spans
    )
