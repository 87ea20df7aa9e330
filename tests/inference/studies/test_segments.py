"""The best edges of one axis, against every choice of edges tried one by one."""

import itertools

import numpy as np
import pytest

from spectrafit.inference.studies.density import with_prediction
from spectrafit.inference.studies.merging import blocks
from spectrafit.inference.studies.segments import best_edges
from tests.inference.studies.test_optimise import X, Y, toy

DIRECTION = np.array([1.0, -0.2, -0.4, -0.3])


@pytest.fixture(scope="module")
def block():
    grid = with_prediction(toy(4, signal=1500, x=X[::3], y=Y[::5]))
    (whole,) = blocks(grid, entries=4.0, background_entries=2.0, relative_error=np.inf)
    return whole


def information(block, axis, places):
    """Return the information along the direction, by merging and by the whole matrix."""
    whole = [np.arange(size + 1) for size in block.shape]
    whole[axis] = np.asarray(places)
    data, _ = block.merged(whole).information()
    return float(DIRECTION @ data @ DIRECTION)


@pytest.mark.parametrize("axis", [0, 1])
def test_every_number_of_bins_has_the_most_information(block, axis):
    size = block.shape[axis]
    every = np.ones((size + 1, size + 1), bool)
    found = list(best_edges(block, axis, DIRECTION, every, most=3, needed=np.inf))
    assert [len(places) - 1 for places in found] == [1, 2, 3][: len(found)]
    assert len(found) == min(3, size)
    for places in found:
        inner = itertools.combinations(range(1, size), len(places) - 2)
        best = max(information(block, axis, (0, *chosen, size)) for chosen in inner)
        assert information(block, axis, places) == pytest.approx(best, rel=1e-10)


def test_bins_that_may_not_be_are_left_out(block):
    size = block.shape[0]
    allowed = np.ones((size + 1, size + 1), bool)
    allowed[0, 1] = allowed[0, 2] = False
    for places in best_edges(block, 0, DIRECTION, allowed, most=4, needed=np.inf):
        assert places[1] >= 3 or len(places) == 2
    # No bin may end at the last edge: there is no binning.
    allowed[:, size] = False
    assert not list(best_edges(block, 0, DIRECTION, allowed, most=4, needed=np.inf))


def test_bins_that_matter_fulfil_the_rules(block):
    size = block.shape[0]
    every = np.ones((size + 1, size + 1), bool)
    found = list(best_edges(block, 0, DIRECTION, every, most=size, needed=0.0))
    assert len(found) < size
    for places in found:
        whole = [places, *(np.arange(bins + 1) for bins in block.shape[1:])]
        merged = block.merged(whole)
        slopes = np.tensordot(DIRECTION, merged.sums[:4], 1)
        _, fulfilled = merged.layout.inverse(merged.sums)
        assert np.all((fulfilled >= 1.0) | (slopes == 0.0))
