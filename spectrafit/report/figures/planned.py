"""Plans figures: what is drawn from what, so that a figure whose inputs have not changed is not drawn again."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Planned"]

# How long a fit took is in its result, and in no figure.
_UNDRAWN = ("seconds",)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Planned:
    """A figure that is drawn when it is asked for.

    Attributes
    ----------
    name, caption, seen : str
        Name of its files, the words under it, and the words in place of the picture for those who cannot see it.
    by : str
        The function that draws it, `module.function` of this room.
    given : tuple
        Its arguments.
    options : mapping
        Its keywords.
    """

    name: str
    caption: str
    seen: str
    by: str
    given: tuple[Any, ...]
    options: Mapping[str, Any]

    @functools.cached_property
    def figure(self) -> Figure:
        """The figure, drawn at the first time; to be asked for within `look`."""
        module, function = self.by.split(".")
        # The module imports matplotlib, which takes half a second: only drawing pays for it.
        made: Figure = getattr(import_module(f"spectrafit.report.figures.{module}"), function)(
            *self.given, **self.options
        )
        return made

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the function, of all that it is given, of the code of this room and of matplotlib's version."""
        digest = hashlib.sha256(_code())
        _feed(digest, (self.by, self.given, self.options))
        return digest.hexdigest()


@functools.cache
def _code() -> bytes:
    """Return what a figure depends on beside its inputs."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return version("matplotlib").encode() + b"".join(path.read_bytes() for path in files)


def _feed(digest: Any, value: Any) -> None:
    """Add a value to a digest: its type and its content, never its place in memory."""
    digest.update(type(value).__name__.encode())
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, msgspec.Struct):
        digest.update(msgspec.json.encode(value, order="deterministic"))
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if field.name not in _UNDRAWN:
                _feed(digest, (field.name, getattr(value, field.name)))
    elif isinstance(value, Mapping):
        _feed(digest, tuple(value.items()))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        digest.update(str(len(value)).encode())
        for item in value:
            _feed(digest, item)
    elif hasattr(value, "edges"):
        _feed(digest, np.asarray(value.edges))
    elif value is None or isinstance(value, str | bytes | int | float | np.generic):
        digest.update(repr(value).encode(errors="surrogateescape") + b";")
    else:
        raise TypeError(f"{type(value).__name__}: no figure has been drawn from such a value before")
