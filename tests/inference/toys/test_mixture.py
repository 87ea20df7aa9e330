import dataclasses

import numpy as np
import pytest
from scipy.stats import chi2, norm

from spectrafit.errors import DataError
from spectrafit.inference.toys.ensemble import ensemble
from spectrafit.inference.toys.mixture import Mixture, distance, log_densities
from tests.inference.models import counting, spectrum

LEVEL = 0.9
CRITICAL = chi2(1).ppf(LEVEL)


def normal_toys(seed, truths, sizes, kappas):
    """One measurement of width 1: t = (x - kappa)^2 is a chi-square of one degree of freedom."""
    rng = np.random.default_rng(seed)
    strata = np.repeat(np.arange(len(truths)), sizes)
    x = rng.normal(np.array(truths)[strata], 1.0)
    kappas = np.array(kappas)
    logs = norm.logpdf(x[:, None], np.array(truths))
    statistic = (x[:, None] - kappas) ** 2
    return Mixture(kappas, statistic, strata, logs, norm.logpdf(x[:, None], kappas))


def test_shares_and_their_errors_are_those_of_known_toys():
    # Two of the three kappas are no truths: their toys are all borrowed.
    found = []
    for seed in range(200):
        toys = normal_toys(seed, (3.4, 5.0, 6.6), (400, 200, 400), (4.8, 5.0, 5.3))
        shares = [(toys.tail(j, j, CRITICAL), toys.error(toys.influence(j, j, CRITICAL))) for j in range(3)]
        found.append([(*shares[j], *toys.critical(j, LEVEL)) for j in range(3)])
    share, error, critical, critical_error = np.moveaxis(np.array(found), -1, 0)
    np.testing.assert_allclose(share.mean(axis=0), 1.0 - LEVEL, atol=4 * error.mean() / np.sqrt(200))
    np.testing.assert_allclose((share - 0.1).std(axis=0), error.mean(axis=0), rtol=0.2)
    np.testing.assert_allclose(critical.mean(axis=0), CRITICAL, atol=0.02)
    np.testing.assert_allclose(critical.std(axis=0), critical_error.mean(axis=0), rtol=0.25)
    # Toys in the tails: worth more than four times as many of kappa's own.
    assert np.all(error.mean(axis=0) ** 2 < 0.25 * 0.1 * 0.9 / 1000)


def test_errors_of_combined_shares_are_those_of_their_sum():
    # The same toys tell of both kappas: the difference fluctuates less than either.
    pairs = []
    for seed in range(200):
        mixture = normal_toys(seed, (3.4, 5.0, 6.6), (400, 200, 400), (5.0, 5.1))
        influence = mixture.influence(1, 1, CRITICAL) - mixture.influence(0, 0, CRITICAL)
        pairs.append((mixture.tail(1, 1, CRITICAL) - mixture.tail(0, 0, CRITICAL), mixture.error(influence)))
    difference, error = np.array(pairs).T
    assert difference.std() == pytest.approx(error.mean(), rel=0.2)


def test_one_truth_alone_is_a_binomial():
    mixture = normal_toys(1, (5.0,), (1000,), (5.0,))
    inside = np.mean(mixture.statistic >= 1.0)
    assert mixture.effective == pytest.approx([1000])
    assert mixture.tail(0, 0, 1.0) == pytest.approx(inside)
    assert mixture.error(mixture.influence(0, 0, 1.0)) == pytest.approx(np.sqrt(inside * (1 - inside) / 999))
    # Never no toy at all.
    assert mixture.tail(0, 0, 1e6) == 1 / 1000


def test_effective_toys_follow_the_distance():
    # E(w^2) of toys at a distance d is exp(d^2).
    mixture = normal_toys(2, (0.0,), (40000,), (0.0, 0.5, 1.0))
    np.testing.assert_allclose(mixture.effective / 40000, np.exp(-np.array([0.0, 0.25, 1.0])), rtol=0.1)
    np.testing.assert_allclose(mixture.weights.mean(axis=0), 1.0, atol=0.05)


@pytest.mark.parametrize(
    ("toys", "kappa", "message"),
    [
        (2000, 4.0, r"2000 toys are worth .* at kappa = 4 \(at least 20\)"),
        (10, 0.0, r"10 toys are worth 10 .*throw more toys"),
    ],
)
def test_weights_that_degenerate_are_refused(toys, kappa, message):
    with pytest.raises(DataError, match=f"no limit: {message}"):
        normal_toys(1, (0.0,), (toys,), (kappa,))


def test_a_toy_that_outweighs_the_others_is_refused():
    logs = np.zeros((100_000, 1))
    targets = logs.copy()
    targets[7] = np.log(12_000.0)
    with pytest.raises(DataError, match=r"one has 11 % of their weight \(at most 10 %\)"):
        Mixture(np.zeros(1), logs, np.zeros(100_000, np.int64), logs, targets)


def test_distance_is_the_difference_of_means():
    model = counting(10000.0, 10000.0, 0.0)
    zero, near, far = (ensemble(model, [kappa]) for kappa in (0.0, 50.0, 160.0))
    # In units of the root of the counts.
    assert distance(zero, near) == pytest.approx(0.5, rel=0.1)
    assert distance(zero, far) == pytest.approx(1.6, rel=0.1)
    assert distance(zero, zero) == 0.0


def test_nothing_else_can_throw_what_a_truth_cannot():
    model = dataclasses.replace(counting(0.0, 0.0, 0.0), floor=np.zeros(1))
    nothing, some = ensemble(model, [0.0]), ensemble(model, [3.0])
    assert np.isinf(distance(some, nothing))
    logs = log_densities(nothing, (some.truth, nothing.truth), np.arange(3))
    np.testing.assert_allclose(logs, [[-3.0, 0.0]] * 3)


def test_weights_are_the_same_bits_for_every_executor():
    model = spectrum()
    one, other = ensemble(model, model.initial), ensemble(model, model.initial + 0.1)
    numbers = np.r_[0:400, 700:900]
    serial = log_densities(one, (one.truth, other.truth), numbers)
    threads = log_densities(one, (one.truth, other.truth), numbers, executor="threads", workers=3)
    assert np.array_equal(serial, threads)
    # A toy's row does not depend on those it came with.
    assert np.array_equal(serial[400:402], log_densities(one, (one.truth, other.truth), np.array([700, 701])))
