"""Flux tables: neutrinos per m^2 and 10^6 protons on target (or other units of exposure) by neutrino energy."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Floats
from spectrafit.config.sources import flux_unit
from spectrafit.errors import BadFile, DataError, nearest
from spectrafit.events.files import REMEDY, open_file, refusing, stored

__all__ = ["Flux", "load", "read_points"]

# Columns of GLoBES and of DarkNews: energy, then these.
_FLAVOURS = ("nue", "numu", "nutau", "nuebar", "numubar", "nutaubar")


@dataclass(frozen=True, kw_only=True, eq=False)
class Flux:
    """A flux, constant within each bin and zero outside.

    Attributes
    ----------
    edges : (n+1,) array
        Bin edges in neutrino energy, GeV, increasing.
    values : (n,) array
        Neutrinos / m^2 / 10^6 POT in each bin (not per GeV).
    uncertainty : (n,) array
        Fractional uncertainty of each bin; 0 where none is known.
    """

    edges: Floats
    values: Floats
    uncertainty: Floats

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for array in (self.edges, self.values, self.uncertainty):
            array.setflags(write=False)

    @property
    def lines(self) -> Floats:
        """No lines, (0, 2): a table has bins only."""
        return np.empty((0, 2))

    @property
    def integral(self) -> float:
        """All neutrinos / m^2 / 10^6 POT."""
        return float(self.values.sum())

    def density(self, e_nu: npt.ArrayLike) -> Floats:
        """Return neutrinos / m^2 / 10^6 POT / GeV at `e_nu` (GeV, any shape); a bin holds its lower edge, 0 outside."""
        height = np.concatenate([[0.0], self.values / np.diff(self.edges), [0.0]])
        return np.asarray(height[np.searchsorted(self.edges, np.asarray(e_nu, dtype=np.float64), side="right")])


def load(path: str | Path, *, unit: str = "", energy: float = 1.0, scale: float = 1.0, flavour: str = "") -> Flux:
    """Read a flux table.

    Parameters
    ----------
    path : str or Path
        Either a text table, one bin a line, ``low high neutrinos [fractional uncertainty]`` (GeV, neutrinos / m^2 /
        10^6 POT in the bin), `#` beginning a comment: the layout of the NOvA 2017 release. Or ``file.root:name``, a
        TH1 of neutrinos / m^2 / 10^6 POT / GeV; its uncertainty is the histogram ``fractional_uncertainty_X`` beside
        a ``flux_X`` (NUISANCE's layout), otherwise the bin errors.
    unit : str
        What the numbers are, as `config.sources.flux_unit` reads it; "" for the units above.
    energy : float
        GeV in one unit of the table's energies.
    scale : float
        Multiplies the numbers.
    flavour : str
        Instead a text table of seven columns, energy and the six flavours in the order of GLoBES and DarkNews, of which
        this one is taken: neutrinos / cm^2 / POT / GeV unless `unit` says otherwise. A point stands for the bin around
        it, from halfway to its neighbours.

    Raises
    ------
    DataError
        There is no such file or histogram, a line is not numbers, bins do not join, or a value is negative.
    """
    text = str(path)
    if flavour:
        energies, values = _points(Path(text), 1 + _FLAVOURS.index(flavour), 7)
        middle = 0.5 * (energies[1:] + energies[:-1])
        edges = np.concatenate([[max(0.0, 2.0 * energies[0] - middle[0])], middle, [2.0 * energies[-1] - middle[-1]]])
        unit, per_gev, uncertainty = unit or "1/cm^2/POT/GeV", False, np.zeros(values.size)
    elif ".root:" in text:
        file, _, name = text.rpartition(":")
        edges, values, uncertainty = _read_histogram(Path(file), name)
        per_gev = True
    else:
        edges, values, uncertainty = _read_table(Path(text))
        per_gev = False
    edges = edges * energy
    if unit:
        known = flux_unit(unit)
        with np.errstate(all="ignore"):
            values = values * (np.diff(edges) / known.width if known.width else 1.0) * known.factor
    elif per_gev:
        with np.errstate(all="ignore"):
            values = values * np.diff(edges)
    return _check(text, edges, values * scale, uncertainty)


def read_points(path: Path, *, unit: str = "", energy: float = 1.0, scale: float = 1.0) -> tuple[Floats, Floats]:
    """Read a text table of energies and flux densities, ``energy flux`` in each line.

    Parameters
    ----------
    path, energy, scale
        As `load`.
    unit : str
        Unit of the densities; default neutrinos / cm^2 / POT / GeV.

    Returns
    -------
    energies, values : (n,) arrays
        GeV, and neutrinos / m^2 / 10^6 units of exposure / GeV.

    Raises
    ------
    DataError
        The file is no such table, or its numbers are per bin.
    """
    energies, values = _points(path, 1, 2)
    known = flux_unit(unit or "1/cm^2/POT/GeV")
    if not known.width:
        raise DataError(
            f'{path}: points are densities, and unit {unit!r} is per bin; add the energy, as in "1/cm^2/s/MeV"'
        )
    return energies * energy, values * (known.factor / known.width * scale)


def _points(path: Path, column: int, columns: int) -> tuple[Floats, Floats]:
    """Return energies and one column of a text table with a number of columns."""
    rows = [row for _, row in _rows(path, (columns,), "energy and flux" if columns == 2 else "energy and six fluxes")]
    table = np.array(rows)
    energies, values = table[:, 0], table[:, column]
    if energies.size < 2 or energies[0] < 0.0 or not np.all(np.diff(energies) > 0):
        raise DataError(f"{path}: energies must increase, and a table needs two or more of them")
    if not (np.all(np.isfinite(table)) and np.all(values >= 0.0) and values.sum() > 0.0):
        raise DataError(f"{path}: column {column + 1} must hold finite numbers that are not negative, not all 0")
    return energies, values


def _rows(path: Path, sizes: tuple[int, ...], needed: str) -> list[tuple[int, list[float]]]:
    """Return the rows of a text table with their line numbers."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise DataError(
            f"{path}: cannot be read as a flux table ({problem}); name a text table or file.root:histogram"
        ) from None
    rows: list[tuple[int, list[float]]] = []
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            row = [float(word) for word in words]
        except ValueError:
            row = []
        if len(row) not in sizes:
            raise DataError(f"{path} line {number}: found {line.strip()!r}; needed: {needed}, numbers")
        rows.append((number, row))
    if not rows:
        raise DataError(f"{path}: no bins; needed lines of: {needed}")
    return rows


def _read_table(path: Path) -> tuple[Floats, Floats, Floats]:
    rows = _rows(path, (3, 4), "low high neutrinos [uncertainty]")
    for (_, one), (number, two) in itertools.pairwise(rows):
        if one[1] != two[0]:
            raise DataError(
                f"{path} line {number}: bin begins at {two[0]:g} GeV, the one before ends at {one[1]:g} GeV;"
                " bins must follow each other"
            )
    edges = np.array([rows[0][1][0], *(row[1] for _, row in rows)])
    values = np.array([row[2] for _, row in rows])
    return edges, values, np.array([row[3] if len(row) == 4 else 0.0 for _, row in rows])


def _read_histogram(path: Path, name: str) -> tuple[Floats, Floats, Floats]:
    try:
        with refusing(str(path)):
            return _histogram(path, name)
    except BadFile as problem:
        reason = str(problem).removeprefix(f"{path}: ").removesuffix(f"; {REMEDY}")
        raise DataError(
            f"{path}: cannot be read as a ROOT file ({reason}); give a flux as file.root:histogram"
        ) from None


def _histogram(path: Path, name: str) -> tuple[Floats, Floats, Floats]:
    opened = open_file(str(path))
    names = opened.keys(cycle=False)
    if name not in names:
        raise DataError(f"{path}: no histogram {name!r}; it has {', '.join(names)}{nearest(name, names)}")
    histogram = stored(opened, name)
    if not histogram.classname.startswith("TH1"):
        raise DataError(f"{path}: {name!r} is a {histogram.classname}; a flux must be a TH1")
    edges = np.array(histogram.axis().edges(), dtype=np.float64)
    values = np.array(histogram.values(), dtype=np.float64)
    beside = name.replace("flux_", "fractional_uncertainty_", 1)
    if beside != name and beside in names:
        uncertainty = np.array(stored(opened, beside).values(), dtype=np.float64)
    else:
        with np.errstate(all="ignore"):
            uncertainty = np.divide(histogram.errors(), values, out=np.zeros_like(values), where=values > 0)
    if edges.shape != (values.size + 1,):
        raise DataError(f"{path}: {name!r} has {edges.size} edges for {values.size} bins; the file is damaged")
    return edges, values, uncertainty


def _check(where: str, edges: Floats, values: Floats, uncertainty: Floats) -> Flux:
    if not values.size or not (np.all(np.isfinite(edges)) and edges[0] >= 0.0 and np.all(np.diff(edges) > 0)):
        raise DataError(f"{where}: bin edges must be finite, not negative and increasing, GeV")
    for what, array in (("flux", values), ("uncertainty", uncertainty)):
        bad = np.flatnonzero(~(np.isfinite(array) & (array >= 0.0)))
        if array.shape != values.shape or bad.size:
            raise DataError(
                f"{where}: bin {bad[0] if bad.size else 0}: {what} must be finite and not negative, one per bin"
            )
    if not values.sum() < np.inf:
        raise DataError(f"{where}: the sum of its bins is not finite; check that this is the table of a flux")
    if not values.sum() > 0.0:
        raise DataError(f"{where}: every bin is empty; check that this is the table of a flux")
    return Flux(edges=edges, values=values, uncertainty=uncertainty)
