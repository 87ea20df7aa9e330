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
from spectrafit.start.writing import analysis, files_of, path_in, sample_set
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
    for name in ("nue_0", "nue_1", "nue_10", "nc-3", "2024"):
        write(tmp_path / f"{name}.root", events(20))
    found = group([str(tmp_path / "*.root")], tmp_path)
    assert {each.name: len(each.files) for each in found} == {"nue": 3, "nc": 1, "2024": 1}
    assert stem("/a/nue_10.root") == "/a/nue"
    assert stem("/a/10.root") == "/a/10"
    with uproot.recreate(tmp_path / "h.root") as file:
        file["h"] = (np.array([1.0]), np.array([0.0, 1.0]))
    with pytest.raises(DataError, match="holds no tree"):
        group([str(tmp_path / "h.root")], tmp_path)


def test_a_glob_is_written_only_if_it_matches_just_these_files(tmp_path):
    for name in ("x_0", "x_1", "x_2"):
        write(tmp_path / f"{name}.root", events(20))
    (every,) = group([str(tmp_path / "x_*.root")], tmp_path)
    assert files_of(every, tmp_path / "mine") == '"../x*.root"'
    (some,) = group([str(tmp_path / f"x_{job}.root") for job in (0, 1)], tmp_path)
    assert files_of(some, tmp_path / "mine") == '[\n    "../x_0.root",\n    "../x_1.root",\n]'
    assert path_in(tmp_path, "root://server//x.root") == "root://server//x.root"


def test_columns_of_a_tree_with_names_of_its_own(tmp_path):
    write(tmp_path / "x.root", events(), pot=1e20)
    (found,) = group([str(tmp_path / "x.root")], tmp_path)
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
    made = by_names(*group([str(tmp_path / "x.root")], tmp_path))
    assert made.role == "signal"
    assert "only 50% of the entries are nu-e events" in made.missing[0]


def test_without_an_angle_a_name_of_a_background_counts(tmp_path):
    for name in ("x", "nc"):
        write(tmp_path / f"{name}.root", {k: v for k, v in events().items() if "theta" not in k})
    roles = {each.name: by_names(each).role for each in group([str(tmp_path / "*.root")], tmp_path)}
    assert roles == {"x": "signal", "nc": "background"}


def test_lists_of_one_length_are_seen_as_weights(tmp_path):
    found = truth(50)
    with uproot.recreate(tmp_path / "x.root") as file:
        file.mktree("events", {"pdg": "i4", "e_nu": "f8", "t": "f8", "theta": "f8", "univ": ("f8", (30,))})
        file["events"].extend({**found, "univ": np.ones((50, 30))})
    groups = group([str(tmp_path / "x.root")], tmp_path)
    (seen,) = lists(groups[0], "events", ["univ", "t"])
    assert (seen.branch, seen.length, seen.mean) == ("univ", 30, 1.0)
    (made,) = propose(groups, {groups[0].files[0]: "x.root"})
    assert [name for name, _ in made.universes] == ["univ"]
    assert made.preset == "native"
    text, missing = analysis([made], "beam.toml", "s.json")
    assert 'branch = "univ"' in text
    assert len(missing) == 1
    assert 'name = "x"' in sample_set([made], tmp_path, "s.json")


def test_a_column_has_a_table_only_where_it_needs_one(tmp_path):
    assert column("a", "GeV") == "a"
    assert column("a", "MeV") == Column(branch="a", unit="MeV")
    assert column("", "GeV", "a - m_e") == Column(expression="a - m_e")
    assert observables(None, None) == {}
    np.testing.assert_allclose(observables(np.array([2.0]), np.array([0.1]))["t_theta2_reco"], 0.02)
    write(tmp_path / "x.root", events(20))
    (found,) = group([str(tmp_path / "x.root")], tmp_path)
    assert Proposal(group=found).name == "x"
