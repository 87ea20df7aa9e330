import dataclasses
import json
import tomllib

import numpy as np
import pytest

import spectrafit as sf
from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.information import information
from spectrafit.inference.studies.rating import Rater, grid_of
from tests.inference.simulated import ANALYSIS, NORM, SCALED, simulate

X, Y = [0.2, 0.5, 0.8, 1.2, 2.0, 4.0], [0.0, 0.3, 0.8, 1.5, 4.0]
FINE = 4


def analysis(folder):
    (folder / "fit.toml").write_text(ANALYSIS.format(x=X, y=Y) + SCALED + NORM)
    return sf.load(folder / "fit.toml")


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """400 simulated background events, and what was found with them."""
    folder = tmp_path_factory.mktemp("few")
    simulate(folder, 1, 400)
    loaded = analysis(folder)
    cells = sf.fine_cells(loaded, fine=FINE)
    hand = {"nd": {"t_reco": [0.2, 0.8, 4.0]}}
    return loaded, cells, sf.compare_binnings(loaded, cells, {"mine": hand})


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A hundred times the background."""
    folder = tmp_path_factory.mktemp("many")
    simulate(folder, 2, 40_000)
    return grid_of(dataclasses.replace(sf.fine_cells(analysis(folder), fine=FINE), halves=()))


def test_the_optimum_is_as_good_on_a_hundred_times_the_simulation_as_it_claimed(few, many):
    _, _, found = few
    best = found.best.found
    known = many.merged(best.edges).bins
    background = known.background[:, None]
    # The same few events, but no luck: the truth of many events with the variance of as few as a half has.
    alike = np.where(background, known.variance * 200.0, known.variance * 2.0)
    same = information(dataclasses.replace(known, variance=alike)).error()
    assert abs(same - best.judging.guarded) < 3.5 * best.judging.uncertainty
    assert information(known).error() < best.judging.guarded + 3 * best.judging.uncertainty
    # Nor is the binning a bad one for fear of noise.
    assert same < 1.15 * information(many.bins).error()


def test_every_binning_stands_beside_the_others(few):
    loaded, _, found = few
    rows = {row.name: row for row in found.rows}
    assert list(rows)[:4] == ["as it is", "equal width", "equal statistics", "mine"]
    assert list(rows)[4:] == ["optimum", "best partition"]
    assert [rows[name].judgement.bins for name in ("as it is", "equal width", "mine")] == [20, 20, 32]
    # The limit is that of an analysis filled with these edges.
    filled = sf.build(loaded)
    own = sf.limit(sf.assemble(loaded, filled), simulation=False)
    assert rows["as it is"].median == pytest.approx(own.expected.median, rel=1e-6)
    entries = filled.entries.sum(axis=0)
    assert rows["as it is"].judgement.entries == entries.min()
    for row in found.rows:
        assert 0 < row.kept <= 1.0
        # A limit of kappa follows its error, which the noise changes.
        changed = row.judgement.guarded / row.judgement.naive
        assert row.guarded == pytest.approx(row.median * changed**0.5, rel=1e-9)
    # Shares are of the most information that there is, so errors and shares say the same.
    assert len({round(row.error * row.kept**0.5, 9) for row in found.rows}) == 1
    text = str(found)
    assert "best partition: a bound for" in text
    assert "without noise" in text
    assert "independent half" in text
    said = json.loads(json.dumps(found.summary()))
    assert [row["name"] for row in said["binnings"]] == list(rows)


def test_the_snippet_gives_the_binning_that_was_found(few):
    _, cells, found = few
    said = tomllib.loads(found.best.toml())["axes"]
    edges = {axis["observable"]: axis["edges"] for axis in said}
    assert edges == found.best.edges["nd"]
    again = Rater(dataclasses.replace(cells, halves=())).edges("again", found.best.found.edges)
    assert again.median == found.best.rated.median
    rebinned = cells.rebinned({"nd": edges})
    assert [len(axis) + 1 for axis in rebinned.regions[0].axes] == [len(values) for values in edges.values()]


def test_halves_are_independent_parts_of_the_whole(few):
    _, cells, _ = few
    first, second = cells.halves
    for whole, a, b in zip(cells.samples, first.samples, second.samples, strict=True):
        np.testing.assert_array_equal(whole.entries, a.entries + b.entries)
        assert abs(int(a.entries.sum()) - int(b.entries.sum())) < 100
        np.testing.assert_allclose(whole.sums, (a.sums + b.sums) / 2, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(whole.squares, (a.squares + b.squares) / 4, rtol=1e-9, atol=1e-12)


def test_without_halves_nothing_is_chosen(few):
    _, cells, _ = few
    with pytest.raises(ConfigError, match="no halves of the simulation"):
        sf.optimise(dataclasses.replace(cells, halves=()))
    with pytest.raises(ConfigError, match="no binning of the grid"):
        sf.optimise(cells, rules=sf.Rules(background_entries=1e5))
