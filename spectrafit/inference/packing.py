"""A model as the flat arrays that the kernels take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spectrafit.arraytypes import Flags, Floats, Integers
from spectrafit.errors import ConfigError
from spectrafit.inference.kernels.barlow_beeston import PER_SAMPLE
from spectrafit.inference.kernels.fields import Arrays
from spectrafit.inference.kernels.morphing import BASIS, FACTOR, cardinal_splines, code4_coefficients
from spectrafit.inference.model import Component, Model, Morph

__all__ = ["GAMMA", "STATISTIC", "pack"]

STATISTIC = {"poisson": 0, "dembinski-abdelmotteleb": 1, "neyman-pearson": 2, "gaussian": 3}
GAMMA = {"none": 0, "gaussian": 1, "poisson": 2}


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


def _ints(values: Any) -> Integers:
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


def _code4(component: Component, morph: Morph) -> Floats:
    """Return the code4 coefficients of every bin; bins empty everywhere stay as they are."""
    nominal, (down, up) = component.nominal, morph.templates
    empty = (nominal == 0) & (up == 0) & (down == 0)
    safe = np.where(empty, 1.0, nominal)
    high, low = np.where(empty, 1.0, up / safe), np.where(empty, 1.0, down / safe)
    bad = np.flatnonzero(~((high > 0) & (low > 0) & np.isfinite(high) & np.isfinite(low)))
    if bad.size:
        at = int(bad[0])
        raise ConfigError(
            f"{morph.parameter!r}, sample {component.sample!r}, bin {component.start + at}: code4 needs one sign, "
            f"found nominal {nominal[at]:g}, up {up[at]:g} and down {down[at]:g}; use interpolation = 'code4p'"
        )
    return code4_coefficients(high, low)


def _coefficients(kinds: list[int], values: list[tuple[float, float]]) -> Floats:
    """Return 8 numbers per whole-component factor, flattened; all code4 at once."""
    result, given = np.zeros((len(kinds), 8)), np.array(values).reshape(-1, 2)
    result[:, 0] = given[:, 0]
    code4 = np.array(kinds, dtype=np.int64) == FACTOR["code4"]
    result[code4] = code4_coefficients(given[code4, 1], given[code4, 0])
    return result.ravel()


def _folded(model: Model, index: Mapping[str, int]) -> Integers:
    """Return the parameters whose templates at +1 and -1 change the prediction the same way.

    For such a parameter 2NLL may have a minimum on either side of 0. Listed are parameters whose symmetric change,
    squared and in units of Poisson errors, is above a tenth of the antisymmetric change and large enough to be seen.
    """
    mean = np.zeros(model.n_bins)
    parts: dict[str, Floats] = {}
    for component in model.components:
        if component.monomial:
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
    """Return -T1 / T2 of the totals of the templates, NaN if the parameter of interest does not enter squared.

    With several couplings there is no such number: the values of the other couplings would change it.
    """
    if any({name for name, _ in component.monomial} - {model.poi} for component in model.components):
        return float("nan")
    totals = [
        sum(float(component.nominal.sum()) for component in model.components if component.power == power)
        for power in (1, 2)
    ]
    return -totals[0] / totals[1] if totals[1] else float("nan")


def _shared(model: Model) -> Flags:
    """Return which components the gammas of the bins multiply: (C,).

    HistFactory says which samples. Where the simulation has variances, toys throw how much of a bin was simulated. That
    multiplies what does not depend on a coupling: the noise of a background must not scale the signal, or the fits of
    toys are biased (by more than one error of kappa for 5 simulated events in each of 12 bins).
    """
    if not model.variances:
        return np.array([component.shared for component in model.components], dtype=np.bool_)
    couplings = {model.poi, *model.couplings}
    alone = [couplings.isdisjoint(factor.parameter for factor in part.factors) for part in model.components]
    return np.array(alone, dtype=np.bool_) | (not any(alone))


def _reach(model: Model, index: Mapping[str, int]) -> tuple[Integers, Integers]:
    """Return the first bin whose prediction each parameter moves, and the one after the last."""
    first, last = np.full(len(index), model.n_bins), np.zeros(len(index), dtype=np.int64)
    for component in model.components:
        whole = [factor.parameter for factor in component.factors] + [morph.parameter for morph in component.morphs]
        spans = [(name, component.start, component.stop) for name in whole]
        for names in component.bin_factors:
            spans += [
                (name, component.start + index, component.start + index + 1) for index, name in enumerate(names) if name
            ]
        for name, start, stop in spans:
            at = index[name]
            first[at], last[at] = min(first[at], start), max(last[at], stop)
    return _ints(np.minimum(first, last)), _ints(last)


def _priors(model: Model) -> tuple[Floats, Integers, Floats]:
    """Return the precision of uncorrelated constraints, the correlated parameters, and their inverse covariance."""
    widths = np.array([parameter.width for parameter in model.parameters])
    gaussian = np.array([parameter.constraint == "gaussian" for parameter in model.parameters], dtype=bool)
    precision = np.where(gaussian, 1.0 / widths**2, 0.0)
    joined = sorted({model.index(name) for correlation in model.correlations for name in correlation[:2]})
    if not joined:
        return precision, _ints([]), np.zeros((0, 0))
    covariance = np.diag(widths[joined] ** 2)
    for first, second, rho in model.correlations:
        row, column = joined.index(model.index(first)), joined.index(model.index(second))
        if row == column or not gaussian[joined[row]] or not gaussian[joined[column]]:
            raise ConfigError(f"correlation of {first!r} and {second!r}: needs two different constrained parameters")
        covariance[row, column] = covariance[column, row] = rho * np.sqrt(
            covariance[row, row] * covariance[column, column]
        )
    if np.linalg.eigvalsh(covariance)[0] <= 0:
        names = ", ".join(model.names[place] for place in joined)
        raise ConfigError(f"correlations of {names}: the prior covariance is not positive definite; lower them")
    precision[joined] = 0.0
    return precision, _ints(joined), np.linalg.inv(covariance)


def pack(model: Model) -> Arrays:
    """Return the model's arrays. Raises ConfigError for code4 in bins that change sign, and impossible correlations."""
    index = {name: index for index, name in enumerate(model.names)}
    nominal, code4, pairs = _Flat(), _Flat(), _Flat()
    terms = _Terms()
    factor_parameter: list[int] = []
    factor_kind: list[int] = []
    factor_values: list[tuple[float, float]] = []
    code4_parameter: list[int] = []
    code4_place: list[int] = []
    bin_factor_place: list[int] = []
    bin_factors: list[int] = []
    factor_at, term_at, code4_at, bin_factor_at, place = [0], [0], [0], [0], []
    for component in model.components:
        place.append(nominal.add(component.nominal))
        for factor in component.factors:
            factor_parameter.append(index[factor.parameter])
            factor_kind.append(FACTOR[factor.kind])
            # Down and up of code4, else one number.
            factor_values.append((factor.values[0], factor.values[-1]))
        for morph in component.morphs:
            if morph.kind == "code4":
                code4_parameter.append(index[morph.parameter])
                code4_place.append(code4.add(_code4(component, morph)))
            else:
                terms.add(index[morph.parameter], morph, component.nominal)
        for names in component.bin_factors:
            bin_factor_place.append(len(bin_factors))
            bin_factors += [index[name] if name else -1 for name in names]
        factor_at.append(len(factor_parameter))
        term_at.append(len(terms.used))
        code4_at.append(len(code4_parameter))
        bin_factor_at.append(len(bin_factor_place))
    pair_place = [
        pairs.add(_per_yields(model, variance.first, variance.second, variance.values)) for variance in model.variances
    ]
    n_bins = model.n_bins
    gammas = model.gammas
    own = model.mc_statistics == "barlow-beeston" and bool(model.variances)
    samples = list(dict.fromkeys(component.sample for component in model.components))
    kinds = _ints([GAMMA[kind] for kind in gammas.kind] if gammas else np.zeros(n_bins))
    widths = np.array(gammas.width) if gammas else np.zeros(n_bins)
    reach_from, reach_to = _reach(model, index)
    monomials = [[(index[name], power) for name, power in monomial] for monomial in model.residual_monomials]
    precision, correlated, inverse = _priors(model)
    poisson = [index for index, parameter in enumerate(model.parameters) if parameter.constraint == "poisson"]
    return Arrays(
        statistic=PER_SAMPLE if own else STATISTIC[model.statistic],
        poi=index[model.poi] if model.poi else -1,
        initial=model.initial,
        mirror=_mirror(model),
        folded=_folded(model, index),
        lower=np.array([parameter.lower for parameter in model.parameters], dtype=np.float64),
        upper=np.array([parameter.upper for parameter in model.parameters], dtype=np.float64),
        held=np.array([parameter.fixed for parameter in model.parameters], dtype=np.bool_),
        centre=np.array([parameter.centre for parameter in model.parameters], dtype=np.float64),
        precision=precision,
        correlated=correlated,
        inverse=inverse,
        auxiliary=_ints(poisson),
        auxiliary_scale=np.array([model.parameters[place].width for place in poisson], dtype=np.float64),
        start=_ints([component.start for component in model.components]),
        size=_ints([len(component.nominal) for component in model.components]),
        place=_ints(place),
        nominal=nominal.array,
        shared=_shared(model),
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
        code4_at=_ints(code4_at),
        code4_parameter=_ints(code4_parameter),
        code4_place=_ints(code4_place),
        code4_values=code4.array,
        bin_factor_at=_ints(bin_factor_at),
        bin_factor_place=_ints(bin_factor_place),
        bin_factors=_ints(bin_factors),
        reach_from=reach_from,
        reach_to=reach_to,
        used=model.used.copy(),
        floor=model.floor.copy(),
        gamma_kind=kinds,
        gamma_width=widths,
        # Where the gammas were measured: 1 for gaussian, the auxiliary counts for poisson.
        gamma_centre=np.where(kinds == GAMMA["poisson"], widths, 1.0),
        residual=np.ascontiguousarray(model.residual.copy()),
        monomial_at=_ints(np.cumsum([0, *map(len, monomials)])),
        monomial_parameter=_ints([place for monomial in monomials for place, _ in monomial]),
        monomial_power=_ints([power for monomial in monomials for _, power in monomial]),
        pair_first=_ints([variance.first for variance in model.variances]),
        pair_second=_ints([variance.second for variance in model.variances]),
        pair_place=_ints(pair_place),
        pairs=pairs.array,
        weight=np.zeros((0, 0)),
        sample=_ints([samples.index(component.sample) for component in model.components] if own else []),
    )


def _per_yields(model: Model, first: int, second: int, values: Floats) -> Floats:
    """Return a variance per product of yields; 0 where a component is empty, since a yield of 0 cannot be scaled."""
    one, other = model.components[first], model.components[second]
    if (one.start, one.stop) != (other.start, other.stop) or len(values) != len(one.nominal):
        raise ConfigError(
            f"model: a variance pairs components of {one.sample!r} and {other.sample!r} with different bins"
        )
    product = one.nominal * other.nominal
    return np.divide(values, product, out=np.zeros_like(product), where=product != 0)
