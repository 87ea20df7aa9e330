"""Local files are read through plain handles: the bytes are the file's, and a file that shrinks is an error."""

import queue

import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrafit.events.local import LocalSource

BYTES = np.random.default_rng(1).integers(0, 256, 5000, np.uint8).tobytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("local") / "a.bin"
    path.write_bytes(BYTES)
    return path


@settings(max_examples=30)
@given(start=st.integers(0, 5000), length=st.integers(0, 5000))
def test_any_range_is_that_of_the_file(path, start, length):
    length = min(length, len(BYTES) - start)
    with LocalSource(str(path)) as source:
        assert source.num_bytes == len(BYTES)
        assert bytes(source.chunk(start, start + length).raw_data) == BYTES[start : start + length]
    assert source.closed


def test_several_ranges_are_announced_in_order(path):
    ranges, told = [(10, 20), (0, 5), (4990, 5000)], queue.Queue()
    with LocalSource(str(path)) as source:
        chunks = source.chunks(ranges, told)
        assert [bytes(chunk.raw_data) for chunk in chunks] == [BYTES[a:b] for a, b in ranges]
        assert [told.get_nowait() for _ in ranges] == chunks
        with pytest.raises(OSError, match="more than a file can have"):
            source.chunk(-4, 10)


def test_a_file_that_shrinks_while_it_is_open_comes_up_short(tmp_path):
    path = tmp_path / "b.bin"
    path.write_bytes(BYTES)
    with LocalSource(str(path)) as source:
        path.write_bytes(BYTES[:100])
        assert bytes(source.chunk(50, 100).raw_data) == BYTES[50:100]
        with pytest.raises(OSError, match="expected Chunk of length 4950"):
            _ = source.chunk(50, 5000).raw_data


def test_uproot_reads_a_tree_through_it(tmp_path):
    numbers = np.arange(1000.0)
    with uproot.recreate(tmp_path / "c.root") as file:
        file["events"] = {"x": numbers}
    with uproot.open(tmp_path / "c.root", handler=LocalSource) as file:
        np.testing.assert_array_equal(file["events"]["x"].array(library="np"), numbers)
