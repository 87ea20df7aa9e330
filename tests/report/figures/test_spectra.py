"""Heights of the stack, its ratio and the data points against the arrays they were drawn from."""

import dataclasses

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Patch, StepPatch

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


def test_the_coupling_alone_is_magnified_to_be_seen(blind, case):
    upper = blind["shower_t_reco"].axes[0]
    labels = [text.get_text() for text in upper.get_legend().get_texts()]
    (magnified,) = (label for label in labels if label.startswith("alone"))
    factor = int(magnified.split(",")[-1].strip("$ "))
    region = case.templates.regions[0]
    grid = case.templates.counts[:, 0].sum(axis=0).reshape(2, *region.shape).sum(axis=2)
    width = np.diff(region.axes[0].edges)
    assert 0.1 < factor * (case.limit.kappa * grid[1] / width).max() / (grid[0] / width).max() <= 1 / 3


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


def _legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_the_legend_has_the_events_of_every_sample_and_of_the_coupling(case, blind):
    labels = _legend(blind["shower_t_reco"])
    counts = case.templates.counts[:, 0]
    added = case.limit.kappa * counts[:, 1].sum()
    assert labels[0].endswith(f": +{added:.1f}")
    for wanted, events in zip((r"$\nu_\mu$ e elastic", "NC $\\pi^0$"), (counts[0, 0], counts[3, 0]), strict=True):
        (label,) = (label for label in labels if label.startswith(wanted))
        assert label == f"{wanted}: {events.sum():.1f}"


def test_bands_before_and_after_the_fit_are_in_the_main_panel(case, blind):
    labels = _legend(blind["shower_t_reco"])
    expected = expectation(case.model, case.best, kappa=case.limit.kappa)
    for word, covariance, total in (
        ("before", expected.before, expected.prior),
        ("after", expected.after, expected.total),
    ):
        error = np.sqrt(covariance.sum() + expected.variance.sum())
        assert f"{word} the fit: {total.sum():.1f} ± {error:.1f}" in labels
    upper = blind["shower_t_reco"].axes[0]
    width = np.diff(case.templates.regions[0].axes[0].edges)
    grid = (11, 10, 11, 10)
    ends = [np.unique(np.concatenate(lines.get_segments())[:, 1]) for lines in upper.collections]
    total = expected.prior.reshape(11, 10).sum(axis=1)
    noise = expected.variance.reshape(11, 10).sum(axis=1)
    spread = np.array([expected.before.reshape(grid)[i, :, i, :].sum() for i in range(11)]) + noise
    for sign in (-1, 1):
        wanted = np.unique((total + sign * np.sqrt(spread)) / width)
        assert any(found.size == wanted.size and np.allclose(found, wanted) for found in ends)


def test_samples_too_small_to_be_seen_are_one_and_those_without_events_none(case):
    expected = expectation(case.model, case.best, kappa=case.limit.kappa)
    counts = expected.counts.copy()
    counts[1:3] *= 1e-6
    counts[3] = 0.0
    small = dataclasses.replace(expected, counts=counts)
    roles = dict(zip(case.templates.samples, case.templates.roles, strict=True))
    with look():
        figure = spectra.spectrum(
            small, case.templates.regions[0], 0, titles=case.model.titles, roles=roles, signal="added"
        )
    labels = _legend(figure)
    assert f"$\\nu_e$ CC, $\\nu_e$ e elastic: {spectra.events_text(float(counts[1:3].sum()))}" in labels
    assert not any(label.startswith("NC") for label in labels)
    patches = [handle for handle in figure.axes[0].get_legend().legend_handles if isinstance(handle, Patch)]
    assert [to_hex(patch.get_facecolor()) for patch in patches].count("#c9c9c9") == 1


@pytest.mark.parametrize(("events", "text"), [(0.031, "0.03"), (12.34, "12.3"), (1234.5, "1234"), (-0.5, "-0.50")])
def test_numbers_of_events(events, text):
    assert spectra.events_text(events) == text


def test_points_stand_in_the_middle_of_a_bin_as_it_is_drawn(case, opened):
    figure = opened[1]["shower_t_reco"]
    upper = figure.axes[0]
    x = upper.containers[0].lines[0].get_xdata()
    edges = np.asarray(case.templates.regions[0].axes[0].edges)
    to_paper = upper.transData.transform
    middles = 0.5 * (to_paper(np.c_[edges[1:], 0 * edges[1:]]) + to_paper(np.c_[edges[:-1], 0 * edges[1:]]))[:, 0]
    np.testing.assert_allclose(to_paper(np.c_[x, 0 * x])[:, 0], middles, rtol=1e-6)
