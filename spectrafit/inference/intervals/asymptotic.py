"""The p-values of bounded profile-likelihood statistics: the formulas of Cowan et al., EPJC 71, 1554 (arXiv:1007.1727).

With kappa_hat normal around the true kappa, of width sigma, kappa / sigma = sqrt(q_A) where q_A is the statistic of the
Asimov data of kappa = 0 (all formulas below are for a boundary at 0):

    q~  one-sided: 2NLL(kappa) - 2NLL(max(kappa_hat, 0)), 0 where kappa_hat > kappa
    t~  two-sided: 2NLL(kappa) - 2NLL(max(kappa_hat, 0))

Below q_A both statistics follow chi-square, or half of it. Above q_A the boundary changes their distributions: there
Delta chi^2 = 2.71 no longer means 90 %. For normal kappa_hat the t~ interval is Feldman and Cousins' exactly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtr

from spectrafit.arraytypes import Floats

__all__ = ["cls", "cls_of", "expected_statistic", "normal_score", "one_sided", "two_sided", "unbounded"]


def one_sided(statistic: npt.ArrayLike, asimov: npt.ArrayLike) -> Floats:
    """Return P(q~ >= statistic) if kappa is true; `asimov` is q_A."""
    root = normal_score(statistic, asimov)
    result: Floats = ndtr(-root)
    return result


def normal_score(statistic: npt.ArrayLike, asimov: npt.ArrayLike) -> Floats:
    """Return (kappa - kappa_hat) / sigma: sqrt(q) below q_A, (q + q_A) / (2 sqrt(q_A)) above."""
    q = np.maximum(np.asarray(statistic, dtype=np.float64), 0.0)
    q_a = np.maximum(np.asarray(asimov, dtype=np.float64), 0.0)
    root = np.sqrt(q_a)
    outside = (q + q_a) / (2.0 * np.where(root > 0, root, 1.0))
    result: Floats = np.where((q > q_a) & (root > 0), outside, np.sqrt(q))
    return result


def two_sided(statistic: npt.ArrayLike, asimov: npt.ArrayLike) -> Floats:
    """Return P(t~ >= statistic) if kappa is true: a kappa_hat too high, or too low."""
    t = np.maximum(np.asarray(statistic, dtype=np.float64), 0.0)
    result: Floats = ndtr(-np.sqrt(t)) + ndtr(-normal_score(t, asimov))
    return result


def unbounded(statistic: npt.ArrayLike) -> Floats:
    """Return the two-sided p-value where kappa has no boundary: chi-square with one degree of freedom."""
    t = np.maximum(np.asarray(statistic, dtype=np.float64), 0.0)
    result: Floats = 2.0 * ndtr(-np.sqrt(t))
    return result


def cls(statistic: npt.ArrayLike, asimov: npt.ArrayLike) -> Floats:
    """Return CLs = P(q~ >= statistic | kappa) / P(q~ >= statistic | 0)."""
    score = normal_score(statistic, asimov)
    root = np.sqrt(np.maximum(np.asarray(asimov, dtype=np.float64), 0.0))
    return cls_of(score, root)


def cls_of(score: npt.ArrayLike, root: npt.ArrayLike) -> Floats:
    """Return CLs from the normal score of q~ and the root of q_A; finite however deep the deficit."""
    below = np.asarray(score, dtype=np.float64)
    result: Floats = np.exp(log_ndtr(-below) - log_ndtr(np.asarray(root, dtype=np.float64) - below))
    return result


def expected_statistic(asimov: npt.ArrayLike, sigma: float, *, sides: str = "one") -> Floats:
    """Return q~ or t~ at kappa for data whose kappa_hat is `sigma` widths above 0; `asimov` is q_A at kappa."""
    q_a = np.maximum(np.asarray(asimov, dtype=np.float64), 0.0)
    root = np.sqrt(q_a)
    inside = (root - sigma) ** 2 if sides == "two" else np.maximum(root - sigma, 0.0) ** 2
    result: Floats = np.where(sigma < 0, q_a - 2.0 * sigma * root, inside)
    return result
