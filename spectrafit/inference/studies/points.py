"""Expected limits of many variants of a model at once: the engine of scans, sensitivities and breakdowns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Literal

import numpy as np

from spectrafit import execution
from spectrafit.config import Analysis
from spectrafit.errors import ConfigError, DataError, nearest
from spectrafit.inference.assemble import assemble
from spectrafit.inference.fake import Fake
from spectrafit.inference.faking.counts import faked
from spectrafit.inference.intervals.limits import Method, bare_limit, named
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import BinGammas, Model
from spectrafit.inference.results import Bands, Ledger, Limit
from spectrafit.inference.toys.journal import Journal
from spectrafit.inference.toys.options import ToyOptions
from spectrafit.progress import bar
from spectrafit.templates.templates import Templates

__all__ = ["LimitRule", "Point", "expected_limits", "of_systematic", "scaled"]

Simulation = Literal["fixed", "grows"]


def of_systematic(parameter: str) -> str:
    """Return the name of the systematic that a parameter is of: "flux" for "flux[3]"."""
    return parameter.partition("[")[0]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LimitRule:
    """How every limit is drawn; see `upper_limit`."""

    level: float = 0.90
    method: Method = "profile"
    sides: Literal["one", "two"] | None = None
    toys: ToyOptions = dataclasses.field(default_factory=ToyOptions)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """One variant whose limit is wanted.

    Attributes
    ----------
    source : Model, or Analysis with Templates
        What is assembled by the worker, or has been.
    exposure : float
        Multiple of the exposure.
    priors : mapping of str to float
        Multiples of prior widths by parameter, systematic or group; "" is for all.
    simulation : {"fixed", "grows"}
        See `scaled`.
    name : str
        Said when the point fails.
    data : Asimov, Toy or None
        Fake data of the point's own expectation; None for Asimov data at kappa = 0.
    """

    source: Model | tuple[Analysis, Templates]
    exposure: float = 1.0
    priors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    simulation: Simulation = "fixed"
    name: str = ""
    data: Fake | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def model(self) -> Model:
        """The model, with Asimov data at kappa = 0 or with fake ones."""
        whole = self.source if isinstance(self.source, Model) else assemble(*self.source)
        model = scaled(whole, self.exposure, self.priors, simulation=self.simulation)
        return model if self.data is None else faked(model, self.data)


def scaled(
    model: Model,
    exposure: float = 1.0,
    systematics: float | Mapping[str, float] = 1.0,
    *,
    simulation: Simulation = "fixed",
) -> Model:
    """Return the model of another exposure and other priors, with Asimov data at kappa = 0.

    Parameters
    ----------
    model : Model
    exposure : float
        Multiple of the model's.
    systematics : float or mapping
        Multiple of every prior width; or by parameter, systematic or group, "" for all. Those that name one parameter
        multiply. 0 fixes the nuisance.
    simulation : {"fixed", "grows"}
        "fixed": the same events are weighted up and MC variances grow as exposure^2. "grows": as many more events.

    Raises
    ------
    ConfigError
        An exposure that is not positive, a name that nothing has, a simulation that is to grow in a workspace.
    """
    if not exposure > 0:
        raise ConfigError(f"sensitivity: exposure {exposure:g}: needs a positive multiple")
    factors = dict(systematics) if isinstance(systematics, Mapping) else {"": float(systematics)}
    constrained = [parameter for parameter in model.parameters if parameter.constraint == "gaussian"]
    known = {
        "",
        *(
            name
            for known_parameter in constrained
            for name in (known_parameter.group, known_parameter.name, of_systematic(known_parameter.name))
        ),
    }
    if model.gammas is not None:
        known |= {name for full in model.gammas.names for name in (full, of_systematic(full))}
    for name in factors:
        if name not in known:
            raise ConfigError(f"sensitivity: no systematic or group {name!r}{nearest(name, known)}")
    result = model
    if any(factor != 1.0 for factor in factors.values()):
        parameters = []
        for parameter in model.parameters:
            names = {"", parameter.group, parameter.name, of_systematic(parameter.name)}
            factor = float(np.prod([value for name, value in factors.items() if name in names]))
            if parameter.constraint == "gaussian":
                parameter = (
                    dataclasses.replace(parameter, width=parameter.width * factor)
                    if factor > 0
                    else dataclasses.replace(parameter, fixed=True)
                )
            parameters.append(parameter)
        gammas = None if result.gammas is None else _widened(result.gammas, factors)
        result = dataclasses.replace(result, parameters=tuple(parameters), gammas=gammas)
    if exposure != 1.0:
        result = _exposed(result, exposure, exposure**2 if simulation == "fixed" else exposure)
    if result is model and model.asimov:
        return model
    values = result.initial
    if result.poi and not result.coupling:
        # A workspace starts at a signal of 1.
        values[result.index(result.poi)] = 0.0
    return result.with_data(np.maximum(Likelihood(result).predict(values).mean, 0.0), asimov=True)


def _widened(gammas: BinGammas, factors: Mapping[str, float]) -> BinGammas:
    """Return factors per bin with other widths. A staterror is of the simulation: only its name widens it."""
    kinds, widths = list(gammas.kind), gammas.width.copy()
    for place, (name, kind) in enumerate(zip(gammas.names, gammas.kind, strict=True)):
        mine = {name, of_systematic(name), *([""] if kind == "poisson" else [])}
        factor = float(np.prod([value for key, value in factors.items() if key in mine]))
        if kind == "none" or factor == 1.0:
            continue
        if factor == 0.0:
            kinds[place] = "none"
        # A Poisson constraint has as many auxiliary events as 1 / width^2.
        widths[place] *= factor if kind == "gaussian" or not factor else factor**-2
    return dataclasses.replace(gammas, kind=tuple(kinds), width=widths)


def _exposed(model: Model, exposure: float, growth: float) -> Model:
    # HistFactory's factors per bin have relative widths, which the same events weighted up keep.
    if model.gammas is not None and growth != exposure**2:
        raise ConfigError(
            "sensitivity: a workspace does not say which of its factors per bin are of the simulation, so the "
            "simulation cannot grow; leave out simulation = 'grows'"
        )
    return dataclasses.replace(
        model,
        components=tuple(
            dataclasses.replace(
                component,
                nominal=component.nominal * exposure,
                morphs=tuple(
                    dataclasses.replace(morph, templates=morph.templates * exposure) for morph in component.morphs
                ),
            )
            for component in model.components
        ),
        variances=tuple(dataclasses.replace(variance, values=variance.values * growth) for variance in model.variances),
        # What universes and covariances leave over is a systematic: it scales with the prediction.
        residual=model.residual * exposure**2,
        covariance=None if model.covariance is None else model.covariance * exposure**2,
        floor=model.floor * exposure,
    )


def expected_limits(
    points: Sequence[Point],
    rule: LimitRule,
    *,
    executor: str | Executor | execution.Pool = "serial",
    workers: int | None = None,
    progress: bool = False,
    journal: Journal | None = None,
) -> tuple[Limit | str, ...]:
    """Return the expected limit of every point with its quantiles, or why there is none.

    Points are done at once by the executor; where a method throws, the points follow each other and the toys are.

    Parameters
    ----------
    points : sequence of Point
    rule : LimitRule
    executor, workers
        As for `spectrafit.execution.executor`.
    progress : bool
        Draw a bar on the terminal.
    journal : Journal, optional
        Of this job: what it holds is not done again, and every limit is kept there once it is found; limits of fake
        data are not.

    Raises
    ------
    ConfigError
        Method and model do not go together.
    DataError
        No point has a limit.
    """
    throws = bool(points) and named(rule.method, model=points[0].model).throws
    alone = rule if throws else dataclasses.replace(rule, toys=dataclasses.replace(rule.toys, executor="serial"))
    found: list[Limit | str] = []
    with (
        execution.executor("serial" if throws else executor, None if throws else workers, preload=(__name__,)) as pool,
        bar(len(points), progress, doing="limits", unit="points") as advance,
    ):
        done = {} if journal is None else {at: kept for at in range(len(points)) if (kept := journal.get(str(at)))}
        fresh = execution.imap(pool, _work, _tasks([point for at, point in enumerate(points) if at not in done], alone))
        for at in range(len(points)):
            result = _unpacked(done[at]) if at in done else next(fresh)
            if journal is not None and at not in done and (isinstance(result, str) or result.fake is None):
                journal.put(str(at), result if isinstance(result, str) else _packed(result))
            found.append(result)
            advance(1)
    if found and all(isinstance(result, str) for result in found):
        raise DataError(str(found[0]))
    return tuple(found)


def _packed(limit: Limit) -> dict[str, Any]:
    """Return a limit as values that JSON knows; the same numbers come back."""
    said = dataclasses.asdict(limit)
    return said | {"points": {name: list(map(float, column)) for name, column in limit.points.items()}}


def _unpacked(kept: Any) -> Limit | str:
    """Return what `_packed` was given."""
    if isinstance(kept, str):
        return kept
    said = dict(kept)
    bands, ledger = said["expected"], said["ledger"]
    return Limit(
        **{
            **said,
            "expected": bands and Bands(**bands | {name: tuple(bands[name]) for name in ("values", "kappas")}),
            "ledger": ledger and Ledger(**{**ledger, "toys": tuple(ledger["toys"])}),
            "notes": tuple(said["notes"]),
            "points": {name: np.array(column) for name, column in said["points"].items()},
        }
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    point: Point
    rule: LimitRule

    def __str__(self) -> str:
        return f"the limit at {self.point}"


def _tasks(points: Sequence[Point], rule: LimitRule) -> Iterator[_Task]:
    for point in points:
        yield _Task(point=point, rule=rule)


def _work(task: _Task) -> Limit | str:
    rule = task.rule
    try:
        return bare_limit(task.point.model, level=rule.level, method=rule.method, sides=rule.sides, toys=rule.toys)
    except DataError as error:
        return str(error)
