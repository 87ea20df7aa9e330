"""The shape the project keeps: rooms mirrored by tests, small modules that say what they do, nothing of one machine."""

import ast
import functools
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "spectrafit"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.stem not in ("__init__", "__main__"))
LONGEST = 400
TOP = {"pyproject.toml", "README.md", "LICENSE", "spectrafit", "samples", "fits", "tests", "scripts"}

parametrised = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git work tree, so there is no list of the project's own files")
    return [PROJECT / name for name in done.stdout.decode().split("\0") if name and (PROJECT / name).is_file()]


def offered(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    listed = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    ]
    assert len(listed) == 1, "a module says in __all__ what it offers"
    return listed[0]


def files_for(path: Path) -> list[Path]:
    """Return the test files that may test a module: those of its room, and those of the whole."""
    parts = path.relative_to(PACKAGE).parts
    room = PROJECT / "tests" / parts[0]
    return [*(room.rglob("*.py") if len(parts) > 1 else ()), *(PROJECT / "tests").glob("test_*.py")]


@functools.cache
def used(test: Path) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return what the code of a test uses: modules of ours, names of ours and attributes, words given as arguments.

    Comments and docstrings are no code.
    """
    modules, names, words = set(), set(), set()
    for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "spectrafit":
            names |= {alias.name for alias in node.names}
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call | ast.List | ast.Tuple):
            inside = node.args if isinstance(node, ast.Call) else node.elts
            texts = [e.value for e in inside if isinstance(e, ast.Constant) and isinstance(e.value, str)]
            words |= {word for text in texts for word in text.split()}
    return frozenset(modules), frozenset(names), frozenset(words)


def reached(path: Path, tests: list[Path]) -> bool:
    """Return whether a test uses a module or one of its public names, or gives the word of a command."""
    module = ".".join(path.relative_to(PROJECT).with_suffix("").parts)
    if any(module in modules or set(offered(path)) & names for modules, names, _ in map(used, tests)):
        return True
    commands = {name.strip("_").replace("_", "-") for name in (path.stem, *offered(path))}
    return path.parent.name == "cli" and any(commands & words for _, _, words in map(used, tests))


@parametrised
def test_a_test_of_its_room_uses_each_module(path):
    """A public name of the module, or the module itself, stands in the code of a test: not in words about it."""
    assert reached(path, files_for(path)), f"no test uses {', '.join(offered(path))}"


def test_a_module_whose_tests_are_taken_away_is_no_longer_reached():
    path = PACKAGE / "templates" / "smoothing.py"
    tests = files_for(path)
    assert reached(path, tests)
    assert not reached(path, [test for test in tests if test.name != "test_smoothing.py"])


@parametrised
def test_every_module_is_short_and_says_what_it_is_for(path):
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= LONGEST
    first = (ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0]
    assert len(first.split()) >= 4, first


@parametrised
def test_public_names_are_listed_and_documented(path):
    names = offered(path)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    for name, node in defined.items():
        if not name.startswith("_"):
            assert ast.get_docstring(node), f"{name} has no docstring"
    assert len(set(names)) == len(names)


def test_the_top_level_is_fixed():
    top = {path.relative_to(PROJECT).parts[0] for path in tracked()}
    assert {name for name in top - TOP if not name.startswith(".")} == set()


def test_no_file_speaks_of_one_machine_or_leaves_work_undone():
    # Put together here, so that this file does not hold them.
    machine = re.compile("|".join(f"/{word}/" for word in ("work", "tmp", "root", "farm")))
    undone = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" * 3 + r"\b", "NotImplemented" + "Error")))
    suppressed = re.compile("|".join(("type: " + "ignore", "no" + "qa", "pragma: " + "no cover")))
    for path in tracked():
        if path.suffix not in (".py", ".toml", ".md", ".yml", ".yaml", "") or path.name == "LICENSE":
            continue
        text = path.read_text(encoding="utf-8")
        for pattern in (machine, *((undone, suppressed) if PACKAGE in path.parents else ())):
            found = pattern.search(text)
            assert found is None, f"{path.relative_to(PROJECT)}: {found and found[0]!r}"


def test_rooms_with_names_that_say_nothing_are_not_there():
    for path in PACKAGE.rglob("*"):
        assert path.stem not in ("utils", "util", "helpers", "common", "base", "misc", "core"), path
