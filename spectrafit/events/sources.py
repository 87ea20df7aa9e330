"""Sources of neutrinos: what a sample set says about its flux, as one flux for each flavour.

A flux is a density that is smooth between known edges, and lines. Everything is in neutrinos per m^2 and 10^6 units of
exposure: POT of a beam, seconds of the Sun or a reactor, fb^-1 of a collider.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Floats
from spectrafit.config import Sample, SampleSet
from spectrafit.config.paths import local
from spectrafit.config.quantities import quantity
from spectrafit.config.sources import ENERGIES, Lines, PionDecay, Reactor, Solar, Source, Table, flux_unit
from spectrafit.errors import ConfigError
from spectrafit.events.flux import Flux, load, read_points
from spectrafit.physics.constants import M_MU
from spectrafit.physics.mixing import ORDERINGS
from spectrafit.physics.pion_decay import pion_decay_flux, pion_decay_line_numu, pion_decay_nue, pion_decay_numubar
from spectrafit.physics.reactor import FISSION_FRACTIONS, reactor_flux
from spectrafit.physics.reactor_low_energy import REACTOR_KNOTS, reactor_spectrum_full
from spectrafit.physics.solar import (
    SOLAR_DENSITIES,
    SOLAR_FLUXES,
    SOLAR_LINES,
    solar_end_point,
    solar_flavours,
    solar_spectrum,
)

__all__ = ["Beam", "beam_of", "exposure_of", "exposure_of_recipe", "files_of", "table_of"]

# Neutrinos per cm^2 and unit of exposure, to those per m^2 and 10^6 units.
_PER_CM2 = 1e4 * 1e6
_NONE = np.empty((0, 2))
_WORD = {"POT": "POT", "s": "second", "fb^-1": "fb^-1"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Beam:
    """The flux of one flavour from sources that need not be tables.

    Attributes
    ----------
    edges : (n+1,) array
        Energies, GeV, between which the density is smooth; it is 0 outside. Empty without a continuum.
    parts : tuple of callable
        Each returns neutrinos / m^2 / 10^6 units of exposure / GeV at energies in GeV; they add up.
    lines : (l, 2) array
        Energy, GeV, and neutrinos / m^2 / 10^6 units of exposure.
    """

    edges: Floats
    parts: tuple[Callable[[Floats], Any], ...]
    lines: Floats = field(default_factory=lambda: _NONE)

    def density(self, e_nu: npt.ArrayLike) -> Floats:
        """Return neutrinos / m^2 / 10^6 units of exposure / GeV at `e_nu`, GeV, any shape."""
        energies = np.asarray(e_nu, dtype=np.float64)
        total = np.zeros(energies.shape)
        for part in self.parts:
            total = total + part(energies)
        return total

    def __add__(self, other: Beam) -> Beam:
        """Add up two fluxes."""
        return Beam(
            edges=np.unique(np.concatenate([self.edges, other.edges])),
            parts=self.parts + other.parts,
            lines=np.concatenate([self.lines, other.lines]),
        )


def _listed(sample_set: SampleSet, flavour: str) -> tuple[str | Source, ...]:
    said = cast(dict[str, Any], sample_set.flux)[flavour]
    return said if isinstance(said, tuple) else (said,)


def files_of(sample_set: SampleSet, flavour: str) -> tuple[str, ...]:
    """Return the names of the tables that a flavour's flux is read from, as the sample set says them."""
    named = [one.file if isinstance(one, Table) else one for one in _listed(sample_set, flavour)]
    return tuple(name for name in named if isinstance(name, str))


def exposure_of(sample_set: SampleSet) -> str:
    """Return what the fluxes of a sample set are per unit of: "POT", "s" or "fb^-1".

    Raises
    ------
    ConfigError
        Two of its sources are per different things.
    """
    kinds = {flavour: _exposure(sample_set, one) for flavour in sample_set.flux for one in _listed(sample_set, flavour)}
    if len(set(kinds.values())) > 1:
        listed = ", ".join(f"{flavour} per {_WORD[kind]}" for flavour, kind in kinds.items())
        raise ConfigError(f"{sample_set.path}: $.flux: {listed}; the fluxes of a sample set share one exposure")
    return next(iter(kinds.values()), "POT")


def exposure_of_recipe(sample_set: SampleSet, sample: Sample, value: float, unit: str, where: str) -> float:
    """Return an analysis' exposure as the files of a recipe have it: POT, seconds or fb^-1.

    An exposure that is a mass times a time is divided by the mass of the target. One in "POT", which is the unit of the
    key `pot`, is taken as it is, and so is that of samples that are not generated here.

    Raises
    ------
    ConfigError
        The flux is per something else.
    """
    if sample.generate is None or unit == "POT" or not sample_set.flux:
        return value
    found, kind = quantity(f"{value!r} {unit}", where), exposure_of(sample_set)
    if found.dimension == kind:
        return value * found.size
    if (found.dimension, kind) == ("kg s", "s") and sample_set.target is not None:
        return value * found.size / sample_set.target.kilograms
    raise ConfigError(
        f"{where}: {value:g} {unit} for sample set {sample_set.name!r}, whose flux is per {_WORD[kind]}; give the"
        f" exposure in {kind}{', or a mass times a time beside a [target]' if kind == 's' else ''}"
    )


def _exposure(sample_set: SampleSet, source: str | Source) -> str:
    if isinstance(source, Solar | Reactor):
        return "s"
    unit = source.unit if isinstance(source, Table | Lines) else ""
    unit = unit or ("" if isinstance(source, PionDecay) else sample_set.flux_unit)
    return flux_unit(unit).exposure if unit else "POT"


def table_of(sample_set: SampleSet, flavour: str) -> Flux:
    """Return the flux table of a flavour, for uncertainties that are given bin by bin.

    Raises
    ------
    ConfigError
        The flavour's flux is not one table with bins.
    DataError
        The table cannot be read.
    """
    listed = _listed(sample_set, flavour)
    found = _table(sample_set, flavour, listed[0]) if len(listed) == 1 else None
    if not isinstance(found, Flux):
        raise ConfigError(
            f"{sample_set.path}: $.flux.{flavour}: an uncertainty by bins of the flux needs one table with bins, and"
            " this is another source; give its uncertainty as a norm or a weight"
        )
    return found


def beam_of(sample_set: SampleSet, flavour: str) -> Flux | Beam:
    """Return the flux of a flavour.

    Raises
    ------
    ConfigError
        A source has no neutrinos of this flavour, or a number without meaning.
    DataError
        A table cannot be read.
    """
    exposure_of(sample_set)
    found = [_one(sample_set, flavour, source) for source in _listed(sample_set, flavour)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigError(f"{sample_set.path}: $.flux.{flavour}: an empty list; name a table or a source")
    total, *others = (_as_beam(one) for one in found)
    for other in others:
        total = total + other
    return total


def _as_beam(flux: Flux | Beam) -> Beam:
    return flux if isinstance(flux, Beam) else Beam(edges=flux.edges, parts=(flux.density,))


def _one(sample_set: SampleSet, flavour: str, source: str | Source) -> Flux | Beam:
    where = f"{sample_set.path}: $.flux.{flavour}"
    if isinstance(source, str | Table):
        return _table(sample_set, flavour, source)
    if isinstance(source, Lines):
        unit = flux_unit(source.unit)
        lines = np.array(source.lines, dtype=np.float64) * [ENERGIES[source.energy], source.scale * unit.factor]
        return Beam(edges=np.empty(0), parts=(), lines=lines)
    if isinstance(source, PionDecay):
        return _pion_decay(flavour, source, where)
    if isinstance(source, Reactor):
        return _reactor(flavour, source, where)
    return _solar(flavour, source, where)


def _table(sample_set: SampleSet, flavour: str, source: str | Source) -> Flux | Beam:
    where = f"{sample_set.path}: $.flux.{flavour}"
    table = Table(file=source) if isinstance(source, str) else source
    if not isinstance(table, Table):
        return Beam(edges=np.empty(0), parts=())
    path: Path = local(table.file, sample_set.folder, where)
    unit = table.unit or sample_set.flux_unit
    scale, energy = table.scale, ENERGIES[table.energy]
    if table.layout == "bins":
        return load(path, unit=unit, energy=energy, scale=scale)
    if table.layout == "points":
        energies, values = read_points(path, unit=unit, energy=energy, scale=scale)
        return Beam(edges=energies, parts=(lambda e_nu: np.interp(e_nu, energies, values, left=0.0, right=0.0),))
    return load(path, unit=unit, energy=energy, scale=scale, flavour=flavour)


def _pion_decay(flavour: str, source: PionDecay, where: str) -> Beam:
    total = float(pion_decay_flux(1.0, source.distance, source.per_proton)) * _PER_CM2
    if flavour == "numu":
        return Beam(edges=np.empty(0), parts=(), lines=np.array([[pion_decay_line_numu(), total]]))
    spectra: dict[str, Callable[[Any], Any]] = {"nue": pion_decay_nue, "numubar": pion_decay_numubar}
    if flavour not in spectra:
        raise ConfigError(f"{where}: pions that decay at rest make no {flavour}; they make numu, nue and numubar")
    spectrum = spectra[flavour]
    return Beam(edges=np.array([0.0, 0.5 * M_MU]), parts=(lambda e_nu: total * spectrum(e_nu),))


def _solar(flavour: str, source: Solar, where: str) -> Beam:
    if flavour not in ("nue", "numu", "nutau"):
        raise ConfigError(f"{where}: the Sun makes no {flavour}; its neutrinos arrive as nue, numu and nutau")
    model = {name: flux for name, (flux, _) in SOLAR_FLUXES[source.composition].items()}
    for name in source.fluxes:
        if name not in model:
            raise ConfigError(f"{where}.fluxes: no component {name!r}; there are {', '.join(model)}")
    fluxes = model | dict(source.fluxes)
    which = ("nue", "numu", "nutau").index(flavour)
    mixing = ORDERINGS["normal"]

    def share(e_nu: Any, component: str) -> Any:
        return solar_flavours(mixing, np.maximum(e_nu, 1e-12), SOLAR_DENSITIES[component])[which]

    edges, parts, lines = {0.0}, [], []
    listed: tuple[str, ...] = source.components or tuple(model)
    for component in listed:
        total = fluxes[component] * _PER_CM2
        if component in SOLAR_LINES:
            lines += [(at, total * part * float(share(at, component))) for at, part in SOLAR_LINES[component]]
            continue
        edges.add(solar_end_point(component))
        if component == "8B":
            # Its spline has knots there.
            edges.update(0.5e-3 * knot for knot in range(1, 33))
        parts.append(
            lambda e_nu, component=component, total=total: (
                total * solar_spectrum(component, e_nu) * share(e_nu, component)
            )
        )
    return Beam(
        edges=np.array(sorted(edges)) if parts else np.empty(0),
        parts=tuple(parts),
        lines=np.array(lines) if lines else _NONE,
    )


def _reactor(flavour: str, source: Reactor, where: str) -> Beam:
    if flavour != "nuebar":
        raise ConfigError(f"{where}: a reactor makes no {flavour}; it makes nuebar")
    given = dict(source.fractions) or dict(FISSION_FRACTIONS)
    whole = sum(given.values())
    if not whole > 0.0:
        raise ConfigError(f"{where}.fractions: all are 0; give the isotopes that fission")
    fractions = {str(name): share / whole for name, share in given.items()}
    fissions = float(reactor_flux(source.power, source.distance, 1.0, fractions)) * _PER_CM2
    return Beam(
        edges=np.array(REACTOR_KNOTS),
        parts=(lambda e_nu: fissions * reactor_spectrum_full(e_nu, fractions, source.captures),),
    )
