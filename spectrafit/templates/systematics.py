"""The kinds of systematics that change templates, one class each.

Every effect is filled for every monomial of the couplings under the same weights, so each monomial moves exactly. An
effect ends as either *shifts*, templates at given numbers of standard deviations, or *deviations*, rows whose outer
products sum to the covariance; `spectrafit.templates.variations` makes variations of both. `norm` needs no templates
and is not here.

Letters: N events of a block, F cells (with flow), B bins, R rows, S samples, M monomials of the couplings, Q products
of two monomials, U universes, J flux bins.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from spectrafit import config
from spectrafit.arraytypes import Floats, Integers
from spectrafit.config import Analysis, Sample
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import expressions
from spectrafit.events.read import EFFICIENCY, ENTRY
from spectrafit.random import stream_key
from spectrafit.templates import fill, matrices
from spectrafit.templates.cells import Cells, EffectCells, Fractions
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
from spectrafit.templates.principal import directions_of, fewer_rows
from spectrafit.templates.regions import lay_out

__all__ = ["EFFECTS", "effects"]


class _Weighted(Effect):
    """Weights, relative to the nominal one or in its place: in columns, or in one branch with a list per event."""

    def __init__(self, systematic: Any, key: str, where: str) -> None:
        super().__init__(systematic, key, where)
        self.lists = (self._list(),) if self._list() else ()

    def _list(self) -> str:
        return ""

    def _columns(self) -> tuple[str, ...]:
        return ()

    def reads(self, sample: Sample) -> tuple[str, ...]:
        # Expressions are worked out here and not by the reader, so that a cache of their columns serves other numbers.
        texts = self.lists or self._columns()
        columns = needs(name for text in texts for name in expressions.compile(text).variables)
        return columns if self.systematic.ratio else (*columns, EFFICIENCY)

    def _base(self, block: Block) -> Floats:
        # An absolute weight takes the place of the nominal one, but the response's efficiency goes on top of both.
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
            rows = len(sigmas)
            found = Gathered(
                sums=block.zeros(rows), noise=block.no_noise(rows), half=block.no_noise(1 if pair else 0), moves=[]
            )
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
                found.sums,
                found.noise,
                found.half,
            )
        return found

    def shifts(self, cells: Cells) -> Shifts:
        return self.at_sigmas(cells, self.systematic.sigmas)


class UniversesEffect(_Weighted):
    """`universes`: U weights per event; covariance 1/U sum_u (T_u - T_0)(T_u - T_0)^T, about the nominal."""

    linear = True
    after = (*Effect.after, "variance")

    def _list(self) -> str:
        return str(self.systematic.branch)

    def _columns(self) -> tuple[str, ...]:
        return tuple(self.systematic.branches)

    def add(self, block: Block, found: Gathered | None) -> Gathered:
        listed = self.matrix(values_of(block, self.lists[0])) if self.lists else None
        ratios = stack(block, self._columns(), axis=1) if listed is None else listed
        if found is None:
            shape = (block.grid.size, len(block.coefficients), ratios.shape[1])
            refuse_large(shape, self.where)
            sums = np.zeros(shape)
            found = Gathered(sums=sums, noise=block.no_noise(1), half=block.no_noise(0), moves=[])
        if ratios.shape[1] != found.sums.shape[2]:
            raise DataError(
                f"{self.where}: events have {found.sums.shape[2]} to {ratios.shape[1]} weights; each needs as many"
            )
        base = self._base(block)
        for cells in block.cells:
            fill.add_universes(
                cells, block.weight, base, block.coefficients, block.products, ratios, found.sums, found.noise
            )
        return found

    def cells(self, found: Gathered, scale: float) -> EffectCells:
        universes = found.sums.shape[2]
        # In place: of many universes there is no memory for another copy.
        found.sums *= scale
        return EffectCells(
            sums=np.moveaxis(found.sums, -1, 0).swapaxes(1, 2),
            noise=np.moveaxis(found.noise, 0, -1) * (scale**2 / max(universes, 1)),
            half=np.moveaxis(found.half, 0, -1),
        )

    def together(self, parts: Mapping[str, EffectCells], nominal: Mapping[str, Floats]) -> Mapping[str, EffectCells]:
        counts = {sample: len(found.sums) for sample, found in parts.items()}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{sample} {count}" for sample, count in counts.items())
            raise DataError(
                f"{self.where}: a universe is one for all samples, but they have different numbers: {listed}"
            )
        hit = {name: np.flatnonzero(np.any(found.sums != 0, axis=(0, 1))) for name, found in parts.items()}
        rows = {
            name: (found.sums[..., hit[name]] - nominal[name][:, hit[name]]) / np.sqrt(len(found.sums))
            for name, found in parts.items()
        }
        result = {}
        for name, fewer in fewer_rows(rows).items():
            sums = np.zeros((len(fewer), *nominal[name].shape))
            sums[..., hit[name]] = fewer
            result[name] = EffectCells(sums=sums, noise=parts[name].noise, half=parts[name].half)
        return result

    def deviations(self, cells: Cells) -> Floats:
        return stacked(cells, {at: cells.inner(found.sums) for at, found in self.sums(cells).items()})


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
                f"{self.where}: no axis or cut of its samples is made of {self.systematic.column!r}, so shifting it"
                f" changes nothing; they are made of {', '.join(sorted(used))}"
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
                    found.moves[row].add(before, after, block.weight, block.products)
        if len(moved) == 2:
            for down, up in zip(*moved, strict=True):
                if down is not up:
                    found.moves[2].add(down, up, block.weight, block.products, 0.5)
        return found

    def _moved(self, values: Floats, sigma: float, block: Block) -> Floats:
        if self.systematic.smear:
            # Entry i draws the same number however the work was cut.
            key = stream_key("smear", self.systematic.name, block.sample.name)
            draws = fill.standard_normals(key, np.asarray(block.events[ENTRY], np.int64))
            scales, offset = 1.0 + self.systematic.smear * draws, 0.0
        else:
            scales, offset = 1.0 + sigma * self.systematic.scale, sigma * self.systematic.offset
        moved: Floats = values * scales + offset
        return moved

    def cells(self, found: Gathered, scale: float) -> EffectCells:
        sums = np.moveaxis(found.sums, 0, -1) * scale
        return EffectCells.of_moves(sums, tuple(moves.scaled(scale) for moves in found.moves))

    def shifts(self, cells: Cells) -> Shifts:
        return self.at_sigmas(cells, self.sigmas)


class ShiftedSampleEffect(Effect):
    """`sample`: an ntuple set made with something shifted stands for another; a missing side is mirrored.

    The noise of its change is the variance of both sets, since their events differ: their `squares`.
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


class CovarianceEffect(Effect):
    """`covariance`: a matrix over the bins of its regions, taken as the same fraction of every sample and monomial."""

    linear = True
    fills = False

    def check(self, analysis: Analysis) -> None:
        self._rows(analysis)

    def _rows(self, analysis: Analysis) -> tuple[Floats, Integers]:
        """Return rows (D, n) whose outer products sum to the matrix, and the n bins it is over."""
        regions = lay_out(analysis.regions)
        wanted = config.chosen(self.systematic.regions, tuple(r.name for r in regions))
        bins = np.concatenate([np.arange(r.start, r.stop) for r in regions if r.name in wanted])
        matrix = matrices.load(self.systematic.file, analysis.path, self.where)
        if matrix.shape != (bins.size, bins.size):
            raise DataError(
                f"{self.where}: {self.systematic.file} has shape {matrix.shape}, its regions {', '.join(wanted)} have"
                f" {bins.size} bins in all"
            )
        try:
            rows = directions_of(matrix)
            self._look_at(np.diag(matrix))
            return rows, bins
        except ValueError as error:
            raise DataError(f"{self.where}: {self.systematic.file} {error}") from None

    def _look_at(self, variances: Floats) -> None:
        """Warn of variances that are none: all 0, or so far above the others that they mark a bin without one."""
        positive = variances[variances > 0]
        name = f"{self.where}: {self.systematic.file}"
        if not positive.size:
            warnings.warn(f"{name} is zero throughout, so {self.systematic.name!r} changes nothing", stacklevel=2)
            return
        usual = float(np.median(positive))
        odd = np.flatnonzero(
            (variances > 1e6 * usual) | (variances > (100.0 if self.systematic.fractional else np.inf))
        )
        if odd.size:
            warnings.warn(
                f"{name}: the variance of bin {int(odd[0])} is {variances[odd[0]]:.3g}, beside a median of"
                f" {usual:.3g}; leave the bin out if that means that nothing is known of it",
                stacklevel=2,
            )

    def fractions(self, cells: Cells) -> Fractions:
        rows, bins = self._rows(cells.analysis)
        samples = self.acts_on(cells.varying)
        if not self.systematic.fractional:
            mine = [at for at, sample in enumerate(cells.expected) if sample.name in samples]
            total = cells.nominal[mine, 0][:, bins].sum(axis=0)
            empty = (total <= 0) & np.any(rows != 0, axis=0)
            if empty.any():
                raise DataError(
                    f"{self.where}: bin {int(np.argmax(empty))} has a variance in {self.systematic.file} and no"
                    " expected events to vary; correct the matrix or the binning"
                )
            rows = np.divide(rows, total, out=np.zeros_like(rows), where=total > 0)
        everywhere = np.zeros((len(rows), cells.layout.inner.size))
        everywhere[:, bins] = rows
        return Fractions(rows=everywhere, samples=samples)

    def deviations(self, cells: Cells) -> Floats:
        if self.key not in cells.fractions:
            # Merged cells hold the changes of events themselves.
            return stacked(cells, {at: cells.inner(found.sums) for at, found in self.sums(cells).items()})
        found = cells.fractions[self.key]
        mine = [at for at, sample in enumerate(cells.expected) if sample.name in found.samples]
        return stacked(cells, {at: found.rows[:, None] * cells.nominal[at] for at in mine})


class FluxEffect(Effect):
    """`flux`: the flux tables' uncertainty, as the part of the templates that each flux bin and flavour makes up.

    With u the fractional uncertainty of a bin, two bins of one flavour have covariance `correlation` u u', bins of two
    flavours `correlation` x `flavours` u u'. Sample sets have fluxes of their own and are independent of each other.
    """

    linear = True
    after = (*Effect.after, "variance", "correlation", "flavours", "covariance")

    def check(self, analysis: Analysis) -> None:
        self.tables(analysis)

    def tables(self, analysis: Analysis) -> Mapping[str, Floats]:
        return {
            sample_set.name: matrices.flux_directions(sample_set, self.systematic, analysis.path, self.where)
            for sample_set in analysis.sample_sets
            if self.acts_on(tuple(sample.name for sample in sample_set.samples if sample.role != "data"))
        }

    def reads(self, sample: Sample) -> tuple[str, ...]:
        # The preset's nu_pdg names the neutrino of any entry; a user's own pdg column does for a signal sample.
        own = sample.role == "signal" and "pdg" in sample.columns and "nu_pdg" not in sample.columns
        return ("pdg" if own else "nu_pdg", "e_nu")

    def add(self, block: Block, found: Gathered | None) -> Gathered:
        tables = matrices.fluxes(block.sample_set, self.where)
        pdg_name, e_nu_name = self.reads(block.sample)
        pdg = np.asarray(block.events[pdg_name], np.float64)
        e_nu = np.ascontiguousarray(block.events[e_nu_name], np.float64)
        bins = np.full(pdg.size, -1, np.int32)
        for table in tables:
            place = np.zeros(pdg.size, np.int32)
            fill.number(table.axis, e_nu, 1, place)
            inside = (pdg == table.pdg) & (place > 0) & (place <= table.axis.bins)
            np.copyto(bins, place + (table.first - 1), where=inside)
        if found is None:
            rows = tables[-1].first + tables[-1].axis.bins
            found = Gathered(sums=block.zeros(rows), noise=block.no_noise(rows), half=block.no_noise(0), moves=[])
        for cells in block.cells:
            fill.add_flux_bins(cells, bins, block.weight, block.coefficients, block.products, found.sums, found.noise)
        return found

    def deviations(self, cells: Cells) -> Floats:
        result = []
        names = [sample.name for sample in cells.expected]
        for sample_set in cells.analysis.sample_sets:
            mine = [s.name for s in sample_set.samples if s.name in names]
            rows = {names.index(name): self.sums(cells).get(names.index(name)) for name in mine}
            parts = {at: cells.inner(found.sums) for at, found in rows.items() if found is not None}
            if parts:
                weights = cells.tables[self.key][sample_set.name]
                result.append(stacked(cells, {at: np.tensordot(weights, part, 1) for at, part in parts.items()}))
        return np.concatenate(result) if result else np.zeros((0, *cells.nominal.shape))


EFFECTS: dict[type, type[Effect]] = {
    config.Weight: WeightEffect,
    config.Shift: ShiftEffect,
    config.Universes: UniversesEffect,
    config.ShiftedSample: ShiftedSampleEffect,
    config.Covariance: CovarianceEffect,
    config.FluxUncertainty: FluxEffect,
}
"""The kinds of systematics that change templates."""


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
