"""A plan has one fingerprint for one figure, and another where anything that is drawn differs."""

import dataclasses

import numpy as np
import pytest

from spectrafit.report.expectation import expectation
from spectrafit.report.figures import draw, look
from spectrafit.report.figures.planned import Planned


def planned(case, **changes):
    given = {"best": case.best, "limit": case.limit, "analysis": case.analysis, **changes}
    expected = expectation(case.model, given["best"], kappa=given["limit"].kappa)
    found = draw(
        given["analysis"], case.templates, case.model, given["best"], case.profile, given["limit"], expected, ()
    )
    return {one.name: one for one in found}


def test_the_same_inputs_have_the_same_fingerprint_and_names_their_own(case):
    first, second = planned(case), planned(case)
    prints = [one.fingerprint for one in first.values()]
    assert prints == [one.fingerprint for one in second.values()]
    assert len(set(prints)) == len(prints)


def test_how_long_a_fit_took_is_not_drawn(case):
    slow = dataclasses.replace(case.best, seconds=99.0)
    assert planned(case)["correlations"].fingerprint == planned(case, best=slow)["correlations"].fingerprint


def test_only_what_changes_has_another_fingerprint(case):
    before = planned(case)
    after = planned(case, limit=dataclasses.replace(case.limit, level=0.95))
    changed = {name for name in before if before[name].fingerprint != after[name].fingerprint}
    assert changed == {"profile"}
    covariance = case.best.covariance.copy()
    covariance[0, 1] = covariance[1, 0] = 0.3
    other = planned(case, best=dataclasses.replace(case.best, covariance=covariance))
    assert before["correlations"].fingerprint != other["correlations"].fingerprint
    assert before["profile"].fingerprint == other["profile"].fingerprint


def test_a_plan_is_drawn_once(case):
    one = planned(case)["profile"]
    with look():
        assert one.figure is one.figure
    assert one.figure.axes[0].get_ylabel()


def test_a_value_that_has_no_content_is_refused():
    one = Planned(name="a", caption="", seen="", by="x.y", given=(object(),), options={})
    with pytest.raises(TypeError, match="object"):
        assert one.fingerprint
    arrays = [Planned(name="a", caption="", seen="", by="x.y", given=(np.zeros(n),), options={}) for n in (2, 3)]
    assert arrays[0].fingerprint != arrays[1].fingerprint
