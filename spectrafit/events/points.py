"""The values of couplings at which events are weighed, and the weights and coefficients of events for them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Floats, Integers
from spectrafit.errors import ConfigError, nearest
from spectrafit.events.targets import masses_of, numbers_of
from spectrafit.physics.couplings import COUPLINGS, Coupling, FittedCoupling, Monomials
from spectrafit.physics.weighing import weigh
from spectrafit.physics.weighing_nucleus import weigh_nucleus

__all__ = ["Points", "Value", "coupling_of", "unit_of"]

Value = float | Mapping[str, float]
"""A value of the coupling, in its reported unit; or values of several couplings that act together, by their names."""

_UNITS = {"magnetic_moment": 1e-10}
"""Value of the coupling at which the coefficients are given, where it is not one unit of kappa."""


def coupling_of(name: str) -> Coupling:
    """Return a coupling by its name; ConfigError with the nearest names if there is none."""
    if name not in COUPLINGS:
        raise ConfigError(f"no coupling {name!r}{nearest(name, COUPLINGS)} (there are: {', '.join(COUPLINGS)})")
    return COUPLINGS[name]


def unit_of(coupling: Coupling, unit: float | None = None) -> float:
    """Return the value of a coupling that its coefficients are for, in its reported unit."""
    return _UNITS.get(coupling.name, coupling.reported(1.0)) if unit is None else unit


@dataclass(frozen=True, kw_only=True)
class Points:
    """Values of couplings, each of which gives events a weight.

    A point has one coupling or several, which then act together. With one coupling at one value the branches are
    `weight` and `coefficient_P` for each power P of kappa. Otherwise they carry the names of the couplings:
    `weight_COUPLING_VALUE`, with m for minus and p for the decimal point, and `coefficient_COUPLING_P`. A point of
    several couplings adds the coefficients of their products, `coefficient_ONE_1_OTHER_1`. The coefficient of the power
    0 is there for `weak_mixing_angle` alone: its weights start from its own reference.

    Attributes
    ----------
    couplings : tuple of str
        Couplings whose coefficients are asked for.
    points : tuple of tuple of (coupling, value)
    carriers : tuple of flavours, or None for the usual ones of each coupling
    unit : float or None
        Value that the coefficients of a single coupling are for; else 1e-10 mu_B for the magnetic moment, and one unit
        of kappa for the others.
    """

    couplings: tuple[str, ...]
    points: tuple[tuple[tuple[str, float], ...], ...]
    carriers: tuple[int | str, ...] | None = None
    unit: float | None = None

    @classmethod
    def of(
        cls,
        coupling: str | Sequence[str],
        value: Value | Sequence[Value],
        *,
        carriers: Iterable[int | str] | None = None,
        unit: float | None = None,
    ) -> Points:
        """Return the points of some values.

        Parameters
        ----------
        coupling : str or sequence of str
        value : float, mapping, or a sequence of them
            A number is a value of the coupling, if there is one. Couplings of a mapping need not be in `coupling`.

        Raises
        ------
        ConfigError
            An unknown coupling; a number where there are several; no value; a value that is not finite or stands there
            twice; a unit for several couplings; a carrier that is no neutrino.
        """
        names = list((coupling,) if isinstance(coupling, str) else coupling)
        values = (value,) if isinstance(value, float | int | Mapping) else tuple(value)
        found: list[tuple[tuple[str, float], ...]] = []
        for one in values:
            if not isinstance(one, Mapping) and len(names) != 1:
                raise ConfigError(
                    f"value {one:g}: of which coupling ({', '.join(names) or 'none is named'})? write NAME={one:g}"
                )
            pairs = one.items() if isinstance(one, Mapping) else [(names[0], one)]
            point = tuple(sorted(((name, float(number)) for name, number in pairs), key=lambda pair: _order(pair[0])))
            if not point or not all(math.isfinite(number) for _, number in point):
                raise ConfigError(f"value {one}: needs a finite number for each coupling")
            if point in found:
                raise ConfigError(f"value {_words(point)} is given twice; give each value once")
            found.append(point)
        if not found:
            raise ConfigError("reweight: no value is given; give one, as 1e-9 or magnetic_moment=1e-9")
        asked = [*names, *(name for point in found for name, _ in point)]
        every = tuple(sorted(dict.fromkeys(asked), key=_order))
        if unit is not None and len(every) > 1:
            raise ConfigError("reweight: a unit is for a single coupling; leave it out for several")
        made = cls(
            couplings=every,
            points=tuple(found),
            carriers=None if carriers is None else tuple(carriers),
            unit=unit,
        )
        try:
            _ = made.branches
        except ValueError as error:
            raise ConfigError(f"reweight: {error}") from None
        return made

    @property
    def single(self) -> bool:
        """Whether there is one coupling, at one value."""
        return len(self.couplings) == len(self.points) == 1

    @property
    def carrying(self) -> tuple[int | str, ...]:
        """The flavours that have one of the couplings."""
        if self.carriers is not None:
            return self.carriers
        return tuple(dict.fromkeys(code for name in self.couplings for code in COUPLINGS[name].carriers))

    @property
    def codes(self) -> tuple[int, ...]:
        """PDG codes of the flavours that have one of the couplings."""
        return tuple(
            dict.fromkeys(
                code for group in self._groups for coupling in self._fitted(group) for code in coupling.carriers
            )
        )

    @property
    def changes(self) -> bool:
        """Whether a value is not that of the Standard Model."""
        return any(value != 0.0 for point in self.points for _, value in point)

    @property
    def title(self) -> str:
        """What the weights are, in words."""
        of = ", ".join(map(str, self.carrying))
        units = ", ".join(f"{unit_of(COUPLINGS[name], self.unit):g}" for name in self.couplings)
        given = "; ".join(map(_words, self.points))
        return f"{given} of {of}; coefficients at {units}"

    @cached_property
    def weights(self) -> tuple[str, ...]:
        """The branch of each point."""
        return ("weight",) if self.single else tuple(f"weight_{_name(point)}" for point in self.points)

    @cached_property
    def _groups(self) -> tuple[tuple[str, ...], ...]:
        """The couplings that act together: each alone, then those of points with several."""
        alone = [(name,) for name in self.couplings]
        return tuple(dict.fromkeys([*alone, *(tuple(name for name, _ in point) for point in self.points)]))

    def _fitted(self, group: tuple[str, ...]) -> list[FittedCoupling]:
        return [FittedCoupling.of(coupling_of(name), parameter=name, carriers=self.carriers) for name in group]

    def _coefficients(self, group: tuple[str, ...]) -> list[tuple[str, int, float]]:
        """Return the name of each coefficient that a group adds, its monomial, and the product of the units in it."""
        monomials = Monomials.of(self._fitted(group))
        found = []
        for m, exponents in enumerate(monomials.exponents):
            factors = monomials.factors(exponents)
            if len(factors) != len(group) and not (m == 0 and group == ("weak_mixing_angle",) and not self.single):
                continue
            units = [COUPLINGS[name].kappa(unit_of(COUPLINGS[name], self.unit)) ** power for name, power in factors]
            words = "_".join(f"{name}_{power}" for name, power in factors or ((group[0], 0),))
            power = factors[0][1] if factors else 0
            found.append((f"coefficient_{power if self.single else words}", m, math.prod(units)))
        return found

    @cached_property
    def branches(self) -> dict[str, float]:
        """Every branch, weights first, and its value for events that no coupling acts on."""
        named = dict.fromkeys(self.weights, 1.0)
        for group in self._groups:
            named |= {name: float(m == 0) for name, m, _ in self._coefficients(group)}
        return named

    def __call__(
        self,
        pdg: npt.ArrayLike,
        e_nu: npt.ArrayLike,
        t: npt.ArrayLike,
        *,
        sin2_theta_w: float,
        nucleus: Integers | None = None,
    ) -> dict[str, Floats]:
        """Return all branches of N events; see `spectrafit.physics.weighing.weigh` for the arguments.

        With `nucleus`, the (N,) PDG codes of nuclei, the events are coherent scattering on these.

        Raises
        ------
        ConfigError
            A sin^2 theta_W that is not between 0 and 1.
        """
        rows: dict[tuple[str, ...], Any] = {}
        for group in self._groups:
            try:
                fitted = self._fitted(group)
                if nucleus is None:
                    rows[group] = weigh(fitted, pdg, e_nu, t, sin2_theta_w_generated=sin2_theta_w)
                else:
                    protons, nucleons = numbers_of(nucleus)
                    of = (pdg, e_nu, t, protons, nucleons - protons, masses_of(protons, nucleons))
                    rows[group] = weigh_nucleus(fitted, *of, sin2_theta_w_generated=sin2_theta_w)
            except ValueError as error:
                raise ConfigError(f"reweight: {error}") from None
        found: dict[str, Floats] = {}
        for name, point in zip(self.weights, self.points, strict=True):
            group = tuple(coupling for coupling, _ in point)
            kappas = np.array([COUPLINGS[coupling].kappa(value) for coupling, value in point])
            exponents = np.array(Monomials.of(self._fitted(group)).exponents)
            factors = np.prod(kappas**exponents, axis=1)
            found[name] = rows[group][0] + sum(
                factor * row for factor, row in zip(factors[1:], rows[group][1:], strict=True)
            )
        for group in self._groups:
            found |= {name: unit * rows[group][m] for name, m, unit in self._coefficients(group)}
        return found


def _order(name: str) -> int:
    return list(COUPLINGS).index(coupling_of(name).name)


def _words(point: tuple[tuple[str, float], ...]) -> str:
    return ", ".join(f"{name} = {value:g} {COUPLINGS[name].unit}".rstrip() for name, value in point)


def _name(point: tuple[tuple[str, float], ...]) -> str:
    """Return a point as part of a branch's name, which ROOT takes in an expression."""
    numbers = str.maketrans({"-": "m", "+": None, ".": "p"})
    return "_".join(f"{name}_{value!r}".translate(numbers) for name, value in point)
