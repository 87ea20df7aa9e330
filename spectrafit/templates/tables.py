"""Samples that are given as counts per bin or as spectra, not as events: they become cells beside those of ntuples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spectrafit.config import Analysis
from spectrafit.errors import ConfigError, nearest
from spectrafit.templates.cells import Cells, SampleCells
from spectrafit.templates.published import samples_of_tables
from spectrafit.templates.regions import RegionBins, axis

__all__ = ["bins_of", "tabulate"]


def tabulate(analysis: Analysis, cells: Cells) -> Cells:
    """Return cells with the samples of the analysis' `[[counts]]` and `[[tables]]`, which replace earlier ones.

    Parameters
    ----------
    analysis : Analysis
    cells : Cells
        With the regions of the analysis.

    Raises
    ------
    ConfigError
        An unknown region, or another number of values than the region has bins.
    ConfigError, DataError
        A table that cannot be read or does not fit.
    """
    found = []
    for index, sample in enumerate(analysis.counts):
        where = f"{analysis.path}: $.counts[{index}] ({sample.name!r})"
        sums, squares = np.zeros((1, cells.layout.size)), np.zeros((1, cells.layout.size))
        for region, values in sample.counts.items():
            sums[0, cells.layout.inner[bins_of(analysis, cells.regions, region, where, len(values)).bins]] = values
        for region, values in sample.errors.items():
            bins = bins_of(analysis, cells.regions, region, where, len(values)).bins
            squares[0, cells.layout.inner[bins]] = np.square(values)
        found.append(
            SampleCells(
                name=sample.name,
                role=sample.role,
                title=sample.title or sample.name,
                stands_for=sample.name,
                sums=sums,
                squares=squares,
                entries=np.zeros(cells.layout.size, np.int64),
                tabulated=True,
            )
        )
    found += samples_of_tables(analysis, cells.regions, cells.monomials)
    return replace(cells, samples=(*(sample for sample in cells.samples if not sample.tabulated), *found))


def bins_of(analysis: Analysis, regions: Sequence[RegionBins], name: str, where: str, length: int) -> RegionBins:
    """Return the region that values of the TOML are for, after checking its name, its edges and how many they are.

    Parameters
    ----------
    analysis : Analysis
        Whose TOML holds the values, one for each bin that it declares.
    regions : sequence of RegionBins
        Those that are filled.
    name, where : str
        The region, and the key of the values for the message.
    length : int
        Number of values.

    Raises
    ------
    ConfigError
        There is no such region, or it has another number of bins, or bins with other edges than the TOML says.
    """
    known = {region.name: region for region in regions}
    if name not in known:
        raise ConfigError(f"{where}: no region {name!r}{nearest(name, known)}")
    found = known[name]
    if length != found.size:
        shape = " x ".join(map(str, found.shape))
        raise ConfigError(f"{where}: {length} values for region {name!r}, which has {shape} bins; give one per bin")
    said = next((region.axes for region in analysis.regions if region.name == name), ())
    edges = [axis(options).edges for options in said]
    if len(edges) != len(found.axes) or not all(map(np.array_equal, edges, (axis.edges for axis in found.axes))):
        raise ConfigError(
            f"{where}: the values of region {name!r} are for the bins of the TOML, but the templates have other edges: "
            "change the edges in the TOML, and the values with them"
        )
    return found
