"""Knobs behind principal components, against a fit of the knobs themselves: linear and Gaussian, so both are exact."""

import dataclasses

import numpy as np
import pytest

from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.fitting.sources import sources
from spectrafit.report.origins import origins_table
from spectrafit.templates.principal import principal
from spectrafit.templates.sources import Loadings, Sources
from tests.inference.models import counting

BINS, KNOBS = 12, 4


@dataclasses.dataclass
class Made:
    """All that is asked of templates."""

    sources: dict


def posterior(changes, signal, counts, variance):
    """Mean and covariance of (kappa, unit Gaussians that change bins by `changes`), kappa without a prior."""
    slopes = np.vstack([signal, changes])
    prior = np.diag([0.0, *np.ones(len(changes))])
    covariance = np.linalg.inv(slopes / variance @ slopes.T + prior)
    return covariance @ (slopes / variance @ counts), covariance


@pytest.mark.parametrize("universes", [9, 60])
@pytest.mark.parametrize("known", [True, False])
def test_pulls_constraints_and_shares_are_those_of_the_knobs(universes, known):
    rng = np.random.default_rng(universes)
    # Knobs that are exactly uncorrelated over the universes, of width 1.
    knobs = np.linalg.qr(rng.normal(size=(universes, KNOBS)))[0] * np.sqrt(universes)
    changes, signal = rng.normal(size=(KNOBS, BINS)), rng.normal(size=BINS)
    counts, variance = rng.normal(size=BINS), rng.uniform(0.5, 2.0, BINS)
    rows = (knobs @ changes / np.sqrt(universes)).reshape(universes, 1, 1, BINS)
    made = principal(rows, 1.0, np.zeros((1, 1), np.int64))
    kept = made.kept[:, 0, 0]
    np.testing.assert_allclose(made.combination @ rows[:, 0, 0], kept, atol=1e-12)
    np.testing.assert_allclose(made.combination @ made.combination.T, np.eye(len(kept)), atol=1e-12)
    mean, covariance = posterior(kept, signal, counts, variance)
    names = ("kappa", *(f"multisim[{k}]" for k in range(len(kept))))
    best = dataclasses.replace(
        fit(counting()), names=names, values=mean, covariance=covariance, errors=np.sqrt(np.diag(covariance))
    )
    loadings = (
        Loadings(names=tuple("abcd"), rows=knobs / np.sqrt(universes))
        if known
        else Loadings(names=tuple(map(str, range(universes))), rows=np.eye(universes))
    )
    found = sources(Made({"multisim": Sources.of(loadings, made.combination)}), best)
    assert sum(source.share for source in found) == pytest.approx(1.0, rel=1e-9)
    mean, covariance = posterior(changes, signal, counts, variance)
    moved = covariance[0, 1:]
    if known:
        by_name = {source.name: source for source in found}
        for j, name in enumerate("abcd"):
            assert by_name[name].pull == pytest.approx(mean[1 + j], abs=1e-9)
            assert by_name[name].constraint == pytest.approx(np.sqrt(covariance[1 + j, 1 + j]), rel=1e-9)
            assert by_name[name].share == pytest.approx(moved[j] ** 2 / (moved @ moved), abs=1e-9)
    else:
        # A universe moves as its knobs do: a projection of theirs.
        universe = {int(source.name): source for source in found}
        u = 3
        assert universe[u].pull == pytest.approx(knobs[u] @ mean[1:] / np.sqrt(universes), abs=1e-9)
        share = (knobs[u] @ moved) ** 2 / universes / (moved @ moved)
        assert universe[u].share == pytest.approx(share, abs=1e-9)
    shares = [abs(source.share) for source in found]
    assert shares == sorted(shares, reverse=True)
    table = origins_table(found)
    assert len(table.rows) == min(len(found), 10) + (len(found) > 10)
    assert sum(float(row[-1].split()[0]) for row in table.rows) == pytest.approx(100.0, abs=1.0)


def test_a_component_that_is_no_parameter_keeps_its_prior():
    best = fit(counting())
    rows = np.eye(3)
    made = {"b": Sources.of(Loadings(names=("x", "y", "z"), rows=rows), np.eye(3)[:2])}
    assert sources(Made(made), best) == ()
