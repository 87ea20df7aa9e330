"""The model of an analysis: every number its likelihood needs, under names, as immutable plain data.

A model predicts, in each bin b, the sum over its components c of

    y_cb = prod_f factor_f(theta) x prod_g gamma_gb x prod_m m_mb(theta) x [nominal_cb + sum_a shift_ab(theta)]

A component is one sample's template of one monomial of the couplings over a range of bins; in HistFactory's words, one
sample of one channel. The couplings themselves enter as factors of kind "power". Letters: B bins of all regions
flattened, n bins of one component, K parameters, C components, Q monomials.
"""

from __future__ import annotations

import dataclasses
import functools
import html
from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Flags, Floats
from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.fake import Fake, called
from spectrafit.inference.parts import (
    BinGammas,
    Component,
    Factor,
    Monomial,
    Morph,
    Parameter,
    Span,
    Variance,
    locked,
)

__all__ = [
    "BinGammas",
    "Component",
    "Factor",
    "Model",
    "Monomial",
    "Morph",
    "Parameter",
    "Span",
    "Variance",
]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
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
        Whether `data` is the prediction itself, at the nominal parameters.
    fake : Asimov, Toy, Simulated, Injected or None
        What made `data`, if that is neither the nominal prediction nor a measurement.
    poi : str
        Name of the parameter of interest, "" if the model has none.
    couplings : mapping of str to str
        Fitted couplings: parameter to key of `physics.couplings.COUPLINGS`, which says its unit and its boundary. A
        parameter of interest that is not here is reported as it is.
    statistic : str
        "poisson", "dembinski-abdelmotteleb", "gaussian" or "neyman-pearson".
    terms : str
        "shape+norm", "shape" or "norm", for labels only: `assemble` has already made totals or free normalisations.
    mc_statistics : str
        "barlow-beeston-lite", one factor for each bin, or "barlow-beeston", one for each sample in each bin; for
        `variances`, with statistic "poisson".
    variances : tuple of Variance
        MC statistics; empty for none.
    residual : (Q, B) array
        Further variance per bin, left over by principal components. Row q is multiplied by the q-th monomial.
    residual_monomials : (Q,) tuple of monomials
        Powers of the couplings, e.g. ((), (("kappa", 1),), (("kappa", 2),)).
    gammas : BinGammas or None
    covariance : (B, B) array or None
        Further covariance of the counts; statistic "gaussian" only.
    correlations : tuple of (name, name, rho)
        Prior correlations of gaussian parameters.
    used : (B,) bool array
        Bins in the likelihood; the others were dropped by the `zero_bins` rule, or are of regions that are only shown.
    floor : (B,) array
        Smallest normal prediction. Below it 2NLL continues as a steep parabola, so that no fit ends there unnoticed. By
        default a thousandth of the bin's Standard Model templates, 1e-6 events where they are empty.
    zero_bins : tuple of str
        The bins the rule was applied to, named.
    titles : mapping
        Sample or region name to the text drawn in figures.
    given : tuple of str
        Samples known as numbers: `variances` of theirs are errors that were given with the numbers, as of counts with
        the source off, and no statistics of a simulation.
    """

    parameters: tuple[Parameter, ...]
    components: tuple[Component, ...]
    regions: tuple[Span, ...]
    data: Floats
    asimov: bool = True
    fake: Fake | None = None
    poi: str = "kappa"
    couplings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    statistic: Literal["poisson", "dembinski-abdelmotteleb", "gaussian", "neyman-pearson"] = "poisson"
    terms: Literal["shape+norm", "shape", "norm"] = "shape+norm"
    variances: tuple[Variance, ...] = ()
    mc_statistics: Literal["barlow-beeston-lite", "barlow-beeston"] = "barlow-beeston-lite"
    residual: Floats = dataclasses.field(default_factory=lambda: np.zeros((0, 0)))
    residual_monomials: tuple[Monomial, ...] = ()
    gammas: BinGammas | None = None
    covariance: Floats | None = None
    correlations: tuple[tuple[str, str, float], ...] = ()
    used: Flags = dataclasses.field(default_factory=lambda: np.zeros(0, np.bool_))
    floor: Floats = dataclasses.field(default_factory=lambda: np.zeros(0))
    zero_bins: tuple[str, ...] = ()
    titles: Mapping[str, str] = dataclasses.field(default_factory=dict)
    given: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Fill defaults of per-bin arrays, lock them, and refuse what does not fit together."""
        n_bins = max((span.stop for span in self.regions), default=0)
        put = functools.partial(object.__setattr__, self)
        put("data", locked(self.data))
        put("residual", locked(self.residual if self.residual.size else np.zeros((0, n_bins))))
        put("floor", locked(self.floor if self.floor.size else self._default_floor(n_bins)))
        used = np.array(self.used if self.used.size else np.ones(n_bins), dtype=np.bool_)
        used.flags.writeable = False
        put("used", used)
        if self.covariance is not None:
            put("covariance", locked(self.covariance))
        for name, array in (("data", self.data), ("floor", self.floor), ("used", used), ("residual", self.residual.T)):
            if len(array) != n_bins:
                raise ConfigError(f"model: {name} has {len(array)} bins, the regions have {n_bins}")
        if not np.all(np.isfinite(self.data[used])) or np.any(self.data[used] < 0):
            raise ConfigError(f"model: data must be finite and not negative, found {self.data[used].min()}")
        if len(self.residual) != len(self.residual_monomials):
            found = f"{len(self.residual)} rows of residual variance, {len(self.residual_monomials)} monomials"
            raise ConfigError(f"model: {found}; give one monomial for each row")
        if any(c.stop > n_bins or c.start < 0 for c in self.components):
            raise ConfigError(f"model: a component reaches outside the {n_bins} bins of the regions")
        if self.mc_statistics == "barlow-beeston" and (self.statistic != "poisson" or self.gammas is not None):
            raise ConfigError(
                f"model: mc_statistics = 'barlow-beeston' needs statistic = 'poisson', found {self.statistic!r}"
                + (" and factors of HistFactory" if self.gammas is not None else "")
            )
        self._check_names()

    def _default_floor(self, n_bins: int) -> Floats:
        nominal = np.zeros(n_bins)
        for component in self.components:
            if not component.monomial:
                nominal[component.start : component.stop] += component.nominal
        result: Floats = np.where(nominal > 0, 1e-3 * nominal, 1e-6)
        return result

    def _check_names(self) -> None:
        """Refuse parameters that are declared twice, and effects of parameters that are not declared."""
        names = self.names
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ConfigError(f"model: parameter {twice[0]!r} is declared twice")
        asked = {self.poi} if self.poi else set()
        for component in self.components:
            asked.update(factor.parameter for factor in component.factors)
            asked.update(m.parameter for m in component.morphs)
            asked.update(name for names in component.bin_factors for name in names if name)
            asked.update(name for name, _ in component.monomial)
        asked.update(name for correlation in self.correlations for name in correlation[:2])
        asked.update(self.couplings)
        asked.update(name for monomial in self.residual_monomials for name, _ in monomial)
        for name in sorted(asked - set(names)):
            raise ConfigError(f"model: no parameter {name!r}{nearest(name, names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def n_bins(self) -> int:
        """Bins of all regions, B."""
        return len(self.data)

    @property
    def initial(self) -> Floats:
        """(K,) starting values."""
        return np.array([parameter.initial for parameter in self.parameters], dtype=np.float64)

    @property
    def coupling(self) -> str:
        """Key of the coupling that is the parameter of interest, "" if that is no coupling."""
        return self.couplings.get(self.poi, "")

    @property
    def measured(self) -> bool:
        """Whether `data` are real ones."""
        return not self.asimov and self.fake is None

    @property
    def called(self) -> str:
        """What `data` are called where they are shown."""
        return called(asimov=self.asimov, fake=self.fake)

    @property
    def spread(self) -> str:
        """What `variances` come from, in words: the simulation, errors given with numbers, or both."""
        whose = dict.fromkeys(self.components[variance.first].sample for variance in self.variances)
        given = [name for name in whose if name in self.given]
        listed = f"given errors of {', '.join(given)}" if len(given) < 4 else f"given errors of {len(given)} samples"
        if not given:
            return "simulation"
        return listed if len(given) == len(whose) else f"simulation and {listed}"

    def index(self, name: str) -> int:
        """Return the position of a parameter; ConfigError with the nearest names if there is none."""
        try:
            return self.names.index(name)
        except ValueError:
            raise ConfigError(f"model: no parameter {name!r}{nearest(name, self.names)}") from None

    def with_data(self, data: npt.ArrayLike, *, asimov: bool = False) -> Model:
        """Return the same model with other counts."""
        return dataclasses.replace(self, data=np.asarray(data, dtype=np.float64), asimov=asimov, fake=None)

    def with_interest(self, name: str) -> Model:
        """Return the same model with another parameter of interest; the former one becomes a nuisance.

        The new parameter of interest loses its limits: the smallest physical value of a coupling belongs to the test
        statistic. The former one is profiled without a boundary; set limits with `dataclasses.replace` if needed.

        Raises
        ------
        ConfigError
            There is no parameter of that name, or it has a constraint.
        """
        chosen = self.parameters[self.index(name)]
        if chosen.constraint != "free":
            raise ConfigError(f"model: {name!r} has a constraint, so it cannot be the parameter of interest")
        kinds: dict[str, Literal["interest", "nuisance"]] = {self.poi: "nuisance", name: "interest"}
        parameters = tuple(
            dataclasses.replace(parameter, kind=kinds.get(parameter.name, parameter.kind))
            for parameter in self.parameters
        )
        return dataclasses.replace(self, parameters=parameters, poi=name)

    def bin_name(self, index: int) -> str:
        """Return "region[bin]" of a flattened bin."""
        for span in self.regions:
            if span.start <= index < span.stop:
                return f"{span.name}[{index - span.start}]"
        raise IndexError(index)

    def __repr__(self) -> str:
        kinds = [f"{len(self.parameters)} parameters", f"{len(self.components)} components", f"{self.n_bins} bins"]
        where = ", ".join(f"{span.name} ({span.stop - span.start})" for span in self.regions)
        interest = f"{self.poi} ({self.coupling})" if self.coupling else self.poi or "none"
        events = float(self.data[self.used].sum())
        counts = f"{self.called} of {events:.6g} events"
        return "\n".join(
            (
                f"Model of {', '.join(kinds)}; {self.statistic}, {counts}",
                f"  parameter of interest: {interest}",
                f"  regions: {where}",
                f"  samples: {', '.join(dict.fromkeys(c.sample for c in self.components))}",
            )
        )

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
