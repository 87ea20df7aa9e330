"""`Templates`: the immutable histograms from which models are assembled, and how they are made of cells."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boost_histogram as bh
import msgspec
import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.config import Analysis
from spectrafit.errors import ConfigError, nearest
from spectrafit.physics.couplings import Monomials
from spectrafit.templates import archive
from spectrafit.templates.cells import Cells
from spectrafit.templates.merging import Edges
from spectrafit.templates.printing import columns, table
from spectrafit.templates.regions import RegionBins
from spectrafit.templates.sources import Sources
from spectrafit.templates.tables import tabulate
from spectrafit.templates.variations import NOMINAL, Variation, variations

__all__ = ["Templates", "vary"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Templates:
    """Histograms of every sample, variation and monomial of the couplings, in all regions.

    Letters: S samples, V variations, M monomials, Q products of two monomials, B bins of all R regions flattened
    (without flow). For one coupling the monomials are the powers of its kappa.

    Attributes
    ----------
    samples, roles, titles : tuple of str, length S
        Names, "signal" or "background", printed titles.
    regions : tuple of RegionBins
        The regions, in the order of their bins in B.
    monomials : Monomials
        The M products of powers of the couplings' values; the first is the Standard Model.
    variations : tuple of Variation, length V
        Variation 0 is the nominal.
    counts : (S, V, M, B) array
        Expected events at the analysis exposure; entry m multiplies monomial m.
    squares : (S, Q, B) array
        Entry q is the sum over events, and over the monomials m and n whose product it is, of w_m w_n. The variance of
        the simulation is the sum of these entries times their products' values.
    entries : (S, B) array of int
        Simulated events per bin, unweighted; 0 for samples known by their counts.
    residual : (Q, B) array
        Variance, by products of monomials, of universes and covariances that no parameter carries.
    data : (B,) array or None
        Observed events, from samples with role "data".
    flow : (S, M, R) array
        Weight of events that pass a region's cut and lie outside its axes (NaN included).
    inventories : tuple of mapping
        Per sample its inputs: sample, stands_for (another name if it is a shifted ntuple set), role, pot, scale,
        entries, files (path, size, uuid, entries), skipped (file, reason), dropped (an `events.schema.DropReport`).
    pruned : tuple of mapping
        What was pruned: parameter, sample, region, what ("shape" or "norm"), size.
    components : mapping
        Per systematic that became principal components: directions there were, kept, fraction of variance kept.
    smoothing : tuple of mapping
        Grids that `smooth = "auto"` chose: parameter, sample, region, cells, edges, noise (see `templates.coarse`).
    tabulated : tuple of str
        Samples known by their counts only: no systematic of events acts on them.
    sources : mapping of systematic to Sources
        Of universes and fluxes: which knobs or flux bins their components are made of.
    cells : Cells or None
        The cells that the templates were made of; None for templates made by hand.
    digest : str
        Digest of configuration, input identities, edges and version.
    provenance : mapping
        Versions, executor, seconds per stage: nothing that changes the numbers.
    """

    samples: tuple[str, ...]
    roles: tuple[str, ...]
    titles: tuple[str, ...]
    regions: tuple[RegionBins, ...]
    monomials: Monomials
    variations: tuple[Variation, ...]
    counts: Floats
    squares: Floats
    entries: Integers
    residual: Floats
    flow: Floats
    data: Floats | None = None
    inventories: tuple[Mapping[str, Any], ...] = ()
    pruned: tuple[Mapping[str, Any], ...] = ()
    components: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    smoothing: tuple[Mapping[str, Any], ...] = ()
    tabulated: tuple[str, ...] = ()
    sources: Mapping[str, Sources] = field(default_factory=dict)
    cells: Cells | None = None
    digest: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the shapes against each other and make every array read-only."""
        samples, variations = len(self.samples), len(self.variations)
        monomials, products = len(self.monomials), len(self.monomials.products)
        n_bins = sum(region.size for region in self.regions)
        if not self.variations or self.variations[0] != NOMINAL:
            raise ValueError("variation 0 must be the nominal")
        shapes = {
            "counts": (samples, variations, monomials, n_bins),
            "squares": (samples, products, n_bins),
            "entries": (samples, n_bins),
            "residual": (products, n_bins),
            "flow": (samples, monomials, len(self.regions)),
            "data": (n_bins,),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array is None:
                continue
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, needs {shape}")
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @property
    def n_bins(self) -> int:
        """B, the number of bins of all regions."""
        return int(self.squares.shape[-1])

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the nuisance parameters the variations belong to, in order of first appearance."""
        return tuple(dict.fromkeys(variation.parameter for variation in self.variations if variation.parameter))

    def sample(self, name: str) -> int:
        """Return the position of sample `name` in the first dimension (S)."""
        return _position("sample", name, self.samples)

    def region(self, name: str) -> RegionBins:
        """Return the region called `name`."""
        return self.regions[_position("region", name, tuple(region.name for region in self.regions))]

    def variance(self, *couplings: float) -> Floats:
        """Return the variance of the simulated prediction, (B,): all samples, with the residual.

        Parameters
        ----------
        *couplings : float
            Values of the fitted couplings, in the order of `monomials.parameters`; the last ones may be left out and
            are 0.
        """
        values = np.zeros(len(self.monomials.parameters))
        values[: len(couplings)] = couplings
        products = np.array([np.prod(values ** np.array(powers)) for powers in self.monomials.products])
        result: Floats = products @ (self.squares.sum(axis=0) + self.residual)
        return result

    def histogram(self, sample: str | None, region: str, monomial: int = 0, variation: int = 0) -> bh.Histogram[Any]:
        """Return one template as a boost-histogram (without flow), in events per unit of its monomial.

        Parameters
        ----------
        sample : str or None
            Name of the sample; None sums all.
        region : str
            Name of the region.
        monomial : int
            Which of `monomials` the template multiplies; for one coupling the power of kappa.
        variation : int
            Index in `variations`.

        Returns
        -------
        bh.Histogram
            With Weight storage, variances included, for the nominal of a monomial whose square no other two make. Of
            variations, and of interference, no variance of their own is kept: those have Double storage.
        """
        if not 0 <= monomial < len(self.monomials):
            raise ConfigError(f"monomial {monomial}: these templates have monomials 0 to {len(self.monomials) - 1}")
        if not 0 <= variation < len(self.variations):
            raise ConfigError(f"variation {variation}: these templates have {len(self.variations)}")
        rows = slice(None) if sample is None else slice(self.sample(sample), self.sample(sample) + 1)
        found = self.region(region)
        values = self.counts[rows, variation, monomial, found.bins].sum(axis=0).reshape(found.shape)
        square = self.monomials.places[monomial][monomial]
        weighted = variation == 0 and sum(row.count(square) for row in self.monomials.places) == 1
        storage: Any = bh.storage.Weight() if weighted else bh.storage.Double()
        histogram: bh.Histogram[Any] = bh.Histogram(*found.axes, storage=storage)
        view: Any = histogram.view()
        if not weighted:
            view[...] = values
            return histogram
        view["value"] = values
        view["variance"] = self.squares[rows, square, found.bins].sum(axis=0).reshape(found.shape)
        return histogram

    def projection(self, region: str, axis: str) -> Templates:
        """Return the templates of `region` alone, summed over every axis but the axis with the observable `axis`.

        The residual variance, uncorrelated between bins, is summed as such. Events outside the summed axes stay in
        `flow`.
        """
        found = self.region(region)
        keep = _position(f"axis of region {region!r}", axis, found.observables)
        others = tuple(index - len(found.shape) for index in range(len(found.shape)) if index != keep)

        def project(array: Any) -> Any:
            part = array[..., found.bins]
            return part.reshape(part.shape[:-1] + found.shape).sum(axis=others)

        index = [region.name for region in self.regions].index(region)
        return replace(
            self,
            regions=(
                RegionBins(
                    name=region,
                    axes=(found.axes[keep],),
                    observables=(found.observables[keep],),
                    labels=(found.labels[keep],),
                    start=0,
                ),
            ),
            counts=project(self.counts),
            squares=project(self.squares),
            entries=project(self.entries),
            residual=project(self.residual),
            flow=self.flow[..., index : index + 1],
            data=None if self.data is None else project(self.data),
            cells=None,
        )

    def rebinned(self, edges: Edges) -> Templates:
        """Return the templates with bins merged, made anew from merged cells, as after a fill with these edges.

        Raises
        ------
        ConfigError
            The templates have no cells, or `Cells.rebinned` refuses the edges.
        """
        return vary(self._cells().rebinned(edges))

    def with_counts(self, analysis: Analysis) -> Templates:
        """Return the templates with the samples of an analysis' `[[counts]]` and `[[tables]]`, made anew if need be.

        Raises
        ------
        ConfigError
            The counts do not fit the bins, or the templates have no cells.
        """
        tabled = {*(one.name for one in analysis.counts), *(one.name for one in analysis.tables)}
        if self.cells is None and tabled <= {*self.samples}:
            return self
        cells = self._cells()
        if (cells.analysis.counts, cells.analysis.tables) == (analysis.counts, analysis.tables):
            return self
        changed = msgspec.structs.replace(cells.analysis, counts=analysis.counts, tables=analysis.tables)
        return vary(tabulate(analysis, replace(cells, analysis=changed)))

    def _cells(self) -> Cells:
        if self.cells is None:
            raise ConfigError("these templates have no cells; build them from an analysis")
        return self.cells

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the cells to `path` (.npz), whole or not at all, and return it. Errors as in `archive.save`."""
        return archive.save(Path(path), self._cells())

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, analysis: Analysis | None = None) -> Templates:
        """Read cells written by `save` and make their templates.

        Parameters
        ----------
        path : str or path
            The .npz file.
        analysis : Analysis, optional
            Make the templates of this analysis, if the file can serve it; see `archive.load`.

        Raises
        ------
        DataError
            The file is missing, damaged, or not a templates file.
        ConfigError
            The templates belong to another analysis.
        """
        return vary(archive.load(Path(path), analysis))

    def __str__(self) -> str:
        """Return a line about the content."""
        return (
            f"{len(self.samples)} samples, {len(self.regions)} regions, {self.n_bins} bins, {len(self.monomials)}"
            f" monomials, {len(self.variations)} variations, {len(self.parameters)} parameters,"
            f" {self.entries.sum()} entries"
        )

    def __repr__(self) -> str:
        """Return a few lines: the samples and their expectation in each region."""
        return f"Templates: {self}\n{columns(self._rows())}"

    def _repr_html_(self) -> str:
        return table(f"Templates: {self}", self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        rows = [("sample", "role", "entries", *(region.name for region in self.regions))]
        for at, (name, role) in enumerate(zip(self.samples, self.roles, strict=True)):
            events = (f"{self.counts[at, 0, 0, region.bins].sum():.6g}" for region in self.regions)
            rows.append((name, role, str(int(self.entries[at].sum())), *events))
        return rows


def vary(cells: Cells) -> Templates:
    """Make the templates of filled cells: variations, principal components, smoothing, pruning.

    Raises
    ------
    ConfigError, DataError
        Systematics contradict each other.
    """
    varied = variations(cells)
    expected = cells.expected
    size, products = cells.layout.inner.size, len(cells.monomials.products)
    squares, entries = np.zeros((len(expected), products, size)), np.zeros((len(expected), size), np.int64)
    flow = np.zeros((len(expected), len(cells.monomials), len(cells.regions)))
    for at, sample in enumerate(expected):
        squares[at] = cells.inner_squares(sample.squares)
        entries[at] = sample.entries[cells.layout.inner]
        for place, outer in enumerate(cells.layout.outer):
            flow[at, : len(sample.sums), place] = sample.sums[:, outer].sum(axis=1)
    observed = [sample.sums[0, cells.layout.inner] for sample in cells.samples if sample.role == "data"]
    return Templates(
        samples=tuple(sample.name for sample in expected),
        roles=tuple(sample.role for sample in expected),
        titles=tuple(sample.title for sample in expected),
        regions=cells.regions,
        monomials=cells.monomials,
        variations=varied.variations,
        counts=varied.counts,
        squares=squares,
        entries=entries,
        residual=varied.residual,
        flow=flow,
        data=sum(observed, np.zeros(size)) if observed else None,
        inventories=cells.inventories,
        pruned=varied.pruned,
        components=varied.components,
        smoothing=varied.smoothing,
        tabulated=tuple(sample.name for sample in expected if sample.tabulated),
        sources=varied.sources,
        cells=cells,
        digest=cells.digest,
        provenance=cells.provenance,
    )


def _position(kind: str, name: str, known: Sequence[str]) -> int:
    if name not in known:
        raise ConfigError(f"no {kind} {name!r} in these templates, found {', '.join(known)}{nearest(name, known)}")
    return list(known).index(name)
