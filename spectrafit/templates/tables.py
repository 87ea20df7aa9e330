"""Samples that are given as counts per bin, not as events: they become cells beside those of ntuples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectrafit.arraytypes import Integers
from spectrafit.config import Analysis
from spectrafit.errors import ConfigError, nearest
from spectrafit.templates.cells import Cells, SampleCells

__all__ = ["tabulate"]


def tabulate(analysis: Analysis, cells: Cells) -> Cells:
    """Return cells with the samples of the analysis' `[[counts]]`, which replace earlier counts.

    Parameters
    ----------
    analysis : Analysis
    cells : Cells
        With the regions of the analysis.

    Raises
    ------
    ConfigError
        An unknown region, or another number of values than the region has bins.
    """
    found = []
    for index, sample in enumerate(analysis.counts):
        where = f"{analysis.path}: $.counts[{index}] ({sample.name!r})"
        sums, squares = np.zeros((1, cells.layout.size)), np.zeros((1, cells.layout.size))
        for region, values in sample.counts.items():
            sums[0, _places(cells, region, where, len(values))] = values
        for region, values in sample.errors.items():
            squares[0, _places(cells, region, where, len(values))] = np.square(values)
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
    return replace(cells, samples=(*(s for s in cells.samples if not s.tabulated), *found))


def _places(cells: Cells, region: str, where: str, length: int) -> Integers:
    """Return the cells of a region's bins, after checking its name and the number of values given for it."""
    known = {r.name: r for r in cells.regions}
    if region not in known:
        raise ConfigError(f"{where}: no region {region!r}{nearest(region, known)}")
    if length != known[region].size:
        shape = " x ".join(map(str, known[region].shape))
        raise ConfigError(f"{where}: {length} values for region {region!r}, which has {shape} bins; give one per bin")
    return cells.layout.inner[known[region].bins]
