"""Covariance matrices and the flux bins of a sample set, read from the files an analysis names."""

from __future__ import annotations

import functools
import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boost_histogram as bh
import msgspec
import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config import Analysis, Covariance, FluxUncertainty, Response, SampleSet
from spectrafit.config.paths import local
from spectrafit.errors import ConfigError, DataError, nearest
from spectrafit.events import sources
from spectrafit.events.files import open_file, refusing, stored
from spectrafit.physics.flavours import FLAVOURS
from spectrafit.templates.fill import AxisIndex, axis_index
from spectrafit.templates.principal import directions_of

__all__ = ["FluxBins", "flux_directions", "fluxes", "load", "tables_of", "warn_of_odd_variances"]


@dataclass(frozen=True, kw_only=True, eq=False)
class FluxBins:
    """The energy bins of one flavour's flux table, numbered on from `first` among those of all flavours."""

    pdg: int
    axis: AxisIndex
    first: int
    uncertainty: Floats
    edges: Floats


def load(name: str, beside: str, where: str) -> Floats:
    """Return the matrix in a file, (D, D).

    Parameters
    ----------
    name : str
        ``.csv``, ``.npy`` or ``file.root:histogram`` (a TH2), relative to the folder of `beside`.
    beside : str
        Path of the TOML that names it.
    where : str
        Key that names it, for messages.

    Raises
    ------
    DataError
        There is no such file or histogram, or it holds no matrix.
    """
    file, histogram = _split(name, beside)
    text = str(file)
    try:
        if histogram:
            return _histogram(text, histogram, where)
        with warnings.catch_warnings():
            # An empty file is refused below.
            warnings.simplefilter("ignore", UserWarning)
            matrix = (
                np.load(text, allow_pickle=False)
                if text.endswith(".npy")
                else np.loadtxt(text, delimiter=",", ndmin=2, encoding="utf-8-sig")
            )
        found = np.asarray(matrix, np.float64)
        if found.ndim != 2 or not found.size:
            raise ValueError(f"its shape is {found.shape}")
    except DataError:
        raise
    except Exception as error:
        # uproot has exceptions of its own for damaged files, beside those of `errors.DAMAGE`.
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{where}: {name} cannot be read as a matrix ({why})") from None
    return found


def warn_of_odd_variances(matrix: Floats, systematic: Covariance, where: str) -> None:
    """Warn if all variances are 0, if one probably marks a bin without information, or if they are of another unit."""
    variances = np.diag(matrix)
    positive = variances[variances > 0]
    name = f"{where}: {systematic.file}"
    if not positive.size:
        warnings.warn(f"{name} holds only zeros, so {systematic.name!r} changes nothing", stacklevel=2)
        return
    usual = float(np.median(positive))
    odd = np.flatnonzero((variances > 1e6 * usual) | (variances > (100.0 if systematic.fractional else np.inf)))
    if odd.size:
        warnings.warn(
            f"{name}: the variance of bin {int(odd[0])} is {variances[odd[0]]:.3g}, the median is {usual:.3g}; leave"
            " the bin out if the large number means that its uncertainty is unknown",
            stacklevel=2,
        )
    elif systematic.fractional and usual > 1.0:
        warnings.warn(
            f"{name}: the median variance is {usual:.3g}, an uncertainty of {100 * np.sqrt(usual):.3g} %; if its"
            " numbers are of percent, divide them by 10^4; if they are of events, write fractional = false",
            stacklevel=2,
        )


def _split(name: str, beside: str) -> tuple[Path, str]:
    """Return the file of a matrix, and the histogram in it or ""."""
    file, _, histogram = name.rpartition(":") if ".root:" in name else (name, "", "")
    return local(file, Path(beside).parent, f"{beside}: {name}"), histogram


def tables_of(analysis: Analysis) -> dict[str, str]:
    """Return the SHA-256 of every file that templates are made with beside ntuples: matrices, tables, partitions.

    Raises
    ------
    DataError
        A file cannot be read.
    """
    files: dict[str, Path] = {}
    for region in analysis.regions:
        if region.partition:
            files[region.partition] = _split(region.partition, analysis.path)[0]
    for systematic in analysis.systematics:
        for name in systematic.reads:
            files[name] = _split(name, analysis.path)[0]
        if isinstance(systematic, FluxUncertainty):
            for sample_set in analysis.sample_sets:
                for flavour in sample_set.flux:
                    for name in sources.files_of(sample_set, flavour):
                        files[f"{sample_set.name}: {flavour}"] = _split(name, sample_set.path)[0]
    for sample_set in analysis.sample_sets:
        own = (sample.response for sample in sample_set.samples if isinstance(sample.response, Response))
        for response in (sample_set.response, *own):
            for name in response.tables if response else ():
                files[f"{sample_set.name}: {name}"] = _split(name, sample_set.path)[0]
    try:
        return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    except OSError as error:
        raise DataError(f"{analysis.path}: {error.filename} cannot be read ({error.strerror})") from None


def _histogram(file: str, name: str, where: str) -> Floats:
    with refusing(file, needed=True):
        opened = open_file(file)
        names = opened.keys(cycle=False)
        if name not in names:
            raise DataError(f"{where}: {file} has no {name!r}{nearest(name, names)} (there are: {', '.join(names)})")
        found = stored(opened, name)
        if found.classname.startswith("TMatrixT"):
            return _matrix(found)
        if not found.classname.startswith("TH2"):
            raise DataError(f"{where}: {file}:{name} is a {found.classname}; a covariance must be a TH2 or a TMatrixD")
        return np.asarray(found.values(), np.float64)


def _matrix(found: Any) -> Floats:
    """Return ROOT's TMatrixT or TMatrixTSym, of which the latter is stored as its upper triangle, row after row."""
    rows, columns = found.member("fNrows"), found.member("fNcols")
    elements = np.asarray(found.member("fElements"), np.float64)
    if "Sym" not in found.classname or elements.size == rows * columns:
        return elements.reshape(rows, columns)
    matrix = np.zeros((rows, rows))
    matrix[np.triu_indices(rows)] = elements
    return matrix + np.triu(matrix, 1).T


def fluxes(sample_set: SampleSet, where: str) -> tuple[FluxBins, ...]:
    """Return the flux bins of a sample set, flavour after flavour in the order of its [flux].

    Raises
    ------
    ConfigError
        The sample set has no flux.
    """
    if not sample_set.flux:
        raise ConfigError(f"{where}: sample set {sample_set.name!r} has no [flux]; name its flux tables there")
    # Every block of events asks for the flux bins, so they are kept as long as the files do not change.
    said = SampleSet(samples=(), flux=sample_set.flux, flux_unit=sample_set.flux_unit, path=sample_set.path)
    paths = [
        _split(name, sample_set.path)[0]
        for flavour in sample_set.flux
        for name in sources.files_of(sample_set, flavour)
    ]
    stamps = tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)
    return _fluxes(msgspec.json.encode(said), stamps)


@functools.lru_cache(maxsize=64)
def _fluxes(said: bytes, stamps: tuple[int, ...]) -> tuple[FluxBins, ...]:
    sample_set = msgspec.json.decode(said, type=SampleSet)
    result: list[FluxBins] = []
    first = 0
    for flavour in sample_set.flux:
        table = sources.table_of(sample_set, flavour)
        axis = axis_index(bh.axis.Variable(table.edges))
        result.append(
            FluxBins(pdg=FLAVOURS[flavour], axis=axis, first=first, uncertainty=table.uncertainty, edges=table.edges)
        )
        first += axis.bins
    return tuple(result)


def flux_directions(sample_set: SampleSet, systematic: FluxUncertainty, beside: str, where: str) -> Floats:
    """Return rows of fractional changes, (R, J), of all J flux bins; their outer products sum to the covariance.

    Raises
    ------
    ConfigError
        A correlation outside 0 to 1, or one that flavours cannot have.
    DataError
        The covariance file does not fit the flux bins.
    """
    tables = fluxes(sample_set, where)
    uncertainty = np.concatenate([table.uncertainty for table in tables])
    if systematic.covariance:
        matrix = load(systematic.covariance, beside, where)
        if matrix.shape != (uncertainty.size, uncertainty.size):
            raise DataError(
                f"{where}: {systematic.covariance} has shape {matrix.shape}, the flux of {sample_set.name!r} has"
                f" {uncertainty.size} bins in all"
            )
        try:
            return directions_of(matrix)
        except ValueError as error:
            raise DataError(f"{where}: {systematic.covariance} {error}") from None
    common, between = systematic.correlation, systematic.flavours
    if not 0.0 <= common <= 1.0:
        raise ConfigError(f"{where}: correlation = {common} must be between 0 and 1")
    flavours = np.full((len(tables), len(tables)), between)
    np.fill_diagonal(flavours, 1.0)
    try:
        shared = directions_of(flavours)
    except ValueError:
        raise ConfigError(
            f"{where}: flavours = {between} cannot be the correlation of {len(tables)} flavours"
        ) from None
    of_flavour = np.repeat(np.arange(len(tables)), [table.axis.bins for table in tables])
    rows: Floats = np.sqrt(common) * shared[:, of_flavour] * uncertainty
    if common < 1.0:
        rows = np.concatenate([rows, np.diag(np.sqrt(1.0 - common) * uncertainty)])
    return rows
