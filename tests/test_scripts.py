"""scripts/ on a copy of the project: which Python is taken, what makes the environment again, what is said."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SCRIPTS = ("scripts/demo", "scripts/docs", "scripts/gallery", "scripts/release", "scripts/test", ".ci/run")


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(PROJECT / "scripts", tmp_path / "scripts")
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def bash(words, copy, **environment):
    return subprocess.run(
        ["bash", "-c", f'. "{copy}/scripts/environment"; {words}'],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHON": "", **environment},
        timeout=60,
        check=False,
    )


def fake(folder, name, code):
    program = folder / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/bash\n{code}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_can_be_run_and_parse(name):
    assert os.access(PROJECT / name, os.X_OK)
    subprocess.run(["bash", "-n", PROJECT / name], check=True)
    subprocess.run(["bash", "-n", PROJECT / "scripts/environment"], check=True)


def test_a_python_too_old_is_passed_over(copy):
    old = fake(copy / "bin", "python3.14", '[ "$1" = --version ] && echo "Python 3.8.2"; exit 1')
    path = f"{old.parent}:{Path(sys.executable).parent}:/usr/bin:/bin"
    done = bash("find_python", copy, PATH=path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() != str(old)


def test_without_a_python_the_remedy_is_said(copy):
    fake(copy / "bin", "python3.14", '[ "$1" = --version ] && echo "Python 3.8.2"; exit 1')
    fake(copy / "bin", "python3", 'case "$2" in *ensurepip*) exit 1;; esac; exit 0')
    for tool in ("bash", "dirname", "head"):
        (copy / "bin" / tool).symlink_to(shutil.which(tool))
    done = bash("find_python", copy, PATH=str(copy / "bin"))
    assert done.returncode == 1
    assert "python3.14 is not a working Python >= 3.11: Python 3.8.2" in done.stderr
    assert "python3 cannot make environments" in done.stderr
    assert "PYTHON=/path/to/python3" in done.stderr


def test_a_python_that_is_named_and_missing_is_said(copy):
    done = bash("find_python", copy, PYTHON="no-such-python")
    assert done.returncode == 1
    assert "no-such-python is not there" in done.stderr


def test_the_environment_is_made_again_when_what_it_holds_changes(copy):
    def key():
        done = bash(f'fingerprint "{sys.executable}"', copy)
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = key()
    text = (copy / "pyproject.toml").read_text()
    (copy / "pyproject.toml").write_text(text.replace("line-length = 120", "line-length = 100"))
    assert key() == first
    (copy / "pyproject.toml").write_text(text.replace('"rich>=13"', '"rich>=13.1"'))
    assert key() != first


@pytest.mark.parametrize("group", ["test", "docs"])
def test_the_tools_are_those_of_pyproject(copy, group):
    (copy / ".venv/bin").mkdir(parents=True)
    (copy / ".venv/bin/python").symlink_to(sys.executable)
    listed = bash(f"requirements {group}", copy).stdout.split("\n")
    wanted = tomllib.loads((PROJECT / "pyproject.toml").read_text())["dependency-groups"][group]
    assert listed == [*wanted, ""]


def test_a_step_is_quiet_unless_it_fails(copy):
    done = bash("step 'Doing it' bash -c 'echo words; exit 0'", copy)
    assert done.returncode == 0
    assert done.stdout == "Doing it ... 0 s\n"
    assert done.stderr == ""
    done = bash("step 'Doing it' bash -c 'echo words; exit 3'", copy)
    assert done.returncode == 3
    assert done.stdout == "Doing it ... failed (exit 3)\n"
    assert done.stderr == "words\n"


def test_the_environment_does_not_listen_to_the_one_outside(copy):
    done = bash('echo "${PYTHONPATH-unset} $PYTHONNOUSERSITE $PWD"', copy, PYTHONPATH="/elsewhere")
    assert done.stdout.split() == ["unset", "1", str(copy)]
