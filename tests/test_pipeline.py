"""The shorter compiler makes the same kernels as numba's own."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit, types
from numba.core.compiler import Flags

from spectrafit.contiguous import Contiguous
from spectrafit.jit import KERNEL
from spectrafit.pipeline import KernelCompiler, _Flags

OPTIONS = ("nrt", "fastmath", "error_model", "no_cpython_wrapper", "release_gil", "boundscheck")
VALUES = {
    "fastmath": st.sampled_from([False, True, {"nsz"}]),
    "error_model": st.sampled_from(["python", "numpy"]),
}
CHOSEN = st.fixed_dictionaries({}, optional={name: VALUES.get(name, st.booleans()) for name in OPTIONS})


def _made(kind, options):
    flags = kind()
    for name, value in options.items():
        setattr(flags, name, value)
    return flags


@given(CHOSEN, CHOSEN)
def test_flags_are_equal_where_numbas_are(options, others):
    expected = _made(Flags, options) == _made(Flags, others)
    assert (_made(_Flags, options) == _made(_Flags, others)) == expected
    assert (_made(_Flags, options) == _made(Flags, others)) == expected
    if expected:
        assert hash(_made(_Flags, options)) == hash(_made(Flags, others))


def _mixture(x, n, out):
    """Use integers, floats, tuples, whole powers, quotients by zero, branches and early ends."""
    used = 0
    for i in range(x.size):
        value = x[i]
        low, high = (value, 1.0) if value < 1.0 else (1.0, value)
        k = (i * 7 + n) % 5 - 2
        if k < 0 and not value > 0.0:
            continue
        if math.isnan(value):
            break
        out[i] = low / (high - 1.0) + value**2 - k // 2 + abs(k) * max(low, 0.5) + min(k, 1)
        out[i] += float(n >> 1) * (1.0 if used & 1 else -1.0)
        used += 1
    return used


def test_kernels_are_those_of_numba_bit_for_bit():
    x = np.concatenate([np.linspace(-2.0, 3.0, 41), [1.0, np.inf, np.nan, 2.0]])
    signature = types.int64(Contiguous(types.float64, readonly=True), types.int64, Contiguous(types.float64))
    plain = types.int64(types.float64[::1], types.int64, types.float64[::1])
    options = {**KERNEL, "cache": False}
    ours = njit([signature], pipeline_class=KernelCompiler, **options)(_mixture)
    theirs = njit([plain], **options)(_mixture)
    found, expected = np.zeros(x.size), np.zeros(x.size)
    assert ours(x, 3, found) == theirs(x, 3, expected)
    np.testing.assert_array_equal(found, expected)
