"""An analysis in, its samples found and opened out, with all checked that can be before events are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from spectrafit import config
from spectrafit.config import Analysis, Sample, SampleSet
from spectrafit.errors import BadFile, ConfigError, DataError
from spectrafit.events import friends
from spectrafit.events.files import REMEDY
from spectrafit.events.layout import solve
from spectrafit.events.linked import link
from spectrafit.events.read import scan
from spectrafit.events.schema import Inventory
from spectrafit.templates.chunks import effects_on, wanted
from spectrafit.templates.regions import Grid
from spectrafit.templates.systematics import effects

__all__ = ["Source", "survey"]

# Entries of a chunk, some ten megabytes while it is read: few enough that the next one takes the same memory, which the
# system need not clear again, and enough that what Python does once per chunk is little. Fewer with lists of weights.
_ENTRIES, _ENTRIES_WITH_LISTS = 300_000, 100_000


@dataclass(frozen=True, kw_only=True)
class Source:
    """A sample to fill: itself, or in the place of the one it stands for; `scale` brings it to the exposure."""

    sample_set: SampleSet
    sample: Sample
    stands_for: str
    inventory: Inventory
    scale: float


def survey(analysis: Analysis, left_out: Mapping[str, str] | None = None) -> tuple[Source, ...]:
    """Open every file of an analysis and check all that can be checked without reading events.

    First come the samples of the expectation and the data, then the shifted ntuple sets that stand for them.

    Parameters
    ----------
    analysis : Analysis
    left_out : mapping of file to reason, optional
        Not None: go on without simulation that cannot be read, and without these files. Data are never left out.

    Raises
    ------
    ConfigError, DataError
        Files, columns, matrices and exposures that a build would stumble over, and systematics that change nothing.
    """
    _check(analysis)
    return tuple(_sources(analysis, left_out))


def _check(analysis: Analysis) -> None:
    """Refuse systematics that could change nothing, and matrices that do not fit."""
    names = tuple(sample.name for _, sample in analysis.nominal if sample.role != "data")
    for effect in effects(analysis).values():
        acting = effect.acts_on(names)
        if not acting:
            listed = ", ".join(names) or "none"
            raise ConfigError(f"{effect.where}: acts on no sample that is filled from events (there are: {listed})")
        if isinstance(effect.systematic, config.Shift):
            column = effect.systematic.column
            used = {need for sample in acting for need in Grid.of(analysis.regions, sample).needs}
            if column not in used:
                raise ConfigError(
                    f"{effect.where}: no axis or cut of its samples is made of {column!r}, so shifting it changes"
                    f" nothing; they are made of {', '.join(sorted(used))}"
                )
        effect.check(analysis)


def _sources(analysis: Analysis, left_out: Mapping[str, str] | None) -> Iterator[Source]:
    nominal = [(sample_set, sample, sample.name) for sample_set, sample in analysis.nominal]
    shifted = dict.fromkeys(
        (stand_in, name)
        for systematic in analysis.systematics
        if isinstance(systematic, config.ShiftedSample)
        for names in (systematic.up, systematic.down)
        for name, stand_in in names.items()
    )
    inventories: dict[str, Inventory] = {}
    for sample_set, sample, stands_for in [
        *nominal,
        *((*analysis.sample(stand_in), name) for stand_in, name in shifted),
    ]:
        original = analysis.sample(stands_for)[1]
        if sample.role != original.role:
            raise ConfigError(
                f"{analysis.path}: sample {sample.name!r} is {sample.role} and stands for {stands_for!r}, which is"
                f" {original.role}; give them the same role"
            )
        if sample.name not in inventories:
            inventories[sample.name] = _scan(analysis, sample_set, sample, stands_for, left_out)
        inventory = inventories[sample.name]
        _foresee(analysis, sample_set, sample, stands_for, inventory)
        scale = 1.0 if sample.role == "data" else inventory.scale(analysis.exposure(sample_set))
        yield Source(sample_set=sample_set, sample=sample, stands_for=stands_for, inventory=inventory, scale=scale)


def _scan(
    analysis: Analysis, sample_set: SampleSet, sample: Sample, stands_for: str, left_out: Mapping[str, str] | None
) -> Inventory:
    lists = any(effect.lists for effect in effects_on(analysis, sample, stands_for).values())
    entries = _ENTRIES_WITH_LISTS if lists else _ENTRIES
    if sample.role != "data":
        skip = left_out is not None
        return scan(sample_set, sample, chunk_entries=entries, skip_bad_files=skip, left_out=left_out or {})
    try:
        inventory = scan(sample_set, sample, chunk_entries=entries)
    except BadFile as error:
        raise BadFile(_needed(error), error.path) from error
    for identity in inventory.identities:
        if left_out and identity.path in left_out:
            raise DataError(_needed(left_out[identity.path]))
    return inventory


def _needed(reason: object) -> str:
    """Say that data are needed whole: what simulation left out takes along, the expectation of the data keeps."""
    return (
        f"{str(reason).removesuffix(f'; {REMEDY}')}; data are never left out, since the expectation is of all of them:"
        " copy it again, or take it out of the sample's files and lower pot to what is left"
    )


def _foresee(analysis: Analysis, sample_set: SampleSet, sample: Sample, stands_for: str, inventory: Inventory) -> None:
    """Refuse columns that the first file does not have: the last sample may be hours away."""
    chunk = inventory.chunks[0]
    linked = link([(chunk.file, chunk.tree), *chunk.friends], friends.called(sample))
    where = f"{chunk.file}:{chunk.tree}"
    layout = solve(sample_set, sample, linked.branches, where, ambiguous=linked.ambiguous)
    grid = Grid.of(analysis.regions, stands_for)
    for numbering in grid.numberings:
        for name in numbering.cut.variables if numbering.cut else ():
            layout.refuse_hidden(name, f"cut of region {numbering.name!r}", lists=True)
    layout.needed(wanted(grid, effects_on(analysis, sample, stands_for), sample))
