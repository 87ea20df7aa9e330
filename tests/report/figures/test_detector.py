"""Resolutions and efficiency of a response drawn from events, against its formulas."""

import numpy as np

from spectrafit.config import Response
from spectrafit.report.figures import detector, style


def curves(response):
    with style.look():
        return detector.response(response, highest=5.0).axes


def test_efficiency_follows_the_turn_on():
    axes = curves(Response(efficiency=0.6, efficiency_turn_on=0.3, efficiency_width=0.05))
    t, efficiency = axes[0].lines[0].get_data()
    np.testing.assert_allclose(efficiency, 0.6 / (1 + np.exp(-(t - 0.3) / 0.05)), rtol=1e-12)


def test_energy_band_holds_two_thirds_of_a_gaussian():
    axes = curves(Response(energy_stochastic=0.05, energy_constant=0.03, energy_scale=1.1))
    t, middle = axes[1].lines[0].get_data()
    np.testing.assert_allclose(middle, 1.1, rtol=0.02)
    edges = axes[1].collections[0].get_paths()[0].vertices
    for energy, width in zip(t[::8], (0.05 / np.sqrt(t) + 0.03)[::8], strict=True):
        band = edges[np.isclose(edges[:, 0], energy), 1]
        np.testing.assert_allclose(np.ptp(band) / 2, 1.1 * width, rtol=0.06)


def test_angles_of_two_projections_are_a_rayleigh_distribution():
    axes = curves(Response(angle_constant=0.01))
    t, core = axes[2].lines[0].get_data()
    np.testing.assert_allclose(core, 10 * np.sqrt(-2 * np.log(1 - 0.683)), rtol=0.04)
    np.testing.assert_allclose(axes[2].lines[1].get_ydata(), 10 * np.sqrt(-2 * np.log(1 - 0.955)), rtol=0.06)
    assert t[0] == 0.05
