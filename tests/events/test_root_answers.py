"""Selections and expressions against ROOT's own answers, committed in `root_answers/answers.json`."""

import json
import math
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.events import expressions
from spectrafit.events.functions import passes

FOLDER = Path(__file__).with_name("root_answers")
sys.path.insert(0, str(FOLDER))
import make  # noqa: E402

sys.path.remove(str(FOLDER))

ANSWERS = json.loads((FOLDER / "answers.json").read_text())
N = len(make.COLUMNS["k"])


def columns() -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, values in make.COLUMNS.items():
        lists = isinstance(values[0], list)
        out[name] = ak.values_astype(ak.Array(values), float) if lists else np.asarray(values)
    return out


def selected(text: str) -> list[int]:
    return np.flatnonzero(np.broadcast_to(passes(expressions.evaluate(text, columns())), N)).tolist()


@pytest.mark.parametrize("text", make.SELECTIONS)
def test_a_selection_takes_the_entries_root_takes(text: str) -> None:
    assert selected(text) == ANSWERS["selections"][text]


@pytest.mark.parametrize("text", make.STRICTER)
def test_a_number_that_is_nan_passes_no_selection(text: str) -> None:
    found, roots = set(selected(text)), set(ANSWERS["selections"][text])
    nan = {entry for entry, z in enumerate(make.COLUMNS["z"]) if math.isnan(z)} if "z" in text else set()
    assert not found & nan
    if "sqrt" not in text and "log" not in text:
        assert found == roots - nan


@pytest.mark.parametrize("text", make.VALUES)
def test_a_value_is_roots_and_nan_where_root_has_none(text: str) -> None:
    found = np.broadcast_to(np.asarray(expressions.evaluate(text, columns()), float), N)
    wanted = np.full(N, np.nan)
    for entry, value in ANSWERS["values"][text]:
        wanted[entry] = value
    np.testing.assert_allclose(found, wanted, rtol=1e-15)


@pytest.mark.parametrize("text", make.REFUSED)
def test_what_root_reads_otherwise_than_meant_is_refused(text: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=r"reduce|\(a\^b\)\^c|text"):
        selected(text)


@pytest.mark.skipif(find_spec("ROOT") is None, reason="ROOT is not installed; its committed answers were compared")
def test_the_committed_answers_are_roots(tmp_path: Path) -> None:
    make.fill(str(tmp_path / "a.root"))
    found = make.ask(str(tmp_path / "a.root"))
    assert found["selections"] == ANSWERS["selections"]
    assert found["values"] == ANSWERS["values"]
