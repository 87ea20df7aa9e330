import dataclasses
import json
import re

import boost_histogram as bh
import numpy as np
import pytest
import uproot

import spectrafit as sf
from spectrafit import cli
from spectrafit.errors import BadFile, ConfigError, DataError
from spectrafit.inference.assemble import assemble
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.physics.weighing import weigh
from spectrafit.templates.build import build
from spectrafit.templates.templates import Templates, vary

EXPOSURE = {"numu": 2.0, "nue": 1.0, "background": 2.0}


def filled(columns, region, weight, t_reco=None):
    """One template by boost-histogram, from the columns in memory: the independent way."""
    t_reco = columns["t_reco"] if t_reco is None else t_reco
    above = columns["score"] > 0.2
    if region == "nd":
        axes = (bh.axis.Regular(6, 0.3, 3.0), bh.axis.Variable([0.0, 0.0003, 0.0007, 0.0015, 0.003]))
        values, keep = (t_reco, t_reco * columns["theta_reco"] ** 2), above
    else:
        axes, values, keep = (bh.axis.Variable([0.3, 1.0, 1.7, 4.0]),), (t_reco,), ~above
    histogram = bh.Histogram(*axes, storage=bh.storage.Weight())
    return histogram.fill(*(v[keep] for v in values), weight=weight[keep])


def coefficients(columns, name, coupling="magnetic_moment"):
    powers = COUPLINGS[coupling].powers
    if name == "background":
        return np.concatenate([np.ones((1, len(columns["t"]))), np.zeros((powers, len(columns["t"])))])
    return weigh(COUPLINGS[coupling], columns["pdg"], columns["e_nu"], columns["t"], sin2_theta_w_generated=0.23863)


@pytest.fixture(scope="module")
def templates(ntuples):
    return build(ntuples.analysis())


@pytest.mark.parametrize("coupling", ["magnetic_moment", "charge_radius"])
def test_templates_are_boost_histograms_fill(ntuples, coupling):
    templates = build(ntuples.analysis(overrides=(f"coupling={coupling}",)))
    assert templates.samples == ("numu", "nue", "background")
    assert templates.roles == ("signal", "signal", "background")
    for name, scale in EXPOSURE.items():
        columns = ntuples.columns[name]
        powers = coefficients(columns, name, coupling) * columns["weight"] * scale
        for region in ("nd", "side"):
            for power, weight in enumerate(powers):
                expected = filled(columns, region, weight)
                found = templates.histogram(name, region, power)
                np.testing.assert_allclose(found.values(), expected.values(), rtol=1e-11, atol=1e-13)
                if power in (0, len(powers) - 1):
                    np.testing.assert_allclose(found.variances(), expected.variances(), rtol=1e-11, atol=1e-13)
                flow = templates.flow[templates.sample(name), power, ["nd", "side"].index(region)]
                assert flow == pytest.approx(expected.sum(flow=True).value - expected.sum().value, rel=1e-9, abs=1e-12)


def test_mc_variance_follows_kappa(ntuples, templates):
    for kappa in (0.0, 0.5, 40.0):
        expected = np.zeros(templates.n_bins)
        for name, scale in EXPOSURE.items():
            columns = ntuples.columns[name]
            one, two = coefficients(columns, name) * columns["weight"] * scale
            expected += np.concatenate(
                [filled(columns, r, one + kappa * two).variances().ravel() for r in ("nd", "side")]
            )
        np.testing.assert_allclose(templates.variance(kappa), expected, rtol=1e-10)


def test_only_carriers_have_the_coupling(templates):
    assert templates.counts[templates.sample("numu"), 0, 1].sum() > 0
    assert templates.counts[templates.sample("nue"), 0, 1].sum() == 0
    assert templates.counts[templates.sample("background"), 0, 1].sum() == 0


def test_data_are_filled_and_not_scaled(ntuples, templates):
    columns = ntuples.columns["observed"]
    expected = [filled(columns, region, columns["weight"]).values().ravel() for region in ("nd", "side")]
    np.testing.assert_allclose(templates.data, np.concatenate(expected))
    assert "observed" not in templates.samples


def test_entries_and_inventories(ntuples, templates):
    for name in EXPOSURE:
        columns = ntuples.columns[name]
        raw = [filled(columns, r, np.ones(len(columns["t"]))).values().ravel() for r in ("nd", "side")]
        np.testing.assert_array_equal(templates.entries[templates.sample(name)], np.concatenate(raw))
    numu = next(i for i in templates.inventories if i["sample"] == "numu")
    assert numu["entries"] == 30_000
    assert numu["scale"] == 2.0
    assert len(numu["files"]) == 2
    assert numu["dropped"]["kept"] == 30_000
    json.dumps(templates.inventories)


def test_an_axis_alone_is_the_projection(ntuples, templates):
    alone = """
[[regions]]
name = "nd"
samples = ["numu", "nue", "background"]
axes = [{ observable = "t_reco", bins = 6, range = [0.3, 3.0] }]
cut = "score > 0.2 && t_theta2_reco >= 0 && t_theta2_reco < 0.003"
"""
    one = build(ntuples.analysis(regions=alone))
    projected = templates.projection("nd", "t_reco")
    np.testing.assert_allclose(one.counts, projected.counts, rtol=1e-12)
    np.testing.assert_allclose(one.squares, projected.squares, rtol=1e-12)


def test_a_build_with_everything_survives_the_disk(ntuples, tmp_path):
    analysis = ntuples.analysis('[[systematics]]\nkind = "shift"\nname = "scale"\nscale = 0.01\n')
    made = build(analysis)
    path = made.save(tmp_path / "templates.npz")
    again = Templates.load(path, analysis=analysis)
    for f in dataclasses.fields(made):
        a, b = getattr(made, f.name), getattr(again, f.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
    assert again.digest == made.digest
    assert again.variations == made.variations
    assert str(again) == str(made)
    # What acts after the fill does not matter, what acts before does.
    late = ntuples.analysis(
        '[[systematics]]\nkind = "shift"\nname = "scale"\nscale = 0.01\n'
        '[[systematics]]\nkind = "norm"\nname = "n"\nsigma = 0.1\n',
        overrides=("fit.terms=shape", "limit.level=0.95"),
    )
    assert Templates.load(path, analysis=late).digest == made.digest
    with pytest.raises(ConfigError, match=r"\$\.systematics\.scale\.scale is 0\.02 in the analysis, 0\.01"):
        Templates.load(
            path, analysis=ntuples.analysis('[[systematics]]\nkind = "shift"\nname = "scale"\nscale = 0.02\n')
        )
    # Two parts of one parameter are told apart.
    parts = (
        '[[systematics]]\nkind = "weight"\nname = "w"\nweights = ["1", "{}"]\nsamples = ["numu"]\n'
        '[[systematics]]\nkind = "weight"\nname = "w"\nweights = ["1", "{}"]\nsamples = ["nue"]\n'
    )
    build(ntuples.analysis(parts.format("1.1", "1.2"))).save(tmp_path / "parts.npz")
    with pytest.raises(ConfigError, match=r"\$\.systematics\.w \(2\)\.weights\[1\] is \"1\.3\" in the analysis"):
        Templates.load(tmp_path / "parts.npz", analysis=ntuples.analysis(parts.format("1.1", "1.3")))
    # The exposure scales what was filled.
    more = ntuples.analysis(head='samples = "samples.toml"\npot = 3e20\n')
    plain = ntuples.analysis()
    once, thrice = Templates.load(path, analysis=plain), Templates.load(path, analysis=more)
    np.testing.assert_allclose(thrice.counts, once.counts * (3e20 / plain.pot), rtol=1e-12)


def test_the_digest_is_of_content_not_of_place(ntuples, templates, tmp_path):
    assert build(ntuples.analysis()).digest == templates.digest
    moved = ntuples.moved(tmp_path / "elsewhere")
    assert build(moved.analysis()).digest == templates.digest
    moved.rewrite("nue", seed=99)
    assert build(moved.analysis()).digest != templates.digest
    assert build(ntuples.analysis(overrides=("regions.1.cut=score < 0.1",))).digest != templates.digest


def test_two_parts_add_up(templates):
    twice = vary(templates.cells + templates.cells)
    np.testing.assert_array_equal(twice.counts, 2 * templates.counts)
    np.testing.assert_array_equal(twice.squares, 2 * templates.squares)


def test_regions_that_share_events_are_refused(ntuples):
    with pytest.raises(ConfigError, match="'nd' and 'side' share events"):
        build(ntuples.analysis(overrides=("regions.1.cut=score < 0.3",)))


@pytest.mark.parametrize(
    ("overrides", "kind", "message"),
    [
        (("regions.0.cut=scoer > 0.2",), ConfigError, "no column or branch 'scoer'.*did you mean 'score'"),
        (("regions.0.cut=score > ",), ConfigError, "score > "),
        (("regions.0.cut=knobs > 0.2",), ConfigError, "more than one value per event"),
        (("regions.0.axes.0.observable=t_rec",), ConfigError, "did you mean 't_reco'"),
        (
            ("coupling.name=magnetic_moment", "coupling.carriers=['numu']", "coupling.fixed.numu=1e-9"),
            ConfigError,
            "fixed",
        ),
    ],
)
def test_mistakes_are_named(ntuples, overrides, kind, message):
    with pytest.raises(kind, match=message):
        build(ntuples.analysis(overrides=overrides))


def test_a_missing_exposure_is_refused(ntuples, tmp_path):
    moved = ntuples.moved(tmp_path / "here")
    moved.edit_samples("pot = 1e20", "", count=1)
    with pytest.raises(ConfigError, match="'numu': its exposure is not known"):
        build(moved.analysis())


def test_a_skipped_file_is_listed_and_its_exposure_left_out(ntuples, tmp_path):
    moved = ntuples.moved(tmp_path / "here")
    (moved.folder / "numu_1.root").write_bytes((moved.folder / "numu_1.root").read_bytes()[:5000])
    with pytest.raises(DataError, match=r"numu_1\.root"):
        build(moved.analysis())
    # One number for all files cannot be shared out among them; the reader decides what it can do.
    moved.edit_samples('files = "numu_[01].root"\npot = 1e20', 'files = "numu_[01].root"\npot = { histogram = "POT" }')
    moved.add_pot("numu_0.root", 5e19)
    templates = build(moved.analysis(), skip_bad_files=True)
    numu = next(i for i in templates.inventories if i["sample"] == "numu")
    assert numu["pot"] == 5e19
    assert [file.endswith("numu_1.root") for file, _ in numu["skipped"]] == [True]


def damage(path, tree, branch, basket):
    """Overwrite half of one basket."""
    with uproot.open(path) as file:
        seek, size = (file[tree][branch].member(f"fBasket{what}")[basket] for what in ("Seek", "Bytes"))
    content = bytearray(path.read_bytes())
    content[seek + size // 2 : seek + size] = b"\xa5" * (size - size // 2)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("executor", "damaged"), [("serial", "numu_1"), ("processes", "numu_1"), ("threads", "friend_1")]
)
def test_damage_in_the_middle_of_a_file_costs_that_file(ntuples, tmp_path, executor, damaged):
    moved = ntuples.moved(tmp_path / "here")
    friends = 'pot = { histogram = "POT" }\nfriends = [{ files = "friend_[01].root" }]'
    moved.edit_samples('"numu_[01].root"\npot = 1e20', f'"numu_[01].root"\n{friends}')
    for k in (0, 1):
        moved.add_pot(f"numu_{k}.root", 5e19)
        with uproot.recreate(moved.folder / f"friend_{k}.root") as file:
            file.mktree("weights", {"extra": np.float64})
            for _ in range(3):
                file["weights"].extend({"extra": np.linspace(0.9, 1.1, 5_000)})
    tree, branch = ("events", "t") if damaged == "numu_1" else ("weights", "extra")
    damage(moved.folder / f"{damaged}.root", tree, branch, 1)
    said = '[[systematics]]\nkind = "weight"\nname = "w"\nweights = ["extra"]\nsigmas = [1.0]\nsamples = ["numu"]\n'
    options = {"executor": executor, "workers": 2}
    with pytest.raises(BadFile, match=rf"{damaged}\.root: entries 0 to \d+: is truncated or damaged"):
        build(moved.analysis(said), **options)
    found = build(moved.analysis(said), **options, skip_bad_files=True)
    (numu,) = [i for i in found.inventories if i["sample"] == "numu"]
    assert numu["pot"] == 5e19
    ((file, reason),) = numu["skipped"]
    assert file.endswith("numu_1.root")
    assert "is truncated or damaged" in reason
    assert ("friend_1.root" in reason) == (damaged == "friend_1")
    # As if the file had never been named.
    moved.edit_samples("numu_[01].root", "numu_0.root")
    moved.edit_samples("friend_[01].root", "friend_0.root")
    np.testing.assert_array_equal(found.counts, build(moved.analysis(said)).counts)


def test_yields_stay_as_they_were_without_a_bad_file(ntuples, tmp_path):
    moved = ntuples.moved(tmp_path / "here")
    base = build(moved.analysis())
    (moved.folder / "numu_1.root").write_bytes((moved.folder / "numu_1.root").read_bytes()[:-5000])
    found = build(moved.analysis(), skip_bad_files=True)
    (numu,) = [i for i in found.inventories if i["sample"] == "numu"]
    assert (numu["pot"], numu["scale"]) == (5e19, 4.0)  # 1e20 for two like files
    ((file, why),) = numu["skipped"]
    assert file.endswith("numu_1.root")
    assert re.fullmatch(r"is truncated or damaged \(\d+ bytes are left of \d+\)", why)
    before, after = (t.counts[0, 0].sum(axis=-1) for t in (base, found))
    spread = np.sqrt([base.squares[0, 0].sum(), base.squares[0, 2].sum()])
    # Half of the same events: what differs is the other half.
    assert np.all(np.abs(after - before) < 4 * spread)
    np.testing.assert_array_equal(found.counts[1:], base.counts[1:])
    np.testing.assert_array_equal(found.data, base.data)


@pytest.mark.parametrize("how", ["gone", "short", "inside"])
def test_data_are_never_left_out(ntuples, tmp_path, how):
    moved = ntuples.moved(tmp_path / "here")
    moved.edit_samples('files = "observed.root"', 'files = ["observed.root", "more.root"]')
    more = moved.folder / "more.root"
    if how != "gone":
        # With a UUID of its own: as a plain copy it would be refused before.
        with uproot.open(moved.folder / "observed.root") as file:
            uuid = file.file.uuid.bytes
        more.write_bytes((moved.folder / "observed.root").read_bytes().replace(uuid, bytes(range(16))))
    if how == "short":
        more.write_bytes(more.read_bytes()[:-100])
    if how == "inside":
        damage(more, "events", "t_reco", 0)
    with pytest.raises(DataError, match=r"more\.root: .*data are never left out.*lower pot") as raised:
        build(moved.analysis(), skip_bad_files=True)
    assert "--skip-bad-files" not in str(raised.value)


def test_data_of_another_exposure_are_not_unblinded(ntuples, tmp_path):
    moved = ntuples.moved(tmp_path / "here")
    moved.edit_samples('files = "observed.root"', 'files = "observed.root"\npot = 2.01e20')
    analysis = moved.analysis(overrides=("fit.zero_bins=floor",))
    templates = build(analysis)
    assert not assemble(analysis, templates, unblind=True).asimov
    other = moved.analysis(overrides=("fit.zero_bins=floor", "pot=3.62e20"))
    templates = build(other)
    assert assemble(other, templates).asimov
    with pytest.raises(ConfigError, match=r"expectation is at 3\.62e\+20 POT, the data .* of 2\.01e\+20; correct pot"):
        assemble(other, templates, unblind=True)


def test_what_can_be_known_before_events_are_read_is_said_then(ntuples, monkeypatch):
    from spectrafit.templates import chunks

    def unread(*args, **kwargs):
        raise AssertionError("the ntuple was read")

    monkeypatch.setattr(chunks.cache, "fetch", unread)
    said = '[[systematics]]\nkind = "{}"\nname = "w"\n{}\n'
    np.save(ntuples.folder / "small.npy", np.eye(2))
    for kind, keys, message in (
        ("weight", 'weights = ["w_upp"]\nsigmas = [1.0]\nsamples = ["background"]', "did you mean 'w_up'"),
        ("universes", 'branch = "univreses"', "did you mean 'universes'"),
        ("covariance", 'file = "small.npy"', "have 27 bins in all"),
        ("flux", 'covariance = "small.npy"', "has 28 bins in all"),
    ):
        with pytest.raises((ConfigError, DataError), match=message):
            build(ntuples.analysis(said.format(kind, keys)))


def test_the_digest_is_of_matrices_and_flux_tables_too(ntuples, tmp_path):
    moved = ntuples.moved(tmp_path / "here")
    np.save(moved.folder / "m.npy", 0.01 * np.eye(3))
    analysis = moved.analysis(
        '[[systematics]]\nkind = "covariance"\nname = "c"\nfile = "m.npy"\nregions = ["side"]\n'
        '[[systematics]]\nkind = "flux"\nname = "f"\n'
    )
    first = build(analysis)
    first.save(tmp_path / "t.npz")
    np.save(moved.folder / "m.npy", 0.02 * np.eye(3))
    assert build(analysis).digest != first.digest
    # A covariance is laid on filled cells, so a new one needs no new fill.
    again = Templates.load(tmp_path / "t.npz", analysis=analysis)
    assert again.digest == build(analysis).digest
    np.testing.assert_array_equal(again.counts, build(analysis).counts)
    np.save(moved.folder / "m.npy", 0.01 * np.eye(3))
    assert Templates.load(tmp_path / "t.npz", analysis=analysis).digest == first.digest
    table = moved.folder / "nue.dat"
    table.write_text(table.read_text().replace("0.12", "0.13"))
    with pytest.raises(ConfigError, match=r"\$\.tables\.samples: nue"):
        Templates.load(tmp_path / "t.npz", analysis=analysis)
    table.unlink()
    with pytest.raises(DataError, match=r"nue\.dat cannot be read"):
        Templates.load(tmp_path / "t.npz", analysis=analysis)


def test_progress_is_shown_on_the_terminal_only(ntuples, capsys):
    build(ntuples.analysis(), progress=True)
    assert capsys.readouterr().out == ""


def test_an_analysis_of_counts_alone_reads_no_file(ntuples):
    counts = 'samples = ["known"]\naxes = [{ observable = "t_reco", edges = [0.3, 1.0, 1.7, 4.0] }]\n'
    templates = build(
        ntuples.analysis(
            '[[counts]]\nname = "known"\ncounts = { one = [1.0, 2.0, 3.0] }\n',
            regions=f'[[regions]]\nname = "one"\n{counts}',
        )
    )
    assert templates.samples == templates.tabulated == ("known",)
    np.testing.assert_array_equal(templates.counts[0, 0], [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    assert templates.n_bins == 3


def test_a_sample_that_is_mostly_bad_is_refused_even_if_bad_entries_may_go(ntuples, tmp_path):
    moved = ntuples.moved(tmp_path / "here")
    moved.edit_samples(
        "pot = 1e20", 'pot = 1e20\non_bad = "drop"\ncolumns = { t = { expression = "1000*t" } }', count=1
    )
    with pytest.raises(DataError, match=r"numu: more entries are bad than good: .*kinematic limit"):
        build(moved.analysis())


def test_a_signal_without_a_selected_entry_is_refused(ntuples, tmp_path):
    moved = ntuples.moved(tmp_path / "here")
    moved.edit_samples("pot = 1e20", 'pot = 1e20\nselection = "e_nu < 0"', count=1)
    with pytest.raises(DataError, match=r"numu: nothing is left of the signal: 0 of .* not selected"):
        build(moved.analysis())


def test_a_region_without_an_entry_is_refused(ntuples):
    with pytest.raises(
        DataError, match=r"region 'nd': none of .* entries falls into its bins; check the edges, .* the units"
    ):
        build(ntuples.analysis(overrides=("regions.0.axes.0.range=[1e4, 2e4]",)))


def test_the_command_says_what_became_of_universes(ntuples, tmp_path, capsys, monkeypatch):
    analysis = ntuples.analysis('[[systematics]]\nkind = "universes"\nname = "multisim"\nbranch = "universes"\n')
    with pytest.raises(SystemExit) as left:
        cli.main(["build", analysis.path, "-o", str(tmp_path / "t.npz")])
    assert left.value.code == 0
    # In each of the three samples all universes are multiples of one weight, up to single precision.
    assert re.search(
        r"multisim: 3 of 20 directions, (100\.0000|99\.99\d\d)% of the variance; the rest", capsys.readouterr().out
    )
    # A name that will be refused is refused at once.
    monkeypatch.setattr(sf, "build", None, raising=False)
    with pytest.raises(SystemExit):
        cli.main(["build", analysis.path, "-o", str(tmp_path / "t.root")])
    assert "call the file t.npz" in capsys.readouterr().err
