from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import LogNorm

from spectrafit.report.figures.binnings import comparison, line_of_cells, map_of_cells, partition, spread
from spectrafit.report.figures.style import look

X, Y = np.array([0.15, 0.3, 0.7, 5.0]), np.array([0.0, 0.001, 0.01])


def rated(name, median, guarded, bins):
    half = SimpleNamespace(guarded=1.1, uncertainty=0.01)
    return SimpleNamespace(
        name=name,
        median=median,
        guarded=guarded,
        judgement=SimpleNamespace(bins=bins),
        halves=(half, half),
        limit=SimpleNamespace(unit="mu_B"),
    )


def test_limits_stand_where_they_are():
    with look():
        figure = comparison(
            [rated("as it is", 1.26e-9, 1.30e-9, 77), rated("optimum", 1.2e-9, 1.21e-9, 18)], symbol="mu_nu"
        )
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["as it is (77)", "optimum (18)"]
    assert axes.yaxis_inverted()
    drawn = sorted(float(line.get_xdata()[0]) for line in axes.lines if len(line.get_xdata()) == 1)
    assert drawn == pytest.approx([1.2, 1.21, 1.26, 1.30])
    assert r"10^{-9}\,\mu_\mathrm{B}" in axes.get_xlabel()
    assert "half" in figure.axes[1].get_legend().get_texts()[1].get_text()


def test_maps_share_their_colours_and_show_the_binning():
    values = np.arange(6.0).reshape(3, 2)
    with look():
        figure = map_of_cells(
            (("a", values), ("b", 10 * values)), (X, Y), ("x", "y"), of="events", scale="log", binning=(X[[0, 2, 3]], Y)
        )
    first, second, bar = figure.axes
    meshes = [axes.collections[0] for axes in (first, second)]
    assert isinstance(meshes[0].norm, LogNorm)
    assert meshes[0].norm.vmin == meshes[1].norm.vmin == 1.0
    # Empty cells are left out, not drawn as few.
    assert np.ma.getmaskarray(meshes[0].get_array()).sum() == 1
    assert first.get_xscale() == "log"
    assert first.get_yscale() == "linear"
    assert bar.get_ylabel() == "events"
    assert len(first.lines) == 2 * (3 + 3)


@pytest.mark.parametrize(("scale", "ends"), [("share", (0, 1)), ("linear", (0, 5)), ("symlog", (-5, 5))])
def test_scales(scale, ends):
    with look():
        figure = map_of_cells((("a", np.arange(6.0).reshape(3, 2)),), (X, Y), ("x", "y"), of="n", scale=scale)
    norm = figure.axes[0].collections[0].norm
    assert (norm.vmin, norm.vmax) == ends


def test_a_partition_and_a_line():
    numbers = np.array([[1, 2], [0, 2], [3, 1]])
    with look():
        figure = partition(numbers, (X, Y), ("x", "y"))
        line = line_of_cells((("signal", np.arange(3.0)),), X, "T [GeV]", of="events")
    shown = figure.axes[0].collections[0].get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(shown), (numbers == 0).T)
    np.testing.assert_array_equal(line.axes[0].patches[0].get_data().values, [0.0, 1.0, 2.0])
    assert not spread(line.axes[0].yaxis, Y)
