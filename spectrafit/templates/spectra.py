"""Published spectra: read from text, HEPData, ROOT or the TOML, and added up in the bins of a region.

A spectrum has bins or points. Bins are added up where every edge of the region is an edge of the bins. A density, which
is given per unit of the axis, is integrated: constant within bins, straight lines between points. Nothing else is done:
a count of a wide bin is never divided, because nobody knows where its events lie.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config.paths import is_url, local
from spectrafit.errors import DAMAGE, ConfigError, DataError, nearest
from spectrafit.events.files import open_file, refusing, stored
from spectrafit.templates.listed_bins import SAME, grid_of, joined

__all__ = ["Spectrum", "events_of", "read"]

_BINS = ("low", "high", "value", "error")
_POINTS = ("x", "value", "error")


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """Numbers in bins or at points.

    Attributes
    ----------
    places : tuple of arrays
        Edges of the bins along each axis, or the points of the only axis.
    values : array
        One per bin, with one dimension per axis, or one per point.
    errors : array or None
        Standard deviations, as `values`.
    points : bool
        Whether `places` are points.
    """

    places: tuple[Floats, ...]
    values: Floats
    errors: Floats | None
    points: bool = False

    def check(self, where: str) -> None:
        """Raise DataError if places do not increase, or a number is missing or not finite."""
        wanted = tuple(len(place) - (not self.points) for place in self.places)
        if self.values.shape != wanted or (self.errors is not None and self.errors.shape != wanted):
            raise DataError(f"{where}: {self.values.shape} values for {wanted} bins or points; needs one for each")
        for place in self.places:
            if len(place) < 2 or not np.all(np.isfinite(place)) or not np.all(np.diff(place) > 0):
                raise DataError(f"{where}: edges or points must be finite and increase, at least two")
        if not np.all(np.isfinite(self.values)):
            raise DataError(f"{where}: value {int(np.flatnonzero(~np.isfinite(self.values))[0])} is no finite number")
        if self.errors is not None and not np.all((self.errors >= 0) & np.isfinite(self.errors)):
            raise DataError(f"{where}: an error is negative or no finite number")

    def scaled(self, sizes: Sequence[float]) -> Spectrum:
        """Return the spectrum with its places in another unit, `sizes` of which make one of the old, per axis."""
        places = tuple(place * size for place, size in zip(self.places, sizes, strict=True))
        return Spectrum(places=places, values=self.values, errors=self.errors, points=self.points)

    def onto(self, edges: Sequence[Floats], where: str, *, density: bool, zero: bool) -> tuple[Floats, Floats]:
        """Return sums and variances in the bins of a region, each (B,) in C order.

        Parameters
        ----------
        edges : sequence of arrays
            Edges of the region along each axis, in the unit of the places.
        where : str
            For messages.
        density : bool
            Values are per unit of the axis and are integrated; otherwise they are numbers of a bin and are added up.
        zero : bool
            Beyond its ends the spectrum is 0; otherwise a region that goes further is refused.

        Raises
        ------
        DataError
            Another number of axes; edges of numbers that do not nest; a region that goes further; points without
            density.
        """
        if len(edges) != len(self.places):
            raise DataError(f"{where}: the table has {len(self.places)} axes, the region {len(edges)}")
        if self.points and not density:
            raise DataError(f"{where}: values at points need per = a unit of the axis, as in per = 'keV'")
        matrices = []
        for place, wanted in zip(self.places, edges, strict=True):
            _refuse_further(place, wanted, where, zero)
            if self.points:
                matrices.append(_integrals_of_lines(place, wanted))
            else:
                matrices.append(_overlaps(place, wanted) if density else _nested(place, wanted, where))
        sums, variances = self.values, np.zeros_like(self.values) if self.errors is None else self.errors**2
        for at, matrix in enumerate(matrices):
            sums = np.moveaxis(np.tensordot(matrix, sums, axes=(1, at)), 0, at)
            variances = np.moveaxis(np.tensordot(matrix**2, variances, axes=(1, at)), 0, at)
        return sums.ravel(), variances.ravel()


def _refuse_further(place: Floats, wanted: Floats, where: str, zero: bool) -> None:
    near = SAME * (wanted[-1] - wanted[0])
    if not zero and (wanted[0] < place[0] - near or wanted[-1] > place[-1] + near):
        raise DataError(
            f"{where}: the region reaches from {wanted[0]:g} to {wanted[-1]:g}, the table from {place[0]:g} to"
            f" {place[-1]:g} in the same unit; cut the region, or write outside = 'zero' if there is nothing beyond"
        )


def _nested(place: Floats, wanted: Floats, where: str) -> Floats:
    """Return which bins are added up, (B, n) of 0 and 1."""
    near = SAME * float(np.min(np.diff(wanted)))
    for edge in wanted:
        inside = place[0] < edge < place[-1]
        if inside and np.min(np.abs(place - edge)) > near:
            low, high = place[np.searchsorted(place, edge) - 1], place[np.searchsorted(place, edge)]
            raise DataError(
                f"{where}: the region's edge {edge:g} cuts the table's bin from {low:g} to {high:g}, and nobody knows"
                " where its events lie; take edges of the table"
            )
    centre = 0.5 * (place[1:] + place[:-1])
    inside = (centre[None, :] > wanted[:-1, None]) & (centre[None, :] < wanted[1:, None])
    return np.asarray(inside, np.float64)


def _overlaps(place: Floats, wanted: Floats) -> Floats:
    """Return how long each bin (B,) and each bin of the table (n,) overlap, (B, n)."""
    low = np.maximum(place[None, :-1], wanted[:-1, None])
    high = np.minimum(place[None, 1:], wanted[1:, None])
    return np.asarray(np.maximum(high - low, 0.0), np.float64)


def _integrals_of_lines(points: Floats, wanted: Floats) -> Floats:
    """Return the integral over each bin of the lines that are 1 at one point and 0 at all others, (B, n)."""
    width = np.diff(points)
    part = np.clip((wanted[:, None] - points[None, :-1]) / width, 0.0, 1.0)
    up_to = np.zeros((len(wanted), len(points)))
    up_to[:, :-1] += width * (part - 0.5 * part**2)
    up_to[:, 1:] += width * 0.5 * part**2
    return np.asarray(np.diff(up_to, axis=0), np.float64)


def read(name: str, columns: Mapping[str, str | int], beside: str, where: str) -> Spectrum:
    """Read a spectrum from a file.

    Parameters
    ----------
    name : str
        As `file` of `[[tables]]` takes it.
    columns : mapping
        As `columns` of `[[tables]]`.
    beside : str
        Path of the TOML that names the file.
    where : str
        Key that names it, for messages.

    Raises
    ------
    ConfigError
        Columns that say no spectrum, or a suffix that is not known.
    DataError
        The file is missing or damaged, or holds no such table.
    """
    file, _, histogram = name.rpartition(":") if ".root:" in name else (name, "", "")
    path = file if is_url(file) else str(local(file, Path(beside).parent, where))
    if histogram:
        found = _of_root(path, histogram, where)
    elif path.endswith((".yaml", ".yml")):
        found = _of_hepdata(Path(path), columns, where)
    elif path.endswith((".csv", ".txt", ".dat", ".tsv")):
        found = _of_text(Path(path), columns, where)
    else:
        raise ConfigError(f"{where}: {name!r} is no .csv, .txt, .dat, .yaml or file.root:histogram")
    found.check(f"{where}: {name}")
    return found


def _of_root(path: str, name: str, where: str) -> Spectrum:
    with refusing(path, needed=True):
        opened = open_file(path)
        names = opened.keys(cycle=False)
        if name not in names:
            raise DataError(
                f"{where}: {path}: no histogram {name!r}{nearest(name, names)} (there are: {', '.join(names)})"
            )
        found = stored(opened, name)
        if not re.match(r"TH[12][A-Z]$", found.classname):
            raise DataError(f"{where}: {path}: {name!r} is a {found.classname}; a table is a TH1 or TH2")
        places = tuple(np.asarray(axis.edges(), np.float64) for axis in found.axes)
        values, errors = np.asarray(found.values(), np.float64), np.asarray(found.errors(), np.float64)
    return Spectrum(places=places, values=values, errors=errors)


def _rows(path: Path, where: str) -> tuple[list[str], list[list[str]]]:
    """Return the headings of a text file, if it has any, and its rows of text."""
    try:
        lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{where}: {path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    lines = [line for line in lines if line]
    mark = next((mark for mark in ",;\t" if lines and mark in lines[0]), None)
    rows = list(csv.reader(lines, delimiter=mark, skipinitialspace=True)) if mark else [line.split() for line in lines]
    rows = [[cell.strip() for cell in row] for row in rows]
    head: list[str] = []
    if rows and not any(map(_is_number, rows[0])):
        head = rows.pop(0)
    return head, rows


def _by_heading(path: Path, where: str) -> dict[str, str | int]:
    """Return the columns of a text file whose headings say what they are; ConfigError if they do not."""
    head, _ = _rows(path, where)
    for known in (_BINS, _POINTS):
        if set(known) - {"error"} <= set(head):
            return {what: what for what in known if what in head}
    raise ConfigError(
        f"{where}: which column of {path.name} is what? Its headings ({', '.join(head) or 'none'}) are not low, high"
        " and value, or x and value; say so, as in columns = { low = 1, high = 2, value = 3 }"
    )


def _text_columns(path: Path, columns: Mapping[str, str | int], where: str) -> dict[str, Floats]:
    """Return the columns of a text file by what they are."""
    head, rows = _rows(path, where)
    found = {}
    for what, column in columns.items():
        if isinstance(column, str) and column not in head:
            raise DataError(
                f"{where}: {path}: no column {column!r}{nearest(column, head)} (there are:"
                f" {', '.join(head) or 'numbers'})"
            )
        place = head.index(column) if isinstance(column, str) else column - 1
        values = []
        for number, row in enumerate(rows, start=1):
            if not 0 <= place < len(row) or not _is_number(row[place]):
                raise DataError(f"{where}: {path}: line {number} of numbers has no number in column {column!r}: {row}")
            values.append(float(row[place]))
        found[what] = np.array(values, np.float64)
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_text(path: Path, columns: Mapping[str, str | int], where: str) -> Spectrum:
    columns = columns or _by_heading(path, where)
    known = _POINTS if "x" in columns else _BINS
    if set(columns) - set(known) or not set(known) - {"error"} <= set(columns):
        raise ConfigError(
            f"{where}: columns has {', '.join(columns) or 'nothing'}; needs low, high and value, or x and value, and"
            " perhaps error"
        )
    found = _text_columns(path, columns, where)
    if "x" in found:
        return Spectrum(places=(found["x"],), values=found["value"], errors=found.get("error"), points=True)
    return Spectrum(
        places=(joined(found["low"], found["high"], f"{where}: {path}"),),
        values=found["value"],
        errors=found.get("error"),
    )


def _of_hepdata(path: Path, columns: Mapping[str, str | int], where: str) -> Spectrum:
    try:
        import yaml
    except ImportError:
        raise ConfigError(f"{where}: {path.name} needs the Python package pyyaml; pip install pyyaml") from None
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        along = content["independent_variables"]
        given = {str(one["header"]["name"]): one["values"] for one in content["dependent_variables"]}
    except (*DAMAGE, yaml.YAMLError) as error:
        raise DataError(
            f"{where}: {path}: cannot be read as a table of HEPData"
            f" ({type(error).__name__}: {' '.join(str(error).split())})"
        ) from None
    wanted = columns.get("value", next(iter(given)) if len(given) == 1 else "")
    if wanted not in given:
        raise ConfigError(
            f"{where}: {path.name} has {', '.join(map(repr, given))}; say which, as in columns = {{ value = ... }}"
        )
    if not along:
        raise DataError(f"{where}: {path}: has no independent variable; a spectrum has one, a grid several")
    try:
        numbers = np.array([float(one["value"]) for one in given[wanted]])
        errors = np.array([_error(one.get("errors", ())) for one in given[wanted]])
        names = [str(axis.get("header", {}).get("name", number)) for number, axis in enumerate(along, start=1)]
        points = all("value" in cell and "low" not in cell for axis in along for cell in axis["values"])
        if points and len(along) == 1:
            places: tuple[Floats, ...] = (np.array([float(cell["value"]) for cell in along[0]["values"]]),)
        else:
            for name, axis in zip(names, along, strict=True):
                if len(along) > 1 and any("low" not in cell for cell in axis["values"]):
                    raise DataError(f"{where}: {path}: {name!r} has points; a table of several axes needs low and high")
            ends = [
                (
                    np.array([float(cell["low"]) for cell in axis["values"]]),
                    np.array([float(cell["high"]) for cell in axis["values"]]),
                )
                for axis in along
            ]
    except DataError:
        raise
    except DAMAGE as error:
        raise DataError(
            f"{where}: {path}: {wanted!r} holds no numbers in bins ({type(error).__name__}: {error})"
        ) from None
    if len(along) == 1 and not points:
        places = (joined(*ends[0], f"{where}: {path}"),)
    elif len(along) > 1:
        for name, (low, _) in zip(names, ends, strict=True):
            if len(low) != len(numbers):
                raise DataError(
                    f"{where}: {path}: {len(numbers)} values of {wanted!r}, and another number of bins of {name!r},"
                    f" {len(low)}"
                )
        places, cells = grid_of(ends, names, f"{where}: {path}")
        shape = tuple(len(place) - 1 for place in places)
        gridded = np.zeros((2, *shape))
        gridded[0][cells], gridded[1][cells] = numbers, errors
        numbers, errors = gridded
    return Spectrum(places=places, values=numbers, errors=errors if errors.any() else None, points=points)


def _error(listed: Sequence[Mapping[str, Any]]) -> float:
    """Return the quadratic sum of the errors of a value; of an asymmetric one the mean of both sides."""
    total = 0.0
    for one in listed:
        if "symerror" in one:
            size = float(one["symerror"])
        else:
            size = 0.5 * (abs(float(one["asymerror"]["plus"])) + abs(float(one["asymerror"]["minus"])))
        total += size**2
    return float(np.sqrt(total))


def events_of(name: str, columns: Mapping[str, str | int], beside: str, where: str) -> Floats:
    """Return the observable of each event of a text file, (N,), whose column is `event`. Errors as of `read`."""
    found = _text_columns(local(name, Path(beside).parent, where), columns, where)["event"]
    if not np.all(np.isfinite(found)):
        raise DataError(f"{where}: {name}: an event is no finite number")
    return found
