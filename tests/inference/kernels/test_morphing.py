import numpy as np
import pyhf
import pytest
from scipy.interpolate import CubicSpline

from spectrafit.errors import ConfigError
from spectrafit.inference.kernels.morphing import cardinal_splines, code4_coefficients
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span

NOMINAL = np.array([10.0, 4.0, 25.0])
UP, DOWN = NOMINAL * [1.2, 0.8, 1.02], NOMINAL * [0.9, 1.3, 0.7]
POINTS = [-2.5, -1.0, -0.999, -0.3, 0.0, 0.4, 1.0, 1.7]


def model(*, morphs=(), factors=()):
    return Model(
        parameters=(Parameter(name="a"),),
        components=(Component(sample="s", nominal=NOMINAL, morphs=morphs, factors=factors),),
        regions=(Span(name="r", start=0, stop=3),),
        data=NOMINAL,
        poi="",
    )


def pyhf_shape(code, at):
    sets = [[[list(DOWN), list(NOMINAL), list(UP)]]]
    return np.asarray(pyhf.interpolators.get(code)(sets)(pyhf.tensorlib.astensor([[at]])))[0, 0, 0]


def pyhf_norm(code, low, high, at):
    sets = [[[[low], [1.0], [high]]]]
    return float(np.asarray(pyhf.interpolators.get(code)(sets)(pyhf.tensorlib.astensor([[at]])))[0, 0, 0, 0])


@pytest.mark.parametrize("at", POINTS)
def test_code4p_is_pyhfs(at):
    made = model(morphs=(Morph(parameter="a", templates=np.array([DOWN, UP])),))
    np.testing.assert_allclose(Likelihood(made).predict([at]).mean, NOMINAL + pyhf_shape("4p", at), rtol=1e-13)


@pytest.mark.parametrize("at", POINTS)
def test_code4_of_bins_is_pyhfs_of_norms(at):
    made = model(morphs=(Morph(parameter="a", kind="code4", templates=np.array([DOWN, UP])),))
    expected = [n * pyhf_norm(4, d / n, u / n, at) for n, d, u in zip(NOMINAL, DOWN, UP, strict=True)]
    np.testing.assert_allclose(Likelihood(made).predict([at]).mean, expected, rtol=1e-12)


@pytest.mark.parametrize("at", POINTS)
def test_code4_norm_is_pyhfs(at):
    made = model(factors=(Factor(parameter="a", kind="code4", values=(0.8, 1.3)),))
    np.testing.assert_allclose(Likelihood(made).predict([at]).mean, NOMINAL * pyhf_norm(4, 0.8, 1.3, at), rtol=1e-12)


@pytest.mark.parametrize("at", [-2.0, 0.0, 0.7, 3.0])
def test_simple_factors(at):
    made = model(
        factors=(
            Factor(parameter="a", kind="exponential", values=(np.log(1.3),)),
            Factor(parameter="a", kind="linear", values=(0.2,)),
            Factor(parameter="a", kind="power", values=(2.0,)),
        )
    )
    np.testing.assert_allclose(
        Likelihood(made).predict([at]).mean, NOMINAL * 1.3**at * (1.0 + 0.2 * at) * at**2, rtol=1e-13
    )


@pytest.mark.parametrize("at", [-4.5, -3.0, -1.3, 0.0, 0.2, 1.9, 2.0, 5.0])
def test_spline_goes_through_all_sigmas_and_on_linearly(at):
    sigmas = (-3.0, -1.0, 1.0, 2.0)
    templates = np.array([NOMINAL * (1.0 + 0.1 * s + 0.03 * s * s) for s in sigmas])
    made = model(morphs=(Morph(parameter="a", kind="spline", sigmas=sigmas, templates=templates),))
    knots = np.array([-3.0, -1.0, 0.0, 1.0, 2.0])
    oracle = CubicSpline(knots, np.insert(templates, 2, NOMINAL, axis=0), bc_type="natural")
    inside = np.clip(at, -3.0, 2.0)
    expected = oracle(inside) + oracle(inside, 1) * (at - inside)
    np.testing.assert_allclose(Likelihood(made).predict([at]).mean, expected, rtol=1e-12)


def test_linear_morph():
    made = model(morphs=(Morph(parameter="a", kind="linear", templates=np.array([NOMINAL - 1.0, NOMINAL + 1.0])),))
    np.testing.assert_allclose(Likelihood(made).predict([-2.5]).mean, NOMINAL - 2.5, rtol=1e-14)


def test_cardinal_splines_are_one_at_their_knot():
    knots = np.array([-2.0, -0.5, 0.0, 1.0])
    splines = cardinal_splines(knots)
    np.testing.assert_allclose(splines[:, :, 0], np.eye(4)[:, :3], atol=1e-15)


def test_code4_polynomial_meets_the_exponentials():
    c = code4_coefficients(1.4, 0.7)
    powers = np.arange(1, 7)
    np.testing.assert_allclose(1.0 + c[:6].sum(), 1.4, rtol=1e-14)
    np.testing.assert_allclose(1.0 + (c[:6] * (-1.0) ** powers).sum(), 0.7, rtol=1e-14)
    np.testing.assert_allclose((c[:6] * powers).sum(), 1.4 * np.log(1.4), rtol=1e-13)


def test_code4_refuses_bins_that_change_sign():
    made = model(morphs=(Morph(parameter="a", kind="code4", templates=np.array([DOWN, [1.0, -1.0, 1.0]])),))
    with pytest.raises(ConfigError, match=r"bin 1: code4 needs one sign.*code4p"):
        Likelihood(made).predict()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigmas": (-2.0, 1.0)}, r"needs sigmas \(-1, \+1\)"),
        ({"kind": "cubic"}, "no interpolation 'cubic'"),
        ({"kind": "spline", "sigmas": (1.0, -1.0)}, "must increase"),
        ({"sigmas": (-1.0, 0.5, 1.0)}, "need one row"),
    ],
)
def test_morphs_that_cannot_be(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Morph(parameter="a", templates=np.array([DOWN, UP]), **arguments)
