"""Templates and constraints in, one immutable `Model` out: every number the likelihood needs, under names.

A model predicts, in each bin b, the sum over its components c of

    y_cb = prod_f factor_f(theta) x prod_g gamma_gb x prod_m m_mb(theta) x [nominal_cb + sum_a shift_ab(theta)]

A component is one sample's template of one power of kappa over a range of bins; in HistFactory's words, one sample of
one channel. kappa itself enters as a factor of kind "power". Letters: B bins of all regions flattened, n bins of one
component, K parameters, P powers of kappa.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.identity import single

if TYPE_CHECKING:
    from spectrafit.inference.packing import Arrays

__all__ = ["Component", "Factor", "Local", "Model", "Morph", "Parameter", "Span", "Variance"]

Floats = npt.NDArray[np.float64]


def _locked(values: Any) -> Floats:
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
    """What a component's bins become when one parameter moves.

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
        object.__setattr__(self, "templates", _locked(self.templates))
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
    """One sample's template of one power of kappa (one sample of one channel).

    Attributes
    ----------
    sample : str
        Whose it is; components of one sample share the name.
    power : int
        Power of kappa, for tables and figures (the factor that does it is among `factors`).
    start : int
        First bin.
    nominal : (n,) array
        Events in bins start .. start + n - 1 with every parameter at its initial value and kappa = 1.
    factors, morphs : tuple
    gammas : tuple of (n,) tuples of parameter names
        Parameters that each multiply one bin (shapefactor, a shapesys beside a staterror); "" for none.
    local : bool
        Whether the bin's `Local` gamma multiplies this component.
    """

    sample: str
    power: int = 0
    start: int = 0
    nominal: Floats
    factors: tuple[Factor, ...] = ()
    morphs: tuple[Morph, ...] = ()
    gammas: tuple[tuple[str, ...], ...] = ()
    local: bool = False

    def __post_init__(self) -> None:
        """Lock the nominal bins and refuse morphs or gammas of another length."""
        object.__setattr__(self, "nominal", _locked(self.nominal))
        n = len(self.nominal)
        lengths = [m.templates.shape[1] for m in self.morphs] + [len(g) for g in self.gammas]
        if any(length != n for length in lengths):
            raise ConfigError(f"component of {self.sample!r}: {n} bins, but morphs or gammas of lengths {lengths}")

    @property
    def stop(self) -> int:
        """One past the last bin."""
        return self.start + len(self.nominal)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Variance:
    """A part of the simulation's variance that follows the yields of two components.

    Added to the variance of a bin: values_b (y_1b / nominal_1b) (y_2b / nominal_2b). With y_p = kappa^p r_p nominal_p
    for the powers of one sample this is exactly the variance of sum w (r_0 + kappa r_1 w_1/w_0) if the nuisances weigh
    all events of a bin and power alike.
    """

    first: int
    second: int
    values: Floats

    def __post_init__(self) -> None:
        """Lock the values."""
        object.__setattr__(self, "values", _locked(self.values))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Local:
    """Per-bin gammas that the likelihood profiles analytically: HistFactory's staterror and shapesys.

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
        object.__setattr__(self, "width", _locked(self.width))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Span:
    """A region's place among the flattened bins."""

    name: str
    start: int
    stop: int
    title: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """Everything the likelihood is made of; see the module's docstring for the prediction.

    Attributes
    ----------
    parameters : (K,) tuple of Parameter
    components : (C,) tuple of Component
    regions : tuple of Span
    data : (B,) array
        Counts; Asimov counts need not be whole.
    asimov : bool
        Whether `data` is the prediction itself.
    poi : str
        Name of the parameter of interest, "" if the model has none.
    coupling : str
        Key of `physics.couplings.COUPLINGS`: turns kappa into the reported unit. "" reports kappa itself.
    statistic : str
        "poisson", "dembinski-abdelmotteleb", "gaussian" or "neyman-pearson".
    terms : str
        What was fitted, for the labels: `assemble` has made the totals or the free normalisations already.
    variances : tuple of Variance
        MC statistics; empty for none.
    residual : (k, B) array
        Further variance per bin, sum over k of residual_k kappa^k: what principal components left over.
    local : Local or None
    covariance : (B, B) array or None
        Further covariance of the counts; statistic "gaussian" only.
    correlations : tuple of (name, name, rho)
        Prior correlations of gaussian parameters.
    used : (B,) bool array
        Bins in the likelihood; the others were dropped by the `zero_bins` rule.
    floor : (B,) array
        Least prediction; below it 2NLL goes on as a steep parabola, so that no fit ends there unnoticed. By default
        a thousandth of the bin's templates of power 0, 1e-6 events where they are empty.
    zero_bins : tuple of str
        The bins the rule was applied to, named.
    titles : mapping
        Sample or region name to the text drawn in figures.
    """

    parameters: tuple[Parameter, ...]
    components: tuple[Component, ...]
    regions: tuple[Span, ...]
    data: Floats
    asimov: bool = True
    poi: str = "kappa"
    coupling: str = ""
    statistic: Literal["poisson", "dembinski-abdelmotteleb", "gaussian", "neyman-pearson"] = "poisson"
    terms: Literal["shape+norm", "shape", "norm"] = "shape+norm"
    variances: tuple[Variance, ...] = ()
    residual: Floats = dataclasses.field(default_factory=lambda: np.zeros((0, 0)))
    local: Local | None = None
    covariance: Floats | None = None
    correlations: tuple[tuple[str, str, float], ...] = ()
    used: npt.NDArray[np.bool_] = dataclasses.field(default_factory=lambda: np.zeros(0, np.bool_))
    floor: Floats = dataclasses.field(default_factory=lambda: np.zeros(0))
    zero_bins: tuple[str, ...] = ()
    titles: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fill defaults of per-bin arrays, lock them, and refuse what does not fit together."""
        n_bins = max((s.stop for s in self.regions), default=0)
        put = functools.partial(object.__setattr__, self)
        put("data", _locked(self.data))
        put("residual", _locked(self.residual if self.residual.size else np.zeros((0, n_bins))))
        put("floor", _locked(self.floor if self.floor.size else self._default_floor(n_bins)))
        used = np.array(self.used if self.used.size else np.ones(n_bins), dtype=np.bool_)
        used.flags.writeable = False
        put("used", used)
        if self.covariance is not None:
            put("covariance", _locked(self.covariance))
        for name, array in (("data", self.data), ("floor", self.floor), ("used", used), ("residual", self.residual.T)):
            if len(array) != n_bins:
                raise ConfigError(f"model: {name} has {len(array)} bins, the regions have {n_bins}")
        if not np.all(np.isfinite(self.data[used])) or np.any(self.data[used] < 0):
            raise ConfigError(f"model: data must be finite and not negative, found {self.data[used].min()}")
        if any(c.stop > n_bins or c.start < 0 for c in self.components):
            raise ConfigError(f"model: a component reaches outside the {n_bins} bins of the regions")
        self._check_names()

    def _default_floor(self, n_bins: int) -> Floats:
        nominal = np.zeros(n_bins)
        for component in self.components:
            if component.power == 0:
                nominal[component.start : component.stop] += component.nominal
        result: Floats = np.where(nominal > 0, 1e-3 * nominal, 1e-6)
        return result

    def _check_names(self) -> None:
        """Refuse parameters named twice and effects of parameters that are not there."""
        names = self.names
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ConfigError(f"model: parameter {twice[0]!r} is declared twice")
        asked = {self.poi} if self.poi else set()
        for component in self.components:
            asked.update(f.parameter for f in component.factors)
            asked.update(m.parameter for m in component.morphs)
            asked.update(g for gammas in component.gammas for g in gammas if g)
        asked.update(n for a, b, _ in self.correlations for n in (a, b))
        for name in sorted(asked - set(names)):
            raise ConfigError(f"model: no parameter {name!r}{nearest(name, names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(p.name for p in self.parameters)

    @property
    def n_bins(self) -> int:
        """Bins of all regions, B."""
        return len(self.data)

    @property
    def initial(self) -> Floats:
        """(K,) starting values."""
        return np.array([p.initial for p in self.parameters], dtype=np.float64)

    @functools.cached_property
    def arrays(self) -> Arrays:
        """The model as the flat arrays the numba kernels work on."""
        from spectrafit.inference.likelihood import prepare

        return prepare(self)

    @functools.cached_property
    def _handles(self) -> threading.local:
        return threading.local()

    @property
    def handle(self) -> Any:
        """The arrays as one handle for the kernels, to copies of each thread's own.

        Kernels count their references to arrays: two threads that count the same ones spend a third of the time waiting
        for each other.
        """
        from spectrafit.inference.kernels.handles import bind_model
        from spectrafit.inference.packing import Arrays

        if not hasattr(self._handles, "own"):
            copies: list[Any] = [np.copy(field) if isinstance(field, np.ndarray) else field for field in self.arrays]
            self._handles.own = bind_model(Arrays(*copies))
        return self._handles.own

    def __getstate__(self) -> dict[str, Any]:
        # Handles point into this process.
        return {key: value for key, value in self.__dict__.items() if key != "_handles"}

    @functools.cached_property
    def digest(self) -> str:
        """Hash of everything but the counts: what toys depend on."""
        state = hashlib.blake2b("\0".join(self.names).encode(), digest_size=16)
        for name, values in zip(self.arrays._fields, self.arrays, strict=True):
            state.update(single(np.asarray(values), solved=name in ("inverse", "weight")))
        return state.hexdigest()

    def index(self, name: str) -> int:
        """Return the position of a parameter; ConfigError with the nearest names if there is none."""
        try:
            return self.names.index(name)
        except ValueError:
            raise ConfigError(f"model: no parameter {name!r}{nearest(name, self.names)}") from None

    def with_data(self, data: npt.ArrayLike, *, asimov: bool = False) -> Model:
        """Return the same model with other counts."""
        return dataclasses.replace(self, data=np.asarray(data, dtype=np.float64), asimov=asimov)

    def bin_name(self, index: int) -> str:
        """Return "region[bin]" of a flattened bin."""
        for span in self.regions:
            if span.start <= index < span.stop:
                return f"{span.name}[{index - span.start}]"
        raise IndexError(index)
