"""The kinds of systematics that change templates, one class each.

Every systematic is filled for every monomial of the couplings with the same weights, so each monomial moves exactly. A
systematic ends either as *shifts*, templates at given numbers of standard deviations, or as *deviations*, rows whose
outer products sum to the covariance. `spectrafit.templates.variations` makes variations of both. `norm` needs no
templates and is not here. Kinds that a matrix describes are in `spectrafit.templates.correlated`.

To add a kind, write the class of its keys in `spectrafit.config.systematics`, and here its effect and its row.

Letters: N events of a block, F cells (with flow), B bins, R rows, S samples, M monomials of the couplings, Q products
of two monomials, U universes, J flux bins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from spectrafit import config
from spectrafit.arraytypes import Floats, Places
from spectrafit.config import Analysis, Sample
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import expressions
from spectrafit.events.read import DRAW, EFFICIENCY, ENTRY
from spectrafit.random import standard_normals, stream_key
from spectrafit.templates import fill
from spectrafit.templates.cells import Cells, EffectCells
from spectrafit.templates.correlated import CovarianceEffect, FluxEffect
from spectrafit.templates.draws import add_noise
from spectrafit.templates.effects import (
    Block,
    Effect,
    Gathered,
    Shifts,
    pair_of,
    refuse_large,
    stack,
    stacked,
    values_of,
)
from spectrafit.templates.migration import MoveTable
from spectrafit.templates.observables import needs
from spectrafit.templates.principal import reduced
from spectrafit.templates.sources import Loadings, knobs_of

__all__ = ["EFFECTS", "effects"]


class _Weighted(Effect):
    """Weights that multiply or replace the nominal weight: in columns, or in one branch with a list per event."""

    def __init__(self, systematic: Any, key: str, where: str) -> None:
        super().__init__(systematic, key, where)
        self.lists = (self._list(),) if self._list() else ()

    def _list(self) -> str:
        return ""

    def _columns(self) -> tuple[str, ...]:
        return ()

    def reads(self, sample: Sample) -> tuple[str, ...]:
        # Expressions are evaluated here and not by the reader: the cache keeps their columns, which serve expressions
        # with other numbers too.
        texts = self.lists or self._columns()
        columns = needs(name for text in texts for name in expressions.compile(text).variables)
        return columns if self.systematic.ratio else (*columns, EFFICIENCY)

    def _base(self, block: Block) -> Floats:
        # An absolute weight replaces the nominal weight, but the response's efficiency multiplies both.
        if self.systematic.ratio:
            return block.weight
        return np.ascontiguousarray(block.events[EFFICIENCY], np.float64)


class WeightEffect(_Weighted):
    """`weight`: a weight column (or element of a knob array) for each of a set of sigmas."""

    after = (*Effect.after, "smooth", "interpolation")

    def _list(self) -> str:
        return str(self.systematic.array)

    def _columns(self) -> tuple[str, ...]:
        return tuple(self.systematic.weights)

    def add(self, block: Block, found: Gathered | None) -> Gathered:
        sigmas = self.systematic.sigmas
        pair = pair_of(sigmas)
        if found is None:
            found = Gathered.of_weights(block, len(sigmas), pair=pair is not None)
        if self.lists:
            matrix = self.matrix(values_of(block, self.lists[0]), len(sigmas))
            ratios = np.ascontiguousarray(matrix.T, np.float64)
        else:
            ratios = stack(block, self._columns())
        down, up = pair or (-1, -1)
        base = self._base(block)
        for cells in block.cells:
            fill.add_weights(
                cells,
                block.weight,
                base,
                block.coefficients,
                block.products,
                ratios,
                down,
                up,
                found.table,
            )
            if block.draws > 1:
                for table, ratio in zip(found.moves, ratios, strict=False):
                    add_noise(table, block, cells, base * ratio - block.weight)
                if pair:
                    add_noise(found.moves[-1], block, cells, 0.5 * base * (ratios[up] - ratios[down]))
        return found

    def shifts(self, cells: Cells) -> Shifts:
        return self.at_sigmas(cells, self.systematic.sigmas)


class UniversesEffect(_Weighted):
    """`universes`: U weights per event; covariance 1/U sum_u (T_u - T_0)(T_u - T_0)^T, about the nominal."""

    linear = True
    after = (*Effect.after, "variance", "knobs")

    def _list(self) -> str:
        return str(self.systematic.branch)

    def _columns(self) -> tuple[str, ...]:
        return tuple(self.systematic.branches)

    def width(self, length: Callable[[str], int]) -> int:
        return max(map(length, self.lists), default=len(self._columns()))

    def check(self, analysis: Analysis) -> None:
        if self.systematic.knobs:
            knobs_of(self.systematic.knobs, analysis.path, self.where, len(self.systematic.branches))

    def add(self, block: Block, found: Gathered | None) -> Gathered:
        listed = self.matrix(values_of(block, self.lists[0])) if self.lists else None
        ratios = stack(block, self._columns(), axis=1) if listed is None else listed
        if found is None:
            shape = (block.grid.size, len(block.coefficients), ratios.shape[1])
            refuse_large(shape, self.where)
            sums = np.zeros(shape)
            found = Gathered(sums=sums, noise=block.no_noise(1), half=block.no_noise(0), moves=block.tables(1))
        if ratios.shape[1] != found.sums.shape[2]:
            raise DataError(
                f"{self.where}: some events have {found.sums.shape[2]} weights, others {ratios.shape[1]}; all need the"
                " same number"
            )
        base = self._base(block)
        for cells in block.cells:
            fill.add_universes(
                cells, block.weight, base, block.coefficients, block.products, ratios, found.sums, found.noise
            )
            for universe in ratios.T if block.draws > 1 else ():
                add_noise(found.moves[0], block, cells, base * universe - block.weight)
        return found

    def cells(self, found: Gathered, scale: float) -> EffectCells:
        universes = found.sums.shape[2]
        # In place: many universes leave no memory for another copy.
        found.sums *= scale
        sums = np.moveaxis(found.sums, -1, 0).swapaxes(1, 2)
        if found.moves:
            return EffectCells.of_moves(sums, (found.moves[0].scaled(scale / max(universes, 1) ** 0.5),))
        return EffectCells(
            sums=sums,
            noise=np.moveaxis(found.noise, 0, -1) * (scale**2 / max(universes, 1)),
            half=np.moveaxis(found.half, 0, -1),
        )

    def together(self, parts: Mapping[str, EffectCells], nominal: Mapping[str, Floats]) -> Mapping[str, EffectCells]:
        counts = {sample: len(found.sums) for sample, found in parts.items()}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{sample} {count}" for sample, count in counts.items())
            raise DataError(f"{self.where}: all samples need the same number of universes, found: {listed}")
        hit = {name: np.flatnonzero(np.any(found.sums != 0, axis=(0, 1))) for name, found in parts.items()}
        rows = {
            name: (found.sums[..., hit[name]] - nominal[name][:, hit[name]]) / np.sqrt(len(found.sums))
            for name, found in parts.items()
        }
        result = {}
        fewer_of_all, origin = reduced(rows)
        for name, fewer in fewer_of_all.items():
            sums = np.zeros((len(fewer), *nominal[name].shape))
            sums[..., hit[name]] = fewer
            result[name] = replace(parts[name], sums=sums, origin=origin)
        return result

    def deviations(self, cells: Cells) -> Floats:
        return stacked(cells, {at: cells.inner(found.sums) for at, found in self.sums(cells).items()})

    def loadings(self, cells: Cells) -> Loadings | None:
        found = next(iter(self.sums(cells).values()), None)
        if found is None:
            return None
        universes = len(found.sums) if found.origin is None else len(found.origin)
        named = self.systematic.branches or tuple(f"universe {number}" for number in range(universes))
        if self.systematic.knobs:
            return knobs_of(self.systematic.knobs, cells.analysis.path, self.where, universes).seen_from(found.origin)
        return Loadings(names=named, rows=np.eye(universes)).seen_from(found.origin)


class ShiftEffect(Effect):
    """`shift`: a reconstructed column moved or smeared: events migrate between bins and through cuts."""

    after = (*Effect.after, "smooth", "interpolation")

    def __init__(self, systematic: config.Shift, key: str, where: str) -> None:
        super().__init__(systematic, key, where)
        self.sigmas = (1.0,) if systematic.smear else (-1.0, 1.0)

    def reads(self, sample: Sample) -> tuple[str, ...]:
        return (self.systematic.column, ENTRY) if self.systematic.smear else (self.systematic.column,)

    def check(self, analysis: Analysis) -> None:
        names = tuple(sample.name for _, sample in analysis.nominal if sample.role != "data")
        used = needs(
            text
            for region in analysis.regions
            if config.chosen(region.samples, self.acts_on(names))
            for text in (
                *(axis.observable for axis in region.axes),
                *(expressions.compile(region.cut).variables if region.cut else ()),
            )
        )
        if self.systematic.column not in used:
            raise ConfigError(
                f"{self.where}: no axis or cut of its samples uses {self.systematic.column!r}, so shifting this column"
                f" changes nothing; they use {', '.join(sorted(used))}"
            )

    def add(self, block: Block, found: Gathered | None) -> Gathered:
        sigmas = self.sigmas
        if found is None:
            products = block.products.shape[1]
            moves = [MoveTable(block.grid.size, products) for _ in range(len(sigmas) + (len(sigmas) == 2))]
            quiet = block.no_noise(0)
            found = Gathered(sums=block.zeros(len(sigmas)), noise=quiet, half=quiet, moves=moves)
        name = self.systematic.column
        values = np.asarray(block.events[name], np.float64)
        moved = [
            block.grid.moved(block.events.shifted(name, self._moved(values, sigma, block)), name, block.cells)
            for sigma in sigmas
        ]
        for row, every in enumerate(moved):
            for before, after in zip(block.cells, every, strict=True):
                fill.add_counts(after, block.weight, block.coefficients, row, found.sums)
                if after is not before:
                    self._add_moves(found.moves[row], before, after, block, 1.0)
        if len(moved) == 2:
            for down, up in zip(*moved, strict=True):
                if down is not up:
                    self._add_moves(found.moves[2], down, up, block, 0.5)
        return found

    @staticmethod
    def _add_moves(table: MoveTable, before: Places, after: Places, block: Block, factor: float) -> None:
        if block.draws > 1:
            table.add_events(before, after, block.weight, block.products, block.entries, factor)
        else:
            table.add(before, after, block.weight, block.products, factor)

    def _moved(self, values: Floats, sigma: float, block: Block) -> Floats:
        if self.systematic.smear:
            # Entry i draws the same number however the entries are divided into chunks.
            key = stream_key("smear", self.systematic.name, block.sample.name)
            entries = np.asarray(block.events[ENTRY], np.int64)
            draw = np.asarray(block.events[DRAW], np.int64) if block.draws > 1 else np.zeros_like(entries)
            scales, offset = 1.0 + self.systematic.smear * standard_normals(key, entries, draw), 0.0
        else:
            scales, offset = 1.0 + sigma * self.systematic.scale, sigma * self.systematic.offset
        moved: Floats = values * scales + offset
        return moved

    def shifts(self, cells: Cells) -> Shifts:
        return self.at_sigmas(cells, self.sigmas)


class ShiftedSampleEffect(Effect):
    """`sample`: an ntuple set simulated with a shift stands for another sample; a missing side is mirrored.

    The two sets have different events, so the noise of the change is the variance of both sets, their `squares`.
    """

    fills = False
    after = (*Effect.after, "smooth", "interpolation")

    def acts_on(self, samples: tuple[str, ...]) -> tuple[str, ...]:
        named = (*self.systematic.up, *self.systematic.down)
        return tuple(sample for sample in super().acts_on(samples) if sample in named)

    def shifts(self, cells: Cells) -> Shifts:
        result = {-1.0: cells.nominal.copy(), 1.0: cells.nominal.copy()}
        names = tuple(sample.name for sample in cells.expected)
        for sample in self.acts_on(cells.varying):
            at = names.index(sample)
            up, down = (
                cells.inner(cells.stand_ins[stand_ins[sample], sample].sums) if sample in stand_ins else None
                for stand_ins in (self.systematic.up, self.systematic.down)
            )
            result[1.0][at] = up if up is not None else 2 * cells.nominal[at] - down
            result[-1.0][at] = down if down is not None else 2 * cells.nominal[at] - up
        return result


EFFECTS: dict[type, type[Effect]] = {
    config.Weight: WeightEffect,
    config.Shift: ShiftEffect,
    config.Universes: UniversesEffect,
    config.ShiftedSample: ShiftedSampleEffect,
    config.Covariance: CovarianceEffect,
    config.FluxUncertainty: FluxEffect,
}
"""The kinds of systematics that change templates, by the class of their keys."""


def effects(analysis: Analysis) -> dict[str, Effect]:
    """Return the effects of an analysis by their keys: their names, the second of a name as "name (2)"."""
    found: dict[str, Effect] = {}
    for index, systematic in enumerate(analysis.systematics):
        if type(systematic) in EFFECTS:
            twins = sum(effect.systematic.name == systematic.name for effect in found.values())
            key = f"{systematic.name} ({twins + 1})" if twins else systematic.name
            where = f"{analysis.path}: $.systematics[{index}]"
            found[key] = EFFECTS[type(systematic)](systematic, key, where)
    return found
