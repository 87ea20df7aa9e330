"""Makes the numbers, the table and the figure of the command `spectrafit xsec`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spectrafit import physics as ph
from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError, nearest
from spectrafit.physics.compiled import interpreted
from spectrafit.physics.constants import SIN2_THETA_W
from spectrafit.report.tables import Table

__all__ = ["cross_section_numbers", "cross_section_table", "draw_cross_sections"]

Option = Literal["tree", "effective", "bks"]

_NAMES = {12: "nu_e", 14: "nu_mu", 16: "nu_tau"}
_OPTIONS = {"tree": "tree level", "effective": "effective couplings", "bks": "one loop (BKS)"}
_STEPS = (1.0, 2.0, 5.0)
# cm^2 and cm^2/GeV: the size of a neutrino-electron cross section.
_SIZE = 1e-42


@interpreted()
def cross_section_numbers(
    *,
    flavour: str = "numu",
    e_nu: float = 2.0,
    mu: float = 1e-9,
    t: Sequence[float] = (),
    sm: Option = "tree",
    sin2_theta_w: float = SIN2_THETA_W,
) -> dict[str, Any]:
    """Return dsigma/dT of the Standard Model and of a magnetic moment, where they are equal, and their integrals.

    Parameters
    ----------
    flavour : "nue", "numu", "nutau" or one of these with "bar".
    e_nu : neutrino energy, GeV.
    mu : effective magnetic moment, mu_B.
    t : electron kinetic energies, GeV; a few round ones by default. The integrals start at the lowest.
    sm : Standard Model cross section: tree level, effective couplings or one loop.
    sin2_theta_w : sin^2 theta_W in MSbar at Q^2 = 0.

    Returns
    -------
    dict
        The arguments; `points` and `equal` (None if there is no such energy) with t, theta, t_theta2 in GeV, rad and
        GeV rad^2, and the cross sections and their ratio in cm^2/GeV; `low_t_limit` of the equal energy and `t_max`,
        GeV; `integral` from `above` on, cm^2.

    Raises
    ------
    ConfigError
        For an unknown flavour or option, and for numbers that are no energies or moments.
    """
    pdg = _checked(flavour, e_nu, [mu], sm)
    top = float(ph.t_max(e_nu))
    energies = np.sort(np.asarray(t if len(t) else _round_energies(top), dtype=np.float64))
    if not (energies > 0).all() or not (energies <= top).all():
        raise ConfigError(f"t: {energies.tolist()} GeV; needed energies above 0 and up to T_max = {top:.6g} GeV")
    standard = ph.dsigma_dt_expected(pdg, e_nu, energies, sm, sin2_theta_w)
    magnetic = ph.dsigma_dt_magnetic(e_nu, energies, mu)
    equal = _crossing(pdg, e_nu, mu, sm, sin2_theta_w)
    both = 0.0 if equal is None else float(ph.dsigma_dt_magnetic(e_nu, equal, mu))
    start = float(energies[0])
    below = _integral(pdg, e_nu, start, sm, sin2_theta_w)
    extra = float(ph.sigma_magnetic(e_nu, start, np.inf, mu))
    return {
        "flavour": _pretty(pdg),
        "e_nu": e_nu,
        "mu": mu,
        "sm": sm,
        "sin2_theta_w": sin2_theta_w,
        "points": [_point(e_nu, *map(float, numbers)) for numbers in zip(energies, standard, magnetic, strict=True)],
        "equal": None if equal is None else _point(e_nu, equal, both, both),
        "low_t_limit": float(ph.t_equal_low(pdg, mu, sin2_theta_w)),
        "t_max": top,
        "integral": {"above": start, "standard_model": below, "magnetic": extra, "ratio": _ratio(extra, below)},
    }


def cross_section_table(found: Mapping[str, Any]) -> Table:
    """Return what `cross_section_numbers` found as a table."""
    rows = [_row("", point) for point in found["points"]]
    rules = [len(rows)]
    if found["equal"] is not None:
        rows.append(_row("equal", found["equal"]))
    rows.append(("low-T limit", _energy(found["low_t_limit"]), "", "", "", "", ""))
    rows.append(("T_max", _energy(found["t_max"], 5), "0", "0", "", "", ""))
    rules.append(len(rows))
    whole = found["integral"]
    cells = (f"{whole['standard_model'] / _SIZE:.4g}", f"{whole['magnetic'] / _SIZE:.4g}", _four(whole["ratio"]))
    rows.append((f"{_SIZE:g} cm^2", f"> {_energy(whole['above'])}", "", "", *cells))
    beam = f"{found['flavour']} e, E_nu = {_energy(found['e_nu'])}, mu = {found['mu']:g} mu_B"
    return Table(
        title=f"{beam}, Standard Model: {_OPTIONS[found['sm']]}\n"
        f"theta in mrad, T theta^2 in MeV rad^2, dsigma/dT in {_SIZE:g} cm^2/GeV",
        columns=("", ">T", ">theta", ">T theta^2", ">SM", ">magnetic", ">ratio"),
        rows=tuple(rows),
        rules=tuple(rules),
    )


@interpreted()
def draw_cross_sections(
    path: str | os.PathLike[str],
    *,
    flavour: str = "numu",
    e_nu: float = 2.0,
    mu: float | Sequence[float] = 1e-9,
    sm: Option = "tree",
    sin2_theta_w: float = SIN2_THETA_W,
    lowest: float | None = None,
    threshold: float | None = None,
) -> Path:
    """Draw dsigma/dT of the Standard Model and of magnetic moments, and their ratio: why low energies matter.

    Parameters
    ----------
    path : file to write; its suffix says the format.
    flavour, e_nu, sm, sin2_theta_w : as `cross_section_numbers`.
    mu : effective magnetic moment or several, mu_B.
    lowest : left edge of the figure, GeV; a three-hundredth of T_max by default.
    threshold : detection threshold to show, GeV, if any.

    Returns
    -------
    Path
        The file written; it is there whole or not at all.

    Raises
    ------
    ConfigError
        As `cross_section_numbers`, and for a suffix that is no format of a figure.
    DataError
        If the file cannot be written.
    """
    from spectrafit.report.figures.saving import save
    from spectrafit.report.figures.scattering import scattering
    from spectrafit.report.figures.style import look

    moments = [float(moment) for moment in np.unique(np.asarray(mu, dtype=np.float64))]
    pdg = _checked(flavour, e_nu, moments, sm)
    top = float(ph.t_max(e_nu))
    start = top / 300.0 if lowest is None else lowest
    if not 0.0 < start < top:
        raise ConfigError(f"lowest: {start} GeV; needed an energy between 0 and T_max = {top:.6g} GeV")
    unit, size = _unit(top)
    t = np.geomspace(start, top * (1.0 - 1e-4), 600)
    crossings = [(moment, _crossing(pdg, e_nu, moment, sm, sin2_theta_w)) for moment in moments]
    equal = {
        moment: (crossing / size, _energy(crossing, 3))
        for moment, crossing in crossings
        if crossing is not None and start < crossing < top
    }
    process = _pretty(pdg)
    target = Path(path)
    with look():
        figure = scattering(
            t / size,
            ph.dsigma_dt_expected(pdg, e_nu, t, sm, sin2_theta_w) / _SIZE,
            {moment: ph.dsigma_dt_magnetic(e_nu, t, moment) / _SIZE for moment in moments},
            equal,
            unit=unit,
            threshold=None if threshold is None else threshold / size,
            left=f"{process} e → {process} e, neutrinos of {_energy(e_nu)}",
            right=f"Standard Model: {_OPTIONS[sm]}",
        )
        save(figure, target)
    return target


def _checked(name: str | int, e_nu: float, moments: Sequence[float], sm: str) -> int:
    """Return the PDG code, once everything else makes sense too."""
    if sm not in _OPTIONS:
        raise ConfigError(f"sm: {sm!r}{nearest(sm, _OPTIONS)}; needed one of {', '.join(_OPTIONS)}")
    if not 0.0 < e_nu < 1e9:
        raise ConfigError(f"e_nu: {e_nu} GeV; needed a positive energy")
    if not moments or not all(0.0 < moment < 1.0 for moment in moments):
        raise ConfigError(f"mu: {moments} mu_B; needed positive moments, 1e-9 for instance")
    try:
        return int(ph.flavour(name))
    except ValueError as error:
        hint = nearest(name, ph.FLAVOURS) if isinstance(name, str) else ""
        raise ConfigError(f"{error}{hint}") from error


def _pretty(pdg: int) -> str:
    return _NAMES[pdg] if pdg > 0 else f"anti-{_NAMES[-pdg]}"


def _round_energies(top: float) -> Floats:
    """Return round energies over three decades below `top`, some ten of them."""
    decades = np.arange(np.floor(np.log10(top)) - 2.0, np.floor(np.log10(top)) + 1.0)
    energies = np.outer(10.0**decades, _STEPS).ravel()
    # 10.0 ** -2 * 5 and 0.05 differ in the last place, which a table would show.
    return np.array([float(f"{energy:.0e}") for energy in energies if energy < top])


def _point(e_nu: float, t: float, standard: float, magnetic: float) -> dict[str, float | None]:
    """Return the numbers of one energy of the electron."""
    return {
        "t": t,
        "theta": float(ph.theta(e_nu, t)),
        "t_theta2": float(ph.t_theta2(e_nu, t)),
        "standard_model": standard,
        "magnetic": magnetic,
        "ratio": _ratio(magnetic, standard),
    }


def _ratio(magnetic: float, standard: float) -> float | None:
    return magnetic / standard if standard > 0.0 else None


def _four(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _row(label: str, point: dict[str, Any]) -> tuple[str, ...]:
    return (
        label,
        _energy(point["t"]),
        f"{1e3 * point['theta']:.4g}",
        f"{1e3 * point['t_theta2']:.4f}",
        f"{point['standard_model'] / _SIZE:.4g}",
        f"{point['magnetic'] / _SIZE:.4g}",
        _four(point["ratio"]),
    )


def _unit(energy: float) -> tuple[str, float]:
    """Return the name and the size in GeV of the unit that suits an energy."""
    for name, size in (("GeV", 1.0), ("MeV", 1e-3), ("keV", 1e-6)):
        if energy >= size:
            return name, size
    return "eV", 1e-9


def _energy(value: float, digits: int = 4) -> str:
    """Return an energy given in GeV as words."""
    name, size = _unit(value)
    return f"{value / size:.{digits}g} {name}"


def _crossing(pdg: int, e_nu: float, mu: float, sm: Option, sin2_theta_w: float) -> float | None:
    """Return the electron energy, GeV, where both cross sections are equal, or None if they are nowhere."""
    from scipy.optimize import brentq

    def excess(log_t: float) -> float:
        t = float(np.exp(log_t))
        standard = float(ph.dsigma_dt_expected(pdg, e_nu, t, sm, sin2_theta_w))
        return standard / float(ph.dsigma_dt_magnetic(e_nu, t, mu)) - 1.0

    # Just below the end point, where the one-loop logarithm is still harmless.
    top = np.log(float(ph.t_max(e_nu)) * (1.0 - 1e-6))
    bottom = top - 100.0
    if excess(bottom) >= 0.0 or excess(top) <= 0.0:
        return None
    return float(np.exp(brentq(excess, bottom, top, xtol=1e-14)))


def _integral(pdg: int, e_nu: float, start: float, sm: Option, sin2_theta_w: float) -> float:
    """Return the Standard Model cross section above `start`, cm^2; by quadrature, as one loop has no closed form."""
    # T = T_max - (T_max - start) s^2 smooths the logarithm at the end point.
    nodes, weights = np.polynomial.legendre.leggauss(200)
    places = 0.5 * (nodes + 1.0)
    width = float(ph.t_max(e_nu)) - start
    values = ph.dsigma_dt_expected(pdg, e_nu, start + width * (1.0 - places * places), sm, sin2_theta_w)
    return float(np.sum(weights * places * values)) * width
