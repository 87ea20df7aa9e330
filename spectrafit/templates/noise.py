"""The noise that the simulation gives to the change of a sample's expectation by one systematic, for one sigma.

A template of a systematic is made of simulated events, so the change that it claims has a variance. Per kind:

shift        events that change bins, in the bin they leave and in the bin they enter (`Moves`);
weight       the squared changes of weight;
sample       the variances of both sets of events, since their events differ;
universes    the mean noise of the universes, as a share of their variance: principal components share it in the same
             proportion;
flux         the squared weights of each flux bin, likewise;
covariance   none: the matrix is given.

Everything here is for the Standard Model's monomial, the only monomial that is not 0 at kappa = 0.

Letters: B bins, S samples, n pairs of bins, J flux bins, D deviations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.config import FluxUncertainty, Shift, ShiftedSample, Universes, Weight
from spectrafit.templates.cells import Cells, EffectCells, SampleCells
from spectrafit.templates.draws import OVERLAP
from spectrafit.templates.effects import Effect
from spectrafit.templates.migration import Moves

__all__ = ["ChangeNoise", "noise_of_change", "share_of_noise", "squares_of"]

# The Standard Model is the first monomial, and its square the first product.
_SM = 0
# From this sum of squares over squared sum on, a bin has one event.
_ONE = 1.0 - 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class ChangeNoise:
    """Variance of the change of one sample for one sigma of one systematic.

    Attributes
    ----------
    variance : (B,) array
        Of each bin, events^2.
    first, second : (n,) arrays of int
        Pairs of bins between which events moved.
    moved : (n,) array
        Squared weights that moved, events^2: the covariance of the two bins is minus this number.
    nominal : (B,) array
        How often the nominal events of a bin are in the change: -1 for "shifted set minus nominal", the relative change
        for a weight, 0 for a shift, whose events leave one bin and enter another.
    together : (B,) array of int or None
        Bins of one number fluctuate together in full, as the bins of a coarse cell do.
    scattered : bool
        Whether `nominal` is the mean of the events' own changes, whose scatter about it is the rest of the noise.
    """

    variance: Floats
    first: Integers
    second: Integers
    moved: Floats
    nominal: Floats
    together: Integers | None = None
    scattered: bool = False

    @classmethod
    def alone(
        cls,
        variance: Floats,
        nominal: Floats | None = None,
        together: Integers | None = None,
        *,
        scattered: bool = False,
    ) -> ChangeNoise:
        """Return noise without covariances between bins, but for those that fluctuate together."""
        nothing = np.zeros(0, np.int64)
        own = np.zeros_like(variance) if nominal is None else nominal
        return cls(
            variance=variance,
            first=nothing,
            second=nothing,
            moved=np.zeros(0),
            nominal=own,
            together=together,
            scattered=scattered,
        )

    def unbiased(self, sums: Floats, squares: Floats) -> ChangeNoise:
        """Return the noise of scattered changes with the part of the scatter that their own mean has taken up.

        As a variance from n events is divided by n - 1. `sums` and `squares`, (B,), are those of the nominal weights.
        A bin of one event has no scatter: all of its change is noise.
        """
        if not self.scattered:
            return self
        few = np.divide(squares, sums**2, out=np.ones_like(squares), where=sums > 0)
        many = few < _ONE
        common = self.nominal**2 * squares
        rest = np.maximum(self.variance - common, 0.0) / np.where(many, 1.0 - few, 1.0)
        variance = np.where(many, common + rest, self.variance)
        return replace(self, variance=variance, nominal=np.where(many, self.nominal, 0.0))

    def scaled(self, factor: float) -> ChangeNoise:
        """Return the noise of events whose weights are multiplied by `factor`."""
        return replace(self, variance=self.variance * factor**2, moved=self.moved * factor**2)

    def within(self, keep: Floats) -> ChangeNoise:
        """Return the noise of the bins that `keep`, (B,), marks with 1; 0 elsewhere."""
        both = (keep[self.first] > 0) & (keep[self.second] > 0)
        return ChangeNoise(
            variance=self.variance * keep,
            first=self.first[both],
            second=self.second[both],
            moved=self.moved[both],
            nominal=self.nominal * keep,
            scattered=self.scattered,
        )

    def part(self, bins: slice) -> ChangeNoise:
        """Return the noise of some neighbouring bins, such as those of a region."""
        start, stop = bins.start, bins.stop
        inside = (self.first >= start) & (self.first < stop) & (self.second >= start) & (self.second < stop)
        return ChangeNoise(
            variance=self.variance[bins],
            first=self.first[inside] - start,
            second=self.second[inside] - start,
            moved=self.moved[inside],
            nominal=self.nominal[bins],
        )

    def merged(self, labels: Integers, count: int) -> Floats:
        """Return the variance of the changes of merged bins, (count,): bin b is part of merged bin `labels[b]`."""
        result = np.bincount(labels, self.variance, count)
        first, b = labels[self.first], labels[self.second]
        inside = first == b
        # Rounding may leave a sum of squares minus the same squares below 0.
        found: Floats = np.maximum(result - 2.0 * np.bincount(first[inside], self.moved[inside], count), 0.0)
        return found

    def thrown(self, count: int, rng: np.random.Generator) -> Floats:
        """Return `count` Gaussian fluctuations, (count, B), with these variances and covariances."""
        size = self.variance.size
        if (self.moved < 0).any():
            return self._thrown_in_parts(count, rng)
        pairs = np.bincount(self.first, self.moved, size) + np.bincount(self.second, self.moved, size)
        result = rng.normal(size=(count, size)) * np.sqrt(np.maximum(self.variance - pairs, 0.0))
        moves = rng.normal(size=(count, self.moved.size)) * np.sqrt(self.moved)
        for row, move in zip(result, moves, strict=True):
            row += np.bincount(self.first, move, size) - np.bincount(self.second, move, size)
        return result

    def _thrown_in_parts(self, count: int, rng: np.random.Generator) -> Floats:
        """Do the same for events that are in several bins, whose covariances have both signs."""
        here = np.flatnonzero(self.variance > 0)
        number = np.full(self.variance.size, -1)
        number[here] = np.arange(here.size)
        covariance = np.diag(self.variance[here])
        for one, other in ((self.first, self.second), (self.second, self.first)):
            np.add.at(covariance, (number[one], number[other]), -self.moved)
        # Positive but for rounding: it is a sum of squares over events.
        values, vectors = np.linalg.eigh(covariance)
        result = np.zeros((count, self.variance.size))
        result[:, here] = rng.normal(size=(count, here.size)) @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
        return result


def noise_of_change(cells: Cells, effect: Effect, at: int) -> ChangeNoise | None:
    """Return the noise of (up - down) / 2 for one sigma of a systematic of shifts; None where it does not act.

    Without a pair of sigmas at -1 and +1 the noise is that of the smallest sigma, divided by this sigma.

    Parameters
    ----------
    cells : Cells
    effect : Effect
        A `shift`, `weight` or `sample`.
    at : int
        The sample's position in the expectation.
    """
    sample, systematic = cells.expected[at], effect.systematic
    inner = cells.layout.inner
    if isinstance(systematic, ShiftedSample):
        if sample.name not in effect.acts_on(cells.varying):
            return None
        sets = [
            squares_of(cells.stand_ins[stand_ins[sample.name], sample.name])[inner]
            for stand_ins in (systematic.up, systematic.down)
            if sample.name in stand_ins
        ]
        if len(sets) == 2:
            return ChangeNoise.alone((sets[0] + sets[1]) / 4.0)
        # Mirrored: the change is "shifted minus nominal", so the nominal events count with a minus.
        own = squares_of(sample)[inner]
        sign = -1.0 if sample.name in systematic.up else 1.0
        return ChangeNoise.alone(sets[0] + own, np.full(own.size, sign))
    found = sample.effects.get(effect.key)
    if found is None:
        return None
    if isinstance(systematic, Shift):
        return _of_moves(cells, found.moves[-1])
    assert isinstance(systematic, Weight)
    sigmas = systematic.sigmas
    nominal = sample.sums[_SM, inner]
    if len(found.half):
        row, factor = len(sigmas), 1.0
        variance = found.half[0, _SM, inner]
        change = (found.sums[sigmas.index(1.0), _SM] - found.sums[sigmas.index(-1.0), _SM])[inner] / 2.0
    else:
        row = int(np.argmin(np.abs(sigmas)))
        factor = 1.0 / abs(sigmas[row])
        variance = found.noise[row, _SM, inner] * factor**2
        change = (found.sums[row, _SM, inner] - nominal) / sigmas[row]
    relative = np.divide(change, nominal, out=np.zeros_like(change), where=nominal > 0)
    if found.moves:
        return replace(_of_moves(cells, found.moves[row]).scaled(factor), nominal=relative, scattered=True)
    return ChangeNoise.alone(variance, relative, scattered=True)


def squares_of(sample: SampleCells) -> Floats:
    """Return the variance of a sample's sums in each cell, (F,), at the Standard Model.

    Where events have several draws it is less than `SampleCells.squares`, which are for a fit that takes bins as
    independent.
    """
    found = sample.effects.get(OVERLAP)
    result: Floats = sample.squares[_SM] if found is None else found.noise[0, _SM]
    return result


def _of_moves(cells: Cells, moves: Moves) -> ChangeNoise:
    """Return the noise of moved events, and its covariances between bins that are no flow."""
    inner = cells.layout.inner
    number = np.full(cells.layout.size + 1, -1, np.int64)
    number[:-1][inner] = np.arange(inner.size)
    first, second = number[moves.first], number[moves.second]
    inside = (first >= 0) & (second >= 0)
    variance = moves.noise[_SM, inner]
    return ChangeNoise(
        variance=variance,
        first=first[inside],
        second=second[inside],
        moved=moves.squares[_SM, inside],
        nominal=np.zeros(inner.size),
    )


def share_of_noise(cells: Cells, effect: Effect) -> Floats:
    """Return the share of noise in the variance of each sample and bin under universes or fluxes, (S, B).

    A principal component has the same share of noise as the whole variance. Other kinds of systematics have a share of
    0. The share may be above 1 where the universes happen to differ less than their noise. It is not cut off at 1,
    because its mean would then be wrong.
    """
    nominal = cells.nominal[:, _SM]
    if not isinstance(effect.systematic, (Universes, FluxUncertainty)):
        return np.zeros_like(nominal)
    variance = (effect.deviations(cells)[:, :, _SM] ** 2).sum(axis=0)
    noise = np.zeros_like(nominal)
    for at, found in effect.sums(cells).items():
        noise[at] = _linear_noise(cells, effect, found, cells.expected[at].name)
    share: Floats = np.divide(noise, variance, out=np.zeros_like(noise), where=variance > 0)
    return share


def _linear_noise(cells: Cells, effect: Effect, found: EffectCells, sample: str) -> Floats:
    """Return the noise in the variance of each bin, (B,), of universes or fluxes."""
    noise = found.noise[:, _SM, cells.layout.inner]
    if not isinstance(effect.systematic, FluxUncertainty):
        # One row: the mean of the universes.
        return noise[0] if len(noise) else np.zeros(noise.shape[-1])
    names = {one.name: sample_set.name for sample_set in cells.analysis.sample_sets for one in sample_set.samples}
    weights = cells.tables[effect.key][names[sample]]
    # An event of flux bin j enters deviation d with weight w_dj: its square is summed over the deviations.
    result: Floats = (weights**2).sum(axis=0) @ noise
    return result
