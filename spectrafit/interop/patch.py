"""Applies a JSON patch (RFC 6902), or a patch of a pyhf patchset, to a JSON document."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from spectrafit.errors import ConfigError, nearest

__all__ = ["apply", "split"]


def split(patch: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """Return the file and the name of the patch in `file.json:NAME`; None without a name."""
    text = os.fspath(patch)
    if Path(text).exists():
        return Path(text), None
    file, _, name = text.rpartition(":")
    return (Path(file), name) if file and Path(file).exists() else (Path(text), None)


def apply(document: Any, patch: Any, *, name: str | None = None, where: str = "patch") -> Any:
    """Return a patched copy of `document`.

    Parameters
    ----------
    document : plain JSON value
    patch : list of operations, or a patchset
    name : str, optional
        Which patch of a patchset; not needed if it holds one.
    where : str
        The patch's file, for messages.

    Raises
    ------
    ConfigError
        An operation does not fit the document, a `test` fails, the patchset holds no such patch, or it was made for
        another document (digests differ).
    """
    operations = patch
    if isinstance(patch, dict):
        operations = _choose(document, patch, name, where)
    elif name is not None:
        raise ConfigError(f"{where}: a plain patch has no patch named {name!r}; leave the name away")
    if not isinstance(operations, list):
        raise ConfigError(f"{where}: needs a list of operations or a patchset, found {type(patch).__name__}")
    result = copy.deepcopy(document)
    for index, operation in enumerate(operations):
        try:
            result = _operate(result, operation)
        except _MisfitError as error:
            raise ConfigError(f"{where}: operation {index}: {error}") from None
    return result


def _choose(document: Any, patchset: dict[str, Any], name: str | None, where: str) -> Any:
    """Return the operations of one patch of a patchset, after checking the document's digests."""
    try:
        patches = {str(patch["metadata"]["name"]): patch["patch"] for patch in patchset["patches"]}
        digests = dict(patchset["metadata"]["digests"])
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{where}: neither a list of operations nor a patchset: lacks {error}") from None
    if name is None and len(patches) != 1:
        some = ", ".join(list(patches)[:5]) + (", ..." if len(patches) > 5 else "")
        raise ConfigError(f"{where}: holds {len(patches)} patches ({some}); choose one: {where}:NAME")
    if name is not None and name not in patches:
        raise ConfigError(f"{where}: no patch {name!r} among {len(patches)}{nearest(name, patches)}")
    for kind, digest in digests.items():
        if kind not in ("md5", "sha256"):
            raise ConfigError(f"{where}: $.metadata.digests: {kind!r} is not known, needs md5 or sha256")
        # The digest of a patchset is of the sorted, unescaped JSON text as Python writes it.
        text = json.dumps(document, sort_keys=True, ensure_ascii=False).encode()
        found = hashlib.new(kind, text, usedforsecurity=False).hexdigest()
        if found != str(digest).lower():
            raise ConfigError(f"{where}: made for a workspace with {kind} {digest}, this one has {found}")
    return patches[name] if name is not None else next(iter(patches.values()))


class _MisfitError(Exception):
    """An operation that cannot be done."""


def _operate(document: Any, operation: Any) -> Any:
    """Do one operation and return the document (another object if its root was replaced)."""
    if not isinstance(operation, dict) or "op" not in operation or "path" not in operation:
        raise _MisfitError("needs the keys op and path")
    kind, path = operation["op"], _steps(operation["path"])
    if kind in ("add", "replace", "test"):
        if "value" not in operation:
            raise _MisfitError(f"{kind} needs the key value")
        value = operation["value"]
        if kind == "add":
            return _add(document, path, copy.deepcopy(value))
        found = _get(document, path)
        if kind == "replace":
            return _replace(document, path, copy.deepcopy(value))
        if found != value or isinstance(found, bool) != isinstance(value, bool):
            raise _MisfitError(f"test of {operation['path']!r} failed: found {str(found)[:60]}")
        return document
    if kind == "remove":
        return _remove(document, path)
    if kind in ("move", "copy"):
        source = _steps(operation.get("from"))
        value = _get(document, source)
        if kind == "copy":
            return _add(document, path, copy.deepcopy(value))
        if path[: len(source)] == source and len(path) > len(source):
            raise _MisfitError(f"cannot move {operation['from']!r} into itself")
        return _add(_remove(document, source), path, value)
    raise _MisfitError(f"op {kind!r} is not add, remove, replace, move, copy or test")


def _steps(pointer: Any) -> list[str]:
    """Return the parts of a JSON pointer (RFC 6901)."""
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise _MisfitError(f"{pointer!r} is no JSON pointer: it starts with /")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _index(array: list[Any], part: str, end: int) -> int:
    if not part.isdecimal() or (part[0] == "0" and part != "0") or int(part) >= end:
        raise _MisfitError(f"no element {part!r} in a list of {len(array)}")
    return int(part)


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(document, list):
            document = document[_index(document, part, len(document))]
        elif isinstance(document, dict) and part in document:
            document = document[part]
        else:
            raise _MisfitError(f"no key {part!r} at /{'/'.join(path)}")
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(parent, last, len(parent) + 1), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise _MisfitError(f"/{'/'.join(path[:-1])} is neither a list nor an object")
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _get(document, path[:-1]), path[-1]
    parent[_index(parent, last, len(parent)) if isinstance(parent, list) else last] = value
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    _get(document, path)
    parent, last = _get(document, path[:-1]), path[-1]
    del parent[_index(parent, last, len(parent)) if isinstance(parent, list) else last]
    return document
