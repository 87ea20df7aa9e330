"""Figures of an earlier run are kept where nothing has changed, and drawn again where anything has."""

import json

import numpy as np

from spectrafit.report.figures.planned import Planned
from spectrafit.report.kept import DRAWN, save_all


def plan(height):
    # A small figure that is quick to draw: a partition of two cells.
    edges = (np.array([0.0, 1.0, 2.0]), np.array([0.0, height]))
    numbers = np.array([[1], [2]])
    return Planned(
        name="small",
        caption="Two cells.",
        seen="Two.",
        by="binnings.partition",
        given=(numbers, edges, ("a", "b")),
        options={},
    )


def saved(folder, before, height=1.0, dpi=50):
    folder.mkdir()
    return save_all(folder, before, {"small": plan(height)}, dpi=dpi)["small"]


def test_an_unchanged_figure_is_kept_and_a_changed_one_drawn(tmp_path):
    first = saved(tmp_path / "a", tmp_path / "none")
    assert first.drawn
    assert first.png.startswith(b"\x89PNG")
    again = saved(tmp_path / "b", tmp_path / "a")
    assert not again.drawn
    assert again.png == first.png
    assert again.width == first.width
    for suffix in ("png", "pdf"):
        assert (tmp_path / "b" / f"small.{suffix}").read_bytes() == (tmp_path / "a" / f"small.{suffix}").read_bytes()
    assert saved(tmp_path / "c", tmp_path / "b", height=2.0).drawn
    assert saved(tmp_path / "d", tmp_path / "b", dpi=60).drawn
    # A chain of runs keeps it too.
    assert not saved(tmp_path / "e", tmp_path / "b").drawn


def test_a_file_that_another_hand_changed_is_drawn_again(tmp_path):
    saved(tmp_path / "a", tmp_path / "none")
    (tmp_path / "a" / "small.pdf").write_bytes(b"%PDF other")
    assert saved(tmp_path / "b", tmp_path / "a").drawn
    (tmp_path / "b" / "small.png").unlink()
    assert saved(tmp_path / "c", tmp_path / "b").drawn


def test_a_list_that_is_none_is_no_reason_to_fail(tmp_path):
    for number, text in enumerate(("{", "[]", '{"small": 3}', json.dumps({"small": {"from": "x"}}))):
        before = tmp_path / f"before{number}"
        before.mkdir()
        (before / DRAWN).write_text(text)
        assert saved(tmp_path / f"after{number}", before).drawn
