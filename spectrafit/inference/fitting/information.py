"""How much the expected data say about each parameter, and how much of that is noise of the simulation.

With the derivatives D_jb of bin b's expectation and the variance v_b of its count, the Fisher information is

    I_jk = sum_b D_jb D_kb / v_b + (prior precision if j = k),     v_b = mu_b + Var_b,

where Var_b is the simulation's variance ("Barlow-Beeston lite", see `Bins.total`). D is made of simulated events, so
the mean of D_jb D_kb is the true product plus the covariance N_jkb of the noise of the two: noise counts as knowledge.
Events are independent, and N is a sum of squares over events. The sum of (D_jb D_kb - N_jkb) / v_b is therefore a sum
over pairs of different events, and its mean is the true information (a U-statistic; W. Hoeffding, Ann. Math. Stat. 19
(1948) 293).

Letters: K parameters, S samples, B bins.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from spectrafit.arraytypes import Flags, Floats, Integers
from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.fitting.bins import Bins

__all__ = ["ALARM", "Constraint", "Information", "constraints", "covariance", "information"]


# Share of a constraint from which noise raises an alarm.
ALARM = 0.10
# Eigenvalues below this share of the largest are no information at all.
_NOTHING = 1e-12


def covariance(data: Floats, prior: Floats, scale: Floats) -> Floats:
    """Return the covariances of the parameters from information that may not be positive.

    The true information of data is positive semi-definite; an estimate with noise subtracted need not be. The estimate
    is replaced by the nearest positive semi-definite matrix, in units of `scale`, before the prior is added. The data
    then say nothing about a direction that held noise alone. Where the prior says nothing either, the variance is
    infinite.

    Parameters
    ----------
    data : (..., K, K) array
        Information of the data, without the prior.
    prior : (K,) or (K, K) array
        Prior precision, or its whole matrix where constraints are correlated.
    scale : (..., K) array
        Positive: the precision each parameter is measured in.

    Returns
    -------
    (..., K, K) array
    """
    unit = np.sqrt(scale)
    units = unit[..., :, None] * unit[..., None, :]
    values, vectors = np.linalg.eigh(data / units)
    if (values < 0).any():
        data = (vectors * np.maximum(values, 0.0)[..., None, :]) @ np.swapaxes(vectors, -1, -2) * units
    values, vectors = np.linalg.eigh((data + (np.diag(prior) if prior.ndim == 1 else prior)) / units)
    nothing = values <= _NOTHING * values.max(axis=-1, keepdims=True)
    weights = np.where(nothing, 0.0, 1.0 / np.where(nothing, 1.0, values))
    result: Floats = (vectors * weights[..., None, :]) @ np.swapaxes(vectors, -1, -2) / units
    if nothing.any():
        unknown = (np.where(nothing[..., None, :], vectors**2, 0.0).sum(axis=-1)) > _NOTHING
        diagonal = np.arange(len(prior))
        result[..., diagonal, diagonal] = np.where(unknown, np.inf, result[..., diagonal, diagonal])
    return result


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Information:
    """Fisher information of expected data, with and without the noise of the simulation.

    Attributes
    ----------
    parameters : tuple of str, length K
    prior : (K, K) array
        Prior precision.
    data : (K, K) array
        Information of the data as the derivatives have it, noise included.
    noise : (K, K) array
        What of `data` is noise.
    spread : (K,) array
        Standard error, from the simulation, of the diagonal of `data` - `noise`. Where few events carry the noise it is
        up to three times too large, never too small.
    error_spread : (K,) array
        Standard error of `error(parameter)`, from the simulation.
    """

    parameters: tuple[str, ...]
    prior: Floats
    data: Floats
    noise: Floats
    spread: Floats
    error_spread: Floats

    def covariance(self, *, corrected: bool = True) -> Floats:
        """Return the (K, K) covariance of the parameters, with the noise subtracted unless `corrected` is false."""
        return covariance(self.data - self.noise if corrected else self.data, self.prior, self._scale())

    def error(self, parameter: str = "kappa", *, corrected: bool = True) -> float:
        """Return the standard error of one parameter with all others profiled; infinite if nothing is known of it."""
        k = self._number(parameter)
        return float(np.sqrt(self.covariance(corrected=corrected)[k, k]))

    def scatter(self) -> Floats:
        """Return the (K, K) covariance of best fits over data and simulations of this size, to first order.

        A fit with noisy derivatives scatters more than `covariance` says, for noise correlates with what it is fitted
        to: with I the information with noise and C the covariance without, it is C (I + prior) C. Where most of the
        information is noise, intervals of the likelihood cover too little, with any factor for the simulation's error
        in a bin (C. A. Alexe et al., arXiv:2401.10542); those of this covariance cover.
        """
        covariance = self.covariance()
        known = np.isfinite(np.diag(covariance))
        result = np.full(covariance.shape, np.inf)
        inside = np.ix_(known, known)
        result[inside] = covariance[inside] @ (self.data + self.prior)[inside] @ covariance[inside]
        return result

    def error_of_error(self, parameter: str = "kappa") -> float:
        """Return the standard error of the corrected `error(parameter)` that comes from the simulation."""
        return float(self.error_spread[self._number(parameter)])

    @property
    def negative(self) -> tuple[str, ...]:
        """Parameters whose information from data, with the noise subtracted, is below 0: noise was all there was."""
        size = np.diag(self.data - self.noise)
        return tuple(name for name, value in zip(self.parameters, size, strict=True) if value < 0)

    def _number(self, parameter: str) -> int:
        if parameter not in self.parameters:
            raise ConfigError(f"information: no parameter {parameter!r}{nearest(parameter, self.parameters)}")
        return self.parameters.index(parameter)

    def _scale(self) -> Floats:
        scale = np.diag(self.data + self.prior)
        return np.where(scale > 0, scale, 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Constraint:
    """What the data add to the prior of one nuisance, and how much of it is noise.

    Attributes
    ----------
    parameter : str
    naive, corrected : float
        Error after the fit as a multiple of the error before it, noise included and subtracted. Without a prior, the
        error itself.
    uncertainty : float
        Standard error of `corrected`, from the simulation; 1 at most, where `corrected` is not known at all.
    noise : float
        Share of the precision, prior included, that is noise: 1 - (naive / corrected)^2, from 0 to 1.
    samples : mapping of sample to share
        Samples whose events make the noise, with their shares, largest first, adding up to 1; empty without noise.
    bins : tuple of (bin, share)
        The bins that hold most of the noise, largest first.
    """

    parameter: str
    naive: float
    corrected: float
    uncertainty: float
    noise: float
    samples: Mapping[str, float]
    bins: tuple[tuple[int, float], ...]

    @property
    def alarm(self) -> bool:
        """Whether more of the constraint is noise than `ALARM`."""
        return self.noise > ALARM

    def summary(self) -> dict[str, Any]:
        """Return what a result file keeps, as plain numbers."""
        return dataclasses.asdict(self) | {"samples": dict(self.samples), "alarm": self.alarm}


def information(bins: Bins, *, guarded: bool = False) -> Information:
    """Return the Fisher information of the expected data of `bins`.

    Parameters
    ----------
    bins : Bins
    guarded : bool
        Whether v_b is enlarged by `Bins.guard`, so that bins that are empty by chance bring no profit. Otherwise the
        naive errors are those of a fit of these bins.
    """
    v = bins.total() + (bins.guard() if guarded else 0.0)
    # Nothing expected and nothing simulated: no information.
    inverse = np.divide(1.0, v, out=np.zeros_like(v), where=v > 0)
    slopes = bins.derivative.sum(axis=1)
    data = (slopes * inverse) @ slopes.T
    noise = np.diag(bins.noise.sum(axis=1) @ inverse)
    shared = bins.shared
    same = (shared.bins[:, 0] == shared.bins[:, 1]).nonzero()[0]
    if same.size:
        pairs = shared.parameters[same]
        values = shared.values[same] * inverse[shared.bins[same, 0]]
        np.add.at(noise, (pairs[:, 0], pairs[:, 1]), values)
        np.add.at(noise, (pairs[:, 1], pairs[:, 0]), values)
    found = Information(
        parameters=bins.parameters,
        prior=np.asarray(bins.precision),
        data=data,
        noise=noise,
        spread=np.zeros(len(bins.parameters)),
        error_spread=np.zeros(len(bins.parameters)),
    )
    count = len(bins.parameters)
    known_pairs = _Pairs.of(bins)
    spread = np.array([_spread(bins, known_pairs, inverse, direction) for direction in np.eye(count)])
    matrix = found.covariance()
    variance = np.diag(matrix)
    known = np.isfinite(variance)
    # The error's square changes by - a (change of I) a, with a a row of the covariance.
    errors = np.full(count, np.inf)
    for k in np.flatnonzero(known):
        errors[k] = _spread(bins, known_pairs, inverse, np.where(known, matrix[k], 0.0)) / (2.0 * np.sqrt(variance[k]))
    return dataclasses.replace(found, spread=spread, error_spread=errors)


def constraints(
    bins: Bins, *, guarded: bool = False, worst: int = 5, found: Information | None = None
) -> tuple[Constraint, ...]:
    """Return for every parameter with a prior what the data add to it, and how much of that is noise.

    Parameters
    ----------
    bins : Bins
    guarded : bool
        As for `information`.
    worst : int
        How many bins to name.
    found : Information, optional
        The information of the bins, if it is known already.
    """
    found = information(bins, guarded=guarded) if found is None else found
    naive, corrected = (np.sqrt(np.diag(found.covariance(corrected=sort))) for sort in (False, True))
    v = bins.total() + (bins.guard() if guarded else 0.0)
    result = []
    for k, name in enumerate(bins.parameters):
        if not bins.prior[k] > 0:
            continue
        width = np.sqrt(bins.prior[k])
        own = np.maximum(bins.noise[k], 0.0)
        parts = np.divide(own, v, out=np.zeros_like(own), where=v > 0)
        total = parts.sum()
        order = np.argsort(-parts.sum(axis=1), kind="stable")
        places = np.argsort(-parts.sum(axis=0), kind="stable")[:worst]
        shares = parts / total if total > 0 else parts
        result.append(
            Constraint(
                parameter=name,
                naive=float(naive[k] * width),
                corrected=float(corrected[k] * width),
                uncertainty=float(min(found.error_spread[k] * width, 1.0)),
                noise=float(np.clip(1.0 - (naive[k] / corrected[k]) ** 2, 0.0, 1.0)),
                samples={bins.samples[sample]: float(shares[sample].sum()) for sample in order if shares[sample].any()},
                bins=tuple((int(place), float(shares[:, place].sum())) for place in places if shares[:, place].any()),
            )
        )
    return tuple(result)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Pairs:
    """Which of the shared covariances are of one bin, in `places`; the pairs of bins of the others, each once."""

    same: Flags
    places: Integers
    where: Integers
    first: Integers
    second: Integers

    @classmethod
    def of(cls, bins: Bins) -> _Pairs:
        pairs = bins.shared.bins
        same = pairs[:, 0] == pairs[:, 1]
        low, high = np.sort(pairs[~same], axis=1).T
        keys, where = np.unique(low * bins.size + high, return_inverse=True)
        first, second = np.divmod(keys, bins.size)
        return cls(same=same, places=pairs[same, 0], where=where.reshape(-1), first=first, second=second)


def _spread(bins: Bins, pairs: _Pairs, inverse: Floats, direction: Floats) -> float:
    """Return the standard error of a I a, for the information of data with the noise subtracted and a = `direction`.

    Let g_b = a D_b, with the noise C between bins. For Gaussian noise the sum of (g_b^2 - C_bb) / v_b has the variance
    4 g W C W g + 2 tr(W C W C), where W = 1 / v and g is the true one; the mean of g W C W g with the found g is larger
    by tr(W C W C). The noise of v_b, the simulation's variance of the expectation, is added.
    """
    shared = bins.shared
    slope = (direction @ bins.derivative.sum(axis=1)).reshape(-1)
    own = (direction**2) @ bins.noise.sum(axis=1)
    values = direction[shared.parameters[:, 0]] * direction[shared.parameters[:, 1]] * shared.values
    own = np.maximum(own + 2.0 * np.bincount(pairs.places, values[pairs.same], bins.size), 0.0)
    # What several parameters and samples say of one pair of bins adds up.
    first, second = pairs.first, pairs.second
    between = np.bincount(pairs.where, values[~pairs.same], first.size)
    traced = (own * inverse) ** 2
    trace = traced.sum() + 2.0 * (between**2 * inverse[first] * inverse[second]).sum()
    along = slope * inverse
    product = (along**2 * own).sum() + 2.0 * (along[first] * along[second] * between).sum()
    for found in bins.together:
        size = found.sizes * direction[found.parameter]
        product += _crossed(found.cells, along * size)
        trace += _crossed(found.cells, size**2 * inverse)
    share = (slope**2 - own) * inverse**2
    nominal = (share**2 * bins.variance.sum(axis=0)).sum()
    return float(np.sqrt(4.0 * max(product - trace, 0.0) + 2.0 * trace + nominal))


def _crossed(cells: Integers, values: Floats) -> float:
    """Return the sum over pairs of different bins of one cell of the products of two values."""
    return float((np.bincount(cells, values) ** 2).sum() - (values**2).sum())
