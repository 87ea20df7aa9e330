"""Answers beside those of others: published intervals, and minima of other fitters."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spectrafit import bench
from spectrafit.bench.comparing import OURS, minima, peers, tally
from spectrafit.bench.published import CABINETRY, FELDMAN_COUSINS, cabinetry, counting, feldman_cousins
from spectrafit.bench.workspaces import make, two_sided
from spectrafit.cli import main
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.intervals.limits import upper_limit
from spectrafit.interop import referee as judge
from spectrafit.interop.fitters import FITTERS

SCRIPT = Path(__file__).parents[2] / "scripts/pyhf_workspaces.py"
quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")


@pytest.fixture
def pyhf_alone(monkeypatch):
    pytest.importorskip("pyhf")
    monkeypatch.setattr("spectrafit.bench.comparing._MADE", ())
    monkeypatch.setattr("spectrafit.bench.comparing._TWO_SIDED", 0)
    monkeypatch.setattr(judge, "FITTERS", {"pyhf": FITTERS["pyhf"]})


@pytest.mark.parametrize(("case", "ends"), list(FELDMAN_COUSINS.items()))
def test_intervals_are_those_of_the_published_table(case, ends):
    limit = upper_limit(counting(*case), level=0.90, method="feldman-cousins", expected=False)
    # The table was made on a grid of mu in steps of 0.005, and its ends are rounded to 0.01.
    assert (limit.lower_kappa, limit.kappa) == pytest.approx(ends, abs=0.011)


def test_both_ends_of_an_interval_are_rows():
    rows = feldman_cousins(every=10)
    assert [row["case"] for row in rows[2:4]] == ["n = 10, b = 0, 90 %, lower end", "n = 10, b = 0, 90 %, upper end"]
    assert [row["theirs"] for row in rows[2:4]] == [5.50, 16.50]
    assert all(abs(row["ours"] - row["theirs"]) < 0.011 for row in rows)


@quiet
def test_workspaces_of_a_folder_are_compared_and_others_left_alone(tmp_path, pyhf_alone):
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "mine.json").write_text(json.dumps(make(3, 1)))
    (tmp_path / "schema.json").write_text('{"type": "object"}')
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "wrong.json").write_text(json.dumps(make(3, 1) | {"measurements": []}))
    rows = [row for row in peers(workspaces=[tmp_path], quick=True) if "above" in row]
    assert [(row["case"], row["peer"]) for row in rows] == [("mine.json", "pyhf"), ("wrong.json", OURS)]
    assert abs(rows[0]["above"]) < 1e-2
    assert rows[0]["theirs"] == pytest.approx(rows[0]["ours"], abs=0.02)
    assert rows[1]["said"].startswith("refused here: $.measurements")


def test_an_unknown_peer_is_refused_before_any_fit():
    with pytest.raises(ConfigError, match="no peer 'rofit', there are pyhf, nextstat, roofit"):
        peers(fitters=["rofit"])


@quiet
def test_a_file_that_is_named_must_be_a_workspace(tmp_path, pyhf_alone):
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(make(3, 1) | {"measurements": []}))
    with pytest.raises(ConfigError, match="measurements"):
        minima(path)
    path.unlink()
    with pytest.raises(DataError, match="holds no workspace"):
        peers(workspaces=[tmp_path], quick=True)


@quiet
def test_pyhf_itself_says_that_our_minimum_of_two_is_the_lower_one(tmp_path, pyhf_alone):
    path = tmp_path / "two.json"
    spec = two_sided(14)
    path.write_text(json.dumps(spec))
    (row,) = minima(path)
    assert row["above"] > 0.1
    # Ours is the lower one on the whole of the plane.
    ours = judge.referee(path).opinions[0].values
    value = judge.pyhf_likelihood(spec)
    walk = [value({"mu": mu / 10, "shape": pull / 10}) for mu in range(31) for pull in range(-50, 51)]
    assert value(ours) < np.nanmin(walk) < value(ours) + 0.05


def test_the_tally_counts_who_is_lower():
    above = [2.0, 0.5, 5e-4, -5e-7, -2e-6, None]
    rows = [{"peer": "other", "above": each} for each in above] + [{"peer": "Feldman and Cousins 1998"}]
    assert tally(rows) == [
        {
            "peer": "other",
            "workspaces": 6,
            "lower": 2,
            "same": 2,
            "higher": 1,
            "failed": 1,
            "least": 0.5,
            "most": 2.0,
        }
    ]


@quiet
def test_the_command_ends_with_1_if_another_is_lower(monkeypatch, capsys):
    rows = [{"case": "w", "peer": "other", "theirs": 1.0, "ours": 2.0, "above": -1.0, "said": "ours is higher"}]
    monkeypatch.setattr(bench, "peers", lambda **given: rows)
    with pytest.raises(SystemExit) as left:
        main(["bench", "peers"])
    assert left.value.code == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "w; other: theirs / ours 1 / 2; ours is higher"
    assert said[1].startswith("other, 1 workspaces: ours is lower on 0, the same on 0, higher on 1")
    with pytest.raises(SystemExit):
        main(["bench", "peers", "--json"])
    assert json.loads(capsys.readouterr().out)["tally"][0]["higher"] == 1


def test_cabinetry_s_example_is_known_by_its_parameters(tmp_path):
    path = tmp_path / "w.json"
    path.write_text(json.dumps(make(3, 1)))
    with pytest.raises(ConfigError, match="not cabinetry's example: it has no parameter 'Signal_norm'"):
        cabinetry(path)
    assert CABINETRY["Signal_norm"] == pytest.approx(1.69, abs=0.01)


TESTS = """
import pyhf

def counts(signal):
    return pyhf.simplemodels.uncorrelated_background([signal], [50.0], [7.0])

def test_evaluated():
    model = counts(10.0)
    model.logpdf(model.config.suggested_init(), [55.0] + model.config.auxdata)
    model.logpdf(model.config.suggested_init(), [99.0] + model.config.auxdata)

def test_made():
    assert counts(20.0)

def test_of_a_workspace():
    spec = {"channels": counts(30.0).spec["channels"], "version": "1.0.0"}
    spec["observations"] = [{"name": "singlechannel", "data": [66.0]}]
    pyhf.Workspace(spec | {"measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}]})
"""


def test_the_script_collects_what_the_tests_of_a_clone_evaluate(tmp_path):
    pytest.importorskip("pyhf")
    (tmp_path / "clone/tests").mkdir(parents=True)
    (tmp_path / "clone/tests/test_some.py").write_text(TESTS)
    words = [sys.executable, "-W", "ignore", SCRIPT, "clone", "found"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "3 workspaces in found"
    found = {path.name: json.loads(path.read_text()) for path in (tmp_path / "found").iterdir()}
    seen = {name.rsplit("-", 1)[0]: each["observations"][0]["data"][0] for name, each in found.items()}
    drawn = seen.pop("drawn-test_some-test_made")
    assert seen == {"test_some-test_evaluated": 55.0, "test_some-test_of_a_workspace": 66.0}
    assert abs(drawn - 70.0) < 6 * 70**0.5
    assert {len(each["channels"][0]["samples"]) for each in found.values()} == {2}
