"""The couplings that a fit can be made for, and the products of them that every cross section is a sum of.

A coupling is one number, kappa. A cross section is a polynomial in it, ``dsigma(kappa) = dsigma_SM + kappa dsigma_1 +
kappa^2 dsigma_2``. kappa is scaled such that values of order one matter; kappa = 0 is the Standard Model. Several
couplings are fitted at once: `Monomials` lists the products of their kappas that occur (1, kappa_1, kappa_2, kappa_1
kappa_2, ...). The events fill one template for each monomial, and the fit needs nothing else.

A coupling belongs to one of two families. A new coupling of one of them is one entry of `COUPLINGS`.

"dipole": the cross section of a magnetic moment is added, ``kappa dsigma_1 ~ mu^2 (1/T - 1/E)``. Nothing interferes.
"vector": g_V shifts by ``kappa (constant + inverse_t / T)``. The shift interferes with the Standard Model and with the
    other shifts of the same flavour: a linear term, a square, and a product for every two couplings.

The module is pure Python, because the configuration reads it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Final, Literal

from spectrafit.physics.constants import CHARGE_RADIUS_COEFFICIENT, MILLICHARGE_COEFFICIENT, SIN2_THETA_W
from spectrafit.physics.flavours import flavour

__all__ = ["COUPLINGS", "Coupling", "FittedCoupling", "Monomials"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Coupling:
    """One number that neutrino-electron scattering can be fitted for.

    Attributes
    ----------
    name : what the TOML calls it.
    title : what a table or figure calls it.
    family : "dipole" (alone it has the monomials 1 and kappa) or "vector" (1, kappa and kappa^2).
    symbol, unit : of the reported quantity; `unit` is empty for a pure number.
    scale : reported quantity per unit of kappa, or its square where `root` is 2.
    root : 1 if the reported quantity is linear in kappa, 2 if it is the square root.
    reference : reported quantity at kappa = 0.
    lower : smallest physical kappa, None if both signs are physical. The boundary belongs into test statistic and
        interval, not into the range of the fit.
    carriers : PDG codes of the flavours that carry it unless the user says otherwise.
    constant, inverse_t : shift of g_V per unit of kappa, and its part that goes as 1/T (GeV); "vector" only.
    moves_angle : the coupling is sin^2 theta_W itself. Its flavours start from `reference`, whatever angle the others
        have, and radiative corrections scale its shift as they scale the angle's part of g_V. `constant` only.
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
    moves_angle: bool = False

    @property
    def powers(self) -> int:
        """The highest power of kappa in the cross section. The coupling alone has M = 1 + this many monomials."""
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
            moves_angle=True,
        ),
    )
}
"""The couplings that can be fitted, by name."""


@dataclass(frozen=True, kw_only=True)
class FittedCoupling:
    """A coupling, the parameter that stands for its kappa, and the flavours that it acts on.

    Attributes
    ----------
    parameter : name of the parameter of the fit, "kappa" unless the analysis says otherwise.
    coupling : an entry of `COUPLINGS`.
    carriers : PDG codes of the flavours whose value is fitted. Without any, the coupling is only held at `fixed`.
    fixed : PDG code and value, in the coupling's reported unit, of flavours whose value is held.

    Raises
    ------
    ValueError
        An unknown flavour; a flavour that is both fitted and held; a held value that is not a finite number.
    """

    parameter: str
    coupling: Coupling
    carriers: tuple[int, ...]
    fixed: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse flavours that are unknown, or fitted and held at once."""
        held = [flavour(code) for code, _ in self.fixed]
        for code in map(flavour, self.carriers):
            if code in held:
                raise ValueError(
                    f"{self.parameter}: flavour {code} carries the fitted coupling and has a fixed value too; leave it"
                    " out of the carriers or of the fixed values"
                )
        for code, value in self.fixed:
            if not math.isfinite(value):
                raise ValueError(f"{self.parameter}: the fixed value of flavour {code} is {value}; give a number")

    @classmethod
    def of(
        cls,
        coupling: Coupling,
        *,
        parameter: str = "kappa",
        carriers: Iterable[int | str] | None = None,
        fixed: Mapping[int | str, float] | None = None,
    ) -> FittedCoupling:
        """Return a fitted coupling whose flavours are given by name or PDG code; without carriers, the usual ones."""
        return cls(
            parameter=parameter,
            coupling=coupling,
            carriers=coupling.carriers if carriers is None else tuple(flavour(name) for name in carriers),
            fixed=tuple((flavour(name), value) for name, value in (fixed or {}).items()),
        )


@dataclass(frozen=True, kw_only=True)
class Monomials:
    """The products of powers of the fitted couplings whose sum every cross section is: 1, kappa, kappa^2, ...

    A template is filled for each of the M monomials. The variance of the simulation is a sum over the Q distinct
    products of two of them.

    Attributes
    ----------
    parameters : (C,) names of the parameters.
    exponents : (M,) tuple of (C,) tuples, by degree. The first holds zeros alone: the Standard Model.
    """

    parameters: tuple[str, ...]
    exponents: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, couplings: Sequence[FittedCoupling]) -> Monomials:
        """Return the monomials of several couplings.

        A dipole adds one monomial, its kappa. A coupling that shifts g_V adds kappa and kappa^2, because the cross
        section is quadratic in g_V. Two couplings that shift g_V of the same flavour add the product of their kappas.
        A coupling that is only held adds none.

        Raises
        ------
        ValueError
            Two dipole couplings of one flavour, which no spectrum tells apart; a parameter named twice.
        """
        fitted = [coupling for coupling in couplings if coupling.carriers]
        names = tuple(coupling.parameter for coupling in fitted)
        if len(set(names)) < len(names):
            raise ValueError(f"parameters {', '.join(names)}: each coupling needs a parameter name of its own")
        found = {(0,) * len(fitted)}
        for place, coupling in enumerate(fitted):
            found.add(_exponents(len(fitted), (place,)))
            if coupling.coupling.family == "vector":
                found.add(_exponents(len(fitted), (place, place)))
        for one, other in combinations_with_replacement(range(len(fitted)), 2):
            shared = sorted(set(fitted[one].carriers) & set(fitted[other].carriers))
            if one == other or not shared or fitted[one].coupling.family != fitted[other].coupling.family:
                continue
            if fitted[one].coupling.family == "dipole":
                raise ValueError(
                    f"{names[one]} and {names[other]}: both are magnetic moments of flavour {shared[0]}, which no"
                    " spectrum tells apart; give them different carriers"
                )
            found.add(_exponents(len(fitted), (one, other)))
        return cls(parameters=names, exponents=_ordered(found))

    @functools.cached_property
    def products(self) -> tuple[tuple[int, ...], ...]:
        """(Q,) tuple of (C,) tuples: the exponents of the distinct products of two monomials, by degree."""
        return _ordered({_sum(first, second) for first in self.exponents for second in self.exponents})

    @functools.cached_property
    def places(self) -> tuple[tuple[int, ...], ...]:
        """(M, M): for monomials m and n, the place of their product in `products`."""
        return tuple(
            tuple(self.products.index(_sum(first, second)) for second in self.exponents) for first in self.exponents
        )

    def __len__(self) -> int:
        """Return M."""
        return len(self.exponents)

    def factors(self, exponents: Sequence[int]) -> tuple[tuple[str, int], ...]:
        """Return the parameters and powers that a monomial or product is made of; none for the Standard Model."""
        return tuple((name, power) for name, power in zip(self.parameters, exponents, strict=True) if power)


def _exponents(size: int, which: Iterable[int]) -> tuple[int, ...]:
    result = [0] * size
    for place in which:
        result[place] += 1
    return tuple(result)


def _sum(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(left + right for left, right in zip(a, b, strict=True))


def _ordered(found: Iterable[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """Return exponents by degree, those of the first coupling first."""
    return tuple(sorted(found, key=lambda e: (sum(e), [-power for power in e])))
