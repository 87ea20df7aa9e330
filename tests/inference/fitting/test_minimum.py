import numpy as np
import pytest
from scipy.optimize import minimize

from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.fitting.minimum import Problem
from spectrafit.inference.kernels.fields import Observed
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span
from tests.inference.models import KAPPA, spectrum


def folded(data, down, up, *, nominal=(40.0, 30.0, 20.0)):
    """A shape whose two sides go the same way in the last bin, beside a signal in the first."""
    nominal = np.array(nominal)
    morph = Morph(parameter="shape", templates=np.array([[37.0, 29.0, down], [44.0, 31.0, up]]))
    return Model(
        parameters=(KAPPA, Parameter(name="shape")),
        components=(
            Component(sample="b", nominal=nominal, morphs=(morph,)),
            Component(
                sample="s", monomial=(("kappa", 1),), nominal=[1.0, 0.0, 0.0], factors=(Factor(parameter="kappa"),)
            ),
        ),
        regions=(Span(name="r", start=0, stop=3),),
        data=data,
        asimov=False,
    )


@pytest.mark.parametrize("count", [20.0, 21.0, 22.0, 24.0, 30.0])
@pytest.mark.parametrize(("down", "up"), [(210.0, 190.0), (190.0, 210.0), (260.0, 240.0)])
def test_two_minima_close_together_are_both_looked_at(down, up, count):
    # kappa follows the first bin exactly: the deepest minimum is that of a scan over the shape alone.
    model = folded([45.0, 33.0, count], down, up)
    best = np.inf
    for shape in np.linspace(-1.0, 1.0, 4001):
        x = shape * shape
        bend = 0.0625 * shape * shape * (15.0 - 10.0 * x + 3.0 * x * x)  # code4p between -1 and 1
        first = 40.0 + 3.5 * shape + (44.0 + 37.0 - 80.0) * bend
        best = min(best, Likelihood(model).two_nll([45.0 - first, shape]))
    result = fit(model)
    assert result.valid, result.message
    assert result.two_nll == pytest.approx(best, abs=2e-4)


def test_other_starts_are_tried_where_data_are_described_badly():
    # 22000 counts where 20 are expected: every factor runs to its limit, and the first way down is not the deepest.
    parameters = (
        Parameter(name="mu", kind="interest", initial=1.0, constraint="free", lower=0.0, upper=10.0),
        Parameter(name="knorm", initial=1.0, constraint="free", lower=0.0, upper=10.0),
        Parameter(name="shape", lower=-5.0, upper=5.0),
    )
    morphs = [
        Morph(parameter="shape", templates=np.array([[37.0, 29.0, 21.0], [44.0, 31.0, 19.0]])),
        Morph(parameter="shape", templates=np.array([[96.0, 77.0], [105.0, 83.0]])),
    ]
    knorm = (Factor(parameter="knorm"),)
    model = Model(
        parameters=parameters,
        components=(
            Component(sample="s", nominal=[3.0, 6.0, 2.0], factors=(Factor(parameter="mu"),)),
            Component(sample="b", nominal=[1e-6, 300.0, 20.0], factors=knorm, morphs=(morphs[0],)),
            Component(sample="b", start=3, nominal=[100.0, 80.0], factors=knorm, morphs=(morphs[1],)),
        ),
        regions=(Span(name="SR", start=0, stop=3), Span(name="CR", start=3, stop=5)),
        data=[45.0, 33.0, 22000.0, 103.0, 79.0],
        poi="mu",
        floor=np.zeros(5),
        asimov=False,
    )
    rng = np.random.default_rng(1)
    tried = [rng.uniform([0.0, 0.0, -5.0], [10.0, 10.0, 5.0]) for _ in range(40)]
    ends = [fit(model, start=start).two_nll for start in tried]
    result = fit(model)
    assert result.two_nll <= min(ends) + 1e-3
    assert result.goodness.p_value < 1e-4


def test_a_prediction_without_counts_runs_to_where_it_ends():
    # 2NLL of empty bins is a straight line with a corner where the first prediction ends: it has no curvature there.
    model = spectrum(bins=2, shapes=0, mc=1e-3, scale=1e-4)
    problem = Problem(model, measured=Observed(np.zeros(2), np.array([0.0, 0.3, -1.5]), np.ones(2)))
    found = problem.newton(model.initial, problem.free)
    assert found.converged
    background, signal = (c.nominal for c in model.components)
    end = -float(np.min(background / signal))
    least = min(
        minimize(lambda v, k=k: problem.value([k, *v]), [0.3, -1.5], method="Nelder-Mead").fun
        for k in np.linspace(1.1 * end, 0.0, 23)
    )
    assert found.two_nll < least + 1e-7
    assert found.values[0] == pytest.approx(end, rel=0.02)


def test_minuit_prints_nothing_of_its_own(capfd):
    model = spectrum(bins=4, shapes=1)
    problem = Problem(model)
    # At level 0 Minuit prints its complaints past Python; they are no verdict on a fit, which its EDM is.
    assert problem.minuit(model.initial, problem.free).print_level == -1
    assert problem.migrad(model.initial, problem.free, simplex=True).converged
    assert not problem.migrad(model.initial + 3.0, problem.free, calls=1).converged
    assert capfd.readouterr() == ("", "")
