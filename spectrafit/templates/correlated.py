"""The kinds of systematics that a matrix describes: over the bins of regions, or over the bins of a flux.

Letters: N events of a block, F cells (with flow), B bins, R rows, S samples, M monomials of the couplings, D rows of a
matrix taken apart, J flux bins.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from spectrafit import config
from spectrafit.arraytypes import Floats, Integers
from spectrafit.config import Analysis, Sample
from spectrafit.errors import DataError
from spectrafit.templates import fill, matrices
from spectrafit.templates.cells import Cells, Fractions
from spectrafit.templates.draws import add_noise
from spectrafit.templates.effects import Block, Effect, Gathered, stacked
from spectrafit.templates.partition import fitted_regions
from spectrafit.templates.principal import directions_of
from spectrafit.templates.sources import Loadings

__all__ = ["CovarianceEffect", "FluxEffect"]


class CovarianceEffect(Effect):
    """`covariance`: a matrix over the bins of its regions, taken as the same fraction of every sample and monomial."""

    linear = True
    fills = False

    def check(self, analysis: Analysis) -> None:
        """Refuse a matrix that cannot be read or has another size than the bins."""
        self._rows(analysis)

    def _rows(self, analysis: Analysis) -> tuple[Floats, Integers]:
        """Return rows (D, n) whose outer products sum to the matrix, and the n bins it is over."""
        regions = fitted_regions(analysis)
        wanted = config.chosen(self.systematic.regions, tuple(region.name for region in regions))
        bins = np.concatenate([np.arange(region.start, region.stop) for region in regions if region.name in wanted])
        matrix = matrices.load(self.systematic.file, analysis.path, self.where)
        if matrix.shape != (bins.size, bins.size):
            raise DataError(
                f"{self.where}: {self.systematic.file} has shape {matrix.shape}, its regions {', '.join(wanted)} have"
                f" {bins.size} bins in all"
            )
        try:
            rows = directions_of(matrix)
            matrices.warn_of_odd_variances(matrix, self.systematic, self.where)
            return rows, bins
        except ValueError as error:
            raise DataError(f"{self.where}: {self.systematic.file} {error}") from None

    def fractions(self, cells: Cells) -> Fractions:
        """Return the matrix as rows of relative changes of every bin."""
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
        """Return the relative changes times the expectation of every sample and monomial."""
        if self.key not in cells.fractions:
            # Merged cells hold the covariance as changes in events already.
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
        """Refuse flux tables without uncertainties, and a matrix of another size than their bins."""
        self.tables(analysis)

    def tables(self, analysis: Analysis) -> Mapping[str, Floats]:
        """Return the relative changes of the flux bins, (D, J) by sample set."""
        return {
            sample_set.name: matrices.flux_directions(sample_set, self.systematic, analysis.path, self.where)
            for sample_set in analysis.sample_sets
            if self.acts_on(tuple(sample.name for sample in sample_set.samples if sample.role != "data"))
        }

    def reads(self, sample: Sample) -> tuple[str, ...]:
        """Return the columns of the neutrino: its code and its energy."""
        # The preset's nu_pdg is the neutrino of any entry; for a signal sample the user's own pdg column will do.
        own = sample.role == "signal" and "pdg" in sample.columns and "nu_pdg" not in sample.columns
        return ("pdg" if own else "nu_pdg", "e_nu")

    def add(self, block: Block, found: Gathered | None) -> Gathered:
        """Add events to the sums of their flux bins."""
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
            found = Gathered(
                sums=block.zeros(rows),
                noise=block.no_noise(rows),
                half=block.no_noise(0),
                moves=block.tables(rows),
            )
        for cells in block.cells:
            fill.add_flux_bins(cells, bins, block.weight, block.coefficients, block.products, found.sums, found.noise)
            for number, table in enumerate(found.moves):
                if np.any(bins == number):
                    add_noise(table, block, cells, np.where(bins == number, block.weight, 0.0))
        return found

    def deviations(self, cells: Cells) -> Floats:
        """Return the sums of the flux bins, weighed by the rows of the matrix."""
        result = []
        names = [sample.name for sample in cells.expected]
        for sample_set in cells.analysis.sample_sets:
            mine = [sample.name for sample in sample_set.samples if sample.name in names]
            rows = {names.index(name): self.sums(cells).get(names.index(name)) for name in mine}
            parts = {at: cells.inner(found.sums) for at, found in rows.items() if found is not None}
            if parts:
                weights = cells.tables[self.key][sample_set.name]
                result.append(stacked(cells, {at: np.tensordot(weights, part, 1) for at, part in parts.items()}))
        return np.concatenate(result) if result else np.zeros((0, *cells.nominal.shape))

    def loadings(self, cells: Cells) -> Loadings | None:
        """Return the bins of every flavour's flux, in the order of the deviations."""
        names: list[str] = []
        blocks: list[Floats] = []
        filled = [sample.name for sample in cells.expected if self.key in sample.effects]
        several = len(cells.tables.get(self.key, {})) > 1
        for sample_set in cells.analysis.sample_sets:
            if not any(sample.name in filled for sample in sample_set.samples):
                continue
            blocks.append(cells.tables[self.key][sample_set.name])
            for name, table in zip(sample_set.flux, matrices.fluxes(sample_set, self.where), strict=True):
                before = f"{sample_set.name} {name}" if several else name
                names += [f"{before} {low:g}-{high:g} GeV" for low, high in itertools.pairwise(table.edges)]
        if not blocks:
            return None
        rows = np.zeros((sum(len(block) for block in blocks), len(names)))
        row = column = 0
        for block in blocks:
            rows[row : row + block.shape[0], column : column + block.shape[1]] = block
            row, column = row + block.shape[0], column + block.shape[1]
        return Loadings(names=tuple(names), rows=rows)
