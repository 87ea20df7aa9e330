import functools
import http.server
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectrafit.config import PotSource
from spectrafit.errors import DataError
from spectrafit.events import files, read
from tests.events.ntuples import native

Write = Callable[..., Path]
One = Callable[..., Any]


def test_expand(tmp_path: Path) -> None:
    for name in ("b.root", "a.root", "deep/c.root", "x.txt", "odd[1].root"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    here = str(tmp_path)
    expand = functools.partial(files.expand, folder=tmp_path, where="w")
    assert expand("a.root") == [(f"{here}/a.root", "")]
    assert expand("[ab].root") == [(f"{here}/a.root", ""), (f"{here}/b.root", "")]
    assert expand("**/*.root:events")[-1] == (f"{here}/odd[1].root", "events")
    assert len(expand("**/*.root")) == 4
    assert expand("odd[1].root") == [(f"{here}/odd[1].root", "")]  # a name that looks like a pattern
    assert expand(("b.root:ana/tree", "a.root")) == [(f"{here}/b.root", "ana/tree"), (f"{here}/a.root", "")]
    assert expand(f"{here}/deep/*.root", folder=Path("/")) == [(f"{here}/deep/c.root", "")]
    assert expand("deep/../a.roo?") == [(f"{here}/deep/../a.root", "")]
    assert expand("root://host:1094//store/a.root:events") == [("root://host:1094//store/a.root", "events")]
    assert expand("https://host/a.root?token=x") == [("https://host/a.root?token=x", "")]
    assert expand("not/there.root") == [(f"{here}/not/there.root", "")]  # said when it is opened


def test_expand_refuses(tmp_path: Path) -> None:
    (tmp_path / "nu_0.root").touch()
    with pytest.raises(DataError, match=r"w: no file matches 'nue_\*.root'; did you mean 'nu_0.root'\?"):
        files.expand("nue_*.root", tmp_path, "w")
    with pytest.raises(DataError, match=r"no file matches 'gone/\*.root'; there is no folder"):
        files.expand("gone/*.root", tmp_path, "w")
    with pytest.raises(DataError, match=r"nu_0.root is named twice, so its events would count twice"):
        files.expand(("nu_0.root", "nu_*.root"), tmp_path, "w")


def test_the_same_name_many_times_is_meant(write_tree: Write, one: One) -> None:
    columns = native(7)
    write_tree("nu.root", columns, pot=1e19)
    keys = one(files=("nu.root",) * 3)
    inventory = read.scan(*keys)
    assert (inventory.entries, inventory.pot) == (21, pytest.approx(3e19))
    found = [read.read(chunk, *keys)[0] for chunk in inventory.chunks]
    assert [chunk.first for chunk in inventory.chunks] == [0, 7, 14]
    for events in found:
        np.testing.assert_array_equal(events.t, columns["t"])


def test_handles_are_kept_and_closed(write_tree: Write) -> None:
    paths = [str(write_tree(f"{i}.root", native(2))) for i in range(20)]
    first = files.open_file(paths[0])
    assert files.open_file(paths[0]) is first
    for path in paths:
        files.open_file(path)
    assert first.file.source.closed
    assert not files.open_file(paths[-1]).file.source.closed


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Sends whole files, whatever part is asked for."""

    def log_message(self, *arguments: Any) -> None:
        pass


class Ranges(Quiet):
    """Sends the part of a file that is asked for."""

    def do_GET(self) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if not asked or not path.is_file():
            super().do_GET()
            return
        size = path.stat().st_size
        first, last = int(asked[1]), min(int(asked[2]), size - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        self.wfile.write(path.read_bytes()[first : last + 1])


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[type], str]]:
    servers = []

    def start(handler: type) -> str:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(tmp_path)))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("pattern", ["a.root", "a.root:events", "*.root"])
def test_http(write_tree: Write, one: One, serve: Callable[[type], str], pattern: str) -> None:
    pytest.importorskip("aiohttp", reason="reading over http needs the extra 'remote'")
    columns = native(1000)
    path = write_tree("a.root", columns, pot=2e20, basket=300)
    sample_set, sample = one(files=f"{serve(Ranges)}/{pattern}", pot=PotSource(histogram="TotalPOT"))
    inventory = read.scan(sample_set, sample, chunk_entries=600)
    assert (inventory.pot, inventory.entries) == (2e20, 1000)
    assert inventory.identities[0].size == path.stat().st_size
    found = [read.read(chunk, sample_set, sample)[0]["t"].to_numpy() for chunk in inventory.chunks]
    np.testing.assert_array_equal(np.concatenate(found), columns["t"])


def test_http_without_ranges(write_tree: Write, one: One, serve: Callable[[type], str]) -> None:
    pytest.importorskip("aiohttp", reason="reading over http needs the extra 'remote'")
    columns = native(1000)
    write_tree("a.root", columns)
    url = f"{serve(Quiet)}/a.root"
    with pytest.raises(DataError, match=r"does not send parts of a file .* write simplecache::http") as caught:
        read.scan(*one(files=url))
    remedy = re.search(r"write (\S+)", str(caught.value))
    assert remedy
    sample_set, sample = one(files=remedy[1])
    (chunk,) = read.scan(sample_set, sample).chunks
    np.testing.assert_array_equal(read.read(chunk, sample_set, sample)[0]["t"], columns["t"])


def test_http_without_the_file_or_the_server(tmp_path: Path, one: One, serve: Callable[[type], str]) -> None:
    pytest.importorskip("aiohttp", reason="reading over http needs the extra 'remote'")
    host = serve(Ranges)
    with pytest.raises(DataError, match=r"gone.root: no such file"):
        read.scan(*one(files=f"{host}/gone.root"))
    with pytest.raises(DataError, match=r"cannot be reached"):
        read.scan(*one(files="http://127.0.0.1:9/a.root"))


def test_xrootd(write_tree: Write, one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec_xrootd", reason="root:// needs the extra 'remote'")
    if shutil.which("xrootd") is None:
        pytest.skip("no xrootd server on this machine (Debian: xrootd-server)")
    monkeypatch.setenv("XRD_CONNECTIONWINDOW", "5")
    monkeypatch.setenv("XRD_CONNECTIONRETRY", "1")
    columns = native(1000)
    path = write_tree("a.root", columns, basket=300)
    with socket.socket() as free, tempfile.TemporaryDirectory() as home:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        served = Path(home) / "data"
        served.mkdir()
        shutil.copy(path, served)
        config = Path(home) / "xrootd.cfg"
        config.write_text(f"all.export {served}\nxrd.port {port}\nall.adminpath {home}\nall.pidpath {home}\n")
        for folder in (Path(home), served):
            folder.chmod(0o777)
        as_nobody = ["-R", "nobody"] if os.getuid() == 0 else []
        with subprocess.Popen(
            ["xrootd", "-c", str(config), *as_nobody], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as server:
            try:
                _await(port)
                for pattern in ("a.root:events", "*.root"):
                    sample_set, sample = one(files=f"root://127.0.0.1:{port}/{served}/{pattern}")
                    inventory = read.scan(sample_set, sample, chunk_entries=600)
                    found = [read.read(chunk, sample_set, sample)[0]["t"].to_numpy() for chunk in inventory.chunks]
                    np.testing.assert_array_equal(np.concatenate(found), columns["t"])
            finally:
                server.terminate()


def _await(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("the xrootd server did not start")
