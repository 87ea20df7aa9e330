"""A `Model`, parameters and counts in; prediction, 2NLL, gradient, Fisher information and observed Hessian out.

2NLL is the sum of the bins' terms (`spectrafit.inference.kernels.bin_terms`) and the constraints', each relative to its
saturated value, so that the minimum is itself a goodness of fit. The variance V of the simulation follows kappa and the
nuisances through the yields of the components (`model.Variance`), and the gradient is exact, V's part included.

The Fisher information is the expectation of the Hessian, J^T W J plus the constraints, with the per-bin curvature W at
n = prediction. The observed Hessian is made of central differences of the analytic gradient.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit

from spectrafit.inference.kernels.bin_terms import WALL, fill_bins, saturated
from spectrafit.inference.kernels.handles import bind_model
from spectrafit.inference.kernels.morphing import INNER, OUTER
from spectrafit.inference.kernels.yields import FAST, add_gradient, fill_jacobian, fill_yields, workspace
from spectrafit.inference.packing import STATISTIC, Arrays, Observed, pack

if TYPE_CHECKING:
    from spectrafit.inference.model import Model

__all__ = [
    "Prediction",
    "evaluate",
    "evaluate_gradient",
    "gradient",
    "hessian",
    "information",
    "observed",
    "predict",
    "prepare",
    "statistic",
]

Floats = npt.NDArray[np.float64]


@njit(**INNER)
def constrain(a: Any, d: Any, theta: Any, gradient: Any) -> float:
    """Return the constraint terms and fill their gradient."""
    total = 0.0
    for k in range(theta.size):
        x = theta[k] - d.centre[k]
        total += a.precision[k] * x * x
        gradient[k] = 2.0 * a.precision[k] * x
    for i in range(a.correlated.size):
        pull = 0.0
        for j in range(a.correlated.size):
            pull += a.inverse[i, j] * (theta[a.correlated[j]] - d.centre[a.correlated[j]])
        k = a.correlated[i]
        total += pull * (theta[k] - d.centre[k])
        gradient[k] += 2.0 * pull
    for i in range(a.auxiliary.size):
        k = a.auxiliary[i]
        expected = max(a.factor[i] * theta[k], 1e-300)
        total += saturated(d.centre[k], expected)
        gradient[k] += 2.0 * (a.factor[i] - d.centre[k] / max(theta[k], 1e-300))
    return total


@njit(**OUTER)
def evaluate(a: Any, d: Any, theta: Any, w: Any) -> Any:
    """Return 2NLL; leaves the yields and the derivatives by bins in `w`, the constraints' gradient in `w.gradient`."""
    fill_yields(a, theta, w)
    w.parts[0] = fill_bins(a, d, w)
    w.parts[1] = constrain(a, d, theta, w.gradient)
    return w.parts[0] + w.parts[1]


@njit(**OUTER)
def evaluate_gradient(a: Any, d: Any, theta: Any, w: Any) -> Any:
    """Return 2NLL and leave its whole gradient in `w.gradient`."""
    value = evaluate(a, d, theta, w)
    add_gradient(a, theta, w)
    return value


@njit(**OUTER, fastmath=FAST)
def fill_information(a: Any, d: Any, theta: Any, w: Any) -> None:
    """Fill `w.hessian` with J^T W J plus the constraints' curvature, after `evaluate`; W is the one chosen there.

    With W at the counts, and after `add_gradient`, the second derivatives of the morphs are added: of what J^T W J
    leaves out, they are what makes fits with asymmetric shifts slow.
    """
    fill_jacobian(a, theta, w)
    n_parameters, n_bins = theta.size, a.used.size
    scaled, hessian, jacobian, curvature = w.scaled, w.hessian, w.jacobian, w.curvature
    for j in range(n_parameters):
        row = jacobian[j]
        if a.statistic == 3:
            for b in range(n_bins):
                total = 0.0
                for e in range(n_bins):
                    total += a.weight[b, e] * row[e]
                scaled[b] = 2.0 * total
        else:
            for b in range(n_bins):
                scaled[b] = curvature[b] * row[b]
        for k in range(j + 1):
            other = jacobian[k]
            total = 0.0
            for b in range(n_bins):
                total += scaled[b] * other[b]
            hessian[j, k] = total
            hessian[k, j] = total
        hessian[j, j] += 2.0 * a.precision[j]
        if not w.scoring[0]:
            hessian[j, j] += w.bending[j]
    for i in range(a.correlated.size):
        for j in range(a.correlated.size):
            hessian[a.correlated[i], a.correlated[j]] += 2.0 * a.inverse[i, j]
    for i in range(a.auxiliary.size):
        k = a.auxiliary[i]
        hessian[k, k] += 2.0 * max(d.centre[k], 1e-300) / max(theta[k], 1e-300) ** 2


@njit(**OUTER)
def fill_hessian(a: Any, d: Any, theta: Any, step: Any, w: Any) -> None:
    """Fill `w.hessian` with the observed Hessian: central differences of the gradient, steps `step` (K,)."""
    n = theta.size
    for k in range(n):
        for j in range(n):
            w.lower[k, j] = 0.0
            w.other[j] = theta[j]
        for side in range(2):
            width = step[k] * (1 - 2 * side)
            w.other[k] = theta[k] + width
            evaluate_gradient(a, d, w.other, w)
            for j in range(n):
                w.lower[k, j] += 0.5 * w.gradient[j] / width
    for k in range(n):
        for j in range(n):
            w.hessian[k, j] = 0.5 * (w.lower[k, j] + w.lower[j, k])


def prepare(model: Model) -> Arrays:
    """Return the packed model; for statistic "gaussian" with the weight matrix of its nominal prediction."""
    a = pack(model)
    if model.statistic != "gaussian":
        return a
    w = workspace(a)
    # The weight matrix is not there yet: this is for the yields alone.
    plain = bind_model(a._replace(statistic=STATISTIC["poisson"]))
    evaluate(plain, Observed(np.array(model.data), a.centre, a.local_centre), a.initial, w.handle)
    covariance = np.diag(np.maximum(w.mean, a.floor) + w.variance)
    if model.covariance is not None:
        covariance += model.covariance
    weight = np.zeros_like(covariance)
    kept = np.ix_(a.used, a.used)
    weight[kept] = np.linalg.inv(covariance[kept])
    return a._replace(weight=weight)


def observed(model: Model, data: npt.ArrayLike | None = None) -> Observed:
    """Return what was measured: counts (the model's own, or `data`) and the auxiliary measurements."""
    counts = np.array(model.data if data is None else data, dtype=np.float64)
    return Observed(counts, model.arrays.centre.copy(), model.arrays.local_centre.copy())


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """What the model expects at one point.

    Attributes
    ----------
    mean : (B,) array
        Events, before any local gamma.
    variance : (B,) array
        Variance of the simulation.
    fitted : (B,) array
        Events with the local gammas (MC statistics) at their best fit to the data.
    gamma : (B,) array
        The local gammas of HistFactory models there; 1 where a bin has none.
    components : tuple of (n,) arrays
        Yields of each component.
    """

    mean: Floats
    variance: Floats
    fitted: Floats
    gamma: Floats
    components: tuple[Floats, ...]


def _vector(model: Model, values: npt.ArrayLike | None) -> Floats:
    return model.initial if values is None else np.array(values, dtype=np.float64)


def predict(
    model: Model,
    values: npt.ArrayLike | None = None,
    *,
    data: npt.ArrayLike | None = None,
    measured: Observed | None = None,
) -> Prediction:
    """Return the prediction at `values` (K,), by default the initial ones.

    `fitted` and `gamma` follow the counts: the model's, `data`, or those of a whole experiment, `measured`.
    """
    a, theta = model.arrays, _vector(model, values)
    d = observed(model, data) if measured is None else measured
    w = workspace(a)
    evaluate(model.handle, d, theta, w.handle)
    shared = np.where(w.shared > 0, w.shared, 1.0)
    gamma = np.where((a.local_kind == 1) & (w.shared > 0), 1.0 + (w.fitted - w.mean) / shared, w.gamma)
    components = tuple(w.yields[p : p + n].copy() for p, n in zip(a.place, a.size, strict=True))
    return Prediction(mean=w.mean, variance=w.variance, fitted=w.fitted, gamma=gamma, components=components)


def statistic(
    model: Model,
    values: npt.ArrayLike | None = None,
    *,
    data: npt.ArrayLike | None = None,
    local: npt.ArrayLike | None = None,
) -> float:
    """Return 2NLL at `values`.

    Parameters
    ----------
    model : Model
    values : (K,) array_like, optional
        Parameters; by default the initial ones.
    data : (B,) array_like, optional
        Counts; by default the model's.
    local : (B,) array_like, optional
        Values of the local gammas. Without, they are profiled.
    """
    a, d, theta = model.arrays, observed(model, data), _vector(model, values)
    w = workspace(a)
    value = float(evaluate(model.handle, d, theta, w.handle))
    if local is None:
        return value
    gamma = np.asarray(local, dtype=np.float64)
    t = w.mean + (gamma - 1.0) * w.shared
    linear = (d.counts == 0) & (a.floor <= 0)
    terms = _saturated(d.counts, np.where(linear, t, np.maximum(t, np.maximum(a.floor, WALL))))
    gaussian, poisson = (a.used & (a.local_kind == kind) for kind in (1, 2))
    terms[gaussian] += ((gamma - d.local)[gaussian] / a.local_width[gaussian]) ** 2
    terms[poisson] += _saturated(d.local[poisson], (a.local_width * gamma)[poisson])
    return float(w.parts[1] + terms[a.used].sum())


def _saturated(n: Floats, t: Floats) -> Floats:
    """Return 2 [t - n + n ln(n / t)]."""
    logarithm = np.log(np.where(n > 0, n, 1.0) / np.where(n > 0, t, 1.0))
    result: Floats = 2.0 * (t - n + n * logarithm)
    return result


def gradient(model: Model, values: npt.ArrayLike | None = None, *, data: npt.ArrayLike | None = None) -> Floats:
    """Return the (K,) gradient of 2NLL."""
    a, d, theta = model.arrays, observed(model, data), _vector(model, values)
    w = workspace(a)
    evaluate_gradient(model.handle, d, theta, w.handle)
    result: Floats = w.gradient.copy()
    return result


def information(model: Model, values: npt.ArrayLike | None = None) -> Floats:
    """Return the (K, K) expected Hessian of 2NLL (twice the Fisher information) if `values` are true."""
    a, theta = model.arrays, _vector(model, values)
    w = workspace(a)
    d = observed(model)
    evaluate(model.handle, d, theta, w.handle)
    d = d._replace(counts=np.maximum(w.mean, 0.0), centre=theta.copy())
    d.centre[a.auxiliary] = theta[a.auxiliary] * a.factor
    w.scoring[0] = True
    evaluate(model.handle, d, theta, w.handle)
    fill_information(model.handle, d, theta, w.handle)
    result: Floats = w.hessian.copy()
    return result


def hessian(model: Model, values: npt.ArrayLike | None = None, *, data: npt.ArrayLike | None = None) -> Floats:
    """Return the (K, K) observed Hessian of 2NLL."""
    a, d, theta = model.arrays, observed(model, data), _vector(model, values)
    w = workspace(a)
    fill_hessian(model.handle, d, theta, steps(model, theta), w.handle)
    result: Floats = w.hessian.copy()
    return result


def steps(model: Model, values: Floats) -> Floats:
    """Return (K,) steps for differences of the gradient: 1e-4 of each parameter's error if the others were known."""
    curvature = np.diag(information(model, values))
    size = np.where(curvature > 0, np.sqrt(2.0 / np.where(curvature > 0, curvature, 1.0)), np.maximum(abs(values), 1.0))
    result: Floats = 1e-4 * size
    return result
