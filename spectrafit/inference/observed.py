"""The data of an analysis, from its files and its TOML, and whether they are measured or were injected."""

from __future__ import annotations

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config import Analysis, DataFile
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.fake import Injected
from spectrafit.templates.published import counts_of
from spectrafit.templates.tables import bins_of
from spectrafit.templates.templates import Templates

__all__ = ["observed"]


def observed(analysis: Analysis, templates: Templates) -> tuple[Floats, Injected | None]:
    """Return the data of an analysis: data samples plus the counts in the TOML.

    Counts that were injected stand in the place of all data, so that no real event is added to them.

    Returns
    -------
    counts : (B,) array
    injected : Injected or None
        The label of data that `spectrafit inject` wrote; None for real ones.

    Raises
    ------
    ConfigError
        Counts that do not fit the bins; data of another exposure; injected events among real ones.
    DataError
        A region has no data.
    """
    fake = Injected(analysis.injected) if analysis.injected else None
    samples = None if fake else templates.data
    if samples is not None:
        _refuse_other_exposure(analysis, templates)
        fake = _injected(analysis, templates)
    counts = np.zeros(templates.n_bins) if samples is None else np.array(samples)
    for region, values in analysis.data.items():
        if isinstance(values, DataFile):
            bins = next((one for one in templates.regions if one.name == region), None)
            if bins is None:
                raise ConfigError(f"{analysis.path}: data: no region {region!r}")
            counts[bins.bins] += counts_of(analysis, values, bins, f"{analysis.path}: $.data.{region}")
            continue
        counts[bins_of(analysis, templates.regions, region, f"{analysis.path}: data", len(values)).bins] += values
    missing = [region.name for region in templates.regions if region.name not in analysis.data]
    if samples is None and missing:
        raise DataError(
            f"{analysis.path}: no data for region {', '.join(missing)}; add a sample with role = 'data', or counts "
            "under [data], or fit Asimov data without --unblind"
        )
    return counts, fake


def _injected(analysis: Analysis, templates: Templates) -> Injected | None:
    """Return the label of the data samples, if they were injected."""
    names = [record["sample"] for record in templates.inventories if record["role"] == "data"]
    texts = {name: analysis.sample(name)[1].injected for name in names}
    made = list(dict.fromkeys(text for text in texts.values() if text))
    if not made:
        return None
    real = [name for name, text in texts.items() if not text] + (["[data]"] if analysis.data else [])
    if real:
        fakes = ", ".join(name for name, text in texts.items() if text)
        raise ConfigError(
            f"{analysis.path}: {fakes} was injected, and {', '.join(real)} was not: fake and measured data are not"
            " added; take one of them out of the samples"
        )
    return Injected("; ".join(made))


def _refuse_other_exposure(analysis: Analysis, templates: Templates) -> None:
    """Refuse data that are said, by their files or their TOML, to be of another exposure than the expectation.

    Of data in a sample set of their own it is not known which of the expectations is theirs.
    """
    said = {inventory["sample"]: inventory["pot"] for inventory in templates.inventories if inventory["role"] == "data"}
    for sample_set in analysis.sample_sets:
        exposures = [said[sample.name] for sample in sample_set.samples if sample.name in said]
        alone = all(sample.role == "data" for sample in sample_set.samples)
        if alone or not exposures or None in exposures:
            continue
        found, wanted = sum(exposures), analysis.exposure_of(sample_set)
        if not np.isclose(found, wanted, rtol=0.01):
            unit = analysis.exposure_unit(sample_set.name)
            raise ConfigError(
                f"{analysis.path}: $.pot: the expectation is at {wanted:.6g} {unit}, the data of"
                f" {sample_set.name!r} are of {found:.6g}; correct pot, here or in the data sample if its files count"
                " otherwise"
            )
