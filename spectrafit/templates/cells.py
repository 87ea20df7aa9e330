"""`Cells`: the sums that one pass over the events gives, before templates are made of them.

Cells keep every bin of every region, under- and overflow included. For each sample they hold sums, squares and entries.
For each systematic they hold its sums, unreduced, and the noise that the simulation gives to these sums. Cells add up,
they merge into coarser bins exactly, and they are saved to disk. `spectrafit.templates.templates.vary` makes templates
of them.

Letters: F cells of all regions with flow, B bins without, S samples of the expectation, M monomials of the couplings,
Q products of two monomials, R rows of one systematic, D deviations.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.config import Analysis
from spectrafit.errors import ConfigError
from spectrafit.physics.couplings import Monomials
from spectrafit.templates.merging import Edges, Merge, merged_regions
from spectrafit.templates.migration import Moves
from spectrafit.templates.printing import columns, table
from spectrafit.templates.regions import CellLayout, RegionBins, lay_out

__all__ = ["Cells", "EffectCells", "Fractions", "SampleCells"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EffectCells:
    """The sums of one systematic over the events of one sample, at the analysis exposure.

    Attributes
    ----------
    sums : (R, M, F) array
        One row per shifted sum, weight variation or flux bin. For universes, rows whose outer products sum to their
        covariance.
    noise : (R, 1, F) array
        Variance that the simulation gives to the change of each row where every coupling is 0: in each cell the sum
        over events of the squared change of the event's contribution. Universes have one row, their mean. A flux bin
        has the squares of its events, which are the noise of a change by 100 %.
    half : (1, 1, F) or (0, 1, F) array
        The same variance for half the difference of the rows at +1 and -1, if there is such a pair.
    moves : tuple of Moves
        For a shift: the cells between which events moved, for every row and then for the pair. The noise follows. Where
        events have several draws, for every kind.
    origin : (U, R) array or None
        Of universes that were reduced to fewer rows: every row as a combination of the universes.
    """

    sums: Floats
    noise: Floats
    half: Floats
    moves: tuple[Moves, ...] = ()
    origin: Floats | None = None

    @classmethod
    def of_moves(cls, sums: Floats, moves: tuple[Moves, ...], origin: Floats | None = None) -> EffectCells:
        """Return the cells of a shift; `moves` are those of each row, and one more for the pair if there is a pair.

        Where events have several draws, other kinds have moves too; universes have one, for their mean.
        """
        noise = np.stack([found.noise for found in moves])
        return cls(sums=sums, noise=noise[: len(sums)], half=noise[len(sums) :], moves=moves, origin=origin)

    def merged(self, merge: Merge) -> EffectCells:
        """Return the same in merged cells."""
        if self.moves:
            moves = tuple(found.merged(merge.target, merge.size) for found in self.moves)
            return EffectCells.of_moves(merge.sums(self.sums), moves, self.origin)
        return replace(self, sums=merge.sums(self.sums), noise=merge.sums(self.noise), half=merge.sums(self.half))

    def scaled(self, factor: float) -> EffectCells:
        """Return the same of another exposure: `factor` times the weight of every event."""
        moves = tuple(found.scaled(factor) for found in self.moves)
        noise, half = self.noise * factor**2, self.half * factor**2
        return replace(self, sums=self.sums * factor, noise=noise, half=half, moves=moves)

    def __add__(self, other: EffectCells) -> EffectCells:
        """Add up two parts of one sample."""
        sums = self.sums + other.sums
        if self.moves:
            return EffectCells.of_moves(
                sums, tuple(Moves.together(pair) for pair in zip(self.moves, other.moves, strict=True))
            )
        return EffectCells(sums=sums, noise=self.noise + other.noise, half=self.half + other.half)


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleCells:
    """One sample in all cells, at the analysis exposure.

    M is 1 where no coupling changes the sample: it has the Standard Model's monomial alone.

    Attributes
    ----------
    name, role, title : str
        `role` is "signal", "background" or "data".
    stands_for : str
        The sample's own name; for a shifted ntuple set the name of the sample that the set stands for.
    sums : (M, F) array
        Expected events, to be multiplied by the value of monomial m of the couplings.
    squares : (Q, F) array
        Sums over events of products of two weights, by the product of their monomials.
    entries : (F,) array of int
        Simulated events.
    effects : mapping of a systematic's key to EffectCells
    tabulated : bool
        Whether only counts are known for the sample, so that systematics of events do not act on it.
    """

    name: str
    role: str
    title: str
    stands_for: str
    sums: Floats
    squares: Floats
    entries: Integers
    effects: Mapping[str, EffectCells] = field(default_factory=dict)
    tabulated: bool = False

    @property
    def expected(self) -> bool:
        """Whether the sample is part of the expectation."""
        return self.role != "data" and self.name == self.stands_for

    def merged(self, merge: Merge) -> SampleCells:
        """Return the same in merged cells."""
        return replace(
            self,
            sums=merge.sums(self.sums),
            squares=merge.sums(self.squares),
            entries=merge.sums(self.entries),
            effects={key: found.merged(merge) for key, found in self.effects.items()},
        )

    def scaled(self, factor: float) -> SampleCells:
        """Return the same of another exposure: `factor` times the weight of every event."""
        return replace(
            self,
            sums=self.sums * factor,
            squares=self.squares * factor**2,
            effects={key: found.scaled(factor) for key, found in self.effects.items()},
        )

    def __add__(self, other: SampleCells) -> SampleCells:
        """Add up two parts of one sample."""
        return replace(
            self,
            sums=self.sums + other.sums,
            squares=self.squares + other.squares,
            entries=self.entries + other.entries,
            effects={key: found + other.effects[key] for key, found in self.effects.items()},
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Fractions:
    """A covariance from a file: D rows of relative changes per bin, the same for every monomial of `samples`.

    Attributes
    ----------
    rows : (D, B) array
        The outer products of the rows sum to the fractional covariance.
    samples : tuple of str
    """

    rows: Floats
    samples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Cells:
    """Everything that was added up over the events of an analysis.

    Attributes
    ----------
    analysis : Analysis
        What the cells were filled for; `vary` takes the systematics from it.
    regions : tuple of RegionBins, length R
        Axes of the regions, and where their bins lie.
    monomials : Monomials
        The M monomials of the fitted couplings.
    samples : tuple of SampleCells
        Samples of the expectation and the data, shifted ntuple sets that stand for others, and samples known by counts.
    fractions : mapping of a systematic's key to Fractions
        Covariances from files.
    tables : mapping of a systematic's key to mapping of sample set to (D, J) array
        Relative changes of the flux bins.
    inventories : tuple of mapping
        Per ntuple sample its inputs; see `Templates`.
    configuration : mapping
        The keys of the analysis that determine the cells and the templates made of them, as plain values.
    version : str
        Version of the program that filled the cells.
    provenance : mapping
        Versions, executor, seconds per stage: nothing that changes the numbers.
    halves : tuple of Cells
        The same filled with the even and with the odd entries of the simulation alone, each at the full exposure; empty
        unless they were asked for. What was chosen on one half is judged on the other.
    """

    analysis: Analysis
    regions: tuple[RegionBins, ...]
    monomials: Monomials
    samples: tuple[SampleCells, ...]
    fractions: Mapping[str, Fractions] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    inventories: tuple[Mapping[str, Any], ...] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    halves: tuple[Cells, ...] = ()

    def __post_init__(self) -> None:
        """Check the shapes against the regions, and make every array read-only."""
        for sample in self.samples:
            for array in (sample.sums, sample.squares, sample.entries):
                if array.shape[-1] != self.layout.size:
                    raise ValueError(f"{sample.name}: {array.shape[-1]} cells, the regions have {self.layout.size}")
                array.flags.writeable = False
            for found in sample.effects.values():
                for array in (found.sums, found.noise, found.half):
                    array.flags.writeable = False

    @cached_property
    def layout(self) -> CellLayout:
        """How the F cells are numbered."""
        return CellLayout.of(self.regions)

    @property
    def expected(self) -> tuple[SampleCells, ...]:
        """The S samples of the expectation."""
        return tuple(sample for sample in self.samples if sample.expected)

    @property
    def stand_ins(self) -> Mapping[tuple[str, str], SampleCells]:
        """Shifted ntuple sets, by their name and the name of the sample each stands for."""
        return {(sample.name, sample.stands_for): sample for sample in self.samples if sample.name != sample.stands_for}

    @property
    def varying(self) -> tuple[str, ...]:
        """Names of the samples that systematics of events may act on."""
        return tuple(sample.name for sample in self.expected if not sample.tabulated)

    @cached_property
    def nominal(self) -> Floats:
        """(S, M, B): expected events, without flow."""
        return np.stack([self.inner(sample.sums) for sample in self.expected]) if self.expected else self._nothing

    @property
    def _nothing(self) -> Floats:
        return np.zeros((0, len(self.monomials), self.layout.inner.size))

    def inner(self, rows: Floats) -> Floats:
        """Return sums, (..., m, F), without flow and with zeros for the monomials they lack: (..., M, B)."""
        return self._padded(rows[..., self.layout.inner], len(self.monomials))

    def inner_squares(self, rows: Floats) -> Floats:
        """Return squares or noise, (..., q, F), without flow and with zeros for products they lack: (..., Q, B)."""
        return self._padded(rows[..., self.layout.inner], len(self.monomials.products))

    @staticmethod
    def _padded(rows: Floats, count: int) -> Floats:
        if rows.shape[-2] == count:
            return rows
        # Ten times as fast as numpy's pad, and asked for with every template that is made anew.
        result = np.zeros((*rows.shape[:-2], count, rows.shape[-1]))
        result[..., : rows.shape[-2], :] = rows
        return result

    @property
    def digest(self) -> str:
        """SHA-256 of the inputs of the cells: configuration, identities of the files, edges and version."""
        files = [
            [[file["size"], file["uuid"], file["entries"]] for file in inventory["files"]]
            for inventory in self.inventories
        ]
        content: list[Any] = [self.configuration, list(self.configuration.get("systematics", ())), files, self.version]
        edges = [region.plain()["axes"] for region in self.regions]
        if edges != [region.plain()["axes"] for region in lay_out(self.analysis.regions)]:
            content.append(edges)
        content += [region.plain()["partition"] for region in self.regions if region.partition is not None]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def rebinned(self, edges: Edges) -> Cells:
        """Return the cells with bins merged, as a fill with these edges would give them.

        Entries are the same exactly, sums to rounding, and so is the noise of every systematic. A covariance from a
        file is merged as a covariance of events.

        Parameters
        ----------
        edges : mapping of region to edges
            New edges by observable, ``{"nd": {"t_reco": [0.15, 0.35, 1.0]}}``, or one list per axis with None for an
            axis that stays. They must be edges of the present bins; bins outside the first and last edge become flow.

        Raises
        ------
        ConfigError
            There is no such region, axis or edge.
        """
        return self.merged(Merge.between(self.regions, merged_regions(self.regions, edges)))

    def merged(self, merge: Merge) -> Cells:
        """Return the cells merged by a `Merge` of these regions."""
        samples = (
            tuple(self._with_fractions(sample).merged(merge) for sample in self.samples)
            if merge.changes
            else self.samples
        )
        fractions = {} if merge.changes else self.fractions
        halves = tuple(half.merged(merge) for half in self.halves)
        return replace(self, regions=merge.regions, samples=samples, fractions=fractions, halves=halves)

    def _with_fractions(self, sample: SampleCells) -> SampleCells:
        """Return a sample whose covariances from files are changes of events, which may be merged."""
        effects = dict(sample.effects)
        for key, found in self.fractions.items():
            if sample.expected and sample.name in found.samples:
                rows = np.zeros((len(found.rows), *sample.sums.shape))
                rows[..., self.layout.inner] = found.rows[:, None] * sample.sums[:, self.layout.inner]
                quiet = np.zeros((0, *sample.squares.shape))
                effects[key] = EffectCells(sums=rows, noise=quiet, half=quiet)
        return replace(sample, effects=effects)

    def without_tables(self) -> Cells:
        """Return the part filled from events, without counts, covariances from files and flux tables."""
        samples = tuple(sample for sample in self.samples if not sample.tabulated)
        halves = tuple(half.without_tables() for half in self.halves)
        return replace(self, samples=samples, fractions={}, tables={}, halves=halves)

    def __add__(self, other: Cells) -> Cells:
        """Return the sum of two parts, which hold different events of the same samples for the same analysis.

        Raises
        ------
        ConfigError
            The parts belong to different analyses, or their universes were reduced, which each part does differently.
        """
        if not isinstance(other, Cells):
            return NotImplemented
        same = [region.plain() for region in self.regions] == [region.plain() for region in other.regions]
        names = [[(sample.name, sample.stands_for) for sample in part.samples] for part in (self, other)]
        if not same or names[0] != names[1] or self.configuration != other.configuration:
            raise ConfigError("cells of different analyses or edges cannot be added; build them from one analysis")
        if self.fractions or any(sample.tabulated for sample in self.samples):
            raise ConfigError("cells with counts or covariances from files cannot be added; add their without_tables()")
        for mine, theirs in zip(self.samples, other.samples, strict=True):
            for key, rows in mine.effects.items():
                own = rows.origin is not None or theirs.effects[key].origin is not None
                if own or rows.sums.shape != theirs.effects[key].sums.shape:
                    raise ConfigError(f"{key!r}: the universes of each part were reduced; build the parts together")
        return replace(
            self,
            samples=tuple(mine + theirs for mine, theirs in zip(self.samples, other.samples, strict=True)),
            inventories=self.inventories + other.inventories,
            halves=tuple(mine + theirs for mine, theirs in zip(self.halves, other.halves, strict=False)),
        )

    def __repr__(self) -> str:
        """Return a few lines: regions, samples and systematics."""
        return f"Cells: {self}\n" + columns(self._rows())

    def __str__(self) -> str:
        """Return a line about the content."""
        entries = sum(int(sample.entries.sum()) for sample in self.samples)
        keys = dict.fromkeys(key for sample in self.samples for key in sample.effects)
        return (
            f"{len(self.samples)} samples, {len(self.regions)} regions, {self.layout.inner.size} bins,"
            f" {len(self.monomials)} monomials, {len(keys)} systematics, {entries} entries"
        )

    def _repr_html_(self) -> str:
        return table(f"Cells: {self}", self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        head = ("sample", "role", "events", "entries", "systematics")
        rows = [
            (
                sample.name if sample.name == sample.stands_for else f"{sample.name} for {sample.stands_for}",
                sample.role,
                f"{sample.sums[0].sum():.6g}",
                str(int(sample.entries.sum())),
                ", ".join(sample.effects),
            )
            for sample in self.samples
        ]
        return [head, *rows]
