"""The table of couplings, and the laws of their monomials."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import physics as ph
from spectrafit.physics.couplings import COUPLINGS, FittedCoupling, Monomials

couplings = st.sampled_from(sorted(COUPLINGS))
NUMU, NUE = (14, -14), (12, -12)


def fitted(name, parameter="kappa", carriers=NUMU, fixed=None):
    return FittedCoupling.of(COUPLINGS[name], parameter=parameter, carriers=carriers, fixed=fixed)


def test_the_table():
    assert {"magnetic_moment", "charge_radius", "millicharge", "weak_mixing_angle"} <= set(COUPLINGS)
    for name, coupling in COUPLINGS.items():
        assert coupling.name == name
        assert coupling.powers == {"dipole": 1, "vector": 2}[coupling.family]
        assert set(coupling.carriers) <= set(ph.FLAVOURS.values())
        assert (coupling.family == "vector") == bool(coupling.constant or coupling.inverse_t)
        # The weights scale the shift of an angle as a whole; they have no room for a part that goes as 1/T.
        assert not (coupling.moves_angle and coupling.inverse_t)
        # A quantity that is a square root has no value below 0.
        assert (coupling.root == 1) or (coupling.lower == 0.0)
    assert COUPLINGS["magnetic_moment"].lower == 0.0
    assert COUPLINGS["magnetic_moment"].carriers == (14, -14)


@given(couplings, st.floats(1e-6, 1e3))
def test_reported_and_back(name, kappa):
    coupling = COUPLINGS[name]
    assert coupling.kappa(coupling.reported(kappa)) == pytest.approx(kappa, rel=1e-9)
    if coupling.lower is None:
        assert coupling.kappa(coupling.reported(-kappa)) == pytest.approx(-kappa, rel=1e-9)


def test_kappa_of_order_one_is_of_interest():
    assert COUPLINGS["magnetic_moment"].reported(4.0) == pytest.approx(2e-9)
    assert COUPLINGS["magnetic_moment"].reported(-4.0) == 0.0
    assert COUPLINGS["charge_radius"].reported(-0.5) == pytest.approx(-5e-33)
    assert COUPLINGS["millicharge"].reported(2.0) == pytest.approx(2e-9)
    assert COUPLINGS["weak_mixing_angle"].reported(0.0) == ph.SIN2_THETA_W
    assert COUPLINGS["weak_mixing_angle"].reported(1.0) == pytest.approx(ph.SIN2_THETA_W + 0.01)


def test_the_table_costs_no_numba():
    code = "import sys; from spectrafit.physics.couplings import COUPLINGS; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", sorted(COUPLINGS))
def test_monomials_of_one_coupling(name):
    monomials = Monomials.of([fitted(name)])
    dipole = COUPLINGS[name].family == "dipole"
    assert monomials.parameters == ("kappa",)
    assert monomials.exponents == (((0,), (1,)) if dipole else ((0,), (1,), (2,)))
    assert monomials.products == tuple((power,) for power in range(3 if dipole else 5))
    assert monomials.places == (((0, 1), (1, 2)) if dipole else ((0, 1, 2), (1, 2, 3), (2, 3, 4)))
    assert len(monomials) == 1 + COUPLINGS[name].powers


def test_monomials_of_two():
    moments = fitted("magnetic_moment"), fitted("magnetic_moment", "nue", NUE)
    assert Monomials.of(moments).exponents == ((0, 0), (1, 0), (0, 1))
    assert Monomials.of(moments).products == ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    shifts = ((0, 0), (1, 0), (0, 1), (2, 0), (0, 2))
    radius = fitted("charge_radius", "radius")
    shared = Monomials.of([radius, fitted("weak_mixing_angle", "angle", (14, 12))])
    assert shared.exponents == ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    assert shared.factors((0, 0)) == ()
    assert shared.factors((1, 2)) == (("radius", 1), ("angle", 2))
    assert Monomials.of([radius, fitted("millicharge", carriers=NUE)]).exponents == shifts
    assert Monomials.of([fitted("magnetic_moment"), radius]).exponents == ((0, 0), (1, 0), (0, 1), (0, 2))


def test_a_coupling_that_is_held_adds_no_monomial():
    held = fitted("charge_radius", "radius", carriers=(), fixed={"numu": 1e-32})
    assert Monomials.of([held]).exponents == ((),)
    assert Monomials.of([held]).products == ((),)
    assert Monomials.of([held, fitted("magnetic_moment")]) == Monomials.of([fitted("magnetic_moment")])


@st.composite
def several(draw):
    """Up to four couplings on any flavours, the dipoles on flavours of their own."""
    free = list(ph.FLAVOURS.values())
    chosen = []
    for i, name in enumerate(draw(st.lists(couplings, max_size=4))):
        pool = free if COUPLINGS[name].family == "dipole" else list(ph.FLAVOURS.values())
        carriers = draw(st.lists(st.sampled_from(pool), unique=True, max_size=4)) if pool else []
        if COUPLINGS[name].family == "dipole":
            free = [code for code in free if code not in carriers]
        chosen.append(fitted(name, f"kappa_{i}", tuple(carriers)))
    return chosen


@given(several())
def test_monomials_are_those_of_the_cross_sections(chosen):
    # The independent way: the square of a sum of shifts has every product of two of them, flavour by flavour.
    monomials = Monomials.of(chosen)
    acting = [c for c in chosen if c.carriers]
    expected = {()}
    for code in ph.FLAVOURS.values():
        shifts = [(), *((i,) for i, c in enumerate(acting) if c.coupling.family == "vector" and code in c.carriers)]
        expected |= {tuple(sorted(a + b)) for a, b in itertools.product(shifts, shifts)}
        expected |= {(i,) for i, c in enumerate(acting) if c.coupling.family == "dipole" and code in c.carriers}
    spelled = [tuple(i for i, power in enumerate(e) for _ in range(power)) for e in monomials.exponents]
    assert set(spelled) == expected
    assert len(spelled) == len(expected)
    assert [sum(e) for e in monomials.exponents] == sorted(sum(e) for e in monomials.exponents)
    assert monomials.exponents[0] == (0,) * len(acting)


@given(several(), st.data())
def test_products_and_places_give_the_square_of_the_polynomial(chosen, data):
    monomials = Monomials.of(chosen)
    whole = st.integers(-9, 9)
    values = [data.draw(whole) for _ in monomials.parameters]
    weights = np.array([data.draw(whole) for _ in monomials.exponents])

    def terms(exponents):
        return np.array([math.prod(v**p for v, p in zip(values, e, strict=True)) for e in exponents])

    squares = np.zeros(len(monomials.products), int)
    np.add.at(squares, np.array(monomials.places), np.outer(weights, weights))
    assert terms(monomials.products) @ squares == (terms(monomials.exponents) @ weights) ** 2
    assert len(set(monomials.products)) == len(monomials.products)


def test_a_fitted_coupling_says_its_flavours_by_name_or_code():
    coupling = COUPLINGS["magnetic_moment"]
    found = FittedCoupling.of(coupling, carriers=("nue", -12), fixed={"numu": 1e-10, -14: 2e-10})
    assert found.parameter == "kappa"
    assert found.carriers == (12, -12)
    assert found.fixed == ((14, 1e-10), (-14, 2e-10))
    assert FittedCoupling.of(coupling).carriers == coupling.carriers


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="each coupling needs a parameter name of its own"):
        Monomials.of([fitted("magnetic_moment"), fitted("charge_radius")])
    with pytest.raises(ValueError, match="both are magnetic moments of flavour 14"):
        Monomials.of([fitted("magnetic_moment", "a"), fitted("magnetic_moment", "b", (14, 12))])
    with pytest.raises(ValueError, match="flavour 14 carries the fitted coupling and has a fixed value"):
        fitted("magnetic_moment", fixed={"numu": 1e-10})
    with pytest.raises(ValueError, match="flavour 'mu': not a neutrino"):
        fitted("magnetic_moment", carriers=("mu",))
    with pytest.raises(ValueError, match="flavour 11: not a neutrino"):
        FittedCoupling(parameter="kappa", coupling=COUPLINGS["magnetic_moment"], carriers=(11,))
    with pytest.raises(ValueError, match="fixed value of flavour 12 is nan"):
        fitted("magnetic_moment", fixed={"nue": math.nan})
