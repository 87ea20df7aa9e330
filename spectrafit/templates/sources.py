"""What principal components are made of: knobs of universes, bins of a flux.

A systematic has rows of changes whose outer products sum to its covariance: the change of the templates is the sum over
rows of a unit Gaussian times the row. A source (a knob, a flux bin) is a linear combination of the same Gaussians, and
so is the parameter of each principal component. What a fit says about components is thus said about sources.

Letters: R rows, K components, J sources, U universes.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config.paths import local
from spectrafit.errors import DataError

__all__ = ["Loadings", "Sources", "knobs_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Loadings:
    """Sources as combinations of the rows of a systematic.

    Attributes
    ----------
    names : (J,) tuple of str
    rows : (R, J) array
        What one standard deviation of each row's Gaussian adds to each source.
    width : (J,) array or None
        Prior standard deviation of each source; without it, the root of the sum of squares of its column.
    """

    names: tuple[str, ...]
    rows: Floats
    width: Floats | None = None

    def seen_from(self, origin: Floats | None) -> Loadings:
        """Return the same in rows that are combinations, (U, R), of these; the rest of a source moves nothing."""
        if origin is None:
            return self
        width = np.sqrt(np.sum(self.rows**2, axis=0)) if self.width is None else self.width
        return Loadings(names=self.names, rows=origin.T @ self.rows, width=width)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sources:
    """What the components of one systematic are made of.

    Attributes
    ----------
    names : (J,) tuple of str
    combination : (K, R) array
        Orthonormal rows: each component's parameter as a combination of the rows' Gaussians.
    rows : (R, J) array
        What each of these Gaussians adds to each source.
    width : (J,) array
        Prior standard deviation of each source.
    """

    names: tuple[str, ...]
    combination: Floats
    rows: Floats
    width: Floats

    @classmethod
    def of(cls, loadings: Loadings, combination: Floats) -> Sources:
        """Return the sources of components that are a `combination` of the rows."""
        width = np.sqrt(np.sum(loadings.rows**2, axis=0)) if loadings.width is None else loadings.width
        return cls(names=loadings.names, combination=combination, rows=loadings.rows, width=width)

    @property
    def loading(self) -> Floats:
        """(K, J): what one standard deviation of a component adds to each source."""
        result: Floats = self.combination @ self.rows
        return result


def knobs_of(name: str, beside: str, where: str, universes: int) -> Loadings:
    """Return the knobs of universes from a CSV file: a line of names, then a line of values for each universe.

    The covariance of the universes is their mean outer product, so that a universe's Gaussian adds its values over the
    root of their number.

    Parameters
    ----------
    name : str
        The file, relative to the folder of `beside`.
    beside : str
        Path of the TOML that names it.
    where : str
        Key that names it, for messages.
    universes : int
        How many there are; 0 if that is not known yet.

    Raises
    ------
    DataError
        The file is missing, holds no numbers, or has another number of universes.
    """
    path: Path = local(name, Path(beside).parent, f"{where}: knobs")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file) if line]
        values = np.array([[float(cell) for cell in line] for line in lines[1:]], np.float64)
    except (OSError, ValueError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{where}: {name} cannot be read as names and numbers ({why})") from None
    if values.ndim != 2 or not values.size or values.shape[1] != len(lines[0]) or not np.all(np.isfinite(values)):
        raise DataError(f"{where}: {name} needs a line of names and lines of as many finite numbers")
    if universes and len(values) != universes:
        raise DataError(f"{where}: {name} has {len(values)} lines of numbers for {universes} universes")
    return Loadings(names=tuple(word.strip() for word in lines[0]), rows=values / np.sqrt(len(values)))
