"""Makes the tables and the figure of the commands `spectrafit xsec` and `spectrafit moment`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from spectrafit import physics as ph
from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError, nearest
from spectrafit.physics.compiled import interpreted
from spectrafit.physics.constants import SIN2_THETA_W
from spectrafit.physics.mixing import Mixing
from spectrafit.report.tables import Table

if TYPE_CHECKING:
    pass

__all__ = ["cross_section_table", "draw_cross_sections", "moment_table"]

Option = Literal["tree", "effective", "bks"]

_NAMES = {12: "nu_e", 14: "nu_mu", 16: "nu_tau"}
_OPTIONS = {"tree": "tree level", "effective": "effective couplings", "bks": "one loop (BKS)"}
# Where solar neutrinos of these energies (GeV) are made: electron density, N_A per cm^3.
_SOLAR = {"pp, 0.3 MeV": (0.3e-3, 62.0), "7Be, 0.86 MeV": (0.861e-3, 66.0), "8B, 8 MeV": (8e-3, 92.0)}
_STEPS = (1.0, 2.0, 5.0)
# cm^2 and cm^2/GeV: the size of a neutrino-electron cross section.
_SIZE = 1e-42


@interpreted()
def cross_section_table(
    *,
    flavour: str = "numu",
    e_nu: float = 2.0,
    mu: float = 1e-9,
    t: Sequence[float] = (),
    sm: Option = "tree",
    sin2_theta_w: float = SIN2_THETA_W,
) -> Table:
    """Return dsigma/dT of the Standard Model and of a magnetic moment, where they are equal, and their integrals.

    Parameters
    ----------
    flavour : "nue", "numu", "nutau" or one of these with "bar".
    e_nu : neutrino energy, GeV.
    mu : effective magnetic moment, mu_B.
    t : electron kinetic energies, GeV; a few round ones by default. The integrals start at the lowest.
    sm : Standard Model cross section: tree level, effective couplings or one loop.
    sin2_theta_w : sin^2 theta_W in MSbar at Q^2 = 0.

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
    rows = [_row("", e_nu, *numbers) for numbers in zip(energies, standard, magnetic, strict=True)]
    rules = [len(rows)]
    equal = _crossing(pdg, e_nu, mu, sm, sin2_theta_w)
    if equal is not None:
        both = float(ph.dsigma_dt_magnetic(e_nu, equal, mu))
        rows.append(_row("equal", e_nu, equal, both, both))
    low = float(ph.t_equal_low(pdg, mu, sin2_theta_w))
    rows.append(("low-T limit", _energy(low), "", "", "", "", ""))
    rows.append(("T_max", _energy(top, 5), "0", "0", "", "", ""))
    rules.append(len(rows))
    start = float(energies[0])
    below = _integral(pdg, e_nu, start, sm, sin2_theta_w)
    extra = float(ph.sigma_magnetic(e_nu, start, np.inf, mu))
    cells = (f"{below / _SIZE:.4g}", f"{extra / _SIZE:.4g}", f"{extra / below:.4g}" if below > 0.0 else "")
    rows.append((f"{_SIZE:g} cm^2", f"> {_energy(start)}", "", "", *cells))
    beam = f"{_pretty(pdg)} e, E_nu = {_energy(e_nu)}, mu = {mu:g} mu_B, Standard Model: {_OPTIONS[sm]}"
    return Table(
        title=f"{beam}\ntheta in mrad, T theta^2 in MeV rad^2, dsigma/dT in {_SIZE:g} cm^2/GeV",
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
    flavour, e_nu, sm, sin2_theta_w : as `cross_section_table`.
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
        As `cross_section_table`, and for a suffix that is no format of a figure.
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


def moment_table(
    mu: Sequence[float] | npt.ArrayLike,
    eps: npt.ArrayLike | None = None,
    *,
    nature: Literal["dirac", "majorana"] = "dirac",
    ordering: Literal["normal", "inverted"] = "normal",
    mixing: Mixing | None = None,
    baseline: float = 810.0,
    e_nu: float = 2.0,
    lightest: float = 0.01,
    scale: float = 1.0,
) -> Table:
    """Return the effective moments that moments of the mass states give, beside predictions and naturalness bounds.

    Parameters
    ----------
    mu : shape (3,) or (3, 3), mu_B. Magnetic moments of the mass states: the matrix, or three real numbers, which are
        mu_11, mu_22, mu_33 for Dirac and mu_23, mu_31, mu_12 (times i) for Majorana neutrinos.
    eps : shape (3, 3), mu_B. Electric moments, if any.
    nature : what neutrinos are.
    ordering : takes angles and splittings of `ORDERINGS`, unless `mixing` is given.
    mixing : angles, phases and splittings of one's own.
    baseline, e_nu : distance, km, and energy, GeV, of the oscillated rows.
    lightest : mass of the lightest neutrino, eV, for the predictions; the heaviest goes into the naturalness bounds.
    scale : scale of new physics, TeV, of the naturalness bounds.

    Raises
    ------
    ConfigError
        A matrix is not Hermitian (for Majorana neutrinos also not antisymmetric), or a word is unknown.
    """
    if mixing is None and ordering not in ph.ORDERINGS:
        raise ConfigError(f"ordering: {ordering!r}{nearest(ordering, ph.ORDERINGS)}; needed 'normal' or 'inverted'")
    if nature not in ("dirac", "majorana"):
        raise ConfigError(f"nature: {nature!r}; needed 'dirac' or 'majorana'")
    if not (baseline >= 0.0 and e_nu > 0.0 and scale > 0.0):
        raise ConfigError(f"baseline {baseline} km, e_nu {e_nu} GeV, scale {scale} TeV: needed positive numbers")
    used = ph.ORDERINGS[ordering] if mixing is None else mixing
    given = np.asarray(mu, dtype=np.complex128)
    if given.shape == (3,):
        given = np.diag(given) if nature == "dirac" else ph.majorana_vector(*(float(number) for number in given.real))
    try:
        moments = ph.check_moments(given, np.zeros((3, 3)) if eps is None else eps, nature)
        masses = ph.masses(used, lightest)
    except ValueError as error:
        raise ConfigError(f"moments in the mass basis: {error}") from error

    def effective(label: str, values: Sequence[Any]) -> tuple[str, ...]:
        return label, *(f"{np.sqrt(max(float(value), 0.0)):.4g}" for value in values)

    def short(matrices: tuple[Any, Any]) -> list[float]:
        return [ph.effective_moment2_short(pdg, *matrices, used) for pdg in _NAMES]

    rows = [effective("short baseline", short(moments))]
    for sign, what in ((1, "neutrinos"), (-1, "antineutrinos")):
        far = [ph.effective_moment2(sign * pdg, *moments, used, baseline, e_nu) for pdg in _NAMES]
        rows.append(effective(f"{what}, {baseline:g} km, {e_nu:g} GeV", far))
    for source, (energy, density) in _SOLAR.items():
        value = ph.effective_moment2_solar(*moments, used, energy, density)
        rows.append((*effective(f"solar {source}", [value]), "", ""))
    rules = [len(rows)]
    rows.append(effective("minimal Dirac model", short(ph.dirac_moments(masses, used))))
    rows.append(effective("minimal Majorana model", short(ph.majorana_moments(masses, used))))
    rules.append(len(rows))
    heaviest = float(masses.max())
    natural = f"{ph.natural_dirac_moment(heaviest, scale):.1e}"
    rows.append(("natural, Dirac", natural, natural, natural))
    for pair, name, flags in (("mue", "e-mu", "110"), ("taumu", "mu-tau", "011"), ("taue", "e-tau", "101")):
        bound = f"{ph.natural_majorana_moment(pair, heaviest, scale):.1e}"
        rows.append((f"natural, Majorana {name}", *(bound if flag == "1" else "" for flag in flags)))
    words = f"{ordering} ordering" if mixing is None else "given mixing"
    bounds = f"heaviest {heaviest:.3g} eV, Lambda = {scale:g} TeV"
    return Table(
        title=f"Effective magnetic moments [mu_B]: {nature.capitalize()}, {words}, lightest {lightest:g} eV, {bounds}",
        columns=("", *(f">{name}" for name in _NAMES.values())),
        rows=tuple(rows),
        rules=tuple(rules),
    )


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


def _row(label: str, e_nu: float, t: float, standard: float, magnetic: float) -> tuple[str, ...]:
    return (
        label,
        _energy(t),
        f"{1e3 * float(ph.theta(e_nu, t)):.4g}",
        f"{1e3 * float(ph.t_theta2(e_nu, t)):.4f}",
        f"{standard / _SIZE:.4g}",
        f"{magnetic / _SIZE:.4g}",
        f"{magnetic / standard:.4g}" if standard > 0.0 else "",
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
