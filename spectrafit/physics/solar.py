"""Neutrinos from the Sun: fluxes of the standard solar model, lines, spectra, and flavours at the Earth.

Components are "pp", "pep", "hep", "7Be", "8B", "13N", "15O" and "17F". The model's fluxes are B16 (Vinyoles et al.,
ApJ 835, 202 (2017)) for two compositions of the Sun's surface. Spectra are normalised to one neutrino, per GeV; a
flux times a spectrum, or a flux times the weights of a component's lines, is what arrives, in all flavours together.

The continua of pp, 13N, 15O, 17F and hep are allowed beta spectra with the Coulomb factor of the positron; they agree
with Bahcall's tables to some 0.1 per cent of the peak. 8B decays to a broad state of 8Be: its spectrum is a spline
through the table of Bahcall et al., PRC 54, 411 (1996), better than 0.1 per cent of the peak.

Energies in GeV; `solar_spectrum` takes scalars, numpy and awkward arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from spectrafit.physics.beta_decay import allowed_spectrum
from spectrafit.physics.mixing import Mixing, solar_survival

__all__ = [
    "SOLAR_DENSITIES",
    "SOLAR_FLUXES",
    "SOLAR_LINES",
    "solar_end_point",
    "solar_flavours",
    "solar_spectrum",
]

SOLAR_FLUXES: Final[dict[str, dict[str, tuple[float, float]]]] = {
    "GS98": {
        "pp": (5.98e10, 0.006),
        "pep": (1.44e8, 0.01),
        "hep": (7.98e3, 0.30),
        "7Be": (4.93e9, 0.06),
        "8B": (5.46e6, 0.12),
        "13N": (2.78e8, 0.15),
        "15O": (2.05e8, 0.17),
        "17F": (5.29e6, 0.20),
    },
    "AGSS09met": {
        "pp": (6.03e10, 0.005),
        "pep": (1.46e8, 0.009),
        "hep": (8.25e3, 0.30),
        "7Be": (4.50e9, 0.06),
        "8B": (4.50e6, 0.12),
        "13N": (2.04e8, 0.14),
        "15O": (1.44e8, 0.16),
        "17F": (3.26e6, 0.18),
    },
}
"""By composition and component: flux at 1 au, cm^-2 s^-1, and its relative standard deviation."""

SOLAR_LINES: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    "7Be": ((0.8618e-3, 0.896), (0.3843e-3, 0.104)),
    "pep": ((1.442e-3, 1.0),),
}
"""By component: energy, GeV, and fraction of the component's flux [M]."""

SOLAR_DENSITIES: Final = {
    "pp": 62.0, "pep": 62.0, "hep": 62.0, "7Be": 66.0, "8B": 92.0, "13N": 71.0, "15O": 71.0, "17F": 71.0,
}  # fmt: skip
"""Electron density where a component is made, N_A per cm^3, one number for each.

Those of pp, pep, 7Be, 15O and 8B give the survival probabilities usually quoted; hep is given the density of pp, and
13N and 17F that of 15O, which no present measurement can tell from the truth.
"""

# End point of the neutrino's energy, MeV, and charge of the daughter. That of pp has the mean thermal energy of the
# protons in it, 3 keV (Bahcall, PRC 56, 3391 (1997) [M]).
_ALLOWED = {"pp": (0.42341, 1), "13N": (1.199, 6), "15O": (1.732, 7), "17F": (1.740, 8), "hep": (18.784, 2)}

# Cubic B-spline with knots every half MeV, the first at -0.5 MeV: neutrinos per MeV.
_BORON = (
    0.002394, -0.0013626, 0.0029912, 0.0122822, 0.0256629, 0.0404634, 0.0566243, 0.0722899, 0.0873353, 0.1006791,
    0.1121494, 0.1212129, 0.1277462, 0.1315412, 0.1326079, 0.13098, 0.1268148, 0.1203114, 0.1117554, 0.1014821,
    0.0898828, 0.0773823, 0.0644551, 0.0515725, 0.039266, 0.0279786, 0.0182345, 0.0103645, 0.0047566, 0.001485,
    0.0003309, 6.07e-5, 4.7e-6,
)  # fmt: skip
_BORON_END = 16.5


def _boron(energy: Any) -> Any:
    """Return the spectrum of boron 8: cubic splines in u, the distance from a knot in units of 0.5 MeV."""
    total = 0.0 * energy
    for index, coefficient in enumerate(_BORON):
        u = np.abs(2.0 * energy - (index - 1.0))
        total = total + coefficient / 6.0 * (np.maximum(2.0 - u, 0.0) ** 3 - 4.0 * np.maximum(1.0 - u, 0.0) ** 3)
    return np.maximum(total, 0.0)


@functools.cache
def _continuum(component: str) -> tuple[Callable[[Any], Any], float, float]:
    """Return the unnormalised spectrum, its end point (MeV) and its integral."""
    if component == "8B":
        end, shape = _BORON_END, _boron
    else:
        end, charge = _ALLOWED[component]
        shape = functools.partial(allowed_spectrum, end=end, z=charge)
    points, weights = np.polynomial.legendre.leggauss(16)
    # E = end (1 - s^2): smooth at the end point, where the positron's momentum goes as s.
    edges = np.linspace(0.0, 1.0, 41)
    half = 0.5 * np.diff(edges)[:, None]
    places = (edges[:-1, None] + half + half * points).ravel()
    integral = float(np.sum((half * weights).ravel() * shape(end * (1.0 - places * places)) * 2.0 * end * places))
    return shape, end, integral


def _check(component: str) -> None:
    if component not in SOLAR_FLUXES["GS98"]:
        raise ValueError(f"solar component {component!r}: needed one of {', '.join(SOLAR_FLUXES['GS98'])}")


def solar_end_point(component: str) -> float:
    """Return the largest neutrino energy of a component, GeV.

    Raises
    ------
    ValueError
        For an unknown component.
    """
    _check(component)
    if component in SOLAR_LINES:
        return max(energy for energy, _ in SOLAR_LINES[component])
    return (_BORON_END if component == "8B" else _ALLOWED[component][0]) * 1e-3


def solar_spectrum(component: str, e_nu: Any) -> Any:
    """Return the spectrum of a component's continuum, normalised to one neutrino, 1/GeV.

    Parameters
    ----------
    component : "pp", "hep", "8B", "13N", "15O" or "17F".
    e_nu : array_like of float
        Neutrino energy, GeV; 0 outside the component's range, NaN stays NaN.

    Raises
    ------
    ValueError
        For an unknown component, and for 7Be and pep, which are lines (`SOLAR_LINES`).
    """
    _check(component)
    if component in SOLAR_LINES:
        raise ValueError(f"solar component {component!r}: lines, not a spectrum; they are in SOLAR_LINES")
    shape, end, integral = _continuum(component)
    # The shape is 0 at both ends, so cutting to the range gives 0 outside.
    energy = np.minimum(np.maximum(np.multiply(1e3, e_nu), 0.0), end)
    return shape(energy) * (1e3 / integral)


def solar_flavours(mixing: Mixing, e_nu: Any, density: Any) -> tuple[Any, Any, Any]:
    """Return the probabilities that a solar neutrino arrives at the Earth by day as nu_e, nu_mu, nu_tau.

    P_ee, and the rest shared as cos^2 theta_23 to sin^2 theta_23.

    Parameters
    ----------
    mixing : angles and mass splittings.
    e_nu : array_like of float
        Neutrino energy, GeV.
    density : array_like of float
        Electron density where it was made, N_A per cm^3 (`SOLAR_DENSITIES`).
    """
    survival = solar_survival(mixing, e_nu, density)
    return survival, (1.0 - survival) * (1.0 - mixing.sin2_23), (1.0 - survival) * mixing.sin2_23
