"""Changes of a spectrum against predictions written out by hand."""

import dataclasses

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from spectrafit.report.figures import look, systematics
from spectrafit.report.shifts import shifts


@pytest.fixture(scope="module")
def figure(case):
    with look():
        return systematics.changes(shifts(case.model), case.templates.regions[0], 0)


def test_every_parameter_has_a_panel_the_largest_first(case, figure):
    names = [axes.texts[0].get_text() for axes in figure.axes]
    assert sorted(name.split(" ")[0] for name in names) == sorted(case.model.names[1:])
    sizes = [max(np.abs(patch.get_data().values).max() for patch in axes.findobj(StepPatch)) for axes in figure.axes]
    assert sizes == sorted(sizes, reverse=True)


def test_up_and_down_are_changes_in_percent(case, figure):
    (axes,) = (axes for axes in figure.axes if axes.texts[0].get_text().startswith("nc_norm"))
    counts = case.templates.counts[:, 0, 0].reshape(4, 11, 10).sum(axis=2)
    up, down = (patch.get_data().values for patch in axes.findobj(StepPatch))
    np.testing.assert_allclose(up, 100 * 0.2 * counts[3] / counts.sum(axis=0))
    np.testing.assert_allclose(down, 100 * (1 / 1.2 - 1) * counts[3] / counts.sum(axis=0))


def test_a_region_that_nothing_changes_has_no_figure(case):
    found = dataclasses.replace(shifts(case.model), each=())
    assert systematics.changes(found, case.templates.regions[0], 0) is None
