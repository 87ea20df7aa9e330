"""Expected rates of a flux, a flavour and a coupling, and exact draws of neutrino and recoil energy.

Whatever the coupling, dsigma/dT at a given neutrino energy is a polynomial in T with powers from -2 (millicharge
squared) to 2: its cumulative is closed and is inverted to machine precision. Electrons that are bound count from their
binding energy on, which makes the polynomial one of steps. The total cross section is a smooth,
almost straight function of the energy. It is tabulated in panels of 0.5 % in energy, as the parabola with the panel's
own integral and end values, whose cubic cumulative is inverted to machine precision too. The parabola is within 1e-12
of the Standard Model cross section above 20 MeV; just above a threshold `t_min`, where the density rises from zero, it
is within 3e-4 in the first panel and 1e-6 once the energy is 10 % higher. No event is rejected, and each has weight 1.
A line is a panel without width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spectrafit.arraytypes import Floats, Integers, StreamKey
from spectrafit.errors import ConfigError
from spectrafit.events.drawing import draw, fill_total
from spectrafit.events.flux import Flux
from spectrafit.events.sources import Beam
from spectrafit.physics.constants import M_E, SIGMA_MAGNETIC, SIGMA_SM, SIN2_THETA_W
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.physics.cross_sections import g_a, g_v
from spectrafit.physics.flavours import flavour
from spectrafit.physics.kinematics import e_nu_min

__all__ = ["Spectrum", "spectrum", "tabulated"]


# Panels: geometric steps in energy from _FIRST up, cut at the edges of the flux and where the cross section begins.
_FIRST, _STEP = 1e-5, 1.005
_INSIDE = 1e-6
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
    parameters : (r, 8) array
        For the kernels, one row for each kind of target: g_V + g_A, g_V - g_A, the part of g_V that goes as 1/T (GeV),
        the dipole's strength over that of the weak cross section (GeV), t_min, t_max, the target's mass (GeV), and 0.
        For a nucleus the first four are 0 and the last is the strength of its cross section; see `recoils`.
    steps : (s, 2) array
        Energies T (GeV), increasing, from which on a share of the electrons scatters, and that share.
    panels : (n, 5) array
        Lower edge (GeV), width, and the density over the panel as p0 + p1 x + p2 x^2, x from 0 to 1.
    rows : (n,) array
        The row of `parameters` that each panel is of.
    cumulative : (n+1,) array
        Fraction of the events below each panel.
    """

    pdg: int
    t_min: float
    t_max: float
    rate: float
    parameters: Floats
    steps: Floats
    panels: Floats
    rows: Integers
    cumulative: Floats

    def draw(self, key: StreamKey, first: int, count: int) -> tuple[Floats, Floats]:
        """Return neutrino and recoil energies (GeV, (`count`,) each) of events `first`, ... of a stream."""
        return self.draw_with_rows(key, first, count)[:2]

    def draw_with_rows(self, key: StreamKey, first: int, count: int) -> tuple[Floats, Floats, Integers]:
        """Return the same, and the row of `parameters` that each event is of."""
        e_nu, t, row = np.empty(count), np.empty(count), np.empty(count, np.int64)
        draw(key, first, self.cumulative, self.panels, self.rows, self.parameters, self.steps, e_nu, t, row)
        return e_nu, t, row


def spectrum(
    flux: Flux | Beam,
    pdg: int | str,
    *,
    sin2_theta_w: float = SIN2_THETA_W,
    t_min: float = 0.0,
    t_max: float = math.inf,
    coupling: str = "",
    kappa: float = 0.0,
    couplings: Mapping[str, float] | None = None,
    steps: Floats | None = None,
) -> Spectrum:
    """Integrate flux times cross section of one flavour on electrons.

    Parameters
    ----------
    flux : Flux or Beam
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
    steps : (s, 2) array, optional
        From which T (GeV) on which share of the electrons scatters; without it, all of them at any T.

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
    shares = np.array([[0.0, 1.0]]) if steps is None else np.ascontiguousarray(steps, np.float64)
    low = max(t_min, float(shares[0, 0]))
    parameters = _parameters(code, sin2_theta_w, low, t_max, switched)
    return tabulated(flux, code, parameters[np.newaxis], shares, f"{pdg} has T between {t_min:g} and {t_max:g} GeV")


def tabulated(flux: Flux | Beam, code: int, parameters: Floats, steps: Floats, what: str) -> Spectrum:
    """Tabulate flux times cross section over the neutrino's energy, for every row of `parameters` as `Spectrum` has it.

    Parameters
    ----------
    what : str
        What there would be no event of, for the message.

    Raises
    ------
    ConfigError
        There is no event.
    """
    found = [_panels(flux, row, steps) for row in parameters]
    contents = np.concatenate([content for content, _ in found])
    total = float(contents.sum())
    if not total > 0.0:
        raise ConfigError(f"no event of {what} on this flux; widen the range")
    keep = contents > 0.0
    cumulative = np.concatenate([[0.0], np.cumsum(contents[keep])])
    t_min, t_max = parameters[0, 4:6]
    return Spectrum(
        pdg=code,
        t_min=float(t_min),
        t_max=float(t_max),
        rate=total * _PER_CM2_POT,
        parameters=np.ascontiguousarray(parameters),
        steps=steps,
        panels=np.ascontiguousarray(np.concatenate([panels for _, panels in found])[keep]),
        rows=np.repeat(np.arange(len(found)), [content.size for content, _ in found])[keep],
        cumulative=cumulative / cumulative[-1],
    )


def _panels(flux: Flux | Beam, parameters: Floats, steps: Floats) -> tuple[Floats, Floats]:
    """Return the contents of the panels of one kind of target, and the panels; those of lines come last."""
    contents, tables = [], []
    edges = _panel_edges(flux, parameters, steps)
    if edges.size > 1:
        low, width = edges[:-1], np.diff(edges)
        height = flux.density(0.5 * (edges[:-1] + edges[1:]))
        nodes = low[:, None] + width[:, None] * 0.5 * (1.0 + _NODES)
        # Relative to the height in the middle: exactly 1 for a table, whose bins are flat. The ends of a panel belong
        # to the panel, though the flux may step there.
        with np.errstate(all="ignore"):
            ends = low + _INSIDE * width, low + (1.0 - _INSIDE) * width
            curve, first, last = (np.where(height > 0.0, (flux.density(at).T / height), 0.0).T for at in (nodes, *ends))
        inside = (_total(nodes, parameters, steps) * curve) @ (0.5 * _WEIGHTS)
        begin, end = _total(low, parameters, steps) * first, _total(edges[1:], parameters, steps) * last
        contents.append(height * width * inside)
        tables.append(_parabolas(low, width, begin, inside, end))
    energies, intensities = flux.lines.T
    if energies.size:
        contents.append(intensities * _total(energies, parameters, steps))
        one, none = np.ones(energies.size), np.zeros(energies.size)
        tables.append(np.stack([energies, none, one, none, none], axis=1))
    if not contents:
        return np.empty(0), np.empty((0, 5))
    return np.concatenate(contents), np.concatenate(tables)


def _parabolas(low: Floats, width: Floats, begin: Floats, inside: Floats, end: Floats) -> Floats:
    """Return panels with the given ends and mean; flat where a parabola of these would fall below 0."""
    bend = 3 * (begin + end) - 6 * inside
    slope = 6 * inside - 4 * begin - 2 * end
    with np.errstate(all="ignore"):
        at = -slope / (2 * bend)
        sinks = (bend > 0.0) & (at > 0.0) & (at < 1.0) & (begin - slope * slope / (4 * bend) < -1e-9 * inside)
    return np.stack(
        [low, width, np.where(sinks, inside, begin), np.where(sinks, 0.0, slope), np.where(sinks, 0.0, bend)], axis=1
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
    return np.array([gv + ga, gv - ga, inverse_t, dipole, t_min, t_max, M_E, 0.0])


def _panel_edges(flux: Flux | Beam, parameters: Floats, steps: Floats) -> Floats:
    if not flux.edges.size:
        return flux.edges
    t_min, t_max, mass = parameters[4:7]
    top = flux.edges[-1]
    grid = _FIRST * _STEP ** np.arange(max(0, math.ceil(math.log(top / _FIRST) / math.log(_STEP))))
    # The cross section has kinks where t_min comes into reach and where t_max does, and every binding energy.
    ends = [t_min, t_max, *(t for t in steps[:, 0] if t_min < t < t_max)]
    kinks = [_least(t, mass) for t in ends if 0.0 < t < math.inf]
    edges = np.unique(np.concatenate([[flux.edges[0]], grid, kinks, flux.edges]))
    low = max(flux.edges[0], _least(t_min, mass))
    return np.asarray(edges[(edges >= low) & (edges <= top)])


def _least(t: float, mass: float) -> float:
    """Return the smallest neutrino energy that can give a recoil `t`, GeV."""
    if mass == M_E:
        return float(e_nu_min(t))
    return 0.5 * (t + math.sqrt(t * (t + 2.0 * mass)))


def _total(e_nu: Floats, parameters: Floats, steps: Floats) -> Floats:
    out = np.empty(e_nu.size)
    fill_total(np.ascontiguousarray(e_nu).ravel(), parameters, steps, out)
    return SIGMA_SM * out.reshape(e_nu.shape)
