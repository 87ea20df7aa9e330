"""Writing files and folders whole or not at all, under names that every file system carries.

Everything is written to a temporary file or folder beside the target first. If all goes well, this takes the place of
the target; if not, it is removed. A process that is killed leaves its temporary files behind, and the next process that
writes into the same folder removes them.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import platform
import re
import shutil
import threading
import time
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from spectrafit.errors import ConfigError, DataError

__all__ = ["locked", "publishing", "refuse_inputs", "replacing", "slug", "slugs"]

# Length of a name, in characters. With prefix and suffix a name stays below the 255 bytes of a file system.
_LONGEST = 80
# Names that Windows keeps for itself.
_RESERVED = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}
_PART = re.compile(r"\..*\.(?P<machine>[0-9a-f]{8})\.(?P<process>\d+)\.\d+\.part")
# Temporary files of another machine count as left behind after so many seconds: nobody writes one file for a day.
_OLD = 86400.0
_swept: set[tuple[int, Path]] = set()


def slug(name: str) -> str:
    """Return a name of a file for any text: letters, digits and ``_ . + -``, at most 100 characters.

    A text that is such a name already is kept; other text gets a short checksum, so that two texts never share a name.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9_.+-]+", "_", plain).lstrip(".-")[:_LONGEST].rstrip(".")
    if safe and safe == name and safe.partition(".")[0].lower() not in _RESERVED:
        return safe
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{safe}_{digest}" if safe else digest


def slugs(names: Iterable[str], *, reserved: Collection[str] = ()) -> dict[str, str]:
    """Return a name of a file for each text; all differ, in more than capitals, and none is `reserved`."""
    taken = {name.lower() for name in reserved}
    found: dict[str, str] = {}
    for name in names:
        if name in found:
            continue
        safe, number = slug(name), 1
        while (one := safe if number == 1 else f"{safe}_{number}").lower() in taken:
            number += 1
        taken.add(one.lower())
        found[name] = one
    return found


def _machine() -> str:
    """Return a word for this machine, in whose numbers of processes a number means the same process."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=4).hexdigest()


def _sibling(target: Path) -> Path:
    """Return the temporary name beside a target; only this thread has it."""
    return target.with_name(f".{slug(target.name)}.{_machine()}.{os.getpid()}.{threading.get_ident()}.part")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sweep(folder: Path) -> None:
    """Remove temporary files of processes that no longer run from a folder, once per folder and process."""
    # A forked process has its parent's memory, but other ones may have died since.
    mark = (os.getpid(), folder)
    if os.name != "posix" or mark in _swept:
        return
    _swept.add(mark)
    here = _machine()
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            found = _PART.fullmatch(entry.name)
            if found is None:
                continue
            with suppress(OSError):
                old = time.time() - entry.stat(follow_symlinks=False).st_mtime > _OLD
                dead = found["machine"] == here and not _alive(int(found["process"]))
                if dead or (old and found["machine"] != here):
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        Path(entry.path).unlink()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder for the length of the block, so that processes take turns.

    Where a file system or a machine knows no locks, nobody waits.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = -1
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


@contextmanager
def replacing(target: Path, *, remedy: str = "nothing was left there") -> Iterator[Path]:
    """Yield a path beside `target` to write to. It replaces `target` if the block ends well and is removed if not.

    An old file at `target` stays whole until that moment. Missing folders are made.

    Raises
    ------
    DataError
        If writing fails, for a full disk for example; the message ends with `remedy`.
    """
    part = _sibling(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent.resolve())
        yield part
        part.replace(target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror or error}); {remedy}") from error
    except ValueError as error:
        if "null" not in str(error):
            raise
        raise DataError(f"{str(target)!r}: cannot be written (a name cannot hold a NUL character)") from None
    finally:
        with suppress(OSError, ValueError):
            part.unlink()


@contextmanager
def publishing(target: Path, *, names: Collection[str], remedy: str = "nothing was left there") -> Iterator[Path]:
    """Yield a folder to fill, and make it the folder `target` in one step if the block ends well; else leave no trace.

    Parameters
    ----------
    target : Path
        Folder that is published. Others see the old folder, or all of the new one, never a mixture: the two
        change places (where the system cannot do that, the old one is moved away just before).
    names : collection of str
        Files and folders that the block may make. What else there is in `target` stays in it.
    remedy : str
        End of the message if something cannot be written.

    Raises
    ------
    DataError
        If writing fails. The old content of `target` is then whole.

    Notes
    -----
    A folder that cannot change places is filled file by file, the last of `names` last: the current folder of this
    process, a mount point, or a folder whose parent cannot be written to.
    """
    part = None
    try:
        place = target.resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "there is a file of that name")
        within = _fixed(place)
        sibling = _sibling(place / "result" if within else place)
        _sweep(sibling.parent)
        sibling.mkdir()
        part = sibling
        yield part
        # In a thread of its own, so that ctrl-C, which only the main thread gets, cannot stop the moving half-way.
        with ThreadPoolExecutor(1) as mover:
            mover.submit(_fill if within else _exchange, place, part, names).result()
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror or error}); {remedy}") from error
    except ValueError as error:
        if "null" not in str(error):
            raise
        raise DataError(f"{str(target)!r}: cannot be written (a name cannot hold a NUL character)") from None
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)


def _fixed(folder: Path) -> bool:
    """Whether a folder must keep its place."""
    return (
        Path.cwd().is_relative_to(folder)
        or folder.is_mount()
        or folder.parent == folder
        or not os.access(folder.parent, os.W_OK)
    )


def _exchange(place: Path, part: Path, names: Collection[str]) -> None:
    """Let a new folder take the place of an old one, and keep the old one's files that are no part of a result."""
    with locked(place.parent):
        if not place.exists():
            part.rename(place)
            return
        part.chmod(place.stat().st_mode & 0o7777)
        for entry in list(os.scandir(place)):
            if entry.name not in names and not _PART.fullmatch(entry.name):
                _carry(Path(entry.path), part / entry.name)
        try:
            _swap(part, place)
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
                raise
            old = part.with_name(f"{part.name.removesuffix('.part')}0.part")
            place.rename(old)
            part.rename(place)
            shutil.rmtree(old, ignore_errors=True)


def _carry(old: Path, new: Path) -> None:
    """Put the content of `old` at `new` too, by links where possible, so that it is always in one of the places."""
    if old.is_symlink():
        new.symlink_to(old.readlink())
    elif old.is_dir():
        new.mkdir()
        for entry in list(os.scandir(old)):
            _carry(Path(entry.path), new / entry.name)
        shutil.copystat(old, new)
    else:
        try:
            new.hardlink_to(old)
        except OSError:
            shutil.copy2(old, new)


def _swap(first: Path, second: Path) -> None:
    """Exchange two names in one step, as Linux can; OSError with ENOSYS where it cannot be asked."""
    if platform.system() != "Linux":
        raise OSError(errno.ENOSYS, "names cannot be exchanged")
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, "names cannot be exchanged")
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if call(here, os.fsencode(first), here, os.fsencode(second), exchange) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _fill(place: Path, part: Path, names: Collection[str]) -> None:
    """Move finished files into their folder, one by one."""
    old = part / "old"
    old.mkdir()
    for name in names:
        made, there = part / name, place / name
        if there.is_dir() or (there.exists() and not made.exists()):
            there.rename(old / name)
        if made.exists():
            made.replace(there)


def refuse_inputs(target: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write over a file that is read.

    Parameters
    ----------
    target : Path
        What is to be written.
    inputs : iterable of Path
        Files that are read. Missing ones are passed over.

    Raises
    ------
    ConfigError
        `target` is one of them, by whatever name.
    """
    try:
        found = target.stat()
    except (OSError, ValueError):
        return
    for path in inputs:
        with suppress(OSError, ValueError):
            other = path.stat()
            if (found.st_dev, found.st_ino) == (other.st_dev, other.st_ino):
                raise ConfigError(f"{target}: is read here, and would be overwritten; give the output another name")
