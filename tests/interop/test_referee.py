"""Other fitters fit a workspace too, and who is lower is judged in one likelihood."""

import json

import pytest

from spectrafit.bench.workspaces import make
from spectrafit.cli import main
from spectrafit.interop import referee as judge
from spectrafit.interop.referee import referee

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


def test_pyhf_finds_the_same_minimum_in_both_likelihoods(path, monkeypatch):
    monkeypatch.setattr(judge, "REFEREES", {"pyhf": judge.REFEREES["pyhf"]})
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
        values = judge.REFEREES["pyhf"][1](plain)
        return values | {"mu": values["mu"] + 1.0}

    def broken(plain):
        raise ValueError("no minimum at all")

    monkeypatch.setattr(
        judge,
        "REFEREES",
        {**judge.REFEREES, "early": ("pyhf", early), "broken": ("pyhf", broken), "away": ("no_such_package", broken)},
    )
    monkeypatch.delitem(judge.REFEREES, "nextstat")
    found = referee(path)
    assert found.words.startswith("spectrafit found the lowest minimum: early stopped ")
    assert found.absent == ("away",)
    assert "failed: no minimum at all" in str(found)
    name, values = found.differences()[0]
    assert name == "mu"
    assert values[2] - values[1] == pytest.approx(1.0)


def test_a_lower_minimum_of_others_is_their_win(path, monkeypatch, capsys):
    from spectrafit.interop.bounded import Bounded, fit_within

    def stopped(model):
        found = fit_within(model)
        values = found.best.values.copy()
        values[model.index("mu")] += 1.0
        import dataclasses

        return Bounded(best=dataclasses.replace(found.best, values=values), at_limit=(), notes=())

    monkeypatch.setattr(judge, "fit_within", stopped)
    monkeypatch.setattr(judge, "REFEREES", {"pyhf": judge.REFEREES["pyhf"]})
    with pytest.raises(SystemExit) as left:
        main(["referee", str(path), "--json"])
    assert left.value.code == 1
    assert json.loads(capsys.readouterr().out)["verdict"].startswith("pyhf found the lower minimum, by ")
