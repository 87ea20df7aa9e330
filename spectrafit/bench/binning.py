"""How fast binnings are tried: a part of `spectrafit bench sensitivity`, beside filling and fitting anew."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Collection
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boost_histogram as bh
import msgspec
import numpy as np
import uproot

from spectrafit.arraytypes import Floats
from spectrafit.bench import ntuples
from spectrafit.bench.timing import Row, Timed, agree, child, chosen, elsewhere, in_turns, times
from spectrafit.config import Analysis, Norm, Sample, Shift
from spectrafit.inference.assemble import assemble
from spectrafit.inference.intervals.limits import upper_limit
from spectrafit.inference.results import Limit
from spectrafit.inference.studies.choosing import optimise
from spectrafit.interop.export import to_workspace
from spectrafit.templates.cells import Cells
from spectrafit.templates.refine import fine_cells
from spectrafit.templates.templates import vary

__all__ = ["PEERS", "binning", "pyhf_limit"]


PEERS = ("boost-histogram", "pyhf")
# One sigma of the energy scale.
_SCALE = 0.03
# pyhf has a parameter for each bin, and minutes go by with 100 of them.
_SIDE, _BINS = 60, 5


def binning(*, quick: bool = False, peers: Collection[str] | None = None) -> list[Row]:
    """Measure the search for edges on a 60 x 60 grid, and a limit with other edges beside its peers.

    Parameters
    ----------
    quick : bool
        Tiny inputs, to see that everything works; the times mean nothing.
    peers : collection of str, optional
        Which of `PEERS` to run; by default all that are installed.

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
    wanted = set(chosen(peers, PEERS))
    if not find_spec("pyhf"):
        wanted.discard("pyhf")
    side, bins, events = (6, 2, 4_000) if quick else (_SIDE, _BINS, 1_000_000)
    with tempfile.TemporaryDirectory(prefix="spectrafit-bench-") as name:
        analysis = _analysis(Path(name), events, bins)
        cells = fine_cells(analysis, fine=side // bins, executor="threads")
        found = in_turns({"ours": partial(optimise, cells, starts=1)}, turns=1)["ours"]
        grid = " x ".join(str(bins) for bins in cells.regions[0].shape)
        note = f"to reach: 60 s; {found.answer.found.judging.bins} bins, the partition and the full limits included"
        rows = [times(f"the best edges on a grid of {grid} cells: no peer", found, None, note)]
        whole = dataclasses.replace(cells, halves=())
        return rows + _rebinned(analysis, whole, wanted, 1 if quick else 3)


def _analysis(folder: Path, events: int, bins: int) -> Analysis:
    """Write a signal and a background of a fifth of its events, and return an analysis with two systematics."""
    paths = [
        ntuples.write(folder / f"{index}.root", size, seed=index)
        for index, size in enumerate((events, events // 5), start=1)
    ]
    plain = ntuples.analysis((paths[0],))
    (signal,) = plain.sample_sets[0].samples
    # So few events that the limit is that of a real analysis.
    signal = msgspec.structs.replace(signal, columns={"weight": 200.0 / events})
    background = Sample(
        name="background",
        role="background",
        files=str(paths[1]),
        tree=ntuples.TREE,
        pot=1e20,
        columns={"weight": 200.0 / events},
    )
    edges = (np.linspace(0.2, 2.2, bins + 1), np.linspace(0.0, 0.0015, bins + 1))
    (region,) = plain.regions
    axes = tuple(
        msgspec.structs.replace(axis, edges=tuple(one.round(6).tolist()))
        for axis, one in zip(region.axes, edges, strict=True)
    )
    return msgspec.structs.replace(
        plain,
        regions=(msgspec.structs.replace(region, axes=axes),),
        sample_sets=(msgspec.structs.replace(plain.sample_sets[0], samples=(signal, background)),),
        systematics=(
            Norm(name="background", samples=("background",), sigma=0.3),
            Shift(name="scale", column="t_reco", scale=_SCALE),
        ),
        fit=msgspec.structs.replace(plain.fit, zero_bins="drop"),
        limit=msgspec.structs.replace(plain.limit, method="cls"),
    )


def _rebinned(analysis: Analysis, cells: Cells, peers: Collection[str], turns: int) -> list[Row]:
    """Compare templates and limit with other edges with a new fill by boost-histogram, and with pyhf's limit."""
    edges = {"nd": [list(map(float, axis.edges)) for axis in analysis.regions[0].axes]}

    def ours() -> Limit:
        model = assemble(analysis, vary(cells.rebinned(edges)))
        return upper_limit(model, method="cls", simulation=False)

    works: dict[str, Callable[[], Any]] = {"ours": ours, "merging": lambda: vary(cells.rebinned(edges))}
    if "boost-histogram" in peers:
        works["boost-histogram"] = partial(_refilled, analysis)
    with ExitStack() as stack:
        if "pyhf" in peers:
            model = assemble(analysis, vary(cells.rebinned(edges)))
            workspace, kappa, _ = to_workspace(model)
            works["pyhf"] = partial(elsewhere, stack.enter_context(child()), pyhf_limit, workspace, kappa)
            # Once: minutes do not scatter as milliseconds do.
            once = in_turns({"pyhf": works.pop("pyhf")}, turns=1)
        else:
            once = {}
        done = in_turns(works, turns=turns) | once
    rows = []
    bins = " x ".join(str(len(axis) - 1) for axis in edges["nd"])
    if "boost-histogram" in done:
        counts = done["merging"].answer.counts[:, :, 0]
        agree("a new fill", counts, done["boost-histogram"].answer, rtol=1e-9, atol=1e-9)
        name = f"templates of {bins} other bins from the cells: uproot and boost-histogram, nominal and two shifts"
        rows.append(times(name, done["merging"], done["boost-histogram"], "to reach: 100", unit="ms"))
    note = "to reach: 100 ms and 100 times; ours: bins merged, model made, CLs and its bands; pyhf: the median alone"
    if "pyhf" in done:
        limit: Limit = done["ours"].answer
        median = limit.expected.kappas[2] if limit.expected else limit.kappa
        agree("the expected CLs limit of kappa, pyhf", median, done["pyhf"].answer, rtol=0.02)
    peer: Timed | None = done.get("pyhf")
    rows.append(
        times(f"a limit with {bins} other bins: pyhf on the exported workspace", done["ours"], peer, note, unit="ms")
    )
    return rows


def _refilled(analysis: Analysis) -> Floats:
    """Read all events and fill them anew, (S, 3, B): as they are, and with the energy scale one sigma down and up."""
    axes = [bh.axis.Variable(axis.edges) for axis in analysis.regions[0].axes]
    result = []
    for sample in analysis.sample_sets[0].samples:
        with uproot.open(str(sample.files if isinstance(sample.files, str) else sample.files[0])) as file:
            read = file[ntuples.TREE].arrays(["t_reco", "theta_reco"], library="np")
        weight = float(str(sample.columns["weight"]))
        energy, angle = (read[name].astype(np.float64) for name in ("t_reco", "theta_reco"))
        for factor in (1.0, 1.0 - _SCALE, 1.0 + _SCALE):
            histogram = bh.Histogram(*axes, storage=bh.storage.Weight())
            histogram.fill(energy * factor, energy * factor * angle**2, weight=np.full(energy.size, weight))
            result.append(np.asarray(histogram.values()).ravel())
    return np.array(result).reshape(len(analysis.sample_sets[0].samples), 3, -1)


def pyhf_limit(workspace: dict[str, Any], kappa: float) -> float:
    """Return pyhf's median expected CLs limit of kappa at 90 %."""
    import pyhf
    from pyhf.infer import hypotest
    from scipy.optimize import brentq

    config = workspace["measurements"][0]["config"]
    others = [said for said in config["parameters"] if said["name"] != config["poi"]]
    # With kappa >= 0, as CLs has it; the strength is in units of the error of kappa.
    config["parameters"] = [*others, {"name": config["poi"], "bounds": [[0.0, 10.0]], "inits": [1.0]}]
    made = pyhf.Workspace(workspace)
    model = made.model()
    data = made.data(model)

    def excess(strength: float) -> float:
        _, median = hypotest(strength, data, model, test_stat="qtilde", return_expected=True)
        return float(median) - 0.10

    # pyhf finds the median alone; ours finds the bands and the observed limit too.
    return float(brentq(excess, 0.5, 5.0, xtol=5e-3)) * kappa
