"""Plain values and arrays in, one .npz file out and back; and what of an analysis its templates depend on."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from spectrafit.config import Analysis, Norm
from spectrafit.errors import DAMAGE, ConfigError, DataError
from spectrafit.output import replacing
from spectrafit.templates.matrices import tables_of

__all__ = ["VERSION", "check_name", "configuration", "differing_key", "read", "write"]

VERSION = version("spectrafit-numm")
"""Of spectrafit: part of what templates and caches are made from. Looked up once, which takes a millisecond."""

# The layout of the file; a file of another number is refused, not guessed at.
_FORMAT = 2

# Keys of an analysis that act on filled templates or after them, and what only says where files lie.
_AFTER = ("title", "counts", "normalise", "data", "fit", "limit", "samples", "path")


def configuration(analysis: Analysis) -> dict[str, Any]:
    """Return what of the analysis shapes its templates, as plain values, with digests of its matrices and flux tables.

    Left out: fit and limit options, `norm` systematics, counts, data and normalisation (all applied to filled
    templates), titles and labels, and the folders files lie in.
    """
    plain: dict[str, Any] = msgspec.to_builtins(analysis)
    plain["coupling"] = msgspec.to_builtins(analysis.coupling_options)
    # By name: positions in the file count those of `norm` too, which may come and go.
    plain["systematics"] = {}
    for systematic in analysis.systematics:
        if not isinstance(systematic, Norm):
            twins = sum(name.partition(" (")[0] == systematic.name for name in plain["systematics"])
            name = f"{systematic.name} ({twins + 1})" if twins else systematic.name
            plain["systematics"][name] = msgspec.to_builtins(systematic)
    plain["sample_sets"] = {
        sample_set.name: {
            key: value for key, value in msgspec.to_builtins(sample_set).items() if key not in ("title", "path")
        }
        for sample_set in analysis.sample_sets
    }
    for sample_set in plain["sample_sets"].values():
        for sample in sample_set["samples"]:
            # A generator's recipe says how the files came to be; the files' own identities say what is in them.
            for key in ("title", "generate"):
                del sample[key]
    for region in plain["regions"]:
        for axis in region["axes"]:
            del axis["label"]
    plain["tables"] = tables_of(analysis)
    return {key: value for key, value in plain.items() if key not in _AFTER}


def check_name(path: Path) -> None:
    """Refuse a name that does not end in .npz, with a ConfigError: before templates are filled, not after."""
    if path.suffix != ".npz":
        raise ConfigError(f"{path}: templates are kept as .npz; call the file {path.with_suffix('.npz').name}")


def write(path: Path, plain: Mapping[str, Any], arrays: Mapping[str, Any]) -> Path:
    """Write `plain` (as JSON) and `arrays` to `path`, whole or not at all.

    Raises
    ------
    ConfigError
        The name does not end in .npz.
    DataError
        The file cannot be written.
    """
    check_name(path)
    header = np.frombuffer(json.dumps({**plain, "format": _FORMAT}).encode(), np.uint8)
    with replacing(path) as part, part.open("wb") as stream:
        np.savez(stream, header=header, **arrays)
    return path


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the plain values and the arrays of a file made by `write`.

    Raises
    ------
    DataError
        The file is missing, damaged, or no templates file.
    """
    if path.is_file() and not zipfile.is_zipfile(path):
        raise DataError(f"{path}: damaged, or not a templates file; build it again")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as members:
            # Reading every member to its end makes the archive check each one's CRC.
            arrays = {name: members[name] for name in members.files}
        plain = json.loads(arrays.pop("header").tobytes())
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; make it with `spectrafit build -o {path.name}`") from error
    except DAMAGE as error:
        raise DataError(f"{path}: damaged, or not a templates file ({error}); build it again") from error
    if not isinstance(plain, dict):
        raise DataError(f"{path}: damaged, or not a templates file (its header is no table); build it again")
    if plain.pop("format", None) != _FORMAT:
        raise DataError(f"{path}: written by another version of spectrafit; build it again")
    return plain, arrays


def differing_key(made: Mapping[str, Any], needed: Mapping[str, Any]) -> str:
    """Return where two nested plain mappings first differ, with both values, or an empty string."""
    # A round trip through JSON makes tuples lists and keys text, as they are in the file.
    return next(_differences("$", json.loads(json.dumps(made)), json.loads(json.dumps(needed))), "")


def _differences(where: str, made: Any, needed: Any) -> Iterator[str]:
    if isinstance(made, dict) and isinstance(needed, dict):
        for key in dict.fromkeys([*needed, *made]):
            if key not in made:
                yield f"{where}.{key} is {_short(needed[key])} in the analysis, absent in the templates"
            elif key not in needed:
                yield f"{where}.{key} is absent in the analysis, {_short(made[key])} in the templates"
            else:
                yield from _differences(f"{where}.{key}", made[key], needed[key])
    elif isinstance(made, list) and isinstance(needed, list) and len(made) == len(needed):
        for i, (a, b) in enumerate(zip(made, needed, strict=True)):
            yield from _differences(f"{where}[{i}]", a, b)
    elif made != needed:
        yield f"{where} is {_short(needed)} in the analysis, {_short(made)} in the templates"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
