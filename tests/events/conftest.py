import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrafit.config import Sample, SampleSet

ROOT = Path(__file__).parents[2]
SHARED_EVENTS = ROOT.parent / "shared" / "data" / "events"


@pytest.fixture(scope="session")
def shared_events() -> Path:
    if not SHARED_EVENTS.is_dir():
        pytest.skip("../shared/data/events is not here: these tests read ntuples made by others")
    return SHARED_EVENTS


@pytest.fixture
def write_tree(tmp_path: Path) -> Callable[..., Path]:
    """Write columns to a ROOT file in baskets of `basket` entries, with a TotalPOT histogram if `pot` is given."""

    def write(
        name: str,
        columns: dict[str, Any],
        *,
        tree: str = "events",
        basket: int = 10**9,
        pot: float | None = None,
    ) -> Path:
        path = tmp_path / name
        entries = len(next(iter(columns.values())))
        with uproot.recreate(path) as file:
            kinds = {k: v.type.content if isinstance(v, ak.Array) else v.dtype for k, v in columns.items()}
            file.mktree(tree, kinds)
            for start in range(0, entries, basket):
                file[tree].extend({k: v[start : start + basket] for k, v in columns.items()})
            if pot is not None:
                file["TotalPOT"] = (np.array([pot]), np.array([0.0, 1.0]))
        return path

    return write


@pytest.fixture
def one(tmp_path: Path) -> Callable[..., tuple[SampleSet, Sample]]:
    """Make a sample set of one sample, whose TOML would be `tmp_path/set.toml`."""

    def make(**keys: Any) -> tuple[SampleSet, Sample]:
        given = {"name": "x", "role": "signal"} | keys
        response = given.pop("set_response", None)
        given = {k: os.fspath(v) if isinstance(v, Path) else v for k, v in given.items()}
        sample = Sample(**given)
        return SampleSet(samples=(sample,), response=response, path=str(tmp_path / "set.toml")), sample

    return make
