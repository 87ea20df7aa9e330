import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrafit.config import Column, Friend, Recipe, Response
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import read, schema
from spectrafit.events.linked import Linked
from tests.events.ntuples import native, truth

N = 1000
Write = Callable[..., Path]
One = Callable[..., Any]


def everything(sample_set: Any, sample: Any, *, chunk_entries: int = 10**6, **keys: Any) -> tuple[Any, Any, Any]:
    inventory = read.scan(sample_set, sample, chunk_entries=chunk_entries)
    parts = [read.read(chunk, sample_set, sample, **keys) for chunk in inventory.chunks]
    report = sum((r for _, r in parts), start=schema.DropReport())
    return ak.concatenate([e for e, _ in parts]), report, inventory


def test_the_native_tree_comes_back(write_tree: Write, one: One) -> None:
    columns = native(N)
    events, report, inventory = everything(*one(files=write_tree("a.root", columns, pot=3e20)))
    assert events.fields == list(schema.CANONICAL)
    for name, values in columns.items():
        found = events[name].to_numpy()
        assert found.dtype == (np.int32 if name == "pdg" else values.dtype)
        np.testing.assert_array_equal(found, values)
    assert (report.entries, report.kept, report.bad, report.unselected, report.below_threshold) == (N, N, {}, 0, 0)
    assert report.generated_weight == pytest.approx(columns["weight"].sum(dtype=float))
    assert (inventory.pot, inventory.entries) == (3e20, N)


def test_single_precision_is_judged_and_computed_in_double(write_tree: Write, one: One) -> None:
    single = {name: v if name == "pdg" else v.astype(np.float32) for name, v in native(N).items()}
    double = {name: v if name == "pdg" else v.astype(np.float64) for name, v in single.items()}
    units = {"e_nu": Column(branch="e_nu", unit="GeV"), "theta_reco": Column(branch="theta_reco", unit="deg")}
    chosen = {"columns": units, "selection": "t_reco * theta_reco > 0.01"}
    found, wanted = (
        everything(*one(files=write_tree(name, columns), **chosen), scale=1 / 3, extra=["theta_reco / 3"])
        for name, columns in (("single.root", single), ("double.root", double))
    )
    assert found[1] == wanted[1]
    for name in wanted[0].fields:
        np.testing.assert_array_equal(found[0][name].to_numpy(), wanted[0][name].to_numpy())


def test_the_inventory_identifies_the_files(write_tree: Write, one: One) -> None:
    path = write_tree("a.root", native(N))
    (identity,) = read.scan(*one(files=path)).identities
    with uproot.open(path) as file:
        wanted = schema.FileIdentity(path=str(path), size=path.stat().st_size, uuid=str(file.file.uuid), entries=N)
    assert identity == wanted


@pytest.mark.parametrize(
    ("chunk_entries", "wanted"),
    [
        (10**6, [(0, 1000)]),
        (1000, [(0, 1000)]),
        (650, [(0, 600), (600, 1000)]),
        (300, [(0, 300), (300, 600), (600, 900), (900, 1000)]),
        (299, [(0, 150), (150, 300), (300, 450), (450, 600), (600, 750), (750, 1000)]),
    ],
)
def test_chunks_end_where_baskets_do(write_tree: Write, one: One, chunk_entries: int, wanted: list[Any]) -> None:
    columns = native(N)
    sample_set, sample = one(files=write_tree("a.root", columns, basket=300))
    events, _, inventory = everything(sample_set, sample, chunk_entries=chunk_entries)
    cuts = [(c.start, c.stop) for c in inventory.chunks]
    assert cuts == wanted
    assert [c.index for c in inventory.chunks] == list(range(len(cuts)))
    np.testing.assert_array_equal(events["t"], columns["t"])


def test_several_files_are_one_sample(write_tree: Write, one: One) -> None:
    parts = [native(100, seed=s) for s in range(3)]
    for i, part in enumerate(parts):
        write_tree(f"nu_{i}.root", part, pot=1e19)
    events, _, inventory = everything(*one(files="nu_*.root"), extra=[schema.ENTRY])
    np.testing.assert_array_equal(events["t"], np.concatenate([p["t"] for p in parts]))
    assert events[schema.ENTRY].tolist() == list(range(300))
    assert [c.first for c in inventory.chunks] == [0, 100, 200]
    assert inventory.pot == pytest.approx(3e19)


def test_chunks_and_expressions_travel_to_a_worker(write_tree: Write, one: One) -> None:
    sample_set, sample = one(files=write_tree("a.root", native(N)))
    (chunk,) = read.scan(sample_set, sample).chunks
    again = pickle.loads(pickle.dumps((chunk, sample_set, sample)))
    assert ak.array_equal(read.read(*again)[0], read.read(chunk, sample_set, sample)[0])


def test_threads_read_the_same(write_tree: Write, one: One) -> None:
    sample_set, sample = one(files=write_tree("a.root", native(20_000), basket=500))
    chunks = read.scan(sample_set, sample, chunk_entries=500).chunks
    serial = [read.read(c, sample_set, sample)[0]["t"].to_numpy() for c in chunks]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(lambda c: read.read(c, sample_set, sample)[0]["t"].to_numpy(), chunks))
    for a, b in zip(serial, threaded, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_rewritten_file_is_opened_again(write_tree: Write, one: One) -> None:
    sample_set, sample = one(files=write_tree("a.root", native(10, seed=1)))
    everything(sample_set, sample)
    columns = native(10, seed=2)
    write_tree("a.root", columns)
    np.testing.assert_array_equal(everything(sample_set, sample)[0]["t"], columns["t"])


def test_a_file_that_shrank_is_noticed(write_tree: Write, one: One) -> None:
    sample_set, sample = one(files=write_tree("a.root", native(100)))
    (chunk,) = read.scan(sample_set, sample).chunks
    write_tree("a.root", native(50))
    with pytest.raises(
        DataError, match=r"a.root: was replaced or changed while it was read \(before: UUID .*; now: UUID"
    ):
        read.read(chunk, sample_set, sample)


def test_columns_of_the_users_own(write_tree: Write, one: One) -> None:
    columns = truth(N)
    tree = {
        "nu": columns["pdg"],
        "Enu_MeV": columns["e_nu"] * 1e3,
        "Etot": columns["t"] * 1e6 + 510.99895069,
        "cos": np.cos(columns["theta"]),
        "seen": columns["t"] * 1.1e3,
        "angle": np.degrees(columns["theta"]),
    }
    events, _, _ = everything(
        *one(
            files=write_tree("a.root", tree, tree="ana"),
            tree="ana",
            columns={
                "pdg": "nu",
                "e_nu": Column(branch="Enu_MeV", unit="MeV"),
                "t": Column(expression="Etot - 1e6*m_e", unit="keV"),
                "theta": Column(branch="cos", unit="cos"),
                "t_reco": Column(expression="seen", unit="MeV"),
                "theta_reco": Column(branch="angle", unit="deg"),
                "weight": 0.25,
                "ratio": Column(expression="seen/Enu_MeV", unit="1"),
            },
        ),
        extra=["ratio", "ratio > 0.5 && t_reco < 3", "Etot"],
    )
    np.testing.assert_allclose(events["e_nu"], columns["e_nu"], rtol=1e-14)
    np.testing.assert_allclose(events["t"], columns["t"], rtol=1e-9)
    np.testing.assert_allclose(events["theta"], columns["theta"], rtol=1e-5)
    np.testing.assert_allclose(events["theta_reco"], columns["theta"], rtol=1e-14)
    np.testing.assert_allclose(events["t_reco"], 1.1 * columns["t"], rtol=1e-14)
    assert (events["weight"].to_numpy() == 0.25).all()
    wanted = 1.1 * columns["t"] / columns["e_nu"]
    np.testing.assert_allclose(events["ratio"], wanted, rtol=1e-12)
    assert events["ratio > 0.5 && t_reco < 3"].tolist() == ((wanted > 0.5) & (1.1 * columns["t"] < 3)).tolist()
    np.testing.assert_array_equal(events["Etot"], tree["Etot"])


def test_selection_extra_and_scale(write_tree: Write, one: One) -> None:
    columns = native(N) | {"kind": np.arange(N, dtype=np.int32) % 4}
    sample_set, sample = one(files=write_tree("a.root", columns), selection="kind == 1 && t_reco > 1")
    events, report, _ = everything(sample_set, sample, extra=["kind", "t*theta^2", schema.ENTRY], scale=2.0)
    keep = (columns["kind"] == 1) & (columns["t_reco"] > 1)
    assert events[schema.ENTRY].tolist() == np.flatnonzero(keep).tolist()
    assert events["kind"].to_numpy().dtype == np.int32
    np.testing.assert_allclose(events["weight"], 2.0 * columns["weight"][keep], rtol=1e-15)
    np.testing.assert_allclose(events["t*theta^2"], (columns["t"] * columns["theta"] ** 2)[keep], rtol=1e-14)
    assert (report.kept, report.unselected) == (keep.sum(), N - keep.sum())


def test_entry_number_in_a_cut(write_tree: Write, one: One) -> None:
    events, _, _ = everything(*one(files=write_tree("a.root", native(10)), selection="Entry$ % 2 == 0"))
    assert len(events) == 5


def test_jagged_extras_stay_jagged(write_tree: Write, one: One) -> None:
    columns = native(4) | {"univ": ak.Array([[1.0, 2.0], [3.0], [], [4.0]])}
    extra = ["univ", "Sum$(univ)", "univ[0]"]
    events, _, _ = everything(*one(files=write_tree("a.root", columns), selection="t > 0"), extra=extra)
    assert events["univ"].tolist() == [[1.0, 2.0], [3.0], [], [4.0]]
    assert events["Sum$(univ)"].tolist() == [3, 3, 0, 4]


@pytest.mark.parametrize("role", ["background", "data"])
def test_only_signal_is_reweighted(write_tree: Write, one: One, role: str) -> None:
    columns = native(10)
    columns["t"] = columns["t"] * 1e3  # what would not do for signal
    events, report, _ = everything(*one(files=write_tree("a.root", columns), role=role))
    assert not events["pdg"].to_numpy().any()
    assert report.kept == 10
    assert ("e_nu" in events.fields) == (role == "background")


def test_background_needs_no_truth(write_tree: Write, one: One) -> None:
    columns = {name: native(10)[name] for name in ("t_reco", "theta_reco")}
    sample_set, sample = one(files=write_tree("a.root", columns), role="background")
    events, _, _ = everything(sample_set, sample)
    assert set(events.fields) == {"pdg", "t_reco", "theta_reco", "weight"}
    with pytest.raises(ConfigError, match=r"no column or branch 'e_nu'.*these files do not hold it"):
        everything(sample_set, sample, extra=["e_nu"])
    with pytest.raises(ConfigError, match=r"no column or branch 'theta_rec'; did you mean 'theta_reco'"):
        everything(sample_set, sample, extra=["theta_rec > 0.1"])


RESPONSE = Response(
    energy_stochastic=0.1,
    angle_constant=0.01,
    threshold=0.3,
    efficiency=0.8,
    efficiency_turn_on=0.5,
    efficiency_width=0.1,
)


def test_a_response_makes_the_reconstructed_columns(write_tree: Write, one: One) -> None:
    columns = truth(N)
    keys = {"files": write_tree("a.root", columns, basket=100), "response": True, "set_response": RESPONSE}
    whole, report, _ = everything(*one(**keys), extra=[schema.EFFICIENCY, schema.ENTRY])
    cut, _, inventory = everything(*one(**keys), chunk_entries=100, extra=[schema.EFFICIENCY, schema.ENTRY])
    assert len(inventory.chunks) == 10
    # Entry by entry the same, however the file was cut.
    assert ak.array_equal(whole, cut)
    assert (whole["t_reco"].to_numpy() >= 0.3).all()
    assert report.below_threshold == N - len(whole) > 0
    kept = whole[schema.ENTRY].to_numpy()
    wanted = 0.8 / (1 + np.exp(-(columns["t"][kept] - 0.5) / 0.1))
    np.testing.assert_allclose(whole["weight"], wanted, rtol=1e-12)
    np.testing.assert_array_equal(whole["weight"], whole[schema.EFFICIENCY])
    pull = (whole["t_reco"].to_numpy() / columns["t"][kept] - 1) / (0.1 / np.sqrt(columns["t"][kept]))
    far = columns["t"][kept] > 1.0
    assert abs(pull[far].mean()) < 4 / np.sqrt(far.sum())
    assert pull[far].std() == pytest.approx(1, abs=4 / np.sqrt(2 * far.sum()))


def test_the_samples_own_response_and_none(write_tree: Write, one: One) -> None:
    path = write_tree("a.root", truth(10))
    assert "t_reco" not in everything(*one(files=path, set_response=RESPONSE))[0].fields
    exact = everything(*one(files=path, response=Response()))[0]
    np.testing.assert_array_equal(exact["t_reco"], exact["t"])
    with pytest.raises(ConfigError, match=r"columns.t_reco: the sample.s response makes t_reco"):
        everything(*one(files=path, response=Response(), columns={"t_reco": "t"}))


def test_friends_come_in(write_tree: Write, one: One) -> None:
    columns = native(N) | {"event": np.arange(N) * 7}
    knobs = {"up": np.linspace(1, 2, N), "event": np.arange(N) * 7, "t": np.full(N, -5.0)}
    write_tree("a.root", columns, basket=300)
    write_tree("w.root", knobs, tree="knobs", basket=170)
    friend = Friend(files="w.root", tree="knobs", match="event")
    sample_set, sample = one(files="a.root", friends=(friend,), selection="up < 1.9")
    events, report, inventory = everything(sample_set, sample, chunk_entries=300, extra=["up", "knobs.t"])
    keep = knobs["up"] < 1.9
    np.testing.assert_array_equal(events["up"], knobs["up"][keep])
    np.testing.assert_array_equal(events["t"], columns["t"][keep])  # the tree's own goes first
    assert (events["knobs.t"].to_numpy() == -5.0).all()
    assert report.unselected == (~keep).sum()
    assert [identity.path.rpartition("/")[2] for identity in inventory.identities] == ["a.root", "w.root"]


def test_friends_that_are_not_aligned(write_tree: Write, one: One) -> None:
    write_tree("a.root", native(10) | {"event": np.arange(10)})
    write_tree("short.root", {"up": np.ones(9)}, tree="knobs")
    write_tree("other.root", {"up": np.ones(10), "event": np.arange(10)[::-1].copy()}, tree="knobs")
    with pytest.raises(DataError, match=r"short.root:knobs: a friend must have as many entries as .* found 9 for 10"):
        everything(*one(files="a.root", friends=(Friend(files="short.root"),)))
    with pytest.raises(
        DataError, match=r"a.root:events entry 0: event = 0, but in .*other.root:knobs it is 9; the friend is not"
    ):
        everything(*one(files="a.root", friends=(Friend(files="other.root", match="event"),)))
    with pytest.raises(DataError, match=r"no branch 'evt'"):
        everything(*one(files="a.root", friends=(Friend(files="other.root", match="evt"),)))
    with pytest.raises(DataError, match=r"friends\[0\]: 2 friend files for 1"):
        everything(*one(files="a.root", friends=(Friend(files=("short.root", "other.root")),)))


def test_an_rntuple_reads_as_a_tree_does(tmp_path: Path, one: One) -> None:
    columns = native(100)
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("events", {k: v[:60] for k, v in columns.items()})
        file["events"].extend({k: v[60:] for k, v in columns.items()})
    events, _, inventory = everything(*one(files="a.root"), chunk_entries=60)
    assert [(c.start, c.stop) for c in inventory.chunks] == [(0, 60), (60, 100)]
    np.testing.assert_array_equal(events["t"], columns["t"])


def test_only_the_branches_in_use_are_read(write_tree: Write, one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = native(10) | {f"unused_{i}": np.arange(10) for i in range(5)}
    sample_set, sample = one(files=write_tree("a.root", columns))
    asked: list[set[str]] = []
    original = Linked.read

    def spy(self: Any, wanted: Any, start: int, stop: int) -> Any:
        asked.append(set(wanted))
        return original(self, wanted, start, stop)

    monkeypatch.setattr(Linked, "read", spy)
    everything(sample_set, sample, extra=["unused_3"])
    assert asked == [{*native(1), "unused_3"}]


def test_columns_nobody_wants_are_not_read_nor_judged(write_tree: Write, one: One) -> None:
    columns = native(10)
    columns["t_reco"][:] = np.nan
    sample_set, sample = one(files=write_tree("a.root", columns))
    (chunk,) = read.scan(sample_set, sample).chunks
    events, _ = read.read(chunk, sample_set, sample, columns=("theta",))
    assert events.fields == ["pdg", "e_nu", "t", "theta", "weight"]
    with pytest.raises(DataError, match="t_reco = nan"):
        read.read(chunk, sample_set, sample)


def test_a_recipe_not_followed_yet(one: One) -> None:
    recipe = Recipe(flavour="numu", events=5)
    with pytest.raises(DataError, match=r"numu.root: does not exist yet; make it with spectrafit generate .*set.toml"):
        read.scan(*one(files="numu.root", generate=recipe))


def test_data_have_no_response(write_tree: Write, one: One) -> None:
    with pytest.raises(ConfigError, match=r"x.response: data have no true columns"):
        read.scan(*one(files=write_tree("a.root", native(5)), role="data", response=Response()))


def test_an_expression_given_as_a_branch(write_tree: Write, one: One) -> None:
    with pytest.raises(DataError, match=r"no branch 'El - m_e'.*; an expression is written \{ expression = ... \}"):
        read.scan(*one(files=write_tree("a.root", native(5)), columns={"t": "El - m_e"}))
