import numpy as np

from spectrafit.report.figures.diagnostics import along_truth, migration
from spectrafit.report.figures.style import look
from spectrafit.templates.truths import AxisTruth

EDGES = np.array([0.2, 0.4, 1.0, 3.0])


def axis():
    """Three bins, of which the last holds no event."""
    counts = np.zeros((5, 5))
    counts[1, 1:4] = [60, 30, 10]
    counts[2, 1:3] = [20, 80]
    residuals = np.zeros((3, 4))
    residuals[:2] = [[0, 50, 50, 0], [10, 40, 40, 10]]
    return AxisTruth(
        observable="t_reco",
        truth="t",
        label="reconstructed $T_e$ [GeV]",
        edges=EDGES,
        migration=counts,
        residual_edges=np.linspace(-0.2, 0.2, 5),
        residuals=residuals,
        generated=np.array([200.0, 100.0, 0.0]),
        selected=np.array([100.0, 100.0, 0.0]),
    )


def test_lines_are_the_numbers():
    found = axis()
    np.testing.assert_allclose(found.resolution[0], 0.068, atol=1e-3)
    np.testing.assert_allclose(found.bias[:2], 0.0, atol=1e-12)
    with look():
        figure = along_truth(found)
    upper, lower = figure.axes
    drawn = [patch.get_data().values for patch in upper.patches]
    np.testing.assert_array_equal(drawn[0], found.resolution)
    np.testing.assert_array_equal(drawn[2], np.diff(EDGES))
    np.testing.assert_array_equal(lower.patches[0].get_data().values, [0.5, 1.0, np.nan])
    assert upper.get_ylabel() == "reconstructed - true [GeV]"
    assert lower.get_xlabel() == "true $T_e$ [GeV]"
    assert lower.get_xscale() == "log"


def test_the_matrix_is_shares_of_true_bins():
    found = axis()
    np.testing.assert_allclose(found.purity[:2], [60 / 80, 80 / 110])
    np.testing.assert_allclose(found.stability[:2], [0.6, 0.8])
    with look():
        figure = migration(found)
    axes, above = figure.axes[:2]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["60", "30", "10", "20", "80"]
    np.testing.assert_array_equal(above.patches[0].get_data().values, found.purity)
