"""File names as a TOML gives them: `$VAR` and `~` are replaced, and a URL is refused unless its protocol is known."""

from __future__ import annotations

import os
import re
from pathlib import Path

from spectrafit.errors import ConfigError, nearest

__all__ = ["PROTOCOLS", "is_url", "local", "substituted"]

PROTOCOLS = ("file", "http", "https", "root", "s3")
"""The protocols a file may be read by.

Every other protocol that the `fsspec` library knows is refused. Some of them open local files in another guise, and
`reference://`, in older versions of fsspec, runs code that stands in the file it names.
"""

_CACHES = ("simplecache", "filecache", "blockcache")
_URL = re.compile(r"^[a-z][a-z0-9+.-]*(?:::[a-z][a-z0-9+.-]*)*://", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:(?P<bare>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})")


def is_url(text: str) -> bool:
    """Tell whether a file name is a URL, perhaps with a cache before it, as in ``simplecache::https://...``."""
    return _URL.match(text) is not None


def substituted(text: str, where: str) -> str:
    """Return a file name with ``$VAR`` and ``${VAR}`` replaced by what the environment says.

    Parameters
    ----------
    text : str
        A path, pattern or URL.
    where : str
        The key that says it, for the message.

    Raises
    ------
    ConfigError
        A variable is not set, or the protocol of a URL is not one of `PROTOCOLS`.
    """
    found = _VARIABLE.sub(lambda match: _value(match, text, where), text)
    if is_url(found):
        for part in found.split("::"):
            protocol = part.partition("://")[0].lower()
            if protocol not in PROTOCOLS and not ("://" not in part and protocol in _CACHES):
                known = ", ".join(PROTOCOLS)
                raise ConfigError(
                    f"{where}: {text!r} is read by the protocol {protocol!r}{nearest(protocol, PROTOCOLS)}; the"
                    f" protocols there are: {known}; copy the file, or name it by one of them"
                )
    elif "\0" in found:
        raise ConfigError(f"{where}: {text!r} holds a NUL character, which no file name can; remove it")
    return found if is_url(found) else _on_disk(found)


def _on_disk(name: str) -> str:
    """Return a name as this process must spell it: the bytes on disk are UTF-8, whatever the locale says."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return os.fsdecode(name.encode("utf-8"))
    return name


def local(name: str, folder: Path, where: str) -> Path:
    """Return the path of a local file that a TOML in `folder` names; ConfigError as `substituted` raises."""
    found = substituted(name, where)
    try:
        return folder / Path(found).expanduser()
    except RuntimeError:
        raise ConfigError(f"{where}: {name!r}: there is no such user; write the whole path") from None


def _value(match: re.Match[str], text: str, where: str) -> str:
    name = match["bare"] or match["braced"]
    if name not in os.environ:
        raise ConfigError(
            f"{where}: {text!r}: the environment variable {name!r} is not set{nearest(name, os.environ)}; set it, or"
            " write the path"
        )
    return os.environ[name]
