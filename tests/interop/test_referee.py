"""Other fitters fit a workspace too, and who is lower is judged in one likelihood."""

import dataclasses
import json
import math
import os
import sys

import pytest

import spectrafit as sf
from spectrafit.bench.workspaces import make
from spectrafit.cli import main
from spectrafit.errors import ConfigError
from spectrafit.interop import referee as judge
from spectrafit.interop import workspace as ws
from spectrafit.interop.bounded import Bounded, fit_within
from spectrafit.interop.fitters import FITTERS, ROOT_PYTHON, plain_json, python_with_root
from spectrafit.interop.referee import referee
from tests.interop.test_pyhf_export import model

pytest.importorskip("pyhf")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("referee") / "w.json"
    path.write_text(json.dumps(make(4, 2)))
    return path


def there():
    return True


def test_pyhf_finds_the_same_minimum_in_both_likelihoods(path, monkeypatch):
    monkeypatch.setattr(judge, "FITTERS", {"pyhf": FITTERS["pyhf"]})
    found = referee(path)
    ours, theirs = found.opinions
    assert abs(theirs.ours) < 1e-3
    # The two likelihoods differ by a constant alone.
    assert theirs.ours == pytest.approx(theirs.pyhf, abs=1e-6)
    assert theirs.values["mu"] == pytest.approx(ours.values["mu"], abs=0.02)
    assert found.words == "pyhf found the same minimum (2NLL within 0.001)"
    assert found.summary()["parameters"]["pyhf"].keys() == ours.values.keys()


def test_a_fitter_that_stops_early_or_fails_is_told(path, monkeypatch):
    def early(plain):
        values = FITTERS["pyhf"][1](plain)
        return values | {"mu": values["mu"] + 1.0}

    def broken(plain):
        raise ValueError("no minimum at all")

    def lost(plain):
        return dict.fromkeys(FITTERS["pyhf"][1](plain), math.nan)

    def far(plain):
        return FITTERS["pyhf"][1](plain) | {"mu": 10.0}

    real = judge._ours
    monkeypatch.setattr(judge, "_ours", lambda model: lambda at: math.inf if at["mu"] == 10.0 else real(model)(at))
    others = {"early": (there, early), "broken": (there, broken), "lost": (there, lost), "far": (there, far)}
    away = {"roofit": (lambda: False, broken)}
    monkeypatch.setattr(judge, "FITTERS", {"pyhf": FITTERS["pyhf"], **others, **away})
    found = referee(path)
    assert found.words.startswith("spectrafit found the lowest minimum: early stopped ")
    assert found.absent == ("roofit",)
    assert "failed: no minimum at all" in str(found)
    assert "= nan, outside its bounds" in str(found)
    assert "failed: 2NLL is not finite where it stopped" in str(found)
    assert ROOT_PYTHON in str(found)
    name, values = found.differences()[0]
    assert name == "mu"
    assert values[2] - values[1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("value", "said"),
    [(1.2, "moved counted[1], which the workspace fixes at 1, to 1.2"), (1.0, "")],
)
def test_a_minimum_that_moves_a_fixed_parameter_is_none(tmp_path, monkeypatch, value, said):
    path = tmp_path / "all.json"
    path.write_text(json.dumps(everything()))

    def mover(plain):
        return FITTERS["pyhf"][1](plain) | {"counted[1]": value}

    monkeypatch.setattr(judge, "FITTERS", {"mover": (there, mover)})
    assert referee(path).opinions[1].failure == (said and f"failed: {said}")


def test_only_the_fitters_named_are_asked(path):
    assert [each.fitter for each in referee(path, fitters=["pyhf"]).opinions] == ["spectrafit", "pyhf"]
    with pytest.raises(ConfigError, match="no fitter 'pihf', there are pyhf"):
        referee(path, fitters=["pihf"])


def test_a_lower_minimum_of_others_is_their_win(path, monkeypatch, capsys):
    def stopped(model):
        found = fit_within(model)
        values = found.best.values.copy()
        values[model.index("mu")] += 1.0
        return Bounded(best=dataclasses.replace(found.best, values=values), at_limit=(), notes=())

    monkeypatch.setattr(judge, "fit_within", stopped)
    monkeypatch.setattr(judge, "FITTERS", {"pyhf": FITTERS["pyhf"]})
    with pytest.raises(SystemExit) as left:
        main(["referee", str(path), "--json"])
    assert left.value.code == 1
    assert json.loads(capsys.readouterr().out)["verdict"].startswith("pyhf found the lower minimum, by ")


def test_a_workspace_that_pyhf_refuses_is_still_judged_by_ours(path, monkeypatch):
    def refuse(plain):
        raise ValueError("not a workspace of mine")

    monkeypatch.setattr(judge, "pyhf_likelihood", refuse)
    monkeypatch.setattr(judge, "FITTERS", {"pyhf": FITTERS["pyhf"], "same": FITTERS["pyhf"]})
    rows = referee(path).rows()
    assert [row["two_nll_above_ours_in_pyhf"] for row in rows] == [None] * 3
    assert abs(rows[2]["two_nll_above_ours"]) < 1e-3


def everything():
    """Return a workspace with each type of modifier, a signal that interferes, and settings of the measurement."""
    shapes = {"lo_data": [48.0, 30.0, 9.0], "hi_data": [55.0, 29.0, 13.0]}
    background = [
        {"name": "lumi", "type": "lumi", "data": None},
        {"name": "scale [GeV]", "type": "histosys", "data": shapes},
        {"name": "norm", "type": "normsys", "data": {"lo": 0.9, "hi": 1.15}},
        {"name": "mc", "type": "staterror", "data": [3.0, 2.0, 0.0]},
    ]
    signal = [{"name": "mu", "type": "normfactor", "data": None}, {"name": "lumi", "type": "lumi", "data": None}]
    interference = [{"name": "mu", "type": "normfactor", "data": None}]
    free = [
        {"name": "counted", "type": "shapesys", "data": [4.0, 0.0, 1.0]},
        {"name": "norm", "type": "normsys", "data": {"lo": 0.8, "hi": 1.1}},
    ]
    control = [
        {"name": "mc", "type": "staterror", "data": [5.0]},
        {"name": "lumi", "type": "lumi", "data": None},
        {"name": "loose", "type": "shapefactor", "data": None},
    ]
    return {
        "channels": [
            {
                "name": "near",
                "samples": [
                    {"name": "background", "data": [50.0, 30.0, 11.0], "modifiers": background},
                    {"name": "signal", "data": [8.0, 12.0, 3.0], "modifiers": signal},
                    {"name": "interference", "data": [-1.0, 0.5, 0.0], "modifiers": interference},
                    {"name": "counted", "data": [20.0, 10.0, 5.0], "modifiers": free},
                ],
            },
            {"name": "far", "samples": [{"name": "background", "data": [100.0], "modifiers": control}]},
        ],
        "observations": [{"name": "near", "data": [85.0, 48.0, 22.0]}, {"name": "far", "data": [112.0]}],
        "measurements": [
            {
                "name": "all",
                "config": {
                    "poi": "mu",
                    "parameters": [
                        {"name": "lumi", "auxdata": [1.0], "sigmas": [0.03], "inits": [1.0], "bounds": [[0.5, 1.5]]},
                        {"name": "mu", "inits": [0.5], "bounds": [[0.0, 5.0]]},
                    ],
                },
            }
        ],
        "version": "1.0.0",
    }


@pytest.mark.skipif(not python_with_root(), reason=f"ROOT is not installed, and {ROOT_PYTHON} names none")
def test_roofit_finds_our_minimum_with_every_type_of_modifier(tmp_path, monkeypatch):
    path = tmp_path / "all.json"
    path.write_text(json.dumps(everything()))
    monkeypatch.setattr(judge, "FITTERS", {name: FITTERS[name] for name in ("pyhf", "roofit")})
    found = referee(path)
    ours, _, theirs = found.opinions
    assert theirs.failure == ""
    assert abs(theirs.ours) < 1e-4
    assert theirs.pyhf == pytest.approx(theirs.ours, abs=1e-6)
    for name in ("mu", "norm", "scale [GeV]", "counted[0]", "mc[1]"):
        assert theirs.values[name] == pytest.approx(ours.values[name], abs=0.05)


@pytest.mark.skipif(os.name != "posix", reason="the program that stands for ROOT is a shell script")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -SEGV $$", "failed: ROOT was ended by SIGSEGV"),
        ("echo 'a stack' >&2; echo 'void f() => error: no such thing' >&2; exit 1", "failed: error: no such thing"),
        ("exit 3", "failed: ROOT ended with exit code 3"),
    ],
)
def test_a_crash_of_root_is_one_line(path, tmp_path, monkeypatch, script, said):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv(ROOT_PYTHON, str(program))
    monkeypatch.setattr(judge, "FITTERS", {"roofit": FITTERS["roofit"]})
    found = referee(path)
    assert found.opinions[1].failure == said
    assert str(found).count("\n") == 3


def test_a_model_is_exported_and_its_notes_are_kept(monkeypatch):
    monkeypatch.setattr(judge, "FITTERS", {"pyhf": FITTERS["pyhf"]})
    # Its squares of kappa are fixed at the reference, which a workspace cannot say otherwise.
    found = sf.referee(model(powers=2))
    assert any("cannot float together" in note for note in found.notes)
    assert abs(found.opinions[1].pyhf) < 1e-3


def test_the_python_with_root_may_be_found_from_here_or_on_the_path(tmp_path, monkeypatch):
    program = tmp_path / "bin/mine"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(program.parent))
    for name in ("bin/mine", "mine", str(program)):
        monkeypatch.setenv(ROOT_PYTHON, name)
        assert python_with_root() == str(program)


def test_the_python_with_root_that_is_none_is_refused(path, monkeypatch, capsys):
    monkeypatch.setenv(ROOT_PYTHON, "/nowhere/python")
    with pytest.raises(SystemExit) as left:
        main(["referee", str(path)])
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config, samples: config.append({"name": "counted", "factors": [9.0] * 3}), "constraint of 'counted'"),
        (lambda config, samples: samples[1]["modifiers"].append(mc("other")), "'near' has several"),
    ],
)
def test_what_hs3_cannot_say_is_refused_before_root_starts(tmp_path, monkeypatch, change, said):
    spec = everything()
    change(spec["measurements"][0]["config"]["parameters"], spec["channels"][0]["samples"])
    path = tmp_path / "w.json"
    path.write_text(json.dumps(spec))
    monkeypatch.setenv(ROOT_PYTHON, sys.executable)
    with pytest.raises(ConfigError, match=said):
        FITTERS["roofit"][1](plain_json(ws.load(path), 0))


def mc(name):
    return {"name": name, "type": "staterror", "data": [1.0, 1.0, 1.0]}
