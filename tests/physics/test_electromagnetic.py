import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import physics as ph
from tests.physics import oracle
from tests.physics.oracle import FLAVOURS, S2W

flavours = st.sampled_from(FLAVOURS)
energies = st.floats(1e-3, 100.0)
fractions = st.floats(1e-4, 0.9999)


@given(flavours, energies, fractions, st.floats(-1e-31, 1e-31), st.floats(-1e-7, 1e-7))
def test_cross_sections_are_positive_whatever_the_couplings(pdg, e, u, r2, q):
    t = u * float(ph.t_max(e))
    assert ph.dsigma_dt_charge_radius(pdg, e, t, r2, S2W) > 0.0
    assert ph.dsigma_dt_millicharge(pdg, e, t, q, S2W) > 0.0
    assert ph.dsigma_dt(0.0, r2 * 1e31, e, t) >= 0.0


@given(flavours, energies, fractions, st.floats(-1e-32, 1e-32), st.floats(-1e-9, 1e-9))
def test_they_are_the_shifted_standard_model(pdg, e, u, r2, q):
    t = u * float(ph.t_max(e))
    gv, ga = oracle.couplings(pdg, S2W)
    k = math.sqrt(2) * math.pi * ph.ALPHA / ph.G_F
    exact = oracle.dsigma_dt(gv + k / 3 / ph.HBARC**2 * r2, ga, e, t)
    assert float(ph.dsigma_dt_charge_radius(pdg, e, t, r2, S2W)) == pytest.approx(float(exact), rel=1e-12)
    exact = oracle.dsigma_dt(gv - k * q / (ph.M_E * t), ga, e, t)
    assert float(ph.dsigma_dt_millicharge(pdg, e, t, q, S2W)) == pytest.approx(float(exact), rel=1e-12)


def test_millicharge_alone_is_rutherford_scattering_at_low_t():
    e, t, q = 10.0, 1e-5, 1e-3
    rutherford = 2 * math.pi * ph.ALPHA**2 * q**2 / (ph.M_E * t**2) * ph.HBARC2
    assert ph.dsigma_dt_millicharge(14, e, t, q, S2W) == pytest.approx(rutherford, rel=1e-4)


def test_transitions_do_not_interfere():
    e, t, sizes = 1.0, 0.3, np.array([2e-32, 3e-32])
    plain = ph.dsigma_dt_charge_radius(14, e, t, 1e-32, S2W)
    total = ph.dsigma_dt_charge_radius(14, e, t, 1e-32, S2W, transitions=sizes)
    shift = ph.delta_gv_charge_radius(sizes)
    assert total - plain == pytest.approx(float(sum(oracle.dsigma_dt(s, 0, e, t) for s in shift)), rel=1e-10)
    total = ph.dsigma_dt_millicharge(14, e, t, 0.0, S2W, transitions=[1e-9])
    extra = float(oracle.dsigma_dt(float(ph.delta_gv_millicharge(t, 1e-9)), 0, e, t))
    assert total - ph.dsigma_dt_sm(14, e, t, S2W) == pytest.approx(extra, rel=1e-8)


def test_standard_model_charge_radius_reproduces_the_running_of_gv():
    difference = ph.charge_radius_sm("mu") - ph.charge_radius_sm("tau")
    running = ph.ALPHA / (3 * math.pi) * math.log(ph.M_MU**2 / ph.M_TAU**2)
    assert ph.delta_gv_charge_radius(difference) == pytest.approx(running, rel=1e-12)
    for lepton, value in (("e", -8.275e-33), ("mu", -4.805e-33), ("tau", -2.969e-33)):
        assert ph.charge_radius_sm(lepton) == pytest.approx(value, rel=2e-4)
        assert ph.charge_radius_sm(lepton) == pytest.approx(-2 * ph.charge_radius_note(lepton))
    with pytest.raises(ValueError, match="needed one of e, mu, tau"):
        ph.charge_radius_sm("nu")


def test_anapole_hides_in_the_charge_radius():
    assert ph.effective_charge_radius(6e-33, 1e-33) == pytest.approx(0.0, abs=1e-48)


def test_ratios():
    e, t = 2.0, 0.3
    assert ph.ratio_magnetic_sm(14, e, t, 1e-9, 0.23863) == pytest.approx(0.37472072, rel=1e-8)
    assert np.isnan(ph.ratio_magnetic_sm(14, e, [0.0, 2.0, 3.0], 1e-9, S2W)).all()
    quotient = ph.sigma_magnetic(e, 0.3, 0.9, 1e-9) / ph.sigma_sm(14, e, 0.3, 0.9, S2W)
    assert ph.ratio_magnetic_sm_between(14, e, 0.3, 0.9, 1e-9, S2W) == quotient
    assert np.isnan(ph.ratio_magnetic_sm_between(14, e, 3.0, 4.0, 1e-9, S2W))


def test_outside_the_domain():
    assert ph.dsigma_dt_charge_radius(14, 1.0, 1.2, 1e-32, S2W) == 0.0
    assert (ph.dsigma_dt_millicharge(14, 1.0, np.array([0.0, -0.1, 1.2]), 1e-9, S2W) == 0.0).all()
    assert np.isnan(ph.delta_gv_millicharge(0.0, 1e-9))
    assert np.isnan(ph.dsigma_dt_millicharge(13, 1.0, 0.5, 1e-9, S2W))
