"""A block of events in, what one systematic adds up out: what every kind of systematic has in common.

Letters: N events of a block, F cells (with flow), B bins, R rows, S samples, P powers of kappa above 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from spectrafit import config
from spectrafit.config import Analysis, Sample, SampleSet
from spectrafit.errors import DataError
from spectrafit.events import expressions
from spectrafit.templates import fill
from spectrafit.templates.observables import Columns
from spectrafit.templates.regions import Cells, Grid, RegionBins

__all__ = ["Block", "Effect", "Filled", "Shifts", "add_columns", "add_universes", "stack", "values_of"]

Floats = NDArray[np.float64]
Shifts = dict[float, Floats]


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Some events of one sample, numbered and weighed: what a systematic works on.

    Attributes
    ----------
    columns : Columns
    cells : tuple of (N,) int32, one per region
    powers : (1+P, N) array
    grid : Grid
    sample_set, sample : SampleSet, Sample
    """

    columns: Columns
    cells: tuple[Cells, ...]
    powers: Floats
    grid: Grid
    sample_set: SampleSet
    sample: Sample

    @property
    def weight(self) -> Floats:
        """Weights of the events, (N,)."""
        return np.ascontiguousarray(self.columns["weight"], np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Filled:
    """What was filled, at the analysis exposure and without flow.

    Attributes
    ----------
    analysis : Analysis
    samples : tuple of str, length S
    regions : tuple of RegionBins
    nominal : (S, 1+P, B) array
    rows : mapping of sample to (R, 1+P, B) array
        What the effect at hand added up, for the samples it acts on.
    stand_ins : mapping of (shifted ntuple set, sample it stands for) to (1+P, B) array
    """

    analysis: Analysis
    samples: tuple[str, ...]
    regions: tuple[RegionBins, ...]
    nominal: Floats
    rows: Mapping[str, Floats]
    stand_ins: Mapping[tuple[str, str], Floats]


class Effect:
    """A systematic at work.

    Attributes
    ----------
    linear : bool
        Whether it ends as deviations; else as shifts.
    fills : bool
        Whether events are added up for it; else it is made of other templates.
    lists : bool
        Whether it reads a list of weights per event, which makes chunks large.
    """

    linear: ClassVar[bool] = False
    fills: ClassVar[bool] = True
    lists = False

    def __init__(self, systematic: Any, where: str) -> None:
        self.systematic = systematic
        self.where = f"{where} ({systematic.name!r})"

    def check(self, analysis: Analysis) -> None:
        """Raise what can be known to be wrong before events are read."""
        return

    def reads(self, sample: Sample) -> tuple[str, ...]:
        """Return the columns it needs of a sample's events."""
        return ()

    def add(self, block: Block, sums: Floats | None) -> Floats | None:
        """Add a block of events to `sums` (None at first) and return it."""
        return None

    def rows(self, sums: Floats) -> Floats:
        """Return sums as (R, 1+P, F), whatever layout they were added up in."""
        return sums

    def shifts(self, filled: Filled) -> Shifts:
        """Return templates (S, 1+P, B) by number of standard deviations; none if it ends as deviations."""
        return {}

    def deviations(self, filled: Filled) -> Floats:
        """Return rows (R, S, 1+P, B) whose outer products sum to the covariance; none if it ends as shifts."""
        return np.zeros((0, *filled.nominal.shape))

    def acts_on(self, samples: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of `samples` it changes."""
        return config.chosen(self.systematic.samples, samples)

    def at_sigmas(self, filled: Filled, sigmas: Sequence[float]) -> Shifts:
        """Return shifts that were filled as one row per element of `sigmas`."""
        result = {}
        for row, sigma in enumerate(sigmas):
            result[sigma] = filled.nominal.copy()
            for sample, rows in filled.rows.items():
                result[sigma][filled.samples.index(sample)] = rows[row]
        return result

    def matrix(self, values: Any, columns: int | None = None) -> NDArray[Any]:
        """Return a branch with a list per event as (N, U); every event must have as many."""
        if isinstance(values, ak.Array):
            try:
                values = ak.to_numpy(ak.to_regular(values, axis=1))
            except ValueError:
                counts = ak.num(values, axis=1)
                raise DataError(
                    f"{self.where}: events have {ak.min(counts)} to {ak.max(counts)} weights; each needs as many: put"
                    " those with other numbers into a sample of their own, by selection, on which this does not act"
                ) from None
        found = np.asarray(values)
        if found.ndim != 2 or (columns is not None and found.shape[1] != columns):
            needed = f"{columns} weights" if columns else "a list of weights"
            raise DataError(f"{self.where}: needs {needed} per event, found an array of shape {found.shape}")
        return np.ascontiguousarray(found, found.dtype if found.dtype == np.float32 else np.float64)


def add_columns(block: Block, weight: Floats, ratios: Floats, sums: Floats | None) -> Floats:
    """Add variations kept as a column each, (V, N), in every region: to `sums`, (V, 1+P, F)."""
    if sums is None:
        sums = np.zeros((len(ratios), len(block.powers), block.grid.size))
    for cells in block.cells:
        fill.add_columns(cells, weight, block.powers, ratios, sums)
    return sums


def add_universes(block: Block, weight: Floats, ratios: NDArray[Any], sums: Floats | None) -> Floats:
    """Add variations kept as a list per event, (N, U), in every region: to `sums`, (F, 1+P, U)."""
    if sums is None:
        sums = np.zeros((block.grid.size, len(block.powers), ratios.shape[1]))
    for cells in block.cells:
        fill.add_universes(cells, weight, block.powers, ratios, sums)
    return sums


def values_of(block: Block, text: str) -> Any:
    """Return a column, or the value of an expression of columns and observables; a constant becomes (N,)."""
    if text in block.columns:
        return block.columns[text]
    values = expressions.evaluate(text, block.columns)
    return np.full(block.weight.size, values, np.float64) if getattr(values, "ndim", 0) == 0 else values


def stack(block: Block, texts: tuple[str, ...]) -> Floats:
    """Return weight columns as (V, N)."""
    return np.stack([np.asarray(values_of(block, text), np.float64) for text in texts])
