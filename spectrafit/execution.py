"""Runs pieces of work and returns their results in order: the only concurrency of the package.

Kernels are serial; several chunks run at once. An executor is one of `EXECUTORS` or any `concurrent.futures.Executor`
(dask's through `Client.get_executor()`). Results come back in order, so sums over them are the same bits whichever
worker did the work. If a worker dies, only its own piece is lost. The pieces in flight are tried again, one at a time,
so that a piece that kills every worker is found and named.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from spectrafit.errors import ConfigError, DataError, nearest

__all__ = ["EXECUTORS", "Pool", "executor", "imap"]

EXECUTORS = ("serial", "threads", "processes", "dask")

# A piece that has lost its worker this often is given up.
_ATTEMPTS = 3
# Seconds between two checks by which a worker learns whether its parent process still lives.
_WATCH = 1.0
# Seconds after which a cluster is asked again how many workers it has.
_ASK_AGAIN = 2.0
# Seconds in which a server of workers that fails has ended.
_PAUSE = 0.5
_END: Any = object()
_DASK_ENVIRONMENT = "distributed.nanny.pre-spawn-environ"

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Serial(Executor):
    """Does the work at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@dataclass(kw_only=True, eq=False)
class Pool:
    """An executor in use, and the means to replace it if a worker dies.

    Attributes
    ----------
    current : Executor
        The executor that takes work.
    workers : int
        Pieces done at once; results are held for at most twice as many.
    count : callable or None
        Returns the present number of workers, if workers come and go, as the jobs of a batch system do.
    renew : callable or None
        Makes a fresh executor; None if the executor is the caller's, or replaces its workers itself.
    death : tuple of exception types
        The exceptions that the executor raises when a worker dies.
    """

    current: Executor
    workers: int
    count: Callable[[], int] | None = field(default=None)
    renew: Callable[[], Executor] | None = field(default=None)
    death: tuple[type[Exception], ...] = (BrokenExecutor,)

    def replace(self) -> bool:
        """Put a fresh executor in the place of a broken one; return whether there is one."""
        if self.renew is None:
            return False
        _abandon(self.current)
        self.current = self.renew()
        return True


@contextmanager
def executor(
    kind: str | Executor | Pool,
    workers: int | None = None,
    *,
    scheduler: str | None = None,
    preload: Sequence[str] = (),
) -> Iterator[Pool]:
    """Open a pool of workers for the length of a `with` block.

    Parameters
    ----------
    kind : {"serial", "threads", "processes", "dask"} or concurrent.futures.Executor or Pool
        An executor or a pool given as an object is used unchanged and left open.
    workers : int, optional
        Pieces done at once; default one per core. With a dask `scheduler`, its own number of threads.
    scheduler : str, optional
        Address of a running dask scheduler (``tcp://host:port``); without it dask starts a cluster on this machine.
    preload : sequence of str
        Modules worker processes import once, before they are forked off.

    Raises
    ------
    ConfigError
        The name is unknown, the number of workers is below 1, or a package that dask needs is missing.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"workers = {workers}: at least one is needed")
    if scheduler is not None and kind != "dask":
        raise ConfigError(f"scheduler {scheduler!r} goes with executor 'dask', found {kind!r}")
    if isinstance(kind, Pool):
        yield kind
        return
    count = workers or os.cpu_count() or 1
    with ExitStack() as stack:
        if isinstance(kind, Executor):
            client = None if workers else getattr(kind, "_client", None)  # of a dask executor
            pool = Pool(
                current=kind,
                workers=workers or getattr(kind, "_max_workers", None) or count,
                count=client and _threads_of(client),
            )
        elif kind == "serial":
            pool = Pool(current=_Serial(), workers=1)
        elif kind == "threads":
            pool = Pool(current=ThreadPoolExecutor(count, thread_name_prefix="spectrafit"), workers=count)
        elif kind == "processes":
            renew = _processes(count, tuple(preload))
            pool = Pool(current=renew(), workers=count, renew=renew)
        elif kind == "dask":
            pool = _dask(stack, workers, scheduler)
        else:
            raise ConfigError(f"no executor {kind!r}, there are {', '.join(EXECUTORS)}{nearest(kind, EXECUTORS)}")
        try:
            yield pool
        finally:
            if not isinstance(kind, Executor) and kind != "dask":
                if getattr(pool.current, "_broken", False):
                    _abandon(pool.current)
                pool.current.shutdown(wait=True, cancel_futures=True)


def _abandon(broken: Executor) -> None:
    """End an executor that has lost a worker.

    A worker that started just when the pool broke is never told to end. It would wait for ever to hand over its result,
    and the process would wait for the worker at exit (seen with CPython 3.11).
    """
    left = list((getattr(broken, "_processes", None) or {}).values())
    broken.shutdown(wait=False, cancel_futures=True)
    for worker in left:
        # By its process number, since the pool's own thread may be closing the process object at this moment.
        with suppress(OSError):
            os.kill(worker.pid, signal.SIGKILL)


def _processes(workers: int, preload: tuple[str, ...]) -> Callable[[], Executor]:
    # Never plain fork: the parent may hold threads (decompression, dask) whose locks a fork would copy locked.
    served = "forkserver" in multiprocessing.get_all_start_methods()  # not on Windows
    context: Any = multiprocessing.get_context("forkserver" if served else "spawn")
    if served:
        # One server imports the modules and its children share them: n workers cost one import, not n.
        context.set_forkserver_preload(list(preload))

    def renew() -> Executor:
        if served:
            _serve()
        return ProcessPoolExecutor(workers, mp_context=context, initializer=_follow, initargs=(os.getpid(),))

    return renew


def _serve() -> None:
    """Start the server of the workers, if none runs, deaf to ctrl-C."""
    from multiprocessing import forkserver, resource_tracker  # which are not there on Windows

    # Ctrl-C is for the parent: workers ignore it from their start, finish their piece, and are told to end.
    # Starting the tracker would lift this block, so the tracker is started first.
    resource_tracker.ensure_running()
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def _follow(parent: int) -> None:
    """Let this worker end when the process that started the pool has ended, in whatever way."""

    def watch() -> None:
        while True:
            time.sleep(_WATCH)
            try:
                os.kill(parent, 0)
            except ProcessLookupError:
                os._exit(1)
            except OSError:
                return

    if os.name == "posix":
        threading.Thread(target=watch, name="spectrafit-watch", daemon=True).start()


def _dask(stack: ExitStack, workers: int | None, scheduler: str | None) -> Pool:
    try:
        from dask import config
        from distributed import Client, KilledWorker, LocalCluster
    except ImportError:
        raise ConfigError("executor 'dask' needs dask.distributed: pip install 'spectrafit-numm[dask]'") from None
    if scheduler is None:
        count = workers or os.cpu_count() or 1
        # dask tells its workers to give freed memory back to the system at once. Chunks would then need fresh memory
        # for every array, which takes as long as the work itself.
        told = {
            key: value for key, value in config.get(_DASK_ENVIRONMENT, {}).items() if key != "MALLOC_TRIM_THRESHOLD_"
        }
        with config.set({_DASK_ENVIRONMENT: told}):
            # dask needs a dashboard. It gets any free port, since another cluster may run here; the address is this
            # machine's own.
            cluster = LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address="127.0.0.1:0")
            scheduler = stack.enter_context(cluster)
    try:
        client = stack.enter_context(Client(scheduler))
    except (OSError, ValueError) as error:
        raise ConfigError(f"scheduler {scheduler!r}: cannot be reached ({error}); give tcp://HOST:PORT") from None
    threads = _threads_of(client)
    return Pool(
        current=client.get_executor(pure=False),
        workers=workers or threads(),
        count=None if workers else threads,
        # dask replaces a dead worker and repeats its work by itself, and gives up in the end.
        death=(KilledWorker,),
    )


def _threads_of(client: Any) -> Callable[[], int]:
    """Return a function that gives the number of threads of a dask cluster and asks the cluster now and then."""
    asked, threads = -math.inf, 1

    def count() -> int:
        nonlocal asked, threads
        if time.monotonic() > asked + _ASK_AGAIN:
            asked, threads = time.monotonic(), max(sum(client.nthreads().values()), 1)
        return threads

    return count


def imap(pool: Pool, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield ``work(item)`` for every item, in order, with at most twice as many pieces in flight as there are workers.

    `work` and the items are pickled for workers in other processes. An exception of `work` is raised here, and pieces
    that have not begun are cancelled.

    Raises
    ------
    DataError
        A piece lost its worker three times; ``str(item)`` names it.
    """
    source = iter(items)
    waiting: deque[tuple[Any, Any]] = deque()
    deaths = done = 0
    try:
        while True:
            if pool.count is not None:
                pool.workers = pool.count()
            window = 1 if isinstance(pool.current, _Serial) else 2 * pool.workers
            while len(waiting) < window and (more := next(source, _END)) is not _END:
                waiting.append((more, None))
            if not waiting:
                return
            try:
                # After a death the pieces in flight are done one by one: only the one in front is submitted.
                for place in range(1 if deaths else len(waiting)):
                    if waiting[place][1] is None:
                        waiting[place] = (waiting[place][0], _submit(pool, work, waiting[place][0]))
                result = waiting[0][1].result()
            except pool.death as error:
                deaths += 1
                if deaths == _ATTEMPTS or not pool.replace():
                    # Worker processes import the calling script. A script that starts workers at import ends them.
                    guard = ", and let a script begin its work under if __name__ == '__main__'"
                    raise DataError(
                        f"{waiting[0][0]}: the worker on this piece died, {deaths} times ({error});"
                        f" if there is too little memory, use fewer workers{'' if done else guard}"
                    ) from error
                waiting = deque((item, None) for item, _ in waiting)
                continue
            waiting.popleft()
            deaths, done = 0, done + 1
            yield result
    finally:
        for _, pending in waiting:
            if pending is not None:
                pending.cancel()


def _submit(pool: Pool, work: Callable[[Item], Result], item: Item) -> Future[Result]:
    if pool.renew is None:
        return pool.current.submit(work, item)
    # This may start the workers. It runs in a thread of its own, so that ctrl-C, which only the main thread gets,
    # cannot interrupt the start of a worker.
    with ThreadPoolExecutor(1) as starter:
        try:
            return starter.submit(pool.current.submit, work, item).result()
        except (OSError, EOFError) as error:
            # A worker that was being started when another one died finds the pool's pipes closed. Its half-made start
            # ends the server of the workers too (CPython 3.11), and a start just after that finds nobody. The pause
            # lets the server end, so that the next pool begins a new one.
            if isinstance(error, (ConnectionError, EOFError)):
                time.sleep(_PAUSE)
            elif not getattr(pool.current, "_broken", False):
                raise
            raise BrokenExecutor(str(error)) from error
