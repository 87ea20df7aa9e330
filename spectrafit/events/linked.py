"""A tree together with its friends: which name means which branch, and ranges of entries as arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import uproot

from spectrafit.errors import BadFile, DataError
from spectrafit.events.files import open_tree, refusing

__all__ = ["Linked", "Place", "link"]

_OF_FRIEND = "\0"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the values of a name are: in the tree of this number, in this branch, in this leaf of it (or "")."""

    tree: int
    branch: str
    leaf: str = ""


@dataclass(frozen=True, slots=True)
class Linked:
    """A tree and its friends, entry by entry.

    Attributes
    ----------
    names : tuple of (file, tree)
    trees : tuple
        The opened trees, the sample's own first.
    branches : dict of name to Place
        Every name that a column can use: branches of the tree; branches of a friend as ``friend.branch``, and under
        their own name where the tree has no such branch; a leaf of a branch with several leaves as ``branch.leaf``.
    ambiguous : dict of name to str
        Names that could mean branches of two friends, which no column can use, with the reason and the remedy.
    """

    names: tuple[tuple[str, str], ...]
    trees: tuple[Any, ...]
    branches: dict[str, Place]
    ambiguous: dict[str, str]

    @property
    def entries(self) -> int:
        """Number of entries."""
        return int(self.trees[0].num_entries)

    @staticmethod
    def of_friend(index: int, branch: str) -> str:
        """Return the name that means the branch of the friend of this number, counted from 1, and no other branch."""
        return f"{index}{_OF_FRIEND}{branch}"

    def place(self, name: str) -> Place | None:
        """Return where the values of a name are, or None if there is no such name."""
        index, of_friend, branch = name.partition(_OF_FRIEND)
        if of_friend:
            return _places(self.trees[int(index)], int(index)).get(branch)
        return self.branches.get(name)

    def offsets(self, wanted: Collection[str]) -> list[int]:
        """Return where the baskets of all `wanted` branches of the sample's tree, or its clusters, begin and end."""
        own = {place.branch for name in wanted if (place := self.branches[name]).tree == 0}
        tree, found = self.trees[0], [0]
        with refusing(self.names[0][0]):
            if hasattr(tree, "cluster_summaries"):
                found = [cluster.num_first_entry for cluster in tree.cluster_summaries]
            elif own:
                found = tree.common_entry_offsets(filter_name=own.__contains__)
        return sorted({0, *(int(offset) for offset in found if 0 <= offset <= self.entries), self.entries})

    def read(self, wanted: Collection[str], start: int, stop: int) -> dict[str, Any]:
        """Return branches as arrays of N = stop - start entries: numpy for a number per entry, awkward for a list.

        Raises
        ------
        DataError
            A file is damaged, or a branch has another number of entries than its tree or holds no numbers.
        """
        places = {name: self.place(name) for name in wanted}
        out: dict[str, Any] = {}
        for index, tree in enumerate(self.trees):
            mine = {name: place for name, place in places.items() if place and place.tree == index}
            path, label = self.names[index]
            with refusing(path):
                arrays = _arrays(tree, {place.branch for place in mine.values()}, start, stop)
            for name, place in mine.items():
                values = arrays[place.branch]
                where = f"{path}:{label}: branch {place.branch!r}"
                if len(values) != stop - start:
                    raise BadFile(
                        f"{where} has another length than its tree: {len(values)} values for entries {start} to {stop};"
                        " its branches were filled differently, so write the file again",
                        path,
                    )
                out[name] = _values(values, place.leaf, where)
        return out


def link(names: Sequence[tuple[str, str]], called: Sequence[str] = ()) -> Linked:
    """Open a tree and its friends, given as (file, tree) with the sample's own first, and check that they are aligned.

    Parameters
    ----------
    names : sequence of (file, tree)
    called : sequence of str, optional
        What stands before the dot in the names of each tree's branches; by default, or where it is "", the tree's name.

    Raises
    ------
    DataError
        If a friend has another number of entries.
    """
    trees = tuple(open_tree(path, tree, together=len(names)) for path, tree in names)
    labels = [(called[index] if index < len(called) else "") or tree for index, (_, tree) in enumerate(names)]
    branches: dict[str, Place] = {}
    friends: Counter[str] = Counter()
    for index, tree in enumerate(trees):
        path, label = names[index]
        if tree.num_entries != trees[0].num_entries:
            raise DataError(
                f"{path}:{label}: a friend must have as many entries as {names[0][0]}:{names[0][1]}, found"
                f" {tree.num_entries} for {trees[0].num_entries}; make the friend again from this file"
            )
        with refusing(path):
            places = _places(tree, index)
        for name, place in places.items():
            bare = branches.setdefault(name, place)
            if index:
                branches[f"{labels[index]}.{name}"] = place
                friends.update({f"{labels[index]}.{name}", *([name] if bare.tree else [])})
    ambiguous = {
        name: "means a branch of two friends; give each friend a name of its own, as in friends = [{ ..., name ="
        f' "one" }}], and write one.{name.rpartition(".")[2]}'
        for name, times in friends.items()
        if times > 1
    }
    known = {name: place for name, place in branches.items() if name not in ambiguous}
    return Linked(tuple(names), trees, known, ambiguous)


def _places(tree: Any, index: int) -> dict[str, Place]:
    """Return every name in a tree: its branches by path, nested branches also by their own name, and leaves."""
    found: dict[str, Place] = {}
    inner: Counter[str] = Counter()
    for name in tree.iterkeys():
        found[name] = Place(index, name)
        inner[name.rpartition("/")[2]] += 1
    for name in [name for name in found if "/" in name]:
        short = name.rpartition("/")[2]
        if inner[short] == 1:
            found.setdefault(short, found[name])
    if hasattr(tree, "cluster_summaries"):
        return found
    for branch in tree.itervalues(recursive=False):
        if _has_leaves(branch):
            for leaf in branch.member("fLeaves"):
                found.setdefault(
                    f"{branch.name}.{leaf.member('fName')}", Place(index, branch.name, leaf.member("fName"))
                )
    return found


def _arrays(tree: Any, branches: Collection[str], start: int, stop: int) -> dict[str, Any]:
    """Return branches of one tree: plain numbers without awkward arrays, which cost more than reading a short chunk."""
    if hasattr(tree, "cluster_summaries"):
        return {name: tree[name].array(entry_start=start, entry_stop=stop) for name in branches}
    found: dict[str, Any] = {}
    for name in [name for name in branches if _has_leaves(tree[name])]:
        # Where the leaves are arrays, uproot takes the record itself for an array of records.
        kind = tree[name].interpretation
        kind = uproot.AsDtype(kind.from_dtype.base) if isinstance(kind, uproot.AsDtype) else kind
        found[name] = tree[name].array(kind, entry_start=start, entry_stop=stop, library="np")
    branches = {*branches} - {*found}
    plain = {name for name in branches if _is_plain(tree[name])}
    for library, chosen in (("np", plain), ("ak", {*branches} - plain)):
        if chosen:
            one_of = chosen.__contains__
            found |= tree.arrays(filter_name=one_of, entry_start=start, entry_stop=stop, library=library, how=dict)
    return found


def _is_plain(branch: Any) -> bool:
    """Tell whether a branch of a TTree holds one number per entry."""
    kind = branch.interpretation
    return isinstance(kind, uproot.AsDtype) and kind.inner_shape == ()


def _has_leaves(branch: Any) -> bool:
    return len(branch.member("fLeaves")) > 1


def _values(values: Any, leaf: str, where: str) -> Any:
    """Return an array as numpy for a number or a text per entry, and as awkward for lists."""
    if isinstance(values, np.ndarray):
        if values.dtype.names is not None:
            if leaf not in values.dtype.names:
                listed = ", ".join(values.dtype.names)
                raise DataError(
                    f"{where} holds the leaves {listed}; name one of them, as in branch.{values.dtype.names[0]}"
                )
            values = np.ascontiguousarray(values[leaf])
        return values if values.ndim == 1 else ak.from_numpy(values, regulararray=False)
    found = ak.Array(values)
    if found.fields:
        listed = ", ".join(found.fields)
        raise DataError(
            f"{where} is a record of {listed}; write the numbers in it as branches of their own to read them"
        )
    if found.ndim == 1 and isinstance(found.layout, ak.contents.NumpyArray):
        return ak.to_numpy(found)
    return found
