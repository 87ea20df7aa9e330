import math
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from spectrafit.errors import DataError
from spectrafit.templates import plan as module
from spectrafit.templates.build import build

SYSTEMATICS = """
[[systematics]]
kind = "weight"
name = "w"
weights = ["w_down", "w_up"]
[[systematics]]
kind = "shift"
name = "smear"
smear = 0.05
[[systematics]]
kind = "universes"
name = "multisim"
branch = "universes"
[[systematics]]
kind = "flux"
name = "flux"
"""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "_ENTRIES", 5_000)


@pytest.fixture(scope="module")
def analysis(ntuples):
    return ntuples.analysis(SYSTEMATICS)


@pytest.fixture
def serial(analysis):
    return build(analysis)


def same_bits(a, b):
    assert a.digest == b.digest
    assert a.variations == b.variations
    for name in ("counts", "squares", "entries", "residual", "flow", "data"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize(("kind", "workers"), [("threads", 1), ("threads", 3), ("processes", 2)])
def test_templates_are_the_same_bits_from_every_executor(analysis, serial, kind, workers):
    assert serial.provenance["chunks"] == 12
    same_bits(build(analysis, executor=kind, workers=workers), serial)


def test_templates_are_the_same_bits_from_an_executor_of_ones_own(analysis, serial):
    with ThreadPoolExecutor(2) as mine:
        same_bits(build(analysis, executor=mine), serial)


def test_templates_are_the_same_bits_from_dask(analysis, serial):
    distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        same_bits(build(analysis, executor="dask", scheduler=cluster.scheduler_address), serial)


def test_a_worker_killed_on_the_way_changes_nothing(analysis, serial):
    psutil = pytest.importorskip("psutil", reason="finds the workers to kill")
    killed = []

    def kill_one():
        until = time.monotonic() + 20
        while not killed and time.monotonic() < until:
            # Workers are forked by a server, which is our child.
            for worker in [w for server in psutil.Process().children() for w in children_of(server)]:
                os.kill(worker.pid, signal.SIGKILL)
                killed.append(worker.pid)
                return
            time.sleep(0.001)

    def children_of(process):
        try:
            return process.children()
        except psutil.Error:
            return []

    watcher = threading.Thread(target=kill_one)
    watcher.start()
    found = build(analysis, executor="processes", workers=2)
    watcher.join()
    assert len(killed) == 1
    same_bits(found, serial)


@pytest.mark.parametrize("kind", ["serial", "threads", "processes"])
def test_a_chunk_that_fails_names_file_and_entries(ntuples, tmp_path, kind):
    moved = ntuples.moved(tmp_path / "here")
    columns = dict(ntuples.columns["nue"])
    columns["w_up"] = columns["w_up"].copy()
    columns["w_up"][6_789] = math.nan
    moved.columns["nue"] = columns
    moved.write("nue")
    with pytest.raises(DataError, match=r"nue\.root:events entries 5000 to 8000.*'w'.*'w_up' is NaN"):
        build(moved.analysis(SYSTEMATICS), executor=kind, workers=2)


def test_anything_unforeseen_names_file_and_entries(analysis, monkeypatch):
    from spectrafit.templates import chunks

    def broken(*args, **kwargs):
        raise MemoryError("too large")

    monkeypatch.setattr(chunks.cache, "fetch", broken)
    with pytest.raises(DataError, match=r"numu_0\.root:events entries 0 to 5000: MemoryError: too large"):
        build(analysis)
