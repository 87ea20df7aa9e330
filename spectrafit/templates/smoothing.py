"""Smoothing of noisy histograms by Tukey's running medians 353QH, twice.

J. H. Friedman, Data analysis techniques for high energy particle physics, SLAC-176 (1974); the smoother ROOT users know
as TH1::Smooth. Medians of 3, 5 and 3 remove spikes, flat tops of three are rounded by parabolas (Q), a hanning mean (H)
smooths the rest; the same is done to the residuals and added ("twice").
"""

from __future__ import annotations

import numpy as np

from spectrafit.arraytypes import Floats

__all__ = ["smooth", "smooth_line"]


def smooth(values: Floats) -> Floats:
    """Return an array smoothed along each axis in turn; axes of fewer than three bins are left as they are."""
    result = np.array(values, np.float64)
    for dimension in range(result.ndim):
        if result.shape[dimension] >= 3:
            result = np.apply_along_axis(smooth_line, dimension, result)
    return result


def smooth_line(values: Floats) -> Floats:
    """Return a line of at least three values smoothed by 353QH, twice. Linear sequences are unchanged."""
    once = _353qh(values)
    return once + _353qh(values - once)


def _353qh(values: Floats) -> Floats:
    return _hanning(_parabolas(_median3(_median5(_median3(values, ends=True)), ends=False)))


def _running_median(values: Floats, width: int) -> Floats:
    return np.median(np.lib.stride_tricks.sliding_window_view(values, width), axis=-1)


def _median3(values: Floats, *, ends: bool) -> Floats:
    result = values.copy()
    result[1:-1] = _running_median(values, 3)
    if ends:
        # Tukey's end point rule: the end, its smoothed neighbour, and where the two next ones extrapolate to.
        result[0] = np.median([values[0], result[1], 3 * result[1] - 2 * result[2]])
        result[-1] = np.median([values[-1], result[-2], 3 * result[-2] - 2 * result[-3]])
    return result


def _median5(values: Floats) -> Floats:
    result = values.copy()
    if values.size >= 5:
        result[2:-2] = _running_median(values, 5)
    result[1], result[-2] = np.median(values[:3]), np.median(values[-3:])
    return result


def _parabolas(values: Floats) -> Floats:
    """Round each flat top or bottom of three by the parabola through its middle's neighbours two steps away."""
    result = values.copy()
    for i in range(2, values.size - 2):
        left, right = values[i - 2] - values[i], values[i + 2] - values[i]
        if values[i - 1] == values[i] == values[i + 1] and left * right > 0:
            near = -1 if abs(right) > abs(left) else 1
            before, after = values[i - 2 * near], values[i + 2 * near]
            result[i] = -before / 2 + values[i] * 4 / 3 + after / 6
            result[i + near] = (after - before) / 2 + values[i]
    return result


def _hanning(values: Floats) -> Floats:
    result = values.copy()
    result[1:-1] = values[:-2] / 4 + values[1:-1] / 2 + values[2:] / 4
    return result
