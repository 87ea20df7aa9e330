"""The parts of a model: parameters, components with their factors and morphs, variances of the simulation."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError, nearest

__all__ = [
    "BinGammas",
    "Component",
    "Factor",
    "Monomial",
    "Morph",
    "Parameter",
    "Span",
    "Variance",
    "locked",
]

# Powers of the fitted couplings, by parameter.
Monomial = tuple[tuple[str, int], ...]


def locked(values: Any) -> Floats:
    """Return a read-only float64 copy."""
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameter:
    """One number the likelihood depends on.

    Attributes
    ----------
    name : str
    kind : "interest", "nuisance"
        The parameter of interest (kappa), or everything else.
    initial : float
        Where fits start, and the value of the nominal prediction.
    constraint : "gaussian", "poisson", "free"
        gaussian adds ((theta - centre) / width)^2 to 2NLL. poisson adds the saturated term of `centre` auxiliary events
        where theta x `width` are expected. A log-normal normalisation is a gaussian pull with an "exponential" factor.
    centre, width : float
        The auxiliary measurement (thrown in toys) and its width; see `constraint`.
    lower, upper : float
        Limits of the parameter in fits. kappa has none: its bound belongs in the statistic.
    group : str
        Name under which impacts are added up.
    fixed : bool
        Held at `initial` in every fit.
    """

    name: str
    kind: Literal["interest", "nuisance"] = "nuisance"
    initial: float = 0.0
    constraint: Literal["gaussian", "poisson", "free"] = "gaussian"
    centre: float = 0.0
    width: float = 1.0
    lower: float = -np.inf
    upper: float = np.inf
    group: str = ""
    fixed: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Factor:
    """A number that multiplies a whole component.

    With theta the parameter and v the `values`: power theta^v0; exponential exp(v0 theta); linear 1 + v0 theta; code4
    the HistFactory interpolation of a normalisation that is v0 at theta = -1 and v1 at theta = +1 (polynomial between,
    exponential outside).
    """

    parameter: str
    kind: Literal["power", "exponential", "linear", "code4"] = "power"
    values: tuple[float, ...] = (1.0,)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Morph:
    """How a component's bins change with one parameter.

    Attributes
    ----------
    parameter : str
    kind : "code4p", "linear", "spline", "code4"
        code4p, linear and spline add to the nominal bins (code4p: polynomial between -1 and +1, linear outside; spline:
        natural cubic through all given sigmas and the nominal at 0, linear outside). code4 multiplies each bin.
    sigmas : (k,) tuple of float
        Values of the parameter at which the templates stand; (-1, +1) except for a spline.
    templates : (k, n) array
        The component's bins there, events.
    """

    parameter: str
    kind: str = "code4p"
    sigmas: tuple[float, ...] = (-1.0, 1.0)
    templates: Floats

    def __post_init__(self) -> None:
        """Lock the templates and refuse sigmas that the interpolation does not know."""
        object.__setattr__(self, "templates", locked(self.templates))
        where, kinds = f"morph of {self.parameter!r}", ("code4p", "linear", "spline", "code4")
        if self.kind not in kinds:
            raise ConfigError(f"{where}: no interpolation {self.kind!r}{nearest(self.kind, kinds)}")
        if self.templates.ndim != 2 or len(self.templates) != len(self.sigmas):
            raise ConfigError(f"{where}: templates {self.templates.shape} need one row for each of {self.sigmas}")
        if self.kind != "spline" and self.sigmas != (-1.0, 1.0):
            raise ConfigError(f"{where}: {self.kind} needs sigmas (-1, +1), found {self.sigmas}; use spline")
        if 0.0 in self.sigmas or list(self.sigmas) != sorted(set(self.sigmas)):
            raise ConfigError(f"{where}: sigmas must increase and not hold 0 (the nominal), found {self.sigmas}")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Component:
    """One sample's template of one monomial of the couplings (in HistFactory, one sample of one channel).

    Attributes
    ----------
    sample : str
        The sample's name; components of one sample share it.
    monomial : tuple of (str, int)
        Powers of the fitted couplings, by parameter, e.g. (("kappa", 2),); () for the Standard Model. This is a label:
        `factors` hold the powers that multiply the bins.
    start : int
        First bin.
    nominal : (n,) array
        Events in bins start .. start + n - 1 with every parameter at its initial value and the couplings at 1.
    factors, morphs : tuple
    bin_factors : tuple of (n,) tuples of parameter names
        Parameters that each multiply one bin (shapefactor, a shapesys beside a staterror); "" for none.
    shared : bool
        Whether the `BinGammas` multiply this component.
    """

    sample: str
    monomial: Monomial = ()
    start: int = 0
    nominal: Floats
    factors: tuple[Factor, ...] = ()
    morphs: tuple[Morph, ...] = ()
    bin_factors: tuple[tuple[str, ...], ...] = ()
    shared: bool = False

    def __post_init__(self) -> None:
        """Lock the nominal bins and refuse morphs or factors of another length."""
        object.__setattr__(self, "nominal", locked(self.nominal))
        n = len(self.nominal)
        lengths = [morph.templates.shape[1] for morph in self.morphs] + [len(g) for g in self.bin_factors]
        if any(length != n for length in lengths):
            raise ConfigError(f"component of {self.sample!r}: {n} bins, but morphs or bin factors of lengths {lengths}")

    @property
    def power(self) -> int:
        """Sum of the couplings' powers; 0 for the Standard Model."""
        return sum(power for _, power in self.monomial)

    @property
    def stop(self) -> int:
        """One past the last bin."""
        return self.start + len(self.nominal)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Variance:
    """A part of the simulation's variance that follows the yields of two components.

    Added to the variance of a bin: values_b (y_1b / nominal_1b) (y_2b / nominal_2b). With y_p = kappa^p r_p nominal_p
    for the powers of one sample this is exactly the variance of sum w (r_0 + kappa r_1 w_1/w_0) if the nuisances weigh
    all events of a bin and monomial alike.
    """

    first: int
    second: int
    values: Floats

    def __post_init__(self) -> None:
        """Lock the values."""
        object.__setattr__(self, "values", locked(self.values))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BinGammas:
    """Parameters of single bins that the likelihood profiles analytically: HistFactory's staterror and shapesys.

    Attributes
    ----------
    names : (B,) tuple of str
        "" where a bin has none.
    kind : (B,) tuple of "none", "gaussian", "poisson"
    width : (B,) array
        gaussian: relative width of gamma around 1. poisson: auxiliary events (gamma x width expected, width observed).
    """

    names: tuple[str, ...]
    kind: tuple[Literal["none", "gaussian", "poisson"], ...]
    width: Floats

    def __post_init__(self) -> None:
        """Lock the widths."""
        object.__setattr__(self, "width", locked(self.width))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Span:
    """A region's place among the flattened bins, and whether these are in the likelihood or only shown."""

    name: str
    start: int
    stop: int
    title: str = ""
    fitted: bool = True
