"""Reading local files through plain file handles, so that a file that shrinks is an error and not a dead process.

A memory map of a file that another program truncates kills the process with a bus error as soon as a lost page is
touched. A read of the same bytes just comes up short. It costs about a tenth of the time it takes to read uncached
numbers, because the bytes are copied once.
"""

from __future__ import annotations

import os
from queue import Queue
from typing import Any

import numpy as np
from uproot.source.chunk import Chunk, Source
from uproot.source.futures import TrivialFuture

from spectrafit.arraytypes import Bytes

__all__ = ["LocalSource"]


class _Reading:
    """What makes a local file a source of uproot's: any range of bytes, read at once.

    Parameters
    ----------
    file_path : str
    options
        Those uproot hands to every source; none matters here.
    """

    _closed = True

    def __init__(self, file_path: str, **options: Any) -> None:
        self._file_path = file_path
        self._num_requests = self._num_requested_chunks = self._num_requested_bytes = 0
        self._descriptor = os.open(file_path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self._closed = False

    def __repr__(self) -> str:
        return f"<LocalSource {self._file_path!r}>"

    def chunk(self, start: int, stop: int) -> Any:
        """Return the bytes from `start` to `stop`, read at once."""
        self._num_requests += 1
        self._num_requested_chunks += 1
        self._num_requested_bytes += stop - start
        return Chunk(self, start, stop, TrivialFuture(self._read(start, stop)))

    def chunks(self, ranges: list[tuple[int, int]], notifications: Queue[Any]) -> list[Any]:
        """Return several ranges of bytes, each announced in `notifications` when it has been read."""
        found = [self.chunk(start, stop) for start, stop in ranges]
        for chunk in found:
            notifications.put(chunk)
        return found

    @property
    def num_bytes(self) -> int:
        """Present size of the file, bytes."""
        return os.fstat(self._descriptor).st_size

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return self._closed

    def __enter__(self) -> _Reading:
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)

    def __del__(self) -> None:
        self.__exit__()

    def _read(self, start: int, stop: int) -> Bytes:
        """Return the bytes there are: fewer where the file ends before, which the reader then says."""
        # A damaged file may ask for more bytes than any memory holds.
        stop = min(stop, self.num_bytes)
        if not start >= 0:
            raise OSError(f"bytes from {start} on are wanted, which no file has")
        parts = []
        while start < stop and (part := os.pread(self._descriptor, stop - start, start)):
            parts.append(part)
            start += len(part)
        return np.frombuffer(parts[0] if len(parts) == 1 else b"".join(parts), np.uint8)


# uproot carries no types, so its base class is mixed in where no type checker looks.
LocalSource: Any = type("LocalSource", (_Reading, Source), {})
"""The `handler` for local files; see `uproot.open`."""
