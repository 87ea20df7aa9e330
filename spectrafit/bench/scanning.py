"""Times a scan of expected limits beside a refill through boost-histogram.

The peer's time is stated for one point: a script that asks for each point of a scan fills anew. Events are read and
weighed as ours are. Then numpy makes observables, and boost-histogram fills every sample, power of kappa and variation.
`spectrafit.bench.binning` compares a single limit with pyhf's.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import boost_histogram as bh
import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.bench.binning import PEERS
from spectrafit.bench.timing import Row, Timed, agree, chosen, times
from spectrafit.config import Analysis, Norm, Shift, Weight, load, varied
from spectrafit.errors import ConfigError
from spectrafit.inference.studies.scans import scan
from spectrafit.templates import cache
from spectrafit.templates.build import build
from spectrafit.templates.observables import Quantities
from spectrafit.templates.plan import Input, survey
from spectrafit.templates.regions import RegionBins, lay_out

__all__ = ["refilled", "sensitivity"]


def sensitivity(
    analysis: Analysis | str | Path,
    *,
    quick: bool = False,
    peers: Collection[str] | None = None,
    workers: int | None = None,
) -> list[Row]:
    """Measure a scan of 12 exposures x 9 sizes of one normalisation, and one point by the peers.

    Parameters
    ----------
    analysis : Analysis or path of its TOML
        Its ntuples are there.
    quick : bool
        2 x 2 points: to see that everything works.
    peers : collection of str, optional
        Which of `PEERS` to run; by default all that are installed.
    workers : int, optional
        Threads of the scan; by default one a core.

    Raises
    ------
    ConfigError
        No peer of that name, or an analysis without a `norm` to scan.
    ArithmeticError
        Answers differ.
    """
    wanted = set(chosen(peers, PEERS))
    loaded = analysis if isinstance(analysis, Analysis) else load(analysis)
    norms = [systematic for systematic in loaded.systematics if isinstance(systematic, Norm) and not systematic.free]
    if not norms or isinstance(loaded.pot, dict):
        raise ConfigError(f"{loaded.path}: the bench scans pot, one number, and the sigma of a norm; there is none")
    rows, columns = (2, 2) if quick else (12, 9)
    over = {
        "pot": np.geomspace(0.3, 8.0, rows) * loaded.pot,
        f"systematics.{norms[0].name}.sigma": np.linspace(0.25, 2.0, columns) * norms[0].sigma,
    }
    templates = build(loaded, executor="threads", workers=workers)
    begun = time.perf_counter()
    found = scan(loaded, over, templates=templates, executor="threads", workers=workers)
    seconds = time.perf_counter() - begun
    count, name = rows * columns, norms[0].name
    whole = Timed(seconds=seconds, answer=found.median)
    result = [
        times(
            f"{rows} x {columns} expected limits with bands, pot x sigma of {name}, after the build",
            whole,
            None,
            f"{found.fills} passes over the events; to reach: 15 s for 108",
        )
    ]
    point = varied(loaded, {key: float(values[-1]) for key, values in over.items()})
    here = build(point)
    one = Timed(seconds=seconds / count, answer=None)
    peer = None
    if "boost-histogram" in wanted:
        begun = time.perf_counter()
        counts = refilled(point)
        peer = Timed(seconds=time.perf_counter() - begun, answer=counts)
        agree("refill", here.counts, counts, rtol=1e-9, atol=1e-9 * float(here.counts.max()))
    note = "ours: the limit with its bands, and its share of all else; the peer's: the templates alone"
    return [*result, times("one point of them: a refill by boost-histogram", one, peer, note)]


def refilled(analysis: Analysis) -> Floats:
    """Return templates, (S, V, M, B), filled from the ntuples with numpy and boost-histogram.

    Raises
    ------
    ConfigError
        A systematic that is neither `norm`, nor a `shift` by a scale or offset, nor a `weight` with ratios.
    """
    systematics = [systematic for systematic in analysis.systematics if not isinstance(systematic, Norm)]
    for systematic in systematics:
        plain = (isinstance(systematic, Shift) and not systematic.smear) or (
            isinstance(systematic, Weight) and systematic.ratio and systematic.weights and systematic.sigmas == (-1, 1)
        )
        if not plain or systematic.samples != ("*",) or getattr(systematic, "smooth", False):
            raise ConfigError(f"{analysis.path}: the bench's peer does not fill {systematic.name!r}; leave it out")
    inputs = [one for one in survey(analysis) if one.plan.sample.role != "data"]
    regions = lay_out(analysis.regions)
    return np.stack([_sample(one, regions, systematics, len(inputs[0].plan.weigher.monomials)) for one in inputs])


def _sample(one: Input, regions: tuple[RegionBins, ...], systematics: list[Any], monomials: int) -> Floats:
    """Return the templates of one sample, (V, M, B)."""
    total = np.zeros((1 + 2 * len(systematics), monomials, regions[-1].stop))
    for view, coefficients in _events(one):
        weight = np.asarray(view["weight"], np.float64) * one.scale
        total[0] += _filled(view, weight, coefficients, one, regions, monomials)
        for place, systematic in enumerate(systematics):
            for side, sigma in enumerate((-1.0, 1.0)):
                if isinstance(systematic, Shift):
                    values = np.asarray(view[systematic.column], np.float64)
                    moved = values * (1.0 + sigma * systematic.scale) + sigma * systematic.offset
                    there, changed = view.shifted(systematic.column, moved), weight
                else:
                    there, changed = view, weight * np.asarray(view.value(systematic.weights[side]), np.float64)
                total[1 + 2 * place + side] += _filled(there, changed, coefficients, one, regions, monomials)
    return total


def _events(one: Input) -> Iterator[tuple[Quantities, Floats]]:
    """Yield the events of every chunk with the coefficients of each power of kappa."""
    by_path = {identity.path: identity for identity in one.inventory.identities}
    plan = one.plan
    for chunk in one.inventory.chunks:
        columns, _, _ = cache.fetch(
            chunk,
            plan.sample_set,
            plan.sample,
            columns=plan.columns,
            identities=[by_path[path] for path in (chunk.file, *(file for file, _ in chunk.friends))],
            folder=None,
        )
        view = Quantities(columns)
        yield view, plan.weigher(view, len(view.stored("weight")))


def _filled(
    view: Quantities,
    weight: Floats,
    coefficients: Floats,
    one: Input,
    regions: tuple[RegionBins, ...],
    monomials: int,
) -> Floats:
    """Return one variation, (M, B), a histogram for every region and monomial."""
    result = np.zeros((monomials, regions[-1].stop))
    for region, said in zip(regions, one.plan.weigher.analysis.regions, strict=True):
        kept = np.asarray(view.value(said.cut), bool) if said.cut else np.ones(len(weight), bool)
        values = [np.asarray(view.value(name), np.float64)[kept] for name in region.observables]
        for monomial, row in enumerate(coefficients):
            histogram = bh.Histogram(*region.axes, storage=bh.storage.Double())
            histogram.fill(*values, weight=(weight * row)[kept])
            result[monomial, region.bins] = np.asarray(histogram.values()).ravel()
    return result
