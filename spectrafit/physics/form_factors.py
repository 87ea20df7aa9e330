"""Nuclear form factors: how much of a nucleus's charge a momentum transfer still sees as a whole.

A form factor is the amplitude F, 1 at Q^2 = 0; cross sections have its square. Some codes return F^2 under this name:
check before squaring. `q2` is in GeV^2, lengths are in fm. Everything takes scalars, numpy and awkward arrays.

`Helm` and `KleinNystrand` are the same as objects: made for a nucleus, called with `q2`. The cross sections of
`nucleus` take any such callable, so a table interpolated by the caller fits as well.

q = sqrt(q2) is in 1/fm, x = q R, y = x^2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectrafit.physics.compiled import scalar, ufunc
from spectrafit.physics.constants import HBARC

__all__ = ["Helm", "KleinNystrand", "helm_form_factor", "helm_radius", "klein_nystrand_form_factor"]

_FM = HBARC * 1e13
"""hbar c, GeV fm."""


@scalar
def _ball(x: float) -> float:
    """Return 3 j_1(x)/x, the form factor of a homogeneous ball."""
    y = x * x
    if y < 0.25:
        # The closed form loses digits as 1/x^2; the next term here is below 1e-18.
        return 1.0 - y / 10.0 * (
            1.0 - y / 28.0 * (1.0 - y / 54.0 * (1.0 - y / 88.0 * (1.0 - y / 130.0 * (1.0 - y / 180.0))))
        )
    return 3.0 * (math.sin(x) - x * math.cos(x)) / (x * y)


@ufunc("float64(float64, float64, float64)")
def _helm(q2: float, radius: float, skin: float) -> float:
    if not (0.0 <= q2 < math.inf and radius >= 0.0):
        return math.nan
    q = math.sqrt(q2) / _FM
    return _ball(q * radius) * math.exp(-0.5 * (q * skin) * (q * skin))


@ufunc("float64(float64, float64, float64)")
def _klein_nystrand(q2: float, radius: float, ak: float) -> float:
    if not (0.0 <= q2 < math.inf and radius >= 0.0):
        return math.nan
    q = math.sqrt(q2) / _FM
    return _ball(q * radius) / (1.0 + (q * ak) * (q * ak))


def helm_radius(a: Any, diffuseness: Any = 0.52, skin: Any = 0.9, c0: Any = 1.23, c1: Any = 0.6) -> Any:
    """Return the radius R_0 of Helm's ball, fm: R_0^2 = c^2 + 7 pi^2 a^2/3 - 5 s^2 with c = c0 A^(1/3) - c1.

    Arguments as `helm_form_factor`; NaN where c or R_0^2 is negative.
    """
    c = c0 * np.cbrt(a) - c1
    square = c * c + 7.0 / 3.0 * (np.pi * diffuseness) ** 2 - 5.0 * skin * skin
    with np.errstate(invalid="ignore"):
        return np.sqrt(square) + 0.0 * np.sqrt(c)


def helm_form_factor(q2: Any, a: Any, diffuseness: Any = 0.52, skin: Any = 0.9, c0: Any = 1.23, c1: Any = 0.6) -> Any:
    """Return Helm's form factor, 3 j_1(q R_0)/(q R_0) exp(-q^2 s^2/2).

    Parameters of Lewin and Smith, Astropart. Phys. 6, 87 (1996) [M].

    Parameters
    ----------
    q2 : array_like of float
        Momentum transfer squared, GeV^2; negative, infinite or NaN gives NaN.
    a : array_like of float
        Mass number of the nucleus.
    diffuseness, skin, c0, c1 : array_like of float
        a, s and the two numbers of the half-density radius c = c0 A^(1/3) - c1, fm.
    """
    return _helm(q2, helm_radius(a, diffuseness, skin, c0, c1), skin)


def klein_nystrand_form_factor(q2: Any, a: Any, r0: Any = 1.2, ak: Any = 0.7) -> Any:
    """Return Klein and Nystrand's form factor, 3 j_1(q R_A)/(q R_A) / (1 + q^2 a_k^2) with R_A = r0 A^(1/3).

    Klein and Nystrand, PRC 60, 014903 (1999) [M]: a ball folded with a Yukawa potential.

    Parameters
    ----------
    q2 : array_like of float
        Momentum transfer squared, GeV^2; negative, infinite or NaN gives NaN.
    a : array_like of float
        Mass number of the nucleus.
    r0, ak : array_like of float
        Radius parameter and range of the potential, fm.
    """
    return _klein_nystrand(q2, r0 * np.cbrt(a), ak)


@dataclass(frozen=True, slots=True)
class Helm:
    """Helm's form factor of the nucleus with mass number `a`; the other fields as in `helm_form_factor`, fm."""

    a: float
    diffuseness: float = 0.52
    skin: float = 0.9
    c0: float = 1.23
    c1: float = 0.6

    def __call__(self, q2: Any) -> Any:
        """Return F at `q2` (GeV^2)."""
        return helm_form_factor(q2, self.a, self.diffuseness, self.skin, self.c0, self.c1)

    @property
    def rms(self) -> float:
        """Root mean square radius, fm: <r^2> = 3 R_0^2/5 + 3 s^2."""
        radius = float(helm_radius(self.a, self.diffuseness, self.skin, self.c0, self.c1))
        return math.sqrt(0.6 * radius * radius + 3.0 * self.skin * self.skin)


@dataclass(frozen=True, slots=True)
class KleinNystrand:
    """Klein and Nystrand's form factor of the nucleus with mass number `a`; `r0` and `ak` in fm."""

    a: float
    r0: float = 1.2
    ak: float = 0.7

    def __call__(self, q2: Any) -> Any:
        """Return F at `q2` (GeV^2)."""
        return klein_nystrand_form_factor(q2, self.a, self.r0, self.ak)

    @property
    def rms(self) -> float:
        """Root mean square radius, fm: <r^2> = 3 R_A^2/5 + 6 a_k^2."""
        radius = self.r0 * math.cbrt(self.a)
        return math.sqrt(0.6 * radius * radius + 6.0 * self.ak * self.ak)

    @classmethod
    def of_rms(cls, a: float, rms: float, ak: float = 0.7) -> KleinNystrand:
        """Return the adapted form: the radius follows from a measured root mean square radius, fm.

        Raises
        ------
        ValueError
            If `rms` is not above sqrt(6) `ak`, the part of the potential.
        """
        square = (rms * rms - 6.0 * ak * ak) / 0.6
        if not square > 0.0:
            raise ValueError(f"rms: {rms} fm; needed more than sqrt(6) ak = {math.sqrt(6.0) * ak:.4g} fm")
        return cls(a, math.sqrt(square) / math.cbrt(a), ak)
