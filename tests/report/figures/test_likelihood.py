"""Marks, ticks and bars against the profile, the limit and the impacts they stand for."""

import dataclasses

import numpy as np
import pytest

from spectrafit.inference.fitting.impacts import impacts
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
    assert [line.get_label() for line in axes.lines] == ["critical value", "statistic of the data", "limit"]


KAPPA = np.linspace(0.0, 1.0, 21)


@pytest.mark.parametrize(
    ("method", "points", "labels"),
    [
        ("cls", {"p_value": np.exp(-3 * KAPPA)}, {r"CL$_s$", "1 − 0.9 = 0.1", "limit"}),
        (
            "cls-toys",
            {"p_value": np.exp(-3 * KAPPA), "p_error": 0.01 * KAPPA},
            {r"CL$_s$, from toys", "1 − 0.9 = 0.1", "limit"},
        ),
        ("bayes", {"posterior": np.exp(-3 * KAPPA)}, {"posterior density", "90 % of it", "limit"}),
        (
            "feldman-cousins",
            {"statistic": KAPPA**2, "critical": 0 * KAPPA + 0.3, "critical_error": 0.01 + 0 * KAPPA},
            {"critical value, from toys", "statistic of the data", "limit"},
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


def test_pulls_and_impacts_stand_in_one_order(case, blind):
    pulls, moves = blind["nuisances"].axes
    order = [impact for impact in impacts(case.model, case.best) if not impact.group]
    drawn_shares = [bar.get_width() for bar in moves.containers[0]]
    np.testing.assert_allclose(drawn_shares, [impact.up / case.best.kappa_error for impact in order])
    assert len(pulls.containers) == len(order)


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


def test_without_nuisances_there_is_nothing_to_draw(case):
    best = dataclasses.replace(case.best, errors=np.array([0.4, 0, 0, 0, 0]))
    with style.look():
        assert likelihood.nuisances(case.model, best, (), COUPLINGS["magnetic_moment"]) is None
        assert likelihood.correlations(case.model, best) is None


def test_correlations_start_with_kappa_and_its_closest(case, blind):
    axes = blind["correlations"].axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [r"$\mu_\nu^2$", "flux_norm", "nc_norm", "nue_cc_norm", "energy_scale"]
    np.testing.assert_allclose(np.diag(axes.images[0].get_array()), 1.0)
    assert axes.images[0].get_array()[0, 1] == pytest.approx(-0.55)
