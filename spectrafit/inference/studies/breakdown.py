"""What limits the limit: the expected limit with each group of systematics frozen, with each alone, and with none.

The simulation's own error is one more group, and more simulation of each sample is worth what it says. A nuisance that
is frozen stays at its nominal value, as if its systematic were not there.
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Literal

import numpy as np

from spectrafit import execution
from spectrafit.config import chosen
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.intervals.limits import Method
from spectrafit.inference.model import Model
from spectrafit.inference.results import Limit
from spectrafit.inference.studies.points import LimitRule, Point, expected_limits, of_systematic, scaled
from spectrafit.inference.toys.options import ToyOptions
from spectrafit.stages import stage

__all__ = ["SIMULATION", "Breakdown", "Part", "breakdown"]

SIMULATION = "simulation's statistics"
# A workspace does not say which of its factors per bin are of the simulation.
BINS = "factors per bin"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One group of uncertainties.

    Attributes
    ----------
    name : str
    parameters : tuple of str
        Its nuisance parameters; none for the simulation's statistics.
    frozen, alone : Limit
        The limit without it, and with it as the only uncertainty beside the counts' statistics.
    """

    name: str
    parameters: tuple[str, ...]
    frozen: Limit
    alone: Limit


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Breakdown:
    """Expected limits with uncertainties taken away.

    Attributes
    ----------
    whole, statistics : Limit
        With all uncertainties, and with none but the counts' statistics.
    parts : tuple of Part
        Groups of systematics and the simulation's statistics, the one whose freezing gains most first.
    more : mapping of sample to Limit
        With `factor` times the simulation of that sample, or its given variances divided by it; "" for all samples.
    factor : float
    given : tuple of str
        Of the samples in `more`, those known as numbers with errors.
    coupling : str
        Key of `physics.couplings.COUPLINGS`, or "".
    """

    whole: Limit
    statistics: Limit
    parts: tuple[Part, ...]
    more: Mapping[str, Limit]
    factor: float = 2.0
    given: tuple[str, ...] = ()
    coupling: str = ""

    def gain(self, limit: Limit) -> float:
        """Return how much lower a limit is than the whole one, as a share of the whole one."""
        return 1.0 - _median(limit) / _median(self.whole)

    def rows(self) -> list[dict[str, Any]]:
        """Return every limit as a row: what, the name, the limit's quantiles, and the gain in percent."""
        listed = [("all uncertainties", "", self.whole)]
        for part in self.parts:
            listed += [("frozen", part.name, part.frozen), ("alone", part.name, part.alone)]
        listed.append(("statistics only", "", self.statistics))
        listed += [
            (
                f"{'given variances /' if name in self.given else 'simulation x'} {self.factor:g}",
                name or "all samples",
                limit,
            )
            for name, limit in self.more.items()
        ]
        names = ("minus_2_sigma", "minus_1_sigma", "median", "plus_1_sigma", "plus_2_sigma")
        return [
            {
                "what": what,
                "name": name,
                **dict(zip(names, limit.expected.values if limit.expected else (None,) * 5, strict=True)),
                "median_kappa": limit.expected.kappas[2] if limit.expected else None,
                "gain_percent": 100.0 * self.gain(limit),
            }
            for what, name, limit in listed
        ]

    def summary(self) -> dict[str, Any]:
        """Return what a file keeps, as plain numbers."""
        return {
            "method": self.whole.method,
            "sides": self.whole.sides,
            "level": self.whole.level,
            "unit": self.whole.unit,
            "coupling": self.coupling,
            "groups": {part.name: list(part.parameters) for part in self.parts},
            "limits": self.rows(),
        }

    def sentences(self) -> list[str]:
        """Return what more simulation of each sample would gain, the most useful first, in words."""
        times = "Twice" if self.factor == 2.0 else f"{self.factor:g} times"
        order = sorted(self.more, key=lambda name: -self.gain(self.more[name]))
        return [f"{self._less(name, times)} would gain {_percent(self.gain(self.more[name]))}." for name in order]

    def _less(self, name: str, times: str) -> str:
        """Return what makes the error of a sample, or of all, smaller."""
        whose = f"sample {name}" if name else "all samples"
        of_numbers = name in self.given if name else set(self.more) - {""} <= set(self.given)
        if of_numbers:
            return f"Given errors of {whose} divided by the root of {self.factor:g}"
        more = f" and given errors divided by the root of {self.factor:g}" if not name and self.given else ""
        return f"{times} the simulation of {whose}{more}"

    def __str__(self) -> str:
        first = self.whole
        width = max(len(name) for name in (SIMULATION, "all uncertainties", *(part.name for part in self.parts)))
        lines = [
            f"median expected upper limit [{first.unit or 'kappa'}] at {100 * first.level:g} % ({first.method},"
            f" {first.sides}-sided)",
            f"{'':>{width}}  {'frozen':>10}  {'gain':>7}  {'alone':>10}  {'loss':>7}",
            f"{'all uncertainties':>{width}}  {_median(first):>10.4g}",
        ]
        base = _median(self.statistics)
        for part in self.parts:
            frozen, alone = _median(part.frozen), _median(part.alone)
            lines.append(
                f"{part.name:>{width}}  {frozen:>10.4g}  {100 * self.gain(part.frozen):>5.1f} %  {alone:>10.4g}"
                f"  {100 * (alone / base - 1.0):>5.1f} %"
            )
        lines.append(f"{'statistics only':>{width}}  {base:>10.4g}  {100 * self.gain(self.statistics):>5.1f} %")
        return "\n".join([*lines, *self.sentences()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


@stage("broke the limit down")
def breakdown(
    model: Model,
    *,
    groups: Literal["systematic", "group"] | Mapping[str, Sequence[str]] = "systematic",
    factor: float = 2.0,
    level: float = 0.90,
    method: Method = "profile",
    sides: Literal["one", "two"] | None = None,
    toys: int | ToyOptions = 2000,
    executor: str | Executor | execution.Pool = "serial",
    workers: int | None = None,
    progress: bool = False,
) -> Breakdown:
    """Return what each group of uncertainties costs.

    Parameters
    ----------
    model : Model
    groups : "systematic", "group" or mapping of name to globs
        One group for each systematic, for each `group` of the analysis (systematics without one by themselves), or for
        systematics whose names match; systematics of no group are then one group, "others".
    factor : float
        How much more simulation is tried.
    level, method, sides, toys
        As for `upper_limit`.
    executor, workers, progress
        Who finds the limits at once, and whether a bar is drawn.

    Raises
    ------
    ConfigError
        Groups that match nothing or share a systematic, a factor that is not above 0.
    DataError
        A limit cannot be found.
    """
    if not factor > 0:
        raise ConfigError(f"breakdown: factor = {factor:g}: needs a number above 0")
    members = _members(model, groups)
    systematics = [name for names in members.values() for name in names]
    samples = _samples(model)
    simulated = BINS if model.gammas is not None else SIMULATION if model.spread == "simulation" else model.spread
    uncertain = bool(samples) or model.gammas is not None or bool(model.residual.size)

    def without(names: Sequence[str], *, simulation: bool) -> Model:
        held = tuple(
            dataclasses.replace(parameter, fixed=parameter.fixed or parameter.name in names)
            for parameter in model.parameters
        )
        left = dataclasses.replace(model, parameters=held)
        return left if simulation else _exact(left)

    cases: dict[tuple[str, str], Model] = {
        ("whole", ""): model,
        ("statistics", ""): without(systematics, simulation=False),
    }
    for group, names in members.items():
        cases["frozen", group] = without(names, simulation=True)
        others = [name for name in systematics if name not in names]
        cases["alone", group] = without(others, simulation=False)
    if uncertain:
        cases["frozen", simulated] = without([], simulation=False)
        cases["alone", simulated] = without(systematics, simulation=True)
    cases |= {("more", name): _more(model, (name,), factor) for name in samples}
    if len(samples) > 1:
        cases["more", ""] = _more(model, samples, factor)
    # Asimov data of the nominal prediction, which no case changes.
    points = [Point(source=scaled(of), name=" ".join(word for word in key if word)) for key, of in cases.items()]
    options = toys if isinstance(toys, ToyOptions) else ToyOptions(toys=toys)
    rule = LimitRule(level=level, method=method, sides=sides, toys=options)
    found: dict[tuple[str, str], Limit] = {}
    for (what, name), limit in zip(
        cases, expected_limits(points, rule, executor=executor, workers=workers, progress=progress), strict=True
    ):
        if isinstance(limit, str):
            raise DataError(f"breakdown: {what} {name}: {limit}")
        found[what, name] = limit
    parts = [
        Part(
            name=name,
            parameters=tuple(members.get(name, ())),
            frozen=found["frozen", name],
            alone=found["alone", name],
        )
        for name in (*members, *([simulated] if uncertain else []))
    ]
    return Breakdown(
        whole=found["whole", ""],
        statistics=found["statistics", ""],
        parts=tuple(sorted(parts, key=lambda part: _median(part.frozen))),
        more={name: limit for (what, name), limit in found.items() if what == "more"},
        factor=factor,
        given=tuple(name for name in samples if name in model.given),
        coupling=model.coupling,
    )


def _percent(gain: float) -> str:
    return f"{100.0 * gain:.2g} %" if abs(gain) >= 1e-4 else "less than 0.01 %"


def _median(limit: Limit) -> float:
    return limit.expected.median if limit.expected is not None else limit.value


def _members(
    model: Model, groups: Literal["systematic", "group"] | Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return the parameters of every group: of all but couplings, and the free totals of `terms = "shape"`."""
    others = {model.poi, *model.couplings, *(f"norm[{span.name}]" for span in model.regions)}
    nuisances = [parameter for parameter in model.parameters if parameter.name not in others and not parameter.fixed]
    result: dict[str, list[str]] = {}
    if not isinstance(groups, Mapping):
        for nuisance in nuisances:
            name = nuisance.group if groups == "group" and nuisance.group else of_systematic(nuisance.name)
            result.setdefault(name, []).append(nuisance.name)
        return result
    names = tuple(dict.fromkeys(of_systematic(nuisance.name) for nuisance in nuisances))
    owner: dict[str, str] = {}
    for group, patterns in groups.items():
        picked = chosen(tuple(patterns), names)
        if not picked:
            listed = ", ".join(names) or "none"
            raise ConfigError(f"breakdown: group {group!r} matches no systematic (there are: {listed})")
        for name in picked:
            if owner.setdefault(name, group) != group:
                raise ConfigError(f"breakdown: {name!r} is in two groups, {owner[name]!r} and {group!r}")
    for nuisance in nuisances:
        result.setdefault(owner.get(of_systematic(nuisance.name), "others"), []).append(nuisance.name)
    return result


def _samples(model: Model) -> tuple[str, ...]:
    """Return the samples whose simulation has an error."""
    return tuple(
        dict.fromkeys(
            model.components[variance.first].sample for variance in model.variances if np.any(variance.values)
        )
    )


def _exact(model: Model) -> Model:
    """Return the model without the simulation's error, and without what principal components leave over."""
    nothing = np.zeros((0, 0))
    return dataclasses.replace(model, variances=(), residual=nothing, residual_monomials=(), gammas=None)


def _more(model: Model, samples: Sequence[str], factor: float) -> Model:
    """Return the model with more simulation of some samples: the squares of their weights fall by the factor."""
    return dataclasses.replace(
        model,
        variances=tuple(
            dataclasses.replace(variance, values=variance.values / factor)
            if model.components[variance.first].sample in samples
            else variance
            for variance in model.variances
        ),
    )
