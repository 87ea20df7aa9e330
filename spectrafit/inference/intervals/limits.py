"""Upper limits and intervals on the parameter of interest: the table of methods, and the function that runs one.

What to use when:

profile          the default. Fast; its distribution is asymptotic with the boundary's mixture, good from a few events
                 per bin on (Cowan et al., EPJC 71, 1554).
feldman-cousins  few events, or the number to publish: unified intervals with the right coverage from toys (PRD 57,
                 3873). Always two-sided; slow. With one bin and no random nuisances its counts are enumerated.
cls              when a downward fluctuation must not exclude a kappa to which the experiment is not sensitive. Its
                 limits cover more often than the level says (A. L. Read, J. Phys. G 28, 2693).
cls-toys         the same for few events.
bayes            a posterior, flat in kappa (mu^2); nuisances are integrated, not profiled.
bayes-mu         a posterior, flat in the reported quantity where that is the root of kappa (mu). The difference from
                 bayes shows how much the prior matters.

kappa is fitted unbounded everywhere; kappa >= 0, where the coupling has that boundary, enters the test statistic or the
prior. To add a method, write its module and add its row to `METHODS`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Literal

import numpy.typing as npt

from spectrafit import execution
from spectrafit.config.options import Method
from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.intervals import acceptance
from spectrafit.inference.intervals.bayes import credible
from spectrafit.inference.intervals.deficits import lowered, standing
from spectrafit.inference.intervals.neyman import belt
from spectrafit.inference.intervals.notes import unphysical_partners
from spectrafit.inference.intervals.profile_limit import profiled
from spectrafit.inference.intervals.scan import Outcome, Scan
from spectrafit.inference.intervals.simulation import simulation_error as error_of_simulation
from spectrafit.inference.model import Model
from spectrafit.inference.results import Bands, Ledger, Limit
from spectrafit.inference.toys.options import ToyOptions
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.stages import stage

__all__ = ["METHODS", "LimitMethod", "Method", "bare_limit", "methods", "named", "smallest", "upper_limit"]

# A scan, the level, the sides, the toys, and whether expected quantiles and the points of the scan are wanted.
Interval = Callable[[Scan, float, str, ToyOptions, bool, bool], Outcome]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LimitMethod:
    """One row of the table of methods.

    Attributes
    ----------
    name : str
    sides : tuple of "one", "two"
        The sides the method can do; the first is the default.
    needs : {"", "boundary", "root"}
        What the coupling must have: a smallest kappa, or a reported quantity that is the root of kappa.
    throws : bool
        Whether it throws toys.
    interval : callable
    acceptance : callable
        Whether an interval holds one kappa; see `spectrafit.inference.intervals.acceptance`.
    """

    name: Method
    sides: tuple[Literal["one", "two"], ...]
    needs: Literal["", "boundary", "root"] = ""
    throws: bool = False
    interval: Interval
    acceptance: Callable[[acceptance.Question], tuple[bool, Ledger]]


def _profile(
    cls: bool, scan: Scan, level: float, sides: str, toys: ToyOptions, expected: bool, points: bool
) -> Outcome:
    return profiled(scan, level, sides, cls=cls, expected=expected, points=points)


def _toys(cls: bool, scan: Scan, level: float, sides: str, toys: ToyOptions, expected: bool, points: bool) -> Outcome:
    # One pool for all kappas: workers load their kernels once.
    with execution.executor(toys.executor, toys.workers, preload=("spectrafit.inference.toys.mixture",)) as pool:
        return belt(scan, level, dataclasses.replace(toys, executor=pool), cls=cls, expected=expected)


def _posterior(
    root: bool, scan: Scan, level: float, sides: str, toys: ToyOptions, expected: bool, points: bool
) -> Outcome:
    return credible(scan, level, root=root, draws=toys.toys, seed=toys.seed, expected=expected)


METHODS: Mapping[str, LimitMethod] = MappingProxyType(
    {
        row.name: row
        for row in (
            LimitMethod(
                name="profile",
                sides=("one", "two"),
                interval=partial(_profile, False),
                acceptance=partial(acceptance.asymptotically, cls=False),
            ),
            LimitMethod(
                name="feldman-cousins",
                sides=("two",),
                throws=True,
                interval=partial(_toys, False),
                acceptance=partial(acceptance.by_toys, cls=False),
            ),
            LimitMethod(
                name="cls",
                sides=("one",),
                needs="boundary",
                interval=partial(_profile, True),
                acceptance=partial(acceptance.asymptotically, cls=True),
            ),
            LimitMethod(
                name="cls-toys",
                sides=("one",),
                needs="boundary",
                throws=True,
                interval=partial(_toys, True),
                acceptance=partial(acceptance.by_toys, cls=True),
            ),
            LimitMethod(
                name="bayes",
                sides=("one",),
                interval=partial(_posterior, False),
                acceptance=partial(acceptance.by_posterior, root=False),
            ),
            LimitMethod(
                name="bayes-mu",
                sides=("one",),
                needs="root",
                interval=partial(_posterior, True),
                acceptance=partial(acceptance.by_posterior, root=True),
            ),
        )
    }
)


def smallest(model: Model) -> float | None:
    """Return the smallest physical value of the parameter of interest, None if both signs are."""
    return COUPLINGS[model.coupling].lower if model.coupling else 0.0


def _has(model: Model, needed: str) -> bool:
    """Return whether the model's coupling has what a method needs."""
    if needed == "root":
        return not model.coupling or COUPLINGS[model.coupling].root != 1
    return needed != "boundary" or smallest(model) is not None


def methods(model: Model) -> tuple[str, ...]:
    """Return the methods for the model's coupling: CLs needs a smallest kappa, bayes-mu a quantity that is a root."""
    return tuple(name for name, method in METHODS.items() if _has(model, method.needs))


def named(method: str, *, model: Model, where: str = "limit") -> LimitMethod:
    """Return a row of the table.

    Raises
    ------
    ConfigError
        There is no such method, or the model's coupling lacks what the method needs.
    """
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise ConfigError(f"{where}: no method {method!r}, there are {known}{nearest(method, list(METHODS))}")
    row = METHODS[method]
    if row.needs == "boundary" and not _has(model, row.needs):
        raise ConfigError(
            f"{where}: {method} needs a smallest physical kappa, but both signs of {model.coupling!r} are physical; "
            "use profile, feldman-cousins or bayes"
        )
    return row


@stage("drew the limit ({method})")
def upper_limit(
    model: Model,
    *,
    level: float = 0.90,
    method: Method = "profile",
    sides: Literal["one", "two"] | None = None,
    toys: int | ToyOptions = 2000,
    expected: bool = True,
    simulation: bool = True,
    data: npt.ArrayLike | None = None,
) -> Limit:
    """Return the upper limit (or interval) on the parameter of interest.

    Parameters
    ----------
    model : Model
    level : float
        Confidence or credibility, 0.90 for 90 %.
    method : str
        One of `METHODS`.
    sides : {"one", "two"}, optional
        One-sided upper limit or two-sided interval. "profile" has both, one-sided unless asked; Feldman-Cousins is
        two-sided, the others are upper limits.
    toys : int or ToyOptions
        Number of toys of each truth, or all options of toys: number, seed, ensemble, bank, executor.
    expected : bool
        Whether to add the expected quantiles.
    simulation : bool
        Whether to add how far the "profile" limit of the same sides would move with another simulation.
    data : (B,) array_like, optional
        Counts; by default the model's.

    Raises
    ------
    ConfigError
        The method, level or sides do not exist or do not go together.
    DataError
        The fits of the data failed, or more toy fits than the allowed rate.
    """
    limit, scan = _drawn(model, level, method, sides, toys, data, expected=expected, points=True)
    if not simulation or not model.variances or limit.empty:
        return limit
    side = "two" if limit.sides == "two" else "one"
    kappa = limit.kappa if method == "profile" else profiled(scan, level, side, cls=False, expected=False).kappa
    error = error_of_simulation(scan, kappa, sides=side)
    return dataclasses.replace(
        limit, simulation_error=_converted(model, kappa, error), simulation_error_from=model.spread
    )


def bare_limit(
    model: Model,
    *,
    level: float = 0.90,
    method: Method = "profile",
    sides: Literal["one", "two"] | None = None,
    toys: int | ToyOptions = 2000,
) -> Limit:
    """Return the limit with its expected quantiles and nothing else; parameters and errors as for `upper_limit`.

    The scan behind an asymptotic limit, which takes a third of the time, is left out, and the simulation's error.
    """
    return _drawn(model, level, method, sides, toys, None, expected=True, points=False)[0]


def _drawn(
    model: Model,
    level: float,
    method: Method,
    sides: Literal["one", "two"] | None,
    toys: int | ToyOptions,
    data: npt.ArrayLike | None,
    *,
    expected: bool,
    points: bool,
) -> tuple[Limit, Scan]:
    """Return the limit by one method, and the scan behind it."""
    row = named(method, model=model)
    if not 0.5 < level < 1:
        raise ConfigError(f"limit: level = {level}: needs 0.5 < level < 1, e.g. 0.90")
    side = sides or row.sides[0]
    if side not in row.sides:
        raise ConfigError(f"limit: {method} is {row.sides[0]}-sided; leave sides out, or use method = 'profile'")
    scan = Scan(model, smallest(model), data)
    options = toys if isinstance(toys, ToyOptions) else ToyOptions(toys=toys)
    outcome = row.interval(scan, level, side, options, expected, points)
    return _reported(model, scan, outcome, level, method, side, given=data is not None), scan


def _converted(model: Model, kappa: float, error: float) -> float:
    """Return an error of kappa in the reported unit."""
    if not model.coupling or not error:
        return error
    convert, step = COUPLINGS[model.coupling].reported, min(error, 0.5 * abs(kappa))
    return error * abs(convert(kappa + step) - convert(kappa - step)) / (2.0 * step) if step else 0.0


def _reported(
    model: Model, scan: Scan, outcome: Outcome, level: float, method: str, sides: str, *, given: bool
) -> Limit:
    """Return the limit in the coupling's unit; data that were `given` are the caller's, whatever those of the model."""
    coupling = COUPLINGS[model.coupling] if model.coupling else None
    unit = coupling.unit if coupling else ""

    def convert(kappa: float) -> float:
        return coupling.reported(kappa) if coupling else kappa

    def show(kappa: float) -> str:
        return f"{convert(kappa):.4g} {unit}".strip()

    found = standing(scan, level, convert)
    beside, told = lowered(scan, outcome, level, method, found, show)
    value = convert(outcome.kappa)
    bands = None
    if outcome.bands:
        low2, low1, mid, high1, high2 = outcome.bands
        bands = Bands(
            values=(convert(low2), convert(low1), convert(mid), convert(high1), convert(high2)),
            kappas=(low2, low1, mid, high1, high2),
            how=outcome.how,
        )
    return Limit(
        value=value,
        unit=unit,
        kappa=outcome.kappa,
        lower=convert(outcome.lower) if math.isfinite(outcome.lower) else outcome.lower,
        lower_kappa=outcome.lower,
        level=level,
        sides=sides,
        method=method,
        statistic=outcome.statistic,
        boundary=outcome.boundary,
        error=_converted(model, outcome.kappa, outcome.error),
        kappa_error=outcome.error,
        asimov=model.asimov and not given,
        fake=None if given else model.fake,
        expected=bands,
        best_kappa=scan.kappa,
        best_error=scan.error,
        points=outcome.points,
        ledger=outcome.ledger,
        notes=(*told, *outcome.notes, *unphysical_partners(scan, outcome.kappa)),
        empty=outcome.empty,
        beside={method: convert(kappa) for method, kappa in {**outcome.beside, **beside}.items()},
        standing=found,
        parameter="kappa" if coupling else model.poi,
    )
