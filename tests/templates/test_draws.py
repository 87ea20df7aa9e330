"""Events that a response smears several times, against sums over events by numpy."""

import itertools

import numpy as np
import pytest
import uproot

import spectrafit as sf
from spectrafit.events.schema import DRAW, ENTRY
from spectrafit.templates.draws import OVERLAP, whole_events
from spectrafit.templates.noise import noise_of_change, squares_of
from spectrafit.templates.systematics import effects

SAMPLES = """
title = "toy"
[flux]
numu = "numu.dat"
[response]
energy_stochastic = 0.10
angle_constant = 0.02
threshold = 0.25
efficiency = 0.8
efficiency_turn_on = 0.3
efficiency_width = 0.1
seed = 5
draws = {draws}
[[samples]]
name = "signal"
role = "signal"
files = "signal.root"
response = true
pot = 1e20
[[samples]]
name = "background"
role = "background"
files = "background.root"
response = true
pot = 1e20
{more}
"""
ANALYSIS = """
samples = "samples.toml"
pot = 1e20
[[regions]]
name = "nd"
cut = "theta_reco < 0.3"
axes = [
    { observable = "t_reco", edges = [0.3, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2, 3.0] },
    { observable = "theta_reco", edges = [0.0, 0.05, 0.1, 0.2, 0.3] },
]
[fit]
zero_bins = "drop"
"""
KINDS = """
[[systematics]]
kind = "shift"
name = "scale"
column = "t_reco"
scale = 0.05
[[systematics]]
kind = "shift"
name = "smear"
column = "t_reco"
smear = 0.05
[[systematics]]
kind = "weight"
name = "slope"
weights = ["1 - 0.2 * t", "1 + 0.2 * t_reco"]
[[systematics]]
kind = "weight"
name = "side"
weights = ["1 + 0.5 * t"]
sigmas = [2.0]
[[systematics]]
kind = "universes"
name = "multisim"
samples = ["background"]
branches = ["1 + 0.1 * t", "1 - 0.2 * t"]
[[systematics]]
kind = "flux"
name = "flux"
samples = ["signal"]
"""


def write(folder, name, count, rng, pdg):
    e_nu = rng.uniform(1.0, 6.0, count)
    t = 0.2 + rng.random(count) * (0.9 * e_nu - 0.2)
    with uproot.recreate(folder / f"{name}.root") as file:
        file["events"] = {
            "pdg": np.full(count, pdg, np.int32),
            "e_nu": e_nu,
            "t": t,
            "theta": np.minimum(rng.exponential(0.06, count), 3.0),
            "weight": rng.uniform(0.1, 0.3, count) if pdg == 0 else np.full(count, 0.02),
        }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("draws"), np.random.default_rng(4)
    write(path, "signal", 800, rng, 14)
    write(path, "background", 500, rng, 0)
    (path / "numu.dat").write_text("".join(f"{e}.0 {e + 1}.0 1.0 0.1\n" for e in range(8)))
    return path


def analysed(folder, draws, text=KINDS, more="", analysis=ANALYSIS):
    (folder / "samples.toml").write_text(SAMPLES.format(draws=draws, more=more))
    path = folder / f"fit_{draws}.toml"
    path.write_text(analysis + text)
    return sf.load(path)


@pytest.fixture(scope="module")
def built(folder):
    analysis = analysed(folder, 7)
    return analysis, sf.build(analysis)


def rows_of(analysis, name):
    """Every draw of a sample as the reader has it: columns, and the cell (F for none) of a column of energies."""
    from spectrafit.events.read import read_columns, scan

    sample_set, sample = analysis.sample(name)
    (chunk,) = scan(sample_set, sample).chunks
    found, report = read_columns(chunk, sample_set, sample, extra=(ENTRY, DRAW))
    return found, report


def number(cells, t_reco, theta):
    region = cells.regions[0]
    places = [np.digitize(v, a.edges) for v, a in zip((t_reco, theta), region.axes, strict=True)]
    flat = np.ravel_multi_index(places, region.extents)
    return np.where(theta < 0.3, flat, cells.layout.size)


def by_event(cells, entries, *parts):
    """Sum changes over the draws of each event in each cell: (events, F + 1)."""
    _, event = np.unique(entries, return_inverse=True)
    result = np.zeros((event.max() + 1, cells.layout.size + 1))
    for where, change in parts:
        np.add.at(result, (event, where), change)
    return result[:, :-1]


def test_every_variance_is_a_sum_over_events(built):
    analysis, templates = built
    cells = templates.cells
    at = [s.name for s in cells.expected].index("background")
    sample, inner = cells.expected[at], cells.layout.inner
    found, report = rows_of(analysis, "background")
    w, t, t_reco, theta = (found[name] for name in ("weight", "t", "t_reco", "theta_reco"))
    entries, draw = found[ENTRY], found[DRAW]
    assert report.kept == np.unique(entries).size < report.entries
    here = number(cells, t_reco, theta)
    whole = by_event(cells, entries, (here, w))
    np.testing.assert_allclose(sample.sums[0], whole.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(squares_of(sample), (whole**2).sum(axis=0), rtol=1e-9)
    # For the fit, which takes bins as independent: the mean over the draws of what each alone gives.
    alone = 7 * np.bincount(here, w**2, cells.layout.size + 1)[:-1]
    np.testing.assert_allclose(sample.squares[0], alone, rtol=1e-12)
    np.testing.assert_array_equal(sample.entries, np.bincount(here[draw == 0], minlength=cells.layout.size + 1)[:-1])

    def half(change):
        return (by_event(cells, entries, *change) ** 2).sum(axis=0)[inner]

    up, down = number(cells, t_reco * 1.05, theta), number(cells, t_reco * 0.95, theta)
    expected = {
        "scale": half([(up, w / 2), (down, -w / 2)]),
        "slope": half([(here, 0.1 * w * (t_reco + t))]),
        "side": half([(here, 0.25 * w * t)]),
    }
    for name, wanted in expected.items():
        noise = noise_of_change(cells, effects(analysis)[name], at)
        np.testing.assert_allclose(noise.variance, wanted, rtol=1e-9, atol=1e-15)
    universes = [half([(here, w * f * t)]) for f in (0.1, -0.2)]
    np.testing.assert_allclose(sample.effects["multisim"].noise[0, 0, inner], np.mean(universes, axis=0), rtol=1e-9)


def test_flux_bins_count_events_too(built):
    analysis, templates = built
    cells = templates.cells
    found, _ = rows_of(analysis, "signal")
    here = number(cells, found["t_reco"], found["theta_reco"])
    mine = found["e_nu"].astype(int) == 3
    wanted = (by_event(cells, found[ENTRY], (here, np.where(mine, found["weight"], 0.0))) ** 2).sum(axis=0)
    sample = next(s for s in cells.expected if s.name == "signal")
    np.testing.assert_allclose(sample.effects["flux"].noise[3, 0], wanted, rtol=1e-9, atol=1e-18)


def test_merged_cells_are_those_of_a_fill_with_the_coarse_edges(built, folder):
    _, templates = built
    edges = {"nd": {"t_reco": [0.3, 0.7, 1.2, 3.0], "theta_reco": [0.0, 0.1, 0.3]}}
    merged = templates.cells.rebinned(edges)
    text = ANALYSIS.replace("[0.3, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2, 3.0]", "[0.3, 0.7, 1.2, 3.0]")
    text = text.replace("[0.0, 0.05, 0.1, 0.2, 0.3]", "[0.0, 0.1, 0.3]")
    direct = sf.build(analysed(folder, 7, analysis=text)).cells
    for one, other in zip(merged.samples, direct.samples, strict=True):
        np.testing.assert_array_equal(one.entries, other.entries)
        np.testing.assert_allclose(one.squares, other.squares, rtol=1e-12)
        assert OVERLAP in one.effects
        for key, found in one.effects.items():
            np.testing.assert_allclose(found.noise, other.effects[key].noise, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(found.half, other.effects[key].half, rtol=1e-9, atol=1e-12)


def test_the_first_draw_is_that_of_one_draw(built, folder):
    analysis, _ = built
    many, _ = rows_of(analysis, "background")
    one, _ = rows_of(analysed(folder, 1), "background")
    first = many[DRAW] == 0
    np.testing.assert_array_equal(many["t_reco"][first], one["t_reco"])
    np.testing.assert_array_equal(many["theta_reco"][first], one["theta_reco"])
    np.testing.assert_allclose(7 * many["weight"][first], one["weight"], rtol=1e-14)
    assert set(one[DRAW]) == {0}


def test_the_variance_of_a_yield_does_not_shrink_and_the_noise_of_migration_does(folder):
    total, moved = [], []
    for draws in (1, 20):
        analysis = analysed(folder, draws)
        cells = sf.build(analysis).cells
        at = [s.name for s in cells.expected].index("background")
        total.append(cells.expected[at].squares[0].sum())
        moved.append(noise_of_change(cells, effects(analysis)["scale"], at).variance.sum())
    assert total[1] == pytest.approx(total[0], rel=0.05)
    # The mean change of an event is no noise of migration; what the draws scatter about it shrinks.
    assert moved[1] < 0.4 * moved[0]


def test_saved_cells_and_other_executors_have_the_same_bits(built, folder, tmp_path, monkeypatch):
    from spectrafit.templates import plan

    analysis, templates = built
    templates.save(tmp_path / "draws.npz")
    again = sf.Templates.load(tmp_path / "draws.npz")
    monkeypatch.setattr(plan, "_ENTRIES", 7 * 100)
    serial, threads = (sf.build(analysis, executor=executor, workers=2) for executor in ("serial", "threads"))
    assert serial.provenance["chunks"] > 2
    for one, other, exact in ((templates, again, True), (serial, threads, True), (templates, serial, False)):
        for a, b in zip(one.cells.samples, other.cells.samples, strict=True):
            noise = [(found.noise, b.effects[key].noise) for key, found in a.effects.items()]
            for x, y in [(a.sums, b.sums), (a.squares, b.squares), *noise]:
                if exact:
                    np.testing.assert_array_equal(x, y)
                else:
                    np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def test_blocks_keep_events_whole():
    entries = np.repeat(np.arange(50), np.random.default_rng(1).integers(1, 8, 50))
    for most in (3, 10, 64, 1000):
        blocks = whole_events(entries, most)
        np.testing.assert_array_equal(np.concatenate([entries[block] for block in blocks]), entries)
        ends = [entries[block][[0, -1]] for block in blocks]
        assert all(a[1] < b[0] for a, b in itertools.pairwise(ends))
    assert whole_events(np.zeros(0, np.int64), 10) == [slice(0, 0)]
