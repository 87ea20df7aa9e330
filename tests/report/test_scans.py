"""Scans as CSV, JSON and figures: the numbers of the table, and something drawn at every point."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from spectrafit.errors import ConfigError
from spectrafit.inference.studies.breakdown import breakdown
from spectrafit.inference.studies.expected import Expected
from spectrafit.inference.studies.points import LimitRule, Point, expected_limits
from spectrafit.report.breakdown import write_breakdown
from spectrafit.report.saved_tables import check_study_name
from spectrafit.report.scans import draw_scan, write_scan
from tests.inference.models import counting


@pytest.fixture(scope="module")
def limits():
    points = [Point(source=counting(100.0, 100.0, 0.1), exposure=x, name="x") for x in (1.0, 2.0, 4.0, 8.0)]
    return expected_limits(points, LimitRule())


def study(limits, keys, values, variants=("a",)):
    return Expected(keys=keys, values=values, variants=variants, limits=tuple(limits), failures=("",) * len(limits))


STUDIES = {
    "curve": (("pot",), ((1.0, 2.0, 4.0, 8.0),), ("a",)),
    "curves": (("regions.nd.axes.t_reco.low",), ((1.0, 2.0),), ("a", "systematics.nc.sigma=0.3")),
    "plane": (("systematics.flux.sigma", "priors.nc"), ((0.1, 0.3), (1.0, 2.0)), ("a",)),
    "side by side": ((), (), ("a", "b=1; c=2; d=3", "c", "d")),
    "one value": (("pot", "priors"), ((1.0,), (0.0, 1.0, 2.0, 3.0)), ("a",)),
}


@pytest.mark.parametrize("name", STUDIES)
def test_every_kind_of_scan_is_drawn(tmp_path: Path, limits, name: str) -> None:
    target = draw_scan(tmp_path / "scan.png", study(limits, *STUDIES[name]), title="An analysis")
    image = imread(target)[..., :3]
    assert image.std() > 0.05
    assert np.unique(image.reshape(-1, 3), axis=0).shape[0] > 50


def test_the_ends_of_an_axis_are_drawn_with_their_unit(tmp_path: Path, limits) -> None:
    found = dataclasses.replace(study(limits[:2], *STUDIES["curves"][:2]), units=("keV",))
    text = draw_scan(tmp_path / "scan.svg", found).read_text()
    assert "[keV]" in text
    assert "[GeV]" not in text


def test_files_hold_the_numbers_of_the_table(tmp_path: Path, limits) -> None:
    found = study(limits, *STUDIES["plane"])
    with write_scan(tmp_path / "scan.csv", found).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["median"]) for row in rows] == [limit.expected.median for limit in limits]
    assert [(float(row["systematics.flux.sigma"]), float(row["priors.nc"])) for row in rows] == [
        (0.1, 1.0),
        (0.1, 2.0),
        (0.3, 1.0),
        (0.3, 2.0),
    ]
    said = json.loads(write_scan(tmp_path / "scan.json", found).read_text())
    assert [point["plus_2_sigma"] for point in said["points"]] == [limit.expected.values[4] for limit in limits]
    assert said["over"] == {"systematics.flux.sigma": [0.1, 0.3], "priors.nc": [1.0, 2.0]}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scan.csv", "scan.json"]


def test_a_format_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"scan.jsn: 'jsn' is no format of a study; did you mean 'json'"):
        check_study_name(Path("scan.jsn"))


def test_a_breakdown_is_drawn_and_kept(tmp_path: Path) -> None:
    found = breakdown(counting(100.0, 100.0, 0.1))
    image = imread(write_breakdown(tmp_path / "b.png", found, title="An analysis"))[..., :3]
    assert np.unique(image.reshape(-1, 3), axis=0).shape[0] > 50
    with write_breakdown(tmp_path / "b.csv", found).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["what"] for row in rows] == ["all uncertainties", "frozen", "alone", "statistics only"]
    assert float(rows[0]["median"]) == found.whole.expected.median
    assert json.loads(write_breakdown(tmp_path / "b.json", found).read_text())["limits"] == found.rows()
