import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

# The first call of a compiled function builds it: no deadline on an example. The same examples every time.
settings.register_profile("spectrafit", deadline=None, derandomize=True)
settings.load_profile("spectrafit")

PROJECT = Path(__file__).parents[1]
# A user's shell: the project may be run without being installed.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PROJECT), "COLUMNS": "100"}


# What a command tells of its stages where no terminal shows a bar: the time, what was done, and how long it took.
STAGE = re.compile(r"^\d\d:\d\d:\d\d .* in [\d.]+ s\n", re.M)


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A user's folder with the shipped recipes and analyses, and the shell in it."""

    folder: Path

    def command(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "spectrafit", *map(str, words)]

    def start(self, *words: str | Path, **options: object) -> "subprocess.Popen[str]":
        """Start a command in a session of its own, as a terminal does, so that a signal reaches all its processes."""
        return subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )

    def run(self, *words: str | Path, **options: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )

    def done(self, *words: str | Path) -> str:
        """Run a command that must succeed and say nothing on stderr but its stages; return what it says."""
        found = self.run(*words)
        assert (found.returncode, STAGE.sub("", found.stderr)) == (0, ""), found.stderr
        return found.stdout


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """What a clone holds, after `spectrafit generate samples/nova_nd_fhc.toml`."""
    folder = tmp_path_factory.mktemp("walk")
    for name in ("samples", "fits"):
        shutil.copytree(PROJECT / name, folder / name)
    made = Walk(folder=folder)
    said = made.done("generate", "samples/nova_nd_fhc.toml").split()
    assert [Path(line).name for line in said] == ["numu.root", "numubar.root", "nue.root", "nuebar.root"]
    return made
