import math

import numpy as np
import pytest

from spectrafit.config import Response
from spectrafit.errors import ConfigError
from spectrafit.events import response
from spectrafit.random import stream_key

NOVA_LIKE = Response(
    energy_stochastic=0.09,
    energy_constant=0.02,
    energy_scale=0.99,
    angle_constant=0.004,
    angle_stochastic=0.010,
    angle_tail_fraction=0.1,
    angle_tail_scale=3.0,
    threshold=0.2,
    efficiency=0.6,
    efficiency_turn_on=0.3,
    efficiency_width=0.05,
)


def words(key, index, draw):
    counter = ((index << 128) + (draw << 64) - 1) % (1 << 256)
    parts = np.array([(counter >> (64 * k)) & (2**64 - 1) for k in range(4)], dtype=np.uint64)
    return (np.random.Philox(key=key, counter=parts).random_raw(4) >> np.uint64(12)).astype(float) / 2**52 + 2.0**-53


def test_each_event_follows_the_stated_formulas():
    # An independent walk: numpy's own Philox, rotation matrices and arccos instead of the kernel's closed form.
    key, first = stream_key("formulas"), 1000
    t, theta = np.array([0.05, 0.3, 0.31, 0.9, 2.0, 8.0]), np.array([0.3, 0.05, 0.0, 0.02, 1.2, 0.004])
    t_reco, theta_reco, efficiency = response.apply(NOVA_LIKE, t, theta, key=key, first=first)
    r = NOVA_LIKE
    for i in range(t.size):
        u = words(key, first + i, 0)
        radius = np.sqrt(-2 * np.log(u[[0, 2]]))
        along, across = radius[0] * np.cos(2 * np.pi * u[1]), radius[0] * np.sin(2 * np.pi * u[1])
        n = radius[1] * np.cos(2 * np.pi * u[3])
        assert t_reco[i] == pytest.approx(0.99 * t[i] * (1 + (0.09 / math.sqrt(t[i]) + 0.02) * n), rel=1e-12)
        width = 0.004 + 0.010 / t[i]
        width *= 3.0 if words(key, first + i, 1)[0] < r.angle_tail_fraction else 1.0
        turn = np.array([[np.cos(theta[i]), 0, np.sin(theta[i])], [0, 1, 0], [-np.sin(theta[i]), 0, np.cos(theta[i])]])
        seen = turn @ np.array([width * along, width * across, 1.0])
        assert theta_reco[i] == pytest.approx(math.acos(seen[2] / np.linalg.norm(seen)), rel=1e-9)
        expected = 0.6 / (1 + math.exp(-(t[i] - 0.3) / 0.05)) if t_reco[i] >= 0.2 else 0.0
        assert efficiency[i] == pytest.approx(expected, rel=1e-12)


def test_no_response_changes_nothing():
    t, theta = np.array([0.2, 3.0]), np.array([0.07, 3.0])
    t_reco, theta_reco, efficiency = response.apply(Response(), t, theta, key=stream_key(0), first=0)
    assert t_reco.tolist() == t.tolist()
    assert theta_reco.tolist() == theta.tolist()
    assert efficiency.tolist() == [1.0, 1.0]


def test_an_entry_is_smeared_the_same_way_in_any_chunk():
    key = response.stream(NOVA_LIKE, "numu")
    t, theta = np.linspace(0.1, 5, 1000), np.linspace(0.1, 0.001, 1000)
    whole = response.apply(NOVA_LIKE, t, theta, key=key, first=7)
    cut = [
        response.apply(NOVA_LIKE, t[a:b], theta[a:b], key=key, first=7 + a) for a, b in [(0, 1), (1, 640), (640, 1000)]
    ]
    for k in range(3):
        assert np.concatenate([piece[k] for piece in cut]).tobytes() == whole[k].tobytes()


def test_widths_are_those_asked_for():
    n = 200_000
    plain = Response(energy_stochastic=0.1, angle_constant=0.002, angle_stochastic=0.012)
    t_reco, theta_reco, _ = response.apply(plain, np.full(n, 0.64), np.zeros(n), key=stream_key("w"), first=0)
    assert t_reco.mean() == pytest.approx(0.64, abs=5 * 0.08 / math.sqrt(n))
    assert t_reco.std() == pytest.approx(0.08, rel=5 / math.sqrt(2 * n))
    # theta^2 of a two-dimensional Gaussian is exponential with mean 2 sigma^2 (tan^2 exactly).
    sigma = 0.002 + 0.012 / 0.64
    assert (np.tan(theta_reco) ** 2).mean() == pytest.approx(2 * sigma**2, rel=5 / math.sqrt(n))


def test_the_tail_widens_the_stated_fraction():
    n = 100_000
    tail = Response(angle_constant=0.01, angle_tail_fraction=0.2, angle_tail_scale=4.0)
    _, theta_reco, _ = response.apply(tail, np.ones(n), np.zeros(n), key=stream_key("t"), first=0)
    far = np.mean(np.tan(theta_reco) > 0.04)
    expected = 0.8 * math.exp(-8.0) + 0.2 * math.exp(-0.5)
    assert far == pytest.approx(expected, abs=5 * math.sqrt(expected / n))


def test_entries_without_a_meaning_are_given_no_efficiency():
    t, theta = np.array([np.nan, 0.0, -1.0]), np.array([0.1, 0.2, 0.3])
    t_reco, theta_reco, efficiency = response.apply(NOVA_LIKE, t, theta, key=stream_key(0), first=0)
    assert math.isnan(t_reco[0])
    assert t_reco[1:].tolist() == [0.0, 0.0]
    assert theta_reco.tolist() == theta.tolist()
    assert efficiency.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "bad",
    [{"efficiency": 1.2}, {"angle_constant": -1.0}, {"energy_scale": math.nan}, {"efficiency_turn_on": math.inf}],
)
def test_a_meaningless_response_is_refused(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        response.check(Response(**bad), where="set.toml: $.response")
    with pytest.raises(ConfigError, match=next(iter(bad))):
        response.apply(Response(**bad), [1.0], [0.1], key=stream_key(0), first=0)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="one length"):
        response.apply(Response(), [1.0, 2.0], [0.1], key=stream_key(0), first=0)
