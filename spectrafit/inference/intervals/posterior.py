"""Holds a posterior density of one number as a function, and gives its quantiles with their own error.

The logarithm of the density is interpolated by polynomials of degree 8 in panels. A panel is halved while the last
coefficients of its polynomial could still move a noticeable share of the whole area. Points therefore gather where the
density is large and bends. Tails are integrated from the far end inwards, so that rounding does not spoil a level next
to 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from spectrafit.arraytypes import Floats
from spectrafit.errors import DataError

__all__ = ["Density"]


_DEGREE = 8
_PANELS = 4  # to begin with
_MOST = 64
_TOLERANCE = 1e-6  # share of the area that one panel may be wrong by
_CELLS = 64  # of a panel, each integrated with four points
_LOWEST = -5000.0  # relative logarithm below which nothing is resolved

_NODES = -np.cos(math.pi * np.arange(_DEGREE + 1) / _DEGREE)
_COEFFICIENTS = np.linalg.inv(np.polynomial.chebyshev.chebvander(_NODES, _DEGREE))
_EDGES = np.linspace(-1.0, 1.0, _CELLS + 1)
_GAUSS, _WEIGHTS = np.polynomial.legendre.leggauss(4)
_INSIDE = (0.5 * (_EDGES[1:] + _EDGES[:-1])[:, None] + 0.5 * (_EDGES[1] - _EDGES[0]) * _GAUSS).ravel()


def _matrix(places: Floats) -> Floats:
    """Return the matrix from values at the nodes of a panel to values at places in [-1, 1]."""
    result: Floats = np.polynomial.chebyshev.chebvander(places, _DEGREE) @ _COEFFICIENTS
    return result


_AT_INSIDE, _AT_EDGES = _matrix(_INSIDE), _matrix(_EDGES)


class Density:
    """Densities on [start, stop] that are interpolated together.

    Parameters
    ----------
    logarithm : callable
        Maps x to (S,) logarithms of S densities, each up to a constant of its own. Their mean decides about the panels.
    start, stop : float
    tail : float
        Share of the area that must be resolved at the upper end, 1 - level.

    Attributes
    ----------
    nodes : (G,) array
        Where `logarithm` was asked.
    logs : (G, S) array
    residual : float
        Share of the area that the interpolation may be wrong by.
    """

    def __init__(self, logarithm: Callable[[float], Floats], start: float, stop: float, *, tail: float) -> None:
        self._known: dict[float, Floats] = {}
        self._logarithm = logarithm
        edges = np.linspace(start, stop, _PANELS + 1)
        panels = list(itertools.pairwise(edges))
        while True:
            self._arrange(panels)
            wrong = self._wrong(tail)
            bad = np.flatnonzero(wrong > _TOLERANCE)
            if not bad.size or len(panels) + bad.size > _MOST:
                break
            halves = [
                half
                for panel, (low, high) in enumerate(panels)
                for half in (
                    ((low, 0.5 * (low + high)), (0.5 * (low + high), high)) if panel in bad else ((low, high),)
                )
            ]
            panels = halves
        self.residual = float(wrong.sum())

    def _at(self, x: float) -> Floats:
        if x not in self._known:
            found = np.asarray(self._logarithm(x), dtype=np.float64)
            if np.any(np.isnan(found)) or np.any(found == np.inf):
                raise DataError(f"no limit: the posterior density is not a number at {x:.6g}; look at profile(model)")
            self._known[x] = found
        return self._known[x]

    def _arrange(self, panels: list[tuple[float, float]]) -> None:
        """Ask for the logarithms at the nodes of the panels."""
        self.low, self.high = np.array(panels).T
        centre, half = 0.5 * (self.low + self.high), 0.5 * (self.high - self.low)
        places = centre[:, None] + half[:, None] * _NODES
        # The ends are shared by neighbours: the same number for both.
        places[:, 0], places[:, -1] = self.low, self.high
        self.places = places
        self.nodes, self._where = np.unique(places, return_inverse=True)
        self._where = self._where.reshape(places.shape)
        self.logs = np.stack([self._at(float(x)) for x in self.nodes])

    def _wrong(self, tail: float) -> Floats:
        """Return the share of the area, or of the tail in it, that each panel may be wrong by."""
        mean = np.maximum(logsumexp(self.logs - self.logs.max(axis=0), axis=1), _LOWEST)
        values = mean[self._where]
        coefficients = np.abs(values @ _COEFFICIENTS.T)
        doubt = np.minimum(coefficients[:, -1] + coefficients[:, -2], 1.0)
        sizes = self._masses(mean[:, None])[..., 0].sum(axis=1)
        peak = np.exp(values.max(axis=1)) * (self.high - self.low)
        beyond = np.cumsum(sizes[::-1])[::-1]
        needed = np.where(beyond > 10.0 * tail * sizes.sum(), sizes.sum(), tail * sizes.sum())
        result: Floats = doubt * np.maximum(sizes, np.where(doubt >= 1.0, peak, 0.0)) / needed
        return result

    def _masses(self, logs: Floats) -> Floats:
        """Return (panels, cells, S) integrals of the densities with logarithms `logs` (G, S) at the nodes."""
        dense = np.einsum("cn,pns->pcs", _AT_INSIDE, logs[self._where])
        dense = np.exp(np.minimum(dense, 50.0)).reshape(len(self.low), _CELLS, len(_GAUSS), -1)
        width = (self.high - self.low) / _CELLS
        result: Floats = 0.5 * width[:, None, None] * np.einsum("pcgs,g->pcs", dense, _WEIGHTS)
        return result

    def _relative(self, logs: Floats | None) -> Floats:
        chosen = self.logs if logs is None else logs
        result: Floats = np.maximum(chosen - chosen.max(axis=0), _LOWEST)
        return result

    def quantiles(self, level: float, logs: Floats | None = None) -> Floats:
        """Return (S,) the x below which `level` of the area lies; `logs` (G, S) at the nodes give other densities."""
        relative = self._relative(logs)
        masses = self._masses(relative).reshape(-1, relative.shape[1])
        edges = np.einsum("cn,pns->pcs", _AT_EDGES, relative[self._where])
        ends = self.low[:, None] + (self.high - self.low)[:, None] * 0.5 * (_EDGES + 1.0)
        above = np.cumsum(masses[::-1], axis=0)[::-1]
        wanted = (1.0 - level) * above[0]
        columns = np.arange(masses.shape[1])
        # The last cell from whose lower end on at least 1 - level of the area is left.
        cell = np.maximum(np.sum(above >= wanted, axis=0) - 1, 0)
        panel, inner = cell // _CELLS, cell % _CELLS
        rest = np.append(above, np.zeros((1, masses.shape[1])), axis=0)[cell + 1, columns]
        share = np.clip(1.0 - (wanted - rest) / np.maximum(masses[cell, columns], 1e-300), 0.0, 1.0)
        slope = edges[panel, inner + 1, columns] - edges[panel, inner, columns]
        flat = np.abs(slope) < 1e-6
        safe = np.where(flat, 1.0, slope)
        inside = np.where(flat, share, np.log1p(share * np.expm1(safe)) / safe)
        left, right = ends[panel, inner], ends[panel, inner + 1]
        result: Floats = left + inside * (right - left)
        return result

    def value(self, x: Floats, logs: Floats | None = None) -> Floats:
        """Return (len(x), S) densities, normalised in x."""
        relative = self._relative(logs)
        panel = np.clip(np.searchsorted(self.high, x), 0, len(self.low) - 1)
        place = 2.0 * (x - self.low[panel]) / (self.high - self.low)[panel] - 1.0
        found = np.einsum("xn,xns->xs", _matrix(place), relative[self._where[panel]])
        result: Floats = np.exp(np.minimum(found, 50.0)) / self._masses(relative).sum(axis=(0, 1))
        return result
