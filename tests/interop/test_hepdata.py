"""A result as a HEPData submission: its numbers come back, and HEPData's validator accepts it where it is installed."""

import json
import re
import zipfile

import pytest

from spectrafit.cli import main
from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.impacts import impacts
from spectrafit.interop.hepdata import submission, write_submission
from spectrafit.report.record import record


@pytest.fixture(scope="module")
def found(case):
    moves = impacts(case.model, case.best)
    return record(case.analysis, case.templates, case.model, case.best, case.limit, case.profile, moves)


def documents(text):
    return [json.loads(part) for part in re.split(r"^---\n", text, flags=re.M) if part]


def test_numbers_come_back(found, tmp_path):
    with zipfile.ZipFile(write_submission(tmp_path / "record.zip", found)) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    first, *tables = documents(files["submission.yaml"])
    assert "NOT OF REAL DATA" in first["comment"]
    assert {table["data_file"] for table in tables} == set(files) - {"submission.yaml"}
    content = {table["name"]: json.loads(files[table["data_file"]]) for table in tables}
    values = content["Limit"]["dependent_variables"][0]["values"]
    assert [value["value"] for value in values] == [found["limit"]["value"], *found["limit"]["expected"]["values"]]
    region = content["Region shower"]
    bins = found["regions"][0]
    assert all(len(variable["values"]) == len(bins["data"]) for variable in region["independent_variables"])
    after = region["dependent_variables"][-1]["values"]
    assert [value["value"] for value in after] == bins["after"][-1]["events"]
    errors = {error["label"]: error["symerror"] for error in after[5]["errors"]}
    assert errors["parameters"] == bins["after"][-1]["error"][5]
    edges = bins["axes"][0]["edges"]
    assert region["independent_variables"][0]["values"][0] == {"low": edges[0], "high": edges[1]}
    size = len(found["correlation"]["parameters"])
    assert len(content["Correlations"]["dependent_variables"][0]["values"]) == size**2


def test_the_command_exports_a_result(found, tmp_path, capfd):
    (tmp_path / "result.json").write_text(json.dumps(found))
    words = ["export", str(tmp_path), "--form", "hepdata", "-o"]
    with pytest.raises(SystemExit) as left:
        main([*words, str(tmp_path / "record.zip")])
    assert left.value.code in (0, None)
    assert capfd.readouterr().out.strip() == str(tmp_path / "record.zip")
    with pytest.raises(SystemExit) as left:
        main([*words, str(tmp_path / "record.json")])
    assert left.value.code == 2
    assert "ends in .zip" in capfd.readouterr().err
    with pytest.raises(ConfigError, match="ends in"):
        write_submission(tmp_path / "record.tar", found)


def test_hepdata_accepts_it(found, tmp_path):
    validator = pytest.importorskip("hepdata_validator.full_submission_validator", reason="no hepdata-validator")
    check = validator.FullSubmissionValidator(schema_version="1.1.1")
    assert check.validate(archive=str(write_submission(tmp_path / "record.zip", found))), check.get_messages()
    assert len(submission(found)) > 4
