"""A row's `inputs` of `reference_values.json` or `more_reference.json` in, its `value` in the row's unit out.

One entry per quantity of the files, through the public functions. What happens here is a change of names and units
and nothing else.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from spectrafit import physics as ph

Inputs = dict[str, Any]


def _pdg(i: Inputs) -> int:
    return ph.flavour(i["flavour"])


def _mixing(i: Inputs) -> Any:
    spare = ph.ORDERINGS["normal"]
    return ph.Mixing(
        sin2_12=i["sin2_12"],
        sin2_13=i["sin2_13"],
        sin2_23=i.get("sin2_23", spare.sin2_23),
        delta=math.radians(i.get("delta_deg", 0.0)),
        alpha21=math.radians(i.get("alpha21_deg", 0.0)),
        alpha31=math.radians(i.get("alpha31_deg", 0.0)),
        dm21=i["dm21_eV2"],
        dm31=i.get("dm31_eV2", spare.dm31),
    )


def _moments(i: Inputs) -> tuple[Any, Any]:
    return tuple(np.array(i[f"{m}_mass_re"]) + 1j * np.array(i[f"{m}_mass_im"]) for m in ("mu", "eps"))


def _pmns(i: Inputs) -> complex:
    return complex(ph.pmns(_mixing(i))[["e", "mu", "tau"].index(i["row"]), i["col"] - 1])


def _minimal(i: Inputs, model: str, which: int) -> complex:
    # Row and column of the note's equations 5, 7 and 8 are k and j, counted from 1.
    matrix = getattr(ph, f"{model}_moments")(i["m_nu_eV"], _mixing(i))[which]
    return complex(matrix[i["k"] - 1, i["j"] - 1])


def _solar(i: Inputs) -> tuple[float, float]:
    return i["E_MeV"] * 1e-3, i["ne_NA_per_cm3"]


def _form_factor(i: Inputs) -> Any:
    a = i["A"] if "A" in i else i["Z"] + i["N"]
    return _of_mass_number(i)(a)


def _of_mass_number(i: Inputs) -> Any:
    kind = i["form_factor"]
    if kind == "helm":
        return lambda a: ph.Helm(a, i["a_fm"], i["s_fm"], i["c0_fm"], i["c1_fm"])
    if kind == "klein_nystrand":
        return lambda a: ph.KleinNystrand(a, i["r0_fm"], i["ak_fm"])
    assert kind == "unity"
    return lambda a: None


def _nucleus(i: Inputs) -> tuple[float, ...]:
    return i["E_nu_GeV"], i["T_GeV"], i["Z"], i["N"], i["M_GeV"]


def _per_atom(i: Inputs) -> float:
    def one(isotope: ph.Isotope) -> Any:
        return ph.dsigma_dt_nucleus_sm(
            i["E_nu_GeV"],
            i["T_GeV"],
            isotope.z,
            isotope.n,
            isotope.mass,
            i["sin2_theta_W"],
            _of_mass_number(i)(isotope.a),
        )

    listed = [ph.Isotope(i["Z"], one["A"], one["abundance"], one["M_GeV"]) for one in i["isotopes"]]
    return ph.per_atom(listed, one)


def _lindhard(function: Any, i: Inputs) -> float:
    return function(i["E_nr_keV"] * 1e-6, i["Z"], i["k"])


def _fractions(i: Inputs) -> tuple[Any, Any]:
    return i["fission_fractions"], i["energy_per_fission_MeV"]


def _turn(i: Inputs) -> tuple[float, float, float]:
    return i["mu_muB"], i["B_T"], i["L_m"]


SPIN_FLIPS = {
    "dirac_nueL_nueR": ("nue", None),
    "dirac_numuL_numuR": ("numu", None),
    "dirac_nutauL_nutauR": ("nutau", None),
    "majorana_nue_antinumu": ("nue", "numubar"),
    "majorana_nue_antinutau": ("nue", "nutaubar"),
    "majorana_numu_antinue": ("numu", "nuebar"),
    "majorana_numu_antinutau": ("numu", "nutaubar"),
}

QUANTITIES: dict[str, Callable[[Inputs], float]] = {
    "constant:m_e": lambda i: ph.M_E,
    "constant:alpha": lambda i: ph.ALPHA,
    "constant:G_F": lambda i: ph.G_F,
    "constant:hbarc": lambda i: ph.HBARC,
    "constant:hbarc2": lambda i: ph.HBARC2,
    "constant:m_mu": lambda i: ph.M_MU,
    "constant:m_tau": lambda i: ph.M_TAU,
    "constant:m_W": lambda i: ph.M_W,
    "constant:sigma_mag_prefactor": lambda i: ph.SIGMA_MAGNETIC,
    "constant:sigma_sm_prefactor": lambda i: ph.SIGMA_SM,
    "constant:charge_radius_coefficient": lambda i: ph.CHARGE_RADIUS_COEFFICIENT,
    "constant:osc_phase_coefficient": lambda i: ph.OSCILLATION_COEFFICIENT,
    "T_max": lambda i: ph.t_max(i["E_nu_GeV"]),
    "E_nu_min": lambda i: ph.e_nu_min(i["T_GeV"]),
    "cos_theta": lambda i: ph.cos_theta(i["E_nu_GeV"], i["T_GeV"]),
    "theta": lambda i: ph.theta(i["E_nu_GeV"], i["T_GeV"]),
    "T_theta2_exact": lambda i: ph.t_theta2(i["E_nu_GeV"], i["T_GeV"]),
    "T_theta2_small_angle": lambda i: ph.t_theta2_small_angle(i["E_nu_GeV"], i["T_GeV"]),
    "T_tan2theta_exact": lambda i: ph.t_tan2_theta(i["E_nu_GeV"], i["T_GeV"]),
    "dT_theta2_dT_exact": lambda i: ph.dt_theta2_dt(i["E_nu_GeV"], i["T_GeV"]),
    "Q2": lambda i: ph.q2(i["T_GeV"]),
    "T_of_theta": lambda i: ph.t_of_theta(i["E_nu_GeV"], i["theta_rad"]),
    "T_of_Ttheta2_upper_branch": lambda i: ph.t_of_t_theta2(i["E_nu_GeV"], i["Ttheta2_GeV_rad2"], True),
    "T_at_max_Ttheta2": lambda i: ph.t_at_max_t_theta2(i["E_nu_GeV"]),
    "max_Ttheta2": lambda i: ph.max_t_theta2(i["E_nu_GeV"]),
    "g_V_tree": lambda i: ph.g_v(_pdg(i), i["sin2_theta_W"]),
    "g_A_tree": lambda i: ph.g_a(_pdg(i)),
    "dsigma_dT_SM": lambda i: ph.dsigma_dt_sm(_pdg(i), i["E_nu_GeV"], i["T_GeV"], i["sin2_theta_W"]),
    "dsigma_dT_MAG": lambda i: ph.dsigma_dt_magnetic(i["E_nu_GeV"], i["T_GeV"], i["mu_muB"]),
    "ratio_MAG_SM_dT": lambda i: ph.ratio_magnetic_sm(
        _pdg(i), i["E_nu_GeV"], i["T_GeV"], i["mu_muB"], i["sin2_theta_W"]
    ),
    "dsigma_dTtheta2_MAG_exact_at_T": lambda i: ph.dsigma_dt_theta2_magnetic(i["E_nu_GeV"], i["T_GeV"], i["mu_muB"]),
    "dsigma_dTtheta2_SM_exact_at_T": lambda i: ph.dsigma_dt_theta2_sm(
        _pdg(i), i["E_nu_GeV"], i["T_GeV"], i["sin2_theta_W"]
    ),
    "dsigma_dcostheta_SM": lambda i: ph.dsigma_dcos_theta_sm(_pdg(i), i["E_nu_GeV"], i["theta_rad"], i["sin2_theta_W"]),
    "dsigma_dcostheta_MAG": lambda i: ph.dsigma_dcos_theta_magnetic(i["E_nu_GeV"], i["theta_rad"], i["mu_muB"]),
    "dsigma_dtheta2_SM_exact": lambda i: ph.dsigma_dtheta2_sm(
        _pdg(i), i["E_nu_GeV"], i["theta_rad"], i["sin2_theta_W"]
    ),
    "dsigma_dtheta2_MAG_exact": lambda i: ph.dsigma_dtheta2_magnetic(i["E_nu_GeV"], i["theta_rad"], i["mu_muB"]),
    "dsigma_dtheta2_SM_small_angle": lambda i: ph.dsigma_dtheta2_sm_small_angle(
        _pdg(i), i["E_nu_GeV"], i["theta_rad"], i["sin2_theta_W"]
    ),
    "dsigma_dtheta2_MAG_small_angle": lambda i: ph.dsigma_dtheta2_magnetic_small_angle(
        i["E_nu_GeV"], i["theta_rad"], i["mu_muB"]
    ),
    "dsigma_dTtheta2_SM_small_angle": lambda i: ph.dsigma_dt_theta2_sm_small_angle(
        _pdg(i), i["E_nu_GeV"], i["Ttheta2_GeV_rad2"], i["sin2_theta_W"]
    ),
    "dsigma_dTtheta2_MAG_small_angle": lambda i: ph.dsigma_dt_theta2_magnetic_small_angle(
        i["E_nu_GeV"], i["Ttheta2_GeV_rad2"], i["mu_muB"]
    ),
    "sigma_SM": lambda i: ph.sigma_sm(_pdg(i), i["E_nu_GeV"], i["T_min_GeV"], i["T_max_GeV"], i["sin2_theta_W"]),
    "sigma_MAG": lambda i: ph.sigma_magnetic(i["E_nu_GeV"], i["T_min_GeV"], i["T_max_GeV"], i["mu_muB"]),
    "ratio_MAG_SM_sigma": lambda i: ph.ratio_magnetic_sm_between(
        _pdg(i), i["E_nu_GeV"], i["T_min_GeV"], i["T_max_GeV"], i["mu_muB"], i["sin2_theta_W"]
    ),
    "T_equal_lowT": lambda i: ph.t_equal_low(_pdg(i), i["mu_muB"], i["sin2_theta_W"]),
    "r2_SM_note_eq13": lambda i: ph.charge_radius_note(i["lepton"]),
    "r2_SM_physical": lambda i: ph.charge_radius_sm(i["lepton"]),
    "delta_gV_charge_radius": lambda i: ph.delta_gv_charge_radius(i["r2_cm2"]),
    "delta_gV_millicharge": lambda i: ph.delta_gv_millicharge(i["T_GeV"], i["q_e"]),
    "dsigma_dT_SM_charge_radius": lambda i: ph.dsigma_dt_charge_radius(
        _pdg(i), i["E_nu_GeV"], i["T_GeV"], i["r2_cm2"], i["sin2_theta_W"]
    ),
    "dsigma_dT_SM_millicharge": lambda i: ph.dsigma_dt_millicharge(
        _pdg(i), i["E_nu_GeV"], i["T_GeV"], i["q_e"], i["sin2_theta_W"]
    ),
    "dsigma_dT_SM_charge_radius_transition": lambda i: ph.dsigma_dt_charge_radius(
        _pdg(i), i["E_nu_GeV"], i["T_GeV"], i["r2_cm2"], i["sin2_theta_W"], transitions=i["r2_offdiag_abs_cm2"]
    ),
    "dsigma_dT_BKS": lambda i: ph.dsigma_dt_bks(_pdg(i), i["E_nu_GeV"], i["T_GeV"], i["sin2_theta_W_MZ"]),
    "dsigma_dT_BKS_noQED": lambda i: ph.dsigma_dt_bks_weak(_pdg(i), i["E_nu_GeV"], i["T_GeV"], i["sin2_theta_W_MZ"]),
    "BKS_f_minus": lambda i: ph.bks_f_minus(i["E_nu_GeV"], i["T_GeV"]),
    "BKS_one_minus_z_sq_f_plus": lambda i: ph.bks_f_plus(i["E_nu_GeV"], i["T_GeV"]),
    "BKS_f_plusminus": lambda i: ph.bks_f_mixed(i["E_nu_GeV"], i["T_GeV"]),
    "PMNS_abs": lambda i: abs(_pmns(i)),
    "PMNS_re": lambda i: _pmns(i).real,
    "PMNS_im": lambda i: _pmns(i).imag,
    "mu_eff_sq_short_baseline": lambda i: ph.effective_moment2_short(i["flavour"], *_moments(i), _mixing(i)),
    "mu_eff_sq": lambda i: ph.effective_moment2(i["flavour"], *_moments(i), _mixing(i), i["L_km"], i["E_GeV"]),
    "mu_eff_sq_solar": lambda i: ph.effective_moment2_solar(*_moments(i), _mixing(i), *_solar(i)),
    "solar_A": lambda i: ph.solar_potential(*_solar(i)),
    "solar_cos2theta12_matter": lambda i: ph.solar_cos2_theta12(_mixing(i), *_solar(i)),
    "solar_P_e1": lambda i: ph.solar_probabilities(_mixing(i), *_solar(i))[0],
    "solar_P_e2": lambda i: ph.solar_probabilities(_mixing(i), *_solar(i))[1],
    "solar_P_e3": lambda i: ph.solar_probabilities(_mixing(i), *_solar(i))[2],
    "solar_P_ee": lambda i: ph.solar_survival(_mixing(i), *_solar(i)),
    "osc_phase_dm31": lambda i: ph.oscillation_phase(i["dm2_eV2"], i["L_km"], i["E_GeV"]),
    "Z_eff_Xe_step": lambda i: ph.z_effective_xenon(i["T_keV"] * 1e-6),
    "dsigma_dT_MAG_Xe_atom_step": lambda i: ph.dsigma_dt_magnetic_xenon(
        i["E_nu_MeV"] * 1e-3, i["T_keV"] * 1e-6, i["mu_muB"]
    ),
    "dsigma_dT_SM_Xe_atom_step": lambda i: ph.dsigma_dt_sm_xenon(
        _pdg(i), i["E_nu_MeV"] * 1e-3, i["T_keV"] * 1e-6, i["sin2_theta_W"]
    ),
    "mu_dirac_minimal": lambda i: ph.dirac_moment(i["m_nu_eV"]),
    "mu_dirac_matrix_abs": lambda i: abs(_minimal(i, "dirac", 0)),
    "eps_dirac_matrix_abs": lambda i: abs(_minimal(i, "dirac", 1)),
    "mu_majorana_matrix_im": lambda i: _minimal(i, "majorana", 0).imag,
    "eps_majorana_matrix_im": lambda i: _minimal(i, "majorana", 1).imag,
    "naturalness_dirac_mu_max": lambda i: ph.natural_dirac_moment(i["m_nu_eV"], i["Lambda_TeV"]),
    "naturalness_dirac_mu_max_16pi_over_alpha": lambda i: ph.natural_dirac_moment_loop(i["m_nu_eV"], i["Lambda_TeV"]),
    "naturalness_majorana_mu_max": lambda i: ph.natural_majorana_moment(i["pair"], i["m_nu_eV"], i["Lambda_TeV"]),
    "T_max_nucleus": lambda i: ph.t_max_nucleus(i["E_nu_GeV"], i["M_GeV"]),
    "E_nu_min_nucleus": lambda i: ph.e_nu_min_nucleus(i["T_GeV"], i["M_GeV"]),
    "weak_charge": lambda i: ph.weak_charge(i["Z"], i["N"], i["sin2_theta_W"]),
    "helm_form_factor": lambda i: ph.helm_form_factor(
        i["Q2_GeV2"], i["A"], i["a_fm"], i["s_fm"], i["c0_fm"], i["c1_fm"]
    ),
    "klein_nystrand_form_factor": lambda i: ph.klein_nystrand_form_factor(i["Q2_GeV2"], i["A"], i["r0_fm"], i["ak_fm"]),
    "dsigma_dt_cevns_sm": lambda i: ph.dsigma_dt_nucleus_sm(*_nucleus(i), i["sin2_theta_W"], _form_factor(i)),
    "dsigma_dt_cevns_charge_radius": lambda i: ph.dsigma_dt_nucleus_charge_radius(
        *_nucleus(i), i["r2_cm2"], i["sin2_theta_W"], _form_factor(i), transitions=i.get("r2_offdiag_abs_cm2", ())
    ),
    "dsigma_dt_cevns_millicharge": lambda i: ph.dsigma_dt_nucleus_millicharge(
        *_nucleus(i), i["q_e"], i["sin2_theta_W"], _form_factor(i), transitions=i.get("q_offdiag_abs_e", ())
    ),
    "dsigma_dt_nucleus_magnetic": lambda i: ph.dsigma_dt_nucleus_magnetic(
        i["E_nu_GeV"], i["T_GeV"], i["mu_muB"], i["Z"], i["M_GeV"], _form_factor(i)
    ),
    "sigma_cevns_sm_above": lambda i: ph.sigma_nucleus_sm(
        i["E_nu_GeV"], i["T_min_GeV"], math.inf, i["Z"], i["N"], i["M_GeV"], i["sin2_theta_W"], _form_factor(i)
    ),
    "sigma_nucleus_magnetic_above": lambda i: ph.sigma_nucleus_magnetic(
        i["E_nu_GeV"], i["T_min_GeV"], math.inf, i["mu_muB"], i["Z"], i["M_GeV"], _form_factor(i)
    ),
    "T_equal_lowT_nucleus": lambda i: ph.t_equal_low_nucleus(
        i["Z"], i["N"], i["M_GeV"], i["mu_muB"], i["sin2_theta_W"]
    ),
    "dsigma_dt_cevns_sm_element": _per_atom,
    "lindhard_quenching": lambda i: _lindhard(ph.lindhard_quenching, i),
    "lindhard_dEee_dEnr": lambda i: _lindhard(ph.lindhard_slope, i),
    "lindhard_recoil_energy": lambda i: 1e6 * ph.lindhard_recoil_energy(i["E_ee_keV"] * 1e-6, i["Z"], i["k"]),
    "lindhard_k_default": lambda i: ph.lindhard_k(i["Z"], i["A"]),
    "free_electron_fraction": lambda i: ph.free_electrons(i["T_keV"] * 1e-6, i["shells_keV_n"]) / i["Z"],
    "dsigma_dt_atom_step_sm": lambda i: ph.dsigma_dt_sm_atom(
        _pdg(i), i["E_nu_MeV"] * 1e-3, i["T_keV"] * 1e-6, i["sin2_theta_W"], i["shells_keV_n"]
    ),
    "dsigma_dt_atom_step_magnetic": lambda i: ph.dsigma_dt_magnetic_atom(
        i["E_nu_MeV"] * 1e-3, i["T_keV"] * 1e-6, i["mu_muB"], i["shells_keV_n"]
    ),
    "dar_numu_line_energy": lambda i: 1e3 * ph.pion_decay_line_numu(i["m_pi_MeV"] * 1e-3, i["m_mu_MeV"] * 1e-3),
    "dar_spectrum_nue": lambda i: 1e-3 * ph.pion_decay_nue(i["E_MeV"] * 1e-3, i["m_mu_MeV"] * 1e-3),
    "dar_fraction_above_nue": lambda i: ph.pion_decay_fraction_above_nue(i["E_MeV"] * 1e-3, i["m_mu_MeV"] * 1e-3),
    "dar_spectrum_numubar": lambda i: 1e-3 * ph.pion_decay_numubar(i["E_MeV"] * 1e-3, i["m_mu_MeV"] * 1e-3),
    "dar_fraction_above_numubar": lambda i: ph.pion_decay_fraction_above_numubar(
        i["E_MeV"] * 1e-3, i["m_mu_MeV"] * 1e-3
    ),
    "reactor_energy_per_fission": lambda i: ph.energy_per_fission_mev(*_fractions(i)),
    "reactor_fission_rate": lambda i: ph.fission_rate(i["P_th_GW"], *_fractions(i)),
    "reactor_flux": lambda i: ph.reactor_flux(i["P_th_GW"], i["L_m"], i["nu_per_fission"], *_fractions(i)),
    "reactor_spectrum_huber_mueller": lambda i: (
        1e-3 * ph.reactor_spectrum(i["E_MeV"] * 1e-3, i["fission_fractions"], i["coefficients"])
    ),
    "radiative_decay_rate": lambda i: ph.radiative_decay_rate(i["mu_muB"], i["eps_muB"], i["m_i_eV"], i["m_j_eV"]),
    "radiative_lifetime": lambda i: ph.radiative_lifetime(i["mu_muB"], i["eps_muB"], i["m_i_eV"], i["m_j_eV"]),
    "plasma_frequency_degenerate": lambda i: ph.plasma_frequency_degenerate(i["rho_g_cm3"], i["Y_e"]),
    "plasma_frequency_nonrelativistic": lambda i: ph.plasma_frequency_nonrelativistic(i["n_e_cm3"]),
    "plasmon_decay_rate_magnetic": lambda i: ph.plasmon_decay_rate_magnetic(i["mu_muB"], i["omega_eV"], i["k_eV"]),
    "plasmon_decay_rate_sm": lambda i: ph.plasmon_decay_rate_sm(i["C_V2"], i["omega_eV"], i["k_eV"]),
    "plasmon_ratio_magnetic_sm": lambda i: ph.plasmon_ratio_magnetic_sm(i["mu_muB"], i["C_V2"], i["K2_eV2"]),
    "spin_precession_phase": lambda i: ph.spin_precession_phase(*_turn(i), i["mu_B_eV_per_T"]),
    "spin_precession_probability": lambda i: ph.spin_precession_probability(*_turn(i), i["mu_B_eV_per_T"]),
    "spin_precession_probability_matter": lambda i: ph.spin_precession_probability_matter(
        *_turn(i), i["E_MeV"] * 1e-3, i["dm2_eV2"], i["cos2theta"], i["V_eV"], i["mu_B_eV_per_T"]
    ),
    "spin_matter_potential": lambda i: ph.spin_flip_potential(
        *SPIN_FLIPS[i["channel"]], i["ne_NA_cm3"], i["nn_NA_cm3"]
    ),
    "spin_flavour_resonance_density": lambda i: ph.spin_flavour_resonance_density(
        i["dm2_eV2"], i["cos2theta"], i["E_MeV"] * 1e-3
    ),
}
