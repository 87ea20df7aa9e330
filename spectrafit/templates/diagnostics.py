"""What becomes of true quantities in reconstructed bins: resolution, bias, migration, purity, stability, efficiency.

A second pass over the signal's events, since cells hold no truth. It reads true and reconstructed columns of the same
events, from reconstructed ntuples or through the sample's response. The truth of an observable `x_reco` is `x`, and of
an expression the same with every `..._reco` replaced.

Letters: n bins of an axis, N events, r bins of a residual.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import boost_histogram as bh
import numpy as np
from msgspec.structs import replace as changed

from spectrafit.arraytypes import Floats, Integers
from spectrafit.config import Analysis, Region, Sample, chosen
from spectrafit.events import friends
from spectrafit.events.layout import solve
from spectrafit.events.linked import link
from spectrafit.events.schema import Chunk
from spectrafit.execution import Pool, imap
from spectrafit.execution import executor as open_executor
from spectrafit.templates import cache
from spectrafit.templates.fill import axis_index, number
from spectrafit.templates.observables import Quantities, needs, observable
from spectrafit.templates.plan import Input, Plan, survey
from spectrafit.templates.regions import Grid, RegionBins, lay_out
from spectrafit.templates.truths import AxisTruth, RegionTruth, Truths

__all__ = ["look_at_truth", "truth_of"]

_RECO = re.compile(r"\b([A-Za-z]\w*?)_reco\b")
# Bins of a residual to either side of 0.
_SIDE = 150


def truth_of(text: str) -> str:
    """Return what an observable is the reconstruction of, "" if its name does not say."""
    found = _RECO.sub(r"\1", text)
    return "" if found == text else found


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """One axis to look at: its region and place there, the two observables, and its bins."""

    region: int
    place: int
    reco: str
    truth: str
    axis: bh.axis.Axis
    residual_edges: Any


@dataclass(frozen=True, kw_only=True)
class _Task:
    """A chunk of one sample and what to look at; picklable."""

    plan: Plan
    chunk: Chunk
    scale: float
    regions: tuple[Region, ...]
    axes: tuple[_Axis, ...]

    def __str__(self) -> str:
        return f"{self.chunk.file}:{self.chunk.tree} entries {self.chunk.start} to {self.chunk.stop}"


def look_at_truth(
    analysis: Analysis,
    *,
    executor: str | Executor | Pool = "serial",
    workers: int | None = None,
    scheduler: str | None = None,
) -> Truths:
    """Read the signal's events once more, and return what becomes of true quantities in the bins of an analysis.

    Parameters
    ----------
    analysis : Analysis
    executor, workers, scheduler
        As for `spectrafit.build`.

    Raises
    ------
    ConfigError, DataError
        As `spectrafit.build`.
    """
    analysis = changed(analysis, systematics=(), counts=(), data={})
    inputs = [one for one in survey(analysis) if one.plan.sample.role == "signal"]
    regions = lay_out(analysis.regions)
    axes, notes = _axes(analysis, regions, inputs)
    tasks = [
        _Task(plan=one.plan, chunk=chunk, scale=one.scale, regions=analysis.regions, axes=axes)
        for one in inputs
        for chunk in one.inventory.chunks
    ]
    total: dict[str, Any] = {}
    with open_executor(executor, workers, scheduler=scheduler, preload=("spectrafit.templates.warm",)) as pool:
        for found in imap(pool, _look, tasks):
            for name, array in found.items():
                total[name] = total[name] + array if name in total else array
    return Truths(
        regions=tuple(_region(region, r, axes, total) for r, region in enumerate(regions)),
        samples=tuple(one.plan.sample.name for one in inputs),
        notes=notes,
    )


def _axes(
    analysis: Analysis, regions: Sequence[RegionBins], inputs: Sequence[Input]
) -> tuple[tuple[_Axis, ...], tuple[str, ...]]:
    """Return the axes whose truth every signal sample knows, and a sentence for each of the others."""
    found, notes = [], []
    for r, region in enumerate(regions):
        for place, (text, axis) in enumerate(zip(region.observables, region.axes, strict=True)):
            truth = truth_of(text)
            if not truth:
                notes.append(
                    f"region {region.name!r}: {text!r} names no reconstructed quantity, so it has no truth here"
                )
                continue
            wanting = [one.plan.sample.name for one in inputs if not _knows(one, needs([truth]))]
            if wanting:
                notes.append(
                    f"region {region.name!r}: the files of {', '.join(wanting)} do not hold what {truth!r} is made of"
                )
                continue
            edges = np.asarray(axis.edges)
            # Fine around 0, wide far from it.
            core = 0.02 * float(np.diff(edges).min())
            side = core * np.sinh(np.linspace(0.0, np.arcsinh((edges[-1] - edges[0]) / core), _SIDE + 1))
            both = np.concatenate([-side[:0:-1], side])
            found.append(_Axis(region=r, place=place, reco=text, truth=truth, axis=axis, residual_edges=both))
    return tuple(found), tuple(notes)


def _knows(one: Input, columns: Sequence[str]) -> bool:
    plan, chunk = one.plan, one.inventory.chunks[0]
    linked = link([(chunk.file, chunk.tree), *chunk.friends], friends.called(plan.sample))
    where = f"{chunk.file}:{chunk.tree}"
    layout = solve(plan.sample_set, plan.sample, linked.branches, where, ambiguous=linked.ambiguous)
    return all(layout.has(column) for column in columns)


def _look(task: _Task) -> dict[str, Floats]:
    """Add up one chunk."""
    plan = task.plan
    truths = needs([axis.truth for axis in task.axes])
    view, weight = _read(task, plan.sample, (*plan.columns, *truths))
    result: dict[str, Floats] = {}
    grids = {r: Grid.of([region], plan.sample.name) for r, region in enumerate(task.regions) if _takes(region, plan)}
    cells = {r: grid.cells(view, weight.size)[0] for r, grid in grids.items()}
    # What the response or the selection loses is generated too.
    lossless = not plan.sample.selection and plan.sample.response is None
    everything, all_weight = view, weight
    if not lossless:
        bare = changed(plan.sample, response=None, selection="")
        everything, all_weight = _read(task, bare, ("pdg", "e_nu", "t", "weight", *truths))
    places: dict[int, list[tuple[Integers, Integers]]] = {}
    for at, axis in enumerate(task.axes):
        if axis.region not in grids:
            continue
        edges = np.asarray(axis.axis.edges)
        n = edges.size - 1
        true, reco = (_numbered(axis.axis, view.value(text)) for text in (axis.truth, axis.reco))
        passed = cells[axis.region] >= 0
        inside = np.isin(cells[axis.region], grids[axis.region].layout.inner)
        weights = weight[passed]
        result[f"{at}.migration"] = _counted(true[passed] * (n + 2) + reco[passed], weights, (n + 2) ** 2)
        residual = np.asarray(view.value(axis.reco), np.float64) - np.asarray(view.value(axis.truth), np.float64)
        r = axis.residual_edges.size - 1
        where = np.clip(np.searchsorted(axis.residual_edges, residual, side="right") - 1, 0, r - 1)
        mine = passed & (true > 0) & (true <= n)
        result[f"{at}.residuals"] = _counted((true[mine] - 1) * r + where[mine], weight[mine], n * r)
        result[f"{at}.selected"] = _counted(true[inside], weight[inside], n + 2)[1:-1]
        every = _numbered(axis.axis, everything.value(axis.truth))
        result[f"{at}.generated"] = _counted(every, all_weight, n + 2)[1:-1]
        places.setdefault(axis.region, []).append((true, reco))
    for r, pairs in places.items():
        if len(pairs) == len(task.regions[r].axes):
            result |= _whole(r, lay_out([task.regions[r]])[0], pairs, cells[r] >= 0, weight)
    return result


def _takes(region: Region, plan: Plan) -> bool:
    return bool(chosen(region.samples, (plan.sample.name,)))


def _whole(
    r: int, region: RegionBins, pairs: Sequence[tuple[Integers, Integers]], passed: Any, weight: Floats
) -> dict[str, Floats]:
    """Add up the bins of a region: truly there, reconstructed there, and both."""
    sides = []
    for side in (0, 1):
        numbers = [pair[side][passed] - 1 for pair in pairs]
        good = np.all([(one >= 0) & (one < n) for one, n in zip(numbers, region.shape, strict=True)], axis=0)
        flat = np.ravel_multi_index([np.where(good, one, 0) for one in numbers], region.shape)
        sides.append(np.where(good, flat, -1))
    weights, (true, reco) = weight[passed], sides
    both = (true == reco) & (true >= 0)
    return {
        f"region{r}.same": _counted(true[both], weights[both], region.size),
        f"region{r}.true": _counted(true[true >= 0], weights[true >= 0], region.size),
        f"region{r}.reconstructed": _counted(reco[reco >= 0], weights[reco >= 0], region.size),
    }


def _read(task: _Task, sample: Sample, columns: Sequence[str]) -> tuple[Quantities, Floats]:
    """Read a chunk's columns; return them with the events' weights at the exposure, of the Standard Model."""
    plan = task.plan
    wanted = tuple(dict.fromkeys(columns))
    found, _, _ = cache.fetch(task.chunk, plan.sample_set, sample, columns=wanted, identities=(), folder=None)
    view = Quantities(found)
    count = len(view.stored("weight"))
    weight = np.asarray(view["weight"], np.float64) * task.scale
    return view, weight * plan.weigher(view, count)[0]


def _numbered(axis: bh.axis.Axis, values: Any) -> Integers:
    """Return the bin of each value, 0 below the axis, n + 1 above; NaN is above."""
    places = np.zeros(len(values), np.int32)
    number(axis_index(axis), values, 1, places)
    return places.astype(np.int64)


def _counted(numbers: Integers, weights: Floats, size: int) -> Floats:
    return np.bincount(numbers, weights, size).astype(np.float64)


def _region(region: RegionBins, r: int, axes: Sequence[_Axis], total: Mapping[str, Floats]) -> RegionTruth:
    looked = []
    for at, axis in enumerate(axes):
        if axis.region != r or f"{at}.migration" not in total:
            continue
        edges = np.asarray(axis.axis.edges)
        n = edges.size - 1
        looked.append(
            AxisTruth(
                observable=axis.reco,
                truth=axis.truth,
                label=region.labels[axis.place] or observable(axis.reco).label,
                edges=edges,
                migration=total[f"{at}.migration"].reshape(n + 2, n + 2),
                residual_edges=axis.residual_edges,
                residuals=total[f"{at}.residuals"].reshape(n, -1),
                generated=total[f"{at}.generated"],
                selected=total[f"{at}.selected"],
            )
        )
    return RegionTruth(
        region=region,
        axes=tuple(looked),
        **{name: total.get(f"region{r}.{name}") for name in ("same", "reconstructed", "true")},
    )
