"""Mutations: plain values and bytes in, the same with something wrong in a few places out."""

from __future__ import annotations

import copy
import math
from random import Random
from typing import Any

__all__ = ["broken_bytes", "broken_tree", "toml"]

NUMBERS = [
    *(math.nan, math.inf, -math.inf, 0, 0.0, -0.0, -1, -1.5, 1, 2, 3, 0.5, 1e-300, 5e-324, 1e-9, 1e9, 1e15, 1e16),
    *(
        1e30,
        -1e30,
        1e31,
        1e154,
        1e155,
        1e300,
        1e308,
        -1e308,
        2**31,
        2**53,
        2**62,
        2**63,
        -(2**63),
        2**64,
        10**30,
        10**400,
    ),
]
TEXTS = [
    *(
        "",
        " ",
        "*",
        "?",
        "[",
        "[x",
        "nd",
        "sig",
        "kappa",
        "../../x",
        "/dev/null",
        "/",
        ".",
        "~",
        "~nobody/x",
        "x" * 5000,
    ),
    *("a:b", "a/b", "$\\frac{$", "[/red]", "<b>", "%s", "{}", "\u202eκ 区域", "\U0001f4a5", "\ufeff", "é", "e\u0301"),
    *(
        "__import__('os')",
        "1/0",
        "t_reco[0]",
        "Sum$(t_reco)",
        "((((",
        "t_reco <",
        "1e999",
        "nan",
        "9" * 400,
        "a\\b",
        "'",
        '"',
    ),
    *(
        "c.csv",
        "sig.root",
        "sig.root:events",
        "sig.root:no",
        "http://[",
        "file://x",
        "flux.dat",
        "t_reco",
        "weight",
        "true",
    ),
]
OTHERS: list[Any] = [True, False, [], {}, [[]], [{}], {"": 1}, [1, "a"], {"a": {"b": [1]}}]


def value(draw: Random) -> Any:
    """Return a value that may be wrong anywhere."""
    kind = draw.random()
    return copy.deepcopy(draw.choice(NUMBERS if kind < 0.5 else TEXTS if kind < 0.85 else OTHERS))


def places(tree: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where there is a value in a tree."""
    found = [at] if at else []
    if isinstance(tree, dict | list):
        for key, item in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
            found += places(item, (*at, key))
    return found


def broken_tree(tree: Any, draw: Random) -> Any:
    """Return plain values with one to four of them replaced, taken away, doubled, renamed or moved."""
    tree = copy.deepcopy(tree)
    for _ in range(draw.choice([1, 1, 1, 2, 2, 3, 4])):
        known = places(tree)
        if not known:
            return tree
        at = draw.choice(known)
        node = tree
        for key in at[:-1]:
            node = node[key]
        last, how = at[-1], draw.random()
        if how < 0.55:
            node[last] = value(draw)
        elif how < 0.65:
            del node[last]
        elif how < 0.75 and isinstance(node, list):
            node.insert(draw.randrange(len(node) + 1), copy.deepcopy(draw.choice(node)))
        elif how < 0.82 and isinstance(node, dict):
            node[str(draw.choice(TEXTS))[:50]] = node.pop(last)
        elif how < 0.9 and isinstance(node[last], int | float) and not isinstance(node[last], bool):
            node[last] = draw.choice([-1, 0, 0.1, 10, 1e3, 1e6, 1e-6, 1e12]) * node[last]
        else:
            other = tree
            for key in draw.choice(known):
                other = other[key] if isinstance(other, dict | list) and _has(other, key) else other
            node[last] = copy.deepcopy(other)
    return tree


def _has(node: Any, key: Any) -> bool:
    return key in node if isinstance(node, dict) else isinstance(key, int) and key < len(node)


def broken_bytes(content: bytes, draw: Random) -> bytes:
    """Return bytes with a few of them flipped, overwritten, cut off, taken out, put in or doubled."""
    found = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 4, 16])):
        size = len(found)
        if not size:
            return bytes(found)
        # Headers and directories are where damage hurts: half of all changes are near an end.
        near = draw.random()
        at = draw.randrange(size) if near < 0.5 else min(int(draw.expovariate(0.02)), size - 1)
        at = size - 1 - at if near > 0.75 else at
        how, length = draw.random(), draw.choice([1, 1, 2, 4, 8, 64, 512])
        if how < 0.4:
            found[at] ^= 1 << draw.randrange(8)
        elif how < 0.6:
            found[at : at + length] = draw.randbytes(len(found[at : at + length]))
        elif how < 0.7:
            filled = draw.choice([b"\0", b"\xff", b"\x7f", b"-", b"9"])
            found[at : at + length] = filled * len(found[at : at + length])
        elif how < 0.8:
            del found[at:]
        elif how < 0.87:
            del found[at : at + length]
        elif how < 0.95:
            found[at:at] = draw.randbytes(length)
        else:
            found[at:at] = found[at : at + length]
    return bytes(found)


def toml(tree: dict[str, Any]) -> str:
    """Write plain values as TOML, tables inline."""
    return "\n".join(f"{_text(str(key))} = {_toml(item)}" for key, item in tree.items()) + "\n"


def _toml(item: Any) -> str:
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, dict):
        return "{" + ", ".join(f"{_text(str(key))} = {_toml(inner)}" for key, inner in item.items()) + "}"
    if isinstance(item, list | tuple):
        return "[" + ", ".join(map(_toml, item)) + "]"
    return _text(item) if isinstance(item, str) else repr(item)


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if ord(c) >= 32 and ord(c) != 127 else f"\\u{ord(c):04x}" for c in escaped) + '"'
