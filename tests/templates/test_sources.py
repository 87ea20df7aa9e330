"""Loadings of components from files and flux tables."""

import numpy as np
import pytest

from spectrafit.errors import DataError
from spectrafit.templates.build import build
from spectrafit.templates.sources import Loadings, Sources, knobs_of
from spectrafit.templates.templates import Templates

TEXT = """
[[systematics]]
kind = "universes"
name = "multisim"
branch = "universes"
knobs = "knobs.csv"
[[systematics]]
kind = "flux"
name = "flux"
correlation = 0.6
flavours = 0.3
"""


def test_knobs_are_read_and_damage_is_named(tmp_path):
    (tmp_path / "k.csv").write_text("a, b\n1, 2\n-1, 0\n")
    found = knobs_of("k.csv", str(tmp_path / "fit.toml"), "here", 2)
    assert found.names == ("a", "b")
    np.testing.assert_allclose(found.rows, np.array([[1, 2], [-1, 0]]) / np.sqrt(2))
    for text, universes, expected in (
        ("a,b\n1,2\n", 2, "1 lines of numbers for 2 universes"),
        ("a,b\n1,x\n", 1, "cannot be read as names and numbers"),
        ("a,b\n1\n", 1, "needs a line of names"),
        ("", 1, "needs a line of names"),
    ):
        (tmp_path / "k.csv").write_text(text)
        with pytest.raises(DataError, match=expected):
            knobs_of("k.csv", str(tmp_path / "fit.toml"), "here", universes)
    with pytest.raises(DataError, match="No such file"):
        knobs_of("none.csv", str(tmp_path / "fit.toml"), "here", 1)


def test_reduced_rows_say_the_same_of_a_source():
    rng = np.random.default_rng(1)
    origin = np.linalg.qr(rng.normal(size=(8, 3)))[0]
    knobs = Loadings(names=("a", "b"), rows=rng.normal(size=(8, 2)))
    combination = np.eye(3)[:2]
    one = Sources.of(knobs.seen_from(origin), combination)
    two = Sources.of(knobs, combination @ origin.T)
    np.testing.assert_allclose(one.loading, two.loading)
    np.testing.assert_allclose(one.width, two.width)


def test_a_build_keeps_what_its_components_are_made_of(ntuples, tmp_path):
    rng = np.random.default_rng(2)
    universes = len(ntuples.columns["numu"]["universes"][0])
    np.savetxt(ntuples.folder / "knobs.csv", rng.normal(size=(universes, 2)), delimiter=",", header="x,y", comments="")
    analysis = ntuples.analysis(TEXT)
    templates = build(analysis)
    flux, multisim = templates.sources["flux"], templates.sources["multisim"]
    assert flux.names[:2] == ("numu 0-0.5 GeV", "numu 0.5-1 GeV")
    low = np.arange(0.0, 7.0, 0.5)
    np.testing.assert_allclose(flux.width, np.concatenate([0.08 + 0.01 * low, 0.12 + 0.01 * low]))
    assert multisim.names == ("x", "y")
    assert len(multisim.combination) == templates.components["multisim"]["kept"]
    # Each component is the sum of the rows that it is a combination of: the same from saved cells.
    again = Templates.load(templates.save(tmp_path / "t.npz"), analysis=analysis)
    for name in ("flux", "multisim"):
        np.testing.assert_allclose(again.sources[name].loading, templates.sources[name].loading, atol=1e-12)
