"""Intervals from mixtures of toys, against tables, against quadrature, and against toys of each kappa's own."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import norm

from spectrafit.errors import DataError
from spectrafit.inference.intervals.limits import upper_limit
from spectrafit.inference.intervals.scan import Scan
from spectrafit.inference.toys import ensemble as toys
from spectrafit.inference.toys.options import ToyOptions
from tests.inference.models import counting, spectrum

FLAT = {"expected": False, "simulation": False}


def bounded_normal(measured: float) -> tuple[float, float]:
    """Return the ends of the 90 % interval of Feldman and Cousins for a mean >= 0, by quadrature."""
    x = np.linspace(-6.0, 12.0, 9001)
    means = np.arange(0.0, 7.0, 0.05)

    def statistic(at, mean):
        return (at - mean) ** 2 - (at - np.maximum(at, 0.0)) ** 2

    chance = np.array([np.sum(norm.pdf(x - m)[statistic(x, m) >= statistic(measured, m) - 1e-12]) for m in means])
    chance *= x[1] - x[0]
    first, last = np.flatnonzero(chance > 0.10)[[0, -1]]
    falling = np.interp(-0.10, -chance[last : last + 2], means[last : last + 2])
    rising = np.interp(0.10, chance[first - 1 : first + 1], means[first - 1 : first + 1]) if first else 0.0
    return float(rising), float(falling)


@pytest.mark.parametrize(("measured", "table"), [(-1.0, (0.0, 0.81)), (0.0, (0.0, 1.64)), (3.0, (1.37, 4.64))])
def test_a_bounded_normal_is_in_the_table(measured, table):
    # A count of a million is normal with a width of a thousand. The table is table X of Feldman and Cousins.
    model = counting(1e6, 1e6, 0.0, statistic="gaussian")
    assert bounded_normal(measured) == pytest.approx(table, abs=0.01)
    limit = upper_limit(model, method="feldman-cousins", toys=2000, data=[1e6 + 1000.0 * measured], **FLAT)
    low, high = bounded_normal(measured)
    assert limit.kappa / 1000.0 == pytest.approx(high, abs=4 * limit.kappa_error / 1000.0 + 0.005)
    assert limit.lower_kappa / 1000.0 == pytest.approx(low, abs=4 * limit.kappa_error / 1000.0 + 0.005)
    # As many toys of each of 26 kappas' own as are thrown from a truth here left an error of 0.03 or more.
    assert limit.kappa_error / 1000.0 < 0.025


def direct(scan, kappa, number, *, kind, cls):
    """Return p (or CLs) at kappa from toys of kappa's own (and of kappa = 0), with its error."""
    observed = scan.statistic(kappa, "one" if cls else "two")
    shares = []
    for truth in (kappa, 0.0)[: 1 + cls]:
        of = toys.ensemble(
            scan.problem.model, scan.at(truth).values, kind=kind, seed=77, measured=scan.problem.observed
        )
        rows, _ = toys.run(of, [kappa], toys=number)
        shares.append(np.mean(toys.bounded_ratio(rows, np.array([kappa]), cls=cls) >= observed - 1e-6))
    relative = [np.sqrt((1.0 - share) / share / number) for share in shares]
    p = shares[0] / shares[1] if cls else shares[0]
    return p, p * np.hypot(*relative) if cls else p * relative[0]


@pytest.mark.parametrize(
    ("method", "kind", "options"),
    [
        # Few events.
        ("feldman-cousins", "profiled", {"scale": 0.3, "mc": 0.1}),
        ("feldman-cousins", "prior", {"scale": 1.0, "mc": 0.1}),
        ("cls-toys", "profiled", {"scale": 1.0, "mc": 0.1}),
    ],
)
def test_borrowed_toys_agree_with_toys_of_each_kappas_own(method, kind, options):
    model = spectrum(bins=5, shapes=1, **options)
    data = np.random.default_rng(8).poisson(model.data)
    limit = upper_limit(model, method=method, toys=ToyOptions(toys=1500, ensemble=kind), data=data, **FLAT)
    points = limit.points
    scan, pulls = Scan(model, 0.0, data), []
    # The survey of the grid, in which every fourth kappa has toys of its own, and the three kappas around the end.
    near = np.argsort(abs(points["kappa"] - limit.kappa))[:3]
    for j in {2, 5, 8, 11, *near.tolist()}:
        p, error = direct(scan, float(points["kappa"][j]), 1500, kind=kind, cls=method == "cls-toys")
        pulls.append((points["p_value"][j] - p) / np.hypot(points["p_error"][j], error))
    assert np.mean(np.square(pulls)) < 3.0
    assert np.max(np.abs(pulls)) < 3.5
    # Better known at the end than from as many toys of its own.
    p = points["p_value"][near]
    assert np.all(points["p_error"][near] < (0.8 if kind == "prior" else 0.6) * np.sqrt(p * (1.0 - p) / 1500))
    assert np.all(points["effective"] > 20)


def test_both_ends_without_a_boundary():
    model = dataclasses.replace(counting(400.0, 400.0, 0.0), couplings={"kappa": "charge_radius"})
    limit = upper_limit(model, method="feldman-cousins", toys=1000, **FLAT)
    # Delta 2NLL = 2.71 on both sides of the Poisson likelihood.
    for end in (limit.kappa, limit.lower_kappa):
        mean = 400.0 + end
        assert 2 * (mean - 400 + 400 * np.log(400 / mean)) == pytest.approx(2.7055, abs=0.3)


def test_a_limit_is_the_same_bits_for_every_executor():
    model = spectrum(bins=4, shapes=1)
    found = [
        upper_limit(model, method="feldman-cousins", toys=ToyOptions(toys=300, executor=kind, workers=2), **FLAT)
        for kind in ("serial", "threads")
    ]
    assert found[0].kappa == found[1].kappa
    assert found[0].kappa_error == found[1].kappa_error


def test_too_few_toys_are_refused():
    with pytest.raises(DataError, match=r"toys are worth .* \(at least 20\).*throw more toys"):
        upper_limit(spectrum(bins=4, shapes=1), method="feldman-cousins", toys=10, **FLAT)
