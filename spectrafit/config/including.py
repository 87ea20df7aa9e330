"""Reading a TOML file with the files that it includes: one base, and variations of a few lines.

`include` names a file, or several, that the including file is laid over. Tables are merged key by key. Lists whose
tables all have a name are merged by name: a table of a new name is added at the end, and a table of another `kind`
takes the place of the earlier one. Anything else is replaced. File names are relative to the file that says them.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectrafit.config.paths import is_url, local, substituted
from spectrafit.errors import ConfigError, nearest

__all__ = ["Written", "read"]

_AT = re.compile(r"\$(?:\.[^.\[\]:\s]+|\[\d+\])*")
_TOKENS = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, kw_only=True, eq=False)
class Written:
    """A value of a TOML file, with the file and the key where it stands.

    Attributes
    ----------
    value : dict of str to Written, list of Written, or a plain value
    file : str
        As it was named.
    at : str
        Key in that file, ``$.systematics[0].sigma``.
    """

    value: Any
    file: str
    at: str

    @classmethod
    def of(cls, raw: Any, file: str, at: str = "$") -> Written:
        """Return plain values of a file with their places."""
        if isinstance(raw, dict):
            inner: Any = {key: cls.of(item, file, f"{at}.{key}") for key, item in raw.items()}
        elif isinstance(raw, list):
            inner = [cls.of(item, file, f"{at}[{index}]") for index, item in enumerate(raw)]
        else:
            inner = raw
        return cls(value=inner, file=file, at=at)

    @property
    def plain(self) -> Any:
        """The values alone."""
        if isinstance(self.value, dict):
            return {key: item.plain for key, item in self.value.items()}
        return [item.plain for item in self.value] if isinstance(self.value, list) else self.value

    def told(self, message: str) -> str:
        """Return a message that begins with this file's name and a key, with the file and key where that is written."""
        start = f"{self.file}: "
        found = _AT.match(message, len(start)) if message.startswith(start) else None
        if found is None:
            return message
        node, rest = self, ""
        for key, index in _TOKENS.findall(found[0]):
            token = f".{key}" if key else f"[{index}]"
            inner = node.value
            known = isinstance(inner, dict) and key in inner if key else isinstance(inner, list)
            if rest or not known or (index and int(index) >= len(inner)):
                rest += token
            else:
                node = inner[key] if key else inner[int(index)]
        return f"{node.file}: {node.at}{rest}{message[found.end() :]}"


def read(path: Path, *, names: Callable[[Any], Iterator[tuple[Any, Any]]]) -> Written:
    """Return what a TOML file says, laid over the files that it includes.

    Parameters
    ----------
    path : Path
    names : callable
        Yields every table or list of plain values, with the key in it, that holds the name of a file.

    Raises
    ------
    ConfigError
        A file is missing or no TOML, `include` is no name, files include each other in a circle.
    """
    return _read(path, path, names, ())


def _read(
    path: Path, first: Path, names: Callable[[Any], Iterator[tuple[Any, Any]]], above: tuple[Path, ...]
) -> Written:
    raw = _parsed(path)
    said = raw.pop("include", ())
    included = (said,) if isinstance(said, str) else said
    if not isinstance(included, list | tuple) or not all(isinstance(name, str) and name for name in included):
        raise ConfigError(f"{path}: $.include: needs the name of a TOML file, or a list of names; found {said!r}")
    here = (*above, path.resolve())
    _rewrite(raw, path, first, names)
    result: Written | None = None
    for name in included:
        base = local(name, path.parent, f"{path}: $.include")
        if base.resolve() in here:
            circle = " -> ".join(file.name for file in (*here[here.index(base.resolve()) :], base))
            raise ConfigError(f"{path}: $.include: {name!r} includes itself ({circle}); take one of them out")
        if not base.exists():
            near = nearest(
                base.name, (file.name for file in base.parent.glob("*.toml") if file.resolve() != path.resolve())
            )
            raise ConfigError(f"{path}: $.include: no file {name!r}{near}")
        below = _read(base, first, names, here)
        result = below if result is None else _merged(result, below)
    own = Written.of(raw, str(path))
    return own if result is None else _merged(result, own)


def _rewrite(raw: Any, path: Path, first: Path, names: Callable[[Any], Iterator[tuple[Any, Any]]]) -> None:
    """Make file names that are relative to one file's folder relative to that of the first."""
    folder, target = path.resolve().parent, first.resolve().parent
    if folder == target:
        return
    for holder, key in names(raw):
        name = holder[key]
        if not isinstance(name, str):
            continue
        found = substituted(name, f"{path}: {name}")
        if not is_url(found) and not found.startswith("~") and not Path(found).is_absolute():
            holder[key] = os.path.relpath(folder / found, target)


def _merged(base: Written, own: Written) -> Written:
    """Return what is written in `base`, with what is written in `own` laid over it."""
    below, above = base.value, own.value
    if isinstance(below, dict) and isinstance(above, dict):
        kinds = [table["kind"].plain for table in (below, above) if "kind" in table]
        if len(kinds) == 2 and kinds[0] != kinds[1]:
            return own
        both = {
            key: _merged(below[key], above[key]) if key in below and key in above else {**below, **above}[key]
            for key in {**below, **above}
        }
        return Written(value=both, file=own.file, at=own.at)
    if isinstance(below, list) and isinstance(above, list) and below and all(_name(item) for item in (*below, *above)):
        return Written(value=_by_name(below, above), file=own.file, at=own.at)
    return own


def _by_name(base: list[Written], own: list[Written]) -> list[Written]:
    result = list(base)
    names = [_name(item) for item in base]
    for item in own:
        name = _name(item)
        if name not in names:
            result.append(item)
        elif names.count(name) > 1 or [_name(other) for other in own].count(name) > 1:
            raise ConfigError(
                f"{item.file}: {item.at}: {name!r} is the name of several tables, here or in {base[0].file}; which of"
                " them is laid over which is not clear: give them names of their own"
            )
        else:
            place = names.index(name)
            result[place] = _merged(result[place], item)
    return result


def _name(item: Written) -> str:
    """Return the name of a table, "" for anything else."""
    named = item.value.get("name") if isinstance(item.value, dict) else None
    return named.value if named is not None and isinstance(named.value, str) else ""


def _parsed(path: Path) -> dict[str, Any]:
    """Return what one TOML file says."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        near = nearest(path.name, (file.name for file in path.parent.glob("*.toml")))
        raise ConfigError(f"{path}: no such file{near}") from None
    except UnicodeDecodeError:
        look = "; `spectrafit inspect` shows what a ROOT file holds" if path.suffix == ".root" else ""
        raise ConfigError(f"{path}: is not text, and needed is a TOML file{look}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except tomllib.TOMLDecodeError as error:
        look = "; this command takes no workspace, an analysis only" if path.suffix in (".json", ".gz") else ""
        raise ConfigError(f"{path}: not valid TOML: {error}{look}") from None
    except ValueError:
        # Python refuses to read a whole number of more than some thousand digits.
        raise ConfigError(f"{path}: not valid TOML: a number has too many digits") from None
    except RecursionError:
        raise ConfigError(f"{path}: not valid TOML: lists or tables are nested too deeply") from None
