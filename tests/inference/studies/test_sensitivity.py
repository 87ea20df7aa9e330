import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.studies.points import scaled
from spectrafit.inference.studies.sensitivity import sensitivity
from tests.inference.models import counting, spectrum


def test_without_systematics_the_error_falls_as_the_root_of_exposure():
    model = counting(100.0, 100.0, 0.0, statistic="gaussian")
    found = sensitivity(model, [1.0, 4.0, 25.0])
    # kappa is a signal of one event at exposure 1: its expected limit is 1.28 sqrt(b) / exposure^(1/2).
    np.testing.assert_allclose(found.median[:, 0], 12.815516 / np.sqrt([1.0, 4.0, 25.0]), rtol=1e-4)


def test_systematics_end_the_improvement():
    model = counting(100.0, 100.0, 0.1, asimov=True)
    found = sensitivity(model, [1.0, 10.0, 1000.0], systematics=[0.0, 1.0])
    assert np.all(np.diff(found.median, axis=0) < 0)
    assert np.all(found.median[:, 1] > found.median[:, 0])
    # 10 % of 100 events, one-sided 90 %.
    assert found.median[2, 1] == pytest.approx(12.8, rel=0.06)
    assert "exposure \\ priors" in str(found)
    assert found.summary()["over"]["exposure"] == [1.0, 10.0, 1000.0]


def test_simulation_fixed_or_growing():
    model = spectrum(mc=0.3)
    fixed, grows = (Likelihood(scaled(model, 4.0, simulation=s)).predict() for s in ("fixed", "grows"))
    now = Likelihood(model).predict()
    np.testing.assert_allclose(fixed.mean, 4.0 * now.mean)
    np.testing.assert_allclose(fixed.variance, 16.0 * now.variance)
    np.testing.assert_allclose(grows.variance, 4.0 * now.variance)


def test_groups_scale_alone():
    model = spectrum()
    plain, wide, none = (fit(scaled(model, 1.0, {"flux": f} if f != 1 else 1.0)).kappa_error for f in (1.0, 3.0, 0.0))
    assert none < plain < wide
    assert fit(scaled(model, 1.0)).kappa_error == pytest.approx(fit(model).kappa_error)
    with pytest.raises(ConfigError, match="no systematic or group 'flx'; did you mean 'flux'"):
        scaled(model, 1.0, {"flx": 2.0})
    with pytest.raises(ConfigError, match="positive multiple"):
        scaled(model, 0.0)
