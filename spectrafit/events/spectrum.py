"""Expected rates of a flux, a flavour and a coupling, and exact draws of neutrino and electron energy.

Whatever the coupling, dsigma/dT at a given neutrino energy is a polynomial in T with powers from -2 (millicharge
squared) to 2: its cumulative is closed and is inverted to machine precision. The total cross section is a smooth,
almost straight function of the energy. It is tabulated in panels of 0.5 % in energy, as the parabola with the panel's
own integral and end values, whose cubic cumulative is inverted to machine precision too. The parabola is within 1e-12
of the Standard Model cross section above 20 MeV; just above a threshold `t_min`, where the density rises from zero, it
is within 3e-4 in the first panel and 1e-6 once the energy is 10 % higher. No event is rejected, and each has weight 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit, types

from spectrafit.arraytypes import Floats, StreamKey
from spectrafit.contiguous import Contiguous
from spectrafit.errors import ConfigError
from spectrafit.events.flux import Flux
from spectrafit.jit import KERNEL, loop
from spectrafit.physics.constants import M_E, SIGMA_MAGNETIC, SIGMA_SM, SIN2_THETA_W
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.physics.cross_sections import g_a, g_v
from spectrafit.physics.flavours import flavour
from spectrafit.physics.kinematics import e_nu_min
from spectrafit.random import uniforms

__all__ = ["Spectrum", "spectrum"]


# Panels: geometric steps in energy from _FIRST up, cut at the edges of the flux and where the cross section begins.
_FIRST, _STEP = 1e-5, 1.005
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
# 1 / m^2 of flux and 10^6 POT, to 1 / cm^2 and POT.
_PER_CM2_POT = 1e-4 * 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """Flux times cross section of one flavour, ready to be integrated and drawn from.

    Attributes
    ----------
    pdg : int
    t_min, t_max : float
        True electron kinetic energies covered, GeV; `t_max` may be infinite.
    rate : float
        Events per electron and POT.
    parameters : (6,) array
        For the kernels: g_V + g_A, g_V - g_A, the part of g_V that goes as 1/T (GeV), the dipole's strength over
        that of the weak cross section (GeV), t_min, t_max.
    panels : (n, 5) array
        Lower edge (GeV), width, and the density over the panel as p0 + p1 x + p2 x^2, x from 0 to 1.
    cumulative : (n+1,) array
        Fraction of the events below each panel.
    """

    pdg: int
    t_min: float
    t_max: float
    rate: float
    parameters: Floats
    panels: Floats
    cumulative: Floats

    def draw(self, key: StreamKey, first: int, count: int) -> tuple[Floats, Floats]:
        """Return neutrino and electron energies (GeV, (`count`,) each) of events `first`, ... of a stream."""
        e_nu, t = np.empty(count), np.empty(count)
        _draw(key, first, self.cumulative, self.panels, self.parameters, e_nu, t)
        return e_nu, t


def spectrum(
    flux: Flux,
    pdg: int | str,
    *,
    sin2_theta_w: float = SIN2_THETA_W,
    t_min: float = 0.0,
    t_max: float = math.inf,
    coupling: str = "",
    kappa: float = 0.0,
    couplings: Mapping[str, float] | None = None,
) -> Spectrum:
    """Integrate flux times cross section of one flavour.

    Parameters
    ----------
    flux : Flux
    pdg : int or str
        Flavour, by PDG code or name.
    sin2_theta_w : float
        Of the tree-level Standard Model part; the coupling "weak_mixing_angle" starts from its own reference instead.
    t_min, t_max : float
        Range of true electron kinetic energy, GeV.
    coupling, kappa : str, float
        A coupling of `spectrafit.physics.couplings` this flavour has, and its value there; "" for the Standard Model.
    couplings : mapping of str to float, optional
        Several couplings and the kappa of each, besides `coupling`. Shifts of g_V add up before they are squared.

    Raises
    ------
    ConfigError
        The coupling is unknown; kappa is not finite, or negative for a dipole; `t_min` is 0 and the cross section
        diverges there; or no event lies between `t_min` and `t_max`.
    """
    code = flavour(pdg)
    if not (0.0 <= t_min < t_max and math.isfinite(kappa)):
        raise ConfigError(
            f"t_min = {t_min}, t_max = {t_max}, kappa = {kappa}: needed 0 <= t_min < t_max and a finite kappa"
        )
    switched = {**(couplings or {}), **({coupling: kappa} if coupling else {})}
    parameters = _parameters(code, sin2_theta_w, t_min, t_max, switched)
    edges = _panel_edges(flux, t_min, t_max)
    low, width = edges[:-1], np.diff(edges)
    height = flux.density(0.5 * (edges[:-1] + edges[1:]))
    inside = _total(low[:, None] + width[:, None] * 0.5 * (1.0 + _NODES), parameters) @ (0.5 * _WEIGHTS)
    begin, end = _total(low, parameters), _total(edges[1:], parameters)
    content = height * width * inside
    total = float(content.sum())
    if not total > 0.0:
        raise ConfigError(f"no event of {pdg} has T between {t_min:g} and {t_max:g} GeV on this flux; widen the range")
    keep = content > 0.0
    panels = np.stack([low, width, begin, 6 * inside - 4 * begin - 2 * end, 3 * (begin + end) - 6 * inside], axis=1)
    cumulative = np.concatenate([[0.0], np.cumsum(content[keep])])
    return Spectrum(
        pdg=code,
        t_min=t_min,
        t_max=t_max,
        rate=total * _PER_CM2_POT,
        parameters=parameters,
        panels=np.ascontiguousarray(panels[keep]),
        cumulative=cumulative / cumulative[-1],
    )


def _parameters(code: int, sin2_theta_w: float, t_min: float, t_max: float, couplings: Mapping[str, float]) -> Floats:
    constant = inverse_t = dipole = 0.0
    for name, kappa in couplings.items():
        if not math.isfinite(kappa):
            raise ConfigError(f"{name}: kappa = {kappa}; needed a finite number")
        if name not in COUPLINGS:
            raise ConfigError(f"no coupling {name!r}; there are {', '.join(COUPLINGS)}")
        coupling = COUPLINGS[name]
        if coupling.family == "dipole":
            if kappa < 0.0:
                raise ConfigError(f"{name}: kappa = {kappa} would make negative cross sections; give kappa >= 0")
            dipole += SIGMA_MAGNETIC / SIGMA_SM * coupling.scale * kappa
        constant += kappa * coupling.constant
        inverse_t += kappa * coupling.inverse_t
        if coupling.moves_angle:
            sin2_theta_w = coupling.reference
    if t_min == 0.0 and (dipole or inverse_t):
        raise ConfigError(
            f"{', '.join(couplings)}: the cross section diverges at T = 0; give the recipe a t_min below the lowest"
            " analysed T"
        )
    gv, ga = float(g_v(code, sin2_theta_w)) + constant, float(g_a(code))
    return np.array([gv + ga, gv - ga, inverse_t, dipole, t_min, t_max])


def _panel_edges(flux: Flux, t_min: float, t_max: float) -> Floats:
    top = flux.edges[-1]
    steps = _FIRST * _STEP ** np.arange(math.ceil(math.log(top / _FIRST) / math.log(_STEP)))
    # The cross section has kinks where t_min comes into reach and where t_max does.
    kinks = [float(e_nu_min(t)) for t in (t_min, t_max) if 0.0 < t < math.inf]
    edges = np.unique(np.concatenate([[flux.edges[0]], steps, kinks, flux.edges]))
    low = max(flux.edges[0], float(e_nu_min(t_min)))
    return np.asarray(edges[(edges >= low) & (edges <= top)])


def _total(e_nu: Floats, parameters: Floats) -> Floats:
    out = np.empty(e_nu.size)
    _fill_total(np.ascontiguousarray(e_nu).ravel(), parameters, out)
    return SIGMA_SM * out.reshape(e_nu.shape)


# For the loops below; nobody calls them from Python.
_NESTED = {**KERNEL, "no_cpython_wrapper": True}


@njit(**_NESTED)
def _expand(e: float, p: Any) -> Any:
    """Return the coefficients of T^-2 ... T^2 of dsigma/dT over SIGMA_SM, with g_V -> g_V + s/T in note equation 28.

    With m for m_e / e^2.
    """
    left, right, s, dipole = p[0], p[1], p[2], p[3]
    m = M_E / (e * e)
    return (
        2.0 * s * s,
        2.0 * s * (left + right) - s * s * (2.0 / e + m) + dipole,
        left * left + right * right - 4.0 * right * s / e + s * s / (e * e) - s * (left + right) * m - dipole / e,
        -2.0 * right * right / e + 2.0 * right * s / (e * e) - left * right * m,
        right * right / (e * e),
    )


@njit(**_NESTED)
def _integral(c: Any, low: float, t: float) -> Any:
    value = (t - low) * (c[2] + 0.5 * c[3] * (t + low) + c[4] / 3.0 * (t * t + t * low + low * low))
    if c[0] != 0.0:
        value += c[0] * (t - low) / (t * low)
    if c[1] != 0.0:
        value += c[1] * math.log1p((t - low) / low)
    return value


@njit(**_NESTED)
def _reach(e: float, t_max: float) -> Any:
    return min(t_max, 2.0 * e * e / (2.0 * e + M_E))


@loop(types.void(*[types.float64[::1]] * 3))
def _fill_total(e_nu: Any, p: Any, out: Any) -> None:
    for event in range(e_nu.size):
        energy = e_nu[event]
        high = _reach(energy, p[5]) if energy > 0.0 else 0.0
        out[event] = _integral(_expand(energy, p), p[4], high) if high > p[4] else 0.0


@njit(**_NESTED)
def _solve_t(e: float, u: float, p: Any) -> Any:
    """Return the T below which the fraction u of the cross section lies: Newton's method kept inside a bracket.

    c are the coefficients of `_expand`.
    """
    c = _expand(e, p)
    low, high = p[4], _reach(e, p[5])
    start = low
    target = u * _integral(c, start, high)
    t = low + u * (high - low)
    for _ in range(200):
        excess = _integral(c, start, t) - target
        if excess > 0.0:
            high = t
        else:
            low = t
        slope = c[2] + t * (c[3] + t * c[4])
        if start > 0.0:
            slope += (c[1] + c[0] / t) / t
        new = t - excess / slope
        if not low <= new <= high:
            new = 0.5 * (low + high)
        if abs(new - t) <= 2.0**-50 * t:
            return new
        t = new
    return t


@loop(
    types.void(
        Contiguous(types.uint64), types.int64, types.float64[::1], types.float64[:, ::1], *[types.float64[::1]] * 3
    )
)
def _draw(key: Any, first: int, cumulative: Any, panels: Any, p: Any, e_nu: Any, t: Any) -> None:
    """Fill energies and recoils: uniform u picks a panel and the place x in it, uniform v the recoil."""
    for event in range(e_nu.size):
        u, v, _, _ = uniforms(key, first + event, 0)
        panel = np.searchsorted(cumulative, u, side="right") - 1
        low, width = panels[panel, 0], panels[panel, 1]
        p0, p1, p2 = panels[panel, 2], panels[panel, 3], panels[panel, 4]
        part = (u - cumulative[panel]) / (cumulative[panel + 1] - cumulative[panel])
        target = part * (p0 + p1 / 2.0 + p2 / 3.0)
        bottom, top, x = 0.0, 1.0, part
        for _ in range(100):
            excess = x * (p0 + x * (p1 / 2.0 + x * p2 / 3.0)) - target
            if excess > 0.0:
                top = x
            else:
                bottom = x
            new = x - excess / (p0 + x * (p1 + x * p2))
            if not bottom <= new <= top:
                new = 0.5 * (bottom + top)
            done = abs(new - x) <= 2.0**-48
            x = new
            if done:
                break
        e_nu[event] = low + width * x
        t[event] = _solve_t(e_nu[event], v, p)
