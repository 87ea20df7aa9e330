"""Expected limits over the values of any numeric key of an analysis, and for several analyses side by side.

Nothing is read again that need not be: the cells of one fill answer for every point that differs in what acts on filled
cells. A point that they cannot answer is filled, once for each distinct fill.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from spectrafit import config, execution
from spectrafit.config import LimitOptions
from spectrafit.config.ranges import over as parsed_over
from spectrafit.config.settings import parsed
from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.assemble import simulated
from spectrafit.inference.fake import Asimov, Simulated, Toy
from spectrafit.inference.faking.simulated import standing_in
from spectrafit.inference.intervals.limits import Method
from spectrafit.inference.model import Model
from spectrafit.inference.studies.expected import Expected
from spectrafit.inference.studies.points import LimitRule, Point, expected_limits
from spectrafit.inference.studies.sensitivity import of_model
from spectrafit.inference.toys.journal import Journal
from spectrafit.inference.toys.journal import journal as opened
from spectrafit.inference.toys.options import ToyOptions
from spectrafit.stages import stage
from spectrafit.templates.build import fill_cells
from spectrafit.templates.cells import Cells
from spectrafit.templates.regions import lay_out
from spectrafit.templates.serving import difference, served
from spectrafit.templates.templates import Templates, vary

__all__ = ["scan"]

Over = Sequence[str] | Mapping[str, npt.ArrayLike]
Compare = Sequence[str | Path | config.Analysis]

# Keys that no file has: multiples of the exposure, of prior widths, and of the simulation.
_SPECIAL = ("exposure", "priors", "simulated")


@stage("scanned")
def scan(
    analysis: config.Analysis | Model,
    over: Over = (),
    *,
    compare: Compare = (),
    templates: Templates | None = None,
    simulation: Literal["fixed", "grows"] = "fixed",
    level: float | None = None,
    method: Method | None = None,
    sides: Literal["one", "two"] | None = None,
    toys: int | ToyOptions | None = None,
    data: Asimov | Toy | Simulated | None = None,
    executor: str | Executor | execution.Pool = "threads",
    workers: int | None = None,
    scheduler: str | None = None,
    cache: str | Path | None = None,
    skip_bad_files: bool = False,
    progress: bool = False,
    resume: bool | None = None,
) -> Expected:
    """Return the expected limits for other values of one or two keys, and for other analyses.

    Parameters
    ----------
    analysis : Analysis or Model
        A model, as of a workspace, has no keys but `exposure`, `priors` and ``priors.NAME``.
    over : sequence of "KEY=VALUES", or mapping of key to values
        None, one or two. Keys are those of the file, with tables of lists called by their names:
        ``systematics.flux.sigma=0.02,0.05``, ``pot=1e20:3e21:log12``, ``regions.nd.axes.t_reco.low=0.15,0.3``, and
        ``samples:response.energy_constant=0.02,0.04`` for the sample set. Besides, `exposure` is a multiple of all that
        is expected (counts and `normalise` too), `priors` of all prior widths, ``priors.NAME`` of those of a systematic
        or group, `simulated` of the simulation, ``simulated.SAMPLE`` of that of a sample.
    compare : sequence of Analysis, path or str
        Other analyses, or settings ``"KEY=VALUE; KEY=VALUE"`` laid over the first; each goes through the same values.
    templates : Templates, optional
        Built before: their cells answer what they can.
    simulation : {"fixed", "grows"}
        Whether there is more simulation at a larger `exposure`.
    level, method, sides, toys
        As for `upper_limit`; by default what the analysis says.
    data : Asimov, Toy or Simulated, optional
        Fake data, made anew for every point: from its expectation, or from the events of another simulation in its
        bins and at its exposure. Their limits are shown in place of the medians.
    executor, workers, scheduler, cache, skip_bad_files, progress
        As for `spectrafit.build`. The executor fills, and finds limits at once.
    resume : bool, optional
        Keep every limit in the user's cache until the scan has come to its end; True goes on with those of a scan that
        was stopped. None keeps nothing. Of an analysis only.

    Raises
    ------
    ConfigError
        A key or name that is not there, more than two keys, a value that the key does not take.
    DataError
        Files that cannot be read, or no point with a limit.
    """
    begun = time.perf_counter()
    axes = _axes(over)
    if isinstance(analysis, Model):
        if compare:
            raise ConfigError("scan: compare is for an analysis; scan several workspaces one by one")
        options = toys if isinstance(toys, ToyOptions) else ToyOptions(toys=toys or LimitOptions().toys)
        drawn = LimitRule(level=level or LimitOptions().level, method=method or "profile", sides=sides, toys=options)
        with execution.executor(executor, workers, scheduler=scheduler) as pool:
            return of_model(analysis, axes, drawn, simulation=simulation, data=data, executor=pool, progress=progress)
    variants = _variants(analysis, compare)
    grid = list(itertools.product(*axes.values()))
    if len(axes) == 2 and len(variants) > 1:
        raise ConfigError("scan: compare goes with one key at most; scan two keys of one analysis at a time")
    rule = _rule(analysis, level, method, sides, toys, executor, workers)
    cases = [
        _case(name, variant, dict(zip(axes, values, strict=True))) for name, variant in variants for values in grid
    ]
    with execution.executor(executor, workers, scheduler=scheduler, preload=("spectrafit.templates.warm",)) as pool:
        fill = partial(fill_cells, executor=pool, cache=cache, skip_bad_files=skip_bad_files, progress=progress)
        filled = _Filled(fill, [] if templates is None else [_cells(templates)])
        sources = _sources(cases, filled)
        fakes = _fakes(data, cases, sources, filled, simulation)
        points = [
            Point(
                source=source,
                exposure=case.special.get("exposure", 1.0),
                priors=case.of("priors"),
                simulation=simulation,
                name=case.name,
                data=fake,
            )
            for case, source, fake in zip(cases, sources, fakes, strict=True)
        ]
        rule = dataclasses.replace(rule, toys=dataclasses.replace(rule.toys, executor=pool))
        with _kept(analysis, points, rule, resume) as work:
            found = expected_limits(points, rule, executor=pool, progress=progress, journal=work)
    return Expected(
        keys=tuple(axes),
        values=tuple(tuple(float(value) for value in values) for values in axes.values()),
        variants=tuple(name for name, _ in variants),
        limits=tuple(None if isinstance(limit, str) else limit for limit in found),
        failures=tuple(limit if isinstance(limit, str) else "" for limit in found),
        coupling=analysis.coupling_options.name,
        simulation=simulation,
        fills=filled.fills,
        seconds=time.perf_counter() - begun,
        units=tuple(config.unit_at(analysis, key) for key in axes),
    )


@contextlib.contextmanager
def _kept(
    analysis: config.Analysis, points: Sequence[Point], rule: LimitRule, resume: bool | None
) -> Iterator[Journal | None]:
    """Open the journal of a scan. Its key is all that decides the numbers."""
    if resume is None:
        yield None
        return
    state = hashlib.blake2b(digest_size=16)
    for point in points:
        if isinstance(point.source, Model):
            raise TypeError("scan: the journal is for analyses")
        said, templates = point.source
        state.update(f"{config.digest(said)} {templates.digest}".encode())
    key = {
        "model": state.hexdigest(),
        "points": [f"{point.name} {point.exposure!r} {dict(point.priors)!r} {point.data!r}" for point in points],
        "simulation": points[0].simulation,
        "rule": [rule.level, rule.method, rule.sides, rule.toys.toys, rule.toys.seed, rule.toys.ensemble],
    }
    with opened(analysis.path, "scan", key, resume=resume) as work:
        yield work


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Case:
    """One point: the analysis with the keys of its file changed, and the special keys."""

    name: str
    analysis: config.Analysis
    special: Mapping[str, float]

    def of(self, key: str) -> dict[str, float]:
        """Return the multiples under a special key, by name; "" is for all."""
        return {
            name.removeprefix(key).removeprefix("."): value
            for name, value in self.special.items()
            if name == key or name.startswith(f"{key}.")
        }


def _axes(over: Over) -> dict[str, tuple[float, ...]]:
    said = (
        [_listed(*one) for one in over.items()] if isinstance(over, Mapping) else [parsed_over(text) for text in over]
    )
    axes = dict(said)
    if len(axes) < len(said):
        raise ConfigError(f"scan: {said[0][0]!r} is scanned twice; give all of its values at once")
    if len(axes) > 2:
        raise ConfigError(f"scan: {len(axes)} keys ({', '.join(axes)}); one or two can be scanned, compare the others")
    for key, values in axes.items():
        if not values:
            raise ConfigError(f"scan: {key!r} has no values")
    return axes


def _listed(key: str, values: npt.ArrayLike) -> tuple[str, tuple[float, ...]]:
    """Return the values of a key as plain numbers, whatever they came in."""
    found = np.asarray(values).reshape(-1)
    if found.size and (found.dtype.kind not in "iuf" or not np.all(np.isfinite(found))):
        raise ConfigError(f"scan: {key!r}: needs finite numbers; other settings go into compare")
    return key, tuple(found.tolist())


def _variants(analysis: config.Analysis, compare: Compare) -> list[tuple[str, config.Analysis]]:
    """Return the analyses with the names they are told by."""
    result = [(Path(analysis.path).stem or "analysis", analysis)]
    for other in compare:
        if isinstance(other, config.Analysis):
            result.append((Path(other.path).stem or "analysis", other))
        elif isinstance(other, Path) or (other.endswith(".toml") and "=" not in other):
            result.append((Path(other).stem, config.load(other)))
        else:
            settings = dict(parsed(text) for text in other.split(";"))
            result.append((other.strip(), config.varied(analysis, settings)))
    counted = [name for name, _ in result]
    return [
        (name if counted.count(name) == 1 else f"{name} ({index + 1})", found)
        for index, (name, found) in enumerate(result)
    ]


def _rule(
    analysis: config.Analysis,
    level: float | None,
    method: Method | None,
    sides: Literal["one", "two"] | None,
    toys: int | ToyOptions | None,
    executor: Any,
    workers: int | None,
) -> LimitRule:
    said = analysis.limit
    if not isinstance(toys, ToyOptions):
        count = said.toys if toys is None else toys
        toys = ToyOptions(toys=count, seed=said.seed, ensemble=said.ensemble, executor=executor, workers=workers)
    # The sides of the file are those of its method.
    default = said.sides if method in (None, said.method) else None
    return LimitRule(level=level or said.level, method=method or said.method, sides=sides or default, toys=toys)


def _case(name: str, analysis: config.Analysis, settings: Mapping[str, float]) -> _Case:
    special = {key: float(value) for key, value in settings.items() if key.partition(".")[0] in _SPECIAL}
    plain = {key: value for key, value in settings.items() if key not in special}
    told = ", ".join(f"{key} = {value:g}" for key, value in settings.items())
    return _Case(
        name=f"{name}, {told}" if told else name,
        analysis=config.varied(analysis, plain) if plain else analysis,
        special=special,
    )


def _cells(templates: Templates) -> Cells:
    if templates.cells is None:
        raise ConfigError("scan: these templates were not made of cells; build them from an analysis")
    return templates.cells


class _Filled:
    """Filled cells, each of which answers for all analyses that differ in what acts on filled cells."""

    def __init__(self, fill: Callable[[config.Analysis], Cells], cells: list[Cells]) -> None:
        self.fill, self.cells, self.fills = fill, cells, 0

    def want(self, analyses: Iterable[config.Analysis]) -> None:
        """Fill what is missing; the finest edges first, since their cells answer for the coarser ones."""
        for analysis in sorted(analyses, key=_size, reverse=True):
            if all(difference(cells, analysis) for cells in self.cells):
                self.cells.append(self.fill(analysis))
                self.fills += 1

    def templates(self, analysis: config.Analysis) -> Templates:
        """Return the templates of an analysis."""
        self.want([analysis])
        return vary(served(next(cells for cells in self.cells if not difference(cells, analysis)), analysis))


def _sources(cases: Sequence[_Case], filled: _Filled) -> list[tuple[config.Analysis, Templates]]:
    """Return analysis and templates of every case, from as few fills as there can be."""
    keys = [_key(case) for case in cases]
    filled.want(case.analysis for case in dict(zip(keys, cases, strict=True)).values())
    made: dict[str, Templates] = {}
    for key, case in zip(keys, cases, strict=True):
        if key not in made:
            templates = _simulated(filled.templates(case.analysis), case.of("simulated"))
            # Workers need no cells, which are large.
            made[key] = dataclasses.replace(templates, cells=None, sources={})
    return [(case.analysis, made[key]) for key, case in zip(keys, cases, strict=True)]


def _fakes(
    data: Asimov | Toy | Simulated | None,
    cases: Sequence[_Case],
    sources: Sequence[tuple[config.Analysis, Templates]],
    filled: _Filled,
    simulation: str,
) -> list[Asimov | Toy | Simulated | None]:
    """Return the fake data of every case: those of another simulation with their counts at the case's exposure."""
    of = data.of if isinstance(data, Toy) else data
    if not isinstance(of, Simulated) or of.counts is not None:
        return [data] * len(cases)
    filled.want(standing_in(of, analysis) for analysis, _ in sources)
    found: list[Asimov | Toy | Simulated | None] = []
    for case, (analysis, templates) in zip(cases, sources, strict=True):
        events = simulated(analysis, templates, of, make=filled.templates)
        exposure = case.special.get("exposure", 1.0)
        counts = np.array(events.counts) * exposure
        if analysis.fit.terms == "norm":
            counts = np.add.reduceat(counts, [region.start for region in templates.regions])
        # With more simulation at a larger exposure its error falls, too.
        error = events.error / (exposure**0.5 if simulation == "grows" else 1.0)
        events = dataclasses.replace(events, counts=tuple(counts.tolist()), error=error)
        found.append(dataclasses.replace(data, of=events) if isinstance(data, Toy) else events)
    return found


def _size(analysis: config.Analysis) -> int:
    return sum(region.size for region in lay_out(analysis.regions))


def _key(case: _Case) -> str:
    """Return what templates depend on, as text: all but the options of fit and limit, and normalisations."""
    analysis = msgspec.structs.replace(
        case.analysis,
        systematics=tuple(
            systematic for systematic in case.analysis.systematics if not isinstance(systematic, config.Norm)
        ),
        fit=config.FitOptions(),
        limit=config.LimitOptions(),
    )
    said = msgspec.json.encode(analysis, order="deterministic").decode()
    return said + json.dumps(case.of("simulated"), sort_keys=True)


def _simulated(templates: Templates, factors: Mapping[str, float]) -> Templates:
    """Return the templates as more simulation of some samples would give them: with smaller variances."""
    if not factors:
        return templates
    more = np.ones(len(templates.samples))
    for name, factor in factors.items():
        if not factor > 0:
            raise ConfigError(f"scan: simulated = {factor:g}: needs a positive multiple")
        picked = config.chosen((name or "*",), templates.samples)
        if not picked:
            listed = ", ".join(templates.samples)
            raise ConfigError(
                f"scan: simulated.{name}: no sample {name!r}{nearest(name, templates.samples)} (there are: {listed})"
            )
        more[[templates.sample(found) for found in picked]] *= factor
    return dataclasses.replace(templates, squares=templates.squares / more[:, None, None])
