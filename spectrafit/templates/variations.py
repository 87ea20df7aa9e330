"""Variations: turns filled cells into templates at given values of parameters, principal components and a residual.

Letters: S samples, V variations, M monomials of the couplings, Q products of two monomials, B bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spectrafit.arraytypes import Flags, Floats
from spectrafit.config import chosen
from spectrafit.errors import ConfigError
from spectrafit.templates.cells import Cells
from spectrafit.templates.coarse import Coarse, coarse_grids, shifts_at, spread_out
from spectrafit.templates.effects import Effect
from spectrafit.templates.fill import places_of
from spectrafit.templates.noise import ChangeNoise
from spectrafit.templates.principal import principal
from spectrafit.templates.regions import RegionBins
from spectrafit.templates.smoothing import smooth
from spectrafit.templates.sources import Sources
from spectrafit.templates.systematics import effects

__all__ = ["NOMINAL", "Variation", "Varied", "scope_of", "smoothed_noise", "variations"]


@dataclass(frozen=True, kw_only=True)
class Variation:
    """One variation of the templates: `parameter` at `sigma` standard deviations.

    Attributes
    ----------
    parameter : str
        Name of the nuisance parameter; empty for the nominal.
    sigma : float
        Where the parameter stands, in prior standard deviations.
    group : str
        Group for impacts.
    samples : tuple of str
        Samples it acts on; the counts of all others equal the nominal ones.
    interpolation : {"code4p", "code4", "spline", "linear"}
        How to go between the variations of one parameter. Principal components are "linear": exact for any value.
    width : float
        Width of the parameter's prior, in the same standard deviations.
    """

    parameter: str
    sigma: float
    group: str = ""
    samples: tuple[str, ...] = ()
    interpolation: str = "code4p"
    width: float = 1.0


NOMINAL = Variation(parameter="", sigma=0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Varied:
    """Variations of the templates; shapes as in `Templates`.

    Attributes
    ----------
    variations : tuple of Variation, length V
    counts : (S, V, M, B) array
    residual : (Q, B) array
    components : mapping of systematic to mapping
    pruned : tuple of mapping
    smoothing : tuple of mapping
    sources : mapping of systematic to Sources
    """

    variations: tuple[Variation, ...]
    counts: Floats
    residual: Floats
    components: Mapping[str, Mapping[str, Any]]
    pruned: tuple[Mapping[str, Any], ...]
    smoothing: tuple[Mapping[str, Any], ...]
    sources: Mapping[str, Sources]


Found = dict[tuple[str, float], tuple[Variation, Floats]]
"""Variations and their templates, (S, M, B), by parameter and sigma."""
Grids = dict[tuple[int, int], Coarse]
"""Coarse cells by the positions of sample and region."""

# Fluctuations thrown to find the noise after smoothing, with a relative error of a sixth in each bin.
_THROWS = 64


def variations(cells: Cells) -> Varied:
    """Turn the sums of every systematic into variations of the templates.

    Raises
    ------
    ConfigError, DataError
        Two systematics of one name act on the same templates or have different sigmas, or an effect raises an error.
    """
    nominal = cells.nominal
    found: Found = {}
    touched: dict[str, Flags] = {}
    residual = np.zeros((len(cells.monomials.products), nominal.shape[-1]))
    components: dict[str, Mapping[str, Any]] = {}
    smoothing: list[Mapping[str, Any]] = []
    sources: dict[str, Sources] = {}
    for effect in effects(cells.analysis).values():
        systematic, scope = effect.systematic, scope_of(effect, cells)
        samples, group = effect.acts_on(cells.varying), systematic.group
        if effect.linear:
            deviations = np.where(scope, effect.deviations(cells), 0.0)
            parts = _part_of_deviations(deviations, nominal, systematic, cells)
            made = principal(parts, systematic.variance, places_of(cells.monomials))
            residual += systematic.prior_width**2 * made.residual
            parameters = [f"{systematic.name}[{number}]" for number in range(len(made.kept))]
            loadings = effect.loadings(cells)
            if loadings is not None:
                sources[systematic.name] = Sources.of(loadings, made.combination)
            components[systematic.name] = {
                "directions": len(deviations),
                "kept": len(made.kept),
                "fraction": made.fraction,
            }
            shifts = {
                (name, sigma): nominal + sigma * direction
                for name, direction in zip(parameters, made.kept, strict=True)
                for sigma in (-1.0, 1.0)
            }
            interpolation, group = "linear", group or systematic.name
        else:
            parameters = [systematic.name]
            made_of, grids = _shifts(effect, cells, scope)
            shifts = {(systematic.name, sigma): shifted for sigma, shifted in made_of.items()}
            smoothing.extend(
                {
                    "parameter": systematic.name,
                    "sample": grid.sample,
                    "region": grid.region,
                    "cells": " x ".join(map(str, grid.shape)),
                    "edges": grid.edges,
                    "noise": grid.noise,
                }
                for grid in grids.values()
            )
            interpolation = systematic.interpolation
        for name in parameters or [systematic.name]:
            _refuse_overlap(effect, name, scope, touched, found, shifts)
        for (name, sigma), shifted in sorted(shifts.items(), key=lambda one: one[0][1]):
            variation = Variation(
                parameter=name,
                sigma=sigma,
                group=group,
                samples=samples,
                interpolation=interpolation,
                width=systematic.prior_width,
            )
            if (name, sigma) in found:
                # Several systematics share the parameter; each acts on other templates.
                before, counts = found[name, sigma]
                if before.width != systematic.prior_width:
                    raise ConfigError(
                        f"{effect.where}: prior_width is {systematic.prior_width:g}, and {before.width:g} in another"
                        " systematic of this name; one parameter has one prior, so give both the same"
                    )
                variation = replace(variation, samples=tuple(dict.fromkeys((*before.samples, *samples))))
                shifted = counts + shifted - nominal
            found[name, sigma] = (variation, shifted)
    pruned = _prune(found, cells)
    order = list(dict.fromkeys(name for name, _ in found))
    kept = sorted(found.values(), key=lambda one: (order.index(one[0].parameter), one[0].sigma))
    counts = np.stack([nominal, *(shifted for _, shifted in kept)], axis=1)
    return Varied(
        variations=(NOMINAL, *(variation for variation, _ in kept)),
        counts=counts,
        residual=residual,
        components=components,
        pruned=pruned,
        smoothing=tuple(smoothing),
        sources=sources,
    )


def scope_of(effect: Effect, cells: Cells) -> Flags:
    """Return where an effect acts, (S, M, B)."""
    systematic = effect.systematic
    regions = tuple(region.name for region in cells.regions)
    samples = tuple(sample.name for sample in cells.expected)
    scope = np.zeros(cells.nominal.shape, np.bool_)
    for region in cells.regions:
        if region.name in chosen(systematic.regions, regions):
            for sample in effect.acts_on(cells.varying):
                scope[samples.index(sample), :, region.bins] = True
    if systematic.powers == "sm":
        scope[:, 1:] = False
    return scope


def _shifts(effect: Effect, cells: Cells, scope: Flags) -> tuple[dict[float, Floats], Grids]:
    """Return the shifted templates by sigma: in scope, smoothed, their shape or norm alone, both sides."""
    nominal, systematic = cells.nominal, effect.systematic
    result: dict[float, Floats] = {}
    grids = coarse_grids(cells, effect) if systematic.smooth == "auto" else {}
    for sigma, raw in effect.shifts(cells).items():
        shifted = np.where(scope, raw, nominal)
        if systematic.smooth == "auto":
            shifted = np.where(scope, _coarse(shifted, nominal, cells, grids), nominal)
        elif systematic.smooth:
            shifted = np.where(scope, _smoothed(shifted, nominal, cells.regions), nominal)
        if systematic.shape != "both":
            # Totals over all bins in scope, for each monomial by itself. So the total stays ("shape"), or it alone
            # moves ("norm"), at any couplings.
            before, after = (
                np.where(scope, template, 0.0).sum(axis=-1, keepdims=True) for template in (nominal, shifted)
            )
            kept = {"both": shifted, "shape": shifted * _ratio(before, after), "norm": nominal * _ratio(after, before)}
            shifted = np.where(scope, _by_sample(kept, systematic, cells), nominal)
        result[sigma] = shifted
    if len({sigma > 0 for sigma in result}) == 1:
        # One-sided: the other side mirrors it.
        result |= {-sigma: 2 * nominal - shifted for sigma, shifted in result.items()}
    return result, grids


def _ratio(a: Floats, b: Floats) -> Floats:
    """Return a / b, and 1 where b is empty: nothing can be scaled there."""
    return np.divide(a, b, out=np.ones_like(a), where=b != 0)


def _by_sample(kept: dict[str, Floats], systematic: Any, cells: Cells) -> Floats:
    """Return templates, (..., S, M, B), of which each sample is taken from those of its part."""
    result = np.empty_like(kept["both"])
    for at, sample in enumerate(cells.expected):
        result[..., at, :, :] = kept[systematic.part_of(sample.name)][..., at, :, :]
    return result


def _part_of_deviations(deviations: Floats, nominal: Floats, systematic: Any, cells: Cells) -> Floats:
    """Return the shape or norm part of deviations, to first order, which keeps their sum Gaussian."""
    if systematic.shape == "both":
        return deviations
    active = np.any(deviations != 0, axis=0)
    within = np.where(active, nominal, 0.0)
    totals = within.sum(axis=-1, keepdims=True)
    share = np.divide(within, totals, out=np.zeros_like(within), where=totals != 0)
    norm: Floats = deviations.sum(axis=-1, keepdims=True) * share
    return _by_sample({"both": deviations, "shape": deviations - norm, "norm": norm}, systematic, cells)


def _smoothed(shifted: Floats, nominal: Floats, regions: tuple[RegionBins, ...]) -> Floats:
    """Return shifted templates whose ratio to the nominal is smoothed, region by region."""
    result = shifted.copy()
    relative = np.divide(shifted, nominal, out=np.ones_like(shifted), where=nominal != 0) - 1.0
    for sample, monomial in np.ndindex(*nominal.shape[:2]):
        for region in regions:
            line = relative[sample, monomial, region.bins]
            if line.any():
                ratio = smooth(line.reshape(region.shape)).ravel()
                result[sample, monomial, region.bins] = nominal[sample, monomial, region.bins] * (1.0 + ratio)
    return result


def _coarse(shifted: Floats, nominal: Floats, cells: Cells, grids: Grids) -> Floats:
    """Return shifted templates whose ratio to the nominal is taken on the grids that were chosen."""
    result = shifted.copy()
    for (sample, region), grid in grids.items():
        here = (sample, slice(None), cells.regions[region].bins)
        result[here] = spread_out(grid, shifted[here], nominal[here])
    return result


def smoothed_noise(cells: Cells, effect: Effect, at: int, noise: ChangeNoise, grids: Grids) -> ChangeNoise:
    """Return the noise of a sample's change after what `smooth` made of it.

    On coarse cells it is the noise of the cell, divided among the bins in proportion to their expectation. 353QH is not
    linear in the bins: there it is the variance of many smoothed changes, each with a fluctuation thrown onto it.
    Covariances are kept only within a coarse cell. `coarse_grids` returns `grids`, for `smooth = "auto"`.
    """
    systematic, nominal = effect.systematic, cells.nominal[at, 0]
    if not systematic.smooth:
        return noise
    variance, together = noise.variance.copy(), np.arange(nominal.size)
    if systematic.smooth == "auto":
        for (sample, place), grid in grids.items():
            if sample != at:
                continue
            bins, count = cells.regions[place].bins, int(grid.labels.max()) + 1
            events = np.bincount(grid.labels, nominal[bins], count)
            relative = np.divide(
                noise.part(bins).merged(grid.labels, count), events**2, out=np.zeros(count), where=events > 0
            )
            variance[bins] = nominal[bins] ** 2 * relative[grid.labels]
            # There are at most as many coarse cells as bins, so cells of different regions have different numbers.
            together[bins] = bins.start + grid.labels
        return ChangeNoise.alone(variance, noise.nominal, together)
    up, down = (shifts_at(effect.shifts(cells), side, cells)[at, 0] for side in (1.0, -1.0))
    fluctuations = noise.thrown(_THROWS, np.random.default_rng(0)) + (up - down) / 2.0
    inverse = np.divide(1.0, nominal, out=np.zeros_like(nominal), where=nominal != 0)
    for region in cells.regions:
        relative = (fluctuations * inverse)[:, region.bins].reshape(_THROWS, *region.shape)
        spread = smooth(relative, first=1).reshape(_THROWS, -1).std(axis=0, ddof=1)
        variance[region.bins] = (nominal[region.bins] * spread) ** 2
    return ChangeNoise.alone(variance, noise.nominal)


def _refuse_overlap(
    effect: Effect,
    name: str,
    scope: Flags,
    touched: dict[str, Flags],
    found: Mapping[tuple[str, float], Any],
    shifts: Mapping[tuple[str, float], Any],
) -> None:
    """Let systematics share a name, and so a parameter, only if they act on different templates at the same sigmas."""
    if name in touched:
        before, after = (sorted(sigma for one, sigma in which if one == name) for which in (found, shifts))
        interpolations = {variation.interpolation for (one, _), (variation, _) in found.items() if one == name}
        if effect.linear or before != after or interpolations != {effect.systematic.interpolation}:
            raise ConfigError(
                f"{effect.where}: another systematic is called {name!r}; to be one parameter they need the same sigmas"
                " and interpolation, and universes, covariances and fluxes cannot; otherwise give it a name of its own"
            )
        if np.any(touched[name] & scope):
            raise ConfigError(
                f"{effect.where}: another systematic called {name!r} acts on the same samples and regions; give each"
                " its own samples or regions, or a name of its own"
            )
    touched[name] = touched.get(name, np.zeros_like(scope)) | scope


def _prune(found: Found, cells: Cells) -> tuple[Mapping[str, Any], ...]:
    """Take effects below the thresholds out of `found`, and say which: per parameter, sample and region."""
    thresholds = cells.analysis.prune
    if thresholds.norm <= 0 and thresholds.shape <= 0:
        return ()
    nominal = cells.nominal
    pruned: list[Mapping[str, Any]] = []
    for name in dict.fromkeys(name for name, _ in found):
        keys = [key for key in found if key[0] == name]
        counts = {key: found[key][1].copy() for key in keys}
        for at, sample in enumerate(sample.name for sample in cells.expected):
            for region in cells.regions:
                here = (at, slice(None), region.bins)
                if all(np.array_equal(counts[key][here], nominal[here]) for key in keys):
                    continue
                before = nominal[here].sum(axis=-1, keepdims=True)
                after = {key: counts[key][here].sum(axis=-1, keepdims=True) for key in keys}
                shapes = {key: counts[key][here] * _ratio(before, after[key]) for key in keys}
                norm = max(float(np.abs(_ratio(after[key], before)[0] - 1).max()) for key in keys)
                shape = max(float(np.abs(_ratio(shapes[key], nominal[here])[0] - 1).max()) for key in keys)
                for what, size, threshold in (("norm", norm, thresholds.norm), ("shape", shape, thresholds.shape)):
                    if size < threshold:
                        pruned.append(
                            {"parameter": name, "sample": sample, "region": region.name, "what": what, "size": size}
                        )
                for key in keys:
                    if norm < thresholds.norm and shape < thresholds.shape:
                        counts[key][here] = nominal[here]
                    elif norm < thresholds.norm:
                        counts[key][here] = shapes[key]
                    elif shape < thresholds.shape:
                        counts[key][here] = nominal[here] * _ratio(after[key], before)
        for key in keys:
            if all(np.array_equal(counts[key], nominal) for key in keys):
                del found[key]
            else:
                found[key] = (found[key][0], counts[key])
    return tuple(pruned)
