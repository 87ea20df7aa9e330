"""The trials of `scripts/try_slurm` and `scripts/try_xrootd` in small, where the programs are installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machines.daemons import Absent, Failed, main, need, until

PROJECT = Path(__file__).parents[2]


def tried(module: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if "skipped" in done.stdout:
        pytest.skip(done.stdout.strip())
    return done.stdout


def test_files_are_read_from_a_data_server_that_stops_and_comes_back():
    said = tried("tests.machines.xrootd", "--events", "3000")
    assert "build, threads: same bits" in said
    assert "build, processes: same bits" in said
    assert "limit: the same" in said
    assert "numubar.root: entries 0 to" in said
    assert said.splitlines()[-1] == "server back: the same command succeeds, to the same bits"


def test_jobs_of_slurm_fill_templates_and_throw_toys():
    said = tried("tests.machines.slurm", "--events", "3000", "--draws", "40", "--toys", "40")
    assert "chunks: the same bits as serial" in said
    assert "in its hands: the same bits as serial" in said
    assert "an array of 2 jobs threw" in said


def test_a_program_that_is_missing_is_a_reason_to_skip(capsys):
    def trial() -> None:
        need(["no-such-daemon"], "no-such-package")

    with pytest.raises(Absent, match="apt-get install no-such-package"):
        trial()
    assert main("try_it", trial) == 0
    assert capsys.readouterr().out == (
        "try_it: skipped, no-such-daemon is not installed (Debian and Ubuntu: apt-get install no-such-package)\n"
    )


def test_a_trial_that_fails_says_so(capsys):
    with pytest.raises(Failed, match="waited 0 s for the moon"):
        until(lambda: False, seconds=0.0, what="the moon")
    assert main("try_it", lambda: until(lambda: False, seconds=0.0, what="the moon")) == 1
    assert capsys.readouterr().err == "try_it: failed: waited 0 s for the moon\n"
