"""A matrix over bins and a matrix over flux bins move templates by exactly their own covariance."""

import numpy as np
import pytest

from spectrafit.errors import DataError
from spectrafit.templates.build import fill_cells
from spectrafit.templates.correlated import CovarianceEffect, FluxEffect
from spectrafit.templates.systematics import effects

REGION = (
    '[[regions]]\nname = "one"\nsamples = ["numu", "nue", "background"]\n'
    'axes = [{ observable = "t_reco", edges = [0.3, 1.0, 1.7, 4.0] }]\n'
)


def covariance(path):
    return f'[[systematics]]\nkind = "covariance"\nname = "d"\nfile = "{path}"\n'


def test_relative_deviations_sum_to_the_matrix_times_the_expectation(ntuples, tmp_path):
    root = np.array([[0.1, 0.0, 0.0], [0.05, 0.08, 0.0], [0.0, -0.02, 0.04]])
    np.save(tmp_path / "m.npy", root @ root.T)
    analysis = ntuples.analysis(covariance(tmp_path / "m.npy"), regions=REGION)
    cells = fill_cells(analysis)
    (effect,) = effects(analysis).values()
    assert isinstance(effect, CovarianceEffect)
    rows = effect.fractions(cells).rows
    np.testing.assert_allclose(rows.T @ rows, root @ root.T, atol=1e-15)
    moved, total = effect.deviations(cells)[:, :, 0].sum(axis=1), cells.nominal[:, 0].sum(axis=0)
    np.testing.assert_allclose(moved.T @ moved, np.outer(total, total) * (root @ root.T), rtol=1e-9, atol=1e-12)


def test_a_matrix_of_another_size_is_refused_before_events_are_read(ntuples, tmp_path):
    np.save(tmp_path / "m.npy", np.eye(4))
    analysis = ntuples.analysis(covariance(tmp_path / "m.npy"), regions=REGION)
    with pytest.raises(DataError, match=r"has shape \(4, 4\).* 3 bins in all"):
        next(iter(effects(analysis).values())).check(analysis)


def test_flux_bins_of_a_sample_add_up_to_its_template(ntuples):
    analysis = ntuples.analysis('[[systematics]]\nkind = "flux"\nname = "f"\nsamples = ["numu"]\n', regions=REGION)
    cells = fill_cells(analysis)
    (effect,) = effects(analysis).values()
    assert isinstance(effect, FluxEffect)
    (found,) = effect.sums(cells).values()
    at = [sample.name for sample in cells.expected].index("numu")
    np.testing.assert_allclose(cells.inner(found.sums).sum(axis=0), cells.nominal[at], rtol=1e-12)
