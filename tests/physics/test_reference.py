import json
from pathlib import Path

import pytest

from tests.physics.quantities import QUANTITIES

FILES = {"reference_values.json": (848, 80), "more_reference.json": (278, 41)}
ROWS = {name: json.loads((Path(__file__).parent / name).read_text()) for name in FILES}


def test_every_quantity_of_the_files_is_a_function():
    assert set(QUANTITIES) == {row["quantity"] for rows in ROWS.values() for row in rows}
    for name, rows in ROWS.items():
        assert (len(rows), len({row["quantity"] for row in rows})) == FILES[name]


@pytest.mark.parametrize("quantity", sorted(QUANTITIES))
def test_all_rows(quantity):
    rows = [row for listed in ROWS.values() for row in listed if row["quantity"] == quantity]
    assert rows
    for row in rows:
        value = float(QUANTITIES[quantity](row["inputs"]))
        assert value == pytest.approx(row["value"], rel=1e-10, abs=0.0), row


@pytest.mark.parametrize("name", FILES)
def test_the_copies_are_the_specification(name):
    original = Path("../shared/physics") / name
    if not original.exists():
        pytest.skip("the specification is not beside this checkout")
    assert json.loads(original.read_text()) == ROWS[name]
