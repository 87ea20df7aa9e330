"""The friends of a sample: which friend file belongs to which of the sample's files, and whether entries match."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spectrafit.config import Sample, SampleSet
from spectrafit.errors import DataError, nearest
from spectrafit.events.files import expand
from spectrafit.events.linked import Linked
from spectrafit.events.schema import Chunk

__all__ = ["beside", "called", "check", "compare", "matched"]


def beside(sample_set: SampleSet, sample: Sample, files: int) -> list[list[tuple[str, str]]]:
    """Return, for each of a sample's files, the (file, tree or "") of every friend that goes with it, in order.

    Raises
    ------
    DataError
        If a friend has another number of files than the sample.
    """
    rows: list[list[tuple[str, str]]] = [[] for _ in range(files)]
    for index, friend in enumerate(sample.friends):
        where = f"{sample_set.path or 'samples'}: {sample.name}.friends[{index}]"
        found = expand(friend.files, sample_set.folder, where)
        if len(found) != files:
            raise DataError(
                f"{where}: {len(found)} friend files for {files} files of the sample; give one friend file for each"
            )
        for row, (path, tree) in zip(rows, found, strict=True):
            row.append((path, tree or friend.tree))
    return rows


def called(sample: Sample) -> tuple[str, ...]:
    """Return the prefix of branch names for the sample's tree and each friend; "" stands for the tree's own name."""
    return ("", *(friend.name for friend in sample.friends))


def matched(sample: Sample) -> list[tuple[str, str]]:
    """Return pairs of a branch of the tree and a branch of a friend, which must be equal in every entry."""
    return [
        (friend.match, Linked.of_friend(index, friend.match))
        for index, friend in enumerate(sample.friends, start=1)
        if friend.match
    ]


def check(sample: Sample, linked: Linked) -> None:
    """Refuse friends to be matched by a branch that the tree or the friend does not have, with a DataError."""
    for index, friend in enumerate(sample.friends, start=1):
        own = linked.place(friend.match) if friend.match else None
        lacking = [0] if friend.match and (own is None or own.tree) else []
        lacking += [index] if friend.match and linked.place(Linked.of_friend(index, friend.match)) is None else []
        for tree in lacking:
            raise DataError(
                f"{':'.join(linked.names[tree])}: no branch {friend.match!r}{nearest(friend.match, linked.branches)} to"
                f" match friends by; correct match in the friends of {sample.name!r}"
            )


def compare(sample: Sample, linked: Linked, raw: Mapping[str, Any], chunk: Chunk) -> None:
    """Refuse a chunk in which a friend's branch differs from the tree's, with a DataError naming the first entry."""
    for own, other in matched(sample):
        try:
            differ = np.asarray(raw[own] != raw[other])
        except ValueError:
            differ = np.ones((1, 1))
        if differ.shape != (chunk.entries,):
            raise DataError(
                f"{chunk.file}:{chunk.tree}: {own} holds a list per entry; match friends by a number per entry"
            )
        if differ.any():
            entry = int(np.argmax(differ))
            place = linked.place(other)
            path, tree = linked.names[place.tree if place else 0]
            raise DataError(
                f"{chunk.file}:{chunk.tree} entry {chunk.start + entry}: {own} = {raw[own][entry]}, but in"
                f" {path}:{tree} it is {raw[other][entry]}; the friend is not aligned with this tree, so make the"
                " friend again from this file"
            )
