"""A local of one letter stands only where a docstring has the letter: of the function, its class or the module."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "spectrafit"

# What needs no docstring: an unused value, and the electron's kinetic energy, under which name events have it.
ALWAYS = {"_", "t"}


def letters(docstring: str | None) -> set[str]:
    """Return the letters that stand alone in a docstring. The words "a", "A" and "I" are none: they need a formula."""
    text = docstring or ""
    found = set(re.findall(r"(?<![\w'])([A-Za-z])(?![A-Za-z0-9'])", text))
    for word in found & {"a", "A", "I"}:
        if not re.search(rf"`{word}`|\b{word}(?: ?[=+*/^_(\[]|, [a-z]\b| and [a-z]\b)|[=+*/^(]{word}\b", text):
            found.remove(word)
    return found


def unexplained(source: str) -> list[tuple[int, str]]:
    """Return line and name of every one-letter local that no docstring around it explains."""

    def walk(node: ast.AST, known: set[str]) -> Iterator[tuple[int, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                yield from walk(child, known | letters(ast.get_docstring(child)))
                continue
            bound = child.id if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store) else None
            bound = child.name if isinstance(child, ast.ExceptHandler) else bound
            if bound is not None and len(bound) == 1 and bound not in known:
                yield child.lineno, bound
            yield from walk(child, known)

    tree = ast.parse(source)
    return sorted(walk(tree, ALWAYS | letters(ast.get_docstring(tree))))


def test_letters_are_explained() -> None:
    found = [
        f"{path.relative_to(SOURCES)}:{line}: {name}"
        for path in sorted(SOURCES.rglob("*.py"))
        for line, name in unexplained(path.read_text(encoding="utf-8"))
    ]
    assert not found, "give a word as name, or say in the docstring what the letter is: " + "; ".join(found)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f():\n    '''Sum over bins b.'''\n    for b in range(3):\n        pass\n", []),
        ("def f():\n    '''Sum over bins.'''\n    for b in range(3):\n        pass\n", ["b"]),
        ("'''Here i is an event.'''\ndef f():\n    return [i for i in range(3)]\n", []),
        ("def f():\n    '''Give a list.'''\n    return [a for a in range(3)]\n", ["a"]),
        ("def f():\n    '''With a = 2 b.'''\n    a, b = 1, 2\n    return a * b\n", []),
        ("def f():\n    try:\n        x = 1\n    except OSError as e:\n        raise\n", ["x", "e"]),
        ("def f():\n    with open('x') as o, open('y') as _:\n        t = o.read()\n", ["o"]),
    ],
)
def test_a_letter_is_found(source: str, names: list[str]) -> None:
    assert [name for _, name in unexplained(source)] == names
