"""Fits the model of a workspace, whose parameters have limits: a minimum on a limit is a minimum, and is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.fitting.minimum import Problem
from spectrafit.inference.model import Component, Model
from spectrafit.inference.results import FitResult

__all__ = ["Bounded", "effective", "fit_within"]

# Evaluations per parameter that a second fit may take.
_CALLS = 50
# Probability of a worse goodness of fit below which a note says that the model is not that of the data.
_UNLIKELY = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Bounded:
    """A fit between limits.

    Attributes
    ----------
    best : FitResult
        Judged, and its errors taken, along the limits that parameters ended at.
    at_limit : tuple of str
        These parameters.
    notes : tuple of str
        What a reader of the minimum must know although the minimum is valid.
    """

    best: FitResult
    at_limit: tuple[str, ...]
    notes: tuple[str, ...]


def fit_within(model: Model, *, start: Mapping[str, float] | None = None) -> Bounded:
    """Fit a model of a workspace between the limits of its parameters.

    The limits belong to the model here. `best.valid` says whether the minimum is one, on limits or not.
    """
    begin = None if start is None else [start.get(each.name, each.initial) for each in model.parameters]
    best = fit(model, start=begin)
    if best.at_limit:
        best = _second_opinion(model, best)
    at_limit = best.at_limit
    if at_limit:
        along = fit(model, start=best.values, fixed={name: best.value(name) for name in at_limit})
        best = along if abs(along.two_nll - best.two_nll) < 1e-4 else best
    return Bounded(best=best, at_limit=at_limit, notes=tuple(_notes(model, best, at_limit)))


def effective(components: tuple[Component, ...]) -> set[str]:
    """Return the names of the normalisations and factors per bin that change any prediction."""
    result: set[str] = set()
    for component in components:
        filled = component.nominal != 0
        for morph in component.morphs:
            filled = filled | np.any(morph.templates != 0, axis=0)
        if np.any(filled):
            result.update(factor.parameter for factor in component.factors)
        for names in component.bin_factors:
            result.update(name for name, has_events in zip(names, filled, strict=True) if name and has_events)
    return result


def _notes(model: Model, best: FitResult, at_limit: tuple[str, ...]) -> list[str]:
    """Return what a reader of a minimum must know although the minimum is valid."""
    found = []
    acting = effective(model.components)
    idle = [each.name for each in model.parameters if each.constraint == "free" and each.name not in acting]
    if idle:
        listed = ", ".join(idle[:5]) + (f" and {len(idle) - 5} more" if len(idle) > 5 else "")
        found.append(f"no prediction depends on {listed}, so the data say nothing of it: its value is the initial one")
    if at_limit:
        found.append(
            f"{', '.join(at_limit)} ended at {'its bound' if len(at_limit) == 1 else 'their bounds'}: 2NLL is lowest "
            "there, and still falls beyond; the errors of the others are taken along the bounds; widen the bounds in "
            "the workspace unless they are physical"
        )
    fit_of = best.goodness
    if fit_of.ndof > 0 and not fit_of.p_value > _UNLIKELY:
        found.append(
            f"the model does not describe the data: 2NLL = {fit_of.chi2:.6g} for {fit_of.ndof} degrees of freedom "
            f"(p = {fit_of.p_value:.1e}); look at the data before the parameters"
        )
    return found


def _second_opinion(model: Model, best: FitResult) -> FitResult:
    """Return the best of a fit that ended at limits and the minima found by two other ways.

    Products of free factors (a normalisation and a factor per bin) have several minima, and a long first Newton step
    may end at the wrong limit. Two other fits are compared: Newton with the parameters at limits held until the others
    are fitted, and MIGRAD.
    """
    problem = Problem(model)
    inside = problem.newton(model.initial, problem.held(*(model.index(name) for name in best.at_limit)))
    again = problem.newton(inside.values, problem.free)
    far = problem.migrad(model.initial, problem.free, calls=_CALLS * (10 + len(model.names)))
    for other in (again, far):
        if other.converged and other.two_nll < best.two_nll - 1e-4:
            best = fit(model, start=other.values)
    return best
