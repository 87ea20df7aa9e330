"""The likelihood, or the prediction, at many values of the nuisances, for integrals over nuisances.

`a` holds the model's arrays, `d` what was measured, `w` scratch space. Row i of the normals z moves the n parameters
theta_k that are integrated over, k = which[j]: theta_k = mode_k + sum over m <= j of root_jm z_im.
"""

from __future__ import annotations

import math
from typing import Any

from numba import types

from spectrafit.inference.kernels.evaluate import evaluate
from spectrafit.inference.kernels.fields import FLOATS, INTEGERS, MATRIX, MODEL, OBSERVED, WORK
from spectrafit.jit import kernel

__all__ = ["fill_means", "fill_weights"]


@kernel(
    types.void(MODEL, OBSERVED, FLOATS, types.float64, MATRIX, INTEGERS, MATRIX, FLOATS, WORK),
    entry=True,
)
def fill_weights(a: Any, d: Any, mode: Any, least: float, root: Any, which: Any, z: Any, logs: Any, w: Any) -> None:
    """Fill `logs` with ln(L(theta) / L(mode)) + z^2 / 2 at theta = mode + root z; -inf outside the limits."""
    theta, n = w.trial, which.size
    for k in range(theta.size):
        theta[k] = mode[k]
    for i in range(z.shape[0]):
        square, inside = 0.0, True
        for j in range(n):
            k, moved = which[j], mode[which[j]]
            for m in range(j + 1):
                moved += root[j, m] * z[i, m]
            theta[k] = moved
            square += z[i, j] * z[i, j]
            inside = inside and a.lower[k] <= moved <= a.upper[k]
        logs[i] = 0.5 * (square + least - evaluate(a, d, theta, w)) if inside else -math.inf


@kernel(
    types.void(MODEL, OBSERVED, FLOATS, MATRIX, INTEGERS, types.boolean, types.int64, FLOATS, WORK),
    entry=True,
)
def fill_means(a: Any, d: Any, values: Any, draws: Any, which: Any, mc: bool, place: int, means: Any, w: Any) -> None:
    """Fill `means` with the expected count of bin `place` for each row of standard normals."""
    theta, n = w.trial, which.size
    for k in range(theta.size):
        theta[k] = values[k]
    for i in range(draws.shape[0]):
        for j in range(n):
            k = which[j]
            theta[k] = a.centre[k] + draws[i, j] / math.sqrt(a.precision[k])
        evaluate(a, d, theta, w)
        extra = draws[i, n] * math.sqrt(w.variance[place]) if mc else 0.0
        means[i] = max(w.mean[place] + extra, 1e-300)
