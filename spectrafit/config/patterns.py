"""Names and shell globs in a TOML: which samples, regions or systematics a key means."""

from __future__ import annotations

from fnmatch import fnmatchcase

__all__ = ["chosen", "matches"]


def chosen(patterns: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the `names` that match any of the `patterns` (shell globs), in the order of `names`.

    A name matches itself, whatever characters are in it. A pattern without a slash matches ``set/sample`` by the part
    after the slash, too.
    """
    return tuple(name for name in names if any(matches(name, pattern) for pattern in patterns))


def matches(name: str, pattern: str) -> bool:
    """Tell whether a name matches a pattern; see `chosen`."""
    if name == pattern or fnmatchcase(name, pattern):
        return True
    return "/" in name and "/" not in pattern and fnmatchcase(name.partition("/")[2], pattern)
