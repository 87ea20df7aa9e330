"""Reading a sample: `scan` opens its files and cuts them into chunks, `read` and `read_columns` read one chunk.

What is read is streamed: a chunk is a range of entries, cut at the boundaries of the file's baskets; of it the branches
in use are read and no others, and nothing outlives the call.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import awkward as ak
import numpy as np

from spectrafit.config import Sample, SampleSet
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import exposure, friends
from spectrafit.events import response as responses
from spectrafit.events.domain import ROUNDED, bad_entries, classify, heaviest
from spectrafit.events.files import expand, tree_names
from spectrafit.events.functions import passes
from spectrafit.events.identity import Twins, identity, stamp, unchanged
from spectrafit.events.layout import Columns, Layout, solve
from spectrafit.events.linked import Linked, link
from spectrafit.events.presets import find
from spectrafit.events.schema import CANONICAL, EFFICIENCY, ENTRY, Chunk, DropReport, FileIdentity, Inventory
from spectrafit.physics.kinematics import t_max

__all__ = ["EFFICIENCY", "ENTRY", "read", "read_columns", "scan"]

_NO_WEIGHTS = {*CANONICAL, ENTRY, EFFICIENCY}


def scan(
    sample_set: SampleSet,
    sample: Sample,
    *,
    chunk_entries: int = 1_000_000,
    skip_bad_files: bool = False,
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> Inventory:
    """Open every file of a sample, check that it can be read and cut it into chunks.

    Parameters
    ----------
    sample_set, sample : SampleSet, Sample
        `sample` need not be one of the set's; the set gives its folder and response.
    chunk_entries : int
        Most entries of a chunk. Chunks end where the baskets of all branches end; only where a basket alone is longer
        are they cut inside it.
    skip_bad_files : bool
        Leave out files that cannot be read, and name them in the inventory, instead of raising.
    left_out : mapping of file to reason
        Files known to be bad, or whose friends are: to be left out and named, too.

    Raises
    ------
    ConfigError, DataError
        For anything that would fail later: files, trees, branches, expressions, exposure, friends; and for no entries.
    """
    where = f"{sample_set.path or 'samples'}: {sample.name}"
    if chunk_entries < 1:
        raise ConfigError(f"{where}: chunks need at least one entry, found chunk_entries = {chunk_entries}")
    files = expand(sample.files, sample_set.folder, f"{where}.files")
    rows = friends.beside(sample_set, sample, len(files))
    chunks: list[Chunk] = []
    identities: list[FileIdentity] = []
    others: list[FileIdentity] = []
    skipped: list[tuple[str, str]] = []
    treeless: list[tuple[str, DataError]] = []
    twins, agreement = Twins(where), _Agreement(sample_set, where)
    first = 0
    for (path, tree), row in zip(files, rows, strict=True):
        known = [left_out[file] for file in (path, *(name for name, _ in row)) if file in left_out]
        if known:
            skipped.append((path, known[0]))
            continue
        if sample.generate and "://" not in path and not Path(path).exists():
            raise DataError(f"{path}: is not there yet; make it with spectrafit generate {sample_set.path}")
        try:
            linked = _link(sample, where, (path, tree), row)
        except _NoTree as error:
            treeless.append((path, error))
            continue
        except DataError as error:
            if not skip_bad_files:
                raise
            skipped.append((path, str(error)))
            continue
        try:
            label = _label(sample_set, *linked.names[0])
            layout = solve(sample_set, sample, linked.branches, label, ambiguous=linked.ambiguous)
            offsets = linked.offsets(layout.needed())
            friends.check(sample, linked)
            stamps = tuple(stamp(name, together=len(linked.names)) for name, _ in linked.names)
            found = [
                identity(name, int(t.num_entries)) for (name, _), t in zip(linked.names, linked.trees, strict=True)
            ]
        except DataError as error:
            if not skip_bad_files:
                raise
            skipped.append((path, str(error)))
            continue
        agreement.add(label, linked, layout)
        twins.add((path, tree), linked.names[0][1], found[0])
        for start, stop in _cut(offsets, chunk_entries):
            chunks.append(
                Chunk(
                    sample=sample.name,
                    file=path,
                    tree=linked.names[0][1],
                    start=start,
                    stop=stop,
                    first=first + start,
                    index=len(chunks),
                    friends=linked.names[1:],
                    stamps=stamps,
                )
            )
        identities.append(found[0])
        others += found[1:]
        first += linked.entries
    eventless = exposure.eventless(sample_set, sample, [path for path, _ in treeless], bool(identities))
    for path, reason in treeless:
        if path in eventless:
            identities.append(identity(path, 0))
        elif skip_bad_files:
            skipped.append((path, str(reason)))
        else:
            raise reason
    if not first:
        reasons = "".join(f"\n  {path}: {reason}" for path, reason in skipped)
        raise DataError(
            f"{where}: its {len(files)} files hold no entries that can be read; check files and tree{reasons}"
        )
    kept = [found.path for found in identities]
    return Inventory(
        sample=sample.name,
        pot=exposure.pot_of(sample_set, sample, kept, first, skipped=bool(skipped)),
        entries=first,
        chunks=tuple(chunks),
        identities=(*identities, *others),
        skipped=tuple(skipped),
        eventless=tuple(eventless),
        notes=tuple(exposure.notes(sample_set, sample, kept, {chunk.tree for chunk in chunks})),
    )


class _NoTree(DataError):
    """A sound file without the tree of its sample."""


class _Agreement:
    """Whether all files of a sample say the same things the same way, so that no event is read otherwise in silence."""

    def __init__(self, sample_set: SampleSet, where: str) -> None:
        self._sample_set, self._where = sample_set, where
        self._first: tuple[str, Linked, Layout] | None = None

    def add(self, label: str, linked: Linked, layout: Layout) -> None:
        """Compare a file with the first one.

        Raises
        ------
        DataError
            If a column of the preset, or the condition for nu-e events, would be made otherwise, or a name means a
            branch of the tree in one file and one of a friend in the other.
        """
        if self._first is None:
            self._first = (label, linked, layout)
            return
        known, first, other = self._first
        for name in dict.fromkeys([*other.sources, *layout.sources]):
            before, now = other.sources.get(name), layout.sources.get(name)
            if before != now:
                ways = (before.branches if before else None), (now.branches if now else None)
                self._refuse(f"columns.{name}", (known, ways[0]), (label, ways[1]), linked, first)
        if other.elastic != layout.elastic:
            one, two = ((found.elastic.variables if found.elastic else None) for found in (other, layout))
            self._refuse("the condition for nu-e events", (known, one), (label, two), linked, first)
        for name, place in first.branches.items():
            here = linked.branches.get(name)
            if here is not None and here.tree != place.tree:
                raise DataError(
                    f"{self._where}: {name!r} is a branch of the tree in one of {known} and {label}, and of a friend"
                    " in the other; give the friend a name, and write name.branch for its branches"
                )

    def _refuse(
        self,
        what: str,
        one: tuple[str, tuple[str, ...] | None],
        two: tuple[str, tuple[str, ...] | None],
        linked: Linked,
        first: Linked,
    ) -> None:
        lacking = sorted({*(one[1] or ())} - {*linked.branches}), sorted({*(two[1] or ())} - {*first.branches})
        has, lacks, names = (one[0], two[0], lacking[0]) if lacking[0] else (two[0], one[0], lacking[1])
        raise DataError(
            f"{lacks}: no branch {', '.join(map(repr, names))}, which {has} has, so {what} would be made otherwise than"
            f" there; make the file again, or read the two as samples of their own, or set columns in {self._where}"
        )


def read(
    chunk: Chunk,
    sample_set: SampleSet,
    sample: Sample,
    *,
    columns: Collection[str] = CANONICAL,
    extra: Sequence[str] = (),
    scale: float = 1.0,
) -> tuple[ak.Array, DropReport]:
    """Read one chunk into canonical columns, as one array of records; see `read_columns`.

    Returns
    -------
    events : awkward record array, length K <= N
        The entries that pass the selection and the response's threshold; see `spectrafit.events.schema`.
    report : DropReport
        What became of the others.
    """
    found, report = read_columns(chunk, sample_set, sample, columns=columns, extra=extra, scale=scale)
    return ak.Array(found), report


def read_columns(
    chunk: Chunk,
    sample_set: SampleSet,
    sample: Sample,
    *,
    columns: Collection[str] = CANONICAL,
    extra: Sequence[str] = (),
    scale: float = 1.0,
) -> tuple[dict[str, Any], DropReport]:
    """Read one chunk into canonical columns, each an array of its own.

    Parameters
    ----------
    chunk : Chunk
        One of `scan`'s.
    sample_set, sample : SampleSet, Sample
        Those it was scanned with.
    columns : collection of str
        The canonical columns to read, of those the files can give; `weight`, and of signal `pdg`, `e_nu` and `t`,
        always are. What is read must be sound.
    extra : sequence of str
        Further columns: names of columns or branches, or expressions; each becomes a field named by its text. A
        canonical name asked for here must be there. `ENTRY` and `EFFICIENCY` are always there.
    scale : float
        Multiplies the weights; see `Inventory.scale`.

    Returns
    -------
    dict of str to array, length K <= N
        The entries that pass the selection and the response's threshold; see `spectrafit.events.schema`. Numpy for a
        number per entry, awkward for a list. A canonical column the files cannot give is not there; `pdg` and `weight`
        always are.
    report : DropReport
        What became of the others.

    Raises
    ------
    ConfigError, DataError
        Also for the first entry outside the domain, unless the sample says ``on_bad = "drop"``.
    """
    unchanged(chunk)
    linked = link([(chunk.file, chunk.tree), *chunk.friends], friends.called(sample))
    if chunk.stop > linked.entries:
        raise DataError(
            f"{chunk.file}:{chunk.tree}: has {linked.entries} entries, fewer than when it was scanned; let nothing"
            " write to files that are being read"
        )
    where = _label(sample_set, chunk.file, chunk.tree)
    layout = solve(sample_set, sample, linked.branches, where, ambiguous=linked.ambiguous)
    wanted = layout.needed(extra, columns) | {name for pair in friends.matched(sample) for name in pair}
    raw = linked.read(wanted, chunk.start, chunk.stop)
    unchanged(chunk)
    friends.compare(sample, linked, raw, chunk)
    if layout.preset.choose:
        raw = layout.preset.choose(raw)
    source = Columns(layout, raw, chunk.first, chunk.entries)
    fields, codes = _canonical(source, layout, chunk.entries, columns)
    generated = float(np.sum(fields["weight"], dtype=np.float64))
    absent = _absent(fields, layout, chunk.entries)
    kept = _respond(source, fields, layout, chunk) | absent
    below = chunk.entries - int(np.count_nonzero(kept))
    if layout.selection:
        kept &= source.passes(layout.selection, f"{layout.where}.selection")
    unselected = chunk.entries - below - int(np.count_nonzero(kept))
    bad = _refuse_absent(kept, absent, chunk, where, layout, drop=layout.shower or sample.on_bad == "drop")
    without = bad.pop("no shower", (0, ""))[0]
    rounded = int(np.count_nonzero(kept & (codes == ROUNDED))) if codes.any() else 0
    bad |= _refuse(fields, codes, kept, chunk, where, layout, drop=sample.on_bad == "drop")
    everything: dict[str, Any] = dict(fields)
    for text in extra:
        if text not in everything:
            everything[text] = source.extra(text)
    if not kept.all():
        everything = {name: values[kept] for name, values in everything.items()}
    negative = int(np.count_nonzero(everything["weight"] < 0.0))
    weights = {name: everything[name] for name in ("weight", *extra) if name == "weight" or name not in _NO_WEIGHTS}
    most = heaviest(weights, everything.get(ENTRY, source[ENTRY][kept]) - chunk.first + chunk.start, where)
    if scale != 1.0:
        everything["weight"] = np.multiply(everything["weight"], scale, dtype=np.float64)
    report = DropReport(
        entries=chunk.entries,
        kept=int(np.count_nonzero(kept)),
        unselected=unselected,
        below_threshold=below,
        without_shower=without,
        bad=bad,
        rounded=rounded,
        negative_weights=negative,
        generated_weight=generated,
        heaviest=most,
    )
    return everything, report


def _canonical(columns: Columns, layout: Layout, entries: int, wanted: Collection[str]) -> tuple[dict[str, Any], Any]:
    """Return the canonical columns, and what `domain.classify` says of each entry."""
    pdg = np.zeros(entries, dtype=np.int32)
    signal = layout.role == "signal"
    if signal:
        pdg = np.nan_to_num(columns["pdg"]).astype(np.int32, copy=False)
        if layout.elastic:
            pdg[~passes(columns.of_branches(layout.elastic))] = 0
    fields: dict[str, Any] = {"pdg": pdg}
    for name in layout.canonical(wanted):
        if name != "pdg":
            fields[name] = columns[name]
    if "weight" not in fields:
        fields["weight"] = np.ones(entries)
    codes = np.zeros(entries, dtype=np.uint8)
    if signal:
        codes, fields["t"] = classify(pdg, fields["e_nu"], fields["t"], fields.get("theta"))
    for name in ("pdg", "t", "weight"):
        if name in fields:
            columns[name] = fields[name]
    return fields, codes


def _absent(fields: dict[str, Any], layout: Layout, entries: int) -> Any:
    """Return which entries have no electron, or other shower, that `t` and `theta` could be those of, (N,) bool.

    Of a signal sample without a response `t` is asked for nu-e events only, so the others may do without.
    """
    absent = np.zeros(entries, dtype=bool)
    if layout.role == "data" or (layout.role == "signal" and not layout.response and not layout.shower):
        return absent
    for name in ("t", "theta"):
        if name in fields and layout.sources[name].preset | layout.shower:
            absent |= np.isnan(fields[name])
    return absent & (fields["pdg"] == 0)


def _refuse_absent(
    kept: Any, absent: Any, chunk: Chunk, where: str, layout: Layout, *, drop: bool
) -> dict[str, tuple[int, str]]:
    """Take entries without a shower out of `kept`, or raise for the first of them."""
    absent = absent & kept
    if not absent.any():
        return {}
    kept &= ~absent
    count, entry = int(np.count_nonzero(absent)), chunk.start + int(np.argmax(absent))
    if layout.shower:
        return {"no shower": (count, "")}
    usual = f'shower = "pi0", "photon", "electron" or a condition on particles in {layout.where}'
    if not layout.preset.final:
        usual = f"columns.t and columns.theta in {layout.where}"
    cut = f", or take only the others, as with selection = {layout.preset.electron!r}" if layout.preset.electron else ""
    message = (
        f"{where} entry {entry}: has no electron whose energy and angle preset {layout.preset.name!r} could take for"
        f" t and theta ({count} such entries among entries {chunk.start} to {chunk.stop}); say what is seen with"
        f" {usual}{cut}"
    )
    if not drop:
        raise DataError(message)
    return {"no electron": (count, message)}


def _respond(columns: Columns, fields: dict[str, Any], layout: Layout, chunk: Chunk) -> Any:
    """Make the reconstructed columns of a truth-only ntuple, if its sample has a response; return what passes it."""
    if not layout.response:
        return np.ones(chunk.entries, dtype=bool)
    fields["t_reco"], fields["theta_reco"], efficiency = responses.apply(
        layout.response,
        fields["t"],
        fields["theta"],
        key=responses.stream(layout.response, chunk.sample),
        first=chunk.first,
    )
    fields["weight"] = fields["weight"] * efficiency
    for name in ("t_reco", "theta_reco", "weight"):
        columns[name] = fields[name]
    columns[EFFICIENCY] = efficiency
    return efficiency > 0.0


def _refuse(
    fields: dict[str, Any], codes: Any, kept: Any, chunk: Chunk, where: str, layout: Layout, *, drop: bool
) -> dict[str, tuple[int, str]]:
    """Take bad entries out of `kept`, or raise for the first of them."""
    found: dict[str, tuple[int, str]] = {}
    always: dict[str, Any] = {name: fields[name] for name in ("t_reco", "theta_reco", "weight") if name in fields}
    worst: tuple[int, str] | None = None
    for kind, mask, sentence, column in bad_entries(codes, always):
        bad = mask & kept
        if not bad.any():
            continue
        entry = int(np.argmax(bad))
        values = {name: float(array[entry]) for name, array in fields.items()}
        if "e_nu" in values:
            values["limit"] = float(t_max(abs(values["e_nu"])))
        remedy = f"check the unit of columns.{column} in {layout.where}"
        if column not in layout.sources:
            remedy = f"check columns.t and the response in {layout.where}"
        message = f"{where} entry {chunk.start + entry}: {sentence.format(**values)}; {remedy}"
        found[kind] = (int(bad.sum()), message)
        if worst is None or entry < worst[0]:
            worst = (entry, message)
        kept &= ~bad
    if worst and not drop:
        total = sum(count for count, _ in found.values())
        others = f" ({total} such entries among entries {chunk.start} to {chunk.stop})" if total > 1 else ""
        raise DataError(f'{worst[1]}{others}, or leave them out with on_bad = "drop"')
    return found


def _label(sample_set: SampleSet, path: str, tree: str) -> str:
    """Name a tree as the user would: relative to the sample set where it lies below it."""
    folder = str(sample_set.folder.absolute())
    short = path.removeprefix(folder + "/") if path.startswith(folder + "/") else path
    return f"{short}:{tree}"


def _link(sample: Sample, where: str, name: tuple[str, str], row: list[tuple[str, str]]) -> Linked:
    path, tree = name
    tree = tree or sample.tree
    if not tree:
        tree = _usual_tree(path, find(sample.preset, f"{where}.preset").trees, where, exposure.trees(sample))
    elif not {*tree_names(path)} - {*exposure.trees(sample)}:
        raise _NoTree(
            f"{path}: no tree {tree!r}, nor any other; check the job that wrote it, or set tree in the sample"
        )
    beside = [(p, t or _usual_tree(p, (), where)) for p, t in row]
    return link([(path, tree), *beside], friends.called(sample))


def _usual_tree(path: str, usual: Sequence[str], where: str, others: Collection[str] = ()) -> str:
    """Return the tree of a file nobody named: the one of the preset, or the only one besides `others`."""
    names = [name for name in tree_names(path) if name not in others]
    for name in usual:
        if name in names:
            return name
    if len(names) == 1:
        return names[0]
    listed = ", ".join(names) or "none"
    wanted = f" {' or '.join(map(repr, usual))}" if usual else ""
    problem = DataError if names else _NoTree
    raise problem(f"{path}: no tree{wanted} (there are: {listed}); say which with tree in {where}")


def _cut(offsets: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Pack baskets into ranges of at most `most` entries; a basket longer than that is cut into equal parts."""
    cuts = [0]
    for low, high in itertools.pairwise(offsets):
        if high - cuts[-1] > most:
            parts = -(-(high - low) // most)
            cuts += [low + (high - low) * part // parts for part in range(parts)]
    if offsets[-1] > cuts[-1]:
        cuts.append(offsets[-1])
    return list(itertools.pairwise(dict.fromkeys(cuts)))
