"""Reading a HistFactory workspace file (pyhf JSON, gzipped or not, patched or not) as checked structs."""

from __future__ import annotations

import codecs
import gzip
import os
import zlib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from spectrafit.errors import ConfigError, DataError, nearest
from spectrafit.interop import patch as patching

__all__ = [
    "Channel",
    "Histosys",
    "Lumi",
    "Measurement",
    "Modifier",
    "Normfactor",
    "Normsys",
    "Sample",
    "Setting",
    "Settings",
    "Shapefactor",
    "Shapesys",
    "Staterror",
    "Workspace",
    "chosen",
    "load",
]


# The needed content, for messages about files with other content.
_NEEDED = "needs pyhf's JSON: an object with channels, observations, measurements and version"


# What numbers may be: yields, factors between yields, and everything else, such that no square or product of them
# overflows.
Events = Annotated[float, Meta(ge=-1e15, le=1e15)]
Ratio = Annotated[float, Meta(ge=-1e20, le=1e20)]
Number = Annotated[float, Meta(ge=-1e30, le=1e30)]


class _Keys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys that are not in the schema are refused by name."""


class Shapes(_Keys, frozen=True):
    """Bins at one sigma down and up, events."""

    lo_data: list[Events]
    hi_data: list[Events]


class Factors(_Keys, frozen=True):
    """Yields at one sigma down and up, relative to the nominal."""

    lo: Ratio
    hi: Ratio


class Histosys(_Keys, frozen=True, tag="histosys", tag_field="type"):
    """A correlated change of shape: interpolated per bin by code 4p and added."""

    name: str
    data: Shapes


class Normsys(_Keys, frozen=True, tag="normsys", tag_field="type"):
    """A constrained normalisation, interpolated by code 4."""

    name: str
    data: Factors


class Normfactor(_Keys, frozen=True, tag="normfactor", tag_field="type"):
    """A free normalisation."""

    name: str
    data: None = None


class Shapefactor(_Keys, frozen=True, tag="shapefactor", tag_field="type"):
    """A free factor in each bin."""

    name: str
    data: None = None


class Shapesys(_Keys, frozen=True, tag="shapesys", tag_field="type"):
    """A factor in each bin with a Poisson constraint; `data` are absolute uncertainties."""

    name: str
    data: list[Events]


class Staterror(_Keys, frozen=True, tag="staterror", tag_field="type"):
    """A factor in each bin that samples share, Gaussian; `data` are this sample's absolute uncertainties."""

    name: str
    data: list[Events]


class Lumi(_Keys, frozen=True, tag="lumi", tag_field="type"):
    """The luminosity: a factor whose Gaussian constraint stands in the measurement."""

    name: str
    data: None = None


Modifier = Histosys | Normsys | Normfactor | Shapefactor | Shapesys | Staterror | Lumi


class Sample(_Keys, frozen=True):
    """Nominal events per bin, and what changes them."""

    name: str
    data: list[Events]
    modifiers: list[Modifier]


class Channel(_Keys, frozen=True):
    """One histogram that is observed: the sum of its samples."""

    name: str
    samples: list[Sample]


class Observation(_Keys, frozen=True):
    """Counts seen in a channel."""

    name: str
    data: list[Events]


class Setting(_Keys, frozen=True):
    """A measurement's settings of one parameter (or of all bins of one); a missing key keeps its default."""

    name: str
    inits: list[Number] | None = None
    bounds: list[tuple[Number, Number]] | None = None
    auxdata: list[Number] | None = None
    factors: list[Number] | None = None
    sigmas: list[Number] | None = None
    fixed: bool | None = None


class Settings(_Keys, frozen=True):
    """A measurement's parameter of interest ("" for none) and parameter settings."""

    poi: str
    parameters: list[Setting]


class Measurement(_Keys, frozen=True):
    """One way of fitting the channels."""

    name: str
    config: Settings


class Workspace(_Keys, frozen=True):
    """The whole file."""

    channels: list[Channel]
    observations: list[Observation]
    measurements: list[Measurement]
    version: str

    def measurement(self, name: str | None = None) -> tuple[int, Measurement]:
        """Return the measurement called `name` and its position; the first if `name` is None."""
        if not self.measurements:
            raise ConfigError("$.measurements: none is defined; a fit needs one")
        if name is None:
            return 0, self.measurements[0]
        known = [measurement.name for measurement in self.measurements]
        if name not in known:
            raise ConfigError(f"$.measurements: no {name!r}, found {', '.join(map(repr, known))}{nearest(name, known)}")
        return known.index(name), self.measurements[known.index(name)]


def chosen(spec: Workspace, name: str | None, path: str | os.PathLike[str]) -> tuple[int, Measurement]:
    """Return `Workspace.measurement`, with the file in front of what is wrong."""
    try:
        return spec.measurement(name)
    except ConfigError as error:
        raise ConfigError(f"{os.fspath(path)}: {error}") from None


def _read(path: Path) -> bytes:
    """Return a file's bytes, unpacked if they are gzipped (whatever the name says), without a byte order mark."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        return data.removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); fetch it again") from error


def _decode(path: Path, data: bytes, kind: Any) -> Any:
    try:
        return _decoded(path, data, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_path(str(error), inside=False)}; {_NEEDED}") from error


def _decoded(path: Path, data: bytes, kind: Any) -> Any:
    """Return the decoded JSON. Errors of the schema pass through: the caller knows the place in the file."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        raise
    except RecursionError as error:
        raise ConfigError(f"{path}: is nested too deeply for a workspace; {_NEEDED}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: holds text that is not UTF-8 ({error.reason}); write it again as UTF-8") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: is not JSON ({error}); fetch or write it again") from error


def load(path: str | os.PathLike[str], *, patch: str | os.PathLike[str] | None = None) -> Workspace:
    """Read a workspace, at the top of the file or under its key `workspace`.

    Parameters
    ----------
    path : path of a .json or .json.gz file
    patch : path, optional
        A JSON patch, or a patchset (`file.json:NAME` chooses one of its patches), applied before anything is read.

    Raises
    ------
    DataError
        A file is missing or damaged.
    ConfigError
        The content breaks the schema, or the patch does not fit; the message holds the JSON path.
    """
    target = Path(path)
    data = _read(target)
    parts: dict[str, msgspec.Raw] = _decode(target, data, dict[str, msgspec.Raw])
    inside = "workspace" in parts and "channels" not in parts
    if inside:
        data = bytes(parts["workspace"])
    elif "channels" not in parts:
        found = "an empty object" if not parts else f"keys {', '.join(list(parts)[:6])}"
        raise ConfigError(f"{target}: is no HistFactory workspace: found {found}; {_NEEDED}")
    try:
        if patch is None:
            workspace: Workspace = _decoded(target, data, Workspace)
        else:
            workspace = msgspec.convert(_patched(target, data, patch), Workspace)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{target}: {_path(str(error), inside)}") from error
    if workspace.version != "1.0.0":
        raise ConfigError(f"{target}: $.version: {workspace.version!r} is not known, needs '1.0.0'")
    return workspace


def _path(message: str, inside: bool) -> str:
    """Return msgspec's "problem - at `$.path`" as "$.path: problem"."""
    problem, found, where = message.rpartition(" - at `")
    if not found:
        problem, where = message, "$`"
    where = where.rstrip("`")
    if inside:
        where = where.replace("$", "$.workspace", 1)
    return f"{where}: {problem[:1].lower()}{problem[1:]}"


def _patched(target: Path, data: bytes, patch: str | os.PathLike[str]) -> Any:
    """Return the workspace's plain JSON after the patch."""
    document = _decode(target, data, Any)
    file, name = patching.split(patch)
    return patching.apply(document, _decode(file, _read(file), Any), name=name, where=str(file))
