"""The plan of a build: the decisions made once per sample, and every check that needs no event.

A `Plan` says how the events of one sample are read, weighed, numbered and which systematics are filled for them. It
travels to the workers unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from spectrafit import config
from spectrafit.config import Analysis, Sample, SampleSet
from spectrafit.errors import BadFile, ConfigError, DataError, nearest
from spectrafit.events import expressions, friends
from spectrafit.events.files import REMEDY
from spectrafit.events.layout import Layout, response_of, solve
from spectrafit.events.linked import Linked, link
from spectrafit.events.read import scan
from spectrafit.events.schema import CANONICAL, Inventory
from spectrafit.events.sources import exposure_of_recipe
from spectrafit.templates.draws import OVERLAP, OverlapEffect
from spectrafit.templates.effects import Effect, refuse_large
from spectrafit.templates.observables import OBSERVABLES, needs
from spectrafit.templates.published import counts_of, samples_of_tables
from spectrafit.templates.regions import Grid, lay_out
from spectrafit.templates.systematics import effects
from spectrafit.templates.weights import Weigher, monomials_of

__all__ = ["Input", "Plan", "survey"]

# Entries of a chunk, some ten megabytes while it is read. Few enough that the next chunk takes the same memory, which
# the system need not clear again; enough that Python's work per chunk does not matter.
_ENTRIES = 300_000
# Most bytes of the lists of weights in a chunk. While a chunk is read and filled, lists are in memory some five times.
_LIST_BYTES = 24_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """How the events of one sample become sums.

    Attributes
    ----------
    sample_set, sample : SampleSet, Sample
    stands_for : str
        The sample whose regions it fills: its own name, or the name of the sample that a shifted ntuple set stands for.
    grid : Grid
        The cells, and how events are numbered.
    effects : mapping of key to Effect
        The systematics that are filled for the sample; none for data, and none for shifted ntuple sets, each of which
        is a systematic itself.
    columns : tuple of str
        The columns to read: to weigh events, to find their bins, and for the systematics.
    weigher : Weigher
    draws : int
        How often a response smears each event.
    """

    sample_set: SampleSet
    sample: Sample
    stands_for: str
    grid: Grid
    effects: Mapping[str, Effect]
    columns: tuple[str, ...]
    weigher: Weigher
    draws: int = 1

    @classmethod
    def of(cls, analysis: Analysis, sample_set: SampleSet, sample: Sample, stands_for: str) -> Plan:
        """Return the plan for a sample of an analysis."""
        filling: dict[str, Effect] = {}
        if sample.role != "data" and sample.name == stands_for:
            every = effects(analysis)
            filling = {key: effect for key, effect in every.items() if effect.fills and effect.acts_on((sample.name,))}
        response = response_of(sample_set, sample)
        draws = response.draws if response else 1
        if draws > 1:
            filling[OVERLAP] = OverlapEffect()
        grid = Grid.of(analysis.regions, stands_for)
        weighed: tuple[str, ...] = ("pdg", "e_nu", "t", "weight") if sample.role == "signal" else ("weight",)
        if sample.role == "signal" and sample.process == "nucleus":
            weighed += ("nucleus",)
        names = [*weighed, *grid.needs, *(name for effect in filling.values() for name in effect.reads(sample))]
        return cls(
            sample_set=sample_set,
            sample=sample,
            stands_for=stands_for,
            grid=grid,
            effects=filling,
            columns=tuple(dict.fromkeys(names)),
            weigher=Weigher.of(analysis, sample_set, sample),
            draws=draws,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Input:
    """One sample to fill: its plan, what its files hold, and the `scale` that brings it to the exposure."""

    plan: Plan
    inventory: Inventory
    scale: float


def survey(analysis: Analysis, left_out: Mapping[str, str] | None = None) -> tuple[Input, ...]:
    """Open every file of an analysis and check all that can be checked without reading events.

    First come the samples of the expectation and the data, then the shifted ntuple sets that stand for them.

    Parameters
    ----------
    analysis : Analysis
    left_out : mapping of file to reason, optional
        If not None, simulation that cannot be read is skipped, and so are these files. Data are never left out.

    Raises
    ------
    ConfigError, DataError
        A build would fail on files, columns, matrices or exposures, or a systematic changes nothing.
    """
    _check(analysis)
    return tuple(_inputs(analysis, left_out))


def _check(analysis: Analysis) -> None:
    """Refuse axes and cuts that are no expressions, systematics without effect, and matrices that do not fit."""
    for where, text in _texts(analysis):
        try:
            needs([text] if "axes" in where else expressions.compile(text).variables)
        except ConfigError as error:
            raise ConfigError(f"{analysis.path}: {where}: {error}") from None
    names = tuple(sample.name for _, sample in analysis.nominal if sample.role != "data")
    for effect in effects(analysis).values():
        if not effect.acts_on(names):
            listed = ", ".join(names) or "none"
            raise ConfigError(f"{effect.where}: acts on no sample that is filled from events; these are: {listed}")
        effect.check(analysis)
    _check_tables(analysis)


def _check_tables(analysis: Analysis) -> None:
    """Refuse tables and data files that cannot be read or do not fit the bins; partitions are not known yet."""
    if any(region.partition for region in analysis.regions):
        return
    regions = lay_out(analysis.regions)
    samples_of_tables(analysis, regions, monomials_of(analysis))
    for region in regions:
        source = analysis.data.get(region.name)
        if isinstance(source, config.DataFile):
            counts_of(analysis, source, region, f"{analysis.path}: $.data.{region.name}")


def _texts(analysis: Analysis, sample: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield every axis and cut, with its key, of all regions, or of the regions that take a sample."""
    for place, region in enumerate(analysis.regions):
        if sample is None or config.chosen(region.samples, (sample,)):
            for direction, axis in enumerate(region.axes):
                yield f"$.regions[{place}].axes[{direction}].observable", axis.observable
            if region.cut:
                yield f"$.regions[{place}].cut", region.cut


def _inputs(analysis: Analysis, left_out: Mapping[str, str] | None) -> Iterator[Input]:
    nominal = [(sample_set, sample, sample.name) for sample_set, sample in analysis.nominal]
    shifted = dict.fromkeys(
        (stand_in, name)
        for systematic in analysis.systematics
        if isinstance(systematic, config.ShiftedSample)
        for names in (systematic.up, systematic.down)
        for name, stand_in in names.items()
    )
    stand_ins = [(*analysis.sample(stand_in), name) for stand_in, name in shifted]
    inventories: dict[str, Inventory] = {}
    for sample_set, sample, stands_for in [*nominal, *stand_ins]:
        original = analysis.sample(stands_for)[1]
        if sample.role != original.role:
            raise ConfigError(
                f"{analysis.path}: sample {sample.name!r} is {sample.role} and stands for {stands_for!r}, which is"
                f" {original.role}; give them the same role"
            )
        plan = Plan.of(analysis, sample_set, sample, stands_for)
        if sample.name not in inventories:
            inventories[sample.name] = _scan(plan, left_out)
        inventory = inventories[sample.name]
        _foresee(analysis, plan, inventory)
        exposure = exposure_of_recipe(
            sample_set,
            sample,
            analysis.exposure_of(sample_set),
            analysis.exposure_unit(sample_set.name),
            f"{analysis.path}: $.exposure",
        )
        scale = 1.0 if sample.role == "data" else inventory.scale(exposure)
        yield Input(plan=plan, inventory=inventory, scale=scale)


def _scan(plan: Plan, left_out: Mapping[str, str] | None) -> Inventory:
    """Find the files of a sample and cut them into chunks, shorter ones where events have long lists of weights."""
    most = max(_ENTRIES // plan.draws, 1)
    inventory = _scanned(plan, left_out, most)
    lists = [text for effect in plan.effects.values() for text in effect.lists]
    linked, layout = _first(plan, inventory)
    _refuse_large(plan, linked, layout)
    if not lists:
        return inventory
    branches = {name for text in lists for name in layout.needed([text]) - layout.needed()}
    size = sum(_bytes_per_entry(linked, name) for name in branches)
    entries = max(int(_LIST_BYTES / max(size * plan.draws, 1.0)), 1)
    return inventory if entries >= most else _scanned(plan, left_out, entries)


def _refuse_large(plan: Plan, linked: Linked, layout: Layout) -> None:
    """Refuse more universes, of all systematics, than there is memory for; the first entry says how many there are."""

    def length(text: str) -> int:
        found = [linked.read([name], 0, 1)[name] for name in layout.needed([text]) - layout.needed()]
        return max((len(values[0]) for values in found if len(values) and values.ndim > 1), default=0)

    total = 0
    for effect in plan.effects.values():
        total += effect.width(length)
        refuse_large((plan.grid.size, len(plan.weigher.monomials), total), effect.where)


def _scanned(plan: Plan, left_out: Mapping[str, str] | None, entries: int) -> Inventory:
    if plan.sample.role != "data":
        skip = left_out is not None
        return scan(plan.sample_set, plan.sample, chunk_entries=entries, skip_bad_files=skip, left_out=left_out or {})
    try:
        inventory = scan(plan.sample_set, plan.sample, chunk_entries=entries)
    except BadFile as error:
        raise BadFile(_needed(error), error.path) from error
    for identity in inventory.identities:
        if left_out and identity.path in left_out:
            raise DataError(_needed(left_out[identity.path]))
    return inventory


def _needed(reason: object) -> str:
    """Return the message that no data file may be left out, since the expectation is scaled to all data."""
    return (
        f"{str(reason).removesuffix(f'; {REMEDY}')}; data are never left out, since the expectation is for all data:"
        " copy the file again, or remove it from the sample's files and lower pot to the remaining exposure"
    )


def _first(plan: Plan, inventory: Inventory) -> tuple[Linked, Layout]:
    chunk = inventory.chunks[0]
    linked = link([(chunk.file, chunk.tree), *chunk.friends], friends.called(plan.sample))
    where = f"{chunk.file}:{chunk.tree}"
    return linked, solve(plan.sample_set, plan.sample, linked.branches, where, ambiguous=linked.ambiguous)


def _foresee(analysis: Analysis, plan: Plan, inventory: Inventory) -> None:
    """Refuse columns that the first file of a sample lacks, before hours are spent on other samples."""
    _, layout = _first(plan, inventory)
    for where, text in _texts(analysis, plan.stands_for):
        for column in needs([text] if "axes" in where else expressions.compile(text).variables):
            layout.refuse_hidden(column, text, lists=True)
            # Every sample has a pdg, 0 for events that are not nu-e, and a weight, 1 without a branch for it.
            if layout.has(column) or column in ("pdg", "weight"):
                continue
            near = nearest(column, {*OBSERVABLES, *CANONICAL, *layout.sources, *layout.branches} - {column})
            wanted = "" if text == column else f", wanted by {text!r}"
            remedy = "; its files do not hold it: define it under columns" if column in CANONICAL else ""
            raise ConfigError(
                f"{analysis.path}: {where}: no column or branch {column!r}{near}{wanted} (sample {plan.sample.name!r}"
                f" of {plan.sample_set.path or 'samples'}{remedy})"
            )
    for effect in plan.effects.values():
        try:
            layout.needed(effect.reads(plan.sample))
        except (ConfigError, DataError) as error:
            only = "" if len(analysis.sample_sets) == 1 else f", which acts on sample {plan.sample.name!r}"
            raise type(error)(f"{effect.where}{only}: {error}") from None
    layout.needed(plan.columns)


def _bytes_per_entry(linked: Linked, name: str) -> float:
    """Return the bytes of a branch per entry, as its file states them, or else from its first entries."""
    place = linked.place(name)
    size = getattr(linked.trees[place.tree][place.branch], "uncompressed_bytes", None) if place else None
    if isinstance(size, int) and linked.entries:
        return size / linked.entries
    few = min(linked.entries, 16)
    return float(linked.read([name], 0, few)[name].nbytes) / max(few, 1)
