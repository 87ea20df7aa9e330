"""What a fit knows of each bin to first order: expectation, simulation behind it, derivatives and the noise of these.

A derivative of the expectation by a parameter is made of simulated events, so it has noise. For a shift of a column
the noise comes from events that change bins, for a weight from the squared changes of weight, for a normalisation from
the squared weights. A product of two derivatives counts this noise as knowledge. The module `information` of this room
subtracts it.

Letters: K parameters, S samples, B bins, n shared covariances.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Flags, Floats, Integers, Values

__all__ = ["Bins", "Shared", "Together", "guard_of"]


# Simulated events expected in a bin where nobody said how many: an empty bin then counts as having missed an event.
_MANY = 1e3


def guard_of(units: Floats, own: Floats, total: Floats, predicted: Floats) -> Floats:
    """Return what to add to the variance v of a bin's count so that 1 / v does not profit from few simulated events.

    The mean of 1 / n is not 1 / (mean of n), and n = 0 events pretend to be free of background. The mean of 1 / (n + 1)
    is (1 - e^-m) / m for Poisson n of mean m: one event more removes the bias where m is large, and f events more, with
    f = 1 - e^-m, where it is small. An event of weight w adds u = w + w^2 to v. Where other samples add to the bin as
    well, the bias is smaller by the sample's share of v. Of every sample, with n events in the bin,

        f u (n u + u) / (v + u)

    is therefore added. For Poisson n the mean of 1 / v is then right within 10 % for every m where other samples are in
    the bin or m is above 2, and nowhere more than 1 % too large. An m that is too large errs to the safe side.

    Parameters
    ----------
    units : (S, ...) array
        u of every sample, broadcast against `own`.
    own : (S, ...) array
        Expectation and simulation's variance of every sample, n u.
    total : (...) array
        v: variance of the bin's count, all samples together.
    predicted : (S, ...) array
        m: simulated events that each sample is expected to have in the bin.
    """
    own, total = np.maximum(own, 0.0), np.maximum(total, 0.0)
    guard = np.divide(units * (own + units), total + units, out=np.zeros_like(own), where=units > 0)
    result: Floats = (guard * -np.expm1(-predicted)).sum(axis=0)
    return result


def _locked(values: npt.ArrayLike, kind: type) -> Values:
    array: Values = np.array(values, dtype=kind)
    array.flags.writeable = False
    return array


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Shared:
    """Covariances of the derivatives' noise that are not the variance of one derivative in one bin.

    An event of weight w that a shift of one sigma up puts into bin a and a shift down into bin b gives (up - down) / 2
    the variance w^2 / 4 in both bins and the covariance -w^2 / 4 between them. When a and b are merged, nothing moves.
    Events that move under two systematics give covariances of two parameters, in one bin or in two.

    Attributes
    ----------
    parameters : (n, 2) array of int
        Numbers of the two parameters.
    samples : (n,) array of int
        Number of the sample the events belong to.
    bins : (n, 2) array of int
        The bin of the first parameter's derivative and the bin of the second's. With one parameter, the two bins
        differ, and each pair of bins stands once, in any order.
    values : (n,) array
        Covariances, events^2.
    """

    parameters: Integers
    samples: Integers
    bins: Integers
    values: Floats

    def __post_init__(self) -> None:
        """Make the arrays read-only, and check their shapes against each other."""
        n = len(np.atleast_1d(self.values))
        for name, shape in (("parameters", (n, 2)), ("samples", (n,)), ("bins", (n, 2))):
            array = _locked(np.reshape(getattr(self, name), (-1, *shape[1:])), np.int64)
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, needs {shape}")
            object.__setattr__(self, name, array)
        object.__setattr__(self, "values", _locked(np.atleast_1d(self.values), np.float64))
        alone = (self.parameters[:, 0] == self.parameters[:, 1]) & (self.bins[:, 0] == self.bins[:, 1])
        if alone.any():
            raise ValueError("the variance of one parameter in one bin belongs in Bins.noise, not in Shared")

    @classmethod
    def none(cls) -> Shared:
        """Return no covariances."""
        return cls(
            parameters=np.zeros((0, 2), np.int64),
            samples=np.zeros(0, np.int64),
            bins=np.zeros((0, 2), np.int64),
            values=np.zeros(0),
        )

    def chosen(self, keep: Flags) -> Shared:
        """Return the covariances that `keep`, (n,), marks."""
        return Shared(
            parameters=self.parameters[keep],
            samples=self.samples[keep],
            bins=self.bins[keep],
            values=self.values[keep],
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Together:
    """Noise of one sample's derivative by one parameter that all bins of a coarse cell have in common.

    Attributes
    ----------
    parameter, sample : int
        Number of the parameter and number of the sample.
    cells : (B,) array of int
        The cell of each bin.
    sizes : (B,) array
        Standard deviation of each bin's noise; `Bins.noise` holds its square too. Two bins of one cell have the
        correlation 1.
    """

    parameter: int
    sample: int
    cells: Integers
    sizes: Floats


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Bins:
    """Bins of one or several regions, linear in the parameters around a point.

    Attributes
    ----------
    parameters : tuple of str, length K
    prior : (K,) array
        Prior precision: 1 / width^2 of each parameter's constraint, 0 of a free parameter (kappa).
    precision : (K, K) array
        The prior's whole precision matrix, where constraints are correlated; `prior` on its diagonal if left out.
    samples : tuple of str, length S
    background : (S,) array of bool
        Which samples are background.
    expected : (S, B) array
        Events expected at the point.
    variance : (S, B) array
        Variance the simulation gives to `expected`: sums of squared weights, events^2.
    entries : (S, B) array
        Simulated events, unweighted.
    derivative : (K, S, B) array
        Derivative of `expected` by each parameter at the point, events per unit of the parameter.
    noise : (K, S, B) array
        Variance the simulation gives to `derivative`, less what of it is in the variance of the count too.
    shared : Shared
        Covariances of the derivatives' noise between bins and between parameters; none if left out.
    together : tuple of Together
        Further covariances between bins. Bins that have any cannot be merged.
    predicted : (S, B) array
        Simulated events that a smooth density of each sample expects, for `guard`. If left out, many are expected: an
        empty bin is then taken to have missed a whole event of every sample.
    residual : (B,) array
        Variance of each bin that no parameter and no sample's simulation carries; 0 if left out.
    """

    parameters: tuple[str, ...]
    prior: Floats
    samples: tuple[str, ...]
    background: Flags
    expected: Floats
    variance: Floats
    entries: Floats
    derivative: Floats
    noise: Floats
    shared: Shared = dataclasses.field(default_factory=Shared.none)
    together: tuple[Together, ...] = ()
    precision: Floats | None = None
    residual: Floats | None = None
    predicted: Floats | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only, and check their shapes against each other."""
        parameters, samples, n_bins = len(self.parameters), len(self.samples), np.shape(self.expected)[-1]
        if self.precision is None:
            object.__setattr__(self, "precision", np.diag(np.asarray(self.prior, np.float64)))
        if self.residual is None:
            object.__setattr__(self, "residual", np.zeros(n_bins))
        if self.predicted is None:
            object.__setattr__(self, "predicted", np.full((samples, n_bins), _MANY))
        shapes = {
            "prior": (parameters,),
            "precision": (parameters, parameters),
            "background": (samples,),
            "expected": (samples, n_bins),
            "variance": (samples, n_bins),
            "entries": (samples, n_bins),
            "derivative": (parameters, samples, n_bins),
            "noise": (parameters, samples, n_bins),
            "residual": (n_bins,),
            "predicted": (samples, n_bins),
        }
        for name, shape in shapes.items():
            array = _locked(getattr(self, name), np.bool_ if name == "background" else np.float64)
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, needs {shape}")
            object.__setattr__(self, name, array)

    @property
    def size(self) -> int:
        """B, the number of bins."""
        return int(self.expected.shape[1])

    def total(self) -> Floats:
        """Return the variance of each bin's count, (B,): Poisson and simulation.

        With one Gaussian or Poisson factor per bin for the statistics of the simulation (Barlow-Beeston "lite",
        J. S. Conway, arXiv:1103.0354), profiling that factor turns D^2 / mu into D^2 / (mu + Var), exactly to second
        order in the parameters: mu is the expectation and Var the variance that the simulation gives to it.
        """
        total: Floats = self.expected.sum(axis=0) + self.variance.sum(axis=0) + self.residual
        return total

    def guard(self) -> Floats:
        """Return what to add to `total`, (B,), so that 1 / v does not profit from bins that are empty by chance.

        See `guard_of`.
        """
        weights = self.weights()[:, None]
        predicted = np.asarray(self.predicted)
        return guard_of(weights + weights**2, self.expected + self.variance, self.total(), predicted)

    def weights(self) -> Floats:
        """Return the mean weight of each sample's events, weighted by itself: sum of w^2 over sum of w, (S,)."""
        expected, variance = self.expected.sum(axis=1), self.variance.sum(axis=1)
        result: Floats = np.divide(variance, expected, out=np.zeros_like(expected), where=expected > 0)
        return result

    def merged(self, labels: npt.ArrayLike, count: int) -> Bins:
        """Return these bins merged into `count` bins: bin b is added to bin `labels[b]`, or to none where that is -1.

        Sums, variances and entries add up. The noise of derivatives adds up with its covariances: events that move
        within one merged bin make no noise.

        Raises
        ------
        ValueError
            The labels do not fit, or changes were smoothed over coarse cells, whose noise does not follow the bins.
        """
        if self.together:
            raise ValueError("bins whose changes were smoothed cannot be merged; build the templates without smooth")
        labels = np.asarray(labels, dtype=np.int64)
        if labels.shape != (self.size,) or labels.min(initial=-1) < -1 or labels.max(initial=-1) >= count:
            raise ValueError(f"labels of shape {labels.shape}: needs {self.size} numbers from -1 to {count - 1}")

        def add(array: Floats) -> Floats:
            rows = array.reshape(-1, self.size)
            kept = labels >= 0
            sums = np.array([np.bincount(labels[kept], row[kept], count) for row in rows], np.float64)
            return sums.reshape(*array.shape[:-1], count)

        shared = self.shared
        bins = labels[shared.bins]
        own = shared.parameters[:, 0] == shared.parameters[:, 1]
        inside = own & (bins[:, 0] == bins[:, 1]) & (bins[:, 0] >= 0)
        noise = add(self.noise)
        np.add.at(
            noise,
            (shared.parameters[inside, 0], shared.samples[inside], bins[inside, 0]),
            2.0 * shared.values[inside],
        )
        rest = (bins >= 0).all(axis=1) & ~inside
        return dataclasses.replace(
            self,
            expected=add(self.expected),
            variance=add(self.variance),
            entries=add(self.entries),
            derivative=add(self.derivative),
            # A sum of squares minus the same squares may leave a rounding error below 0.
            noise=np.maximum(noise, 0.0),
            residual=add(np.asarray(self.residual)),
            predicted=add(np.asarray(self.predicted)),
            shared=_collected(shared.parameters[rest], shared.samples[rest], bins[rest], shared.values[rest], count),
        )

    def only(self, names: Sequence[str]) -> Bins:
        """Return the derivatives of the samples called `names` alone; the expectation and its variance stay.

        Shows what the other samples add to a constraint.
        """
        keep = np.array([name in names for name in self.samples])
        return dataclasses.replace(
            self,
            derivative=self.derivative * keep[:, None],
            noise=self.noise * keep[:, None],
            shared=self.shared.chosen(keep[self.shared.samples]),
            together=tuple(found for found in self.together if keep[found.sample]),
        )


def _collected(parameters: Integers, samples: Integers, bins: Integers, values: Floats, count: int) -> Shared:
    """Add up the covariances of the same parameters, sample and bins."""
    own = parameters[:, 0] == parameters[:, 1]
    bins = np.where(own[:, None], np.sort(bins, axis=1), bins)
    most = 1 + max(parameters.max(initial=0), samples.max(initial=0))
    keys = ((parameters[:, 0] * most + parameters[:, 1]) * most + samples) * count**2 + bins[:, 0] * count + bins[:, 1]
    _, first, where = np.unique(keys, return_index=True, return_inverse=True)
    return Shared(
        parameters=parameters[first],
        samples=samples[first],
        bins=bins[first],
        values=np.bincount(where, values, first.size).astype(np.float64),
    )
