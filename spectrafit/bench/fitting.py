"""How fast fits, toys and intervals are: `spectrafit bench inference`, beside RooFit, NextStat and pyhf."""

from __future__ import annotations

import json
import math
import os
import statistics
import tempfile
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from spectrafit.bench.fitters import FITTERS, Answer, cold_ours, cold_pyhf, installed, nextstat_toys
from spectrafit.bench.timing import Row, Timed, agree, child, chosen, elsewhere, in_turns, rate, times
from spectrafit.bench.workspaces import make
from spectrafit.config import Analysis, load
from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.toys.ensemble import ensemble, run
from spectrafit.interop.pyhf import read_workspace

__all__ = ["PEERS", "inference"]

PEERS = tuple(FITTERS)
# What a fit of so many parameters costs without a gradient is known: hours.
_NOT_LARGE = ("pyhf",)
_TO_REACH = {
    ("roofit", False): "to reach: 10",
    ("pyhf", False): "to reach: 1000",
    ("roofit", True): "to reach: 30",
}


def inference(
    *,
    quick: bool = False,
    peers: Collection[str] | None = None,
    workspaces: Sequence[str | Path] = (),
    analysis: str | Path | None = None,
) -> list[Row]:
    """Measure fits, toys and intervals against their peers, side by side.

    Parameters
    ----------
    quick : bool
        Tiny inputs, to see that everything works; the times mean nothing.
    peers : collection of str, optional
        Which of `PEERS` to run; by default all that are installed.
    workspaces : sequence of path
        Published likelihoods (.json, .json.gz) to fit from file to minimum.
    analysis : path, optional
        A fits/*.toml whose Feldman-Cousins limit is timed; its ntuples are generated if they are not there.

    Returns
    -------
    list of Row

    Raises
    ------
    ConfigError
        No peer of that name.
    ArithmeticError
        Answers differ.
    """
    wanted = [peer for peer in chosen(peers, PEERS) if installed(peer)]
    turns = 1 if quick else 5
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="spectrafit-bench-") as name:
        folder = Path(name)
        for bins, shapes in ((10, 2), (20, 3)) if quick else ((100, 10), (700, 30)):
            large = bins > 100
            path = _write(folder, bins, shapes)
            rows += _fits(
                path, bins, shapes, [peer for peer in wanted if not (large and peer in _NOT_LARGE)], turns, large
            )
            if not large:
                rows += _toys(path, bins, shapes, wanted, 200 if quick else 4000, turns)
        for one in workspaces:
            rows += _from_file(Path(one), "pyhf-jax" in wanted, 1 if quick else 3)
        if analysis is not None:
            rows.append(_feldman_cousins(load(analysis), folder, 20 if quick else 10_000))
    return rows


def _write(folder: Path, bins: int, shapes: int) -> str:
    path = folder / f"{bins}x{shapes}.json"
    path.write_text(json.dumps(make(bins, shapes)))
    return str(path)


def _ours(model: Model) -> Answer:
    found = fit(model)
    if not found.valid:
        raise ArithmeticError(f"our fit: {found.message}")
    # As the peers count it, with the factors per bin at 1 at the start.
    start = Likelihood(model).two_nll(gammas=np.ones(model.n_bins))
    return found.value("mu"), start - found.two_nll


def _fits(path: str, bins: int, shapes: int, peers: Collection[str], turns: int, large: bool) -> list[Row]:
    model = read_workspace(path)
    works: dict[str, Callable[[], Any]] = {"ours": partial(fit, model)}
    with ExitStack() as stack:
        for peer in peers:
            works[peer] = partial(elsewhere, stack.enter_context(child()), FITTERS[peer][2], path)
        done = in_turns(works, turns=turns)
    ours = _ours(model)
    error = fit(model).errors[model.index("mu")]
    name = f"fit of {bins} bins, {shapes} shapes, 4 samples with MC statistics: "
    rows = []
    for peer in peers:
        mu, drop = done[peer].answer
        # SLSQP stops at 1e-6 of 2NLL relative, MIGRAD with strategy 0 some 0.004 above the minimum of many parameters.
        agree(f"{name}{peer}, fall of 2NLL", ours[1], drop, rtol=0.0, atol=6e-3)
        agree(f"{name}{peer}, mu", ours[0], mu, rtol=0.0, atol=0.01 * error)
        rows.append(
            times(name + FITTERS[peer][0], done["ours"], done[peer], _TO_REACH.get((peer, large), ""), unit="ms")
        )
    return rows or [times(name + "no peer", done["ours"], None, "no peer is installed", unit="ms")]


def _toys(path: str, bins: int, shapes: int, peers: Collection[str], toys: int, turns: int) -> list[Row]:
    """Compare toys per second: ours are thrown with their auxiliary measurements, fitted with mu free and at 1."""
    model = read_workspace(path)
    of = ensemble(model, model.initial, seed=1, lower=-math.inf)
    works: dict[str, Callable[[], Any]] = {"ours": lambda: run(of, [1.0], toys=toys)}
    with ExitStack() as stack:
        if "nextstat" in peers:
            remote = stack.enter_context(child())
            works["nextstat"] = partial(elsewhere, remote, nextstat_toys, path, max(toys // 100, 4))
        done = in_turns(works, turns=min(turns, 3))
    rows, ledger = done["ours"].answer
    if not np.all(np.isfinite(rows[:, 0])) or ledger.disagreed:
        raise ArithmeticError(f"toys: {ledger}")
    ours = Timed(seconds=done["ours"].seconds / toys, answer=None)
    peer = None
    if "nextstat" in done:
        peer = Timed(seconds=done["nextstat"].seconds / max(toys // 100, 4), answer=None)
    name = f"toys of {bins} bins, {shapes} shapes, two fits each, one core: NextStat, one fit each"
    return [rate(name, ours, peer, 1.0, "toys/s", f"to reach: 3000 toys/s; {ledger}")]


def _from_file(path: Path, beside: bool, turns: int) -> list[Row]:
    """Compare a published likelihood from file to minimum, in fresh processes with the packages imported."""
    spent: dict[str, list[float]] = {"ours": [], "pyhf": []}
    with child() as pool:
        # Kernels are compiled once after an installation, not once a process.
        pool.submit(cold_ours, str(path)).result()
    for _ in range(turns):
        found: dict[str, tuple[float, float, str]] = {}
        for name, work in (("ours", cold_ours), ("pyhf", cold_pyhf)) if beside else (("ours", cold_ours),):
            with child() as pool:
                found[name] = pool.submit(work, str(path)).result()
            spent[name].append(found[name][0])
        if found["ours"][2]:
            raise ArithmeticError(f"{path}: our fit: {found['ours'][2]}")
        if beside and found["ours"][1] < found["pyhf"][1] - 1e-3:
            raise ArithmeticError(f"{path}: pyhf's minimum is lower: {found['pyhf'][1]} against {found['ours'][1]}")
    note = "to reach: 5"
    if beside:
        note += f"; our minimum is lower by {found['ours'][1] - found['pyhf'][1]:.1e}"
    ours = Timed(seconds=statistics.median(spent["ours"]), answer=None)
    peer = Timed(seconds=statistics.median(spent["pyhf"]), answer=None) if beside else None
    return [times(f"{path.name}, from file to minimum, cold: pyhf, jax and scipy", ours, peer, note)]


def _feldman_cousins(analysis: Analysis, folder: Path, toys: int) -> Row:
    """Time the Feldman-Cousins limit of an analysis by all cores; there is no peer."""
    from spectrafit.inference.assemble import assemble
    from spectrafit.inference.intervals.limits import upper_limit
    from spectrafit.inference.toys.options import ToyOptions
    from spectrafit.templates.build import build

    model = assemble(analysis, build(_generated(analysis, folder), executor="threads"))
    workers = os.cpu_count() or 1

    def limit() -> Any:
        how = ToyOptions(toys=toys, executor="threads", workers=workers)
        return upper_limit(model, method="feldman-cousins", toys=how, expected=False)

    found = in_turns({"ours": limit}, turns=1)["ours"]
    answer = found.answer
    name = f"Feldman-Cousins, a mixture with {toys:,} toys of each truth, {workers} cores: no peer"
    note = f"to reach: 10 s; {answer.value:.3g} +- {answer.error:.1g} {answer.unit}; {answer.ledger}"
    return times(name, found, None, note)


def _generated(analysis: Analysis, folder: Path) -> Analysis:
    """Return the analysis with the ntuples it has recipes for; missing ones are made in `folder`."""
    from spectrafit.events.generate import generate

    sets = []
    for one in analysis.sample_sets:
        recipes = [sample for sample in one.samples if sample.generate is not None]
        if all((one.folder / str(sample.files)).exists() for sample in recipes):
            sets.append(one)
            continue
        generate(one, folder=folder / one.name)
        moved = tuple(
            msgspec.structs.replace(sample, files=str(folder / one.name / f"{sample.name}.root"))
            if sample.generate is not None
            else sample
            for sample in one.samples
        )
        sets.append(msgspec.structs.replace(one, samples=moved))
    return msgspec.structs.replace(analysis, sample_sets=tuple(sets))
