import json

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrafit.errors import ConfigError, DataError
from spectrafit.templates import cache
from spectrafit.templates.build import build

pytest.importorskip("pyarrow", reason="needs the extra [cache]")

KNOBS = '[[systematics]]\nkind = "weight"\nname = "knob"\narray = "knobs"\nsigmas = [-2, -1, 1, 2]\n'
SCALE = '[[systematics]]\nkind = "shift"\nname = "scale"\nscale = 0.02\n'


def same(a, b):
    for name in ("counts", "squares", "entries", "residual", "flow", "data"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def hits(templates):
    return templates.provenance["chunks_from_cache"], templates.provenance["chunks"]


def test_a_second_build_reads_only_the_cache(ntuples, tmp_path, monkeypatch):
    first = build(ntuples.analysis(KNOBS), cache=tmp_path)
    assert hits(first) == (0, 5)
    again = build(ntuples.analysis(KNOBS), cache=tmp_path)
    assert hits(again) == (5, 5)
    same(first, again)
    same(first, build(ntuples.analysis(KNOBS)))
    # Other edges, regions and sizes of systematics are made of the same columns.
    from spectrafit.templates import cache as module

    def unread(*args, **kwargs):
        raise AssertionError("the ntuple was read")

    monkeypatch.setattr(module, "read_columns", unread)
    overrides = ("regions.0.axes.0.bins=17", "regions.0.axes.0.range=[0.5, 2.5]", "systematics.1.scale=0.04")
    other = build(ntuples.analysis(KNOBS + SCALE, overrides=overrides), cache=tmp_path)
    assert hits(other) == (5, 5)
    assert other.region("nd").shape == (17, 4)


def test_new_columns_are_added_and_old_ones_kept(ntuples, tmp_path):
    plain = ntuples.analysis(SCALE)
    more = ntuples.analysis(
        SCALE + '[[systematics]]\nkind = "weight"\nname = "w"\nweights = ["w_down", "w_up * (1 + 0.1 * score)"]\n'
    )
    assert hits(build(plain, cache=tmp_path)) == (0, 5)
    assert hits(build(more, cache=tmp_path)) == (1, 5)  # data have no systematics: theirs is there already
    assert hits(build(plain, cache=tmp_path)) == (5, 5)
    assert hits(build(more, cache=tmp_path)) == (5, 5)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "gone", "half a fact", "no facts", "other facts"])
def test_damage_is_seen_and_repaired(ntuples, tmp_path, damage):
    first = build(ntuples.analysis(), cache=tmp_path)
    arrow = sorted(tmp_path.glob("*.arrow"))[0]
    facts = arrow.with_suffix(".json")
    whole = arrow.read_bytes()
    if damage == "truncated":
        arrow.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        middle = len(whole) // 2
        arrow.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    elif damage == "gone":
        arrow.unlink()
    elif damage == "half a fact":
        facts.write_bytes(facts.read_bytes()[:50])
    elif damage == "no facts":
        facts.unlink()
    else:
        facts.write_text(json.dumps({"made_from": 1}))
    again = build(ntuples.analysis(), cache=tmp_path)
    assert hits(again) == (4, 5)
    same(first, again)
    assert arrow.read_bytes() == whole
    assert hits(build(ntuples.analysis(), cache=tmp_path)) == (5, 5)


def test_what_is_stale_is_read_again(ntuples, tmp_path):
    moved = ntuples.moved(tmp_path / "here")
    folder = tmp_path / "cache"
    build(moved.analysis(), cache=folder)
    moved.rewrite("nue", seed=77)
    again = build(moved.analysis(), cache=folder)
    assert hits(again) == (4, 5)
    same(again, build(moved.analysis()))
    moved.edit_samples('files = "nue.root"', 'files = "nue.root"\nselection = "score > 0.1"')
    again = build(moved.analysis(), cache=folder)
    assert hits(again) == (4, 5)
    same(again, build(moved.analysis()))
    # An exposure is laid on top of the columns, so it makes nothing stale.
    moved.edit_samples("pot = 2e20", "pot = 3e20")
    assert hits(build(moved.analysis(), cache=folder)) == (5, 5)
    # Replaced, not piled up.
    assert len(cache.contents(folder)) == 5


def test_a_file_written_to_in_place_is_read_again(ntuples, tmp_path):
    moved = ntuples.moved(tmp_path / "here")
    folder = tmp_path / "cache"
    build(moved.analysis(), cache=folder)
    path = moved.folder / "nue.root"
    with uproot.open(path) as file:
        seek, size = (file["events"]["t_reco"].member(f"fBasket{what}")[0] for what in ("Seek", "Bytes"))
    with path.open("r+b") as file:
        file.seek(seek + size // 2)
        file.write(b"\xa5" * (size - size // 2))
    # Its size and UUID are what they were; what was kept of it would hide the damage.
    with pytest.raises(DataError, match=r"nue\.root: entries \d+ to \d+: is truncated or damaged"):
        build(moved.analysis(), cache=folder)


def test_a_file_listed_twice_has_a_place_for_each(ntuples, tmp_path):
    moved = ntuples.moved(tmp_path / "here")
    moved.edit_samples('files = "nue.root"', 'files = ["nue.root", "nue.root"]')
    first = build(moved.analysis(), cache=tmp_path / "cache")
    again = build(moved.analysis(), cache=tmp_path / "cache")
    assert hits(first) == (0, 6)
    assert hits(again) == (6, 6)
    same(first, again)
    nue = next(i for i in first.inventories if i["sample"] == "nue")
    assert nue["repeated"] == [[str(moved.folder / "nue.root"), 2]]


def test_jagged_columns_survive(ntuples, tmp_path):
    overrides = ("regions.0.cut=score > 0.2 && Sum$(knobs) > 3.8",)
    first = build(ntuples.analysis(overrides=overrides), cache=tmp_path)
    again = build(ntuples.analysis(overrides=overrides), cache=tmp_path)
    assert hits(again) == (5, 5)
    same(first, again)


def test_drop_reports_are_kept(ntuples, tmp_path):
    moved = ntuples.moved(tmp_path / "here")
    moved.columns["nue"] = {**moved.columns["nue"], "e_nu": moved.columns["nue"]["e_nu"].copy()}
    moved.columns["nue"]["e_nu"][17] = np.nan
    moved.write("nue")
    moved.edit_samples('files = "nue.root"', 'files = "nue.root"\non_bad = "drop"')
    folder = tmp_path / "cache"
    first, again = (build(moved.analysis(), cache=folder) for _ in range(2))
    assert hits(again)[0] == 5
    nue = [next(i for i in t.inventories if i["sample"] == "nue")["dropped"] for t in (first, again)]
    assert nue[0]["kept"] == 7_999
    assert nue[0] == nue[1]


def test_listing_and_clearing(ntuples, tmp_path):
    build(ntuples.analysis(), cache=tmp_path)
    (tmp_path / "mine.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    listed = cache.contents(tmp_path)
    assert len(listed) == 5
    assert {one.tree for one in listed} == {"events"}
    assert all("t_reco" in one.columns and one.size > 1000 for one in listed)
    assert cache.clear(tmp_path) == sum(one.size for one in listed)
    assert {path.name for path in tmp_path.iterdir()} == {"mine.json", "notes.txt"}
    assert cache.contents(tmp_path) == ()


def test_the_command_lists_and_clears(ntuples, tmp_path, capsys):
    from spectrafit.cli import main

    def said(*words):
        with pytest.raises(SystemExit) as left:
            main(["cache", *words])
        return left.value.code, capsys.readouterr()

    folder = tmp_path / "cache"
    build(ntuples.analysis(), cache=folder)
    code, listed = said("list", str(folder))
    assert code == 0
    *rows, total = listed.out.splitlines()
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert {row.partition(" ")[0].rpartition("/")[2] for row in rows} == {
        *("numu_0.root:events", "numu_1.root:events", "nue.root:events", "background.root:events"),
        "observed.root:events",
    }
    assert len(rows) == 5
    assert f"5 chunks, {size / 1e6:.1f} MB" in total
    assert f"{size / 1e6:.1f} MB deleted" in said("clear", str(folder))[1].out
    assert "0 chunks, 0.0 MB" in said("list", str(folder))[1].out
    code, missing = said("list", str(tmp_path / "cahce"))
    assert code == 2
    assert "no such folder" in missing.err


def test_workers_share_a_cache(ntuples, tmp_path):
    first = build(ntuples.analysis(), cache=tmp_path, executor="processes", workers=2)
    again = build(ntuples.analysis(), cache=tmp_path, executor="threads", workers=2)
    assert hits(again) == (5, 5)
    same(first, again)


def test_mistakes_are_named(ntuples, tmp_path, monkeypatch):
    import sys

    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(DataError, match="cannot be written"):
        build(ntuples.analysis(), cache=blocked)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"\[cache\]"):
        build(ntuples.analysis(), cache=tmp_path)


def test_columns_are_mapped_not_copied(ntuples, tmp_path):
    from spectrafit.events.read import scan

    analysis = ntuples.analysis()
    sample_set, sample = analysis.sample("nue")
    inventory = scan(sample_set, sample)
    options = {"columns": ("t_reco", "knobs", "universes"), "identities": inventory.identities, "folder": tmp_path}
    cache.fetch(inventory.chunks[0], sample_set, sample, **options)
    columns, _, hit = cache.fetch(inventory.chunks[0], sample_set, sample, **options)
    assert hit
    assert not columns["t_reco"].flags.owndata
    assert not columns["t_reco"].flags.writeable
    np.testing.assert_array_equal(columns["t_reco"], ntuples.columns["nue"]["t_reco"])
    assert isinstance(columns["universes"], np.ndarray)
    assert columns["universes"].dtype == np.float32
    np.testing.assert_array_equal(columns["universes"], ntuples.columns["nue"]["universes"])
    np.testing.assert_array_equal(ak.to_numpy(columns["knobs"]), ntuples.columns["nue"]["knobs"])
