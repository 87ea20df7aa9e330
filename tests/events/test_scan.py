import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrafit.config import Friend, PotSource, Sample, SampleSet
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import exposure, read, schema
from tests.events.ntuples import native, truth

Write = Callable[..., Path]
One = Callable[..., tuple[SampleSet, Sample]]
N = 10


def without(columns: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: values for name, values in columns.items() if name not in names}


@pytest.mark.parametrize("name", ["weight", "theta", "t_reco"])
@pytest.mark.parametrize("first", [True, False])
def test_a_column_that_one_file_lacks(write_tree: Write, one: One, name: str, first: bool) -> None:
    lacking = without(native(N), name)
    write_tree("a.root", lacking if first else native(N))
    write_tree("b.root", native(N) if first else lacking)
    bad = "a.root" if first else "b.root"
    with pytest.raises(DataError, match=rf"^{bad}:events: no branch '{name}', which .*:events has, so columns.{name}"):
        read.scan(*one(files=("a.root", "b.root")))
    assert read.scan(*one(files=("a.root", "b.root"), columns={name: 1.0})).entries == 2 * N


def test_another_way_to_the_same_column_is_no_agreement(write_tree: Write, one: One) -> None:
    columns = {"Mode": np.full(N, 54, np.int32), "Enu_true": truth(N)["e_nu"], "PDGLep": np.full(N, 11, np.int32)}
    columns |= {"ELep": truth(N)["t"], "CosLep": np.ones(N), "PDGnu": np.full(N, 14, np.int32)}
    lists = {
        "pdg": ak.values_astype(ak.Array([[11]] * N), np.int32),
        **{k: ak.Array([[1.0]] * N) for k in ("E", "px", "py", "pz")},
    }
    write_tree("a.root", columns | lists, tree="FlatTree_VARS")
    write_tree("b.root", columns, tree="FlatTree_VARS")
    with pytest.raises(DataError, match=r"b.root:FlatTree_VARS: no branch 'E', 'pdg', which a.root:FlatTree_VARS has"):
        read.scan(*one(files=("a.root", "b.root"), preset="flattree"))


def test_a_name_of_the_tree_here_and_of_a_friend_there(write_tree: Write, one: One) -> None:
    write_tree("a.root", native(N) | {"w": np.ones(N)})
    write_tree("b.root", native(N))
    for name in ("f1.root", "f2.root"):
        write_tree(name, {"w": np.full(N, 2.0)}, tree="knobs")
    with pytest.raises(
        DataError, match=r"'w' is a branch of the tree in one of a.root:events and b.root:events, and of a"
    ):
        read.scan(*one(files=("a.root", "b.root"), friends=(Friend(files=("f1.root", "f2.root")),)))


def test_a_folder_with_brackets_is_no_pattern(write_tree: Write, one: One, tmp_path: Path) -> None:
    for folder, n in (("run[1]", 3), ("run1", 7)):
        (tmp_path / folder).mkdir()
        write_tree("b1.root", native(n)).rename(tmp_path / folder / "b1.root")
    _, sample = one(files="b*.root")
    inside = SampleSet(samples=(sample,), path=str(tmp_path / "run[1]" / "set.toml"))
    assert read.scan(inside, sample).entries == 3
    assert read.scan(*one(files="run[1]/b*.root")).entries == 3
    assert read.scan(*one(files=str(tmp_path / "run[1]" / "b*.root"))).entries == 3
    assert read.scan(*one(files="run[0-9]/b*.root")).entries == 7


def test_colons_and_variables_in_names(
    write_tree: Write, one: One, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a:b").mkdir()
    write_tree("x.root", native(N)).rename(tmp_path / "a:b" / "x.root")
    monkeypatch.setenv("WHERE", "a:b")
    assert read.scan(*one(files="a:b/x.root")).entries == N
    assert read.scan(*one(files="$WHERE/*.root")).entries == N
    with pytest.raises(ConfigError, match="variable 'NOWHERE_AT_ALL' is not set"):
        read.scan(*one(files="$NOWHERE_AT_ALL/*.root"))


def test_a_branch_that_a_presets_column_hides(write_tree: Write, one: One) -> None:
    columns = {"nu_pdg": np.full(N, 14, np.int32), "nu_E": np.full(N, 5.0), "mode": np.full(N, 12, np.int32)}
    columns |= {"lep_pdg": np.full(N, 11, np.int32), "lep_E": np.full(N, 1.0), "weight": np.ones(N)}
    columns |= {f"{who}_p{a}": np.full(N, float(a == "z")) for who in ("nu", "lep") for a in "xyz"}
    protons = ak.values_astype(ak.Array([[11, 2212]] * 3 + [[11]] * (N - 3)), np.int32)
    path = write_tree("a.root", columns | {"pdg": protons})
    with pytest.raises(ConfigError, match=r"'pdg' is a branch of the tree, and also a column .*columns.my_pdg = 'pdg'"):
        read.scan(*one(files=path, preset="nuwro", selection="Sum$((pdg == 2212)*1) > 0"))
    keys: dict[str, Any] = {"files": path, "preset": "nuwro", "columns": {"my_pdg": "pdg"}}
    sample_set, sample = one(**keys, selection="Sum$((my_pdg == 2212)*1) > 0")
    _, report = read.read(read.scan(sample_set, sample).chunks[0], sample_set, sample)
    assert report.kept == 3
    # A background's pdg is 0, whatever its files have under that name.
    native_path = write_tree("b.root", native(N))
    with pytest.raises(ConfigError, match=r"makes of 0, as the sample is background"):
        read.scan(*one(files=native_path, role="background", selection="pdg == 14"))
    assert read.scan(*one(files=native_path, role="background", selection="weight > 0")).entries == N


def test_a_job_that_no_event_passed(write_tree: Write, one: One, tmp_path: Path) -> None:
    write_tree("a.root", native(N), pot=1e20)
    for name in ("b.root", "c.root"):
        with uproot.recreate(tmp_path / name) as file:
            file["TotalPOT"] = (np.array([2e20]), np.array([0.0, 1.0]))
    found = read.scan(*one(files=("a.root", "b.root", "c.root")))
    assert (found.pot, found.entries) == (5e20, N)
    assert [Path(path).name for path in found.eventless] == ["b.root", "c.root"]
    # Alone it may as well be a tree of another name, and without exposure it says nothing.
    with pytest.raises(DataError, match=r"b.root: no tree"):
        read.scan(*one(files=("b.root", "c.root")))
    with pytest.raises(DataError, match=r"b.root: no tree"):
        read.scan(*one(files=("a.root", "b.root"), pot=1e20))
    assert len(read.scan(*one(files=("a.root", "b.root"), pot=1e20), skip_bad_files=True).skipped) == 1


def pot_file(path: Path, runs: list[int], subruns: list[int], *, events: bool = True) -> None:
    with uproot.recreate(path) as file:
        if events:
            file.mktree("events", {k: v.dtype for k, v in native(N).items()})
            file["events"].extend(native(N, seed=len(path.name)))
        file.mktree("pots", {"run": np.int32, "subRun": np.int32, "pot": np.float64})
        file["pots"].extend(
            {"run": np.array(runs, np.int32), "subRun": np.array(subruns, np.int32), "pot": np.full(len(runs), 1e18)}
        )


def test_subruns_that_are_there_twice_are_told(one: One, tmp_path: Path) -> None:
    pot_file(tmp_path / "a.root", [1, 1, 1], [1, 2, 3])
    pot_file(tmp_path / "bb.root", [1, 2], [3, 1])
    pot_file(tmp_path / "ccc.root", [3], [1], events=False)
    pot = PotSource(branch="pot", tree="pots")
    found = read.scan(*one(files=("a.root", "bb.root", "ccc.root"), pot=pot))
    assert found.pot == pytest.approx(6e18)
    (note,) = found.notes
    assert "1 subruns are in 'pots' more than once (the first: run 1, subrun 3)" in note
    assert [Path(path).name for path in found.eventless] == ["ccc.root"]
    assert read.scan(*one(files=("a.root", "ccc.root"), pot=pot)).notes == ()


def test_pot_filled_per_event_is_told(write_tree: Write, one: One) -> None:
    path = write_tree("a.root", native(N) | {"pot": np.full(N, 1e18)})
    (note,) = read.scan(*one(files=path, pot=PotSource(branch="pot", tree="events"))).notes
    assert "the branch 'pot' is in 'events', the tree of events, so its sum counts the exposure once for every" in note


def test_weights_that_do_not_enter_the_exposure_are_told(write_tree: Write, one: One) -> None:
    pot = PotSource(flux=100.0, cross_section=1e-42, targets=1e31)
    columns = native(N) | {"weight": np.full(N, 2.5)}
    for keys, told in (({}, True), ({"columns": {"weight": 1.0}}, False), ({"pot": 1e20}, False)):
        sample_set, sample = one(**{"files": write_tree("a.root", columns), "pot": pot, **keys})
        _, report = read.read(read.scan(sample_set, sample).chunks[0], sample_set, sample)
        said = exposure.unweighted(sample, report)
        assert ("are 2.5 on average" in said) == told
        assert bool(said) == told


@pytest.mark.parametrize("mark", [-999.0, 1e30])
def test_a_weight_that_marks_a_failure_is_told_with_its_entry(write_tree: Write, one: One, mark: float) -> None:
    rng = np.random.default_rng(1)
    columns = native(1000) | {"weight": rng.uniform(0.1, 2.0, 1000), "up": rng.normal(1, 0.1, 1000)}
    columns["flat"] = np.ones(1000)
    columns["universes"] = ak.Array(rng.normal(1, 0.1, (1000, 4)))
    columns["up"][777] = mark
    spoiled = ak.to_numpy(columns["universes"]).copy()
    spoiled[333, 2] = mark
    columns["universes"] = ak.Array(spoiled.tolist())
    sample_set, sample = one(files=write_tree("a.root", columns, basket=100))
    total = None
    for chunk in read.scan(sample_set, sample, chunk_entries=100).chunks:
        _, report = read.read_columns(chunk, sample_set, sample, extra=["up", "flat", "universes"])
        total = report if total is None else total + report
    assert total is not None
    names = ("weight", "up", "flat", "universes")
    up, universes = total.outweighing(names)
    assert up.startswith(
        "a.root:events entry 777 alone has more than half of the sum of squares of 'up' over 1000 entries"
    )
    assert f"{mark:g}" in up
    assert universes.startswith("a.root:events entry 333 alone")
    assert total.outweighing() == []
    assert schema.DropReport.from_plain(json.loads(json.dumps(asdict(total)))) == total
    squares = total.heaviest["weight"]
    assert squares.squares * squares.weight**2 == pytest.approx(np.sum(columns["weight"] ** 2))
