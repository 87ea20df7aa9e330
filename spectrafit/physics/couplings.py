"""The name of a fitted coupling in; its powers, unit, boundary and carriers out (pure Python, nothing heavy).

Every cross section here is a polynomial in one number kappa, ``dsigma(kappa) = dsigma_SM + kappa dsigma_1 + kappa^2
dsigma_2``, so a template per power is all that a fit needs. kappa is scaled such that values of order one matter;
kappa = 0 is the Standard Model. A new coupling of one of the two families below is one entry of `COUPLINGS`.

"dipole": adds incoherently, ``kappa dsigma_1 ~ mu^2 (1/T - 1/E)``.
"vector": shifts g_V by ``kappa (constant + inverse_t / T)`` and so interferes: a linear and a square term.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from spectrafit.physics.constants import CHARGE_RADIUS_COEFFICIENT, MILLICHARGE_COEFFICIENT, SIN2_THETA_W

__all__ = ["COUPLINGS", "Coupling"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Coupling:
    """One number that neutrino-electron scattering can be fitted for.

    Attributes
    ----------
    name : what the TOML calls it.
    title : what a table or figure calls it.
    family : "dipole" (one power of kappa) or "vector" (two).
    symbol, unit : of the reported quantity; `unit` is empty for a pure number.
    scale : reported quantity per unit of kappa, or its square where `root` is 2.
    root : 1 if the reported quantity is linear in kappa, 2 if it is the square root.
    reference : reported quantity at kappa = 0.
    lower : smallest physical kappa, None if both signs are physical. The boundary belongs into test statistic and
        interval, not into the range of the fit.
    carriers : PDG codes of the flavours that carry it unless the user says otherwise.
    constant, inverse_t : shift of g_V per unit of kappa, and its part that goes as 1/T (GeV); "vector" only.
    """

    name: str
    title: str
    family: Literal["dipole", "vector"]
    symbol: str
    unit: str
    scale: float
    root: Literal[1, 2] = 1
    reference: float = 0.0
    lower: float | None = None
    carriers: tuple[int, ...] = (14, -14)
    constant: float = 0.0
    inverse_t: float = 0.0

    @property
    def powers(self) -> int:
        """P, the number of powers of kappa above 0."""
        return 1 if self.family == "dipole" else 2

    def reported(self, kappa: float) -> float:
        """Return the reported quantity (`symbol`, in `unit`) at `kappa`; an unphysical kappa is reported at `lower`.

        A fit of mu^2 may well prefer a negative one; mu itself then has its best value at 0.
        """
        inside = kappa if self.lower is None else max(kappa, self.lower)
        return self.reference + (self.scale * inside if self.root == 1 else math.sqrt(self.scale * inside))

    def kappa(self, reported: float) -> float:
        """Return kappa at a value of the reported quantity (in `unit`): the inverse of `reported`."""
        distance = reported - self.reference
        return distance / self.scale if self.root == 1 else distance * distance / self.scale


COUPLINGS: Final[dict[str, Coupling]] = {
    coupling.name: coupling
    for coupling in (
        Coupling(
            name="magnetic_moment",
            title="effective magnetic moment",
            family="dipole",
            symbol="mu_nu",
            unit="mu_B",
            scale=1e-18,
            root=2,
            lower=0.0,
        ),
        Coupling(
            name="charge_radius",
            title="charge radius",
            family="vector",
            symbol="<r^2>",
            unit="cm^2",
            scale=1e-32,
            constant=1e-32 * CHARGE_RADIUS_COEFFICIENT,
        ),
        Coupling(
            name="millicharge",
            title="electric millicharge",
            family="vector",
            symbol="q_nu",
            unit="e",
            scale=1e-9,
            inverse_t=-1e-9 * MILLICHARGE_COEFFICIENT,
        ),
        Coupling(
            name="weak_mixing_angle",
            title="weak mixing angle",
            family="vector",
            symbol="sin^2 theta_W",
            unit="",
            scale=0.01,
            reference=SIN2_THETA_W,
            carriers=(12, -12, 14, -14, 16, -16),
            constant=2.0 * 0.01,
        ),
    )
}
"""The couplings that can be fitted, by name."""
