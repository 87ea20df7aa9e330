import json
from dataclasses import asdict

import numpy as np
import pytest

from spectrafit import bench
from spectrafit.bench import timing
from spectrafit.bench.timing import Timed, agree, in_turns, rate, times
from spectrafit.errors import ConfigError


@pytest.fixture(scope="module")
def filled():
    return bench.templates(quick=True, peers=["numpy"])


@pytest.fixture(scope="module")
def fitted():
    return bench.inference(quick=True, peers=["pyhf"])


def check(rows):
    for row in rows:
        assert (row.ours or 0.0) > 0.0, row
        assert (row.peer is None) == (row.ratio is None), row
        if row.ratio is not None and row.peer is not None:
            better = row.ours / row.peer if row.unit.endswith("/s") else row.peer / row.ours
            assert row.ratio == pytest.approx(better), row
    assert len({row.name for row in rows}) == len(rows)
    assert json.loads(json.dumps(bench.plain(rows)))["rows"] == [asdict(row) for row in rows]


def test_templates_compares_what_agrees(filled):
    """The bench raises where ours and a peer's sums differ, so that rows are there says that they agree."""
    check(filled)
    names = "\n".join(row.name for row in filled)
    for part in (
        "in memory",
        "universes",
        "1 worker:",
        "2 workers:",
        "from the cache",
        "threads, 2 workers",
        "time per",
    ):
        assert part in names
    with_peer = [row for row in filled if "numpy" in row.name or "per universe" in row.name]
    assert len(with_peer) == 4
    assert all(row.peer is not None for row in with_peer)


def test_inference_compares_what_agrees(fitted):
    check(fitted)
    assert sum("pyhf" in row.name and row.peer is not None for row in fitted) == 2
    assert any(row.unit == "toys/s" and row.peer is None for row in fitted)


def test_the_table_has_every_row(filled, capsys):
    bench.show(filled, "templates")
    printed = capsys.readouterr().out
    assert all(row.unit in printed for row in filled)
    assert "numba" in printed


def test_different_answers_are_not_compared():
    agree("same", [1.0, 2.0], [1.0, 2.0 + 1e-12], rtol=1e-9)
    with pytest.raises(ArithmeticError, match=r"sums: 1 of 2 numbers differ, by most in place 1: ours 2, peer 2.1"):
        agree("sums", [1.0, 2.0], [1.0, 2.1], rtol=1e-9)
    with pytest.raises(ArithmeticError, match=r"shapes \(2,\) and \(3,\)"):
        agree("sums", np.zeros(2), np.zeros(3), rtol=0.0)


@pytest.mark.parametrize("verb", [bench.templates, bench.inference])
def test_a_peer_that_is_none_is_refused(verb):
    with pytest.raises(ConfigError, match=r"no peer 'roofti', there are .*, (rdataframe|pyhf-jax)"):
        verb(quick=True, peers=["roofti"])


def test_ratios_are_above_1_where_ours_is_better():
    ours, peer = Timed(seconds=0.5, answer=None), Timed(seconds=2.0, answer=None)
    row = times("one", ours, peer, unit="ms")
    assert (row.ours, row.peer, row.ratio) == (500.0, 2000.0, 4.0)
    row = rate("other", ours, peer, 10.0, "M events/s")
    assert (row.ours, row.peer, row.ratio) == (20.0, 5.0, 4.0)
    assert times("alone", ours, None).ratio is None


def test_turns_alternate_and_long_work_is_timed_once(monkeypatch):
    done = []
    clock = iter(np.arange(0.0, 1e6, 0.5))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: float(next(clock)))
    found = in_turns({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, turns=2)
    # Twice each before the clock counts, then in turns.
    assert done == ["a", "a", "b", "b", "a", "b", "a", "b"]
    assert found["a"].seconds == pytest.approx(0.5)
    monkeypatch.setattr(timing, "_LONG", 0.1)
    done.clear()
    in_turns({"a": lambda: done.append("a")}, turns=5)
    assert done == ["a", "a"]
    monkeypatch.setattr(timing, "_TOO_LONG", 0.1)
    done.clear()
    in_turns({"a": lambda: done.append("a")}, turns=5)
    assert done == ["a"]


def test_peak_memory_grows_with_what_is_held():
    before = timing.peak_memory()
    held = np.ones(30_000_000)
    assert 0.0 < before < timing.peak_memory() < before + 2.0
    assert held[-1] == 1.0
