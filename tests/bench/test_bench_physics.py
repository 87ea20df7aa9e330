"""Events per second of the cross sections and of the reweighting, beside numpy writing of the same formulas."""

import subprocess
import sys

import numpy as np
import pytest

from spectrafit import physics as ph
from spectrafit.physics.constants import M_E, SIGMA_MAGNETIC, SIGMA_SM, SIN2_THETA_W
from spectrafit.physics.couplings import COUPLINGS

N = 100_000


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(1)
    e = rng.uniform(0.5, 10.0, N)
    return {
        "pdg": rng.choice([12, -12, 14, -14], N),
        "e": e,
        "t": ph.t_from_cumulative(14, e, rng.uniform(size=N), SIN2_THETA_W),
        "u": rng.uniform(size=N),
        "out": np.empty(N),
    }


def numpy_sm(pdg, e, t, sin2_theta_w):
    gv = 2 * sin2_theta_w + np.where(abs(pdg) == 12, 0.5, -0.5)
    ga = np.where(abs(pdg) == 12, 0.5, -0.5) * np.sign(pdg)
    bracket = (gv + ga) ** 2 + (gv - ga) ** 2 * (1 - t / e) ** 2 + (ga**2 - gv**2) * M_E * t / e**2
    return np.where((t > 0) & (t <= 2 * e**2 / (2 * e + M_E)), SIGMA_SM * bracket, 0.0)


def numpy_magnetic(e, t, mu):
    inside = (t > 0) & (t <= 2 * e**2 / (2 * e + M_E))
    return np.where(inside, SIGMA_MAGNETIC * mu**2 * (1 / t - 1 / e), 0.0)


def rate(benchmark, n=N):
    if benchmark.stats is not None:
        benchmark.extra_info["million events per second"] = n / benchmark.stats.stats.min / 1e6


@pytest.mark.benchmark(group="dsigma/dT, Standard Model")
@pytest.mark.parametrize("how", ["spectrafit", "numpy"])
def test_standard_model(benchmark, events, how):
    args = events["pdg"], events["e"], events["t"], SIN2_THETA_W
    function, options = (numpy_sm, {}) if how == "numpy" else (ph.dsigma_dt_sm, {"out": events["out"]})
    result = benchmark(function, *args, **options)
    rate(benchmark)
    np.testing.assert_allclose(result, numpy_sm(*args), rtol=1e-12)


@pytest.mark.benchmark(group="dsigma/dT, magnetic")
@pytest.mark.parametrize("how", ["spectrafit", "numpy"])
def test_magnetic(benchmark, events, how):
    args = events["e"], events["t"], 1e-9
    function, options = (numpy_magnetic, {}) if how == "numpy" else (ph.dsigma_dt_magnetic, {"out": events["out"]})
    result = benchmark(function, *args, **options)
    rate(benchmark)
    np.testing.assert_allclose(result, numpy_magnetic(*args), rtol=1e-9)


@pytest.mark.benchmark(group="weights of a coupling")
@pytest.mark.parametrize("sm", ["tree", "bks"])
@pytest.mark.parametrize("name", sorted(COUPLINGS))
def test_weigh(benchmark, events, name, sm):
    result = benchmark(ph.weigh, COUPLINGS[name], events["pdg"], events["e"], events["t"], sm=sm)
    rate(benchmark)
    assert np.isfinite(result).all()


@pytest.mark.benchmark(group="drawing recoil energies")
def test_inverse_cumulative(benchmark, events):
    result = benchmark(ph.t_from_cumulative, events["pdg"], events["e"], events["u"], SIN2_THETA_W)
    rate(benchmark)
    assert (result <= ph.t_max(events["e"])).all()


@pytest.mark.benchmark(group="import")
def test_import_from_a_warm_cache(benchmark):
    calls = "ph.dsigma_dt_sm(14, 2.0, 1.0, 0.2); ph.dsigma_dt_magnetic(2.0, 1.0, 1e-9)"
    code = f"import spectrafit.physics as ph; dir(ph); {calls}"
    result = benchmark.pedantic(subprocess.run, ([sys.executable, "-c", code],), {"check": True}, rounds=3)
    assert result.returncode == 0
