import numpy as np
import pytest

from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.toys.goodness import goodness_from_toys
from tests.inference.models import spectrum


def test_goodness_from_toys_is_the_asymptotic_one_where_that_holds():
    model = spectrum(mc=0.0, scale=5.0)
    data = np.random.default_rng(1).poisson(model.data)
    best = fit(model, data=data)
    found = goodness_from_toys(model, best, toys=800, data=data)
    assert found.toys == 800
    assert found.p_value == pytest.approx(best.goodness.p_value, abs=0.06)
    assert "800 toys" in str(found)
    far = data + 100 * (np.arange(20) % 2)
    assert goodness_from_toys(model, fit(model, data=far), toys=300, data=far).p_value < 0.01
