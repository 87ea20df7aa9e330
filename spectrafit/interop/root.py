"""Writing templates to a ROOT file: one TH1D, TH2D or TH3D per region, sample and monomial of the couplings."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import boost_histogram as bh
import uproot

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError
from spectrafit.output import replacing, slugs
from spectrafit.templates.regions import RegionBins
from spectrafit.templates.templates import Templates

__all__ = ["histogram_names", "write"]

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


def write(path: str | os.PathLike[str], templates: Templates) -> Path:
    """Write the nominal templates with their MC variances (as Sumw2), and the data if there are any.

    Parameters
    ----------
    path : path of the ROOT file; an existing one is replaced once the new one is whole.
    templates : the templates; see `histogram_names` for how they are called in the file.

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
    with replacing(target) as part, uproot.recreate(part) as file:
        for name, (region_name, sample, monomial) in histogram_names(templates).items():
            title = "all samples" if sample is None else titles[sample]
            histogram = templates.histogram(sample, region_name, monomial)
            file[name] = _labelled(histogram, templates.region(region_name), f"{title}, {_power(templates, monomial)}")
        if templates.data is not None:
            folders = slugs(region.name for region in templates.regions)
            for region in templates.regions:
                file[f"{folders[region.name]}/data"] = _labelled(_observed(templates.data, region), region, "data")
    return target


def _power(templates: Templates, monomial: int) -> str:
    """Return a monomial as words: kappa^2, kappa^1 kappa_nue^1; of the Standard Model the first coupling's power 0."""
    factors = templates.monomials.factors(templates.monomials.exponents[monomial])
    return " ".join(f"{name}^{power}" for name, power in factors) or f"{templates.monomials.parameters[0]}^0"


def _labelled(histogram: bh.Histogram[Any], region: RegionBins, title: str) -> bh.Histogram[Any]:
    # uproot takes a histogram's title and axis titles from these attributes.
    named: Any = histogram
    named.title = title
    for axis, label in zip(named.axes, region.labels, strict=True):
        axis.label = _tlatex(label)
    return histogram


def _tlatex(label: str) -> str:
    """Return a label as ROOT writes its symbols: no dollars, `#` for a backslash, braces around exponents."""
    plain = label.replace("$", "").replace(r"\,", " ").replace("\\", "#")
    return re.sub(r"([_^])([A-Za-z0-9])", r"\1{\2}", plain)


def _observed(data: Floats, region: RegionBins) -> bh.Histogram[Any]:
    histogram = bh.Histogram(*region.axes, storage=bh.storage.Double())
    histogram.view()[...] = data[region.bins].reshape(region.shape)
    return histogram
