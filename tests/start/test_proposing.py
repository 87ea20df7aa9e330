"""How ntuples are grouped, what each group is taken for, and how the TOML names its files."""

import numpy as np
import pytest
import uproot

from spectrafit.config import Column, PotSource
from spectrafit.errors import DataError
from spectrafit.start.foreign import by_names
from spectrafit.start.looking import group, lists, numbers, pot_source, stem
from spectrafit.start.proposal import Proposal, column, observables
from spectrafit.start.proposing import propose
from spectrafit.start.writing import analysis, files_of, path_in, sample_set, set_names
from tests.events.ntuples import native, truth


def write(path, columns, *, tree="ana", pot=None):
    with uproot.recreate(path) as file:
        file[tree] = columns
        if pot is not None:
            file["my_POT"] = (np.array([pot]), np.array([0.0, 1.0]))


def events(n=400, seed=1):
    found = native(n, seed)
    return {"Enu": found["e_nu"], "el_T": found["t"], "el_theta": found["theta"]} | {
        "recoE": found["t_reco"],
        "reco_theta": found["theta_reco"],
    }


def test_files_of_a_job_array_are_one_group(tmp_path):
    for name in ("nue_0", "nue_1", "nue_10", "ncpi0", "2024"):
        write(tmp_path / f"{name}.root", events(20))
    found, _ = group([str(tmp_path / "*.root")], tmp_path)
    assert {each.name: len(each.files) for each in found} == {"nue": 3, "ncpi0": 1, "2024": 1}
    assert stem("/a/nue_10.root") == "/a/nue"
    assert stem("/a/10.root") == "/a/10"
    with uproot.recreate(tmp_path / "h.root") as file:
        file["h"] = (np.array([1.0]), np.array([0.0, 1.0]))
    with pytest.raises(DataError, match="holds no tree"):
        group([str(tmp_path / "h.root")], tmp_path)


def test_a_file_that_cannot_be_used_is_left_out_and_named(tmp_path):
    write(tmp_path / "a_1.root", events(20))
    (tmp_path / "a_0.root").write_bytes(b"root")
    (tmp_path / "notes.root").write_text("hello")
    (found,), refused = group([str(tmp_path / "*.root")], tmp_path)
    assert (found.name, found.files) == ("a_1", (str(tmp_path / "a_1.root"),))
    assert [path for path in ("a_0.root", "notes.root") if not any(path in said for said in refused)] == []
    assert not any("--skip-bad-files" in said for said in refused)


def test_files_of_one_name_in_two_folders_are_kept_apart(tmp_path):
    for place in ("nd", "fd"):
        (tmp_path / place).mkdir()
        for name in ("nue", "nc"):
            write(tmp_path / place / f"{name}.root", events(20))
    found, _ = group([str(tmp_path / "*/*.root")], tmp_path)
    assert {(each.place, each.name) for each in found} == {
        (place, name) for place in ("nd", "fd") for name in ("nue", "nc")
    }
    assert set_names([each.place for each in found]) == {"fd": "fd.toml", "nd": "nd.toml"}
    assert set_names(["", ""]) == {"": "beam.toml"}
    assert set_names(["fit", "x"]) == {"fit": "beam_fit.toml", "x": "x.toml"}


def test_a_glob_is_written_only_if_it_matches_just_these_files(tmp_path):
    for name in ("x_0", "x_1", "x_2"):
        write(tmp_path / f"{name}.root", events(20))
    (every,), _ = group([str(tmp_path / "x_*.root")], tmp_path)
    assert files_of(every, tmp_path / "mine") == '"../x_*.root"'
    (some,), _ = group([str(tmp_path / f"x_{job}.root") for job in (0, 1)], tmp_path)
    assert files_of(some, tmp_path / "mine") == '[\n    "../x_0.root",\n    "../x_1.root",\n]'
    assert path_in(tmp_path, "root://server//x.root") == "root://server//x.root"


def test_columns_of_a_tree_with_names_of_its_own(tmp_path):
    write(tmp_path / "x.root", events(), pot=1e20)
    (found,), _ = group([str(tmp_path / "x.root")], tmp_path)
    made = by_names(found)
    assert made.role == "signal"
    assert made.columns == {
        "e_nu": "Enu",
        "t": "el_T",
        "theta": "el_theta",
        "t_reco": "recoE",
        "theta_reco": "reco_theta",
    }
    assert pot_source(found)[0] == PotSource(histogram="my_POT")
    np.testing.assert_array_equal(made.values["t_reco"], numbers(found, ["recoE"])["recoE"])


def test_a_mixture_of_events_says_what_is_missing(tmp_path):
    columns = events(400)
    columns["el_theta"][:200] = 1.0
    write(tmp_path / "x.root", columns)
    (found,), _ = group([str(tmp_path / "x.root")], tmp_path)
    made = by_names(found)
    assert made.role == "signal"
    assert "only 50 % of the entries are nu-e events" in made.missing[0]


def test_without_an_angle_a_name_of_a_background_counts(tmp_path):
    for name in ("x", "nc"):
        write(tmp_path / f"{name}.root", {k: v for k, v in events().items() if "theta" not in k})
    roles = {each.name: by_names(each).role for each in group([str(tmp_path / "*.root")], tmp_path)[0]}
    assert roles == {"x": "signal", "nc": "background"}


@pytest.mark.parametrize(("name", "asked"), [("bkg_elastic", True), ("nue_mc", False), ("signal", False)])
def test_nue_events_under_a_background_s_name_are_asked_about(tmp_path, name, asked):
    write(tmp_path / f"{name}.root", events())
    (found,), _ = group([str(tmp_path / "*.root")], tmp_path)
    made = by_names(found)
    assert made.role == "signal"
    assert any("the name says background" in said for said in made.missing) == asked


def test_lists_of_one_length_are_seen_as_weights(tmp_path):
    found = truth(50)
    with uproot.recreate(tmp_path / "x.root") as file:
        file.mktree("events", {"pdg": "i4", "e_nu": "f8", "t": "f8", "theta": "f8", "univ": ("f8", (30,))})
        file["events"].extend({**found, "univ": np.ones((50, 30))})
    groups, _ = group([str(tmp_path / "x.root")], tmp_path)
    (seen,) = lists(groups[0], "events", ["univ", "t"])
    assert (seen.branch, seen.length, seen.mean) == ("univ", 30, 1.0)
    (made,) = propose(groups, {groups[0].files[0]: "x.root"})
    assert [name for name, _ in made.universes] == ["univ"]
    assert made.preset == "native"
    text, missing = analysis([made], {"": "beam.toml"}, "s.json")
    assert 'branch = "univ"' in text
    assert len(missing) == 1
    beam, asked = sample_set([made], tmp_path, "s.json", "beam.toml")
    assert 'name = "x"' in beam
    assert [text.partition(",")[0] for text in asked] == ["beam.toml: sin2_theta_w", "beam.toml: [response]"]


def test_a_column_has_a_table_only_where_it_needs_one(tmp_path):
    assert column("a", "GeV") == "a"
    assert column("a", "MeV") == Column(branch="a", unit="MeV")
    assert column("", "GeV", "a - m_e") == Column(expression="a - m_e")
    assert observables(None, None) == {}
    np.testing.assert_allclose(observables(np.array([2.0]), np.array([0.1]))["t_theta2_reco"], 0.02)
    write(tmp_path / "x.root", events(20))
    (found,), _ = group([str(tmp_path / "x.root")], tmp_path)
    assert Proposal(group=found).name == "x"
