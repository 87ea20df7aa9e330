import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import physics as ph

unit = st.floats(0.0, 1.0)
phase = st.floats(0.0, 2 * math.pi)
mixings = st.builds(
    ph.Mixing,
    sin2_12=unit, sin2_13=unit, sin2_23=unit, delta=phase, alpha21=phase, alpha31=phase,
    dm21=st.just(7.5e-5), dm31=st.sampled_from([2.5e-3, -2.4e-3]),
)  # fmt: skip
SUN = ph.Mixing(sin2_12=0.307, sin2_13=0.022, sin2_23=0.55, delta=3.5, dm21=7.5e-5, dm31=2.51e-3)


@given(mixings)
def test_unitary_and_the_product_of_rotations(mixing):
    u = ph.pmns(mixing)
    np.testing.assert_allclose(u @ u.conj().T, np.eye(3), atol=1e-14)
    s, c = (np.sqrt([mixing.sin2_12, mixing.sin2_13, mixing.sin2_23]), np.sqrt(
        [1 - mixing.sin2_12, 1 - mixing.sin2_13, 1 - mixing.sin2_23]
    ))  # fmt: skip
    d = np.exp(-1j * mixing.delta)
    r23 = np.array([[1, 0, 0], [0, c[2], s[2]], [0, -s[2], c[2]]])
    r13 = np.array([[c[1], 0, s[1] * d], [0, 1, 0], [-s[1] / d, 0, c[1]]])
    r12 = np.array([[c[0], s[0], 0], [-s[0], c[0], 0], [0, 0, 1]])
    majorana = np.diag(np.exp(0.5j * np.array([0, mixing.alpha21, mixing.alpha31])))
    np.testing.assert_allclose(u, r23 @ r13 @ r12 @ majorana, atol=1e-14)


@given(mixings)
def test_jarlskog_invariant(mixing):
    u = ph.pmns(mixing)
    invariant = (u[0, 0] * u[1, 1] * u[0, 1].conj() * u[1, 0].conj()).imag
    s, c = (
        np.sqrt([mixing.sin2_12, mixing.sin2_13, mixing.sin2_23]),
        np.sqrt([1 - mixing.sin2_12, 1 - mixing.sin2_13, 1 - mixing.sin2_23]),
    )
    expected = s[0] * c[0] * s[1] * c[1] ** 2 * s[2] * c[2] * math.sin(mixing.delta)
    assert invariant == pytest.approx(expected, abs=1e-14)


def test_orderings():
    normal, inverted = ph.ORDERINGS["normal"], ph.ORDERINGS["inverted"]
    assert normal.dm31 - normal.dm21 == pytest.approx(2.455e-3)
    assert inverted.dm31 - inverted.dm21 == pytest.approx(-2.529e-3)
    for mixing, lightest in ((normal, 0), (inverted, 2)):
        m = ph.masses(mixing, 0.01)
        assert m.argmin() == lightest
        assert m[lightest] == pytest.approx(0.01)
        assert m[1] ** 2 - m[0] ** 2 == pytest.approx(mixing.dm21)
        assert m[2] ** 2 - m[0] ** 2 == pytest.approx(mixing.dm31)


def test_oscillation_phase():
    assert ph.oscillation_phase(1.0, 1.0, 1.0) == pytest.approx(2.533865358078, rel=1e-12)
    assert ph.oscillation_phase(2.51e-3, 1.0, np.array([2.0, 0.5])) == pytest.approx([3.18e-3, 1.272e-2], rel=1e-3)


def test_solar_probabilities():
    e, density = np.array([0.3e-3, 0.861e-3, 8e-3]), np.array([62.0, 66.0, 92.0])
    np.testing.assert_allclose(ph.solar_survival(SUN, e, density), [0.544, 0.531, 0.338], atol=6e-4)
    assert ph.solar_potential(1e-3, 1.0) == pytest.approx(1.52649337582e-7, rel=1e-11)
    p = ph.solar_probabilities(SUN, e, density)
    np.testing.assert_allclose(sum(p), 1.0, rtol=1e-15)
    # Without matter: averaged oscillations in vacuum; with much of it: the second mass state.
    vacuum = [abs(x) ** 2 for x in ph.pmns(SUN)[0]]
    np.testing.assert_allclose(ph.solar_probabilities(SUN, 1e-3, 0.0), vacuum, rtol=1e-14)
    assert ph.solar_survival(SUN, 1e-3, 0.0) == pytest.approx(sum(x * x for x in vacuum))
    assert ph.solar_probabilities(SUN, 1.0, 100.0)[1] == pytest.approx(1 - SUN.sin2_13, rel=1e-4)


def test_nonsense_is_refused():
    good = {"sin2_12": 0.3, "sin2_13": 0.02, "sin2_23": 0.5, "delta": 0.0, "dm21": 7.5e-5, "dm31": 2.5e-3}
    for key, value in (("sin2_12", 1.1), ("sin2_23", float("nan")), ("dm31", float("inf"))):
        with pytest.raises(ValueError, match=key):
            ph.Mixing(**{**good, key: value})
    with pytest.raises(ValueError, match="not negative"):
        ph.masses(SUN, -0.1)
