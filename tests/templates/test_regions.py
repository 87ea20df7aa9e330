from fractions import Fraction

import boost_histogram as bh
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import config
from spectrafit.errors import ConfigError
from spectrafit.physics.constants import M_E
from spectrafit.templates.observables import OBSERVABLES, Quantities, needs, observable
from spectrafit.templates.regions import Grid, RegionBins, axis, lay_out


def regions(*tables):
    return tuple(msgspec.convert(table, config.Region) for table in tables)


GRID = {
    "name": "nd",
    "axes": [
        {"observable": "t_reco", "bins": 5, "range": [0.5, 3.0]},
        {"observable": "t_theta2_reco", "edges": [0.0, 0.0005, 0.001, 0.003]},
    ],
}


def columns(size=2000, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "t": rng.exponential(1.5, size),
        "theta": rng.normal(0, 0.03, size) ** 2,
        "e_nu": rng.uniform(1, 5, size),
        "t_reco": rng.exponential(1.5, size),
        "theta_reco": np.abs(rng.normal(0, 0.03, size)),
        "score": rng.random(size),
    }


@pytest.mark.parametrize("name", OBSERVABLES)
def test_observables_are_what_they_say(name):
    base = columns()
    suffix = "_reco" if name.endswith("_reco") else ""
    t, theta = base[f"t{suffix}"], base[f"theta{suffix}"]
    expected = {
        "t": t,
        "theta": theta,
        "e": base["e_nu"],
        "t_theta2": t * theta**2,
        "e_theta2": (t + M_E) * theta**2,
        "e_nu": base["e_nu"],
    }[name.removesuffix("_reco")]
    np.testing.assert_allclose(Quantities(base)[name], expected, rtol=1e-14)
    assert set(observable(name).needs) <= set(base)
    assert "[" in observable(name).label


def test_any_column_is_an_observable():
    assert observable("score").needs == ("score",)
    np.testing.assert_array_equal(Quantities(columns())["score"], columns()["score"])
    assert needs(["t_theta2_reco", "t_reco", "score"]) == ("t_reco", "theta_reco", "score")


def test_a_shifted_column_moves_what_is_made_of_it():
    base = Quantities(columns())
    shifted = base.shifted("t_reco", base["t_reco"] * 1.1)
    np.testing.assert_allclose(shifted["t_theta2_reco"], 1.1 * base["t_theta2_reco"])
    assert shifted["t_theta2"] is not None
    np.testing.assert_array_equal(shifted["t"], base["t"])


def test_bins_are_laid_out_one_after_the_other():
    nd, side = lay_out(regions(GRID, {"name": "side", "axes": [{"observable": "score", "bins": 4, "range": [0, 1]}]}))
    assert (nd.shape, nd.start, nd.stop, side.start, side.stop) == ((5, 3), 0, 15, 15, 19)
    assert isinstance(nd.axes[0], bh.axis.Regular)
    assert isinstance(nd.axes[1], bh.axis.Variable)
    assert nd.same(RegionBins.from_plain(nd.plain()))
    assert not nd.same(side)


def test_logarithmic_edges_keep_their_ends():
    (region,) = lay_out(
        regions({"name": "r", "axes": [{"observable": "t", "bins": 7, "range": [0.3, 0.7], "log": True}]})
    )
    edges = region.axes[0].edges
    assert (edges[0], edges[-1]) == (0.3, 0.7)
    np.testing.assert_allclose(np.diff(np.log(edges)), np.log(0.7 / 0.3) / 7)


def test_cells_are_boost_histograms_and_cuts_apply():
    base = columns()
    base["score"][::17] = np.nan
    grid = Grid.of(regions({**GRID, "cut": "score > 0.3 && t_theta2_reco < 0.002"}), "a")
    assert set(grid.needs) == {"t_reco", "theta_reco", "score"}
    (cells,) = grid.cells(Quantities(base), 2000)
    x, y = base["t_reco"], base["t_reco"] * base["theta_reco"] ** 2
    keep = (base["score"] > 0.3) & (y < 0.002)
    axes = lay_out(regions(GRID))[0].axes
    expected = bh.Histogram(*axes, storage=bh.storage.Int64()).fill(x[keep], y[keep])
    counted = np.bincount(cells[cells >= 0], minlength=grid.size)
    np.testing.assert_array_equal(counted, expected.values(flow=True).ravel())
    np.testing.assert_array_equal(counted[grid.layout.inner], expected.values().ravel())
    assert counted[grid.layout.outer[0]].sum() == expected.values(flow=True).sum() - expected.values().sum()


def test_a_cut_that_is_nan_fails():
    base = columns(10)
    base["score"][:5] = np.nan
    grid = Grid.of(regions({**GRID, "cut": "score"}), "a")
    (cells,) = grid.cells(Quantities(base), 10)
    assert (cells >= 0).tolist() == [False] * 5 + [True] * 5


def test_regions_that_share_events_are_refused():
    twin = {**GRID, "name": "twin", "cut": "score > 0.9"}
    with pytest.raises(ConfigError, match="'nd' and 'twin' share events"):
        Grid.of(regions(GRID, twin), "a").cells(Quantities(columns()), 2000)
    # Disjoint by cut, by axis, or by sample they stand.
    Grid.of(regions({**GRID, "cut": "score <= 0.9"}, twin), "a").cells(Quantities(columns()), 2000)
    above = {"name": "above", "axes": [{"observable": "t_reco", "edges": [3.0, 9.0]}]}
    grid = Grid.of(regions(GRID, above), "a")
    nd, high = grid.cells(Quantities(columns()), 2000)
    # What is overflow of one region may be in a bin of the other.
    assert np.any((high >= 0) & np.isin(high, grid.layout.inner) & np.isin(nd, grid.layout.outer[0]))
    assert len(Grid.of(regions({**GRID, "samples": ["b*"]}, twin), "a").cells(Quantities(columns()), 2000)) == 1


def test_an_integer_is_in_the_bin_that_begins_with_it() -> None:
    made = axis(config.Axis(observable="hits", bins=100, range=(0.0, 100.0)))
    np.testing.assert_array_equal(made.index(np.arange(100.0)), np.arange(100))
    np.testing.assert_array_equal(made.edges, np.arange(101.0))
    # boost-histogram's own regular axis does not.
    assert bh.axis.Regular(100, 0.0, 100.0).index(29.0) == 28


@given(st.integers(1, 300), st.integers(-2000, 2000), st.integers(1, 5000), st.integers(0, 3))
def test_values_on_decimal_edges_are_in_the_bin_above(bins: int, low: int, width: int, digits: int) -> None:
    first, last = Fraction(low, 10**digits), Fraction(low + width, 10**digits)
    made = axis(config.Axis(observable="t", bins=bins, range=(float(first), float(last))))
    edges = np.array([float(first + i * (last - first) / bins) for i in range(bins + 1)])
    np.testing.assert_array_equal(made.index(edges), np.arange(bins + 1))
    np.testing.assert_allclose(made.edges, edges, rtol=1e-15, atol=1e-15 * width)
    grid = Grid.of(
        regions({"name": "r", "axes": [{"observable": "x", "bins": bins, "range": [float(first), float(last)]}]}), "s"
    )
    (cells,) = grid.cells(Quantities({"x": edges}), edges.size)
    np.testing.assert_array_equal(cells, np.arange(bins + 1) + 1)


def test_an_axis_of_ends_with_too_many_digits_stays_regular() -> None:
    made = axis(config.Axis(observable="t", bins=3, range=(1 / 3, 2 / 3)))
    assert isinstance(made, bh.axis.Regular)


def test_a_unit_of_its_own_is_for_files():
    with pytest.raises(ConfigError, match=r"axis 't': unit is a key of files"):
        lay_out([config.Region(name="a", axes=(config.Axis(observable="t", edges=(1, 2), unit="keV"),))])
