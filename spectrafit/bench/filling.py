"""Compares weighing and filling of events in memory with numpy and boost-histogram."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import boost_histogram as bh
import numpy as np

from spectrafit.arraytypes import Floats, Values
from spectrafit.bench import ntuples
from spectrafit.bench.timing import Row, agree, in_turns, rate
from spectrafit.config import Analysis
from spectrafit.physics.constants import M_E, SIGMA_MAGNETIC, SIGMA_SM, SIN2_THETA_W
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.templates import fill
from spectrafit.templates.chunks import BLOCK
from spectrafit.templates.observables import Quantities
from spectrafit.templates.regions import Grid, lay_out
from spectrafit.templates.weights import Weigher

__all__ = ["by_histograms", "in_memory", "many_universes"]

Arrays = Mapping[str, Values]

_UNIVERSES = 100
_PLACES = np.array([[0, 1], [1, 2]])


def add_up(analysis: Analysis, events: Arrays) -> Floats:
    """Return what our kernels make of events in memory, (F, 6): weights, squares as a polynomial in kappa, entries."""
    sample_set, sample = analysis.nominal[0]
    grid, weigh = Grid.of(analysis.regions, sample.name), Weigher.of(analysis, sample_set, sample)
    sums, places = fill.EventSums.zeros(grid.size, weigh.monomials), fill.places_of(weigh.monomials)
    for start in range(0, len(events["weight"]), BLOCK):
        view = Quantities({name: values[start : start + BLOCK] for name, values in events.items()})
        weight = view.stored("weight")
        powers = weigh(view, weight.size)
        for cells in grid.cells(view, weight.size):
            fill.add_events(cells, weight, powers, places, sums.table)
    return sums.table[grid.layout.inner]


def ratio(events: Arrays) -> Floats:
    """Return dsigma_1 / dsigma_SM per event, (N,), as one writes it in numpy."""
    pdg, energy, recoil = events["pdg"], events["e_nu"].astype(np.float64), events["t"].astype(np.float64)
    right = 2.0 * SIN2_THETA_W
    left = right - 1.0
    one, other = np.where(pdg > 0, left, right), np.where(pdg > 0, right, left)
    bracket = one**2 + other**2 * (1.0 - recoil / energy) ** 2 - one * other * M_E * recoil / energy**2
    scale = SIGMA_MAGNETIC / SIGMA_SM * COUPLINGS["magnetic_moment"].scale
    return np.where(np.abs(pdg) == 14, scale * (1.0 / recoil - 1.0 / energy) / bracket, 0.0)


def by_histograms(axes: Sequence[bh.axis.Axis], events: Arrays) -> Floats:
    """Return the same sums, (5, B), from numpy weights and a `bh.Histogram.fill` per template."""
    places = (events["t_reco"], events["t_reco"].astype(np.float64) * events["theta_reco"].astype(np.float64) ** 2)
    weight = events["weight"].astype(np.float64)
    moved = weight * ratio(events)
    sm = bh.Histogram(*axes, storage=bh.storage.Weight()).fill(*places, weight=weight)
    square = bh.Histogram(*axes, storage=bh.storage.Weight()).fill(*places, weight=moved)
    mixed = bh.Histogram(*axes, storage=bh.storage.Double()).fill(*places, weight=2.0 * weight * moved)
    views: list[Any] = [histogram.view() for histogram in (sm, square)]
    found = [views[0]["value"], views[1]["value"], views[0]["variance"], mixed.view(), views[1]["variance"]]
    return np.stack([np.asarray(one).ravel() for one in found])


def in_memory(events: Arrays, turns: int, peers: Collection[str]) -> list[Row]:
    """Compare weighing and filling of events in memory."""
    size = len(events["weight"])
    analysis = ntuples.analysis((Path("events.root"),))
    axes = lay_out(analysis.regions)[0].axes
    works: dict[str, Callable[[], Any]] = {"ours": lambda: add_up(analysis, events)}
    if "numpy" in peers:
        works["numpy"] = lambda: by_histograms(axes, events)
    done = in_turns(works, turns=turns)
    if "numpy" in done:
        agree("in memory", done["ours"].answer[:, :5].T, done["numpy"].answer, rtol=1e-9, atol=1e-12)
    stages = _stages(analysis, events)
    spent = ", ".join(f"{stage} {1e3 * seconds:.0f} ms" for stage, seconds in stages.items())
    name = f"reweight and fill {size:,} events in memory, 25 x 28 variable bins, one core: numpy + boost-histogram"
    note = f"to reach: ratio 10, 45 M events/s; {spent}"
    return [rate(name, done["ours"], done.get("numpy"), size / 1e6, "M events/s", note)]


def _stages(analysis: Analysis, events: Arrays) -> dict[str, float]:
    """Return the seconds of each part of `add_up`, part by part in the same blocks."""
    sample_set, sample = analysis.nominal[0]
    grid, weigh = Grid.of(analysis.regions, sample.name), Weigher.of(analysis, sample_set, sample)
    sums, places = fill.EventSums.zeros(grid.size, weigh.monomials), fill.places_of(weigh.monomials)
    spent = dict.fromkeys(("weigh", "number", "add"), 0.0)
    for start in range(0, len(events["weight"]), BLOCK):
        view = Quantities({name: values[start : start + BLOCK] for name, values in events.items()})
        weight = view.stored("weight")
        marks = [time.perf_counter()]
        powers = weigh(view, weight.size)
        marks.append(time.perf_counter())
        cells = grid.cells(view, weight.size)
        marks.append(time.perf_counter())
        fill.add_events(cells[0], weight, powers, places, sums.table)
        marks.append(time.perf_counter())
        for stage, begun, ended in zip(spent, marks, marks[1:], strict=False):
            spent[stage] += ended - begun
    return spent


def many_universes(events: Arrays, turns: int, peers: Collection[str]) -> list[Row]:
    """Compare the fill of many weights per event; the events' own weights are made beforehand for all."""
    size = len(events["weight"])
    analysis = ntuples.analysis((Path("events.root"),))
    axes = lay_out(analysis.regions)[0].axes
    grid = Grid.of(analysis.regions, "nu_e")
    rng = np.random.default_rng(3)
    ratios = rng.normal(1.0, 0.1, (size, _UNIVERSES)).astype(np.float32)
    columns = {name: value if name == "pdg" else value.astype(np.float64) for name, value in events.items()}
    powers = np.stack([np.ones(size), ratio(events)])

    def ours() -> Floats:
        sums, noise = np.zeros((grid.size, 2, _UNIVERSES)), np.zeros((grid.size, 1, 1))
        for start in range(0, size, BLOCK):
            part = slice(start, start + BLOCK)
            view = Quantities({name: values[part] for name, values in columns.items()})
            cells = grid.cells(view, len(view["weight"]))
            mine, weight = np.ascontiguousarray(powers[:, part]), view["weight"]
            products = fill.products_of(mine[:1], _PLACES[:1, :1])
            fill.add_universes(cells[0], weight, weight, mine, products, ratios[part], sums, noise)
        return np.moveaxis(sums[grid.layout.inner], 0, -1)

    def one_by_one(axes: Sequence[bh.axis.Axis], places: Sequence[Values]) -> Floats:
        found = np.empty((2, _UNIVERSES, 700))
        for power in range(2):
            weight = columns["weight"] * powers[power]
            for universe in range(_UNIVERSES):
                histogram = bh.Histogram(*axes, storage=bh.storage.Double()).fill(
                    *places, weight=weight * ratios[:, universe]
                )
                found[power, universe] = np.asarray(histogram.view()).ravel()
        return found

    works: dict[str, Callable[[], Any]] = {"ours": ours}
    if "numpy" in peers:
        places = (columns["t_reco"], columns["t_reco"] * columns["theta_reco"] ** 2)
        inside = np.full(grid.size, -1, np.int32)
        inside[grid.layout.inner] = np.arange(700)
        flat = inside[grid.cells(Quantities(columns), size)[0]]
        works["fill"] = lambda: one_by_one(axes, places)
        works["numbered"] = lambda: one_by_one((bh.axis.Integer(0, 700),), (flat,))
    done = in_turns(works, turns=min(turns, 3))
    for peer in set(done) - {"ours"}:
        agree("universes", done["ours"].answer, done[peer].answer, rtol=1e-9, atol=1e-12)
    name = f"{_UNIVERSES} universes of {size:,} events, two powers of kappa: "
    work = 2 * _UNIVERSES * size / 1e6
    return [
        rate(
            f"{name}boost-histogram per universe", done["ours"], done.get("fill"), work, "M weights/s", "to reach: 25"
        ),
        rate(
            f"{name}the same, bins known beforehand",
            done["ours"],
            done.get("numbered"),
            work,
            "M weights/s",
            "ours still finds its bins",
        ),
    ]
