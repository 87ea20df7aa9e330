"""Units that are shown: no row of zeros before a unit that is too large, no axis in millionths of a GeV."""

import re

import boost_histogram as bh
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.figures.likelihood import kappa_axis, kappa_label, reported_edge
from spectrafit.report.tables import quantity
from spectrafit.report.units import kappa_scaled, kappa_unit, readable
from spectrafit.templates.regions import RegionBins


@pytest.mark.parametrize(
    ("coupling", "unit"),
    [
        ("magnetic_moment", "(1e-9 mu_B)²"),
        ("charge_radius", "1e-32 cm^2"),
        ("millicharge", "1e-9 e"),
        ("weak_mixing_angle", "0.01"),
        ("", ""),
    ],
)
def test_kappa_is_counted_in(coupling, unit):
    assert kappa_unit(coupling) == unit
    assert kappa_scaled(coupling, 1.0) == (1.0, unit)
    assert kappa_scaled(coupling, float("nan")) == (1.0, unit)


def test_the_unit_follows_the_size():
    # An XENON-like result, once printed as -0.000080 +- 0.000060 (1e-9 mu_B)^2.
    size, unit = kappa_scaled("magnetic_moment", 6e-5)
    assert f"{quantity(-8e-5 * size, 6e-5 * size)} {unit}" == "-80 ± 60 (1e-12 mu_B)²"
    size, unit = kappa_scaled("charge_radius", 3.4e-4)
    assert f"{quantity(1.2e-3 * size, 3.4e-4 * size)} {unit}" == "12.0 ± 3.4 1e-36 cm^2"


@given(st.sampled_from(sorted(COUPLINGS)), st.floats(1e-12, 1e12))
def test_number_times_unit_is_what_it_was(coupling, error):
    size, unit = kappa_scaled(coupling, error)
    root = COUPLINGS[coupling].root
    in_unit = float(re.match(r"\(?([\d.e+-]+)", unit)[1]) ** root
    assert error * size * in_unit == pytest.approx(error * COUPLINGS[coupling].scale, rel=1e-9)
    assert 0.0099 <= error * size < 1.0001e4


def region(edges, label):
    return RegionBins(name="r", axes=(bh.axis.Variable(edges),), observables=("t",), labels=(label,), start=0)


def test_small_energies_are_shown_in_their_unit():
    shown = readable(region([1e-6, 2e-6, 3e-5], "true $T_e$ [GeV]"))
    assert shown.labels == ("true $T_e$ [keV]",)
    np.testing.assert_array_equal(shown.axes[0].edges, [1.0, 2.0, 30.0])
    shown = readable(region([2e-4, 3e-3], "E [GeV]"))
    assert (shown.labels, shown.axes[0].edges.tolist()) == (("E [MeV]",), [0.2, 3.0])
    for same in (region([0.0, 5.0], "E [GeV]"), region([0.0, 0.003], "T theta^2 [GeV rad$^2$]")):
        shown = readable(same)
        assert (shown.labels, shown.axes) == (same.labels, same.axes)


def test_the_axis_of_kappa_has_numbers_of_order_one():
    figure = Figure()
    axes = figure.add_subplot()
    axes.set_xlim(-1e-3, 9e-3)
    coupling = COUPLINGS["magnetic_moment"]
    kappa_axis(axes, coupling)
    reported_edge(axes, coupling, -1e-3, 9e-3)
    figure.draw_without_rendering()
    assert axes.get_xlabel().endswith(r"$[10^{-22}\;\mu_\mathrm{B}^2]$")
    (upper,) = axes.child_axes
    assert upper.get_xlabel().endswith(r"[10^{-11}\;\mu_\mathrm{B}]$")
    for lower, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True):
        assert float(label.get_text().replace("\N{MINUS SIGN}", "-")) == pytest.approx(1e4 * lower)
    for above, label in zip(upper.get_xticks(), upper.get_xticklabels(), strict=True):
        assert float(label.get_text()) ** 2 == pytest.approx(1e4 * above)
    axes.set_xlim(-1.0, 5.0)
    kappa_axis(axes, coupling)
    assert axes.get_xlabel() == kappa_label(coupling)
