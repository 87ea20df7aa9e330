"""What a folder of results holds, and which results may take each other's place."""

import json
import os

import msgspec
import pytest

from spectrafit.cli import main
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.fitting.impacts import impacts
from spectrafit.report.keeping import default_folder, kind_of, refuse_result
from spectrafit.report.record import record
from spectrafit.report.status import status, status_table


@pytest.fixture
def found(case):
    moves = impacts(case.model, case.best)
    return record(case.analysis, case.templates, case.model, case.best, case.limit, case.profile, moves)


def put(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps(content))
    return folder


def test_a_folder_says_what_it_holds(found, tmp_path, capfd):
    put(tmp_path / "a", found)
    (tmp_path / "a" / "templates.root").write_bytes(b"x")
    put(tmp_path / "b", {"title": "older"})
    rows = status(tmp_path)
    assert [row["folder"] for row in rows] == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert rows[0]["limit"] == found["limit"]["value"]
    assert (rows[0]["kind"], rows[0]["templates"], rows[0]["page"]) == ("Asimov", True, False)
    assert "run spectrafit fit again" in rows[1]["problem"]
    words = dict(status_table(rows[:1]).rows)
    assert found["provenance"]["configuration_digest"][:12] in words["analysis"]
    with pytest.raises(SystemExit):
        main(["status", str(tmp_path / "a"), "--json"])
    assert json.loads(capfd.readouterr().out)["results"][0]["title"] == found["title"]


def test_a_result_that_is_not_there_is_a_mistake(found, tmp_path):
    for place, word in (
        (tmp_path / "nowhere", "No such file"),
        (put(tmp_path / "b", {"title": "older"}), "run spectrafit fit"),
    ):
        with pytest.raises(DataError, match=word):
            status(place)
    with pytest.raises(SystemExit) as left:
        main(["status", str(tmp_path / "nowhere")])
    assert left.value.code == 2


def test_inputs_that_are_newer_or_gone_are_named(found, tmp_path):
    text = tmp_path / "fit.toml"
    text.write_text("")
    found["provenance"]["configuration"]["path"] = str(text)
    found["provenance"]["configuration"]["sample_sets"] = []
    found["provenance"]["made"] = "2020-01-01T00:00:00+00:00"
    found["provenance"]["inputs"] = [
        {"files": [{"path": str(tmp_path / "gone.root"), "size": 1, "uuid": "u", "changed": 1}]},
        {"files": [{"path": str(tmp_path / "there.root"), "size": 1, "uuid": "u", "changed": 1}]},
    ]
    (tmp_path / "there.root").write_bytes(b"another size")
    (row,) = status(put(tmp_path / "a", found))
    assert row["newer"] == [str(tmp_path / "there.root"), str(text)]
    assert row["missing"] == [str(tmp_path / "gone.root")]
    os.utime(text, (0, 0))
    assert status(tmp_path / "a")[0]["newer"] == [str(tmp_path / "there.root")]


def test_results_take_the_place_of_their_own_kind(case, found, tmp_path):
    folder = put(tmp_path / "a", found)
    assert kind_of(found) == "Asimov"
    assert refuse_result(tmp_path / "new", case.analysis, "Asimov") == ""
    assert refuse_result(folder, case.analysis, "Asimov") == ""
    assert refuse_result(folder, case.analysis, "fake") == ""
    with pytest.raises(ConfigError, match="holds a blinded result, and this is an unblinded result"):
        refuse_result(folder, case.analysis, "unblinded")
    changed = msgspec.structs.replace(case.analysis, pot=1e20)
    assert "had other settings" in refuse_result(folder, changed, "Asimov")
    other = msgspec.structs.replace(changed, path="another.toml")
    with pytest.raises(ConfigError, match="result of another analysis"):
        refuse_result(folder, other, "Asimov")
    put(folder, {**found, "data": {**found["data"], "unblinded": True}})
    assert refuse_result(folder, case.analysis, "unblinded") == ""
    with pytest.raises(ConfigError, match="holds an unblinded result"):
        refuse_result(folder, case.analysis, "Asimov")
    (folder / "result.json").write_text("{}")
    with pytest.raises(ConfigError, match="is no result"):
        refuse_result(folder, case.analysis, "Asimov")
    assert default_folder("nd", "unblinded").as_posix() == "results/nd-unblinded"
    assert default_folder("nd", "fake") == default_folder("nd", "Asimov")
