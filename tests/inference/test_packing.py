"""Packing lays a model's numbers into flat arrays; nothing is lost or moved."""

import numpy as np

from spectrafit.inference.model import Component, Factor, Model, Parameter, Span
from spectrafit.inference.packing import GAMMA, STATISTIC, pack
from tests.inference.models import KAPPA, spectrum


def test_parameters_and_components_stand_in_their_order():
    model = spectrum(bins=7, shapes=2)
    arrays = pack(model)
    np.testing.assert_array_equal(arrays.initial, [p.initial for p in model.parameters])
    np.testing.assert_array_equal(arrays.lower, [p.lower for p in model.parameters])
    np.testing.assert_array_equal(arrays.upper, [p.upper for p in model.parameters])
    np.testing.assert_array_equal(arrays.nominal, np.concatenate([c.nominal for c in model.components]))
    np.testing.assert_array_equal(arrays.size, [len(c.nominal) for c in model.components])
    np.testing.assert_array_equal(arrays.place, np.cumsum([0, *arrays.size[:-1]]))
    assert arrays.poi == model.names.index("kappa")


def test_constraints_are_precisions_and_free_parameters_have_none():
    model = Model(
        parameters=(KAPPA, Parameter(name="a", centre=0.5, width=0.25), Parameter(name="b", constraint="free")),
        components=(Component(sample="s", nominal=[3.0, 4.0], factors=(Factor(parameter="kappa"),)),),
        regions=(Span(name="r", start=0, stop=2),),
        data=[3.0, 4.0],
    )
    arrays = pack(model)
    np.testing.assert_array_equal(arrays.precision, [0.0, 16.0, 0.0])
    assert arrays.centre[1] == 0.5


def test_words_and_numbers_of_kernels_are_one_to_one():
    assert sorted(STATISTIC.values()) == list(range(len(STATISTIC)))
    assert sorted(GAMMA.values()) == list(range(len(GAMMA)))
    for name, number in STATISTIC.items():
        assert pack(spectrum(bins=3, statistic=name)).statistic == number
