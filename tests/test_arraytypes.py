"""The names of array types say what numpy says, and no other module has names of its own for arrays."""

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import spectrafit
from spectrafit import arraytypes

HOUSE = Path(spectrafit.__file__).parent
# What an array type looks like in a source file, subscripted or not.
SPELT_OUT = re.compile(r"\bNDArray\b|\bnp\.ndarray\[")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Floats", np.float64),
        ("Complexes", np.complex128),
        ("Integers", np.int64),
        ("Places", np.int32),
        ("Flags", np.bool_),
        ("Bytes", np.uint8),
        ("StreamKey", np.uint64),
    ],
)
def test_a_name_is_an_array_of_one_type(name, kind):
    assert np.dtype[kind] in get_args(getattr(arraytypes, name))


@pytest.mark.parametrize(("name", "kinds"), [("Reals", {np.float32, np.float64}), ("PdgCodes", {np.int32, np.int64})])
def test_a_name_is_an_array_of_two_types(name, kinds):
    assert {get_args(get_args(kind)[1])[0] for kind in get_args(getattr(arraytypes, name))} == kinds


def test_no_other_module_spells_out_an_array_type():
    found = [
        f"{path.relative_to(HOUSE)}:{number}: {line.strip()}"
        for path in sorted(HOUSE.rglob("*.py"))
        if path.name != "arraytypes.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if SPELT_OUT.search(line)
    ]
    assert not found, "take the name from spectrafit.arraytypes"
