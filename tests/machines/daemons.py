"""Programs that run in the background for a trial: started in a folder of their own, awaited, and ended with it."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


class Failed(Exception):
    """What a trial wanted to see was not there."""


class Absent(Exception):
    """A program or package that a trial needs is not installed."""


def need(programs: Sequence[str], package: str) -> dict[str, str]:
    """Return where programs are; Absent if one is missing. Daemons often lie outside a user's PATH."""
    found = {}
    for name in programs:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
        if path is None:
            raise Absent(f"{name} is not installed (Debian and Ubuntu: apt-get install {package})")
        found[name] = path
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def until(ready: Callable[[], object], *, seconds: float, what: str, every: float = 0.05) -> None:
    """Wait until `ready` returns something true; Failed after `seconds`."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise Failed(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


def end(daemon: subprocess.Popen[bytes], *, patience: float = 5.0) -> None:
    """End a daemon and what it has started, which is in its process group."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        if daemon.poll() is not None:
            return
        with suppress(ProcessLookupError):
            daemon.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(patience)


@contextmanager
def daemon(
    words: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in the foreground of a process group of its own, with its words in `log`, and end it afterwards."""
    with log.open("ab") as said:
        running = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment, start_new_session=True
        )
    try:
        yield running
    finally:
        end(running)


def main(prog: str, trial: Callable[[], None]) -> int:
    """Run a trial: 0 if all held or a program is missing (the reason is printed), 1 if something did not hold."""
    try:
        trial()
    except Absent as missing:
        print(f"{prog}: skipped, {missing}")
        return 0
    except Failed as failure:
        print(f"{prog}: failed: {failure}", file=sys.stderr)
        return 1
    return 0


def told(text: str) -> None:
    print(text, flush=True)
