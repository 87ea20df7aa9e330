"""The best edges along one axis, all at once: dynamic programming over the bins that two edges can bound.

For a fixed direction d of the parameters the information sum_b ((d D_b)^2 - noise_b) / v_b is a sum over bins. The best
edges of an axis then follow exactly from the best edges of its beginnings (R. Bellman, Bull. Am. Math. Soc. 60 (1954)
503). The direction is that of the profiled parameter of interest, which depends on the edges; so the search takes turns
between directions and edges, and between axes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spectrafit.arraytypes import Flags, Floats, Integers
from spectrafit.inference.studies.merging import Block

__all__ = ["best_edges"]


def best_edges(
    block: Block, axis: int, direction: Floats, allowed: Flags, *, most: int, needed: float
) -> Iterator[Integers]:
    """Yield, for every number of bins along an axis, the edges with the most information along a direction.

    Parameters
    ----------
    block : Block
        With all cells along the axis, and merged along the others.
    axis : int
    direction : (K,) array
        How each parameter moves per unit of the parameter of interest.
    allowed : (c + 1, c + 1) array of bool
        Whether a bin may reach from one edge to another.
    most : int
        Most bins along the axis.
    needed : float
        Bins with more information than this must fulfil the rules of the block's layout.

    Yields
    ------
    (n + 1,) array of int
        Places of the edges, the first and the last included, for n = 1, 2, ...; none where the rules allow no such n.
    """
    gains = np.where(allowed, _gains(block, axis, direction, needed), -np.inf)
    size = gains.shape[0] - 1
    best = np.where(np.arange(size + 1) == 0, 0.0, -np.inf)
    behind: list[Integers] = []
    for _ in range(min(most, size)):
        # The last bin from edge i to edge j, and the best edges of one bin less up to i.
        sums = best[:, None] + gains
        behind.append(np.argmax(sums, axis=0))
        best = sums.max(axis=0)
        if np.isfinite(best[size]):
            places = [size]
            for before in reversed(behind):
                places.append(int(before[places[-1]]))
            yield np.array(places[::-1])
        if not np.isfinite(best).any():
            return


def _gains(block: Block, axis: int, direction: Floats, needed: float) -> Floats:
    """Return the information along the direction of the slice from edge i to edge j, summed over the other axes."""
    layout = block.layout
    count, pairs = layout.parameters, layout.pairs
    # A pair of two parameters stands in both triangles of the matrix.
    factors = direction[pairs[:, 0]] * direction[pairs[:, 1]] * np.where(np.arange(len(pairs)) < count, 1.0, 2.0)
    slope = np.tensordot(direction, block.sums[:count], 1)
    noise = np.tensordot(factors, block.sums[count : count + len(pairs)], 1)
    rows = np.concatenate([[slope, noise], block.sums[count + len(pairs) :]])
    rows = np.moveaxis(rows, axis + 1, 1)
    size, others = rows.shape[1], rows.shape[2:]
    rows = rows.reshape(len(rows), size, -1)
    below = np.concatenate([np.zeros_like(rows[:, :1]), np.cumsum(rows, axis=1)], axis=1)
    shared = _shared(block, axis, factors, size, others)
    gains = np.full((size + 1, size + 1), -np.inf)
    for start in range(size):
        sums = below[:, start + 1 :] - below[:, start : start + 1]
        # Layout takes rows of parameters and pairs first; they are not looked at for 1 / v.
        inverse, fulfilled = layout.inverse(np.concatenate([np.zeros((count + len(pairs), *sums.shape[1:])), sums[2:]]))
        # Where the events of a slice stay within it, their covariances are noise of the slice.
        within = shared[start:, start:].cumsum(axis=0).cumsum(axis=1)[np.arange(size - start), np.arange(size - start)]
        slopes, variance = sums[0] ** 2, sums[2 + 2 * layout.samples]
        known = inverse * (slopes - sums[1] - within) * fulfilled
        broken = ((fulfilled < 1.0) & (slopes > needed * variance)).any(axis=1)
        gains[start, start + 1 :] = np.where(broken, -np.inf, known.sum(axis=1))
    return gains


def _shared(block: Block, axis: int, factors: Floats, size: int, others: tuple[int, ...]) -> Floats:
    """Return the covariances of cells that can become one, (c, c, cells of the other axes), in the upper triangle."""
    result = np.zeros((size, size, int(np.prod(others))))
    across = np.delete(block.places, axis, axis=2)
    same = (across[:, 0] == across[:, 1]).all(axis=1)
    along = np.sort(block.places[same, :, axis], axis=1)
    where = np.ravel_multi_index(tuple(across[same, 0].T), others) if others else np.zeros(len(along), np.int64)
    pairs = block.pairs[same]
    values = block.values[same] * factors[pairs] * np.where(pairs < block.layout.parameters, 2.0, 1.0)
    np.add.at(result, (along[:, 0], along[:, 1], where), values)
    return result
