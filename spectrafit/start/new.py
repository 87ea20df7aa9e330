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
from spectrafit.start.writing import analysis, path_in, sample_set

__all__ = ["New", "new"]

_SAMPLES, _FIT, _SCHEMAS = "beam.toml", "fit.toml", ".schema"


@dataclass(frozen=True, kw_only=True)
class New:
    """What `new` wrote.

    Attributes
    ----------
    samples, fit : Path
        The two files.
    proposals : tuple of Proposal
    missing : tuple of str
        What only the user can say.
    refused : str
        What `check` refuses; empty if it finds nothing.
    """

    samples: Path
    fit: Path
    proposals: tuple[Proposal, ...]
    missing: tuple[str, ...]
    refused: str


def new(folder: Path, files: Sequence[str]) -> New:
    """Look at ntuples and write `beam.toml` and `fit.toml`, a first analysis of them.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    files : sequence of str
        Files, globs and URLs, relative to the current folder.

    Raises
    ------
    ConfigError
        The folder has one of the two files already.
    DataError
        A file is missing or cannot be read, or `folder` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; the first word names the folder to write to, then come the ntuples")
    for name in (_SAMPLES, _FIT):
        if (folder / name).exists():
            raise ConfigError(f"{folder / name}: is there already, and is not overwritten; name another folder")
    groups = group(files, Path.cwd())
    paths = {file: path_in(folder, file) for each in groups for file in each.files}
    found = propose(groups, paths)
    text, missing = analysis(found, _SAMPLES, f"{_SCHEMAS}/analysis.json")
    (folder / _SCHEMAS).mkdir(parents=True, exist_ok=True)
    for name, kind in (("samples", SampleSet), ("analysis", Analysis)):
        written = json.dumps(schema(kind), indent=1, ensure_ascii=False)
        (folder / _SCHEMAS / f"{name}.json").write_text(written, encoding="utf-8")
    (folder / _SAMPLES).write_text(sample_set(found, folder, f"{_SCHEMAS}/samples.json"), encoding="utf-8")
    (folder / _FIT).write_text(text, encoding="utf-8")
    try:
        inventory_table(load(folder / _FIT))
        refused = ""
    except SpectrafitError as error:
        refused = str(error)
    return New(
        samples=folder / _SAMPLES,
        fit=folder / _FIT,
        proposals=found,
        missing=(*(text for each in found for text in each.missing), *missing),
        refused=refused,
    )
