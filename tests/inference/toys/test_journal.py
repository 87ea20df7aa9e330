"""A long job that is stopped goes on to the same bits; what is kept is refused to another job, and is capped."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import spectrafit as sf
from spectrafit.cli import main
from spectrafit.errors import ConfigError
from spectrafit.inference.studies import coverage as study
from spectrafit.inference.studies import points as scanning
from spectrafit.inference.toys import journal as module
from spectrafit.inference.toys.journal import Journal, clear, folder, journal, kept
from tests.events.ntuples import native
from tests.inference.conftest import FIT, SAMPLES
from tests.test_bad_input import write_tree


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("stopped")
    write_tree(place / "numu.root", native(1000))
    write_tree(place / "nc.root", native(500))
    (place / "set.toml").write_text(SAMPLES)
    (place / "fit.toml").write_text(FIT)
    sf.build(sf.load(place / "fit.toml")).save(place / "built.npz")
    return place


class Stop(BaseException):
    """As ctrl-C."""


def run(capfd, *words, code=0):
    with pytest.raises(SystemExit) as left:
        main(list(words))
    said = capfd.readouterr()
    assert (left.value.code or 0) == code, said
    return said


def stopped(key, *pieces, torn=""):
    """Leave the journal of a scan that was stopped after some pieces; return its path."""
    with contextlib.suppress(Stop), journal("fit.toml", "scan", key, resume=False) as work:
        assert isinstance(work, Journal)
        for number, value in enumerate(pieces):
            work.put(str(number), value)
        with work.path.open("a") as lines:
            lines.write(torn)
        raise Stop
    return work.path


def stopping(function, after):
    """Return a function that is stopped at one of its calls."""
    calls = []

    def run(*arguments, **options):
        calls.append(1)
        if len(calls) == after:
            raise Stop
        return function(*arguments, **options)

    return run


def test_pieces_come_back_and_a_torn_line_is_passed_over():
    stopped({"model": "m"}, [0.1, float("inf")], torn='{"piece": "1", "val')
    with journal("fit.toml", "scan", {"model": "m"}, resume=True) as work:
        assert (work.found, work.get("0"), work.get("1")) == (1, [0.1, float("inf")], None)
        assert "1 finished pieces" in work.words
    assert not list(folder().iterdir())


def test_another_job_is_refused():
    stopped({"model": "m", "toys": 9}, 1)
    for key, words in (
        ({"model": "n", "toys": 9}, "had another model"),
        ({"model": "m", "toys": 10}, r"had toys 9 \(now 10\)"),
    ):
        with pytest.raises(ConfigError, match=words), journal("fit.toml", "scan", key, resume=True):
            pass
    with pytest.raises(ConfigError, match="no stopped run"), journal("other.toml", "scan", {}, resume=True):
        pass
    # Without --resume the job begins anew.
    with journal("fit.toml", "scan", {"model": "m", "toys": 9}, resume=False) as work:
        assert work.get("0") is None


def test_what_is_kept_is_capped_and_cleared(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 1500)
    for number in range(5):
        os.utime(stopped({"model": str(number)}, "x" * 500), (number, number))
    left = [head["key"]["model"] for head in kept()]
    assert left[-1] == "4"
    assert 1 <= len(left) <= 3
    assert clear() > 500
    assert not kept()


@pytest.mark.parametrize(
    ("command", "name", "where", "words"),
    [
        ("coverage", "_work", study, ("--experiments", "75", "--kappa", "0", "--kappa", "1", "--method", "profile")),
        ("scan", "_work", scanning, ("--over", "pot=1e20,2e20,3e20,4e20")),
    ],
)
def test_a_stopped_job_goes_on_to_the_same_bits(place, monkeypatch, capfd, command, name, where, words):
    monkeypatch.chdir(place)
    every = (command, "fit.toml", "--templates", "built.npz", *words, "--executor", "serial", "--json")
    whole = run(capfd, *every).out
    function = getattr(where, name)
    monkeypatch.setattr(where, name, stopping(function, 3))
    with pytest.raises(Stop):
        main(list(every))
    capfd.readouterr()
    assert kept()[0]["pieces"] == 2
    again = stopping(function, 10**9)
    monkeypatch.setattr(where, name, again)
    resumed = run(capfd, *every, "--resume")
    assert resumed.out == whole
    assert not kept()
    run(capfd, *every, "--resume", code=2)


def test_toys_of_a_stopped_limit_are_used_again(place, monkeypatch, capfd):
    monkeypatch.chdir(place)
    from spectrafit.inference.toys import bank as banks

    every = ("limit", "fit.toml", "--templates", "built.npz", "--method", "feldman-cousins", "--set", "limit.toys=200")
    every += ("--executor", "serial", "--json")
    whole = json.loads(run(capfd, *every).out)
    thrown = []

    def counted(*arguments, **options):
        thrown.append(1)
        return throw(*arguments, **options)

    throw = banks.run
    monkeypatch.setattr(banks, "run", counted)
    run(capfd, *every)
    needed = len(thrown)
    monkeypatch.setattr(banks, "run", stopping(throw, needed))
    with pytest.raises(Stop):
        main(list(every))
    capfd.readouterr()
    monkeypatch.setattr(banks, "run", counted)
    thrown.clear()
    resumed = run(capfd, *every, "--resume")
    assert len(thrown) == 1
    assert json.loads(resumed.out)["limits"] == whole["limits"]
    assert "going on with its toys" in resumed.err


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_leaves_what_can_go_on(place, tmp_path):
    """A real process that is told to stop as ctrl-C does."""
    words = ("coverage", "fit.toml", "--templates", "built.npz", "--method", "profile", "--kappa", "0", "--kappa", "2")
    every = [sys.executable, "-m", "spectrafit", *words, "--experiments", "100000", "--executor", "serial"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(every, cwd=place, env=environment, stderr=subprocess.PIPE, text=True)
    for _ in range(1200):
        if any(head["pieces"] > 0 for head in kept()):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "--resume goes on" in err
    (head,) = kept()
    assert head["pieces"] > 0
