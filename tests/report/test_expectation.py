"""Yields against the templates they were made of, covariances against the derivatives written out by hand."""

import dataclasses

import numpy as np
import pytest

from spectrafit.report.expectation import expectation, spread


def test_samples_are_kept_apart_and_the_coupling_is_what_it_adds(case):
    expected = expectation(case.model, case.best, kappa=0.5)
    assert expected.samples == case.templates.samples
    np.testing.assert_allclose(expected.counts, case.templates.counts[:, 0, 0], rtol=1e-13)
    np.testing.assert_allclose(expected.extra, 0.5 * case.templates.counts[:, 0, 1], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(expected.total, case.templates.counts[:, 0, 0].sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(expected.signal, expected.extra.sum(axis=0))
    np.testing.assert_allclose(expected.variance, case.templates.squares[:, 0].sum(axis=0), rtol=1e-12)


def test_fitted_nuisances_scale_the_yields(case):
    values = case.best.values.copy()
    values[case.model.index("nc_norm")] = 1.5
    moved = expectation(case.model, dataclasses.replace(case.best, values=values), kappa=0.0)
    np.testing.assert_allclose(moved.counts[3], case.templates.counts[3, 0, 0] * 1.2**1.5, rtol=1e-12)
    np.testing.assert_allclose(moved.counts[:3], case.templates.counts[:3, 0, 0], rtol=1e-12)


def by_hand(case):
    counts = case.templates.counts[:, 0, 0]
    rows = [
        (counts[0] + counts[1]) * (1.08 - 1 / 1.08) / 2,
        counts[2] * (1.15 - 1 / 1.15) / 2,
        counts[3] * (1.20 - 1 / 1.20) / 2,
        counts.sum(axis=0) * np.repeat(np.linspace(-0.04, 0.06, 11), 10),
    ]
    return np.array(rows)


def test_covariances_before_and_after_the_fit(case):
    before, after = spread(case.model, case.best, case.best.values)
    slopes = by_hand(case)
    np.testing.assert_allclose(before, slopes.T @ slopes, rtol=1e-9, atol=1e-12)
    fitted = case.best.covariance[1:, 1:]
    np.testing.assert_allclose(after, slopes.T @ fitted @ slopes, rtol=1e-9, atol=1e-12)


def test_correlated_priors_and_fixed_parameters(case):
    model = dataclasses.replace(case.model, correlations=(("nue_cc_norm", "nc_norm", 0.7),))
    before, _ = spread(model, case.best, case.best.values)
    prior = np.eye(4)
    prior[1, 2] = prior[2, 1] = 0.7
    slopes = by_hand(case)
    np.testing.assert_allclose(before, slopes.T @ prior @ slopes, rtol=1e-9, atol=1e-12)

    errors = case.best.errors.copy()
    errors[case.model.index("energy_scale")] = 0.0
    before, after = spread(case.model, dataclasses.replace(case.best, errors=errors), case.best.values)
    np.testing.assert_allclose(before, slopes[:3].T @ slopes[:3], rtol=1e-9, atol=1e-12)
    assert after.shape == before.shape


def test_without_nuisances_there_is_no_spread(case):
    best = dataclasses.replace(case.best, errors=np.array([0.42, 0.0, 0.0, 0.0, 0.0]))
    before, after = spread(case.model, best, best.values)
    assert not before.any()
    assert not after.any()


@pytest.mark.parametrize("kappa", [-0.3, 0.0, 2.0])
def test_signal_is_linear_in_kappa_for_one_power(case, kappa):
    unit = expectation(case.model, case.best, kappa=1.0).signal
    np.testing.assert_allclose(expectation(case.model, case.best, kappa=kappa).signal, kappa * unit, atol=1e-10)
