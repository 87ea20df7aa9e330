import numpy as np
import pytest

from spectrafit.inference.fitting.covariance import covariance
from spectrafit.inference.kernels import cholesky


def positive(size, seed=1):
    root = np.random.default_rng(seed).normal(size=(size, size))
    scale = 10.0 ** np.random.default_rng(seed + 1).uniform(-4, 4, size)
    return (root @ root.T + 0.1 * np.eye(size)) * np.outer(scale, scale)


def inverse(matrix, rows, result):
    size = len(rows)
    return cholesky.inverse(matrix, rows, np.empty(size, np.int64), np.empty((size, size)), np.empty(size), result)


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_inverse_is_numpys(size):
    matrix, result = positive(size), np.empty((size, size))
    assert inverse(matrix, np.ones(size, bool), result)
    np.testing.assert_allclose(result @ matrix, np.eye(size), atol=1e-6)


def test_rows_left_out_are_zero():
    matrix, result = positive(6), np.empty((6, 6))
    rows = np.array([True, False, True, True, False, True])
    assert inverse(matrix, rows, result)
    np.testing.assert_allclose(result[np.ix_(rows, rows)], np.linalg.inv(matrix[np.ix_(rows, rows)]), rtol=1e-8)
    assert not result[~rows].any()
    assert not result[:, ~rows].any()


def test_what_is_not_positive_is_told_and_made_so():
    matrix = np.array([[2.0, 3.0], [3.0, 2.0]])
    result = np.empty((2, 2))
    assert not inverse(matrix, np.ones(2, bool), result)
    found, good = covariance(matrix, np.ones(2, bool))
    assert not good
    assert np.all(np.diag(found) > 0)
    found, good = covariance(positive(5), np.ones(5, bool))
    assert good
    np.testing.assert_allclose(found, 2.0 * np.linalg.inv(positive(5)), rtol=1e-6)
    singular = np.array([[1.0, 1.0], [1.0, 1.0]])
    assert not covariance(singular, np.ones(2, bool))[1]
