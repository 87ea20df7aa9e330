"""The steps of the search, each against the information of the bins that it says it found."""

import numpy as np
import pytest

from spectrafit.inference.studies.density import with_prediction
from spectrafit.inference.studies.judgement import judge
from spectrafit.inference.studies.rules import Rules
from spectrafit.inference.studies.searching import COARSE, Search
from tests.inference.studies.test_optimise import toy


@pytest.fixture(scope="module")
def grid():
    return with_prediction(toy(2))


def test_a_step_tells_the_error_of_the_bins_it_found(grid):
    search = Search(grid, Rules(entries=0.0, background_entries=0.0, bins=40), "kappa")
    start = search.coarse(0)
    assert [len(places) - 1 for places in start.positions[0]] == list(COARSE[:2])
    found = search.refined(start, 20)
    for one in (start, found):
        # Without rules the error is that of the merged grid, worked out elsewhere.
        assert one.error == pytest.approx(judge(grid.merged(search.edges(one)).bins, "kappa").guarded, rel=1e-9)
    assert found.allowed
    assert found.bins <= 40
    assert found.score < start.score
    fewer = search.limited(10)
    assert (fewer.most, search.most) == (10, 40)
    assert fewer.refined(fewer.coarse(1), 20).bins <= 10 or not fewer.coarse(1).allowed


def test_edges_are_taken_away_until_one_bin_is_left(grid):
    trail = list(Search(grid, Rules(), "kappa").greedy())
    bins = np.array([found.bins for found in trail])
    assert bins[0] == grid.bins.size
    assert bins[-1] == 1
    assert (np.diff(bins) < 0).all()
