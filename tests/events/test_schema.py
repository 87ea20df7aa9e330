import math
import pickle

import awkward as ak
import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.events.schema import Chunk, DropReport, Inventory, convert


@pytest.mark.parametrize(
    ("name", "unit", "given", "wanted"),
    [
        ("t", "GeV", 1.5, 1.5),
        ("t", "MeV", 1500.0, 1.5),
        ("e_nu", "keV", 2.5e6, 2.5),
        ("theta", "rad", 0.2, 0.2),
        ("theta", None, 0.2, 0.2),
        ("theta", "mrad", 200.0, 0.2),
        ("theta_reco", "deg", 180.0, math.pi),
        ("theta", "cos", 0.5, math.pi / 3),
        ("weight", "1", 3.0, 3.0),
        ("mine", "MeV", 3.0, 0.003),
        ("mine", "deg", 90.0, math.pi / 2),
    ],
)
def test_convert(name: str, unit: str, given: float, wanted: float) -> None:
    assert convert(np.array([given]), name, unit, "here")[0] == pytest.approx(wanted, rel=1e-15)


def test_convert_keeps_nesting() -> None:
    assert convert(ak.Array([[1000.0], []]), "t", "MeV", "here").tolist() == [[1.0], []]


@pytest.mark.parametrize(
    ("name", "unit"), [("t", "rad"), ("theta", "MeV"), ("theta", "GeV"), ("e_nu", "cos"), ("theta_reco", "keV")]
)
def test_a_unit_of_another_quantity_is_refused(name: str, unit: str) -> None:
    with pytest.raises(ConfigError, match=rf"here: unit '{unit}' is no unit of {name}; use one of"):
        convert(np.array([1.0]), name, unit, "here")


def test_reports_add_up_and_keep_the_first_name() -> None:
    a = DropReport(entries=10, kept=7, unselected=1, bad={"t not finite": (2, "entry 3")}, rounded=1)
    b = DropReport(
        entries=5, kept=2, below_threshold=1, bad={"t not finite": (1, "entry 12"), "other": (1, "entry 11")}
    )
    total = a + b
    assert total == DropReport(
        entries=15,
        kept=9,
        unselected=1,
        below_threshold=1,
        bad={"t not finite": (3, "entry 3"), "other": (1, "entry 11")},
        rounded=1,
    )
    assert total.dropped == 4
    assert "3 dropped: t not finite (first: entry 3)" in str(total)
    assert DropReport() + a == a


def test_scale_needs_an_exposure() -> None:
    known = Inventory(sample="nu", pot=2e20, entries=0, chunks=(), identities=())
    assert known.scale(3e20) == 1.5
    unknown = Inventory(sample="nu", pot=None, entries=0, chunks=(), identities=())
    with pytest.raises(ConfigError, match=r"sample 'nu': its exposure is not known.*pot = "):
        unknown.scale(3e20)


def test_a_chunk_travels() -> None:
    chunk = Chunk(sample="nu", file="a.root", tree="events", start=5, stop=9, first=105, index=2, friends=(("b", "c"),))
    assert pickle.loads(pickle.dumps(chunk)) == chunk
    assert chunk.entries == 4
