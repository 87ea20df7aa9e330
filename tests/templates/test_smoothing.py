import numpy as np
import pytest

from spectrafit.templates.smoothing import smooth, smooth_line

LONG = """
1.118 -2.009 -1.171 1.353 0.06 0.18 -0.893 -1.924 -0.005 0.04 -1.193 -0.545 0.169 -0.6 0.35
0.647 0.691 0.252 1.456 1.857 1.39 0.354 2.008 0.878 2.362 0.514 2.604 1.773 0.648 1.686
"""
LONG_SMOOTHED = """
-1.47875 -1.47875 -1.171 -0.4043333333333335 0.12678124999999973 -0.053684027777777865 -0.4298784722222222
-0.5262256944444443 -0.5220208333333334 -0.545 -0.545 -0.545 -0.36650000000000005 0.03574999999999999 0.38725 0.5975
0.691 0.8877499999999998 1.2482499999999999 1.4147499999999997 1.39825 1.39 1.39 1.4911874999999999 1.6935624999999999
1.7947499999999998 1.7947499999999998 1.7675625 1.7131874999999999 1.686
"""
# Input and output of ROOT 6.40's TH1::SmoothArray(n, x, 1).
ROOT = [
    ([-0.654, 1.322, 2.33], [-0.654, 1.08, 2.33]),
    ([-2.303, 0.905, 1.446, 1.463], [-0.04600000000000004, 0.9007499999999999, 1.446, 1.594]),
    (
        [-0.419, 0.115, 0.794, 1.278, 2.547],
        [-0.419, 0.15125000000000002, 0.7574375, 1.4780625, 2.4647500000000004],
    ),
    (
        [-1.736, -0.563, -0.282, 1.399, 1.44, 1.708],
        [-1.736, -0.9635625, -0.0070624999999999855, 1.0680625, 1.6073125, 1.708],
    ),
    # With flat tops, which the parabolas round.
    (
        [-1.0, 0.0, 0.0, 0.0, 2.0, 5.0, 5.0, 5.0, 4.0, 3.0, -7.0, 1.0],
        [0, 0, -0.0625, 0.3125, 2, 4.333333333333334, 5.666666666666667, 5.333333333333334, 4, 2.5625, 1.4375, 1],
    ),
    (LONG.split(), LONG_SMOOTHED.split()),
]


@pytest.mark.parametrize(("values", "expected"), ROOT)
def test_it_is_roots(values, expected):
    np.testing.assert_allclose(smooth_line(np.array(values, float)), np.array(expected, float), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [3, 4, 5, 8, 40])
def test_lines_stay_and_spikes_go(size):
    line = 0.3 * np.arange(size) - 2.0
    np.testing.assert_allclose(smooth_line(line), line, atol=1e-12)
    if size >= 8:
        spiked = line.copy()
        spiked[size // 2] += 100.0
        np.testing.assert_allclose(smooth_line(spiked), line, atol=1.0)


def test_every_axis_in_turn_and_short_ones_left():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (6, 7))
    rows = np.stack([smooth_line(column) for column in values.T], axis=1)
    np.testing.assert_allclose(smooth(values), [smooth_line(row) for row in rows])
    short = rng.normal(0, 1, (2, 9))
    np.testing.assert_allclose(smooth(short), [smooth_line(row) for row in short])
    np.testing.assert_array_equal(smooth(np.array([1.0, 5.0])), [1.0, 5.0])
