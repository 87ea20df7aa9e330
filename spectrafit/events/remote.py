"""What reading by URL needs beside uproot: the packages of each protocol, and the handles of servers that have gone."""

from __future__ import annotations

import atexit
from contextlib import suppress
from functools import cache
from importlib.util import find_spec

__all__ = ["missing", "part_quietly"]

_EXTRA = "spectrafit-numm[remote]"
# Of each protocol: the modules that are imported, the packages that hold them, and what to install.
_NEEDED = {
    "http": ((("aiohttp", "aiohttp"),), _EXTRA),
    "https": ((("aiohttp", "aiohttp"),), _EXTRA),
    "root": ((("fsspec_xrootd", "fsspec-xrootd"), ("XRootD", "xrootd")), _EXTRA),
    "s3": ((("s3fs", "s3fs"),), "s3fs"),
}


def missing(url: str) -> str:
    """Return which Python packages the protocol of a URL needs and this environment lacks; "" if none is missing."""
    protocol = url.split("::")[-1].partition("://")[0].lower()
    modules, source = _NEEDED.get(protocol, ((), _EXTRA))
    absent = " and ".join(package for module, package in modules if find_spec(module) is None)
    return f"needs the Python package {absent} to be opened; pip install '{source}'" if absent else ""


@cache
def part_quietly() -> None:
    """Let the process end without a traceback when a server of root:// has gone: its open handles are dropped unclosed.

    fsspec-xrootd says goodbye to every open file when the process ends. If the server has gone, this raises an OSError
    after our own message.
    """

    def drop() -> None:
        with suppress(Exception):
            from fsspec_xrootd import XRootDFileSystem

            for system in XRootDFileSystem._cache.values():
                system._readonly_filehandle_cache._cache.clear()

    atexit.register(drop)
