"""Smoothing of noisy histograms by Tukey's running medians 353QH, twice.

J. H. Friedman, Data analysis techniques for high energy particle physics, SLAC-176 (1974); the smoother ROOT users know
as TH1::Smooth. Medians of 3, 5 and 3 remove spikes, flat tops of three are rounded by parabolas (Q), a hanning mean (H)
smooths the rest; the same is done to the residuals and added ("twice").
"""

from __future__ import annotations

import numpy as np

from spectrafit.arraytypes import Floats

__all__ = ["smooth", "smooth_line"]


def smooth(values: Floats, *, first: int = 0) -> Floats:
    """Return an array smoothed along each axis from `first` on; axes of fewer than three bins are left as they are."""
    result = np.array(values, np.float64)
    for dimension in range(first, result.ndim):
        if result.shape[dimension] >= 3:
            result = np.moveaxis(smooth_line(np.moveaxis(result, dimension, -1)), -1, dimension)
    return result


def smooth_line(values: Floats) -> Floats:
    """Return lines of at least three values, (..., n), smoothed by 353QH, twice. Linear sequences are unchanged."""
    once = _353qh(values)
    return once + _353qh(values - once)


def _353qh(values: Floats) -> Floats:
    return _hanning(_parabolas(_median3(_median5(_median3(values, ends=True)), ends=False)))


def _middle(a: Floats, b: Floats, c: Floats) -> Floats:
    """Return the median of three arrays, element by element."""
    result: Floats = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    return result


def _middle_of_five(a: Floats, b: Floats, c: Floats, d: Floats, e: Floats) -> Floats:
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return _middle(low, high, e)


def _median3(values: Floats, *, ends: bool) -> Floats:
    result = values.copy()
    result[..., 1:-1] = _middle(values[..., :-2], values[..., 1:-1], values[..., 2:])
    if ends:
        # Tukey's end point rule: the end, its smoothed neighbour, and where the two next ones extrapolate to.
        for end, near, next_ in ((0, 1, 2), (-1, -2, -3)):
            beyond = 3 * result[..., near] - 2 * result[..., next_]
            result[..., end] = _middle(values[..., end], result[..., near], beyond)
    return result


def _median5(values: Floats) -> Floats:
    result = values.copy()
    if values.shape[-1] >= 5:
        size = values.shape[-1] - 4
        result[..., 2:-2] = _middle_of_five(*(values[..., index : index + size] for index in range(5)))
    result[..., 1] = _middle(values[..., 0], values[..., 1], values[..., 2])
    result[..., -2] = _middle(values[..., -1], values[..., -2], values[..., -3])
    return result


def _parabolas(values: Floats) -> Floats:
    """Round each flat top or bottom of three by the parabola through its middle's neighbours two steps away."""
    lines, result = values.reshape(-1, values.shape[-1]), values.copy()
    rounded = result.reshape(lines.shape)
    for place in range(2, values.shape[-1] - 2):
        left, right = lines[:, place - 2] - lines[:, place], lines[:, place + 2] - lines[:, place]
        flat = (lines[:, place - 1] == lines[:, place]) & (lines[:, place] == lines[:, place + 1]) & (left * right > 0)
        for near, where in ((-1, np.abs(right) > np.abs(left)), (1, np.abs(right) <= np.abs(left))):
            at = np.flatnonzero(flat & where)
            before, after = lines[at, place - 2 * near], lines[at, place + 2 * near]
            rounded[at, place] = -before / 2 + lines[at, place] * 4 / 3 + after / 6
            rounded[at, place + near] = (after - before) / 2 + lines[at, place]
    return rounded.reshape(values.shape)


def _hanning(values: Floats) -> Floats:
    result = values.copy()
    result[..., 1:-1] = values[..., :-2] / 4 + values[..., 1:-1] / 2 + values[..., 2:] / 4
    return result
