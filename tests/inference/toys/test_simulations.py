"""Simulations thrown by sample: scipy's Poisson probabilities, numpy's weighted events, the model's own variance."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from spectrafit.errors import ConfigError
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span, Variance
from spectrafit.inference.toys.simulations import Simulations
from tests.inference.models import KAPPA


def two_samples(background, per_bin, **options):
    """Return a model of a background with `per_bin` events in each bin and a signal whose two powers share events."""
    bins = len(background)
    sm, moment = np.full(bins, 3.0), np.linspace(6.0, 1.0, bins)
    factor = (Factor(parameter="kappa"),)
    return Model(
        parameters=(KAPPA, Parameter(name="tilt")),
        components=(
            Component(
                sample="background",
                nominal=background,
                morphs=(Morph(parameter="tilt", templates=np.stack([0.9 * background, 1.1 * background])),),
            ),
            Component(sample="signal", nominal=sm),
            Component(sample="signal", monomial=(("kappa", 1),), nominal=moment, factors=factor),
        ),
        regions=(Span(name="nd", start=0, stop=bins),),
        data=background + sm,
        variances=(
            Variance(first=0, second=0, values=background**2 / per_bin),
            # Weights of the moment that scatter around those of the Standard Model: 200 events of them.
            Variance(first=1, second=1, values=sm**2 / 200.0),
            Variance(first=1, second=2, values=2.0 * sm * moment / 200.0),
            Variance(first=2, second=2, values=1.5 * moment**2 / 200.0),
        ),
        **options,
    )


def test_a_sample_has_a_poisson_number_of_events_of_its_own_weight():
    model = two_samples(np.array([30.0, 10.0]), np.array([5.0, 2.0]))
    simulations = Simulations(model)
    thrown = [simulations.thrown(number) for number in range(3000)]
    events = np.array([one.components[0].nominal for one in thrown]) / [6.0, 5.0]
    np.testing.assert_allclose(events, np.round(events), atol=1e-4)
    for at, mean in enumerate((5.0, 2.0)):
        counts = np.bincount(np.round(events[:, at]).astype(int), minlength=12)[:12]
        expected = 3000 * stats.poisson.pmf(np.arange(12), mean)
        assert np.sum((counts - expected) ** 2 / np.maximum(expected, 5.0)) < 35.0
    # The analyser reads the variance off the events there are: of each, its weight squared.
    few = next(one for one in thrown if round(one.components[0].nominal[0] / 6.0) == 3)
    assert few.variances[0].values[0] == pytest.approx(3 * 6.0**2, rel=1e-4)
    np.testing.assert_allclose(few.components[0].morphs[0].templates[1], 1.1 * few.components[0].nominal)


def test_the_powers_of_a_sample_follow_their_covariance():
    model = two_samples(np.array([30.0, 10.0]), np.array([5.0, 2.0]))
    simulations = Simulations(model, seed=4)
    pairs = np.array([[c.nominal[0] for c in simulations.thrown(n).components[1:]] for n in range(3000)])
    np.testing.assert_allclose(pairs.mean(axis=0), [3.0, 6.0], rtol=0.01)
    # Standard errors of a variance of 3000 are 2.6 %.
    np.testing.assert_allclose(np.cov(pairs.T), np.array([[9.0, 18.0], [18.0, 54.0]]) / 200.0, rtol=0.12)
    # Numpy's weighted events: a Poisson number of them, each with a weight for either power.
    rng = np.random.default_rng(3)
    scatter = rng.choice([1.0 - 0.5**0.5, 1.0 + 0.5**0.5], size=(3000, 300))
    number = rng.poisson(200, 3000)[:, None] > np.arange(300)
    real = np.stack([3.0 * number.sum(axis=1), 6.0 * (number * scatter).sum(axis=1)], axis=1) / 200.0
    np.testing.assert_allclose(np.cov(pairs.T), np.cov(real.T), rtol=0.15)


def test_a_bin_without_events_is_left_out_and_numbers_repeat():
    model = two_samples(np.array([30.0, 10.0]), np.array([5.0, 0.5]))
    alone = dataclasses.replace(model, components=model.components[:1], variances=model.variances[:1])
    simulations = Simulations(alone)
    for number in range(12):
        one = simulations.thrown(number)
        assert one.used.tolist() == (one.components[0].nominal > 0).tolist()
    assert not all(simulations.thrown(number).used.all() for number in range(12))
    again = Simulations(alone).thrown(7).components[0].nominal
    assert np.array_equal(again, simulations.thrown(7).components[0].nominal)
    assert np.isfinite(Likelihood(simulations.thrown(7)).predict().mean).all()
    with pytest.raises(ConfigError, match="no MC statistics to throw; needs mc_statistics"):
        Simulations(dataclasses.replace(model, variances=()))
