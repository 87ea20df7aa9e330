"""A small analysis with ntuples of its own, for studies and validation regions."""

from pathlib import Path

import pytest

import spectrafit as sf
from tests.events.ntuples import native
from tests.test_bad_input import write_tree

SAMPLES = """
[response]
energy_constant = 0.05
[[samples]]
name = "numu"
role = "signal"
files = "numu.root"
response = true
pot = 1e20
columns = { weight = 0.02 }
[[samples]]
name = "nc"
role = "background"
files = "nc.root"
response = true
pot = 1e20
columns = { weight = 0.01 }
"""
FIT = """
samples = "set.toml"
pot = 1e20
[[regions]]
name = "nd"
axes = [{ observable = "t_reco", edges = [0.2, 0.4, 0.7, 1.2, 2.0] }]
[[systematics]]
kind = "norm"
name = "flux"
group = "beam"
sigma = 0.1
[[systematics]]
kind = "norm"
name = "nc"
samples = ["nc"]
sigma = 0.3
[[systematics]]
kind = "shift"
name = "scale"
column = "t_reco"
scale = 0.05
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("scan")
    write_tree(place / "numu.root", native(4000))
    write_tree(place / "nc.root", native(2000))
    (place / "set.toml").write_text(SAMPLES)
    (place / "fit.toml").write_text(FIT)
    return place


@pytest.fixture(scope="module")
def analysis(folder: Path) -> sf.Analysis:
    return sf.load(folder / "fit.toml")


@pytest.fixture(scope="module")
def templates(analysis: sf.Analysis) -> sf.Templates:
    return sf.build(analysis)


@pytest.fixture(scope="module")
def small(folder: Path) -> tuple[Path, str]:
    """The folder of the analysis, and its text."""
    return folder, FIT
