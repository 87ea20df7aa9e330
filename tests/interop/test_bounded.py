"""A minimum on a limit is a minimum: where the limit is, what is said of it, and what has no effect at all."""

import dataclasses

import numpy as np
import pytest

from spectrafit.inference.model import Component, Factor, Model, Parameter, Span
from spectrafit.interop.bounded import effective, fit_within


def counting(seen, upper=10.0):
    """Return one bin with 5 events of signal over 50 of background, and a factor of an empty sample."""
    return Model(
        parameters=(
            Parameter(name="mu", kind="interest", initial=1.0, constraint="free", lower=0.0, upper=upper),
            Parameter(name="idle", initial=1.0, constraint="free", lower=0.0, upper=10.0, fixed=True),
        ),
        components=(
            Component(sample="signal", start=0, nominal=np.array([5.0]), factors=(Factor(parameter="mu"),)),
            Component(sample="nothing", start=0, nominal=np.array([0.0]), factors=(Factor(parameter="idle"),)),
            Component(sample="background", start=0, nominal=np.array([50.0])),
        ),
        regions=(Span(name="c", start=0, stop=1),),
        data=np.array([seen]),
        asimov=False,
        poi="mu",
        floor=np.zeros(1),
    )


@pytest.mark.parametrize(("seen", "at"), [(60.0, 2.0), (40.0, 0.0), (150.0, 10.0)])
def test_the_minimum_of_a_count_is_where_arithmetic_puts_it(seen, at):
    found = fit_within(counting(seen))
    assert found.best.valid
    assert found.best.value("mu") == pytest.approx(at, abs=1e-6)
    stuck = at in (0.0, 10.0)
    assert found.at_limit == (("mu",) if stuck else ())
    assert any("mu ended at its bound" in note for note in found.notes) == stuck
    mean = 50.0 + 5.0 * at
    assert found.best.two_nll == pytest.approx(2 * (mean - seen + seen * np.log(seen / mean)), abs=1e-9)


def test_a_factor_of_nothing_has_no_effect_and_is_told():
    model = counting(55.0)
    assert effective(model.components) == {"mu"}
    assert any(note.startswith("no prediction depends on idle") for note in fit_within(model).notes)
    filled = dataclasses.replace(model.components[1], nominal=np.array([1.0]))
    assert effective((filled,)) == {"idle"}
