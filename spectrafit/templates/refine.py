"""Finer grids than an analysis has: its bins cut into cells, filled once, of which any coarser binning is made.

The cells keep two independent halves of the simulation, so that edges chosen on one half are judged on the other.
Covariances from files, which are over the bins of the analysis, become the same relative change in all cells of a bin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace as changed

from spectrafit.arraytypes import Floats, Integers
from spectrafit.config import Analysis, Covariance
from spectrafit.errors import ConfigError, nearest
from spectrafit.templates import archive
from spectrafit.templates.build import fill_cells
from spectrafit.templates.cells import Cells
from spectrafit.templates.merging import Edges, Merge
from spectrafit.templates.partition import fitted_regions, merge_to
from spectrafit.templates.regions import axis as laid_axis
from spectrafit.templates.regions import lay_out
from spectrafit.templates.serving import attach, in_own_bins

__all__ = ["fine_cells", "is_fine", "load_fine", "refined"]

# Cells along an axis, if nobody says how many.
_CELLS = 60


def fine_cells(
    analysis: Analysis,
    *,
    fine: int | None = None,
    edges: Sequence[Edges] = (),
    steps: Mapping[str, float] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    **options: Any,
) -> Cells:
    """Fill a finer grid than the analysis has, with two halves of the simulation; data are left alone.

    Parameters
    ----------
    analysis : Analysis
    fine : int, optional
        Into how many cells to cut every bin, along every axis; without it, as many as give about 60 along an axis.
    edges : sequence of `spectrafit.templates.merging.Edges`
        Binnings that shall be made of the grid: their edges are in it, those outside the analysis' own too.
    steps : mapping of observable to float, optional
        Multiples of the step are in the grid too.
    ranges : mapping of observable to (low, high), optional
        Ends of the grid outside the analysis' own: the cells go on, as wide as those at the analysis' ends.
    **options
        As for `spectrafit.build`: executor, workers, scheduler, cache, skip_bad_files, progress.

    Raises
    ------
    ConfigError, DataError
        As `spectrafit.build`; counts by bins, which no grid can be filled with.
    """
    fine_analysis = refined(analysis, fine=fine, edges=edges, steps=steps, ranges=ranges)
    matrices = tuple(systematic for systematic in fine_analysis.systematics if not isinstance(systematic, Covariance))
    return _attached(fill_cells(changed(fine_analysis, systematics=matrices), halves=True, **options), analysis)


def refined(
    analysis: Analysis,
    *,
    fine: int | None = None,
    edges: Sequence[Edges] = (),
    steps: Mapping[str, float] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Analysis:
    """Return the analysis with finer edges and without data; parameters as for `fine_cells`.

    Raises
    ------
    ConfigError
        There is no such region or axis, or the analysis has counts by bins.
    """
    if analysis.counts:
        raise ConfigError(
            f"{analysis.path}: $.counts: {analysis.counts[0].name!r} is known by its counts per bin only, so no other"
            " bins can be made of it; leave it out of the study, or give its events"
        )
    if fine is not None and fine < 1:
        raise ConfigError(f"a fine grid: {fine} cells per bin; needs 1 or more")
    regions = lay_out(analysis.regions)
    observables = sorted({name for region in regions for name in region.observables})
    for name in (*(steps or ()), *(ranges or ())):
        if name not in observables:
            raise ConfigError(f"no axis {name!r}{nearest(name, observables)} (there are: {', '.join(observables)})")
    wanted = [_by_axis(regions, one) for one in edges]
    result = []
    for place, region in enumerate(analysis.regions):
        axes = []
        for direction, options in enumerate(region.axes):
            own = np.asarray(laid_axis(options).edges)
            extra = [one[place][direction] for one in wanted if one[place][direction] is not None]
            step = (steps or {}).get(options.observable)
            ends = (ranges or {}).get(options.observable, (own[0], own[-1]))
            if not (ends[0] <= own[0] and own[-1] <= ends[1]):
                raise ConfigError(
                    f"a range of {options.observable} from {ends[0]:g} to {ends[1]:g}: needs to hold the analysis' own,"
                    f" {own[0]:g} to {own[-1]:g}, which is compared with"
                )
            cut = _cut(own, fine, np.concatenate([np.zeros(0), *extra]), step, ends)
            axes.append(changed(options, edges=tuple(map(float, cut)), bins=0, range=(), log=False))
        result.append(changed(region, axes=tuple(axes), partition=""))
    return changed(analysis, regions=tuple(result), data={})


def _by_axis(regions: Sequence[Any], edges: Edges) -> list[list[Any]]:
    """Return a binning's edges as one list per region of one entry per axis, None where it says nothing."""
    names = [region.name for region in regions]
    for name in edges:
        if name not in names:
            raise ConfigError(f"no region {name!r}{nearest(name, names)} (there are: {', '.join(names)})")
    result = []
    for region in regions:
        said = edges.get(region.name, {})
        result.append([said.get(name) for name in region.observables] if isinstance(said, Mapping) else list(said))
    return result


def _cut(own: Floats, fine: int | None, extra: Floats, step: float | None, ends: tuple[float, float]) -> Floats:
    """Return an axis's edges with every bin cut into equal cells, such cells on to its ends, and further edges."""
    count = fine or max(1, _CELLS // (own.size - 1))
    shares = np.arange(count) / count
    cells = np.append((own[:-1, None] + np.diff(own)[:, None] * shares).ravel(), own[-1])
    below = _onward(own[0], ends[0], (own[1] - own[0]) / count)
    above = _onward(own[-1], ends[1], (own[-1] - own[-2]) / count)
    cells = np.concatenate([below, cells, above])
    if step is not None:
        if not step > 0:
            raise ConfigError(f"a step of {step:g} between edges; needs a positive number")
        multiples = np.arange(np.ceil(ends[0] / step), np.floor(ends[1] / step) + 1.0) * step
        # A grid of round numbers: edges that are none of them could never be chosen.
        cells = np.concatenate([own, ends, multiples])
    # Edges as a person would write them, and each once.
    every = np.array(sorted({float(f"{edge:.10g}") for edge in np.concatenate([cells, extra])} - set(own.tolist())))
    apart = np.abs(every[:, None] - own).min(axis=1, initial=np.inf) > 1e-9 * (own[-1] - own[0])
    found: Floats = np.sort(np.concatenate([own, every[apart]]))
    return found


def _onward(start: float, end: float, width: float) -> Floats:
    """Return the edges of cells about as wide as said from one value to another, without the first edge."""
    count = int(np.ceil(abs(end - start) / width - 1e-9))
    found: Floats = start + (end - start) * np.arange(1, count + 1) / max(count, 1)
    return found


def is_fine(cells: Cells, analysis: Analysis) -> bool:
    """Whether the cells hold more bins than the analysis, and the halves of the simulation that a choice needs."""
    more = cells.layout.inner.size > sum(region.size for region in fitted_regions(analysis))
    return more and len(cells.halves) == 2


def load_fine(path: Path, analysis: Analysis) -> Cells:
    """Read saved cells for a study of an analysis' bins, with the bins that they were filled with.

    Raises
    ------
    ConfigError
        The cells belong to another analysis; the message names the first key that differs.
    DataError
        The file is missing, damaged, or no templates file.
    """
    cells = archive.load(path)
    try:
        bare = in_own_bins(cells, analysis)
    except ConfigError as error:
        raise ConfigError(f"{path}: made with another analysis: {error}; build the templates again") from None
    return _attached(bare, analysis)


def _attached(cells: Cells, analysis: Analysis) -> Cells:
    """Return fine cells of an analysis with its flux tables, and its covariances spread over the cells of each bin."""
    halves = tuple(_attached(half, analysis) for half in cells.halves)
    merge = merge_to(cells.regions, analysis)
    coarse = attach(replace(cells, halves=()).merged(merge), changed(analysis, data={}))
    labels = _labels(cells, merge, coarse)
    fractions = {}
    for key, found in coarse.fractions.items():
        rows = np.where(labels >= 0, found.rows[:, labels], 0.0)
        fractions[key] = replace(found, rows=rows)
    regions = tuple(
        changed(
            region,
            axes=tuple(
                changed(axis, edges=tuple(map(float, filled.edges)), bins=0, range=(), log=False)
                for axis, filled in zip(region.axes, bins.axes, strict=True)
            ),
            partition="",
        )
        for region, bins in zip(analysis.regions, cells.regions, strict=True)
    )
    fine = changed(analysis, regions=regions, data={})
    return replace(cells, analysis=fine, fractions=fractions, tables=coarse.tables, halves=halves)


def _labels(cells: Cells, merge: Merge, coarse: Cells) -> Integers:
    """Return the bin of the analysis that each bin of the cells is in, -1 for none."""
    number = np.full(coarse.layout.size + 1, -1, np.int64)
    number[coarse.layout.inner] = np.arange(coarse.layout.inner.size)
    found: Integers = number[merge.target[cells.layout.inner]]
    return found
