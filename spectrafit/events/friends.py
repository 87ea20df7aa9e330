"""A sample's friends in; which of their files goes with which of its own, and whether the entries match, out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spectrafit.config import Sample, SampleSet
from spectrafit.errors import DataError, nearest
from spectrafit.events.files import Linked, expand
from spectrafit.events.schema import Chunk

__all__ = ["beside", "check", "compare", "matched"]


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
            raise DataError(f"{where}: {len(found)} files for {files}; a friend goes with each file of the sample")
        for row, (path, tree) in zip(rows, found, strict=True):
            row.append((path, tree or friend.tree))
    return rows


def matched(sample: Sample, linked: Linked) -> list[tuple[str, str]]:
    """Return the pairs of branches, of the tree and of a friend, that must be equal in every entry."""
    return [
        (friend.match, f"{linked.names[index + 1][1]}.{friend.match}")
        for index, friend in enumerate(sample.friends)
        if friend.match
    ]


def check(sample: Sample, linked: Linked) -> None:
    """Refuse friends to be matched by a branch that the tree or the friend does not have, with a DataError."""
    for own, other in matched(sample, linked):
        for name, found in ((own, linked.branches.get(own, (1, ""))[0] == 0), (other, other in linked.branches)):
            if not found:
                raise DataError(
                    f"{linked.names[0][0]}: no branch {name!r}{nearest(name, linked.branches)} to match friends by;"
                    f" correct match in the friends of {sample.name!r}"
                )


def compare(sample: Sample, linked: Linked, raw: Mapping[str, Any], chunk: Chunk) -> None:
    """Refuse a chunk in which a friend's branch differs from the tree's, with a DataError naming the first entry."""
    for own, other in matched(sample, linked):
        differ = np.asarray(raw[own] != raw[other])
        if differ.any():
            entry = int(np.argmax(differ))
            raise DataError(
                f"{chunk.file}:{chunk.tree} entry {chunk.start + entry}: {own} = {raw[own][entry]}, but {other} ="
                f" {raw[other][entry]}; the friend is not aligned with this tree, make it again from this file"
            )
