"""A `Model` in, flat arrays out: the form the numba kernels take, and their scratch space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spectrafit.errors import ConfigError
from spectrafit.inference.kernels.morphing import BASIS, FACTOR, cardinal_splines, code4_coefficients

if TYPE_CHECKING:
    from spectrafit.inference.model import Component, Model, Morph

__all__ = ["STATISTIC", "Arrays", "Observed", "pack"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STATISTIC = {"poisson": 0, "dembinski-abdelmotteleb": 1, "neyman-pearson": 2, "gaussian": 3}
LOCAL = {"none": 0, "gaussian": 1, "poisson": 2}


class Arrays(NamedTuple):
    """A model, flattened. K parameters, C components, L bins of all components, B bins, T morph vectors.

    Lists that belong to components are in component order; `*_at` (C + 1,) says where each component's begin.
    """

    statistic: int
    poi: int
    initial: Floats  # (K,)
    mirror: float  # where kappa enters squared: kappa and mirror - kappa predict the same total; else NaN
    folded: Ints  # parameters whose two sides pull alike: 2NLL may have a minimum on each
    lower: Floats
    upper: Floats
    held: npt.NDArray[np.bool_]  # fixed by declaration
    centre: Floats  # auxiliary measurements
    precision: Floats  # (K,) 1 / width^2 of uncorrelated gaussian constraints, else 0
    correlated: Ints  # parameters with correlated constraints, and the inverse of their prior covariance
    inverse: Floats
    auxiliary: Ints  # parameters with poisson constraints, and the factor of each
    factor: Floats
    start: Ints  # (C,) first bin, number of bins, first place in (L,)
    size: Ints
    place: Ints
    nominal: Floats  # (L,)
    local: npt.NDArray[np.bool_]  # (C,)
    factor_at: Ints
    factor_parameter: Ints
    factor_kind: Ints
    factor_values: Floats  # (F, 8) flattened
    basis_parameter: Ints  # scalar functions of additive morphs
    basis_kind: Ints
    basis_table: Ints  # where a spline's table begins in `tables`
    tables: Floats
    term_at: Ints
    term_basis: Ints
    term_place: Ints  # where the term's vector begins in `vectors`
    vectors: Floats
    bend_at: Ints  # multiplicative code4 morphs
    bend_parameter: Ints
    bend_place: Ints
    bends: Floats  # 8 per bin
    gamma_at: Ints
    gamma_place: Ints
    gammas: Ints  # parameter per bin, -1 for none
    used: npt.NDArray[np.bool_]  # (B,)
    floor: Floats
    local_kind: Ints
    local_width: Floats
    local_centre: Floats
    residual: Floats  # (k, B)
    pair_first: Ints  # variances
    pair_second: Ints
    pair_place: Ints
    pairs: Floats
    weight: Floats  # (B, B) inverse covariance of statistic "gaussian", else (0, 0)


class Observed(NamedTuple):
    """What an experiment, real or thrown, measured."""

    counts: Floats  # (B,)
    centre: Floats  # (K,) auxiliary measurements of the parameters
    local: Floats  # (B,) of the local gammas: where they are centred (gaussian) or their counts (poisson)


class _Flat:
    """Grows the flattened lists."""

    def __init__(self) -> None:
        self.floats: list[Floats] = []
        self.length = 0

    def add(self, values: Floats) -> int:
        array, at = values.ravel(), self.length
        self.floats.append(array)
        self.length += array.size
        return at

    @property
    def array(self) -> Floats:
        return np.concatenate(self.floats) if self.floats else np.zeros(0)


def _ints(values: Any) -> Ints:
    return np.array(values, dtype=np.int64)


class _Terms:
    """Collects the additive morphs: shared scalar functions, and one vector of bins for each use."""

    def __init__(self) -> None:
        self.basis: dict[tuple[Any, ...], int] = {}
        self.parameter: list[int] = []
        self.kind: list[int] = []
        self.table: list[int] = []
        self.tables = _Flat()
        self.used: list[int] = []
        self.place: list[int] = []
        self.vectors = _Flat()

    def _function(self, parameter: int, kind: str, sigmas: tuple[float, ...] = (), which: int = 0) -> int:
        key = (parameter, kind, sigmas, which)
        if key not in self.basis:
            self.basis[key] = len(self.basis)
            self.parameter.append(parameter)
            self.kind.append(BASIS[kind])
            table = 0
            if kind == "spline":
                knots = np.array(sorted((*sigmas, 0.0)))
                table = self.tables.add(np.concatenate([[len(knots)], knots, cardinal_splines(knots)[which].ravel()]))
            self.table.append(table)
        return self.basis[key]

    def _term(self, basis: int, vector: Floats) -> None:
        if vector.any():
            self.used.append(basis)
            self.place.append(self.vectors.add(vector))

    def add(self, parameter: int, morph: Morph, nominal: Floats) -> None:
        change = morph.templates - nominal
        if morph.kind == "spline":
            knots = sorted((*morph.sigmas, 0.0))
            for sigma, vector in zip(morph.sigmas, change, strict=True):
                self._term(self._function(parameter, "spline", morph.sigmas, knots.index(sigma)), vector)
            return
        self._term(self._function(parameter, "linear"), (change[1] - change[0]) / 2.0)
        if morph.kind == "code4p":
            self._term(self._function(parameter, "code4p"), (change[1] + change[0]) / 16.0)


def _bend(component: Component, morph: Morph) -> Floats:
    """Return the code4 coefficients of every bin; bins empty everywhere stay as they are."""
    nominal, (down, up) = component.nominal, morph.templates
    empty = (nominal == 0) & (up == 0) & (down == 0)
    safe = np.where(empty, 1.0, nominal)
    high, low = np.where(empty, 1.0, up / safe), np.where(empty, 1.0, down / safe)
    bad = np.flatnonzero(~((high > 0) & (low > 0) & np.isfinite(high) & np.isfinite(low)))
    if bad.size:
        b = int(bad[0])
        raise ConfigError(
            f"{morph.parameter!r}, sample {component.sample!r}, bin {component.start + b}: code4 needs one sign in "
            f"nominal {nominal[b]:g}, up {up[b]:g} and down {down[b]:g}; use interpolation = 'code4p'"
        )
    return code4_coefficients(high, low)


def _coefficients(kinds: list[int], values: list[tuple[float, float]]) -> Floats:
    """Return 8 numbers per whole-component factor, flattened; all code4 at once."""
    result, given = np.zeros((len(kinds), 8)), np.array(values).reshape(-1, 2)
    result[:, 0] = given[:, 0]
    code4 = np.array(kinds, dtype=np.int64) == FACTOR["code4"]
    result[code4] = code4_coefficients(given[code4, 1], given[code4, 0])
    return result.ravel()


def _folded(model: Model, index: Mapping[str, int]) -> Ints:
    """Return the parameters whose templates at +1 and -1 have much in common.

    Sizes are squared and in units of Poisson errors: more than a tenth of the antisymmetric part, and worth seeing.
    """
    mean = np.zeros(model.n_bins)
    parts: dict[str, Floats] = {}
    for component in model.components:
        if component.power:
            continue
        bins = slice(component.start, component.stop)
        mean[bins] += component.nominal
        for morph in component.morphs:
            if morph.kind in ("code4p", "code4"):
                both = parts.setdefault(morph.parameter, np.zeros((2, model.n_bins)))
                down, up = morph.templates - component.nominal
                both[:, bins] += 0.5 * (up - down), 0.5 * (up + down)
    weight = np.where(model.used & (mean > 0), 1.0 / np.where(mean > 0, mean, 1.0), 0.0)
    sizes = {name: both**2 @ weight for name, both in parts.items()}
    return _ints([index[name] for name, (odd, even) in sizes.items() if even > 0.02 and even > 0.1 * odd])


def _mirror(model: Model) -> float:
    """Return -T1 / T2 of the templates' totals, NaN if kappa does not enter squared."""
    totals = [sum(float(c.nominal.sum()) for c in model.components if c.power == p) for p in (1, 2)]
    return -totals[0] / totals[1] if totals[1] else float("nan")


def _priors(model: Model) -> tuple[Floats, Ints, Floats]:
    """Return the precision of lone constraints, the correlated parameters and their inverse prior covariance."""
    widths = np.array([p.width for p in model.parameters])
    gaussian = np.array([p.constraint == "gaussian" for p in model.parameters], dtype=bool)
    precision = np.where(gaussian, 1.0 / widths**2, 0.0)
    joined = sorted({model.index(n) for a, b, _ in model.correlations for n in (a, b)})
    if not joined:
        return precision, _ints([]), np.zeros((0, 0))
    covariance = np.diag(widths[joined] ** 2)
    for first, second, rho in model.correlations:
        i, j = joined.index(model.index(first)), joined.index(model.index(second))
        if i == j or not gaussian[joined[i]] or not gaussian[joined[j]]:
            raise ConfigError(f"correlation of {first!r} and {second!r}: needs two different constrained parameters")
        covariance[i, j] = covariance[j, i] = rho * np.sqrt(covariance[i, i] * covariance[j, j])
    if np.linalg.eigvalsh(covariance)[0] <= 0:
        names = ", ".join(model.names[k] for k in joined)
        raise ConfigError(f"correlations of {names}: the prior covariance is not positive definite; lower them")
    precision[joined] = 0.0
    return precision, _ints(joined), np.linalg.inv(covariance)


def pack(model: Model) -> Arrays:
    """Return the model's arrays. Raises ConfigError for code4 without a sign and for impossible correlations."""
    index = {name: k for k, name in enumerate(model.names)}
    nominal, bends, pairs = _Flat(), _Flat(), _Flat()
    terms = _Terms()
    factor_parameter: list[int] = []
    factor_kind: list[int] = []
    factor_values: list[tuple[float, float]] = []
    bend_parameter: list[int] = []
    bend_place: list[int] = []
    gamma_place: list[int] = []
    gammas: list[int] = []
    factor_at, term_at, bend_at, gamma_at, place = [0], [0], [0], [0], []
    for component in model.components:
        place.append(nominal.add(component.nominal))
        for factor in component.factors:
            factor_parameter.append(index[factor.parameter])
            factor_kind.append(FACTOR[factor.kind])
            # Down and up of code4, else one number.
            factor_values.append((factor.values[0], factor.values[-1]))
        for morph in component.morphs:
            if morph.kind == "code4":
                bend_parameter.append(index[morph.parameter])
                bend_place.append(bends.add(_bend(component, morph)))
            else:
                terms.add(index[morph.parameter], morph, component.nominal)
        for names in component.gammas:
            gamma_place.append(len(gammas))
            gammas += [index[n] if n else -1 for n in names]
        factor_at.append(len(factor_parameter))
        term_at.append(len(terms.used))
        bend_at.append(len(bend_parameter))
        gamma_at.append(len(gamma_place))
    pair_place = [pairs.add(_per_yields(model, v.first, v.second, v.values)) for v in model.variances]
    n_bins = model.n_bins
    local = model.local
    kinds = _ints([LOCAL[k] for k in local.kind] if local else np.zeros(n_bins))
    widths = np.array(local.width) if local else np.zeros(n_bins)
    precision, correlated, inverse = _priors(model)
    poisson = [k for k, p in enumerate(model.parameters) if p.constraint == "poisson"]
    return Arrays(
        statistic=STATISTIC[model.statistic],
        poi=index[model.poi] if model.poi else -1,
        initial=model.initial,
        mirror=_mirror(model),
        folded=_folded(model, index),
        lower=np.array([p.lower for p in model.parameters], dtype=np.float64),
        upper=np.array([p.upper for p in model.parameters], dtype=np.float64),
        held=np.array([p.fixed for p in model.parameters], dtype=np.bool_),
        centre=np.array([p.centre for p in model.parameters], dtype=np.float64),
        precision=precision,
        correlated=correlated,
        inverse=inverse,
        auxiliary=_ints(poisson),
        factor=np.array([model.parameters[k].width for k in poisson], dtype=np.float64),
        start=_ints([c.start for c in model.components]),
        size=_ints([len(c.nominal) for c in model.components]),
        place=_ints(place),
        nominal=nominal.array,
        # Barlow-Beeston-lite multiplies everything in a bin; HistFactory says which samples.
        local=np.array([c.local or bool(model.variances) for c in model.components], dtype=np.bool_),
        factor_at=_ints(factor_at),
        factor_parameter=_ints(factor_parameter),
        factor_kind=_ints(factor_kind),
        factor_values=_coefficients(factor_kind, factor_values),
        basis_parameter=_ints(terms.parameter),
        basis_kind=_ints(terms.kind),
        basis_table=_ints(terms.table),
        tables=terms.tables.array,
        term_at=_ints(term_at),
        term_basis=_ints(terms.used),
        term_place=_ints(terms.place),
        vectors=terms.vectors.array,
        bend_at=_ints(bend_at),
        bend_parameter=_ints(bend_parameter),
        bend_place=_ints(bend_place),
        bends=bends.array,
        gamma_at=_ints(gamma_at),
        gamma_place=_ints(gamma_place),
        gammas=_ints(gammas),
        used=model.used.copy(),
        floor=model.floor.copy(),
        local_kind=kinds,
        local_width=widths,
        # Where the local gammas were measured: 1 for gaussian, the auxiliary counts for poisson.
        local_centre=np.where(kinds == LOCAL["poisson"], widths, 1.0),
        residual=np.ascontiguousarray(model.residual.copy()),
        pair_first=_ints([v.first for v in model.variances]),
        pair_second=_ints([v.second for v in model.variances]),
        pair_place=_ints(pair_place),
        pairs=pairs.array,
        weight=np.zeros((0, 0)),
    )


def _per_yields(model: Model, first: int, second: int, values: Floats) -> Floats:
    """Return a variance per product of yields; 0 where a component is empty, for then nothing follows its yield."""
    a, b = model.components[first], model.components[second]
    if (a.start, a.stop) != (b.start, b.stop) or len(values) != len(a.nominal):
        raise ConfigError(f"model: a variance pairs components of {a.sample!r} and {b.sample!r} with different bins")
    product = a.nominal * b.nominal
    return np.divide(values, product, out=np.zeros_like(product), where=product != 0)
