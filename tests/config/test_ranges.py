"""Values of a scan as users write them, against numpy."""

import numpy as np
import pytest

from spectrafit.config.ranges import over
from spectrafit.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("pot=1e20:3e21:log12", "pot", np.geomspace(1e20, 3e21, 12)),
        ("a.b.low=0.1:0.5:5", "a.b.low", np.linspace(0.1, 0.5, 5)),
        ("a=5:1:lin3", "a", [5, 3, 1]),
        (" a = 0.02, 0.05,0.1", "a", [0.02, 0.05, 0.1]),
        ("a=3", "a", [3]),
    ],
)
def test_values_are_those_of_numpy(text, key, values):
    name, found = over(text)
    assert name == key
    np.testing.assert_allclose(found, values, rtol=1e-14)


def test_whole_values_are_whole_numbers():
    assert [type(v) for v in over("a=2:4:3")[1]] == [int, int, int]
    assert [type(v) for v in over("a=2.5,4,1e20")[1]] == [float, int, float]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pot", "needs KEY=VALUES"),
        ("pot=", "needs KEY=VALUES"),
        ("pot=a,b", "'a' is no number"),
        ("pot=1,nan", "no finite number"),
        ("pot=1:2", "neither a list"),
        ("pot=1:2:x", "'x' is no number of values"),
        ("pot=1:2:1", "needed is 2 to"),
        ("pot=0:2:log3", "ends above 0"),
        ("pot=1,1.0", "stands twice"),
    ],
)
def test_what_is_no_list_of_values_is_refused(text, expected):
    with pytest.raises(ConfigError, match=expected):
        over(text)
