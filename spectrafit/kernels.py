"""A package folder in; a place for its compiled kernels, and none of them older than a source it may hold, out."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["discard_stale", "make_room"]


def make_room(package: str) -> str | None:
    """Have numba keep kernels in a temporary folder of the user's where it finds no other; call before numba compiles.

    numba keeps them beside the sources of `package` or in the user's cache, and refuses to compile where it can write
    to neither: in a container or a batch job, with the package installed by somebody else and no home. Workers inherit
    the place through NUMBA_CACHE_DIR.

    Returns
    -------
    str or None
        The temporary folder; None if numba needs none.
    """
    if os.environ.get("NUMBA_CACHE_DIR") or os.access(package, os.W_OK):
        return None
    # As numba does, to see whether it can. A user without a home has no path to one either.
    with suppress(OSError, RuntimeError):
        home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "numba"
        home.mkdir(parents=True, exist_ok=True)
        if os.access(home, os.W_OK | os.X_OK):
            return None
    import tempfile

    # numba runs what it finds there: the folder must be the user's, and nobody else's.
    own = os.geteuid() if hasattr(os, "geteuid") else 0
    place = Path(tempfile.gettempdir()) / f"spectrafit-{own}"
    with suppress(FileExistsError):
        place.mkdir(mode=0o700)
    found = place.lstat()
    if place.is_symlink() or found.st_uid != own or found.st_mode & 0o077:
        place = Path(tempfile.mkdtemp(prefix="spectrafit-"))
    os.environ["NUMBA_CACHE_DIR"] = str(place)
    if "numba.core.config" in sys.modules:
        sys.modules["numba.core.config"].__dict__["CACHE_DIR"] = str(place)
    return str(place)


def discard_stale(package: str) -> bool:
    """Delete numba's cached kernels below `package` if one is older than a source in a folder that has kernels.

    numba dates a cached kernel by the file that defines it, not by those of the functions compiled into it: after
    a pull that changes only the latter it would go on computing with the old ones, without a word. To look takes
    less than a millisecond.

    Returns
    -------
    bool
        Whether kernels were discarded.
    """
    newest, kernels = 0.0, list[os.DirEntry[str]]()
    folders = [package]
    while folders:
        here = list(os.scandir(folders.pop()))
        found = [
            kernel
            for entry in here
            if entry.name == "__pycache__"
            for kernel in os.scandir(entry.path)
            if kernel.name.endswith((".nbc", ".nbi"))
        ]
        kernels += found
        folders += [entry.path for entry in here if entry.name != "__pycache__" and entry.is_dir(follow_symlinks=False)]
        if found:
            newest = max(newest, *(entry.stat().st_mtime for entry in here if entry.name.endswith(".py")))
    # An index (.nbi) is written anew with every kernel that is added to it: its date says nothing of the others'.
    if all(kernel.stat().st_mtime >= newest for kernel in kernels if kernel.name.endswith(".nbc")):
        return False
    for kernel in kernels:
        with suppress(OSError):
            Path(kernel.path).unlink()
    return True
