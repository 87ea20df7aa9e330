"""The bench of scans: the peers' refill is our fill, and pyhf's limit ours."""

from pathlib import Path

import numpy as np
import pytest

import spectrafit as sf
from spectrafit import bench
from spectrafit.bench.scanning import refilled, sensitivity
from spectrafit.errors import ConfigError
from tests.events.ntuples import native
from tests.inference.conftest import FIT, SAMPLES
from tests.test_bad_input import write_tree

WEIGHT = "[[systematics]]\nkind = 'weight'\nname = 'tilt'\nweights = ['1 - 0.1 * t', '1 + 0.1 * t']\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bench")
    write_tree(place / "numu.root", native(2000))
    write_tree(place / "nc.root", native(1000))
    (place / "set.toml").write_text(SAMPLES)
    (place / "fit.toml").write_text(FIT + WEIGHT)
    return place


def test_a_refill_by_boost_histogram_is_our_fill(folder):
    analysis = sf.load(folder / "fit.toml", overrides=["regions.nd.cut=t_reco > 0.3"])
    ours = sf.build(analysis).counts
    np.testing.assert_allclose(refilled(analysis), ours, rtol=1e-9, atol=1e-9 * ours.max())
    smeared = sf.load(folder / "fit.toml", overrides=["systematics.scale.scale=0", "systematics.scale.smear=0.1"])
    with pytest.raises(ConfigError, match="the bench's peer does not fill 'scale'"):
        refilled(smeared)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scan_is_compared_with_what_agrees(folder):
    pytest.importorskip("pyhf", reason="a peer of the bench")
    few = ["fit.mc_statistics=none", "regions.nd.axes.t_reco.edges=[0.2, 0.7, 2.0]"]
    analysis = sf.load(folder / "fit.toml", without=["tilt", "scale"], overrides=few)
    whole, one = sensitivity(analysis, quick=True, workers=1)
    assert "2 x 2 expected limits" in whole.name
    assert (whole.peer, one.peer > one.ours > 0) == (None, True)
    assert one.ratio == pytest.approx(one.peer / one.ours)
    assert "refill" in one.note
    assert "limit" in one.note
    assert [row["name"] for row in bench.plain([whole, one])["rows"]] == [whole.name, one.name]
    with pytest.raises(ConfigError, match="no peer 'pyhff'"):
        sensitivity(analysis, peers=["pyhff"])
    with pytest.raises(ConfigError, match="the sigma of a norm"):
        sensitivity(sf.load(folder / "fit.toml", without=["flux", "nc"]))
