import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import physics as ph
from tests.physics import gamma, oracle
from tests.physics.oracle import S2W

# Z, N, mass in GeV.
NUCLEI = {
    "C12": (6, 6, 11.17486325),
    "Ar40": (18, 22, 37.21552627),
    "Ge74": (32, 42, 68.84078926),
    "Xe132": (54, 78, 122.8403488),
}
nuclei = st.sampled_from(list(NUCLEI.values()))
energies = st.floats(1e-4, 0.1)
fractions = st.floats(1e-6, 0.9999)


def weak(e, t, charge, mass):
    e, t, mass = mp.mpf(e), mp.mpf(t), mp.mpf(mass)
    front = mp.mpf(ph.G_F) ** 2 * mass / (4 * mp.pi) * mp.mpf(ph.HBARC) ** 2
    return front * charge**2 * (1 - t / e - mass * t / (2 * e**2))


def charge(z, n):
    return n - (1 - 4 * mp.mpf(S2W)) * z


def magnetic(e, t, mu, z):
    e, t = mp.mpf(e), mp.mpf(t)
    front = mp.pi * mp.mpf(ph.ALPHA) ** 2 / oracle.M**2 * mp.mpf(ph.HBARC) ** 2
    return front * z**2 * mp.mpf(mu) ** 2 * (1 / t - 1 / e + t / (4 * e**2))


@given(nuclei, energies, fractions)
def test_end_points_are_inverse_and_shapes_are_the_definitions(nucleus, e, u):
    z, n, mass = nucleus
    top = float(ph.t_max_nucleus(e, mass))
    assert ph.e_nu_min_nucleus(top, mass) == pytest.approx(e, rel=1e-12)
    t = u * top
    found = ph.dsigma_dt_nucleus_sm(e, t, z, n, mass, S2W)
    assert found == pytest.approx(float(weak(e, t, charge(z, n), mass)), rel=1e-10)
    assert found > 0.0
    assert found == ph.dsigma_dt_nucleus(e, t, ph.weak_charge(z, n, S2W), mass)
    found = ph.dsigma_dt_nucleus_magnetic(e, t, 1e-10, z, mass)
    assert found == pytest.approx(float(magnetic(e, t, 1e-10, z)), rel=1e-12)


def four_vectors(e, t, mass):
    """Momenta of both neutrinos and of the nucleus before and after, recoil `t`."""
    after = e - t
    cosine = 1.0 - mass * t / (e * after)
    k1 = np.array([e, 0.0, 0.0, e])
    k2 = after * np.array([1.0, math.sqrt(1.0 - cosine**2), 0.0, cosine])
    p1 = np.array([mass, 0.0, 0.0, 0.0])
    return k1, k2, p1, p1 + k1 - k2


@pytest.mark.parametrize("antineutrino", [False, True])
@pytest.mark.parametrize(("e", "u"), [(0.05, 0.3), (2.0, 0.7), (0.5, 0.01)])
def test_traces_of_a_scalar_nucleus(e, u, antineutrino):
    """Both cross sections from the amplitudes, by numbers; they do not interfere; neutrinos and antineutrinos agree."""
    z, n, mass = NUCLEI["C12"]
    t = u * float(ph.t_max_nucleus(e, mass))
    k1, k2, p1, p2 = four_vectors(e, t, mass)
    chiral = np.eye(4) + (gamma.GAMMA5 if antineutrino else -gamma.GAMMA5)
    current = p1 + p2
    weak_vertex = ph.G_F / math.sqrt(2.0) * 0.5 * ph.weak_charge(z, n, S2W) * gamma.slash(current) @ chiral
    mu = 1e-3
    q = k1 - k2
    moment = mu * math.sqrt(4 * math.pi * ph.ALPHA) / (2 * ph.M_E)
    photon = z * math.sqrt(4 * math.pi * ph.ALPHA) / gamma.dot(q, q)
    magnetic_vertex = moment * photon * gamma.sigma(current, q) @ chiral / 2.0
    front = ph.HBARC2 / (32 * math.pi * mass * e**2)
    first, second = (gamma.squared(k2, vertex, k1) * front for vertex in (weak_vertex, magnetic_vertex))
    assert ph.dsigma_dt_nucleus_sm(e, t, z, n, mass, S2W) == pytest.approx(first, rel=1e-8)
    assert ph.dsigma_dt_nucleus_magnetic(e, t, mu, z, mass) == pytest.approx(second, rel=1e-8)
    both = gamma.squared(k2, weak_vertex + magnetic_vertex, k1) * front
    assert both == pytest.approx(first + second, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "e", "t1"),
    [
        ("Ge74", 0.003, 0.0), ("C12", 0.0298, 1e-7), ("Xe132", 0.0298, 1e-7), ("Ar40", 0.0528, 2e-5),
        ("Xe132", 0.0528, 0.0), ("Ge74", 0.5, 1e-4), ("C12", 0.0298, 1.0),
    ],
)  # fmt: skip
def test_cross_sections_are_the_integrals(name, e, t1):
    z, n, mass = NUCLEI[name]
    top = float(ph.t_max_nucleus(e, mass))
    if t1 >= top:
        assert ph.sigma_nucleus_sm(e, t1, math.inf, z, n, mass, S2W) == 0.0
        assert ph.sigma_nucleus_magnetic(e, t1, math.inf, 1e-10, z, mass, ph.Helm(z + n)) == 0.0
        return
    fm = mp.mpf(ph.HBARC) * 10**13

    def squared(t, form):
        k = mp.sqrt(2 * mp.mpf(mass) * t) / fm
        radius = float(ph.helm_radius(z + n))
        y = k * radius
        if form is None or y == 0:
            return mp.mpf(1)
        return (3 * (mp.sin(y) - y * mp.cos(y)) / y**3) ** 2 * mp.exp(-((k * mp.mpf("0.9")) ** 2))

    edges = [t1 + (top - t1) * (i / 12) ** 2 for i in range(13)]
    logarithmic = np.geomspace(t1, top, 17) if t1 else None
    for form in (None, ph.Helm(z + n)):
        exact = mp.quad(lambda t, f=form: weak(e, t, charge(z, n), mass) * squared(t, f), edges)
        found = ph.sigma_nucleus_sm(e, t1, math.inf, z, n, mass, S2W, form)
        assert found == pytest.approx(float(exact), rel=1e-11)
        if t1:
            exact = mp.quad(lambda t, f=form: magnetic(e, t, 1e-10, z) * squared(t, f), logarithmic)
            found = ph.sigma_nucleus_magnetic(e, t1, math.inf, 1e-10, z, mass, form)
            assert found == pytest.approx(float(exact), rel=1e-11)
        else:
            assert ph.sigma_nucleus_magnetic(e, 0.0, math.inf, 1e-10, z, mass, form) == math.inf


@given(nuclei, energies, fractions, fractions)
def test_cross_sections_add_up(nucleus, e, u, v):
    z, n, mass = nucleus
    top = float(ph.t_max_nucleus(e, mass))
    low, high = sorted((u * top, v * top))
    for form in (None, ph.Helm(z + n)):
        parts = [ph.sigma_nucleus_sm(e, *ends, z, n, mass, S2W, form) for ends in ((low, high), (high, 2 * top))]
        assert sum(parts) == pytest.approx(ph.sigma_nucleus_sm(e, low, top, z, n, mass, S2W, form), rel=1e-10)
        parts = [ph.sigma_nucleus_magnetic(e, *ends, 1e-10, z, mass, form) for ends in ((low, high), (high, top))]
        assert sum(parts) == pytest.approx(ph.sigma_nucleus_magnetic(e, low, top, 1e-10, z, mass, form), rel=1e-9)


def test_totals_take_arrays_with_a_form_factor():
    e = np.array([[0.01], [0.05]])
    t1 = np.array([1e-6, 2e-6, 1.0])
    found = ph.sigma_nucleus_sm(e, t1, math.inf, 32, 42, 68.84, S2W, ph.Helm(74))
    assert found.shape == (2, 3)
    assert (found[:, 2] == 0.0).all()
    assert found[1, 0] == ph.sigma_nucleus_sm(0.05, 1e-6, math.inf, 32, 42, 68.84, S2W, ph.Helm(74))
    assert ph.sigma_nucleus_magnetic(e, t1, 1.0, 1e-10, 32, 68.84, ph.Helm(74)).shape == (2, 3)
    for arguments in ((-1.0, 0.0), (0.05, -1e-6), (math.nan, 0.0)):
        assert np.isnan(ph.sigma_nucleus_sm(*arguments, 1.0, 32, 42, 68.84, S2W, ph.Helm(74)))
        assert np.isnan(ph.sigma_nucleus_magnetic(*arguments, 1.0, 1e-10, 32, 68.84))
    assert ph.sigma_nucleus_magnetic(0.05, 0.0, 1.0, 0.0, 32, 68.84, ph.Helm(74)) == 0.0


def test_rule_of_thumb():
    # 4.2e-45 Q_W^2 (E/MeV)^2 cm^2, for E << M.
    z, n, mass = NUCLEI["Ge74"]
    total = ph.sigma_nucleus_sm(0.005, 0.0, math.inf, z, n, mass, S2W)
    assert total == pytest.approx(4.2e-45 * float(ph.weak_charge(z, n, S2W)) ** 2 * 25, rel=0.01)


def test_helicity_forbids_the_end_point_of_the_weak_part_only():
    z, n, mass = NUCLEI["Ar40"]
    e = np.geomspace(1e-3, 1.0, 200)
    top = ph.t_max_nucleus(e, mass)
    assert (
        ph.dsigma_dt_nucleus_sm(e, top, z, n, mass, S2W) < 1e-14 * ph.dsigma_dt_nucleus_sm(e, top / 2, z, n, mass, S2W)
    ).all()
    assert (ph.dsigma_dt_nucleus_sm(e, top, z, n, mass, S2W) >= 0.0).all()
    assert (ph.dsigma_dt_nucleus_magnetic(e, top, 1e-10, z, mass) > 0.0).all()
    # What others drop: T/E in the bracket.
    t, e = 1e-4, 0.0528
    assert (1 - mass * t / (2 * e**2)) / (1 - t / e - mass * t / (2 * e**2)) - 1 == pytest.approx(0.006, abs=5e-4)


@given(nuclei, energies, fractions, st.floats(-1e-31, 1e-31), st.floats(-1e-8, 1e-8))
def test_electromagnetic_shifts_interfere_through_the_protons(nucleus, e, u, r2, q):
    z, n, mass = nucleus
    t = u * float(ph.t_max_nucleus(e, mass))
    k = mp.sqrt(2) * mp.pi * mp.mpf(ph.ALPHA) / mp.mpf(ph.G_F)
    shift = 2 * z * k / 3 / mp.mpf(ph.HBARC) ** 2 * mp.mpf(r2)
    found = ph.dsigma_dt_nucleus_charge_radius(e, t, z, n, mass, r2, S2W)
    exact, size = weak(e, t, charge(z, n) + shift, mass), weak(e, t, abs(charge(z, n)) + abs(shift), mass)
    assert abs(found - exact) <= 1e-10 * size
    shift = -2 * z * k * mp.mpf(q) / (mp.mpf(mass) * mp.mpf(t))
    assert ph.weak_charge_millicharge(t, z, mass, q) == pytest.approx(float(shift), rel=1e-12)
    found = ph.dsigma_dt_nucleus_millicharge(e, t, z, n, mass, q, S2W)
    exact, size = weak(e, t, charge(z, n) + shift, mass), weak(e, t, abs(charge(z, n)) + abs(shift), mass)
    assert abs(found - exact) <= 1e-10 * size


def test_shifts_have_the_size_and_sign_of_the_literature():
    z, n, mass = NUCLEI["Ge74"]
    e, t = 0.003, 2e-7
    plain = ph.dsigma_dt_nucleus_sm(e, t, z, n, mass, S2W)
    for lepton, percent in (("e", -6.1), ("mu", -3.6), ("tau", -2.2)):
        radius = ph.charge_radius_sm(lepton)
        shifted = ph.dsigma_dt_nucleus_charge_radius(e, t, z, n, mass, radius, S2W)
        assert 100 * (shifted / plain - 1) == pytest.approx(percent, abs=0.06)
    assert ph.weak_charge_millicharge(1e-6, z, mass, 1e-12) == pytest.approx(-0.0026, abs=5e-5)
    # A charge alone: Rutherford scattering of a scalar.
    q = 1e-3
    alone = 2 * math.pi * ph.ALPHA**2 * z**2 * q**2 * (1 - t / ph.t_max_nucleus(e, mass)) / (mass * t**2) * ph.HBARC2
    assert ph.dsigma_dt_nucleus_millicharge(e, t, z, n, mass, q, S2W) == pytest.approx(float(alone), rel=1e-6)


def test_transitions_add_without_interference():
    z, n, mass = NUCLEI["Xe132"]
    e, t, form = 0.02, 1e-6, ph.Helm(132)
    plain = ph.dsigma_dt_nucleus_sm(e, t, z, n, mass, S2W, form)
    for function, size, shift in (
        (ph.dsigma_dt_nucleus_charge_radius, 1e-31, 2 * z * ph.CHARGE_RADIUS_COEFFICIENT * 1e-31),
        (ph.dsigma_dt_nucleus_millicharge, 1e-8, ph.weak_charge_millicharge(t, z, mass, 1e-8)),
    ):
        total = function(e, t, z, n, mass, 0.0, S2W, form, transitions=[size, -size])
        alone = ph.dsigma_dt_nucleus(e, t, shift * form(ph.q2_nucleus(t, mass)), mass)
        assert total - plain == pytest.approx(float(2 * alone), rel=1e-9)


def test_neutrons_and_protons_may_have_form_factors_of_their_own():
    z, n, mass = NUCLEI["Ge74"]
    e, t = 0.05, 2e-5
    neutron, proton = ph.Helm(74), ph.KleinNystrand(60)
    q2 = ph.q2_nucleus(t, mass)
    total = n * neutron(q2) - (1 - 4 * S2W) * z * proton(q2)
    found = ph.dsigma_dt_nucleus_sm(e, t, z, n, mass, S2W, (neutron, proton))
    assert found == pytest.approx(float(ph.dsigma_dt_nucleus(e, t, total, mass)), rel=1e-12)
    found = ph.dsigma_dt_nucleus_magnetic(e, t, 1e-10, z, mass, (neutron, proton))
    assert found == pytest.approx(
        float(ph.dsigma_dt_nucleus_magnetic(e, t, 1e-10, z, mass) * proton(q2) ** 2), rel=1e-12
    )
    same = ph.sigma_nucleus_sm(e, 1e-6, 1.0, z, n, mass, S2W, (neutron, neutron))
    assert same == pytest.approx(ph.sigma_nucleus_sm(e, 1e-6, 1.0, z, n, mass, S2W, neutron), rel=1e-12)


def test_effective_weak_charges():
    for z, n, _ in NUCLEI.values():
        tree = ph.weak_charge(z, n, S2W)
        assert ph.weak_charge_effective(z, n, 0.5 - 2 * S2W, -0.5) == pytest.approx(tree, rel=1e-13)
    for name, nue in (("Ge74", -0.03), ("Xe132", 0.4), ("Ar40", -0.4)):
        z, n, _ = NUCLEI[name]
        square = (ph.weak_charge_effective(z, n, ph.EFFECTIVE_GVP["nue"]) / ph.weak_charge(z, n, S2W)) ** 2
        assert 100 * (square - 1) == pytest.approx(nue, abs=0.06)
        square = (ph.weak_charge_effective(z, n, ph.EFFECTIVE_GVP["numu"]) / ph.weak_charge(z, n, S2W)) ** 2
        assert 2.3 < 100 * (square - 1) < 2.9


@pytest.mark.parametrize("name", NUCLEI)
def test_the_magnetic_part_wins_at_small_recoils(name):
    z, n, mass = NUCLEI[name]
    t = ph.t_equal_low_nucleus(z, n, mass, 1e-10, S2W)
    equal = ph.dsigma_dt_nucleus_sm(1.0, t, z, n, mass, S2W)
    assert ph.dsigma_dt_nucleus_magnetic(1.0, t, 1e-10, z, mass) == pytest.approx(equal, rel=1e-5)


@given(nuclei, energies, st.floats(0.0, 1.0), st.floats(0.0, 0.99))
def test_draws_invert_the_cumulative(nucleus, e, u, threshold):
    z, n, mass = nucleus
    top = float(ph.t_max_nucleus(e, mass))
    t1 = threshold * top
    t = float(ph.t_from_cumulative_nucleus(e, u, t1, mass))
    part = ph.sigma_nucleus_sm(e, t1, t, z, n, mass, S2W) / ph.sigma_nucleus_sm(e, t1, top, z, n, mass, S2W)
    assert part == pytest.approx(u, abs=1e-12)
    assert t1 <= t <= top * (1 + 1e-15)


def test_draws_outside_the_domain():
    for arguments in ((0.05, 1.1, 0.0), (0.05, -0.1, 0.0), (0.05, 0.5, 1.0), (0.0, 0.5, 0.0), (0.05, 0.5, -1e-9)):
        assert np.isnan(ph.t_from_cumulative_nucleus(*arguments, 68.84))


def test_outside_the_domain():
    z, n, mass = NUCLEI["Ge74"]
    t = np.array([0.0, -1e-7, 3e-7, 1.0])
    for form in (None, ph.Helm(74)):
        assert (ph.dsigma_dt_nucleus_sm(0.003, t, z, n, mass, S2W, form) == 0.0).all()
        assert (ph.dsigma_dt_nucleus_magnetic(0.003, t, 1e-10, z, mass, form) == 0.0).all()
        assert (ph.dsigma_dt_nucleus_millicharge(0.003, t, z, n, mass, 1e-10, S2W, form) == 0.0).all()
    for bad in (0.0, -1.0, np.nan, np.inf):
        assert np.isnan(ph.dsigma_dt_nucleus_sm(0.003, 1e-7, z, n, bad, S2W))
        assert np.isnan(ph.t_max_nucleus(0.003, bad))
        assert np.isnan(ph.e_nu_min_nucleus(1e-7, bad))
    assert np.isnan(ph.t_max_nucleus(-1.0, mass))
    assert np.isnan(ph.e_nu_min_nucleus(-1e-9, mass))
    assert ph.t_max_nucleus(0.0, mass) == 0.0
    assert ph.e_nu_min_nucleus(0.0, mass) == 0.0
