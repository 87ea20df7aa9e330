"""How columns come from branches: which branches are read, and what is computed from them in which unit."""

import numpy as np
import pytest

from spectrafit.config import Column, Sample, SampleSet
from spectrafit.errors import ConfigError, DataError
from spectrafit.events.layout import Columns, solve

BRANCHES = ("pdg", "e_nu", "t_mev", "weight", "score", "unused")


def layout(branches=BRANCHES, **keys):
    given = {"name": "x", "role": "signal", "files": "a.root"} | keys
    sample = Sample(**given)
    return solve(SampleSet(samples=(sample,), path="set.toml"), sample, branches, "a.root:events")


def test_only_branches_that_are_wanted_are_read():
    found = layout(columns={"t": Column(branch="t_mev", unit="MeV")}, selection="score > 0.5")
    assert found.needed() == {"pdg", "e_nu", "t_mev", "weight", "score"}
    assert found.needed(canonical=()) == {"pdg", "e_nu", "t_mev", "weight", "score"}
    background = layout(role="background", columns={"t": Column(branch="t_mev", unit="MeV")})
    assert background.needed(canonical=()) == {"weight"}
    assert background.needed(["unused + 1"], canonical=()) == {"weight", "unused"}


def test_a_branch_as_it_stands_is_told_from_a_column_in_another_unit():
    found = layout(columns={"t": Column(branch="t_mev", unit="MeV")})
    assert found.sources["e_nu"].is_named("e_nu")
    assert found.sources["t"].is_branch
    assert not found.sources["t"].is_named("t_mev")
    assert found.sources["t"].branches == ("t_mev",)


def test_units_and_expressions_are_numpy_s():
    rng = np.random.default_rng(3)
    arrays = {"t_mev": rng.uniform(1, 900, 50), "e_nu": rng.uniform(1, 5, 50), "score": rng.random(50)}
    arrays |= {"pdg": np.full(50, 14), "weight": np.ones(50)}
    found = layout(columns={"t": Column(branch="t_mev", unit="MeV"), "mine": Column(expression="e_nu^2 + score")})
    columns = Columns(found, arrays, 0, 50)
    np.testing.assert_allclose(columns["t"], arrays["t_mev"] * 1e-3, rtol=1e-15)
    np.testing.assert_allclose(columns["mine"], arrays["e_nu"] ** 2 + arrays["score"], rtol=1e-15)


def test_a_missing_branch_is_named_with_its_neighbours():
    with pytest.raises(DataError, match=r"t_mve.*did you mean 't_mev'"):
        layout(columns={"t": Column(branch="t_mve")})
    with pytest.raises(ConfigError, match="scor"):
        layout(columns={"t": Column(branch="t_mev")}, selection="scor > 0.5").needed()
