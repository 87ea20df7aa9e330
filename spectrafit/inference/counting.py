"""A model of one bin in, the exact distribution of its counts instead of toys out: no error from finite toys.

Possible where nothing but the count is random: no auxiliary measurement is thrown because there are none, or because
the ensemble is "prior". The average over the priors is a quadrature with a low-discrepancy sequence.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, ndtri, xlogy

from spectrafit.errors import DataError
from spectrafit.inference.likelihood import evaluate
from spectrafit.inference.model import Model
from spectrafit.inference.toys import BEST, BOUND, KAPPA, TESTED, fit_counts, scratch
from spectrafit.inference.yields import workspace

__all__ = ["bounded_ratio", "possible", "probabilities", "sequence", "statistics"]

Floats = npt.NDArray[np.float64]
_DRAWS = 4096


def possible(model: Model, kind: str, *, mc: bool) -> bool:
    """Return whether the counts of the model can be enumerated."""
    a = model.arrays
    if int(a.used.sum()) != 1 or model.statistic == "gaussian":
        return False
    thrown = [p for p in model.parameters if p.constraint != "free" and not p.fixed]
    uncertain = bool(model.variances) or bool(model.residual.size) or model.local is not None
    if any(p.constraint == "poisson" for p in thrown) or model.local is not None or a.correlated.size:
        return False
    return kind == "prior" or not (thrown or (uncertain and mc))


def sequence(points: int, dimensions: int) -> Floats:
    """Return (points, dimensions) standard normals from Roberts' R_d low-discrepancy sequence."""
    if dimensions == 1:
        return np.asarray(ndtri((np.arange(points) + 0.5) / points), dtype=np.float64)[:, None]
    ratio = 2.0
    for _ in range(60):
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    steps = ratio ** -np.arange(1.0, dimensions + 1)
    uniform = (0.5 + np.arange(1, points + 1)[:, None] * steps) % 1.0
    return np.asarray(ndtri(np.clip(uniform, 1e-12, 1 - 1e-12)), dtype=np.float64)


def _means(model: Model, values: Floats, *, prior: bool, mc: bool) -> Floats:
    """Return the expected count for each draw of the nuisances."""
    a, w = model.arrays, workspace(model.arrays)
    d = scratch(model)
    place = int(np.flatnonzero(a.used)[0])
    uncertain = [k for k, p in enumerate(model.parameters) if p.constraint == "gaussian" and not p.fixed]
    evaluate(model.handle, d, values, w.handle)
    if not prior or not (uncertain or (mc and w.variance[place] > 0)):
        return np.array([max(w.mean[place], 0.0)])
    draws = sequence(_DRAWS, len(uncertain) + int(mc and w.variance[place] > 0))
    means = np.empty(len(draws))
    theta = values.copy()
    for i, z in enumerate(draws):
        for k, shift in zip(uncertain, z, strict=False):
            theta[k] = a.centre[k] + model.parameters[k].width * shift
        evaluate(model.handle, d, theta, w.handle)
        extra = z[-1] * np.sqrt(w.variance[place]) if len(z) > len(uncertain) else 0.0
        means[i] = max(w.mean[place] + extra, 0.0)
    return means


def probabilities(model: Model, values: Floats, counts: Floats, *, prior: bool, mc: bool) -> Floats:
    """Return P(n) for every n in `counts` if `values` are true."""
    means = _means(model, values, prior=prior, mc=mc)
    logarithm = xlogy(counts[:, None], means) - means - gammaln(counts[:, None] + 1.0)
    result: Floats = np.exp(logarithm).mean(axis=1)
    return result


def statistics(model: Model, counts: Floats, kappas: Floats, lower: float, *, cls: bool) -> Floats:
    """Return (N, G): the test statistic of every count at every kappa."""
    a, d, w = model.arrays, scratch(model), workspace(model.arrays)
    d.centre[:], d.local[:] = a.centre, a.local_centre
    whole = np.zeros((len(counts), model.n_bins))
    whole[:, a.used] = counts[:, None]
    rows = np.empty((len(counts), TESTED + len(kappas)))
    failed = fit_counts(model.handle, whole, a.initial, kappas, lower, rows, ~a.held, d, w.handle)
    if failed:
        raise DataError(f"no limit: {failed} fits of possible counts did not converge; look at fit(model, data=...)")
    return bounded_ratio(rows, kappas, cls=cls)


def bounded_ratio(rows: Floats, kappas: Floats, *, cls: bool) -> Floats:
    """Return t~ (or q~ for CLs) at every tested kappa from the rows of toys: (N, 4 + G) to (N, G)."""
    least = np.where(np.isnan(rows[:, BOUND]), rows[:, BEST], rows[:, BOUND])
    statistic: Floats = np.maximum(rows[:, TESTED:] - least[:, None], 0.0)
    if cls:
        statistic = np.where(rows[:, KAPPA, None] > kappas, 0.0, statistic)
    return statistic
