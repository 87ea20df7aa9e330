"""Bins that are no rectangles: any partition of a region's grid, read from a file that numbers every cell of the grid.

A region with `partition = "bins.csv"` is filled on the grid of its axes. The cells are then added up by their numbers,
from 1; cells of number 0 are in no bin. What is fitted is one row of bins, in the order of their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from spectrafit import config
from spectrafit.arraytypes import Integers
from spectrafit.config import Analysis
from spectrafit.config.paths import local
from spectrafit.errors import ConfigError, DataError
from spectrafit.output import replacing
from spectrafit.templates.merging import Merge
from spectrafit.templates.regions import RegionBins, lay_out

__all__ = ["fitted_regions", "merge_to", "read_partition", "write_partition"]


def read_partition(analysis: Analysis, index: int) -> Integers:
    """Return the partition of one region, (bins of its grid,): numbers from 1, 0 for no bin.

    The file is a matrix of whole numbers separated by commas: a row per bin of the first axis and a column per bin of
    the second, or one number per bin in any layout with the last axis running fastest.

    Parameters
    ----------
    analysis : Analysis
    index : int
        Which of its regions; one with a `partition`.

    Raises
    ------
    DataError
        There is no such file, or it holds other things than whole numbers.
    ConfigError
        The file has not one number per bin of the grid, or leaves a number out.
    """
    region = analysis.regions[index]
    (grid,) = lay_out([region])
    where = f"{analysis.path}: $.regions[{index}].partition"
    path = local(region.partition, Path(analysis.path).parent, where)
    try:
        rows = [line.split(",") for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        values = np.array([[float(text) for text in row] for row in rows if not row[0].lstrip().startswith("#")])
    except OSError as error:
        raise DataError(f"{where}: {region.partition} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise DataError(f"{where}: {region.partition} is no matrix of numbers separated by commas ({error})") from None
    shape = " x ".join(map(str, grid.shape))
    flat = values.size == grid.size and (values.ndim < 2 or min(values.shape) == 1 or len(grid.shape) != 2)
    if values.shape != grid.shape and not flat:
        found = " x ".join(map(str, values.shape)) if values.size else "no"
        raise ConfigError(
            f"{where}: {region.partition} has {found} numbers, the axes of region {region.name!r} have {shape} bins;"
            " give the axes the edges the partition was made for, or one number per bin"
        )
    numbers = values.ravel()
    if not np.all((numbers >= 0) & (numbers == np.round(numbers))):
        odd = numbers[~((numbers >= 0) & (numbers == np.round(numbers)))][0]
        raise DataError(f"{where}: {region.partition} holds {odd:g}; needs whole numbers from 0")
    last = int(numbers.max(initial=0))
    missing = np.setdiff1d(np.arange(1, last + 1), numbers)
    if not last or missing.size:
        what = f"no bin has number {int(missing[0])}, yet there is {last}" if last else "every bin has number 0"
        raise ConfigError(f"{where}: {region.partition}: {what}; number the bins from 1 without a gap")
    return numbers.astype(np.int64)


def write_partition(path: Path, labels: Integers) -> Path:
    """Write a partition, whole or not at all: a row per bin of the first axis, and return the path.

    Parameters
    ----------
    path : Path
    labels : array of int, in the shape of the grid
        Numbers from 1, 0 for no bin.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    rows = labels.reshape(labels.shape[0], -1)
    with replacing(path) as part:
        part.write_text("".join(",".join(map(str, row)) + "\n" for row in rows.tolist()), encoding="utf-8")
    return path


def fitted_regions(analysis: Analysis) -> tuple[RegionBins, ...]:
    """Return the bins that an analysis fits: those of its axes, or of its partitions.

    Raises
    ------
    ConfigError, DataError
        As `read_partition`.
    """
    regions = lay_out(analysis.regions)
    if not any(region.partition for region in analysis.regions):
        return regions
    return Merge.of_partition(regions, _labels(analysis, regions), _partitioned(analysis.regions)).regions


def merge_to(old: Sequence[RegionBins], analysis: Analysis) -> Merge:
    """Return the merge that turns filled bins into those that an analysis fits.

    Raises
    ------
    ConfigError
        The filled bins do not have the edges of the analysis, or they are of another partition.
    """
    new = fitted_regions(analysis)
    if len(old) == len(new) and all(one.same(other) for one, other in zip(old, new, strict=True)):
        return Merge.between(old, old)
    for filled in old:
        if filled.partition is not None:
            raise ConfigError(
                f"region {filled.name!r}: its bins are those of a partition, and other bins cannot be made of them"
            )
    grid = lay_out(analysis.regions)
    merge = Merge.between(old, grid)
    if not any(region.partition for region in analysis.regions):
        return merge
    parted = Merge.of_partition(grid, _labels(analysis, grid), _partitioned(analysis.regions))
    target = parted.target[merge.target]
    return replace(parted, target=target)


def _partitioned(regions: Sequence[config.Region]) -> tuple[bool, ...]:
    return tuple(bool(region.partition) for region in regions)


def _labels(analysis: Analysis, regions: Sequence[RegionBins]) -> Integers:
    """Return the partitions of all regions as one row of labels from 0, -1 for no bin."""
    return np.concatenate(
        [
            read_partition(analysis, place) - 1 if region.partition else np.arange(bins.size)
            for place, (region, bins) in enumerate(zip(analysis.regions, regions, strict=True))
        ]
    )
