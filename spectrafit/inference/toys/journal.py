"""Keeps the finished pieces of a long job in the user's cache, so that the job can go on after it was stopped.

A job has a journal: a file with one line for each finished piece, written as soon as the piece is. Toys are kept beside
it as a bank. The journal's key is all that decides the numbers: the model, the command and its options. A job that has
come to its end leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from spectrafit.errors import ConfigError

__all__ = ["MOST_BYTES", "Journal", "clear", "folder", "journal", "kept"]

MOST_BYTES = 500_000_000
"""Size of all journals and banks together, above which the oldest are removed."""


def folder() -> Path:
    """Return where journals are: spectrafit/unfinished in the user's cache ($XDG_CACHE_HOME, else ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "spectrafit" / "unfinished"


class Journal:
    """The finished pieces of one job.

    Attributes
    ----------
    path : Path
        The file of lines.
    bank : Path
        Where the toys of this job are kept.
    found : int
        Pieces that an earlier run has left.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path, self.bank = path, path.with_suffix(".npz")
        self._pieces: dict[str, Any] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines()[1:]:
                # The last line is torn if the process was killed while it wrote.
                with suppress(ValueError):
                    piece = json.loads(line)
                    self._pieces[piece["piece"]] = piece["value"]
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(header) + "\n", encoding="utf-8")
        self.found = len(self._pieces)

    @property
    def begun(self) -> bool:
        """Whether there is anything to go on with."""
        return bool(self._pieces) or self.bank.exists()

    @property
    def words(self) -> str:
        """What an earlier run has left, for people."""
        toys = "its toys" if self.bank.exists() else ""
        pieces = f"{self.found} finished pieces" if self.found else ""
        return " and ".join(word for word in (pieces, toys) if word) or "nothing: the run was stopped before anything"

    def get(self, piece: str) -> Any:
        """Return what a piece gave, None if it is not finished."""
        return self._pieces.get(piece)

    def put(self, piece: str, value: Any) -> None:
        """Keep what a piece gave, as values that JSON knows."""
        self._pieces[piece] = value
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"piece": piece, "value": value}) + "\n")

    def remove(self) -> None:
        """Remove the journal and its bank."""
        for path in (self.path, self.bank):
            with suppress(OSError):
                path.unlink()


@contextmanager
def journal(subject: str, command: str, key: Mapping[str, Any], *, resume: bool) -> Iterator[Journal]:
    """Open the journal of a job; when the block ends well, it is removed.

    Parameters
    ----------
    subject : str
        Path of the analysis, for people.
    command : str
    key : mapping
        All that decides the numbers, as values that JSON knows. `model` is the digest of the model.
    resume : bool
        Go on with what an earlier run of the same job has left; otherwise that is thrown away.

    Raises
    ------
    ConfigError
        `resume`, and no run of this job was stopped: the message says if the analysis or the options differ.
    """
    place = folder()
    digest = hashlib.blake2b(json.dumps([command, key], sort_keys=True).encode(), digest_size=12).hexdigest()
    path = place / f"{digest}.jsonl"
    there = Path(subject).resolve()
    if resume and not path.exists():
        raise ConfigError(_refusal(str(there), command, key))
    found = Journal(path, {"subject": str(there), "command": command, "key": dict(key)})
    if not resume and (found.found or found.bank.exists()):
        found.remove()
        found = Journal(path, {"subject": str(there), "command": command, "key": dict(key)})
    _make_room(path)
    try:
        yield found
    except Exception:
        # A mistake, not a stop. There is nothing to go on with where no piece was finished.
        if not found.begun:
            found.remove()
        raise
    found.remove()


def _refusal(subject: str, command: str, key: Mapping[str, Any]) -> str:
    others = [head for head in kept() if head["subject"] == subject and head["command"] == command]
    if not others:
        return f"--resume: no stopped run of {command} is kept for {subject}; leave --resume out"
    other = others[-1]["key"]
    if other.get("model") != key.get("model"):
        return (
            f"--resume: the run of {command} that was stopped had another model ({str(other.get('model'))[:12]}, now "
            f"{str(key.get('model'))[:12]}): the analysis or its inputs changed; leave --resume out"
        )
    changed = [name for name in {**other, **key} if other.get(name) != key.get(name)]
    told = ", ".join(f"{name} {other.get(name)} (now {key.get(name)})" for name in changed)
    return f"--resume: the run of {command} that was stopped had {told}; give the same options, or leave --resume out"


def kept() -> list[dict[str, Any]]:
    """Return what stopped runs are kept, the oldest first: subject, command, key, pieces, bytes."""
    found = []
    for path in sorted(folder().glob("*.jsonl"), key=lambda path: path.stat().st_mtime):
        with suppress(ValueError, OSError):
            lines = path.read_text(encoding="utf-8").splitlines()
            size = sum(each.stat().st_size for each in (path, path.with_suffix(".npz")) if each.exists())
            found.append(json.loads(lines[0]) | {"pieces": len(lines) - 1, "bytes": size})
    return found


def clear() -> int:
    """Remove all journals and their banks, and return how many bytes they took."""
    freed = 0
    for path in [*folder().glob("*.jsonl"), *folder().glob("*.npz")]:
        with suppress(OSError):
            freed += path.stat().st_size
            path.unlink()
    return freed


def _make_room(own: Path) -> None:
    """Remove the oldest journals until all together are small enough; the one in use stays."""
    sizes = {
        path: sum(each.stat().st_size for each in (path, path.with_suffix(".npz")) if each.exists())
        for path in sorted(own.parent.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    }
    for path, size in sizes.items():
        if sum(sizes.values()) <= MOST_BYTES or path == own:
            continue
        for each in (path, path.with_suffix(".npz")):
            with suppress(OSError):
                each.unlink()
        sizes[path] -= size
