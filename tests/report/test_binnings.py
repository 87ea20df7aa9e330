import csv
import dataclasses
import io

import numpy as np
import pytest

import spectrafit as sf
from spectrafit.inference.studies.choosing import compare_binnings
from spectrafit.inference.studies.judgement import judge
from spectrafit.report.binnings import (
    binnings_csv,
    binnings_table,
    draw_binnings,
    draw_diagnostics,
    save_drawings,
    truth_table,
    write_csv,
)
from spectrafit.report.figures import look
from spectrafit.templates.truths import Truths
from tests.inference.simulated import simulate
from tests.report.figures.test_diagnostics import axis

# One axis: there is no plane to draw.
LINE = """
samples = "samples.toml"
pot = 1e20
[[regions]]
name = "nd"
axes = [{ observable = "t_reco", edges = [0.2, 0.5, 0.8, 1.2, 2.0, 4.0] }]
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("line")
    simulate(folder, 1, 500, signal=2_000)
    (folder / "fit.toml").write_text(LINE)
    analysis = sf.load(folder / "fit.toml")
    return analysis, compare_binnings(analysis, sf.fine_cells(analysis, fine=4))


def test_the_table_and_the_csv_have_the_same_numbers(compared, tmp_path):
    _, found = compared
    table = binnings_table(found)
    rows = list(csv.DictReader(io.StringIO(binnings_csv(found))))
    assert [row[0] for row in table.rows] == [row["binning"] for row in rows]
    for shown, row, rated in zip(table.rows, rows, found.rows, strict=True):
        assert float(shown[2]) * 1e-9 == pytest.approx(float(row["limit"]), rel=1e-3)
        assert float(row["limit_guarded"]) == rated.guarded
        assert float(row["error_independent_half"]) == rated.halves[1].guarded
    assert "1e-9 mu_B" in table.title
    assert write_csv(tmp_path / "b.csv", found).read_text() == binnings_csv(found)


def test_one_axis_is_drawn_as_lines(compared, tmp_path):
    analysis, found = compared
    with look():
        drawn = [*draw_binnings(found, analysis), *draw_diagnostics(None, found, analysis)]
    assert [one.name for one in drawn] == ["binnings", "nd_information", "nd_simulated"]
    pictures = save_drawings(tmp_path, drawn[:1])
    assert list(pictures) == ["binnings"]
    assert (tmp_path / "binnings.pdf").stat().st_size > 1000
    signal, background = found.simulated(0)
    assert signal.sum() + background.sum() == found.grid.bins.entries.sum()
    # Without systematics the cells' information adds up to that of the grid.
    naive, corrected = found.information(0)
    assert naive.sum() == pytest.approx(judge(found.grid.bins).naive ** -2)
    assert corrected.sum() == pytest.approx(judge(found.grid.bins).guarded ** -2)


def test_the_table_of_truths():
    region = dataclasses.make_dataclass("R", ["name"])("nd")
    one = dataclasses.make_dataclass("T", ["region", "axes"])(region, (axis(),))
    (row,) = truth_table(Truths(regions=(one,), samples=("numu",), notes=())).rows
    assert row[:3] == ("nd", "t_reco", "t")
    assert row[5:] == ("0.00 to 0.75", "0.60 to 0.80", "0.667")
    assert np.isfinite(float(row[3]))
