"""A truth is named by its decimal digits, a model by single precision: last bits do not matter, all else does."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit.inference.identity import decimal, identity, single


@given(st.floats(-1e12, 1e12))
def test_a_number_is_named_as_python_rounds_it(value):
    wanted = round(value, 6) if abs(value) < 1 else float(f"{value:.6e}")
    assert float(decimal(value)) == wanted


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0, "0.000000"), (-1e-9, "0.000000"), (math.inf, "inf"), (math.nan, "nan")]
)
def test_zero_has_one_sign_and_other_numbers_a_name(value, text):
    assert decimal(value) == text


def test_last_bits_do_not_change_an_identity_and_digits_do():
    truth = np.array([0.25, -3.5, 1e3])
    assert identity("a", truth) == identity("a", np.nextafter(truth, np.inf))
    different = [("b", truth), ("a", truth[::-1]), ("a", truth[:, None]), ("a", truth * 1.001), (truth, "a"), ("a",)]
    assert len({identity("a", truth), *(identity(*parts) for parts in different)}) == 1 + len(different)


def test_arrays_are_named_by_numpy_s_single_precision():
    values = np.array([1.0 / 3.0, -0.0, 1e300])
    assert single(values) == np.array([np.float32(1 / 3), 0.0, np.inf], np.float32).tobytes()
    assert single(np.array([2**40 + 1])) == np.array([2**40 + 1]).tobytes()
    assert single([1.0, 1e-12], solved=True) == np.array([1.0, 0.0], np.float32).tobytes()
    assert single([1.0, 1e-12]) == np.array([1.0, 1e-12], np.float32).tobytes()
