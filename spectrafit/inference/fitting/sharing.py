"""Noise that two derivatives, or one derivative in two bins, have in common because the same event is in both.

Letters: K parameters, S samples, b bins of the templates.
"""

from __future__ import annotations

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.inference.fitting.bins import Shared
from spectrafit.templates.noise import ChangeNoise

__all__ = ["shared_noise"]

# Covariances of two derivatives below this share of what their variances allow are left out.
_SMALL = 1e-3


def shared_noise(
    pairs: list[tuple[int, int, ChangeNoise]], shrunk: Floats, nominal: Floats, squares: Floats, variance: Floats
) -> Shared:
    """Return the covariances: of moved events between bins, of nominal events between parameters.

    Parameters
    ----------
    pairs : list of (parameter, sample, ChangeNoise)
        Of the changes whose noise covaries between bins.
    shrunk : (b,) array
        What the noise of moved events is multiplied by.
    nominal : (K, S, b) array
        How often the nominal events are in each derivative.
    squares : (S, b) array
        Squared weights of the nominal events.
    variance : (K, S, b) array
        Variance of each derivative's noise; below 0 where 1 / v is too large by less than the noise makes believe.
    """
    parameters, samples, bins, values = [], [], [], []
    for parameter, sample, found in pairs:
        size = found.moved.size
        parameters.append(np.full((size, 2), parameter))
        samples.append(np.full(size, sample))
        bins.append(np.column_stack([found.first, found.second]))
        values.append(-found.moved * np.sqrt(shrunk[found.first] * shrunk[found.second]))
    sizes = np.sqrt(np.maximum(variance, 0.0))
    for sample in range(len(squares)):
        acting = np.flatnonzero(nominal[:, sample].any(axis=1))
        one, other = (acting[side] for side in np.triu_indices(acting.size, 1))
        both = squares[sample] * nominal[one, sample] * nominal[other, sample]
        pair, places = np.nonzero(np.abs(both) > _SMALL * sizes[one, sample] * sizes[other, sample])
        parameters.append(np.column_stack([one[pair], other[pair]]))
        samples.append(np.full(places.size, sample))
        bins.append(np.column_stack([places, places]))
        values.append(both[pair, places])
    if not values:
        return Shared.none()
    return Shared(
        parameters=np.concatenate(parameters),
        samples=np.concatenate(samples),
        bins=np.concatenate(bins),
        values=np.concatenate(values),
    )
