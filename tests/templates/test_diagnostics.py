import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.templates import truths
from spectrafit.templates.diagnostics import look_at_truth, truth_of
from tests.templates.conftest import GRID, HEAD

EDGES = np.linspace(0.3, 3.0, 7)
SIGNAL = '["numu", "nue"]'


@pytest.fixture(scope="module")
def found(ntuples):
    return look_at_truth(ntuples.analysis())


def by_numpy(ntuples, weigh=lambda columns: columns["weight"]):
    """Return true and reconstructed T, what passes the cut and is inside the plane, and weights at the exposure."""
    rows = []
    for name, scale in (("numu", 2.0), ("nue", 1.0)):
        c = ntuples.columns[name]
        q = c["t_reco"] * c["theta_reco"] ** 2
        passed = c["score"] > 0.2
        inside = passed & (c["t_reco"] >= 0.3) & (c["t_reco"] < 3.0) & (q >= 0) & (q < 0.003)
        rows.append((c["t"], c["t_reco"], passed, inside, scale * weigh(c)))
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def test_migration_purity_and_efficiency_are_those_of_numpy(found, ntuples):
    assert isinstance(found, truths.Truths)
    axis = found.axis("nd", "t_reco")
    t, seen, passed, inside, weight = by_numpy(ntuples)
    counted, _, _ = np.histogram2d(t[passed], seen[passed], bins=(EDGES, EDGES), weights=weight[passed])
    np.testing.assert_allclose(axis.migration[1:-1, 1:-1], counted, rtol=1e-6)
    there = np.histogram(seen[passed], EDGES, weights=weight[passed])[0]
    truly = np.histogram(t[passed], EDGES, weights=weight[passed])[0]
    np.testing.assert_allclose(axis.purity, np.diag(counted) / there, rtol=1e-6)
    np.testing.assert_allclose(axis.stability, np.diag(counted) / truly, rtol=1e-6)
    whole, kept = (np.histogram(t[m], EDGES, weights=weight[m])[0] for m in (np.ones(t.size, bool), inside))
    np.testing.assert_allclose(axis.efficiency, kept / whole, rtol=1e-6)


def test_resolution_and_bias_are_quantiles_of_the_residuals(found, ntuples):
    axis = found.axis("nd", "t_reco")
    t, seen, passed, _, weight = by_numpy(ntuples)
    for low, high, resolution, bias in zip(EDGES[:-1], EDGES[1:], axis.resolution, axis.bias, strict=True):
        mine = passed & (t >= low) & (t < high)
        order = np.argsort((seen - t)[mine])
        residual, w = (seen - t)[mine][order], weight[mine][order]
        share = (np.cumsum(w) - w / 2) / w.sum()
        a, middle, b = np.interp([0.1587, 0.5, 0.8413], share, residual)
        assert resolution == pytest.approx((b - a) / 2, rel=0.02)
        assert bias == pytest.approx(middle, abs=0.03 * resolution)
        # The events were smeared by 5 %.
        assert resolution == pytest.approx(0.05 * (low + high) / 2, rel=0.1)
    middle = (EDGES[1:] + EDGES[:-1]) / 2
    np.testing.assert_allclose(axis.widths(middle, 2.0), 2.0 * axis.resolution)


def test_bins_of_both_axes_at_once(found, ntuples):
    region = found.regions[0]
    assert region.region.shape == (6, 4)
    assert region.reconstructed.sum() == pytest.approx(by_numpy(ntuples)[4][by_numpy(ntuples)[3]].sum(), rel=1e-6)
    assert (region.same <= region.reconstructed * (1 + 1e-9)).all()
    assert (region.same <= region.true * (1 + 1e-9)).all()
    assert 0.5 < np.nanmax(region.purity) <= 1
    # T theta^2 of a true electron is below twice its mass: in the bins from 0.0015 nothing is true.
    assert np.isnan(region.stability.reshape(6, 4)[:, 3]).all()


def test_axes_without_a_truth_are_named(ntuples):
    regions = GRID.replace('observable = "t_theta2_reco"', 'observable = "score"')
    found = look_at_truth(ntuples.analysis(regions=regions))
    assert [axis.observable for axis in found.regions[0].axes] == ["t_reco"]
    assert found.regions[0].purity is None
    assert found.notes == ("region 'nd': 'score' names no reconstructed quantity, so it has no truth here",)
    with pytest.raises(ConfigError, match="the truth of 'score' is not known: region 'nd'"):
        found.axis("nd", "score")


def test_the_response_and_the_selection_lose_events_too(ntuples, tmp_path):
    """A truth-only sample smeared by its response, with an efficiency of 0.5 and a selection that keeps four fifths."""
    other = ntuples.moved(tmp_path / "response")
    response = "[response]\nenergy_constant = 0.1\nangle_constant = 0.004\nefficiency = 0.5\n[flux]\n"
    other.edit_samples("[flux]\n", response)
    for name in ("numu", "nue"):
        other.edit_samples(f'name = "{name}"\n', f'name = "{name}"\nresponse = true\nselection = "score > 0.2"\n', 1)
    axis = look_at_truth(other.analysis(head=HEAD)).axis("nd", "t_reco")
    t, *_, weight = by_numpy(ntuples)
    np.testing.assert_allclose(axis.generated, np.histogram(t, EDGES, weights=weight)[0], rtol=1e-6)
    # Far from the ends of both axes nothing else is lost.
    assert axis.efficiency[1:3] == pytest.approx(0.4, rel=0.1)
    assert axis.resolution[2] == pytest.approx(0.1 * 1.425, rel=0.1)


def test_the_truth_of_an_expression():
    assert truth_of("t_reco") == "t"
    assert truth_of("sqrt(t_reco) * theta_reco") == "sqrt(t) * theta"
    assert truth_of("score") == ""
