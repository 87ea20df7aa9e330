import numpy as np
import pytest

import spectrafit as sf
from spectrafit.errors import ConfigError
from spectrafit.templates.partition import write_partition
from spectrafit.templates.refine import fine_cells, is_fine, load_fine, refined
from spectrafit.templates.templates import vary
from tests.templates.conftest import GRID

TEXT = """
[[systematics]]
kind = "shift"
name = "scale"
column = "t_reco"
scale = 0.03
[[systematics]]
kind = "universes"
name = "flux"
branch = "universes"
[[systematics]]
kind = "covariance"
name = "detector"
file = "detector.csv"
fractional = true
regions = ["side"]
"""
SIDE = np.array([[0.04, 0.01, 0.0], [0.01, 0.02, 0.0], [0.0, 0.0, 0.03]])


@pytest.fixture(scope="module")
def analysis(ntuples):
    np.savetxt(ntuples.folder / "detector.csv", SIDE, delimiter=",")
    return ntuples.analysis(TEXT)


@pytest.fixture(scope="module")
def cells(analysis):
    return fine_cells(analysis, fine=2, edges=[{"side": {"t_reco": [0.2, 1.1, 4.0]}}])


def test_merged_to_the_own_edges_it_is_the_own_fill(analysis, cells):
    assert [region.shape for region in cells.regions] == [(12, 8), (8,)]
    own = sf.build(analysis)
    merged = vary(cells.rebinned({r.name: [list(a.edges) for a in r.axes] for r in own.regions}))
    np.testing.assert_array_equal(merged.entries, own.entries)
    np.testing.assert_allclose(merged.squares, own.squares, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(merged.counts[:, 0], own.counts[:, 0], rtol=1e-9, atol=1e-12)
    for parameter in ("scale", "flux", "detector"):
        changes = []
        for one in (merged, own):
            rows = [i for i, v in enumerate(one.variations) if v.parameter.partition("[")[0] == parameter]
            change = one.counts[:, rows] - one.counts[:, :1]
            # Components may come with either sign and in any order: their squares add up to the variance.
            changes.append((change.sum(axis=0)[:, 0] ** 2).sum(axis=0))
        np.testing.assert_allclose(*changes, rtol=2e-2, atol=1e-6)


def test_a_matrix_over_the_own_bins_is_the_same_share_in_all_cells_of_one(cells):
    rows = cells.fractions["detector"].rows
    side = cells.regions[1]
    found = (rows.T @ rows)[side.bins, side.bins]
    # 0.2 and 1.1 are edges of the hand-made binning; below 0.3 the matrix says nothing.
    bins = np.digitize(0.5 * (side.axes[0].edges[1:] + side.axes[0].edges[:-1]), [0.3, 1.0, 1.7]) - 1
    wanted = np.where((bins[:, None] >= 0) & (bins >= 0), SIDE[np.ix_(bins, bins)], 0.0)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    np.testing.assert_allclose((rows.T @ rows)[:96, :96], 0.0, atol=1e-12)


def test_saved_cells_serve_the_study_of_changed_systematics(analysis, cells, ntuples, tmp_path):
    path = sf.Templates.save(vary(cells), tmp_path / "fine.npz")
    again = load_fine(path, analysis)
    assert is_fine(again, analysis)
    assert not is_fine(sf.build(analysis).cells, analysis)
    for a, b in zip((cells, *cells.halves), (again, *again.halves), strict=True):
        for one, other in zip(a.samples, b.samples, strict=True):
            np.testing.assert_array_equal(one.sums, other.sums)
            assert one.effects.keys() == other.effects.keys()
        np.testing.assert_array_equal(a.fractions["detector"].rows, b.fractions["detector"].rows)
    # A partition of the own bins, a covariance less: no reason to fill again.
    write_partition(ntuples.folder / "own.csv", np.arange(24).reshape(6, 4) % 5 + 1)
    parted = GRID.replace('cut = "score > 0.2"', 'cut = "score > 0.2"\npartition = "own.csv"')
    other = load_fine(path, ntuples.analysis(TEXT.partition('[[systematics]]\nkind = "cov')[0], regions=parted))
    assert not other.fractions
    assert other.regions[0].partition is None
    # Another exposure scales all that was filled, the halves too.
    more = ntuples.analysis(TEXT, overrides=(f"pot={3.0 * analysis.pot!r}",))
    thrice = load_fine(path, more)
    for a, b in zip((cells, *cells.halves), (thrice, *thrice.halves), strict=True):
        for one, other in zip(a.expected, b.expected, strict=True):
            np.testing.assert_allclose(other.sums, 3.0 * one.sums, rtol=1e-12)
            np.testing.assert_allclose(other.squares, 9.0 * one.squares, rtol=1e-12)
    moved = ntuples.analysis(TEXT.replace("scale = 0.03", "scale = 0.05"))
    with pytest.raises(ConfigError, match=r"made with another analysis: .*scale"):
        load_fine(path, moved)


def test_round_numbers_are_the_grid_where_they_are_asked_for(analysis):
    axis = refined(analysis, steps={"t_reco": 0.25}).regions[1].axes[0]
    assert axis.edges == (0.3, 0.5, 0.75, 1.0, 1.25, 1.5, 1.7, 1.75, *np.arange(2.0, 4.01, 0.25))
    with pytest.raises(ConfigError, match="no axis 't_rec'; did you mean"):
        refined(analysis, steps={"t_rec": 0.25})
    with pytest.raises(ConfigError, match="no region 'sid'; did you mean"):
        refined(analysis, edges=[{"sid": {"t_reco": [0.3, 4.0]}}])
    with pytest.raises(ConfigError, match="0 cells per bin"):
        refined(analysis, fine=0)
    about = [len(a.edges) - 1 for region in refined(analysis).regions for a in region.axes]
    assert about == [60, 60, 60]


def test_a_range_goes_on_with_the_cells_at_the_ends(analysis):
    plain = refined(analysis, fine=2)
    wide = refined(analysis, fine=2, ranges={"t_reco": (0.05, 4.6)})
    own, edges = (np.array(one.regions[0].axes[0].edges) for one in (plain, wide))
    assert (edges[0], edges[-1]) == (0.05, 4.6)
    np.testing.assert_array_equal(edges[(edges >= own[0]) & (edges <= own[-1])], own)
    # About as wide as the cells at the ends of the analysis' own range, and none wider.
    below, above = np.diff(edges[edges <= own[0]]), np.diff(edges[edges >= own[-1]])
    assert below.max() <= own[1] - own[0] + 1e-9
    assert above.max() <= own[-1] - own[-2] + 1e-9
    assert np.ptp(below) < 1e-9
    assert wide.regions[0].axes[1] == plain.regions[0].axes[1]
    with pytest.raises(ConfigError, match="needs to hold the analysis' own"):
        refined(analysis, ranges={"t_reco": (0.5, 9.0)})
    with pytest.raises(ConfigError, match="no axis 't_rec'; did you mean"):
        refined(analysis, ranges={"t_rec": (0.0, 9.0)})


def test_counts_without_events_are_refused(ntuples):
    counts = '[[counts]]\nname = "rock"\ncounts = { side = [1.0, 2.0, 3.0] }\n'
    with pytest.raises(ConfigError, match="'rock' is known by its counts per bin only"):
        refined(ntuples.analysis(counts))
