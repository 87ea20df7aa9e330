"""A sample's statement of its exposure and its files in, protons on target out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from spectrafit.config import PotSource, Sample, SampleSet
from spectrafit.errors import ConfigError, DataError, nearest
from spectrafit.events.files import expand, open_file, open_tree, refusing
from spectrafit.events.presets import find

__all__ = ["pot_of"]

# neutrinos / m^2 / 10^6 POT times cm^2 per target: 10^-4 m^2/cm^2 and 10^-6 per POT.
_PER_CM2_AND_POT = 1e-4 * 1e-6

# Files of one production, one job each, differ by less than this.
_ALIKE = 1.25


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
        Whether some of the sample's files were left out. A number for all files is then shared out among them in equal
        parts, if those that are read are of like size.

    Returns
    -------
    float or None
        None where the sample says nothing and its preset knows no place to look, or the files do not have it there.

    Raises
    ------
    ConfigError, DataError
        If what the sample says cannot be found, or is not a positive number.
    """
    where = f"{sample_set.path or 'samples'}: {sample.name}.pot"
    said = sample.pot
    if said is None:
        said = find(sample.preset, where).pot
        if said is None or not files or not all(said.histogram in _names(path) for path in files):
            return None
    if isinstance(said, PotSource) and said.histogram:
        pot = math.fsum(_histogram(path, said.histogram, where) for path in files)
    elif isinstance(said, PotSource) and said.branch:
        pot = math.fsum(_branch(path, said.tree or sample.tree, said.branch, where) for path in files)
    elif isinstance(said, PotSource):
        events_per_pot = said.flux * said.cross_section * said.targets * _PER_CM2_AND_POT
        pot = (said.entries * _share(sample_set, sample, files, skipped, where) or entries) / events_per_pot
    else:
        pot = said * _share(sample_set, sample, files, skipped, where)
    if not 0.0 < pot < math.inf:
        raise DataError(f"{where}: an exposure must be positive, found {pot:g} POT; check where it is taken from")
    return pot


def _share(sample_set: SampleSet, sample: Sample, files: Sequence[str], skipped: bool, where: str) -> float:
    """Return which part of a number for all files of a sample is that of `files`."""
    if not skipped:
        return 1.0
    sizes = [int(open_file(path).file.source.num_bytes) for path in files]
    if max(sizes) > _ALIKE * min(sizes):
        raise ConfigError(
            f"{where}: is one number for all files, some were skipped, and those left have {min(sizes)} to {max(sizes)}"
            " bytes, so they may not share it equally; take the bad files out and correct the number, or let it come"
            " from a histogram or branch in each file"
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
        found = open_file(path)[name]
        if not hasattr(found, "axis"):
            raise DataError(f"{path}: {name!r} is a {found.classname}, not a histogram; correct {where}")
        return float(np.sum(found.values(flow=True)))


def _branch(path: str, tree: str, name: str, where: str) -> float:
    if not tree:
        raise ConfigError(
            f'{where}: say which tree the branch {name!r} is in, as in {{ branch = "{name}", tree = "..." }}'
        )
    found = open_tree(path, tree)
    with refusing(path):
        names = found.keys()
        if name not in names:
            raise DataError(f"{path}:{tree}: no branch {name!r}{nearest(name, names)}, wanted by {where}")
        return float(np.sum(found[name].array(library="np"), dtype=np.float64))
