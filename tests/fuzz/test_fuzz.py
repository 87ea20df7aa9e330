"""A modest share of the fuzzing in every run of the tests; `scripts/fuzz --minutes N` does more of the same.

The number of a try says all of it: `run(kind, ..., number)` repeats what failed.
"""

import tomllib
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import spectrafit as sf
from spectrafit.errors import SpectrafitError
from tests.fuzz.mutations import broken_bytes, broken_tree, toml
from tests.fuzz.targets import FIT, KINDS, prepare, run

TRIES = {
    "configuration": 120,
    "text of configuration": 60,
    "ROOT file": 25,
    "covariance": 60,
    "flux table": 60,
    "templates": 20,
    "cache": 10,
    "bank": 40,
    "workspace": 25,
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "prepared"
    prepare(folder)
    return folder


def test_every_kind_is_tried() -> None:
    assert TRIES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_broken_input_is_refused_or_read_and_nothing_else(kind: str, prepared: Path, tmp_path: Path) -> None:
    for seed in range(TRIES[kind]):
        found = run(kind, prepared, tmp_path / "try", 1_000_000 + seed)
        assert not found.failure, f"{kind}, seed {1_000_000 + seed}: {found.failure}"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.randoms(use_true_random=False))
def test_trees_that_hypothesis_breaks_are_refused_or_read(draw: Random, prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "set.toml").write_bytes((prepared / "set.toml").read_bytes())
    (tmp_path / "fit.toml").write_text(toml(broken_tree(tomllib.loads(FIT), draw)), encoding="utf-8")
    said = ""
    try:
        sf.load(tmp_path / "fit.toml")
    except SpectrafitError as error:
        said = str(error)
    assert "\n" not in said


def test_mutations_change_something_and_repeat() -> None:
    content = bytes(range(256))
    assert broken_bytes(content, Random(1)) == broken_bytes(content, Random(1))
    assert sum(broken_bytes(content, Random(seed)) != content for seed in range(100)) > 90
    assert broken_bytes(b"", Random(1)) == b""
