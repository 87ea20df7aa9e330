"""The page for those who carry on names files, modules and tables that are there, and its examples fit the tree."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
TEXT = (PROJECT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
PACKAGE = PROJECT / "spectrafit"
ROOMS = dict(re.findall(r"^\| `(spectrafit[^`]*)` \|[^|]*\| ([^|]*) \|$", TEXT, re.M))
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
# Files that the examples make.
NEW = {path for block in BLOCKS for path in re.findall(r"^# (tests/\S+\.py)", block, re.M)}
NEW.add("spectrafit/inference/intervals/wald.py")


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return found | {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}


def test_the_table_has_every_room_and_its_modules_are_there():
    folders = {str(path.parent.relative_to(PROJECT)) for path in PACKAGE.rglob("*.py") if path.parent.name != "figures"}
    assert set(ROOMS) == folders
    for room, text in ROOMS.items():
        for name in re.findall(r"`(\w+)`", text):
            assert (PROJECT / room / f"{name}.py").is_file() or (PROJECT / room / name).is_dir(), f"{room}: {name}"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"(?:spectrafit|tests|fits|scripts)/[\w/]+\.(?:py|md)", TEXT))))
def test_a_file_that_is_named_is_there(path):
    assert (PROJECT / path).is_file() or path in NEW


def test_the_steps_of_the_walk_name_modules_and_their_functions():
    walk = TEXT.split("## From TOML to limit")[1].split("##")[0]
    for dotted in re.findall(r"`([a-z]+(?:\.\w+)+)`", walk):
        parts = dotted.split(".")
        whole = PACKAGE.joinpath(*parts).with_suffix(".py")
        module = whole if whole.is_file() else PACKAGE.joinpath(*parts[:-1]).with_suffix(".py")
        assert module == whole or parts[-1] in names_in(module), dotted


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("config/systematics.py", {"_Effect", "Finite", "Literal", "Systematic"}),
        ("templates/systematics.py", {"Effect", "EFFECTS", "Block", "Gathered", "Shifts", "fill"}),
        ("physics/couplings.py", {"COUPLINGS", "Coupling", "CHARGE_RADIUS_COEFFICIENT"}),
        ("templates/observables.py", {"OBSERVABLES", "Observable", "Reals", "Floats"}),
        ("inference/intervals/limits.py", {"METHODS", "LimitMethod"}),
        ("config/options.py", {"Method"}),
        ("events/presets.py", {"Preset", "_branch", "_expression"}),
        ("jit.py", {"KERNEL", "FAST", "kernel", "inlined"}),
    ],
)
def test_the_names_that_examples_build_on_are_there(path, names):
    assert names <= names_in(PACKAGE / path)
    assert all(name in TEXT for name in names)


def test_whole_files_among_the_examples_are_python():
    whole = [block for block in BLOCKS if block.startswith("# tests/")]
    assert len(whole) == 5
    for block in whole:
        assert any(isinstance(node, ast.FunctionDef) for node in ast.parse(block).body)


def test_changelog_and_citation_name_the_version_of_the_project():
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    changes = (PROJECT / ".github" / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (PROJECT / ".github" / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^## (\d\S*?),? ", changes, re.M)[0] == version
    assert re.findall(r"^version: (.*)$", citation, re.M) == [version]
