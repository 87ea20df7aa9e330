"""Works out the expected events per sample and bin, with uncertainties before and after the fit."""

from __future__ import annotations

import dataclasses

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model, Parameter
from spectrafit.inference.results import FitResult

__all__ = ["Expectation", "by_sample", "expectation", "moving", "prior_covariance", "prior_width", "spread"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a model expects in its B bins at the fitted nuisance parameters, kept apart by sample.

    Attributes
    ----------
    samples : (S,) tuple of str
    counts : (S, B) array
        Events without any coupling (every kappa = 0).
    extra : (S, B) array
        Events the couplings add (or take away) where the one of interest is at `kappa`, and the others at `others`.
    kappa : float
    others : dict of str to float
        The profiled couplings, refitted with the one of interest at `kappa`. Empty if there are none.
    variance : (B,) array
        Variance of the simulation at kappa = 0, events^2.
    prior : (B,) array
        Events of all samples without the coupling before the fit, where the nuisance parameters are at their priors.
    before, after : (B, B) arrays
        Covariance of the sum from the nuisance parameters, events^2: of their priors around `prior`, and of the fit.
    """

    samples: tuple[str, ...]
    counts: Floats
    extra: Floats
    kappa: float
    others: dict[str, float]
    variance: Floats
    prior: Floats
    before: Floats
    after: Floats

    @property
    def total(self) -> Floats:
        """(B,) events of all samples without the coupling."""
        total: Floats = self.counts.sum(axis=0)
        return total

    @property
    def signal(self) -> Floats:
        """(B,) events the coupling adds to all samples."""
        signal: Floats = self.extra.sum(axis=0)
        return signal


def expectation(model: Model, best: FitResult, *, kappa: float) -> Expectation:
    """Return what the model expects at the fitted nuisance parameters, without the coupling and with it at `kappa`."""
    off, on = best.values.copy(), best.values.copy()
    names = [name for name in model.couplings if name != model.poi]
    refitted = fit(model, fixed={model.poi: kappa}, start=best.values) if names else best
    others = {name: refitted.value(name) for name in names}
    for name, value in {model.poi: kappa, **others}.items() if model.poi else ():
        off[model.index(name)], on[model.index(name)] = 0.0, value
    counts = by_sample(model, off)
    centre = off.copy()
    for place, parameter in enumerate(model.parameters):
        if parameter.constraint != "free" and parameter.name not in {model.poi, *model.couplings}:
            centre[place] = parameter.centre if parameter.constraint == "gaussian" else parameter.initial
    after = spread(model, best, off)[1]
    before = spread(model, best, centre)[0]
    return Expectation(
        samples=tuple(counts),
        counts=np.array(list(counts.values())),
        extra=np.array(list(by_sample(model, on).values())) - np.array(list(counts.values())),
        kappa=kappa,
        others=others,
        variance=Likelihood(model).predict(off).variance,
        prior=Likelihood(model).predict(centre).mean,
        before=before,
        after=after,
    )


def spread(model: Model, best: FitResult, values: Floats) -> tuple[Floats, Floats]:
    """Return the (B, B) covariances of the expected events at `values`, before and after the fit.

    The couplings stay where they are. Linear in the nuisance parameters, whose (K, B) derivatives are central
    differences over one prior width. A parameter without a prior counts with its fitted error in both.
    """
    places = moving(model, best)
    slopes = np.zeros((len(places), model.n_bins))
    for row, at in enumerate(places):
        parameter = model.parameters[at]
        width = prior_width(parameter) or float(best.errors[at])
        step = np.zeros_like(values)
        step[at] = width
        slopes[row] = (
            Likelihood(model).predict(values + step).mean - Likelihood(model).predict(values - step).mean
        ) / (2.0 * width)
    prior = prior_covariance(model, best, places)
    fitted = best.covariance[np.ix_(places, places)]
    return slopes.T @ prior @ slopes, slopes.T @ fitted @ slopes


def moving(model: Model, best: FitResult) -> list[int]:
    """Return the places of the K parameters that are no couplings and not fixed."""
    couplings = {model.poi, *model.couplings}
    return [
        place
        for place, parameter in enumerate(model.parameters)
        if parameter.name not in couplings and best.errors[place] > 0
    ]


def prior_width(parameter: Parameter) -> float:
    """Return how wide a parameter's prior is, 0 without one; that of a Poisson constraint by its auxiliary events."""
    if parameter.constraint == "poisson":
        return float(np.sqrt(max(parameter.centre, 0.0)) / parameter.width)
    return parameter.width if parameter.constraint == "gaussian" else 0.0


def prior_covariance(model: Model, best: FitResult, places: list[int]) -> Floats:
    """Return the (K, K) covariance of parameters before the fit; one without a prior counts with its fitted error."""
    names = [model.parameters[at].name for at in places]
    widths = [prior_width(model.parameters[at]) or float(best.errors[at]) for at in places]
    prior = np.diag(np.square(np.array(widths, dtype=np.float64)))
    for first, second, rho in model.correlations:
        if first in names and second in names:
            one, other = names.index(first), names.index(second)
            prior[one, other] = prior[other, one] = rho * np.sqrt(prior[one, one] * prior[other, other])
    return prior


def by_sample(model: Model, values: Floats) -> dict[str, Floats]:
    """Return the (B,) expected events of each sample at `values`."""
    counts: dict[str, Floats] = {}
    for component, events in zip(model.components, Likelihood(model).predict(values).components, strict=True):
        total = counts.setdefault(component.sample, np.zeros(model.n_bins))
        total[component.start : component.stop] += events
    return counts
