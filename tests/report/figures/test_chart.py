"""The drawn chart names every line, and every limit within the frame."""

import json
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest

import spectrafit as sf
from spectrafit.report.figures.chart import draw_chart
from tests.report.test_chart import result

TABLE = """
[[limits]]
experiment = "One"
year = 2001
flavour = "numu"
kind = "measured"
reference = "r"
value = 6.8e-10
level = 0.9

[[limits]]
experiment = "Two"
year = 2020
flavour = "effective"
kind = "measured"
reference = "r"
interval = [1.4e-11, 2.9e-11]
"""


@pytest.fixture
def drawn(tmp_path):
    """Draw the table to SVG whose text is kept as text."""
    table = tmp_path / "own.toml"
    table.write_text(TABLE, encoding="utf-8")
    found = sf.chart([table], literature=False, sky=False)
    with mpl.rc_context({"svg.fonttype": "none"}):
        draw_chart(tmp_path / "chart.svg", found)
    return {"".join(element.itertext()).strip() for element in ET.parse(tmp_path / "chart.svg").iter() if element.text}


def test_lines_flavours_and_numbers_are_named(drawn):
    assert {"One 2001", "Two 2020", "muon neutrino", "several flavours (the Sun)"} <= drawn
    assert {"6.8e-10", "(1.4–2.9)e-11", "90 %"} <= drawn
    assert "measured" in drawn
    assert "by others from the data" not in drawn
    assert "ours, level" not in drawn


def test_of_several_of_ours_the_number_is_that_of_data(tmp_path):
    for name, changes in (
        ("data", {}),
        ("stronger", {"data__unblinded": False, "limit__value": 3.3e-10}),
        ("weaker", {"data__unblinded": False, "limit__value": 9.9e-10}),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(json.dumps(result(**changes)), encoding="utf-8")
    found = sf.chart(results=[tmp_path / name for name in ("stronger", "data", "weaker")], sky=False)
    with mpl.rc_context({"svg.fonttype": "none"}):
        draw_chart(tmp_path / "chart.svg", found)
    words = {"".join(element.itertext()).strip() for element in ET.parse(tmp_path / "chart.svg").iter() if element.text}
    assert "7.1e-10" in words
    assert not {"3.3e-10", "9.9e-10"} & words
    assert {"ours, data", "ours, expected", "68 % expected"} <= words
