"""Results answer simple questions about themselves as numpy and a pencil do."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit.inference.intervals.limits import upper_limit
from spectrafit.inference.results import Bands, Contour, Impact, Ledger, Profile
from tests.inference.models import counting


def parabola(best, width, points=41):
    grid = np.linspace(best - 3 * width, best + 3 * width, points)
    return Profile(
        parameter="kappa",
        grid=grid,
        delta_2nll=((grid - best) / width) ** 2,
        best=best,
        best_2nll=1.5,
        values=grid[:, None],
        valid=np.ones(points, bool),
    )


@given(st.floats(-5, 5), st.floats(0.1, 10), st.floats(0.1, 8.0))
def test_a_parabola_crosses_a_level_at_its_root(best, width, level):
    low, high = parabola(best, width).crossing(level)
    reach = math.sqrt(level) * width
    assert low == pytest.approx(best - reach, abs=1e-9 * width)
    assert high == pytest.approx(best + reach, abs=1e-9 * width)


def test_a_level_beyond_the_grid_is_crossed_nowhere():
    assert all(map(math.isnan, parabola(0.0, 1.0).crossing(9.5)))


@given(
    st.lists(st.tuples(*[st.integers(0, 50)] * 5, st.lists(st.integers(0, 99), max_size=15)), min_size=2, max_size=4)
)
def test_ledgers_add_up(rows):
    names = ("fits", "refitted", "failed", "checked", "disagreed")
    parts = [Ledger(**dict(zip(names, row[:5], strict=True)), toys=tuple(row[5])) for row in rows]
    total = sum(parts[1:], parts[0])
    for place, name in enumerate(names):
        assert getattr(total, name) == sum(row[place] for row in rows)
    assert total.toys == tuple(toy for row in rows for toy in row[5])[:20]
    assert total.rate == total.failed / max(total.fits, 1) + total.disagreed / max(total.checked, 100)


def test_texts_hold_the_numbers():
    assert Bands(values=(1.0, 2.0, 3.0, 4.0, 5.0), kappas=(0.0,) * 5).median == 3.0
    assert str(Impact(name="flux", size=0.5, up=0.25, down=-0.5)) == "flux: 0.5 (+0.25 -0.5)"
    grid = np.arange(3.0)
    contour = Contour(
        parameters=("a", "b"), x=grid, y=grid[:2], delta_2nll=np.zeros((3, 2)), best=(1, 1), valid=np.ones((3, 2), bool)
    )
    assert str(contour) == "contour of a and b: 3 x 2 points"


def test_the_record_of_a_limit_is_json_without_its_scan():
    limit = upper_limit(counting(), simulation=False)
    record = json.loads(json.dumps(limit.summary()))
    assert "points" not in record
    assert record["kappa"] == limit.kappa
    assert record["expected"]["values"][2] == limit.expected.median
