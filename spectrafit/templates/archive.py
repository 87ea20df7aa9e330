"""The file that `spectrafit build -o` writes: the cells of an analysis, whole or not at all."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from spectrafit.config import Analysis
from spectrafit.errors import DAMAGE, ConfigError, DataError
from spectrafit.output import replacing
from spectrafit.physics.couplings import Monomials
from spectrafit.templates.cells import Cells, EffectCells, Fractions, SampleCells
from spectrafit.templates.migration import Moves
from spectrafit.templates.regions import RegionBins
from spectrafit.templates.serving import served

__all__ = ["check_name", "load", "save"]

# The layout of the file; a file of another number is refused, not guessed at.
_FORMAT = 4
# The exceptions that a damaged file may raise while it is restored.
_DAMAGE: tuple[type[Exception], ...] = (*DAMAGE, msgspec.ValidationError)


def save(path: Path, cells: Cells) -> Path:
    """Write cells to `path` (.npz), whole or not at all, and return it.

    Raises
    ------
    ConfigError
        The name does not end in .npz.
    DataError
        The file cannot be written.
    """
    plain = {
        "analysis": msgspec.to_builtins(cells.analysis),
        "regions": [region.plain() for region in cells.regions],
        "monomials": [cells.monomials.parameters, cells.monomials.exponents],
        "samples": [
            {
                **{key: getattr(sample, key) for key in ("name", "role", "title", "stands_for", "tabulated")},
                "effects": [[key, len(found.moves)] for key, found in sample.effects.items()],
            }
            for sample in cells.samples
        ],
        "fractions": {key: list(found.samples) for key, found in cells.fractions.items()},
        "tables": {key: list(found) for key, found in cells.tables.items()},
        "inventories": cells.inventories,
        "configuration": cells.configuration,
        "version": cells.version,
        "provenance": cells.provenance,
        "halves": len(cells.halves),
    }
    arrays = dict(_arrays(cells))
    for number, half in enumerate(cells.halves):
        arrays |= {f"half{number}.{name}": array for name, array in _arrays(half)}
    return _write(path, plain, arrays)


def _arrays(cells: Cells) -> Any:
    """Yield every array with its name in the file; names are numbers, since users' names may hold any character."""
    for row, sample in enumerate(cells.samples):
        for name in ("sums", "squares", "entries"):
            yield f"{row}.{name}", getattr(sample, name)
        for column, found in enumerate(sample.effects.values()):
            for name in ("sums",) if found.moves else ("sums", "noise", "half"):
                yield f"{row}.{column}.{name}", getattr(found, name)
            if found.origin is not None:
                yield f"{row}.{column}.origin", found.origin
            for number, moves in enumerate(found.moves):
                for name in ("first", "second", "squares"):
                    yield f"{row}.{column}.{number}.{name}", getattr(moves, name)
    for column, fractions in enumerate(cells.fractions.values()):
        yield f"fractions.{column}", fractions.rows
    for column, tables in enumerate(cells.tables.values()):
        for number, table in enumerate(tables.values()):
            yield f"tables.{column}.{number}", table


def load(path: Path, analysis: Analysis | None = None) -> Cells:
    """Read cells written by `save`.

    Parameters
    ----------
    path : Path
        The .npz file.
    analysis : Analysis, optional
        Return the cells for this analysis. It may differ from the one they were filled for in what acts on filled
        cells, as `spectrafit.templates.serving` says. Anything else is refused.

    Raises
    ------
    DataError
        The file is missing, damaged, not a templates file, or written by another version.
    ConfigError
        The cells belong to another analysis; the message names the first key that differs.
    """
    plain, arrays = _read(path)
    try:
        cells = _restored(plain, arrays)
    except _DAMAGE as error:
        raise DataError(f"{path}: damaged, or not a templates file ({error}); build it again") from error
    if analysis is None:
        return cells
    try:
        return served(cells, analysis)
    except ConfigError as error:
        raise ConfigError(f"{path}: made with another analysis: {error}; build the templates again") from None


def _restored(plain: Mapping[str, Any], arrays: Mapping[str, Any]) -> Cells:
    regions = tuple(RegionBins.from_plain(region) for region in plain["regions"])
    parameters, exponents = plain["monomials"]
    cells = sum(int(np.prod(region.extents)) for region in regions)
    samples = []
    for row, said in enumerate(plain["samples"]):
        found = {}
        for column, (key, count) in enumerate(said["effects"]):
            sums = arrays[f"{row}.{column}.sums"]
            if count:
                names = ("first", "second", "squares")
                moves = [{name: arrays[f"{row}.{column}.{table}.{name}"] for name in names} for table in range(count)]
                kept_moves = tuple(Moves(cells=cells, **one) for one in moves)
                found[key] = EffectCells.of_moves(sums, kept_moves, arrays.get(f"{row}.{column}.origin"))
            else:
                kept = {name: arrays[f"{row}.{column}.{name}"] for name in ("noise", "half")}
                found[key] = EffectCells(sums=sums, origin=arrays.get(f"{row}.{column}.origin"), **kept)
        own = {name: arrays[f"{row}.{name}"] for name in ("sums", "squares", "entries")}
        samples.append(SampleCells(**{**said, "effects": found}, **own))
    halves = []
    for number in range(plain.get("halves", 0)):
        prefix = f"half{number}."
        mine = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        halves.append(_restored({**plain, "halves": 0}, mine))
    return Cells(
        analysis=msgspec.convert(plain["analysis"], Analysis),
        regions=regions,
        monomials=Monomials(parameters=tuple(parameters), exponents=tuple(tuple(powers) for powers in exponents)),
        samples=tuple(samples),
        fractions={
            key: Fractions(rows=arrays[f"fractions.{column}"], samples=tuple(names))
            for column, (key, names) in enumerate(plain["fractions"].items())
        },
        tables={
            key: {name: arrays[f"tables.{column}.{table_row}"] for table_row, name in enumerate(names)}
            for column, (key, names) in enumerate(plain["tables"].items())
        },
        inventories=tuple(plain["inventories"]),
        configuration=plain["configuration"],
        version=plain["version"],
        provenance=plain["provenance"],
        halves=tuple(halves),
    )


def check_name(path: Path) -> None:
    """Refuse a name that does not end in .npz, with a ConfigError: before templates are filled, not after."""
    if path.suffix != ".npz":
        raise ConfigError(f"{path}: templates are kept as .npz; call the file {path.with_suffix('.npz').name}")


def _write(path: Path, plain: Mapping[str, Any], arrays: Mapping[str, Any]) -> Path:
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


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the plain values and the arrays of a file made by `_write`.

    Raises
    ------
    DataError
        The file is missing, damaged, or not a templates file.
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
