"""Heights of the stack, its ratio and the data points against the arrays they were drawn from."""

import dataclasses

import numpy as np
import pytest
from matplotlib.colors import LogNorm
from matplotlib.patches import StepPatch

from spectrafit.report.expectation import expectation
from spectrafit.report.figures import look, spectra


def test_the_stack_is_the_projection_of_the_templates(case, blind):
    upper, lower = blind["shower_t_reco"].axes
    region = case.templates.regions[0]
    grid = case.templates.counts[:, 0].reshape(4, 2, *region.shape).sum(axis=3)
    total, signal = grid[:, 0].sum(axis=0), case.limit.kappa * grid[:, 1].sum(axis=0)
    width = np.diff(region.axes[0].edges)
    heights = [patch.get_data().values for patch in upper.findobj(StepPatch)]
    for wanted in (total / width, (total + signal) / width):
        assert any(np.allclose(h, wanted) for h in heights)
    assert upper.get_ylabel() == "Events / GeV"
    ratios = [patch.get_data().values for patch in lower.findobj(StepPatch)]
    assert any(np.allclose(r, 1 + signal / total) for r in ratios)


def test_bins_of_one_width_are_named_by_it(blind):
    upper = blind["shower_t_theta2_reco"].axes[0]
    assert upper.get_ylabel().startswith("Events / 0.0005 GeV")


def test_observed_counts_are_drawn_only_if_fitted(case, blind, opened):
    assert not blind["shower_t_reco"].axes[0].containers
    model, figures = opened
    points = figures["shower_t_reco"].axes[0].containers[0].lines[0].get_ydata()
    region = case.templates.regions[0]
    counts = model.data.reshape(region.shape).sum(axis=1)
    np.testing.assert_allclose(points, counts / np.diff(region.axes[0].edges))


def test_maps_show_every_bin_as_it_is_fitted(case, blind):
    model, coupling, reach = (axes.collections[0].get_array() for axes in blind["shower_plane"].axes[::2])
    region = case.templates.regions[0]
    total = case.templates.counts[:, 0, 0].sum(axis=0).reshape(region.shape).T
    signal = case.limit.kappa * case.templates.counts[:, 0, 1].sum(axis=0).reshape(region.shape).T
    np.testing.assert_allclose(np.asarray(model).reshape(total.shape), total)
    np.testing.assert_allclose(np.asarray(coupling).reshape(total.shape), signal)
    assert np.all(np.asarray(reach).reshape(total.shape) < signal / np.sqrt(total))


def test_the_coupling_alone_is_magnified_to_be_seen(blind, case):
    upper = blind["shower_t_reco"].axes[0]
    labels = [text.get_text() for text in upper.get_legend().get_texts()]
    (magnified,) = (label for label in labels if label.startswith("alone"))
    factor = int(magnified.split(",")[-1].strip("$ "))
    region = case.templates.regions[0]
    grid = case.templates.counts[:, 0].sum(axis=0).reshape(2, *region.shape).sum(axis=2)
    width = np.diff(region.axes[0].edges)
    assert 0.1 < factor * (case.limit.kappa * grid[1] / width).max() / (grid[0] / width).max() <= 1 / 3


@pytest.fixture
def taking(case):
    """Expected events with a coupling that takes events away in every second bin of the first axis."""
    expected = expectation(case.model, case.best, kappa=case.limit.kappa)
    columns = case.templates.regions[0].shape[1]
    signs = (-1.0) ** (np.arange(expected.extra.shape[1]) // columns)
    return dataclasses.replace(expected, extra=2.0 * signs * np.abs(expected.extra))


def test_maps_of_a_coupling_that_takes_events_away_are_symmetric_about_none(case, taking):
    with look():
        figure = spectra.plane(taking, case.templates.regions[0], signal="")
    for axes, logarithmic in zip(figure.axes[::2], (True, False, False), strict=True):
        (mesh,) = axes.collections
        assert isinstance(mesh.norm, LogNorm) is logarithmic
        if not logarithmic:
            assert mesh.norm.vmin == -mesh.norm.vmax
    shown = figure.axes[2].collections[0].get_array()
    assert np.ma.count_masked(shown) == 0
    assert np.asarray(shown).min() < 0 < np.asarray(shown).max()


def test_a_spectrum_has_room_for_the_uncertainty_and_no_negative_line(case, taking):
    roles = dict(zip(case.templates.samples, case.templates.roles, strict=True))
    with look():
        figure = spectra.spectrum(
            taking, case.templates.regions[0], 0, titles=case.model.titles, roles=roles, signal="taken"
        )
    upper = figure.axes[0]
    (band,) = (patch for patch in upper.findobj(StepPatch) if patch.get_hatch())
    assert band.get_data().values.max() < upper.get_ylim()[1]
    assert not any(text.get_text().startswith("alone") for text in upper.get_legend().get_texts())
