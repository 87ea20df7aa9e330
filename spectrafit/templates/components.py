"""Deviations of templates in; their principal components, and the variance no component carries, out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Components", "directions_of", "principal"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Components:
    """What a set of deviations comes to.

    Attributes
    ----------
    kept : (K, S, 1+P, B) array
        Change of the templates for one standard deviation of each of K independent unit Gaussians.
    residual : (1+2P, B) array
        Variance, a polynomial in kappa, of the sum over samples that is left over, without its correlations.
    fraction : float
        Kept share of the variance of the power of kappa that is served worst.
    """

    kept: Floats
    residual: Floats
    fraction: float


def principal(deviations: Floats, fraction: float) -> Components:
    """Turn deviations into as few independent directions as keep a `fraction` of the variance of every power.

    The covariance of the stacked (sample, power, bin) vector is the sum over rows of deviation times deviation. Its
    principal directions are combinations of the rows, so every power of kappa moves with them exactly. Each power's
    block counts with its own total variance, whatever the unit of kappa.

    Parameters
    ----------
    deviations : (R, S, 1+P, B) array
        Rows; for U universes (T_u - T_0) / sqrt(U).
    fraction : float
        Share of the variance to keep, 0 to 1.
    """
    rows, samples, powers, bins = deviations.shape
    by_power = np.moveaxis(deviations, 2, 0).reshape(powers, rows, samples * bins)
    grams = by_power @ np.swapaxes(by_power, 1, 2)
    totals = np.trace(grams, axis1=1, axis2=2)
    moved = totals > 0
    if not moved.any():
        nothing = np.zeros((0, samples, powers, bins))
        return Components(kept=nothing, residual=np.zeros((2 * powers - 1, bins)), fraction=1.0)
    _, vectors = np.linalg.eigh(np.einsum("prq,p->rq", grams[moved], 1 / totals[moved]))
    directions = np.einsum("rk,rspb->kspb", vectors[:, ::-1], deviations)
    share = np.cumsum(np.einsum("kspb,kspb->kp", directions, directions)[:, moved] / totals[moved], axis=0).min(axis=1)
    # Rounding may leave the last share at 1 - 1e-16, below a fraction of 1.
    count = min(int(np.searchsorted(share, fraction * (1 - 1e-12))) + 1, rows)
    kept, rest = directions[:count], directions[count:].sum(axis=1)
    # Eigenvectors have no sign of their own: +1 sigma is where there are more events.
    signs = np.where(kept[:, :, 0].sum(axis=(1, 2)) < 0, -1.0, 1.0)
    residual = np.zeros((2 * powers - 1, bins))
    for p in range(powers):
        for q in range(powers):
            residual[p + q] += np.sum(rest[:, p] * rest[:, q], axis=0)
    return Components(
        kept=kept * signs[:, None, None, None], residual=residual, fraction=min(float(share[count - 1]), 1.0)
    )


def directions_of(covariance: Floats) -> Floats:
    """Return rows L, (R, D), with L^T L = `covariance`, (D, D).

    Raises
    ------
    ValueError
        The matrix is not square, symmetric and positive semi-definite.
    """
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise ValueError(f"has shape {covariance.shape}, a covariance is square")
    if not np.all(np.isfinite(covariance)):
        raise ValueError("has entries that are not finite")
    largest = float(np.abs(covariance).max(initial=0.0))
    if not np.allclose(covariance, covariance.T, rtol=1e-6, atol=1e-9 * largest):
        raise ValueError("is not symmetric")
    diagonal = np.diag(covariance)
    if np.any(diagonal < 0):
        raise ValueError(f"is not positive semi-definite: a variance of {diagonal.min():.3g} on its diagonal")
    # The correlation matrix: one large variance must not make all others look like rounding.
    sizes = np.sqrt(diagonal)
    scale = np.where(sizes > 0, sizes, 1.0)
    with np.errstate(over="ignore"):
        correlation = (covariance + covariance.T) / 2 / scale / scale[:, None]
    if np.any(np.abs(correlation) > 1.0 + 1e-3):
        raise ValueError("is not positive semi-definite: a covariance is larger than its variances allow")
    values, vectors = np.linalg.eigh(correlation)
    # Numbers written with few digits leave small negative eigenvalues.
    if values.size and values[0] < -1e-4 * max(values[-1], 0.0):
        raise ValueError(
            f"is not positive semi-definite: eigenvalue {values[0]:.3g} beside {values[-1]:.3g} of its correlations"
        )
    used = values > 1e-12 * max(values[-1], 0.0) if values.size else values > 0
    rows: Floats = (vectors[:, used] * np.sqrt(values[used])).T * sizes
    return rows
