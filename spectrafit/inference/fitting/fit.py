"""Fits a `Model`: the minimum with its errors, and profiles. Kappa is never bounded here."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincc

from spectrafit.arraytypes import Flags, Floats
from spectrafit.inference.fitting.covariance import covariance, degenerate
from spectrafit.inference.fitting.minimum import TOLERANCE, Minimum, Problem
from spectrafit.inference.kernels.bin_terms import WALL
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.results import FitResult, Goodness, Profile
from spectrafit.stages import stage

__all__ = ["fit", "goodness", "profile", "sweep"]


@stage("fitted")
def fit(
    model: Model,
    *,
    data: npt.ArrayLike | None = None,
    fixed: Mapping[str, float] | None = None,
    start: npt.ArrayLike | None = None,
    minos: Iterable[str] = (),
) -> FitResult:
    """Minimise 2NLL over the nuisances and the unbounded parameter of interest.

    Newton goes first, MIGRAD with the analytic gradient checks the minimum from there; the strategy when one of them
    fails is that of `spectrafit.inference.fitting.minimum`. Errors come from the observed Hessian.

    Parameters
    ----------
    model : Model
    data : (B,) array_like, optional
        Counts; by default the model's.
    fixed : mapping of str to float, optional
        Parameters to hold.
    start : (K,) array_like, optional
        Where to start; by default the initial values.
    minos : iterable of str
        Parameters that get MINOS errors.

    Returns
    -------
    FitResult
        Look at `valid` before using it, and at `message` if it is False.

    Raises
    ------
    ConfigError
        A name in `fixed` or `minos` is no parameter.
    """
    problem = Problem(model, data)
    # Kernels are compiled by now: what a fit reports is the time of the fit.
    begun = time.perf_counter()
    values = np.array(model.initial if start is None else start, dtype=np.float64)
    held = dict(fixed or {})
    for name, value in held.items():
        values[model.index(name)] = value
    free = problem.held(*(model.index(name) for name in held))
    asked = tuple(minos)
    for name in asked:
        model.index(name)
    initial_two_nll = problem.value(values)
    best = problem.deepest(values, free)
    hessian = problem.hessian(best.values)
    best, referee = _refereed(problem, best, free, hessian)
    if referee:
        hessian = problem.hessian(best.values)
    at_limit = _at_limit(problem, best.values, free)
    moving = free & ~at_limit
    matrix, positive = covariance(hessian, moving)
    errors = np.sqrt(np.diag(matrix))
    intervals = {name: interval for name in asked if (interval := _minos(problem, best, free, errors, name))}
    missing = [name for name in asked if name not in intervals]
    valley = degenerate(problem, best, hessian, moving, matrix, positive)
    message = _message(problem, best, at_limit, valley, missing)
    pulls, constraints = _pulls(model, problem, best.values, errors)
    gammas = {}
    if model.gammas is not None:
        gamma = Likelihood(model).predict(best.values, data=problem.observed.counts).gamma
        gammas = {name: float(value) for name, value in zip(model.gammas.names, gamma, strict=True) if name}
    return FitResult(
        names=model.names,
        values=best.values,
        errors=errors,
        covariance=matrix,
        two_nll=best.two_nll,
        valid=not message,
        message=message,
        edm=best.edm,
        calls=best.calls,
        seconds=time.perf_counter() - begun,
        at_limit=tuple(name for name, pressed in zip(model.names, at_limit, strict=True) if pressed),
        minos=intervals,
        goodness=goodness(model, best.two_nll, free),
        pulls=pulls,
        constraints=constraints,
        fixed=tuple(name for name, moves in zip(model.names, free, strict=True) if not moves),
        initial_two_nll=initial_two_nll,
        gammas=gammas,
        asimov=model.asimov and data is None,
        fake=model.fake if data is None else None,
        poi=model.poi,
        coupling=model.coupling,
        couplings=dict(model.couplings),
    )


def _refereed(problem: Problem, best: Minimum, free: Flags, hessian: Floats) -> tuple[Minimum, bool]:
    """Return the minimum or the deeper one that MIGRAD finds from there, and whether MIGRAD found a deeper one.

    Parameters at a limit are held there: MIGRAD's transformation of limits has no slope at a limit, and MIGRAD would
    not end.
    """
    diagonal, moving = np.diag(hessian), free & ~_at_limit(problem, best.values, free)
    if not np.any(moving) or not np.all(diagonal[moving] > 0):
        return best, False
    diagonal = np.where(diagonal > 0, diagonal, 1.0)
    engine = problem.minuit(best.values, moving, steps=np.sqrt(2.0 / diagonal), curvature=diagonal)
    engine.strategy = 0
    engine.migrad()
    calls = best.calls + int(engine.nfcn + engine.ngrad)
    if not engine.fval < best.two_nll - TOLERANCE:
        return dataclasses.replace(best, calls=calls), False
    values = np.array(engine.values, dtype=np.float64)
    again = problem.newton(values, free)
    better = again if again.converged else problem.migrad(values, free)
    return dataclasses.replace(better, calls=calls + better.calls), True


def _at_limit(problem: Problem, values: Floats, free: Flags) -> Flags:
    """Return which free parameters stand on their limit."""
    arrays = problem.arrays
    span = 1e-6 * problem.likelihood.lone_errors(values, work=problem.work)
    result: Flags = free & ((values <= arrays.lower + span) | (values >= arrays.upper - span))
    return result


def _minos(problem: Problem, best: Minimum, free: Flags, errors: Floats, name: str) -> tuple[float, float] | None:
    """Return the distances from the minimum to where the profile has risen by 1, or None if MINOS failed."""
    engine = problem.minuit(best.values, free, steps=np.where(errors > 0, errors, 1.0))
    engine.strategy = 1
    engine.migrad()
    if not engine.valid or not free[problem.model.index(name)]:
        return None
    engine.minos(name)
    found = engine.merrors[name]
    return (float(found.lower), float(found.upper)) if found.is_valid else None


def _message(
    problem: Problem, best: Minimum, at_limit: Flags, valley: tuple[str, ...], without_minos: list[str]
) -> str:
    """Return what is wrong with a minimum and what to try, or nothing."""
    model, said = problem.model, []
    if not np.isfinite(best.two_nll):
        said.append("2NLL is not finite where the fit ended; check the templates for NaN and the starting values")
    elif not best.converged:
        said.append(
            f"EDM {best.edm:.1e} is above {TOLERANCE:g} after {best.calls} calls with Newton, MIGRAD and SIMPLEX; "
            "start nearer (start=), or fix or constrain the parameters that the data do not determine"
        )
    if valley:
        said.append(
            f"the covariance is not positive definite: {', '.join(valley)} {'are' if len(valley) > 1 else 'is'} "
            f"{'degenerate' if len(valley) > 1 else 'unconstrained'}; fix one of them, or give it a constraint"
        )
    if at_limit.any():
        stuck = [name for name, pressed in zip(model.names, at_limit, strict=True) if pressed]
        said.append(f"{', '.join(stuck)} ended at a limit and has no error; widen the limit or fix the parameter")
    problem.value(best.values)
    below = (problem.work.mean < problem.arrays.floor) & problem.arrays.used & (problem.work.variance == 0)
    if below.any():
        names = [model.bin_name(int(place)) for place in np.flatnonzero(below)[:5]]
        said.append(
            f"the prediction is not positive in {', '.join(names)}: the fit stopped where no events are left, so the "
            "likelihood has a kink there; do not use the error, a limit is still right"
        )
    impossible = problem.arrays.used & (problem.observed.counts > 0) & (problem.work.fitted <= WALL)
    if impossible.any() and model.statistic != "gaussian":
        names = [model.bin_name(int(place)) for place in np.flatnonzero(impossible)[:5]]
        said.append(f"{', '.join(names)} has counts but no prediction; drop the bin, or add a background to it")
    if without_minos:
        said.append(f"MINOS failed for {', '.join(without_minos)}; look at the profile")
    return "; ".join(said)


def _pulls(model: Model, problem: Problem, values: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Return (value - centre) / width and error / width of constrained parameters, NaN for others."""
    centre, width = np.full((2, len(values)), np.nan)
    for place, parameter in enumerate(model.parameters):
        measured = problem.observed.centre[place]
        if parameter.constraint == "gaussian":
            centre[place], width[place] = measured, parameter.width
        elif parameter.constraint == "poisson" and measured > 0:
            centre[place], width[place] = measured / parameter.width, np.sqrt(measured) / parameter.width
    return (values - centre) / width, errors / width


def goodness(model: Model, two_nll: float, free: Flags) -> Goodness:
    """Return the saturated goodness of fit: 2NLL with as many degrees of freedom as bins minus unconstrained fits."""
    loose = sum(
        bool(moves) and parameter.constraint == "free" for parameter, moves in zip(model.parameters, free, strict=True)
    )
    ndof = int(model.used.sum()) - loose
    p_value = float(gammaincc(0.5 * ndof, 0.5 * max(two_nll, 0.0))) if ndof > 0 else 1.0
    return Goodness(chi2=two_nll, ndof=ndof, p_value=p_value)


def sweep(problem: Problem, start: Floats, best: float, parameter: int, grid: Floats, free: Flags) -> list[Minimum]:
    """Return the conditional minima along a grid, walking away from the best fit on both sides."""
    order = [np.flatnonzero(grid >= best), np.flatnonzero(grid < best)[::-1]]
    found: dict[int, Minimum] = {}
    for side in order:
        values = start.copy()
        for place in side:
            values[parameter] = grid[place]
            found[int(place)] = problem.minimum(values, free)
            if found[int(place)].converged:
                values = found[int(place)].values.copy()
    return [found[index] for index in range(len(grid))]


def profile(
    model: Model,
    parameter: str = "",
    grid: npt.ArrayLike | None = None,
    *,
    points: int = 61,
    data: npt.ArrayLike | None = None,
) -> Profile:
    """Return 2NLL above its minimum along one parameter, all others refitted.

    Parameters
    ----------
    model : Model
    parameter : str
        By default the parameter of interest.
    grid : (G,) array_like, optional
        By default `points` values from 3 errors below the best fit to 4 above.
    points : int
    data : (B,) array_like, optional
        Counts; by default the model's.
    """
    name = parameter or model.poi
    index = model.index(name)
    problem = Problem(model, data)
    best = problem.minimum(model.initial)
    if grid is None:
        matrix, _ = covariance(problem.hessian(best.values), problem.free)
        error = np.sqrt(matrix[index, index])
        lower, upper = problem.arrays.lower[index], problem.arrays.upper[index]
        grid = np.clip(best.values[index] + np.linspace(-3.0, 4.0, points) * error, lower, upper)
    grid = np.asarray(grid, dtype=np.float64)
    minima = sweep(problem, best.values, float(best.values[index]), index, grid, problem.held(index))
    two_nll = np.array([minimum.two_nll for minimum in minima])
    return Profile(
        parameter=name,
        grid=grid,
        delta_2nll=two_nll - best.two_nll,
        best=float(best.values[index]),
        best_2nll=best.two_nll,
        values=np.array([minimum.values for minimum in minima]),
        valid=np.array([minimum.converged for minimum in minima]),
    )
