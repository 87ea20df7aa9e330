"""The tables of a detector response, read from files: resolutions, efficiencies, quenching factors and matrices."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config import Response
from spectrafit.errors import DataError, nearest
from spectrafit.events.files import open_file, refusing, stored

__all__ = ["TABLES", "curve", "load"]

TABLES = ("quenching", "energy_resolution", "energy_matrix", "efficiency_table")
"""The keys of a response that may name a file."""

_NONE = np.empty(0)
_NO_TABLE = np.empty((0, 0))


def load(response: Response) -> tuple[Floats, ...]:
    """Return the arrays of a response's tables, in the order in which the smearing takes them; empty where none is.

    Returns
    -------
    width_at, widths : (r,) arrays
        Energies in the response's unit, and sigma(T)/T there.
    efficiency_at, efficiencies : (e,) arrays
    true_edges, reco_edges : (n+1,) and (m+1,) arrays
    shares : (n, m+1) array
        For each true bin the share of events below each reconstructed edge.

    Raises
    ------
    DataError
        A file cannot be read, or holds no such table.
    """
    width_at, widths = _curve(response.energy_resolution, 1.0) if response.energy_resolution else (_NONE, _NONE)
    at, values = _curve(response.efficiency_table, 1.0) if response.efficiency_table else (_NONE, _NONE)
    if at.size and values.max() > 1.0:
        raise DataError(f"{response.efficiency_table}: an efficiency is {values.max():g}; it cannot be above 1")
    matrix = _matrix(*_stamped(response.energy_matrix)) if response.energy_matrix else (_NONE, _NONE, _NO_TABLE)
    return (width_at, widths, at, values, *matrix)


def curve(name: str, unit: float) -> tuple[Floats, Floats]:
    """Return the energies (times `unit`) and values of a table of two columns, or of a TH1 as steps.

    Raises
    ------
    DataError
        It cannot be read; energies do not increase; a value is negative or no number.
    """
    return _curve(name, unit)


def _curve(name: str, unit: float) -> tuple[Floats, Floats]:
    at, values = _read(*_stamped(name))
    return at * unit, values


def _stamped(name: str) -> tuple[str, int]:
    """Return a name, and when its file was last written: what is kept of a file is for that time."""
    path = Path(_split(name)[0])
    return name, path.stat().st_mtime_ns if path.exists() else 0


def _split(name: str) -> tuple[str, str]:
    file, _, histogram = name.rpartition(":") if ".root:" in name else (name, "", "")
    return file, histogram


@functools.lru_cache(maxsize=32)
def _read(name: str, _stamp: int) -> tuple[Floats, Floats]:
    file, histogram = _split(name)
    if histogram:
        found = _histogram(file, histogram, "TH1")
        edges = np.asarray(found.axis().edges(), np.float64)
        # Steps: each edge is there twice, once with the value before it and once with the value after.
        at, values = np.repeat(edges, 2)[1:-1], np.repeat(np.asarray(found.values(), np.float64), 2)
    else:
        try:
            lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as problem:
            raise DataError(f"{file}: cannot be read as a table ({problem}); needed lines of: energy value") from None
        rows = [line.partition("#")[0].replace(",", " ").split() for line in lines]
        try:
            table = np.array([[float(word) for word in row] for row in rows if row])
        except ValueError:
            table = _NO_TABLE
        if table.ndim != 2 or table.shape[1] != 2 or len(table) < 2:
            raise DataError(f"{file}: is no table of two columns of numbers; needed lines of: energy value")
        at, values = table.T
    if not (np.all(np.isfinite(at)) and np.all(np.diff(at) >= 0.0) and at[-1] > at[0]):
        raise DataError(f"{name}: energies must be finite and increase")
    if not (np.all(np.isfinite(values)) and np.all(values >= 0.0)):
        raise DataError(f"{name}: values must be finite and not negative")
    return np.ascontiguousarray(at), np.ascontiguousarray(values)


@functools.lru_cache(maxsize=8)
def _matrix(name: str, _stamp: int) -> tuple[Floats, Floats, Floats]:
    file, histogram = _split(name)
    if not histogram:
        raise DataError(f"{name}: a response matrix is file.root:name of a TH2")
    found = _histogram(file, histogram, "TH2")
    contents = np.asarray(found.values(), np.float64)
    if not (np.all(np.isfinite(contents)) and np.all(contents >= 0.0) and contents.sum() > 0.0):
        raise DataError(f"{name}: contents must be finite and not negative, not all 0")
    true_edges, reco_edges = (np.ascontiguousarray(found.axis(side).edges(), np.float64) for side in (0, 1))
    sums = np.concatenate([np.zeros((len(contents), 1)), np.cumsum(contents, axis=1)], axis=1)
    with np.errstate(all="ignore"):
        shares = np.where(sums[:, -1:] > 0.0, sums / sums[:, -1:], 0.0)
    return true_edges, reco_edges, np.ascontiguousarray(shares)


def _histogram(file: str, name: str, kind: str) -> Any:
    with refusing(file, needed=True):
        opened = open_file(file)
        names = opened.keys(cycle=False)
        if name not in names:
            raise DataError(f"{file}: no histogram {name!r}{nearest(name, names)} (there are: {', '.join(names)})")
        found = stored(opened, name)
        if not found.classname.startswith(kind):
            raise DataError(f"{file}: {name!r} is a {found.classname}; needed a {kind}")
        return found
