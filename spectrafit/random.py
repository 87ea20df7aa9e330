"""Random numbers from a key and a counter: number (index, draw) of a stream is the same everywhere.

The generator is Philox4x64-10 (Salmon et al., SC'11, doi:10.1145/2063384.2063405), bit for bit equal to
`numpy.random.Philox`. A stream is a 128-bit `key`; within it `index` counts entries or toys and `draw` the numbers an
entry needs, so entry i gets the same numbers whatever came before it, however the work was cut and however many workers
there are. Integers and uniforms are identical on every machine; normals and Poisson counts up to the last bit of its
`log` and `cos`.

The functions are numba kernels on scalars, to be called from other kernels (`normal` from Python too); `key` is the
(2,) uint64 array of `stream_key`.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numba import types

from spectrafit.arraytypes import Floats, Integers, StreamKey
from spectrafit.contiguous import Contiguous
from spectrafit.jit import inlined, kernel, loop

__all__ = ["block", "normal", "normals", "poisson", "standard_normals", "stream_key", "uniform", "uniforms"]

_M0 = np.uint64(0xD2E7470EE14C6C93)
_M1 = np.uint64(0xCA5A826395121157)
_W0 = np.uint64(0x9E3779B97F4A7C15)
_W1 = np.uint64(0xBB67AE8584CAA73B)
_ZERO = np.uint64(0)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ROUNDS = 10
# A uniform is the middle of one of 2^52 cells, so that neither 0 nor 1 is ever drawn and log(u) is finite.
_CELL = 2.0**-52
_SHIFT = np.uint64(12)
# Key, index and draw.
_COUNTER = (Contiguous(types.uint64), types.int64, types.int64)


def stream_key(*parts: str | int) -> StreamKey:
    """Hash names and numbers into the key of a stream.

    Parameters
    ----------
    *parts : str or int
        What makes the stream unique, e.g. a seed, the purpose and a sample's name. Their order and type count.

    Returns
    -------
    (2,) uint64 array
    """
    text = "\0".join(f"{type(part).__name__}:{part}" for part in parts)
    return np.frombuffer(hashlib.blake2b(text.encode(), digest_size=16).digest(), dtype="<u8").astype(np.uint64)


@inlined
def _high(a: Any, b: Any) -> Any:
    """Return the upper 64 bits of the 128-bit product of two uint64; LLVM makes one multiplication of it."""
    a0, a1, b0, b1 = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    middle = a1 * b0 + ((a0 * b0) >> _HALF)
    other = a0 * b1 + (middle & _LOW)
    return a1 * b1 + (middle >> _HALF) + (other >> _HALF)


@kernel(types.UniTuple(types.uint64, 4)(*_COUNTER, types.int64))
def block(key: Any, index: int, draw: int, trial: int) -> tuple[Any, Any, Any, Any]:
    """Return the four uint64 words of Philox at counter (trial, draw, index, 0).

    `numpy.random.Philox(key=key, counter=[trial, draw, index, 0] - 1).random_raw(4)` gives the same (numpy counts
    up before it draws).
    """
    x0, x1, x2, x3 = np.uint64(trial), np.uint64(draw), np.uint64(index), _ZERO
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(_ROUNDS):
        x0, x1, x2, x3 = _high(_M1, x2) ^ x1 ^ k0, _M1 * x2, _high(_M0, x0) ^ x3 ^ k1, _M0 * x0
        k0 += _W0
        k1 += _W1
    return x0, x1, x2, x3


@inlined
def _open(word: Any) -> Any:
    """Map a uint64 to the open interval (0, 1)."""
    return (np.float64(word >> _SHIFT) + 0.5) * _CELL


@kernel(types.UniTuple(types.float64, 4)(*_COUNTER))
def uniforms(key: Any, index: int, draw: int) -> tuple[float, float, float, float]:
    """Return four independent uniforms on (0, 1), 0 and 1 excluded."""
    first, second, third, fourth = block(key, index, draw, 0)
    return _open(first), _open(second), _open(third), _open(fourth)


@kernel(types.float64(*_COUNTER))
def uniform(key: Any, index: int, draw: int) -> Any:
    """Return one uniform on (0, 1): the first of `uniforms`."""
    return _open(block(key, index, draw, 0)[0])


@kernel(types.UniTuple(types.float64, 4)(*_COUNTER))
def normals(key: Any, index: int, draw: int) -> tuple[float, float, float, float]:
    """Return four independent standard normals (Box and Muller, Ann. Math. Stat. 29, 610).

    Uniform numbers a, b, c and d give r = sqrt(-2 ln a) at the angle u = 2 pi b, and s = sqrt(-2 ln c) at v = 2 pi d.
    """
    a, b, c, d = uniforms(key, index, draw)
    r, s = math.sqrt(-2.0 * math.log(a)), math.sqrt(-2.0 * math.log(c))
    u, v = 2.0 * math.pi * b, 2.0 * math.pi * d
    return r * math.cos(u), r * math.sin(u), s * math.cos(v), s * math.sin(v)


@kernel(types.float64(*_COUNTER), entry=True)
def normal(key: Any, index: int, draw: int) -> float:
    """Return one standard normal: the first of `normals`.

    sqrt(-2 ln a) cos(2 pi b) of uniform numbers a and b.
    """
    first, second, _, _ = block(key, index, draw, 0)
    a, b = _open(first), _open(second)
    return math.sqrt(-2.0 * math.log(a)) * math.cos(2.0 * math.pi * b)


@kernel(types.float64(*_COUNTER, types.float64), entry=True)
def poisson(key: Any, index: int, draw: int, mean: float) -> float:
    """Return a Poisson count of the given mean as a float; 0 for mean 0, NaN for a negative or NaN mean.

    Below a mean of 10 the cumulative is inverted from one uniform; above, Hormann's transformed rejection (PTRS,
    Insurance: Math. and Economics 12, 39 (1993)), whose k-th trial is at counter word `trial` = k.

    u and v are uniform numbers, made of the words x and y; a and b are the constants of the hat.
    """
    if not mean >= 0.0:
        return math.nan
    if mean == 0.0:
        return 0.0
    if mean < 10.0:
        u = uniform(key, index, draw)
        probability = math.exp(-mean)
        total = probability
        count = 0.0
        # The last term that changes the sum ends the search: u is at most 1 - 2^-53.
        while u > total and total < total + probability * mean / (count + 1.0):
            count += 1.0
            probability *= mean / count
            total += probability
        return count
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    accept = 0.9277 - 3.6224 / (b - 2.0)
    log_mean = math.log(mean)
    trial = 0
    while True:
        x, y, _, _ = block(key, index, draw, trial)
        trial += 1
        u, v = _open(x) - 0.5, _open(y)
        inside = 0.5 - abs(u)
        count = math.floor((2.0 * a / inside + b) * u + mean + 0.43)
        if inside >= 0.07 and v <= accept:
            return float(count)
        if count < 0 or (inside < 0.013 and v > inside):
            continue
        hat = math.log(v) + math.log(inverse_alpha) - math.log(a / (inside * inside) + b)
        if hat <= count * log_mean - mean - math.lgamma(count + 1.0):
            return float(count)


def standard_normals(key: StreamKey, entries: Integers, draws: Integers) -> Floats:
    """Return one standard normal per element, (N,): of the stream `key` at index `entries` and draw `draws`, (N,)."""
    values = np.empty(entries.size)
    _standard_normals(key, *(np.ascontiguousarray(numbers, np.int64) for numbers in (entries, draws)), values)
    return values


_NUMBERS = Contiguous(types.int64, readonly=True)


@loop(types.void(Contiguous(types.uint64), _NUMBERS, _NUMBERS, Contiguous(types.float64)))
def _standard_normals(key: Any, entries: Any, draws: Any, values: Any) -> None:
    for i in range(entries.size):
        values[i] = normal(key, entries[i], draws[i])
