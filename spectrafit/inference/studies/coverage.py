"""Coverage: how often each method's interval holds the truth, counted in thrown experiments, with binomial bands.

Experiments are thrown from true parameters. Auxiliary measurements are thrown too, and optionally the simulation: as
the likelihood describes it, or sample by sample, whatever the likelihood says. For each experiment the method says
whether it accepts the true kappa. Feldman-Cousins and CLs throw their own toys in every experiment, from the
experiment's own fit.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from spectrafit import execution
from spectrafit.arraytypes import Floats, Integers
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.intervals.acceptance import Question
from spectrafit.inference.intervals.limits import METHODS, named, smallest
from spectrafit.inference.intervals.scan import Scan
from spectrafit.inference.kernels.fields import workspace
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.results import Ledger
from spectrafit.inference.toys import ensemble as toys
from spectrafit.inference.toys.ensemble import ensemble
from spectrafit.inference.toys.journal import Journal
from spectrafit.inference.toys.options import ToyOptions
from spectrafit.inference.toys.simulations import Simulations
from spectrafit.progress import bar
from spectrafit.random import normal, stream_key
from spectrafit.stages import stage

__all__ = ["Coverage", "coverage"]


_CHUNK = 25

Simulation = Literal["thrown", "samples", "exact"]
_SAID: dict[str, str] = {
    "thrown": "fluctuates around the truth, one factor in each bin",
    "samples": "thrown anew, each sample by its number of events",
    "exact": "exact",
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Coverage:
    """How often intervals hold the true kappa.

    Attributes
    ----------
    kappas : (G,) array
        True values.
    methods : (M,) tuple of str
        With their sides: "profile (two)".
    level : float
        Nominal coverage.
    accepted, experiments : (G, M) arrays of int
        Number of intervals that hold the truth, and of experiments.
    truth, simulation : str
        How the nuisances' truth and the simulation were thrown.
    ledger : Ledger
        Counts of the toy fits inside the experiments.
    failed : int
        Experiments left out because their fit failed.
    """

    kappas: Floats
    methods: tuple[str, ...]
    level: float
    accepted: Integers
    experiments: Integers
    truth: str
    simulation: str
    ledger: Ledger
    failed: int

    @property
    def fraction(self) -> Floats:
        """(G, M) coverage."""
        result: Floats = self.accepted / np.maximum(self.experiments, 1)
        return result

    @property
    def band(self) -> tuple[Floats, Floats]:
        """(G, M) lower and upper end of the central 68 % Clopper-Pearson interval."""
        covered, thrown = self.accepted, self.experiments
        low = np.where(covered > 0, betaincinv(np.maximum(covered, 1), thrown - covered + 1, 0.1587), 0.0)
        high = np.where(covered < thrown, betaincinv(covered + 1, np.maximum(thrown - covered, 1), 0.8413), 1.0)
        return low, high

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield what was counted of each true kappa and method as a row of a table."""
        low, high = self.band
        for at in itertools.product(range(len(self.kappas)), range(len(self.methods))):
            name, _, sides = self.methods[at[1]].partition(" (")
            yield {
                "kappa": float(self.kappas[at[0]]),
                "method": name,
                "sides": sides.rstrip(")"),
                "coverage": float(self.fraction[at]),
                "low": float(low[at]),
                "high": float(high[at]),
                "accepted": int(self.accepted[at]),
                "experiments": int(self.experiments[at]),
            }

    def summary(self) -> dict[str, Any]:
        """Return what a file keeps, as plain numbers; `low` and `high` are a 68 % interval."""
        return {
            "level": self.level,
            "truth": self.truth,
            "simulation": self.simulation,
            "failed": self.failed,
            "toy_fits": dataclasses.asdict(self.ledger),
            "points": list(self.rows()),
        }

    def __str__(self) -> str:
        low, high = self.band
        width = max(len(method) for method in self.methods)
        lines = [
            f"coverage of {100 * self.level:g} % intervals; nuisances: {self.truth}; simulation: {self.simulation}",
            f"{'true kappa':>{width}}  " + "".join(f"{kappa:>22.4g}" for kappa in self.kappas),
        ]
        for column, method in enumerate(self.methods):
            cells = [
                f"{share:.3f} [{lo:.3f}, {hi:.3f}]"
                for share, lo, hi in zip(self.fraction[:, column], low[:, column], high[:, column], strict=True)
            ]
            lines.append(f"{method:>{width}}  " + "".join(f"{cell:>22}" for cell in cells))
        lines.append(f"{int(self.experiments.max(initial=0))} experiments each, {self.failed} failed; {self.ledger}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Share:
    """Experiments first .. first + count - 1 at one true kappa."""

    model: Model
    kappa: float
    methods: tuple[tuple[str, str], ...]
    level: float
    shifts: Mapping[str, float] | None
    expected: Floats | None
    simulation: Simulation
    toys: ToyOptions
    first: int
    count: int

    def __str__(self) -> str:
        return f"experiments {self.first} to {self.first + self.count - 1} at kappa = {self.kappa:g}"


@stage("counted the coverage")
def coverage(
    model: Model,
    kappas: npt.ArrayLike = (0.0,),
    *,
    methods: Sequence[str] = ("profile", "feldman-cousins", "cls"),
    level: float = 0.90,
    sides: Literal["one", "two"] = "one",
    truth: Mapping[str, float] | Literal["thrown"] | None = None,
    simulation: Simulation = "thrown",
    expected: npt.ArrayLike | None = None,
    experiments: int = 500,
    toys: int | ToyOptions = 199,
    journal: Journal | None = None,
) -> Coverage:
    """Throw experiments at true values of kappa and count the intervals that hold it.

    Parameters
    ----------
    model : Model
    kappas : (G,) array_like
        True values.
    methods : sequence of str
        Of `limits.METHODS`.
    level : float
    sides : {"one", "two"}
        Of "profile".
    truth : mapping, "thrown" or None
        True nuisances: their nominal values shifted as the mapping says, thrown anew from their constraints in every
        experiment (coverage on average), or nominal.
    simulation : {"thrown", "samples", "exact"}
        "thrown": in each bin the simulation of all samples together comes out a Gaussian factor away from the truth.
        ``mc_statistics = "barlow-beeston-lite"`` takes just this for true, so its coverage is flattered. "samples": the
        model's templates are the truth, and in every experiment the analyser has another simulation of the same size,
        with a Poisson number of events of each sample in each bin (`toys.simulations`). This is honest where a sample
        has few events. "exact": the templates are the truth, and the analyser has them.
    expected : (B,) array_like, optional
        Expectation to throw the counts from in place of the model's own, as of another simulation: whether intervals
        hold a kappa that is true there.
    experiments : int
        At each kappa.
    toys : int or ToyOptions
        Toys in each experiment, for the methods that throw toys. Its seed is used for the experiments too, and its
        executor runs the experiments.
    journal : Journal, optional
        Of this job: what it holds is not done again, and every share of experiments is kept there once it is done.

    Raises
    ------
    ConfigError
        A method or parameter is unknown, or 1 - level is no multiple of 1 / (toys + 1), or the model has no MC
        statistics to throw by samples.
    """
    how = toys if isinstance(toys, ToyOptions) else ToyOptions(toys=toys)
    rows = [named(method, model=model, where="coverage") for method in methods]
    places = (1.0 - level) * (how.toys + 1)
    if abs(places - round(places)) > 1e-9 and any(row.throws for row in rows):
        raise ConfigError(
            f"coverage: toys = {how.toys}: needs (1 - level) (toys + 1) to be whole; use 199 or 999 for 90 %"
        )
    shifts = None if truth == "thrown" else dict(truth or {})
    for name in shifts or {}:
        model.index(name)
    tested = tuple((row.name, sides if sides in row.sides else row.sides[0]) for row in rows)
    values = np.asarray(kappas, dtype=np.float64).reshape(-1)
    counts = np.zeros((2, len(values), len(tested)), dtype=np.int64)
    given = None if expected is None else np.array(expected, dtype=np.float64)
    if given is not None and given.shape != (model.n_bins,):
        raise ConfigError(f"coverage: {given.size} expected counts for {model.n_bins} bins; give one for each bin")
    thrown = "thrown from their constraints" if shifts is None else f"nominal, {shifts}" if shifts else "nominal"
    thrown = thrown if given is None else f"of {model.fake.label if model.fake else 'the given expectation'}"
    ledger, failed = Ledger(), 0

    # Workers throw toys by themselves: the options sent to them name no executor.
    inner = dataclasses.replace(how, mc=simulation != "exact", executor="serial", workers=None)
    shares = [
        (
            place,
            _Share(
                model=model,
                kappa=float(kappa),
                methods=tested,
                level=level,
                shifts=shifts,
                expected=given,
                simulation=simulation,
                toys=inner,
                first=first,
                count=min(_CHUNK, experiments - first),
            ),
        )
        for place, kappa in enumerate(values)
        for first in range(0, experiments, _CHUNK)
    ]
    done = {} if journal is None else {at: kept for at in range(len(shares)) if (kept := journal.get(str(at)))}
    todo = (share for at, (_, share) in enumerate(shares) if at not in done)
    with (
        execution.executor(how.executor, how.workers, preload=("spectrafit.inference.studies.coverage",)) as pool,
        bar(experiments * len(values), doing="coverage", unit="experiments") as advance,
    ):
        fresh = execution.imap(pool, _work, todo)
        for at, (place, share) in enumerate(shares):
            if at in done:
                accepted, lost, account = _unpacked(done[at])
            else:
                accepted, lost, account = next(fresh)
                if journal is not None:
                    journal.put(str(at), [accepted.tolist(), lost, dataclasses.asdict(account)])
            counts[:, place] += accepted
            failed, ledger = failed + lost, ledger + account
            advance(share.count)
    return Coverage(
        kappas=values,
        methods=tuple(f"{method} ({sides})" for method, sides in tested),
        level=level,
        accepted=counts[0],
        experiments=counts[1],
        truth=thrown,
        simulation=_SAID[simulation],
        ledger=ledger,
        failed=failed,
    )


def _unpacked(kept: Any) -> tuple[Integers, int, Ledger]:
    """Return what a journal kept of a share."""
    accepted, lost, account = kept
    return np.array(accepted, dtype=np.int64), int(lost), Ledger(**{**account, "toys": tuple(account["toys"])})


def _work(task: _Share) -> tuple[Integers, int, Ledger]:
    """Return (accepted, experiments) of each method, failed experiments, and the ledger of the toys."""
    counts = np.zeros((2, len(task.methods)), dtype=np.int64)
    failed, ledger = 0, Ledger()
    simulations = Simulations(task.model, task.toys.seed) if task.simulation == "samples" else None
    for number in range(task.first, task.first + task.count):
        try:
            inside, account = _Experiment(task, number, simulations).accepts()
        except DataError:
            failed += 1
            continue
        counts += np.stack([inside, np.ones_like(inside)])
        ledger = ledger + account
    return counts, failed, ledger


class _Experiment:
    """One thrown experiment, and the tests of its true kappa."""

    def __init__(self, task: _Share, number: int, simulations: Simulations | None) -> None:
        model = task.model
        self.task = task
        key = stream_key(task.toys.seed, "coverage")
        values = model.initial
        for place, parameter in enumerate(model.parameters):
            if task.shifts is None and parameter.constraint == "gaussian" and not parameter.fixed:
                values[place] = parameter.centre + parameter.width * normal(key, number, place)
            elif task.shifts is not None:
                values[place] += task.shifts.get(parameter.name, 0.0)
        values[model.index(model.poi)] = task.kappa
        # The counts come from the true prediction; the simulation that the analyser has is thrown around the truth.
        truth = ensemble(model, values, mc=task.simulation == "thrown", seed=task.toys.seed)
        mean = Likelihood(model).predict(values).mean if task.expected is None else task.expected
        at = truth.truth._replace(fitted=np.maximum(mean, 0.0), gamma=np.ones(model.n_bins))
        arrays, measured = Likelihood(model).arrays, toys.scratch(model)
        toys.throw(arrays, at, key, number, measured, workspace(arrays))
        theirs = model if simulations is None else simulations.thrown(number)
        self.scan = Scan(theirs, smallest(theirs), measured=measured)

    def accepts(self) -> tuple[Integers, Ledger]:
        """Return for each method whether the true kappa is in the interval."""
        inside, ledger = [], Ledger()
        for method, sides in self.task.methods:
            question = Question(
                scan=self.scan, kappa=self.task.kappa, level=self.task.level, sides=sides, toys=self.task.toys
            )
            held, account = METHODS[method].acceptance(question)
            inside.append(held)
            ledger = ledger + account
        return np.array(inside, dtype=np.int64), ledger
