"""Compiled functions answer as numpy does, in kind, and never warn."""

import awkward as ak
import numpy as np

from spectrafit.physics.compiled import plain, scalar, ufunc


def _inverse_root(x):
    return 1.0 / np.sqrt(x) if x != 0.0 else np.inf


def test_a_scalar_divides_as_numpy_does_and_keeps_its_python_function():
    def ratio(a, b):
        return a / b

    compiled = scalar(ratio)
    assert compiled(1.0, 0.0) == np.inf
    assert np.isnan(compiled(0.0, 0.0))
    assert plain(compiled) is ratio


def test_a_ufunc_takes_numbers_and_arrays_and_is_silent():
    call = ufunc("float64(float64)")(_inverse_root)
    numbers = np.array([[4.0, 0.25], [1.0, 16.0]])
    np.testing.assert_allclose(call(numbers), numbers**-0.5, rtol=1e-15)
    assert call(4.0) == 0.5
    assert ak.to_list(call(ak.Array([[4.0], [], [1.0, 0.25]]))) == [[0.5], [], [1.0, 2.0]]
    assert np.isnan(call(-1.0))
