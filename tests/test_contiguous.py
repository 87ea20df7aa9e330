"""Kernels read and write the arrays they are given: numpy is the oracle."""

import numpy as np
import pytest
from numba import njit, types

from spectrafit.contiguous import Contiguous, row, view
from spectrafit.jit import inlined, kernel, loop

VECTOR, MATRIX, FLAGS = Contiguous(types.float64), Contiguous(types.float64, 2), Contiguous(types.boolean)


@kernel(types.float64(VECTOR, types.int64, types.int64), entry=True)
def _part(x, start, size):
    total, part = 0.0, view(x, start, size)
    for i in range(part.size):
        total += part[i]
    return total


@kernel(types.int64(MATRIX, Contiguous(types.float64, 3), FLAGS), entry=True)
def _everything(m, cube, flags):
    for i in range(m.shape[0]):
        whole, last = m[i], row(m, i, 1, m.shape[1] - 1)
        whole[0] += 10.0
        last[last.size - 1] = whole[0] * last[0]
        flags[i] = last[0] > 0.0
        for j in range(cube.shape[1]):
            face = cube[i]
            cube[i, j, 1] -= m[i, 1]
            face[j, 0] = 2.0 * cube[i, j, 1]
    return cube.size


@inlined
def _half(x):
    return 0.5 * x


@loop(*(types.void(Contiguous(kind, readonly=True), VECTOR) for kind in (types.float32, types.float64)))
def _halve(x, out):
    for i in range(x.size):
        out[i] = _half(np.float64(x[i]))


def test_elements_rows_and_parts_are_numpys():
    rng = np.random.default_rng(1)
    m, cube, flags = rng.normal(size=(3, 4)), rng.normal(size=(3, 2, 5)), np.zeros(3, bool)
    expected, faces = m.copy(), cube.copy()
    assert _everything(m, cube, flags) == 30
    expected[:, 0] += 10.0
    expected[:, -1] = expected[:, 0] * expected[:, 1]
    faces[:, :, 1] -= expected[:, 1:2]
    faces[:, :, 0] = 2.0 * faces[:, :, 1]
    np.testing.assert_array_equal(m, expected)
    np.testing.assert_array_equal(cube, faces)
    np.testing.assert_array_equal(flags, expected[:, 1] > 0.0)
    assert _part(m.ravel(), 2, 5) == pytest.approx(m.ravel()[2:7].sum(), rel=1e-14)


def test_arrays_that_cannot_be_written_to_are_read_and_others_refused():
    x, out = np.arange(4, dtype=np.float32), np.zeros(4)
    x.flags.writeable = False
    _halve(x, out)
    np.testing.assert_array_equal(out, [0.0, 0.5, 1.0, 1.5])
    frozen = np.zeros(4)
    frozen.flags.writeable = False
    with pytest.raises(TypeError):
        _halve(x, frozen)
    with pytest.raises(TypeError):
        _halve(np.zeros((2, 4), np.float32)[:, 0], out)


def test_a_function_that_is_no_kernel_gives_its_arrays_to_one():
    @njit
    def outside(x):
        return _part(x, 1, 2)

    _part.prepare()
    assert outside(np.array([1.0, 2.0, 4.0, 8.0])) == 6.0
