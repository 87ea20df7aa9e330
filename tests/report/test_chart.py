"""The chart holds every limit once, ours beside the published ones, and its files say the same numbers."""

import csv
import json
import math
import xml.etree.ElementTree as ET

import pytest

import spectrafit as sf
from spectrafit.cli import main
from spectrafit.errors import ConfigError, DataError
from spectrafit.report.literature import published_limits


def run(*words):
    """Give a command that must succeed."""
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    assert not left.value.code


def result(**changes):
    """Return the part of a result.json that a chart reads."""
    content = {
        "title": "Some analysis",
        "experiment": "LSND",
        "coupling": {"name": "magnetic_moment", "carriers": [14, -14]},
        "limit": {
            "level": 0.9,
            "sides": "one",
            "method": "profile",
            "statistic": "q~ = 2NLL & more",
            "value": 7.1e-10,
            "lower": None,
            "empty": False,
            "expected": {"values": [3e-10, 5e-10, 7e-10, 9e-10, 1.1e-9], "how": "toys"},
        },
        "data": {"unblinded": True},
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = content
        for parent in parents:
            place = place[parent]
        place[last] = value
    return content


@pytest.fixture
def ours(tmp_path):
    def write(name="lsnd", **changes):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "result.json").write_text(json.dumps(result(**changes)), encoding="utf-8")
        return folder

    return write


def test_every_published_limit_stands_once_by_flavour_and_strength():
    found = sf.chart(sky=False)
    shown = [limit for line in found.lines for limit in line.published]
    assert sorted(map(repr, shown)) == sorted(map(repr, published_limits()))
    flavours = [line.flavour for line in found.lines]
    assert list(dict.fromkeys(flavours)) == sorted(set(flavours), key=flavours.index)
    for flavour in set(flavours):
        strengths = [line.strength for line in found.lines if line.flavour == flavour]
        assert strengths == sorted(strengths, reverse=True)


def test_a_result_joins_its_experiment_and_its_flavour(ours):
    found = sf.chart(results=[ours(), ours("nue", coupling__carriers=[12]), ours("other", experiment="")], sky=False)
    places = {(line.flavour, line.name): line for line in found.lines}
    assert [limit.value for limit in places["numu", "LSND"].ours] == [7.1e-10]
    assert places["numu", "LSND"].best.value == 6.8e-10
    assert len(places["nue", "LSND"].ours) == 1
    alone = places["numu", "Some analysis"]
    assert alone.best is None
    assert alone.ours[0].expected == (5e-10, 7e-10, 9e-10)


def test_carriers_of_several_flavours_are_effective(ours):
    found = sf.chart(results=[ours(coupling__carriers=[12, 14, 16])], literature=False, sky=False)
    assert [line.flavour for line in found.lines] == ["effective"]


def test_asimov_data_are_a_projection(ours):
    found = sf.chart(results=[ours(data__unblinded=False)], literature=False, sky=False)
    assert found.lines[0].ours[0].kind == "projected"


def test_a_real_result_is_charted_with_its_limit(walk, tmp_path):
    run("fit", walk.folder / "fits/nova_counting.toml", "--unblind", "--no-figures", "-o", tmp_path / "nova")
    said = json.loads((tmp_path / "nova" / "result.json").read_text(encoding="utf-8"))
    found = sf.chart(results=[tmp_path / "nova"])
    line = next(line for line in found.lines if (line.flavour, line.name) == ("numu", "NOvA"))
    assert line.best.value == 1.58e-9
    assert line.ours[0].value == said["limit"]["value"]
    assert line.ours[0].kind == "reinterpreted"


def test_files_say_the_same_numbers(tmp_path, ours):
    found = sf.chart(results=[ours(limit__sides="two", limit__lower=2e-10)])
    for name in ("chart.csv", "chart.json", "chart.tex", "chart.svg"):
        assert found.save(tmp_path / name).stat().st_size > 0
    rows = list(csv.DictReader((tmp_path / "chart.csv").read_text(encoding="utf-8").splitlines()))
    summary = json.loads((tmp_path / "chart.json").read_text(encoding="utf-8"))
    assert len(rows) == len(summary["limits"]) == sum(len(line.published) + len(line.ours) for line in found.lines)
    mine = next(row for row in rows if row["by"] == "spectrafit")
    assert (float(mine["interval_low"]), float(mine["limit"])) == (2e-10, 7.1e-10)
    # Every published number of the CSV is in the table of the publication it names.
    for row in rows:
        if row["by"] == "published" and row["flavour"] != "sky" and row["limit"]:
            assert any(
                limit.experiment == row["experiment"] and math.isclose(limit.value or 0.0, float(row["limit"]))
                for limit in published_limits()
            )
    latex = (tmp_path / "chart.tex").read_text(encoding="utf-8")
    assert latex.count(r"\\") == len(rows) + 1 + len({row["flavour"] for row in rows})
    assert r"$2\times 10^{-10}$ to $7.1\times 10^{-10}$" in latex
    assert latex.replace(r"\_", "").count("_") == latex.count(r"$\mu_\mathrm{B}$")
    ET.parse(tmp_path / "chart.svg")


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"coupling__name": "charge_radius"}, ConfigError, "takes results on magnetic_moment alone"),
        ({"limit__empty": True}, ConfigError, "empty or has no end"),
        ({"limit__value": None}, ConfigError, "empty or has no end"),
        ({"limit": {}}, DataError, "is no result"),
    ],
)
def test_results_that_are_none_are_refused(ours, changes, error, said):
    with pytest.raises(error, match=said):
        sf.chart(results=[ours(**changes)])


def test_nothing_to_show_is_said():
    with pytest.raises(ConfigError, match="no limit"):
        sf.chart(literature=False, sky=False)
