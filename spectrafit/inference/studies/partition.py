"""The best binning of any shape: each bin is made of cells with similar signal to expectation, wherever they lie.

It tells how much a binning with edges could still gain. Let a be the direction of kappa with all nuisances profiled,
scaled to 1 for kappa, and g_b = a D_b the slope of cell b along it. The information of bins B on kappa is then
sum_B (sum_b g_b)^2 / (sum_b v_b), the between-group sum of squares of the score g / v with weights v. The best groups
are intervals of the cells ordered by score, and dynamic programming finds them (W. D. Fisher, J. Am. Stat. Assoc. 53
(1958) 789). The direction depends on the partition, so both are improved in turn, and the best partition is kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.fitting.information import information
from spectrafit.inference.studies.density import running
from spectrafit.inference.studies.grid import Grid, same_cells
from spectrafit.inference.studies.judgement import Judgement, judge
from spectrafit.inference.studies.merging import Block, Layout, blocks

__all__ = ["Partition", "best_partition"]


# Ordered cells are gathered into at most so many groups before the bins are chosen among all pairs of them.
_GROUPS = 800


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Partition:
    """Bins made of cells that need not lie together.

    Attributes
    ----------
    labels : (cells,) array of int
        The bin of every cell, by increasing score; -1 for cells in which nothing is expected.
    training, judging : Judgement
        The partition on the events it was made with, and on the independent ones.
    """

    labels: Integers
    training: Judgement
    judging: Judgement


def best_partition(
    training: Grid,
    judging: Grid,
    bins: int,
    *,
    entries: float = 10.0,
    background_entries: float = 5.0,
    parameter: str = "kappa",
    rounds: int = 6,
) -> Partition:
    """Return the partition of the cells of all regions into `bins` bins with the most information on one parameter.

    Each cell has the score of the smallest window around it that holds enough events, so that a cell without simulated
    background by chance does not count as a clean cell.

    Parameters
    ----------
    training, judging : Grid
        The same cells filled with two independent halves of the simulation, each at the full exposure.
    bins : int
        How many bins.
    entries, background_entries : float
        Least simulated events of a bin and of the window of a score, and least simulated events of backgrounds.
    parameter : str
        The parameter of interest.
    rounds : int
        How often to move the direction towards that of the best partition, each time by 2 / (round + 1) of the way.

    Raises
    ------
    ConfigError
        The grids have different cells, the parameter is unknown, or there are too few cells or events for the bins.
    """
    if parameter not in training.bins.parameters:
        raise ConfigError(f"partition: no parameter {parameter!r}{nearest(parameter, training.bins.parameters)}")
    same_cells(training, judging)
    place = training.bins.parameters.index(parameter)
    fine = blocks(training, entries=entries, background_entries=background_entries, relative_error=np.inf)
    windows = np.concatenate([_windows(block) for block in fine], axis=1)
    cells = np.concatenate([block.sums.reshape(len(block.sums), -1) for block in fine], axis=1)
    layout = fine[0].layout
    direction = np.eye(len(training.bins.parameters))[place]
    best, labels = np.inf, np.zeros(0, np.int64)
    for step in range(1, rounds + 1):
        found = _ordered(layout, windows, cells, direction, bins)
        matrix = information(training.bins.merged(found, bins), guarded=True).covariance()
        error = float(np.sqrt(matrix[place, place]))
        if error < best or not labels.size:
            best, labels = error, found
        if not np.isfinite(matrix[place]).all():
            break
        direction = direction + (matrix[place] / matrix[place, place] - direction) * 2.0 / (step + 1.0)
    return Partition(
        labels=labels,
        training=judge(training.bins.merged(labels, bins), parameter),
        judging=judge(judging.bins.merged(labels, bins), parameter),
    )


def _windows(block: Block) -> Floats:
    """Return for every cell of a region the sums of the smallest window around it that fulfils the rules, (R, cells).

    Windows reach as many cells to either side along every axis, up to the whole region.
    """
    result = block.sums.copy()
    wanting = block.layout.inverse(result)[1] < 1.0
    for reach in range(1, max(block.shape)):
        if not wanting.any():
            break
        sums = running(block.sums, reach)
        result[:, wanting] = sums[:, wanting]
        wanting &= block.layout.inverse(sums)[1] < 1.0
    return result.reshape(len(result), -1)


def _ordered(layout: Layout, windows: Floats, cells: Floats, direction: Floats, bins: int) -> Integers:
    """Return the bin of every cell for the bins with the most information along `direction`."""
    count = layout.parameters
    there = np.flatnonzero((cells[layout.facts] > 0) | (cells[:count] != 0).any(axis=0))
    score = (direction @ windows[:count, there]) * layout.inverse(windows[:, there])[0]
    order = there[np.argsort(score, kind="stable")]
    if order.size < bins:
        raise ConfigError(f"partition: {bins} bins of {order.size} cells that expect events; ask for fewer bins")
    starts = np.unique(np.linspace(0, order.size, min(_GROUPS, order.size) + 1).astype(np.int64))
    below = np.concatenate(
        [np.zeros((len(cells), 1)), np.cumsum(np.add.reduceat(cells[:, order], starts[:-1], axis=1), axis=1)], axis=1
    )
    first, second = layout.pairs.T
    factor = direction[first] * direction[second] * np.where(first == second, 1.0, 2.0)
    groups = starts.size - 1
    gain = np.full((groups, groups + 1), -np.inf)
    for low in range(groups):
        sums = below[:, low + 1 :] - below[:, low : low + 1]
        inverse, fulfilled = layout.inverse(sums)
        noise = factor @ sums[count : count + factor.size]
        value = ((direction @ sums[:count]) ** 2 - noise) * inverse
        gain[low, low + 1 :] = np.where(fulfilled >= 1.0 - 1e-9, value, -np.inf)
    cuts = _best_cuts(gain, bins)
    if cuts is None:
        raise ConfigError(
            f"partition: the training events do not fill {bins} bins with {layout.entries:g} simulated events and"
            f" {layout.background_entries:g} of backgrounds; ask for fewer bins"
        )
    labels = np.full(cells.shape[1], -1, np.int64)
    labels[order] = np.repeat(np.arange(bins), np.diff(starts[cuts]))
    return labels


def _best_cuts(gain: Floats, bins: int) -> Sequence[int] | None:
    """Return bins + 1 cuts from 0 to the number of groups with the greatest sum of `gain[low, high]`, None without."""
    groups = gain.shape[0]
    best, came = gain[0].copy(), []
    for _ in range(bins - 1):
        total = best[:groups, None] + gain
        came.append(total.argmax(axis=0))
        best = total.max(axis=0)
    if not np.isfinite(best[groups]):
        return None
    cuts = [groups]
    for previous in reversed(came):
        cuts.append(int(previous[cuts[-1]]))
    return [0, *reversed(cuts)]
