"""Every figure of the small analysis, drawn once: blind, and with data and a scan."""

import dataclasses

import numpy as np
import pytest

from spectrafit.inference.fitting.impacts import impacts
from spectrafit.report.expectation import expectation
from spectrafit.report.figures import draw, look


def _drawn(case, **changes):
    given = {"model": case.model, "best": case.best, "limit": case.limit, **changes}
    expected = expectation(given["model"], given["best"], kappa=given["limit"].kappa)
    moves = impacts(case.model, case.best)
    with look():
        found = draw(
            case.analysis,
            case.templates,
            given["model"],
            given["best"],
            case.profile,
            given["limit"],
            expected,
            moves,
        )
        yield from found


@pytest.fixture(scope="session")
def blind(case):
    return {drawing.name: drawing.figure for drawing in _drawn(case)}


@pytest.fixture(scope="session")
def opened(case):
    model = case.model.with_data(np.random.default_rng(1).poisson(case.model.data).astype(float))
    kappa = np.linspace(0, 1, 11)
    limit = dataclasses.replace(
        case.limit,
        method="feldman-cousins",
        points={"kappa": kappa, "statistic": kappa**2, "critical": 0 * kappa + 0.3},
    )
    return model, {drawing.name: drawing.figure for drawing in _drawn(case, model=model, limit=limit)}


@pytest.fixture
def taking(case):
    """Expected events with a coupling that takes events away in every second bin of the first axis."""
    expected = expectation(case.model, case.best, kappa=case.limit.kappa)
    columns = case.templates.regions[0].shape[1]
    signs = (-1.0) ** (np.arange(expected.extra.shape[1]) // columns)
    return dataclasses.replace(expected, extra=2.0 * signs * np.abs(expected.extra))
