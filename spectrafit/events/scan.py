"""Opens every file of a sample, checks that everything can be read, counts entries, and cuts the files into chunks."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from spectrafit.config import Sample, SampleSet
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import exposure, friends
from spectrafit.events.files import expand, tree_names
from spectrafit.events.identity import Twins, identity, stamp
from spectrafit.events.layout import Layout, solve
from spectrafit.events.linked import Linked, link
from spectrafit.events.presets import find
from spectrafit.events.schema import Chunk, FileIdentity, Inventory

__all__ = ["label", "scan"]


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
        Most entries of a chunk. Chunks end where the baskets of all branches end. Only a basket that is longer than a
        chunk is cut inside.
    skip_bad_files : bool
        Leave out files that cannot be read, and name them in the inventory, instead of raising.
    left_out : mapping of file to reason
        Files that are known to be bad, or whose friends are: they are left out and named, too.

    Raises
    ------
    ConfigError, DataError
        Anything would fail later (files, trees, branches, expressions, exposure, friends), or there are no entries.
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
            raise DataError(f"{path}: does not exist yet; make it with spectrafit generate {sample_set.path}")
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
            named = label(sample_set, *linked.names[0])
            layout = solve(sample_set, sample, linked.branches, named, ambiguous=linked.ambiguous)
            offsets = linked.offsets(layout.needed())
            friends.check(sample, linked)
            stamps = tuple(stamp(name, together=len(linked.names)) for name, _ in linked.names)
            found = [
                identity(name, int(tree.num_entries))
                for (name, _), tree in zip(linked.names, linked.trees, strict=True)
            ]
        except DataError as error:
            if not skip_bad_files:
                raise
            skipped.append((path, str(error)))
            continue
        agreement.add(named, linked, layout)
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
    """Checks that all files of a sample give their columns in the same way, so that none is silently read otherwise."""

    def __init__(self, sample_set: SampleSet, where: str) -> None:
        self._sample_set, self._where = sample_set, where
        self._first: tuple[str, Linked, Layout] | None = None

    def add(self, label: str, linked: Linked, layout: Layout) -> None:
        """Compare a file with the first one.

        Raises
        ------
        DataError
            A column of the preset or the condition for nu-e events would be made differently, or a name means a branch
            of the tree in one file and a branch of a friend in the other.
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
            f"{lacks}: no branch {', '.join(map(repr, names))}, which {has} has, so {what} would be made differently"
            f" in the two files; make the file again, or read them as separate samples, or set columns in {self._where}"
        )


def label(sample_set: SampleSet, path: str, tree: str) -> str:
    """Return a tree's name for messages: relative to the sample set's folder if the file is below this folder."""
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
    beside = [(beside_path, tree or _usual_tree(beside_path, (), where)) for beside_path, tree in row]
    return link([(path, tree), *beside], friends.called(sample))


def _usual_tree(path: str, usual: Sequence[str], where: str, others: Collection[str] = ()) -> str:
    """Return the tree of a file without a named one: the preset's tree, or the only tree besides `others`."""
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
