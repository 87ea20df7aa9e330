"""Writes an analysis as TOML files: load them again, and the analysis has the same digest.

Only what differs from the defaults is written. Settings of one run (`--set`, `--without`, `--interest`) and what was
included are in the files; names of ntuples stay relative to the folder of the original file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import fields, replace

from spectrafit.config.analysis import Analysis
from spectrafit.config.injected import quoted
from spectrafit.config.samples import SampleSet

__all__ = ["written"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
# Filled by `load`, never by a file; `without` has done its work.
_INTERNAL = ("path", "sample_sets", "include", "without")
_LONG = 108


def written(analysis: Analysis) -> dict[str, str]:
    """Return the TOML of an analysis and of its sample sets, by the names of their files.

    Parameters
    ----------
    analysis : Analysis
        As `spectrafit.load` returns it.

    Returns
    -------
    dict of str to str
        The analysis first, by the name of its file; then the sample sets, by their names relative to it.
    """
    sets = (analysis.samples,) if isinstance(analysis.samples, str) else analysis.samples
    whole = _plain(analysis)
    if analysis.exposure:
        # `load` fills `pot` with the number of `exposure`; a file has one of them.
        del whole["pot"]
    found = {Path(analysis.path).name: _document(whole)}
    for name, sample_set in zip(sets, analysis.sample_sets, strict=True):
        found[name] = _document(_plain(_unqualified(sample_set)))
    return found


def _unqualified(sample_set: SampleSet) -> SampleSet:
    """Return a set without its name before the names of its samples, as its file has them."""
    prefix, suffix = f"{sample_set.name}/", f" ({sample_set.name})"
    if not all(sample.name.startswith(prefix) for sample in sample_set.samples):
        return sample_set
    return replace(
        sample_set,
        samples=tuple(
            replace(sample, name=sample.name.removeprefix(prefix), title=sample.title.removesuffix(suffix))
            for sample in sample_set.samples
        ),
    )


def _plain(value: Any) -> Any:
    """Return structs as dicts of what differs from their defaults, everything else as TOML knows it."""
    if isinstance(value, msgspec.Struct):
        found: dict[str, Any] = {}
        tag = value.__struct_config__.tag
        if tag is not None:
            found[str(value.__struct_config__.tag_field)] = tag
        for field in fields(value):
            here = getattr(value, field.name)
            default = field.default
            if field.default_factory is not msgspec.NODEFAULT:
                default = field.default_factory()
            if here is None or here is msgspec.UNSET or field.name in _INTERNAL or _alike(here, default):
                continue
            found[field.encode_name] = _plain(here)
        return found
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _alike(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _document(table: Mapping[str, Any]) -> str:
    """Return a document: plain keys, then a table for each dict, then an array of tables for each list of dicts."""
    plain = {key: value for key, value in table.items() if not _nested(value)}
    lines = list(_keys(plain))
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", f"[{_key(key)}]", *_keys(value)]
        elif _nested(value):
            for item in value:
                lines += ["", f"[[{_key(key)}]]", *_keys(item)]
    return "\n".join(lines).strip() + "\n"


def _nested(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)
    )


def _keys(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        line = f"{_key(key)} = {_value(value)}"
        if len(line) <= _LONG or not isinstance(value, list):
            yield line
        else:
            yield f"{_key(key)} = ["
            yield from (f"    {_value(item)}," for item in value)
            yield "]"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else quoted(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    return str(value)
