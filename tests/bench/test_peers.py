"""What the benchmarks compare is the same work: our kernels and boost-histogram fill the same sums."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from spectrafit.bench import filling, ntuples
from spectrafit.bench.fitters import FITTERS, installed
from spectrafit.templates.regions import lay_out


def test_both_ways_to_fill_give_the_same_sums():
    events = ntuples.columns(20_000, 3)
    analysis = ntuples.analysis((Path("events.root"),))
    axes = lay_out(analysis.regions)[0].axes
    ours, theirs = filling.add_up(analysis, events), filling.by_histograms(axes, events)
    assert theirs.shape == (5, ours.shape[0])
    np.testing.assert_allclose(ours[:, :5].T, theirs, rtol=1e-4, atol=1e-6 * theirs.max())


def test_the_sums_of_weights_are_numpy_s():
    events = ntuples.columns(20_000, 4)
    edges = [np.array(e) for e in ntuples.EDGES]
    places = events["t_reco"].astype(float), events["t_reco"].astype(float) * events["theta_reco"].astype(float) ** 2
    wanted, _, _ = np.histogram2d(*places, bins=edges, weights=events["weight"].astype(float))
    axes = lay_out(ntuples.analysis((Path("events.root"),)).regions)[0].axes
    # numpy counts the uppermost edge as inside; no event lies there.
    np.testing.assert_allclose(filling.by_histograms(axes, events)[0], wanted.ravel(), rtol=1e-10)


@pytest.mark.parametrize("peer", FITTERS)
def test_a_peer_is_there_if_its_packages_are(peer):
    assert installed(peer) is all(find_spec(name) for name in FITTERS[peer][1])
