"""Principal components: deviations of templates become few independent directions and a variance that is left over.

Letters: R rows, S samples, M monomials of the couplings, Q products of two monomials, B bins, F cells, K components.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spectrafit.arraytypes import Floats, Integers

__all__ = ["PrincipalComponents", "directions_of", "fewer_rows", "principal", "reduced"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PrincipalComponents:
    """The principal components of a set of deviations.

    Attributes
    ----------
    kept : (K, S, M, B) array
        Change of the templates for one standard deviation of each of K independent unit Gaussians.
    residual : (Q, B) array
        Variance, by products of monomials, of the sum over samples that is left over, without its correlations.
    fraction : float
        Kept share of the variance, for the monomial with the smallest share.
    combination : (K, R) array
        Each direction as a combination of the rows that were given; its rows are orthonormal.
    """

    kept: Floats
    residual: Floats
    fraction: float
    combination: Floats


def principal(deviations: Floats, fraction: float, places: Integers) -> PrincipalComponents:
    """Turn deviations into as few independent directions as keep a `fraction` of the variance of every monomial.

    The covariance of the stacked (sample, monomial, bin) vector is the sum over rows of deviation times deviation. Its
    principal directions are combinations of the rows, so every monomial moves with them exactly. Each monomial's block
    counts with its own total variance, whatever the unit of its couplings.

    Parameters
    ----------
    deviations : (R, S, M, B) array
        Rows; for U universes (T_u - T_0) / sqrt(U).
    fraction : float
        Share of the variance to keep, 0 to 1.
    places : (M, M) array of int
        Which of the Q products two monomials make.

    Notes
    -----
    m and n are monomials of the couplings.
    """
    samples, monomials, bins = deviations.shape[1:]
    products = int(places.max()) + 1
    # The directions are combinations of the rows. If there are more rows than numbers in a row, fewer rows with the
    # same covariance are taken.
    given = len(deviations)
    parts, origin = reduced({"": deviations})
    deviations = parts[""]
    rows = len(deviations)
    by_monomial = np.moveaxis(deviations, 2, 0).reshape(monomials, rows, samples * bins)
    grams = by_monomial @ np.swapaxes(by_monomial, 1, 2)
    totals = np.trace(grams, axis1=1, axis2=2)
    moved = totals > 0
    if not moved.any():
        nothing = np.zeros((0, samples, monomials, bins))
        residual, none = np.zeros((products, bins)), np.zeros((0, given))
        return PrincipalComponents(kept=nothing, residual=residual, fraction=1.0, combination=none)
    _, vectors = np.linalg.eigh(np.einsum("mrq,m->rq", grams[moved], 1 / totals[moved]))
    directions = np.tensordot(vectors[:, ::-1], deviations, axes=(0, 0))
    share = np.cumsum(np.einsum("ksmb,ksmb->km", directions, directions)[:, moved] / totals[moved], axis=0).min(axis=1)
    # Rounding may leave the last share at 1 - 1e-16, below a fraction of 1.
    count = min(int(np.searchsorted(share, fraction * (1 - 1e-12))) + 1, rows)
    kept, rest = directions[:count], directions[count:].sum(axis=1)
    # Eigenvectors have no sign of their own: +1 sigma is the side with more events.
    signs = np.where(kept[:, :, 0].sum(axis=(1, 2)) < 0, -1.0, 1.0)
    residual = np.zeros((products, bins))
    for m in range(monomials):
        for n in range(monomials):
            residual[places[m, n]] += np.sum(rest[:, m] * rest[:, n], axis=0)
    combination = vectors[:, ::-1].T[:count] if origin is None else vectors[:, ::-1].T[:count] @ origin.T
    return PrincipalComponents(
        kept=kept * signs[:, None, None, None],
        residual=residual,
        fraction=min(float(share[count - 1]), 1.0),
        combination=combination * signs[:, None],
    )


def fewer_rows(parts: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return rows with the same sum of outer products: those of `reduced`, without their origin."""
    return reduced(parts)[0]


def reduced(parts: Mapping[str, Floats]) -> tuple[dict[str, Floats], Floats | None]:
    """Return fewer rows with the same sum of outer products: at most one for each column that is not always zero.

    Parameters
    ----------
    parts : mapping of name to (R, ...) array
        Row r of every part belongs to the same deviation: the covariance between parts is kept, too.

    Returns
    -------
    dict of (D, ...) arrays
    (R, D) array or None
        Orthonormal columns: each row as a combination of those given. None where the rows are those given.
    """
    rows = max((len(part) for part in parts.values()), default=0)
    if rows == 0:
        return dict(parts), None
    flat: dict[str, Floats] = {name: part.reshape(rows, -1) for name, part in parts.items()}
    used = {name: np.any(part != 0, axis=0) for name, part in flat.items()}
    if rows <= sum(int(where.sum()) for where in used.values()):
        return dict(parts), None
    origin, triangle = np.linalg.qr(np.concatenate([flat[name][:, used[name]] for name in flat], axis=1))
    result: dict[str, Floats] = {}
    first = 0
    for name, where in used.items():
        fewer = np.zeros((len(triangle), where.size))
        fewer[:, where] = triangle[:, first : first + int(where.sum())]
        first += int(where.sum())
        result[name] = fewer.reshape(len(triangle), *parts[name].shape[1:])
    return result, np.asarray(origin)


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
    # The correlation matrix is checked: beside one large variance all other variances would look like rounding.
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
