"""Progress bars, as a user at a terminal sees them: on a real pseudo-terminal, with the words and without them."""

import os
import pty
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

import spectrafit as sf
from spectrafit import progress
from spectrafit.inference.model import Component, Factor, Model, Parameter, Span, Variance
from spectrafit.progress import bar, showing

PROGRAM = """
import time
from spectrafit.progress import bar, showing

with showing({shown}), bar(4, doing="digging", unit="holes") as advance:
    for _ in range(4):
        with bar(9, doing="inside", unit="others") as within:
            within(9)
        advance(1)
        time.sleep(0.15)
"""


def on_a_terminal(program: str) -> str:
    """Run a program with a terminal as its standard error, and return what it drew."""
    ours, theirs = pty.openpty()
    drawn: list[bytes] = []

    def read() -> None:
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                return
            if not piece:
                return
            drawn.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    subprocess.run([sys.executable, "-c", program], stderr=theirs, check=True, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    reader.join()
    os.close(ours)
    return b"".join(drawn).decode()


def test_one_bar_says_what_how_much_and_how_long():
    text = on_a_terminal(PROGRAM.format(shown=True))
    assert "digging" in text
    assert re.search(r"[1-4]/4", text)
    assert "holes" in text
    assert re.search(r"\d:\d\d:\d\d", text)
    # Work inside other work has no bar of its own.
    assert "inside" not in text


def test_nothing_is_drawn_unless_a_program_asks():
    assert on_a_terminal(PROGRAM.format(shown=False)) == ""


def test_a_bar_ends_with_its_work_and_the_next_one_is_drawn(capsys):
    for doing in ("first", "second"):
        with pytest.raises(ZeroDivisionError), showing(True), bar(3, doing=doing, unit="pieces"):
            raise ZeroDivisionError
    assert not progress._drawn.locked()
    assert not progress._shown


@pytest.fixture
def told(monkeypatch):
    """What long work says of itself: words, the total, and how much was done in the end."""
    found: dict[str, list[int]] = {}

    class Drawn:
        def __init__(self, total, *, doing, unit):
            self.entry = found.setdefault(f"{doing} {unit}", [0, 0])
            self.entry[0] += total

        def __enter__(self):
            return self.add

        def __exit__(self, *_):
            return None

        def add(self, done):
            self.entry[1] += done

    for room in (
        "inference.studies.coverage",
        "inference.toys.ensemble",
        "inference.toys.mixture",
        "inference.fitting.contours",
    ):
        monkeypatch.setattr(f"spectrafit.{room}.bar", Drawn)
    return found


@pytest.fixture
def model() -> Model:
    parameters = (
        Parameter(name="kappa", kind="interest", initial=0.0, constraint="free"),
        Parameter(name="rate", initial=1.0, centre=1.0, width=0.1, constraint="gaussian"),
    )
    counts = np.array([20.0, 12.0, 6.0])
    components = (
        Component(sample="signal", start=0, nominal=0.3 * counts, factors=(Factor(parameter="kappa", values=(1.0,)),)),
        Component(sample="background", start=0, nominal=counts, factors=(Factor(parameter="rate", values=(1.0,)),)),
    )
    return Model(
        parameters=parameters,
        components=components,
        regions=(Span(name="r", start=0, stop=3),),
        data=counts,
        variances=(Variance(first=0, second=0, values=np.full(3, 0.1)),),
    )


def test_long_work_counts_to_its_end(told, model):
    sf.coverage(model, [0.0, 1.0], methods=["profile"], experiments=30)
    sf.upper_limit(model, method="feldman-cousins", toys=200, expected=False)
    sf.contour(model, "kappa", "rate", points=5)
    assert told["coverage experiments"] == [60, 60]
    assert {name.partition(" ")[0] for name in told} >= {"coverage", "throwing", "fitting"}
    for name, (total, done) in told.items():
        assert done == total > 0, name
