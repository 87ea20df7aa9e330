import dataclasses

import numpy as np
import pytest

from spectrafit.inference.fitting.minimum import Problem
from spectrafit.inference.kernels import newton
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Morph
from tests.inference.models import counting, spectrum


def folded():
    """A model whose shape0 does much the same at +1 and at -1 sigma."""
    model = spectrum(bins=10, shapes=2, mc=0.01)
    x = (np.arange(10) + 0.5) / 10
    wave = 0.25 * np.sin(6.0 * x)
    components = tuple(
        dataclasses.replace(
            c,
            morphs=(
                Morph(parameter="shape0", templates=c.nominal * np.array([1 + 0.9 * wave, 1 + 1.1 * wave])),
                *c.morphs[1:],
            ),
        )
        for c in model.components
    )
    return dataclasses.replace(model, components=components)


def test_the_deeper_of_two_minima_is_found():
    model = folded()
    assert model.names[Likelihood(model).arrays.folded[0]] == "shape0"
    assert Likelihood(model).arrays.folded.size == 1
    rng = np.random.default_rng(1)
    sides = set()
    for _ in range(15):
        truth = model.initial
        truth[3] = rng.choice([-1.0, 1.0])
        data = rng.poisson(Problem(model).model.data * (1 + 0.2 * np.sin(6.0 * (np.arange(10) + 0.5) / 10)))
        problem = Problem(model, data)
        found = problem.minimum(model.initial)
        best = min(
            problem.migrad(np.where(np.arange(5) == 3, side, 0.0), problem.free).two_nll
            for side in (-1.2, -0.4, 0.4, 1.2)
        )
        assert found.converged
        assert found.two_nll < best + 1e-4
        sides.add(found.values[3] > 0)
    assert sides


def test_symmetric_shifts_are_not_looked_at_twice():
    assert Likelihood(spectrum()).arrays.folded.size == 0
    assert Likelihood(counting()).arrays.folded.size == 0


def test_a_parabola_takes_one_step():
    model = counting(400.0, 300.0, 0.05, statistic="gaussian")
    problem = Problem(model)
    found = problem.newton(model.initial, problem.free)
    assert found.converged
    assert found.calls == 2
    assert found.values[0] == pytest.approx(100.0)


def test_limits_hold_and_let_go():
    model = counting(20.0, 23.78)
    bounded = dataclasses.replace(
        model, parameters=(dataclasses.replace(model.parameters[0], lower=0.0), model.parameters[1])
    )
    problem = Problem(bounded)
    found = problem.newton(np.array([15.0, 2.0]), problem.free)
    assert found.converged
    assert found.values[0] == 0.0
    # Away from the limit, the same parameter moves again.
    free = Problem(bounded, [40.0])
    assert free.newton(np.array([0.0, 0.0]), free.free).values[0] == pytest.approx(16.22)


def test_a_saddle_is_left():
    # Between two minima the Hessian is negative: the fit starts exactly there.
    model = folded()
    data = np.round(model.data * (1 + 0.3 * np.sin(6.0 * (np.arange(10) + 0.5) / 10)))
    problem = Problem(model, data)
    start = model.initial
    found = problem.newton(start, problem.free)
    assert found.converged
    assert abs(found.values[3]) > 0.5
    assert np.linalg.eigvalsh(problem.hessian(found.values))[0] > 0


def test_what_cannot_be_evaluated_stalls():
    model = spectrum()
    problem = Problem(model, np.full(20, 50.0))
    start = model.initial
    start[1] = np.nan
    found = problem.newton(start, problem.free)
    assert not found.converged
    assert newton.CONVERGED == 0
