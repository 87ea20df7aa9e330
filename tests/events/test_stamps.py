"""A file is told from others by its UUID, size and time of change; a changed file is refused."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import uproot

from spectrafit.errors import DataError
from spectrafit.events import read
from spectrafit.events.identity import Twins, identity, stamp, unchanged
from tests.events.ntuples import native


def test_an_identity_is_what_uproot_and_the_file_system_say(write_tree):
    path = str(write_tree("a.root", {"x": np.arange(7.0)}))
    found = identity(path, 7)
    with uproot.open(path) as file:
        assert found.uuid == str(file.file.uuid)
    assert (found.path, found.size, found.entries) == (path, Path(path).stat().st_size, 7)
    assert found.uuid in stamp(path)
    assert str(Path(path).stat().st_mtime_ns) in stamp(path)


def test_a_chunk_of_a_replaced_file_is_refused(one, write_tree):
    path = write_tree("a.root", native(20))
    sample_set, sample = one(files=path, pot=1e20)
    chunk = read.scan(sample_set, sample).chunks[0]
    stamped = dataclasses.replace(chunk, stamps=(stamp(chunk.file),))
    unchanged(stamped)
    write_tree("a.root", native(21))
    with pytest.raises(DataError, match="was replaced or changed while it was read"):
        unchanged(stamped)


def test_a_copy_is_a_twin_and_another_file_is_not(tmp_path, write_tree):
    path = write_tree("a.root", {"x": np.arange(3.0)})
    shutil.copy(path, tmp_path / "b.root")
    other = write_tree("c.root", {"x": np.arange(3.0)})
    twins = Twins("set.toml: x")
    twins.add((str(path), ""), "events", identity(str(path), 3))
    twins.add((str(path), ""), "events", identity(str(path), 3))
    twins.add((str(other), ""), "events", identity(str(other), 3))
    with pytest.raises(DataError, match="so its events would count twice"):
        twins.add((str(tmp_path / "b.root"), ""), "events", identity(str(tmp_path / "b.root"), 3))
