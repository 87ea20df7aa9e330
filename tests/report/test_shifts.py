"""What a nuisance does against its definition, and the noise of a change against events that are moved by hand."""

import numpy as np
import pytest
import uproot

import spectrafit as sf
from spectrafit.report.shifts import shifts
from tests.events.ntuples import native


def test_each_parameter_moves_by_its_prior_width(case):
    found = shifts(case.model)
    counts = case.templates.counts[:, 0, 0]
    np.testing.assert_allclose(found.nominal, counts.sum(axis=0))
    assert [one.name for one in found.each] == list(case.model.names[1:])
    by_name = {one.name: one for one in found.each}
    np.testing.assert_allclose(by_name["flux_norm"].up, counts[:2].sum(axis=0) * 1.08 + counts[2:].sum(axis=0))
    np.testing.assert_allclose(by_name["flux_norm"].down, counts[:2].sum(axis=0) / 1.08 + counts[2:].sum(axis=0))
    assert by_name["energy_scale"].group == "detector"
    assert found.noise("flux_norm", np.zeros(case.templates.n_bins, dtype=int), 1) is None


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shifts")
    events = native(400) | {"weight": np.ones(400, dtype=np.float32)}
    with uproot.recreate(folder / "e.root") as file:
        file["events"] = events
    (folder / "beam.toml").write_text('[[samples]]\nname = "numu"\nrole = "signal"\nfiles = "e.root"\npot = 1e20\n')
    (folder / "fit.toml").write_text(
        """
samples = "beam.toml"
pot = 1e20
[[regions]]
name = "r"
axes = [{ observable = "t_reco", edges = [0.2, 1.0, 2.0, 4.5] }]
[[systematics]]
kind = "shift"
name = "scale"
column = "t_reco"
scale = 0.05
"""
    )
    analysis = sf.load(folder / "fit.toml")
    templates = sf.build(analysis, executor="serial")
    return events["t_reco"].astype(float), shifts(sf.assemble(analysis, templates), templates)


def test_the_noise_of_a_change_is_that_of_the_events_that_move(built):
    t, found = built
    edges = np.array([0.2, 1.0, 2.0, 4.5])
    up, down = (np.searchsorted(edges, t * factor, side="right") - 1 for factor in (1.05, 0.95))
    # Half of "up minus down" per event: +1/2 where the shift up puts it, -1/2 where the shift down does.
    variance = np.zeros(3)
    for into, out_of in zip(up, down, strict=True):
        if into != out_of:
            for place in (into, out_of):
                if 0 <= place < 3:
                    variance[place] += 0.25
    # The fit knows the slope at 0 of a curve through "up" and "down", whose noise differs by some percent.
    np.testing.assert_allclose(found.noise("scale", np.arange(3), 3), np.sqrt(variance), rtol=0.05)
    # Merged, an event that moves from the first into the second bin does not move.
    inside = np.array([min(a, b) >= 0 and max(a, b) < 3 and a != b for a, b in zip(up, down, strict=True)])
    merged = np.sqrt(variance.sum() - 0.5 * inside.sum())
    np.testing.assert_allclose(found.noise("scale", np.zeros(3, dtype=int), 1), [merged], rtol=0.05)
