"""Where numba keeps compiled kernels, and when they are thrown away.

Every command looks here when it starts, so this module imports nothing that takes time.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["compiled_sources", "discard_stale", "make_room"]

# The file beside the kernels of a package that says which sources were found to be newer and compiled into none.
_SEEN = "spectrafit-seen.txt"


def make_room(package: str) -> str | None:
    """Have numba keep kernels in a temporary folder if it has no other place; call this before numba compiles.

    numba keeps kernels beside the sources of `package` or in the user's cache. It refuses to compile if it can write to
    neither, as in a container or batch job without a home in which the package is read-only. Workers inherit the folder
    through NUMBA_CACHE_DIR.

    Returns
    -------
    str or None
        The temporary folder; None if numba needs none.
    """
    if os.environ.get("NUMBA_CACHE_DIR") or os.access(package, os.W_OK):
        return None
    # The same checks as numba's. A user without a home has no path to a cache either.
    with suppress(OSError, RuntimeError):
        home = _home()
        home.mkdir(parents=True, exist_ok=True)
        if os.access(home, os.W_OK | os.X_OK):
            return None
    import tempfile

    # numba runs the kernels that it finds there, so the folder must belong to the user alone.
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


def _home() -> Path:
    """Return numba's folder in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "numba"


def _kept(folder: str) -> Iterator[str]:
    """Yield the folders in which numba may keep the kernels of the sources in `folder`."""
    yield f"{folder}{os.sep}__pycache__"
    others = [os.environ.get("NUMBA_CACHE_DIR")]
    with suppress(RuntimeError):
        others.append(str(_home()))
    for other in others:
        if other and Path(other).is_dir():
            # To import it takes longer than all the rest here.
            from hashlib import sha1

            # numba's own way of naming them.
            yield f"{other}{os.sep}{folder.rpartition(os.sep)[2]}_{sha1(os.fsencode(folder)).hexdigest()}"


def discard_stale(package: str) -> bool:
    """Delete numba's cached kernels of `package` if one is older than a source that may be compiled into it.

    numba dates a cached kernel by the file that defines it, not by the files of functions compiled into it. After an
    update of such a function numba would silently go on with the old code. Only modules that import numba count as
    sources, and modules that define their constants. The check takes about a millisecond, because newer sources that
    are compiled into no kernel are remembered beside the kernels.

    Returns
    -------
    bool
        Whether kernels were discarded.
    """
    kernels, dates, folders = list[os.DirEntry[str]](), dict[str, float](), [str(Path(package).absolute())]
    places = list(_kept(folders[0]))
    while folders:
        folder = folders.pop()
        for entry in os.scandir(folder):
            if entry.name.endswith(".py"):
                with suppress(FileNotFoundError):
                    dates[entry.path] = entry.stat().st_mtime
            elif entry.name != "__pycache__" and entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
        for kept in _kept(folder):
            with suppress(OSError):
                kernels += [kernel for kernel in os.scandir(kept) if kernel.name.endswith((".nbc", ".nbi"))]
    # An index (.nbi) is written again with every kernel that is added: its date tells nothing about the other kernels.
    oldest = float("inf")
    for kernel in kernels:
        # Another process that starts now may have thrown a kernel away.
        if kernel.name.endswith(".nbc"):
            with suppress(OSError):
                oldest = min(oldest, kernel.stat().st_mtime)
    newer = {path: date for path, date in dates.items() if date > oldest}
    seen = {f"{path} {date!r}" for path, date in newer.items()}
    if any(seen <= _seen(place) for place in places):
        return False
    if newer.keys().isdisjoint(compiled_sources(dates)):
        _see(places, seen)
        return False
    for kernel in kernels:
        with suppress(OSError):
            Path(kernel.path).unlink()
    return True


def _seen(place: str) -> set[str]:
    """Return the sources, with their dates, that were found to be newer than kernels and compiled into none."""
    try:
        return set(Path(place, _SEEN).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return set()


def _see(places: Iterable[str], seen: Iterable[str]) -> None:
    """Remember such sources where that is possible."""
    for place in places:
        part = Path(place, f"{_SEEN}.{os.getpid()}")
        with suppress(OSError):
            part.write_text("\n".join(sorted(seen)), encoding="utf-8")
            part.replace(Path(place, _SEEN))
            return


def compiled_sources(paths: Iterable[str]) -> set[str]:
    """Return the sources that numba may compile: modules that use numba, and modules that define their constants."""
    texts: dict[str, str] = {}
    for path in paths:
        # An update under way may have taken a source away for a moment.
        with suppress(FileNotFoundError):
            texts[path] = Path(path).read_text(encoding="utf-8")
    uses = re.compile(r"^(from|import) numba\b|^from \S+\b(jit|compiled) import", re.M)
    waiting, found = [path for path, text in texts.items() if uses.search(text)], set[str]()
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for module, names in re.findall(r"^from ([\w.]+) import (\([^)]*\)|[^\n]*)", texts[path], re.M):
            if re.search(r"\b_?[A-Z][A-Z0-9_]*\b", names):
                # A module's path ends as its dotted name does.
                end = os.sep + module.replace(".", os.sep)
                waiting += [other for other in texts if other.endswith((f"{end}.py", f"{end}{os.sep}__init__.py"))]
    return found
