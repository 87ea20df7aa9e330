"""Merged cells against a fill with the coarser edges, and the noise of every shift against its definition."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from spectrafit.config import left_out
from spectrafit.errors import ConfigError, DataError
from spectrafit.templates import archive
from spectrafit.templates.build import build, fill_cells
from spectrafit.templates.configuration import differing_key
from spectrafit.templates.serving import difference, served
from spectrafit.templates.templates import Templates, vary
from tests.templates.test_systematics import EXPOSURE, coupling_of

T_EDGES = [0.3, 0.5, 0.7, 1.0, 1.4, 1.9, 2.5, 3.0]
X_EDGES = [0.0, 0.0003, 0.0007, 0.0015, 0.003]
SIDE_EDGES = [0.3, 1.0, 1.7, 4.0]

REGIONS = """
[[regions]]
name = "nd"
samples = ["numu", "nue", "background", "observed", "known"]
axes = [{{ observable = "t_reco", edges = {t} }}, {{ observable = "t_theta2_reco", edges = {x} }}]
cut = "score > 0.2"
[[regions]]
name = "side"
samples = ["numu", "nue", "background", "observed"]
axes = [{{ observable = "t_reco", edges = {side} }}]
cut = "score <= 0.2"
"""
SYSTEMATICS = """
[[systematics]]
kind = "weight"
name = "ratio"
weights = ["w_down", "w_up"]
[[systematics]]
kind = "weight"
name = "absolute"
weights = ["2 * absolute_up"]
sigmas = [1.0]
ratio = false
[[systematics]]
kind = "weight"
name = "knob"
array = "knobs"
sigmas = [-2, -1, 1, 2]
[[systematics]]
kind = "shift"
name = "scale"
scale = 0.03
[[systematics]]
kind = "shift"
name = "score"
column = "score"
offset = 0.05
[[systematics]]
kind = "shift"
name = "smear"
smear = 0.1
[[systematics]]
kind = "sample"
name = "calib"
up = { numu = "numu_up" }
[[systematics]]
kind = "universes"
name = "multisim"
branch = "universes"
variance = 1.0
[[systematics]]
kind = "flux"
name = "flux"
correlation = 0.6
flavours = 0.3
variance = 1.0
"""


def analysis(ntuples, t=T_EDGES, x=X_EDGES, side=SIDE_EDGES, text=SYSTEMATICS, counts=None, overrides=()):
    counts = np.ones((len(t) - 1) * (len(x) - 1)) if counts is None else counts
    known = f'\n[[counts]]\nname = "known"\ncounts = {{ nd = {list(map(float, counts))} }}\n'
    regions = REGIONS.format(t=list(map(float, t)), x=list(map(float, x)), side=list(map(float, side)))
    return ntuples.analysis(text + known, regions=regions, overrides=overrides)


@pytest.fixture(scope="module")
def fine(ntuples):
    return fill_cells(analysis(ntuples))


def close(found, expected, rtol=1e-12):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max(initial=0.0))


def chosen(draw, edges):
    kept = sorted(draw(st.sets(st.sampled_from(range(len(edges))), min_size=2)))
    return [edges[i] for i in kept]


def covariance(templates, name, kappa=0.7):
    """What the parameters of a systematic carry, and what is left over: the covariance of the sum at kappa."""
    at_kappa = np.array([1.0, kappa])
    total = np.zeros((templates.n_bins, templates.n_bins))
    for v, variation in enumerate(templates.variations):
        if variation.parameter.partition("[")[0] == name and variation.sigma > 0:
            move = at_kappa @ (templates.counts[:, v] - templates.counts[:, 0]).sum(axis=0)
            total += np.outer(move, move)
    return total


@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an example is a whole build: none is made smaller
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_merged_cells_are_a_fill_with_these_edges(ntuples, fine, data):
    t, x, side = (chosen(data.draw, edges) for edges in (T_EDGES, X_EDGES, SIDE_EDGES))
    # Counts are given per bin: the coarse ones are the sums of the fine ones that are left.
    inside = [np.flatnonzero(np.isin(e, k)) for e, k in ((T_EDGES, t), (X_EDGES, x))]
    ones = np.ones((len(T_EDGES) - 1, len(X_EDGES) - 1))[inside[0][0] : inside[0][-1], inside[1][0] : inside[1][-1]]
    merged = np.add.reduceat(ones, inside[0][:-1] - inside[0][0], axis=0)
    merged = np.add.reduceat(merged, inside[1][:-1] - inside[1][0], axis=1)
    direct = fill_cells(analysis(ntuples, t, x, side, counts=merged.ravel()))
    found = fine.rebinned({"nd": {"t_reco": t, "t_theta2_reco": x}, "side": [side]})
    assert all(a.same(b) for a, b in zip(found.regions, direct.regions, strict=True))
    assert [s.name for s in found.samples] == [s.name for s in direct.samples]
    for a, b in zip(found.samples, direct.samples, strict=True):
        np.testing.assert_array_equal(a.entries[found.layout.inner], b.entries[found.layout.inner])
        if not a.tabulated:
            np.testing.assert_array_equal(a.entries, b.entries)
            close(a.sums, b.sums)
            close(a.squares, b.squares)
        close(a.sums[:, found.layout.inner], b.sums[:, found.layout.inner])
        assert set(a.effects) == set(b.effects)
        for key in a.effects:
            if key != "multisim":
                close(a.effects[key].sums, b.effects[key].sums)
            close(a.effects[key].noise, b.effects[key].noise)
            close(a.effects[key].half, b.effects[key].half)
    one, two = vary(found), vary(direct)
    close(one.data, two.data)
    # Counts have no flow of their own; those of bins that are dropped become flow.
    close(one.flow[:3], two.flow[:3], rtol=1e-11)
    for name in ("ratio", "absolute", "knob", "scale", "score", "smear", "calib"):
        rows = [[v for v, one in enumerate(made.variations) if one.parameter == name] for made in (one, two)]
        close(one.counts[:, rows[0]], two.counts[:, rows[1]], rtol=1e-11)
    for name in ("multisim", "flux"):
        close(covariance(one, name), covariance(two, name), rtol=1e-9)


def moved_noise(columns, name, before, after, factor=1.0):
    """By definition: the sum over events of the squared change of what each adds to a bin, where kappa is 0."""
    w, changes = coupling_of(columns, name)[0] * columns["weight"] * EXPOSURE[name] * factor, before != after
    result = np.zeros(before.max() + 2)
    for cells in (before, after):
        np.add.at(result, cells[changes], w[changes] ** 2)
    return result


def bins_of(columns, t_reco, score=None):
    """The bin of each event of region nd; the last one, 28, stands for none."""
    x = t_reco * columns["theta_reco"] ** 2
    i, j = np.digitize(t_reco, T_EDGES) - 1, np.digitize(x, X_EDGES) - 1
    inside = (i >= 0) & (i < 7) & (j >= 0) & (j < 4) & ((columns["score"] if score is None else score) > 0.2)
    return np.where(inside, 4 * i + j, 28)


def test_the_noise_of_a_shift_is_that_of_the_events_that_move(ntuples, fine):
    inner = fine.layout.inner[:28]
    for sample in fine.expected:
        if sample.tabulated:
            continue
        columns = ntuples.columns[sample.name]
        t = columns["t_reco"]
        middle, down, up = (bins_of(columns, t * (1 + s * 0.03)) for s in (0, -1, 1))
        found = sample.effects["scale"]
        for noise, before, after, factor in (
            (found.noise[0], middle, down, 1.0),
            (found.noise[1], middle, up, 1.0),
            (found.half[0], down, up, 0.5),
        ):
            expected = moved_noise(columns, sample.name, before, after, factor)
            assert noise.shape[0] == 1
            close(noise[0, inner], expected[:28])
        moved = [bins_of(columns, t, columns["score"] + s * 0.05) for s in (-1, 1)]
        expected = moved_noise(columns, sample.name, *moved, 0.5)
        close(sample.effects["score"].half[0, 0, inner], expected[:28])


def test_the_noise_of_weights_universes_and_flux_bins(ntuples, fine):
    inner = fine.layout.inner[:28]
    for sample in fine.expected:
        if sample.tabulated:
            continue
        columns = ntuples.columns[sample.name]
        place = bins_of(columns, columns["t_reco"])
        w = coupling_of(columns, sample.name)[0] * EXPOSURE[sample.name]

        def variance(changes, place=place, w=w):
            return np.bincount(place, (w * changes) ** 2, 29)[:28]

        weight, effects = columns["weight"], sample.effects
        up, down = (columns[name].astype(float) for name in ("w_up", "w_down"))
        close(effects["ratio"].noise[0][0, inner], variance(weight * (down - 1)))
        close(effects["ratio"].noise[1][0, inner], variance(weight * (up - 1)))
        close(effects["ratio"].half[0][0, inner], variance(weight * (up - down) / 2))
        close(effects["absolute"].noise[0][0, inner], variance(2 * columns["absolute_up"] - weight))
        assert effects["absolute"].half.shape[0] == 0
        knobs = columns["knobs"].astype(float)
        close(effects["knob"].noise[3][0, inner], variance(weight * (knobs[:, 3] - 1)))
        close(effects["knob"].half[0][0, inner], variance(weight * (knobs[:, 2] - knobs[:, 1]) / 2))
        universes = np.mean([variance(weight * (u - 1)) for u in columns["universes"].T.astype(float)], axis=0)
        close(effects["multisim"].noise[0][0, inner], universes, rtol=1e-5)
        # All flux bins together hold every event once.
        close(effects["flux"].noise.sum(axis=0)[0, inner], variance(weight))


def test_universes_are_rows_about_the_nominal(ntuples, fine):
    inner = fine.layout.inner[:28]
    for sample in fine.expected[:3]:
        columns = ntuples.columns[sample.name]
        place = bins_of(columns, columns["t_reco"])
        w = coupling_of(columns, sample.name)[0] * columns["weight"] * EXPOSURE[sample.name]
        for row, universe in zip(sample.effects["multisim"].sums, columns["universes"].T.astype(float), strict=True):
            expected = np.bincount(place, w * (universe - 1), 29)[:28] / np.sqrt(20)
            close(row[0, inner], expected, rtol=1e-10)


def test_a_covariance_merges_as_one_of_events(ntuples):
    rows = np.random.default_rng(5).normal(0, 0.05, (3, 28))
    total = fill_cells(analysis(ntuples)).nominal[:3, 0].sum(axis=0)[:28]
    matrix = (rows * total).T @ (rows * total)
    merge = np.add.reduceat(np.eye(28).reshape(7, 4, 28), [0, 2, 5], axis=0)
    merge = np.add.reduceat(merge, [0, 1], axis=1).reshape(6, 28)
    keys = 'kind = "covariance"\nname = "det"\nregions = ["nd"]\nvariance = 1.0\nfractional = false'
    np.save(ntuples.folder / "fine.npy", matrix)
    np.save(ntuples.folder / "coarse.npy", merge @ matrix @ merge.T)
    text = '[[systematics]]\n{}\nfile = "{}.npy"\n'
    t, x = [0.3, 0.7, 1.9, 3.0], [0.0, 0.0003, 0.003]
    edges = {"nd": [t, x]}
    found = build(analysis(ntuples, text=text.format(keys, "fine"))).rebinned(edges)
    direct = build(analysis(ntuples, t, x, text=text.format(keys, "coarse"), counts=np.ones(6)))
    close(covariance(found, "det", 0.0), covariance(direct, "det", 0.0), rtol=1e-9)
    # At another kappa the fraction of each fine bin counts, which the coarse matrix no longer knows.
    at_kappa = np.array([1.0, 5.0]) @ fill_cells(analysis(ntuples)).nominal[:3].sum(axis=0)[:, :28]
    moves = (rows * at_kappa) @ merge.T
    close(covariance(found, "det", 5.0)[:6, :6], moves.T @ moves, rtol=1e-9)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (
            {"nd": {"t_reco": [0.3, 0.6, 3.0]}},
            r"axis 't_reco': 0\.6 is no edge of the present bins; choose among",
        ),
        ({"nd": {"t_rec": [0.3, 3.0]}}, "no axis 't_rec' to rebin; did you mean 't_reco'"),
        ({"ndd": {}}, "no region 'ndd' to rebin; did you mean 'nd'"),
        ({"nd": [[0.3, 3.0]]}, "edges for 1 axes, but it has 2"),
        ({"side": [[0.3]]}, "two or more increasing edges"),
        ({"side": [[1.7, 0.3]]}, "two or more increasing edges"),
    ],
)
def test_edges_that_cannot_be_merged_are_named(fine, edges, message):
    with pytest.raises(ConfigError, match=message):
        fine.rebinned(edges)


def test_edges_that_are_all_there_change_nothing(fine):
    same = fine.rebinned({"nd": [None, X_EDGES]})
    assert same.digest == fine.digest
    assert fine.rebinned({"nd": [T_EDGES[1:], None]}).digest != fine.digest
    np.testing.assert_array_equal(same.nominal, fine.nominal)


def test_saved_and_read_again_is_the_same(ntuples, fine, tmp_path):
    path = archive.save(tmp_path / "deep" / "c.npz", fine)
    assert [p.name for p in path.parent.iterdir()] == ["c.npz"]
    for again in (archive.load(path), archive.load(path, fine.analysis)):
        assert (again.digest, str(again), repr(again)) == (fine.digest, str(fine), repr(fine))
        one, two = vary(fine), vary(again)
        assert one.variations == two.variations
        for name in ("counts", "squares", "entries", "residual", "flow", "data"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        for a, b in zip(fine.samples, again.samples, strict=True):
            for key, found in a.effects.items():
                np.testing.assert_array_equal(found.noise, b.effects[key].noise)
                np.testing.assert_array_equal(found.half, b.effects[key].half)
    # Merged, saved and read is merged.
    merged = fine.rebinned({"nd": {"t_reco": [0.3, 1.0, 3.0]}})
    again = archive.load(archive.save(tmp_path / "m.npz", merged))
    assert again.digest == merged.digest
    np.testing.assert_array_equal(vary(again).counts, vary(merged).counts)


def test_saved_cells_serve_what_acts_on_them_afterwards(ntuples, fine, tmp_path):
    path = archive.save(tmp_path / "c.npz", fine)
    overrides = (
        "systematics.0.shape=shape",
        "systematics.3.smooth=true",
        'systematics.3.regions=["nd"]',
        "systematics.4.powers=sm",
        "systematics.7.variance=0.9",
        "systematics.8.correlation=0.2",
        "prune.norm=0.001",
    )
    t = [0.5, 1.0, 3.0]
    wanted = analysis(ntuples, t=t, overrides=overrides, counts=np.arange(8))
    found, direct = Templates.load(path, analysis=wanted), build(wanted)
    assert found.variations == direct.variations
    assert found.digest == direct.digest
    assert found.pruned[0]["parameter"] == direct.pruned[0]["parameter"]
    close(found.counts[:, 0], direct.counts[:, 0])
    for name in ("ratio", "scale", "score", "calib"):
        rows = [v for v, one in enumerate(found.variations) if one.parameter == name]
        close(found.counts[:, rows], direct.counts[:, rows], rtol=1e-10)
    close(covariance(found, "flux"), covariance(direct, "flux"), rtol=1e-9)
    # A systematic may be left out; a shifted ntuple set would become a sample of the expectation.
    parts = SYSTEMATICS.split("[[systematics]]")
    fewer = [part for part in parts if '"ratio"' not in part and '"flux"' not in part]
    less = Templates.load(path, analysis=analysis(ntuples, text="[[systematics]]".join(fewer)))
    assert set(fine.samples[0].effects) - {"ratio", "flux"} == {
        v.parameter.partition("[")[0] for v in less.variations[1:]
    } - {"calib"}
    without = "[[systematics]]".join(part for part in parts if '"calib"' not in part)
    with pytest.raises(ConfigError, match="another analysis"):
        Templates.load(path, analysis=analysis(ntuples, text=without))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("systematics.3.scale=0.02",), r"\$\.systematics\.scale\.scale is 0\.02 in the analysis, 0\.03"),
        (("systematics.8.samples=['numu']",), r"\$\.systematics\.flux\.samples"),
        (("regions.1.cut=score <= 0.1",), r"\$\.regions\[1\]\.cut"),
        (("regions.1.axes.0.edges=[0.3, 1.1, 4.0]",), r"\$\.regions\[1\]\.axes\[0\]\.edges"),
        (("sm_xsec=bks",), r"\$\.sm_xsec"),
        (("coupling=charge_radius",), r"\$\.couplings\[0\]\.coupling\.name"),
    ],
)
def test_cells_of_another_analysis_are_refused(ntuples, fine, tmp_path, overrides, message):
    path = archive.save(tmp_path / "c.npz", fine)
    with pytest.raises(ConfigError, match=f"made with another analysis: {message}.*build the templates again"):
        archive.load(path, analysis(ntuples, overrides=overrides))


def same(found, direct):
    """Whether templates are those of a fresh fill."""
    assert found.variations == direct.variations
    assert found.digest == direct.digest
    for name in ("counts", "squares", "flow", "data"):
        close(getattr(found, name), getattr(direct, name), rtol=1e-9)
    # With every direction kept, rounding is all that is left over.
    np.testing.assert_allclose(found.residual, direct.residual, rtol=1e-9, atol=1e-9 * direct.squares.max())
    np.testing.assert_array_equal(found.entries, direct.entries)
    for a, b in zip(found.cells.samples, direct.cells.samples, strict=True):
        # What was filled for a systematic that is left out is left alone.
        for key, effect in b.effects.items():
            close(a.effects[key].noise, effect.noise, rtol=1e-9)


def test_cells_serve_another_exposure_as_a_fill_for_it(ntuples, fine):
    wanted = analysis(ntuples, overrides=("pot=3.3e20",))
    found, direct = vary(served(fine, wanted)), build(wanted)
    same(found, direct)
    assert [i["scale"] for i in found.inventories] == pytest.approx([i["scale"] for i in direct.inventories])


def test_systematics_left_out_need_no_fill(ntuples, fine):
    # The shifted ntuple set goes with its systematic, and is no sample of the expectation.
    wanted = left_out(analysis(ntuples), ("calib", "scale", "flux"), "--without")
    assert difference(fine, wanted) == ""
    same(vary(served(fine, wanted)), build(wanted))
    assert difference(fine, analysis(ntuples, overrides=("systematics.scale.scale=0.02",))).startswith("$.systematics")


def test_damaged_and_other_files_are_refused(fine, tmp_path):
    path = archive.save(tmp_path / "t.npz", fine)
    whole = path.read_bytes()
    with pytest.raises(DataError, match="no such file"):
        archive.load(tmp_path / "none.npz")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        archive.load(path)
    flipped = bytearray(whole)
    flipped[whole.index(b"0.sums.npy") + 300] ^= 1
    path.write_bytes(bytes(flipped))
    with pytest.raises(DataError, match="damaged"):
        archive.load(path)
    with path.open("wb") as stream:
        np.savez(stream, x=np.arange(3))
    with pytest.raises(DataError, match="not a templates file"):
        archive.load(path)
    with path.open("wb") as stream:
        np.savez(stream, header=np.frombuffer(b'{"format": 2}', np.uint8))
    with pytest.raises(DataError, match="another version of spectrafit; build it again"):
        archive.load(path)


def test_a_file_is_written_whole_or_not_at_all(fine, tmp_path, monkeypatch):
    path = archive.save(tmp_path / "t.npz", fine)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DataError, match="No space left"):
        archive.save(path, fine)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ConfigError, match=r"t\.npz"):
        archive.save(tmp_path / "t.root", fine)


def test_the_differing_key_is_named():
    made_with = {"regions": [{"axes": [{"edges": (1.0, 2.0)}]}], "pot": 1e20}
    assert differing_key(made_with, {"regions": [{"axes": [{"edges": [1.0, 2.0]}]}], "pot": 1e20}) == ""
    key = differing_key(made_with, {"regions": [{"axes": [{"edges": [1.0, 3.0]}]}], "pot": 1e20})
    assert key.startswith("$.regions[0].axes[0].edges[1] is 3.0 in the analysis, 2.0")
    assert "$.cut" in differing_key(made_with, {**made_with, "cut": "x"})


def test_parts_add_up_and_unlike_ones_are_refused(ntuples, fine):
    alone = fine.without_tables()
    twice = alone + alone
    for a, b in zip(twice.samples, alone.samples, strict=True):
        np.testing.assert_array_equal(a.sums, 2 * b.sums)
        for key, found in a.effects.items():
            np.testing.assert_array_equal(found.noise, 2 * b.effects[key].noise)
    with pytest.raises(ConfigError, match="from files cannot be added"):
        _ = fine + fine
    with pytest.raises(ConfigError, match="different analyses or edges"):
        _ = alone + alone.rebinned({"side": [[0.3, 4.0]]})
    with pytest.raises(ConfigError, match="different analyses or edges"):
        _ = alone + dataclasses.replace(alone, samples=alone.samples[:1])
    whole = alone.samples[0].effects["multisim"]
    fewer = dataclasses.replace(whole, sums=whole.sums[:5])
    sample = dataclasses.replace(alone.samples[0], effects={**alone.samples[0].effects, "multisim": fewer})
    reduced = dataclasses.replace(alone, samples=(sample, *alone.samples[1:]))
    with pytest.raises(ConfigError, match="were reduced"):
        _ = alone + reduced


def test_it_prints_a_few_lines(fine):
    assert len(repr(fine).splitlines()) == 2 + len(fine.samples)
    assert "numu_up for numu" in repr(fine)
    assert "<table>" in fine._repr_html_()


def test_arrays_are_read_only_and_shapes_checked(fine):
    with pytest.raises(ValueError, match="read-only"):
        fine.samples[0].sums[0] = 0
    with pytest.raises(ValueError, match="cells, the regions have"):
        dataclasses.replace(fine, regions=fine.regions[:1])
