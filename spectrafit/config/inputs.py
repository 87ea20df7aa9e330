"""The files on this machine that an analysis reads, so that no output is ever written over one of them."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from spectrafit.config.analysis import Analysis
from spectrafit.config.responses import Response
from spectrafit.config.samples import SampleSet
from spectrafit.config.sources import Table
from spectrafit.config.tables import DataFile, TableSample

__all__ = ["inputs_of", "inputs_of_samples"]

_TREE = re.compile(r"(?P<file>.+\.root):[^/]*$")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def inputs_of(analysis: Analysis) -> tuple[Path, ...]:
    """Return the TOML files, ntuples, friends, tables, matrices and partitions an analysis names, but no URLs.

    A file that does not exist yet is returned under its name in the TOML.
    """
    found = [Path(analysis.path)] if analysis.path else []
    beside = Path(analysis.path).parent
    for systematic in analysis.systematics:
        for name in systematic.reads:
            found += _files(name, beside)
    for region in analysis.regions:
        if region.partition:
            found += _files(region.partition, beside)
    for source in (*analysis.tables, *analysis.data.values()):
        if isinstance(source, TableSample | DataFile) and source.file:
            found += _files(source.file, beside)
    for sample_set in analysis.sample_sets:
        found += inputs_of_samples(sample_set)
    return tuple(dict.fromkeys(found))


def inputs_of_samples(sample_set: SampleSet) -> tuple[Path, ...]:
    """Return the TOML file of a sample set and the files it names."""
    found = [Path(sample_set.path)] if sample_set.path else []
    names = [
        one if isinstance(one, str) else one.file
        for said in sample_set.flux.values()
        for one in (said if isinstance(said, tuple) else (said,))
        if isinstance(one, str | Table)
    ]
    names += sample_set.response.tables if sample_set.response else ()
    for sample in sample_set.samples:
        names += sample.response.tables if isinstance(sample.response, Response) else ()
        for files in (sample.files, *(friend.files for friend in sample.friends)):
            names += (files,) if isinstance(files, str) else files
    for name in names:
        found += _files(name, sample_set.folder)
    return tuple(dict.fromkeys(found))


def _files(name: str, folder: Path) -> Iterator[Path]:
    if _URL.match(name):
        return
    split = _TREE.match(name)
    # A name that cannot be searched for is refused where the file is opened.
    with suppress(OSError, ValueError, RuntimeError, re.error):
        path = folder / Path(split["file"] if split else name).expanduser()
        if path.exists() or not glob.has_magic(str(path)):
            yield path
        else:
            whole = path.absolute()
            yield from Path(whole.anchor).glob(str(whole.relative_to(whole.anchor)))
