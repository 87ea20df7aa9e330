import json
from pathlib import Path

import pytest

from tests.physics.quantities import QUANTITIES

ROWS = json.loads((Path(__file__).parent / "reference_values.json").read_text())


def test_every_quantity_of_the_file_is_a_function():
    assert set(QUANTITIES) == {row["quantity"] for row in ROWS}
    assert len(ROWS) == 848


@pytest.mark.parametrize("quantity", sorted(QUANTITIES))
def test_all_rows(quantity):
    rows = [row for row in ROWS if row["quantity"] == quantity]
    assert rows
    for row in rows:
        value = float(QUANTITIES[quantity](row["inputs"]))
        assert value == pytest.approx(row["value"], rel=1e-10, abs=0.0), row


def test_the_copy_is_the_specification():
    original = Path("../shared/physics/reference_values.json")
    if not original.exists():
        pytest.skip("the specification is not beside this checkout")
    assert json.loads(original.read_text()) == ROWS
