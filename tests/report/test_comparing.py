"""Results side by side: numbers, keys that differ, and the figure."""

import json

import numpy as np
import pytest
from matplotlib.image import imread

from spectrafit.cli import main
from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.impacts import impacts
from spectrafit.report.comparing import compare
from spectrafit.report.figures.comparison import comparison
from spectrafit.report.record import record


@pytest.fixture(scope="module")
def folders(case, tmp_path_factory):
    place = tmp_path_factory.mktemp("compare")
    moves = impacts(case.model, case.best)
    first = record(case.analysis, case.templates, case.model, case.best, case.limit, case.profile, moves)
    second = json.loads(json.dumps(first))
    second["limit"]["value"] *= 1.2
    second["limit"]["kappa"] *= 1.44
    second["profile"]["delta_2nll"] = [0.7 * value for value in first["profile"]["delta_2nll"]]
    second["provenance"]["configuration"]["regions"][0]["title"] = "Showers"
    second["provenance"]["configuration"]["path"] = "elsewhere.toml"
    for name, content in (("a", first), ("b", second)):
        (place / name).mkdir()
        (place / name / "result.json").write_text(json.dumps(content))
    return place


def test_numbers_and_keys_that_differ(folders, capfd):
    found = compare([folders / "a", folders / "b" / "result.json"])
    numbers = dict(found.numbers())
    assert numbers["limit"][1] == pytest.approx(1.2 * numbers["limit"][0])
    assert numbers["best kappa"][0] == numbers["best kappa"][1]
    ((key, values),) = found.differences()
    assert key == "regions.shower.title"
    assert values[1] == "Showers"
    with pytest.raises(SystemExit) as left:
        main(["compare", str(folders / "a"), str(folders / "b"), "--json"])
    said = json.loads(capfd.readouterr().out)
    assert left.value.code in (0, None)
    assert said == json.loads(json.dumps(found.summary()))
    assert len(list(found.rows())) == len(said["numbers"]) + 1


def test_the_figure_has_every_limit_and_profile(folders):
    found = compare([folders / "a", folders / "b"])
    left, right = comparison(found.names, found.results).axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["a", "b"]
    curves = [line.get_ydata() for line in right.lines if len(line.get_ydata()) > 2]
    for curve, result in zip(curves, found.results, strict=True):
        np.testing.assert_array_equal(curve, result["profile"]["delta_2nll"])
    image = imread(found.draw(folders / "c.png"))
    assert image.shape[1] > 1000


def test_what_cannot_be_compared(folders):
    with pytest.raises(ConfigError, match="two results or more"):
        compare([folders / "a"])
    with pytest.raises(ConfigError, match="named twice"):
        compare([folders / "a", folders / "a" / "result.json"])
    found = compare([folders / "a", folders / "b"])
    found.results[1]["coupling"]["name"] = "charge_radius"
    with pytest.raises(ConfigError, match="no axis in common"):
        found.draw(folders / "d.png")
