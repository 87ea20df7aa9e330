"""The magnetic moment, in mu_B, that leaves a neutrino mass natural at a scale of new physics.

Orders of magnitude (note, equations 9 to 11; Bell et al., PRL 95, 151802 and PLB 642, 377): the diagram that gives the
moment gives, without its photon, a mass; a moment much above these needs that mass to be cancelled.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from spectrafit.physics.constants import ALPHA, M_E, M_MU, M_TAU

__all__ = ["natural_dirac_moment", "natural_dirac_moment_loop", "natural_majorana_moment"]

_PAIRS = {"taumu": (M_TAU, M_MU), "taue": (M_TAU, M_E), "mue": (M_MU, M_E)}


def natural_dirac_moment(m_nu: Any, scale: Any) -> Any:
    """Return the largest natural Dirac moment, 3e-15 mu_B (m_nu/eV)(TeV/Lambda)^2 (note, equation 9).

    Parameters
    ----------
    m_nu : array_like. Neutrino mass, eV.
    scale : array_like. Scale of new physics Lambda, TeV; well above the electroweak scale.
    """
    return 3e-15 * m_nu / (scale * scale)


def natural_dirac_moment_loop(m_nu: Any, scale: Any) -> Any:
    """Return the same from delta m = (alpha/16 pi)(Lambda^2/m_e) mu, which has 3.52e-15 for the coefficient."""
    return 16.0 * math.pi / ALPHA * M_E * 1e-9 * 1e-6 * m_nu / (scale * scale)


def natural_majorana_moment(pair: Literal["taumu", "taue", "mue"], m_nu: Any, scale: Any) -> Any:
    """Return the largest natural Majorana transition moment, mu_B (note, equations 10 and 11, at m_nu = 0.3 eV).

    4e-9 mu_B (m_nu/eV)(TeV/Lambda)^2 m_tau^2/|m_a^2 - m_b^2| [M], one loop, in the flavour basis: the antisymmetry of
    the moment and the symmetry of the mass cost a difference of squared charged-lepton masses.

    Parameters
    ----------
    pair : "taumu", "taue" or "mue".
    m_nu, scale : array_like. Neutrino mass, eV, and scale of new physics, TeV.

    Raises
    ------
    ValueError
        For an unknown pair.
    """
    if pair not in _PAIRS:
        raise ValueError(f"pair {pair!r}: needed one of {', '.join(_PAIRS)}")
    heavy, light = _PAIRS[pair]
    return 4e-9 * M_TAU**2 / (heavy**2 - light**2) * m_nu / (scale * scale)
