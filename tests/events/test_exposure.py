from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from spectrafit.config import PotSource
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import read
from tests.events.ntuples import native

Write = Callable[..., Path]
One = Callable[..., Any]


def pot(one: One, **keys: Any) -> Any:
    return read.scan(*one(**keys)).pot


def test_a_number_is_for_all_files(write_tree: Write, one: One) -> None:
    for i in range(3):
        write_tree(f"nu_{i}.root", native(5), pot=1e19)
    assert pot(one, files="nu_*.root", pot=7e20) == 7e20


def test_histograms_add_up_bins_and_flow_included(write_tree: Write, one: One, tmp_path: Path) -> None:
    for i in range(2):
        path = write_tree(f"nu_{i}.root", native(5))
        with uproot.update(path) as file:
            # numpy gives uproot no flow bins; a histogram with several bins is summed.
            file["spills/hPOT"] = (np.array([1e19, 2e19 * (i + 1)]), np.array([0.0, 1.0, 2.0]))
    assert pot(one, files="nu_*.root", pot=PotSource(histogram="spills/hPOT")) == pytest.approx(8e19)


def test_branches_add_up(write_tree: Write, one: One) -> None:
    for i in range(2):
        path = write_tree(f"nu_{i}.root", native(5))
        with uproot.update(path) as file:
            file.mktree("pottree", {"pot": np.dtype("f4")}).extend({"pot": np.full(100, 1e17, dtype=np.float32)})
    said = PotSource(branch="pot", tree="pottree")
    assert pot(one, files="nu_*.root", tree="events", pot=said) == pytest.approx(2e19, rel=1e-6)


def test_a_generators_equivalent(write_tree: Write, one: One) -> None:
    # 118.5 nu/m2/1e6 POT, 4e-42 cm2 per electron, 1e32 electrons: 4.74e-18 events per POT.
    said = {"flux": 118.5, "cross_section": 4e-42, "targets": 1e32}
    path = write_tree("a.root", native(1000))
    assert pot(one, files=path, pot=PotSource(**said)) == pytest.approx(1000 / 4.74e-18)
    assert pot(one, files=path, pot=PotSource(**said, entries=5000)) == pytest.approx(5000 / 4.74e-18)


def test_the_presets_place_is_the_default(write_tree: Write, one: One) -> None:
    assert pot(one, files=write_tree("a.root", native(5), pot=3e20)) == 3e20
    assert pot(one, files=write_tree("b.root", native(5))) is None
    # Not in all files: nothing is said of their sum.
    assert pot(one, files=("a.root", "b.root")) is None


def test_what_is_wrong_is_said(write_tree: Write, one: One) -> None:
    path = write_tree("a.root", native(5), pot=0.0)
    with pytest.raises(DataError, match=r"an exposure must be positive, found 0 POT"):
        pot(one, files=path)
    with pytest.raises(DataError, match=r"no histogram 'TotalPOTs'; did you mean 'TotalPOT'\?, wanted by .*x.pot"):
        pot(one, files=path, pot=PotSource(histogram="TotalPOTs"))
    with pytest.raises(DataError, match=r"'events' is a TTree, not a histogram"):
        pot(one, files=path, pot=PotSource(histogram="events"))
    with pytest.raises(DataError, match=r"a.root:events: no branch 'pots'"):
        pot(one, files=path, pot=PotSource(branch="pots", tree="events"))
    with pytest.raises(ConfigError, match=r"say which tree the branch 'pot' is in"):
        pot(one, files=path, pot=PotSource(branch="pot"))
    with pytest.raises(DataError, match=r"found -1 POT"):
        pot(one, files=path, pot=-1.0)


def test_skipped_files_take_their_exposure_along(write_tree: Write, one: One, tmp_path: Path) -> None:
    for i in range(2):
        write_tree(f"nu_{i}.root", native(5), pot=1e19)
    (tmp_path / "nu_2.root").write_bytes(b"nothing")
    inventory = read.scan(*one(files="nu_*.root"), skip_bad_files=True)
    assert inventory.pot == pytest.approx(2e19)
    assert [path.rpartition("/")[2] for path, _ in inventory.skipped] == ["nu_2.root"]
    # A number is for all files, three; two like ones are two thirds of it.
    assert read.scan(*one(files="nu_*.root", pot=3e19), skip_bad_files=True).pot == pytest.approx(2e19)
    said = {"flux": 118.5, "cross_section": 4e-42, "targets": 1e32}
    found = read.scan(*one(files="nu_*.root", pot=PotSource(**said)), skip_bad_files=True)
    assert found.pot == pytest.approx(10 / 4.74e-18)
    found = read.scan(*one(files="nu_*.root", pot=PotSource(**said, entries=15)), skip_bad_files=True)
    assert found.pot == pytest.approx(10 / 4.74e-18)
    # Which part of it is that of a file twice as large nobody knows.
    write_tree("nu_1.root", native(2000))
    with pytest.raises(
        ConfigError, match=r"one number is given for all files, but some were skipped.*remove the bad files"
    ):
        read.scan(*one(files="nu_*.root", pot=3e19), skip_bad_files=True)
