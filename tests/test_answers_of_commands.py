"""Every command that answers with numbers gives them as text, as JSON alone on stdout, and to files, whole or not."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import spectrafit as sf
from spectrafit.cli import main
from spectrafit.cli.answers import Answer, about, checked_files, give
from spectrafit.config import digest
from spectrafit.errors import ConfigError, DataError
from spectrafit.report.inventories import inventory_rows
from spectrafit.report.limits import limit_rows
from tests.events.ntuples import native
from tests.inference.conftest import FIT, SAMPLES
from tests.test_bad_input import write_tree

SAVED = ("--templates", "built.npz")
# The arguments of each command, and where in its JSON the rows of its CSV are.
COMMANDS = {
    "limit": (("fit.toml", *SAVED, "--method", "profile", "--method", "cls"), "limits"),
    "sensitivity": (("fit.toml", *SAVED, "--exposure", "1", "--systematics", "1"), "points"),
    "scan": (("fit.toml", *SAVED, "--over", "pot=1e20,2e20"), "points"),
    "breakdown": (("fit.toml", *SAVED, "--group", "group"), "limits"),
    "coverage": (
        ("fit.toml", *SAVED, "--experiments", "4", "--kappa", "0", "--method", "profile", "--executor", "serial"),
        "points",
    ),
    "contour": (("fit.toml", *SAVED, "--y", "scale", "--points", "9"), None),
    "xsec": (("--mu", "1e-9", "--t", "0.5"), None),
    "moment": (("1e-10", "2e-10", "3e-10"), "rows"),
    "inspect": (("numu.root", "nc.root"), "files"),
    "check": (("fit.toml",), "inputs"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("answers")
    write_tree(place / "numu.root", native(1000))
    write_tree(place / "nc.root", native(500))
    (place / "set.toml").write_text(SAMPLES)
    (place / "fit.toml").write_text(FIT)
    sf.build(sf.load(place / "fit.toml")).save(place / "built.npz")
    return place


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    monkeypatch.chdir(folder)

    def run(*words: str, code: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(words))
        said = capfd.readouterr()
        assert (left.value.code or 0) == code, said
        return said.out, said.err

    return run


@pytest.mark.parametrize("name", COMMANDS)
def test_an_answer_is_the_same_on_stdout_and_in_files(run, folder: Path, name: str) -> None:
    words, key = COMMANDS[name]
    out, err = run(name, *words, "--json", "-o", f"{name}.json", "-o", f"{name}.csv")
    said = json.loads(out, parse_constant=lambda text: pytest.fail(f"{text} is no JSON"))
    assert json.loads((folder / f"{name}.json").read_text()) == said
    assert [f"{name}.json", f"{name}.csv"] == err.splitlines()[-2:]
    with (folder / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    if key is not None:
        assert len(rows) == len(said[key])
        for row, item in zip(rows, said[key], strict=True):
            shared = [column for column in row if column in item and isinstance(item[column], float)]
            assert all(float(row[column]) == item[column] for column in shared)


@pytest.mark.parametrize("name", COMMANDS)
def test_another_suffix_is_refused_before_the_work(run, folder: Path, name: str) -> None:
    before = sorted(folder.iterdir())
    out, err = run(name, *COMMANDS[name][0], "-o", "answer.cvs", code=2)
    assert out == ""
    assert err.count("\n") == 1
    assert "did you mean 'csv'" in err
    assert sorted(folder.iterdir()) == before


def test_an_input_is_no_place_for_an_answer(run, folder: Path) -> None:
    (folder / "input.csv").hardlink_to(folder / "numu.root")
    assert "would be overwritten" in run("inspect", "numu.root", "-o", "input.csv", code=2)[1]
    assert "would be overwritten" in run("check", "fit.toml", "-o", "input.csv", code=2)[1]


def test_what_a_file_refuses_is_in_the_json(run) -> None:
    out, err = run("inspect", "numu.root", "set.toml", "--json", code=2)
    found = json.loads(out)
    assert [one["nu_e"] for one in found["files"]] == [1000]
    assert found["files"][0]["start"].startswith("[[samples]]")
    assert list(found["refused"]) == ["set.toml"]
    assert err.startswith("error: ")


def test_numbers_that_are_not_finite_are_null_and_rows_may_lack_keys(tmp_path, capsys) -> None:
    rows = [{"a": np.float64(np.nan), "b": 1}, {"b": 2, "c": "x"}]
    answer = Answer(text=lambda: "words", summary=lambda: {"rows": rows}, rows=lambda: rows, notes=["beware"])
    give(answer, json=True, files=checked_files([tmp_path / "x.csv"]))
    said = capsys.readouterr()
    assert json.loads(said.out) == {"rows": [{"a": None, "b": 1}, {"b": 2, "c": "x"}]}
    assert said.err.splitlines()[0] == "note: beware"
    assert (tmp_path / "x.csv").read_text() == "a,b,c\n,1,\n,2,x\n"
    give(answer, json=False, files=())
    assert capsys.readouterr().out == "words\nnote: beware\n"


def test_a_file_is_written_whole_or_not_at_all(tmp_path) -> None:
    def broken():
        yield {"a": 1}
        raise DataError("lost on the way")

    (tmp_path / "x.csv").write_text("earlier")
    answer = Answer(text=str, summary=dict, rows=broken)
    with pytest.raises(DataError, match="lost"):
        give(answer, json=False, files=[tmp_path / "x.csv"])
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]
    assert (tmp_path / "x.csv").read_text() == "earlier"
    with pytest.raises(ConfigError, match=r"'png' is no format of this answer; needed is csv or json"):
        checked_files([tmp_path / "x.png"])


def test_the_numbers_are_those_of_the_verbs(folder: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    analysis = sf.load("fit.toml")
    assert about(analysis)["configuration_digest"] == digest(analysis)
    limit = sf.limit(sf.assemble(analysis, sf.Templates.load("built.npz", analysis=analysis)))
    (row,) = limit_rows([limit])
    assert (row["limit"], row["median"], row["unit"]) == (limit.value, limit.expected.median, "mu_B")
    assert [row["sample"] for row in inventory_rows(analysis)] == ["numu", "nc"]


def test_a_contour_has_the_range_that_is_asked_for(run) -> None:
    words = ("contour", "fit.toml", *SAVED, "--y", "scale", "--points", "5", "--json")
    found = json.loads(run(*words, "--range", "kappa=0:2", "--range", "scale=-1:1")[0])
    assert found["kappa"] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert found["scale"] == [-1.0, -0.5, 0.0, 0.5, 1.0]
    # Asimov data: 2NLL is least at the truth, kappa = 0 and the nominal scale.
    rises = np.array(found["delta_2nll"])
    assert rises[0, 2] == pytest.approx(0.0, abs=1e-9)
    assert (np.delete(rises.ravel(), 2) > 1e-6).all()
    for text, said in (("kapa=0:1", "names neither"), ("kappa=1:0", "LOW below HIGH"), ("kappa=0", "LOW below HIGH")):
        assert said in run(*words, "--range", text, code=2)[1]
