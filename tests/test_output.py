import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import output
from spectrafit.errors import ConfigError, DataError
from spectrafit.output import locked, publishing, refuse_inputs, replacing, slug, slugs

NAMES = ("a", "b", "last")


def test_what_is_written_appears_at_once_and_whole(tmp_path) -> None:
    target = tmp_path / "new" / "file"
    with replacing(target) as part:
        part.write_text("half")
        assert not target.exists()
        part.write_text("whole")
    assert target.read_text() == "whole"
    assert [p.name for p in target.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_whatever_stops_the_writing_the_old_file_stays_and_nothing_else(tmp_path, error) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def stopped() -> None:
        with replacing(target) as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        stopped()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_an_error_with_the_remedy(tmp_path) -> None:
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\nfrom spectrafit.output import replacing\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (1000, {resource.RLIM_INFINITY}))\n"
        "with replacing(Path(sys.argv[1]), remedy='make room') as part:\n    part.write_bytes(bytes(2000))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "file")], capture_output=True, text=True, check=False
    )
    assert "file: cannot be written (File too large); make room" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"), replacing(tmp_path / "file" / "below"):
        pass


@given(st.text())
def test_any_text_becomes_a_name_every_file_system_carries(tmp_path_factory, text: str) -> None:
    name = slug(text)
    assert 0 < len(name) <= 100 or not text
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-")
    assert not name.startswith((".", "-"))
    assert slug(name) == name


def test_plain_names_stay_and_names_of_windows_do_not() -> None:
    assert [slug(n) for n in ("nd_t_reco", "NuE-2024.1", "a+b")] == ["nd_t_reco", "NuE-2024.1", "a+b"]
    assert all(
        slug(n) != n for n in ("con", "NUL", "com1.txt", "../x", "a/b", "a:b", "a\0b", "", ".", "-rf", "x" * 300)
    )


@given(st.lists(st.text(max_size=5), max_size=8), st.lists(st.sampled_from(["total", "data"])))
def test_no_two_texts_share_a_name(texts: list[str], reserved: list[str]) -> None:
    found = slugs([*texts, "total", "Total", "DATA"], reserved=reserved)
    assert set(found) == {*texts, "total", "Total", "DATA"}
    lowered = [name.lower() for name in found.values()]
    assert len(set(lowered)) == len(lowered)
    assert not set(lowered) & set(reserved)


def put(folder: Path, word: str) -> None:
    with publishing(folder, names=NAMES) as staged:
        for name in NAMES:
            (staged / name).write_text(word)


def test_a_folder_is_published_whole_and_keeps_what_is_not_of_it(tmp_path) -> None:
    folder = tmp_path / "results" / "nd"
    put(folder, "old")
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("mine")
    (folder / "link").symlink_to("notes")
    before = folder.stat().st_ino
    with publishing(folder, names=NAMES) as staged:
        (staged / "a").write_text("new")
        assert (folder / "a").read_text() == "old"
    assert folder.stat().st_ino != before
    assert {p.name for p in folder.iterdir()} == {"a", "notes", "link"}
    assert (folder / "link" / "mine.txt").read_text() == "mine"
    assert [p.name for p in folder.parent.iterdir()] == ["nd"]


def test_a_system_that_cannot_exchange_names_publishes_too(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(output.platform, "system", lambda: "Darwin")
    put(tmp_path / "nd", "old")
    put(tmp_path / "nd", "new")
    assert {p.name: p.read_text() for p in (tmp_path / "nd").iterdir()} == dict.fromkeys(NAMES, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["nd"]


def test_the_current_folder_keeps_its_place(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_text("mine")
    put(Path(), "old")
    put(Path(), "new")
    assert Path.cwd().exists()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == dict.fromkeys(NAMES, "new") | {"mine": "mine"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_a_folder_that_is_not_finished_leaves_the_old_one_and_no_trace(tmp_path, error) -> None:
    put(tmp_path / "nd", "old")

    def stopped() -> None:
        with publishing(tmp_path / "nd", names=NAMES) as staged:
            (staged / "a").write_text("half")
            raise error

    with pytest.raises(DataError if error is OSError else error):
        stopped()
    assert {p.name: p.read_text() for p in (tmp_path / "nd").iterdir()} == dict.fromkeys(NAMES, "old")
    assert [p.name for p in tmp_path.iterdir()] == ["nd"]


def test_a_file_in_the_way_and_a_name_with_nul_are_errors(tmp_path) -> None:
    (tmp_path / "nd").write_text("a file")
    with pytest.raises(DataError, match="there is a file of that name"):
        put(tmp_path / "nd", "new")
    with pytest.raises(DataError, match="NUL"):
        put(tmp_path / "a\0b", "new")
    with pytest.raises(DataError, match="NUL"), replacing(tmp_path / "a\0b"):
        pass


WRITER = """
import sys
from pathlib import Path
from spectrafit.output import publishing
word = 0
while True:
    word += 1
    with publishing(Path(sys.argv[1]), names=("a", "b", "last")) as staged:
        for name in ("a", "b", "last"):
            (staged / name).write_text(f"{sys.argv[2]} {word}")
"""


def test_writers_that_are_killed_never_leave_a_mixture_and_the_next_one_cleans_up(tmp_path) -> None:
    folder = tmp_path / "nd"
    put(folder, "first")
    (folder / "mine").write_text("mine")
    drawn = random.Random(1)
    for _ in range(8):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(folder), word], start_new_session=True) for word in "xy"
        ]
        time.sleep(0.3 + 0.2 * drawn.random())
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
        for writer in writers:
            writer.wait()
        assert {p.name for p in folder.iterdir()} == {*NAMES, "mine"}
        assert len({(folder / name).read_text() for name in NAMES}) == 1
    done = subprocess.run(
        [sys.executable, "-c", WRITER.replace("while True", "for _ in range(1)"), str(folder), "z"], check=False
    )
    assert done.returncode == 0
    assert [p.name for p in tmp_path.iterdir()] == ["nd"]
    assert (folder / "last").read_text() == "z 1"


def test_what_dead_writers_of_files_left_is_removed_and_what_living_ones_have_is_not(tmp_path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    machine = output._machine()
    left = tmp_path / f".file.{machine}.{dead.pid}.1.part"
    living = tmp_path / f".file.{machine}.{os.getppid()}.1.part"
    elsewhere = tmp_path / f".file.00000000.{dead.pid}.1.part"
    old = tmp_path / f".file.11111111.{dead.pid}.1.part"
    for path in (left, living, elsewhere, old):
        path.write_text("half")
    os.utime(old, (1e9, 1e9))
    with replacing(tmp_path / "file") as part:
        part.write_text("whole")
    assert {p.name for p in tmp_path.iterdir()} == {"file", living.name, elsewhere.name}


def test_who_holds_a_folder_makes_others_wait(tmp_path) -> None:
    order = []

    def second() -> None:
        with locked(tmp_path):
            order.append("second")

    with locked(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_an_input_is_no_output_by_any_name(tmp_path) -> None:
    read = tmp_path / "read"
    read.write_text("mine")
    (tmp_path / "link").symlink_to(read)
    (tmp_path / "other").hardlink_to(read)
    for name in ("read", "link", "other"):
        with pytest.raises(ConfigError, match="is read here"):
            refuse_inputs(tmp_path / name, [tmp_path / "absent", read])
    refuse_inputs(tmp_path / "new", [read])
