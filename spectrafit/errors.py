"""The exceptions that a user can cause, and the exceptions that libraries raise for a damaged file."""

from __future__ import annotations

import difflib
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable

__all__ = ["DAMAGE", "BadFile", "ConfigError", "DataError", "SpectrafitError", "nearest"]

DAMAGE: tuple[type[Exception], ...] = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,  # RecursionError is a kind of it
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""The exceptions that readers of numpy, ROOT, Arrow and zip files raise when a file is damaged."""


class SpectrafitError(Exception):
    """Base of every error a user can cause; the message names the place, the finding, the need and the remedy."""


class ConfigError(SpectrafitError):
    """Something in a TOML file or an argument is wrong."""


class DataError(SpectrafitError):
    """Something in an input file is wrong."""


class BadFile(DataError):
    """The file at `path` cannot be read or is damaged; a build may go on without it if the user asks for that."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message, path)
        self.path = path

    def __str__(self) -> str:
        """Return the message alone."""
        return str(self.args[0])


def nearest(name: str, known: Iterable[str], *, most: int = 3) -> str:
    """Return ``"; did you mean 'a' or 'b'?"`` for the known names closest to `name`, or an empty string."""
    lowered = {name.lower(): name for name in known}
    found = difflib.get_close_matches(name.lower(), lowered, n=most, cutoff=0.55)
    return f"; did you mean {' or '.join(repr(lowered[near]) for near in found)}?" if found else ""
