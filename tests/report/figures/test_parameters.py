"""Pulls, impacts and correlations against the fit they were drawn from."""

import dataclasses

import numpy as np
import pytest

from spectrafit.inference.fitting.impacts import impacts
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.figures import parameters, style


def test_pulls_and_impacts_stand_in_one_order(case, blind):
    pulls, moves = blind["nuisances"].axes
    order = [impact for impact in impacts(case.model, case.best) if not impact.group]
    bars = {container.get_label(): [bar.get_width() for bar in container] for container in moves.containers}
    shares = np.array([impact.up / case.best.kappa_error for impact in order])
    np.testing.assert_allclose(bars["fitted error up"], shares)
    # The prior is wider than the fitted error, and moves kappa by as much more.
    squeezed = np.array([case.best.constraints[case.model.index(impact.name)] for impact in order])
    np.testing.assert_allclose(bars["prior width up"], shares / squeezed)
    assert len(pulls.containers) == len(order)
    numbers = [text.get_text() for text in moves.texts if text.get_text()[0] in "+\N{MINUS SIGN}"]
    assert len(numbers) == len(order)
    first = float(numbers[0].split()[0].replace("\N{MINUS SIGN}", "-"))
    assert first == pytest.approx(shares[0], abs=0.006)


def test_groups_stand_beside_the_names(case, blind):
    groups = [text.get_text() for text in blind["nuisances"].texts]
    assert groups.count("normalisation") == 3
    assert groups.count("detector") == 1


def test_without_nuisances_there_is_nothing_to_draw(case):
    best = dataclasses.replace(case.best, errors=np.array([0.4, 0, 0, 0, 0]))
    with style.look():
        assert parameters.nuisances(case.model, best, (), COUPLINGS["magnetic_moment"]) is None
        assert parameters.correlations(case.model, best) is None


def test_correlations_start_with_kappa_and_its_closest(case, blind):
    axes = blind["correlations"].axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [r"$\mu_\nu^2$", "flux_norm", "nc_norm", "nue_cc_norm", "energy_scale"]
    matrix = axes.collections[0].get_array()
    np.testing.assert_allclose(np.diag(matrix), 1.0)
    assert matrix[0, 1] == pytest.approx(-0.55)
