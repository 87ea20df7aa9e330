import math
import operator
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from spectrafit import execution
from spectrafit.errors import ConfigError, DataError
from spectrafit.execution import executor, imap

KILLERS = '''
import os, signal, time
from pathlib import Path

def once(item):
    """Kill the worker the first time a piece marked so comes by."""
    value, folder = item
    mark = Path(folder) / f"seen{value}"
    if value == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return value * value

def always(item):
    if item == "cursed":
        os.kill(os.getpid(), signal.SIGKILL)
    return item
'''


@pytest.fixture
def killers(tmp_path, monkeypatch):
    (tmp_path / "killers_of_workers.py").write_text(KILLERS)
    monkeypatch.syspath_prepend(tmp_path)
    import killers_of_workers

    return killers_of_workers


@pytest.mark.parametrize("kind", ["serial", "threads", "processes"])
def test_results_come_in_order(kind):
    with executor(kind, 2) as pool:
        assert list(imap(pool, math.factorial, range(30))) == [math.factorial(i) for i in range(30)]


def test_order_holds_when_the_first_is_slowest():
    def work(i):
        time.sleep(0.05 if i == 0 else 0)
        return i

    with executor("threads", 3) as pool:
        assert list(imap(pool, work, range(12))) == list(range(12))


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor_is_accepted_and_left_open(kind):
    import multiprocessing

    options = {"mp_context": multiprocessing.get_context("spawn")} if kind is ProcessPoolExecutor else {}
    with kind(2, **options) as mine:
        with executor(mine) as pool:
            assert pool.workers == 2
            assert list(imap(pool, operator.neg, range(5))) == [0, -1, -2, -3, -4]
        assert mine.submit(operator.neg, 1).result() == -1


def test_the_window_is_bounded():
    given = []

    def items():
        for i in range(100):
            given.append(i)
            yield i

    with executor("threads", 2) as pool:
        for done in imap(pool, operator.pos, items()):
            assert len(given) <= done + 1 + 4
    given.clear()
    with executor("serial") as pool:
        for done in imap(pool, operator.pos, items()):
            assert len(given) == done + 1


def test_an_error_in_a_piece_is_raised_and_the_rest_cancelled():
    begun = []
    lock = threading.Lock()

    def work(i):
        with lock:
            begun.append(i)
        time.sleep(0.01)
        return 1 / (i - 2)

    with executor("threads", 1) as pool, pytest.raises(ZeroDivisionError):
        list(imap(pool, work, range(50)))
    assert len(begun) < 10


def test_a_killed_worker_costs_only_its_piece(killers, tmp_path):
    with executor("processes", 2) as pool:
        items = [(i, str(tmp_path)) for i in range(12)]
        assert list(imap(pool, killers.once, items)) == [i * i for i in range(12)]
    assert (tmp_path / "seen3").exists()


def test_a_piece_that_kills_every_worker_is_named(killers):
    found = []
    with executor("processes", 2) as pool, pytest.raises(DataError, match=r"^cursed: the worker on this piece died"):
        found.extend(imap(pool, killers.always, ["a", "b", "cursed", "c", "d"]))


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs a server of workers")
def test_a_server_of_workers_that_ends_is_started_again():
    from multiprocessing import forkserver

    with executor("processes", 2) as pool:
        assert list(imap(pool, operator.neg, range(4))) == [0, -1, -2, -3]
    with executor("processes", 2) as pool:
        # CPython 3.11's server ends when a client goes away before it has sent its pipes. Workers are started after
        # that: their start fails, once the server is about to end.
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(forkserver._forkserver._forkserver_address)
        assert list(imap(pool, operator.neg, range(4))) == [0, -1, -2, -3]


def test_the_callers_broken_executor_is_not_replaced(killers):
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as mine, executor(mine) as pool, pytest.raises(DataError):
        list(imap(pool, killers.always, ["cursed"]))


def test_a_dask_cluster_does_the_same(killers, tmp_path):
    distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        with executor("dask", scheduler=cluster.scheduler_address) as pool:
            assert pool.workers == 2
            assert list(imap(pool, math.factorial, range(20))) == [math.factorial(i) for i in range(20)]
        with distributed.Client(cluster) as client, executor(client.get_executor()) as pool:
            assert list(imap(pool, math.factorial, range(20))) == [math.factorial(i) for i in range(20)]


def test_workers_that_come_later_are_given_work(monkeypatch):
    distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")
    monkeypatch.setattr(execution, "_ASK_AGAIN", 0.0)
    options = {"processes": False, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=0, **options) as cluster,
        executor("dask", scheduler=cluster.scheduler_address) as pool,
    ):
        threading.Timer(0.3, cluster.scale, (1,)).start()
        given = []
        results = imap(pool, operator.neg, (given.append(i) or i for i in range(60)))
        assert next(results) == 0
        assert len(given) == 2
        cluster.scale(4)
        distributed.get_client(cluster.scheduler_address).wait_for_workers(4)
        assert [next(results), next(results)] == [-1, -2]
        assert pool.workers == 4
        assert 8 <= len(given) <= 10
        assert list(results) == [-i for i in range(3, 60)]


@contextmanager
def somebody_at(port):
    with socket.socket() as taken:
        with suppress(OSError):
            taken.bind(("127.0.0.1", port))
            taken.listen()
        yield


def test_a_dask_cluster_of_our_own_keeps_freed_memory_and_shares_the_machine(monkeypatch):
    pytest.importorskip("distributed", reason="needs the extra [dask]")
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    with somebody_at(8787), executor("dask", 1) as pool:
        assert pool.current.submit(os.environ.get, "MALLOC_TRIM_THRESHOLD_").result() is None


def test_a_script_that_asks_as_it_is_imported_is_told(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "import math\nfrom spectrafit.execution import executor, imap\n"
        "with executor('processes', 1) as pool:\n    print(list(imap(pool, math.factorial, range(3))))\n"
    )
    options = {"capture_output": True, "text": True, "timeout": 100, "check": False}
    refused = subprocess.run([sys.executable, script], **options)
    assert "let a script begin its work under if __name__ == '__main__'" in refused.stderr.splitlines()[-1]
    head, _, work = script.read_text().partition("with")
    script.write_text(f"{head}if __name__ == '__main__':\n  with{work.replace('    print', '      print')}")
    assert subprocess.run([sys.executable, script], **options).stdout == "[1, 1, 2]\n"


def test_mistakes_are_named(monkeypatch):
    for arguments, options, message in [
        (("thread",), {}, "did you mean 'threads'"),
        (("threads", 0), {}, "at least one"),
        (("threads",), {"scheduler": "tcp://x:1"}, "goes with executor 'dask'"),
    ]:
        with pytest.raises(ConfigError, match=message), executor(*arguments, **options):
            pass
    if find_spec("distributed"):
        with pytest.raises(ConfigError, match=r"'nowhere': cannot be reached"), executor("dask", scheduler="nowhere"):
            pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"\[dask\]"), executor("dask"):
        pass


PARENT = """
import os, signal, sys, time
from spectrafit.execution import executor, imap
from tests.test_execution import slow

if __name__ == "__main__":
    with executor("processes", 2) as pool:
        for found in imap(pool, slow, range(1000)):
            print(found, flush=True)
"""


def slow(_: int) -> int:
    time.sleep(0.2)
    return os.getpid()


def test_workers_of_a_parent_that_is_killed_end(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)]),
    }
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    workers = {int(parent.stdout.readline()) for _ in range(8)}
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 30.0
    while time.monotonic() < end and any(alive(worker) for worker in workers):
        time.sleep(0.1)
    assert not [worker for worker in workers if alive(worker)]


def alive(process: int) -> bool:
    """Whether a process runs: one that has ended and was not asked for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
