"""What a binning must fulfil to be chosen."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Rules"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Rules:
    """What a binning must fulfil.

    Attributes
    ----------
    bins : int or None
        Most bins of all regions together.
    entries, background_entries : float
        Least simulated events in a bin, and least simulated events of backgrounds, among the events with which edges
        are chosen. If these are half of the simulation, the whole simulation has twice as many.
    relative_error : float
        Greatest error of a bin's expectation from the simulation, as a share of the expectation.
    negligible : float
        Bins with a smaller share of the information on kappa, such as corners of the plane, may hold fewer events.
    widths : tuple of tuple of (array or None), or None
        Per region and axis the least width of a bin at the centre of each cell of the grid: for a resolution sigma(x)
        and bins of two standard deviations, 2 sigma(centres). None for no least width.
    steps : tuple of tuple of (float or None), or None
        Per region and axis: inner edges are multiples of this step. None for any edge of the grid.
    price : float
        Share by which each bin must lower the error of kappa to be worth having.
    """

    bins: int | None = None
    entries: float = 10.0
    background_entries: float = 5.0
    relative_error: float = np.inf
    negligible: float = 1e-3
    widths: Sequence[Sequence[npt.ArrayLike | None]] | None = None
    steps: Sequence[Sequence[float | None]] | None = None
    price: float = 1e-4
