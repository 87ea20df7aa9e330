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
            values = result.values.copy()
            values[place] += side * result.errors[place]
            moves.append(float(problem.minimum(values, problem.held(place)).values[poi] - result.values[poi]))
        singles.append(Impact(name=name, size=max(map(abs, moves)), up=moves[0], down=moves[1]))
    groups = _groups(model, problem, result, poi)
    return (
        *sorted(singles, key=lambda impact: -impact.size),
        *sorted(groups, key=lambda impact: -impact.size),
    )


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
