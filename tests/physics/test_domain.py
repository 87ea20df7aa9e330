import awkward as ak
import numpy as np

from spectrafit import physics as ph
from spectrafit.physics.domain import not_negative, positive


def test_what_lies_outside_is_nan_and_the_rest_as_it_was():
    inside = np.array([5e-324, 1e-10, 0.1, 1.0 / 3.0, 1e300])
    outside = np.array([-5e-324, -1.0, np.inf, -np.inf, np.nan])
    for function in (not_negative, positive):
        assert (function(inside) == inside).all()
        assert np.isnan(function(outside)).all()
        assert function(0.1) == 0.1
        jagged = function(ak.Array([[0.1, -1.0], []]))
        assert ak.num(jagged).to_list() == [2, 0]
        assert np.isnan(jagged[0, 1])
    assert not_negative(0.0) == 0.0
    assert np.isnan(positive(0.0))


def test_places_where_nothing_can_be_said():
    for length in (0.0, -1.0, np.nan):
        assert np.isnan(ph.reactor_flux(3.0, length))
        assert np.isnan(ph.pion_decay_flux(1e20, length))
        assert np.isnan(ph.source_flux(1e15, length))
        assert np.isnan(ph.spin_flavour_resonance_density(7.5e-5, 0.4, length))
        assert np.isnan(ph.weak_charge_millicharge(length, 32, 68.84, 1e-12))
    # Without a gradient the passage is as slow as one likes.
    assert ph.spin_flavour_adiabaticity(1e-11, 10.0, 0.0) == np.inf
