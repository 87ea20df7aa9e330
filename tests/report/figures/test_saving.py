"""A figure is saved in the format of its suffix, the same bytes each time, whatever its text is."""

import matplotlib.image
import pytest
from matplotlib.figure import Figure

from spectrafit.errors import ConfigError, DataError
from spectrafit.report.figures.saving import carried, save

SIGNATURES = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


def figure(title="plain"):
    made = Figure(figsize=(2.0, 1.5))
    made.subplots().set_title(title)
    return made


@pytest.mark.parametrize("kind", SIGNATURES)
def test_the_suffix_is_the_format_and_the_file_is_the_same_each_time(tmp_path, kind):
    for name in ("a", "b"):
        save(figure(), tmp_path / f"{name}.{kind}")
    first, second = ((tmp_path / f"{name}.{kind}").read_bytes() for name in ("a", "b"))
    assert first.startswith(SIGNATURES[kind])
    if kind != "svg":  # its identifiers are drawn at random by matplotlib
        assert first == second


def test_a_pixel_is_a_two_hundredth_of_an_inch(tmp_path):
    save(figure(), tmp_path / "a.png")
    assert matplotlib.image.imread(tmp_path / "a.png").shape[:2] == (300, 400)


@pytest.mark.parametrize("title", [r"$\frac{$", "costs 5$ and 6$", "κ 区域", "$" * 3, r"$\alpha$ of $\nosuch$"])
def test_any_text_can_be_drawn(tmp_path, title):
    save(figure(title), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0


def test_a_formula_stays_one_and_other_dollars_are_text():
    for title, formula in ((r"$\alpha$", True), (r"$\frac{$", False)):
        with carried(figure(title)) as made:
            assert made.axes[0].title.get_parse_math() is formula


def test_a_suffix_that_is_no_format_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(ConfigError, match=r"'pgn' is no format of a figure; did you mean 'png'"):
        save(figure(), tmp_path / "a.pgn")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        save(figure(), tmp_path / "file" / "a.png")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
