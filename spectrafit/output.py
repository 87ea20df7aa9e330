"""A path in; a temporary path to write to, which becomes it when all went well and vanishes when not."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spectrafit.errors import DataError

__all__ = ["replacing"]


@contextmanager
def replacing(target: Path, *, remedy: str = "nothing was left there") -> Iterator[Path]:
    """Yield a path beside `target` to write to, and put it in place if the block ends well; else leave no trace.

    What was under `target` is there, whole, until that moment. Folders on the way are made.

    Raises
    ------
    DataError
        If writing fails, for a full disk for example; the message ends with `remedy`.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror or error}); {remedy}") from error
    finally:
        with suppress(OSError):
            part.unlink()
