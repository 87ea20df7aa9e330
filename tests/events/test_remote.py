"""What is said of packages that a protocol needs, and that a server that has gone leaves no traceback."""

import sys
import types

import pytest
import uproot

from spectrafit.errors import BadFile
from spectrafit.events import files, remote


@pytest.mark.parametrize(
    ("url", "absent", "said"),
    [
        ("root://host//a.root", ["fsspec_xrootd", "XRootD"], "fsspec-xrootd and xrootd"),
        ("root://host//a.root", ["XRootD"], "xrootd"),
        ("https://host/a.root", ["aiohttp"], "aiohttp"),
        ("simplecache::http://host/a.root", ["aiohttp"], "aiohttp"),
        ("s3://bucket/a.root", ["s3fs"], "s3fs"),
    ],
)
@pytest.mark.parametrize(
    "raised", [ImportError("Install XRootD python bindings"), ValueError("Protocol not known: root")], ids=str
)
def test_a_package_that_is_missing_is_named(monkeypatch, url, absent, said, raised):
    real = remote.find_spec
    monkeypatch.setattr(remote, "find_spec", lambda name: None if name in absent else real(name) or object())

    def refuse(*_, **__):
        raise raised

    monkeypatch.setattr(uproot, "open", refuse)
    source = "s3fs" if said == "s3fs" else "spectrafit-numm[remote]"
    with pytest.raises(BadFile) as caught:
        files.open_file(url)
    assert str(caught.value) == f"{url}: needs the Python package {said} to be opened; pip install '{source}'"


def test_a_package_that_cannot_be_imported_is_said_in_its_words(monkeypatch):
    monkeypatch.setattr(remote, "find_spec", lambda name: object())

    def refuse(*_, **__):
        raise ImportError("libXrdCl.so.3: cannot open shared object file")

    monkeypatch.setattr(uproot, "open", refuse)
    with pytest.raises(BadFile, match=r"cannot be imported \(libXrdCl.so.3: cannot open"):
        files.open_file("root://host//a.root")


def test_open_handles_are_dropped_at_the_end(monkeypatch):
    kept = {"root://host//a.root": object()}
    system = types.SimpleNamespace(_readonly_filehandle_cache=types.SimpleNamespace(_cache=kept))
    fake = types.SimpleNamespace(XRootDFileSystem=types.SimpleNamespace(_cache={"token": system}))
    monkeypatch.setitem(sys.modules, "fsspec_xrootd", fake)
    registered = []
    monkeypatch.setattr(remote.atexit, "register", registered.append)
    remote.part_quietly.__wrapped__()
    (drop,) = registered
    drop()
    assert kept == {}
