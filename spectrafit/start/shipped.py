"""Lays the samples and fits that come with the package into a folder of the user's."""

from __future__ import annotations

import shutil
from pathlib import Path

import spectrafit
from spectrafit.errors import ConfigError, DataError

__all__ = ["lay_out", "shipped"]

_FOLDERS = ("samples", "fits")


def shipped() -> Path:
    """Return the folder that holds the shipped `samples` and `fits`.

    The wheel carries them inside the package. A clone, installed with `pip install --editable`, has them beside it.

    Raises
    ------
    DataError
        The installation has neither.
    """
    package = Path(spectrafit.__file__).parent
    for folder in (package / "shipped", package.parent):
        if all((folder / name / "README.md").is_file() for name in _FOLDERS):
            return folder
    raise DataError(f"{package / 'shipped'}: the samples and fits are missing here; install spectrafit again")


def lay_out(folder: Path) -> tuple[Path, ...]:
    """Copy the shipped samples and fits into a folder. Files that are there with the same content stay as they are.

    Parameters
    ----------
    folder : Path
        Made if it is not there.

    Returns
    -------
    tuple of Path
        The files that were written.

    Raises
    ------
    ConfigError
        A file of the same name and of another content is there; nothing is written then.
    DataError
        The folder is a file, or the installation has no samples.
    """
    origin = shipped()
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; give the name of a folder")
    todo = []
    for name in _FOLDERS:
        for source in sorted(path for path in (origin / name).rglob("*") if path.is_file()):
            if "__pycache__" in source.parts:
                continue
            target = folder / source.relative_to(origin)
            if not target.exists():
                todo.append((source, target))
            elif target.read_bytes() != source.read_bytes():
                raise ConfigError(
                    f"{target}: differs from the shipped file and is left as it is; give the demo another folder"
                )
    for source, target in todo:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(source, part)
        part.replace(target)
    return tuple(target for _, target in todo)
