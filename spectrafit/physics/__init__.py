"""The physics of neutrino-electron scattering with electromagnetic properties of the neutrino.

Functions take numbers and return numbers: scalars, numpy arrays and, where events flow through, jagged awkward arrays.
No files and no events here. Energies are in GeV, angles in rad, cross sections in cm^2, magnetic moments in mu_B,
charge radii in cm^2, charges in units of the proton's. A flavour is a PDG code (12, 14, 16, negative for
antineutrinos). Modules: `constants`, `flavours`, `kinematics`, `cross_sections`, `angular`, `electromagnetic` (charge
radius, millicharge), `radiative`, `couplings` (the couplings that can be fitted), `weighing` (events to weights),
`mixing`, `moments`, `naturalness`, `atoms`; for nuclei `nucleus`, `nucleus_totals`, `weighing_nucleus`,
`form_factors`, `elements`, `isotopes`, `quenching`; for sources `pion_decay`, `solar`, `reactor`, `reactor_low_energy`,
`radioactive`, `beta_decay`; for the sky `astrophysics`, `spin_precession`, `bounds`. All their public names are found
here too.

>>> from spectrafit import physics as ph
>>> numu, e, t, s2w = ph.flavour("numu"), 2.0, 0.3, ph.SIN2_THETA_W
>>> print(f"{ph.dsigma_dt_sm(numu, e, t, s2w):.4e} {ph.dsigma_dt_magnetic(e, t, 1e-9):.4e} cm^2/GeV")
1.8863e-42 7.0682e-43 cm^2/GeV

Errata of the note
------------------
"The note" is R. Kralik, "Measurement of the neutrino magnetic moment at the NOvA experiment", technical note, 22
January 2024. This package follows its equations where they are right; here is where they are not, with numbers.

Equation 6 has 3.2e-19 mu_B for a Dirac neutrino of 1 eV; more digits follow from its left-hand side. Off the diagonal
equation 5 gives 5e-5 of the largest diagonal moment, so "at least 1e-4" holds:

>>> print(f"{ph.dirac_moment(1.0):.5g}")
3.2026e-19
>>> import numpy as np
>>> mixing = ph.ORDERINGS["normal"]
>>> mu, eps = ph.dirac_moments(ph.masses(mixing, 1e-3), mixing)
>>> print(f"{abs(mu - np.diag(np.diag(mu))).max() / abs(mu).max():.1e}")
5.4e-05

Equation 9: an order of magnitude. The loop it stands for, delta m = (alpha/16 pi)(Lambda^2/m_e) mu, has 3.5e-15:

>>> print(f"{ph.natural_dirac_moment_loop(1.0, 1.0):.2e}")
3.52e-15

Equations 10 and 11 lack mu_B on their right-hand sides, and hold for a neutrino mass of 0.3 eV:

>>> print(f"{ph.natural_majorana_moment('taumu', 0.3, 1.0):.1e} {ph.natural_majorana_moment('mue', 0.3, 1.0):.1e}")
1.2e-09 3.4e-07

Equation 12 is right for Dirac neutrinos, but introduced for Majorana ones, where both fields rotate with U: only
U_ai mu_ab U_bj leaves the antisymmetric matrix antisymmetric.

>>> flavour_basis = ph.majorana_vector(1.0, 2.0, 3.0)
>>> for nature in ("dirac", "majorana"):
...     m = ph.to_mass_basis(flavour_basis, mixing, nature)
...     print(nature, "symmetric part", f"{abs(m + m.T).max() / abs(m).max():.2f}")
dirac symmetric part 0.15
majorana symmetric part 0.00

Equations 13 and 14 do not fit equation 4. From the one-photon amplitude, 13 needs an overall factor -2; then the
difference of g_V between nu_mu and nu_tau is the running that the photon's vacuum polarisation gives. The coefficient
of 14, 2/3 m_W^2 sin^2 theta_W, is one of many that agree at tree level only; it should be sqrt(2) pi alpha/(3 G_F):

>>> k = ph.CHARGE_RADIUS_COEFFICIENT
>>> running = ph.ALPHA / (3 * np.pi) * np.log(ph.M_MU**2 / ph.M_TAU**2)
>>> for radius in (ph.charge_radius_sm, ph.charge_radius_note):
...     print(f"{k * (radius('mu') - radius('tau')):.8f} (running: {running:.8f})")
-0.00437067 (running: -0.00437067)
0.00218533 (running: -0.00437067)
>>> print([f"{2 / 3 * ph.M_W**2 * s:.1f}" for s in (0.23863, 0.23129, 0.22348)], f"{k * ph.HBARC2:.1f} GeV^2")
['1027.6', '996.0', '962.3'] 926.6 GeV^2

Equations 16 and 17 are right. Equation 18 is right with the subscript ll for ll'.

Equations 23 to 25 are exact; numerically theta wants the tangent form of `kinematics`. Equation 26 is an approximation,
too high by the factors below; its bound T theta^2 < 2 m is exact, so the usual cut at 3 MeV rad^2 removes no true
event:

>>> for e, t in ((0.5, 0.3), (2.0, 0.3), (2.0, 0.9), (10.0, 0.3), (2.0, 0.01)):
...     print(e, t, f"{100 * (ph.t_theta2_small_angle(e, t) / ph.t_theta2(e, t) - 1):+.2f} %")
0.5 0.3 +0.37 %
2.0 0.3 +0.25 %
2.0 0.9 +0.10 %
10.0 0.3 +0.23 %
2.0 0.01 +6.76 %

Sections 2.3.3 (nuclei) and 2.3.4 (cosmological effects) are headings with little below. `nucleus` says what
scattering on nuclei adds: the magnetic part wins below a few eV of recoil only, which quenching hides. `astrophysics`
and `spin_precession` have the effects between the stars; radiative decay is not one that can be seen:

>>> print(f"{1e9 * ph.t_equal_low_nucleus(32, 42, 68.84, 1e-10, s2w):.1f} eV of recoil in germanium")
5.4 eV of recoil in germanium
>>> print(f"{ph.radiative_lifetime(1e-11, 0.0, 0.05, 0.001):.1e} s")
1.5e+25 s

"Turning active neutrinos into sterile" (before equation 27) is true for Dirac neutrinos only: for Majorana neutrinos
the flipped state is the antineutrino.

Equations 28 and 34 are right. Equations 31 and 35, which the note doubts, are exact: they are 28 and 34 times
|dT/dcos|.

>>> e, theta = 0.5, 0.2
>>> d = (e + ph.M_E) ** 2 - (e * np.cos(theta)) ** 2
>>> jacobian = 4 * ph.M_E * e**2 * np.cos(theta) * (e + ph.M_E) ** 2 / d**2
>>> product = ph.dsigma_dt_sm(numu, e, ph.t_of_theta(e, theta), s2w) * jacobian
>>> print(f"{ph.dsigma_dcos_theta_sm(numu, e, theta, s2w) / product:.12f}")
1.000000000000

Equation 32 has g_V^2 - g_V^2 for g_A^2 - g_V^2 and e_V for E_nu; mended it is low by up to 0.15 % at 0.5 GeV.
Equation 36 lacks the square on its denominator, three orders of magnitude at E = 2 GeV:

>>> e, theta = 2.0, np.array([0.005, 0.020, 0.040])
>>> exact = ph.dsigma_dtheta2_magnetic(e, theta, 1e-9)
>>> mended = ph.dsigma_dtheta2_magnetic_small_angle(e, theta, 1e-9)
>>> print([f"{x:.1e}" for x in mended * (theta**2 + 2 * ph.M_E / e) / exact])
['5.3e-04', '9.1e-04', '2.1e-03']
>>> print([f"{100 * x:+.2f} %" for x in mended / exact - 1])
['-0.34 %', '-0.12 %', '-0.18 %']

Equations 33 and 37 follow from 26 and blow its error up by (E - T)/T. Near T theta^2 = 2 m they mean nothing, because T
theta^2 turns over and has two T to every value:

>>> for e, t in ((0.5, 0.3), (2.0, 0.3), (10.0, 0.3), (2.0, 0.05)):
...     x = ph.t_theta2(e, t)
...     sm = ph.dsigma_dt_theta2_sm_small_angle(numu, e, x, s2w) / ph.dsigma_dt_theta2_sm(numu, e, t, s2w)
...     magnetic = ph.dsigma_dt_theta2_magnetic_small_angle(e, x, 1e-9) / ph.dsigma_dt_theta2_magnetic(e, t, 1e-9)
...     print(e, t, f"33: {100 * (sm - 1):+.1f} %  37: {100 * (magnetic - 1):+.1f} %")
0.5 0.3 33: -0.5 %  37: -1.0 %
2.0 0.3 33: -1.7 %  37: -3.1 %
10.0 0.3 33: -7.7 %  37: -14.1 %
2.0 0.05 33: -53.4 %  37: -69.6 %

Equation 38 lacks 1/(g_V^2 + g_A^2), a factor 4 for nu_mu; the energy meant is the electron's. The exact crossing is at
114.8 MeV for mu = 1e-9 mu_B and E = 2 GeV:

>>> note = 1e3 * ph.SIGMA_MAGNETIC / (2 * ph.SIGMA_SM)
>>> numu_limit, nue_limit = (1e3 * ph.t_equal_low(pdg, 1.0, s2w) for pdg in (14, 12))
>>> print(f"{note:.4g} MeV, nu_mu {numu_limit:.4g}, nu_e {nue_limit:.4g}")
2.895e+19 MeV, nu_mu 1.156e+20, nu_e 2.403e+19
>>> print(f"{1e3 * ph.t_equal(14, 2.0, 1e-9, s2w):.1f} MeV")
114.8 MeV
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Searched in this order and imported when first asked: the table of couplings, which configuration needs, and whatever
# else stands before the cross sections cost no numba.
_MODULES = (
    "constants",
    "flavours",
    "couplings",
    "naturalness",
    "mixing",
    "elements",
    "isotopes",
    "pion_decay",
    "solar",
    "beta_decay",
    "reactor",
    "reactor_low_energy",
    "radioactive",
    "astrophysics",
    "bounds",
    "cross_sections",
    "kinematics",
    "angular",
    "electromagnetic",
    "radiative",
    "weighing",
    "moments",
    "atoms",
    "form_factors",
    "nucleus",
    "nucleus_totals",
    "weighing_nucleus",
    "quenching",
    "spin_precession",
)


def __getattr__(name: str) -> Any:
    """Find a public name in the module that has it."""
    if not name.startswith("_"):
        for module in (import_module(f"{__name__}.{stem}") for stem in _MODULES):
            if name in module.__all__:
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    modules = (import_module(f"{__name__}.{stem}") for stem in _MODULES)
    return sorted(name for module in modules for name in module.__all__)
