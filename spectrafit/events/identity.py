"""The identity of a file, whatever its name: whether two names mean one file, and whether a file has changed."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from pathlib import Path

from spectrafit.config.paths import is_url
from spectrafit.errors import DataError
from spectrafit.events.files import open_file
from spectrafit.events.schema import Chunk, FileIdentity

__all__ = ["Twins", "changed_at", "identity", "is_same", "stamp", "unchanged"]


def identity(path: str, entries: int) -> FileIdentity:
    """Return the identity of a file, for caches and provenance; `entries` is the length of the tree that is read."""
    opened = open_file(path).file
    return FileIdentity(path=path, size=int(opened.source.num_bytes), uuid=str(opened.uuid), entries=entries)


def stamp(path: str, *, together: int = 1) -> str:
    """Return a text that changes when a file is changed or replaced: UUID, size and, of a local file, its time."""
    opened = open_file(path, together=together).file
    if is_url(path):
        return f"UUID {opened.uuid}, {opened.source.num_bytes} bytes"
    status = Path(path).stat()
    return f"UUID {opened.uuid}, {status.st_size} bytes, changed at {status.st_mtime_ns} ns"


def changed_at(path: str) -> int | None:
    """Return when a file was written to last, in ns; None of a URL, and where there is no file."""
    try:
        return None if is_url(path) else Path(path).stat().st_mtime_ns
    except OSError:
        return None


def is_same(path: str, *, size: int, uuid: str, changed: int | None) -> bool:
    """Tell whether a file is still what it was; of a URL, or a file that is no longer there, nothing else is known.

    Only a file that was written to since is opened, to compare its UUID: a copy or a touched file is the same.
    """
    now = changed_at(path)
    if now is None or now == changed:
        return True
    try:
        if Path(path).stat().st_size != size:
            return False
        return str(open_file(path).file.uuid) == uuid
    except (DataError, OSError):
        return False


def unchanged(chunk: Chunk) -> None:
    """Raise a DataError if the file of a chunk, or a friend's file, has changed since the scan."""
    paths = [chunk.file, *(path for path, _ in chunk.friends)]
    for path, then in zip(paths, chunk.stamps, strict=False):
        try:
            now = stamp(path, together=len(paths))
        except DataError as error:
            if is_url(path):  # whose server may have gone
                raise
            raise DataError(f"{path}: has changed since it was scanned: {error}") from error
        if now != then:
            raise DataError(
                f"{path}: was replaced or changed while it was read (before: {then}; now: {now}); do not change files"
                " while they are read, and start again"
            )


class Twins:
    """The trees of a sample so far: a tree that comes again under another name is refused.

    The same tree under the same name is accepted: a user who names a file twice wants it twice, and a report says so.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._seen: list[tuple[str, str, tuple[str, str], FileIdentity]] = []
        self._files: dict[tuple[object, ...], tuple[str, str]] = {}

    def add(self, asked: tuple[str, str], tree: str, found: FileIdentity) -> None:
        """Note a tree.

        Parameters
        ----------
        asked : (file, tree or "")
            As the sample spells it.
        tree : str
            The tree that is read.
        found : FileIdentity
            Of its file.

        Raises
        ------
        DataError
            The sample has this tree already: by another path, as a copy or by another cycle.
        """
        other = self.same(asked, tree, found)
        if other:
            name = ":".join(part for part in asked if part)
            raise DataError(f"{self._where}: {name} {other}, so its events would count twice; name it once")

    def same(self, asked: tuple[str, str], tree: str, found: FileIdentity) -> str:
        """Note a tree, and return how it is one that is there already, or ""; parameters as for `add`."""
        name = tree.rpartition(";")[0] if tree.rpartition(";")[2].isdigit() and ";" in tree else tree
        for key, what in self._keys(name, found):
            other = self._files.setdefault(key, asked)
            if other != asked:
                return _told(what, other)
        if not _unique(found.uuid):
            for path, known, other, size in ((place, twin, one, seen.size) for place, twin, one, seen in self._seen):
                same = other != asked and known == name and size == found.size
                if (
                    same
                    and not is_url(path)
                    and not is_url(found.path)
                    and filecmp.cmp(path, found.path, shallow=False)
                ):
                    return _told("is a copy of", other)
        self._seen.append((found.path, name, asked, found))
        return ""

    def _keys(self, tree: str, found: FileIdentity) -> Sequence[tuple[tuple[object, ...], str]]:
        keys: list[tuple[tuple[object, ...], str]] = []
        if not is_url(found.path):
            status = Path(found.path).stat()
            keys.append(((status.st_dev, status.st_ino, tree), "is the same file as"))
        if _unique(found.uuid):
            keys.append(((found.uuid, tree, found.entries), "has the UUID, so it is a copy, of"))
        return keys


def _told(what: str, other: tuple[str, str]) -> str:
    return f"{what} {':'.join(part for part in other if part)}"


def _unique(uuid: str) -> bool:
    """Return whether a UUID tells files apart; programs that write the same bytes every time use a UUID of zeros."""
    return uuid.strip("0-") != ""
