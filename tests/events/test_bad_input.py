from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from spectrafit.config import Column, PotSource, Response
from spectrafit.errors import BadFile, ConfigError, DataError
from spectrafit.events import read
from spectrafit.events.linked import Linked
from tests.events.ntuples import M_E, native, truth

Write = Callable[..., Path]
One = Callable[..., Any]


def load(sample_set: Any, sample: Any, **keys: Any) -> Any:
    (chunk,) = read.scan(sample_set, sample).chunks
    return read.read(chunk, sample_set, sample, **keys)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"bad.root: is empty \(0 bytes\); copy or write it again"),
        (b"root", r"bad.root: is truncated or damaged"),
        (b"a text file, of all things\n" * 50, r"bad.root: is not a ROOT file \(first four bytes are b'a te'\)"),
    ],
)
def test_what_is_no_root_file(one: One, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.root").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(*one(files="bad.root"))


@pytest.mark.parametrize("fraction", [0.02, 0.3, 0.9])
def test_a_truncated_file(write_tree: Write, one: One, tmp_path: Path, fraction: float) -> None:
    whole = write_tree("whole.root", native(5000), basket=500).read_bytes()
    (tmp_path / "cut.root").write_bytes(whole[: int(fraction * len(whole))])
    with pytest.raises(DataError, match=r"cut.root: is truncated or damaged .*--skip-bad-files"):
        load(*one(files="cut.root"))


def test_a_file_damaged_inside(write_tree: Write, one: One, tmp_path: Path) -> None:
    path = write_tree("a.root", native(5000))
    content = bytearray(path.read_bytes())
    middle = len(content) // 3
    content[middle : middle + 4000] = bytes(4000)
    path.write_bytes(content)
    sample_set, sample = one(files=path)
    with pytest.raises(DataError, match=r"a.root: is truncated or damaged"):
        load(sample_set, sample)


def test_bad_files_are_left_out_on_request(write_tree: Write, one: One, tmp_path: Path) -> None:
    write_tree("nu_0.root", native(50), pot=1e19)
    (tmp_path / "nu_1.root").write_bytes(b"junk" * 500)
    write_tree("nu_2.root", {"other": np.zeros(3)})
    sample_set, sample = one(files="nu_*.root")
    inventory = read.scan(sample_set, sample, skip_bad_files=True)
    assert [(path.rpartition("/")[2], "not a ROOT file" in why) for path, why in inventory.skipped] == [
        ("nu_1.root", True),
        ("nu_2.root", False),
    ]
    assert inventory.entries == 50
    with pytest.raises(DataError, match=r"nu_1.root: is not a ROOT file"):
        read.scan(sample_set, sample)


def test_a_file_cut_short_is_bad_before_it_is_read(write_tree: Write, one: One, tmp_path: Path) -> None:
    write_tree("nu_0.root", native(50), pot=1e19)
    path = write_tree("nu_1.root", native(20_000), pot=1e19, basket=5_000)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    sample_set, sample = one(files="nu_*.root", pot=PotSource(histogram="TotalPOT"))
    with pytest.raises(
        BadFile, match=rf"nu_1.root: is truncated .*\({len(whole) - 100} bytes are left of {len(whole)}"
    ):
        read.scan(sample_set, sample)
    inventory = read.scan(sample_set, sample, skip_bad_files=True)
    assert (inventory.entries, inventory.pot) == (50, 1e19)
    # One that another pass found to be bad is left out, too.
    path.write_bytes(whole)
    assert read.scan(sample_set, sample).entries == 20_050
    known = read.scan(sample_set, sample, left_out={str(path): "as we know"})
    assert (known.entries, known.pot, known.skipped) == (50, 1e19, ((str(path), "as we know"),))


def test_no_file_folder_or_permission(write_tree: Write, one: One, tmp_path: Path) -> None:
    write_tree("nue_0.root", native(5))
    with pytest.raises(DataError, match=r"nue_1.root: no such file; did you mean 'nue_0.root'\?"):
        load(*one(files="nue_1.root"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"folder: is a folder; name its files, as in folder/\*.root"):
        load(*one(files="folder"))


# --- trees and branches -----------------------------------------------------------------------------------------------


def test_a_missing_tree(write_tree: Write, one: One) -> None:
    path = write_tree("a.root", native(5), tree="nd_events", pot=1.0)
    with pytest.raises(
        DataError, match=r"a.root: no tree 'events'; did you mean 'nd_events'\? \(there are: nd_events\)"
    ):
        load(*one(files=path, tree="events"))
    with pytest.raises(DataError, match=r"'TotalPOT' is a TH1D, not a TTree"):
        load(*one(files=path, tree="TotalPOT"))
    assert len(load(*one(files=path))[0]) == 5  # the only tree there is


def test_a_missing_branch(write_tree: Write, one: One) -> None:
    columns = native(5)
    columns["e_nu_true"] = columns.pop("e_nu")
    path = write_tree("a.root", columns)
    with pytest.raises(
        DataError, match=r"a.root:events: e_nu cannot be read: preset 'native' needs 'e_nu'; did you mean 'e_nu_true'"
    ):
        load(*one(files=path))
    with pytest.raises(
        DataError, match=r"no branch 'e_nu_tru'; did you mean 'e_nu_true'.*, wanted by .*x.columns.e_nu"
    ):
        load(*one(files=path, columns={"e_nu": "e_nu_tru"}))
    with pytest.raises(DataError, match=r"no branch 'Enu'.*wanted by .*columns.e_nu"):
        load(*one(files=path, columns={"e_nu": Column(expression="Enu + 1")}))
    with pytest.raises(
        ConfigError, match=r"x: no column or branch 'weigth'; did you mean 'weight'.*wanted by 'weigth > 0'"
    ):
        load(*one(files=path, columns={"e_nu": "e_nu_true"}, selection="weigth > 0"))
    with pytest.raises(ConfigError, match=r"give either branch or expression"):
        load(*one(files=path, columns={"e_nu": Column(branch="a", expression="b")}))
    with pytest.raises(ConfigError, match=r"x.preset: no preset 'genie'"):
        load(*one(files=path, preset="genie"))


def test_a_response_needs_truth(write_tree: Write, one: One) -> None:
    columns = {name: truth(5)[name] for name in ("pdg", "e_nu", "t")}
    with pytest.raises(DataError, match=r"theta cannot be read: preset 'native' needs 'theta'"):
        load(*one(files=write_tree("a.root", columns), response=Response()))


def test_a_list_where_a_number_is_needed(write_tree: Write, one: One) -> None:
    columns = native(3) | {"electrons": ak.Array([[1.0], [2.0, 0.5], []])}
    path = write_tree("a.root", columns)
    with pytest.raises(DataError, match=r"columns.t_reco: 'electrons' holds a list per entry, .*\[0\], Max\$"):
        load(*one(files=path, columns={"t_reco": "electrons"}))
    reduced = {"t_reco": Column(expression="where(Length$(electrons) > 0, Max$(electrons), 0)")}
    assert load(*one(files=path, columns=reduced))[0]["t_reco"].tolist() == [1.0, 2.0, 0.0]


def test_a_column_of_another_length(write_tree: Write, one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    sample_set, sample = one(files=write_tree("a.root", native(100)))
    (chunk,) = read.scan(sample_set, sample).chunks
    original = read.link

    class Short:
        """A tree one of whose branches was not filled to the end, which no writer at hand will make."""

        def __init__(self, tree: Any) -> None:
            self.tree = tree

        def __getitem__(self, name: str) -> Any:
            return self.tree[name]

        def arrays(self, **keys: Any) -> Any:
            out = self.tree.arrays(**keys)
            return out | {"theta": out["theta"][:-1]}

    def shortened(names: Any, called: Any) -> Any:
        linked = original(names, called)
        return Linked(linked.names, (_entries(Short(linked.trees[0]), 100),), linked.branches, {})

    monkeypatch.setattr(read, "link", shortened)
    with pytest.raises(DataError, match=r"a.root:events: branch 'theta' has another length than its tree: 99 values"):
        read.read(chunk, sample_set, sample)


def _entries(tree: Any, entries: int) -> Any:
    tree.num_entries = entries
    return tree


@pytest.mark.parametrize("files", [1, 2])
def test_no_entries(write_tree: Write, one: One, files: int) -> None:
    empty = {k: v[:0] for k, v in native(1).items()}
    for i in range(files):
        write_tree(f"nu_{i}.root", empty)
    with pytest.raises(DataError, match=rf"x: its {files} files hold no entries that can be read"):
        load(*one(files="nu_*.root"))


def test_one_empty_file_among_others_is_no_mistake(write_tree: Write, one: One) -> None:
    write_tree("nu_0.root", {k: v[:0] for k, v in native(1).items()}, pot=1e19)
    write_tree("nu_1.root", native(5), pot=1e19)
    inventory = read.scan(*one(files="nu_*.root"))
    assert (inventory.entries, len(inventory.chunks), inventory.pot) == (5, 1, 2e19)


# --- values -----------------------------------------------------------------------------------------------------------

SPOILT = [
    ("e_nu", np.nan, "e_nu = nan is not a number"),
    ("t", np.inf, "t = inf is not a number"),
    ("theta", np.nan, "theta = nan rad is not between 0 and pi"),
    ("t_reco", np.nan, "t_reco = nan is not a number"),
    ("theta_reco", -np.inf, "theta_reco = -inf is not a number"),
    ("weight", np.nan, "weight = nan is not a number"),
    ("e_nu", -2.0, "e_nu = -2 GeV is not positive"),
    ("t", -0.1, "t = -0.1 GeV is not positive"),
    ("t", 0.0, "t = 0 GeV is not positive"),
    ("theta", -0.1, "theta = -0.1 rad is not between 0 and pi"),
    ("theta_reco", 200.0, "theta_reco = 200 rad is not between 0 and pi"),
]


@pytest.mark.parametrize(("name", "value", "message"), SPOILT)
def test_a_bad_value_is_named_or_dropped(write_tree: Write, one: One, name: str, value: float, message: str) -> None:
    columns = native(100)
    columns[name][[7, 40]] = value
    path = write_tree("a.root", columns)
    with pytest.raises(DataError) as caught:
        load(*one(files=path))
    text = str(caught.value)
    assert f"a.root:events entry 7: {message}" in text
    assert f"check the unit of columns.{name} in" in text
    assert "(2 such entries among entries 0 to 100)" in text
    assert 'on_bad = "drop"' in text
    events, report = load(*one(files=path, on_bad="drop"))
    np.testing.assert_array_equal(events["e_nu"], np.delete(columns["e_nu"], [7, 40]))
    assert (report.kept, report.dropped) == (98, 2)
    assert "entry 7" in str(report)


def test_mev_taken_for_gev_is_caught_by_the_kinematic_limit(write_tree: Write, one: One) -> None:
    columns = native(10)
    columns["t"] = columns["t"] * 1e3
    sample_set, sample = one(files=write_tree("a.root", columns))
    limit = 2 * columns["e_nu"][0] ** 2 / (2 * columns["e_nu"][0] + M_E)
    with pytest.raises(
        DataError,
        match=rf"a.root:events entry 0: t = {columns['t'][0]:.9g} GeV exceeds the kinematic limit {limit:.9g} GeV for"
        rf" e_nu = {columns['e_nu'][0]:.9g} GeV; check the unit of columns.t in .*set.toml",
    ):
        load(sample_set, sample)
    assert len(load(*one(files="a.root", columns={"t": Column(branch="t", unit="MeV")}))[0]) == 10


def test_only_what_is_selected_must_be_right(write_tree: Write, one: One) -> None:
    columns = native(100)
    columns["t_reco"][::2] = np.nan  # not reconstructed
    events, report = load(*one(files=write_tree("a.root", columns), selection="t_reco > 0"))
    assert len(events) == 50
    assert report.bad == {}
    columns["pdg"][5] = 0  # no nu-e event: its truth may be anything
    columns["t"][5] = 1e9
    assert len(load(*one(files=write_tree("b.root", columns), selection="t_reco > 0"))[0]) == 50


def test_float32_truth_at_the_limit_is_set_to_it(write_tree: Write, one: One) -> None:
    rng = np.random.default_rng(4)
    e_nu = rng.uniform(0.005, 20, 20_000)
    t_max = 2 * e_nu**2 / (2 * e_nu + M_E)
    t = t_max * (1 - 1e-9)
    columns = truth(20_000) | {"e_nu": e_nu.astype(np.float32), "E": (t + M_E).astype(np.float32)}
    del columns["t"], columns["theta"]
    path = write_tree("a.root", columns)
    events, report = load(*one(files=path, columns={"t": Column(expression="E - m_e")}))
    assert 1000 < report.rounded < 20_000
    found = {name: events[name].to_numpy().astype(np.float64) for name in ("e_nu", "t")}
    limit = 2 * found["e_nu"] ** 2 / (2 * found["e_nu"] + M_E)
    assert (found["t"] <= limit * (1 + 1e-15)).all()
    assert "above the kinematic limit by rounding" in str(report)
    # A thousandth of a percent above it is no rounding.
    columns["E"] = ((t_max * 1.00001) + M_E).astype(np.float32)
    with pytest.raises(DataError, match="exceeds the kinematic limit"):
        load(*one(files=write_tree("b.root", columns), columns={"t": Column(expression="E - m_e")}))


def test_negative_weights_are_counted_and_kept(write_tree: Write, one: One) -> None:
    columns = native(10)
    columns["weight"][3] = -1
    events, report = load(*one(files=write_tree("a.root", columns)))
    assert len(events) == 10
    assert report.negative_weights == 1
    assert "1 with negative weight" in str(report)


def test_no_exposure_where_one_is_needed(write_tree: Write, one: One) -> None:
    inventory = read.scan(*one(files=write_tree("a.root", native(5))))
    with pytest.raises(
        ConfigError, match=r"sample 'x': its exposure is not known, so it cannot be scaled to 1e\+20 POT"
    ):
        inventory.scale(1e20)
