"""The commands `hypotest` and `significance`: whether a value is excluded, and whether there is a signal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

import spectrafit as sf
from spectrafit.cli import fake
from spectrafit.cli.analyses import assembled, crew, refuse_output
from spectrafit.cli.answers import Answer, Json, Tables, about, checked_files, give
from spectrafit.cli.fake import AsimovAt, Auxiliary, DataFrom, ThrowNuisances, ToySeed
from spectrafit.cli.options import (
    Cache,
    Executor,
    Interest,
    Measurement,
    Patch,
    Saved,
    Scheduler,
    Set,
    SkipBad,
    Subject,
    Unblind,
    Without,
    Workers,
)

if TYPE_CHECKING:
    from spectrafit.cli.workspaces import WorkspaceFile
    from spectrafit.config import Analysis
    from spectrafit.inference.intervals.hypotheses import HypothesisTest, Significance
    from spectrafit.inference.toys.options import ToyOptions

__all__ = ["hypotest", "significance"]

Toys = Annotated[
    int | None, typer.Option(metavar="NUMBER", help="throw so many experiments, in place of the asymptotic formulas")
]


def hypotest(
    analysis: Subject,
    kappa: Annotated[list[float] | None, typer.Option(help="tested value; may be repeated; default: 1")] = None,
    toys: Toys = None,
    output: Tables = None,
    json: Json = False,
    set_: Set = None,
    without: Without = None,
    interest: Interest = None,
    unblind: Unblind = False,
    templates: Saved = None,
    executor: Executor = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    cache: Cache = None,
    skip_bad_files: SkipBad = False,
    asimov: AsimovAt = None,
    toy: ToySeed = None,
    throw_nuisances: ThrowNuisances = False,
    auxiliary: Auxiliary = "stay",
    data_from: DataFrom = None,
    measurement: Measurement = None,
    patch: Patch = None,
) -> None:
    """Test values of the signal: CLs, CLsb and CLb of the data, and the CLs expected without a signal.

    spectrafit hypotest workspace.json --kappa 1 --kappa 2 --toys 2000
    """
    targets = checked_files(output)
    for target in targets:
        refuse_output(target, analysis, set_, templates, without, patch)
    data = fake.choice(asimov, toy, throw_nuisances, auxiliary, data_from, unblind=unblind)
    loaded, model = assembled(
        analysis,
        set_,
        interest,
        unblind,
        templates,
        cache,
        skip_bad_files,
        without,
        data=data,
        measurement=measurement,
        patch=patch,
    )
    with crew(executor, workers, scheduler) as pool:
        thrown = _options(toys, loaded.limit.seed, pool, workers)
        found = [sf.hypotest(model, value, toys=thrown) for value in kappa or [1.0]]
    give(_answer(loaded, found), json=json, files=targets)


def significance(
    analysis: Subject,
    signal: Annotated[
        float | None, typer.Option(help="the kappa to expect a significance for; default: 1 for a workspace")
    ] = None,
    toys: Toys = None,
    output: Tables = None,
    json: Json = False,
    set_: Set = None,
    without: Without = None,
    interest: Interest = None,
    unblind: Unblind = False,
    templates: Saved = None,
    executor: Executor = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    cache: Cache = None,
    skip_bad_files: SkipBad = False,
    asimov: AsimovAt = None,
    toy: ToySeed = None,
    throw_nuisances: ThrowNuisances = False,
    auxiliary: Auxiliary = "stay",
    data_from: DataFrom = None,
    measurement: Measurement = None,
    patch: Patch = None,
) -> None:
    """Test the absence of a signal: p0, its significance, and the significance that a signal would have.

    spectrafit significance fits/nova_nd_fhc.toml --asimov kappa=4 --signal 4
    """
    targets = checked_files(output)
    for target in targets:
        refuse_output(target, analysis, set_, templates, without, patch)
    data = fake.choice(asimov, toy, throw_nuisances, auxiliary, data_from, unblind=unblind)
    loaded, model = assembled(
        analysis,
        set_,
        interest,
        unblind,
        templates,
        cache,
        skip_bad_files,
        without,
        data=data,
        measurement=measurement,
        patch=patch,
    )
    with crew(executor, workers, scheduler) as pool:
        thrown = _options(toys, loaded.limit.seed, pool, workers)
        found = sf.significance(model, signal=signal, toys=thrown)
    give(_answer(loaded, [found]), json=json, files=targets)


def _options(toys: int | None, seed: int, executor: Any, workers: int | None) -> ToyOptions | None:
    """Return the options of toys, None without any."""
    from spectrafit.inference.toys.options import ToyOptions

    if toys is None:
        return None
    return ToyOptions(toys=toys, seed=seed, executor=executor, workers=workers or os.cpu_count())


def _answer(loaded: Analysis | WorkspaceFile, found: Sequence[HypothesisTest | Significance]) -> Answer:
    rows = [each.summary() for each in found]
    return Answer(
        text=lambda: "\n".join(str(each) for each in found),
        summary=lambda: about(loaded) | {"tests": rows},
        rows=lambda: rows,
    )
