"""The interface of every kind of systematic: the sums it fills per block of events, and the templates it makes.

Letters: N events of a block, F cells (with flow), B bins, R rows, S samples, M monomials of the couplings, Q products
of two monomials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import awkward as ak
import numpy as np

from spectrafit import config
from spectrafit.arraytypes import Floats, Integers, Places, Values
from spectrafit.config import Analysis, Sample, SampleSet
from spectrafit.errors import ConfigError, DataError
from spectrafit.events.schema import ENTRY
from spectrafit.templates import fill
from spectrafit.templates.cells import Cells, EffectCells, Fractions
from spectrafit.templates.migration import Moves, MoveTable
from spectrafit.templates.observables import Quantities
from spectrafit.templates.sources import Loadings

__all__ = ["Block", "Effect", "Gathered", "Shifts", "pair_of", "refuse_large", "stack", "stacked", "values_of"]

# Most bytes that the running sums of one systematic may take in one worker.
_MOST_BYTES = 4e9

Shifts = dict[float, Floats]
"""Templates, (S, M, B), by the number of standard deviations at which they stand."""


# The product that the Standard Model's monomial makes with itself.
_ALONE = np.zeros((1, 1), np.int64)


def refuse_large(shape: tuple[int, int, int], where: str) -> None:
    """Refuse running sums, (F, M, U) for U universes, that take more than 4 GB, before they are made."""
    cells, monomials, universes = shape
    size = 8.0 * cells * monomials * universes
    if size > _MOST_BYTES:
        raise ConfigError(
            f"{where}: the sums of {universes} universes in {cells} cells for {monomials} monomials take"
            f" {size / 1e9:.3g} GB in each worker; at most {_MOST_BYTES / 1e9:g} GB are allowed: use"
            " fewer universes or bins"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Some events of one sample, with their cells and weights: the input of a systematic's fill.

    Attributes
    ----------
    events : Quantities
        Their columns and observables.
    cells : tuple of (N,) int32, one per region
    coefficients : (M, N) array
        Factors of the weight for each monomial.
    grid : Grid
    sample_set, sample : SampleSet, Sample
    draws : int
        How often a response smeared each event; its draws are elements of every array, one after the other.
    """

    events: Quantities
    cells: tuple[Places, ...]
    coefficients: Floats
    grid: Any
    sample_set: SampleSet
    sample: Sample
    draws: int = 1

    @cached_property
    def entries(self) -> Integers:
        """Which event each draw is of, (N,); only where there are several draws."""
        return np.ascontiguousarray(self.events[ENTRY], np.int64)

    @cached_property
    def weight(self) -> Floats:
        """Weights of the events, (N,)."""
        return np.ascontiguousarray(self.events["weight"], np.float64)

    @cached_property
    def products(self) -> Floats:
        """(N, 1): squares of the Standard Model's coefficients, the only product that noise is added up for."""
        return fill.products_of(self.coefficients[:1], _ALONE)

    def tables(self, count: int) -> list[Any]:
        """Return empty tables for noise with its covariances, where events have several draws; else none."""
        if self.draws == 1:
            return []
        return [MoveTable(self.grid.size, self.products.shape[1]) for _ in range(count)]

    def zeros(self, rows: int) -> Floats:
        """Return empty sums, (F, R, M)."""
        return np.zeros((self.grid.size, rows, len(self.coefficients)))

    def no_noise(self, rows: int) -> Floats:
        """Return empty noise, (F, R, 1)."""
        return np.zeros((self.grid.size, rows, 1))


@dataclass(kw_only=True, eq=False)
class Gathered:
    """Running sums of one systematic over the events of one sample, before scaling to the analysis exposure.

    These arrays change in place while events are added. The rows of one cell lie together, so that an event writes to
    one place in memory.

    Attributes
    ----------
    sums : (F, R, M) array, for universes (F, M, U)
    noise : (F, R, 1) array
    half : (F, 1, 1) or (F, 0, 1) array
    moves : list of MoveTable, then of Moves
    table : array or None
        What the sums of weight variations are views of, while a chunk is filled: see `fill.weight_sums`.
    """

    sums: Floats
    noise: Floats
    half: Floats
    moves: list[Any]
    table: Floats | None = None

    @classmethod
    def of_weights(cls, block: Block, rows: int, *, pair: bool) -> Gathered:
        """Return empty sums of weight variations, of which two may be a pair."""
        table, sums, noise, half = fill.weight_sums(block.grid.size, rows, len(block.coefficients), 1, pair=pair)
        return cls(sums=sums, noise=noise, half=half, moves=block.tables(rows + pair), table=table)

    def close(self) -> Gathered:
        """Return the sums of a finished chunk, which may be sent to another process."""
        self.table = None
        self.moves = [found.moves() if isinstance(found, MoveTable) else found for found in self.moves]
        return self

    def absorb(self, other: Gathered, where: str) -> None:
        """Add the sums of another chunk.

        Raises
        ------
        DataError
            The other chunk has another number of weights per event.
        """
        if self.sums.shape != other.sums.shape:
            mine, theirs = (max(part.sums.shape[1:]) for part in (self, other))
            raise DataError(
                f"{where} has {mine} weights per event in one file and {theirs} in another;"
                " every file needs as many universes"
            )
        for name in ("sums", "noise", "half"):
            np.add(getattr(self, name), getattr(other, name), out=getattr(self, name))
        self.moves = [Moves.together(pair) for pair in zip(self.moves, other.moves, strict=True)]

    @property
    def finite(self) -> bool:
        """Whether no sum is NaN or infinite."""
        return bool(np.all(np.isfinite(self.sums)))


class Effect:
    """The work of one systematic: the sums it fills, and the templates it makes of the sums.

    Attributes
    ----------
    linear : bool
        Whether the systematic ends as deviations; otherwise as shifts.
    fills : bool
        Whether events are added up for the systematic; otherwise other sums are used.
    lists : tuple of str
        Expressions that hold a list of weights per event, which makes chunks large.
    after : tuple of str
        Keys of the systematic that act on filled cells: they may change without a new fill.
    """

    linear: ClassVar[bool] = False
    fills: ClassVar[bool] = True
    after: ClassVar[tuple[str, ...]] = ("regions", "powers", "shape", "group", "prior_width")
    lists: tuple[str, ...] = ()

    def __init__(self, systematic: Any, key: str, where: str) -> None:
        self.systematic, self.key = systematic, key
        self.where = f"{where} ({systematic.name!r})"

    def check(self, analysis: Analysis) -> None:
        """Raise errors that can be found before events are read."""
        return

    def reads(self, sample: Sample) -> tuple[str, ...]:
        """Return the columns it needs of a sample's events."""
        return ()

    def width(self, length: Callable[[str], int]) -> int:
        """Return how many universes it keeps sums of; `length` is how long the list of an expression is."""
        return 0

    def add(self, block: Block, found: Gathered | None) -> Gathered:
        """Add a block of events to the running sums (None at first) and return them."""
        raise TypeError(f"{type(self).__name__} is made of other sums than its own")

    def cells(self, found: Gathered, scale: float) -> EffectCells:
        """Return running sums as cells, scaled to the exposure."""
        if found.moves:
            sums = np.moveaxis(found.sums, 0, -1) * scale
            return EffectCells.of_moves(sums, tuple(moves.scaled(scale) for moves in found.moves))
        noise, half = (np.moveaxis(part, 0, -1) * scale**2 for part in (found.noise, found.half))
        return EffectCells(sums=np.moveaxis(found.sums, 0, -1) * scale, noise=noise, half=half)

    def together(self, parts: Mapping[str, EffectCells], nominal: Mapping[str, Floats]) -> Mapping[str, EffectCells]:
        """Return the cells of all samples, by name, after the steps that need all samples; `nominal` are their sums."""
        return parts

    def fractions(self, cells: Cells) -> Fractions | None:
        """Return relative changes of bins that come from a file."""
        return None

    def tables(self, analysis: Analysis) -> Mapping[str, Floats]:
        """Return small tables it needs beside the sums, by sample set."""
        return {}

    def shifts(self, cells: Cells) -> Shifts:
        """Return templates (S, M, B) by number of standard deviations; empty for a systematic of deviations."""
        return {}

    def deviations(self, cells: Cells) -> Floats:
        """Return rows (R, S, M, B) whose outer products sum to the covariance; empty for a systematic of shifts."""
        return np.zeros((0, *cells.nominal.shape))

    def loadings(self, cells: Cells) -> Loadings | None:
        """Return which knobs or flux bins its rows are made of; None if it has no such thing."""
        return None

    def acts_on(self, samples: tuple[str, ...]) -> tuple[str, ...]:
        """Return the samples among `samples` that the systematic changes."""
        return config.chosen(self.systematic.samples, samples)

    def sums(self, cells: Cells) -> Mapping[int, EffectCells]:
        """Return its sums, by the position of the sample in the expectation."""
        return {at: sample.effects[self.key] for at, sample in enumerate(cells.expected) if self.key in sample.effects}

    def at_sigmas(self, cells: Cells, sigmas: Sequence[float]) -> Shifts:
        """Return shifts that were filled as one row per element of `sigmas`."""
        result = {}
        for row, sigma in enumerate(sigmas):
            result[sigma] = cells.nominal.copy()
            for at, found in self.sums(cells).items():
                result[sigma][at] = cells.inner(found.sums[row])
        return result

    def matrix(self, values: Any, columns: int | None = None) -> Values:
        """Return a branch with a list per event as (N, U); all lists must have the same length."""
        if isinstance(values, ak.Array):
            try:
                values = ak.to_numpy(ak.to_regular(values, axis=1))
            except ValueError:
                counts = ak.num(values, axis=1)
                raise DataError(
                    f"{self.where}: events have {ak.min(counts)} to {ak.max(counts)} weights, but all need the same"
                    " number; select the others into a sample of their own, on which this systematic does not act"
                ) from None
        found = np.asarray(values)
        if found.ndim != 2 or (columns is not None and found.shape[1] != columns):
            needed = f"{columns} weights" if columns else "a list of weights"
            raise DataError(f"{self.where}: needs {needed} per event, found an array of shape {found.shape}")
        return np.ascontiguousarray(found, found.dtype if found.dtype == np.float32 else np.float64)


def values_of(block: Block, text: str) -> Any:
    """Return a column, or the value of an expression of columns and observables; a constant becomes (N,)."""
    values = block.events[text] if text in block.events else block.events.value(text)
    return np.full(block.weight.size, values, np.float64) if getattr(values, "ndim", 0) == 0 else values


def stack(block: Block, texts: tuple[str, ...], axis: int = 0) -> Floats:
    """Return V weight columns as (V, N), or with `axis` 1 as (N, V).

    Raises
    ------
    ConfigError
        An expression has more than one value per event.
    """
    found = [np.asarray(values_of(block, text), np.float64) for text in texts]
    for text, values in zip(texts, found, strict=True):
        if values.shape != (block.weight.size,):
            raise ConfigError(f"{text!r} has more than one value per event; choose one with [i], Max$ or Sum$")
    return np.stack(found, axis=axis)


def stacked(cells: Cells, parts: Mapping[int, Floats]) -> Floats:
    """Return rows of some samples, (R, M, B) each, as rows of all: (R, S, M, B)."""
    rows = max((len(part) for part in parts.values()), default=0)
    result = np.zeros((rows, *cells.nominal.shape))
    for at, part in parts.items():
        result[:, at] = part
    return result


def pair_of(sigmas: tuple[float, ...]) -> tuple[int, int] | None:
    """Return the rows at -1 and +1, if both are there."""
    return (sigmas.index(-1.0), sigmas.index(1.0)) if {-1.0, 1.0} <= set(sigmas) else None
