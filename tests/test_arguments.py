"""Numbers and paths of the command line are checked before a command runs, and options mean what their names say."""

import math
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit.cli import arguments, main, options
from spectrafit.errors import ConfigError


def seen(**values):
    """Run a command with one argument of each name that a check knows, and return what reached it."""
    found = {}

    @arguments.checked
    def command(
        *,
        workers: int = 1,
        seed: int = 0,
        level: float = 0.9,
        exposure: float = 1.0,
        kappa: float = 0.0,
        paths: list = (),
    ) -> None:
        found.update(workers=workers, seed=seed, level=level, exposure=exposure, kappa=kappa, paths=paths)

    command(**values)
    return found


@given(st.integers(1, 2**62), st.integers(0, 2**62), st.floats(0, 1), st.floats(0, 1e60), st.floats(-1e60, 1e60))
def test_sound_values_arrive_as_they_are(workers, seed, level, exposure, kappa):
    given = {"workers": workers, "seed": seed, "level": level, "exposure": exposure, "kappa": kappa, "paths": ["a b"]}
    assert seen(**given) == given


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"workers": 0}, "--workers 0: needs a whole number from 1"),
        ({"seed": -1}, "--seed -1: needs a whole number from 0"),
        ({"seed": 2**62 + 1}, "needs a whole number from 0 to 2"),
        ({"level": 1.1}, "--level 1.1: needs a number from 0 to 1"),
        ({"exposure": -1.0}, "--exposure -1.0: needs 0 or more"),
        ({"kappa": math.nan}, "--kappa nan: needs a finite number"),
        ({"kappa": math.inf}, "--kappa inf: needs a finite number"),
        ({"paths": [Path("sound"), Path("a\0b")]}, "holds a NUL character"),
    ],
)
def test_other_values_are_refused_by_option(values, message):
    with pytest.raises(ConfigError, match=message):
        seen(**values)


def test_progress_is_for_people(monkeypatch):
    for answer in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda answer=answer: answer, raising=False)
        assert options.interactive() is answer


def test_the_command_compile_says_how_many_kernels_are_ready(monkeypatch, capsys):
    monkeypatch.setattr("spectrafit.jit.prepare_all", lambda package: {"spectrafit": (41, 3)}[package])
    with pytest.raises(SystemExit) as left:
        main(["compile"])
    assert not left.value.code
    assert capsys.readouterr().out.strip() == "41 kernels are ready"
