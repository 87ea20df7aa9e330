"""Works out the expectation of every sample in every bin and region, with errors before and after the fit.

Letters: S samples, B bins of all regions, K parameters that move.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config import Analysis
from spectrafit.inference.assemble import as_fitted
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.results import FitResult
from spectrafit.report.expectation import by_sample, moving, prior_covariance, prior_width
from spectrafit.templates.regions import RegionBins
from spectrafit.templates.templates import Templates

__all__ = ["Contents", "axes_of", "contents", "expected_at"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """The expectation at one point, by sample and bin.

    Attributes
    ----------
    samples : (S,) tuple of str
    counts : (S, B) array
        Expected events.
    slopes : (K, S, B) array
        Derivatives of `counts` by the parameters that move.
    covariance : (K, K) array
        Of these parameters.
    variance : (S, B) array
        Variance of each sample's simulation, events^2.
    simulation : (B,) array
        Variance of the simulation of all samples, as the likelihood has it.
    """

    samples: tuple[str, ...]
    counts: Floats
    slopes: Floats
    covariance: Floats
    variance: Floats
    simulation: Floats

    def within(self, bins: slice) -> list[dict[str, Any]]:
        """Return events and errors of each sample, and of all of them last, bin by bin and added up over the bins."""
        rows = [
            self._row(name, self.counts[at, bins], self.slopes[:, at, bins], self.variance[at, bins])
            for at, name in enumerate(self.samples)
        ]
        whole = self.counts[:, bins].sum(axis=0), self.slopes[:, :, bins].sum(axis=1), self.simulation[bins]
        return [*rows, self._row(None, *whole)]

    def _row(self, name: str | None, counts: Floats, slopes: Floats, variance: Floats) -> dict[str, Any]:
        together = slopes.sum(axis=1)
        return {
            "sample": name,
            "events": counts,
            "error": np.sqrt(np.maximum(np.sum(slopes * (self.covariance @ slopes), axis=0), 0.0)),
            "simulation_error": np.sqrt(np.maximum(variance, 0.0)),
            "sum": float(counts.sum()),
            "sum_error": math.sqrt(max(float(together @ self.covariance @ together), 0.0)),
            "sum_simulation_error": math.sqrt(max(float(variance.sum()), 0.0)),
        }


def contents(analysis: Analysis, templates: Templates, model: Model, best: FitResult) -> list[dict[str, Any]]:
    """Return what stands in the bins of every region, as `result.json` keeps it.

    Parameters
    ----------
    analysis, templates
        What the model was assembled from.
    model : Model
        Bin by bin, with its data.
    best : FitResult
        The fit of `model`.

    Returns
    -------
    list of dict
        For each region its `name`, `title`, `axes` with edges, `fitted` (whether the likelihood has its bins), `data`,
        and the expectation `before` the fit (nominal, without any coupling, errors from the priors) and `after` it (at
        the best fit, errors from the fit): a list of samples, the sum of all last. Bins are in C order of the axes.
    """
    fitted = as_fitted(analysis, templates)
    start = model.initial
    for name in {model.poi, *model.couplings} - {""}:
        start[model.index(name)] = 0.0
    places = moving(model, best)
    before = _simulated(fitted, model, start, expected_at(model, start, places, best, before=True))
    free = [place for place in range(len(best.errors)) if best.errors[place] > 0]
    after = _simulated(fitted, model, best.values, expected_at(model, best.values, free, best))
    found = []
    for region, span in zip(templates.regions, model.regions, strict=True):
        bins = slice(span.start, span.stop)
        found.append(
            {
                "name": region.name,
                "title": span.title,
                "axes": axes_of(region),
                "partition": region.plain().get("partition"),
                "fitted": bool(model.used[bins].any()),
                "data": model.data[bins],
                "before": before.within(bins),
                "after": after.within(bins),
            }
        )
    return found


def axes_of(region: RegionBins) -> list[dict[str, Any]]:
    """Return observable, label and edges of each axis of a region."""
    return [
        {"observable": observable, "label": label, "edges": axis.edges}
        for observable, label, axis in zip(region.observables, region.labels, region.axes, strict=True)
    ]


def expected_at(model: Model, values: Floats, places: list[int], best: FitResult, *, before: bool = False) -> Contents:
    """Return the expectation at `values`, moved by the parameters at `places`; samples without simulation's variance.

    The parameters vary as the fit allows, or `before` it as their priors do.
    """
    counts = by_sample(model, values)
    samples = tuple(counts)
    events = np.array(list(counts.values()))
    slopes = np.zeros((len(places), *events.shape))
    for row, place in enumerate(places):
        width = prior_width(model.parameters[place]) or float(best.errors[place])
        step = np.zeros_like(values)
        step[place] = width
        up, down = (np.array(list(by_sample(model, values + sign * step).values())) for sign in (1.0, -1.0))
        slopes[row] = (up - down) / (2.0 * width)
    return Contents(
        samples=samples,
        counts=events,
        slopes=slopes,
        covariance=prior_covariance(model, best, places) if before else best.covariance[np.ix_(places, places)],
        variance=np.zeros_like(events),
        simulation=Likelihood(model).predict(values).variance,
    )


def _simulated(templates: Templates, model: Model, values: Floats, found: Contents) -> Contents:
    """Return an expectation with the variance of each sample's simulation."""
    variance = _variance(templates, model, values, found.samples, found.counts)
    return dataclasses.replace(found, variance=variance)


def _variance(templates: Templates, model: Model, values: Floats, samples: tuple[str, ...], events: Floats) -> Floats:
    """Return the variance of each sample's simulation, (S, B): the templates', as the nuisances scale the sample."""
    couplings = {name: float(values[model.index(name)]) for name in model.couplings}
    powers = np.array([couplings.get(name, 0.0) for name in templates.monomials.parameters])
    products = np.array([np.prod(powers ** np.array(exponents)) for exponents in templates.monomials.products])
    monomials = np.array([np.prod(powers ** np.array(exponents)) for exponents in templates.monomials.exponents])
    found = np.zeros_like(events)
    for row, name in enumerate(samples):
        at = templates.sample(name)
        nominal = monomials @ templates.counts[at, 0]
        scale = np.where(nominal > 0, events[row] / np.where(nominal > 0, nominal, 1.0), 1.0)
        found[row] = products @ templates.squares[at] * scale**2
    return found
