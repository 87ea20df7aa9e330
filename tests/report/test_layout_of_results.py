"""What `result.json` holds is what its schema says, and its bins are those of the likelihood."""

import json

import jsonschema
import numpy as np
import pytest

from spectrafit.inference.fitting.impacts import impacts
from spectrafit.inference.likelihood import Likelihood
from spectrafit.report.contents import contents
from spectrafit.report.expectation import expectation
from spectrafit.report.layout import LAYOUT, Result, result_schema
from spectrafit.report.record import record


@pytest.fixture(scope="module")
def found(case):
    moves = impacts(case.model, case.best)
    return record(case.analysis, case.templates, case.model, case.best, case.limit, case.profile, moves)


def test_a_result_keeps_to_its_schema(found):
    schema = result_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(found, allow_nan=False)))
    assert found["layout"] == LAYOUT
    assert set(found) == set(Result.__struct_fields__)
    for table in schema["$defs"].values():
        assert table["description"]
        for key, said in table["properties"].items():
            assert len(said["description"].split()) > 0, key
    wrong = {**found, "limit": {**found["limit"], "value": "small"}}
    with pytest.raises(jsonschema.ValidationError, match="'small' is not valid"):
        jsonschema.Draft202012Validator(schema).validate(wrong)


def test_bins_hold_what_the_likelihood_expects(case, found):
    model = case.model
    start = model.initial
    start[model.index(model.poi)] = 0.0
    at = Likelihood(model).predict(start)
    region = found["regions"][0]
    assert [sample["sample"] for sample in region["before"]] == [*case.templates.samples, None]
    np.testing.assert_allclose(region["before"][-1]["events"], at.mean)
    np.testing.assert_allclose(region["before"][-1]["simulation_error"], np.sqrt(at.variance))
    np.testing.assert_allclose(region["data"], model.data)
    sizes = [len(axis["edges"]) - 1 for axis in region["axes"]]
    assert np.prod(sizes) == len(region["data"])
    for row in (*region["before"], *region["after"]):
        assert row["sum"] == pytest.approx(sum(row["events"]))
    squares = case.templates.squares[case.templates.sample("nc"), 0]
    np.testing.assert_allclose(region["before"][3]["simulation_error"], np.sqrt(squares))


def test_errors_before_the_fit_are_those_of_thrown_parameters(case):
    """The oracle is a thousand predictions with parameters thrown from their priors."""
    model, best = case.model, case.best
    (region, *_) = contents(case.analysis, case.templates, model, best)
    rng = np.random.default_rng(5)
    start, thrown = model.initial, []
    start[model.index(model.poi)] = 0.0
    for _ in range(1000):
        values = start.copy()
        for place, parameter in enumerate(model.parameters):
            if parameter.constraint == "gaussian":
                # Small throws, where the prediction is linear.
                values[place] += 0.05 * parameter.width * rng.standard_normal()
        thrown.append(Likelihood(model).predict(values).mean)
    bins = slice(model.regions[0].start, model.regions[0].stop)
    spread = np.std(np.array(thrown)[:, bins], axis=0) / 0.05
    whole = region["before"][-1]
    np.testing.assert_allclose(whole["error"], spread, rtol=0.15)
    assert whole["sum_error"] == pytest.approx(np.std(np.array(thrown)[:, bins].sum(axis=1)) / 0.05, rel=0.1)
    both = expectation(model, best, kappa=1.0)
    np.testing.assert_allclose(whole["error"], np.sqrt(np.diag(both.before))[bins], rtol=1e-6)
