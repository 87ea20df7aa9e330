"""Writes a first sample set and a first analysis into a folder, and checks them as `spectrafit check` does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spectrafit.config import Analysis, SampleSet, load, schema
from spectrafit.errors import ConfigError, DataError, SpectrafitError
from spectrafit.report.inventories import inventory_table
from spectrafit.start.looking import group
from spectrafit.start.proposal import Proposal
from spectrafit.start.proposing import propose
from spectrafit.start.writing import analysis, path_in, sample_set, set_names

__all__ = ["New", "new"]

_FIT, _SCHEMAS = "fit.toml", ".schema"


@dataclass(frozen=True, kw_only=True)
class New:
    """What `new` wrote.

    Attributes
    ----------
    samples : Path
        The sample set, the first one if there are several.
    fit : Path
        The analysis.
    written : tuple of Path
        All of them.
    left_out : tuple of str
        What is said of files that cannot be used.
    proposals : tuple of Proposal
    missing : tuple of str
        What only the user can say.
    refused : str
        What `check` refuses; empty if it finds nothing.
    """

    samples: Path
    fit: Path
    written: tuple[Path, ...]
    left_out: tuple[str, ...]
    proposals: tuple[Proposal, ...]
    missing: tuple[str, ...]
    refused: str


def new(folder: Path, files: Sequence[str]) -> New:
    """Look at ntuples and write `beam.toml` and `fit.toml`, a first analysis of them.

    Where two folders have files of one name, each folder is a detector or a mode of the beam. It becomes a sample set
    of its own, which has the folder's name, with a region of its own.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    files : sequence of str
        Files, globs and URLs, relative to the current folder.

    Raises
    ------
    ConfigError
        The folder has one of the files already.
    DataError
        A file is missing, or none can be used, or `folder` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; the first word names the folder to write to, then come the ntuples")
    if (folder / _FIT).exists():
        raise _taken(folder / _FIT)
    groups, left_out = group(files, Path.cwd())
    sets = set_names([each.place for each in groups])
    for name in sets.values():
        if (folder / name).exists():
            raise _taken(folder / name)
    paths = {file: path_in(folder, file) for each in groups for file in each.files}
    found = propose(groups, paths)
    text, missing = analysis(found, sets, f"{_SCHEMAS}/analysis.json")
    (folder / _SCHEMAS).mkdir(parents=True, exist_ok=True)
    for name, kind in (("samples", SampleSet), ("analysis", Analysis)):
        written = json.dumps(schema(kind), indent=1, ensure_ascii=False)
        (folder / _SCHEMAS / f"{name}.json").write_text(written, encoding="utf-8")
    for place, name in sets.items():
        mine = [each for each in found if each.group.place == place]
        beam, asked = sample_set(mine, folder, f"{_SCHEMAS}/samples.json", name)
        missing += asked
        (folder / name).write_text(beam, encoding="utf-8")
    (folder / _FIT).write_text(text, encoding="utf-8")
    try:
        inventory_table(load(folder / _FIT))
        refused = ""
    except SpectrafitError as error:
        refused = str(error)
    return New(
        samples=folder / next(iter(sets.values())),
        fit=folder / _FIT,
        written=(*(folder / name for name in sets.values()), folder / _FIT),
        left_out=left_out,
        proposals=found,
        missing=(*(text for each in found for text in each.missing), *missing),
        refused=refused,
    )


def _taken(path: Path) -> ConfigError:
    return ConfigError(f"{path}: is there already, and is not overwritten; name another folder, or delete it")
