"""Reads local files through plain file handles, so that a file that another program cuts short gives an error.

With a memory map, such a file would kill the process with a bus error as soon as a lost page is touched. A plain read
returns fewer bytes, which is an error that can be reported. It makes reading numbers about a tenth slower, because the
bytes are copied once.
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
    """A local file as a source for uproot: returns any range of bytes.

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
        """Return the bytes, fewer if the file ends before `stop`; uproot then raises an error."""
        # A damaged file may ask for more bytes than any memory holds.
        stop = min(stop, self.num_bytes)
        if not start >= 0:
            raise OSError(f"bytes {start} to {stop} are asked for, more than a file can have")
        parts = []
        while start < stop and (part := os.pread(self._descriptor, stop - start, start)):
            parts.append(part)
            start += len(part)
        return np.frombuffer(parts[0] if len(parts) == 1 else b"".join(parts), np.uint8)


# uproot carries no types, so its base class is mixed in where no type checker looks.
LocalSource: Any = type("LocalSource", (_Reading, Source), {})
"""The `handler` for local files; see `uproot.open`."""
