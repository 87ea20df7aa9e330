"""The shape the project keeps: rooms mirrored by tests, small modules that say what they do, nothing of one machine."""

import ast
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


@pytest.mark.parametrize("room", sorted({path.relative_to(PACKAGE).parts[0] for path in MODULES}))
def test_the_tests_of_a_room_reach_each_of_its_modules(room):
    """Named by a test, or imported by a module that is: nothing lies about that no test knows of."""
    modules = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] == room]
    folder = PROJECT / "tests" / room
    tests = [*(folder.rglob("*.py") if folder.is_dir() else ()), *(PROJECT / "tests").glob("test_*.py")]
    words = set().union(*(re.findall(r"\w+", test.read_text(encoding="utf-8")) for test in tests))
    reached = {path for path in modules if words & {path.stem, *offered(path)}}
    while True:
        imported = set().union(*(set(re.findall(r"\w+", path.read_text(encoding="utf-8"))) for path in reached))
        found = {path for path in modules if path.stem in imported} | reached
        if found == reached:
            break
        reached = found
    assert [str(path.relative_to(PACKAGE)) for path in modules if path not in reached] == []


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
