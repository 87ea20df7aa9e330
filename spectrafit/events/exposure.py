"""The exposure of a sample: protons on target, from what the sample says and from its files."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from spectrafit.arraytypes import Values
from spectrafit.config import PotSource, Sample, SampleSet
from spectrafit.errors import ConfigError, DataError, nearest
from spectrafit.events.files import expand, open_file, open_tree, refusing, stored, tree_names
from spectrafit.events.presets import find
from spectrafit.events.schema import DropReport

__all__ = ["eventless", "notes", "pot_of", "trees", "unweighted"]

# neutrinos / m^2 / 10^6 POT times cm^2 per target: 10^-4 m^2/cm^2 and 10^-6 per POT.
_PER_CM2_AND_POT = 1e-4 * 1e-6

# Sizes of files from equal jobs of one production differ by less than this factor.
_ALIKE = 1.25

# A note is written if the mean weight of a generator's events differs from 1 by more than this.
_ONE = 0.01

_RUN = ("run", "irun", "frun", "runnumber", "runid")
_SUBRUN = ("subrun", "isubrun", "fsubrun", "subrunnumber", "subrunid")


def pot_of(
    sample_set: SampleSet, sample: Sample, files: Sequence[str], entries: int, *, skipped: bool = False
) -> float | None:
    """Return the POT of all files of a sample together.

    Parameters
    ----------
    files : sequence of str
        The files that are read.
    entries : int
        Entries in them.
    skipped : bool
        Whether some of the sample's files were left out. A number for all files is then divided equally among the
        files, if the files that are read have similar sizes.

    Returns
    -------
    float or None
        None if the sample gives no exposure, and the preset knows no place for it or the files have nothing there.

    Raises
    ------
    ConfigError, DataError
        The exposure that the sample names cannot be found, or is not a positive number.
    """
    where = f"{sample_set.path or 'samples'}: {sample.name}.pot"
    said = sample.pot
    if said is None:
        said = find(sample.preset, where).pot
        if said is None or not files:
            return None
        if not all(said.histogram in _names(path) for path in files):
            return None
    if isinstance(said, PotSource) and said.histogram:
        pot = math.fsum(_histogram(path, said.histogram, where) for path in files)
    elif isinstance(said, PotSource) and said.branch:
        pot = math.fsum(_branch(path, said.tree or sample.tree, said.branch, where) for path in files)
    elif isinstance(said, PotSource):
        events_per_pot = said.neutrinos * said.cross_section * said.targets * _PER_CM2_AND_POT
        pot = (said.entries * _share(sample_set, sample, files, skipped, where) or entries) / events_per_pot
    else:
        pot = said * _share(sample_set, sample, files, skipped, where)
    if not 0.0 < pot < math.inf:
        raise DataError(f"{where}: an exposure must be positive, found {pot:g} POT; check where it is taken from")
    return pot


def _share(sample_set: SampleSet, sample: Sample, files: Sequence[str], skipped: bool, where: str) -> float:
    """Return the share of a sample's total POT that belongs to `files`."""
    if not skipped:
        return 1.0
    sizes = [int(open_file(path).file.source.num_bytes) for path in files]
    if max(sizes) > _ALIKE * min(sizes):
        raise ConfigError(
            f"{where}: one number is given for all files, but some were skipped and the others have {min(sizes)} to"
            f" {max(sizes)} bytes, so their exposures may differ; remove the bad files and correct the number, or name"
            " a histogram or branch in each file"
        )
    return len(files) / len(expand(sample.files, sample_set.folder, f"{where.removesuffix('.pot')}.files"))


def _names(path: str) -> list[str]:
    with refusing(path):
        return [str(name) for name in open_file(path).keys(cycle=False)]


def _histogram(path: str, name: str, where: str) -> float:
    names = _names(path)
    if name not in names:
        raise DataError(f"{path}: no histogram {name!r}{nearest(name, names)}, wanted by {where}")
    with refusing(path):
        found = stored(open_file(path), name)
        if not hasattr(found, "axis"):
            raise DataError(f"{path}: {name!r} is a {found.classname}, not a histogram; correct {where}")
        return float(np.sum(found.values(flow=True)))


def _branch(path: str, tree: str, name: str, where: str) -> float:
    return float(np.sum(_values(path, tree, name, where), dtype=np.float64))


def _values(path: str, tree: str, name: str, where: str) -> Values:
    """Return all values of a branch with one number per entry."""
    if not tree:
        raise ConfigError(
            f'{where}: say which tree the branch {name!r} is in, as in {{ branch = "{name}", tree = "..." }}'
        )
    found = open_tree(path, tree)
    with refusing(path):
        names = found.keys()
        if name not in names:
            raise DataError(f"{path}:{tree}: no branch {name!r}{nearest(name, names)}, wanted by {where}")
        values = np.asarray(found[name].array(library="np"))
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise DataError(f"{path}:{tree}: branch {name!r} does not hold a number per entry, wanted by {where}")
    return values


def trees(sample: Sample) -> tuple[str, ...]:
    """Return the trees that hold exposure and no events."""
    said = sample.pot
    if not isinstance(said, PotSource) or not said.branch or not said.tree:
        return ()
    events = (sample.tree,) if sample.tree else find(sample.preset, sample.name).trees
    return () if said.tree in events else (said.tree,)


def eventless(sample_set: SampleSet, sample: Sample, files: Sequence[str], others: bool) -> list[str]:
    """Return the files that state an exposure and have no tree of events: jobs in which no event passed.

    Parameters
    ----------
    files : sequence of str
        Sound files of the sample without a tree of events.
    others : bool
        Whether other files of the sample have the tree. If none has, the tree may simply have another name.
    """
    said = sample.pot if sample.pot is not None else find(sample.preset, f"{sample.name}.preset").pot
    if not others or not isinstance(said, PotSource):
        return []
    if said.histogram:
        return [path for path in files if said.histogram in _names(path)]
    return [path for path in files if said.branch and said.tree in tree_names(path)]


def notes(sample_set: SampleSet, sample: Sample, files: Sequence[str], events: Collection[str]) -> Iterator[str]:
    """Return a sentence about each oddity in the source of a sample's POT.

    Parameters
    ----------
    files : sequence of str
        Files that are read, each as often as the sample names it.
    events : collection of str
        Names of the trees of events.
    """
    said = sample.pot
    where = f"{sample_set.path or 'samples'}: {sample.name}.pot"
    if not isinstance(said, PotSource) or not said.branch:
        return
    tree = said.tree or sample.tree
    if tree in events:
        yield (
            f"{where}: the branch {said.branch!r} is in {tree!r}, the tree of events, so its sum counts the exposure"
            " once for every event; name a branch of a tree with one entry per spill or subrun"
        )
    seen: Counter[tuple[int, int]] = Counter()
    for path in dict.fromkeys(files):
        names = open_tree(path, tree).keys()
        keys = [next((name for name in names if _plain(name) in known), None) for known in (_RUN, _SUBRUN)]
        if tree in events or None in keys:
            return
        runs, subruns = (_values(path, tree, str(key), where) for key in keys)
        seen.update(zip(runs.tolist(), subruns.tolist(), strict=True))
    twice = [subrun for subrun, times in seen.items() if times > 1]
    if twice:
        run, subrun = twice[0]
        yield (
            f"{where}: {len(twice)} subruns are in {tree!r} more than once (the first: run {run:g}, subrun"
            f" {subrun:g}), and their POT counts each time; check that no file of the production is used twice"
        )


def unweighted(sample: Sample, report: DropReport) -> str:
    """Return a note if a generator's weights are not 1 and its POT is computed from the number of events; else "".

    The exposure of a generator's file is entries / (flux x cross section x targets) for events of weight 1. For other
    weights the sum of the weights of all generated events would have to replace the number of entries.
    """
    said = sample.pot
    if not isinstance(said, PotSource) or not said.flux or not report.entries or "weight" in sample.columns:
        return ""
    mean = report.generated_weight / report.entries
    if abs(mean - 1.0) < _ONE:
        return ""
    return (
        f"the weights in the files of {sample.name!r} are {mean:.6g} on average, but its exposure is computed from the"
        " number of entries, as if the weights were 1; divide cross_section by this mean, or set columns.weight"
    )


def _plain(name: str) -> str:
    """Return the last part of a branch's name in small letters, without signs."""
    return "".join(sign for sign in name.replace("/", ".").rpartition(".")[2].lower() if sign.isalnum())
