"""The weights against the ratio of two cross sections, each written down as the papers have it."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import physics as ph
from spectrafit.physics import constants as c
from spectrafit.physics.couplings import COUPLINGS, FittedCoupling, Monomials
from spectrafit.physics.radiative import bks_couplings
from tests.physics.oracle import FLAVOURS

GENERATED = 0.2315
NUMU, NUE = (14, -14), (12, -12)
kappas = st.floats(-20.0, 20.0)
every_coupling = pytest.mark.parametrize("name", sorted(COUPLINGS))
every_sm = pytest.mark.parametrize("sm", ["tree", "effective", "bks"])


def events(n=400, seed=3):
    rng = np.random.default_rng(seed)
    e = rng.uniform(0.05, 20.0, n)
    return rng.choice(FLAVOURS, n), e, e * rng.uniform(0.001, 0.99, n)


def fitted(name, *, parameter="kappa", carriers=None, fixed=None):
    return FittedCoupling.of(COUPLINGS[name], parameter=parameter, carriers=carriers, fixed=fixed)


def at(couplings, weights, kappas):
    """The polynomial: the sum over the monomials of their product of kappas times their row."""
    factors = [np.prod([k**p for k, p in zip(kappas, e, strict=True)]) for e in Monomials.of(couplings).exponents]
    assert weights.shape[0] == len(factors)
    return np.einsum("m,mn->n", factors, weights)


def cross_section(couplings, kappas, pdg, e, t, sm, s2w):
    """One event's dsigma/dT with all couplings on: g_V shifted by all of them at once, and the sum of the dipoles."""
    values = dict(zip([x.parameter for x in couplings if x.carriers], kappas, strict=True))
    angle, shift, dipole, acts_on_angle = s2w, 0.0, 0.0, 0.0
    for x in couplings:
        if pdg in x.carriers:
            kappa = values[x.parameter]
        elif pdg in dict(x.fixed):
            kappa = x.coupling.kappa(dict(x.fixed)[pdg])
        else:
            continue
        if x.coupling.family == "dipole":
            dipole += kappa * x.coupling.scale
        elif x.coupling.moves_angle:
            angle, acts_on_angle = x.coupling.reference, acts_on_angle + kappa * x.coupling.constant / 2
        else:
            shift += kappa * (x.coupling.constant + x.coupling.inverse_t / t)
    moved = (0.0 if angle is None else angle - c.SIN2_THETA_W) + acts_on_angle
    if sm == "bks":
        left, right, _ = bks_couplings(pdg, t, c.SIN2_THETA_W_MZ + moved)
        tail = c.ALPHA / np.pi
        a, b = 1 + tail * ph.bks_f_minus(e, t), (1 - t / e) ** 2 + tail * ph.bks_f_plus(e, t)
        mixed = c.M_E * t / e**2 * (1 + tail * ph.bks_f_mixed(e, t))
    else:
        # Equation 28: (g_V + g_A)^2 + (g_V - g_A)^2 (1 - T/E)^2 + (g_A^2 - g_V^2) m T/E^2.
        gv = -0.5 + 2 * ((GENERATED if angle is None else angle) + acts_on_angle)
        ga = -0.5
        if sm == "effective":
            gv, ga = ph.EFFECTIVE["pdg"]
            gv += 2 * moved
        if abs(pdg) == 12:
            gv, ga = gv + 1, ga + 1
        ga = ga if pdg > 0 else -ga
        left, right = gv + ga, gv - ga
        a, b, mixed = 1.0, (1 - t / e) ** 2, c.M_E * t / e**2
    left, right = left + shift, right + shift
    weak = c.SIGMA_SM * (left**2 * a + right**2 * b - left * right * mixed)
    return weak + c.SIGMA_MAGNETIC * dipole * (1 / t - 1 / e)


def ratio(couplings, kappas, events, sm="tree", s2w=None):
    """What `weigh` must give at these kappas."""
    wanted = [cross_section(couplings, kappas, *event, sm, s2w) for event in zip(*events, strict=True)]
    return np.array(wanted) / [cross_section((), (), *event, "tree", GENERATED) for event in zip(*events, strict=True)]


@pytest.mark.parametrize(("e", "t"), [(0.5, 0.3), (2.0, 0.05), (9.0, 7.0)])
@pytest.mark.parametrize("code", FLAVOURS)
def test_the_formula_of_these_tests_is_the_functions_of_physics(code, e, t):
    for sm in ("tree", "effective", "bks"):
        plain = cross_section((), (), code, e, t, sm, 0.25)
        assert plain == pytest.approx(ph.dsigma_dt_expected(code, e, t, sm, 0.25), rel=1e-12)
    known = {
        "magnetic_moment": lambda mu: ph.dsigma_dt_sm(code, e, t, 0.25) + ph.dsigma_dt_magnetic(e, t, mu),
        "charge_radius": lambda radius: ph.dsigma_dt_charge_radius(code, e, t, radius, 0.25),
        "millicharge": lambda charge: ph.dsigma_dt_millicharge(code, e, t, charge, 0.25),
        "weak_mixing_angle": lambda angle: ph.dsigma_dt_sm(code, e, t, angle),
    }
    for name, function in known.items():
        found = cross_section([fitted(name, carriers=[code])], [0.8], code, e, t, "tree", 0.25)
        assert found == pytest.approx(function(COUPLINGS[name].reported(0.8)), rel=1e-12)


@every_sm
@pytest.mark.parametrize("s2w", [None, ph.SIN2_THETA_W, 0.25])
@every_coupling
def test_polynomial_is_the_ratio_of_cross_sections(name, s2w, sm):
    couplings, sample = [fitted(name, carriers=("numu", -14, 12))], events()
    weights = ph.weigh(couplings, *sample, sm=sm, sin2_theta_w=s2w, sin2_theta_w_generated=GENERATED)
    assert weights.shape == (1 + COUPLINGS[name].powers, sample[0].size)
    assert weights.dtype == np.float64
    assert (weights[1:, ~np.isin(sample[0], (14, -14, 12))] == 0.0).all()
    for kappa in (-1.5, 0.0, 0.3, 2.0):
        expected = ratio(couplings, [kappa], sample, sm, s2w)
        np.testing.assert_allclose(at(couplings, weights, [kappa]), expected, rtol=1e-11)


def pairs():
    """Every two couplings, on carriers that are the same, overlap, or are disjoint, where both can be fitted."""
    for (one, other), (mine, yours) in itertools.product(
        itertools.combinations_with_replacement(sorted(COUPLINGS), 2),
        ((NUMU, NUMU), (NUMU, (14, 12)), (NUMU, NUE), (None, None)),
    ):
        pair = [fitted(one, parameter="a", carriers=mine), fitted(other, parameter="b", carriers=yours)]
        dipoles = all(x.coupling.family == "dipole" for x in pair)
        shared = set(pair[0].carriers) & set(pair[1].carriers)
        if not (dipoles and shared):
            yield pytest.param(pair, id=f"{one}-{other}-{len(shared)}-shared")


@every_sm
@pytest.mark.parametrize("pair", list(pairs()))
def test_two_couplings_at_once_are_the_ratio_of_cross_sections(pair, sm):
    sample, rng = events(150), np.random.default_rng(5)
    weights = ph.weigh(pair, *sample, sm=sm, sin2_theta_w_generated=GENERATED)
    for kappas in rng.uniform(-3.0, 3.0, (4, 2)):
        expected = ratio(pair, kappas, sample, sm)
        scale = np.abs(expected) + np.abs(weights).sum(axis=0)
        np.testing.assert_array_less(np.abs(at(pair, weights, kappas) - expected), 1e-12 * scale)


@given(
    st.lists(st.tuples(kappas, kappas, kappas, kappas), min_size=1, max_size=3),
    st.sampled_from(["tree", "effective", "bks"]),
    st.sampled_from([None, 0.25]),
)
def test_all_couplings_at_once_some_of_them_held(points, sm, s2w):
    couplings = [
        fitted("magnetic_moment", parameter="a", carriers=NUMU),
        fitted("magnetic_moment", parameter="b", carriers=NUE, fixed={"nutau": 2e-9}),
        fitted("charge_radius", parameter="c", carriers=NUMU, fixed={"nue": 2e-32, "nuebar": -1e-32}),
        fitted("millicharge", parameter="held", carriers=(), fixed={"numu": 3e-9}),
        fitted("weak_mixing_angle", parameter="d", carriers=(14, 12, -12), fixed={"numubar": 0.22}),
    ]
    sample = events(60)
    weights = ph.weigh(couplings, *sample, sm=sm, sin2_theta_w=s2w, sin2_theta_w_generated=GENERATED)
    for kappas in points:
        expected = ratio(couplings, kappas, sample, sm, s2w)
        scale = np.abs(expected) + at(couplings, np.abs(weights), np.abs(kappas))
        np.testing.assert_array_less(np.abs(at(couplings, weights, kappas) - expected), 1e-12 * scale)


def test_moments_of_two_flavours_are_those_of_one_each():
    both = [fitted("magnetic_moment", parameter="a"), fitted("magnetic_moment", parameter="b", carriers=NUE)]
    found = ph.weigh(both, *events())
    for row, one in ((1, both[0]), (2, both[1])):
        np.testing.assert_array_equal(found[[0, row]], ph.weigh([one], *events()))


def test_couplings_that_are_only_held_leave_one_row():
    held = [fitted("charge_radius", carriers=(), fixed={"numu": 2e-32}), fitted("magnetic_moment", carriers=())]
    sample = events()
    weights = ph.weigh(held, *sample, sin2_theta_w_generated=GENERATED)
    np.testing.assert_allclose(weights, [ratio(held, (), sample)], rtol=1e-12)
    assert (ph.weigh([], *sample) == np.ones((1, sample[0].size))).all()


@pytest.mark.parametrize("name", sorted(name for name in COUPLINGS if COUPLINGS[name].family == "vector"))
def test_bks_moves_as_gv_does(name):
    # Where QED is small and the momentum transfer is high, a shift inside the corrections is the tree's to a per cent.
    couplings = [fitted(name, carriers=FLAVOURS)]
    tree, bks = (ph.weigh(couplings, *events(), sm=sm) for sm in ("tree", "bks"))
    np.testing.assert_allclose(bks[2], tree[2], rtol=0.25)
    assert np.median(np.abs(bks[2] / tree[2] - 1)) < 0.05


@pytest.mark.parametrize("name", sorted(name for name in COUPLINGS if COUPLINGS[name].moves_angle))
def test_the_angle_moves_bks_exactly(name):
    pdg, e, t = events()
    weights = ph.weigh(COUPLINGS[name], pdg, e, t, sm="bks")
    for kappa in (-2.0, 1.0):
        found = weights[0] + kappa * weights[1] + kappa**2 * weights[2]
        moved = COUPLINGS[name].reported(kappa) - COUPLINGS[name].reference
        expected = ph.dsigma_dt_bks(pdg, e, t, ph.SIN2_THETA_W_MZ + moved)
        np.testing.assert_allclose(found, expected / ph.dsigma_dt_sm(pdg, e, t, ph.SIN2_THETA_W), rtol=1e-10)


@every_coupling
def test_other_flavours_can_have_a_fixed_value(name):
    coupling = COUPLINGS[name]
    pdg, e, t = events()
    value = coupling.reported(0.7)
    held = [fitted(name, carriers=(14,), fixed={"nue": value, -12: value})]
    weights = ph.weigh(held, pdg, e, t, sin2_theta_w_generated=ph.SIN2_THETA_W)
    all_of_them = ph.weigh([fitted(name, carriers=(12, -12, 14))], pdg, e, t)
    fixed = abs(pdg) == 12
    expected = sum(0.7**p * all_of_them[p] for p in range(1 + coupling.powers))
    np.testing.assert_allclose(weights[0, fixed], expected[fixed], rtol=1e-12)
    np.testing.assert_allclose(weights[0, ~fixed], 1.0, rtol=1e-12)
    assert (weights[1:, pdg != 14] == 0.0).all()
    np.testing.assert_allclose(weights[1:, pdg == 14], all_of_them[1:, pdg == 14], rtol=1e-12)


@given(st.sampled_from(sorted(COUPLINGS)), st.sampled_from(["tree", "effective", "bks"]), kappas)
def test_weights_are_positive_for_every_coupling(name, sm, kappa):
    coupling = COUPLINGS[name]
    pdg, e, t = events(200)
    weights = ph.weigh([fitted(name, carriers=FLAVOURS)], pdg, e, t, sm=sm)
    kappa = abs(kappa) if coupling.lower == 0.0 else kappa
    assert (sum(kappa**p * weights[p] for p in range(1 + coupling.powers)) > 0.0).all()


@every_coupling
@every_sm
def test_entries_that_are_no_events_weigh_one(name, sm):
    nan, inf = np.nan, np.inf
    pdg = np.array([0, 11, 99, -99, 2**40, 14, 14, 14, 14, 14, 14, 14])
    e = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, nan, 0.0, -1.0, inf])
    t = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.0, -0.1, 1.5, 0.5, 0.5, 0.5, nan])
    weights = ph.weigh(COUPLINGS[name], pdg, e, t, sm=sm)
    assert (weights[0] == 1.0).all()
    assert (weights[1:] == 0.0).all()


@every_sm
def test_the_end_point_has_finite_weights(sm):
    e = np.linspace(0.01, 50.0, 1000)
    for coupling in COUPLINGS.values():
        weights = ph.weigh(coupling, np.full(e.size, -14), e, ph.t_max(e), sm=sm)
        assert np.isfinite(weights).all()


def test_shapes_types_and_defaults():
    coupling = COUPLINGS["magnetic_moment"]
    assert ph.weigh(coupling, [], [], []).shape == (2, 0)
    short = ph.weigh(coupling, np.array([14], dtype=np.int32), np.array([2.0], dtype=np.float32), [0.5])
    assert short[:, 0] == pytest.approx([1.0, ph.ratio_magnetic_sm(14, 2.0, 0.5, 1e-9, ph.SIN2_THETA_W)])
    np.testing.assert_array_equal(ph.weigh(coupling, 14, [2.0, 3.0], 0.5)[:, :1], short)
    strided = np.array([[2.0, 7.0], [3.0, 7.0]])[:, 0]
    np.testing.assert_array_equal(ph.weigh(coupling, 14, strided, 0.5)[:, :1], short)


def test_nonsense_is_refused():
    coupling = COUPLINGS["magnetic_moment"]
    twice = [fitted("magnetic_moment"), fitted("magnetic_moment", parameter="other", carriers=(14,))]
    with pytest.raises(ValueError, match="both are magnetic moments of flavour 14"):
        ph.weigh(twice, [14], [1.0], [0.5])
    with pytest.raises(ValueError, match="between 0 and 1"):
        ph.weigh(coupling, [14], [1.0], [0.5], sin2_theta_w=float("nan"))
    with pytest.raises(ValueError, match="'tree', 'effective' or 'bks'"):
        ph.weigh(coupling, [14], [1.0], [0.5], sm="loop")
    with pytest.raises(ValueError, match="one dimension"):
        ph.weigh(coupling, [[14]], [[1.0]], [[0.5]])
    with pytest.raises(ValueError, match="broadcast"):
        ph.weigh(coupling, [14, 14], [1.0, 1.0, 1.0], 0.5)


def drawn(density, n, rng):
    """Draw recoil energies from a density given on a grid, by inverting its numeric cumulative."""
    grid = np.geomspace(1e-3, float(ph.t_max(2.0)), 200_001)
    middle = np.sqrt(grid[1:] * grid[:-1])
    cumulative = np.concatenate([[0.0], np.cumsum(density(middle) * np.diff(grid))])
    return np.interp(rng.uniform(size=n), cumulative / cumulative[-1], grid), cumulative[-1]


@every_coupling
def test_closure_a_generated_sample_equals_the_reweighted_one(name):
    coupling, n, pdg, e, rng = COUPLINGS[name], 200_000, 14, 2.0, np.random.default_rng(11)
    # Large enough to be seen: a shift of g_V by 0.07 at 1 GeV, or a moment of 1.4e-9 mu_B.
    shift = coupling.constant + coupling.inverse_t
    kappa = 0.07 / shift if coupling.family == "vector" else 2.0

    def switched_on(t):
        if coupling.family == "dipole":
            mu = coupling.reported(kappa)
            return ph.dsigma_dt_sm(pdg, e, t, ph.SIN2_THETA_W) + ph.dsigma_dt_magnetic(e, t, mu)
        gv = ph.g_v(pdg, ph.SIN2_THETA_W) + kappa * (coupling.constant + coupling.inverse_t / t)
        return ph.dsigma_dt(gv, ph.g_a(pdg), e, t)

    plain, total = drawn(lambda t: ph.dsigma_dt_sm(pdg, e, t, ph.SIN2_THETA_W), n, rng)
    with_coupling, total_on = drawn(switched_on, n, rng)
    edges = np.concatenate([[1e-3], np.linspace(0.05, 2.0, 26)])
    powers = ph.weigh(coupling, np.full(n, pdg), np.full(n, e), plain)
    weights = sum(kappa**p * powers[p] for p in range(1 + coupling.powers)) * total / n
    reweighted, _ = np.histogram(plain, edges, weights=weights)
    variance, _ = np.histogram(plain, edges, weights=weights**2)
    generated = np.histogram(with_coupling, edges)[0] * total_on / n
    variance = variance + generated * total_on / n
    filled = variance > 0
    chi2 = ((reweighted - generated)[filled] ** 2 / variance[filled]).sum()
    assert chi2 < filled.sum() + 5 * np.sqrt(2 * filled.sum())
    # And the coupling was worth switching on.
    unweighted = np.histogram(plain, edges)[0] * total / n
    assert ((unweighted - generated)[filled] ** 2 / variance[filled]).sum() > 10 * filled.sum()


@every_sm
@pytest.mark.parametrize("s2w", [0.23863, 0.25])
def test_row_zero_is_the_expected_standard_model(sm, s2w):
    pdg, e, t = events()
    weights = ph.weigh(COUPLINGS["magnetic_moment"], pdg, e, t, sm=sm, sin2_theta_w=s2w)
    expected = ph.dsigma_dt_expected(pdg, e, t, sm, s2w) / ph.dsigma_dt_sm(pdg, e, t, ph.SIN2_THETA_W)
    np.testing.assert_allclose(weights[0], expected, rtol=1e-12)
    with pytest.raises(ValueError, match="needed 'tree', 'effective' or 'bks'"):
        ph.dsigma_dt_expected(14, 1.0, 0.5, "loop")
