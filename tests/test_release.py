"""What a release is made of fits together: recipe, container, versions of Python that are declared, shipped files."""

import importlib.util
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
META = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
RECIPE = (PROJECT / ".conda/recipe.yaml").read_text(encoding="utf-8")
# Names of packages that conda splits.
CONDA = {"matplotlib": "matplotlib-base"}


def test_the_recipe_has_the_name_version_and_requirements_of_the_project():
    project = META["project"]
    assert re.findall(r"^  version: (\d\S*)$", RECIPE, re.M) == [project["version"]]
    assert re.findall(r"^  name: (\S+)$", RECIPE, re.M) == [project["name"]]
    listed = re.findall(r"^    - (.*)$", RECIPE[RECIPE.index("  run:") : RECIPE.index("tests:")], re.M)
    wanted = [re.fullmatch(r"([\w-]+)(.*)", each).groups() for each in project["dependencies"]]
    assert listed == [
        f"python {project['requires-python']}",
        *(f"{CONDA.get(name, name)} {version}" for name, version in wanted),
    ]
    assert re.findall(r"- (spectrafit = \S+)$", RECIPE, re.M) == [
        f"spectrafit = {project['scripts']['spectrafit']}",
    ]
    assert re.findall(r"^  license: (\S+)$", RECIPE, re.M) == [project["license"]]


def test_the_builder_of_conda_packages_reads_the_recipe():
    builder = pytest.importorskip("rattler_build", reason="needs py-rattler-build")
    (made,) = builder.Stage0Recipe.from_yaml(RECIPE).render(builder.VariantConfig())
    assert made.recipe.package.name == META["project"]["name"]


def test_no_version_of_python_is_declared_that_ci_does_not_run():
    declared = {
        found[1]
        for line in META["project"]["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))
    }
    workflow = (PROJECT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    run = set(re.findall(r'"(3\.\d+)"', workflow[workflow.index("matrix:") : workflow.index("steps:")]))
    assert declared
    assert declared <= run


def test_the_wheel_carries_the_shipped_folders_and_they_are_in_the_sdist():
    targets = META["tool"]["hatch"]["build"]["targets"]
    carried = targets["wheel"]["force-include"]
    assert carried == {name: f"spectrafit/shipped/{name}" for name in ("samples", "fits")}
    for name in carried:
        assert (PROJECT / name / "README.md").is_file()
        assert name in targets["sdist"]["include"]


def test_the_steps_of_the_container_are_scripts_that_parse_and_run_takes_a_read_only_image(tmp_path):
    containerfile = (PROJECT / ".container/Containerfile").read_text(encoding="utf-8")
    for name in ("install", "run"):
        assert f".container/{name}" in containerfile
        assert os.access(PROJECT / ".container" / name, os.X_OK)
        subprocess.run(["sh", "-n", PROJECT / ".container" / name], check=True)
    kernels, program = tmp_path / "kernels", tmp_path / "bin/spectrafit"
    kernels.mkdir()
    (kernels / "kernel.nbi").write_text("compiled")
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$NUMBA_CACHE_DIR" "$@"\ncat "$NUMBA_CACHE_DIR/kernel.nbi"\n')
    program.chmod(0o755)

    def run():
        done = subprocess.run(
            ["sh", PROJECT / ".container/run", "fit", "a b.toml"],
            env={**os.environ, "SPECTRAFIT_PREFIX": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    assert run() == [f"{kernels} fit a b.toml", "compiled"]


def test_pages_of_the_site_link_to_each_other_and_each_is_in_its_menu():
    spec = importlib.util.spec_from_file_location("make_site", PROJECT / "scripts/make_site.py")
    site = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(site)
    assert site.linked("[a](samples/README.md#all-keys)", "README.md") == "[a](samples.md#all-keys)"
    assert site.linked("[a](../../README.md)", "samples/nuwro/README.md") == "[a](index.md)"
    assert site.linked("![a](.github/figures/spectrum.png)", "README.md") == "![a](figures/spectrum.png)"
    assert site.linked("[a](https://example.org/README.md)", "README.md") == "[a](https://example.org/README.md)"
    menu = set(re.findall(r": (\w+\.md)$", (PROJECT / "scripts/site.yml").read_text(encoding="utf-8"), re.M))
    made = {*site.PAGES, "gallery.md", "verbs.md", *(f"room_{room}.md" for room in site.ROOMS)}
    assert menu == made | {f"{name}.md" for name in site.NOTEBOOKS}
    for room in site.ROOMS:
        assert (PROJECT / "spectrafit" / room / "__init__.py").is_file()
    for name in site.NOTEBOOKS:
        assert (PROJECT / f"fits/{name}.py").is_file()
