"""Looks into ntuples for a first analysis: which trees go together, what their first entries hold, and the exposure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config import PotSource, Sample, SampleSet
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import read as reading
from spectrafit.events.exposure import pot_of
from spectrafit.events.files import REMEDY, expand
from spectrafit.events.inspect import Inspection, TreeSummary, inspect
from spectrafit.events.linked import link
from spectrafit.start.guessing import guess

__all__ = ["Group", "Lists", "canonical", "exposure", "group", "lists", "numbers", "pot_source", "stem"]

ENTRIES = 20_000
"""How many entries of a file are read."""
_OF_LISTS = 200
_POT = re.compile(r"(^|[^a-z])pot($|[^a-z])|TotalPOT|totpot", re.IGNORECASE)
_NUMBER = re.compile(r"(bool|u?int\d+_t|u?int|float|double|real|Float_t|Double_t|Int_t|std::u?int\d+_t)$")
_WHOLE = re.compile(r"(bool|u?int\d+_t|u?int|Int_t|std::u?int\d+_t)$")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Files of one production: alike in name and in their trees.

    Attributes
    ----------
    name : str
        Of the sample that they become.
    files : tuple of str
        As they can be opened.
    first : Inspection
        Of the first file.
    tree : TreeSummary
        The tree that holds the events.
    friends : tuple of TreeSummary
        Other trees of the same file with as many entries.
    place : str
        The folder of the files, where two folders have files of one name: a detector or a mode of the beam.
    """

    name: str
    files: tuple[str, ...]
    first: Inspection
    tree: TreeSummary
    friends: tuple[TreeSummary, ...] = ()
    place: str = ""

    @property
    def scalars(self) -> tuple[str, ...]:
        """The branches of the tree with one number per entry."""
        return tuple(name for name, kind in self.tree.branches if _NUMBER.fullmatch(kind))

    @property
    def whole(self) -> frozenset[str]:
        """Those with a whole number per entry."""
        return frozenset(name for name, kind in self.tree.branches if _WHOLE.fullmatch(kind))


@dataclass(frozen=True, slots=True)
class Lists:
    """A branch with a list per entry: whether all lists have one length, that length, and the mean of the numbers."""

    branch: str
    length: int
    mean: float


def group(names: Sequence[str], folder: Path) -> tuple[tuple[Group, ...], tuple[str, ...]]:
    """Open ntuples and return them as groups, in the order of their first files, and what is said of files left out.

    The first file of each group is opened. One without a tree, or that cannot be read, is left out.

    Parameters
    ----------
    names : sequence of str
        Files, globs and URLs, relative to `folder`.

    Raises
    ------
    DataError
        A file is missing, or none can be used.
    """
    found: dict[str, list[str]] = {}
    for path, _ in expand(tuple(names), folder, "spectrafit new"):
        found.setdefault(stem(path), []).append(path)
    usable, refused = list[tuple[str, tuple[str, ...], Inspection]](), list[str]()
    for start, paths in found.items():
        files = list(paths)
        first, said = _first(files)
        refused += said
        if first is not None:
            whole = start if len(files) > 1 else f"{start.rpartition('/')[0]}/{_bare(files[0])}"
            usable.append((whole, tuple(files), first))
    if not usable:
        raise DataError(refused[0])
    groups, taken = [], Counter[tuple[str, str]]()
    apart = len({_sample_name(start) for start, _, _ in usable}) < len(usable)
    for start, paths_of, first in usable:
        name, place = _sample_name(start), _sample_name(start.rpartition("/")[0]) if apart else ""
        tree = _main(first)
        friends = tuple(t for t in first.trees if t.name != tree.name and t.entries == tree.entries and tree.entries)
        taken[place, name] += 1
        name = name if taken[place, name] == 1 else f"{name}_{taken[place, name]}"
        groups.append(Group(name=name, files=paths_of, first=first, tree=tree, friends=friends, place=place))
    return tuple(groups), tuple(refused)


def _first(files: list[str]) -> tuple[Inspection | None, list[str]]:
    """Return the contents of the first file that can be used; take those before it from the list, and say why."""
    refused = list[str]()
    while files:
        try:
            found = inspect(files[0])
        except DataError as error:
            # The remedies of a fit are none here.
            refused.append(str(error).removesuffix(f"; {REMEDY}"))
        else:
            if found.trees:
                return found, refused
            refused.append(f"{files[0]}: holds no tree, so there are no events in it")
        del files[0]
    return None, refused


def _sample_name(path: str) -> str:
    return re.sub(r"\W+", "_", path.rpartition("/")[2]).strip("_") or "sample"


def _bare(path: str) -> str:
    return path.rpartition("/")[2].partition(".root")[0]


def stem(path: str) -> str:
    """Return a file's name without its ending and the number of its job."""
    head, bare = path.rpartition("/")[0], _bare(path)
    short = re.sub(r"[-_.]?\d+$", "", bare)
    return f"{head}/{short or bare}"


def _main(found: Inspection) -> TreeSummary:
    """Return the tree with the events: that of a preset, else the one with most quantities that are known by name."""
    if found.preset and found.entries:
        return next(tree for tree in found.trees if tree.name == found.tree)

    def worth(tree: TreeSummary) -> tuple[int, int]:
        kinds = {said.kind for name, _ in tree.branches if (said := guess(name))}
        return len(kinds) if tree.entries else -1, tree.entries

    return max(found.trees, key=worth)


def numbers(found: Group, branches: Collection[str]) -> dict[str, Floats]:
    """Return the first entries of branches with one number per entry, as they are in the file."""
    wanted = tuple(dict.fromkeys(branches))
    if not wanted:
        return {}
    linked = link([(found.files[0], found.tree.name)])
    read = linked.read(wanted, 0, min(ENTRIES, linked.entries))
    return {name: np.asarray(values, dtype=np.float64) for name, values in read.items()}


def canonical(found: Group, names: Collection[str]) -> dict[str, Floats]:
    """Return columns of the first entries of a tree that a preset reads, in GeV and rad, over its nu-e events."""
    sample = Sample(
        name=found.name,
        role="signal",
        files=found.files[0],
        tree=found.tree.name,
        preset=found.first.preset or "",
        columns={} if found.first.flavours else {"pdg": 1.0},
        on_bad="drop",
    )
    sample_set = SampleSet(samples=(sample,))
    chunk = reading.scan(sample_set, sample).chunks[0]
    events, _ = reading.read(chunk, sample_set, sample, columns=("pdg", *names))
    signal = events["pdg"].to_numpy() != 0
    return {name: events[name].to_numpy()[signal][:ENTRIES] for name in names}


def lists(found: Group, tree: str, branches: Collection[str]) -> tuple[Lists, ...]:
    """Return what branches with a list per entry hold in the first entries; those of varying length are left out."""
    result = []
    linked = link([(found.files[0], tree)])
    for name in branches:
        values = linked.read((name,), 0, min(_OF_LISTS, linked.entries))[name]
        if not isinstance(values, ak.Array) or values.ndim != 2 or not len(values):
            continue
        lengths = np.asarray(ak.num(values))
        if lengths.min() == lengths.max() > 0:
            result.append(Lists(name, int(lengths[0]), float(ak.mean(values))))
    return tuple(result)


def pot_source(found: Group) -> tuple[PotSource | None, str]:
    """Return where the files say their protons on target, and a remark for the user.

    A histogram whose name says POT, or else a branch of another tree, whose entries are runs. In the tree of the events
    a branch repeats the number for each event, so it is only remarked.
    """
    if found.first.pot:
        return None, f"{found.first.pot:.6g} POT in the first file, found by the preset"
    for name, kind in found.first.objects:
        if _POT.search(name) and kind.startswith(("TH1", "TH2", "TProfile")):
            return PotSource(histogram=name), f"the histogram {name} of each file"
    for tree in found.first.trees:
        if tree.name == found.tree.name or tree in found.friends:
            continue
        for branch, kind in tree.branches:
            if _POT.search(branch) and _NUMBER.fullmatch(kind):
                return PotSource(branch=branch, tree=tree.name), f"in {tree.entries} entries of {tree.name}"
    inside = [branch for branch in found.scalars if _POT.search(branch)]
    if inside:
        return None, f"the branch {inside[0]} stands in the tree of the events, once for each; its sum is no exposure"
    return None, "no histogram and no branch is named POT"


def exposure(found: Group, source: PotSource | None) -> float | None:
    """Return the protons on target of all files of a group, None where the files do not say."""
    sample = Sample(
        name=found.name,
        role="data",
        files=found.files,
        tree=found.tree.name,
        preset=found.first.preset or "",
        pot=source,
    )
    try:
        return pot_of(SampleSet(samples=(sample,)), sample, found.files, 0)
    except (ConfigError, DataError):
        return None
