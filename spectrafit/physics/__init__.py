"""Numbers in, numbers out: the physics of neutrino-electron scattering with electromagnetic properties of the neutrino.

No files and no events here: scalars, numpy arrays and, where events flow through, jagged awkward arrays.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spectrafit.physics.constants import (
        ALPHA,
        CHARGE_RADIUS_COEFFICIENT,
        G_F,
        HBARC,
        HBARC2,
        LEPTON_MASSES,
        M_E,
        M_MU,
        M_TAU,
        M_W,
        M_Z,
        MILLICHARGE_COEFFICIENT,
        N_A,
        OSCILLATION_COEFFICIENT,
        SIGMA_MAGNETIC,
        SIGMA_SM,
        SIN2_THETA_W,
        SIN2_THETA_W_MZ,
        SOLAR_MATTER_COEFFICIENT,
    )
    from spectrafit.physics.couplings import (
        COUPLINGS,
        Coupling,
    )
    from spectrafit.physics.cross_sections import (
        FLAVOURS,
        dsigma_dt,
        dsigma_dt_magnetic,
        dsigma_dt_sm,
        flavour,
        g_a,
        g_v,
        sigma,
        sigma_magnetic,
        sigma_sm,
        t_equal,
        t_equal_low,
        t_from_cumulative,
        t_from_cumulative_magnetic,
    )
    from spectrafit.physics.kinematics import (
        cos_theta,
        dt_theta2_dt,
        e_nu_min,
        max_t_theta2,
        q2,
        t_at_max_t_theta2,
        t_max,
        t_of_t_theta2,
        t_of_theta,
        t_tan2_theta,
        t_theta2,
        t_theta2_small_angle,
        theta,
    )
    from spectrafit.physics.radiative import (
        EFFECTIVE,
        bks_f_minus,
        bks_f_mixed,
        bks_f_plus,
        dsigma_dt_bks,
        dsigma_dt_bks_weak,
        dsigma_dt_effective,
        effective,
    )
    from spectrafit.physics.weighing import (
        weigh,
    )

# Public name -> the module it lives in. Modules are imported when first asked for: configuration needs the table of
# couplings and not numba.
_HOME = {
    "ALPHA": "constants",
    "CHARGE_RADIUS_COEFFICIENT": "constants",
    "COUPLINGS": "couplings",
    "Coupling": "couplings",
    "EFFECTIVE": "radiative",
    "FLAVOURS": "cross_sections",
    "G_F": "constants",
    "HBARC": "constants",
    "HBARC2": "constants",
    "LEPTON_MASSES": "constants",
    "MILLICHARGE_COEFFICIENT": "constants",
    "M_E": "constants",
    "M_MU": "constants",
    "M_TAU": "constants",
    "M_W": "constants",
    "M_Z": "constants",
    "N_A": "constants",
    "OSCILLATION_COEFFICIENT": "constants",
    "SIGMA_MAGNETIC": "constants",
    "SIGMA_SM": "constants",
    "SIN2_THETA_W": "constants",
    "SIN2_THETA_W_MZ": "constants",
    "SOLAR_MATTER_COEFFICIENT": "constants",
    "bks_f_minus": "radiative",
    "bks_f_mixed": "radiative",
    "bks_f_plus": "radiative",
    "cos_theta": "kinematics",
    "dsigma_dt": "cross_sections",
    "dsigma_dt_bks": "radiative",
    "dsigma_dt_bks_weak": "radiative",
    "dsigma_dt_effective": "radiative",
    "dsigma_dt_magnetic": "cross_sections",
    "dsigma_dt_sm": "cross_sections",
    "dt_theta2_dt": "kinematics",
    "e_nu_min": "kinematics",
    "effective": "radiative",
    "flavour": "cross_sections",
    "g_a": "cross_sections",
    "g_v": "cross_sections",
    "max_t_theta2": "kinematics",
    "q2": "kinematics",
    "sigma": "cross_sections",
    "sigma_magnetic": "cross_sections",
    "sigma_sm": "cross_sections",
    "t_at_max_t_theta2": "kinematics",
    "t_equal": "cross_sections",
    "t_equal_low": "cross_sections",
    "t_from_cumulative": "cross_sections",
    "t_from_cumulative_magnetic": "cross_sections",
    "t_max": "kinematics",
    "t_of_t_theta2": "kinematics",
    "t_of_theta": "kinematics",
    "t_tan2_theta": "kinematics",
    "t_theta2": "kinematics",
    "t_theta2_small_angle": "kinematics",
    "theta": "kinematics",
    "weigh": "weighing",
}

__all__ = [
    "ALPHA",
    "CHARGE_RADIUS_COEFFICIENT",
    "COUPLINGS",
    "EFFECTIVE",
    "FLAVOURS",
    "G_F",
    "HBARC",
    "HBARC2",
    "LEPTON_MASSES",
    "MILLICHARGE_COEFFICIENT",
    "M_E",
    "M_MU",
    "M_TAU",
    "M_W",
    "M_Z",
    "N_A",
    "OSCILLATION_COEFFICIENT",
    "SIGMA_MAGNETIC",
    "SIGMA_SM",
    "SIN2_THETA_W",
    "SIN2_THETA_W_MZ",
    "SOLAR_MATTER_COEFFICIENT",
    "Coupling",
    "bks_f_minus",
    "bks_f_mixed",
    "bks_f_plus",
    "cos_theta",
    "dsigma_dt",
    "dsigma_dt_bks",
    "dsigma_dt_bks_weak",
    "dsigma_dt_effective",
    "dsigma_dt_magnetic",
    "dsigma_dt_sm",
    "dt_theta2_dt",
    "e_nu_min",
    "effective",
    "flavour",
    "g_a",
    "g_v",
    "max_t_theta2",
    "q2",
    "sigma",
    "sigma_magnetic",
    "sigma_sm",
    "t_at_max_t_theta2",
    "t_equal",
    "t_equal_low",
    "t_from_cumulative",
    "t_from_cumulative_magnetic",
    "t_max",
    "t_of_t_theta2",
    "t_of_theta",
    "t_tan2_theta",
    "t_theta2",
    "t_theta2_small_angle",
    "theta",
    "weigh",
]


def __getattr__(name: str) -> Any:
    """Import the module a public name lives in when the name is first used."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
