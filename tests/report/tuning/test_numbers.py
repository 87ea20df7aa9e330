import dataclasses

import numpy as np
import pytest

import spectrafit as sf
from spectrafit.errors import ConfigError
from spectrafit.inference.likelihood import Likelihood
from spectrafit.report.tuning.choice import applied, chosen_first
from spectrafit.report.tuning.numbers import Workbench


def test_the_numbers_are_those_of_a_fill_with_the_choice(tuned):
    analysis, bench = tuned
    choice = dataclasses.replace(chosen_first(analysis).with_width("rate", 2.0, 1.0), exposure=2.0)
    choice = choice.with_edges(0, 0, (0.0, 0.15, 0.8, 4.0)).with_edges(0, 1, (0.0, 1.0, 3.0))
    found = bench.numbers(choice)
    direct = applied(analysis, choice)
    filled = sf.build(direct)
    model = sf.assemble(direct, filled)
    limit = sf.limit(model)
    np.testing.assert_allclose(found.templates.counts, filled.counts, rtol=1e-9, atol=1e-9)
    assert found.limit.value == pytest.approx(limit.value, rel=1e-6)
    assert found.limit.expected.values == pytest.approx(limit.expected.values, rel=1e-6)
    for ours, theirs in zip(found.constraints, sf.constraints(model, filled), strict=True):
        assert (ours.naive, ours.corrected) == pytest.approx((theirs.naive, theirs.corrected), rel=1e-6)
    assert bench.numbers(choice) is found


def test_events_by_sample_follow_the_sliders(tuned):
    analysis, bench = tuned
    found = bench.numbers(chosen_first(analysis).with_systematic("scale", kept=False))
    values = {"kappa": 1.5, "rate": -1.0, "scale": 2.0}
    at = found.model.initial.copy()
    at[found.model.index("kappa")], at[found.model.index("rate")] = 1.5, -1.0
    by_sample = found.by_sample(values)
    assert by_sample.shape == (2, found.model.n_bins)
    np.testing.assert_allclose(by_sample.sum(axis=0), Likelihood(found.model).predict(at).mean, rtol=1e-12)
    np.testing.assert_allclose(by_sample[1], found.templates.counts[1, 0, 0] / 1.3, rtol=1e-12)


def test_a_method_with_toys_gives_way(tuned):
    analysis, bench = tuned
    assert bench.method == "profile"
    toys = sf.load(analysis.path, overrides=("limit.method=feldman-cousins",))
    assert Workbench(toys, bench.cells).method == "profile"
    assert Workbench(sf.load(analysis.path, overrides=("limit.method=cls",)), bench.cells).method == "cls"


def test_edges_that_the_grid_lacks_are_refused(tuned):
    analysis, bench = tuned
    with pytest.raises(ConfigError, match="edges"):
        bench.numbers(chosen_first(analysis).with_edges(0, 0, (0.0, 0.123456, 4.0)))
