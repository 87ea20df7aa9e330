import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import physics as ph
from spectrafit.physics.couplings import COUPLINGS
from tests.physics.oracle import FLAVOURS

GENERATED = 0.2315
kappas = st.floats(-20.0, 20.0)


def events(n=400, seed=3):
    rng = np.random.default_rng(seed)
    e = rng.uniform(0.05, 20.0, n)
    return rng.choice(FLAVOURS, n), e, e * rng.uniform(0.001, 0.99, n)


def total(name, value, pdg, e, t, sm, s2w):
    """The cross section itself, from the functions of physics, at a reported value of a coupling (0: none)."""
    if sm == "bks":
        if name != "magnetic_moment" and value:
            pytest.skip("no function shifts g_V inside the radiative corrections; see test_bks_moves_as_gv_does")
        s2w_mz = ph.SIN2_THETA_W_MZ + (0.0 if s2w is None else s2w - ph.SIN2_THETA_W)
        return ph.dsigma_dt_bks(pdg, e, t, s2w_mz) + ph.dsigma_dt_magnetic(e, t, value)
    if sm == "effective":
        gv, ga = ph.effective(pdg)
        gv = gv + 2 * (0.0 if s2w is None else s2w - ph.SIN2_THETA_W)
    else:
        gv, ga = ph.g_v(pdg, GENERATED if s2w is None else s2w), ph.g_a(pdg)
    if name == "charge_radius":
        gv = gv + ph.delta_gv_charge_radius(value)
    elif name == "millicharge":
        gv = gv + ph.delta_gv_millicharge(t, value)
    elif name == "weak_mixing_angle" and value:
        gv = gv + 2 * (value - (GENERATED if s2w is None else s2w))
    extra = ph.dsigma_dt_magnetic(e, t, value) if name == "magnetic_moment" else 0.0
    return ph.dsigma_dt(gv, ga, e, t) + extra


@pytest.mark.parametrize("sm", ["tree", "effective", "bks"])
@pytest.mark.parametrize("s2w", [None, ph.SIN2_THETA_W, 0.25])
@pytest.mark.parametrize("name", sorted(COUPLINGS))
def test_polynomial_is_the_ratio_of_cross_sections(name, s2w, sm):
    coupling = COUPLINGS[name]
    pdg, e, t = events()
    weights = ph.weigh(
        coupling, pdg, e, t, sm=sm, sin2_theta_w=s2w, sin2_theta_w_generated=GENERATED, carriers=("numu", -14, 12)
    )
    assert weights.shape == (1 + coupling.powers, pdg.size)
    assert weights.dtype == np.float64
    carries = np.isin(pdg, (14, -14, 12))
    assert (weights[1:, ~carries] == 0.0).all()
    generated = ph.dsigma_dt_sm(pdg, e, t, GENERATED)
    for kappa in (0.0, 0.3, 2.0) if coupling.lower == 0.0 else (-1.5, 0.0, 2.0):
        if sm == "bks" and kappa and name != "magnetic_moment":
            continue
        value = coupling.reported(kappa)
        start = ph.SIN2_THETA_W if name == "weak_mixing_angle" else s2w
        expected = np.where(
            carries,
            total(name, value if kappa or name != "weak_mixing_angle" else 0, pdg, e, t, sm, start),
            total("none", 0, pdg, e, t, sm, s2w),
        )
        found = sum(kappa**p * weights[p] for p in range(1 + coupling.powers))
        np.testing.assert_allclose(found, expected / generated, rtol=1e-10)


@pytest.mark.parametrize("name", ["charge_radius", "weak_mixing_angle"])
def test_bks_moves_as_gv_does(name):
    # Where QED is small and the momentum transfer is high, a shift inside the corrections is the tree's to a per cent.
    pdg, e, t = events()
    tree = ph.weigh(COUPLINGS[name], pdg, e, t, carriers=FLAVOURS)
    bks = ph.weigh(COUPLINGS[name], pdg, e, t, sm="bks", carriers=FLAVOURS)
    np.testing.assert_allclose(bks[2], tree[2], rtol=0.25)
    assert np.median(np.abs(bks[2] / tree[2] - 1)) < 0.05


def test_the_angle_moves_bks_exactly():
    pdg, e, t = events()
    coupling = COUPLINGS["weak_mixing_angle"]
    weights = ph.weigh(coupling, pdg, e, t, sm="bks")
    for kappa in (-2.0, 1.0):
        found = weights[0] + kappa * weights[1] + kappa**2 * weights[2]
        expected = ph.dsigma_dt_bks(pdg, e, t, ph.SIN2_THETA_W_MZ + 0.01 * kappa)
        np.testing.assert_allclose(found, expected / ph.dsigma_dt_sm(pdg, e, t, ph.SIN2_THETA_W), rtol=1e-10)


@pytest.mark.parametrize("name", sorted(COUPLINGS))
def test_other_flavours_can_have_a_fixed_value(name):
    coupling = COUPLINGS[name]
    pdg, e, t = events()
    value = coupling.reported(0.7)
    weights = ph.weigh(
        coupling, pdg, e, t, carriers=(14,), fixed={"nue": value, -12: value}, sin2_theta_w_generated=ph.SIN2_THETA_W
    )
    all_of_them = ph.weigh(coupling, pdg, e, t, carriers=(12, -12, 14))
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
    weights = ph.weigh(coupling, pdg, e, t, sm=sm, carriers=FLAVOURS)
    kappa = abs(kappa) if coupling.lower == 0.0 else kappa
    assert (sum(kappa**p * weights[p] for p in range(1 + coupling.powers)) > 0.0).all()


@pytest.mark.parametrize("name", sorted(COUPLINGS))
@pytest.mark.parametrize("sm", ["tree", "effective", "bks"])
def test_entries_that_are_no_events_weigh_one(name, sm):
    nan, inf = np.nan, np.inf
    pdg = np.array([0, 11, 99, -99, 2**40, 14, 14, 14, 14, 14, 14, 14])
    e = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, nan, 0.0, -1.0, inf])
    t = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.0, -0.1, 1.5, 0.5, 0.5, 0.5, nan])
    weights = ph.weigh(COUPLINGS[name], pdg, e, t, sm=sm)
    assert (weights[0] == 1.0).all()
    assert (weights[1:] == 0.0).all()


@pytest.mark.parametrize("sm", ["tree", "effective", "bks"])
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
    with pytest.raises(ValueError, match="carry the fitted coupling"):
        ph.weigh(coupling, [14], [1.0], [0.5], fixed={"numu": 1e-10})
    with pytest.raises(ValueError, match="not a neutrino"):
        ph.weigh(coupling, [14], [1.0], [0.5], carriers=("mu",))
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


@pytest.mark.parametrize("name", sorted(COUPLINGS))
def test_closure_a_generated_sample_equals_the_reweighted_one(name):
    coupling, n, pdg, e = COUPLINGS[name], 200_000, 14, 2.0
    kappa, rng = (
        {"magnetic_moment": 2.0, "charge_radius": -3.0, "millicharge": -9.0, "weak_mixing_angle": 3.0}[name],
        (np.random.default_rng(11)),
    )
    value = coupling.reported(kappa)
    switched_on = {
        "magnetic_moment": lambda t: ph.dsigma_dt_sm(pdg, e, t, ph.SIN2_THETA_W) + ph.dsigma_dt_magnetic(e, t, value),
        "charge_radius": lambda t: ph.dsigma_dt_charge_radius(pdg, e, t, value, ph.SIN2_THETA_W),
        "millicharge": lambda t: ph.dsigma_dt_millicharge(pdg, e, t, value, ph.SIN2_THETA_W),
        "weak_mixing_angle": lambda t: ph.dsigma_dt_sm(pdg, e, t, value),
    }[name]
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


@pytest.mark.parametrize("sm", ["tree", "effective", "bks"])
@pytest.mark.parametrize("s2w", [0.23863, 0.25])
def test_row_zero_is_the_expected_standard_model(sm, s2w):
    pdg, e, t = events()
    weights = ph.weigh(COUPLINGS["magnetic_moment"], pdg, e, t, sm=sm, sin2_theta_w=s2w)
    expected = ph.dsigma_dt_expected(pdg, e, t, sm, s2w) / ph.dsigma_dt_sm(pdg, e, t, ph.SIN2_THETA_W)
    np.testing.assert_allclose(weights[0], expected, rtol=1e-12)
    with pytest.raises(ValueError, match="needed 'tree', 'effective' or 'bks'"):
        ph.dsigma_dt_expected(14, 1.0, 0.5, "loop")
