import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import xlogy

from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import BinGammas, Component, Factor, Model, Parameter, Span


def one_bin(kind, width, *, shared, rest, counts):
    """A bin with a part that the gamma multiplies, scaled by mu, and one that it does not, scaled by nu."""
    return Model(
        parameters=(
            Parameter(name="mu", initial=1.0, constraint="free"),
            Parameter(name="nu", initial=1.0, constraint="free"),
        ),
        components=(
            Component(sample="a", nominal=[shared], factors=(Factor(parameter="mu"),), shared=True),
            Component(sample="b", nominal=[rest], factors=(Factor(parameter="nu"),)),
        ),
        regions=(Span(name="r", start=0, stop=1),),
        data=[counts],
        poi="",
        gammas=BinGammas(names=("g",), kind=(kind,), width=[width]),
        floor=np.zeros(1),
    )


def written_out(kind, width, n, shared, rest):
    def value(gamma):
        t = gamma * shared + rest
        main = 2 * (t - n - xlogy(n, t) + xlogy(n, n))
        if kind == "gaussian":
            return main + ((gamma - 1) / width) ** 2
        return main + 2 * width * (gamma - 1 - np.log(gamma))

    low, high = 1e-10, 10.0
    # Counts need events: one part may be negative, as with a negative signal strength.
    if n > 0 and shared * rest < 0:
        low, high = (max(low, -rest / shared), high) if shared > 0 else (low, min(high, -rest / shared))
    found = minimize_scalar(value, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    # The bounded search does not look at the ends themselves.
    return min((float(value(g)), g) for g in (found.x, low, high) if n == 0 or g * shared + rest > 1e-9)


@pytest.mark.parametrize("counts", [0.0, 1.0, 7.0, 300.0])
@pytest.mark.parametrize(
    ("shared", "rest"),
    [
        *((5.0, 0.0), (5.0, 6.0), (0.3, 40.0), (200.0, 1.0), (0.0, 4.0)),
        *((5.0, -2.0), (40.0, -55.0), (-0.2, 9.0), (-3.0, 40.0)),
    ],
)
@pytest.mark.parametrize(
    ("kind", "width"), [("gaussian", 0.1), ("gaussian", 0.9), ("gaussian", 3.0), ("poisson", 0.4), ("poisson", 25.0)]
)
def test_local_gamma_is_the_bounded_minimum(kind, width, shared, rest, counts):
    model = one_bin(kind, width, shared=shared, rest=rest, counts=counts)
    expected, gamma = written_out(kind, width, counts, shared, rest)
    assert Likelihood(model).two_nll() == pytest.approx(expected, rel=1e-9, abs=1e-8)
    if shared:
        assert Likelihood(model).predict().gamma[0] == pytest.approx(gamma, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("counts", [0.0, 3.0, 300.0])
@pytest.mark.parametrize(("kind", "width"), [("gaussian", 0.9), ("poisson", 0.4), ("poisson", 25.0)])
def test_gradient_holds_where_the_gamma_is_at_its_bound(kind, width, counts):
    model = one_bin(kind, width, shared=4.0, rest=9.0, counts=counts)
    point = np.array([1.1, 0.8])
    for k in range(2):
        step = np.eye(2)[k] * 1e-5
        difference = (Likelihood(model).two_nll(point + step) - Likelihood(model).two_nll(point - step)) / 2e-5
        assert Likelihood(model).gradient(point)[k] == pytest.approx(difference, rel=1e-6, abs=1e-6)


def test_empty_bins_with_floor_zero_go_on_linearly():
    model = one_bin("none", 0.0, shared=2.0, rest=1.0, counts=0.0)
    for mu in (2.0, 0.0, -0.5, -3.0):
        assert Likelihood(model).two_nll([mu, 1.0]) == pytest.approx(2 * (2 * mu + 1))
        assert Likelihood(model).gradient([mu, 1.0]) == pytest.approx([4.0, 2.0])


def test_gradient_of_a_factor_per_bin_that_is_zero():
    model = Model(
        parameters=tuple(
            Parameter(name=n, initial=1.0, constraint="free", lower=0.0) for n in ("s[0]", "s[1]", "g[0]")
        ),
        components=(
            Component(sample="a", nominal=[3.0, 2.0], bin_factors=(("s[0]", "s[1]"), ("g[0]", ""))),
            Component(sample="b", nominal=[1.0, 1.0]),
        ),
        regions=(Span(name="r", start=0, stop=2),),
        data=[4.0, 2.0],
        poi="",
    )
    point = np.array([0.0, 1.5, 2.0])
    t = 1.0
    assert Likelihood(model).gradient(point)[0] == pytest.approx(2 * (1 - 4.0 / t) * 3.0 * 2.0)
    assert Likelihood(model).gradient(point)[2] == pytest.approx(0.0)
    assert Likelihood(model).gradient([1.0, 1.5, 0.0])[2] == pytest.approx(2 * (1 - 4.0 / t) * 3.0)


def test_a_factor_of_an_empty_bin_ends_at_its_limit():
    model = Model(
        parameters=tuple(
            Parameter(name=n, initial=1.0, constraint="free", lower=0.0, upper=10.0) for n in ("s[0]", "s[1]")
        ),
        components=(
            Component(sample="a", nominal=[3.0, 2.0], bin_factors=(("s[0]", "s[1]"),)),
            Component(sample="b", nominal=[1.0, 1.0]),
        ),
        regions=(Span(name="r", start=0, stop=2),),
        data=[4.0, 0.0],
        poi="",
        floor=np.zeros(2),
    )
    result = fit(model)
    assert result.values == pytest.approx([1.0, 0.0], abs=1e-6)
    assert result.two_nll == pytest.approx(2.0, abs=1e-9)
    assert result.at_limit == ("s[1]",)
