"""Friends of many ntuples, read back by uproot, and by ROOT where there is one."""

import shutil
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

import spectrafit as sf
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import friend_file, read
from spectrafit.events.friend_file import is_friend
from tests.events.ntuples import native, truth
from tests.events.test_reweight import ratio

Write = Callable[..., Path]
S2W = 0.23863
SET = """
sin2_theta_w = 0.231
[response]
energy_constant = 0.05
[[samples]]
name = "numu"
role = "signal"
files = "numu_*.root"
response = true
selection = "e_nu > 2"
[[samples]]
name = "nue"
role = "signal"
files = "nue.root"
sin2_theta_w = 0.24
[[samples]]
name = "nc"
role = "background"
files = "nc.root"
[[samples]]
name = "observed"
role = "data"
files = "data.root"
"""


@pytest.fixture
def folder(tmp_path: Path, write_tree: Write) -> Path:
    """Three files of muon neutrinos, one of them with background and electron neutrinos in it."""
    for i in range(3):
        columns = native(300 + 100 * i, seed=i)
        if i == 1:
            columns["pdg"][:50], columns["pdg"][50:60] = 0, 12
        write_tree(f"numu_{i}.root", columns, basket=150)
    return tmp_path


def columns_of(path: Path, tree: str = "events") -> Any:
    return uproot.open(path)[tree].arrays(library="np")


@pytest.mark.parametrize("executor", ["serial", "threads"])
def test_many_files_with_a_branch_each(folder: Path, executor: str) -> None:
    values = [1e-9, {"charge_radius": 4e-33}]
    found = sf.reweight_files(str(folder / "numu_*.root"), folder / "f", value=values, executor=executor, workers=2)
    assert [one.target for one in found.friends] == [folder / "f" / f"numu_{i}.root" for i in range(3)]
    assert [one.entries for one in found.friends] == [300, 400, 500]
    assert [one.nu_e for one in found.friends] == [300, 350, 500]
    assert [dict(one.left) for one in found.friends] == [
        {},
        {"no nu-e events": 50, "of PDG code 12, which has no coupling": 10},
        {},
    ]
    for i, one in enumerate(found.friends):
        events, friend = columns_of(folder / f"numu_{i}.root"), columns_of(one.target, "spectrafit")
        assert tuple(friend) == found.branches
        wanted = np.where(events["pdg"] == 14, ratio(14, events["e_nu"], events["t"], 1e-9, S2W), 0.0)
        np.testing.assert_allclose(friend["weight_magnetic_moment_1em09"], 1 + wanted, rtol=1e-9)
        np.testing.assert_allclose(friend["coefficient_magnetic_moment_1"], wanted / 100, rtol=1e-8)
        assert one.means["weight_magnetic_moment_1em09"] == pytest.approx(np.mean(1 + wanted), rel=1e-12)
    assert sorted(p.name for p in (folder / "f").iterdir()) == [f"numu_{i}.root" for i in range(3)]


def test_beside_the_ntuples_and_again(folder: Path) -> None:
    """One value has the plain names. A second time friends are no ntuples, and are written anew."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for _ in range(2):
        found = sf.reweight_files(str(folder / "*.root"))
        assert [one.target.name for one in found.friends] == [f"weights_numu_{i}.root" for i in range(3)]
        assert found.branches == ("weight", "coefficient_1")
    assert {name for name, _ in ((Path(p).name, why) for p, why in found.passed_over)} == {
        f"weights_numu_{i}.root" for i in range(3)
    }
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name in before} == before
    # As one file alone has it.
    sf.reweight(folder / "numu_1.root", folder / "alone.root")
    alone, many = (columns_of(folder / name, "spectrafit") for name in ("alone.root", "weights_numu_1.root"))
    for name, values in alone.items():
        np.testing.assert_array_equal(many[name], values)


def test_the_samples_of_a_set_as_they_say(folder: Path, write_tree: Write) -> None:
    for name, code in (("nue", 12), ("nc", 0), ("data", 14)):
        columns = native(100, seed=7)
        columns["pdg"][:] = code
        write_tree(f"{name}.root", columns)
    (folder / "set.toml").write_text(SET)
    found = sf.reweight_files(folder / "set.toml", folder / "f", carriers=["numu", "nue"])
    assert [one.target.name for one in found.friends] == [*(f"numu_{i}.root" for i in range(3)), "nue.root", "nc.root"]
    assert [Path(path).name for path, _ in found.passed_over] == ["data.root"]
    events, friend = columns_of(folder / "numu_0.root"), columns_of(folder / "f/numu_0.root", "spectrafit")
    taken = events["e_nu"] > 2
    wanted = np.where(taken, ratio(14, events["e_nu"], events["t"], 1e-9, 0.231), 0.0)
    np.testing.assert_allclose(friend["weight"], 1 + wanted, rtol=1e-9)
    assert found.friends[0].left == {"cut by the selection": int((~taken).sum())}
    events, friend = columns_of(folder / "nue.root"), columns_of(folder / "f/nue.root", "spectrafit")
    np.testing.assert_allclose(friend["weight"], 1 + ratio(12, events["e_nu"], events["t"], 1e-9, 0.24), rtol=1e-8)
    assert (columns_of(folder / "f/nc.root", "spectrafit")["weight"] == 1.0).all()
    assert found.friends[-1].left == {"of a background sample": 100}


def test_links_and_copies_are_weighed_once(folder: Path) -> None:
    (folder / "numu_3.root").symlink_to(folder / "numu_0.root")
    (folder / "numu_4.root").hardlink_to(folder / "numu_1.root")
    shutil.copy(folder / "numu_2.root", folder / "numu_5.root")
    twice = [str(folder / "numu_*.root"), str(folder / "numu_0.root")]
    found = sf.reweight_files(twice, folder / "f")
    assert [Path(one.source).name for one in found.friends] == [f"numu_{i}.root" for i in range(3)]
    reasons = [(Path(path).name, why) for path, why in found.passed_over]
    assert [name for name, _ in reasons] == ["numu_3.root", "numu_4.root", "numu_5.root", "numu_0.root"]
    assert "is the same file as" in reasons[0][1]
    assert "numu_2.root, and is weighed once" in reasons[2][1]
    assert sorted(path.name for path in (folder / "f").iterdir()) == [f"numu_{i}.root" for i in range(3)]


def test_folders_keep_their_shape(folder: Path) -> None:
    for place in ("a", "b"):
        (folder / place).mkdir()
    shutil.move(folder / "numu_0.root", folder / "a/numu.root")
    shutil.move(folder / "numu_1.root", folder / "b/numu.root")
    found = sf.reweight_files([str(folder / "a/../a/*.root"), str(folder / "b/*.root")], folder / "f")
    assert [one.target for one in found.friends] == [folder / "f/a/numu.root", folder / "f/b/numu.root"]


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ("", "numu_0.root: is read here, and would be overwritten"),
        ("one.root", "3 files, and one friend, .*one.root; name a folder"),
        ("friends.txt", "name a folder for friends, or NAME.root"),
        ("taken", "taken/numu_2.root: exists already, and reweight did not write it"),
    ],
)
def test_outputs_replace_nothing(folder: Path, destination: str, message: str) -> None:
    (folder / "taken").mkdir()
    shutil.copy(folder / "numu_0.root", folder / "taken/numu_2.root")
    before = {path: path.read_bytes() for path in folder.rglob("*.root")}
    with pytest.raises(ConfigError, match=message):
        sf.reweight_files(str(folder / "numu_*.root"), folder / destination)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_link_to_an_input_is_not_written_through(folder: Path) -> None:
    (folder / "f").mkdir()
    (folder / "f/numu_1.root").symlink_to(folder / "numu_2.root")
    with pytest.raises(ConfigError, match="is read here, and would be overwritten"):
        sf.reweight_files(str(folder / "numu_*.root"), folder / "f")


@pytest.mark.parametrize("executor", ["serial", "threads"])
def test_a_stop_leaves_whole_friends_or_none(folder: Path, monkeypatch: pytest.MonkeyPatch, executor: str) -> None:
    original, calls = read.read, []

    def interrupted(*arguments: Any, **keys: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments, **keys)

    monkeypatch.setattr(friend_file.read, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sf.reweight_files(str(folder / "numu_*.root"), folder / "f", executor=executor, workers=1)
    for path in (folder / "f").iterdir():
        assert is_friend(path)
        assert uproot.open(path)["spectrafit"].num_entries == columns_of(folder / path.name)["t"].size
    assert not list((folder / "f").glob(".*"))


def test_a_bad_entry_is_named_and_friends_before_it_stay(folder: Path, write_tree: Write) -> None:
    columns = truth(50)
    columns["t"][7] = 50.0
    write_tree("numu_9.root", columns)
    with pytest.raises(DataError, match=r"numu_9.root:events entry 7: t = 50 GeV exceeds"):
        sf.reweight_files(str(folder / "numu_*.root"), folder / "f")
    assert sorted(path.name for path in (folder / "f").iterdir()) == [f"numu_{i}.root" for i in range(3)]
    found = sf.reweight_files(str(folder / "numu_9.root"), folder / "f", on_bad="drop")
    assert found.friends[0].left == {"t above the kinematic limit": 1}


def test_one_file_of_two_samples(folder: Path) -> None:
    text = SET.partition("[[samples]]")[0]
    for name, cut in (("one", "e_nu > 2"), ("two", "e_nu <= 2")):
        text += f'[[samples]]\nname = "{name}"\nrole = "signal"\nfiles = "numu_0.root"\nselection = "{cut}"\n'
    (folder / "set.toml").write_text(text)
    with pytest.raises(ConfigError, match="is a file of 'one' and of 'two', which read it otherwise"):
        sf.reweight_files(folder / "set.toml", folder / "f")
    with pytest.raises(ConfigError, match="says preset, tree, columns and on_bad itself"):
        sf.reweight_files(folder / "set.toml", folder / "f", preset="native")


def test_nothing_that_carries_the_coupling_is_warned_of(folder: Path) -> None:
    with pytest.warns(UserWarning, match="every weight of 3 files is 1: magnetic_moment is carried by nutau"):
        sf.reweight_files(str(folder / "numu_*.root"), folder / "f", carriers=["nutau"])


@pytest.mark.skipif(find_spec("ROOT") is None, reason="ROOT is not installed; uproot reads the same friends above")
def test_root_reads_the_friends(folder: Path) -> None:
    """TTree::AddFriend, and RDataFrame of a tree with its friend: entry by entry what uproot reads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a wheel says that it is a trial version
        import ROOT

    values = [1e-9, {"magnetic_moment": 2e-10, "charge_radius": -4e-33}]
    (one, *_) = sf.reweight_files(str(folder / "numu_*.root"), folder / "f", value=values).friends
    events, friend = columns_of(folder / "numu_0.root"), columns_of(one.target, "spectrafit")
    file = ROOT.TFile.Open(str(folder / "numu_0.root"))
    tree = file.Get("events")
    tree.AddFriend("spectrafit", str(one.target))
    assert tree.Draw("weight_magnetic_moment_1em09:t", "e_nu > 2", "goff") == int((events["e_nu"] > 2).sum())
    drawn = np.array([tree.GetV1()[i] for i in range(tree.GetSelectedRows())])
    np.testing.assert_allclose(drawn, friend["weight_magnetic_moment_1em09"][events["e_nu"] > 2], rtol=1e-12)
    for name in friend:
        frame = ROOT.RDataFrame(tree).Define("product", f"t * spectrafit.{name}")
        found = frame.AsNumpy(["product"])["product"]
        np.testing.assert_allclose(found, events["t"] * friend[name], rtol=1e-12, err_msg=name)
    file.Close()
