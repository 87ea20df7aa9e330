"""Impacts: how far the parameter of interest moves with every nuisance, and what part of its error a group makes."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Flags, Floats
from spectrafit.inference.fitting.covariance import covariance
from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.fitting.minimum import Problem
from spectrafit.inference.model import Model
from spectrafit.inference.results import FitResult, Impact

__all__ = ["impacts"]

# Steps of a refit, and the EDM in 2NLL at which it ends.
_STEPS, _NEAR = 30, 1e-9


def impacts(model: Model, best: FitResult | None = None, *, data: npt.ArrayLike | None = None) -> tuple[Impact, ...]:
    """Return how far the parameter of interest moves with every nuisance, then with every group, largest first.

    A nuisance, or a profiled coupling, is held one post-fit error up and then down, and everything else is refitted. A
    group's size is sqrt(error^2 - error^2 with the group fixed). "other couplings" is a group of its own. "MC
    statistics" compares with an exact simulation. "data statistics" is the error with everything else known.
    """
    result = fit(model, data=data) if best is None else best
    problem = Problem(model, data)
    poi = model.index(model.poi)
    singles = []
    for place, name in enumerate(model.names):
        if place == poi or not result.errors[place] > 0:
            continue
        moves = []
        for side in (1.0, -1.0):
            moves.append(float(_held(problem, result, place, side)[poi] - result.values[poi]))
        singles.append(Impact(name=name, size=max(map(abs, moves)), up=moves[0], down=moves[1]))
    groups = _groups(model, problem, result, poi)
    return (
        *sorted(singles, key=lambda impact: -impact.size),
        *sorted(groups, key=lambda impact: -impact.size),
    )


def _held(problem: Problem, result: FitResult, place: int, side: float) -> Floats:
    """Return the minimum with one parameter held one fitted error (`side` of them) away, all others refitted.

    Steps are those of the fit's own covariance, with the parameter known: a parabola would need one, and a step costs a
    gradient. The minimisation of all fits takes over where steps do not end, and where a limit is in reach.
    """
    error, matrix = result.errors[place], result.covariance
    known = matrix - np.outer(matrix[:, place], matrix[:, place]) / error**2
    held = result.values[place] + side * error
    values: Floats = result.values + side * matrix[:, place] / error
    lower, upper = problem.arrays.lower, problem.arrays.upper
    for _ in range(_STEPS if not result.at_limit else 0):
        values[place] = held
        if np.any((values <= lower) | (values >= upper)):
            break
        gradient = problem.gradient(values)
        step = 0.5 * known @ gradient
        if not np.isfinite(step).all():
            break
        if 0.5 * abs(float(gradient @ step)) < _NEAR:
            return values
        values = values - step
    values = result.values.copy()
    values[place] = held
    return problem.minimum(values, problem.held(place)).values


def _groups(model: Model, problem: Problem, result: FitResult, poi: int) -> list[Impact]:
    """Return the impacts of groups."""
    hessian = problem.hessian(result.values)
    moving = result.errors > 0

    def variance(matrix: Floats, live: Flags) -> float:
        return float(covariance(matrix, live)[0][poi, poi])

    total = variance(hessian, moving)
    found = []
    others = [name for name in model.couplings if name != model.poi]
    members = {"other couplings": others} if others else {}
    for group in sorted({parameter.group for parameter in model.parameters if parameter.group}):
        members[group] = [parameter.name for parameter in model.parameters if parameter.group == group]
    for group, names in members.items():
        rest = moving & np.array([name not in names for name in model.names])
        found.append(Impact(name=group, size=float(np.sqrt(max(total - variance(hessian, rest), 0.0))), group=True))
    plain = dataclasses.replace(model, variances=(), residual=np.zeros((0, 0)), residual_monomials=(), gammas=None)
    exact = Problem(plain, problem.observed.counts).hessian(result.values)
    if model.variances or model.gammas is not None or model.residual.size:
        size = float(np.sqrt(max(total - variance(exact, moving), 0.0)))
        found.append(
            Impact(name="MC statistics" if model.spread == "simulation" else model.spread, size=size, group=True)
        )
    alone = np.zeros_like(moving)
    alone[poi] = True
    found.append(Impact(name="data statistics", size=float(np.sqrt(variance(exact, alone))), group=True))
    return found
