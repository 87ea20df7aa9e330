"""A first analysis of ntuples with foreign names: what is proposed is what made the files, and it is fitted."""

import json
import tomllib
from pathlib import Path

import awkward as ak
import jsonschema
import numpy as np
import pytest
import uproot

import spectrafit as sf
from spectrafit import cli
from spectrafit.config import Analysis, SampleSet, schema
from spectrafit.errors import ConfigError, DataError
from spectrafit.start.new import new
from tests.events.ntuples import M_E, native, truth

UNITS = {"GeV": 1.0, "MeV": 1e3, "rad": 1.0, "deg": 180 / np.pi, "mrad": 1e3}


def foreign(n: int, seed: int, *, energy: str = "MeV", angle: str = "deg") -> dict[str, np.ndarray]:
    """Return events under names of nobody's: total energy of the electron, units of one's own, universes, a score."""
    events = native(n, seed)
    rng = np.random.default_rng(seed)
    e, a = UNITS[energy], UNITS[angle]
    return {
        "nu_pdg": events["pdg"],
        "evt": np.arange(n, dtype=np.int32),
        "mc_enu": (events["e_nu"] * e),
        "mc_E": ((events["t"] + M_E) * e),
        "mc_theta": (events["theta"] * a),
        "shw_T": (events["t_reco"] * e),
        "shw_theta": (events["theta_reco"] * a),
        "wgt": events["weight"],
        "bdt": rng.uniform(0, 1, n).astype(np.float32),
        "ppfx": rng.normal(1, 0.1, (n, 25)),
    }


def write(path: Path, columns: dict, *, pot: float | None = 1e20, tree: str = "ana/nue") -> None:
    path.parent.mkdir(exist_ok=True)
    with uproot.recreate(path) as file:
        file.mktree(tree, {name: (values.dtype, values.shape[1:]) for name, values in columns.items()})
        file[tree].extend(columns)
        if pot is not None:
            file["meta"] = {"run": np.array([1, 2], np.int32), "pot_good": np.array([0.4 * pot, 0.6 * pot])}


def background(n: int, seed: int) -> dict[str, np.ndarray]:
    columns = foreign(n, seed)
    rng = np.random.default_rng(seed)
    return columns | {"mc_theta": rng.uniform(1, 20, n), "nu_pdg": np.full(n, 14, np.int32)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    for job in (0, 1):
        write(folder / f"ntuples/run_{job}.root", foreign(4000, job))
    write(folder / "ntuples/bkg.root", background(2000, 7))
    data = {name: values[:300] for name, values in foreign(4000, 9).items() if name.startswith(("shw", "bdt"))}
    write(folder / "ntuples/beam.root", data, pot=None)
    found = new(folder / "mine", [str(folder / "ntuples/*.root")])
    return folder / "mine", found


def test_roles_columns_and_units_are_those_that_the_files_were_made_with(made):
    folder, _ = made
    said = tomllib.loads((folder / "beam.toml").read_text())
    samples = {sample["name"]: sample for sample in said["samples"]}
    assert {name: sample["role"] for name, sample in samples.items()} == {
        "run": "signal",
        "bkg": "background",
        "beam": "data",
    }
    run = samples["run"]
    assert run["files"] == "../ntuples/run_*.root"
    assert run["tree"] == "ana/nue"
    assert run["pot"] == {"branch": "pot_good", "tree": "meta"}
    assert run["columns"] == {
        "pdg": "nu_pdg",
        "e_nu": {"branch": "mc_enu", "unit": "MeV"},
        "t": {"expression": "mc_E - 1000*m_e", "unit": "MeV"},
        "theta": {"branch": "mc_theta", "unit": "deg"},
        "t_reco": {"branch": "shw_T", "unit": "MeV"},
        "theta_reco": {"branch": "shw_theta", "unit": "deg"},
        "weight": "wgt",
    }
    for name in ("bkg", "beam"):
        for key in ("t_reco", "theta_reco"):
            assert samples[name]["columns"][key] == run["columns"][key]
    assert "pdg" not in samples["bkg"]["columns"]
    assert set(samples["beam"]["columns"]) == {"t_reco", "theta_reco"}


def test_what_is_written_passes_check_and_is_valid_for_an_editor(made, capsys):
    folder, found = made
    assert found.refused == ""
    with pytest.raises(SystemExit) as left:
        cli.main(["check", str(found.fit)])
    assert not left.value.code
    for name, kind in (("beam.toml", SampleSet), ("fit.toml", Analysis)):
        text = (folder / name).read_text()
        jsonschema.validate(tomllib.loads(text), schema(kind))
        editors = folder / text.splitlines()[0].removeprefix("#:schema ")
        jsonschema.Draft202012Validator.check_schema(json.loads(editors.read_text()))
    fit = (folder / "fit.toml").read_text()
    assert '# cut = "bdt > ..."' in fit
    (universes,) = tomllib.loads(fit)["systematics"]
    assert (universes["kind"], universes["branch"], universes["samples"]) == ("universes", "ppfx", ["bkg", "run"])
    assert [text for text in found.missing if "fit.toml: pot" in text]


def test_the_proposal_is_fitted_and_its_events_are_those_of_the_files(made):
    _, found = made
    analysis = sf.load(found.fit, overrides=["pot=2e20"])
    templates = sf.build(analysis)
    model = sf.assemble(analysis, templates)
    assert sf.fit(model).valid
    axes = tomllib.loads(found.fit.read_text())["regions"][0]["axes"]
    assert [axis["observable"] for axis in axes] == ["t_reco", "t_theta2_reco"]
    events = [native(4000, job) for job in (0, 1)]
    t, theta, weight = (np.concatenate([each[name] for each in events]) for name in ("t_reco", "theta_reco", "weight"))
    expected, *_ = np.histogram2d(t, t * theta**2, [axis["edges"] for axis in axes], weights=weight)
    run = list(templates.samples).index("run")
    filled = templates.counts[run, 0, 0]
    np.testing.assert_allclose(filled.sum(), expected.sum(), rtol=1e-3)
    assert sum(i["pot"] for i in templates.inventories if i["sample"] == "run") == pytest.approx(2e20)


@pytest.mark.parametrize(("energy", "angle"), [("GeV", "rad"), ("MeV", "rad"), ("GeV", "mrad"), ("GeV", "deg")])
def test_units_are_found_by_the_kinematics(tmp_path, energy, angle):
    columns = foreign(1000, 3, energy=energy, angle=angle)
    write(tmp_path / "x.root", columns)
    found = new(tmp_path / "mine", [str(tmp_path / "x.root")])
    said = tomllib.loads(found.samples.read_text())["samples"][0]["columns"]
    for key, unit, plain in (("e_nu", energy, "GeV"), ("t", energy, "GeV"), ("theta", angle, "rad")):
        assert (said[key].get("unit", plain) if isinstance(said[key], dict) else plain) == unit
    assert found.refused == ""


def test_a_friend_in_a_file_of_its_own_is_proposed_with_the_key_to_match(tmp_path):
    columns = foreign(1500, 5)
    weights = {"evt": columns["evt"], "ppfx": columns.pop("ppfx")}
    write(tmp_path / "x.root", columns)
    write(tmp_path / "weights.root", weights, tree="friend", pot=None)
    found = new(tmp_path / "mine", [str(tmp_path / name) for name in ("x.root", "weights.root")])
    (sample,) = tomllib.loads(found.samples.read_text())["samples"]
    assert sample["friends"] == [{"files": "../weights.root", "tree": "friend", "match": "evt"}]
    (universes,) = tomllib.loads(found.fit.read_text())["systematics"]
    assert universes["branch"] == "friend.ppfx"
    assert found.refused == ""
    assert sf.build(sf.load(found.fit)).components


def test_truth_alone_gets_a_response_and_a_known_layout_its_preset(tmp_path, monkeypatch):
    columns = truth(1000)
    with uproot.recreate(tmp_path / "true.root") as file:
        file["events"] = columns
        file["TotalPOT"] = (np.array([1e21]), np.array([0.0, 1.0]))
    monkeypatch.chdir(tmp_path)
    found = new(Path("mine"), ["true.root"])
    said = tomllib.loads(found.samples.read_text())
    (sample,) = said["samples"]
    assert (sample["role"], sample["files"], sample["response"]) == ("signal", "../true.root", True)
    assert said["response"]["energy_constant"] > 0
    assert "pot" not in sample
    assert found.refused == ""
    assert "[response]  # PUT YOURS" in found.samples.read_text()
    assert any(text.startswith("beam.toml: [response]") for text in found.missing)
    # Edges are those of the truth: no quantity is missing.
    assert [axis["observable"] for axis in tomllib.loads(found.fit.read_text())["regions"][0]["axes"]] == [
        "t_reco",
        "t_theta2_reco",
    ]


def test_edges_of_a_genie_tree_are_those_of_its_electrons(tmp_path):
    events = truth(1500)
    t, theta = events["t"], events["theta"]
    momentum, still = np.sqrt((t + M_E) ** 2 - M_E**2), np.zeros(1500)
    with uproot.recreate(tmp_path / "x.gst.root") as file:
        file["gst"] = {
            **{"neu": events["pdg"].astype(np.int32), "fspl": np.full(1500, 11, np.int32), "wght": np.ones(1500)},
            **{"nuel": np.ones(1500, bool), "Ev": events["e_nu"], "El": t + M_E},
            **{"pxv": still, "pyv": still, "pzv": events["e_nu"]},
            **{"pxl": momentum * np.sin(theta), "pyl": still, "pzl": momentum * np.cos(theta)},
        }
    found = new(tmp_path / "mine", [str(tmp_path / "x.gst.root")])
    (axis, _) = tomllib.loads(found.fit.read_text())["regions"][0]["axes"]
    assert axis["edges"][0] == pytest.approx(np.quantile(t, 0.05), rel=0.1)
    assert axis["edges"][-1] == pytest.approx(np.quantile(t, 0.99), rel=0.1)


def test_two_detectors_become_two_sets_with_a_region_each_and_are_fitted(tmp_path):
    for place, pot in (("nd", 1e20), ("fd", 2e20)):
        (tmp_path / place).mkdir()
        write(tmp_path / place / "nue.root", foreign(2000, 3), pot=pot)
        data = {name: values[:100] for name, values in foreign(2000, 9).items() if name.startswith(("shw", "bdt"))}
        write(tmp_path / place / "beamdata.root", data, pot=pot / 10)
    found = new(tmp_path / "mine", [str(tmp_path / "*/*.root")])
    assert [path.name for path in found.written] == ["fd.toml", "nd.toml", "fit.toml"]
    said = tomllib.loads(found.fit.read_text())
    assert said["samples"] == ["fd.toml", "nd.toml"]
    # The data say their exposure, in a tree of runs: nothing is left for the user to say of it.
    assert said["pot"] == {"fd": pytest.approx(2e19), "nd": pytest.approx(1e19)}
    assert not [text for text in found.missing if "pot" in text]
    assert [(region["name"], region["samples"]) for region in said["regions"]] == [("fd", ["fd/*"]), ("nd", ["nd/*"])]
    (universes,) = said["systematics"]
    assert universes["samples"] == ["fd/nue", "nd/nue"]
    assert found.refused == ""
    assert sf.build(sf.load(found.fit)).counts.sum() > 0


def test_names_that_data_settle_and_units_that_nothing_settles(tmp_path):
    events = foreign(800, 4)
    simulated = {"nuE": events["mc_enu"], "nu_pdg": events["nu_pdg"], "eleE": events["mc_E"] - 1e3 * M_E}
    simulated |= {"eleTheta": np.radians(events["mc_theta"])}
    seen = {"showerEnergyBest": events["shw_T"], "bestAngle": events["shw_theta"]}
    write(tmp_path / "sig.root", simulated | seen)
    write(tmp_path / "run_data.root", {name: values[:200] for name, values in seen.items()})
    found = new(tmp_path / "mine", [str(tmp_path / "*.root")])
    samples = {each["name"]: each for each in tomllib.loads(found.samples.read_text())["samples"]}
    assert samples["run_data"]["role"] == "data"
    for name in ("sig", "run_data"):
        assert samples[name]["columns"]["t_reco"] == {"branch": "showerEnergyBest", "unit": "MeV"}
        assert samples[name]["columns"]["theta_reco"] == {"branch": "bestAngle", "unit": "deg"}
    assert "response" not in samples["sig"]
    assert [text for text in found.missing if "run_data: the unit of columns.theta_reco; deg" in text]
    assert found.refused == ""


def test_what_only_the_user_can_say_stands_in_the_files(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns = foreign(500, 1)
    del columns["nu_pdg"]
    write(tmp_path / "x.root", columns | {"pot": np.full(500, 1e18)}, pot=None)
    with pytest.raises(SystemExit) as left:
        cli.main(["new", "mine", "x.root"])
    assert not left.value.code
    out = " ".join(capsys.readouterr().out.split())
    assert "missing: x: pot, the protons on target of its files (the branch pot stands in the tree of the events" in out
    assert "missing: x: no branch says which neutrino it was" in out
    assert "`spectrafit check mine/fit.toml` will say: sample 'x': its exposure is not known" in out
    text = Path("mine/beam.toml").read_text()
    assert "# MISSING: pot = ..." in text
    assert "# MISSING: x: no branch says which neutrino it was" in text
    assert tomllib.loads(text)["samples"][0]["columns"]["pdg"] == 14


def test_a_tree_of_unknown_names_says_so_and_writes_toml_all_the_same(tmp_path):
    with uproot.recreate(tmp_path / "x.root") as file:
        file["t"] = {"alpha": np.arange(5.0), "beta": ak.Array([[1.0], [2.0, 3.0], [], [4.0], [5.0]])}
    found = new(tmp_path / "mine", [str(tmp_path / "x.root")])
    assert any("no branch is named as the energy" in text for text in found.missing)
    assert "axes" in found.refused
    tomllib.loads(found.fit.read_text())
    tomllib.loads(found.samples.read_text())


def test_nothing_is_overwritten_and_mistakes_are_told(tmp_path):
    write(tmp_path / "x.root", foreign(100, 1))
    new(tmp_path / "mine", [str(tmp_path / "x.root")])
    with pytest.raises(ConfigError, match="is there already"):
        new(tmp_path / "mine", [str(tmp_path / "x.root")])
    with pytest.raises(DataError, match="is a file; the first word names the folder"):
        new(tmp_path / "x.root", [str(tmp_path / "x.root")])
    with pytest.raises(DataError, match="no such file"):
        new(tmp_path / "other", [str(tmp_path / "y.root")])
    assert not (tmp_path / "other").exists()
