"""Writes templates to a ROOT file: a TH1D, TH2D or TH3D per region, sample, monomial of the couplings and variation."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boost_histogram as bh
import numpy as np
import uproot
from uproot.writing import identify

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError
from spectrafit.output import replacing, slugs
from spectrafit.templates.templates import Templates

__all__ = ["histogram_names", "variation_names", "write"]

# ROOT has no histogram of more dimensions that uproot writes.
MOST_AXES = 3


def histogram_names(templates: Templates) -> dict[str, tuple[str, str | None, int]]:
    """Return the name in the file of every template, with the region, sample and monomial it stands for.

    Names are `REGION/SAMPLE/sm` for the Standard Model and `REGION/SAMPLE/kappaN` for the coefficient of kappa^N, in
    events at the analysis exposure. With several couplings kappa is the parameter's name, and a product has a dot:
    `kappa1.kappa_nue1`. The number is the place of the monomial. The sample `total` (sample None here) is the sum of
    all. REGION and SAMPLE are the names in the analysis if these can be names of files. Otherwise characters that no
    key may have are left out and a short checksum is added. Titles are not changed.
    """
    monomials = templates.monomials
    words = [
        ".".join(f"{name}{power}" for name, power in monomials.factors(exponent)) or "sm"
        for exponent in monomials.exponents
    ]
    folders = slugs(region.name for region in templates.regions)
    inside = slugs(templates.samples, reserved=("total", "data"))
    return {
        f"{folders[region.name]}/{'total' if sample is None else inside[sample]}/{word}": (region.name, sample, power)
        for region in templates.regions
        for sample in (*templates.samples, None)
        for power, word in enumerate(words)
    }


def variation_names(templates: Templates) -> dict[str, tuple[str, str, int, int]]:
    """Return the name in the file of every varied template, with its region, sample, monomial and variation.

    Names are those of `histogram_names` with the parameter and its side, as `REGION/SAMPLE/sm__flux__up`. Sides other
    than one standard deviation have their size, as `down2`. A template that a variation does not change is not written.
    """
    parameters = slugs(templates.parameters)
    found = {}
    for name, (region, sample, monomial) in histogram_names(templates).items():
        if sample is None:
            continue
        rows = templates.counts[templates.sample(sample), :, monomial, templates.region(region).bins]
        for at, variation in enumerate(templates.variations):
            if not variation.parameter or np.array_equal(rows[at], rows[0]):
                continue
            size = "" if abs(variation.sigma) == 1.0 else f"{abs(variation.sigma):g}"
            side = f"{'up' if variation.sigma > 0 else 'down'}{size}"
            found[f"{name}__{parameters[variation.parameter]}__{side}"] = region, sample, monomial, at
    return found


def write(path: str | os.PathLike[str], templates: Templates) -> Path:
    """Write the templates with their MC variances (as Sumw2), their variations, and the data if there are any.

    The statistics that ROOT keeps with a histogram are those of its bins: sums of weights, of their squares, and of
    weights times bin centres. `GetEntries` is the number of simulated events. The bin errors of a variation are those
    of its nominal template, of whose events it is made. Those of a product of two couplings are 0: its events have no
    variance apart from that of others. For a region whose bins are a partition, `REGION/partition` is the grid, and
    each of its cells holds the number of its bin.

    Parameters
    ----------
    path : path of the ROOT file; an existing one is replaced once the new one is whole.
    templates : the templates; see `histogram_names` and `variation_names` for how they are called in the file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        A region has more than three axes.
    DataError
        The file cannot be written; nothing is left behind.
    """
    target = Path(path)
    for region in templates.regions:
        if len(region.axes) > MOST_AXES:
            raise ConfigError(
                f"{target}: region {region.name!r} has {len(region.axes)} axes, ROOT histograms have {MOST_AXES} at "
                f"most; write a projection instead: templates.projection({region.name!r}, {region.observables[0]!r})"
            )
    titles = dict(zip(templates.samples, templates.titles, strict=True))
    folders = slugs(region.name for region in templates.regions)
    with replacing(target) as part, uproot.recreate(part) as file:
        for name, (region_name, sample, monomial) in histogram_names(templates).items():
            title = "all samples" if sample is None else titles[sample]
            file[name] = _nominal(templates, sample, region_name, monomial, f"{title}, {_power(templates, monomial)}")
        for name, (region_name, sample, monomial, at) in variation_names(templates).items():
            variation = templates.variations[at]
            words = f"{variation.parameter} at {variation.sigma:+g} sigma"
            title = f"{titles[sample]}, {_power(templates, monomial)}, {words}"
            file[name] = _nominal(templates, sample, region_name, monomial, title, at)
        for region in templates.regions:
            if templates.data is not None:
                counts = templates.data[region.bins].reshape(region.shape)
                events = float(counts.sum())
                file[f"{folders[region.name]}/data"] = _histogram(
                    region.axes, region.labels, "data", counts, counts, events
                )
            if region.partition is not None and len(region.partition.axes) <= MOST_AXES:
                grid = region.partition
                numbers = np.asarray(grid.numbers, dtype=np.float64).reshape([len(axis) for axis in grid.axes])
                title = "number of each cell's bin"
                file[f"{folders[region.name]}/partition"] = _histogram(
                    grid.axes, grid.labels, title, numbers, np.zeros_like(numbers), 0.0
                )
    return target


def _nominal(
    templates: Templates, sample: str | None, region: str, monomial: int, title: str, variation: int = 0
) -> Any:
    """Return one template, or a variation of it with the errors of the nominal one."""
    found = templates.region(region)
    rows = slice(None) if sample is None else slice(templates.sample(sample), templates.sample(sample) + 1)
    nominal = templates.histogram(sample, region, monomial)
    values = np.asarray(templates.histogram(sample, region, monomial, variation).values(), dtype=np.float64)
    variances = nominal.variances() if nominal.storage_type is bh.storage.Weight else np.zeros_like(values)
    entries = templates.entries[rows, found.bins].sum()
    return _histogram(found.axes, found.labels, title, values, variances, float(entries))


def _histogram(
    axes: Sequence[bh.axis.Axis], labels: Sequence[str], title: str, values: Floats, variances: Any, entries: float
) -> Any:
    """Return a ROOT histogram of up to three axes, with the statistics that ROOT would have kept in filling it."""
    letters = "xyz"[: len(axes)]
    centres = np.meshgrid(*(np.asarray(axis.centers) for axis in axes), indexing="ij")
    sums: dict[str, Any] = {"fTsumw": float(values.sum()), "fTsumw2": float(np.sum(variances))}
    for at, letter in enumerate(letters):
        sums[f"fTsumw{letter}"] = float(np.sum(values * centres[at]))
        sums[f"fTsumw{letter}2"] = float(np.sum(values * centres[at] ** 2))
        for before in range(at):
            sums[f"fTsumw{letters[before]}{letter}"] = float(np.sum(values * centres[before] * centres[at]))
    make = (identify.to_TH1x, identify.to_TH2x, identify.to_TH3x)[len(axes) - 1]
    return make(
        None,
        title,
        _flat(values),
        entries,
        **sums,
        fSumw2=_flat(variances),
        **{
            f"f{letter.upper()}axis": _axis(letter, axis, label)
            for letter, axis, label in zip(letters, axes, labels, strict=True)
        },
    )


def _flat(values: Any) -> Floats:
    """Return bins as ROOT has them: with empty bins outside, the first axis the fastest."""
    return np.ascontiguousarray(np.pad(np.asarray(values, dtype=np.float64), 1).ravel(order="F"))


def _axis(letter: str, axis: bh.axis.Axis, label: str) -> Any:
    edges = np.asarray(axis.edges, dtype=np.float64)
    bounds = None if isinstance(axis, bh.axis.Regular) else edges
    return identify.to_TAxis(f"{letter}axis", _tlatex(label), len(axis), edges[0], edges[-1], fXbins=bounds)


def _power(templates: Templates, monomial: int) -> str:
    """Return a monomial as words: kappa^2, kappa^1 kappa_nue^1; of the Standard Model the first coupling's power 0."""
    factors = templates.monomials.factors(templates.monomials.exponents[monomial])
    return " ".join(f"{name}^{power}" for name, power in factors) or f"{templates.monomials.parameters[0]}^0"


def _tlatex(label: str) -> str:
    """Return a label as ROOT writes its symbols: no dollars, `#` for a backslash, braces around exponents."""
    plain = label.replace("$", "").replace(r"\,", " ").replace("\\", "#")
    return re.sub(r"([_^])([A-Za-z0-9])", r"\1{\2}", plain)
