import errno
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrafit.config import Friend
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import read, reweight
from tests.events.ntuples import M_E, native, truth

Write = Callable[..., Path]
One = Callable[..., Any]
ALPHA, G_F, HBARC2 = 7.2973525643e-3, 1.1663788e-5, 3.893793721718594e-28


def ratio(pdg: Any, e_nu: Any, t: Any, mu: float, s2w: float) -> Any:
    """dsigma_mu/dT over dsigma_SM/dT, from equations 28 and 34 of the note."""
    gv = 2 * s2w + np.where(np.abs(pdg) == 12, 0.5, -0.5)
    ga = np.where(np.abs(pdg) == 12, 0.5, -0.5) * np.sign(pdg)
    sm = (gv + ga) ** 2 + (gv - ga) ** 2 * (1 - t / e_nu) ** 2 + (ga**2 - gv**2) * M_E * t / e_nu**2
    sm = sm * G_F**2 * M_E / (2 * math.pi) * HBARC2
    return math.pi * ALPHA**2 / M_E**2 * HBARC2 * mu**2 * (1 / t - 1 / e_nu) / sm


def friend(path: Path) -> Any:
    return uproot.open(path)["spectrafit"].arrays(library="np")


@pytest.mark.parametrize("chunk_entries", [10**6, 300, 77])
def test_the_friend_is_aligned(write_tree: Write, tmp_path: Path, chunk_entries: int) -> None:
    columns = native(1000)
    columns["pdg"][::3] = 0
    columns["pdg"][1::3] = -14
    columns["t_reco"][:] = np.nan  # not needed for weights, and so not asked for
    columns["t"][::3] = -1.0  # background has no such truth, and is not asked for it
    source = write_tree("in.root", columns, basket=300)
    out = reweight.reweight(source, tmp_path / "out.root", value=7e-10, chunk_entries=chunk_entries)
    assert out == tmp_path / "out.root"
    found = friend(out)
    assert set(found) == {"weight", "coefficient_1"}
    signal = columns["pdg"] != 0
    wanted = np.where(signal, ratio(columns["pdg"], columns["e_nu"], np.abs(columns["t"]), 1e-10, 0.23863), 0.0)
    np.testing.assert_allclose(found["coefficient_1"], wanted, rtol=1e-8)
    np.testing.assert_allclose(found["weight"], 1 + 49 * wanted, rtol=1e-9)
    # Exactly so for background, and never NaN.
    assert (found["weight"][~signal] == 1.0).all()
    assert (found["coefficient_1"][~signal] == 0.0).all()
    assert np.isfinite(found["weight"]).all()


def test_the_friend_reads_back_as_one(write_tree: Write, tmp_path: Path, one: One) -> None:
    columns = native(1000)
    write_tree("in.root", columns, basket=300)
    reweight.reweight(tmp_path / "in.root", tmp_path / "out.root")
    sample_set, sample = one(files="in.root", friends=(Friend(files="out.root"),))
    (chunk,) = read.scan(sample_set, sample).chunks
    events, _ = read.read(chunk, sample_set, sample, extra=["spectrafit.weight", "coefficient_1"])
    wanted = ratio(columns["pdg"], columns["e_nu"], columns["t"], 1e-9, 0.23863)
    np.testing.assert_allclose(events["spectrafit.weight"], 1 + wanted, rtol=1e-9)
    np.testing.assert_array_equal(events["weight"], columns["weight"])  # the ntuple's own


def test_other_couplings_values_and_angles(write_tree: Write, tmp_path: Path) -> None:
    columns = truth(200)
    source = write_tree("in.root", columns)
    found = friend(
        reweight.reweight(source, tmp_path / "r.root", coupling="charge_radius", value=-3e-32, sin2_theta_w=0.231)
    )
    # g_V + K <r^2>: SM cross sections at a shifted vector coupling; K from the physics specification.
    shift = 2.379558505789e30

    def bracket(r2: float) -> Any:
        gv, ga = 2 * 0.231 - 0.5 + shift * r2, -0.5
        e, t = columns["e_nu"], columns["t"]
        return (gv + ga) ** 2 + (gv - ga) ** 2 * (1 - t / e) ** 2 + (ga**2 - gv**2) * M_E * t / e**2

    np.testing.assert_allclose(found["weight"], bracket(-3e-32) / bracket(0), rtol=1e-9)
    # coefficient_p is for one unit of kappa, 1e-32 cm2: weight(v) = 1 + c1 v + c2 v^2.
    np.testing.assert_allclose(
        1 + 2 * found["coefficient_1"] + 4 * found["coefficient_2"], bracket(2e-32) / bracket(0), rtol=1e-9
    )


def test_flavours_without_the_coupling_keep_their_weight(write_tree: Write, tmp_path: Path) -> None:
    columns = truth(50)
    columns["pdg"][:25] = 12
    source = write_tree("in.root", columns)
    default = friend(reweight.reweight(source, tmp_path / "a.root"))
    assert (default["weight"][:25] == 1.0).all()
    assert (default["weight"][25:] > 1.0).all()
    every = friend(reweight.reweight(source, tmp_path / "b.root", carriers=["nue", "numu"]))
    title = uproot.open(tmp_path / "b.root")["spectrafit"].title
    assert title == "magnetic_moment = 1e-09 mu_B of nue, numu; coefficients at 1e-10; sin2_theta_w = 0.23863"
    np.testing.assert_allclose(
        every["weight"] - 1, ratio(columns["pdg"], columns["e_nu"], columns["t"], 1e-9, 0.23863), rtol=1e-6
    )


def test_own_columns_tree_and_name(write_tree: Write, tmp_path: Path) -> None:
    columns = truth(50)
    tree = {"Enu": columns["e_nu"], "Tkin": columns["t"]}
    source = write_tree("in.root", tree, tree="ana/nue")
    out = reweight.reweight(
        source,
        tmp_path / "o.root",
        preset="native",
        tree="ana/nue",
        columns={"pdg": 14.0, "e_nu": "Enu", "t": "Tkin"},
        name="w",
    )
    assert uproot.open(out)["w"].num_entries == 50
    with pytest.raises(ConfigError, match=r"no preset reads its trees \(ana/nue\)"):
        reweight.reweight(source, tmp_path / "p.root")


def test_jagged_arrays_in_python() -> None:
    pdg = ak.Array([[14, 0], [], [12, -14, 14]])
    e_nu = ak.Array([[2.0, 2.0], [], [3.0, 3.0, 3.0]])
    t = ak.Array([[0.5, 0.5], [], [0.3, 0.3, 5.0]])
    weight, (coefficient,) = reweight.factors(pdg, e_nu, t, value=1e-9)
    assert [len(x) for x in weight.tolist()] == [2, 0, 3]
    assert weight[0, 0] == pytest.approx(1 + ratio(14, 2.0, 0.5, 1e-9, 0.23863), rel=1e-9)
    assert weight[2, 1] == pytest.approx(1 + ratio(-14, 3.0, 0.3, 1e-9, 0.23863), rel=1e-9)
    assert coefficient[0, 0] == pytest.approx(ratio(14, 2.0, 0.5, 1e-10, 0.23863), rel=1e-9)
    # Background, a flavour that does not carry it, and what lies outside the domain.
    for row, column in ((0, 1), (2, 0), (2, 2)):
        assert (weight[row, column], coefficient[row, column]) == (1.0, 0.0)


def test_factors_broadcast_and_keep_shape() -> None:
    e_nu = np.full((2, 3), 2.0)
    weight, (coefficient,) = reweight.factors(14, e_nu, 0.5)
    assert weight.shape == coefficient.shape == (2, 3)
    scalar, _ = reweight.factors(14, 2.0, 0.5)
    assert scalar == weight[0, 0] == pytest.approx(1.216390183765607, rel=1e-9)  # note's table: 0.21639018
    deep, _ = reweight.factors(ak.Array([14, 14]), ak.Array([2.0, 3.0]), ak.Array([[[0.5], []], [[0.5, 0.6]]]))
    assert ak.num(deep, axis=2).tolist() == [[1, 0], [2]]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"coupling": "magnetic"}, r"no coupling 'magnetic'; did you mean 'magnetic_moment'"),
        ({"preset": "gts"}, r"no preset 'gts'"),
        ({"on_bad": "ignore"}, r"on_bad: 'ignore'"),
    ],
)
def test_mistakes(write_tree: Write, tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    source = write_tree("in.root", native(5))
    with pytest.raises(ConfigError, match=message):
        reweight.reweight(source, tmp_path / "out.root", **keys)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.root"]


def test_the_ntuple_is_not_written_over(write_tree: Write) -> None:
    source = write_tree("in.root", native(5))
    with pytest.raises(ConfigError, match="is the ntuple itself"):
        reweight.reweight(source, source)


def test_bad_entries(write_tree: Write, tmp_path: Path) -> None:
    columns = native(100)
    columns["t"][60] = 50.0
    source = write_tree("in.root", columns, basket=30)
    with pytest.raises(DataError, match=r"in.root:events entry 60: t = 50 GeV exceeds"):
        reweight.reweight(source, tmp_path / "out.root", chunk_entries=30)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.root"]
    found = friend(reweight.reweight(source, tmp_path / "out.root", on_bad="drop", chunk_entries=30))
    assert len(found["weight"]) == 100
    assert (found["weight"][60], found["coefficient_1"][60]) == (1.0, 0.0)
    assert (np.delete(found["weight"], 60) > 1).all()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_nothing_half_written(
    write_tree: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruption: BaseException
) -> None:
    source = write_tree("in.root", native(100), basket=30)
    target = tmp_path / "out.root"
    reweight.reweight(source, target)
    before = target.read_bytes()
    original, calls = read.read, []

    def interrupted(*arguments: Any, **keys: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 3:
            raise interruption
        return original(*arguments, **keys)

    monkeypatch.setattr(read, "read", interrupted)
    wanted = KeyboardInterrupt if isinstance(interruption, KeyboardInterrupt) else DataError
    with pytest.raises(wanted) as caught:
        reweight.reweight(source, target, chunk_entries=30)
    if wanted is DataError:
        assert "out.root: cannot be written (No space left on device)" in str(caught.value)
    assert target.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.root", "out.root"]


def test_a_write_the_system_refuses(write_tree: Write, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits on file sizes are a matter of Unix")
    source = write_tree("in.root", native(20_000), basket=5000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        with pytest.raises(DataError, match=r"out.root: cannot be written \(File too large\); nothing was left there"):
            reweight.reweight(source, tmp_path / "out.root", chunk_entries=5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.root"]
    with pytest.raises(DataError, match=r"in.root/out.root: cannot be written"):
        reweight.reweight(source, source / "out.root")


def test_a_folder_is_made(write_tree: Write, tmp_path: Path) -> None:
    out = reweight.reweight(write_tree("in.root", native(5)), tmp_path / "a" / "b" / "out.root")
    assert out.exists()
    assert [p.name for p in out.parent.iterdir()] == ["out.root"]


def test_a_file_whose_neutrinos_do_not_carry_the_coupling_is_warned_of(write_tree: Write, tmp_path: Path) -> None:
    columns = truth(50)
    said: list[str] = []
    reweight.reweight(write_tree("in.root", columns), tmp_path / "a.root", tell=said.append)
    mean = friend(tmp_path / "a.root")["weight"].mean()
    assert said[0].startswith(f"50 entries, 50 of them nu-e events; mean weight {mean:.6g}, from ")
    assert said[0].endswith("relative to sin^2 theta_W = 0.23863")
    columns["pdg"][:] = 12
    source = write_tree("nue.root", columns)
    with pytest.warns(
        UserWarning, match=r"nue.root: every weight is 1: magnetic_moment is carried by .*50 of PDG code 12"
    ):
        reweight.reweight(source, tmp_path / "b.root")
    reweight.reweight(source, tmp_path / "c.root", carriers=["nue"])


def test_the_friend_is_not_the_ntuple_under_another_name(write_tree: Write, tmp_path: Path) -> None:
    source = write_tree("in.root", truth(5))
    (tmp_path / "link.root").symlink_to(source)
    (tmp_path / "sub").mkdir()
    for target in (tmp_path / "link.root", tmp_path / "sub" / ".." / "in.root"):
        with pytest.raises(ConfigError, match="is the ntuple itself"):
            reweight.reweight(source, target)


def test_weights_of_arrays_in_memory() -> None:
    """Awkward records, a dict of arrays, a structured array: 1 + the ratio of cross sections, in their structure."""
    columns = truth(60)
    columns["pdg"][:10], columns["pdg"][10:20], columns["pdg"][20:30] = 0, 12, 211
    wanted = 1 + np.where(columns["pdg"] == 14, ratio(14, columns["e_nu"], columns["t"], 2e-9, 0.231), 0.0)
    records = np.zeros(60, dtype=[(name, values.dtype) for name, values in columns.items()])
    for name, values in columns.items():
        records[name] = values
    for events in (columns, records, ak.Array(columns)):
        found = reweight.weights(events, "magnetic_moment", 2e-9, sin2_theta_w=0.231)
        np.testing.assert_allclose(found, wanted, rtol=1e-9)
    jagged = ak.unflatten(ak.Array(columns), [7, 0, 53])
    found = reweight.weights(jagged, "magnetic_moment", 2e-9, sin2_theta_w=0.231)
    assert ak.num(found).tolist() == [7, 0, 53]
    np.testing.assert_allclose(ak.flatten(found), wanted, rtol=1e-9)
    renamed = {"nu": columns["pdg"], "e_nu": columns["e_nu"], "T": columns["t"]}
    both = reweight.weights(
        renamed, value={"magnetic_moment": 2e-9, "charge_radius": 0.0}, columns={"pdg": "nu", "t": "T"}
    )
    np.testing.assert_allclose(both, reweight.weights(columns, value=2e-9), rtol=1e-12)


def test_weights_name_what_is_wrong() -> None:
    columns = truth(5)
    columns["t"][3] = 99.0
    with pytest.raises(DataError, match=r"event 3: t = 99 GeV at e_nu = .*needs 0 < t <= .*1 such events"):
        reweight.weights(columns)
    found = reweight.weights(columns, on_bad="drop")
    assert (found[3], found[2] > 1.0) == (1.0, True)
    with pytest.raises(ConfigError, match=r"no column 'e_nu' for e_nu; did you mean 'e_nuu'\? \(there are: pdg, e_nuu"):
        reweight.weights({"pdg": [14], "e_nuu": [2.0], "t": [0.5]})
    with pytest.raises(ConfigError, match="no coupling 'magnetic'"):
        reweight.weights(columns, "magnetic")
