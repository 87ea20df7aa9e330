"""Moves of events between cells, their noise, and the merging of cells, against loops and boost-histogram."""

import boost_histogram as bh
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrafit.config import Axis, Region
from spectrafit.errors import ConfigError
from spectrafit.templates import migration
from spectrafit.templates.cells import EffectCells
from spectrafit.templates.merging import Merge, merged_regions
from spectrafit.templates.migration import Moves, MoveTable
from spectrafit.templates.regions import lay_out

REGION = Region(
    name="nd",
    axes=(Axis(observable="x", edges=(0.0, 1.0, 2.0, 4.0, 5.0)), Axis(observable="y", bins=3, range=(0.0, 3.0))),
)


def thrown(seed, cells, events=200):
    rng = np.random.default_rng(seed)
    before, after = rng.integers(-1, cells, (2, events)).astype(np.int32)
    return before, after, rng.uniform(0.5, 1.5, events), rng.uniform(0.5, 1.5, (events, 2))


def moves_of(cells, parts, slots=1 << 12):
    table = MoveTable(cells, 2, slots)
    for part in parts:
        table.add(*part)
    return table.moves()


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), cells=st.integers(1, 12))
def test_noise_is_the_squares_of_events_that_leave_and_enter(seed, cells):
    before, after, weight, products = thrown(seed, cells)
    found = moves_of(cells, [(before, after, weight, products)], slots=4)
    wanted = np.zeros((2, cells))
    for a, b, w, p in zip(before, after, weight, products, strict=True):
        for cell in {a, b} if a != b else ():
            if cell >= 0:
                wanted[:, cell] += w**2 * p
    np.testing.assert_allclose(found.noise, wanted, rtol=1e-12)
    np.testing.assert_allclose(found.scaled(3.0).noise, 9.0 * wanted, rtol=1e-12)
    half = Moves.together(
        [moves_of(cells, [[np.ascontiguousarray(x[i::2]) for x in (before, after, weight, products)]]) for i in (0, 1)]
    )
    np.testing.assert_allclose(half.noise, wanted, rtol=1e-12)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_merged_moves_are_the_moves_between_merged_cells(seed):
    cells, target = 9, np.array([0, 0, 1, 1, 1, 2, 3, 3, 0, 4])
    before, after, weight, products = thrown(seed, cells)
    merged = [np.where(c < 0, 4, target[c]) for c in (before, after)]
    direct = moves_of(4, [(*(np.where(m == 4, -1, m).astype(np.int32) for m in merged), weight, products)])
    found = moves_of(cells, [(before, after, weight, products)]).merged(target, 4)
    np.testing.assert_array_equal(found.first, direct.first)
    np.testing.assert_array_equal(found.second, direct.second)
    np.testing.assert_allclose(found.squares, direct.squares, rtol=1e-12)


def test_sorting_and_a_table_of_pairs_add_up_alike(monkeypatch):
    moves = moves_of(40, [thrown(5, 40, 3000)])
    target = np.append(np.arange(40) // 3, 14)
    table = moves.merged(target, 14)
    monkeypatch.setattr(migration, "_DENSE", -(10**9))
    sorted_ones = moves.merged(target, 14)
    for name in ("first", "second", "squares"):
        np.testing.assert_array_equal(getattr(table, name), getattr(sorted_ones, name))
    assert table.first.size > 50


def test_a_merge_of_bins_is_a_fill_of_the_coarser_ones():
    fine = lay_out((REGION,))
    coarse = merged_regions(fine, {"nd": {"x": [0.0, 2.0, 5.0]}})
    merge = Merge.between(fine, coarse)
    rng = np.random.default_rng(4)
    x, y, w = rng.uniform(-1, 7, 500), rng.uniform(-1, 4, 500), rng.uniform(0.5, 1.5, 500)
    direct, filled = (
        bh.Histogram(*regions[0].axes, storage=bh.storage.Double()).fill(x, y, weight=w).values(flow=True).ravel()
        for regions in (coarse, fine)
    )
    np.testing.assert_allclose(merge.sums(filled[None]), direct[None], rtol=1e-12)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ({"nd": {"z": [0.0, 5.0]}}, "no axis 'z' to rebin"),
        ({"nd": {"x": [0.0, 1.5, 5.0]}}, "1.5"),
        ({"nd": {"x": [5.0, 0.0]}}, "two or more increasing edges"),
        ({"nd": [[0.0, 5.0]]}, "edges for 1 axes, but it has 2"),
    ],
)
def test_edges_that_are_none_are_named(edges, message):
    fine = lay_out((REGION,))
    with pytest.raises(ConfigError, match=message):
        Merge.between(fine, merged_regions(fine, edges))


def test_parts_of_a_sample_add_up_with_their_noise():
    rng = np.random.default_rng(6)
    a, b = (
        EffectCells(sums=rng.random((2, 1, 5)), noise=rng.random((2, 1, 5)), half=rng.random((1, 1, 5))) for _ in "ab"
    )
    total = a + b
    for part in ("sums", "noise", "half"):
        np.testing.assert_array_equal(getattr(total, part), getattr(a, part) + getattr(b, part))
