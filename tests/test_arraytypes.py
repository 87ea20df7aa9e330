"""The names of array types say what numpy says."""

from typing import get_args

import numpy as np
import pytest

from spectrafit import arraytypes


@pytest.mark.parametrize(
    ("name", "kind"), [("Floats", np.float64), ("Integers", np.int64), ("Places", np.int32), ("Flags", np.bool_)]
)
def test_a_name_is_an_array_of_one_type(name, kind):
    assert np.dtype[kind] in get_args(getattr(arraytypes, name))


def test_reals_are_single_or_double():
    assert {get_args(get_args(kind)[1])[0] for kind in get_args(arraytypes.Reals)} == {np.float32, np.float64}
