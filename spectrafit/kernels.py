"""A package folder in; compiled kernels older than any source they may hold out of the way."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["discard_stale"]


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
