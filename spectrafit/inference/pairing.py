"""Which yields the variance of the simulation follows: the pair of monomials whose product a square belongs to."""

from __future__ import annotations

import numpy as np

from spectrafit.arraytypes import Flags, Floats
from spectrafit.physics.couplings import Monomials

__all__ = ["follows_in", "pair_of"]


def _partners(monomials: Monomials, m: int) -> tuple[int, int] | None:
    """Return two other monomials whose product is the square of m; None if there are none.

    Such an m is an interference term, whose template may be positive here and negative there. An example is kappa, the
    interference of a coupling with the Standard Model: its square is also 1 times kappa^2.
    """
    square = monomials.places[m][m]
    found = (
        (one, other) for one in range(len(monomials)) for other in range(one) if monomials.places[one][other] == square
    )
    return next(found, None)


def pair_of(monomials: Monomials, product: int, places: dict[int, int]) -> tuple[int, int] | None:
    """Return the two monomials whose yields the variance of a product follows; None if no component has them.

    Yields of interference may vanish, so pairs without interference come first. Among these the two closest powers are
    taken.
    """
    pairs = [
        (first, second)
        for first in places
        for second in places
        if first <= second and monomials.places[first][second] == product
    ]

    def cost(pair: tuple[int, int]) -> tuple[int, int]:
        interference = sum(_partners(monomials, member) is not None for member in pair)
        return interference, sum(monomials.exponents[pair[1]]) - sum(monomials.exponents[pair[0]])

    return min(pairs, key=cost, default=None)


def follows_in(monomials: Monomials, pair: tuple[int, int], nominal: dict[int, Floats]) -> Flags:
    """Return in which bins the yields are far enough from zero for a variance to be scaled with them.

    An interference template changes sign. Where it nearly cancels, its relative change says nothing about variances.
    """
    follows: Flags = (nominal[pair[0]] != 0) & (nominal[pair[1]] != 0)
    for member in set(pair):
        partners = _partners(monomials, member)
        if partners is not None and all(other in nominal for other in partners):
            first, second = (nominal[other] for other in partners)
            follows &= np.abs(nominal[member]) > 0.1 * np.sqrt(np.abs(first * second))
    return follows
