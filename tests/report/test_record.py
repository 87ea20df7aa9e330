"""The record apart from the folder: plain values only, and the fields a reader of many results sorts by."""

import json

import numpy as np

from spectrafit.inference.fitting.impacts import impacts
from spectrafit.report.record import record


def test_the_record_is_plain_and_complete(case):
    moves = impacts(case.model, case.best)
    found = record(case.analysis, case.templates, case.model, case.best, case.limit, case.profile, moves)
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found
    assert found["coupling"]["carriers"] == [14, -14]
    assert found["limit"]["expected"]["values"][2] == 7.46e-10
    assert found["samples"] == list(case.templates.samples)
    np.testing.assert_allclose(found["correlation"]["matrix"], case.best.correlation)
    np.testing.assert_allclose(found["profile"]["kappa"], case.profile.grid)
    assert found["data"]["events"] == {"shower": float(case.model.data.sum())}
    assert found["error_budget"] == {impact.name: impact.size for impact in moves if impact.group}
    assert found["fit"]["goodness"] == {"chi2": 0.0, "ndof": 105, "p_value": 1.0, "toys": 0}
