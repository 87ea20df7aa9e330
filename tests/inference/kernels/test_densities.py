import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, poisson

from spectrafit.inference.kernels.fields import workspace
from spectrafit.inference.kernels.throw import throw
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.toys.ensemble import ensemble, scratch
from spectrafit.inference.toys.mixture import log_densities
from spectrafit.random import stream_key
from tests.inference.models import spectrum
from tests.inference.test_likelihood import everything
from tests.inference.test_local_gammas import one_bin
from tests.inference.toys.test_ensemble import thrown

TOYS = 5


@pytest.mark.parametrize("mc", [True, False])
def test_profiled_toys_have_the_densities_they_are_thrown_with(mc):
    model = everything()
    k = model.index("kappa")
    truths = [
        ensemble(model, model.initial + 0.5 * shift * (np.arange(len(model.initial)) == k), mc=mc) for shift in (0, 1)
    ]
    truths += [ensemble(model, model.initial * 1.05 + 0.1, mc=mc)]
    found = log_densities(truths[0], [of.truth for of in truths], np.arange(TOYS))
    place = [i for i, p in enumerate(model.parameters) if p.constraint == "gaussian"]
    names = [model.parameters[i].name for i in place]
    covariance = np.diag([model.parameters[i].width ** 2 for i in place])
    for first, second, rho in model.correlations:
        i, j = names.index(first), names.index(second)
        covariance[i, j] = covariance[j, i] = rho * np.sqrt(covariance[i, i] * covariance[j, j])
    counts, centres, gammas = thrown(truths[0], TOYS)
    a = Likelihood(model).arrays
    expected = []
    for of in truths:
        t = of.truth
        total = poisson.logpmf(counts, t.fitted).sum(axis=1)
        total += multivariate_normal.logpdf(centres[:, place], t.theta[place], covariance)
        total += poisson.logpmf(centres[:, a.auxiliary], t.theta[a.auxiliary] * a.auxiliary_scale).sum(axis=1)
        expected.append(total + (norm.logpdf(gammas, t.gamma, t.spread).sum(axis=1) if mc else 0.0))
    np.testing.assert_allclose(found.T - found.T[0], np.array(expected) - expected[0], rtol=1e-9, atol=1e-10)


def test_gammas_with_auxiliary_counts():
    model = one_bin("poisson", 30.0, shared=20.0, rest=5.0, counts=24.0)
    one, two = (ensemble(model, values) for values in ([1.0, 1.0], [1.2, 0.9]))
    found = log_densities(one, (one.truth, two.truth), np.arange(TOYS))
    counts, _, gammas = (values[:, 0] for values in thrown(one, TOYS))
    a, b = (
        poisson.logpmf(counts, of.truth.fitted[0]) + poisson.logpmf(gammas, 30.0 * of.truth.gamma[0])
        for of in (one, two)
    )
    np.testing.assert_allclose(found[:, 1] - found[:, 0], b - a, rtol=1e-9)


def test_prior_toys_keep_their_nuisances():
    # The truth is thrown: another kappa predicts other counts with the same nuisances.
    model = spectrum(bins=4, mc=0.1)
    zero, two = (ensemble(model, [kappa, *model.initial[1:]], kind="prior") for kappa in (0.0, 2.0))
    found = log_densities(zero, (zero.truth, two.truth), np.arange(4000))
    ratio = np.exp(found[:, 1] - found[:, 0])
    assert ratio.mean() == pytest.approx(1.0, abs=4 * ratio.std() / np.sqrt(4000))
    a, d = Likelihood(model).arrays, scratch(model)
    w, key = workspace(a), stream_key(zero.digest, "toys")
    throw(a, zero.truth, key, 0, d, w)
    counts, expected = d.counts.copy(), [w.scaled.copy()]
    throw(a, two.truth, key, 0, d, w)
    expected.append(w.scaled.copy())
    one, other = (poisson.logpmf(counts, mean).sum() for mean in expected)
    assert found[0, 1] - found[0, 0] == pytest.approx(other - one, rel=1e-9)
