import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy import special

from spectrafit import random

for made in (random.block, random.uniforms, random.uniform, random.normals, random.poisson):
    made.prepare()
# Kernels call them; tests do so from small ones.
block = njit(lambda key, index, draw, trial: random.block(key, index, draw, trial))
uniforms = njit(lambda key, index, draw: random.uniforms(key, index, draw))
uniform = njit(lambda key, index, draw: random.uniform(key, index, draw))
normals = njit(lambda key, index, draw: random.normals(key, index, draw))
poisson = njit(lambda key, index, draw, mean: random.poisson(key, index, draw, mean))

word = st.integers(min_value=0, max_value=2**63 - 1)


def numpy_block(key, index, draw, trial):
    # numpy counts up before it draws: start one below.
    counter = (index << 128) + (draw << 64) + trial - 1
    counter %= 1 << 256
    words = [(counter >> (64 * k)) & (2**64 - 1) for k in range(4)]
    return np.random.Philox(key=key, counter=np.array(words, dtype=np.uint64)).random_raw(4)


@settings(deadline=None, max_examples=200)
@given(word, word, word, word, word)
def test_block_is_numpys_philox_bit_for_bit(k0, k1, index, draw, trial):
    key = np.array([k0, k1], dtype=np.uint64)
    assert list(block(key, index, draw, trial)) == list(numpy_block(key, index, draw, trial))


def test_uniforms_and_normals_are_the_stated_maps_of_the_words():
    key = random.stream_key(7, "maps")
    for index in range(200):
        words = numpy_block(key, index, 3, 0)
        u = ((words >> np.uint64(12)).astype(float) + 0.5) / 2**52
        assert uniforms(key, index, 3) == tuple(u)
        assert uniform(key, index, 3) == u[0]
        radius = np.sqrt(-2 * np.log(u[[0, 2]]))
        expected = np.stack([radius * np.cos(2 * np.pi * u[[1, 3]]), radius * np.sin(2 * np.pi * u[[1, 3]])], axis=1)
        np.testing.assert_allclose(normals(key, index, 3), expected.ravel(), rtol=1e-13, atol=1e-15)
        assert random.normal(key, index, 3) == normals(key, index, 3)[0]


def test_normals_have_the_moments_of_a_standard_normal():
    key = random.stream_key("moments")
    x = np.array([normals(key, i, 0) for i in range(50_000)])
    n = len(x)
    assert np.all(abs(x.mean(axis=0)) < 4.5 / math.sqrt(n))
    assert np.all(abs((x**4).mean(axis=0) - 3) < 4.5 * math.sqrt(96 / n))
    assert np.all(abs(np.cov(x.T) - np.eye(4)) < 4.5 * math.sqrt(2 / n))


@pytest.mark.parametrize("mean", [0.02, 1.0, 6.3, 9.999, 10.0, 23.78, 300.0, 2.5e4])
def test_poisson_follows_the_exact_distribution(mean):
    key = random.stream_key(11, "poisson")
    n = 40_000
    x = np.array([poisson(key, i, 5, mean) for i in range(n)])
    # Kolmogorov's distance to the exact cumulative; for a discrete law its p-value is a lower bound.
    values, counts = np.unique(x, return_counts=True)
    exact = special.pdtr(values, mean)
    distance = np.max(np.abs(np.cumsum(counts) / n - exact))
    assert special.kolmogorov(distance * math.sqrt(n)) > 1e-4
    assert abs(x.mean() - mean) < 4.5 * math.sqrt(mean / n)
    assert abs(x.var() - mean) < 4.5 * math.sqrt((mean + 2 * mean**2) / n)


def test_poisson_at_the_edges_of_its_domain():
    key = random.stream_key("edges")
    assert poisson(key, 0, 0, 0.0) == 0.0
    assert math.isnan(poisson(key, 0, 0, -1.0))
    assert math.isnan(poisson(key, 0, 0, math.nan))


def test_stream_keys_depend_on_every_part_and_its_type():
    keys = [random.stream_key(*p) for p in [(1, "a"), (1, "b"), (2, "a"), ("a", 1), ("1", "a"), (1, "a", 0), ("1a",)]]
    assert len({tuple(k) for k in keys}) == len(keys)
    # A frozen value: a change of the hash would change every generated sample.
    assert random.stream_key(1, "nova").tolist() == [4267551170248790549, 17880931631823550284]


def test_entries_have_the_normals_of_their_stream():
    key = random.stream_key(3, "smear", "nue")
    entries, draws = np.array([7, 0, 2**40, 7]), np.array([0, 0, 0, 3])
    np.testing.assert_array_equal(
        random.standard_normals(key, entries, draws),
        [random.normal(key, int(i), int(k)) for i, k in zip(entries, draws, strict=True)],
    )
