"""Compiled functions answer as numpy does, in kind, and never warn."""

import awkward as ak
import numpy as np

from spectrafit.physics import cross_sections, kinematics
from spectrafit.physics.compiled import interpreted, plain, scalar, ufunc


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


def test_python_runs_the_same_functions_without_compiling_them():
    numbers, codes = np.geomspace(1e-3, 5.0, 7), np.array([12, -12, 14, -14, 16, -16, 11], np.int32)
    for call, given in (
        (kinematics.theta, (4.0, numbers)),
        (kinematics.t_of_t_theta2, (4.0, 1e-4 * numbers, numbers > 1.0)),
        (cross_sections.dsigma_dt_sm, (codes, 4.0, numbers, 0.23863)),
        (cross_sections.sigma_sm, (codes[:, None], 4.0, numbers, np.inf, 0.23863)),
        (kinematics.t_max, (2.0,)),
    ):
        with interpreted():
            found = call(*given)
        expected = call(*given)
        np.testing.assert_allclose(found, expected, rtol=2e-15)
        assert type(found) is type(expected)
    unbuilt = ufunc("float64(float64)")(_inverse_root)
    with interpreted():
        assert unbuilt(4.0) == 0.5
        assert unbuilt(0.0) == np.inf
        # What Python itself cannot divide, and what is no numpy array, the compiled function gets.
        assert ak.to_list(unbuilt(ak.Array([[4.0], []]))) == [[0.5], []]
