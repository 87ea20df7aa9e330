"""What a fit says about the knobs and flux bins that principal components are made of.

With theta the parameters of the components (unit Gaussians), V their covariance after the fit, and a source
x = l theta + a rest that the templates do not see (`spectrafit.templates.sources`),

    pull = l theta / width,   constraint^2 = 1 - l (1 - V) l^T / width^2.

The share of a source is its part of what the systematic adds to the variance of the fitted coupling. That coupling
follows the rows' Gaussians with c = (combination^T) cov(kappa, theta), and c is made of sources, c = rows g, with the
least g: the share of source j is g_j (rows^T c)_j / c^2. Shares of one systematic add up to 1 where sources make all of
it; one is negative where a source works against those that it is correlated with.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from spectrafit.inference.results import FitResult
from spectrafit.templates.sources import Sources
from spectrafit.templates.templates import Templates

__all__ = ["Origin", "sources"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """One knob, universe or flux bin after the fit.

    Attributes
    ----------
    systematic, name : str
    pull : float
        Fitted value in prior widths.
    constraint : float
        Error after the fit in prior widths.
    share : float
        Part of what the systematic adds to the variance of the fitted coupling.
    """

    systematic: str
    name: str
    pull: float
    constraint: float
    share: float

    def summary(self) -> dict[str, Any]:
        """Return what a result file keeps, as plain numbers."""
        return dataclasses.asdict(self)


def sources(templates: Templates, best: FitResult) -> tuple[Origin, ...]:
    """Return every source of every systematic that became principal components, the largest shares first."""
    result: list[Origin] = []
    for systematic, found in templates.sources.items():
        result += sorted(_of_one(systematic, found, best), key=lambda source: -abs(source.share))
    return tuple(result)


def _of_one(systematic: str, found: Sources, best: FitResult) -> list[Origin]:
    names = [f"{systematic}[{number}]" for number in range(len(found.combination))]
    # A component whose every effect was pruned is no parameter: nothing is known about it beyond its prior.
    kept = [number for number, name in enumerate(names) if name in best.names]
    if not kept:
        return []
    places = [best.names.index(names[number]) for number in kept]
    loading, width = found.loading[kept], np.where(found.width > 0, found.width, 1.0)
    pulls = best.values[places] @ loading / width
    gained = np.eye(len(kept)) - best.covariance[np.ix_(places, places)]
    shrunk = np.einsum("kj,kl,lj->j", loading, gained, loading) / width**2
    constraints = np.sqrt(np.clip(1.0 - shrunk, 0.0, None))
    shares = np.zeros(len(found.names))
    if best.poi:
        moved = best.covariance[best.names.index(best.poi), places] @ found.combination[kept]
        size = float(moved @ moved)
        if size > 0:
            least = np.linalg.lstsq(found.rows, moved, rcond=None)[0]
            shares = least * (found.rows.T @ moved) / size
    return [
        Origin(systematic=systematic, name=name, pull=float(pull), constraint=float(constraint), share=float(share))
        for name, pull, constraint, share in zip(found.names, pulls, constraints, shares, strict=True)
    ]
