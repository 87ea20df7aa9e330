"""A parametric detector response: reconstructed t and theta, and the efficiency, from true t and theta.

The same function smears the events of `spectrafit.events.generate` and, while reading, those of truth-only ntuples.
For a true kinetic energy T in GeV and a true angle theta:

* energy: T_reco = s T (1 + (a / sqrt(T) + b) n), n standard normal, not below 0;
* angle: the direction is tilted by a Gaussian offset in each of the two projections perpendicular to it, of width
  c0 + c1 / T, in a fraction f of the events multiplied by the tail's scale (the two share that choice). The composition
  is exact geometry, not the small-angle sum: theta_reco is the angle between the beam and n + dx e1 + dy e2, where n
  is the true direction and (n, e1, e2) are orthonormal;
* efficiency: plateau / (1 + exp(-(T - T0) / w)) in the true T, and 0 where T_reco is below the threshold.

With `draws` above 1 the same entry is smeared so many times while it is read. Its first draw is that of `draws` = 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from spectrafit.arraytypes import Floats, StreamKey
from spectrafit.config import Response
from spectrafit.contiguous import Contiguous
from spectrafit.errors import ConfigError
from spectrafit.jit import loop
from spectrafit.random import normals, stream_key, uniform

__all__ = ["apply", "check", "stream"]


def check(response: Response, *, where: str = "[response]") -> None:
    """Refuse a response whose numbers have no meaning.

    Raises
    ------
    ConfigError
        A width, threshold or fraction is negative or not finite, or a fraction is above 1.
    """
    for name in (
        "energy_stochastic",
        "energy_constant",
        "energy_scale",
        "angle_constant",
        "angle_stochastic",
        "angle_tail_fraction",
        "angle_tail_scale",
        "threshold",
        "efficiency",
        "efficiency_width",
    ):
        value = getattr(response, name)
        top = 1.0 if name in ("angle_tail_fraction", "efficiency") else math.inf
        if not (0.0 <= value <= top and math.isfinite(value)):
            limits = "between 0 and 1" if top == 1.0 else "finite and >= 0"
            raise ConfigError(f"{where}: {name} = {value} must be {limits}; correct it in the sample set")
    if not math.isfinite(response.efficiency_turn_on):
        raise ConfigError(f"{where}: efficiency_turn_on = {response.efficiency_turn_on} must be finite; correct it")


def apply(
    response: Response,
    t: npt.ArrayLike,
    theta: npt.ArrayLike,
    *,
    key: StreamKey,
    first: int,
    draws: int = 1,
) -> tuple[Floats, Floats, Floats]:
    """Smear true energies and angles and give each event its efficiency.

    Parameters
    ----------
    response : Response
        The parameters; an all-default response returns its input and efficiency 1.
    t, theta : (N,) array_like
        True electron kinetic energy, GeV, and angle to the neutrino, rad. NaN in gives NaN out and efficiency 0;
        T <= 0 gives T_reco 0, theta unchanged and efficiency 0.
    key : (2,) uint64 array
        Stream of random numbers, `spectrafit.random.stream_key(response.seed, <sample name>)`.
    first : int
        Number within the sample of entry 0: entry i is smeared by the numbers at index `first` + i.
    draws : int
        How many neighbouring elements of `t` and `theta` are one entry, smeared as often.

    Returns
    -------
    t_reco, theta_reco, efficiency : (N,) float64 arrays
        GeV, rad in [0, pi], and in [0, 1].

    Raises
    ------
    ConfigError
        As `check` does.
    """
    check(response)
    t, theta = np.ascontiguousarray(t, dtype=np.float64), np.ascontiguousarray(theta, dtype=np.float64)
    if t.ndim != 1 or t.shape != theta.shape:
        raise ValueError(f"t and theta must be arrays of one length, got shapes {t.shape} and {theta.shape}")
    t_reco, theta_reco, efficiency = np.empty(t.size), np.empty(t.size), np.empty(t.size)
    _smear(t, theta, _pack(response), key, first, draws, t_reco, theta_reco, efficiency)
    return t_reco, theta_reco, efficiency


def stream(response: Response, sample: str) -> StreamKey:
    """Return the key under which the entries of `sample` are smeared."""
    return stream_key(response.seed, "response", sample)


def _pack(response: Response) -> Floats:
    """Return the parameters in the order of `_smear`."""
    return np.array(
        [
            response.energy_scale,
            response.energy_stochastic,
            response.energy_constant,
            response.angle_constant,
            response.angle_stochastic,
            response.angle_tail_fraction,
            response.angle_tail_scale,
            response.threshold,
            response.efficiency,
            response.efficiency_turn_on,
            response.efficiency_width,
        ]
    )


_COLUMN = Contiguous(types.float64)


@loop(types.void(*[_COLUMN] * 3, Contiguous(types.uint64), types.int64, types.int64, *[_COLUMN] * 3))
def _smear(
    t: Any, theta: Any, p: Any, key: Any, first: int, draws: int, t_reco: Any, theta_reco: Any, efficiency: Any
) -> None:
    scale, stochastic, constant = p[0], p[1], p[2]
    c0, c1, tail_fraction, tail_scale = p[3], p[4], p[5], p[6]
    threshold, plateau, turn_on, width = p[7], p[8], p[9], p[10]
    for index in range(t.size):
        true = t[index]
        if not true > 0.0:
            t_reco[index] = 0.0 if true <= 0.0 else math.nan
            theta_reco[index] = theta[index]
            efficiency[index] = 0.0
            continue
        entry, draw = first + index // draws, 2 * (index % draws)
        along, across, energy, _ = normals(key, entry, draw)
        seen = max(0.0, scale * true * (1.0 + (stochastic / math.sqrt(true) + constant) * energy))
        t_reco[index] = seen
        tilt = c0 + c1 / true
        if tail_fraction > 0.0 and uniform(key, entry, draw + 1) < tail_fraction:
            tilt *= tail_scale
        if tilt > 0.0:
            dx, dy = tilt * along, tilt * across
            sine, cosine = math.sin(theta[index]), math.cos(theta[index])
            theta_reco[index] = math.atan2(math.hypot(sine + dx * cosine, dy), cosine - dx * sine)
        else:
            theta_reco[index] = theta[index]
        value = plateau
        if width > 0.0:
            value /= 1.0 + math.exp(-(true - turn_on) / width)
        efficiency[index] = value if seen >= threshold else 0.0
