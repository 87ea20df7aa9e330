"""Pairs of monomials whose yields a variance follows, against pairs chosen by hand."""

import numpy as np

from spectrafit.inference.pairing import follows_in, pair_of
from spectrafit.physics.couplings import Monomials

# The Standard Model, kappa (interference) and kappa^2 of a coupling that shifts g_V.
VECTOR = Monomials(parameters=("kappa",), exponents=((0,), (1,), (2,)))
ALL = {0: 0, 1: 1, 2: 2}


def pair(power: int, places: dict[int, int]) -> tuple[int, int] | None:
    return pair_of(VECTOR, VECTOR.products.index((power,)), places)


def test_pairs_without_interference_come_first() -> None:
    assert pair(0, ALL) == (0, 0)
    # kappa^2 is 1 times kappa^2, or kappa squared, which vanishes where the interference does.
    assert pair(2, ALL) == (0, 2)
    assert pair(4, ALL) == (2, 2)
    # An odd power has an interference in every pair.
    assert pair(1, ALL) == (0, 1)
    assert pair(3, ALL) == (1, 2)
    assert pair(2, {0: 0, 1: 1}) == (1, 1)
    assert pair(4, {0: 0, 1: 1}) is None


def test_interference_that_cancels_is_not_followed() -> None:
    nominal = {0: np.array([4.0, 4.0, 0.0]), 1: np.array([1.0, 0.01, 1.0]), 2: np.array([1.0, 1.0, 1.0])}
    # 0.1 sqrt(4 times 1) = 0.2: the second bin is below it, and the third has no Standard Model.
    assert follows_in(VECTOR, (0, 1), nominal).tolist() == [True, False, False]
    assert follows_in(VECTOR, (0, 2), nominal).tolist() == [True, True, False]
