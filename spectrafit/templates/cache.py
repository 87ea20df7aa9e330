"""The cache of columns: a second build maps Feather files of the first one and reads no ntuple.

Each chunk is two files. ``<key>.arrow`` holds the columns, uncompressed, as any Arrow library reads them.
``<key>.json`` names the files and the sample set that the columns were made from, and holds a checksum. Columns made
from other files or another sample set are stale; columns with a wrong checksum are damaged. Both are never used: the
ntuple is read again and they are replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import awkward as ak
import msgspec
import numpy as np
from numba import types

from spectrafit.arraytypes import Bytes
from spectrafit.config import Sample, SampleSet
from spectrafit.errors import DAMAGE, ConfigError
from spectrafit.events.read import read_columns
from spectrafit.events.schema import CANONICAL, READING, Chunk, DropReport, FileIdentity
from spectrafit.jit import loop
from spectrafit.output import replacing
from spectrafit.templates.configuration import VERSION

__all__ = ["Cached", "clear", "contents", "fetch"]

_SUFFIXES = (".arrow", ".json")


@dataclass(frozen=True, kw_only=True)
class Cached:
    """One chunk in a cache: where it came from and its size in bytes."""

    file: str
    tree: str
    start: int
    stop: int
    columns: tuple[str, ...]
    size: int


def fetch(
    chunk: Chunk,
    sample_set: SampleSet,
    sample: Sample,
    *,
    columns: Sequence[str],
    identities: Sequence[FileIdentity],
    folder: Path | None,
) -> tuple[dict[str, Any], DropReport, bool]:
    """Return the columns of a chunk from the cache. Columns that the cache lacks are read and then kept there.

    Parameters
    ----------
    chunk, sample_set, sample
        As `spectrafit.events.read.read` takes them.
    columns : sequence of str
        Names of the needed columns; no other column is returned or kept.
    identities : sequence of FileIdentity
        Identities of the chunk's file and its friends, from which cached columns must have been made.
    folder : Path or None
        The cache; None reads the ntuple and keeps nothing.

    Returns
    -------
    dict of str to array
        (N,) or (N, U) numpy arrays, read-only where they are memory-mapped, float32 where that is exact; awkward where
        jagged.
    report : DropReport
    hit : bool
        Whether all columns came from the cache.
    """
    # The canonical columns in use decide which entries are sound, so they are part of a chunk's identity.
    canonical = tuple(name for name in CANONICAL if name in columns)
    if folder is None:
        found, report = read_columns(chunk, sample_set, sample, columns=canonical, extra=columns)
        return _plain(found, columns), report, False
    if find_spec("pyarrow") is None:
        raise ConfigError("a cache needs pyarrow: pip install 'spectrafit-numm[cache]', or build without one")
    place = [sample_set.name, sample.name, chunk.file, chunk.tree, chunk.start, chunk.stop, chunk.first, canonical]
    stem = folder / hashlib.sha256(json.dumps(place).encode()).hexdigest()[:32]
    made_from = _made_from(chunk, sample_set, sample, identities)
    facts = _facts(stem, made_from)
    if facts is not None and set(columns) <= set(facts["columns"]):
        mapped = _mapped(stem, facts["checksum"], columns)
        if mapped is not None:
            return mapped, DropReport.from_plain(facts["report"]), True
    # Columns that another analysis wanted of the same chunk are kept too. Otherwise two analyses would replace each
    # other's columns again and again.
    wanted = tuple(dict.fromkeys([*columns, *(facts["columns"] if facts is not None else ())]))
    read, report = read_columns(chunk, sample_set, sample, columns=canonical, extra=wanted)
    found = _plain(read, wanted)
    _keep(stem, found, {"made_from": made_from, "report": asdict(report), **_source(chunk)})
    return found, report, False


def contents(folder: Path) -> tuple[Cached, ...]:
    """Return the chunks that a cache holds; other files in the folder are ignored."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            facts = json.loads(path.read_bytes())
            size = sum(path.with_suffix(suffix).stat().st_size for suffix in _SUFFIXES)
            found.append(
                Cached(
                    file=facts["file"],
                    tree=facts["tree"],
                    start=facts["start"],
                    stop=facts["stop"],
                    columns=tuple(facts["columns"]),
                    size=size,
                )
            )
        except DAMAGE:
            continue
    return tuple(found)


def clear(folder: Path) -> int:
    """Remove the files of a cache, and nothing else in its folder; return how many bytes they took."""
    freed = 0
    for suffix in _SUFFIXES:
        for path in folder.glob(f"*{suffix}"):
            name = path.name.removesuffix(suffix)
            if len(name) == 32 and set(name) <= set("0123456789abcdef"):
                freed += path.stat().st_size
                path.unlink()
    return freed


def _plain(columns: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return columns as contiguous numpy arrays, those with lists of many lengths as awkward arrays."""
    return {name: _numpy(columns[name]) for name in names}


def _numpy(values: Any) -> Any:
    if isinstance(values, ak.Array):
        if values.ndim > 1 and not (values.ndim == 2 and values.layout.is_regular):
            return values
        values = ak.to_numpy(values)
    return np.ascontiguousarray(values)


def _narrow(values: Any) -> Any:
    """Return float64 as float32 where nothing is lost, as for branches that were float32 in the file."""
    if isinstance(values, np.ndarray) and values.dtype == np.float64:
        single = values.astype(np.float32)
        if np.array_equal(single, values, equal_nan=True):
            return single
    return values


def _made_from(
    chunk: Chunk, sample_set: SampleSet, sample: Sample, identities: Sequence[FileIdentity]
) -> dict[str, Any]:
    """Return all that the columns of a chunk depend on."""
    said = msgspec.to_builtins(sample)
    for key in ("title", "files", "pot", "generate", "sin2_theta_w"):
        del said[key]
    return {
        "version": VERSION,
        "reading": READING,
        "files": [
            [identity.size, identity.uuid, identity.entries, _modified(identity.path)] for identity in identities
        ],
        "sample": said,
        "response": msgspec.to_builtins(sample_set.response),
    }


def _modified(path: str) -> int | None:
    """Return when a file was last written, ns, since a change in place may keep size and UUID. None if remote."""
    return None if "://" in path else Path(path).stat().st_mtime_ns


def _source(chunk: Chunk) -> dict[str, Any]:
    return {"file": chunk.file, "tree": chunk.tree, "start": chunk.start, "stop": chunk.stop}


def _facts(stem: Path, made_from: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the facts about a cached chunk, or None if it is missing or stale."""
    try:
        facts: Any = json.loads(stem.with_suffix(".json").read_bytes())
        # The facts have a checksum of their own. A chunk with damaged facts counts as stale and is read again.
        if facts.pop("seal") != _seal(facts):
            return None
        return facts if facts["made_from"] == json.loads(json.dumps(made_from)) else None
    except DAMAGE:
        return None


def _seal(facts: Mapping[str, Any]) -> str:
    """Return a checksum of the facts about a cached chunk."""
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()


def _mapped(stem: Path, checksum: str, names: Sequence[str]) -> dict[str, Any] | None:
    """Return memory-mapped columns, or None if the file is damaged."""
    import pyarrow

    try:
        # Mapped once, for the checksum and for the columns: each mapping costs as much as reading the file.
        content = pyarrow.memory_map(os.fsencode(stem.with_suffix(".arrow"))).read_buffer()
        if _checksum(np.frombuffer(content, np.uint8)) != checksum:
            return None
        table = pyarrow.ipc.open_file(pyarrow.BufferReader(content)).read_all().select(list(names))
    except (*DAMAGE, pyarrow.ArrowException):
        return None
    columns: dict[str, Any] = {}
    for name in table.column_names:
        found = table[name]
        # Combining a single chunk would copy it.
        values = found.chunk(0) if found.num_chunks == 1 else found.combine_chunks()
        nested = values.type.num_fields > 0
        columns[name] = _numpy(ak.from_arrow(values)) if nested else values.to_numpy(zero_copy_only=True)
    return columns


def _keep(stem: Path, columns: dict[str, Any], facts: Mapping[str, Any]) -> None:
    import pyarrow

    table = pyarrow.table(
        {
            name: pyarrow.array(values)
            if isinstance(values, np.ndarray) and values.ndim == 1
            else ak.to_arrow(values, extensionarray=False, list_to32=False)
            for name, values in ((name, _narrow(values)) for name, values in columns.items())
        }
    )
    remedy = "make room there, or build without a cache"
    with replacing(stem.with_suffix(".arrow"), remedy=remedy) as part:
        with pyarrow.OSFile(os.fsencode(part), "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=max(len(table), 1))
        checksum = _checksum(np.fromfile(part, np.uint8))
    with replacing(stem.with_suffix(".json"), remedy=remedy) as part:
        said = json.loads(json.dumps({**facts, "columns": list(columns), "checksum": checksum}))
        part.write_text(json.dumps({**said, "seal": _seal(said)}))


def _checksum(content: Bytes) -> str:
    """Return a checksum of bytes, about as fast as memory can be read."""
    words = content.size // 8
    head = _fletcher(content[: 8 * words].view(np.uint64))
    return f"{content.size}-{head[0]:016x}-{head[1]:016x}-{bytes(content[8 * words :]).hex()}"


_WORDS = types.Array(types.uint64, 1, "C", readonly=True)


@loop(types.UniTuple(types.uint64, 2)(_WORDS))
def _fletcher(words: Any) -> Any:
    """Return Fletcher's two sums, modulo 2^64: the second sees the order."""
    first, second = np.uint64(1), np.uint64(0)
    for word in words:
        first += word
        second += first
    return first, second
