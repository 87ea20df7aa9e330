"""Scales of a binned axis: labels that do not touch, places in order, wide bins that leave room for the others."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spectrafit.report.figures import scales
from spectrafit.report.figures.style import frame, look

NOVA = np.array([0.15, 0.25, 0.35, 0.45, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0, 5.0])
AXES = {
    "log": np.geomspace(0.05, 1.0, 9),
    "tiny": np.geomspace(5e-5, 0.01, 6),
    "wide": NOVA,
    "long": np.array([0.0, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01]),
    "even": np.linspace(0.0, 5.0, 26),
    "decades": np.geomspace(1e-3, 1e4, 29),
}


@pytest.mark.parametrize("room", [2.35, 5.0])
@pytest.mark.parametrize("wanted", ["", "linear", "log", "broken", "even"])
@pytest.mark.parametrize("edges", AXES.values(), ids=AXES.keys())
def test_labels_do_not_touch_and_stand_where_they_say(edges, wanted, room):
    kind = scales.scale_of(edges, wanted)
    with look():
        figure = Figure(figsize=(room + 1.0, 2.0))
        axes = frame(figure, 0.5, 0.7, room, 1.0)
        scales.lay(axes, edges, kind, room=room)
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw_without_rendering()
        labels = [label for label in axes.get_xticklabels() if label.get_text()]
        boxes = sorted((label.get_window_extent(renderer) for label in labels), key=lambda box: box.x0)
    assert len(labels) >= 2
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    for label in labels:
        said = label.get_text().replace("$", "").replace("10^{", "1e").replace("}", "").replace(r"\times1e", "e")
        assert float(said.replace("\N{MINUS SIGN}", "-")) == pytest.approx(label.get_position()[0], rel=0.05, abs=1e-12)


def test_a_wide_last_bin_breaks_the_axis_and_takes_no_more_than_a_quarter():
    assert scales.scale_of(NOVA) == "broken"
    widths = np.diff(scales.drawn(NOVA, "broken"))
    assert np.diff(NOVA)[-1] / (NOVA[-1] - NOVA[0]) > 0.4
    assert widths[-1] < 0.25
    # Below the break the axis is linear.
    np.testing.assert_allclose(widths[:8] / widths[0], np.diff(NOVA)[:8] / np.diff(NOVA)[0])


@pytest.mark.parametrize(
    ("edges", "kind"),
    [(AXES["log"], "log"), (AXES["even"], "linear"), (np.array([0.0, 1.0, 9.0]), "linear"), (AXES["long"], "broken")],
)
def test_edges_choose_their_scale(edges, kind):
    assert scales.scale_of(edges) == kind


def test_a_wanted_scale_is_taken_where_it_can_be():
    assert scales.scale_of(NOVA, "log") == "log"
    assert scales.scale_of(NOVA, "linear") == "linear"
    assert scales.scale_of(NOVA, "even") == "even"
    np.testing.assert_allclose(np.diff(scales.drawn(NOVA, "even")), 1 / 11)


@given(
    st.lists(st.floats(0.01, 100.0), min_size=2, max_size=12, unique=True),
    st.sampled_from(["linear", "log", "broken", "even"]),
)
def test_edges_are_drawn_in_order_from_end_to_end(values, kind):
    edges = np.sort(np.array(values))
    if np.diff(edges).min() < 1e-6 * np.ptp(edges):
        return
    places = scales.drawn(edges, kind)
    assert places[0] == 0.0
    assert places[-1] == pytest.approx(1.0)
    assert np.all(np.diff(places) > 0)


@pytest.mark.parametrize(
    ("edge", "text"),
    [
        (0.0015, "0.0015"),
        (1.25, "1.25"),
        (0.0727108, "0.073"),
        (5e-5, r"$5\times10^{-5}$"),
        (1e-6, "$10^{-6}$"),
        (0.0, "0"),
    ],
)
def test_edges_as_labels(edge, text):
    assert scales.edge_text(edge) == text


def test_decades():
    assert scales.decades(0.2, 20.0) == [0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
    assert scales.decades(0.01, 1000.0) == [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]


def test_an_end_that_is_a_round_number_has_its_tick():
    with look():
        axes = frame(Figure(figsize=(6.0, 2.0)), 0.5, 0.7, 5.0, 1.0)
        scales.lay(axes, np.array([0.3, 0.9]), "linear")
    assert axes.get_xticks()[[0, -1]] == pytest.approx([0.3, 0.9])
