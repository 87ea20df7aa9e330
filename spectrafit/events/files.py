"""Finding and opening the ROOT files that a sample names; whatever is wrong with a file is a BadFile error."""

from __future__ import annotations

import glob
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import uproot

from spectrafit.config.paths import is_url, local, substituted
from spectrafit.errors import BadFile, DataError, nearest
from spectrafit.events import remote
from spectrafit.events.local import LocalSource

__all__ = ["REMEDY", "expand", "open_file", "open_tree", "refusing", "stored", "tree_names", "unreadable"]

_TREE = re.compile(r"^(?P<file>.+\.root(?:\.\d+)?):(?P<tree>[^:]+)$")
_KEPT_OPEN = 4
REMEDY = "copy or write it again, or go on without it with --skip-bad-files"
"""The remedy for a damaged file, at the end of a message."""
# Exceptions of uproot for a sound branch of a type that it cannot read as arrays.
_UNREADABLE = (uproot.interpretation.objects.CannotBeAwkward, uproot.interpretation.identify.UnknownInterpretation)
_TREE_CLASSES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")
# Opening a file costs more than reading a chunk of it, so handles are kept. Each thread has its own, because two
# threads may not share a file's cursor. Each process has its own, because a fork does not copy a handle's threads.
_open = threading.local()


def expand(files: str | Sequence[str], folder: Path, where: str) -> list[tuple[str, str]]:
    """Return every file a sample names, with the tree asked for (or "").

    Parameters
    ----------
    files : str or sequence of str
        Paths, globs and URLs, each maybe followed by ``:tree``; relative ones start from `folder`.
    where : str
        Sample and key, for the message.

    Raises
    ------
    DataError
        A pattern matches nothing, or two different texts name the same file, which is probably a mistake. If the same
        text is given several times, its events count that often.
    """
    found: list[tuple[str, str]] = []
    named: dict[tuple[str, str], str] = {}
    for text in (files,) if isinstance(files, str) else files:
        split = _TREE.match(text)
        name, tree = (split["file"], split["tree"]) if split else (text, "")
        name = substituted(name, where)
        name = unquote(name[len("file://") :]) if name.lower().startswith("file://") else name
        for match in _remote(name, where) if is_url(name) else _local(name, folder, where):
            if named.setdefault((match, tree), text) != text:
                raise DataError(f"{where}: {match} is named twice, so its events would count twice; name it once")
            found.append((match, tree))
    return found


def _local(name: str, folder: Path, where: str) -> list[str]:
    path = local(name, folder, where)
    try:
        if path.exists() or not glob.has_magic(name):
            return [str(path.absolute())]
        # Brackets in the name of an existing folder are not a pattern, the TOML's own folder included.
        start, parts = folder.absolute(), list(Path(name).expanduser().parts)
        while parts and (not glob.has_magic(parts[0]) or (start / parts[0]).exists()):
            start /= parts.pop(0)
        matches = sorted(str(match) for match in start.glob(str(Path(*parts))))
    except OSError as error:
        raise DataError(f"{where}: cannot search for {name!r}: {error.strerror or error}") from None
    except ValueError as error:
        raise DataError(f"{where}: {name!r} is no pattern of file names: {error}") from None
    if not matches:
        raise DataError(f"{where}: no file matches {name!r}{_neighbours(path)}")
    return matches


def _remote(name: str, where: str) -> list[str]:
    # A question mark begins the query of a URL, so it is no pattern there.
    if "*" not in name:
        return [name]
    with refusing(name):
        import fsspec

        system, pattern = fsspec.core.url_to_fs(name)
        matches = sorted(str(system.unstrip_protocol(match)) for match in system.glob(pattern))
    if not matches:
        raise DataError(f"{where}: nothing matches {name!r} on the server")
    return matches


@contextmanager
def refusing(path: str, *, needed: bool = False) -> Iterator[None]:
    """Turn an exception while reading `path` into a BadFile error that names the damage and the remedy.

    If the file is `needed`, so that no build may go on without it, the error is a plain DataError.
    """
    try:
        with _refusing(path):
            yield
    except BadFile as error:
        if not needed:
            raise
        raise DataError(str(error).replace(REMEDY, "copy or write it again")) from error


@contextmanager
def _refusing(path: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except ImportError as error:
        lacking = remote.missing(path) or f"needs a package that cannot be imported ({error}); install or mend it"
        raise BadFile(f"{path}: {lacking}", path) from error
    except IsADirectoryError:
        raise BadFile(f"{path}: is a folder; name its files, as in {Path(path).name}/*.root", path) from None
    except FileNotFoundError:
        near = "" if is_url(path) else _neighbours(Path(path))
        raise BadFile(f"{path}: no such file{near}", path) from None
    except PermissionError:
        raise BadFile(f"{path}: you may not read this file; check its permissions", path) from None
    except Exception as error:
        if isinstance(error, _UNREADABLE):
            raise DataError(f"{path}: {unreadable(error)}") from error
        # A damaged file can make the ROOT reader fail anywhere, with any exception of Python's. A package that is not
        # installed is no ImportError where it would have told fsspec of its protocol.
        lacking = remote.missing(path) if is_url(path) else ""
        raise BadFile(f"{path}: {lacking or _diagnosis(path, error)}", path) from error


def unreadable(error: Exception) -> str:
    """Return the error for a branch in a sound file whose type the ROOT reader cannot make an array of."""
    reason = " ".join(str(error).split()).partition(" in file")[0]
    return (
        f"a branch cannot be read as numbers ({type(error).__name__}: {reason[:160]}); write it as numbers or lists of"
        " numbers, with ROOT's RDataFrame::Define and Snapshot"
    )


def _diagnosis(path: str, error: Exception) -> str:
    reason = " ".join(str(error).split())
    reason = reason if len(reason) < 160 else reason[:160] + "..."
    if "not a ROOT file" in reason:
        found = reason.partition(":")[2].partition(" in file")[0].strip()
        return f"is not a ROOT file ({found}); check the program that wrote it"
    if path.startswith("http") and "Chunk" in reason:
        return (
            "the server does not send parts of a file (HTTP range requests), or the file is damaged;"
            f" write simplecache::{path} to have it downloaded first"
        )
    if is_url(path) and isinstance(error, OSError) and "Chunk" not in reason:
        return f"cannot be reached ({type(error).__name__}: {reason}); check the address and the server, and run again"
    return f"is truncated or damaged ({type(error).__name__}: {reason}); {REMEDY}"


def _neighbours(path: Path) -> str:
    try:
        if not path.parent.is_dir():
            return f"; there is no folder {path.parent}"
        return nearest(path.name, [entry.name for entry in path.parent.iterdir()])
    except OSError as error:
        return f"; the folder {path.parent} cannot be listed ({error.strerror})"


def open_file(path: str, *, together: int = 1) -> Any:
    """Return the opened file, kept open for the next chunk of this thread as long as it does not change on disk.

    `together` is the number of files in use at once, a tree and its friends: opening one of them closes no other.
    """
    if getattr(_open, "process", None) != os.getpid():
        _open.process, _open.files = os.getpid(), OrderedDict()
    files: OrderedDict[tuple[Any, ...], Any] = _open.files
    with refusing(path):
        on_disk = not is_url(path)
        status = Path(path).stat() if on_disk else None
        key = (path, status and (status.st_ino, status.st_size, status.st_mtime_ns))
        if key in files:
            files.move_to_end(key)
            return files[key]
        if status is not None and status.st_size == 0:
            raise BadFile(f"{path}: is empty (0 bytes); {REMEDY}", path)
        if on_disk and Path(path).is_dir():
            raise IsADirectoryError(path)
        # No array cache: every chunk is read once. As a key of a dict the name is taken as it is: a colon or a bracket
        # in it means nothing.
        opened = uproot.open({path: None}, array_cache=None, **({"handler": LocalSource} if on_disk else {}))
        if path.lower().startswith("root://"):
            remote.part_quietly()
        if status is not None and status.st_size < opened.file.fEND:
            opened.close()
            reason = f"{status.st_size} bytes are left of {opened.file.fEND}"
            raise BadFile(f"{path}: is truncated or damaged ({reason}); {REMEDY}", path)
        if not (opened.file.fSeekInfo or opened.file.fSeekFree) and not opened.keys(recursive=False):
            opened.close()
            raise BadFile(
                f"{path}: was never closed by the program that wrote it, so it has no list of its contents; recover the"
                f" sound part with ROOT, hadd recovered.root {Path(path).name}, and name the recovered file",
                path,
            )
    for stale in [key for key in files if key[0] == path]:
        files.pop(stale).close()
    files[key] = opened
    if len(files) > max(_KEPT_OPEN, together):
        files.popitem(last=False)[1].close()
    return opened


def tree_names(path: str) -> list[str]:
    """Return the trees of a file, folders included in the names, without cycles."""
    with refusing(path):
        classes = open_file(path).classnames(cycle=False)
    return [name for name, kind in classes.items() if kind in _TREE_CLASSES]


def stored(opened: Any, name: str) -> Any:
    """Return an object of a file by its name. A slash may lead into a folder or be part of the name.

    Raises
    ------
    KeyError
        If there is no such object, as uproot does.
    """
    whole, _, cycle = name.rpartition(";")
    key, number = (whole, int(cycle)) if whole and cycle.isdigit() else (name, None)
    found = _key(opened, key, number)
    return opened[name] if found is None else found.get()


def _key(folder: Any, name: str, cycle: int | None) -> Any:
    """Return the key of a name, by default of its highest cycle; None if no key has the name."""
    mine = [key for key in _keys_of(folder, name) if cycle is None or key.fCycle == cycle]
    if mine:
        return max(mine, key=lambda key: key.fCycle)
    parts = name.split("/")
    for index in range(1, len(parts)):
        for key in _keys_of(folder, "/".join(parts[:index])):
            if key.fClassName in ("TDirectory", "TDirectoryFile"):
                found = _key(key.get(), "/".join(parts[index:]), cycle)
                if found is not None:
                    return found
    return None


def _keys_of(folder: Any, name: str) -> list[Any]:
    return [key for key in folder._keys if key.fName == name]


def open_tree(path: str, tree: str, *, together: int = 1) -> Any:
    """Return a tree of a file; DataError with the names there are if it is not in there."""
    opened = open_file(path, together=together)
    with refusing(path):
        try:
            found = stored(opened, tree)
        except uproot.KeyInFileError:
            names = tree_names(path)
            listed = ", ".join(names) or "none"
            raise DataError(
                f"{path}: no tree {tree!r}{nearest(tree, names)} (there are: {listed}); set tree in the sample"
            ) from None
        if not hasattr(found, "num_entries") or hasattr(found, "fBasketSeek"):
            kind, listed = getattr(found, "classname", type(found).__name__), ", ".join(tree_names(path)) or "none"
            raise DataError(f"{path}: {tree!r} is a {kind}, not a TTree (there are: {listed})")
        if tree == "gtree" and "gmcrec" in found:
            raise DataError(
                f"{path}: {tree!r} holds GENIE's event records (GHEP), which only GENIE can read; convert it with"
                f' gntpc -i {Path(path).name} -f gst and read the result with preset = "gst"'
            )
    return found
