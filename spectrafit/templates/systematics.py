"""Blocks of events in, varied templates out: one class per kind of systematic.

Every effect is filled for every power of kappa under the same weights, so each power moves exactly. An effect ends as
either *shifts*, templates at given numbers of standard deviations, or *deviations*, rows whose outer products sum to
the covariance; `spectrafit.templates.variations` makes variations of both. `norm` needs no templates and is not here.

Letters: N events of a block, F cells (with flow), B bins, R rows, S samples, P powers of kappa above 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrafit import config
from spectrafit.config import Analysis, Sample
from spectrafit.errors import DataError
from spectrafit.events import expressions
from spectrafit.events.read import EFFICIENCY, ENTRY
from spectrafit.random import stream_key
from spectrafit.templates import fill, matrices
from spectrafit.templates.components import directions_of
from spectrafit.templates.effects import (
    Block,
    Effect,
    Filled,
    Shifts,
    add_columns,
    add_universes,
    stack,
    values_of,
)
from spectrafit.templates.observables import needs
from spectrafit.templates.regions import lay_out

__all__ = ["EFFECTS", "effects"]

Floats = NDArray[np.float64]


class _Weighted(Effect):
    """Weights, relative to the nominal one or in its place: in columns, or in one branch with a list per event."""

    def __init__(self, systematic: Any, where: str) -> None:
        super().__init__(systematic, where)
        self.lists = bool(self._list())

    def _list(self) -> str:
        return ""

    def _columns(self) -> tuple[str, ...]:
        return ()

    def reads(self, sample: Sample) -> tuple[str, ...]:
        # Expressions are worked out here and not by the reader, so that a cache of their columns serves other numbers.
        texts = (self._list(),) if self._list() else self._columns()
        columns = needs(name for text in texts for name in expressions.compile(text).variables)
        return columns if self.systematic.ratio else (*columns, EFFICIENCY)

    def add(self, block: Block, sums: Floats | None) -> Floats | None:
        # An absolute weight takes the place of the nominal one, but the response's efficiency goes on top of both.
        weight = block.weight if self.systematic.ratio else np.asarray(block.columns[EFFICIENCY], np.float64)
        if self._list():
            return add_universes(block, weight, self.matrix(values_of(block, self._list()), self._length()), sums)
        return add_columns(block, weight, stack(block, self._columns()), sums)

    def rows(self, sums: Floats) -> Floats:
        return np.ascontiguousarray(np.moveaxis(sums, -1, 0).swapaxes(1, 2)) if self._list() else sums

    def _length(self) -> int | None:
        return None


class WeightEffect(_Weighted):
    """`weight`: a weight column (or element of a knob array) for each of a set of sigmas."""

    def _list(self) -> str:
        return str(self.systematic.array)

    def _columns(self) -> tuple[str, ...]:
        return tuple(self.systematic.weights)

    def _length(self) -> int:
        return len(self.systematic.sigmas)

    def shifts(self, filled: Filled) -> Shifts:
        return self.at_sigmas(filled, self.systematic.sigmas)


class UniversesEffect(_Weighted):
    """`universes`: U weights per event; covariance 1/U sum_u (T_u - T_0)(T_u - T_0)^T, about the nominal."""

    linear = True

    def _list(self) -> str:
        return str(self.systematic.branch)

    def _columns(self) -> tuple[str, ...]:
        return tuple(self.systematic.branches)

    def deviations(self, filled: Filled) -> Floats:
        counts = {sample: len(rows) for sample, rows in filled.rows.items()}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{sample} {count}" for sample, count in counts.items())
            raise DataError(
                f"{self.where}: a universe is one for all samples, but they have different numbers: {listed}"
            )
        universes = next(iter(counts.values()), 0)
        result = np.zeros((universes, *filled.nominal.shape))
        for sample, rows in filled.rows.items():
            at = filled.samples.index(sample)
            result[:, at] = (rows - filled.nominal[at]) / np.sqrt(universes)
        return result


class ShiftEffect(Effect):
    """`shift`: a reconstructed column moved or smeared: events migrate between bins and through cuts."""

    def __init__(self, systematic: config.Shift, where: str) -> None:
        super().__init__(systematic, where)
        self.sigmas = (1.0,) if systematic.smear else (-1.0, 1.0)

    def reads(self, sample: Sample) -> tuple[str, ...]:
        return (self.systematic.column, ENTRY) if self.systematic.smear else (self.systematic.column,)

    def add(self, block: Block, sums: Floats | None) -> Floats | None:
        if sums is None:
            sums = np.zeros((len(self.sigmas), len(block.powers), block.grid.size))
        name = self.systematic.column
        values = np.asarray(block.columns[name], np.float64)
        for row, sigma in enumerate(self.sigmas):
            if self.systematic.smear:
                # Entry i draws the same number however the work was cut.
                key = stream_key("smear", self.systematic.name, block.sample.name)
                draws = fill.standard_normals(key, np.asarray(block.columns[ENTRY], np.int64))
                moved = values * (1.0 + self.systematic.smear * draws)
            else:
                moved = values * (1.0 + sigma * self.systematic.scale) + sigma * self.systematic.offset
            for cells in block.grid.moved(block.columns.shifted(name, moved), name, block.cells):
                fill.add_counts(cells, block.weight, block.powers, sums[row])
        return sums

    def shifts(self, filled: Filled) -> Shifts:
        return self.at_sigmas(filled, self.sigmas)


class ShiftedSampleEffect(Effect):
    """`sample`: an ntuple set made with something shifted stands for another; a missing side is mirrored."""

    fills = False

    def acts_on(self, samples: tuple[str, ...]) -> tuple[str, ...]:
        named = (*self.systematic.up, *self.systematic.down)
        return tuple(sample for sample in super().acts_on(samples) if sample in named)

    def shifts(self, filled: Filled) -> Shifts:
        result = {-1.0: filled.nominal.copy(), 1.0: filled.nominal.copy()}
        for sample in self.acts_on(filled.samples):
            at = filled.samples.index(sample)
            up, down = (
                filled.stand_ins[names[sample], sample] if sample in names else None
                for names in (self.systematic.up, self.systematic.down)
            )
            result[1.0][at] = up if up is not None else 2 * filled.nominal[at] - down
            result[-1.0][at] = down if down is not None else 2 * filled.nominal[at] - up
        return result


class CovarianceEffect(Effect):
    """`covariance`: a matrix over the bins of its regions, taken as the same fraction of every sample and power."""

    linear = True
    fills = False

    def check(self, analysis: Analysis) -> None:
        self._rows(analysis)

    def _rows(self, analysis: Analysis) -> tuple[Floats, NDArray[np.intp]]:
        """Return rows (R, D) whose outer products sum to the matrix, and the D bins it is over."""
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

    def deviations(self, filled: Filled) -> Floats:
        rows, bins = self._rows(filled.analysis)
        mine = [filled.samples.index(sample) for sample in self.acts_on(filled.samples)]
        if not self.systematic.fractional:
            total = filled.nominal[mine, 0][:, bins].sum(axis=0)
            empty = (total <= 0) & np.any(rows != 0, axis=0)
            if empty.any():
                raise DataError(
                    f"{self.where}: bin {int(np.argmax(empty))} has a variance in {self.systematic.file} and no"
                    " expected events to vary; correct the matrix or the binning"
                )
            rows = np.divide(rows, total, out=np.zeros_like(rows), where=total > 0)
        result = np.zeros((len(rows), *filled.nominal.shape))
        for at in mine:
            result[:, at, :, bins] = np.moveaxis(rows[:, None, :] * filled.nominal[at][None, :, bins], -1, 0)
        return result


class FluxEffect(Effect):
    """`flux`: the flux tables' uncertainty, as the part of the templates that each flux bin and flavour makes up.

    With u the fractional uncertainty of a bin, two bins of one flavour have covariance `correlation` u u', bins of two
    flavours `correlation` x `flavours` u u'. Sample sets have fluxes of their own and are independent of each other.
    """

    linear = True

    def check(self, analysis: Analysis) -> None:
        for sample_set in analysis.sample_sets:
            if self.acts_on(tuple(sample.name for sample in sample_set.samples if sample.role != "data")):
                matrices.flux_directions(sample_set, self.systematic, analysis.path, self.where)

    def reads(self, sample: Sample) -> tuple[str, ...]:
        # The preset's nu_pdg names the neutrino of any entry; a user's own pdg column does for a signal sample.
        own = sample.role == "signal" and "pdg" in sample.columns and "nu_pdg" not in sample.columns
        return ("pdg" if own else "nu_pdg", "e_nu")

    def add(self, block: Block, sums: Floats | None) -> Floats | None:
        tables = matrices.fluxes(block.sample_set, self.where)
        pdg_name, e_nu_name = self.reads(block.sample)
        pdg = np.asarray(block.columns[pdg_name], np.float64)
        e_nu = np.ascontiguousarray(block.columns[e_nu_name], np.float64)
        bins = np.full(pdg.size, -1, np.int32)
        for table in tables:
            place = np.zeros(pdg.size, np.int32)
            fill.number(table.axis, e_nu, 1, place)
            found = (pdg == table.pdg) & (place > 0) & (place <= table.axis.bins)
            np.copyto(bins, place + (table.first - 1), where=found)
        if sums is None:
            sums = np.zeros((tables[-1].first + tables[-1].axis.bins, len(block.powers), block.grid.size))
        for cells in block.cells:
            fill.add_flux_bins(cells, bins, block.weight, block.powers, sums)
        return sums

    def deviations(self, filled: Filled) -> Floats:
        result = []
        for sample_set in filled.analysis.sample_sets:
            mine = [sample.name for sample in sample_set.samples if sample.name in filled.rows]
            if not mine:
                continue
            weights = matrices.flux_directions(sample_set, self.systematic, filled.analysis.path, self.where)
            part = np.zeros((len(weights), *filled.nominal.shape))
            for sample in mine:
                part[:, filled.samples.index(sample)] = np.tensordot(weights, filled.rows[sample], axes=1)
            result.append(part)
        return np.concatenate(result) if result else np.zeros((0, *filled.nominal.shape))


EFFECTS: dict[type, Callable[[Any, str], Effect]] = {
    config.Weight: WeightEffect,
    config.Shift: ShiftEffect,
    config.Universes: UniversesEffect,
    config.ShiftedSample: ShiftedSampleEffect,
    config.Covariance: CovarianceEffect,
    config.FluxUncertainty: FluxEffect,
}
"""The kinds of systematics that change templates."""


def effects(analysis: Analysis) -> dict[int, Effect]:
    """Return the effects of an analysis, by their position among its systematics."""
    return {
        index: EFFECTS[type(systematic)](systematic, f"{analysis.path}: $.systematics[{index}]")
        for index, systematic in enumerate(analysis.systematics)
        if type(systematic) in EFFECTS
    }
