"""The expectation of a model to first order, with the noise that the simulation behind its templates gives to it.

Everything is taken at the model's nominal point, with couplings at 0. The derivatives are those of the model itself,
whatever its factors and interpolations. Their noise comes from the cells that the templates were made of:

norm        an event of weight w is c w of the derivative: c^2 times the sum of squared weights;
couplings   the squared weights of the coupling's monomial;
all others  see `spectrafit.templates.noise`; where a change is smoothed, the noise of the smoothed change.

Let r_js be how often a nominal event of sample s is in derivative j: c for a factor, the relative change for weights
and components, 0 for events moved by a shift, which enter one bin and leave another. The same event is in other
derivatives too, so the noise of derivatives j and k has the covariance r_js r_ks W_s in the event's bin, with W_s the
sum of squared weights. The event is also in the variance v of the bin's count, a_s = 1 + w times. To second order in
the fluctuations of D and v the mean of D_j D_k / v then exceeds the truth by

    sum_s W_s (r_js - a_s D_j / v) (r_ks - a_s D_k / v) / v,

not by the sum of W_s r_js r_ks / v. One reason is that a factor common to everything in a bin is known as well as the
bin, noise or not. The other is that 1 / v is too large on average where few events are in a bin. For bins that are
merged later v is not known yet. Then the sum of W_s r_js r_ks / v is kept, and `Bins.guard` corrects 1 / v.

Letters: K parameters, S samples, B bins of the model, b bins of the templates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from spectrafit.arraytypes import Flags, Floats, Integers
from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.bins import Bins, Shared, Together
from spectrafit.inference.fitting.sharing import shared_noise
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.templates.cells import Cells
from spectrafit.templates.coarse import coarse_grids
from spectrafit.templates.draws import OVERLAP
from spectrafit.templates.effects import Effect
from spectrafit.templates.noise import ChangeNoise, noise_of_change, share_of_noise, squares_of
from spectrafit.templates.systematics import effects
from spectrafit.templates.templates import Templates
from spectrafit.templates.variations import scope_of, smoothed_noise

__all__ = ["bins_of"]

# Derivatives are differences over this share of the error that a parameter has when all others are known.
_STEP = 1e-3


def bins_of(model: Model, templates: Templates, *, merging: bool = False) -> Bins:
    """Return what a fit of the model knows of its bins to first order, with the noise of the simulation.

    Parameters
    ----------
    model : Model
        Assembled from the templates. Fixed parameters are left out.
    templates : Templates
        With the cells they were made of.
    merging : bool
        Whether bins will be merged: then the bins that the model's rule for empty bins dropped are kept, and so is all
        of the noise.

    Raises
    ------
    ConfigError
        The templates have no cells, or the model is of other templates.
    """
    if templates.cells is None:
        raise ConfigError("these templates have no cells, so their noise is not known; build them from an analysis")
    return _Linear(model, templates, templates.cells).bins(merging)


class _Linear:
    """The making of `Bins`: what the model says, then the noise by the templates' bins, then both together."""

    def __init__(self, model: Model, templates: Templates, cells: Cells) -> None:
        self._model, self._templates, self._cells = model, templates, cells
        self._names = tuple(dict.fromkeys(component.sample for component in model.components))
        free = [k for k, parameter in enumerate(model.parameters) if not parameter.fixed]
        self._parameters = tuple(model.names[k] for k in free)
        self._free = np.array(free)
        self._point = np.array(
            [0.0 if name in model.couplings else model.initial[k] for k, name in enumerate(model.names)]
        )
        self._labels = _labels(model, templates)
        self._known = {name: templates.samples.index(name) for name in self._names if name in templates.samples}
        self._scales = {name: self._scale(name) for name in self._known}

    def bins(self, merging: bool) -> Bins:
        """Return the whole."""
        model = self._model
        nominal = Likelihood(model).predict(self._point)
        expected = self._by_sample(nominal.components)
        derivative = self._derivative()
        variance = self._variance()
        residual = nominal.variance - variance.sum(axis=0)
        total = nominal.mean + nominal.variance
        inverse = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
        noise, shared, together = self._noise(expected, derivative, 0.0 * inverse if merging else inverse)
        entries = np.zeros_like(expected)
        for s, name in enumerate(self._names):
            if name in self._known:
                entries[s] = np.bincount(self._labels, self._templates.entries[self._known[name]], model.n_bins)
        keep = np.ones(model.n_bins) if merging else model.used.astype(np.float64)
        roles = dict(zip(self._templates.samples, self._templates.roles, strict=True))
        prior, precision = self._prior()
        return Bins(
            parameters=self._parameters,
            prior=prior,
            precision=precision,
            samples=self._names,
            background=np.array([roles.get(name, "background") == "background" for name in self._names]),
            expected=expected * keep,
            variance=variance * keep,
            entries=entries,
            derivative=derivative * keep,
            noise=noise * keep,
            shared=shared.chosen(np.all(keep[shared.bins] > 0, axis=1)),
            together=together,
            residual=np.maximum(residual, 0.0) * keep,
        )

    def _by_sample(self, components: tuple[Floats, ...]) -> Floats:
        """Add up the yields of components to those of samples, (S, B)."""
        result = np.zeros((len(self._names), self._model.n_bins))
        for component, values in zip(self._model.components, components, strict=True):
            result[self._names.index(component.sample), component.start : component.stop] += values
        return result

    def _derivative(self) -> Floats:
        """Return the derivatives of the samples' yields, (K, S, B): central differences."""
        likelihood = Likelihood(self._model)
        steps = _STEP * likelihood.lone_errors(self._point)
        result = np.zeros((self._free.size, len(self._names), self._model.n_bins))
        for row, k in enumerate(self._free):
            sides = []
            for side in (1.0, -1.0):
                values = self._point.copy()
                values[k] += side * steps[k]
                sides.append(self._by_sample(likelihood.predict(values).components))
            result[row] = (sides[0] - sides[1]) / (2.0 * steps[k])
        return result

    def _variance(self) -> Floats:
        """Return the variance that the fit gives to the samples' yields for the simulation, (S, B)."""
        result = np.zeros((len(self._names), self._model.n_bins))
        for part in self._model.variances:
            first, second = self._model.components[part.first], self._model.components[part.second]
            if not first.monomial and not second.monomial:
                result[self._names.index(first.sample), first.start : first.stop] += part.values
        return result

    def _prior(self) -> tuple[Floats, Floats]:
        parameters = [self._model.parameters[k] for k in self._free]
        widths = np.array(
            [parameter.width if parameter.constraint == "gaussian" else np.inf for parameter in parameters]
        )
        precision = np.diag(widths**-2.0)
        if self._model.correlations:
            tied = [index for index, w in enumerate(widths) if np.isfinite(w)]
            rho = np.eye(widths.size)
            for first, second, value in self._model.correlations:
                if first in self._parameters and second in self._parameters:
                    row, column = self._parameters.index(first), self._parameters.index(second)
                    rho[row, column] = rho[column, row] = value
            sizes = widths[tied]
            precision[np.ix_(tied, tied)] = np.linalg.inv(rho[np.ix_(tied, tied)] * sizes[:, None] * sizes)
        return widths**-2.0, precision

    def _squares(self, at: int) -> Floats:
        """Return the variance that the simulation gives to a sample in each of the templates' bins, (b,).

        Of a region's total it is what the fit takes: there the draws of an event are together.
        """
        sample, inner = self._cells.expected[at], self._cells.layout.inner
        result: Floats = self._templates.squares[at, 0]
        if OVERLAP in sample.effects and self._model.n_bins == self._templates.n_bins:
            # A part of what the fit takes, which may have been scaled to more simulation.
            whole = sample.squares[0, inner]
            result = result * np.divide(squares_of(sample)[inner], whole, out=np.ones_like(whole), where=whole > 0)
        return result

    def _scale(self, name: str) -> float:
        """Return what `normalise` multiplied a sample by."""
        filled = float(self._templates.counts[self._known[name], 0, 0].sum())
        fitted = sum(float(c.nominal.sum()) for c in self._model.components if c.sample == name and not c.monomial)
        return fitted / filled if filled > 0 else 1.0

    def _noise(
        self, expected: Floats, derivative: Floats, inverse: Floats
    ) -> tuple[Floats, Shared, tuple[Together, ...]]:
        """Return the variances, (K, S, B), and the covariances of the derivatives' noise, in the model's bins.

        `inverse`, (B,), is 1 / v of the whole expectation, 0 if v is not known yet.
        """
        k, s, b = derivative.shape[0], len(self._names), self._templates.n_bins
        variance, nominal = np.zeros((k, s, b)), np.zeros((k, s, b))
        pairs: list[tuple[int, int, ChangeNoise]] = []
        together: list[Together] = []
        squares, counts = np.zeros((s, b)), np.zeros((s, b))
        scattered = np.zeros((k, s, 1), np.bool_)
        for name, at in self._known.items():
            squares[self._names.index(name)] = self._squares(at) * self._scales[name] ** 2
            counts[self._names.index(name)] = self._templates.counts[at, 0, 0] * self._scales[name]
        for parameter, sample, found in self._changes(expected, derivative, squares):
            variance[parameter, sample] += found.variance
            nominal[parameter, sample] += found.nominal
            scattered[parameter, sample] |= found.scattered
            if found.moved.size:
                pairs.append((parameter, sample, found))
            if found.together is not None:
                sizes = np.sqrt(found.variance)
                together.append(Together(parameter=parameter, sample=sample, cells=found.together, sizes=sizes))
        # In step with the variance of the count: a_s D / v of each event.
        sums = expected.sum(axis=1)
        weights = np.divide(squares.sum(axis=1), sums, out=np.zeros_like(sums), where=sums > 0)
        step = (1.0 + weights)[:, None] * inverse[self._labels]
        moving = np.maximum(variance - nominal**2 * squares, 0.0)
        few = np.bincount(self._labels, (step**2 * squares).sum(axis=0), self._model.n_bins)
        shrunk: Floats = np.reciprocal(1.0 + few, dtype=np.float64)[self._labels]
        # The products of two D that are subtracted hold the noise of moving events once more, and so do the products of
        # two r where these are means of the same events.
        again = np.divide(squares, counts**2, out=np.zeros_like(squares), where=counts > 0) * (1.0 - step * counts) ** 2
        nominal = nominal - step * derivative.sum(axis=1)[:, None, self._labels]
        squares = squares * shrunk
        known = nominal**2 - step**2 * np.where(scattered, 0.0, moving).sum(axis=1, keepdims=True)
        variance = moving * np.where(scattered, np.maximum(1.0 - again * shrunk, 0.0), 1.0) + known * squares
        fine = Bins(
            parameters=self._parameters,
            prior=np.zeros(k),
            samples=self._names,
            background=np.zeros(s, np.bool_),
            expected=np.zeros((s, b)),
            variance=squares,
            entries=np.zeros((s, b)),
            derivative=np.zeros((k, s, b)),
            noise=variance,
            shared=shared_noise(pairs, shrunk, nominal, squares, variance),
        )
        if self._model.n_bins == b:
            return variance, fine.shared, tuple(together)
        merged = fine.merged(self._labels, self._model.n_bins)
        return merged.noise, merged.shared, ()

    def _changes(self, expected: Floats, derivative: Floats, squares: Floats) -> Iterator[tuple[int, int, ChangeNoise]]:
        """Yield the noise of each parameter's derivative of each sample, by the templates' bins."""
        numbers = {name: index for index, name in enumerate(self._parameters)}
        relative = np.divide(derivative, expected, out=np.zeros_like(derivative), where=expected > 0)
        relative = relative[..., self._labels]
        told = set()
        for effect in effects(self._cells.analysis).values():
            for name, sample, change in self._of_effect(effect):
                told.add((numbers[name], sample))
                yield numbers[name], sample, change
        for name, k in numbers.items():
            for sample in range(len(self._names)):
                factor = relative[k, sample]
                if factor.any() and (k, sample) not in told and name not in self._model.couplings:
                    # A factor changes every event alike.
                    yield k, sample, ChangeNoise.alone(factor**2 * squares[sample], factor)
        yield from self._of_couplings(numbers, squares)

    def _of_effect(self, effect: Effect) -> Iterator[tuple[str, int, ChangeNoise]]:
        """Yield the noise of a systematic: parameter, sample, and the noise where the templates change."""
        cells, name = self._cells, effect.systematic.name
        scope = scope_of(effect, cells)[:, 0]
        share = share_of_noise(cells, effect) if effect.linear else np.zeros(scope.shape)
        grids = coarse_grids(cells, effect) if getattr(effect.systematic, "smooth", False) == "auto" else {}
        wanted = [
            parameter
            for parameter in self._parameters
            if parameter == name or (effect.linear and parameter.startswith(f"{name}["))
        ]
        for sample_name, at in self._known.items():
            for parameter in wanted:
                changes = scope[at] & self._changed(parameter, at)
                if not changes.any():
                    continue
                keep = changes.astype(np.float64)
                nominal, squares = self._templates.counts[at, 0, 0], self._squares(at)
                if effect.linear:
                    change = self._change(parameter, at)
                    relative = np.divide(change, nominal, out=np.zeros_like(change), where=nominal > 0)
                    # Events whose weights scatter within a bin move on their own.
                    acting = share[at] > 0
                    found = ChangeNoise.alone(share[at] * change**2, relative * acting, scattered=True).within(keep)
                    found = found.unbiased(nominal, squares)
                else:
                    raw = noise_of_change(cells, effect, at)
                    if raw is None:
                        continue
                    found = raw.within(keep)
                    # The total of a region is not smoothed.
                    if self._model.n_bins != self._templates.n_bins or not effect.systematic.smooth:
                        found = found.unbiased(nominal, squares)
                    else:
                        found = smoothed_noise(cells, effect, at, found, grids)
                    found = _part(found, keep, nominal, effect.systematic.part_of(sample_name))
                yield parameter, self._names.index(sample_name), found.scaled(self._scales[sample_name])

    def _changed(self, parameter: str, at: int) -> Flags:
        """Return the bins, (b,), of the regions in which a sample's templates change with a parameter."""
        rows = [v for v, variation in enumerate(self._templates.variations) if variation.parameter == parameter]
        counts = self._templates.counts[at]
        moved = (counts[rows] != counts[0]).any(axis=(0, 1))
        result = np.zeros(moved.size, np.bool_)
        for region in self._templates.regions:
            result[region.bins] = moved[region.bins].any()
        return result

    def _change(self, parameter: str, at: int) -> Floats:
        """Return the change of a sample by one sigma of a principal component, (b,)."""
        variations = self._templates.variations
        row = next(
            v for v, variation in enumerate(variations) if (variation.parameter, variation.sigma) == (parameter, 1)
        )
        change: Floats = self._templates.counts[at, row, 0] - self._templates.counts[at, 0, 0]
        return change

    def _of_couplings(self, numbers: Mapping[str, int], squares: Floats) -> Iterator[tuple[int, int, ChangeNoise]]:
        """Yield the noise of the derivatives by the couplings: of the monomials of first order."""
        monomials = self._templates.monomials
        for coupling, parameter in enumerate(monomials.parameters):
            exponents = tuple(int(index == coupling) for index in range(len(monomials.parameters)))
            if parameter not in numbers or exponents not in monomials.exponents:
                continue
            place = monomials.exponents.index(exponents)
            for name, at in self._known.items():
                sample, scale = self._names.index(name), self._scales[name]
                counts = self._templates.counts[at, 0]
                square = self._templates.squares[at, monomials.places[place][place]]
                # Other pairs make the same product, such as 1 times kappa^2 beside kappa squared. The variance is
                # divided among the pairs as their sums are.
                others = sum(
                    np.abs(counts[index] * counts[j])
                    for index in range(len(monomials))
                    for j in range(len(monomials))
                    if index != j and monomials.places[index][j] == monomials.places[place][place]
                )
                own = counts[place] ** 2
                variance = square * np.divide(own, own + others, out=np.ones_like(own), where=own + others > 0)
                if not counts[place].any():
                    continue
                # The pair of 1 and the monomial is in its product twice: w_1 w_m + w_m w_1.
                both = self._templates.squares[at, monomials.places[0][place]] / 2.0
                alone = self._templates.squares[at, 0]
                nominal = np.divide(both, alone, out=np.zeros_like(both), where=alone > 0)
                # Draws of one event lie in a bin together in every monomial alike.
                variance *= np.divide(self._squares(at), alone, out=np.ones_like(alone), where=alone > 0)
                yield numbers[parameter], sample, ChangeNoise.alone(np.abs(variance) * scale**2, nominal)


def _part(noise: ChangeNoise, scope: Floats, nominal: Floats, part: str) -> ChangeNoise:
    """Return the noise of the shape or norm part of a change; covariances of what its total adds are left out."""
    if part == "both":
        return noise
    within = nominal * scope
    share = within / within.sum() if within.sum() > 0 else np.zeros_like(within)
    total = noise.variance.sum() - 2.0 * noise.moved.sum()
    if part == "norm":
        return ChangeNoise.alone(share**2 * max(total, 0.0))
    # What a bin has in common with the total: its own variance, without what moved within the bins in scope.
    size = noise.variance.size
    common = noise.variance - np.bincount(noise.first, noise.moved, size) - np.bincount(noise.second, noise.moved, size)
    variance = noise.variance - 2.0 * share * common + share**2 * total
    return dataclasses.replace(noise, variance=np.maximum(variance, 0.0), nominal=np.zeros(size))


def _labels(model: Model, templates: Templates) -> Integers:
    """Return the bin of the model that each bin of the templates is in."""
    if model.n_bins == templates.n_bins:
        return np.arange(templates.n_bins)
    if model.n_bins == len(templates.regions):
        return np.repeat(np.arange(model.n_bins), [region.size for region in templates.regions])
    raise ConfigError(
        f"the model has {model.n_bins} bins, these templates have {templates.n_bins}; assemble the model from them"
    )
