import math
import pickle

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import physics as ph
from tests.physics import oracle

FM = mp.mpf(oracle.c.HBARC) * 10**13
masses = st.sampled_from([12, 28, 40, 74, 132, 133])
momenta = st.floats(1e-6, 0.4)


def ball(q, radius):
    """Return the Fourier transform of a homogeneous ball, from its definition."""
    return mp.quad(lambda r: 3 * r * mp.sin(q * r) / (q * radius**3), mp.linspace(0, radius, 9))


def gauss(k, skin=0.9):
    """Return the transform of a Gaussian of width `skin`, fm."""
    front = 4 * mp.pi / (2 * mp.pi * mp.mpf(skin) ** 2) ** 1.5
    return mp.quad(lambda r: front * r * mp.sin(k * r) / k * mp.exp(-(r**2) / (2 * mp.mpf(skin) ** 2)), [0, 4, 12])


def yukawa(k, ak=0.7):
    """Return the transform of a Yukawa density of range `ak`, fm."""
    return mp.quad(lambda r: mp.exp(-r / mp.mpf(ak)) / mp.mpf(ak) ** 2 * mp.sin(k * r) / k, mp.linspace(0, 40, 6))


def radii(a):
    c = mp.mpf("1.23") * mp.cbrt(a) - mp.mpf("0.6")
    helm = mp.sqrt(c**2 + 7 * mp.pi**2 * mp.mpf("0.52") ** 2 / 3 - 5 * mp.mpf("0.9") ** 2)
    return helm, mp.mpf("1.2") * mp.cbrt(a)


@pytest.mark.parametrize(("a", "q"), [(74, 1e-5), (12, 1e-3), (74, 0.0149), (133, 0.1), (12, 0.3)])
def test_they_are_the_transforms_of_their_densities(a, q):
    with mp.workdps(22):
        k = mp.mpf(q) / FM
        helm, kn = radii(a)
        helm, kn = ball(k, helm) * gauss(k), ball(k, kn) * yukawa(k)
    assert ph.helm_form_factor(q * q, a) == pytest.approx(float(helm), rel=1e-11, abs=1e-15)
    assert ph.klein_nystrand_form_factor(q * q, a) == pytest.approx(float(kn), rel=1e-11, abs=1e-15)


@given(masses, momenta)
def test_no_digit_is_lost_at_small_momenta(a, q):
    for x, found in zip(
        radii(a), (ph.helm_form_factor(q * q, a, skin=0.9), ph.klein_nystrand_form_factor(q * q, a)), strict=True
    ):
        k = mp.sqrt(mp.mpf(q * q)) / FM
        y = k * x
        form = 3 * (mp.sin(y) - y * mp.cos(y)) / y**3
        helm = form * mp.exp(-((k * mp.mpf("0.9")) ** 2) / 2)
        kn = form / (1 + (k * mp.mpf("0.7")) ** 2)
        # Close to a zero of the ball's form factor what counts is its size before.
        assert min(abs(found - helm), abs(found - kn)) <= 3e-15


@given(masses, st.floats(0.0, 100.0))
def test_a_nucleus_is_at_most_whole(a, q2):
    for form in (ph.Helm(a), ph.KleinNystrand(a)):
        assert abs(form(q2)) <= 1.0
        assert form(0.0) == 1.0


@pytest.mark.parametrize("form", [ph.Helm(74), ph.Helm(132, 0.5, 1.0), ph.KleinNystrand(74), ph.KleinNystrand(40, 1.1)])
def test_rms_radius_is_the_slope_at_zero(form):
    # F = 1 - q^2 <r^2>/6 + ...: two momenta remove the next term.
    slopes = []
    for q in (2e-3, 1e-3):
        slopes.append(6 * (1 - float(form(q * q))) * (float(FM) / q) ** 2)
    assert (4 * slopes[1] - slopes[0]) / 3 == pytest.approx(form.rms**2, rel=1e-6)


@pytest.mark.parametrize("a", [12, 74, 133])
def test_helms_rms_radius_is_that_of_its_density(a):
    radius = float(ph.helm_radius(a))
    ball_r2 = mp.quad(lambda r: 3 * r**4 / radius**3, [0, radius])
    gauss_r2 = mp.quad(
        lambda r: 4 * mp.pi * r**4 * mp.exp(-(r**2) / (2 * 0.81)) / (2 * mp.pi * 0.81) ** 1.5, mp.linspace(0, 20, 21)
    )
    assert ph.Helm(a).rms ** 2 == pytest.approx(float(ball_r2 + gauss_r2), rel=1e-12)


def test_the_adapted_form_has_the_radius_it_was_made_for():
    assert ph.KleinNystrand.of_rms(133, 4.804).rms == pytest.approx(4.804, rel=1e-14)
    with pytest.raises(ValueError, match="needed more than sqrt"):
        ph.KleinNystrand.of_rms(133, 1.7)


def test_nonsense_has_no_form_factor():
    for q2 in (-1e-3, math.inf, math.nan):
        assert np.isnan(ph.helm_form_factor(q2, 74))
        assert np.isnan(ph.klein_nystrand_form_factor(q2, 74))
    assert np.isnan(ph.helm_form_factor(1e-3, [74, -74, np.nan], skin=np.array([9.0, 0.9, 0.9]))).all()
    assert np.isnan(ph.klein_nystrand_form_factor(1e-3, -74))
    assert pickle.loads(pickle.dumps(ph.Helm(74))) == ph.Helm(74)


@pytest.mark.parametrize(
    ("z", "a", "mass", "e", "helm", "ratio"),
    [
        (32, 74, 68.84078926, 0.003, 0.998, 0.9998),
        (54, 132, 122.8403488, 0.0105, 0.972, 0.997),
        (55, 133, 123.7725399, 0.0298, 0.799, 0.979),
        (55, 133, 123.7725399, 0.0528, 0.526, 0.948),
        (18, 40, 37.21552627, 0.0528, 0.711, 0.962),
    ],
)
def test_what_form_factors_take_from_cross_sections(z, a, mass, e, helm, ratio):
    point, with_helm, with_kn = (
        ph.sigma_nucleus_sm(e, 0.0, math.inf, z, a - z, mass, 0.23863, form)
        for form in (None, ph.Helm(a), ph.KleinNystrand(a))
    )
    assert with_helm / point == pytest.approx(helm, abs=6e-4)
    assert with_kn / with_helm == pytest.approx(ratio, abs=6e-4)
