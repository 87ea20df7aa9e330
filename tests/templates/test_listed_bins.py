"""Cells of a grid in any order, against numpy's own mesh."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit.errors import DataError
from spectrafit.templates.listed_bins import grid_of, joined

EDGES = st.lists(st.integers(-50, 50), min_size=2, max_size=5, unique=True).map(lambda edges: sorted(map(float, edges)))


@given(st.lists(EDGES, min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_cells_in_any_order_are_the_grid(edges, random):
    cells = list(itertools.product(*(itertools.pairwise(one) for one in edges)))
    numbers = list(itertools.product(*(range(len(one) - 1) for one in edges)))
    order = random.sample(range(len(cells)), len(cells))
    ends = [tuple(np.array([cells[at][axis] for at in order]).T) for axis in range(len(edges))]
    places, found = grid_of(ends, [str(axis) for axis in range(len(edges))], "here")
    assert [place.tolist() for place in places] == edges
    assert list(zip(*(one.tolist() for one in found), strict=True)) == [numbers[at] for at in order]
    if len(cells) > 1:
        twice = [(np.append(low, low[:1]), np.append(high, high[:1])) for low, high in ends]
        with pytest.raises(DataError, match="is listed more than once"):
            grid_of(twice, [str(axis) for axis in range(len(edges))], "here")


def test_bins_that_follow_each_other_have_edges():
    assert joined(np.array([1.0, 2.0]), np.array([2.0, 4.0]), "here").tolist() == [1, 2, 4]
    assert joined(np.array([1.0, 2.0]), np.array([2.0 + 1e-9, 4.0]), "here").tolist() == [1, 2, 4]
    with pytest.raises(DataError, match="a bin ends at 2 and the next begins at 3; bins must join"):
        joined(np.array([1.0, 3.0]), np.array([2.0, 4.0]), "here")
