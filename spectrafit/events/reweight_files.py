"""Reweights many ntuples in one go: files, globs or the samples of a set, each with a friend tree of its own."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from spectrafit import execution
from spectrafit.config import Column, Sample, SampleSet, load_samples
from spectrafit.config.paths import is_url
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import friends
from spectrafit.events.files import expand, open_tree
from spectrafit.events.friend_file import FriendTask, Weighed, is_friend, refuse_foreign, stopping, write
from spectrafit.events.identity import Twins, identity
from spectrafit.events.points import Points, Value
from spectrafit.events.reweight import preset_of, process_of_file
from spectrafit.output import refuse_inputs
from spectrafit.physics.constants import SIN2_THETA_W
from spectrafit.progress import bar
from spectrafit.stages import stage

__all__ = ["PREFIX", "Reweighted", "reweight_files"]

PREFIX = "weights_"
"""What the name of a friend beside its ntuple begins with."""

_NUMBERS = itertools.count(1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Reweighted:
    """What became of the files.

    Attributes
    ----------
    friends : tuple of Weighed
        One for each file, in order.
    branches : tuple of str
        The branches of every friend, weights first.
    passed_over : tuple of (file, reason)
        Files that have no friend of their own.
    """

    friends: tuple[Weighed, ...]
    branches: tuple[str, ...]
    passed_over: tuple[tuple[str, str], ...]


@stage("weighed the events")
def reweight_files(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    destination: str | os.PathLike[str] | None = None,
    *,
    coupling: str | Sequence[str] = "magnetic_moment",
    value: Value | Sequence[Value] = 1e-9,
    preset: str | None = None,
    tree: str = "",
    columns: Mapping[str, str | float | Column] | None = None,
    sin2_theta_w: float | None = None,
    carriers: Iterable[int | str] | None = None,
    on_bad: str | None = None,
    name: str = "spectrafit",
    executor: str | Executor | execution.Pool = "serial",
    workers: int | None = None,
    progress: bool = False,
) -> Reweighted:
    """Write the friend trees of many ntuples, with a branch for every value of every coupling.

    Each friend appears under its name when it is whole, or not at all; one file is made by one worker. Links and copies
    of a file that is there already are passed over, and so are friends that were written here before.

    Parameters
    ----------
    source : str, path or sequence of them
        ROOT files, globs and URLs, each maybe followed by ``:tree``; or sample sets (``*.toml``). The files of a set
        are read as their sample says, background is left at weight 1, and data are passed over.
    destination : str or path, optional
        A folder, in which friends have the names of their ntuples and lie as these do; or, for one file, a ROOT file.
        Without it friends lie beside their ntuples, as ``weights_NAME.root``.
    coupling, value, carriers
        As for `spectrafit.events.points.Points.of`, which says the names of the branches, too.
    preset, tree, columns, on_bad
        As for `reweight`; for files, not for sample sets, which say this themselves.
    sin2_theta_w : float, optional
        What the events were generated with. By default 0.23863, or what a sample or its set says.
    name : str
        Name of the tree that is written.
    executor, workers
        See `spectrafit.execution.executor`.
    progress : bool
        Show a progress bar on the terminal.

    Warns
    -----
    UserWarning
        If every weight of every file is 1.

    Raises
    ------
    ConfigError, DataError
        A file cannot be read, an entry is outside the domain, an output would replace an input or a file that is no
        friend of ours, or cannot be written. Friends that were finished before stay.
    """
    points = Points.of(coupling, value, carriers=carriers)
    if on_bad not in (None, "error", "drop"):
        raise ConfigError(f"on_bad: {on_bad!r}; use 'error' or 'drop'")
    given = (source,) if isinstance(source, str | os.PathLike) else tuple(source)
    passed: list[tuple[str, str]] = []
    found: list[_One] = []
    for text in (os.fspath(one) for one in given):
        if text.endswith(".toml"):
            if preset or tree or columns or on_bad:
                raise ConfigError(f"{text}: says preset, tree, columns and on_bad itself; leave them out")
            found += _of_set(load_samples(text), sin2_theta_w, passed)
        else:
            angle = SIN2_THETA_W if sin2_theta_w is None else sin2_theta_w
            found += _of_files(text, preset, tree, dict(columns or {}), on_bad or "error", angle)
    kept = tuple(_once(found, passed))
    if not kept:
        reasons = "".join(f"\n  {path}: {why}" for path, why in passed)
        raise DataError(f"reweight: no file is left to reweight{reasons}")
    tasks = _tasks(kept, points, destination, name)
    made: list[Weighed] = []
    kind = "serial" if len(tasks) == 1 else executor
    with (
        execution.executor(kind, workers, preload=("spectrafit.events.friend_file",)) as pool,
        bar(len(tasks), progress, doing="weighing", unit="files") as advance,
        stopping(tasks[0].run),
    ):
        for one in execution.imap(pool, write, tasks):
            made.append(one)
            advance(1)
    if points.changes and all(one.least == one.most == 1.0 for one in made):
        of = ", ".join(map(str, points.carrying))
        warnings.warn(
            f"every weight of {len(made)} files is 1: {', '.join(points.couplings)} is carried by {of}, and no nu-e"
            " event there has such a neutrino; say with carriers which flavours have it, or take other files",
            stacklevel=2,
        )
    return Reweighted(friends=tuple(made), branches=tuple(points.branches), passed_over=tuple(passed))


@dataclass(frozen=True, kw_only=True, eq=False)
class _One:
    """A file to reweight, and how it is read."""

    path: str
    sample_set: SampleSet
    sample: Sample
    sin2_theta_w: float

    @property
    def rule(self) -> tuple[Any, ...]:
        """How it is read, to compare."""
        return (msgspec.structs.replace(self.sample, name="", title="", files=""), self.sin2_theta_w)


def _of_files(
    text: str, preset: str | None, tree: str, columns: dict[str, str | float | Column], on_bad: str, angle: float
) -> Iterator[_One]:
    for path, asked in expand(text, Path.cwd(), "reweight"):
        if not is_url(path) and is_friend(Path(path)):
            yield _One(path=path, sample_set=SampleSet(samples=()), sample=_FRIEND, sin2_theta_w=angle)
            continue
        wanted = asked or tree
        layout = preset or preset_of(path, wanted)
        sample = Sample(
            name="reweight",
            role="signal",
            files=path,
            tree=wanted,
            preset=layout,
            process=process_of_file(path, wanted, layout),
            columns=columns,
            on_bad="drop" if on_bad == "drop" else "error",
        )
        yield _One(path=path, sample_set=SampleSet(samples=(sample,)), sample=sample, sin2_theta_w=angle)


_FRIEND = Sample(name="friend", role="background")


def _of_set(sample_set: SampleSet, angle: float | None, passed: list[tuple[str, str]]) -> Iterator[_One]:
    for sample in sample_set.samples:
        where = f"{sample_set.path}: {sample.name}"
        files = expand(sample.files, sample_set.folder, f"{where}.files")
        if sample.role == "data":
            passed += [(path, f"data ({sample.name}), which have no weight") for path, _ in files]
            continue
        beside = friends.beside(sample_set, sample, len(files))
        own = sample_set.sin2_theta_w if sample.sin2_theta_w is None else sample.sin2_theta_w
        for (path, tree), row in zip(files, beside, strict=True):
            alone = msgspec.structs.replace(
                sample,
                files=path,
                tree=tree or sample.tree,
                # Weights follow the truth alone.
                response=None,
                friends=tuple(
                    msgspec.structs.replace(friend, files=name, tree=its)
                    for friend, (name, its) in zip(sample.friends, row, strict=True)
                ),
            )
            yield _One(path=path, sample_set=sample_set, sample=alone, sin2_theta_w=own if angle is None else angle)


def _once(found: Sequence[_One], passed: list[tuple[str, str]]) -> Iterator[_One]:
    """Yield every file once, whatever its names; note the others."""
    twins = Twins("reweight")
    rules: dict[str, _One] = {}
    for one in found:
        if one.sample is _FRIEND:
            passed.append((one.path, "is a friend that reweight wrote"))
            continue
        earlier = rules.setdefault(one.path, one)
        if earlier is not one:
            if earlier.rule != one.rule:
                raise ConfigError(
                    f"{one.sample_set.path}: {one.path} is a file of {earlier.sample.name!r} and of"
                    f" {one.sample.name!r}, which read it otherwise, and has one friend; reweight it by its own name"
                )
            passed.append((one.path, "is named twice, and weighed once"))
            continue
        tree = one.sample.tree
        entries = int(open_tree(one.path, tree).num_entries) if tree else 0
        same = twins.same((one.path, tree), tree, identity(one.path, entries))
        if same:
            passed.append((one.path, f"{same}, and is weighed once"))
            continue
        yield one


def _tasks(
    kept: Sequence[_One], points: Points, destination: str | os.PathLike[str] | None, name: str
) -> list[FriendTask]:
    """Return the work, after a look at every output: none is an input, a foreign file, or there twice."""
    inputs = [Path(one.path) for one in kept if not is_url(one.path)]
    for one in kept:
        inputs += [Path(str(friend.files)) for friend in one.sample.friends]
    run, tasks = next(_NUMBERS), []
    taken: dict[Path, str] = {}
    for one, target in zip(kept, _targets(kept, destination), strict=True):
        refuse_inputs(target, inputs)
        refuse_foreign(target)
        other = taken.setdefault(target, one.path)
        if other != one.path:
            raise ConfigError(f"reweight: {other} and {one.path} would have one friend, {target}; write them apart")
        task = FriendTask(
            source=one.path,
            target=target,
            sample_set=one.sample_set,
            sample=one.sample,
            points=points,
            sin2_theta_w=one.sin2_theta_w,
            tree=name,
        )
        tasks.append(replace(task, run=run))
    return tasks


def _targets(kept: Sequence[_One], destination: str | os.PathLike[str] | None) -> list[Path]:
    """Return the file of each friend."""
    remote = [one.path for one in kept if is_url(one.path)]
    if destination is None:
        if remote:
            raise ConfigError(f"reweight: no friend can be written beside {remote[0]}; name a folder for friends")
        return [Path(one.path).with_name(PREFIX + Path(one.path).name) for one in kept]
    target = Path(destination)
    if target.suffix == ".root":
        if len(kept) > 1:
            raise ConfigError(f"reweight: {len(kept)} files, and one friend, {target}; name a folder for friends")
        return [target]
    if (target.exists() or target.suffix) and not target.is_dir():
        raise ConfigError(f"reweight: {target}: name a folder for friends, or NAME.root for the friend of one file")
    # Without links and "..", no name leads out of the folder.
    places = [Path(Path(one.path).name if is_url(one.path) else os.path.realpath(one.path)) for one in kept]
    folders = [place.parent for place in places if place.is_absolute()]
    common = Path(os.path.commonpath(folders)) if folders else Path()
    return [target / (place.relative_to(common) if place.is_absolute() else place) for place in places]
