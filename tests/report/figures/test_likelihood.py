"""Marks, ticks and bands against the profile and the limit they stand for."""

import dataclasses

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.figures import likelihood, style


def test_the_limit_is_marked_where_the_profile_is(case, blind):
    axes = blind["profile"].axes[0]
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    (x,), (y,) = marks[0].get_data()
    assert x == case.limit.kappa
    assert y == pytest.approx(np.interp(x, case.profile.grid, case.profile.delta_2nll))
    ticks = [float(label.get_text()) for label in axes.child_axes[0].get_xticklabels()]
    places = axes.child_axes[0].get_xticks()
    np.testing.assert_allclose(np.square(ticks), places)


def test_a_scan_is_drawn_if_the_limit_kept_one(blind, opened):
    assert "limit" not in blind
    axes = opened[1]["limit"].axes[0]
    assert [line.get_label() for line in axes.lines] == ["critical value", "statistic of the data", LIMIT, EXPECTED]


KAPPA = np.linspace(0.0, 1.0, 21)
LIMIT = r"limit: $\mu_\nu < 7.46\times 10^{-10}\;\mu_\mathrm{B}$"
EXPECTED = r"expected: $7.46\times 10^{-10}\;\mu_\mathrm{B}$"
BAND = "68 % of expected limits"


@pytest.mark.parametrize(
    ("method", "points", "labels"),
    [
        ("cls", {"p_value": np.exp(-3 * KAPPA)}, {r"CL$_s$", "1 − 0.9 = 0.1", LIMIT, EXPECTED, BAND}),
        (
            "cls-toys",
            {"p_value": np.exp(-3 * KAPPA), "p_error": 0.01 * KAPPA},
            {r"CL$_s$, from toys", "1 − 0.9 = 0.1", LIMIT, EXPECTED, BAND},
        ),
        ("bayes", {"posterior": np.exp(-3 * KAPPA)}, {"posterior density", "90 % of it", LIMIT, EXPECTED, BAND}),
        (
            "feldman-cousins",
            {"statistic": KAPPA**2, "critical": 0 * KAPPA + 0.3, "critical_error": 0.01 + 0 * KAPPA},
            {"critical value, from toys", "statistic of the data", LIMIT, EXPECTED, BAND},
        ),
    ],
)
def test_what_each_method_was_read_from(case, method, points, labels):
    limit = dataclasses.replace(case.limit, method=method, points={"kappa": KAPPA, **points})
    with style.look():
        axes = likelihood.scan(limit, COUPLINGS["magnetic_moment"]).axes[0]
    assert {text.get_text() for text in axes.get_legend().get_texts()} == labels
    assert axes.get_ylabel()
    assert likelihood.scan(dataclasses.replace(limit, method="profile"), COUPLINGS["magnetic_moment"]) is None


def test_a_credible_part_ends_at_the_limit(case):
    limit = dataclasses.replace(case.limit, method="bayes", points={"kappa": KAPPA, "posterior": 1 - KAPPA})
    with style.look():
        axes = likelihood.scan(limit, COUPLINGS["magnetic_moment"]).axes[0]
    shaded = axes.collections[0].get_paths()[0].vertices[:, 0]
    assert shaded.max() == pytest.approx(limit.kappa)


def test_a_long_tail_of_a_posterior_is_not_drawn(case):
    points = {"kappa": 100 * KAPPA, "posterior": np.exp(-100 * KAPPA)}
    limit = dataclasses.replace(case.limit, method="bayes", points=points)
    with style.look():
        axes = likelihood.scan(limit, COUPLINGS["magnetic_moment"]).axes[0]
    assert limit.kappa < axes.get_xlim()[1] < 10


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("magnetic_moment", r"$\mu_\nu^2$ $[10^{-18}\;\mu_\mathrm{B}^2]$"),
        ("charge_radius", r"$\langle r^2\rangle$ $[10^{-32}\;\mathrm{cm}^2]$"),
        ("weak_mixing_angle", r"$(\sin^2\theta_\mathrm{W} - 0.23863)\,/\,0.01$"),
    ],
)
def test_the_axis_says_what_kappa_is(name, label):
    assert likelihood.kappa_label(COUPLINGS[name]) == label


def test_a_linear_coupling_has_no_second_axis_and_no_unphysical_side(case):
    limit = dataclasses.replace(case.limit, unit="cm^2", value=5.6e-33)
    with style.look():
        axes = likelihood.profile(case.profile, limit, COUPLINGS["charge_radius"]).axes[0]
    assert not axes.child_axes
    assert "not physical" not in [text.get_text() for text in axes.texts]


def test_points_whose_fit_failed_are_marked(case):
    valid = case.profile.valid.copy()
    valid[[3, 7]] = False
    curve = dataclasses.replace(case.profile, valid=valid)
    with style.look():
        axes = likelihood.profile(curve, case.limit, COUPLINGS["magnetic_moment"]).axes[0]
    (crosses,) = (line for line in axes.lines if line.get_marker() == "x")
    np.testing.assert_array_equal(crosses.get_xdata(), case.profile.grid[[3, 7]])


def test_expected_p_values_are_drawn_with_their_bands(case):
    points = {"kappa": KAPPA, "p_value": np.exp(-3 * KAPPA), "p_expected": np.exp(-4 * KAPPA)}
    points |= {
        f"p_expected_{side}_{n}": np.exp(-k * KAPPA)
        for side, n, k in (("minus", 2, 9), ("minus", 1, 6), ("plus", 1, 3), ("plus", 2, 2))
    }
    limit = dataclasses.replace(case.limit, method="cls", points=points)
    with style.look():
        axes = likelihood.scan(limit, COUPLINGS["magnetic_moment"]).axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert {r"expected, 1$\sigma$", r"expected, 2$\sigma$", "expected median", EXPECTED} < set(labels)
    wide, narrow = (band.get_paths()[0].vertices for band in axes.collections)
    for band, (low, high) in ((wide, (9, 2)), (narrow, (6, 3))):
        at = band[np.isclose(band[:, 0], 0.5)][:, 1]
        assert at.min() == pytest.approx(np.exp(-low * 0.5))
        assert at.max() == pytest.approx(np.exp(-high * 0.5))


def test_thresholds_are_named_and_no_line_strikes_through_words(blind):
    figure = blind["profile"]
    axes = figure.axes[0]
    named = {text.get_text(): text for text in axes.texts}
    assert {r"1$\sigma$", r"2$\sigma$"} <= set(named)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    words = [t.get_window_extent(renderer) for t in axes.texts if "%" in t.get_text() or "physical" in t.get_text()]
    assert len(words) == 2
    for line in axes.lines:
        path = line.get_transform().transform_path(line.get_path())
        assert not any(path.intersects_bbox(box, filled=False) for box in words), line.get_label()


def test_the_curve_is_pale_where_no_interval_goes(case, blind):
    pale, full = (line for line in blind["profile"].axes[0].lines if line.get_color() in style_colours("sky", "blue"))
    assert pale.get_xdata().max() == full.get_xdata().min() == 0.0
    assert full.get_label() == "profile likelihood"


def style_colours(*names):
    return [style.COLOURS[name] for name in names]


def test_an_empty_interval_is_no_limit_on_the_figure(case):
    limit = dataclasses.replace(case.limit, empty=True, value=0.0, kappa=0.0)
    with style.look():
        axes = likelihood.profile(case.profile, limit, COUPLINGS["magnetic_moment"]).axes[0]
    (words,) = (text.get_text() for text in axes.texts if "%" in text.get_text())
    assert "empty interval" in words
    assert "<" not in words
