"""File names, patterns and URLs in, opened trees and arrays out; whatever is wrong with a file is a BadFile error."""

from __future__ import annotations

import glob
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import uproot

from spectrafit.errors import BadFile, DataError, nearest

__all__ = ["REMEDY", "Linked", "expand", "link", "open_file", "open_tree", "refusing", "tree_names"]

_URL = re.compile(r"^[a-z][a-z0-9+.-]*(?:::)?[a-z0-9+.-]*://", re.IGNORECASE)
_TREE = re.compile(r"^(?P<file>.+\.root(?:\.\d+)?):(?P<tree>[^:]+)$")
# A mapped file counts as memory of the process, so few are kept.
_KEPT_OPEN = 4
REMEDY = "copy or write it again, or go on without it with --skip-bad-files"
"""What to do about a file that is damaged, where it ends a message."""
_TREE_CLASSES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")
# Opening a file costs more than reading a chunk of it. Handles belong to a thread, because two of them may not share a
# file's cursor, and to a process, because a fork does not copy the threads behind a handle.
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
        If a pattern matches nothing, or two entries that are not the same text name one file: a slip. The same text
        given several times is meant, and so often its events count.
    """
    found: list[tuple[str, str]] = []
    named: dict[tuple[str, str], str] = {}
    for text in (files,) if isinstance(files, str) else files:
        split = _TREE.match(text)
        name, tree = (split["file"], split["tree"]) if split else (text, "")
        for match in _remote(name, where) if _URL.match(name) else _local(name, folder, where):
            if named.setdefault((match, tree), text) != text:
                raise DataError(f"{where}: {match} is named twice, so its events would count twice; name it once")
            found.append((match, tree))
    return found


def _local(name: str, folder: Path, where: str) -> list[str]:
    path = folder / Path(name).expanduser()
    if path.exists() or not glob.has_magic(name):
        return [str(path.absolute())]
    parts = path.absolute().parts
    fixed = next(n for n, part in enumerate(parts) if glob.has_magic(part))
    matches = sorted(str(match) for match in Path(*parts[:fixed]).glob(str(Path(*parts[fixed:]))))
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
def refusing(path: str) -> Iterator[None]:
    """Turn what reading `path` raises into a BadFile error that says what is wrong with the file and what to do."""
    try:
        yield
    except DataError:
        raise
    except ImportError as error:
        raise BadFile(
            f"{path}: cannot be opened without the package {error.name!r}; pip install 'spectrafit-numm[remote]'", path
        ) from error
    except IsADirectoryError:
        raise BadFile(f"{path}: is a folder; name its files, as in {Path(path).name}/*.root", path) from None
    except FileNotFoundError:
        near = "" if _URL.match(path) else _neighbours(Path(path))
        raise BadFile(f"{path}: no such file{near}", path) from None
    except PermissionError:
        raise BadFile(f"{path}: you may not read this file; check its permissions", path) from None
    except Exception as error:
        # A damaged file can make the ROOT reader fail anywhere, with any exception of Python's.
        raise BadFile(f"{path}: {_diagnosis(path, error)}", path) from error


def _diagnosis(path: str, error: Exception) -> str:
    reason = " ".join(str(error).split())
    reason = reason if len(reason) < 160 else reason[:160] + "..."
    if "not a ROOT file" in reason:
        found = reason.partition(":")[2].partition(" in file")[0].strip()
        return f"is not a ROOT file ({found}); check what was written to it"
    if path.startswith("http") and "Chunk" in reason:
        return (
            "the server does not send parts of a file (HTTP range requests), or the file is damaged;"
            f" write simplecache::{path} to have it downloaded first"
        )
    if _URL.match(path) and isinstance(error, OSError) and "Chunk" not in reason:
        return f"cannot be reached ({type(error).__name__}: {reason}); check the address and the server"
    return f"is truncated or damaged ({type(error).__name__}: {reason}); {REMEDY}"


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent}"
    return nearest(path.name, (entry.name for entry in path.parent.iterdir()))


def open_file(path: str, *, together: int = 1) -> Any:
    """Return the opened file, kept open for the next chunk of this thread as long as it does not change on disk.

    Files used `together`, a tree and its friends, are not closed by each other's opening.
    """
    if getattr(_open, "process", None) != os.getpid():
        _open.process, _open.files = os.getpid(), OrderedDict()
    files: OrderedDict[tuple[Any, ...], Any] = _open.files
    with refusing(path):
        local = not _URL.match(path)
        status = Path(path).stat() if local else None
        key = (path, status and (status.st_ino, status.st_size, status.st_mtime_ns))
        if key in files:
            files.move_to_end(key)
            return files[key]
        if status is not None and status.st_size == 0:
            raise BadFile(f"{path}: is empty (0 bytes); {REMEDY}", path)
        # No array cache: every chunk is read once. Memory-mapping is the fastest way into a local file.
        options = {"handler": uproot.MemmapSource} if local else {}
        if local and Path(path).is_dir():
            raise IsADirectoryError(path)
        opened = uproot.open(path, array_cache=None, **options)
        if status is not None and status.st_size < opened.file.fEND:
            opened.close()
            reason = f"{status.st_size} bytes are left of {opened.file.fEND}"
            raise BadFile(f"{path}: is truncated or damaged ({reason}); {REMEDY}", path)
    for stale in [k for k in files if k[0] == path]:
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


def open_tree(path: str, tree: str, *, together: int = 1) -> Any:
    """Return a tree of a file; DataError with the names there are if it is not in there."""
    opened = open_file(path, together=together)
    with refusing(path):
        if tree not in opened:
            names = tree_names(path)
            listed = ", ".join(names) or "none"
            raise DataError(
                f"{path}: no tree {tree!r}{nearest(tree, names)} (there are: {listed}); set tree in the sample"
            )
        found = opened[tree]
        if not hasattr(found, "num_entries"):
            listed = ", ".join(tree_names(path)) or "none"
            raise DataError(f"{path}: {tree!r} is a {found.classname}, not a TTree (there are: {listed})")
        if tree == "gtree" and "gmcrec" in found:
            raise DataError(
                f"{path}: {tree!r} holds GENIE's event records (GHEP), which only GENIE can read; convert it with"
                f' gntpc -i {Path(path).name} -f gst and read the result with preset = "gst"'
            )
    return found


@dataclass(frozen=True, slots=True)
class Linked:
    """A tree and its friends, entry by entry.

    Attributes
    ----------
    names : tuple of (file, tree)
    trees : tuple
        The opened trees, the sample's own first.
    branches : dict of name to (tree, branch)
        Every name a column can use: branches of the tree; of a friend under their own name, where that is free, and as
        ``friend.branch``.
    """

    names: tuple[tuple[str, str], ...]
    trees: tuple[Any, ...]
    branches: dict[str, tuple[int, str]]

    @property
    def entries(self) -> int:
        """Number of entries."""
        return int(self.trees[0].num_entries)

    def offsets(self, wanted: Collection[str]) -> list[int]:
        """Return where the baskets of all `wanted` branches of the sample's tree, or its clusters, begin and end."""
        own = {branch for index, branch in (self.branches[name] for name in wanted) if index == 0}
        tree, found = self.trees[0], [0]
        with refusing(self.names[0][0]):
            if hasattr(tree, "cluster_summaries"):
                found = [cluster.num_first_entry for cluster in tree.cluster_summaries]
            elif own:
                found = tree.common_entry_offsets(filter_name=own.__contains__)
        return sorted({0, *(int(n) for n in found if 0 <= n <= self.entries), self.entries})

    def read(self, wanted: Collection[str], start: int, stop: int) -> dict[str, Any]:
        """Return branches as arrays of N = stop - start entries: numpy for a number per entry, awkward for a list.

        Raises
        ------
        DataError
            If a file is damaged, or a branch has another number of entries than its tree.
        """
        out: dict[str, Any] = {}
        for index, tree in enumerate(self.trees):
            mine = {name: branch for name in wanted for i, branch in (self.branches[name],) if i == index}
            path, label = self.names[index]
            with refusing(path):
                numbers = {branch for branch in mine.values() if _is_number(tree[branch])}
                # Plain numbers do without awkward arrays, which cost more than reading a short chunk.
                arrays: dict[str, Any] = {}
                for library, chosen in (("np", numbers), ("ak", {*mine.values()} - numbers)):
                    if chosen:
                        one_of = chosen.__contains__
                        arrays |= tree.arrays(
                            filter_name=one_of, entry_start=start, entry_stop=stop, library=library, how=dict
                        )
            for name, branch in mine.items():
                values = arrays[branch] if branch in numbers else ak.Array(arrays[branch])
                if len(values) != stop - start:
                    raise BadFile(
                        f"{path}:{label}: branch {branch!r} has another length than its tree: {len(values)} values for"
                        f" entries {start} to {stop}; the file was not filled evenly, write it again",
                        path,
                    )
                out[name] = ak.to_numpy(values) if branch not in numbers and _is_flat(values) else values
        return out


def _is_number(branch: Any) -> bool:
    """Tell whether a branch of a TTree holds one number per entry."""
    kind = getattr(branch, "interpretation", None)
    return isinstance(kind, uproot.AsDtype) and kind.inner_shape == () and kind.to_dtype.names is None


def _is_flat(values: ak.Array) -> bool:
    return values.ndim == 1 and isinstance(values.layout, ak.contents.NumpyArray)


def link(names: Sequence[tuple[str, str]]) -> Linked:
    """Open a tree and its friends, given as (file, tree) with the sample's own first, and check that they are aligned.

    Raises
    ------
    DataError
        If a friend has another number of entries.
    """
    trees = tuple(open_tree(path, tree, together=len(names)) for path, tree in names)
    branches: dict[str, tuple[int, str]] = {}
    for index, tree in enumerate(trees):
        path, label = names[index]
        if tree.num_entries != trees[0].num_entries:
            raise DataError(
                f"{path}:{label}: a friend must have an entry for every entry of {names[0][0]}:{names[0][1]}, found"
                f" {tree.num_entries} for {trees[0].num_entries}; make it again from this file"
            )
        with refusing(path):
            keys = tree.keys()
        for branch in keys:
            branches.setdefault(branch, (index, branch))
            if index:
                branches[f"{label}.{branch}"] = (index, branch)
    return Linked(tuple(names), trees, branches)
