"""Writes the friend tree of one ntuple: the weights of its events, an entry for every entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import uproot

from spectrafit.config import Sample, SampleSet
from spectrafit.errors import ConfigError
from spectrafit.events import read
from spectrafit.events.points import Points
from spectrafit.events.schema import ENTRY, DropReport
from spectrafit.output import replacing

__all__ = ["FriendTask", "Weighed", "is_friend", "refuse_foreign", "stopping", "write"]

# Numbers of the runs that were stopped.
_RUNS: set[int] = set()


@dataclass(frozen=True, kw_only=True, eq=False)
class FriendTask:
    """The friend of one file, to be made by a worker.

    Attributes
    ----------
    source : str
        The ntuple, a path or URL.
    target : Path
        The file to write.
    sample_set, sample : SampleSet, Sample
        How it is read; `sample` has this file alone.
    points : Points
    sin2_theta_w : float
        What the events were generated with.
    tree : str
        Name of the tree that is written.
    chunk_entries : int
        Entries held at once.
    run : int
        Number of the run it belongs to; see `stopping`.
    """

    source: str
    target: Path
    sample_set: SampleSet
    sample: Sample
    points: Points
    sin2_theta_w: float
    tree: str = "spectrafit"
    chunk_entries: int = 1_000_000
    run: int = 0

    def __str__(self) -> str:
        """Name the file."""
        return self.source


@dataclass(frozen=True, kw_only=True, eq=False)
class Weighed:
    """What the friend of a file holds.

    Attributes
    ----------
    source : str
    target : Path
    entries, nu_e : int
        Entries of the file, and nu-e events that were weighed among them.
    means : mapping of branch to float
        Mean weight over all entries, per weight branch.
    least, most : float
        The smallest and the largest weight.
    left : mapping of reason to int
        Entries whose weights are left at 1, by the reason.
    flavours : mapping of PDG code to int
        Of the nu-e events that were weighed.
    """

    source: str
    target: Path
    entries: int
    nu_e: int
    means: Mapping[str, float]
    least: float
    most: float
    left: Mapping[str, int]
    flavours: Mapping[int, int] = field(default_factory=dict)


class _Stopped(Exception):
    """The run that a friend belongs to was stopped."""


@contextmanager
def stopping(run: int) -> Iterator[None]:
    """End the friends of a run that are being written in this process, if the block is left by an exception."""
    try:
        yield
    except BaseException:
        _RUNS.add(run)
        raise


def write(task: FriendTask) -> Weighed:
    """Write the friend of a file, whole or not at all, chunk by chunk.

    Raises
    ------
    ConfigError, DataError
        The ntuple cannot be read, an entry is outside the domain, or the output cannot be written.
    """
    points, weights = task.points, task.points.weights
    inventory = read.scan(task.sample_set, task.sample, chunk_entries=task.chunk_entries)
    signal = task.sample.role == "signal"
    title = f"{points.title}; sin2_theta_w = {task.sin2_theta_w:g}"
    flavours: Counter[int] = Counter()
    report = DropReport()
    totals, extremes = dict.fromkeys(weights, 0.0), [1.0, 1.0]
    with replacing(task.target) as part, uproot.recreate(part, compression=uproot.ZSTD(3)) as out:
        friend = out.mktree(task.tree, dict.fromkeys(points.branches, np.dtype(np.float64)), title=title)
        for chunk in inventory.chunks:
            if task.run in _RUNS:
                raise _Stopped(task.source)
            columns = {name: np.full(chunk.entries, value) for name, value in points.branches.items()}
            if signal:
                nuclear = ["nucleus"] if task.sample.process == "nucleus" else []
                events, found = read.read(chunk, task.sample_set, task.sample, columns=(), extra=[ENTRY, *nuclear])
                report += found
                pdg = events["pdg"].to_numpy()
                made = points(
                    pdg,
                    events["e_nu"].to_numpy(),
                    events["t"].to_numpy(),
                    sin2_theta_w=task.sin2_theta_w,
                    nucleus=events["nucleus"].to_numpy().astype(np.int64) if nuclear else None,
                )
                at = events[ENTRY].to_numpy() - chunk.first
                for name, values in made.items():
                    columns[name][at] = values
                codes, counts = np.unique(pdg, return_counts=True)
                flavours.update(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
            for name in weights:
                totals[name] += float(np.sum(columns[name]))
                extremes = [min(extremes[0], float(columns[name].min())), max(extremes[1], float(columns[name].max()))]
            friend.extend(columns)
    return Weighed(
        source=task.source,
        target=task.target,
        entries=inventory.entries,
        nu_e=sum(count for code, count in flavours.items() if code),
        means={name: total / inventory.entries for name, total in totals.items()},
        least=extremes[0],
        most=extremes[1],
        left=_left(task, flavours, report, inventory.entries),
        flavours={code: count for code, count in flavours.items() if code},
    )


def _left(task: FriendTask, flavours: Mapping[int, int], report: DropReport, entries: int) -> dict[str, int]:
    """Return how many entries keep the weight 1, by the reason."""
    if task.sample.role != "signal":
        return {"of a background sample": entries}
    carriers = task.points.codes
    reasons = {
        "no nu-e events": flavours.get(0, 0),
        **{
            f"of PDG code {code}, which has no coupling": count
            for code, count in sorted(flavours.items())
            if code and code not in carriers
        },
        "cut by the selection": report.unselected,
        "without a shower": report.without_shower,
        **{kind: count for kind, (count, _) in report.bad.items()},
    }
    return {reason: count for reason, count in reasons.items() if count}


def is_friend(path: Path) -> bool:
    """Return whether a file holds a friend that was written here, and nothing else."""
    # A file that cannot be read was not written here.
    with suppress(Exception), uproot.open({str(path): None}) as file:
        held = [file[key] for key in file.keys(cycle=False)]
        names = [set(tree.keys()) for tree in held if isinstance(tree, uproot.TTree)]
        one = len(held) == len(names) == 1 and any(name.startswith("coefficient_") for name in names[0])
        return one and all(name.startswith(("weight", "coefficient_")) for name in names[0])
    return False


def refuse_foreign(target: Path) -> None:
    """Refuse to overwrite a file that holds anything but a friend tree that was written here, as another ntuple does.

    Raises
    ------
    ConfigError
        Or the file is not to be a ROOT file.
    """
    if target.suffix != ".root":
        raise ConfigError(f"reweight: {target}: a friend is kept in a .root file; call the file {target.stem}.root")
    if target.exists() and not is_friend(target):
        raise ConfigError(
            f"reweight: {target}: exists already, and reweight did not write it; remove it, or name another file"
        )
