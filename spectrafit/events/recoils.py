"""Coherent scattering on the nuclei of a target: a spectrum to draw from, and the weights of what is drawn.

The weak cross section on spin 0 vanishes at the end point of the recoil, where a magnetic moment's does not, and the
latter rises as 1/T. Events drawn from the weak cross section would say little of the former. They are drawn from::

    1 - T/T_max + T_max/(4 T)

in place of the weak cross section's 1 - T/T_max, each kind of nucleus with its weak charge and number. The weight is
the cross section wanted, form factor and couplings included, over the one that is drawn from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.errors import ConfigError
from spectrafit.events.flux import Flux
from spectrafit.events.sources import Beam
from spectrafit.events.spectrum import Spectrum, tabulated
from spectrafit.events.targets import Nucleus, form_factor_of
from spectrafit.physics.constants import SIGMA_SM
from spectrafit.physics.couplings import COUPLINGS, FittedCoupling, Monomials
from spectrafit.physics.flavours import flavour
from spectrafit.physics.nucleus import WEAK, weak_charge
from spectrafit.physics.weighing_nucleus import weigh_nucleus

__all__ = ["recoil_spectrum", "recoil_theta", "recoil_weights"]


def recoil_spectrum(
    flux: Flux | Beam,
    pdg: int | str,
    nuclei: Sequence[Nucleus],
    *,
    sin2_theta_w: float,
    t_min: float,
    t_max: float = math.inf,
) -> Spectrum:
    """Return what coherent events are drawn from; its rate is per nucleus of any kind, before the weights.

    Parameters
    ----------
    flux, pdg : as `spectrum`.
    nuclei : sequence of Nucleus
        One row of `Spectrum.parameters` for each, in this order.
    sin2_theta_w : float
    t_min, t_max : float
        Range of recoil energy, GeV.

    Raises
    ------
    ConfigError
        `t_min` is 0, or no event lies in the range.
    """
    if not 0.0 < t_min < t_max:
        raise ConfigError(f"t_min = {t_min}: scattering on nuclei needs a t_min above 0 and below t_max")
    whole = sum(nucleus.number for nucleus in nuclei)
    rows = [
        [
            *(0.0, 0.0, 0.0, 0.0, t_min, t_max, one.mass),
            WEAK * one.mass * weak_charge(one.z, one.a - one.z, sin2_theta_w) ** 2 / SIGMA_SM * one.number / whole,
        ]
        for one in nuclei
    ]
    what = f"{pdg} has a recoil between {t_min:g} and {t_max:g} GeV"
    return tabulated(flux, flavour(pdg), np.array(rows), np.array([[0.0, 1.0]]), what)


def recoil_weights(
    pdg: int,
    e_nu: Floats,
    t: Floats,
    row: Integers,
    nuclei: Sequence[Nucleus],
    *,
    form_factor: str,
    sin2_theta_w: float,
    couplings: Mapping[str, float],
) -> Floats:
    """Return the weights of events that `recoil_spectrum` drew, (N,); for nuclei of Z = z protons and n neutrons.

    Parameters
    ----------
    pdg : int
    e_nu, t, row : (N,) arrays
        As drawn, GeV.
    nuclei : the same as for the spectrum.
    form_factor : "helm", "klein-nystrand" or "point"
    sin2_theta_w : float
    couplings : mapping of coupling to kappa
    """
    mass = np.array([one.mass for one in nuclei])[row]
    z = np.array([one.z for one in nuclei])[row]
    n = np.array([one.a - one.z for one in nuclei])[row]
    share = t * (mass + 2.0 * e_nu) / (2.0 * e_nu * e_nu)
    weight: Floats = np.maximum(1.0 - share, 0.0) / (1.0 - share + 0.25 / share)
    for which, one in enumerate(nuclei):
        function = form_factor_of(form_factor, one)
        if function is not None:
            mine = row == which
            weight[mine] *= function(2.0 * one.mass * t[mine]) ** 2
    fitted = [FittedCoupling.of(COUPLINGS[name], parameter=name, carriers=[pdg]) for name in couplings]
    if fitted:
        terms = weigh_nucleus(fitted, np.full(t.size, pdg), e_nu, t, z, n, mass, sin2_theta_w_generated=sin2_theta_w)
        values = list(couplings.values())
        weight *= np.prod(np.array(values) ** np.array(Monomials.of(fitted).exponents), axis=1) @ terms
    return weight


def recoil_theta(e_nu: Floats, t: Floats, mass: Floats) -> Floats:
    """Return the angle of the nucleus to the neutrino, rad: T tan^2 theta = 2 M (1 - T/T_max) E^2/(E + M)^2."""
    rest = np.maximum(1.0 - t * (mass + 2.0 * e_nu) / (2.0 * e_nu * e_nu), 0.0)
    return np.asarray(np.arctan(np.sqrt(2.0 * mass * rest / t) * e_nu / (e_nu + mass)))
