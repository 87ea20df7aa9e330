"""An interval holds a kappa exactly if the method accepts it there: the question and the interval agree."""

import dataclasses

import pytest
from scipy.stats import gamma

from spectrafit.inference.intervals.acceptance import Question, asymptotically, by_posterior, by_toys
from spectrafit.inference.intervals.limits import smallest, upper_limit
from spectrafit.inference.intervals.scan import Scan
from spectrafit.inference.toys.options import ToyOptions
from tests.inference.models import counting


def question(model, kappa, *, sides="one", toys=400):
    return Question(
        scan=Scan(model, smallest(model)), kappa=kappa, level=0.9, sides=sides, toys=ToyOptions(toys=toys, seed=3)
    )


@pytest.mark.parametrize(
    ("method", "sides", "cls"), [("profile", "one", False), ("profile", "two", False), ("cls", "one", True)]
)
@pytest.mark.parametrize("n", [20.0, 30.0])
def test_the_asymptotic_answer_changes_at_the_limit(method, sides, cls, n):
    model = counting(n, 23.78, 0.05)
    limit = upper_limit(model, method=method, sides=sides, expected=False)
    assert asymptotically(question(model, limit.kappa * 0.999, sides=sides), cls=cls)[0]
    assert not asymptotically(question(model, limit.kappa * 1.001, sides=sides), cls=cls)[0]


def test_the_posterior_of_a_count_is_a_cut_gamma_distribution():
    n, b = 12, 5.0
    whole = gamma(n + 1)
    upper = whole.isf(0.1 * whole.sf(b)) - b
    model = counting(float(n), b, 0.0)
    assert by_posterior(question(model, upper * 0.99), root=False)[0]
    assert not by_posterior(question(model, upper * 1.01), root=False)[0]


def test_toys_accept_the_best_kappa_and_refuse_one_far_away():
    model = counting(40.0, 20.0, 0.0)
    held, ledger = by_toys(question(model, 20.0, sides="two"), cls=False)
    assert held
    assert ledger.fits >= 400
    assert not by_toys(question(model, 60.0, sides="two"), cls=False)[0]


def test_a_kappa_below_the_boundary_is_asked_for_on_it():
    asked = question(counting(), -1.0)
    assert asked.tested == asked.scan.lower
    assert dataclasses.replace(asked, kappa=2.0).tested == 2.0


def test_an_empty_interval_does_not_hold_the_boundary():
    # None of 3 expected events: P(n = 0) = 0.05 is below 0.1, whatever the signal is.
    asked = question(counting(0.0, 3.0, 0.0), 0.0)
    assert not asymptotically(asked, cls=False)[0]
    assert asymptotically(asked, cls=True)[0]
