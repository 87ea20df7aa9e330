"""The trial of `scripts/try_xrootd`: an analysis read over root:// from a data server on this machine, and a fault.

python -m tests.machines.xrootd [--events N] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tests.machines.daemons import Absent, Failed, daemon, end, free_port, listens, main, need, told, until
from tests.machines.trials import run, same_bits, write

# By default the client waits eight minutes for a server that has gone, in the hope that somebody starts it again.
IMPATIENT = {
    "XRD_CONNECTIONWINDOW": "1",
    "XRD_CONNECTIONRETRY": "1",
    "XRD_STREAMERRORWINDOW": "1",
    "XRD_REQUESTTIMEOUT": "10",
    "XRD_TIMEOUTRESOLUTION": "1",
}


@contextlib.contextmanager
def served(program: str, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Serve the files under `folder` for reading, on the loopback interface alone."""
    state = folder.parent / "server"
    state.mkdir(exist_ok=True)
    config = state / "xrootd.cfg"
    config.write_text(
        f"all.export {folder} r/o\nall.adminpath {state}\nall.pidpath {state}\nxrd.port {port}\n"
        "xrd.network nodnr\nxrd.allow host localhost\nxrd.allow host 127.0.0.1\n",
        encoding="utf-8",
    )
    words = [program, "-c", str(config)]
    if os.geteuid() == 0:
        # The server does not run as the superuser.
        words += ["-R", "nobody"]
        for path in (folder.parent.parent, folder.parent, folder, state):
            path.chmod(0o755)
        shutil.chown(state, "nobody")
    with daemon(words, state / "xrootd.log") as server:
        until(lambda: listens(port) or server.poll() is not None, seconds=20, what=f"the server on port {port}")
        if server.poll() is not None:
            raise Failed(f"the server ended at once: {(state / 'xrootd.log').read_text(errors='replace')[-600:]}")
        yield server


def trial(events: int, folder: Path) -> None:
    program = need(["xrootd"], "xrootd-server")["xrootd"]
    for package in ("fsspec_xrootd", "XRootD"):
        if find_spec(package) is None:
            raise Absent(f"the Python package {package} is not installed (pip install 'spectrafit-numm[remote]')")
    folder.mkdir()
    data = folder / "data"
    write(folder, data, events)
    port = free_port()
    url = f"root://127.0.0.1:{port}/{data}"
    for here, there, name in ((f'"{data}/', f'"{url}/', "{}.toml"), ("local.toml", "remote.toml", "fit_{}.toml")):
        text = (folder / name.format("local")).read_text(encoding="utf-8")
        (folder / name.format("remote")).write_text(text.replace(here, there), encoding="utf-8")
    with served(program, data, port):
        look(folder, data, url)
        read(folder)
    with served(program, data, port) as server:
        stopped(folder, server)
    with served(program, data, port):
        run("build", "fit_remote.toml", "--cache", "cache", "-o", "again.npz", folder=folder)
    same_bits(folder, "local.npz", "again.npz")
    told("server back: the same command succeeds, to the same bits")


def look(folder: Path, data: Path, url: str) -> None:
    """`inspect` and `check` say the same of a file on the server and on disk."""
    for words in (("inspect", "{}/nue.root"), ("check", "fit_{}.toml")):
        there = run(words[0], words[1].format(url if words[0] == "inspect" else "remote"), folder=folder)
        here = run(words[0], words[1].format(data if words[0] == "inspect" else "local"), folder=folder)
        if there.replace(url, str(data)).replace("remote", "local") != here:
            raise Failed(f"{words[0]} says of a file on the server\n{there}\nand on disk\n{here}")
        told(f"{words[0]}: the same of root:// as of the disk")


def read(folder: Path) -> None:
    """Templates over the network are the same bits as from the disk, and so the limit is the same."""
    run("build", "fit_local.toml", "--executor", "serial", "-o", "local.npz", folder=folder)
    for executor in ("threads", "processes"):
        begun = time.monotonic()
        run(
            "build", "fit_remote.toml", "--executor", executor, "--workers", "2", "-o", f"{executor}.npz", folder=folder
        )
        told(f"build, {executor}: same bits, {time.monotonic() - begun:.1f} s")
    same_bits(folder, "local.npz", "threads.npz", "processes.npz")
    here, there = (run("limit", f"fit_{name}.toml", folder=folder) for name in ("local", "remote"))
    if here != there:
        raise Failed(f"the limit from the disk\n{here}\nand over root://\n{there}")
    told("limit: the same")


def stopped(folder: Path, server: subprocess.Popen[bytes]) -> None:
    """The server ends in the middle of a build: one line names file and entries, and no output is left half-written."""
    words = ["build", "fit_remote.toml", "--executor", "serial", "--cache", "cache", "-o", "stopped.npz"]
    with subprocess.Popen(
        [sys.executable, "-m", "spectrafit", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "1000"},
    ) as building:
        # The cache shows that the first chunk was read.
        until(lambda: list(folder.glob("cache/**/*.arrow")), seconds=120, what="the first chunk", every=0.001)
        end(server, patience=0.0)
        said = building.communicate()[0]
    if building.returncode != 2:
        raise Failed(f"with the server stopped the build ended with exit code {building.returncode}\n{said}")
    (line,) = [line for line in said.splitlines() if line.startswith("error:")] or [""]
    if not re.search(r"\w+\.root\b.*entries \d+ to \d+", line):
        raise Failed(f"the error names no file and entries:\n{said}")
    if left := [path.name for path in folder.iterdir() if "stopped" in path.name]:
        raise Failed(f"half-written: {', '.join(left)}")
    told(f"server stopped: exit code 2, nothing half-written\n  {line}")


if __name__ == "__main__":
    asked = argparse.ArgumentParser(
        prog="scripts/try_xrootd", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asked.add_argument("--events", type=int, default=300_000, help="events generated of each signal")
    options = asked.parse_args()
    os.environ |= {**IMPATIENT, "COLUMNS": "200"}
    with tempfile.TemporaryDirectory(prefix="try_xrootd_") as made:
        sys.exit(main("try_xrootd", lambda: trial(options.events, Path(made) / "trial")))
