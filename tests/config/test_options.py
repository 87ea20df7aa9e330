"""The options of fits and limits: what holds without them, and what is refused."""

from typing import get_args

import msgspec
import pytest

from spectrafit.config.options import Correlation, FitOptions, LimitOptions, Method, Prune
from spectrafit.inference.intervals.limits import METHODS


def test_every_method_of_a_limit_can_be_written():
    assert set(get_args(Method)) == set(METHODS)
    for method in METHODS:
        assert msgspec.convert({"method": method}, LimitOptions).method == method


def test_without_a_key_the_usual_choice_holds():
    assert FitOptions() == msgspec.convert({}, FitOptions)
    assert (FitOptions().terms, FitOptions().statistic, LimitOptions().level) == ("shape+norm", "poisson", 0.90)
    assert (Prune().norm, Prune().shape) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        (LimitOptions, {"level": 90}),
        (LimitOptions, {"toys": 0}),
        (FitOptions, {"floor": 0.0}),
        (FitOptions, {"statistics": "poisson"}),
        (Correlation, {"parameters": ["a", "b"], "value": 1.5}),
        (Prune, {"norm": -0.1}),
    ],
)
def test_values_outside_their_domain_and_unknown_keys_are_refused(kind, plain):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(plain, kind)
