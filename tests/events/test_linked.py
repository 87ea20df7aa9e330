from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrafit.config import Column, Friend, PotSource, Sample, SampleSet
from spectrafit.errors import BadFile, ConfigError, DataError
from spectrafit.events import read
from spectrafit.events.inspect import inspect
from spectrafit.events.linked import link
from tests.events.ntuples import native

Write = Callable[..., Path]
One = Callable[..., tuple[SampleSet, Sample]]
ODD = Path(__file__).with_name("root_answers")
N = 10


def events(one: One, **keys: Any) -> Any:
    sample_set, sample = one(**keys)
    found = [read.read(chunk, sample_set, sample)[0] for chunk in read.scan(sample_set, sample).chunks]
    return ak.concatenate(found)


def test_leaves_of_a_branch_and_text(one: One) -> None:
    linked = link([(str(ODD / "leaves.root"), "events")])
    found = linked.read(["reco.t_reco", "reco.n", "reco.b", "vertex.x", "vertex.y", "process", "weight"], 1, 4)
    assert found["reco.t_reco"].tolist() == [1.5, 2.5, 3.5]
    assert found["reco.n"].tolist() == [2, 4, 6]
    assert found["reco.b"].tolist() == [[1.25, 0, 9], [2.25, 0, 9], [3.25, 0, 9]]
    assert found["vertex.x"].tolist() == [[1, 1.1], [2, 2.1], [3, 3.1]]
    assert found["vertex.y"].tolist() == [[1.2, 1.3], [2.2, 2.3], [3.2, 3.3]]
    columns = {"t_reco": "reco.t_reco", "weight": "weight"}
    keys: dict[str, Any] = {"files": ODD / "leaves.root", "role": "background", "columns": columns}
    assert events(one, **keys, selection='process == "nue"')["t_reco"].tolist() == [0.5, 2.5, 4.5]
    assert events(one, **keys, selection='!(process == "nue") && reco.n > 2')["t_reco"].tolist() == [3.5]
    assert events(one, **keys, selection='Sum$(names == "name 1") > 0')["t_reco"].tolist() == [1.5, 2.5, 3.5, 4.5]
    for selection, said in (
        ("process", "is text"),
        ("vertex.x > 0", "holds a list per entry"),
        ("process > 1", "is text"),
    ):
        with pytest.raises(ConfigError, match=said):
            events(one, **keys, selection=selection)
    for branch, said in (
        ("reco", "holds the leaves t_reco, n, b, c"),
        ("p4", "a record of fP, fE"),
        ("process", "holds text"),
    ):
        with pytest.raises(DataError, match=said) as caught:
            events(one, **keys | {"columns": {"t_reco": branch}})
        assert not isinstance(caught.value, BadFile)


def test_inspect_lists_what_cannot_be_read(write_tree: Write) -> None:
    text = str(inspect(ODD / "leaves.root"))
    assert "vertex  leaves x, y" in text
    assert "weight  double" in text


def test_a_file_that_was_never_closed() -> None:
    with pytest.raises(BadFile, match=r"unclosed.root: was never closed .*hadd recovered.root unclosed.root"):
        link([(str(ODD / "unclosed.root"), "events")])


def test_fields_of_an_rntuple_record(one: One, tmp_path: Path) -> None:
    pair = ak.zip({"t_reco": np.arange(N) + 0.5, "weight": np.arange(N) + 1.0})
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("events", {"kin": pair, "x": np.arange(N)})
    found = events(one, files="a.root", role="background", columns={"t_reco": "kin.t_reco", "weight": "kin.weight"})
    assert found["t_reco"].tolist() == (np.arange(N) + 0.5).tolist()
    assert found["weight"].tolist() == (np.arange(N) + 1.0).tolist()
    with pytest.raises(DataError, match=r"'kin' is a record of t_reco, weight"):
        events(one, files="a.root", role="background", columns={"t_reco": "kin"})


def test_two_friends_with_trees_of_one_name(write_tree: Write, one: One) -> None:
    columns = native(N) | {"run": np.arange(N)}
    del columns["weight"]
    write_tree("m.root", columns)
    write_tree("one.root", {"run": np.arange(N), "w": np.full(N, 2.0)}, tree="weights")
    write_tree("two.root", {"run": np.arange(N), "w": np.full(N, 3.0), "v": np.full(N, 5.0)}, tree="weights")
    write_tree("bad.root", {"run": np.arange(N)[::-1].copy(), "u": np.ones(N)}, tree="weights")

    def made(text: str, *friends: Friend) -> Any:
        return events(one, files="m.root", friends=friends, columns={"weight": Column(expression=text)})[
            "weight"
        ].tolist()

    plain = (Friend(files="one.root", match="run"), Friend(files="two.root", match="run"))
    named = (Friend(files="one.root", name="a"), Friend(files="two.root", name="b"))
    assert made("v", *plain) == [5.0] * N
    assert made("a.w * b.w + b.v", *named) == [11.0] * N
    for text in ("w", "weights.w"):
        with pytest.raises(ConfigError, match=r"means a branch of two friends; give each friend a name"):
            made(text, *plain)
    with pytest.raises(ConfigError, match="means a branch of two friends"):
        events(one, files="m.root", friends=plain, selection="weights.w > 0")
    # Each friend's own order is looked at, the first one's too.
    for order in (("bad.root", "two.root"), ("two.root", "bad.root")):
        friends = tuple(Friend(files=name, match="run") for name in order)
        with pytest.raises(DataError, match=r"m.root:events entry 0: run = 0, but in .*bad.root:weights it is 9"):
            made("v", *friends)


def test_keys_with_slashes(one: One, tmp_path: Path, write_tree: Write) -> None:
    # uproot makes folders of slashes, so a folder and a plain key are told apart by their names of equal length.
    with uproot.recreate(tmp_path / "a.root") as file:
        for key in ("nd_fhc_events", "nd/rhc/events"):
            file.mktree(key, {k: v.dtype for k, v in native(N).items()})
            file[key].extend(native(N))
        file["nd_pot"] = (np.array([3e20]), np.array([0.0, 1.0]))
    path = tmp_path / "a.root"
    path.write_bytes(path.read_bytes().replace(b"nd_fhc_events", b"nd/fhc/events").replace(b"nd_pot", b"nd/pot"))
    for tree in ("nd/fhc/events", "nd/rhc/events", "nd/rhc/events;1"):
        keys: dict[str, Any] = {"files": path, "tree": tree, "pot": PotSource(histogram="nd/pot")}
        assert len(events(one, **keys)) == N
        assert read.scan(*one(**keys)).pot == 3e20
    with pytest.raises(DataError, match=r"no tree 'nd/fhc/event'; did you mean 'nd/fhc/events'"):
        events(one, files=path, tree="nd/fhc/event")
