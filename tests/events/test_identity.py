import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import uproot

from spectrafit.config import Sample, SampleSet
from spectrafit.errors import BadFile, DataError
from spectrafit.events import read
from spectrafit.events.files import open_file
from tests.events.ntuples import native

Write = Callable[..., Path]
One = Callable[..., tuple[SampleSet, Sample]]


def link(path: Path, other: Path) -> None:
    other.symlink_to(path)


@pytest.mark.parametrize("again", [link, os.link, shutil.copy])
def test_a_file_under_another_name_does_not_count_twice(
    write_tree: Write, one: One, again: Callable[[Path, Path], object]
) -> None:
    path = write_tree("a.root", native(5))
    again(path, path.with_name("b.root"))
    with pytest.raises(DataError, match=r"b.root (is the same file as|has the UUID, so it is a copy, of) .*a.root"):
        read.scan(*one(files="*.root"))


def test_dots_and_a_url_are_other_names_too(write_tree: Write, one: One) -> None:
    path = write_tree("a.root", native(5))
    (path.parent / "sub").mkdir()
    for name in ("sub/../a.root", f"file://{path}"):
        with pytest.raises(DataError, match=r"(is the same file as|is named twice)"):
            read.scan(*one(files=("a.root", name)))


def test_two_cycles_of_one_tree_are_one(write_tree: Write, one: One) -> None:
    write_tree("a.root", native(5))
    with pytest.raises(DataError, match=r"a.root:events;1 is the same file as .*a.root:events, so its events"):
        read.scan(*one(files=("a.root:events", "a.root:events;1")))


def test_a_copy_without_a_uuid_is_found_by_its_bytes(write_tree: Write, one: One) -> None:
    path = write_tree("a.root", native(5))
    content = path.read_bytes().replace(open_file(str(path)).file.uuid.bytes, bytes(16))
    for name in ("b.root", "c.root"):
        path.with_name(name).write_bytes(content)
    with pytest.raises(DataError, match=r"c.root is a copy of .*b.root"):
        read.scan(*one(files=("b.root", "c.root")))
    write_tree("d.root", native(5, seed=2))
    other = path.with_name("d.root").read_bytes()
    path.with_name("d.root").write_bytes(
        other.replace(open_file(str(path.with_name("d.root"))).file.uuid.bytes, bytes(16))
    )
    assert read.scan(*one(files=("b.root", "d.root"))).entries == 10


def test_the_same_text_twice_and_two_trees_of_a_file_are_meant(write_tree: Write, one: One, tmp_path: Path) -> None:
    write_tree("a.root", native(5))
    assert read.scan(*one(files=("a.root", "a.root"))).entries == 10
    with uproot.recreate(tmp_path / "two.root") as file:
        for name in ("one", "two"):
            file[name] = native(4)
    assert read.scan(*one(files=("two.root:one", "two.root:two"))).entries == 8


@pytest.mark.parametrize("how", ["replaced", "written over", "gone", "truncated"])
def test_a_file_that_changes_after_the_scan_is_refused(write_tree: Write, one: One, how: str) -> None:
    path = write_tree("a.root", native(5000))
    other = write_tree("b.root", native(5000, seed=2))
    sample_set, sample = one(files="a.root")
    (chunk,) = read.scan(sample_set, sample).chunks
    content = other.read_bytes()
    if how == "replaced":
        other.replace(path)
    elif how == "written over":
        path.write_bytes(content)
    elif how == "gone":
        path.unlink()
    else:
        os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match=r"a.root: (was replaced or changed while|has changed since it was scanned)"):
        read.read(chunk, sample_set, sample)


def test_a_file_that_shrinks_while_it_is_open_is_an_error_and_the_process_lives(write_tree: Write) -> None:
    path = write_tree("a.root", {"x": np.random.default_rng(1).random(400_000)}, basket=10_000)
    with uproot.open({str(path): None}, handler=type(open_file(str(path)).file.source)) as file:
        tree = file["events"]
        os.truncate(path, 4096)
        with pytest.raises(OSError, match=r"expected Chunk of length"):
            tree["x"].array(library="np")
    with pytest.raises(BadFile, match=r"a.root: is truncated or damaged \(4096 bytes are left"):
        open_file(str(path))
