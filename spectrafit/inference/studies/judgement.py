"""Judges a binning: the expected error of kappa on given simulated events, and how well the events fill the bins."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.inference.fitting.bins import Bins
from spectrafit.inference.fitting.information import information

__all__ = ["Judgement", "information_by_bin", "judge"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judgement:
    """How good a binning is on one set of simulated events.

    Attributes
    ----------
    bins : int
        Bins of all regions.
    naive, corrected, guarded : float
        Expected profiled error of kappa: as a fit of these events finds it; with the noise of the derivatives
        subtracted; and with bins that are empty by chance guarded as well.
    uncertainty : float
        Standard error of `guarded` that comes from the simulation.
    entries, background_entries : float
        Fewest simulated events in a bin, and fewest of backgrounds.
    relative_error : float
        Greatest relative error of a bin from the simulation; infinite for a bin in which nothing is expected.
    """

    bins: int
    naive: float
    corrected: float
    guarded: float
    uncertainty: float
    entries: float
    background_entries: float
    relative_error: float

    def summary(self) -> dict[str, Any]:
        """Return what a result file keeps, as plain numbers."""
        return dataclasses.asdict(self)


def judge(bins: Bins, parameter: str = "kappa") -> Judgement:
    """Return how good `bins` are on the events they were filled with."""
    plain, guarded = information(bins), information(bins, guarded=True)
    expected, variance = bins.expected.sum(axis=0), bins.variance.sum(axis=0)
    relative = np.divide(np.sqrt(variance), expected, out=np.full(bins.size, np.inf), where=expected > 0)
    return Judgement(
        bins=bins.size,
        naive=plain.error(parameter, corrected=False),
        corrected=plain.error(parameter),
        guarded=guarded.error(parameter),
        uncertainty=guarded.error_of_error(parameter),
        entries=float(bins.entries.sum(axis=0).min()),
        background_entries=float(bins.entries[bins.background].sum(axis=0).min()),
        relative_error=float(relative.max()),
    )


def information_by_bin(bins: Bins, parameter: str = "kappa") -> tuple[Floats, Floats]:
    """Return what each bin says of a parameter with all others profiled, (B,) each: naive, and without noise.

    Along the direction a in which the parameter moves with all others refitted, scaled to 1 for itself, the information
    is the sum over bins of (a D_b)^2 / v_b, and the priors'. The noise of a D_b is subtracted for the second, and v_b
    guarded. The direction is that without noise, for both.
    """
    place = bins.parameters.index(parameter)
    row = information(bins, guarded=True).covariance()[place]
    direction = np.where(np.isfinite(row), row, 0.0) / row[place]
    slope = np.tensordot(direction, bins.derivative.sum(axis=1), 1)
    noise = (direction**2) @ bins.noise.sum(axis=1)
    shared = bins.shared
    same = shared.bins[:, 0] == shared.bins[:, 1]
    pairs = direction[shared.parameters[same, 0]] * direction[shared.parameters[same, 1]] * shared.values[same]
    noise = noise + 2.0 * np.bincount(shared.bins[same, 0], pairs, bins.size)
    total = bins.total()
    naive, corrected = (
        np.divide(top, v, out=np.zeros_like(v), where=v > 0)
        for top, v in ((slope**2, total), (slope**2 - noise, total + bins.guard()))
    )
    return naive, corrected
