"""Tables of an analysis as cells: each is brought to the region's bins, to the exposure, and to kappa = 1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce

import boost_histogram as bh
import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config import Analysis, DataFile, TableSample
from spectrafit.config.axes import UNITS_OF
from spectrafit.config.quantities import factor, quantity
from spectrafit.errors import ConfigError, nearest
from spectrafit.physics.couplings import Monomials
from spectrafit.templates import spectra
from spectrafit.templates.cells import SampleCells
from spectrafit.templates.regions import CellLayout, RegionBins
from spectrafit.templates.spectra import Spectrum

__all__ = ["counts_of", "samples_of_tables"]


def samples_of_tables(analysis: Analysis, regions: Sequence[RegionBins], monomials: Monomials) -> list[SampleCells]:
    """Return the samples of the analysis' `[[tables]]` in its regions, in cells that are numbered as by `CellLayout`.

    Raises
    ------
    ConfigError, DataError
        A table that is not understood, cannot be read, or does not fit the bins of its region.
    """
    layout = CellLayout.of(regions)
    sums: dict[str, Floats] = {}
    squares: dict[str, Floats] = {}
    filled: set[tuple[str, str, int]] = set()
    for index, table in enumerate(analysis.tables):
        where = f"{analysis.path}: $.tables[{index}] ({table.name!r})"
        region = _region(regions, table.region, where)
        monomial, unity = _monomial(analysis, monomials, table, where)
        key = (table.name, region.name, monomial)
        if key in filled:
            raise ConfigError(f"{where}: a table of the same name, region and power is there already; add them up")
        filled.add(key)
        values, variances = _bins(analysis, table, region, where)
        mine = layout.inner[region.bins]
        sums.setdefault(table.name, np.zeros((len(monomials), layout.size)))
        squares.setdefault(table.name, np.zeros((len(monomials.products), layout.size)))
        sums[table.name][monomial, mine] = values / unity
        squares[table.name][monomials.places[monomial][monomial], mine] = variances / unity**2
    return [
        SampleCells(
            name=name,
            role=next(table.role for table in analysis.tables if table.name == name),
            title=next((table.title for table in analysis.tables if table.name == name and table.title), name),
            stands_for=name,
            sums=found,
            squares=squares[name],
            entries=np.zeros(layout.size, np.int64),
            tabulated=True,
        )
        for name, found in sums.items()
    ]


def counts_of(analysis: Analysis, source: DataFile, region: RegionBins, where: str) -> Floats:
    """Return the observed counts of a region's bins, (B,), from a file of bins or of events.

    Raises
    ------
    ConfigError, DataError
        As from `samples_of_tables`; bins that the region's edges cut; events for a region of several axes.
    """
    units = _units(analysis, region)
    if "event" in source.columns:
        if len(region.axes) != 1 or region.partition is not None or set(source.columns) != {"event"}:
            raise ConfigError(f"{where}: a list of events has one column, event, and a region with one axis")
        events = spectra.events_of(source.file, source.columns, analysis.path, where)
        filled = bh.Histogram(region.axes[0]).fill(events * _size(source.unit, units[0], where))
        return np.asarray(filled.values(), np.float64)
    found = _placed(spectra.read(source.file, source.columns, analysis.path, where), source.unit, units, where)
    scale, density = _per(analysis, source.per, "", units, where)
    if found.points:
        raise ConfigError(f"{where}: data at points are in no bins; give the edges of their bins, as low and high")
    if density:
        sizes = reduce(np.multiply.outer, [np.diff(place) for place in found.places])
        found = Spectrum(places=found.places, values=found.values * sizes, errors=None)
    return found.onto([axis.edges for axis in region.axes], where, density=False, zero=False)[0] * scale


def _region(regions: Sequence[RegionBins], name: str, where: str) -> RegionBins:
    known = {region.name: region for region in regions}
    if not name and len(known) == 1:
        return regions[0]
    if name not in known:
        listed = ", ".join(known)
        raise ConfigError(f"{where}: region {name!r} is none{nearest(name, known)} (there are: {listed})")
    return known[name]


def _monomial(analysis: Analysis, monomials: Monomials, table: TableSample, where: str) -> tuple[int, float]:
    """Return the place of the table's monomial, and the monomial's value where the table was made."""
    powers = table.power if isinstance(table.power, Mapping) else {analysis.interest: table.power}
    for name in powers:
        if name not in monomials.parameters:
            raise ConfigError(
                f"{where}: power names {name!r}, which no fitted coupling has{nearest(name, monomials.parameters)}"
                f" (there are: {', '.join(monomials.parameters)})"
            )
    exponents = tuple(powers.get(name, 0) for name in monomials.parameters)
    if exponents not in monomials.exponents:
        raise ConfigError(f"{where}: the cross section has no term of power {dict(powers)}; see the coupling's family")
    if any(exponents) and table.role == "background":
        raise ConfigError(f"{where}: a background does not change with the coupling; write role = 'signal'")
    if table.at is None:
        return monomials.exponents.index(exponents), 1.0
    changed = [coupling for coupling in analysis.fitted_couplings if powers.get(coupling.parameter, 0)]
    if len(changed) != 1:
        raise ConfigError(f"{where}: at is the value of one coupling, and the table has a power of {len(changed)}")
    kappa = changed[0].coupling.kappa(table.at)
    if kappa == 0.0:
        raise ConfigError(f"{where}: at = {table.at:g} is the Standard Model's value, where the term vanishes")
    return monomials.exponents.index(exponents), kappa ** powers[changed[0].parameter]


def _bins(analysis: Analysis, table: TableSample, region: RegionBins, where: str) -> tuple[Floats, Floats]:
    """Return events and variances in the bins of a region, each (B,)."""
    units = _units(analysis, region)
    edges = [np.asarray(axis.edges, np.float64) for axis in region.axes]
    if table.file:
        found = _placed(spectra.read(table.file, table.columns, analysis.path, where), table.unit, units, where)
    elif table.edges or table.points:
        places = np.array(table.edges or table.points, np.float64)
        found = Spectrum(places=(places,), values=np.array(table.values), errors=_errors(table), points=not table.edges)
        found.check(where)
        found = _placed(found, table.unit, units, where)
    else:
        if len(table.values) != region.size:
            shape = " x ".join(map(str, region.shape))
            raise ConfigError(f"{where}: {len(table.values)} values for region {region.name!r}, which has {shape} bins")
        errors = _errors(table)
        found = Spectrum(
            places=tuple(edges),
            values=np.array(table.values, np.float64).reshape(region.shape),
            errors=None if errors is None else errors.reshape(region.shape),
        )
    if table.errors == "poisson":
        if np.any(found.values < 0):
            raise ConfigError(f"{where}: counts that were measured are not negative")
        found = Spectrum(places=found.places, values=found.values, errors=np.sqrt(found.values), points=found.points)
    if region.partition is not None and (table.file or table.edges or table.points):
        raise ConfigError(f"{where}: region {region.name!r} is a partition; give one value for each of its bins")
    scale, density = _per(analysis, table.per, table.set, units, where)
    scale *= table.factor
    values, variances = found.onto(edges, where, density=density, zero=table.outside == "zero")
    return values * scale, variances * scale**2


def _errors(table: TableSample) -> Floats | None:
    return None if isinstance(table.errors, str) or not table.errors else np.array(table.errors, np.float64)


def _placed(found: Spectrum, unit: str, units: Sequence[str], where: str) -> Spectrum:
    """Return a spectrum whose places are in the units of the region's axes."""
    said = [one.strip() for one in unit.split(",")] if unit else []
    # A table of other axes than the region's is refused where it is brought onto them.
    if not said or len(found.places) != len(units):
        return found
    if len(said) not in (1, len(found.places)):
        raise ConfigError(f"{where}: unit = {unit!r} has {len(said)} units, and the table {len(found.places)} axes")
    each = said if len(said) == len(found.places) else said * len(found.places)
    return found.scaled([_size(one, axis, where) for one, axis in zip(each, units, strict=True)])


def _size(unit: str, axis: str, where: str) -> float:
    if not unit:
        return 1.0
    if not axis:
        raise ConfigError(f"{where}: unit = {unit!r}, and the unit of the region's axis is not known; leave it out")
    return factor(unit, axis, where)


def _units(analysis: Analysis, region: RegionBins) -> tuple[str, ...]:
    """Return the unit of each axis of a region, "" where none is known."""
    said = next((one.axes for one in analysis.regions if one.name == region.name), ())
    return tuple(UNITS_OF.get(axis.observable, "") for axis in said)


def _per(analysis: Analysis, per: str, of_set: str, units: Sequence[str], where: str) -> tuple[float, bool]:
    """Return what values are multiplied by to be events, per unit of the axis perhaps, and whether they are per it."""
    if per == "bin":
        return 1.0, False
    said = quantity(per, f"{where}: per")
    size = said.value * said.size
    exposures = analysis.exposures
    if of_set and of_set not in exposures and "" not in exposures:
        raise ConfigError(
            f"{where}: set = {of_set!r} is none{nearest(of_set, exposures)} (there are: {list(exposures)})"
        )
    along = [quantity(unit, where) for unit in units if unit]
    length = tuple(np.sum([one.powers for one in along], axis=0)) if along and len(along) == len(units) else None
    unit = math.prod(one.size for one in along)
    if length is not None and said.powers == length:
        return unit / size, True
    names = [of_set] if of_set in exposures else list(exposures)
    if len(names) != 1:
        raise ConfigError(f"{where}: which exposure? Say so, as in set = {names[0]!r}")
    value, exposure_unit = exposures[names[0]]
    exposure = quantity(exposure_unit, where)
    exposed = value * exposure.size * exposure.value
    if said.powers == exposure.powers:
        return exposed / size, False
    if length is not None and said.powers == tuple(np.add(length, exposure.powers)):
        return exposed * unit / size, True
    raise ConfigError(
        f"{where}: per = {per!r} is in {said.dimension}; needs the exposure ({exposure_unit}), the axis"
        f" ({' '.join(units) or 'no unit'}), or their product"
    )
