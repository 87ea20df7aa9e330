"""A parametric detector response: reconstructed t and theta, and the efficiency, from true t and theta.

The same function smears the events of `spectrafit.events.generate` and, while reading, those of truth-only ntuples.
For a true kinetic energy T in the response's unit (GeV) and a true angle theta:

* energy: T_reco = s T (1 + (a / sqrt(T) + b + c / T) n), n standard normal, not below 0. A table of sigma(T)/T takes
  the place of the bracket, or a matrix that of the whole: T_reco is then uniform within the matrix's bins;
* angle: the direction is tilted by a Gaussian offset in each of the two projections perpendicular to it, of width
  c0 + c1 / T, in a fraction f of the events multiplied by the tail's scale (the two share that choice). The composition
  is exact geometry, not the small-angle sum: theta_reco is the angle between the beam and n + dx e1 + dy e2, where n
  is the true direction and (n, e1, e2) are orthonormal;
* efficiency: plateau / (1 + exp(-(T - T0) / w)) in the true T, times a table's value at T or T_reco, and 0 where T_reco
  is below the threshold.

Of a nucleus, T is what an electron would need for the same signal: quenching comes first.

With `draws` above 1 the same entry is smeared so many times while it is read. Its first draw is that of `draws` = 1.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from numba import njit, types

from spectrafit.arraytypes import Floats, Integers, StreamKey
from spectrafit.config import Response
from spectrafit.config.paths import local
from spectrafit.config.sources import ENERGIES
from spectrafit.contiguous import Contiguous
from spectrafit.errors import ConfigError
from spectrafit.events.response_tables import TABLES, curve, load
from spectrafit.events.targets import numbers_of
from spectrafit.jit import KERNEL, loop
from spectrafit.physics.quenching import lindhard_electron_energy, lindhard_k
from spectrafit.random import normals, stream_key, uniform, uniforms

__all__ = ["apply", "check", "resolved", "stream", "visible"]


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
        "energy_noise",
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
    width_at, widths, efficiency_at, efficiencies, true_edges, reco_edges, shares = load(response)
    t, theta = np.ascontiguousarray(t, dtype=np.float64), np.ascontiguousarray(theta, dtype=np.float64)
    if t.ndim != 1 or t.shape != theta.shape:
        raise ValueError(f"t and theta must be arrays of one length, got shapes {t.shape} and {theta.shape}")
    t_reco, theta_reco, efficiency = np.empty(t.size), np.empty(t.size), np.empty(t.size)
    parameters, seen = _pack(response), np.empty(0)
    if width_at.size or true_edges.size:
        seen = np.empty(t.size)
        _fill_seen(t, parameters, width_at, widths, true_edges, reco_edges, shares, key, first, draws, seen)
    _smear(t, theta, parameters, seen, key, first, draws, t_reco, theta_reco, efficiency)
    if efficiency_at.size:
        at = t_reco if response.efficiency_of == "reconstructed" else t
        _multiply(efficiency_at, efficiencies, at / ENERGIES[response.unit], efficiency)
    return t_reco, theta_reco, efficiency


def stream(response: Response, sample: str) -> StreamKey:
    """Return the key under which the entries of `sample` are smeared."""
    return stream_key(response.seed, "response", sample)


def resolved(response: Response, folder: Path, where: str) -> Response:
    """Return a response whose tables are named by whole paths.

    Raises
    ------
    ConfigError
        An environment variable in a name is not set.
    """
    named = {key: getattr(response, key) for key in TABLES if getattr(response, key) not in ("", "lindhard")}
    if not named:
        return response
    return msgspec.structs.replace(
        response, **{key: str(local(name, folder, f"{where}.{key}")) for key, name in named.items()}
    )


def visible(response: Response, t: npt.ArrayLike, nucleus: Integers | None) -> Floats:
    """Return the energies that a response smears, (N,) GeV: quenched for nuclei, unchanged for electrons.

    Lindhard's k is for nuclei of Z = z protons and A = a nucleons.

    Parameters
    ----------
    response : Response
    t : (N,) array_like
        True recoil energy, GeV.
    nucleus : (N,) array of int, or None
        PDG codes of the nuclei; None for electrons.

    Raises
    ------
    DataError
        A table of quenching factors cannot be read.
    """
    energies = np.asarray(t, dtype=np.float64)
    if nucleus is None or not response.quenching:
        return energies
    if response.quenching == "lindhard":
        z, a = numbers_of(nucleus)
        k = response.lindhard_k or lindhard_k(z, a)
        return np.asarray(lindhard_electron_energy(energies, np.asarray(z, np.float64), k))
    at, factors = curve(response.quenching, ENERGIES[response.unit])
    return np.asarray(energies * np.interp(energies, at, factors))


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
            response.energy_noise,
            ENERGIES[response.unit],
        ]
    )


_COLUMN, _CURVE = Contiguous(types.float64), types.float64[::1]
# For the loops below; nobody calls them from Python.
_NESTED = {**KERNEL, "no_cpython_wrapper": True}


@njit(**_NESTED)
def _place(edges: Any, value: float) -> int:
    """Return the number of the step of increasing `edges` that holds a value, -1 below and the last beyond."""
    # numba takes 1.3 s to compile np.searchsorted.
    low, high = 0, edges.size
    while low < high:
        middle = (low + high) // 2
        if edges[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low - 1


@njit(**_NESTED)
def _between(at: Any, values: Any, x: float) -> Any:
    """Return the value at x on straight lines, that of the nearest end outside."""
    place = _place(at, x)
    if place < 0:
        return values[0]
    if place >= at.size - 1:
        return values[at.size - 1]
    return values[place] + (values[place + 1] - values[place]) * (x - at[place]) / (at[place + 1] - at[place])


@njit(**_NESTED)
def _migrated(true_edges: Any, reco_edges: Any, shares: Any, true: float, u: float) -> Any:
    """Return a reconstructed energy from a matrix of cumulative shares; NaN where it has no column."""
    place = _place(true_edges, true)
    if place < 0 or place >= true_edges.size - 1 or not shares[place, reco_edges.size - 1] > 0.0:
        return math.nan
    column = min(_place(shares[place], u), reco_edges.size - 2)
    part = (u - shares[place, column]) / (shares[place, column + 1] - shares[place, column])
    return reco_edges[column] + part * (reco_edges[column + 1] - reco_edges[column])


# The two loops below are apart from `_smear`, since few responses have tables and every first fit of truth-only ntuples
# would wait for them to compile.
@loop(
    types.void(
        _COLUMN,
        _COLUMN,
        *[_CURVE] * 4,
        types.float64[:, ::1],
        Contiguous(types.uint64),
        types.int64,
        types.int64,
        _COLUMN,
    )
)
def _fill_seen(
    t: Any,
    p: Any,
    width_at: Any,
    widths: Any,
    true_edges: Any,
    reco_edges: Any,
    shares: Any,
    key: Any,
    first: int,
    draws: int,
    seen: Any,
) -> None:
    """Fill reconstructed energies, in the response's unit, from a matrix or a table of widths."""
    scale, unit = p[0], p[12]
    for index in range(t.size):
        true = t[index] / unit
        entry, draw = first + index // draws, 2 * (index % draws)
        if not true > 0.0:
            seen[index] = math.nan
        elif true_edges.size > 0:
            seen[index] = scale * _migrated(true_edges, reco_edges, shares, true, uniforms(key, entry, draw + 1)[1])
        else:
            energy = normals(key, entry, draw)[2]
            seen[index] = max(0.0, scale * true * (1.0 + _between(width_at, widths, true) * energy))


@loop(types.void(_CURVE, _CURVE, _COLUMN, _COLUMN))
def _multiply(at: Any, values: Any, energies: Any, efficiency: Any) -> None:
    """Multiply efficiencies by a table's value, 0 outside."""
    for index in range(energies.size):
        inside = at[0] <= energies[index] <= at[at.size - 1]
        efficiency[index] = efficiency[index] * _between(at, values, energies[index]) if inside else 0.0


@loop(types.void(*[_COLUMN] * 3, _COLUMN, Contiguous(types.uint64), types.int64, types.int64, *[_COLUMN] * 3))
def _smear(
    t: Any,
    theta: Any,
    p: Any,
    given: Any,
    key: Any,
    first: int,
    draws: int,
    t_reco: Any,
    theta_reco: Any,
    efficiency: Any,
) -> None:
    """Smear; `given` has the reconstructed energies of tables, or no elements."""
    scale, stochastic, constant = p[0], p[1], p[2]
    c0, c1, tail_fraction, tail_scale = p[3], p[4], p[5], p[6]
    threshold, plateau, turn_on, width = p[7], p[8], p[9], p[10]
    noise, unit = p[11], p[12]
    for index in range(t.size):
        true = t[index] / unit
        if not true > 0.0:
            t_reco[index] = 0.0 if true <= 0.0 else math.nan
            theta_reco[index] = theta[index]
            efficiency[index] = 0.0
            continue
        entry, draw = first + index // draws, 2 * (index % draws)
        along, across, energy, _ = normals(key, entry, draw)
        if given.size > 0:
            seen = given[index]
        else:
            relative = stochastic / math.sqrt(true) + constant
            if noise > 0.0:
                relative += noise / true
            seen = max(0.0, scale * true * (1.0 + relative * energy))
        t_reco[index] = seen * unit if seen == seen else 0.0
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
